"""The edges of a transition graph in words: complete for tables and tooltips, short for labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import networkx as nx

from timewait.diagrams.colours import BLUE, GREEN, GREY, RED
from timewait.diagrams.figure import LineStyle, Span, TextLine, bold, line
from timewait.spec.outcome import Effect, Timer
from timewait.spec.state import State

GraphEdgeData = Mapping[str, Any]

ACTIVE = LineStyle("the end that closes first", BLUE, "solid")
PASSIVE = LineStyle("the end that closes second", RED, "dashed")
TIMED = LineStyle("a timer expires", GREEN, "bold")
ABORTED = LineStyle("abort or reset", GREY, "dotted")
OPENING = LineStyle("the opening", GREY, "solid")
STYLES = (ACTIVE, PASSIVE, TIMED, ABORTED, OPENING)

PATHS = {
    State.FIN_WAIT_1: ACTIVE,
    State.FIN_WAIT_2: ACTIVE,
    State.CLOSING: ACTIVE,
    State.TIME_WAIT: ACTIVE,
    State.CLOSE_WAIT: PASSIVE,
    State.LAST_ACK: PASSIVE,
}
"""The states that only one of the two ends enters."""

ABORTIVE = frozenset({Effect.RESET.value, Effect.GAVE_UP.value, Effect.ASSASSINATED.value})
"""The effects of an edge that ends a connection out of order."""

OMITTED_GUARDS = frozenset({"at RCV.NXT", "in the window", "acknowledges nothing unsent", "acknowledges nothing new"})
"""Conditions on ordinary sequence numbers, which labels leave out and tooltips and tables contain."""

KINDS = ("call", "segment", "timer")


def style_of(source: State, target: State, edge: GraphEdgeData) -> LineStyle:
    """The line style of an edge."""
    if edge["trigger"].startswith("timer"):
        return TIMED
    if is_abortive(edge):
        return ABORTED
    return PATHS.get(target) or PATHS.get(source) or OPENING


def is_abortive(edge: GraphEdgeData) -> bool:
    """Whether an edge ends a connection out of order."""
    return not ABORTIVE.isdisjoint(edge["effects"])


def kind_order(edge: GraphEdgeData) -> int:
    """A key that sorts calls before segments before timers."""
    return KINDS.index(edge["trigger"].split()[0])


# --- complete -----------------------------------------------------------------------------------------------------


def event(edge: GraphEdgeData) -> str:
    """The event and its guard."""
    return str(edge["trigger"]).removeprefix("segment ") + (f" [{edge['guard']}]" if edge["guard"] else "")


def response(edge: GraphEdgeData) -> str:
    """The segments sent, then the timers started."""
    return ", ".join((*filter(None, [edge["reply"]]), *edge["timers"]))


def citation(edge: GraphEdgeData) -> str:
    """The section of the standard, and the settings that the edge depends on."""
    return str(edge["section"]) + (f"   settings: {', '.join(edge['settings'])}" if edge["settings"] else "")


def in_full(edges: Iterable[GraphEdgeData]) -> str:
    """Every edge on a line of its own."""
    return "\n".join(f"{event(edge)} / {response(edge) or 'nothing'}   {citation(edge)}" for edge in edges)


# --- short --------------------------------------------------------------------------------------------------------


def event_name(edge: GraphEdgeData) -> str:
    """The event without its guard."""
    kind, _, name = edge["trigger"].partition(" ")
    return f"{name} expires" if kind == "timer" else str(name)


def event_span(edge: GraphEdgeData) -> Span:
    """The event in bold, a timer in its own colour."""
    return Span(event_name(edge), bold=True, colour=GREEN if edge["trigger"].startswith("timer") else None)


def timers(edge: GraphEdgeData) -> list[Span]:
    """The timers started, except the retransmission timer."""
    return [Span(timer, italic=True, colour=GREEN) for timer in edge["timers"] if not timer.endswith(Timer.RETRANSMISSION)]


def label(edges: Collection[GraphEdgeData]) -> tuple[TextLine, ...]:
    """The simplest of some edges, on lines of their own: event, guard, segments sent, timers started."""
    edge = min(edges, key=lambda edge: len(edge["trigger"]))
    name = event_name(edge)
    lines = [line(bold(name if name.startswith("any") else name.split(", ")[0]))]
    lines += [line(phrase) for phrase in edge["guard"].split(", ") if phrase and phrase not in OMITTED_GUARDS]
    lines += [line(f"/ {edge['reply']}")] if edge["reply"] else []
    return (*lines, *(line(timer) for timer in timers(edge)))


def reply(edge: GraphEdgeData) -> TextLine:
    """The segments sent and the timers started on one line, after a slash."""
    parts = [*([Span(edge["reply"])] if edge["reply"] else []), *timers(edge)]
    spans = [Span("/ ")]
    for number, span in enumerate(parts):
        spans += [Span(", "), span] if number else [span]
    return tuple(spans) if parts else line("/ nothing")


def by_style(graph: nx.MultiDiGraph) -> dict[tuple[State, State, LineStyle], list[GraphEdgeData]]:
    """The edges that change the state, grouped into arrows."""
    arrows: dict[tuple[State, State, LineStyle], list[GraphEdgeData]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        if source is not target:
            arrows[source, target, style_of(source, target, edge)].append(edge)
    return arrows
