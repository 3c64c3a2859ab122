"""The least safe TIME_WAIT against the number of losses, as bars, one for each property."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from timewait.diagrams.boundary import plain_number
from timewait.diagrams.colours import BLACK, BLUE, GREY, RED
from timewait.diagrams.rendering import chart_as_svg
from timewait.diagrams.widths import wrapped

WIDTH, HEIGHT = 428, 280
"""Of the area between the axes, in pixels."""

SERIES = (RED, BLUE, GREY)
OPACITIES = (0.75, 0.2, 0.45)
"""The colour and the opacity of the bars of each property, in order."""


@dataclass(frozen=True, slots=True)
class Bars:
    """The content of the chart.

    Attributes
    ----------
    title : str
        One line.
    caption : tuple of str
        The configuration.
    properties : tuple of str
        Up to three properties.
    losses : tuple of int
        Loss budgets: how many copies may be lost in a loss window.
    least : dict of (int, str) to (Fraction or None)
        The least safe TIME_WAIT in MSL, by losses and property; None where no value that was tried is safe.
    """

    title: str
    caption: tuple[str, ...]
    properties: tuple[str, ...]
    losses: tuple[int, ...]
    least: dict[tuple[int, str], Fraction | None]

    def sentences(self) -> Iterator[str]:
        """The content in words, one sentence a line."""
        yield from self.caption
        for loss in self.losses:
            yield f"{loss} lost: {', '.join(f'{name} needs {_value(self.least[loss, name])}' for name in self.properties)}"

    @property
    def highest(self) -> Fraction:
        """The largest finite value, in MSL; 1 where there is none."""
        return max((value for value in self.least.values() if value is not None), default=Fraction(1))


def _value(value: Fraction | None) -> str:
    return "more than was tried" if value is None else f"{plain_number(value)} MSL"


def as_svg(bars: Bars) -> str:
    """The chart.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    return chart_as_svg(specification(bars), "\n".join(bars.sentences()))


def specification(bars: Bars) -> dict[str, Any]:
    """The chart as a Vega-Lite specification."""
    top = float(bars.highest * Fraction(115, 100))
    names = [f"least TIME_WAIT for {name}" for name in bars.properties]
    rows = []
    for (loss, name), value in bars.least.items():
        bar = {"loss": str(loss), "property": f"least TIME_WAIT for {name}", "text": f"{loss} lost, {name}: {_value(value)}"}
        height = top * 0.93 if value is None else float(value)
        rows.append(bar | {"height": height, "value": "none" if value is None else plain_number(value)})
    series: dict[str, Any] = {"field": "property", "type": "nominal"}
    colours: dict[str, Any] = {"domain": names, "range": [colour.light for colour in SERIES]}
    losses: dict[str, Any] = {"title": "copies lost in a loss window, at most", "axis": {"labelAngle": 0}}
    shared: dict[str, Any] = {
        "x": {"field": "loss", "type": "ordinal"} | losses | {"scale": {"paddingInner": 0.3}},
        "xOffset": series | {"scale": {"paddingInner": 0.12}},
        "y": {"field": "height", "type": "quantitative", "scale": {"domain": [0, top], "nice": False}}
        | {"title": "TIME_WAIT, in MSL"},
    }
    bars_encoding = shared | {
        "color": series | {"scale": colours, "legend": {"symbolStrokeWidth": 1.6}},
        "fillOpacity": series | {"scale": {"domain": names, "range": OPACITIES}},
        "stroke": series | {"scale": colours, "legend": None},
        "description": {"field": "text"},
    }
    above = shared | {"text": {"field": "value"}, "color": series | {"scale": colours, "legend": None}}
    layers: list[dict[str, Any]] = [
        {"data": {"values": rows}, "mark": {"type": "bar", "strokeWidth": 1.6}, "encoding": bars_encoding},
        {
            "data": {"values": rows},
            "mark": {"type": "text", "dy": -8, "fontSize": 12, "fontWeight": "bold", "aria": False},
            "encoding": above,
        },
    ]
    if top > 2:
        line = {"type": "rule", "color": BLACK.light, "strokeDash": [2, 3], "aria": False}
        standard = {"y": {"datum": 2, "type": "quantitative"}}
        layers.append({"data": {"values": [{}]}, "mark": line, "encoding": standard})
        text = {"type": "text", "text": "2 MSL", "align": "left", "fontSize": 12, "dx": 4, "color": BLACK.light, "aria": False}
        layers.append({"data": {"values": [{}]}, "mark": text, "encoding": standard | {"x": {"value": "width"}}})
    caption = [row for text in bars.caption for row in wrapped(text, 12, WIDTH)]
    size = {"width": WIDTH, "height": HEIGHT}
    return {"title": {"text": bars.title, "subtitle": caption}, **size, "layer": layers}


def as_text(bars: Bars, width: int | None = None) -> str:
    """The chart as text.

    Parameters
    ----------
    bars : Bars
        The content.
    width : int or None
        The longest line in characters; None: 80 for bars and no limit for the caption.
    """
    most = max((width or 80) - 30, 10)
    rows = []
    for loss in bars.losses:
        for index, name in enumerate(bars.properties):
            value = bars.least[loss, name]
            bar = "" if value is None else f"{'#' * round(most * value / bars.highest)} "
            rows.append(f"{f'{loss} lost' if index == 0 else '':8} {name:12} {bar}{_value(value)}")
    head = [
        row for text in (bars.title, *bars.caption) for row in textwrap.wrap(text, width or len(text), break_on_hyphens=False)
    ]
    return "\n".join([*head, "", *rows]) + "\n"
