"""The legend of a sequence chart: the signs that occur in it, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from timewait.diagrams.chart import BAR, MARGIN, Chart, ChartLabel
from timewait.diagrams.chart_elements import cross, diamond, head, text_element
from timewait.diagrams.svg import element, group, line_element, number
from timewait.diagrams.time_axis import Pause
from timewait.diagrams.widths import width as width_of
from timewait.narration.timeline import DeliveryOutcome
from timewait.spec.duration import format_duration


class Sign(NamedTuple):
    """An entry of the legend: where it stands, which sign, what it means, and how wide the sample is, in pixels."""

    x: float
    y: float
    name: str
    text: str
    sample: float


def legend(laid: Chart) -> Iterator[Sign]:
    """The signs that occur, in lines."""
    x, y = MARGIN, 12.0
    for name, text, sample in _signs(laid):
        width = sample + 8 + width_of(text, 11)
        if x > MARGIN and x + width > laid.width - MARGIN:
            x, y = MARGIN, y + 20
        yield Sign(x, laid.height + y, name, text, sample)
        x += width + 20


def _signs(laid: Chart) -> Iterator[tuple[str, str, float]]:
    """The name of each, what it means, and how wide its sample is."""
    outcomes = {arrow.passage.outcome for arrow in laid.arrows}
    words = {
        DeliveryOutcome.ARRIVES: "arrives; the slope is its delay",
        DeliveryOutcome.DUPLICATE: "the same copy again",
        DeliveryOutcome.LOST: "lost",
        DeliveryOutcome.OPEN: "does not arrive in this run",
    }
    yield from ((outcome.value, text, 30.0) for outcome, text in words.items() if outcome in outcomes)
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
        yield "scale", f"{format_duration(seconds)}, to scale", float(seconds) * laid.axis.scale
    pauses = {gap.pause for gap in laid.axis.gaps}
    if Pause.SHORTENED in pauses:
        yield "shortened", "a pause, drawn shorter", 30.0
    if Pause.STRETCHED in pauses:
        yield "stretched", "a pause, drawn longer", 30.0


def _round(scale: float) -> Fraction:
    """A round length of time that is between 30 and 75 pixels long."""
    lengths = (Fraction(digit) * Fraction(10) ** power for power in range(-12, 10) for digit in (1, 2, 5))
    return next(length for length in lengths if float(length) * scale >= 30)


def entry(sign: Sign) -> str:
    """A sign and its meaning."""
    words = text_element(ChartLabel(sign.x + sign.sample + 8, sign.y + 4, sign.text, "muted", 11))
    # The words stand outside: inside they would take on the looks of the sample.
    return group([group(_sample(sign), sign.name), words], "sign")


def _sample(sign: Sign) -> Iterator[str]:
    x, y, end = sign.x, sign.y, sign.x + sign.sample
    match sign.name:
        case "arrives" | "again":
            yield line_element("flight", x, y - 3, end - 6, y + 3)
            yield head((end, y + 4), 0.2)
        case "lost":
            yield line_element("flight", x, y, end - 5, y)
            yield cross(end - 5, y)
        case "open":
            yield line_element("flight", x, y, end - 9, y)
            yield element("circle", class_="end", cx=end - 5, cy=y, r=4)
        case "window":
            yield element("path", class_="window", d=f"M{number(x)} {number(y - 7)}H{number(end)}V{number(y + 7)}Z")
            yield element("rect", class_="alive", x=end - 4, y=y - 7, width=4, height=14)
        case "bar":
            yield element("rect", class_="bar", x=x, y=y - 8, width=BAR, height=16)
            yield line_element("hatch", x, y + 4, x + BAR, y - 4)
        case "full":
            yield element("rect", class_="full", x=x, y=y - 8, width=5, height=16)
        case "next":
            yield line_element("life next", x, y, end, y)
        case "wrong":
            yield element("path", class_="mark wrong", d=diamond(x + 10, y, 8, 8))
        case "band":
            yield element("rect", class_="band", x=x, y=y - 8, width=sign.sample, height=16, rx=3)
            yield line_element("instant", x, y - 8, x, y + 8)
        case "scale":
            yield element("path", class_="axis", d=f"M{number(x)} {number(y - 4)}v8m0 -4H{number(end)}m0 -4v8")
        case "shortened":
            yield element("path", class_="axis", d=f"M{number(x)} {number(y)}h6l3 -5l6 10l6 -10l3 5H{number(end)}")
        case _:
            yield line_element("axis stretched", x, y, end, y)
