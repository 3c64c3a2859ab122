"""Arrow ends that meet a box in the same place, spread along its border so that each arrow can be followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from timewait.diagrams.box_sizes import box_sizes
from timewait.diagrams.figure import Figure
from timewait.diagrams.geometry import Point, Rectangle
from timewait.diagrams.layout import ArrowPath, Layout

SPACE = 11.0
"""The distance between neighbouring arrow ends, in pixels."""

CORNER = 9.0
"""The part of a side near each corner that stays free of arrow ends, in pixels."""

REACH = 3.0
"""The distance from a border within which an arrow ends at it, in pixels."""

Shifts = Mapping[tuple[int, bool], Point]
"""The displacement of arrow ends, by the number of the arrow and whether it is the head."""


class ArrowEnd(NamedTuple):
    """One end of an arrow: its number, whether it is the head, its place, and the next point of the path."""

    arrow: int
    head: bool
    place: Point
    neighbour: Point


def spread(figure: Figure, layout: Layout) -> Layout:
    """The layout with crowded arrow ends spread along the borders of boxes."""
    sizes = box_sizes(figure)
    shifts: dict[tuple[int, bool], Point] = {}
    for name, ends in _by_box(figure, layout).items():
        area = Rectangle.around(layout.boxes[name], sizes[name])
        for upright in (True, False):
            low, high = (area.top, area.bottom) if upright else (area.left, area.right)
            for border in (area.left, area.right) if upright else (area.top, area.bottom):
                side = [end for end in ends if abs((end.place.x if upright else end.place.y) - border) < REACH]
                shifts |= _spread(side, upright, low + CORNER, high - CORNER)
    return replace(layout, arrows=tuple(_shifted(path, number, shifts) for number, path in enumerate(layout.arrows)))


def _by_box(figure: Figure, layout: Layout) -> dict[str, list[ArrowEnd]]:
    ends: dict[str, list[ArrowEnd]] = defaultdict(list)
    for number, (arrow, path) in enumerate(zip(figure.arrows, layout.arrows, strict=True)):
        ends[arrow.source].append(ArrowEnd(number, False, path.points[0], path.points[min(3, len(path.points) - 1)]))
        ends[arrow.target].append(ArrowEnd(number, True, path.tip, path.points[max(len(path.points) - 4, 0)]))
    return ends


def _spread(side: Sequence[ArrowEnd], upright: bool, low: float, high: float) -> Shifts:
    """The displacement of each crowded end on a side; ends keep the order of the points that precede them."""
    shifts: dict[tuple[int, bool], Point] = {}
    for crowd in _crowds(side, upright):
        middle = sum(_along(end.place, upright) for end in crowd) / len(crowd)
        space = min(SPACE, (high - low) / max(len(crowd) - 1, 1))
        first = min(max(middle - space * (len(crowd) - 1) / 2, low), high - space * (len(crowd) - 1))
        for index, end in enumerate(sorted(crowd, key=lambda end: _along(end.neighbour, upright))):
            by = first + index * space - _along(end.place, upright)
            shifts[end.arrow, end.head] = Point(0.0, by) if upright else Point(by, 0.0)
    return shifts


def _crowds(side: Sequence[ArrowEnd], upright: bool) -> Iterator[list[ArrowEnd]]:
    """Groups of at least two ends that are closer together than `SPACE`."""
    crowd: list[ArrowEnd] = []
    for end in sorted(side, key=lambda end: _along(end.place, upright)):
        if crowd and _along(end.place, upright) - _along(crowd[-1].place, upright) >= SPACE:
            if len(crowd) > 1:
                yield crowd
            crowd = []
        crowd.append(end)
    if len(crowd) > 1:
        yield crowd


def _along(point: Point, upright: bool) -> float:
    return point.y if upright else point.x


def _shifted(path: ArrowPath, number: int, shifts: Shifts) -> ArrowPath:
    """An arrow with its ends and the control points next to them displaced."""
    tail, head = shifts.get((number, False), Point(0, 0)), shifts.get((number, True), Point(0, 0))
    points = list(path.points)
    for indices, by in (((0, 1), tail), ((-2, -1), head)):
        for index in indices:
            points[index] = Point(points[index].x + by.x, points[index].y + by.y)
    return ArrowPath(tuple(points), Point(path.tip.x + head.x, path.tip.y + head.y), path.label)
