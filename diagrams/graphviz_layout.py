"""The layout of figures by Graphviz, which gets the sizes of boxes and labels and no text.

Text that Graphviz measured would make a layout depend on the fonts of the machine: without fonts (as in small
containers) titles overflow their boxes, and the bundled library warns about foreign font settings. The default is the
Graphviz library inside the package pygraphviz; the program ``dot`` is an alternative.
"""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import product
from platform import machine
from typing import Any

import graphviz

from timewait.diagrams.arrow_ends import spread
from timewait.diagrams.box_sizes import box_sizes, label_size
from timewait.diagrams.figure import Figure
from timewait.diagrams.geometry import Point, Size
from timewait.diagrams.layout import ArrowPath, Layout, overlaps
from timewait.vocabulary.errors import RequestError, optional_package

POINTS_PER_INCH = 72
"""Graphviz takes the sizes of nodes in inches; a point becomes a pixel."""

PAGE = 513.0
"""The width up to which a figure is legible on every page, a narrow one too, in pixels."""

PAGE_PENALTY = 4
"""How much more a pixel counts that is beyond the width of a page."""

SPACINGS = ((16, 22), (26, 26), (42, 34), (60, 34), (42, 50), (80, 50), (60, 70))
"""Distances between neighbouring boxes and between levels, in points, tried in this order until nothing overlaps."""


class Graphviz(StrEnum):
    """An installation of Graphviz."""

    BUNDLED = "bundled"
    """The library inside pygraphviz: the same layout on every machine."""
    SYSTEM = "system"
    """The program ``dot``."""


class MissingGraphviz(RequestError):
    """The program ``dot`` is not installed; the message says what to do."""


def laid_out(figure: Figure, installation: Graphviz = Graphviz.BUNDLED) -> Layout:
    """Lay a figure out: the attempt with the fewest overlaps, and among those the smallest.

    Raises
    ------
    MissingGraphviz
        The program ``dot`` is asked for and not installed.
    timewait.vocabulary.errors.MissingPackage
        pygraphviz is asked for and not installed.
    """
    best: tuple[tuple[int, int, int], Layout] | None = None
    for levelled in (True, False):
        for distances in SPACINGS:
            for number, (weighted, backwards) in enumerate(product((True, False), (False, True))):
                source = source_of_sizes(figure, distances, levelled=levelled, weighted=weighted, backwards=backwards)
                layout = spread(figure, _parsed(figure, *_run(source, installation)))
                cost = len(overlaps(figure, layout)), _extent(layout.size), number
                if best is None or cost < best[0]:
                    best = cost, layout
            assert best is not None
            if best[0][0] == 0:
                break
        if best is not None and best[0][0] == 0 and best[1].size.width <= PAGE:
            break
    assert best is not None
    return best[1]


def _extent(size: Size) -> int:
    """The area; what is wider than a page counts several times, because it is drawn smaller there."""
    return round((size.width + PAGE_PENALTY * max(size.width - PAGE, 0)) * size.height)


def _run(source: str, installation: Graphviz) -> tuple[dict[str, Any], str]:
    """The layout as Graphviz writes it in JSON, and the name of the program with its version."""
    if installation is Graphviz.SYSTEM:
        try:
            return json.loads(graphviz.Source(source).pipe(format="json0", engine="dot", encoding="utf-8")), "dot"
        except graphviz.ExecutableNotFound as problem:
            raise MissingGraphviz("the program dot is not installed; leave out --graphviz system, or install it") from problem
    pygraphviz = optional_package("pygraphviz", "pictures")
    answer = pygraphviz.AGraph(string=source).draw(format="json0", prog="dot").decode()
    return json.loads(answer), f"Graphviz {pygraphviz.__graphviz_version__} on {machine()}"


def source_of_sizes(figure: Figure, distances: tuple[float, float], *, levelled: bool, weighted: bool, backwards: bool) -> str:
    """Graphviz source in which boxes and labels are blank rectangles of their sizes.

    Parameters
    ----------
    figure : Figure
        The figure.
    distances : tuple of float
        Between neighbouring boxes and between levels, in points.
    levelled, weighted : bool
        Whether the levels of the figure and the weights of its arrows count.
    backwards : bool
        Whether arrows are listed from the last to the first.
    """
    source = graphviz.Digraph(figure.name)
    source.attr("graph", nodesep=_inches(distances[0]), ranksep=_inches(distances[1]))
    source.attr("node", shape="box", label="", fixedsize="true")
    for name, size in box_sizes(figure).items():
        source.node(name, width=_inches(size.width), height=_inches(size.height))
    for level in figure.levels if levelled else ():
        with source.subgraph() as side_by_side:
            side_by_side.attr(rank="same")
            for name in level:
                side_by_side.node(name)
    looped: set[str] = set()
    arrows = list(enumerate(figure.arrows))
    for number, arrow in reversed(arrows) if backwards else arrows:
        attributes = {"id": str(number), "weight": str(arrow.weight if weighted else 1)}
        if arrow.label:
            width, height = label_size(arrow)
            attributes["label"] = (
                f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE"'
                f' WIDTH="{width:.0f}" HEIGHT="{height:.0f}"><TR><TD></TD></TR></TABLE>>'
            )
        if arrow.source == arrow.target:
            if arrow.source in looped:  # on the left of the box, clear of the label of the first loop
                attributes |= {"tailport": "w", "headport": "w"}
            looped.add(arrow.source)
        if arrow.upwards:
            source.edge(arrow.target, arrow.source, dir="back", **attributes)
        else:
            source.edge(arrow.source, arrow.target, **attributes)
    return str(source.source)


def _inches(pixels: float) -> str:
    return f"{pixels / POINTS_PER_INCH:.4f}"


def _parsed(figure: Figure, answer: dict[str, Any], made_by: str) -> Layout:
    _, _, right, top = (float(part) for part in answer["bb"].split(","))
    names = {box.name for box in figure.boxes}

    def point(text: str) -> Point:
        x, y = text.split(",")
        return Point(float(x), top - float(y))

    boxes = {node["name"]: point(node["pos"]) for node in answer["objects"] if node["name"] in names}
    paths: dict[int, ArrowPath] = {}
    for edge in answer.get("edges", ()):
        kind, (tip, *points) = edge["pos"][0], edge["pos"][2:].split(" ")
        points = points[::-1] if kind == "s" else points  # an arrow that is drawn backwards
        label = point(edge["lp"]) if "lp" in edge else None
        paths[int(edge["id"])] = ArrowPath(tuple(map(point, points)), point(tip), label)
    return Layout(Size(right, top), boxes, tuple(paths[number] for number in range(len(figure.arrows))), made_by)
