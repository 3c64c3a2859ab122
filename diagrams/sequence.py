"""The sequence chart of a trace as SVG: two lifelines on a true time axis, and everything that crosses between them.

Each step is a group with ``data-step``; each arrow one with ``data-copy``, ``data-sent`` and ``data-step``, the step at
which it arrives. A page that shows the chart lights them by these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree as ET

from checker.trace import Trace
from diagrams.axis import Pause
from diagrams.chart import BAR, MARGIN, RADIUS, WHOLE, Arrow, Bar, Chart, Format, Label
from diagrams.layout import chart
from diagrams.lettering import MONO, SANS, sans_width
from diagrams.palette import themed
from diagrams.passages import ENDS, REOPEN, Fate
from spec.duration import spoken

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


class Sign(NamedTuple):
    """An entry of the legend: where it stands, which sign, what it means, and how wide the sample is, in pixels."""

    x: float
    y: float
    name: str
    text: str
    sample: float


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
    legend = list(_legend(laid))
    height = (legend[-1].y if legend else laid.height) + 20
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "sequence",
            "viewBox": f"0 0 {_n(laid.width)} {_n(height)}",
            "width": _n(laid.width),
            "height": _n(height),
            "role": "img",
            "aria-label": _spoken(trace),
        },
    )
    ET.SubElement(root, "title").text = f"{trace.shows}: {trace.statement}"
    ET.SubElement(root, "style").text = themed(STYLE)
    _element(root, "rect", "paper", x=0, y=0, width=laid.width, height=height, rx=6)
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
        _element(root, "rect", "framed", x=left, y=top, width=right - left, height=bottom - top, rx=4)
    if laid.loop is not None:
        _loop(root, laid, *laid.loop)
    for label in laid.labels:
        if label.kind != "copy":
            _label(root, label)
    _marks(root, laid)
    for sign in legend:
        _entry(root, sign)
    ET.indent(root, space="")
    return ET.tostring(root, encoding="unicode") + "\n"


def _spoken(trace: Trace) -> str:
    what = f"A and B, {len(trace.steps)} steps in {spoken(trace.duration)}"
    return f"Sequence chart of {what}. {trace.shows}: {trace.statement}."


# --- what it is made of ---------------------------------------------------------------------------------------------


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _element(parent: ET.Element, tag: str, kind: str, **attributes: float | str) -> ET.Element:
    written = {name.replace("_", "-"): value if isinstance(value, str) else _n(value) for name, value in attributes.items()}
    return ET.SubElement(parent, tag, {"class": kind, **written})


def _line(parent: ET.Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> ET.Element:
    return _element(parent, "line", kind, x1=x1, y1=y1, x2=x2, y2=y2)


def _label(parent: ET.Element, label: Label) -> None:
    kind = " ".join(filter(None, (label.kind, "mono" if label.mono else "", "bold" if label.bold else "")))
    placed = _element(parent, "text", kind, x=label.x, y=label.y, font_size=label.size, text_anchor=label.anchor)
    placed.text = label.text


def _plate(parent: ET.Element, label: Label) -> None:
    """What keeps lines from running through a label."""
    left, top, right, bottom = label.box
    _element(parent, "rect", "plate", x=left - 2, y=top, width=right - left + 4, height=bottom - top, rx=2)


# --- time -----------------------------------------------------------------------------------------------------------


def _time(root: ET.Element, laid: Chart) -> None:
    right = laid.ends[1]
    group = ET.SubElement(root, "g", {"class": "instants"})
    for band in laid.axis.bands:
        if band.last > band.first:
            height = band.bottom - band.top + 20
            _element(group, "rect", "band", x=laid.rule, y=band.top - 10, width=right - laid.rule, height=height, rx=3)
            _line(group, "instant", laid.rule, band.top, laid.rule, band.bottom)
        _line(group, "axis", laid.rule - 3, band.top, laid.rule + 4, band.top)
    for gap in laid.axis.gaps:
        if gap.pause is Pause.SHORTENED:
            _element(group, "path", "axis", d=_zigzag(laid.rule, gap.top, gap.bottom))
        else:
            _line(group, "axis" if gap.pause is Pause.TRUE else "axis stretched", laid.rule, gap.top, laid.rule, gap.bottom)


def _zigzag(x: float, top: float, bottom: float) -> str:
    middle = (top + bottom) / 2
    turns = ((-5, -9), (5, -3), (-5, 3), (5, 9))
    return (
        f"M{_n(x)} {_n(top)}V{_n(middle - 14)}"
        + "".join(f"L{_n(x + dx)} {_n(middle + dy)}" for dx, dy in turns)
        + (f"L{_n(x)} {_n(middle + 14)}V{_n(bottom)}")
    )


# --- the two ends ---------------------------------------------------------------------------------------------------


def _steps(root: ET.Element, laid: Chart) -> None:
    """What is clicked on, and lights up, for a whole row."""
    limits = [(low + high) / 2 for low, high in pairwise(laid.axis.rows)]
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        group = ET.SubElement(root, "g", {"class": "row", "data-step": str(step.number), "data-actor": step.event.actor})
        top = max(place - 16, limits[step.number - 1])
        bottom = min(place + 16, limits[step.number] if step.number < len(limits) else laid.axis.bottom)
        _element(group, "rect", "hit", x=laid.rule + 3, y=top, width=laid.width - laid.rule - 6, height=bottom - top, rx=3)


def _lifelines(root: ET.Element, laid: Chart) -> None:
    for stretch, top, bottom in laid.lines:
        x = laid.ends[ENDS.index(stretch.end)]
        kind = {"open": "life", "closed": "life closed", "next": "life next"}[stretch.kind]
        _line(root, kind, x, top, x, bottom)


def _reopenings(root: ET.Element, laid: Chart) -> None:
    """A line across, where the same addresses and ports are opened again."""
    for step, place in zip(laid.steps, laid.axis.rows[1:], strict=True):
        if any(name == REOPEN for name, _, _ in step.event.rules):
            _line(root, "reopen", laid.ends[0], place, laid.ends[1], place)


def _bar(root: ET.Element, bar: Bar) -> None:
    group = ET.SubElement(root, "g", {"class": "time-wait", "data-end": bar.wait.end})
    left = bar.x - BAR / 2
    _element(group, "rect", "bar", x=left, y=bar.top, width=BAR, height=bar.bottom - bar.top)
    places = range(int(bar.top) + 8, int(bar.bottom) - 2, 9)
    _element(group, "path", "hatch", d="".join(f"M{_n(left)} {place + 4}l{_n(BAR)} -8" for place in places))
    if bar.full is not None:
        side = left - 6 if bar.wait.end == "A" else left + BAR + 1
        _element(group, "rect", "full", x=side, y=bar.top, width=5, height=bar.full - bar.top)


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
            _element(group, "path", "mark wrong", d=_diamond(x, place, half + 5, 13))
        else:
            _element(group, "rect", "mark", x=x - half, y=place - RADIUS, width=2 * half, height=2 * RADIUS, rx=RADIUS)
        number = _element(group, "text", "number", x=x, y=place + 3.2, font_size=9, text_anchor="middle")
        number.text = text


def _diamond(x: float, y: float, half: float, high: float) -> str:
    return f"M{_n(x - half)} {_n(y)}L{_n(x)} {_n(y - high)}L{_n(x + half)} {_n(y)}L{_n(x)} {_n(y + high)}Z"


# --- what crosses ---------------------------------------------------------------------------------------------------


def _window(root: ET.Element, arrow: Arrow) -> None:
    """Where a copy may still arrive: from its sending along the receiver's lifeline."""
    if arrow.window is None:
        return
    top, bottom = arrow.window
    x1, far = arrow.x1, arrow.far
    group = ET.SubElement(root, "g", {"class": "lifetime", "data-copy": str(arrow.passage.copy.number)})
    _element(group, "path", "window", d=f"M{_n(x1)} {_n(top)}L{_n(far)} {_n(top)}V{_n(bottom)}Z")
    inner = far - BAR / 2 - 4 if far > x1 else far + BAR / 2
    _element(group, "rect", "alive", x=inner, y=top, width=4, height=bottom - top)


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
    _line(group, "grip", arrow.x1, arrow.y1, *tip)
    _line(group, "flight", arrow.x1, arrow.y1, tip[0] - 3 * math.cos(angle), tip[1] - 3 * math.sin(angle))
    if passage.fate is Fate.LOST:
        x, y = tip
        _element(group, "path", "cross", d=f"M{_n(x - 5)} {_n(y - 5)}l10 10m0 -10l-10 10")
    elif passage.fate is Fate.OPEN:
        _element(group, "circle", "end", cx=tip[0], cy=tip[1], r=4)
    else:
        _element(group, "polygon", "head", points=" ".join(_head(tip, angle)))
    for label in arrow.labels:
        _plate(group, label)
        _label(group, label)


def _head(tip: tuple[float, float], angle: float) -> Iterator[str]:
    yield f"{_n(tip[0])},{_n(tip[1])}"
    for turn in (math.pi - 0.38, math.pi + 0.38):
        yield f"{_n(tip[0] + 11 * math.cos(angle + turn))},{_n(tip[1] + 11 * math.sin(angle + turn))}"


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
    _element(root, "path", "loop", d=f"M{_n(x - 14)} {_n(bottom)}H{_n(x)}V{_n(top)}H{_n(x - 14)}m5 -4l-5 4l5 4")


# --- what the signs mean ----------------------------------------------------------------------------------------------


def _legend(laid: Chart) -> Iterator[Sign]:
    """The signs that occur, in lines."""
    x, y = MARGIN, 12.0
    for name, text, sample in _signs(laid):
        width = sample + 8 + sans_width(text, 11)
        if x > MARGIN and x + width > laid.width - MARGIN:
            x, y = MARGIN, y + 20
        yield Sign(x, laid.height + y, name, text, sample)
        x += width + 20


def _signs(laid: Chart) -> Iterator[tuple[str, str, float]]:
    """The name of each, what it means, and how wide its sample is."""
    fates = {arrow.passage.fate for arrow in laid.arrows}
    words = {
        Fate.ARRIVES: "arrives; the slope is its delay",
        Fate.AGAIN: "the same copy again",
        Fate.LOST: "lost",
        Fate.OPEN: "does not arrive in this run",
    }
    yield from ((fate.value, text, 30.0) for fate, text in words.items() if fate in fates)
    if any(arrow.window is not None for arrow in laid.arrows):
        yield "window", "where a copy may still arrive", 30.0
    if laid.bars:
        yield "bar", "in TIME_WAIT", 12.0
        if any(bar.full is not None for bar in laid.bars):
            yield "full", "2 MSL", 8.0
    if any(stretch.kind == "next" for stretch, _, _ in laid.lines):
        yield "next", "next incarnation", 20.0
    if laid.broken:
        yield "wrong", "the step that breaks it", 20.0
    if any(band.last > band.first for band in laid.axis.bands):
        yield "band", "one instant: no time passes", 22.0
    if laid.axis.scale:
        seconds = _round(laid.axis.scale)
        yield "scale", f"{spoken(seconds)}, to scale", float(seconds) * laid.axis.scale
    pauses = {gap.pause for gap in laid.axis.gaps}
    if Pause.SHORTENED in pauses:
        yield "shortened", "a pause, drawn shorter", 30.0
    if Pause.STRETCHED in pauses:
        yield "stretched", "a pause, drawn longer", 30.0


def _round(scale: float) -> Fraction:
    """A round length of time that is between 30 and 75 pixels long."""
    lengths = (Fraction(digit) * Fraction(10) ** power for power in range(-12, 10) for digit in (1, 2, 5))
    return next(length for length in lengths if float(length) * scale >= 30)


def _entry(root: ET.Element, sign: Sign) -> None:
    """A sign and its meaning."""
    x, y, end = sign.x, sign.y, sign.x + sign.sample
    group = ET.SubElement(root, "g", {"class": f"sign {sign.name}"})
    match sign.name:
        case "arrives" | "again":
            _line(group, "flight", x, y - 3, end - 6, y + 3)
            _element(group, "polygon", "head", points=" ".join(_head((end, y + 4), 0.2)))
        case "lost":
            _line(group, "flight", x, y, end - 5, y)
            _element(group, "path", "cross", d=f"M{_n(end - 10)} {_n(y - 5)}l10 10m0 -10l-10 10")
        case "open":
            _line(group, "flight", x, y, end - 9, y)
            _element(group, "circle", "end", cx=end - 5, cy=y, r=4)
        case "window":
            _element(group, "path", "window", d=f"M{_n(x)} {_n(y - 7)}H{_n(end)}V{_n(y + 7)}Z")
            _element(group, "rect", "alive", x=end - 4, y=y - 7, width=4, height=14)
        case "bar":
            _element(group, "rect", "bar", x=x, y=y - 8, width=BAR, height=16)
            _line(group, "hatch", x, y + 4, x + BAR, y - 4)
        case "full":
            _element(group, "rect", "full", x=x, y=y - 8, width=5, height=16)
        case "next":
            _line(group, "life next", x, y, end, y)
        case "wrong":
            _element(group, "path", "mark wrong", d=_diamond(x + 10, y, 8, 8))
        case "band":
            _element(group, "rect", "band", x=x, y=y - 8, width=sign.sample, height=16, rx=3)
            _line(group, "instant", x, y - 8, x, y + 8)
        case "scale":
            _element(group, "path", "axis", d=f"M{_n(x)} {_n(y - 4)}v8m0 -4H{_n(end)}m0 -4v8")
        case "shortened":
            _element(group, "path", "axis", d=f"M{_n(x)} {_n(y)}h6l3 -5l6 10l6 -10l3 5H{_n(end)}")
        case _:
            _line(group, "axis stretched", x, y, end, y)
    _label(root, Label(end + 8, y + 4, sign.text, "muted", 11))
