"""The style sheet of sequence charts, and the SVG elements that several parts of them share."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from timewait.diagrams.chart import ChartLabel
from timewait.diagrams.svg import element, number
from timewait.diagrams.widths import FONT, MONO

STYLE = f"""
.sequence text {{ font-family: {FONT}; fill: $text; }}
.sequence .mono {{ font-family: {MONO}; }}
.sequence .bold {{ font-weight: 600; }}
.sequence .muted, .sequence .time, .sequence .note, .sequence .common {{ fill: $muted; }}
.sequence .verdict {{ fill: $wrong; }}
.sequence .band {{ fill: $band; }}
.sequence .hit {{ fill: $background; fill-opacity: 0; }}
.sequence .highlighted .hit {{ fill: $marked; fill-opacity: 1; }}
.sequence .axis {{ stroke: $muted; fill: none; stroke-width: 1.5; }}
.sequence .instant {{ stroke: $muted; stroke-width: 4; }}
.sequence .stretched {{ stroke-dasharray: 1 4; stroke-linecap: round; }}
.sequence .life {{ stroke: $text; stroke-width: 2.5; fill: none; }}
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
.sequence .end {{ stroke: $first; fill: $background; stroke-width: 1.6; }}
.sequence .cross {{ stroke: $text; stroke-width: 2.6; fill: none; stroke-linecap: round; }}
.sequence .hit-line {{ stroke: $background; stroke-opacity: 0; stroke-width: 12; fill: none; }}
.sequence .highlighted .flight {{ stroke-width: 3.4; }}
.sequence .backing {{ fill: $background; }}
.sequence .backing.band {{ fill: $band; }}
.sequence .highlighted .backing, .sequence .highlighted .backing.band {{ fill: $marked; }}
.sequence text.name {{ fill: $text; }}
.sequence .mark {{ fill: $background; stroke: $text; stroke-width: 1.3; }}
.sequence .mark.wrong {{ stroke: $wrong; stroke-width: 2.2; }}
.sequence .highlighted .mark {{ fill: $text; }}
.sequence .highlighted .number {{ fill: $background; }}
.sequence .number {{ font-weight: 600; }}
.sequence .framed {{ fill: $background; stroke: $wrong; stroke-width: 1.5; }}
.sequence .loop {{ stroke: $muted; stroke-width: 1.5; fill: none; stroke-dasharray: 6 4; }}
.sequence text.loop {{ stroke: none; fill: $text; }}
.sequence .dim {{ opacity: 0.28; }}
"""
"""The style sheet, with the names of `timewait.diagrams.colours.NAMED` for colours."""

UNMEASURED_STYLE = ".sequence .unmeasured .flight { stroke-dasharray: 10 3 2 3; }\n"
"""The further rule of a chart of a capture that does not show all times at the ends."""


def label_element(label: ChartLabel) -> str:
    """A label as SVG."""
    kind = " ".join(filter(None, (label.kind, "mono" if label.mono else "", "bold" if label.bold else "")))
    anchor = {"text_anchor": label.anchor} if label.anchor != "start" else {}
    return element("text", escape(label.text), class_=kind, x=label.x, y=label.y, font_size=label.size, **anchor)


def backing(label: ChartLabel) -> str:
    """The background of a label, which hides the lines behind it."""
    left, top, right, bottom = label.box
    kind = "backing band" if label.banded else "backing"
    return element("rect", class_=kind, x=left - 2, y=top, width=right - left + 4, height=bottom - top, rx=2)


def diamond(x: float, y: float, half: float, high: float) -> str:
    """The path of a diamond around a point; `half` and `high` are half its width and height."""
    corners = ((x - half, y), (x, y - high), (x + half, y), (x, y + high))
    return "M" + "L".join(f"{number(across)} {number(down)}" for across, down in corners) + "Z"


def head(tip: tuple[float, float], angle: float) -> str:
    """An arrow head; `angle` is its direction in radians."""
    sides = [(tip[0] + 11 * math.cos(angle + turn), tip[1] + 11 * math.sin(angle + turn)) for turn in _TURNS]
    return element("polygon", class_="head", points=" ".join(f"{number(x)},{number(y)}" for x, y in (tip, *sides)))


_TURNS = (math.pi - 0.38, math.pi + 0.38)


def cross(x: float, y: float) -> str:
    """A cross, the end of a lost copy."""
    return element("path", class_="cross", d=f"M{number(x - 5)} {number(y - 5)}l10 10m0 -10l-10 10")
