"""Places for the labels of arrows in a sequence chart: beside the arrow, on no other arrow and on no other label.

Every label has a reserved place, which no other label takes. It leaves this place for one that touches its own arrow from
outside and meets no arrow at all, if there is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from timewait.diagrams.geometry import Point, Rectangle, Size

CELL = 40.0
"""The height of the bands into which obstacles are sorted, in pixels."""

CLEARANCE = 2.5
"""The least distance between two labels, in pixels."""

SHARES = (0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8, 0.14, 0.86, 0.08, 0.92)
"""The places along an arrow, as shares of its length, beside which a corner of its label may be, in order of preference."""

DISTANCES = (2.5, 7.0)
"""The distances of this corner from the arrow, across and down, in pixels, in order of preference."""

FLUSH = (4.0, 9.0, 14.0, 19.0, 24.0)
"""The distances of a label from the begin of its arrow, up or down, where it is flush with the lifeline, in pixels."""


class StraightLine(NamedTuple):
    """A straight line between two points."""

    begin: Point
    end: Point

    def meets(self, area: Rectangle) -> bool:
        """Whether a part of the line is inside a rectangle."""
        first, last = 0.0, 1.0
        (x1, y1), (x2, y2) = self
        for start, step, low, high in ((x1, x2 - x1, area.left, area.right), (y1, y2 - y1, area.top, area.bottom)):
            if step == 0:
                if not low < start < high:
                    return False
                continue
            near, far = sorted(((low - start) / step, (high - start) / step))
            first, last = max(first, near), min(last, far)
        return first < last


class ArrowLabels:
    """The labels of a chart, placed one after the other.

    Parameters
    ----------
    lines : iterable of StraightLine
        The arrows and other lines that labels avoid.
    taken : iterable of Rectangle
        The areas that no label may enter, and the reserved place of every label.
    left, right : float
        The sides between which labels stand, in pixels.
    """

    def __init__(self, lines: Iterable[StraightLine], taken: Iterable[Rectangle], left: float, right: float) -> None:
        self._left, self._right = left, right
        self._lines: dict[int, list[StraightLine]] = defaultdict(list)
        self._taken: dict[int, list[Rectangle]] = defaultdict(list)
        for line in lines:
            for cell in _cells(*sorted((line.begin.y, line.end.y))):
                self._lines[cell].append(line)
        for area in taken:
            self._enter(area)

    def place(self, size: Size, reserved: Rectangle, arrow: StraightLine) -> tuple[Rectangle, bool]:
        """Take a place for a label.

        Parameters
        ----------
        size : Size
            Of the label.
        reserved : Rectangle
            The place that was reserved for it; one of `taken`.
        arrow : StraightLine
            The arrow that it belongs to.

        Returns
        -------
        tuple of Rectangle and bool
            The place, and whether an arrow runs through it: then every place beside the arrow was occupied.
        """
        self._leave(reserved)
        for area in (reserved, *self._beside(size, arrow)):
            if self._is_free(area):
                self._enter(area)
                return area, False
        self._enter(reserved)
        return reserved, True

    def _beside(self, size: Size, arrow: StraightLine) -> Iterator[Rectangle]:
        """The places beside an arrow: above it with a lower corner, and below it with an upper one."""
        (x1, y1), (x2, y2) = arrow
        falls = (x2 > x1) == (y2 > y1)
        for distance, share in product(DISTANCES, SHARES):
            x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
            for above in (True, False):
                rightwards = falls == above
                left = x + distance if rightwards else x - distance - size.width
                top = y - distance - size.height if above else y + distance
                if self._left <= left and left + size.width <= self._right:
                    yield Rectangle(left, top, left + size.width, top + size.height)
        # A short arrow has little room beside it: the places above and below its begin, flush with the lifeline.
        for distance in FLUSH:
            left = self._left if x2 > x1 else self._right - size.width
            for top in (y1 - distance - size.height, y1 + distance):
                yield Rectangle(left, top, left + size.width, top + size.height)

    def _is_free(self, area: Rectangle) -> bool:
        wide = Rectangle(area.left - CLEARANCE, area.top - CLEARANCE, area.right + CLEARANCE, area.bottom + CLEARANCE)
        near = _cells(wide.top, wide.bottom)
        inner = Rectangle(area.left - 1, area.top - 1, area.right + 1, area.bottom + 1)  # a place beside touches its arrow
        if any(line.meets(inner) for cell in near for line in self._lines[cell]):
            return False
        return not any(other.meets(wide) for cell in near for other in self._taken[cell])

    def _enter(self, area: Rectangle) -> None:
        for cell in _cells(area.top, area.bottom):
            self._taken[cell].append(area)

    def _leave(self, area: Rectangle) -> None:
        for cell in _cells(area.top, area.bottom):
            self._taken[cell].remove(area)


def _cells(top: float, bottom: float) -> range:
    return range(int(top // CELL), int(bottom // CELL) + 1)
