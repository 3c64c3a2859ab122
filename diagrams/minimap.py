"""A small state diagram of one end, in which a page highlights the current state and the edge that led to it.

The positions of the states are fixed; the edges come from the specification's graph. Each state has ``data-state``, each
edge ``data-from`` and ``data-to``. Abortive edges (a RST, an ABORT, an end that gives up) are visible only when taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import networkx as nx

from timewait.diagrams.colours import themed
from timewait.diagrams.edges import ABORTIVE
from timewait.diagrams.svg import XMLNS, element, number
from timewait.diagrams.widths import MONO
from timewait.spec.graph import close_part
from timewait.spec.state import State

WIDTH, HEIGHT = 296.0, 250.0
WIDE, HIGH = 76.0, 20.0
"""The size of the box of a state, in pixels."""

AGAIN = "new incarnation"
"""The state of an end in a trace after a reopen."""

POSITIONS: Mapping[str, tuple[float, float]] = {
    State.ESTABLISHED.value: (170, 16),
    State.FIN_WAIT_1.value: (105, 62),
    State.CLOSE_WAIT.value: (234, 62),
    State.FIN_WAIT_2.value: (62, 108),
    State.CLOSING.value: (148, 108),
    State.LAST_ACK.value: (234, 108),
    State.TIME_WAIT.value: (105, 156),
    State.CLOSED.value: (170, 200),
    AGAIN: (170, 236),
}
"""The middle of each box, in pixels."""

OPENING_HEIGHT = 292.0
OPENING: Mapping[str, tuple[float, float]] = {
    **{name: middle for name, middle in POSITIONS.items() if name != AGAIN},
    State.LISTEN.value: (84, 238),
    State.SYN_SENT.value: (234, 238),
    State.SYN_RECEIVED.value: (148, 278),
}
"""The middle of each box where the next incarnation opens by a handshake."""

STYLE = f"""
.minimap text {{ font: 600 9.5px {MONO}; fill: $muted; text-anchor: middle; }}
.minimap .box {{ fill: $background; stroke: $thin; stroke-width: 1.2; }}
.minimap .edge {{ stroke: $thin; stroke-width: 1.4; fill: none; }}
.minimap .tip {{ fill: $thin; }}
.minimap .abortive {{ display: none; }}
.minimap .been .box {{ stroke: $muted; }}
.minimap .taken .edge {{ stroke: $first; stroke-width: 2.4; }}
.minimap .taken .tip {{ fill: $first; }}
.minimap .taken.abortive {{ display: inline; }}
.minimap .taken.abortive .edge {{ stroke: $wrong; stroke-dasharray: 4 3; }}
.minimap .taken.abortive .tip {{ fill: $wrong; }}
.minimap .highlighted .box {{ fill: $text; stroke: $text; }}
.minimap .highlighted text {{ fill: $background; }}
.minimap .highlighted.waits .box {{ fill: $wait; stroke: $waiting; stroke-width: 2; }}
.minimap .highlighted.waits text {{ fill: #1b1f24; }}
.minimap .highlighted.again .box {{ fill: $next; stroke: $next; }}
"""


MinimapPoint = tuple[float, float]


class MinimapEdge(NamedTuple):
    """All edges from one state to another: whether one of them is orderly, and their triggers with the section, a line each."""

    source: str
    target: str
    orderly: bool
    reasons: tuple[str, ...]


def edges(graph: nx.MultiDiGraph, *, opening: bool = False) -> list[MinimapEdge]:
    """The edges between different states of the close, and of the opening where that is wanted, in the order of the graph."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for source, target, edge in (graph if opening else close_part(graph)).edges(data=True):
        if source is not target:
            found.setdefault((source.value, target.value), []).append(edge)
    joined = []
    for (source, target), every in found.items():
        orderly = [edge for edge in every if ABORTIVE.isdisjoint(edge["effects"])]
        reasons = dict.fromkeys(f"{edge['trigger']}: {edge['section']}" for edge in orderly or every)
        joined.append(MinimapEdge(source, target, bool(orderly), tuple(reasons)))
    return joined


def minimap(graph: nx.MultiDiGraph, end: str, *, opening: bool = False) -> str:
    """The diagram of one end as SVG.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        A graph of `timewait.spec.graph.transition_graph`.
    end : str
        A or B.
    opening : bool
        Whether the next incarnation opens by a handshake, whose states then stand in the place of the box for it.
    """
    places, height = (OPENING, OPENING_HEIGHT) if opening else (POSITIONS, HEIGHT)
    every = edges(graph, opening=opening)
    if not opening:
        every.append(MinimapEdge(State.CLOSED.value, AGAIN, True, ("the users reopen the connection",)))
    parts = [element("style", themed(STYLE)), *(_edge(edge, places) for edge in every)]
    for name, (x, y) in places.items():
        kind = {State.TIME_WAIT.value: "state waits", AGAIN: "state again"}.get(name, "state")
        half = _half(name)
        box = element("rect", class_="box", x=x - half, y=y - HIGH / 2, width=2 * half, height=HIGH, rx=6)
        parts.append(element("g", box, element("text", name, x=x, y=y + 3.4), class_=kind, data_state=name))
    attributes = {"class_": "minimap", "role": "img", "aria_label": f"The states of {end}", "data_end": end}
    return element("svg", *parts, xmlns=XMLNS, viewBox=f"18 0 {WIDTH - 22:g} {height:g}", **attributes) + "\n"


def _half(name: str) -> float:
    """Half the width of a box."""
    return 52.0 if name == AGAIN else 41.0 if name == State.SYN_RECEIVED else WIDE / 2


def _edge(edge: MinimapEdge, places: Mapping[str, MinimapPoint]) -> str:
    points = _route(edge.source, edge.target, places)
    (x1, y1), (x2, y2) = points[-2:]
    angle = math.atan2(y2 - y1, x2 - x1)
    points[-1] = (x2 - 5 * math.cos(angle), y2 - 5 * math.sin(angle))
    sides = [(x2 - 8 * math.cos(angle + turn), y2 - 8 * math.sin(angle + turn)) for turn in (0.4, -0.4)]
    return element(
        "g",
        element("title", escape(f"{edge.source} to {edge.target}\n" + "\n".join(edge.reasons))),
        element("path", class_="edge", d=_path(points)),
        element("polygon", class_="tip", points=" ".join(f"{number(x)},{number(y)}" for x, y in [(x2, y2), *sides])),
        class_="transition" if edge.orderly else "transition abortive",
        data_from=edge.source,
        data_to=edge.target,
    )


def _path(points: list[MinimapPoint]) -> str:
    begin, *rest = (f"{number(x)} {number(y)}" for x, y in points)
    return f"M{begin}L{rest[0]}" if len(rest) == 1 else f"M{begin}Q{rest[0]} {rest[1]}"


def _route(source: str, target: str, places: Mapping[str, MinimapPoint]) -> list[MinimapPoint]:
    """A path from border to border, bent where another state is in between."""
    begin, end = places[source], places[target]
    others = [middle for name, middle in places.items() if name not in (source, target)]
    for bend in (0.0, -0.5, 0.5, -0.9, 0.9, -1.3, 1.3, -1.8, 1.8, -2.4, 2.4):
        route = _bent(begin, end, bend * WIDE, (_half(source), _half(target)))
        points = _along(route)
        if all(4 < x < WIDTH - 4 for x, _ in points) and not any(_inside(point, other) for point in points for other in others):
            return route
    return _bent(begin, end, 0.0, (_half(source), _half(target)))


def _bent(begin: MinimapPoint, end: MinimapPoint, bend: float, halves: tuple[float, float]) -> list[MinimapPoint]:
    middle = ((begin[0] + end[0]) / 2 + bend, (begin[1] + end[1]) / 2)
    if bend:
        return [_border(begin, middle, halves[0]), middle, _border(end, middle, halves[1])]
    return [_border(begin, end, halves[0]), _border(end, begin, halves[1])]


def _border(inside: MinimapPoint, towards: MinimapPoint, half: float) -> MinimapPoint:
    """The point at which the line from the middle of a box leaves it."""
    dx, dy = towards[0] - inside[0], towards[1] - inside[1]
    share = min(half / abs(dx) if dx else math.inf, HIGH / 2 / abs(dy) if dy else math.inf)
    return inside[0] + dx * share, inside[1] + dy * share


def _along(route: list[MinimapPoint]) -> list[MinimapPoint]:
    begin, *middle, end = route
    control = middle[0] if middle else ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2)
    return [
        tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in zip(begin, control, end, strict=True))  # type: ignore[misc]  # two numbers
        for t in (step / 20 for step in range(21))
    ]


def _inside(point: MinimapPoint, place: MinimapPoint) -> bool:
    return abs(point[0] - place[0]) < WIDE / 2 + 3 and abs(point[1] - place[1]) < HIGH / 2 + 3
