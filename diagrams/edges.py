"""The edges of a transition graph in words: whole, for tables and tooltips, and short, for pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import networkx as nx

from timewait.diagrams.colours import BLUE, GREEN, GREY, RED
from timewait.diagrams.figure import Pen, Span, TextLine, bold, line
from timewait.spec.endpoint import Effect, Timer
from timewait.spec.state import State

GraphEdgeData = Mapping[str, Any]

ACTIVE = Pen("the end that closes first", BLUE, "solid")
PASSIVE = Pen("the end that closes second", RED, "dashed")
TIMED = Pen("a timer runs out", GREEN, "bold")
BROKEN = Pen("not in order", GREY, "dotted")
OPENING = Pen("the connection opens", GREY, "solid")
PENS = (ACTIVE, PASSIVE, TIMED, BROKEN, OPENING)

PATHS = {
    State.FIN_WAIT_1: ACTIVE,
    State.FIN_WAIT_2: ACTIVE,
    State.CLOSING: ACTIVE,
    State.TIME_WAIT: ACTIVE,
    State.CLOSE_WAIT: PASSIVE,
    State.LAST_ACK: PASSIVE,
}
"""The states that only one of the two ends passes through."""

ABRUPT = frozenset({Effect.RESET.value, Effect.GAVE_UP.value, Effect.ASSASSINATED.value})
"""The effects of an edge that ends a connection otherwise than in order."""

UNSAID = frozenset({"at RCV.NXT", "in the window", "acknowledges nothing unsent", "acknowledges nothing new"})
"""What a picture leaves to tooltip and table: that a segment has the numbers it should have."""

SORTS = ("call", "segment", "timer")


def pen_of(source: State, target: State, edge: GraphEdgeData) -> Pen:
    """How an edge is drawn."""
    if edge["trigger"].startswith("timer"):
        return TIMED
    if is_abrupt(edge):
        return BROKEN
    return PATHS.get(target) or PATHS.get(source) or OPENING


def is_abrupt(edge: GraphEdgeData) -> bool:
    """Whether an edge ends a connection otherwise than in order."""
    return not ABRUPT.isdisjoint(edge["effects"])


def sort_of(edge: GraphEdgeData) -> int:
    """Where an edge stands in a list: calls first, then segments, then timers."""
    return SORTS.index(edge["trigger"].split()[0])


# --- whole --------------------------------------------------------------------------------------------------------


def event(edge: GraphEdgeData) -> str:
    """What happens, and when."""
    return str(edge["trigger"]).removeprefix("segment ") + (f" [{edge['guard']}]" if edge["guard"] else "")


def answer(edge: GraphEdgeData) -> str:
    """What is done: segments sent, then timers."""
    return ", ".join((*filter(None, [edge["reply"]]), *edge["timers"]))


def authority(edge: GraphEdgeData) -> str:
    """Where the standard says so, and the settings."""
    return str(edge["section"]) + (f"   settings: {', '.join(edge['settings'])}" if edge["settings"] else "")


def in_full(edges: Iterable[GraphEdgeData]) -> str:
    """Every edge in a line of its own."""
    return "\n".join(f"{event(edge)} / {answer(edge) or 'nothing'}   {authority(edge)}" for edge in edges)


# --- short --------------------------------------------------------------------------------------------------------


def name(edge: GraphEdgeData) -> str:
    """What happens, whatever else is so."""
    sort, _, what = edge["trigger"].partition(" ")
    return f"{what} runs out" if sort == "timer" else str(what)


def happening(edge: GraphEdgeData) -> Span:
    """What happens, set in bold; a timer in its own colour."""
    return Span(name(edge), bold=True, ink=GREEN if edge["trigger"].startswith("timer") else None)


def timers(edge: GraphEdgeData) -> list[Span]:
    """The timers started, marked; the retransmission timer goes without saying."""
    return [Span(timer, italic=True, ink=GREEN) for timer in edge["timers"] if not timer.endswith(Timer.RETRANSMISSION)]


def label(edges: Collection[GraphEdgeData]) -> tuple[TextLine, ...]:
    """The plainest of some events, its guard, what is sent and the timers started, a line each."""
    edge = min(edges, key=lambda one: len(one["trigger"]))
    what = name(edge)
    lines = [line(bold(what if what.startswith("any") else what.split(", ")[0]))]
    lines += [line(phrase) for phrase in edge["guard"].split(", ") if phrase and phrase not in UNSAID]
    lines += [line(f"/ {edge['reply']}")] if edge["reply"] else []
    return (*lines, *(line(timer) for timer in timers(edge)))


def reply(edge: GraphEdgeData) -> TextLine:
    """What is sent, and the timers started, in one line; a slash stands before it."""
    parts = [Span(edge["reply"])] if edge["reply"] else []
    spans: list[Span] = [Span("/ ")]
    for span in [*parts, *timers(edge)]:
        spans += [Span(", "), span] if len(spans) > 1 else [span]
    return tuple(spans) if len(spans) > 1 else line("/ nothing")


def by_pen(graph: nx.MultiDiGraph) -> dict[tuple[State, State, Pen], list[GraphEdgeData]]:
    """The edges that move, those together that a picture shows as one."""
    drawn: dict[tuple[State, State, Pen], list[GraphEdgeData]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        if source is not target:
            drawn[source, target, pen_of(source, target, edge)].append(edge)
    return drawn
