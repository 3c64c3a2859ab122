"""Where the boxes and arrows of a figure lie: Graphviz decides, asked about sizes alone.

No text is given to it, so that nothing depends on the fonts of a machine; and the library that comes inside the wheel
of pygraphviz is asked, so that nothing depends on the Graphviz of a machine either, unless somebody wants that one.
"""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import product
from platform import machine
from typing import Any, NamedTuple

import graphviz
import pygraphviz

from timewait.diagrams.arrow_ends import spread
from timewait.diagrams.figure import Figure
from timewait.diagrams.geometry import ArrowPath, Layout, Point, overlaps
from timewait.diagrams.sizes import Size, box_sizes, label_size

INCH = 72
"""Graphviz wants the sizes of nodes in inches, of 72 points each; a point is drawn as a pixel."""

APART = ((42, 34), (60, 34), (42, 50), (80, 50), (60, 70))
"""Between boxes side by side, and between levels, in points, as tried one after the other until nothing is in the way."""


class Graphviz(StrEnum):
    """Whose Graphviz it is."""

    BUNDLED = "bundled"
    """The library inside pygraphviz: the same pictures everywhere."""
    SYSTEM = "system"
    """The program ``dot`` of this machine."""


class NoGraphviz(Exception):
    """The program ``dot`` is wanted and not there; the message says what to do."""


def laid_out(figure: Figure, whose: Graphviz = Graphviz.BUNDLED) -> Layout:
    """Lay a figure out: as small as it can be, with as little as possible in the way of anything.

    Raises
    ------
    NoGraphviz
        The system's own Graphviz is wanted, and there is none.
    """
    best: tuple[int, int, int, Layout] | None = None
    for levelled, apart in product((True, False), APART):
        for place, (weighed, backwards) in enumerate(product((True, False), (False, True))):
            source = sizes_only(figure, Manner(*apart, levelled, weighed, backwards))
            layout = spread(figure, _read(figure, _asked(source, whose), laid_out_by(whose)))
            size = layout.size
            candidate = len(overlaps(figure, layout)), round(size.width * size.height), place, layout
            best = candidate if best is None else min(best, candidate, key=lambda one: one[:3])
        if best is not None and best[0] == 0:
            break
    assert best is not None
    return best[-1]


def laid_out_by(whose: Graphviz) -> str:
    """Who lays out, to the version: another one may put things elsewhere."""
    return f"Graphviz {pygraphviz.__graphviz_version__} on {machine()}" if whose is Graphviz.BUNDLED else "dot"


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


class Manner(NamedTuple):
    """How Graphviz is asked: it makes other choices each time.

    Attributes
    ----------
    boxes_apart, levels_apart : float
        Distances in points.
    levelled : bool
        Whether boxes that should stand side by side must.
    weighed : bool
        Whether the weights of arrows count.
    backwards : bool
        Whether arrows are told from the last to the first.
    """

    boxes_apart: float
    levels_apart: float
    levelled: bool
    weighed: bool
    backwards: bool


def sizes_only(figure: Figure, manner: Manner) -> str:
    """Graphviz source with the sizes of boxes and labels in the place of their text."""
    source = graphviz.Digraph(figure.name)
    source.attr("graph", nodesep=f"{manner.boxes_apart / INCH:.4f}", ranksep=f"{manner.levels_apart / INCH:.4f}")
    source.attr("node", shape="box", label="", fixedsize="true")
    for name, size in box_sizes(figure).items():
        source.node(name, width=f"{size.width / INCH:.4f}", height=f"{size.height / INCH:.4f}")
    for level in figure.levels if manner.levelled else ():
        with source.subgraph() as side_by_side:
            side_by_side.attr(rank="same")
            for name in level:
                side_by_side.node(name)
    arrows = list(enumerate(figure.arrows))
    looped: set[str] = set()
    for place, arrow in reversed(arrows) if manner.backwards else arrows:
        size = label_size(arrow)
        blank = (
            f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE"'
            f' WIDTH="{size.width:.0f}" HEIGHT="{size.height:.0f}"><TR><TD></TD></TR></TABLE>>'
        )
        attributes = {"label": blank} if arrow.label else {}
        if arrow.source == arrow.target:
            if arrow.source in looped:  # on the other side: loops on one side run through each other's labels
                attributes |= {"tailport": "w", "headport": "w"}
            looped.add(arrow.source)
        source.edge(arrow.source, arrow.target, id=str(place), weight=str(arrow.weight if manner.weighed else 1), **attributes)
    return str(source.source)


def _read(figure: Figure, answer: dict[str, Any], by: str) -> Layout:
    _, _, right, top = (float(part) for part in answer["bb"].split(","))
    names = {box.name for box in figure.boxes}

    def point(text: str) -> Point:
        x, y = text.split(",")
        return Point(float(x), top - float(y))

    boxes = {one["name"]: point(one["pos"]) for one in answer["objects"] if one["name"] in names}
    courses: dict[int, ArrowPath] = {}
    for edge in answer.get("edges", ()):
        tip, *points = edge["pos"].removeprefix("e,").split(" ")
        label = point(edge["lp"]) if "lp" in edge else None
        courses[int(edge["id"])] = ArrowPath(tuple(map(point, points)), point(tip), label)
    return Layout(Size(right, top), boxes, tuple(courses[place] for place in range(len(figure.arrows))), by)
