"""Where the boxes and arrows of a figure lie: Graphviz decides, asked about sizes alone.

No text is given to it, so that nothing depends on the fonts of a machine; and the library that comes inside the wheel
of pygraphviz is asked, so that nothing depends on the Graphviz of a machine either, unless somebody wants that one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any, NamedTuple

import graphviz
import pygraphviz

from diagrams.figure import Figure
from diagrams.sizes import Size, box_size, label_size

INCH = 72
"""Graphviz wants the sizes of nodes in inches, of 72 points each; a point is drawn as a pixel."""

APART = ((42, 34), (60, 34), (42, 50), (80, 50), (60, 70))
"""Between boxes side by side, and between levels, in points: the first, or the best, with which nothing lies over a label."""


class Graphviz(StrEnum):
    """Whose Graphviz it is."""

    BUNDLED = "bundled"
    """The library inside pygraphviz: the same pictures everywhere."""
    SYSTEM = "system"
    """The program ``dot`` of this machine."""


class NoGraphviz(Exception):
    """The program ``dot`` is wanted and not there; the message says what to do."""


class Point(NamedTuple):
    """A place in the picture, in pixels from its left upper corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Course:
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
    """

    size: Size
    boxes: dict[str, Point]
    courses: tuple[Course, ...]


def laid_out(figure: Figure, whose: Graphviz = Graphviz.BUNDLED) -> Layout:
    """Lay a figure out.

    Raises
    ------
    NoGraphviz
        The system's own Graphviz is wanted, and there is none.
    """
    tried: list[tuple[int, int, Layout]] = []
    for apart in APART:
        layout = _read(figure, _asked(sizes_only(figure, *apart), whose))
        tried.append((len(overlaps(figure, layout)), len(tried), layout))
        if not tried[-1][0]:
            break
    return min(tried)[2]


def _asked(source: str, whose: Graphviz) -> dict[str, Any]:
    """What Graphviz answers."""
    if whose is Graphviz.BUNDLED:
        answer = pygraphviz.AGraph(string=source).draw(format="json0", prog="dot").decode()
    else:
        try:
            answer = graphviz.Source(source).pipe(format="json0", engine="dot", encoding="utf-8")
        except graphviz.ExecutableNotFound as problem:
            raise NoGraphviz("there is no program dot on this machine; leave out --graphviz system, or install it") from problem
    return dict(json.loads(answer))


def sizes_only(figure: Figure, boxes_apart: float, levels_apart: float) -> str:
    """Graphviz source with the sizes of boxes and labels in the place of their text; distances in points."""
    source = graphviz.Digraph(figure.name)
    source.attr("graph", nodesep=f"{boxes_apart / INCH:.4f}", ranksep=f"{levels_apart / INCH:.4f}")
    source.attr("node", shape="box", label="", fixedsize="true")
    for box in figure.boxes:
        size = box_size(box)
        source.node(box.name, width=f"{size.width / INCH:.4f}", height=f"{size.height / INCH:.4f}")
    for level in figure.levels:
        with source.subgraph() as side_by_side:
            side_by_side.attr(rank="same")
            for name in level:
                side_by_side.node(name)
    for place, arrow in enumerate(figure.arrows):
        size = label_size(arrow)
        blank = (
            f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE"'
            f' WIDTH="{size.width:.0f}" HEIGHT="{size.height:.0f}"><TR><TD></TD></TR></TABLE>>'
        )
        label = {"label": blank} if arrow.label else {}
        source.edge(arrow.source, arrow.target, id=str(place), weight=str(arrow.weight), **label)
    return str(source.source)


def _read(figure: Figure, answer: dict[str, Any]) -> Layout:
    _, _, right, top = (float(part) for part in answer["bb"].split(","))
    names = {box.name for box in figure.boxes}

    def point(text: str) -> Point:
        x, y = text.split(",")
        return Point(float(x), top - float(y))

    boxes = {one["name"]: point(one["pos"]) for one in answer["objects"] if one["name"] in names}
    courses: dict[int, Course] = {}
    for edge in answer.get("edges", ()):
        tip, *points = edge["pos"].removeprefix("e,").split(" ")
        label = point(edge["lp"]) if "lp" in edge else None
        courses[int(edge["id"])] = Course(tuple(map(point, points)), point(tip), label)
    return Layout(Size(right, top), boxes, tuple(courses[place] for place in range(len(figure.arrows))))


# --- what lies over what ------------------------------------------------------------------------------------------


class Room(NamedTuple):
    """The room that something takes: left, top, right and bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, middle: Point, size: Size) -> Room:
        """The room of something of a size."""
        half = Size(size.width / 2, size.height / 2)
        return cls(middle.x - half.width, middle.y - half.height, middle.x + half.width, middle.y + half.height)

    def meets(self, other: Room) -> bool:
        """Whether two share some room."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def has(self, point: Point, rim: float) -> bool:
        """Whether a point lies within, or as near as that."""
        return self.left - rim < point.x < self.right + rim and self.top - rim < point.y < self.bottom + rim


SAMPLES = 24
"""Points of each curve that are looked at."""

NEAR = 4.0
"""How near an arrow may come to a box that it does not belong to, in pixels."""

TIGHT = 2.0
"""The rim of a label that is empty, in pixels."""


def overlaps(figure: Figure, layout: Layout) -> list[str]:
    """Whatever is drawn over a label or a box that it does not belong to, in words; empty when the picture is clean."""
    rooms = {f"box {box.name}": Room.around(layout.boxes[box.name], box_size(box)) for box in figure.boxes}
    own = {}
    for place, (arrow, course) in enumerate(zip(figure.arrows, layout.courses, strict=True)):
        if course.label is not None:
            size = label_size(arrow)
            own[place] = f"label {place} of {arrow.source} to {arrow.target}"
            rooms[own[place]] = Room.around(course.label, Size(size.width - 2 * TIGHT, size.height - 2 * TIGHT))
    found = [f"{one} and {other}" for one, other in combinations(rooms, 2) if rooms[one].meets(rooms[other])]
    for place, (arrow, course) in enumerate(zip(figure.arrows, layout.courses, strict=True)):
        rims = {name: NEAR if name.startswith("box") else 0.0 for name in rooms}
        passed = {name for point in course.sampled() for name, room in rooms.items() if room.has(point, rims[name])}
        passed -= {f"box {arrow.source}", f"box {arrow.target}"}
        found += [f"arrow {place} of {arrow.source} to {arrow.target} over {name}" for name in sorted(passed)]
    return found
