r"""Pictures as TikZ, for LaTeX documents.

Each function gives a ``tikzpicture`` that a document includes by ``\input`` after ``\usepackage{tikz}`` and
``\usetikzlibrary{arrows.meta}``. Lengths are those of the SVG, with a pixel as 0.75 points. Boxes are nodes with names, so
that a document can point at them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from timewait.checker.trace import Trace
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
    note_columns,
    table_gap,
    title_lines,
    title_size,
)
from timewait.diagrams.chart import BAR, WHOLE, Chart, ChartArrow, ChartFormat, ChartLabel
from timewait.diagrams.chart_layout import chart_of
from timewait.diagrams.colours import BLACK, COLOURS, GREY, NAMED, Colour
from timewait.diagrams.figure import Box, Emphasis, Figure, LineStyle, Span, TextLine, bold, faded, line
from timewait.diagrams.figure_svg import line_thickness
from timewait.diagrams.folding import fitted
from timewait.diagrams.geometry import Point, Size
from timewait.diagrams.graphviz_layout import Graphviz
from timewait.diagrams.layout import ArrowPath
from timewait.diagrams.svg import number
from timewait.diagrams.time_axis import GapScale
from timewait.narration.timeline import DeliveryOutcome, reopens
from timewait.spec.exchange import ENDS

HEAD = (
    r"% needs \usepackage{tikz} and \usetikzlibrary{arrows.meta}",
    r"\begin{tikzpicture}[x=0.75pt, y=-0.75pt, font=\sffamily, inner sep=0pt, outer sep=0pt, >={Stealth[length=6pt]}]",
)
TAIL = r"\end{tikzpicture}"

DASHES = {"solid": "", "bold": "", "dashed": "dash pattern=on 5pt off 3pt", "dotted": "dash pattern=on 1pt off 2.5pt"}

ESCAPED = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "~": r"\(\sim\)",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "\u2003": r"\hspace*{1em}",
        "\u2009": r"\,",
        "\u00b7": r"\textperiodcentered{}",
    }
)
"""The characters that mean something else in LaTeX."""

NAMES = {colour.light: f"tw{chr(ord('A') + place)}" for place, colour in enumerate(dict.fromkeys((*COLOURS, *NAMED.values())))}
"""The names of the colours in LaTeX; colours with the same value on light pages share one."""


def figure_as_tikz(figure: Figure, installation: Graphviz = Graphviz.BUNDLED) -> str:
    """A figure of boxes and arrows as TikZ.

    Raises
    ------
    timewait.diagrams.graphviz_layout.MissingGraphviz, timewait.vocabulary.errors.MissingPackage
        The Graphviz that is asked for is not installed.
    """
    return _picture(figure.title, _figure(figure, installation))


def trace_as_tikz(trace: Trace, form: ChartFormat = WHOLE) -> str:
    """The sequence chart of a trace as TikZ."""
    return _picture(form.title or f"{trace.shows}: {trace.statement}", _chart(chart_of(trace, form)))


def escaped(text: str) -> str:
    """A text in which LaTeX interprets nothing."""
    return text.translate(ESCAPED).replace("--", "-{}-")


def _picture(title: str, content: Iterable[str]) -> str:
    parts = [*content]
    used = [light for light, name in NAMES.items() if any(_uses(part, name) for part in parts)]
    defined = [f"\\definecolor{{{NAMES[light]}}}{{HTML}}{{{light.removeprefix('#').upper()}}}" for light in used]
    comment = " ".join(title.split())
    return "\n".join([f"% {comment}", HEAD[0], *defined, HEAD[1], *(f"  {part}" for part in parts), TAIL]) + "\n"


def _uses(part: str, name: str) -> bool:
    return f"={name}" in part or f"{{{name}}}" in part


def _colour(colour: Colour) -> str:
    return NAMES[colour.light]


def _at(point: Point) -> str:
    return f"({number(point.x)},{number(point.y)})"


def _draw(path: str, colour: Colour, width: float, *more: str) -> str:
    options = [f"draw={_colour(colour)}", f"line width={number(0.75 * width)}pt", *filter(None, more)]
    return f"\\draw[{', '.join(options)}] {path};"


def _text(text: str, place: Point, size: float, colour: Colour, anchor: str = "base west") -> str:
    """A text that is already LaTeX, with its baseline at a point."""
    points = number(0.75 * size)
    font = f"font=\\sffamily\\fontsize{{{points}}}{{{points}}}\\selectfont"
    return f"\\node[anchor={anchor}, text={_colour(colour)}, {font}] at {_at(place)} {{{text}}};"


def _spans(text: TextLine) -> str:
    return "".join(_span(span) for span in text)


def _span(span: Span) -> str:
    written = escaped(span.text)
    if span.bold:
        written = f"\\textbf{{{written}}}"
    if span.italic:
        written = f"\\textit{{{written}}}"
    return written if span.colour is None else f"\\textcolor{{{_colour(span.colour)}}}{{{written}}}"


# --- boxes and arrows ---------------------------------------------------------------------------------------------


def _figure(figure: Figure, installation: Graphviz) -> Iterator[str]:
    figure, layout = fitted(figure, installation)
    sizes = box_sizes(figure)
    top = -LABEL_LEADING * len(figure.caption) - 10
    for index, text in enumerate(figure.caption):
        yield _text(_spans(text), Point(0, top + LABEL_LEADING * (index + 0.75)), LABEL, BLACK)
    for arrow, course in zip(figure.arrows, layout.arrows, strict=True):
        faint = arrow.emphasis is Emphasis.FAINT
        colour = GREY if faint else arrow.style.colour
        yield _draw(_curve(course), colour, line_thickness(arrow.style, arrow.emphasis), DASHES[arrow.style.dash], "->")
        if course.label is not None and arrow.label:
            size = label_size(arrow)
            x, y = course.label.x - size.width / 2 + LABEL_PADDING, course.label.y - size.height / 2
            for index, text in enumerate(map(faded, label_lines(arrow)) if faint else label_lines(arrow)):
                yield _text(_spans(text), Point(x, y + 2 + LABEL_LEADING * (index + 0.78)), LABEL, colour)
    for box in figure.boxes:
        yield from _box(box, sizes[box.name], layout.boxes[box.name])
    y = layout.size.height + 16
    for style in figure.styles:
        yield from _sample(style, y)
        y += LEADING
    for index, text in enumerate(figure.notes):
        for spans, x in zip(note_columns(text), (0, NOTE_COLUMN), strict=True):
            if spans:
                yield _text(_spans(spans), Point(x, y + 10 + LABEL_LEADING * (index + 0.75)), LABEL, BLACK)


def _curve(course: ArrowPath) -> str:
    start, *rest = course.points
    pieces = [rest[first : first + 3] for first in range(0, len(rest), 3)]
    curve = "".join(f" .. controls {_at(one)} and {_at(other)} .. {_at(end)}" for one, other, end in pieces)
    return f"{_at(start)}{curve} -- {_at(course.tip)}"


def _box(box: Box, size: Size, middle: Point) -> Iterator[str]:
    colour = GREY if box.emphasis is Emphasis.FAINT else box.style.colour
    width = {Emphasis.FAINT: 1.0, Emphasis.PLAIN: 1.8, Emphasis.STRONG: 3.4}[box.emphasis]
    options = [f"draw={_colour(colour)}", f"line width={number(0.75 * width)}pt", "rounded corners=6pt"]
    options += [f"minimum width={number(0.75 * size.width)}pt", f"minimum height={number(0.75 * size.height)}pt"]
    options += [DASHES["dotted"]] if box.style.dash == "dotted" else []
    name = "".join(character if character.isalnum() else "-" for character in box.name)
    yield f"\\node[{', '.join(options)}] ({name}) at {_at(middle)} {{}};"
    if not box.rows and not box.note:
        lines = title_lines(box)
        first = middle.y - TITLE_LEADING * (len(lines) - 1) / 2 + 0.36 * title_size(box)
        for index, text in enumerate(lines):
            place = Point(middle.x, first + TITLE_LEADING * index)
            yield _text(_spans(line(bold(text))), place, title_size(box), colour, "base")
        return
    left, y = middle.x - size.width / 2 + PADDING_X, middle.y - size.height / 2 + PADDING_Y
    for text in title_lines(box):
        yield _text(_spans(line(bold(text))), Point(left, y + 15), title_size(box), colour)
        y += TITLE_LEADING
    for note in box.note:
        yield _text(escaped(note), Point(left, y + 12.5), TEXT, BLACK)
        y += LEADING
    y += table_gap(box)
    widths = columns(box.rows)
    for row in box.rows:
        x, faint = left, row.emphasis is Emphasis.FAINT
        for cell, wide in zip(row.cells, widths, strict=False):
            if written := _spans(faded(cell) if faint else cell):
                yield _text(written, Point(x, y + 12.5), TEXT, GREY if faint else colour)
            x += wide + COLUMN_GAP
        y += LEADING


def _sample(style: LineStyle, y: float) -> Iterator[str]:
    """An entry of the legend."""
    yield _draw(f"(0,{number(y)}) -- (34,{number(y)})", style.colour, line_thickness(style, Emphasis.PLAIN), DASHES[style.dash])
    yield _text(escaped(style.name), Point(42, y + 4), TEXT, style.colour)


# --- sequence charts ----------------------------------------------------------------------------------------------


def _chart(chart: Chart) -> Iterator[str]:
    yield from _axis(chart)
    if chart.loop is not None:
        left, top, right, bottom = chart.loop
        yield _draw(_rectangle(left, top, right, bottom), GREY, 1.5, DASHES["dashed"], "rounded corners=3pt")
    for lifetime, top, bottom in chart.lifelines:
        x = number(chart.end_x[ENDS.index(lifetime.end)])
        colour = NAMED[{"open": "text", "closed": "muted", "next": "next"}[lifetime.kind]]
        dashes = DASHES["dotted"] if lifetime.kind == "closed" else ""
        width = {"open": 2.5, "closed": 1.5, "next": 4.5}[lifetime.kind]
        yield _draw(f"({x},{number(top)}) -- ({x},{number(bottom)})", colour, width, dashes)
    for bar in chart.bars:
        area = _rectangle(bar.x - BAR / 2, bar.top, bar.x + BAR / 2, bar.bottom)
        yield _draw(area, NAMED["waiting"], 1.0, f"fill={_colour(NAMED['wait'])}")
        if bar.two_msl is not None:
            left = bar.x - BAR / 2 - 6 if bar.wait.end == "A" else bar.x + BAR / 2 + 1
            yield _draw(_rectangle(left, bar.top, left + 5, bar.two_msl), NAMED["waiting"], 1.4, DASHES["dashed"])
    for arrow in chart.arrows:
        if arrow.window is not None:
            top, bottom = arrow.window
            corners = (Point(arrow.x1, top), Point(arrow.receiver_x, top), Point(arrow.receiver_x, bottom))
            area = " -- ".join(map(_at, corners))
            yield f"\\fill[fill={_colour(NAMED['first'])}, fill opacity=0.08] {area} -- cycle;"
    for arrow in chart.arrows:
        yield from _flight(arrow, chart.form.radius)
    for left, top, right, bottom in chart.frames:
        frame = _rectangle(left, top, right, bottom)
        yield _draw(frame, NAMED["wrong"], 1.5, f"fill={_colour(NAMED['background'])}", "rounded corners=3pt")
    yield from map(_label, chart.labels)
    yield from _marks(chart)


def _rectangle(left: float, top: float, right: float, bottom: float) -> str:
    return f"({number(left)},{number(top)}) rectangle ({number(right)},{number(bottom)})"


def _axis(chart: Chart) -> Iterator[str]:
    x, right = chart.axis_x, chart.end_x[1]
    for instant in chart.axis.instants:
        if instant.band is not None:
            band = _rectangle(x, instant.band[0], right, instant.band[1])
            yield f"\\fill[fill={_colour(NAMED['band'])}, rounded corners=2pt] {band};"
            yield _draw(f"({number(x)},{number(instant.top)}) -- ({number(x)},{number(instant.bottom)})", GREY, 4)
        yield _draw(f"({number(x - 3)},{number(instant.top)}) -- ({number(x + 4)},{number(instant.top)})", GREY, 1.5)
    for gap in chart.axis.gaps:
        dashes = {GapScale.TRUE: "", GapScale.STRETCHED: DASHES["dotted"], GapScale.SHORTENED: DASHES["dashed"]}[gap.scale]
        yield _draw(f"({number(x)},{number(gap.top)}) -- ({number(x)},{number(gap.bottom)})", GREY, 1.5, dashes)


def _flight(arrow: ChartArrow, radius: float) -> Iterator[str]:
    outcome = arrow.transit.outcome
    colour = NAMED["next"] if arrow.transit.incarnation else NAMED["first"]
    dashes = {DeliveryOutcome.DUPLICATE: DASHES["dashed"], DeliveryOutcome.OPEN: DASHES["dotted"]}.get(outcome, "")
    angle = math.atan2(arrow.y2 - arrow.y1, arrow.x2 - arrow.x1)
    back = radius + 2 if arrow.transit.arrives is not None else 0
    tip = Point(arrow.x2 - back * math.cos(angle), arrow.y2 - back * math.sin(angle))
    head = "->" if arrow.transit.arrives is not None else ""
    yield _draw(f"{_at(Point(arrow.x1, arrow.y1))} -- {_at(tip)}", colour, 1.7, dashes, head)
    if outcome is DeliveryOutcome.LOST:
        x, y = tip
        for side in (5, -5):
            yield _draw(f"{_at(Point(x - 5, y - side))} -- {_at(Point(x + 5, y + side))}", BLACK, 2.6)
    elif outcome is DeliveryOutcome.OPEN:
        yield _draw(f"{_at(tip)} circle[radius=3pt]", colour, 1.6, f"fill={_colour(NAMED['background'])}")


def _label(label: ChartLabel) -> str:
    colour = {"muted": GREY, "time": GREY, "note": GREY, "common": GREY, "verdict": NAMED["wrong"]}.get(label.kind, BLACK)
    anchor = {"start": "base west", "middle": "base", "end": "base east"}[label.anchor]
    text = escaped(label.text)
    text = f"\\texttt{{{text}}}" if label.mono else text
    text = f"\\textbf{{{text}}}" if label.bold else text
    drawn = _text(text, Point(label.x, label.y), label.size, colour, anchor)
    fill = NAMED["band" if label.banded else "background"]
    return drawn.replace("\\node[", f"\\node[fill={_colour(fill)}, ", 1) if label.backed else drawn


def _marks(chart: Chart) -> Iterator[str]:
    """The number of each step on the lifeline of its actor, and the line where the users open again."""
    size = number(0.75 * chart.form.number_size)
    minimum = f"minimum size={number(1.5 * chart.form.radius)}pt"
    for step, x, y in zip(chart.steps, chart.mark_x, chart.axis.rows[1:], strict=True):
        if reopens(step):
            yield _draw(
                f"({number(chart.end_x[0])},{number(y)}) -- ({number(chart.end_x[1])},{number(y)})",
                NAMED["next"],
                1.5,
                DASHES["dotted"],
            )
        place = Point(x, y)
        wrong = step.number in chart.violating
        colour = NAMED["wrong"] if wrong else BLACK
        options = [f"draw={_colour(colour)}", f"fill={_colour(NAMED['background'])}", "inner sep=1.5pt", minimum]
        options += ["line width=1.6pt", "rounded corners=0pt"] if wrong else ["rounded corners=6pt"]
        font = f"font=\\sffamily\\bfseries\\fontsize{{{size}}}{{{size}}}\\selectfont"
        yield f"\\node[{', '.join(options)}, {font}] (step-{step.number}) at {_at(place)} {{{step.number}}};"
