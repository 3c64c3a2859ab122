"""Safe and unsafe TIME_WAIT as a chart, with real stacks as labelled points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from timewait.diagrams.boundary import Boundary, BoundaryPiece
from timewait.diagrams.colours import BACKGROUND, BLACK, BLUE, GREY, RED, SAFE, Colour
from timewait.diagrams.geometry import Point, Rectangle, Size
from timewait.diagrams.label_placement import DOT, PlacedLabel, anchored, leader, middle, placed
from timewait.diagrams.region import RegionStretch, SafetyRegion, extent, facts, outcome, together
from timewait.diagrams.rendering import chart_as_svg
from timewait.diagrams.widths import width, wrapped

WIDTH, HEIGHT = 452, 400
"""Of the area between the axes, in pixels."""

FONT_SIZE = 12
LABEL_HEIGHT = 17.0
SERIES = (RED, BLUE, GREY)
DASHES = ((1, 0), (9, 4), (2, 4))
"""The colour and the dashes of the line of each property, in order."""

SAMPLES = 40
"""Points of each straight piece that labels must avoid."""

HARMS = {
    "graceful": "a RST may cut off the other end",
    "isolation": "an old duplicate may reach the next connection",
}
"""The consequence of a TIME_WAIT that is too short, by property."""

DataRow = dict[str, Any]
DataPoint = tuple[Fraction, Fraction]


def as_svg(region: SafetyRegion) -> str:
    """The chart.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    return chart_as_svg(specification(region), "\n".join(facts(region)))


def specification(region: SafetyRegion) -> dict[str, Any]:
    """The chart as a Vega-Lite specification."""
    far, high = extent(region)
    names = [legend_of(boundary) for boundary in region.boundaries]
    x, y = (dict[str, Any]({"type": "quantitative", "title": title}) for title in region.axes_names)
    x |= {"field": "x", "scale": {"domain": [0, float(far)], "nice": False}, "axis": {"grid": False}}
    y |= {"field": "y", "scale": {"domain": [0, float(high)], "nice": False}, "axis": {"zindex": 1}}
    colours = {"domain": names, "range": [colour.light for colour in SERIES]}
    of_property = {
        "color": {"field": "property", "type": "nominal", "scale": colours}
        | {"legend": {"symbolType": "stroke", "symbolSize": 900, "symbolStrokeWidth": 2.6, "direction": "vertical", "offset": 6}},
        "strokeDash": {"field": "property", "type": "nominal", "scale": {"domain": names, "range": DASHES}},
    }
    areas = {"x": x, "y": y | {"stack": None}, "y2": {"datum": 0}, "detail": {"field": "piece"}}
    ground = {"x": x, "x2": {"field": "x2"}}
    plain = {"x": x, "y": y}
    hint = {"description": {"field": "text"}}
    unsafe = _boundary_rows(region, lambda piece: not piece.is_point)
    lines = _boundary_rows(region, lambda piece: not piece.is_point and piece.least is not None)
    single = _boundary_rows(region, lambda piece: piece.is_point)
    layers = [
        _layer("rect", list(_known(region)), ground, color=SAFE.light),
        _layer("area", unsafe, areas, color=BACKGROUND.light, opacity=1),
        _layer("area", unsafe, areas | {"color": of_property["color"]}, opacity=0.16),
        _layer("rule", single, plain | {"y2": {"datum": 0}} | of_property | hint, aria=True, strokeWidth=1.6),
        _layer("tick", single, plain | {"color": of_property["color"]}, orient="horizontal", thickness=2.6, bandSize=10),
        _layer("line", lines, plain | of_property | {"detail": {"field": "piece"}} | hint, aria=True, strokeWidth=2.6),
        *_label_layers(region, plain),
    ]
    below = "; ".join(_where(boundary) for boundary in region.boundaries if boundary.name in HARMS)
    caption = [row for text in (*region.caption, key(region), below) for row in wrapped(text, FONT_SIZE, WIDTH)]
    size = {"width": WIDTH, "height": HEIGHT}
    return {"title": {"text": region.title, "subtitle": caption}, **size, "layer": [layer for layer in layers if layer]}


def _where(boundary: Boundary) -> str:
    """Where the harm of a property is possible: below its line, or everywhere if no TIME_WAIT is enough."""
    finite = any(piece.least is not None for piece in boundary.pieces)
    place = f"below the line of {boundary.name}" if finite else f"at any TIME_WAIT, for lack of {boundary.name}"
    return f"{place}, {HARMS[boundary.name]}"


def legend_of(boundary: Boundary) -> str:
    """The entry of the legend for a property."""
    return boundary.sentence


def _layer(kind: str, rows: list[DataRow], encoding: dict[str, Any], *, aria: bool = False, **looks: Any) -> dict[str, Any]:
    """A layer of marks, which screen readers skip unless `aria`; empty without data."""
    return {"data": {"values": rows}, "mark": {"type": kind, "aria": aria} | looks, "encoding": encoding} if rows else {}


def _corners(region: SafetyRegion, stretch: RegionStretch) -> tuple[DataPoint, DataPoint]:
    """Both ends of a stretch; at the top of the chart where no TIME_WAIT is enough."""
    _, high = extent(region)
    (left, low_end), (right, high_end) = stretch.begins, stretch.ends
    return (left, high if low_end is None else low_end), (right, high if high_end is None else high_end)


def _row(x: Fraction, y: Fraction, **fields: object) -> DataRow:
    return {"x": float(x), "y": float(y), **fields}


def _stretches(region: SafetyRegion) -> list[tuple[int, RegionStretch]]:
    """The stretches of all boundaries, each with the number of its boundary."""
    return [(number, stretch) for number, boundary in enumerate(region.boundaries) for stretch in region.stretches(boundary)]


def _known(region: SafetyRegion) -> Iterator[DataRow]:
    """The intervals along the axis for which a boundary is known."""
    intervals = [(stretch.begins[0], stretch.ends[0]) for _, stretch in _stretches(region)]
    for left, right in pairwise(sorted({end for interval in intervals for end in interval})):
        if any(begin <= left and right <= end for begin, end in intervals):
            yield {"x": float(left), "x2": float(right)}


def _boundary_rows(region: SafetyRegion, wanted: Callable[[BoundaryPiece], bool]) -> list[DataRow]:
    """The ends of all pieces of some kind, one after the other."""
    rows = []
    for piece, (number, stretch) in enumerate(_stretches(region)):
        boundary = region.boundaries[number]
        fields = {"property": legend_of(boundary), "piece": piece, "text": boundary.sentence}
        corners = _corners(region, stretch)[: 1 if stretch.piece.is_point else 2]
        rows += [_row(x, y, **fields) for x, y in corners if wanted(stretch.piece)]
    return rows


# --- labels -------------------------------------------------------------------------------------------------------


class Formula(NamedTuple):
    """The formula of a piece: its text, its colour, and the middle of the piece in the units of the axes."""

    text: str
    colour: Colour
    middle: DataPoint


def formulas(region: SafetyRegion) -> list[Formula]:
    """The formulas beside the pieces; a piece within another boundary's piece with the same formula has none."""
    found = []
    for number, stretch in (stretches := _stretches(region)):
        piece, (left, low_end), (right, high_end) = stretch
        if piece.is_point or low_end is None or high_end is None:
            continue
        twins = [(other, twin.piece) for other, twin in stretches if other != number and twin.piece.least == piece.least]
        if any(_within(piece, twin) and (other < number or not _within(twin, piece)) for other, twin in twins):
            continue
        middle = (left + right) / 2
        msl, rto = region.durations(middle)
        shared = any(rto / msl in twin.ratios for _, twin in twins)
        found.append(Formula(piece.formula, BLACK if shared else SERIES[number], (middle, (low_end + high_end) / 2)))
    return found


def _within(piece: BoundaryPiece, other: BoundaryPiece) -> bool:
    return piece.ratios.meet(other.ratios) == piece.ratios


def labels(region: SafetyRegion) -> list[PlacedLabel]:
    """The formulas beside their pieces, then the numbers of the stacks beside their points."""
    texts = [_label(region, formula.text, formula.middle, dotted=False) for formula in formulas(region)]
    numbered = enumerate(together(region.stacks), start=1)
    return texts + [_label(region, str(number), (stack.across, stack.up), dotted=True) for number, stack in numbered]


def key(region: SafetyRegion) -> str:
    """The names of the stacks by the numbers of their points."""
    return "; ".join(f"{number}: {stack.name}" for number, stack in enumerate(together(region.stacks), start=1))


def _label_layers(region: SafetyRegion, plain: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The points of the stacks, their numbers, and the formulas; no label overlaps another, a point or a line."""
    written, stacks = formulas(region), together(region.stacks)
    wanted = labels(region)
    corner = _safe_corner(region)
    taken = [*lines_in_pixels(region), *([Rectangle.around(_pixel(region, *corner), Size(60, 26))] if corner else [])]
    boxes = placed(wanted, Rectangle(0, 0, WIDTH, HEIGHT), taken)
    pixels: dict[str, Any] = {"x": {"field": "x", "type": "quantitative", "scale": None, "axis": None}}
    pixels |= {"y": {"field": "y", "type": "quantitative", "scale": None, "axis": None}, "text": {"field": "text"}}
    text: dict[str, Any] = {"fontSize": FONT_SIZE, "baseline": "middle"}
    halo: dict[str, Any] = {"stroke": BACKGROUND.light, "strokeWidth": 4, "strokeJoin": "round"}
    named = zip(wanted[len(written) :], boxes[len(written) :], strict=True)
    names = [anchored(label.point, box) | {"text": str(number)} for number, (label, box) in enumerate(named, start=1)]
    leaders = [leader(label.point, box) for label, box in zip(wanted, boxes, strict=True) if label.dotted]
    points = [_row(stack.across, stack.up, text=outcome(region, stack)) for stack in stacks]
    ends = pixels | {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    yield _layer("rule", [row for row in leaders if row], ends, color=BLACK.light)
    hint = {"description": {"field": "text"}}
    yield _layer("point", points, plain | hint, aria=True, filled=True, color=BLACK.light, size=DOT**2, opacity=1)
    for looks in (halo, {}):  # the halo lies below the letters
        yield _layer("text", names, pixels, color=BLACK.light, fontWeight="bold", align={"expr": "datum.align"}, **text, **looks)
        for formula, box in zip(written, boxes, strict=False):
            row = middle(box) | {"text": formula.text}
            yield _layer("text", [row], pixels, color=formula.colour.light, **text, **looks)
    if corner:
        where = plain | {"text": {"value": "safe"}}
        yield _layer("text", [_row(*corner)], where, color=BLACK.light, fontSize=15, fontWeight="bold")


def _label(region: SafetyRegion, text: str, point: DataPoint, *, dotted: bool) -> PlacedLabel:
    size = Size(width(text, FONT_SIZE, bold=dotted) + 8, LABEL_HEIGHT)
    return PlacedLabel(size, _pixel(region, *point), dotted)


def _pixel(region: SafetyRegion, x: Fraction, y: Fraction) -> Point:
    far, high = extent(region)
    return Point(WIDTH * float(x / far), HEIGHT * (1 - float(y / high)))


def _safe_corner(region: SafetyRegion) -> DataPoint | None:
    """The leftmost place near the top of the chart that is safe for every property."""
    far, high = extent(region)
    up = high * Fraction(24, 25)
    starts = sorted(stretch.begins[0] + far / 20 for _, stretch in _stretches(region))
    return next(((x, up) for x in starts if all(region.is_safe(boundary, x, up) for boundary in region.boundaries)), None)


def lines_in_pixels(region: SafetyRegion) -> Iterator[Rectangle]:
    """Small squares along the boundaries, which labels avoid."""
    for _, stretch in _stretches(region):
        if stretch.piece.least is not None:
            (x1, y1), (x2, y2) = _corners(region, stretch)
            for share in (Fraction(sample, SAMPLES) for sample in range(SAMPLES + 1)):
                yield Rectangle.around(_pixel(region, x1 + (x2 - x1) * share, y1 + (y2 - y1) * share), Size(9, 9))
