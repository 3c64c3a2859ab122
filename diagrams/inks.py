"""The colours of boxes, arrows and regions.

The hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which the colour-blind tell apart; each is
darkened for light pages, lightened for dark ones, and has a mid-tone for where the page is not known. Nothing is told
by colour alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Ink(NamedTuple):
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
    middle: str


PAPER = Ink("#ffffff", "#14181d", "#ffffff")
BLACK = Ink("#1b1f24", "#e6edf3", "#7a7a7a")
GREY = Ink("#57606a", "#9aa5b1", "#7a7a7a")
BLUE = Ink("#0072b2", "#6cc0f0", "#2a7cbb")
RED = Ink("#b84a00", "#ff9351", "#b5651d")
GREEN = Ink("#00795a", "#3ed1a6", "#17857c")
INKS = (PAPER, BLACK, GREY, BLUE, RED, GREEN)

DARK = "@media screen and (prefers-color-scheme: dark)"


def dark_rules() -> str:
    """A style sheet that turns the light colours of a picture into the dark ones where pages are dark."""
    rules = "".join(f'[{what}="{ink.light}"]{{{what}:{ink.dark}}}' for ink in INKS for what in ("fill", "stroke"))
    return f"{DARK}{{{rules}}}"
