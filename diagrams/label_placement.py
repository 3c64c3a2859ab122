"""Placement of labels beside points: each label takes the nearest free place around its point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import hypot
from typing import Any, NamedTuple

from timewait.diagrams.geometry import Point, Rectangle, Size

DOT = 8.0
"""The diameter of a point, in pixels."""

GAPS = (9.0, 18.0, 30.0, 44.0, 60.0, 78.0, 98.0, 120.0, 146.0)
"""The distances of a label from its point that are tried, in pixels."""

SIDES = (
    *((1, 0), (-1, 0), (1, -0.5), (1, 0.5), (-1, -0.5), (-1, 0.5), (0, -1), (0, 1)),
    *((1, -1), (-1, -1), (1, 1), (-1, 1), (0.5, -1), (-0.5, -1), (0.5, 1), (-0.5, 1)),
)
"""The sides of the point that are tried: right and left first, then above and below, then the corners."""

FIRM = 3
"""How much worse it is to cross a label, a point or a line to a point than another obstacle."""

SAMPLE = 5.0
"""The distance between points of a line from a point to its label, in pixels."""


class PlacedLabel(NamedTuple):
    """A label to be placed: its size, its point, and whether a dot is drawn at the point."""

    size: Size
    point: Point
    dotted: bool = True


def placed(labels: Sequence[PlacedLabel], within: Rectangle, taken: Sequence[Rectangle] = ()) -> list[Rectangle]:
    """A place for each label.

    Parameters
    ----------
    labels : sequence of PlacedLabel
        Those without a point choose first, then wide ones.
    within : Rectangle
        The area for labels.
    taken : sequence of Rectangle
        Areas that labels must avoid.

    Returns
    -------
    list of Rectangle
        One for each label. The line from a point to its label crosses as few labels and other points as possible.
        Where every place is taken, the label takes the one that meets the fewest other labels and points; where all are
        outside the area, it stands right of its point.
    """
    dots = [Rectangle.around(label.point, Size(10, 10)) for label in labels if label.dotted]
    found: dict[int, Rectangle] = {}
    leaders: list[Rectangle] = []
    for number in sorted(range(len(labels)), key=lambda number: (labels[number].dotted, -labels[number].size.width)):
        label = labels[number]
        firm = [*dots, *found.values()]
        inside = [area for area in _around(label) if area.within(within)] or [next(_around(label))]
        free = [area for area in inside if not any(map(area.meets, [*taken, *firm]))]
        free = free or [min(inside, key=lambda area: (_met(area, firm), _met(area, taken)))]
        costs = [
            FIRM * (_crossed(label, area, firm) + any(map(area.meets, leaders))) + (_crossed(label, area, taken) > 0)
            for area in free
        ]
        found[number] = free[min(range(len(free)), key=costs.__getitem__)]  # the nearest of those that cross least
        if label.dotted:
            leaders += _line(label.point, found[number])
    return [found[number] for number in range(len(labels))]


def _met(area: Rectangle, obstacles: Sequence[Rectangle]) -> int:
    """How many obstacles an area meets."""
    return sum(map(area.meets, obstacles))


def _crossed(label: PlacedLabel, area: Rectangle, obstacles: Sequence[Rectangle]) -> int:
    """How many obstacles the line from a point to its label crosses, except those at the point."""
    if not label.dotted:
        return 0
    line = _line(label.point, area)
    return sum(not obstacle.has(label.point, 0) and any(map(obstacle.meets, line)) for obstacle in obstacles)


def _line(point: Point, area: Rectangle) -> list[Rectangle]:
    """Small squares along the line from a point to the nearest point of a label."""
    near = area.nearest(point)
    steps = max(int(hypot(near.x - point.x, near.y - point.y) / SAMPLE), 1)
    between = (
        Point(point.x + (near.x - point.x) * step / steps, point.y + (near.y - point.y) * step / steps) for step in range(steps)
    )
    return [Rectangle.around(place, Size(2, 2)) for place in between]


def _around(label: PlacedLabel) -> Iterator[Rectangle]:
    (wide, high), point = label.size, label.point
    for gap in GAPS:
        for across, down in SIDES:
            middle = Point(point.x + across * (gap + wide / 2), point.y + down * (gap + high / 2))
            yield Rectangle.around(middle, label.size)


def middle(box: Rectangle) -> dict[str, Any]:
    """The middle of a label as a row of data, in pixels."""
    return {"x": (box.left + box.right) / 2, "y": (box.top + box.bottom) / 2}


def anchored(point: Point, box: Rectangle) -> dict[str, Any]:
    """The anchor of a text in a box beside a point, and its alignment: the side that faces the point."""
    if box.left > point.x:
        return middle(box) | {"x": box.left + 4, "align": "left"}
    if box.right < point.x:
        return middle(box) | {"x": box.right - 4, "align": "right"}
    return middle(box) | {"align": "center"}


def leader(point: Point, box: Rectangle) -> dict[str, Any]:
    """A line from a point to its label as a row of data; empty where the label is next to the point."""
    near = box.nearest(point)
    close = max(abs(near.x - point.x), abs(near.y - point.y)) <= 1.5 * DOT
    return {} if close else {"x": point.x, "y": point.y, "x2": near.x, "y2": near.y}
