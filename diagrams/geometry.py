"""Places in a picture: of boxes, of arrows, and what is in the way of what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import hypot
from typing import NamedTuple

from timewait.diagrams.figure import Figure
from timewait.diagrams.sizes import Size, box_sizes, label_size

SAMPLES = 24
"""Points of each curve that are looked at."""

NEAR = 4.0
"""How near an arrow may come to a box that it does not belong to, in pixels."""

CROWDED = 7.0
"""How near two arrows may meet a box, in pixels."""

TIGHT = 2.0
"""The rim of a label that is empty, in pixels."""


class Point(NamedTuple):
    """A place in the picture, in pixels from its left upper corner."""

    x: float
    y: float


class Rectangle(NamedTuple):
    """The room that something takes: left, top, right and bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, middle: Point, size: Size) -> Rectangle:
        """The room of something of a size."""
        half = Size(size.width / 2, size.height / 2)
        return cls(middle.x - half.width, middle.y - half.height, middle.x + half.width, middle.y + half.height)

    def meets(self, other: Rectangle) -> bool:
        """Whether two share some room."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def has(self, point: Point, rim: float) -> bool:
        """Whether a point lies within, or as near as that."""
        return self.left - rim < point.x < self.right + rim and self.top - rim < point.y < self.bottom + rim


@dataclass(frozen=True, slots=True)
class ArrowPath:
    """The way of an arrow.

    Attributes
    ----------
    points : tuple of Point
        Of a chain of cubic Bezier curves: a start, then three for each curve.
    tip : Point
        Where the arrow ends.
    label : Point or None
        The middle of its label, if it has one.
    """

    points: tuple[Point, ...]
    tip: Point
    label: Point | None

    def sampled(self) -> Iterator[Point]:
        """Points along the way, close together."""
        for first in range(0, len(self.points) - 1, 3):
            one, two, three, four = self.points[first : first + 4]
            for sample in range(SAMPLES + 1):
                t = sample / SAMPLES
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield Point(a * one.x + b * two.x + c * three.x + d * four.x, a * one.y + b * two.y + c * three.y + d * four.y)
        yield self.tip


@dataclass(frozen=True, slots=True)
class Layout:
    """A figure laid out.

    Attributes
    ----------
    size : Size
        Of the whole.
    boxes : dict of str to Point
        The middle of each box, by name.
    courses : tuple of Course
        The way of each arrow, in the order of the figure.
    by : str
        Who decided.
    """

    size: Size
    boxes: dict[str, Point]
    courses: tuple[ArrowPath, ...]
    by: str


def overlaps(figure: Figure, layout: Layout) -> list[str]:
    """Whatever is drawn over a label or a box that it does not belong to, in words; empty when the picture is clean."""
    rooms = {f"box {name}": Rectangle.around(layout.boxes[name], size) for name, size in box_sizes(figure).items()}
    own = {}
    for place, (arrow, course) in enumerate(zip(figure.arrows, layout.courses, strict=True)):
        if course.label is not None:
            size = label_size(arrow)
            own[place] = f"label {place} of {arrow.source} to {arrow.target}"
            rooms[own[place]] = Rectangle.around(course.label, Size(size.width - 2 * TIGHT, size.height - 2 * TIGHT))
    found = [f"{one} and {other}" for one, other in combinations(rooms, 2) if rooms[one].meets(rooms[other])]
    for place, (arrow, course) in enumerate(zip(figure.arrows, layout.courses, strict=True)):
        rims = {name: NEAR if name.startswith("box") else 0.0 for name in rooms}
        passed = {name for point in course.sampled() for name, room in rooms.items() if room.has(point, rims[name])}
        passed -= {f"box {arrow.source}", f"box {arrow.target}"}
        found += [f"arrow {place} of {arrow.source} to {arrow.target} over {name}" for name in sorted(passed)]
    return found + _crowded(figure, layout)


def _crowded(figure: Figure, layout: Layout) -> list[str]:
    """Arrows that meet a box in the same place, so that nobody can tell them apart there."""
    meetings: dict[str, list[Point]] = defaultdict(list)
    for arrow, course in zip(figure.arrows, layout.courses, strict=True):
        meetings[arrow.source].append(course.points[0])
        meetings[arrow.target].append(course.tip)
    return [
        f"two arrows at one place of box {name}"
        for name, points in meetings.items()
        for one, other in combinations(points, 2)
        if hypot(one.x - other.x, one.y - other.y) < CROWDED
    ]
