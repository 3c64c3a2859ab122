"""The states and edges of a transition graph that a run uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import networkx as nx

from timewait.checker.trace import Step, Trace
from timewait.narration.prose import listed
from timewait.spec.exchange import ENDS
from timewait.spec.guards import Circumstances
from timewait.spec.state import State
from timewait.vocabulary.replay import Packet

MAX_LISTED = 4
"""Steps that are listed one by one."""


class TakenEdge(NamedTuple):
    """An edge of the graph that a step takes.

    Attributes
    ----------
    source, target : State
        The states before and after.
    cases : frozenset of Circumstances
        The cases of the edge.
    end : str
        The end that takes it.
    step : int
        The step of the run.
    """

    source: State
    target: State
    cases: frozenset[Circumstances]
    end: str
    step: int


@dataclass(frozen=True, slots=True)
class GraphUse:
    """The part of a graph that a run uses.

    Attributes
    ----------
    statement : str
        The property that the run violates, or the scenario that it shows.
    states : frozenset of State
        The states that either end is in at some time.
    taken : tuple of TakenEdge
        The edges taken, in the order of the run.
    steps : tuple of (int, str)
        The number and the description of every step.
    """

    statement: str
    states: frozenset[State]
    taken: tuple[TakenEdge, ...]
    steps: tuple[tuple[int, str], ...]

    def takers(self, source: State, target: State, cases: Collection[Circumstances]) -> str:
        """The ends and steps that take an edge, for instance ``A: step 4, B: steps 1 and 7``; empty if none does."""
        steps: dict[str, list[int]] = defaultdict(list)
        for edge in self.taken:
            if (edge.source, edge.target) == (source, target) and not edge.cases.isdisjoint(cases):
                steps[edge.end].append(edge.step)
        return ", ".join(f"{end}: {_listed(numbers)}" for end, numbers in sorted(steps.items()))


def _listed(steps: list[int]) -> str:
    if len(steps) > MAX_LISTED:
        return f"{len(steps)} steps from {steps[0]} to {steps[-1]}"
    return f"step{'s' if len(steps) > 1 else ''} {listed([str(step) for step in steps])}"


class NotInGraph(ValueError):
    """A step of a run that is no edge of the graph; the message names it."""


def graph_use(trace: Trace, graph: nx.MultiDiGraph) -> GraphUse:
    """The part of a graph that a run uses.

    Parameters
    ----------
    trace : Trace
        A run.
    graph : networkx.MultiDiGraph
        The transition graph of the same behaviour.

    Raises
    ------
    NotInGraph
        A step of the run is no edge of the graph.
    """
    states = {State(str(trace.initial[f"{end}.state"])) for end in ENDS}
    taken = []
    before = trace.initial
    for step in trace.steps:
        end = step.event.actor
        names = [str(values.get(f"{end}.state", "")) for values in (before, step.state)]
        if end in ENDS and set(names) <= set(State):
            source, target = map(State, names)
            states |= {source, target}
            taken += [TakenEdge(source, target, cases, end, step.number) for cases in _cases(graph, step, source, target)]
        before = step.state
    steps = tuple((step.number, str(step.event)) for step in trace.steps)
    return GraphUse(f"{trace.shows}: {trace.statement}", frozenset(states), tuple(taken), steps)


def _cases(graph: nx.MultiDiGraph, step: Step, source: State, target: State) -> Iterable[frozenset[Circumstances]]:
    """The cases of the edge that a step takes; empty for a step without visible effect that is no edge."""
    like = matching_edges(graph, step, source, target)
    edges = [edge for edge in like if edge["reply"] == reply(step)] or like
    if not edges and (source is not target or step.event.sent):
        raise NotInGraph(f"step {step.number} ({step.event}) is no edge of this graph")
    return [frozenset[Circumstances]().union(*(edge["cases"] for edge in edges))] if edges else []


def matching_edges(graph: nx.MultiDiGraph, step: Step, source: State, target: State) -> list[Mapping[str, Any]]:
    """The edges between two states whose trigger and rules are those of a step."""
    rules = tuple(name for name, _, _ in step.event.rules)
    between = graph.get_edge_data(source, target, default={}).values()
    return [edge for edge in between if edge["rules"] == rules and _triggers(edge["trigger"], step.event.received)]


def reply(step: Step) -> str:
    """What a step sends, in the form of the graph's ``reply`` attribute."""
    return ", ".join(map(flags, step.event.sent))


def flags(copy: Packet) -> str:
    """The control bits of a copy, for instance ``FIN+ACK``."""
    return copy.text.split()[0]


def _triggers(trigger: str, received: Packet | None) -> bool:
    if received is None:
        return not trigger.startswith("segment")
    return trigger == ("segment RST" if flags(received).startswith("RST") else f"segment {flags(received)}")
