"""The state diagram of an endpoint, whole or in part, and the diagram of one state.

Of several edges between the same states, the simplest gives the label and the tooltip lists all. The whole diagram shows
edges that stay in a state only for the TIME-WAIT timer and the settings of TIME-WAIT; the diagram of a state and the
table show every edge. An event that ends several states alike, such as a RST or an ABORT, appears once, in a box.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest

import networkx as nx

from timewait.diagrams.box_sizes import COLUMN_GAP, LABEL, TEXT, columns
from timewait.diagrams.edges import (
    ABORTED,
    OMITTED_GUARDS,
    OPENING,
    PATHS,
    STYLES,
    TIMED,
    GraphEdgeData,
    by_style,
    event_name,
    event_span,
    in_full,
    is_abortive,
    kind_order,
    label,
    reply,
)
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, LineStyle, Span, TextLine, bold, line
from timewait.diagrams.widths import width, wrapped
from timewait.narration.graph_use import GraphUse
from timewait.narration.prose import citation_url
from timewait.spec.graph import condense
from timewait.spec.guards import Circumstances
from timewait.spec.outcome import Timer
from timewait.spec.state import State, in_rfc_spelling

LEVELS = (
    (State.FIN_WAIT_1, State.CLOSE_WAIT),
    (State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK),
)
"""States that stand side by side."""

SHARED = "shared"
"""The name of the box of events that end several states alike."""

CLOSED_AGAIN = "CLOSED_again"
"""The name of a second box for CLOSED as the end of a connection, in diagrams in which it is the beginning too."""

EVERYWHERE = frozenset({"in the window", "outside the window"})
"""Guards that together hold for every segment."""

NOTE_WIDTH = 420.0
"""The width at which the note of a box is wrapped, in pixels, unless its table is wider."""

TIME_WAIT_WEIGHT = 4
"""The weight of the arrow of the TIME-WAIT timer, the subject of the diagram."""

STATES_WIDTH = 500.0
"""The width in pixels at which texts above and below a diagram are wrapped."""

EVENT_WIDTH = 150.0
"""The width at which the event of a row is wrapped, in pixels."""

GUARD_WIDTH = 170.0
"""The width at which the guard of a row is wrapped, in pixels, in the diagram of one state."""

MOST_NEIGHBOURS = 4
"""The most states before or after a state that have a box each in its diagram."""

CONTINUED = "\u2003"
"""An em space, before the second line of an event."""

NAMES_IN_A_ROW = 3
"""The most names of states in a row of the box of shared events."""

STEPS_OF_B = re.compile(r"(?<=,) (?=B: )")
"""Where the steps of A end and those of B begin."""

TIME_WAIT_SETTINGS = frozenset({"answers", "restarts", "reset"})


def states(graph: nx.MultiDiGraph, title: str, use: GraphUse | None = None, time_wait: str = "") -> Figure:
    """The diagram of a transition graph.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        A graph of `timewait.spec.graph.transition_graph`, or a part of one.
    title : str
        The title.
    use : GraphUse or None
        A run; the edges that it uses stand out and name its steps.
    time_wait : str
        The length of TIME-WAIT in words, for instance 2 MSL; empty if it is not known.
    """
    condensed = reached(condense(graph))
    boxes = [_box(condensed, state, use) for state in condensed]
    shared = _shared(condensed)
    omitted = {
        id(edge)
        for ends in shared.values()
        for state, edge in ends
        if not (use and use.takers(state, State.CLOSED, edge["cases"]))
    }
    end = CLOSED_AGAIN if condensed.out_degree(State.CLOSED) > condensed.number_of_edges(*[State.CLOSED] * 2) else State.CLOSED
    arrows = [_with_duration(arrow, time_wait) for arrow in _arrows(condensed, omitted, end, use)]
    levels: list[tuple[str, ...]] = [tuple(state for state in level if state in condensed) for level in LEVELS]
    if end == CLOSED_AGAIN:
        boxes.append(replace(next(box for box in boxes if box.name == State.CLOSED), name=CLOSED_AGAIN))
    if shared:
        emphasis = Emphasis.PLAIN if use is None else Emphasis.FAINT
        rows = tuple(row._replace(emphasis=emphasis) for row in _shared_rows(shared))
        boxes.append(Box(SHARED, "", ABORTED, rows=rows, tooltip="Events that end these states out of order", emphasis=emphasis))
        arrows.append(Arrow(SHARED, end, (), ABORTED, "out of order", emphasis=emphasis, upwards=True))
    styles = [style for style in STYLES if any(style is arrow.style for arrow in arrows)]
    above = (line(bold(text)) for text in wrapped(title, LABEL, STATES_WIDTH, bold=True))
    caption = (*above, *(_steps_elsewhere(condensed, use) if use else ()))
    return Figure("states", title, tuple(boxes), tuple(arrows), tuple(filter(None, levels)), tuple(styles), caption)


def reached(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph without isolated states."""
    part = graph.copy()
    part.remove_nodes_from([state for state, degree in graph.degree if degree == 0])
    return part


def style_of_state(state: State) -> LineStyle:
    """The line style of a state."""
    return PATHS.get(state, OPENING)


def _box(graph: nx.MultiDiGraph, state: State, use: GraphUse | None) -> Box:
    stays = [edge for _, target, edge in graph.out_edges(state, data=True) if target is state and _is_listed(state, edge, use)]
    rows = tuple(_rows(state, stays, use))
    emphasis = Emphasis.PLAIN if use is None else Emphasis.STRONG if state in use.states else Emphasis.FAINT
    title = in_rfc_spelling(state)
    return Box(state, title, style_of_state(state), rows=rows, tooltip=graph.nodes[state]["meaning"], emphasis=emphasis)


def _is_listed(state: State, edge: GraphEdgeData, use: GraphUse | None) -> bool:
    """Whether an edge that stays has a row: it concerns TIME-WAIT, or the run uses it."""
    if use and use.takers(state, state, edge["cases"]):
        return True
    restarts = any(timer.endswith(Timer.TIME_WAIT) for timer in edge["timers"])
    return restarts or not TIME_WAIT_SETTINGS.isdisjoint(edge["settings"])


def _rows(state: State, stays: Iterable[GraphEdgeData], use: GraphUse | None) -> Iterator[FigureRow]:
    """The edges that stay in a state, those with a reply first; edges that differ in their guards alone share a row."""
    alike: dict[tuple[str, TextLine, str], list[GraphEdgeData]] = defaultdict(list)
    for edge in sorted(stays, key=lambda edge: not edge["reply"]):
        steps = use.takers(state, state, edge["cases"]) if use else ""
        alike[event_name(edge), reply(edge), steps].append(edge)
    for (_, does, steps), edges in alike.items():
        guards = [_guard(edge) for edge in edges]
        whole = (str(edge["guard"]) for edge in edges) if "" in guards and len(guards) > 1 else guards
        guard = "" if EVERYWHERE.issubset(guards) else " or ".join(whole)
        emphasis = Emphasis.PLAIN if use is None or steps else Emphasis.FAINT
        right = (does, *([line(bold(steps))] if steps else []))
        for event, rest in zip_longest(_event_lines(event_span(edges[0]), guard), right):
            cells = (event or line(""), *([rest] if rest else ()))
            yield FigureRow(cells, in_full(edges), citation_url(edges[0]["section"]), emphasis)


def _event_lines(event: Span, guard: str) -> Iterator[TextLine]:
    """An event and its guard, in a second line where both are too wide for one."""
    if guard and width(f"{event.text} ", TEXT, bold=True) + width(guard, TEXT) <= EVENT_WIDTH:
        yield (event, Span(f" {guard}"))
        return
    for place, text in enumerate(wrapped(event.text, TEXT, EVENT_WIDTH, bold=True)):
        yield (event._replace(text=f"{CONTINUED}{text}" if place else text),)
    for text in wrapped(guard, TEXT, EVENT_WIDTH):
        yield (Span(f"{CONTINUED}{text}"),)


def _with_duration(arrow: Arrow, time_wait: str) -> Arrow:
    """The arrow of the TIME-WAIT timer with its length."""
    if not time_wait or arrow.source != State.TIME_WAIT or arrow.style is not TIMED:
        return arrow
    first, *rest = arrow.label
    return replace(arrow, label=(first, line(f"after {time_wait}"), *rest))


def _guard(edge: GraphEdgeData) -> str:
    phrases = edge["guard"].split(", ")
    return ", ".join(phrase for phrase in phrases if phrase in EVERYWHERE or phrase not in OMITTED_GUARDS)


def _arrows(graph: nx.MultiDiGraph, omitted: Collection[int], end: str, use: GraphUse | None) -> Iterator[Arrow]:
    """The edges that change the state, except those in the shared box."""
    for (source, target, style), every in by_style(graph).items():
        edges = [edge for edge in every if id(edge) not in omitted]
        if not edges:
            continue
        cases = frozenset[Circumstances]().union(*(edge["cases"] for edge in edges))
        steps = use.takers(source, target, cases) if use else ""
        used = [edge for edge in edges if use and use.takers(source, target, edge["cases"])]
        text = (*label(used or edges), *(line(bold(part)) for part in STEPS_OF_B.split(steps) if part))
        emphasis = Emphasis.PLAIN if use is None else Emphasis.STRONG if steps else Emphasis.FAINT
        weight = TIME_WAIT_WEIGHT if source is State.TIME_WAIT and style is TIMED else 1
        yield Arrow(
            source, end if is_end(source, target) else target, text, style, in_full(edges), _link(edges), emphasis, weight
        )


def is_end(source: State, target: State) -> bool:
    """Whether an edge ends a connection that was open."""
    return target is State.CLOSED and (source in PATHS or source is State.ESTABLISHED)


def _link(edges: Iterable[GraphEdgeData]) -> str:
    """The address of the section of the simplest edge."""
    return citation_url(min(edges, key=lambda edge: len(edge["trigger"]))["section"])


def _steps_elsewhere(graph: nx.MultiDiGraph, use: GraphUse) -> Iterator[TextLine]:
    """The subject of a run, and its steps that are no edge of the diagram."""
    yield from map(line, wrapped(use.statement, LABEL, STATES_WIDTH))
    shown = {edge.step for edge in use.taken if {edge.source, edge.target}.issubset(graph)}
    for number, text in use.steps:
        if number not in shown:
            yield from map(line, wrapped(f"step {number}, not in the picture: {text}", LABEL, STATES_WIDTH))


# --- events that end several states alike -------------------------------------------------------------------------

OPENING_STATES = (State.SYN_SENT, State.SYN_RECEIVED)
"""States whose own ends out of order stand in the box too: arrows back to the begin would make the diagram too wide."""

SharedEdges = Mapping[tuple[str, str, str], list[tuple[State, GraphEdgeData]]]


def _shared(graph: nx.MultiDiGraph) -> SharedEdges:
    """The abortive edges to CLOSED that several states have in common, by event, guard and reply."""
    shared: dict[tuple[str, str, str], list[tuple[State, GraphEdgeData]]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        if target is State.CLOSED and is_abortive(edge):
            shared[edge["trigger"], edge["guard"], edge["reply"]].append((source, edge))
    return {event: ends for event, ends in shared.items() if len(ends) > 1 or ends[0][0] in OPENING_STATES}


def _shared_rows(shared: SharedEdges) -> Iterator[FigureRow]:
    for (_, guard, sent), ends in shared.items():
        rest = " ".join(filter(None, [guard, sent and f"/ {sent}", "in"]))
        names = [in_rfc_spelling(state) for state, _ in ends]
        tooltip, address = in_full(edge for _, edge in ends[:1]), citation_url(ends[0][1]["section"])
        for first in range(0, len(names), NAMES_IN_A_ROW):
            comma = "," if first + NAMES_IN_A_ROW < len(names) else ""
            head = line(bold(event_name(ends[0][1])), f" {rest}") if first == 0 else line("")
            yield FigureRow((head, line(", ".join(names[first : first + NAMES_IN_A_ROW]) + comma)), tooltip, address)


# --- one state ----------------------------------------------------------------------------------------------------


def one_state(graph: nx.MultiDiGraph, state: State, whose: str = "") -> Figure:
    """The diagram of one state: its meaning, the edges that enter and leave it, and those that stay.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        A graph of `timewait.spec.graph.transition_graph`, or a part of one.
    state : State
        The state.
    whose : str
        The endpoint in words, for the title; empty for none.
    """
    condensed = condense(graph)
    meaning = condensed.nodes[state]["meaning"]
    stays = [edge for _, target, edge in condensed.out_edges(state, data=True) if target is state]
    ordered = sorted(stays, key=lambda edge: (kind_order(edge), not edge["reply"]))
    rows = tuple(row for edge in ordered for row in _edge_rows(edge))
    table = columns(rows)
    note = tuple(wrapped(meaning, TEXT, max(NOTE_WIDTH, sum(table) + COLUMN_GAP * (len(table) - 1))))
    arrows = _around(condensed, state)
    names = dict.fromkeys(end for arrow in arrows for end in (arrow.source, arrow.target) if end != state)
    boxes = [Box(state, in_rfc_spelling(state), style_of_state(state), note, rows, meaning)]
    for name in names:
        others = [State(part) for part in name.split()[:-1]]
        title = ", ".join(map(in_rfc_spelling, others))
        tooltip = "\n".join(condensed.nodes[other]["meaning"] for other in others)
        styles = {style_of_state(other) for other in others}
        boxes.append(Box(name, title, styles.pop() if len(styles) == 1 else OPENING, tooltip=tooltip))
    used = tuple(style for style in STYLES if any(style is arrow.style for arrow in arrows))
    title = f"{f'{whose}: ' if whose else ''}{in_rfc_spelling(state)}, transitions and answers"
    caption = tuple(line(bold(text)) for text in wrapped(title, LABEL, STATES_WIDTH, bold=True))
    return Figure(state.lower(), title, tuple(boxes), arrows, styles=used, caption=caption)


def _around(graph: nx.MultiDiGraph, state: State) -> tuple[Arrow, ...]:
    """The arrows to and from a state; of many neighbours, those with the same arrow share a box."""
    around = graph.copy()
    around.remove_edges_from([edge for edge in graph.edges(keys=True) if state not in edge[:2]])
    arrows = [
        Arrow(_side(source, state, "before"), _side(target, state, "after"), label(edges), style, in_full(edges), _link(edges))
        for (source, target, style), every in by_style(around).items()
        for edges in ([[edge] for edge in every] if style is ABORTED else [every])
    ]
    before = [arrow for arrow in arrows if arrow.target == state]
    after = [arrow for arrow in arrows if arrow.target != state]
    return (*_together(before), *_together(after))


def _together(arrows: Collection[Arrow]) -> Iterator[Arrow]:
    """The arrows on one side of a state; where they have many other ends, those with the same label share one."""
    if len({(arrow.source, arrow.target) for arrow in arrows}) <= MOST_NEIGHBOURS:
        yield from arrows
        return
    alike: dict[tuple[tuple[TextLine, ...], LineStyle], list[Arrow]] = defaultdict(list)
    for arrow in arrows:
        alike[arrow.label, arrow.style].append(arrow)
    for some in alike.values():
        source, target = _common([arrow.source for arrow in some]), _common([arrow.target for arrow in some])
        tooltip = "\n".join(dict.fromkeys(arrow.tooltip for arrow in some))
        yield replace(some[0], source=source, target=target, tooltip=tooltip)


def _common(names: Iterable[str]) -> str:
    """The name of a box for several states on the same side of one."""
    parts = [name.split() for name in dict.fromkeys(names)]
    return " ".join([*(part[0] for part in parts), *parts[0][1:]])


def _edge_rows(edge: GraphEdgeData) -> Iterator[FigureRow]:
    """An edge that stays in a state: its event, its guard and the reply, in as many lines as the first two need."""
    event, guard = event_span(edge), wrapped(edge["guard"], TEXT, GUARD_WIDTH)
    names = wrapped(event.text, TEXT, EVENT_WIDTH, bold=True)
    spans = [event._replace(text=f"{CONTINUED}{name}" if place else name) for place, name in enumerate(names)]
    for place, (span, words) in enumerate(zip_longest(spans, guard)):
        cells = (line(span or ""), line(words or ""), *([] if place else [reply(edge)]))
        yield FigureRow(cells, in_full([edge]), citation_url(edge["section"]))


def _side(state: State, middle: State, side: str) -> str:
    """The name of a neighbour's box; a state both before and after the middle one has two boxes."""
    return state if state is middle else f"{state} {side}"
