"""The sequence chart of a trace as SVG: two lifelines on a true time axis, and everything that crosses between them.

Each step is a group with ``data-step``; each arrow one with ``data-copy``, ``data-sent`` and ``data-step``, the step at
which it arrives. A page that shows the chart lights them by these. Such a page has the chart in parts, since a browser
takes its time over one that is long: each part is a window on the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

from timewait.checker.trace import Trace
from timewait.diagrams.chart import BAR, MARGIN, RADIUS, WHOLE, Chart, ChartArrow, ChartBar, ChartFormat
from timewait.diagrams.chart_elements import STYLE, cross, diamond, head, plate, text_element
from timewait.diagrams.chart_layout import chart
from timewait.diagrams.colours import themed
from timewait.diagrams.legend import entry, legend
from timewait.diagrams.rows import ABOVE
from timewait.diagrams.svg import XMLNS, Attribute, document, element, line_element, number
from timewait.diagrams.time_axis import Pause
from timewait.diagrams.widths import width
from timewait.narration.sentences import trace_lines
from timewait.narration.timeline import DeliveryOutcome, reopens
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS

BELOW_LEGEND = 20.0
"""The room below the last line of the legend, in pixels."""
HATCH = 9
"""From one stroke of hatching to the next, in pixels."""
STROKES = 40
"""How many of them are one element."""


class SequencePart(NamedTuple):
    """A part of a chart: the steps from the first to the last, and a picture of so many pixels.

    The first step of the first part is 0, the start.
    """

    first: int
    last: int
    width: float
    height: float
    svg: str


class _Drawn(NamedTuple):
    """Something drawn, and the heights between which it lies, in pixels."""

    top: float
    bottom: float
    svg: str


def sequence(trace: Trace, form: ChartFormat = WHOLE) -> str:
    """The chart of a trace as the text of an SVG picture.

    Parameters
    ----------
    trace : Trace
        What is shown.
    form : Format
        How large, and with what beside the arrows.
    """
    laid = chart(trace, form)
    marks = [*_drawn(laid), *_legend(laid)]
    height = _height(laid, marks)
    told = "\n".join((_spoken(trace, 0, len(trace.steps)), *trace_lines(trace)))
    title = f"{trace.shows}: {trace.statement}"
    content = (mark.svg for mark in marks)
    return document(laid.width, height, title, told, content, kind="sequence", style=themed(STYLE))


def parts(trace: Trace, form: ChartFormat, most: int) -> Iterator[SequencePart]:
    """The chart of a trace in parts of so many steps at most; the style sheet is up to the page that shows them."""
    laid = chart(trace, form)
    marks = [*_drawn(laid), *_legend(laid)]
    firsts = range(0, len(laid.axis.rows), most)
    cuts = [0.0, *(float(math.floor(laid.axis.rows[first] - ABOVE)) for first in firsts[1:]), math.ceil(_height(laid, marks))]
    for first, (top, bottom) in zip(firsts, pairwise(cuts), strict=True):
        last = min(first + most, len(laid.axis.rows)) - 1
        view = f"0 {number(top)} {number(laid.width)} {number(bottom - top)}"
        seen = [mark.svg for mark in marks if mark.top < bottom and mark.bottom > top]
        told: dict[str, Attribute] = {"xmlns": XMLNS, "role": "img", "aria_label": _spoken(trace, first, last)}
        size: dict[str, Attribute] = {"width": laid.width, "height": bottom - top}
        yield SequencePart(
            first, last, laid.width, bottom - top, element("svg", *seen, class_="sequence", viewBox=view, **size, **told)
        )


def _height(laid: Chart, marks: list[_Drawn]) -> float:
    return max(laid.height, marks[-1].bottom) + BELOW_LEGEND / 2


def _spoken(trace: Trace, first: int, last: int) -> str:
    some = f"{len(trace.steps)} steps in {format_duration(trace.duration)}"
    if (first, last) != (0, len(trace.steps)):
        some += f", steps {first} to {last} of them"
    return f"Sequence chart of A and B, {some}. {trace.shows}: {trace.statement}."


def _drawn(laid: Chart) -> Iterator[_Drawn]:
    """Everything but the legend, from the back to the front."""
    yield from _time(laid)
    yield from (_window(arrow) for arrow in laid.arrows if arrow.window is not None)
    yield from _rows(laid)
    yield from _lifelines(laid)
    yield from (drawn for bar in laid.bars for drawn in _bar(bar))
    yield from map(_arrow, laid.arrows)
    for left, top, right, bottom in laid.frames:
        frame = element("rect", class_="framed", x=left, y=top, width=right - left, height=bottom - top, rx=4)
        yield _Drawn(top, bottom, frame)
    if laid.loop is not None:
        yield _loop(laid, *laid.loop)
    for label in laid.labels:
        if label.kind != "copy":
            ground = plate(label) if label.kind == "loop" else ""
            yield _Drawn(label.box[1], label.box[3], ground + text_element(label))
    yield from _marks(laid)


def _legend(laid: Chart) -> Iterator[_Drawn]:
    yield from (_Drawn(sign.y - 10, sign.y + 10, entry(sign)) for sign in legend(laid))


# --- time -----------------------------------------------------------------------------------------------------------


def _time(laid: Chart) -> Iterator[_Drawn]:
    rule, right = laid.rule, laid.ends[1]
    for band in laid.axis.bands:
        if band.last > band.first:
            height = band.bottom - band.top + 20
            ground = element("rect", class_="band", x=rule, y=band.top - 10, width=right - rule, height=height, rx=3)
            yield _Drawn(band.top - 10, band.bottom + 10, ground)
            yield _Drawn(band.top, band.bottom, line_element("instant", rule, band.top, rule, band.bottom))
        yield _Drawn(band.top - 1, band.top + 1, line_element("axis", rule - 3, band.top, rule + 4, band.top))
    for gap in laid.axis.gaps:
        if gap.pause is Pause.SHORTENED:
            drawn = element("path", class_="axis", d=_zigzag(rule, gap.top, gap.bottom))
        else:
            drawn = line_element("axis" if gap.pause is Pause.TRUE else "axis stretched", rule, gap.top, rule, gap.bottom)
        yield _Drawn(gap.top, gap.bottom, drawn)


def _zigzag(x: float, top: float, bottom: float) -> str:
    middle = (top + bottom) / 2
    turns = ((-5, -9), (5, -3), (-5, 3), (5, 9))
    return (
        f"M{number(x)} {number(top)}V{number(middle - 14)}"
        + "".join(f"L{number(x + dx)} {number(middle + dy)}" for dx, dy in turns)
        + (f"L{number(x)} {number(middle + 14)}V{number(bottom)}")
    )


# --- the two ends ---------------------------------------------------------------------------------------------------


def _rows(laid: Chart) -> Iterator[_Drawn]:
    """What is clicked on, and lights up, for a whole row."""
    limits = [(low + high) / 2 for low, high in pairwise(laid.axis.rows)]
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        top = max(place - 16, limits[step.number - 1])
        bottom = min(place + 16, limits[step.number] if step.number < len(limits) else laid.axis.bottom)
        hit = element("rect", class_="hit", x=laid.rule + 3, y=top, width=laid.width - laid.rule - 6, height=bottom - top, rx=3)
        yield _Drawn(top, bottom, element("g", hit, class_="row", data_step=str(step.number), data_actor=step.event.actor))


def _lifelines(laid: Chart) -> Iterator[_Drawn]:
    for stretch, top, bottom in laid.lines:
        x = laid.ends[ENDS.index(stretch.end)]
        kind = {"open": "life", "closed": "life closed", "next": "life next"}[stretch.kind]
        yield _Drawn(top, bottom, line_element(kind, x, top, x, bottom))
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        if reopens(step):
            yield _Drawn(place - 1, place + 1, line_element("reopen", laid.ends[0], place, laid.ends[1], place))


def _bar(bar: ChartBar) -> Iterator[_Drawn]:
    left = bar.x - BAR / 2
    shape = element("rect", class_="bar", x=left, y=bar.top, width=BAR, height=bar.bottom - bar.top)
    yield _Drawn(bar.top, bar.bottom, element("g", shape, class_="time-wait", data_end=bar.wait.end))
    places = range(int(bar.top) + 8, int(bar.bottom) - 2, HATCH)
    for some in (places[first : first + STROKES] for first in range(0, len(places), STROKES)):
        strokes = "".join(f"M{number(left)} {place + 4}l{number(BAR)} -8" for place in some)
        yield _Drawn(some[0] - 5, some[-1] + 5, element("path", class_="hatch", d=strokes))
    if bar.full is not None:
        side = left - 6 if bar.wait.end == "A" else left + BAR + 1
        yield _Drawn(bar.top, bar.full, element("rect", class_="full", x=side, y=bar.top, width=5, height=bar.full - bar.top))


def _marks(laid: Chart) -> Iterator[_Drawn]:
    """The number of each step, where it happens."""
    middle = sum(laid.ends) / 2
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        actor, text = step.event.actor, str(step.number)
        x = laid.ends[ENDS.index(actor)] if actor in ENDS else middle
        half = max(RADIUS, width(text, 9, bold=True) / 2 + 4)
        if step.number in laid.broken:
            shape = element("path", class_="mark wrong", d=diamond(x, place, half + 5, 13))
        else:
            shape = element("rect", class_="mark", x=x - half, y=place - RADIUS, width=2 * half, height=2 * RADIUS, rx=RADIUS)
        told = element("text", text, class_="number", x=x, y=place + 3.2, font_size=9, text_anchor="middle")
        group = element("g", shape, told, class_="step", data_step=text, data_actor=actor)
        yield _Drawn(place - 13, place + 13, group)


# --- what crosses ---------------------------------------------------------------------------------------------------


def _window(arrow: ChartArrow) -> _Drawn:
    """Where a copy may still arrive: from its sending along the receiver's lifeline."""
    assert arrow.window is not None
    top, bottom = arrow.window
    x1, far = arrow.x1, arrow.far
    ground = element("path", class_="window", d=f"M{number(x1)} {number(top)}L{number(far)} {number(top)}V{number(bottom)}Z")
    inner = far - BAR / 2 - 4 if far > x1 else far + BAR / 2
    alive = element("rect", class_="alive", x=inner, y=top, width=4, height=bottom - top)
    return _Drawn(top, bottom, element("g", ground, alive, class_="lifetime", data_copy=str(arrow.passage.copy.number)))


def _arrow(arrow: ChartArrow) -> _Drawn:
    passage = arrow.passage
    again = f"-again-{passage.arrives}" if passage.outcome is DeliveryOutcome.DUPLICATE else ""
    told: dict[str, Attribute] = {
        "class_": f"arrow {passage.outcome}" + (" later" if passage.incarnation else ""),
        "data_copy": str(passage.copy.number),
        "data_step": str(passage.step),
        "data_actor": passage.copy.sender,
        "data_name": f"copy-{passage.copy.number}{again}",
    }
    if passage.sent is not None:
        told["data_sent"] = str(passage.sent)
    angle = math.atan2(arrow.y2 - arrow.y1, arrow.x2 - arrow.x1)
    back = RADIUS + 2 if passage.arrives is not None else 0
    tip = arrow.x2 - back * math.cos(angle), arrow.y2 - back * math.sin(angle)
    shapes = [
        element("title", escape(_about(arrow))),
        line_element("grip", arrow.x1, arrow.y1, *tip),
        line_element("flight", arrow.x1, arrow.y1, tip[0] - 3 * math.cos(angle), tip[1] - 3 * math.sin(angle)),
    ]
    if passage.outcome is DeliveryOutcome.LOST:
        shapes.append(cross(*tip))
    elif passage.outcome is DeliveryOutcome.OPEN:
        shapes.append(element("circle", class_="end", cx=tip[0], cy=tip[1], r=4))
    else:
        shapes.append(head(tip, angle))
    shapes += [shape for label in arrow.labels for shape in (plate(label), text_element(label))]
    edges = [arrow.y1, arrow.y2, *(edge for label in arrow.labels for edge in label.box[1::2])]
    return _Drawn(min(edges) - 6, max(edges) + 6, element("g", *shapes, **told))


def _about(arrow: ChartArrow) -> str:
    copy, passage = arrow.passage.copy, arrow.passage
    words = {
        DeliveryOutcome.ARRIVES: f"arrives at step {passage.arrives}",
        DeliveryOutcome.DUPLICATE: f"arrives again at step {passage.arrives}",
        DeliveryOutcome.LOST: "is lost",
        DeliveryOutcome.OPEN: "does not arrive in this run",
    }[passage.outcome]
    return f"copy {copy.number}, {copy.sender} to {copy.receiver}: {copy.text}, sent at {format_duration(copy.sent)}, {words}"


def _loop(laid: Chart, top: float, bottom: float) -> _Drawn:
    """The bracket around what repeats, with an arrow back to its beginning."""
    x = laid.width - MARGIN
    back = f"M{number(x - 14)} {number(bottom)}H{number(x)}V{number(top)}H{number(x - 14)}m5 -4l-5 4l5 4"
    return _Drawn(top - 6, bottom + 2, element("path", class_="loop", d=back))
