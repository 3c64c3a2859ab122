"""The legend of a sequence chart: the signs that occur in it, with their meaning."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from timewait.diagrams.chart import BAR, MARGIN, Chart, ChartLabel
from timewait.diagrams.chart_elements import cross, diamond, head, label_element
from timewait.diagrams.svg import element, group, line_element, number
from timewait.diagrams.time_axis import GapScale
from timewait.diagrams.widths import width
from timewait.narration.timeline import DeliveryOutcome
from timewait.spec.duration import format_duration

UNMEASURED = "its times at the ends are not measured"
"""The meaning of the line of a captured copy whose times at the ends are those of the capture."""


def of_open(captured: bool) -> str:
    """The meaning of a copy that arrives nowhere and is not lost, in a run or in a capture."""
    return "nothing shows whether it arrives" if captured else "does not arrive in this run"


class LegendEntry(NamedTuple):
    """An entry: its position, the name of its sign, its meaning, the width of the sample and the font size, in pixels."""

    x: float
    y: float
    name: str
    text: str
    sample: float
    size: float


def legend(chart: Chart) -> Iterator[LegendEntry]:
    """The entries for the signs that occur, in lines."""
    x, y = MARGIN, 12.0
    for name, text, sample in _signs(chart):
        wide = sample + 8 + width(text, chart.form.legend_size)
        if x > MARGIN and x + wide > chart.width - MARGIN:
            x, y = MARGIN, y + 20
        yield LegendEntry(x, chart.height + y, name, text, sample, chart.form.legend_size)
        x += wide + 20


def _signs(chart: Chart) -> Iterator[tuple[str, str, float]]:
    """The name of each sign, its meaning, and the width of its sample."""
    outcomes = {arrow.transit.outcome for arrow in chart.arrows}
    meanings = {
        DeliveryOutcome.ARRIVES: "a segment arrives",
        DeliveryOutcome.DUPLICATE: "arrives again",
        DeliveryOutcome.LOST: "lost",
        DeliveryOutcome.OPEN: of_open(any(arrow.transit.frame for arrow in chart.arrows)),
    }
    yield from ((outcome.value, text, 30.0) for outcome, text in meanings.items() if outcome in outcomes)
    if any(not arrow.transit.measured for arrow in chart.arrows):
        yield "unmeasured", UNMEASURED, 30.0
    if any(arrow.transit.incarnation for arrow in chart.arrows):
        yield "later", "sent in the next incarnation", 30.0
    if any(arrow.window is not None for arrow in chart.arrows):
        yield "window", "may arrive until its lifetime ends", 30.0
    if chart.bars:
        yield "bar", "in TIME-WAIT", 12.0
        if any(bar.two_msl is not None for bar in chart.bars):
            yield "full", "2 MSL from the last start of its timer", 8.0
    if any(lifetime.kind == "next" for lifetime, _, _ in chart.lifelines):
        yield "next", "next incarnation", 20.0
    if chart.violating:
        yield "wrong", "the violation", 20.0
    if any(instant.last > instant.first for instant in chart.axis.instants):
        yield "band", "one instant: no time passes", 22.0
    if chart.axis.scale:
        seconds = _round(chart.axis.scale)
        yield "scale", format_duration(seconds), float(seconds) * chart.axis.scale
    scales = {gap.scale for gap in chart.axis.gaps}
    if GapScale.SHORTENED in scales:
        yield "shortened", "time, drawn shorter", 30.0
    if GapScale.STRETCHED in scales:
        yield "stretched", "time, drawn longer", 30.0


def _round(scale: float) -> Fraction:
    """A round duration between 30 and 75 pixels long."""
    durations = (Fraction(digit) * Fraction(10) ** power for power in range(-12, 10) for digit in (1, 2, 5))
    return next(duration for duration in durations if float(duration) * scale >= 30)


def entry_element(entry: LegendEntry) -> str:
    """An entry as SVG."""
    text = label_element(ChartLabel(entry.x + entry.sample + 8, entry.y + 4, entry.text, "muted", entry.size))
    # The text is outside the group of the sample, whose class would change its colour.
    return group([group(_sample(entry), entry.name), text], "sign")


def _sample(entry: LegendEntry) -> Iterator[str]:
    x, y, end = entry.x, entry.y, entry.x + entry.sample
    match entry.name:
        case "arrives" | "again" | "later" | "unmeasured":
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
            yield element("rect", class_="band", x=x, y=y - 8, width=entry.sample, height=16, rx=3)
            yield line_element("instant", x, y - 8, x, y + 8)
        case "scale":
            yield element("path", class_="axis", d=f"M{number(x)} {number(y - 4)}v8m0 -4H{number(end)}m0 -4v8")
        case "shortened":
            yield element("path", class_="axis", d=f"M{number(x)} {number(y)}h6l3 -5l6 10l6 -10l3 5H{number(end)}")
        case _:
            yield line_element("axis stretched", x, y, end, y)
