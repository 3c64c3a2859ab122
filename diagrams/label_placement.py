"""Placement of labels beside points: each label takes the nearest free place around its point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from timewait.diagrams.geometry import Point, Rectangle, Size

GAPS = (9.0, 26.0, 46.0, 70.0, 100.0, 140.0)
"""The distances of a label from its point that are tried, in pixels."""

SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
"""The sides of the point that are tried: right and left first, then above and below."""


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
        Earlier labels choose first.
    within : Rectangle
        The area for labels.
    taken : sequence of Rectangle
        Areas that labels must avoid.

    Returns
    -------
    list of Rectangle
        One for each label. Where every place is taken, the label stands right of its point in spite of that.
    """
    avoided = [*taken, *(Rectangle.around(label.point, Size(10, 10)) for label in labels if label.dotted)]
    found: list[Rectangle] = []
    for label in labels:
        free = (area for area in _around(label) if area.within(within) and not any(map(area.meets, [*avoided, *found])))
        found.append(next(free, next(_around(label))))
    return found


def _around(label: PlacedLabel) -> Iterator[Rectangle]:
    (wide, high), point = label.size, label.point
    for gap in GAPS:
        for across, down in SIDES:
            middle = Point(point.x + across * (gap + wide / 2), point.y + down * (gap + high / 2))
            yield Rectangle.around(middle, label.size)
