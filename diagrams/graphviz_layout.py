"""The layout of figures by Graphviz, which gets the sizes of boxes and labels and no text.

Text that Graphviz measured would make a layout depend on the fonts of the machine: without fonts (as in small
containers) titles overflow their boxes, and the bundled library warns about foreign font settings. The default is the
Graphviz library inside the package pygraphviz; the program ``dot`` is an alternative.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from platform import machine
from typing import Any, NamedTuple

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

NARROW_SPACINGS = ((8, 28), (12, 22), (12, 50), (8, 60), (12, 80))
"""The same for a figure that is too wide with these distances."""

STRETCHES = (2, 3, 4)
"""How many levels an arrow may span to make a figure narrower."""

MOST_STRETCHED = 6
"""The most arrows that are stretched in one figure."""


class Graphviz(StrEnum):
    """An installation of Graphviz."""

    BUNDLED = "bundled"
    """The library inside pygraphviz: the same layout on every machine."""
    SYSTEM = "system"
    """The program ``dot``."""


class MissingGraphviz(RequestError):
    """The program ``dot`` is not installed; the message says what to do."""


class LayoutRequest(NamedTuple):
    """How Graphviz is asked to lay a figure out.

    Attributes
    ----------
    distances : tuple of float
        Between neighbouring boxes and between levels, in points.
    levelled, weighted : bool
        Whether the levels of the figure and the weights of its arrows count.
    backwards : bool
        Whether arrows are listed from the last to the first.
    stretched : tuple of (int, int)
        Arrows that span more than one level, by their numbers, and how many levels each spans.
    """

    distances: tuple[float, float]
    levelled: bool = True
    weighted: bool = True
    backwards: bool = False
    stretched: tuple[tuple[int, int], ...] = ()


class LayoutAttempt(NamedTuple):
    """A layout with its request and its cost; the cheapest one is drawn."""

    cost: tuple[int, int, int]
    request: LayoutRequest
    layout: Layout

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps, and the figure is no wider than a page."""
        return self.cost[0] == 0 and self.layout.size.width <= PAGE


def laid_out(figure: Figure, installation: Graphviz = Graphviz.BUNDLED) -> Layout:
    """Lay a figure out: the attempt with the fewest overlaps, and among those the smallest.

    Raises
    ------
    MissingGraphviz
        The program ``dot`` is asked for and not installed.
    timewait.vocabulary.errors.MissingPackage
        pygraphviz is asked for and not installed.
    """
    return stretched(figure, best_spaced(figure, installation), installation).layout


def best_spaced(figure: Figure, installation: Graphviz) -> LayoutAttempt:
    """The best layout with any of the distances between boxes."""
    best = _first_that_fits(figure, SPACINGS, installation)
    return best if best.fits else min(best, _first_that_fits(figure, NARROW_SPACINGS, installation))


def _first_that_fits(figure: Figure, spacings: Iterable[tuple[float, float]], installation: Graphviz) -> LayoutAttempt:
    """The first attempt that fits a page; without one, the cheapest."""
    best: LayoutAttempt | None = None
    for levelled in (True, False):
        for distances in spacings:
            for weighted, backwards in product((True, False), (False, True)):
                found = _attempt(figure, LayoutRequest(distances, levelled, weighted, backwards), installation)
                best = found if best is None else min(best, found)
            assert best is not None
            if best.cost[0] == 0:
                break
        if best is not None and best.fits:
            break
    assert best is not None
    return best


def stretched(figure: Figure, best: LayoutAttempt, installation: Graphviz) -> LayoutAttempt:
    """A narrower layout, if this one does not fit a page.

    One arrow after another spans more levels, so that what follows it stands below its neighbours.
    """
    arrows = [number for number, arrow in enumerate(figure.arrows) if arrow.source != arrow.target]
    for _ in range(0 if best.fits else MOST_STRETCHED):
        requests = [
            best.request._replace(distances=distances, stretched=(*best.request.stretched, (number, levels)))
            for distances in NARROW_SPACINGS[:2]
            for number, levels in product(arrows, STRETCHES)
        ]
        found = _cheapest(figure, requests, installation)
        if found is None or found.cost >= best.cost:
            return best
        best = found
        if best.fits:
            return best
    return best


def _cheapest(figure: Figure, requests: Iterable[LayoutRequest], installation: Graphviz) -> LayoutAttempt | None:
    """The smallest layout in which nothing overlaps; None if there is none."""
    layouts = [(request, _laid_out(figure, request, installation)) for request in requests]
    ordered = sorted(layouts, key=lambda found: _extent(found[1].size))
    attempts = (_costed(figure, request, layout) for request, layout in ordered)
    return next((attempt for attempt in attempts if attempt.cost[0] == 0), None)


def _attempt(figure: Figure, request: LayoutRequest, installation: Graphviz) -> LayoutAttempt:
    return _costed(figure, request, _laid_out(figure, request, installation))


def _laid_out(figure: Figure, request: LayoutRequest, installation: Graphviz) -> Layout:
    return spread(figure, _parsed(figure, *_run(source_of_sizes(figure, request), installation)))


def _costed(figure: Figure, request: LayoutRequest, layout: Layout) -> LayoutAttempt:
    order = 2 * (not request.weighted) + request.backwards
    return LayoutAttempt((len(overlaps(figure, layout)), _extent(layout.size), order), request, layout)


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


def source_of_sizes(figure: Figure, request: LayoutRequest) -> str:
    """Graphviz source in which boxes and labels are blank rectangles of their sizes."""
    distances, levelled, weighted, backwards, stretched = request
    spans = dict(stretched)
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
        attributes = {"id": str(number), "weight": str(arrow.weight if weighted else 1), "minlen": str(spans.get(number, 1))}
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
