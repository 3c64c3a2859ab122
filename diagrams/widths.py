"""The widths of texts, estimated without a font.

The fonts of the reader are not known. The widths here are those of DejaVu Sans, the widest common fallback font of
browsers, so that text fits in other fonts too.
"""

from __future__ import annotations

from collections.abc import Iterable

FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
"""The fonts of pictures, in order of preference."""

MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
"""Fonts of fixed width."""

MONO_WIDTH = 0.605
"""The width of a character of fixed width, in units of the font size."""

REGULAR = (
    *(318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337),
    *(636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531),
    *(1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787),
    *(603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500),
    *(500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612),
    *(635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838),
)
"""Widths of the printable characters of ASCII, from the space on, in thousandths of the size of the font."""

BOLD = (
    *(348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365),
    *(696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 580),
    *(1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995, 837, 850),
    *(733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 500),
    *(500, 675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687),
    *(716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838),
)
"""The same in bold."""

WIDEST = 1000
"""The width assumed for any other character."""


def width(text: str, size: float, bold: bool = False) -> float:
    """An upper bound of the width of a text.

    Parameters
    ----------
    text : str
        One line.
    size : float
        The size of the font.
    bold : bool
        Whether it is set in bold.

    Returns
    -------
    float
        In the unit of the size.
    """
    widths = BOLD if bold else REGULAR
    places = (ord(character) - ord(" ") for character in text)
    return sum(widths[place] if 0 <= place < len(widths) else WIDEST for place in places) * size / 1000


def mono_width(text: str, size: float) -> float:
    """The width of a text in a font of fixed width, in the unit of `size`."""
    return len(text) * MONO_WIDTH * size


def wrapped(text: str, size: float, most: float, *, bold: bool = False) -> list[str]:
    """A text in lines no wider than `most`; a wider word is broken.

    Parameters
    ----------
    text : str
        Words and blanks.
    size : float
        The size of the font.
    most : float
        The width of a line, in the unit of the size.
    bold : bool
        Whether it is set in bold.
    """
    lines: list[str] = []
    current = ""
    for word in text.split():
        longer = f"{current} {word}" if current else word
        if width(longer, size, bold) <= most:
            current = longer
            continue
        if current:
            lines.append(current)
        current = word
        while width(current, size, bold) > most and len(current) > 1:
            kept = max(1, int(len(current) * most / width(current, size, bold)))
            lines.append(current[:kept])
            current = current[kept:]
    return [*lines, current] if current else lines


def joined(parts: Iterable[str], size: float, most: float, *, bold: bool = False) -> list[str]:
    """Parts with commas between them, in lines no wider than `most` that break no part; a wider part has its own line.

    Parameters
    ----------
    parts : iterable of str
        The parts.
    size : float
        The size of the font.
    most : float
        The width of a line, in the unit of the size.
    bold : bool
        Whether it is set in bold.
    """
    lines: list[str] = []
    for part in parts:
        if lines and width(f"{lines[-1]}, {part},", size, bold) <= most:
            lines[-1] += f", {part}"
        else:
            lines[-1:] = [*(f"{last}," for last in lines[-1:]), part]
    return lines
