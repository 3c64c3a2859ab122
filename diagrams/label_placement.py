"""Labels beside points, none over another: each gets the nearest free place around its point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from timewait.diagrams.geometry import Point, Rectangle
from timewait.diagrams.sizes import Size

GAPS = (9.0, 26.0, 46.0, 70.0, 100.0, 140.0)
"""How far from its point a label may stand, in pixels, the nearest first."""

SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
"""On which side of it: right and left first, then above and below."""


class PlacedLabel(NamedTuple):
    """Something to be placed: its size, the point that it belongs to, and whether something is drawn there."""

    size: Size
    point: Point
    dotted: bool = True


def placed(labels: Sequence[PlacedLabel], within: Rectangle, taken: Sequence[Rectangle] = ()) -> list[Rectangle]:
    """A place for each label.

    Parameters
    ----------
    labels : sequence of Label
        What is to be placed; the first choose first.
    within : Room
        Where labels may stand.
    taken : sequence of Room
        Where they may not.

    Returns
    -------
    list of Room
        One for each label. Where all places are taken the label stands beside its point, whatever is there.
    """
    points = [Rectangle.around(label.point, Size(10, 10)) for label in labels if label.dotted]
    found: list[Rectangle] = []
    for label in labels:
        free = (room for room in _around(label) if _inside(room, within) and not any(map(room.meets, [*taken, *points, *found])))
        found.append(next(free, next(_around(label))))
    return found


def _around(label: PlacedLabel) -> Iterator[Rectangle]:
    for gap in GAPS:
        for across, down in SIDES:
            middle = Point(
                label.point.x + across * (gap + label.size.width / 2),
                label.point.y + down * (gap + label.size.height / 2),
            )
            yield Rectangle.around(middle, label.size)


def _inside(room: Rectangle, within: Rectangle) -> bool:
    horizontally = within.left <= room.left and room.right <= within.right
    return horizontally and within.top <= room.top and room.bottom <= within.bottom
