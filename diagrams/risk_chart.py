"""The risk of a RST against TIME_WAIT, on logarithmic axes, with real stacks as points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from timewait.diagrams.colours import BLACK, BLUE, RED
from timewait.diagrams.rendering import chart_as_svg
from timewait.diagrams.widths import wrapped

WIDTH, HEIGHT = 700, 340
"""Of the area between the axes, in pixels."""


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
    x |= {"scale": {"type": "log", "domain": [curve.steps[0][0], last * 1.5], "nice": False}}
    y: dict[str, Any] = {"field": "chance", "type": "quantitative", "title": "probability that a close ends in a RST"}
    y |= {"scale": {"type": "log"}, "axis": {"format": ".0e", "grid": True}}
    rows = [{"time": time, "chance": chance} for time, chance in curve.steps]
    rows.append({"time": curve.zero_from, "chance": rows[-1]["chance"]})
    marks: list[dict[str, Any]] = [{"time": curve.zero_from, "text": "never from here on"}]
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
                {
                    "mark": text | {"align": "left", "baseline": "bottom", "dx": 7, "dy": -3, "fontWeight": "bold"},
                    "encoding": {"text": {"field": "text"}},
                },
            ],
        },
    ]
    caption = [row for part in curve.caption for row in wrapped(part, 12, WIDTH)]
    size = {"width": WIDTH, "height": HEIGHT}
    return {
        "title": {"text": curve.title, "subtitle": caption},
        **size,
        "layer": [layer for layer in layers if layer["data"]["values"]],
    }
