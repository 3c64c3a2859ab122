"""What differs between two endpoints, as their transition graphs show it: event by event, then joined and put into words.

Two graphs are compared by what comes of an event in the same circumstances, not edge by edge: an edge may be
called otherwise, or be split, and nothing a peer can see has changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import networkx as nx

from timewait.spec.graph import Circumstances, guard, one_trigger
from timewait.spec.state import State


class Consequence(NamedTuple):
    """What is seen of an event.

    Attributes
    ----------
    target : State
        The state afterwards.
    reply : str
        What is sent, by its flags; empty when nothing is.
    timers : tuple of str
        The timers started or restarted.
    """

    target: State
    reply: str
    timers: tuple[str, ...]

    def told(self, source: State) -> str:
        """What is done, as the edges of a diagram put it, for instance ``/ ACK, restart time-wait -> TIME_WAIT``."""
        done = ", ".join([*filter(None, [self.reply]), *self.timers])
        if self.target is source:
            return f"/ {done or 'nothing'}"
        return f"/ {done} -> {self.target}" if done else f"-> {self.target}"


@dataclass(frozen=True, slots=True)
class GraphChange:
    """Events of which something else comes in another graph.

    Attributes
    ----------
    source : State
        The state in which they happen.
    trigger, guard : str
        What happens, and in which circumstances; as for an edge.
    before, after : Consequence or None
        What comes of them in the one graph and in the other; None where they cannot happen.
    section : str
        Where the standard speaks of it.
    cases : frozenset of Circumstances
        All the circumstances.
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
        """Whether something is done that was not, something is not done that was, or something else is done."""
        if not _visible(self.source, self.before):
            return "added"
        return "changed" if _visible(self.source, self.after) else "missing"

    @property
    def event(self) -> str:
        """What happens, and when it makes a difference."""
        name = self.trigger.removeprefix("segment ")
        return f"{name} [{self.guard}]" if self.guard else name

    def words(self, before: str, after: str) -> str:
        """The change in a line, given what the two graphs are called."""
        one, other = (self._told(consequence) for consequence in (self.before, self.after))
        return f"{self.kind}: {self.source}, {self.event}: {after} {other}; {before} {one}"

    def _told(self, consequence: Consequence | None) -> str:
        return "never meets it" if consequence is None else consequence.told(self.source)


@dataclass(frozen=True, slots=True)
class GraphDifference:
    """All that differs.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the states, then by name.
    lost, gained : tuple of State
        The states that only the one graph reaches, and those that only the other reaches; what happens in these is no
        change of its own.
    """

    changes: tuple[GraphChange, ...]
    lost: tuple[State, ...]
    gained: tuple[State, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.lost or self.gained)

    def words(self, before: str, after: str) -> tuple[str, ...]:
        """Every difference in a line, given what the two graphs are called."""
        return (
            *(f"missing: {after} never enters {state}" for state in self.lost),
            *(f"added: {after} enters {state}, {before} never does" for state in self.gained),
            *(change.words(before, after) for change in self.changes),
        )


def difference(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> GraphDifference:
    """What differs between two transition graphs.

    Parameters
    ----------
    before, after : networkx.MultiDiGraph
        As `timewait.spec.graph.transition_graph` makes them, or the same part of each.
    """
    one, other = _reached(before), _reached(after)
    changes: list[GraphChange] = []
    for state in State:
        if state in one and state in other:
            changes += _changes(state, _outcomes(before, state), _outcomes(after, state))
    return GraphDifference(
        tuple(changes),
        tuple(state for state in State if state in one and state not in other),
        tuple(state for state in State if state in other and state not in one),
    )


class _Seen(NamedTuple):
    """What comes of an event, the last rule applied, and where the standard says so."""

    consequence: Consequence
    rule: str
    section: str


def _reached(graph: nx.MultiDiGraph) -> set[State]:
    return {state for state, about in graph.nodes(data=True) if about["silent"] or graph.out_degree(state)}


def _outcomes(graph: nx.MultiDiGraph, state: State) -> dict[Circumstances, _Seen]:
    outcomes = dict.fromkeys(graph.nodes[state]["silent"], _Seen(Consequence(state, "", ()), "", ""))
    for _, target, edge in graph.out_edges(state, data=True):
        seen = _Seen(Consequence(target, edge["reply"], edge["timers"]), edge["rules"][-1], edge["section"])
        outcomes |= dict.fromkeys(edge["cases"], seen)
    return outcomes


def _changes(state: State, one: Mapping[Circumstances, _Seen], other: Mapping[Circumstances, _Seen]) -> Iterator[GraphChange]:
    """The changes of one state; events are joined where condensed edges would be, and one guard tells them from all others."""
    alike: dict[tuple[Any, ...], list[Circumstances]] = defaultdict(list)
    every = sorted({*one, *other})
    for case in every:
        before, after = one.get(case), other.get(case)
        if _apart(state, before, after):
            rules = (before and before.rule, after and after.rule)
            alike[before and before.consequence, after and after.consequence, rules, case.trigger.split()[0]].append(case)
    for (before, after, *_), together in alike.items():
        for cases in _told_apart(together, every):
            trigger = one_trigger({case.trigger for case in cases})
            told = guard(cases, [case for case in every if case not in cases])
            yield GraphChange(state, trigger, told, before, after, _section(cases, other, one), frozenset(cases))


def _apart(state: State, before: _Seen | None, after: _Seen | None) -> bool:
    one, other = (seen and seen.consequence for seen in (before, after))
    return one != other and (_visible(state, one) or _visible(state, other))


def _visible(state: State, consequence: Consequence | None) -> bool:
    return consequence is not None and consequence != Consequence(state, "", ())


def _told_apart(cases: list[Circumstances], every: Iterable[Circumstances]) -> Iterator[list[Circumstances]]:
    """Cases as they are, if one conjunction tells them from all others; else those of each trigger, or each by itself."""
    values = [set(column) for column in zip(*cases, strict=True)]
    others = (case for case in every if case not in cases)
    if not any(all(map(set.__contains__, values, other)) for other in others):
        yield cases
        return
    parts: dict[Any, list[Circumstances]] = defaultdict(list)
    one_trigger_only = len(values[0]) == 1
    for case in cases:
        parts[case if one_trigger_only else case.trigger].append(case)
    for part in parts.values():
        yield from _told_apart(part, every)


def _section(cases: Iterable[Circumstances], *graphs: Mapping[Circumstances, _Seen]) -> str:
    """Where the standard speaks of it: as the later graph cites it, else as the earlier one does."""
    cited = [seen.section for case in cases for outcomes in graphs if (seen := outcomes.get(case)) and seen.section]
    return cited[0] if cited else ""
