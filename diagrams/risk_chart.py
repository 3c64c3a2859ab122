"""The risk of a RST against TIME_WAIT, on logarithmic axes, with real stacks as points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Any

from timewait.diagrams.colours import BLACK, BLUE, RED
from timewait.diagrams.geometry import Point, Rectangle, Size
from timewait.diagrams.label_placement import PlacedLabel, anchored, leader, placed
from timewait.diagrams.rendering import chart_as_svg
from timewait.diagrams.widths import joined, width, wrapped

WIDTH, HEIGHT = 432, 340
"""Of the area between the axes, in pixels."""

FONT_SIZE, LABEL_HEIGHT = 12, 17.0
"""Of the names of stacks, in pixels."""

NAMES_WIDTH = 190.0
"""The width at which the names beside a point are wrapped, in pixels."""

STEP_SAMPLES = 24
"""Points of each step that names avoid."""


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """The content of the chart.

    Attributes
    ----------
    title : str
        One line.
    caption : tuple of str
        The network and the close, in words.
    steps : tuple of (float, float)
        TIME_WAIT in seconds, more than zero, and the probability there and up to the next step; in order. Only probabilities
        above zero.
    zero_from : float
        The TIME_WAIT in seconds from which on the probability is zero.
    proved : float or None
        The TIME_WAIT that is proved safe for any delays up to the longest one, in seconds; None if none is.
    stacks : tuple of (float, float, str)
        TIME_WAIT, probability, and names of stacks, where the probability is above zero.
    """

    title: str
    caption: tuple[str, ...]
    steps: tuple[tuple[float, float], ...]
    zero_from: float
    proved: float | None
    stacks: tuple[tuple[float, float, str], ...]

    def sentences(self) -> Iterator[str]:
        """The content in words."""
        yield from self.caption
        for time_wait, chance in self.steps:
            yield f"TIME_WAIT {time_wait:g} s and longer: {chance:.2e}"
        yield f"TIME_WAIT {self.zero_from:g} s and longer: 0"


def as_svg(curve: RiskCurve) -> str:
    """The chart.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    return chart_as_svg(specification(curve), "\n".join(curve.sentences()))


def specification(curve: RiskCurve) -> dict[str, Any]:
    """The chart as a Vega-Lite specification."""
    last = max(curve.zero_from, curve.proved or 0, *(time for time, _, _ in curve.stacks), *(time for time, _ in curve.steps))
    x: dict[str, Any] = {"field": "time", "type": "quantitative", "title": "TIME_WAIT in seconds", "axis": {"grid": False}}
    times = (curve.steps[0][0], last * 1.5)
    x |= {"scale": {"type": "log", "domain": times, "nice": False}}
    y: dict[str, Any] = {"field": "chance", "type": "quantitative", "title": "probability that a close ends in a RST"}
    y |= {"scale": {"type": "log", "domain": _chances(curve), "nice": False}, "axis": {"format": ".0e", "grid": True}}
    rows = [{"time": time, "chance": chance} for time, chance in curve.steps]
    rows.append({"time": curve.zero_from, "chance": rows[-1]["chance"]})
    marks: list[dict[str, Any]] = [{"time": curve.zero_from, "text": "no close ends in a RST"}]
    if curve.proved is not None:
        marks.append({"time": curve.proved, "text": "proved safe for any delays"})
    stacks = [{"time": time, "chance": chance, "text": name} for time, chance, name in curve.stacks]
    text: dict[str, Any] = {"type": "text", "aria": False, "fontSize": 12, "color": BLACK.light}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2.6, "color": RED.light, "aria": False},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"values": marks},
            "encoding": {"x": x},
            "layer": [
                {"mark": {"type": "rule", "strokeDash": [6, 4], "color": BLUE.light, "aria": False}},
                {
                    "mark": text | {"angle": 270, "align": "right", "baseline": "bottom", "dx": -6, "dy": -4},
                    "encoding": {"text": {"field": "text"}, "y": {"value": 0}},
                },
            ],
        },
        {
            "data": {"values": stacks},
            "encoding": {"x": x, "y": y},
            "layer": [
                {"mark": {"type": "point", "filled": True, "size": 64, "opacity": 1, "color": BLACK.light, "aria": False}},
            ],
        },
        *_names(curve, times, text),
    ]
    caption = [row for part in curve.caption for row in wrapped(part, 12, WIDTH)]
    size = {"width": WIDTH, "height": HEIGHT}
    return {
        "title": {"text": curve.title, "subtitle": caption},
        **size,
        "layer": [layer for layer in layers if layer["data"]["values"]],
    }


def _chances(curve: RiskCurve) -> tuple[float, float]:
    """The ends of the vertical axis."""
    chances = [chance for _, chance in curve.steps]
    return min(chances) / 20, max(chances) * 2


def _names(curve: RiskCurve, times: tuple[float, float], text: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The names of the stacks beside their points; no name overlaps another, a point or the curve."""

    def place(time: float, chance: float) -> Point:
        low, high = _chances(curve)
        return Point(WIDTH * log(time / times[0]) / log(times[1] / times[0]), HEIGHT * log(high / chance) / log(high / low))

    names = [joined(name.split(", "), FONT_SIZE, NAMES_WIDTH, bold=True) for _, _, name in curve.stacks]
    labels = [
        PlacedLabel(_size(lines), place(time, chance)) for (time, chance, _), lines in zip(curve.stacks, names, strict=True)
    ]
    corners = [place(*step) for step in (*curve.steps, (curve.zero_from, curve.steps[-1][1]))]
    boxes = placed(labels, Rectangle(0, 0, WIDTH, HEIGHT), [area for ends in pairwise(corners) for area in _step(*ends)])
    rows = [
        anchored(label.point, box) | {"text": text, "y": box.top + LABEL_HEIGHT * (index + 0.5)}
        for label, box, lines in zip(labels, boxes, names, strict=True)
        for index, text in enumerate(lines)
    ]
    leaders = [leader(label.point, box) for label, box in zip(labels, boxes, strict=True)]
    pixels: dict[str, Any] = {axis: {"field": axis, "type": "quantitative", "scale": None, "axis": None} for axis in ("x", "y")}
    ends = pixels | {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    yield {
        "data": {"values": [row for row in leaders if row]},
        "mark": {"type": "rule", "color": BLACK.light, "aria": False},
        "encoding": ends,
    }
    yield {
        "data": {"values": rows},
        "mark": text | {"baseline": "middle", "fontWeight": "bold", "align": {"expr": "datum.align"}},
        "encoding": pixels | {"text": {"field": "text"}},
    }


def _size(lines: list[str]) -> Size:
    """The size of names in lines."""
    return Size(max(width(text, FONT_SIZE, bold=True) for text in lines) + 8, LABEL_HEIGHT * len(lines))


def _step(begin: Point, end: Point) -> Iterator[Rectangle]:
    """Small squares along a step of the curve: to the right, then down."""
    for share in range(STEP_SAMPLES + 1):
        yield Rectangle.around(Point(begin.x + (end.x - begin.x) * share / STEP_SAMPLES, begin.y), Size(6, 6))
        yield Rectangle.around(Point(end.x, begin.y + (end.y - begin.y) * share / STEP_SAMPLES), Size(6, 6))
