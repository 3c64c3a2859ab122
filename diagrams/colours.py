"""The colours of pictures and pages.

The hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with colour-vision deficiency can
distinguish; each has a variant for light pages, for dark pages and for pages of unknown colour. Colour is never the only
sign: duplicates are dashed, losses crossed, TIME-WAIT is a bar, a violation a diamond.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Colour(NamedTuple):
    """A colour as ``#rrggbb``, for light pages and print, for dark pages, and for pages of unknown colour."""

    light: str
    dark: str
    middle: str = "#7a7a7a"


BACKGROUND = Colour("#ffffff", "#14181d", "#ffffff")
BLACK = Colour("#1b1f24", "#e6edf3", "#7a7a7a")
GREY = Colour("#57606a", "#9aa5b1", "#7a7a7a")
BLUE = Colour("#0072b2", "#6cc0f0", "#2a7cbb")
RED = Colour("#b84a00", "#ff9351", "#b5651d")
GREEN = Colour("#00795a", "#3ed1a6", "#17857c")
SAFE = Colour("#e4f3ec", "#12312a")
COLOURS = (BACKGROUND, BLACK, GREY, BLUE, RED, GREEN, SAFE)
"""The colours of figures and charts."""

NAMED = {
    "background": BACKGROUND,
    "text": BLACK,
    "muted": GREY,
    "first": BLUE,
    "wrong": RED,
    "next": GREEN,
    "thin": Colour("#848d97", "#6b7682"),
    "faint": Colour("#d0d7de", "#39424d"),
    "band": Colour("#eef1f4", "#1e252d"),
    "wait": Colour("#e69f00", "#d99a1e"),
    "waiting": Colour("#8a5a00", "#f2c14e"),
    "marked": Colour("#fff3c4", "#3a3210"),
}
"""The colours of sequence charts and review pages, by their names in style sheets."""

DARK = "@media screen and (prefers-color-scheme: dark)"


def dark_rules() -> str:
    """A style sheet that replaces the light colours of a picture by the dark ones on dark pages."""
    rules = "".join(f'[{name}="{colour.light}"]{{{name}:{colour.dark}}}' for colour in COLOURS for name in ("fill", "stroke"))
    return f"{DARK}{{{rules}}}"


def themed(rules: str) -> str:
    """Style sheet rules for light pages, dark pages and print.

    Parameters
    ----------
    rules : str
        One rule a line; ``$name`` stands for a colour of `NAMED`.
    """
    coloured = "\n".join(line for line in rules.splitlines() if "$" in line)
    return "\n".join((_filled(rules, "light"), f"{DARK} {{", _filled(coloured, "dark"), "}"))


def _filled(rules: str, variant: str) -> str:
    return re.sub(r"\$([a-z]+)", lambda found: str(getattr(NAMED[found[1]], variant)), rules)
