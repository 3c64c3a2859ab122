"""The sizes of boxes and labels in pixels, estimated from their text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, TextLine
from timewait.diagrams.geometry import Size
from timewait.diagrams.widths import width, wrapped

TITLE, TEXT, LABEL = 14.0, 12.0, 12.0
"""Font sizes of titles, of other text in boxes, and of labels of arrows."""

TITLE_LEADING, LEADING, LABEL_LEADING = 21.0, 17.0, 15.5
"""The distances between baselines."""

PADDING_X, PADDING_Y = 12.0, 8.0
"""Between the border of a box and its text."""

COLUMN_GAP = 16.0
"""Between the columns of a table."""

ARROW_SPACE = 24.0
"""The least width of a box for each arrow that ends at it."""

TABLE_GAP = 5.0
"""Between the note of a box and its table."""

LABEL_WIDTH = 92.0
"""The width at which the conditions in labels of arrows are wrapped, in pixels."""

TITLE_WIDTH = 150.0
"""The width at which the title of a box is wrapped, in pixels."""

EVENT_LABEL_WIDTH = 96.0
"""The width at which the events in labels of arrows, in bold, are wrapped, in pixels."""

LABEL_PADDING = 6.0
"""On either side of a label, so that it does not touch its arrow."""


SECOND_COLUMN = "\u2003"
"""The em space before the second column of a note below a figure."""

NOTE_COLUMN = 36.0
"""The distance of that column from the first one, in pixels."""


def line_width(text: TextLine, size: float, bold: bool = False) -> float:
    """The width of a line of text."""
    return sum(width(span.text, size, bold or span.bold) for span in text)


def note_columns(text: TextLine) -> tuple[TextLine, TextLine]:
    """The two columns of a note: the second one begins with the first span after an em space."""
    place = next((place for place, span in enumerate(text) if span.text.startswith(SECOND_COLUMN)), len(text))
    return text[:place], tuple(span._replace(text=span.text.lstrip(SECOND_COLUMN)) for span in text[place:])


def note_width(text: TextLine) -> float:
    """The width of a note, with its columns."""
    first, second = note_columns(text)
    return NOTE_COLUMN + line_width(second, LABEL) if second else line_width(first, LABEL)


def columns(rows: Iterable[FigureRow]) -> list[float]:
    """The width of each column of a table."""
    cells = [[line_width(cell, TEXT) for cell in row.cells] for row in rows]
    return [max(column) for column in zip_longest(*cells, fillvalue=0.0)]


def title_size(box: Box) -> float:
    """The font size of the title of a box: that of other text where the box is faint."""
    return TEXT if box.emphasis is Emphasis.FAINT else TITLE


def title_lines(box: Box) -> list[str]:
    """The title of a box as it is drawn: a title wider than `TITLE_WIDTH` breaks after its commas, else between words."""
    size = title_size(box)
    parts = [box.title] if width(box.title, size, bold=True) <= TITLE_WIDTH else re.split(r"(?<=,) ", box.title)
    return [text for part in parts for text in wrapped(part, size, TITLE_WIDTH, bold=True)]


def box_size(box: Box) -> Size:
    """The size of a box."""
    table = columns(box.rows)
    titles = title_lines(box)
    widths = [*(width(text, title_size(box), bold=True) for text in titles), *(width(text, TEXT) for text in box.note)]
    widths.append(sum(table) + COLUMN_GAP * (len(table) - 1))
    height = TITLE_LEADING * len(titles) + LEADING * (len(box.note) + len(box.rows)) + table_gap(box)
    return Size(max(widths) + 2 * PADDING_X, height + 2 * PADDING_Y)


def box_sizes(figure: Figure) -> dict[str, Size]:
    """The size of every box, by name: at least as wide as its arrows need."""
    ends = Counter(end for arrow in figure.arrows for end in {arrow.source, arrow.target})
    own = {box.name: box_size(box) for box in figure.boxes}
    return {name: Size(max(size.width, ARROW_SPACE * ends[name]), size.height) for name, size in own.items()}


def table_gap(box: Box) -> float:
    """The gap between the note and the table of a box; 0 unless it has both."""
    return TABLE_GAP if box.rows and box.note else 0.0


def label_size(arrow: Arrow) -> Size:
    """The size of the label of an arrow; 0 without one."""
    if not arrow.label:
        return Size(0, 0)
    lines = label_lines(arrow)
    widest = max(line_width(text, LABEL) for text in lines)
    return Size(widest + 2 * LABEL_PADDING, LABEL_LEADING * len(lines) + 4)


def label_lines(arrow: Arrow) -> tuple[TextLine, ...]:
    """The label of an arrow as it is drawn: conditions in lines of at most `LABEL_WIDTH`, so that figures stay narrow."""
    return tuple(row for text in arrow.label for row in _label_rows(text))


def _label_rows(text: TextLine) -> Iterator[TextLine]:
    if len(text) != 1 or text[0].italic:
        yield text
    else:
        most = EVENT_LABEL_WIDTH if text[0].bold else LABEL_WIDTH
        yield from ((text[0]._replace(text=row),) for row in wrapped(text[0].text, LABEL, most, bold=text[0].bold))
