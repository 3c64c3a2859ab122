"""What a run uses of a transition graph: the states it passes through, and the edges it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import networkx as nx

from timewait.checker.trace import Step, Trace
from timewait.spec.exchange import ENDS
from timewait.spec.graph import Circumstances
from timewait.spec.state import State
from timewait.vocabulary.replay import Packet


class TakenEdge(NamedTuple):
    """An edge, taken.

    Attributes
    ----------
    source, target : State
        From where, and whereto.
    cases : frozenset of Circumstances
        Those of the edge.
    end : str
        Which end took it.
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
    """What a run uses.

    Attributes
    ----------
    statement : str
        What the run shows, or shows broken.
    states : frozenset of State
        Where either end is at some time.
    taken : tuple of Taken
        The edges taken, in the order of the run.
    steps : tuple of (int, str)
        Every step of the run, in words.
    """

    statement: str
    states: frozenset[State]
    taken: tuple[TakenEdge, ...]
    steps: tuple[tuple[int, str], ...]

    def takers(self, source: State, target: State, cases: Collection[Circumstances]) -> str:
        """Who takes an edge, and when, for instance ``A: step 4, B: steps 1 and 7``; empty if nobody does."""
        steps: dict[str, list[int]] = defaultdict(list)
        for one in self.taken:
            if (one.source, one.target) == (source, target) and not one.cases.isdisjoint(cases):
                steps[one.end].append(one.step)
        return ", ".join(f"{end}: {_listed(numbers)}" for end, numbers in sorted(steps.items()))


MANY = 4
"""More steps than that are not listed one by one."""


def _listed(steps: list[int]) -> str:
    if len(steps) == 1:
        return f"step {steps[0]}"
    if len(steps) > MANY:
        return f"{len(steps)} steps from {steps[0]} to {steps[-1]}"
    return f"steps {', '.join(map(str, steps[:-1]))} and {steps[-1]}"


class NotInGraph(ValueError):
    """A step of a run that is no edge of the graph; the message says which."""


def graph_use(trace: Trace, graph: nx.MultiDiGraph) -> GraphUse:
    """What a run uses of a graph.

    Parameters
    ----------
    trace : Trace
        A run.
    graph : networkx.MultiDiGraph
        The transition graph of the behaviour that ran.

    Raises
    ------
    NotOfThisGraph
        The run does what the graph does not have.
    """
    states = {State(str(trace.initial[f"{end}.state"])) for end in ENDS}
    taken = []
    before = trace.initial
    for step in trace.steps:
        end = step.event.actor
        here, there = (str(values.get(f"{end}.state", "")) for values in (before, step.state))
        if end in ENDS and {here, there} <= set(State):
            source, target = State(here), State(there)
            states |= {source, target}
            taken += [TakenEdge(source, target, cases, end, step.number) for cases in _taken(graph, step, source, target)]
        before = step.state
    steps = tuple((step.number, f"{step.event.actor} {step.event.text}") for step in trace.steps)
    return GraphUse(f"{trace.shows}: {trace.statement}", frozenset(states), tuple(taken), steps)


def _taken(graph: nx.MultiDiGraph, step: Step, here: State, there: State) -> Iterable[frozenset[Circumstances]]:
    """The cases of the edge that a step takes: none when it is one of which nothing is seen."""
    like = matching_edges(graph, step, here, there)
    edges = [edge for edge in like if edge["reply"] == reply(step)] or like
    if not edges and (here is not there or step.event.sent):
        raise NotInGraph(f"step {step.number} ({step.event.actor} {step.event.text}) is no edge of this graph")
    return [frozenset[Circumstances]().union(*(edge["cases"] for edge in edges))] if edges else []


def matching_edges(graph: nx.MultiDiGraph, step: Step, here: State, there: State) -> list[Mapping[str, Any]]:
    """The edges from one state to another whose trigger and rules are those of a step."""
    rules = tuple(name for name, _, _ in step.event.rules)
    between = graph.get_edge_data(here, there, default={}).values()
    return [edge for edge in between if edge["rules"] == rules and _triggers(edge["trigger"], step.event.received)]


def reply(step: Step) -> str:
    """What a step sends, as edges have it."""
    return ", ".join(map(flags, step.event.sent))


def flags(copy: Packet) -> str:
    """The control bits of a copy, in words."""
    return copy.text.split()[0]


def _triggers(trigger: str, received: Packet | None) -> bool:
    if received is None:
        return not trigger.startswith("segment")
    return trigger == ("segment RST" if flags(received).startswith("RST") else f"segment {flags(received)}")
