"""The state diagram, whole or a part of it, and the diagram of one state.

Of several edges between the same states the plainest gives the label, and the tooltip has them all. In the whole
diagram edges that stay are drawn for the TIME-WAIT timer and for the settings of TIME-WAIT only; the diagram of a state,
and the table, have every one. What ends several states alike, a RST or an ABORT, is said once, in a box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import networkx as nx

from timewait.diagrams.edges import (
    BROKEN,
    OPENING,
    PATHS,
    PENS,
    TIMED,
    UNSAID,
    GraphEdgeData,
    by_pen,
    happening,
    in_full,
    is_abrupt,
    label,
    name,
    reply,
    sort_of,
)
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, Pen, TextLine, bold, line
from timewait.diagrams.sizes import COLUMN_GAP, TEXT, columns
from timewait.diagrams.widths import wrapped
from timewait.narration.graph_use import GraphUse
from timewait.narration.prose import citation_url
from timewait.spec.endpoint import Timer
from timewait.spec.graph import Circumstances, condense
from timewait.spec.state import State

LEVELS = (
    (State.FIN_WAIT_1, State.CLOSE_WAIT),
    (State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK),
)
"""The states that stand side by side."""

ALIKE = "alike"
"""The name of the box that says what ends several states alike."""

AGAIN = "CLOSED_again"
"""The name of the box of CLOSED as the end of everything, where it is the beginning too."""

PLACES = frozenset({"in the window", "outside the window"})
"""Between them, everywhere."""

READABLE = 600.0
"""How wide a sentence runs in a box before it is broken, in pixels, unless the table below it is wider."""

STRAIGHT = 4
"""How much more than others the TIME-WAIT timer's arrow should be short and straight: it is what the picture is about."""


def states(graph: nx.MultiDiGraph, title: str, use: GraphUse | None = None) -> Figure:
    """The diagram of a transition graph.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As `timewait.spec.graph.transition_graph` makes it, or a part of it.
    title : str
        Whose it is.
    use : Use or None
        A run; what it uses stands out, and says in which step it does.
    """
    condensed = reached(condense(graph))
    boxes = [_box(condensed, state, use) for state in condensed]
    alike = _alike(condensed)
    said = {id(edge) for ends in alike.values() for state, edge in ends if not (use and _told(use, state, edge))}
    end = AGAIN if condensed.out_degree(State.CLOSED) > condensed.number_of_edges(State.CLOSED, State.CLOSED) else State.CLOSED
    arrows = list(_arrows(condensed, said, end, use))
    levels: list[tuple[str, ...]] = [tuple(state for state in level if state in condensed) for level in LEVELS]
    if end == AGAIN:
        boxes.append(replace(next(box for box in boxes if box.name == State.CLOSED), name=AGAIN))
    if alike:
        tooltip = "What ends these states out of order"
        rows = tuple(row._replace(emphasis=_unless(use)) for row in _rows_alike(alike))
        boxes.append(Box(ALIKE, "", BROKEN, rows=rows, tooltip=tooltip, emphasis=_unless(use)))
        arrows.append(Arrow(ALIKE, end, (), BROKEN, "out of order", emphasis=_unless(use)))
        levels.append((ALIKE, end))
    pens = [pen for pen in PENS if any(pen is arrow.pen for arrow in arrows)]
    caption = (line(bold(title)), *(_elsewhere(condensed, use) if use else ()))
    return Figure("states", title, tuple(boxes), tuple(arrows), tuple(filter(None, levels)), tuple(pens), caption)


def reached(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph without states that nothing leads to or from."""
    part = graph.copy()
    part.remove_nodes_from([state for state, degree in graph.degree if degree == 0])
    return part


def pen_of_state(state: State) -> Pen:
    """How a state is drawn."""
    return PATHS.get(state, OPENING)


def _unless(use: GraphUse | None) -> Emphasis:
    return Emphasis.PLAIN if use is None else Emphasis.FAINT


def _box(graph: nx.MultiDiGraph, state: State, use: GraphUse | None) -> Box:
    stays = [edge for _, target, edge in graph.out_edges(state, data=True) if target is state and _told_inside(state, edge, use)]
    rows = tuple(_rows_inside(state, stays, use))
    emphasis = Emphasis.PLAIN if use is None else Emphasis.LIT if state in use.states else Emphasis.FAINT
    return Box(state, state, pen_of_state(state), rows=rows, tooltip=graph.nodes[state]["meaning"], emphasis=emphasis)


def _told_inside(state: State, edge: GraphEdgeData, use: GraphUse | None) -> bool:
    """Whether an edge that stays is worth a row: it concerns TIME-WAIT, or the run uses it."""
    if use and use.takers(state, state, edge["cases"]):
        return True
    restarts = any(timer.endswith(Timer.TIME_WAIT) for timer in edge["timers"])
    return restarts or not {"answers", "restarts", "reset"}.isdisjoint(edge["settings"])


def _rows_inside(state: State, stays: Iterable[GraphEdgeData], use: GraphUse | None) -> Iterator[FigureRow]:
    """What a state does without being left, answers first, a row each; places that make no difference are joined."""
    alike: dict[tuple[str, TextLine, str], list[GraphEdgeData]] = defaultdict(list)
    for edge in sorted(stays, key=lambda edge: not edge["reply"]):
        steps = use.takers(state, state, edge["cases"]) if use else ""
        alike[name(edge), reply(edge), steps].append(edge)
    for (_, does, steps), edges in alike.items():
        places = [_place(edge) for edge in edges]
        where = "" if PLACES.issubset(places) else " or ".join(places)
        cells = (line(happening(edges[0])), line(where), does, *([line(bold(steps))] if steps else []))
        emphasis = Emphasis.PLAIN if use is None or steps else Emphasis.FAINT
        yield FigureRow(cells, in_full(edges), citation_url(edges[0]["section"]), emphasis)


def _place(edge: GraphEdgeData) -> str:
    return ", ".join(phrase for phrase in edge["guard"].split(", ") if phrase in PLACES or phrase not in UNSAID)


def _arrows(graph: nx.MultiDiGraph, said: Collection[int], end: str, use: GraphUse | None) -> Iterator[Arrow]:
    """The edges that move and are not said elsewhere."""
    for (source, target, pen), edges in by_pen(graph).items():
        drawn = [edge for edge in edges if id(edge) not in said]
        if not drawn:
            continue
        steps = use.takers(source, target, _cases(drawn)) if use else ""
        # What is used gives the label, where that is not the plainest.
        used = [edge for edge in drawn if use and use.takers(source, target, edge["cases"])]
        text = (*label(used or drawn), *([line(bold(steps))] if steps else []))
        emphasis = Emphasis.PLAIN if use is None else Emphasis.LIT if steps else Emphasis.FAINT
        closes = target is State.CLOSED and (source in PATHS or source is State.ESTABLISHED)
        where = citation_url(min(drawn, key=lambda edge: len(edge["trigger"]))["section"])
        weight = STRAIGHT if source is State.TIME_WAIT and pen is TIMED else 1
        yield Arrow(source, end if closes else target, text, pen, in_full(edges), where, emphasis, weight)


def _cases(edges: Iterable[GraphEdgeData]) -> frozenset[Circumstances]:
    return frozenset[Circumstances]().union(*(edge["cases"] for edge in edges))


def _told(use: GraphUse, state: State, edge: GraphEdgeData) -> str:
    return use.takers(state, State.CLOSED, edge["cases"])


def _elsewhere(graph: nx.MultiDiGraph, use: GraphUse) -> Iterator[TextLine]:
    """What the run shows, and what it does that is no edge: a step of the users, or one of which nothing is seen."""
    yield line(use.statement)
    shown = {one.step for one in use.taken if {one.source, one.target}.issubset(graph)}
    for number, what in use.steps:
        if number not in shown:
            yield line(f"step {number}, not in the picture: {what}")


# --- what ends several states alike -------------------------------------------------------------------------------

Alike = Mapping[tuple[str, str, str], list[tuple[State, GraphEdgeData]]]


def _alike(graph: nx.MultiDiGraph) -> Alike:
    """The edges to CLOSED that several states have alike, by event, guard and reply."""
    alike: dict[tuple[str, str, str], list[tuple[State, GraphEdgeData]]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        if target is State.CLOSED and is_abrupt(edge):
            alike[edge["trigger"], edge["guard"], edge["reply"]].append((source, edge))
    return {event: ends for event, ends in alike.items() if len(ends) > 1}


def _rows_alike(alike: Alike) -> Iterator[FigureRow]:
    for (_, phrases, sent), ends in alike.items():
        happens = " ".join(filter(None, [phrases, sent and f"/ {sent}", "in"]))
        names = [state.value for state, _ in ends]
        tooltip, where = in_full(edge for _, edge in ends[:1]), citation_url(ends[0][1]["section"])
        for first in range(0, len(names), 4):
            more = "," if first + 4 < len(names) else ""
            head = line(bold(name(ends[0][1])), f" {happens}") if first == 0 else line("")
            yield FigureRow((head, line(", ".join(names[first : first + 4]) + more)), tooltip, where)


# --- one state ----------------------------------------------------------------------------------------------------


def one_state(graph: nx.MultiDiGraph, state: State) -> Figure:
    """The diagram of one state: what it is for, how it is entered and left, and all that it does without being left."""
    condensed = condense(graph)
    about = condensed.nodes[state]
    stays = [edge for _, target, edge in condensed.out_edges(state, data=True) if target is state]
    rows = tuple(
        FigureRow((line(happening(edge)), line(edge["guard"]), reply(edge)), in_full([edge]), citation_url(edge["section"]))
        for edge in sorted(stays, key=lambda edge: (sort_of(edge), not edge["reply"]))
    )
    table = columns(rows)
    note = tuple(wrapped(about["meaning"], TEXT, max(READABLE, sum(table) + COLUMN_GAP * (len(table) - 1))))
    around = condensed.copy()
    around.remove_edges_from([edge for edge in condensed.edges(keys=True) if state not in edge[:2]])
    arrows = tuple(
        Arrow(_side(source, state, "before"), _side(target, state, "after"), label(edges), pen, in_full(edges), _first(edges))
        for (source, target, pen), drawn in by_pen(around).items()
        for edges in ([[edge] for edge in drawn] if pen is BROKEN else [drawn])
    )
    names = dict.fromkeys(end for arrow in arrows for end in (arrow.source, arrow.target) if end != state)
    boxes = [Box(state, state, pen_of_state(state), note, rows, about["meaning"])]
    for one in names:
        other = State(one.split()[0])
        boxes.append(Box(one, other, pen_of_state(other), tooltip=condensed.nodes[other]["meaning"]))
    pens = tuple(pen for pen in PENS if any(pen is arrow.pen for arrow in arrows))
    title = f"{state}: how it is entered, what it answers, how it is left"
    return Figure(state.lower(), title, tuple(boxes), arrows, pens=pens)


def _side(one: State, middle: State, side: str) -> str:
    """The name of a box: a state that is both before and after has two."""
    return one if one is middle else f"{one} {side}"


def _first(edges: Iterable[GraphEdgeData]) -> str:
    return citation_url(min(edges, key=lambda edge: len(edge["trigger"]))["section"])
