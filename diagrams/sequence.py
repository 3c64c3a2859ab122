"""The sequence chart of a trace as SVG: two lifelines on a true time axis, and everything that crosses between them.

Each step is a group with ``data-step``; each arrow one with ``data-copy``, ``data-sent`` and ``data-step``, the step at
which it arrives. A page that shows the chart lights them by these.
"""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

from checker.trace import Trace
from diagrams.axis import Pause
from diagrams.chart import BAR, MARGIN, RADIUS, WHOLE, Arrow, Bar, Chart, Format
from diagrams.ink import diamond, element, head, lettered, line, pixels, plate
from diagrams.layout import chart
from diagrams.legend import entry, legend
from diagrams.lettering import MONO, SANS, sans_width
from diagrams.palette import themed
from diagrams.passages import Fate, reopens
from diagrams.words import lines
from spec.duration import spoken
from spec.exchange import ENDS

STYLE = f"""
.sequence text {{ font-family: {SANS}; fill: $ink; }}
.sequence .mono {{ font-family: {MONO}; }}
.sequence .bold {{ font-weight: 600; }}
.sequence .muted, .sequence .time, .sequence .note, .sequence .common {{ fill: $muted; }}
.sequence .verdict {{ fill: $wrong; }}
.sequence .paper {{ fill: $paper; }}
.sequence .band {{ fill: $band; }}
.sequence .hit {{ fill: $paper; fill-opacity: 0; }}
.sequence .lit .hit {{ fill: $marked; fill-opacity: 1; }}
.sequence .axis {{ stroke: $muted; fill: none; stroke-width: 1.5; }}
.sequence .instant {{ stroke: $muted; stroke-width: 4; }}
.sequence .stretched {{ stroke-dasharray: 1 4; stroke-linecap: round; }}
.sequence .life {{ stroke: $first; stroke-width: 2.5; fill: none; }}
.sequence .closed {{ stroke: $muted; stroke-dasharray: 2 5; stroke-width: 1.5; }}
.sequence .next {{ stroke: $next; stroke-width: 4.5; }}
.sequence .reopen {{ stroke: $next; stroke-width: 1.5; stroke-dasharray: 2 3; }}
.sequence .bar {{ fill: $wait; stroke: $waiting; stroke-width: 1; }}
.sequence .hatch {{ stroke: $waiting; stroke-width: 1.2; }}
.sequence .full {{ fill: none; stroke: $waiting; stroke-width: 1.4; stroke-dasharray: 4 3; }}
.sequence .window {{ fill: $first; fill-opacity: 0.05; }}
.sequence .alive {{ fill: $first; fill-opacity: 0.3; }}
.sequence .flight {{ stroke: $first; stroke-width: 1.7; fill: none; }}
.sequence .head {{ fill: $first; }}
.sequence .later .flight {{ stroke: $next; }}
.sequence .later .head {{ fill: $next; }}
.sequence .again .flight {{ stroke-dasharray: 7 5; }}
.sequence .open .flight {{ stroke-dasharray: 1.5 3.5; }}
.sequence .end {{ stroke: $first; fill: $paper; stroke-width: 1.6; }}
.sequence .cross {{ stroke: $wrong; stroke-width: 2.6; fill: none; stroke-linecap: round; }}
.sequence .grip {{ stroke: $paper; stroke-opacity: 0; stroke-width: 12; fill: none; }}
.sequence .lit .flight {{ stroke-width: 3.4; }}
.sequence .plate {{ fill: $paper; }}
.sequence .lit .plate {{ fill: $marked; }}
.sequence text.name {{ fill: $ink; }}
.sequence .mark {{ fill: $paper; stroke: $ink; stroke-width: 1.3; }}
.sequence .mark.wrong {{ stroke: $wrong; stroke-width: 2.2; }}
.sequence .lit .mark {{ fill: $ink; }}
.sequence .lit .number {{ fill: $paper; }}
.sequence .number {{ font-weight: 600; }}
.sequence .framed {{ fill: $paper; stroke: $wrong; stroke-width: 1.5; }}
.sequence .loop {{ stroke: $wrong; stroke-width: 2; fill: none; }}
.sequence text.loop {{ stroke: none; fill: $wrong; }}
.sequence .dim {{ opacity: 0.28; }}
"""


def sequence(trace: Trace, form: Format = WHOLE) -> str:
    """The chart of a trace as the text of an SVG picture.

    Parameters
    ----------
    trace : Trace
        What is shown.
    form : Format
        How large, and with what beside the arrows.
    """
    laid = chart(trace, form)
    signs = list(legend(laid))
    height = (signs[-1].y if signs else laid.height) + 20
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "sequence",
            "viewBox": f"0 0 {pixels(laid.width)} {pixels(height)}",
            "width": pixels(laid.width),
            "height": pixels(height),
            "role": "img",
            "aria-label": _spoken(trace),
        },
    )
    ET.SubElement(root, "title").text = f"{trace.shows}: {trace.statement}"
    ET.SubElement(root, "desc").text = "\n".join(lines(trace))
    ET.SubElement(root, "style").text = themed(STYLE)
    element(root, "rect", "paper", x=0, y=0, width=laid.width, height=height, rx=6)
    _time(root, laid)
    for arrow in laid.arrows:
        _window(root, arrow)
    _steps(root, laid)
    _lifelines(root, laid)
    _reopenings(root, laid)
    for bar in laid.bars:
        _bar(root, bar)
    for arrow in laid.arrows:
        _arrow(root, arrow)
    for left, top, right, bottom in laid.frames:
        element(root, "rect", "framed", x=left, y=top, width=right - left, height=bottom - top, rx=4)
    if laid.loop is not None:
        _loop(root, laid, *laid.loop)
    for label in laid.labels:
        if label.kind != "copy":
            lettered(root, label)
    _marks(root, laid)
    for sign in signs:
        entry(root, sign)
    ET.indent(root, space="")
    return ET.tostring(root, encoding="unicode") + "\n"


def _spoken(trace: Trace) -> str:
    what = f"A and B, {len(trace.steps)} steps in {spoken(trace.duration)}"
    return f"Sequence chart of {what}. {trace.shows}: {trace.statement}."


# --- time -----------------------------------------------------------------------------------------------------------


def _time(root: ET.Element, laid: Chart) -> None:
    right = laid.ends[1]
    group = ET.SubElement(root, "g", {"class": "instants"})
    for band in laid.axis.bands:
        if band.last > band.first:
            height = band.bottom - band.top + 20
            element(group, "rect", "band", x=laid.rule, y=band.top - 10, width=right - laid.rule, height=height, rx=3)
            line(group, "instant", laid.rule, band.top, laid.rule, band.bottom)
        line(group, "axis", laid.rule - 3, band.top, laid.rule + 4, band.top)
    for gap in laid.axis.gaps:
        if gap.pause is Pause.SHORTENED:
            element(group, "path", "axis", d=_zigzag(laid.rule, gap.top, gap.bottom))
        else:
            line(group, "axis" if gap.pause is Pause.TRUE else "axis stretched", laid.rule, gap.top, laid.rule, gap.bottom)


def _zigzag(x: float, top: float, bottom: float) -> str:
    middle = (top + bottom) / 2
    turns = ((-5, -9), (5, -3), (-5, 3), (5, 9))
    return (
        f"M{pixels(x)} {pixels(top)}V{pixels(middle - 14)}"
        + "".join(f"L{pixels(x + dx)} {pixels(middle + dy)}" for dx, dy in turns)
        + (f"L{pixels(x)} {pixels(middle + 14)}V{pixels(bottom)}")
    )


# --- the two ends ---------------------------------------------------------------------------------------------------


def _steps(root: ET.Element, laid: Chart) -> None:
    """What is clicked on, and lights up, for a whole row."""
    limits = [(low + high) / 2 for low, high in pairwise(laid.axis.rows)]
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        group = ET.SubElement(root, "g", {"class": "row", "data-step": str(step.number), "data-actor": step.event.actor})
        top = max(place - 16, limits[step.number - 1])
        bottom = min(place + 16, limits[step.number] if step.number < len(limits) else laid.axis.bottom)
        element(group, "rect", "hit", x=laid.rule + 3, y=top, width=laid.width - laid.rule - 6, height=bottom - top, rx=3)


def _lifelines(root: ET.Element, laid: Chart) -> None:
    for stretch, top, bottom in laid.lines:
        x = laid.ends[ENDS.index(stretch.end)]
        kind = {"open": "life", "closed": "life closed", "next": "life next"}[stretch.kind]
        line(root, kind, x, top, x, bottom)


def _reopenings(root: ET.Element, laid: Chart) -> None:
    """A line across, where the same addresses and ports are opened again."""
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        if reopens(step):
            line(root, "reopen", laid.ends[0], place, laid.ends[1], place)


def _bar(root: ET.Element, bar: Bar) -> None:
    group = ET.SubElement(root, "g", {"class": "time-wait", "data-end": bar.wait.end})
    left = bar.x - BAR / 2
    element(group, "rect", "bar", x=left, y=bar.top, width=BAR, height=bar.bottom - bar.top)
    places = range(int(bar.top) + 8, int(bar.bottom) - 2, 9)
    element(group, "path", "hatch", d="".join(f"M{pixels(left)} {place + 4}l{pixels(BAR)} -8" for place in places))
    if bar.full is not None:
        side = left - 6 if bar.wait.end == "A" else left + BAR + 1
        element(group, "rect", "full", x=side, y=bar.top, width=5, height=bar.full - bar.top)


def _marks(root: ET.Element, laid: Chart) -> None:
    """The number of each step, where it happens."""
    middle = sum(laid.ends) / 2
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        actor = step.event.actor
        x = laid.ends[ENDS.index(actor)] if actor in ENDS else middle
        group = ET.SubElement(root, "g", {"class": "step", "data-step": str(step.number), "data-actor": actor})
        text = str(step.number)
        half = max(RADIUS, sans_width(text, 9) / 2 + 4)
        if step.number in laid.broken:
            element(group, "path", "mark wrong", d=diamond(x, place, half + 5, 13))
        else:
            element(group, "rect", "mark", x=x - half, y=place - RADIUS, width=2 * half, height=2 * RADIUS, rx=RADIUS)
        number = element(group, "text", "number", x=x, y=place + 3.2, font_size=9, text_anchor="middle")
        number.text = text


# --- what crosses ---------------------------------------------------------------------------------------------------


def _window(root: ET.Element, arrow: Arrow) -> None:
    """Where a copy may still arrive: from its sending along the receiver's lifeline."""
    if arrow.window is None:
        return
    top, bottom = arrow.window
    x1, far = arrow.x1, arrow.far
    group = ET.SubElement(root, "g", {"class": "lifetime", "data-copy": str(arrow.passage.copy.number)})
    element(group, "path", "window", d=f"M{pixels(x1)} {pixels(top)}L{pixels(far)} {pixels(top)}V{pixels(bottom)}Z")
    inner = far - BAR / 2 - 4 if far > x1 else far + BAR / 2
    element(group, "rect", "alive", x=inner, y=top, width=4, height=bottom - top)


def _arrow(root: ET.Element, arrow: Arrow) -> None:
    passage = arrow.passage
    kind = f"arrow {passage.fate}" + (" later" if passage.incarnation else "")
    again = f"-again-{passage.arrives}" if passage.fate is Fate.AGAIN else ""
    told = {
        "class": kind,
        "data-copy": str(passage.copy.number),
        "data-step": str(passage.step),
        "data-actor": passage.copy.sender,
    }
    if passage.sent is not None:
        told["data-sent"] = str(passage.sent)
    group = ET.SubElement(root, "g", told | {"data-name": f"copy-{passage.copy.number}{again}"})
    ET.SubElement(group, "title").text = _about(arrow)
    angle = math.atan2(arrow.y2 - arrow.y1, arrow.x2 - arrow.x1)
    back = RADIUS + 2 if passage.arrives is not None else 0
    tip = arrow.x2 - back * math.cos(angle), arrow.y2 - back * math.sin(angle)
    line(group, "grip", arrow.x1, arrow.y1, *tip)
    line(group, "flight", arrow.x1, arrow.y1, tip[0] - 3 * math.cos(angle), tip[1] - 3 * math.sin(angle))
    if passage.fate is Fate.LOST:
        x, y = tip
        element(group, "path", "cross", d=f"M{pixels(x - 5)} {pixels(y - 5)}l10 10m0 -10l-10 10")
    elif passage.fate is Fate.OPEN:
        element(group, "circle", "end", cx=tip[0], cy=tip[1], r=4)
    else:
        element(group, "polygon", "head", points=" ".join(head(tip, angle)))
    for label in arrow.labels:
        plate(group, label)
        lettered(group, label)


def _about(arrow: Arrow) -> str:
    copy, passage = arrow.passage.copy, arrow.passage
    words = {
        Fate.ARRIVES: f"arrives at step {passage.arrives}",
        Fate.AGAIN: f"arrives again at step {passage.arrives}",
        Fate.LOST: "is lost",
        Fate.OPEN: "does not arrive in this run",
    }[passage.fate]
    return f"copy {copy.number}, {copy.sender} to {copy.receiver}: {copy.text}, sent at {spoken(copy.sent)}, {words}"


def _loop(root: ET.Element, laid: Chart, top: float, bottom: float) -> None:
    """The bracket around what repeats, with an arrow back to its beginning."""
    x = laid.width - MARGIN
    element(
        root, "path", "loop", d=f"M{pixels(x - 14)} {pixels(bottom)}H{pixels(x)}V{pixels(top)}H{pixels(x - 14)}m5 -4l-5 4l5 4"
    )
