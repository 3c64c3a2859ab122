"""A figure as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot

from timewait.diagrams.colours import BLACK, GREY, Colour
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, Pen, TextLine, bold, faded, line, words
from timewait.diagrams.figure_layout import Graphviz, laid_out
from timewait.diagrams.geometry import ArrowPath, Layout, Point
from timewait.diagrams.sizes import (
    ABOVE,
    ASIDE,
    COLUMN_GAP,
    LABEL,
    LABEL_ASIDE,
    LABEL_LEADING,
    LEADING,
    TEXT,
    TITLE,
    TITLE_LEADING,
    Size,
    box_sizes,
    columns,
    label_size,
    line_width,
    table_gap,
)
from timewait.diagrams.vector import document, group, lettered, number, path, tag

MARGIN = 14.0
ROUND = 9.0
SAMPLE = 34.0
"""The length of a line in the legend."""

WIDTHS = {Emphasis.FAINT: 1.0, Emphasis.PLAIN: 1.8, Emphasis.LIT: 3.4}
"""Of lines; a bold pen adds a little."""

DASHES = {"solid": "", "bold": "", "dashed": "7 4", "dotted": "1.5 4"}


def as_svg(figure: Figure, whose: Graphviz = Graphviz.BUNDLED) -> str:
    """A figure as SVG: caption above, legend below.

    Raises
    ------
    timewait.diagrams.figure_layout.NoGraphviz
        The system's own Graphviz is wanted, and there is none.
    """
    return drawn(figure, laid_out(figure, whose))


def drawn(figure: Figure, layout: Layout) -> str:
    """A figure as SVG, given where everything lies."""
    head = LABEL_LEADING * len(figure.caption) + (10 if figure.caption else 0)
    legend = list(_legend(figure.pens, layout.size.width))
    foot = LEADING * len(legend) + (16 if legend else 0)
    caption_width = max((line_width(text, LABEL) for text in figure.caption), default=0)
    legend_width = max((sum(_entry_width(pen) for pen in row) for row in legend), default=0)
    inner = max(layout.size.width, caption_width, legend_width)
    body = [*_arrows(figure, layout), *_boxes(figure, layout)]
    baselines = [MARGIN + LABEL_LEADING * (place + 0.75) for place in range(len(figure.caption))]
    parts = [
        *(lettered(text, MARGIN, y, LABEL, BLACK) for text, y in zip(figure.caption, baselines, strict=True)),
        tag("g", "\n", *(f"{part}\n" for part in body), transform=f"translate({number(MARGIN)} {number(MARGIN + head)})"),
        *_key(legend, MARGIN + head + layout.size.height + 16),
    ]
    size = Size(inner + 2 * MARGIN, head + layout.size.height + foot + 2 * MARGIN)
    return document(size.width, size.height, figure.title, told(figure), parts, laid_out_by=layout.by)


def told(figure: Figure) -> str:
    """The figure in words, for those who cannot see it."""
    titles = {box.name: box.title or box.name for box in figure.boxes}
    moves = [
        f"{titles[arrow.source]} to {titles[arrow.target]}: {' '.join(map(words, arrow.label)) or 'out of order'}"
        for arrow in figure.arrows
    ]
    return ". ".join([*map(words, figure.caption), *moves])


# --- boxes --------------------------------------------------------------------------------------------------------


def _boxes(figure: Figure, layout: Layout) -> Iterator[str]:
    sizes = box_sizes(figure)
    for box in figure.boxes:
        size, middle = sizes[box.name], layout.boxes[box.name]
        yield group(_box(box, size, Point(middle.x - size.width / 2, middle.y - size.height / 2)), "box", box.tooltip, box.link)


def _box(box: Box, size: Size, corner: Point) -> Iterator[str]:
    ink = GREY if box.emphasis is Emphasis.FAINT else box.pen.ink
    # Invisible, and yet it can be pointed at.
    looks: dict[str, str | float] = {"fill": "none", "pointer_events": "all"}
    if box.emphasis is Emphasis.LIT:
        looks = {"fill": ink.light, "fill_opacity": "0.16"}
    if box.pen.style == "dotted":
        looks["stroke_dasharray"] = DASHES["dotted"]
    place = {"x": corner.x, "y": corner.y, "width": size.width, "height": size.height}
    yield tag("rect", **place, rx=ROUND, stroke=ink.light, stroke_width=WIDTHS[box.emphasis], **looks)
    if not box.rows and not box.note:
        yield lettered(line(bold(box.title)), corner.x + size.width / 2, corner.y + size.height / 2 + 5.4, TITLE, ink, "middle")
        return
    left, y = corner.x + ASIDE, corner.y + ABOVE
    if box.title:
        yield lettered(line(bold(box.title)), left, y + 15, TITLE, ink)
        y += TITLE_LEADING
    for text in box.note:
        yield lettered(line(text), left, y + 12.5, TEXT, BLACK)
        y += LEADING
    y += table_gap(box)
    table = columns(box.rows)
    for row in box.rows:
        yield _row(row, table, Point(left, y + 12.5), ink)
        y += LEADING


def _row(row: FigureRow, table: list[float], start: Point, ink: Colour) -> str:
    cells = []
    x = start.x
    hand = GREY if row.emphasis is Emphasis.FAINT else ink
    for cell, room in zip(row.cells, table, strict=False):
        if words(cell):
            cells.append(lettered(faded(cell) if row.emphasis is Emphasis.FAINT else cell, x, start.y, TEXT, hand))
        x += room + COLUMN_GAP
    return group(cells, "row", row.tooltip, row.link)


# --- arrows -------------------------------------------------------------------------------------------------------


def _arrows(figure: Figure, layout: Layout) -> Iterator[str]:
    for arrow, course in zip(figure.arrows, layout.courses, strict=True):
        yield group(_arrow(arrow, course), "arrow", arrow.tooltip, arrow.link)


def _arrow(arrow: Arrow, course: ArrowPath) -> Iterator[str]:
    ink = GREY if arrow.emphasis is Emphasis.FAINT else arrow.pen.ink
    width = line_weight(arrow.pen, arrow.emphasis)
    start, *rest = course.points
    curves = " ".join(f"{number(point.x)},{number(point.y)}" for point in rest)
    yield path(f"M{number(start.x)},{number(start.y)} C{curves}", ink, width, DASHES[arrow.pen.style])
    yield _head(course, ink, width)
    if course.label is not None and arrow.label:
        size = label_size(arrow)
        x, y = course.label.x - size.width / 2 + LABEL_ASIDE, course.label.y - size.height / 2
        for place, text in enumerate(map(faded, arrow.label) if arrow.emphasis is Emphasis.FAINT else arrow.label):
            yield lettered(text, x, y + 2 + LABEL_LEADING * (place + 0.78), LABEL, ink)


def line_weight(pen: Pen, emphasis: Emphasis) -> float:
    """How thick a line is."""
    return WIDTHS[emphasis] + (0.8 if pen.style == "bold" and emphasis is not Emphasis.FAINT else 0)


def _head(course: ArrowPath, ink: Colour, width: float) -> str:
    """The head of an arrow, from where the line ends to the tip."""
    end, tip = course.points[-1], course.tip
    length = hypot(tip.x - end.x, tip.y - end.y) or 1
    across = Point(-(tip.y - end.y) / length, (tip.x - end.x) / length)
    half = 3.2 + width / 2
    corners = [tip, *(Point(end.x + side * across.x * half, end.y + side * across.y * half) for side in (1, -1))]
    return tag("polygon", points=" ".join(f"{number(point.x)},{number(point.y)}" for point in corners), fill=ink.light)


# --- legend -------------------------------------------------------------------------------------------------------


def _entry_width(pen: Pen) -> float:
    return SAMPLE + 8 + line_width(_entry(pen), TEXT) + 22


def _entry(pen: Pen) -> TextLine:
    return line(pen.name)


def _legend(pens: tuple[Pen, ...], most: float) -> Iterator[list[Pen]]:
    """The entries of the legend in rows that are no wider than the picture, unless one entry is."""
    row: list[Pen] = []
    for pen in pens:
        if row and sum(map(_entry_width, [*row, pen])) > most:
            yield row
            row = []
        row.append(pen)
    if row:
        yield row


def _key(rows: list[list[Pen]], top: float) -> Iterator[str]:
    for place, row in enumerate(rows):
        x, y = MARGIN, top + LEADING * (place + 0.6)
        for pen in row:
            yield path(
                f"M{number(x)},{number(y)} H{number(x + SAMPLE)}",
                pen.ink,
                line_weight(pen, Emphasis.PLAIN),
                DASHES[pen.style],
            )
            yield lettered(_entry(pen), x + SAMPLE + 8, y + 4.2, TEXT, pen.ink)
            x += _entry_width(pen)
