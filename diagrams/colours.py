"""The colours of pictures and pages.

The hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which the colour-blind tell apart; each is
darkened for light pages, lightened for dark ones, and has a mid-tone for where the page is not known. Nothing is told
by colour alone: duplicates are dashed, losses crossed, TIME-WAIT is a bar, a violation a diamond.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Colour(NamedTuple):
    """One colour, as ``#rrggbb``.

    Attributes
    ----------
    light : str
        On light paper, and in print.
    dark : str
        On dark paper.
    middle : str
        On any.
    """

    light: str
    dark: str
    middle: str = "#7a7a7a"


PAPER = Colour("#ffffff", "#14181d", "#ffffff")
BLACK = Colour("#1b1f24", "#e6edf3", "#7a7a7a")
GREY = Colour("#57606a", "#9aa5b1", "#7a7a7a")
BLUE = Colour("#0072b2", "#6cc0f0", "#2a7cbb")
RED = Colour("#b84a00", "#ff9351", "#b5651d")
GREEN = Colour("#00795a", "#3ed1a6", "#17857c")
COLOURS = (PAPER, BLACK, GREY, BLUE, RED, GREEN)
"""Those of boxes, arrows and regions."""

NAMED = {
    "paper": PAPER,
    "ink": BLACK,
    "muted": GREY,
    "first": BLUE,
    "wrong": RED,
    "next": GREEN,
    "faint": Colour("#d0d7de", "#39424d"),
    "band": Colour("#eef1f4", "#1e252d"),
    "wait": Colour("#e69f00", "#d99a1e"),
    "waiting": Colour("#8a5a00", "#f2c14e"),
    "marked": Colour("#fff3c4", "#3a3210"),
}
"""By the names that style sheets have for them: those, and what else the pictures of a run need."""

DARK = "@media screen and (prefers-color-scheme: dark)"


def dark_rules() -> str:
    """A style sheet that turns the light colours of a picture into the dark ones where pages are dark."""
    rules = "".join(f'[{what}="{ink.light}"]{{{what}:{ink.dark}}}' for ink in COLOURS for what in ("fill", "stroke"))
    return f"{DARK}{{{rules}}}"


def themed(rules: str) -> str:
    """Style sheet rules for light pages, dark pages and print.

    Parameters
    ----------
    rules : str
        Rules in which ``$name`` stands for one of the named inks, a rule a line.
    """
    dark = "\n".join(line for line in rules.splitlines() if "$" in line)
    return "\n".join((_filled(rules, "light"), f"{DARK} {{", _filled(dark, "dark"), "}"))


def _filled(rules: str, page: str) -> str:
    return re.sub(r"\$([a-z]+)", lambda found: str(getattr(NAMED[found[1]], page)), rules)
