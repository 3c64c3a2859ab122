"""Pictures in light colours, in dark colours, or in those of the page that shows them."""

from __future__ import annotations

import re
from enum import StrEnum

from timewait.diagrams.colours import BACKGROUND, COLOURS, DARK, NAMED

DARK_OF = {colour.light: colour.dark for colour in (*COLOURS, *NAMED.values())}
"""The colour of a dark page for each colour of a light one."""

_COLOUR = re.compile(r'((?:fill|stroke)(?:="|: ?))(#[0-9a-f]{6})')

_BACKGROUND = re.compile(rf'<rect width="[^"]*" height="[^"]*" fill="{BACKGROUND.light}" ?/>')


class Theme(StrEnum):
    """The colours of a picture."""

    LIGHT = "light"
    DARK = "dark"
    AUTO = "auto"
    """Those that the reader prefers (the CSS feature prefers-color-scheme)."""


def with_theme(svg: str, theme: Theme) -> str:
    """A picture of this package in the colours of a theme.

    Parameters
    ----------
    svg : str
        A picture that follows the reader's preference.
    theme : Theme
        The colours.
    """
    if theme is Theme.AUTO:
        return svg
    fixed = _without_dark_rules(svg)
    return fixed if theme is Theme.LIGHT else _COLOUR.sub(lambda found: found[1] + DARK_OF.get(found[2], found[2]), fixed)


def without_background(svg: str) -> str:
    """A picture of this package through which the page behind it is seen.

    Raises
    ------
    ValueError
        The picture has no background.
    """
    transparent, found = _BACKGROUND.subn("", svg, count=1)
    if not found:
        raise ValueError("a picture without a background")
    return transparent


def _without_dark_rules(svg: str) -> str:
    """A picture without the style sheets for readers who prefer dark pages."""
    before, found, rest = svg.partition(DARK)
    if not found:
        return svg
    depth = 0
    for place, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if character == "}" and depth == 0:
            return before + _without_dark_rules(rest[place + 1 :])
    raise ValueError("a style sheet without its closing brace")
