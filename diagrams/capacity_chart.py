"""Ports and refused connections over time, as a chart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from timewait.diagrams.colours import BLACK, BLUE, GREY, RED
from timewait.diagrams.rendering import chart_as_svg
from timewait.diagrams.widths import wrapped

WIDTH, HEIGHT, LOWER = 424, 220, 110
"""Of the areas between the axes, in pixels: the ports above, the rates below."""

OPEN, WAITING = "open connections", "TIME_WAIT"
OPENED, REFUSED = "opened", "refused: EADDRNOTAVAIL"


@dataclass(frozen=True, slots=True)
class PortUse:
    """The content of the chart.

    Attributes
    ----------
    title : str
        One line.
    caption : tuple of str
        The load and the ports, in words.
    size : int
        How many ports there are in all.
    points : tuple of (float, int, int, int, int)
        In order of time: seconds, ports of open connections, ports in TIME_WAIT, and the connections opened and refused
        until then.
    """

    title: str
    caption: tuple[str, ...]
    size: int
    points: tuple[tuple[float, int, int, int, int], ...]

    def sentences(self) -> Iterator[str]:
        """The content in words."""
        yield from self.caption
        for time, in_use, waiting, opened, refused in self.points[:: max(len(self.points) // 10, 1)]:
            yield f"after {time:g} s: {in_use} open, {waiting} in TIME_WAIT; {opened} opened and {refused} refused until then"


def as_svg(use: PortUse) -> str:
    """The chart.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    return chart_as_svg(specification(use), "\n".join(use.sentences()))


def specification(use: PortUse) -> dict[str, Any]:
    """The chart as a Vega-Lite specification."""
    last = use.points[-1][0]
    time = {"field": "time", "type": "quantitative", "scale": {"domain": [0, last], "nice": False}}
    above = {
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            {
                "data": {"values": list(_ports(use))},
                "mark": {"type": "area", "aria": False, "opacity": 0.65},
                "encoding": {
                    "x": time | {"axis": {"title": None, "labels": False, "grid": False}},
                    "y": {"field": "ports", "type": "quantitative", "title": "ports", "axis": {"grid": True, "format": ",~f"}},
                    "color": _colours((OPEN, WAITING), (BLUE.light, GREY.light)),
                    "order": {"field": "order"},
                },
            },
            {
                "data": {"values": [{"ports": use.size, "text": f"all {use.size:,} ports"}]},
                "layer": [
                    {"mark": {"type": "rule", "strokeDash": [6, 4], "color": BLACK.light, "aria": False}},
                    {
                        "mark": {"type": "text", "align": "left", "baseline": "bottom", "dx": 6, "dy": -3, "fontSize": 12}
                        | {"color": BLACK.light},
                        "encoding": {"text": {"field": "text"}, "x": {"value": 0}},
                    },
                ],
                "encoding": {"y": {"field": "ports", "type": "quantitative"}},
            },
        ],
    }
    below = {
        "width": WIDTH,
        "height": LOWER,
        "data": {"values": list(_rates(use))},
        "mark": {"type": "area", "aria": False, "opacity": 0.75, "interpolate": "step-before"},
        "encoding": {
            "x": time | {"axis": {"title": "seconds from the start", "grid": False}},
            "y": {
                "field": "rate",
                "type": "quantitative",
                "title": "per second",
                "axis": {"grid": True, "tickCount": 3, "format": ",~f"},
            },
            "color": _colours((OPENED, REFUSED), (BLUE.light, RED.light)),
            "order": {"field": "order"},
        },
    }
    caption = [row for text in use.caption for row in wrapped(text, 12, WIDTH)]
    resolved = {"scale": {"color": "independent"}, "legend": {"color": "independent"}}
    return {"title": {"text": use.title, "subtitle": caption}, "vconcat": [above, below], "resolve": resolved}


def _colours(names: tuple[str, ...], colours: tuple[str, ...]) -> dict[str, Any]:
    return {"field": "kind", "type": "nominal", "scale": {"domain": list(names), "range": list(colours)}}


def _ports(use: PortUse) -> Iterator[dict[str, Any]]:
    for time, in_use, waiting, _, _ in use.points:
        yield {"time": time, "ports": in_use, "kind": OPEN, "order": 0}
        yield {"time": time, "ports": waiting, "kind": WAITING, "order": 1}


def _rates(use: PortUse) -> Iterator[dict[str, Any]]:
    """Connections opened and refused per second, between two points."""
    for before, after in pairwise(use.points):
        lasted = after[0] - before[0]
        for order, (kind, place) in enumerate(((OPENED, 3), (REFUSED, 4))):
            yield {"time": after[0], "rate": (after[place] - before[place]) / lasted, "kind": kind, "order": order}
