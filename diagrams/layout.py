"""The layout of a figure: the positions of boxes and arrows, and which of them overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import hypot

from timewait.diagrams.box_sizes import box_sizes, label_size
from timewait.diagrams.figure import Figure
from timewait.diagrams.geometry import Point, Rectangle, Size

SAMPLES = 24
"""Points on each curve that are tested."""

CLEARANCE = 4.0
"""The least distance between an arrow and another box, in pixels."""

ENDS_APART = 7.0
"""The least distance between the ends of two arrows at a box, in pixels."""

LABEL_MARGIN = 2.0
"""The empty margin inside a label, in pixels."""


@dataclass(frozen=True, slots=True)
class ArrowPath:
    """The path of an arrow.

    Attributes
    ----------
    points : tuple of Point
        A chain of cubic Bezier curves: the start, then three points for each curve.
    tip : Point
        The end of the arrow.
    label : Point or None
        The middle of its label, if it has one.
    """

    points: tuple[Point, ...]
    tip: Point
    label: Point | None

    def sampled(self) -> Iterator[Point]:
        """Points along the path, close together."""
        for first in range(0, len(self.points) - 1, 3):
            p, q, r, s = self.points[first : first + 4]
            for sample in range(SAMPLES + 1):
                t = sample / SAMPLES
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield Point(a * p.x + b * q.x + c * r.x + d * s.x, a * p.y + b * q.y + c * r.y + d * s.y)
        yield self.tip


@dataclass(frozen=True, slots=True)
class Layout:
    """The positions of a figure's parts.

    Attributes
    ----------
    size : Size
        Of the whole figure.
    boxes : dict of str to Point
        The middle of each box, by name.
    arrows : tuple of ArrowPath
        In the order of the figure's arrows.
    made_by : str
        The program that made the layout, with its version.
    """

    size: Size
    boxes: dict[str, Point]
    arrows: tuple[ArrowPath, ...]
    made_by: str


def overlaps(figure: Figure, layout: Layout) -> list[str]:
    """Overlaps of boxes, labels and arrows that do not belong together, and arrows that end too close together, in words."""
    areas = {f"box {name}": Rectangle.around(layout.boxes[name], size) for name, size in box_sizes(figure).items()}
    arrows = list(enumerate(zip(figure.arrows, layout.arrows, strict=True)))
    for number, (arrow, path) in arrows:
        if path.label is not None:
            size = label_size(arrow)
            inner = Size(size.width - 2 * LABEL_MARGIN, size.height - 2 * LABEL_MARGIN)
            areas[f"label {number} of {arrow.source} to {arrow.target}"] = Rectangle.around(path.label, inner)
    found = [f"{name} and {other}" for name, other in combinations(areas, 2) if areas[name].meets(areas[other])]
    margins = {name: CLEARANCE if name.startswith("box") else 0.0 for name in areas}
    for number, (arrow, path) in arrows:
        crossed = {name for point in path.sampled() for name, area in areas.items() if area.has(point, margins[name])}
        crossed -= {f"box {arrow.source}", f"box {arrow.target}"}
        found += [f"arrow {number} of {arrow.source} to {arrow.target} over {name}" for name in sorted(crossed)]
    return found + _crowded(figure, layout)


def _crowded(figure: Figure, layout: Layout) -> list[str]:
    """Boxes at which two arrows end in the same place."""
    ends: dict[str, list[Point]] = defaultdict(list)
    for arrow, path in zip(figure.arrows, layout.arrows, strict=True):
        ends[arrow.source].append(path.points[0])
        ends[arrow.target].append(path.tip)
    return [
        f"two arrows at one place of box {name}"
        for name, points in ends.items()
        for point, other in combinations(points, 2)
        if hypot(point.x - other.x, point.y - other.y) < ENDS_APART
    ]
