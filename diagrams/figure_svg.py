"""A figure as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot

from timewait.diagrams.box_sizes import (
    COLUMN_GAP,
    LABEL,
    LABEL_LEADING,
    LABEL_PADDING,
    LEADING,
    NOTE_COLUMN,
    PADDING_X,
    PADDING_Y,
    TEXT,
    TITLE_LEADING,
    box_sizes,
    columns,
    label_lines,
    label_size,
    line_width,
    note_columns,
    note_width,
    table_gap,
    title_lines,
    title_size,
)
from timewait.diagrams.colours import BLACK, GREY, Colour
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, LineStyle, TextLine, bold, faded, line, plain_text
from timewait.diagrams.folding import fitted
from timewait.diagrams.geometry import Point, Size
from timewait.diagrams.graphviz_layout import Graphviz
from timewait.diagrams.layout import ArrowPath, Layout
from timewait.diagrams.svg import document, element, group, number, path, text_element
from timewait.diagrams.widths import width

MARGIN = 10.0
CORNER_RADIUS = 9.0
LEGEND_WIDTH = 500.0
"""The least width at which the legend is broken into rows."""
SAMPLE = 34.0
"""The length of the lines in the legend."""

LINE_WIDTHS = {Emphasis.FAINT: 1.0, Emphasis.PLAIN: 1.8, Emphasis.STRONG: 3.4}

DASHES = {"solid": "", "bold": "", "dashed": "7 4", "dotted": "1.5 4"}


def as_svg(figure: Figure, installation: Graphviz = Graphviz.BUNDLED) -> str:
    """A figure as SVG: caption above, legend below.

    Raises
    ------
    timewait.diagrams.graphviz_layout.MissingGraphviz, timewait.vocabulary.errors.MissingPackage
        The Graphviz that is asked for is not installed.
    """
    return drawn(*fitted(figure, installation))


def drawn(figure: Figure, layout: Layout) -> str:
    """A figure with its layout as SVG."""
    head = LABEL_LEADING * len(figure.caption) + (10 if figure.caption else 0)
    legend = list(_legend_rows(figure.styles, max(layout.size.width, LEGEND_WIDTH)))
    below = MARGIN + head + layout.size.height + 16 + LEADING * len(legend) + (10 if figure.notes else 0)
    foot = LEADING * len(legend) + (16 if legend else 0) + (LABEL_LEADING * len(figure.notes) + 10 if figure.notes else 0)
    widths = [*(line_width(text, LABEL) for text in figure.caption), *map(note_width, figure.notes)]
    caption_width = max(widths, default=0)
    legend_width = max((sum(map(_entry_width, row)) for row in legend), default=0)
    body = [*_arrows(figure, layout), *_boxes(figure, layout)]
    baselines = [MARGIN + LABEL_LEADING * (index + 0.75) for index in range(len(figure.caption))]
    parts = [
        *(text_element(text, MARGIN, y, LABEL, BLACK) for text, y in zip(figure.caption, baselines, strict=True)),
        element("g", "\n", *(f"{part}\n" for part in body), transform=f"translate({number(MARGIN)} {number(MARGIN + head)})"),
        *_legend(legend, MARGIN + head + layout.size.height + 16),
        *(part for index, text in enumerate(figure.notes) for part in _note(text, below + LABEL_LEADING * (index + 0.75))),
    ]
    total = max(layout.size.width, caption_width, legend_width) + 2 * MARGIN
    height = head + layout.size.height + foot + 2 * MARGIN
    return document(total, height, figure.title, description(figure), parts, laid_out_by=layout.made_by)


def _note(text: TextLine, y: float) -> Iterator[str]:
    """A line below the figure; its second column begins at the same place as in every other line."""
    for spans, x in zip(note_columns(text), (MARGIN, MARGIN + NOTE_COLUMN), strict=True):
        if spans:
            yield text_element(spans, x, y, LABEL, BLACK)


def description(figure: Figure) -> str:
    """The figure in words, for screen readers."""
    titles = {box.name: box.title or box.name for box in figure.boxes}
    moves = [
        f"{titles[arrow.source]} to {titles[arrow.target]}: {' '.join(map(plain_text, arrow.label)) or 'out of order'}"
        for arrow in figure.arrows
    ]
    return ". ".join([*map(plain_text, figure.caption), *moves, *map(plain_text, figure.notes)])


# --- boxes --------------------------------------------------------------------------------------------------------


def _boxes(figure: Figure, layout: Layout) -> Iterator[str]:
    sizes = box_sizes(figure)
    for box in figure.boxes:
        size, middle = sizes[box.name], layout.boxes[box.name]
        corner = Point(middle.x - size.width / 2, middle.y - size.height / 2)
        yield group(_box(box, size, corner), "box", box.tooltip, box.link)


def _box(box: Box, size: Size, corner: Point) -> Iterator[str]:
    colour = GREY if box.emphasis is Emphasis.FAINT else box.style.colour
    looks: dict[str, str | float] = {"fill": "none", "pointer_events": "all"}  # so that the inside shows the tooltip too
    if box.emphasis is Emphasis.STRONG:
        looks = {"fill": colour.light, "fill_opacity": "0.16"}
    if box.style.dash == "dotted":
        looks["stroke_dasharray"] = DASHES["dotted"]
    place = {"x": corner.x, "y": corner.y, "width": size.width, "height": size.height}
    yield element("rect", **place, rx=CORNER_RADIUS, stroke=colour.light, stroke_width=LINE_WIDTHS[box.emphasis], **looks)
    if not box.rows and not box.note:
        lines = title_lines(box)
        first = corner.y + (size.height - TITLE_LEADING * (len(lines) - 1)) / 2 + 0.36 * title_size(box)
        for index, text in enumerate(lines):
            y = first + TITLE_LEADING * index
            yield text_element(line(bold(text)), corner.x + size.width / 2, y, title_size(box), colour, "middle")
        return
    left, y = corner.x + PADDING_X, corner.y + PADDING_Y
    for text in title_lines(box):
        yield text_element(line(bold(text)), left, y + 15, title_size(box), colour)
        y += TITLE_LEADING
    for text in box.note:
        yield text_element(line(text), left, y + 12.5, TEXT, BLACK)
        y += LEADING
    y += table_gap(box)
    widths = columns(box.rows)
    for row in box.rows:
        yield _row(row, widths, Point(left, y + 12.5), colour)
        y += LEADING


def _row(row: FigureRow, widths: list[float], start: Point, colour: Colour) -> str:
    faint = row.emphasis is Emphasis.FAINT
    cells = []
    x = start.x
    for cell, wide in zip(row.cells, widths, strict=False):
        if plain_text(cell):
            cells.append(text_element(faded(cell) if faint else cell, x, start.y, TEXT, GREY if faint else colour))
        x += wide + COLUMN_GAP
    return group(cells, "row", row.tooltip, row.link)


# --- arrows -------------------------------------------------------------------------------------------------------


def _arrows(figure: Figure, layout: Layout) -> Iterator[str]:
    for arrow, course in zip(figure.arrows, layout.arrows, strict=True):
        yield group(_arrow(arrow, course), "arrow", arrow.tooltip, arrow.link)


def _arrow(arrow: Arrow, course: ArrowPath) -> Iterator[str]:
    faint = arrow.emphasis is Emphasis.FAINT
    colour = GREY if faint else arrow.style.colour
    thickness = line_thickness(arrow.style, arrow.emphasis)
    start, *rest = course.points
    curves = " ".join(f"{number(point.x)},{number(point.y)}" for point in rest)
    yield path(f"M{number(start.x)},{number(start.y)} C{curves}", colour, thickness, DASHES[arrow.style.dash])
    yield _head(course, colour, thickness)
    if course.label is not None and arrow.label:
        size = label_size(arrow)
        x, y = course.label.x - size.width / 2 + LABEL_PADDING, course.label.y - size.height / 2
        for index, text in enumerate(map(faded, label_lines(arrow)) if faint else label_lines(arrow)):
            yield text_element(text, x, y + 2 + LABEL_LEADING * (index + 0.78), LABEL, colour)


def line_thickness(style: LineStyle, emphasis: Emphasis) -> float:
    """The thickness of a line in pixels."""
    return LINE_WIDTHS[emphasis] + (0.8 if style.dash == "bold" and emphasis is not Emphasis.FAINT else 0)


def _head(course: ArrowPath, colour: Colour, thickness: float) -> str:
    """The head of an arrow, from the end of the line to the tip."""
    end, tip = course.points[-1], course.tip
    length = hypot(tip.x - end.x, tip.y - end.y) or 1
    across = Point(-(tip.y - end.y) / length, (tip.x - end.x) / length)
    half = 3.2 + thickness / 2
    corners = [tip, *(Point(end.x + side * across.x * half, end.y + side * across.y * half) for side in (1, -1))]
    return element("polygon", points=" ".join(f"{number(point.x)},{number(point.y)}" for point in corners), fill=colour.light)


# --- legend -------------------------------------------------------------------------------------------------------


def _entry_width(style: LineStyle) -> float:
    return SAMPLE + 8 + width(style.name, TEXT) + 22


def _legend_rows(styles: tuple[LineStyle, ...], most: float) -> Iterator[list[LineStyle]]:
    """The entries of the legend in rows no wider than `most`, unless a single entry is wider."""
    row: list[LineStyle] = []
    for style in styles:
        if row and sum(map(_entry_width, [*row, style])) > most:
            yield row
            row = []
        row.append(style)
    if row:
        yield row


def _legend(rows: list[list[LineStyle]], top: float) -> Iterator[str]:
    for index, row in enumerate(rows):
        x, y = MARGIN, top + LEADING * (index + 0.6)
        for style in row:
            sample = f"M{number(x)},{number(y)} H{number(x + SAMPLE)}"
            yield path(sample, style.colour, line_thickness(style, Emphasis.PLAIN), DASHES[style.dash])
            yield text_element(line(style.name), x + SAMPLE + 8, y + 4.2, TEXT, style.colour)
            x += _entry_width(style)
