"""The sequence chart of a trace as SVG: two lifelines on a time axis that is true to scale, and the copies between them.

Each step is a group with ``data-step``; each arrow has ``data-copy``, ``data-sent`` and ``data-step``, the step at which
the copy arrives. A page that shows the chart highlights the parts of a step by these attributes. It contains a long
chart in parts, which browsers draw faster; each part is a view of the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

from timewait.checker.trace import Trace
from timewait.diagrams.chart import BAR, WHOLE, Chart, ChartArrow, ChartBar, ChartFormat
from timewait.diagrams.chart_elements import STYLE, UNMEASURED_STYLE, backing, cross, diamond, head, label_element
from timewait.diagrams.chart_layout import chart_of
from timewait.diagrams.colours import themed
from timewait.diagrams.legend import UNMEASURED, entry_element, legend, of_open
from timewait.diagrams.svg import XMLNS, Attribute, document, element, line_element, number
from timewait.diagrams.time_axis import GapScale
from timewait.diagrams.widths import width
from timewait.narration.sentences import trace_lines
from timewait.narration.timeline import DeliveryOutcome, reopens
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS

BELOW_LEGEND = 20.0
"""The space below the last line of the legend, in pixels."""
HATCH_DISTANCE = 9
"""Between the lines of hatching, in pixels."""
HATCH_LINES = 40
"""The most lines of hatching in one element."""


class SequencePart(NamedTuple):
    """A part of a chart: its first and last step, its size in pixels, and its SVG; step 0 is the start."""

    first: int
    last: int
    width: float
    height: float
    svg: str


class PlacedElement(NamedTuple):
    """An element with its top and bottom, in pixels."""

    top: float
    bottom: float
    svg: str


def sequence(trace: Trace, form: ChartFormat = WHOLE) -> str:
    """The chart of a trace as an SVG document.

    Parameters
    ----------
    trace : Trace
        The trace.
    form : ChartFormat
        The size, and the texts beside the arrows.
    """
    chart = chart_of(trace, form)
    elements = [*_elements(chart), *_legend(chart)]
    description = "\n".join((_summary(trace, 0, len(trace.steps)), *trace_lines(trace)))
    title = form.title or f"{trace.shows}: {trace.statement}"
    content = (part.svg for part in elements)
    height = _height(chart, elements)
    style = STYLE + ("" if all(arrow.transit.measured for arrow in chart.arrows) else UNMEASURED_STYLE)
    return document(chart.width, height, title, description, content, kind="sequence", style=themed(style))


def parts(trace: Trace, form: ChartFormat, most: int) -> Iterator[SequencePart]:
    """The chart of a trace in parts of at most `most` steps, without a style sheet."""
    chart = chart_of(trace, form)
    elements = [*_elements(chart), *_legend(chart)]
    rows = chart.axis.rows
    firsts = range(0, len(rows), most)
    cuts = [0.0, *(float(math.floor(rows[first] - form.above)) for first in firsts[1:]), math.ceil(_height(chart, elements))]
    for first, (top, bottom) in zip(firsts, pairwise(cuts), strict=True):
        last = min(first + most, len(rows)) - 1
        visible = [part.svg for part in elements if part.top < bottom and part.bottom > top]
        attributes: dict[str, Attribute] = {
            "class_": "sequence",
            "viewBox": f"0 {number(top)} {number(chart.width)} {number(bottom - top)}",
            "width": chart.width,
            "height": bottom - top,
            "xmlns": XMLNS,
            "role": "img",
            "aria_label": _summary(trace, first, last),
        }
        yield SequencePart(first, last, chart.width, bottom - top, element("svg", *visible, **attributes))


def _height(chart: Chart, elements: list[PlacedElement]) -> float:
    return max(chart.height, elements[-1].bottom) + BELOW_LEGEND / 2


def _summary(trace: Trace, first: int, last: int) -> str:
    extent = f"{len(trace.steps)} steps in {format_duration(trace.duration)}"
    if (first, last) != (0, len(trace.steps)):
        extent += f", steps {first} to {last} of them"
    return f"Sequence chart of A and B, {extent}. {trace.shows}: {trace.statement}."


def _elements(chart: Chart) -> Iterator[PlacedElement]:
    """Everything except the legend, from the back to the front."""
    yield from _time(chart)
    yield from (_window(arrow) for arrow in chart.arrows if arrow.window is not None)
    if chart.loop is not None:
        left, top, right, bottom = chart.loop
        frame = element("rect", class_="loop", x=left, y=top, width=right - left, height=bottom - top, rx=4)
        yield PlacedElement(top, bottom, frame)
    yield from _rows(chart)
    yield from _lifelines(chart)
    yield from (part for bar in chart.bars for part in _bar(bar))
    yield from (_arrow(arrow, chart.form.radius) for arrow in chart.arrows)
    for left, top, right, bottom in chart.frames:
        frame = element("rect", class_="framed", x=left, y=top, width=right - left, height=bottom - top, rx=4)
        yield PlacedElement(top, bottom, frame)
    for label in chart.labels:
        if label.kind != "copy":
            yield PlacedElement(label.box[1], label.box[3], label_element(label))
    yield from _marks(chart)


def _legend(chart: Chart) -> Iterator[PlacedElement]:
    yield from (PlacedElement(entry.y - 10, entry.y + 10, entry_element(entry)) for entry in legend(chart))


# --- time -----------------------------------------------------------------------------------------------------------


def _time(chart: Chart) -> Iterator[PlacedElement]:
    x, right = chart.axis_x, chart.end_x[1]
    for instant in chart.axis.instants:
        top, bottom = instant.top, instant.bottom
        if instant.band is not None:
            high, low = instant.band
            yield PlacedElement(high, low, element("rect", class_="band", x=x, y=high, width=right - x, height=low - high, rx=3))
            yield PlacedElement(top, bottom, line_element("instant", x, top, x, bottom))
        yield PlacedElement(top - 1, top + 1, line_element("axis", x - 3, top, x + 4, top))
    for gap in chart.axis.gaps:
        if gap.scale is GapScale.SHORTENED:
            line = element("path", class_="axis", d=_zigzag(x, gap.top, gap.bottom))
        else:
            line = line_element("axis" if gap.scale is GapScale.TRUE else "axis stretched", x, gap.top, x, gap.bottom)
        yield PlacedElement(gap.top, gap.bottom, line)


def _zigzag(x: float, top: float, bottom: float) -> str:
    middle = (top + bottom) / 2
    turns = ((-5, -9), (5, -3), (-5, 3), (5, 9))
    return (
        f"M{number(x)} {number(top)}V{number(middle - 14)}"
        + "".join(f"L{number(x + dx)} {number(middle + dy)}" for dx, dy in turns)
        + f"L{number(x)} {number(middle + 14)}V{number(bottom)}"
    )


# --- the two ends ---------------------------------------------------------------------------------------------------


def _rows(chart: Chart) -> Iterator[PlacedElement]:
    """The area of each row, which a page highlights and which takes clicks."""
    limits = [(low + high) / 2 for low, high in pairwise(chart.axis.rows)]
    for step, y in zip(chart.steps, chart.axis.rows[1:], strict=True):
        top = max(y - 16, limits[step.number - 1])
        bottom = min(y + 16, limits[step.number] if step.number < len(limits) else chart.axis.bottom)
        left, wide = chart.axis_x + 3, chart.width - chart.axis_x - 6
        area = element("rect", class_="hit", x=left, y=top, width=wide, height=bottom - top, rx=3)
        row = element("g", area, class_="row", data_step=str(step.number), data_actor=step.event.actor)
        yield PlacedElement(top, bottom, row)


def _lifelines(chart: Chart) -> Iterator[PlacedElement]:
    for lifetime, top, bottom in chart.lifelines:
        x = chart.end_x[ENDS.index(lifetime.end)]
        kind = {"open": "life", "closed": "life closed", "next": "life next"}[lifetime.kind]
        yield PlacedElement(top, bottom, line_element(kind, x, top, x, bottom))
    for step, y in zip(chart.steps, chart.axis.rows[1:], strict=True):
        if reopens(step):
            yield PlacedElement(y - 1, y + 1, line_element("reopen", chart.end_x[0], y, chart.end_x[1], y))


def _bar(bar: ChartBar) -> Iterator[PlacedElement]:
    left = bar.x - BAR / 2
    shape = element("rect", class_="bar", x=left, y=bar.top, width=BAR, height=bar.bottom - bar.top)
    yield PlacedElement(bar.top, bar.bottom, element("g", shape, class_="time-wait", data_end=bar.wait.end))
    places = range(int(bar.top) + 8, int(bar.bottom) - 2, HATCH_DISTANCE)
    for some in (places[first : first + HATCH_LINES] for first in range(0, len(places), HATCH_LINES)):
        lines = "".join(f"M{number(left)} {y + 4}l{number(BAR)} -8" for y in some)
        yield PlacedElement(some[0] - 5, some[-1] + 5, element("path", class_="hatch", d=lines))
    if bar.two_msl is not None:
        side = left - 6 if bar.wait.end == "A" else left + BAR + 1
        outline = element("rect", class_="full", x=side, y=bar.top, width=5, height=bar.two_msl - bar.top)
        yield PlacedElement(bar.top, bar.two_msl, outline)


def _marks(chart: Chart) -> Iterator[PlacedElement]:
    """The number of each step on the lifeline of its actor."""
    radius, size = chart.form.radius, chart.form.number_size
    for step, x, y in zip(chart.steps, chart.mark_x, chart.axis.rows[1:], strict=True):
        actor, text = step.event.actor, str(step.number)
        half = max(radius, width(text, size, bold=True) / 2 + 4)
        if step.number in chart.violating:
            shape = element("path", class_="mark wrong", d=diamond(x, y, half + 5, radius + 5))
        else:
            shape = element("rect", class_="mark", x=x - half, y=y - radius, width=2 * half, height=2 * radius, rx=radius)
        label = element("text", text, class_="number", x=x, y=y + 0.355 * size, font_size=size, text_anchor="middle")
        mark = element("g", shape, label, class_="step", data_step=text, data_actor=actor)
        yield PlacedElement(y - radius - 5, y + radius + 5, mark)


# --- copies ---------------------------------------------------------------------------------------------------------


def _window(arrow: ChartArrow) -> PlacedElement:
    """The time in which a copy may arrive, along the receiver's lifeline."""
    assert arrow.window is not None
    top, bottom = arrow.window
    x1, x2 = arrow.x1, arrow.receiver_x
    triangle = element("path", class_="window", d=f"M{number(x1)} {number(top)}L{number(x2)} {number(top)}V{number(bottom)}Z")
    inner = x2 - BAR / 2 - 4 if x2 > x1 else x2 + BAR / 2
    alive = element("rect", class_="alive", x=inner, y=top, width=4, height=bottom - top)
    group = element("g", triangle, alive, class_="lifetime", data_copy=str(arrow.transit.copy.number))
    return PlacedElement(top, bottom, group)


def _arrow(arrow: ChartArrow, radius: float) -> PlacedElement:
    transit = arrow.transit
    marks = (*(["later"] if transit.incarnation else []), *([] if transit.measured else ["unmeasured"]))
    again = f"-again-{transit.arrives}" if transit.outcome is DeliveryOutcome.DUPLICATE else ""
    attributes: dict[str, Attribute] = {
        "class_": " ".join(("arrow", transit.outcome, *marks)),
        "data_copy": str(transit.copy.number),
        "data_step": str(transit.step),
        "data_actor": transit.copy.sender,
        "data_name": f"copy-{transit.copy.number}{again}",
    }
    if transit.sent is not None:
        attributes["data_sent"] = str(transit.sent)
    angle = math.atan2(arrow.y2 - arrow.y1, arrow.x2 - arrow.x1)
    back = radius + 2 if transit.arrives is not None else 0
    tip = arrow.x2 - back * math.cos(angle), arrow.y2 - back * math.sin(angle)
    shapes = [
        element("title", escape(_tooltip(arrow))),
        line_element("hit-line", arrow.x1, arrow.y1, *tip),
        line_element("flight", arrow.x1, arrow.y1, tip[0] - 3 * math.cos(angle), tip[1] - 3 * math.sin(angle)),
    ]
    if transit.outcome is DeliveryOutcome.LOST:
        shapes.append(cross(*tip))
    elif transit.outcome is DeliveryOutcome.OPEN:
        shapes.append(element("circle", class_="end", cx=tip[0], cy=tip[1], r=4))
    else:
        shapes.append(head(tip, angle))
    shapes += [shape for label in arrow.labels for shape in (*([backing(label)] if label.backed else []), label_element(label))]
    ys = [arrow.y1, arrow.y2, *(y for label in arrow.labels for y in label.box[1::2])]
    return PlacedElement(min(ys) - 6, max(ys) + 6, element("g", *shapes, **attributes))


def _tooltip(arrow: ChartArrow) -> str:
    copy, transit = arrow.transit.copy, arrow.transit
    outcome = {
        DeliveryOutcome.ARRIVES: f"arrives at step {transit.arrives}",
        DeliveryOutcome.DUPLICATE: f"arrives again at step {transit.arrives}",
        DeliveryOutcome.LOST: "is lost",
        DeliveryOutcome.OPEN: of_open(transit.frame > 0),
    }[transit.outcome]
    outcome += "" if transit.measured else f"; {UNMEASURED}"
    return f"copy {copy.number}, {copy.sender} to {copy.receiver}: {copy.text}, sent at {format_duration(copy.sent)}, {outcome}"
