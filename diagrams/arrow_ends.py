"""Arrows that meet a box in the same place, spread along its border so that each can be followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from timewait.diagrams.figure import Figure
from timewait.diagrams.geometry import ArrowPath, Layout, Point, Rectangle
from timewait.diagrams.sizes import box_sizes

SPACE = 11.0
"""From one arrow to the next, in pixels."""

CORNER = 9.0
"""The part of a side, at either end, at which no arrow should meet it, in pixels."""

REACH = 3.0
"""How far an arrow may end from the border that it meets, in pixels."""


class ArrowEnd(NamedTuple):
    """One end of an arrow: its place in the figure, whether it is the head, where it meets the box, and whence it comes."""

    arrow: int
    head: bool
    meets: Point
    whence: Point


def spread(figure: Figure, layout: Layout) -> Layout:
    """The layout with the ends of arrows spread where they would meet a box too close together."""
    sizes = box_sizes(figure)
    shifts: dict[tuple[int, bool], Point] = {}
    for name, ends in _by_box(figure, layout).items():
        room = Rectangle.around(layout.boxes[name], sizes[name])
        for upright in (True, False):
            low, high = (room.top, room.bottom) if upright else (room.left, room.right)
            for border in (room.left, room.right) if upright else (room.top, room.bottom):
                side = [end for end in ends if abs((end.meets.x if upright else end.meets.y) - border) < REACH]
                shifts |= _spread(side, upright, low + CORNER, high - CORNER)
    courses = tuple(_shifted(course, place, shifts) for place, course in enumerate(layout.courses))
    return replace(layout, courses=courses)


def _by_box(figure: Figure, layout: Layout) -> dict[str, list[ArrowEnd]]:
    ends: dict[str, list[ArrowEnd]] = defaultdict(list)
    for place, (arrow, course) in enumerate(zip(figure.arrows, layout.courses, strict=True)):
        ends[arrow.source].append(ArrowEnd(place, False, course.points[0], course.points[min(3, len(course.points) - 1)]))
        ends[arrow.target].append(ArrowEnd(place, True, course.tip, course.points[max(len(course.points) - 4, 0)]))
    return ends


def _spread(side: Sequence[ArrowEnd], upright: bool, low: float, high: float) -> dict[tuple[int, bool], Point]:
    """By how much each end on a side is moved along it, in the order in which the arrows come."""
    moved: dict[tuple[int, bool], Point] = {}
    for crowd in _crowds(side, upright):
        middle = sum(_along(end.meets, upright) for end in crowd) / len(crowd)
        space = min(SPACE, (high - low) / max(len(crowd) - 1, 1))
        first = min(max(middle - space * (len(crowd) - 1) / 2, low), high - space * (len(crowd) - 1))
        for place, end in enumerate(sorted(crowd, key=lambda end: _along(end.whence, upright))):
            by = first + place * space - _along(end.meets, upright)
            moved[end.arrow, end.head] = Point(0.0, by) if upright else Point(by, 0.0)
    return moved


def _crowds(side: Sequence[ArrowEnd], upright: bool) -> Iterator[list[ArrowEnd]]:
    """The ends that lie too close to their neighbours, together."""
    crowd: list[ArrowEnd] = []
    for end in sorted(side, key=lambda end: _along(end.meets, upright)):
        if crowd and _along(end.meets, upright) - _along(crowd[-1].meets, upright) >= SPACE:
            if len(crowd) > 1:
                yield crowd
            crowd = []
        crowd.append(end)
    if len(crowd) > 1:
        yield crowd


def _along(point: Point, upright: bool) -> float:
    return point.y if upright else point.x


def _shifted(course: ArrowPath, place: int, shifts: Mapping[tuple[int, bool], Point]) -> ArrowPath:
    """An arrow with its ends moved, and the curve beside each end with it."""
    tail, head = shifts.get((place, False), Point(0, 0)), shifts.get((place, True), Point(0, 0))
    points = [Point(point.x + tail.x, point.y + tail.y) if index < 2 else point for index, point in enumerate(course.points)]
    last = len(points) - 2
    points = [Point(point.x + head.x, point.y + head.y) if index >= last else point for index, point in enumerate(points)]
    return ArrowPath(tuple(points), Point(course.tip.x + head.x, course.tip.y + head.y), course.label)
