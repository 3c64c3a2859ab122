"""The differences between two endpoints, found event by event in their transition graphs, then joined and put into words.

Two graphs are compared by the outcome of each event in the same circumstances, not edge by edge: an edge may be named
otherwise, or be split, although a peer sees no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import networkx as nx

from timewait.spec.guards import Circumstances, guard, joint_trigger
from timewait.spec.state import State

NEVER = "never meets it"
"""Words for an endpoint at which an event cannot occur, such as the expiry of a timer that it does not have."""


class Consequence(NamedTuple):
    """The visible outcome of an event.

    Attributes
    ----------
    target : State
        The state afterwards.
    reply : str
        The flags of the segments sent; empty if nothing is sent.
    timers : tuple of str
        The timers started or restarted.
    """

    target: State
    reply: str
    timers: tuple[str, ...]

    def described(self, source: State) -> str:
        """The outcome as the edges of a diagram state it, for instance ``/ ACK, restart time-wait -> TIME_WAIT``."""
        answer = ", ".join([*filter(None, [self.reply]), *self.timers])
        if self.target is source:
            return f"/ {answer or 'nothing'}"
        return f"/ {answer} -> {self.target}" if answer else f"-> {self.target}"


@dataclass(frozen=True, slots=True)
class GraphChange:
    """Events that have another outcome in another graph.

    Attributes
    ----------
    source : State
        The state in which they occur.
    trigger, guard : str
        The event and its circumstances, as for an edge.
    before, after : Consequence or None
        Their outcome in one graph and in the other; None where they cannot occur.
    section : str
        The section of the standard.
    cases : frozenset of Circumstances
        All circumstances.
    """

    source: State
    trigger: str
    guard: str
    before: Consequence | None
    after: Consequence | None
    section: str
    cases: frozenset[Circumstances]

    @property
    def kind(self) -> Literal["added", "missing", "changed"]:
        """Whether the event has an effect only in the other graph, only in the first, or another one in each."""
        if not _visible(self.source, self.before):
            return "added"
        return "changed" if _visible(self.source, self.after) else "missing"

    @property
    def event(self) -> str:
        """The event with its guard."""
        name = self.trigger.removeprefix("segment ")
        return f"{name} [{self.guard}]" if self.guard else name

    def words(self, before: str, after: str) -> str:
        """The change in a line, with the names of the two graphs."""
        first, second = (self._described(outcome) for outcome in (self.before, self.after))
        return f"{self.kind}: {self.source}, {self.event}: {after} {second}; {before} {first}"

    def _described(self, outcome: Consequence | None) -> str:
        return NEVER if outcome is None else outcome.described(self.source)


@dataclass(frozen=True, slots=True)
class GraphDifference:
    """All differences.

    Attributes
    ----------
    changes : tuple of GraphChange
        In the order of the states, then by name.
    lost, gained : tuple of State
        The states that only the first graph reaches, and those that only the other reaches; events in these are not
        changes of their own.
    """

    changes: tuple[GraphChange, ...]
    lost: tuple[State, ...]
    gained: tuple[State, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.lost or self.gained)

    def words(self, before: str, after: str) -> tuple[str, ...]:
        """Every difference in a line, with the names of the two graphs."""
        return (
            *(f"missing: {after} never enters {state}" for state in self.lost),
            *(f"added: {after} enters {state}, {before} never does" for state in self.gained),
            *(change.words(before, after) for change in self.changes),
        )


def difference(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> GraphDifference:
    """The differences between two transition graphs.

    Parameters
    ----------
    before, after : networkx.MultiDiGraph
        Results of `timewait.spec.graph.transition_graph`, or the same part of each.
    """
    first, second = _reached(before), _reached(after)
    changes: list[GraphChange] = []
    for state in State:
        if state in first and state in second:
            one, other = _outcomes(before, state), _outcomes(after, state)
            changes += _changes(state, _refined(one, other), _refined(other, one))
    return GraphDifference(
        tuple(changes),
        tuple(state for state in State if state in first and state not in second),
        tuple(state for state in State if state in second and state not in first),
    )


class _Result(NamedTuple):
    """The outcome of an event, the last rule applied, and its section."""

    consequence: Consequence
    rule: str
    section: str


_Results = Mapping[Circumstances, _Result]


def _reached(graph: nx.MultiDiGraph) -> set[State]:
    return {state for state, about in graph.nodes(data=True) if about["silent"] or graph.out_degree(state)}


def _outcomes(graph: nx.MultiDiGraph, state: State) -> dict[Circumstances, _Result]:
    outcomes = dict.fromkeys(graph.nodes[state]["silent"], _Result(Consequence(state, "", ()), "", ""))
    for _, target, edge in graph.out_edges(state, data=True):
        result = _Result(Consequence(target, edge["reply"], edge["timers"]), edge["rules"][-1], edge["section"])
        outcomes |= dict.fromkeys(edge["cases"], result)
    return outcomes


def _refined(outcomes: _Results, others: _Results) -> dict[Circumstances, _Result]:
    """Outcomes by the circumstances that the other graph tells apart; a feature that plays no part may have any value."""
    refined: dict[Circumstances, _Result] = {}
    for case, result in outcomes.items():
        narrower = () if case in others else [other for other in others if other not in outcomes and _covers(case, other)]
        refined |= dict.fromkeys(narrower or (case,), result)
    return refined


def _covers(case: Circumstances, other: Circumstances) -> bool:
    """Whether circumstances are the other ones but for features that play no part."""
    return all(value in ("", found) for value, found in zip(case, other, strict=True))


def _changes(
    state: State, first: Mapping[Circumstances, _Result], second: Mapping[Circumstances, _Result]
) -> Iterator[GraphChange]:
    """The changes of one state; events are joined as condensed edges are, if one guard separates them from all others."""
    alike: dict[tuple[Any, ...], list[Circumstances]] = defaultdict(list)
    every = sorted({*first, *second})
    for case in every:
        before, after = first.get(case), second.get(case)
        if _differ(state, before, after):
            rules = (before and before.rule, after and after.rule)
            alike[before and before.consequence, after and after.consequence, rules, case.trigger.split()[0]].append(case)
    for (before, after, *_), together in alike.items():
        for cases in _separable(together, every):
            trigger = joint_trigger({case.trigger for case in cases})
            phrase = guard(cases, [case for case in every if case not in cases])
            yield GraphChange(state, trigger, phrase, before, after, _section(cases, second, first), frozenset(cases))


def _differ(state: State, before: _Result | None, after: _Result | None) -> bool:
    first, second = (result and result.consequence for result in (before, after))
    return first != second and (_visible(state, first) or _visible(state, second))


def _visible(state: State, consequence: Consequence | None) -> bool:
    return consequence is not None and consequence != Consequence(state, "", ())


def _separable(cases: list[Circumstances], every: Iterable[Circumstances]) -> Iterator[list[Circumstances]]:
    """The cases together, if one conjunction separates them from all others; else those of each trigger, or each alone."""
    values = [set(column) for column in zip(*cases, strict=True)]
    others = (case for case in every if case not in cases)
    if not any(all(map(set.__contains__, values, other)) for other in others):
        yield cases
        return
    parts: dict[Any, list[Circumstances]] = defaultdict(list)
    single_trigger = len(values[0]) == 1
    for case in cases:
        parts[case if single_trigger else case.trigger].append(case)
    for part in parts.values():
        yield from _separable(part, every)


def _section(cases: Iterable[Circumstances], *graphs: _Results) -> str:
    """The section of the standard, as the second graph cites it, else as the first does."""
    cited = [result.section for case in cases for outcomes in graphs if (result := outcomes.get(case)) and result.section]
    return cited[0] if cited else ""
