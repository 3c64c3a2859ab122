"""How wide a text will be, before anybody draws it, and how it breaks into lines.

A picture that is computed has no browser to ask. The widths are those of wide fonts (DejaVu, Verdana), so that a
text takes less room than is kept for it wherever it is shown.
"""

from __future__ import annotations

MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

MONO_WIDTH = 0.605
"""Every character of a fixed-width font, in units of the font size."""

NARROW, WIDE = frozenset("fijlrtI.,:;'|!()[]/ "), frozenset("mwMW@%~")
NARROW_WIDTH, USUAL_WIDTH, CAPITAL_WIDTH, WIDE_WIDTH = 0.42, 0.64, 0.74, 1.0
BOLD = 1.1


def mono_width(text: str, size: float) -> float:
    """The width of a text in a fixed-width font, in pixels."""
    return len(text) * MONO_WIDTH * size


def sans_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width, at most, of a text in a proportional font, in pixels."""
    return sum(map(_width, text)) * size * (BOLD if bold else 1)


def _width(letter: str) -> float:
    if letter in NARROW:
        return NARROW_WIDTH
    if letter in WIDE:
        return WIDE_WIDTH
    return CAPITAL_WIDTH if letter.isupper() else USUAL_WIDTH


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """A text in lines that are no wider than some pixels; a word that is wider is broken.

    Parameters
    ----------
    text : str
        Words and blanks.
    size : float
        The font size in pixels.
    room : float
        The width of a line in pixels.
    bold : bool
        Whether the font is bold.
    """
    lines: list[str] = []
    current = ""
    for word in text.split():
        longer = f"{current} {word}" if current else word
        if sans_width(longer, size, bold=bold) <= room:
            current = longer
            continue
        if current:
            lines.append(current)
        current = word
        while sans_width(current, size, bold=bold) > room and len(current) > 1:
            kept = max(1, int(len(current) * room / sans_width(current, size, bold=bold)))
            lines.append(current[:kept])
            current = current[kept:]
    return [*lines, current] if current else lines
