"""Points, sizes and rectangles in a picture, in pixels."""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    """A point, from the upper left corner."""

    x: float
    y: float


class Size(NamedTuple):
    """A width and a height."""

    width: float
    height: float


class Rectangle(NamedTuple):
    """A rectangle by its sides."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, middle: Point, size: Size) -> Rectangle:
        """A rectangle by its middle and its size."""
        x, y = size.width / 2, size.height / 2
        return cls(middle.x - x, middle.y - y, middle.x + x, middle.y + y)

    def meets(self, other: Rectangle) -> bool:
        """Whether two rectangles overlap."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def has(self, point: Point, margin: float) -> bool:
        """Whether a point lies inside, or nearer to a side than `margin`."""
        across = self.left - margin < point.x < self.right + margin
        return across and self.top - margin < point.y < self.bottom + margin

    def nearest(self, point: Point) -> Point:
        """The point inside that is nearest to a point."""
        return Point(min(max(point.x, self.left), self.right), min(max(point.y, self.top), self.bottom))

    def within(self, outer: Rectangle) -> bool:
        """Whether it lies inside another rectangle."""
        across = outer.left <= self.left and self.right <= outer.right
        return across and outer.top <= self.top and self.bottom <= outer.bottom
