"""How much room boxes and labels take, in pixels, reckoned from their text alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

from timewait.diagrams.figure import Arrow, Box, Figure, FigureRow, TextLine
from timewait.diagrams.widths import width

TITLE, TEXT, LABEL = 15.0, 12.0, 12.0
"""Sizes of the fonts of titles, of what else stands in a box, and of what stands beside an arrow."""

TITLE_LEADING, LEADING, LABEL_LEADING = 21.0, 17.0, 15.5
"""From one baseline to the next."""

ASIDE, ABOVE = 12.0, 8.0
"""Room between the border of a box and its text."""

COLUMN_GAP = 16.0
"""Between the columns of a table."""

ARROW = 24.0
"""Room along a box for each arrow that meets it."""

TABLE_GAP = 5.0
"""Between what is said of a box and the table in it."""

LABEL_ASIDE = 6.0
"""Room on either side of a label, so that it does not touch its arrow."""


class Size(NamedTuple):
    """Width and height."""

    width: float
    height: float


def line_width(text: TextLine, size: float, bold: bool = False) -> float:
    """The width of a line of text."""
    return sum(width(span.text, size, bold or span.bold) for span in text)


def columns(rows: Iterable[FigureRow]) -> list[float]:
    """The width of each column of a table."""
    cells = [[line_width(cell, TEXT) for cell in row.cells] for row in rows]
    return [max(column) for column in zip_longest(*cells, fillvalue=0.0)]


def box_size(box: Box) -> Size:
    """The size of a box."""
    table = columns(box.rows)
    widths = [width(box.title, TITLE, bold=True), *(width(text, TEXT) for text in box.note)]
    widths.append(sum(table) + COLUMN_GAP * (len(table) - 1))
    height = (TITLE_LEADING if box.title else 0) + LEADING * (len(box.note) + len(box.rows)) + table_gap(box)
    return Size(max(widths) + 2 * ASIDE, height + 2 * ABOVE)


def box_sizes(figure: Figure) -> dict[str, Size]:
    """The size of every box, by name: wide enough for the arrows that meet it too."""
    meeting = Counter(end for arrow in figure.arrows for end in {arrow.source, arrow.target})
    own = {box.name: box_size(box) for box in figure.boxes}
    return {name: Size(max(size.width, ARROW * meeting[name]), size.height) for name, size in own.items()}


def table_gap(box: Box) -> float:
    """The gap above the table of a box, where there is one and something stands above it."""
    return TABLE_GAP if box.rows and box.note else 0.0


def label_size(arrow: Arrow) -> Size:
    """The size of what is written beside an arrow; nothing at all where nothing is."""
    if not arrow.label:
        return Size(0, 0)
    widest = max(line_width(text, LABEL) for text in arrow.label)
    return Size(widest + 2 * LABEL_ASIDE, LABEL_LEADING * len(arrow.label) + 4)
