"""Proofs of ``eventually`` properties that hold whatever the durations are.

Only the graph of locations is read. Take the locations in which a promise is open; a run that stays among
them for ever ends up in one strongly connected part and repeats all that it does there, while time
diverges. What cannot recur under these circumstances is taken out, the rest is split again, and when
nothing is left the promise is kept by every fair run, for every value of every parameter:

1. a step bounded from above by a clock that nothing in the part sets anew: that clock only grows;
2. a location whose invariant bounds such a clock;
3. a location that offers, without conditions or behind lower bounds on such clocks, a step of a fairness
   name that the part never serves;
4. a step that starts the very clocks on which the way out of its target depends, where that way out is of
   a name never served: on arrival it is open;
5. a step beside a sister step with no stricter guard and of a name never served: a network that loses one
   copy could have delivered it.

Nothing follows when something is left: the question is then put to an engine that knows the durations. What was
taken out, in which order and why, is a proof that `timewait.checker.liveness_certificate` checks without this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import networkx as nx

from timewait.checker.compiled import RESET, CompiledAutomaton, CompiledEdge, CompiledLocation
from timewait.checker.engine import TIME_LOCK, DecisionEngine
from timewait.checker.finding import Budget, Finding
from timewait.checker.liveness_certificate import Component, Exclusion, Reason
from timewait.checker.question import Engine, Question
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Location, Property


class GraphEdge(NamedTuple):
    """An edge between two numbered locations: the location, the number of the edge there, and the edge."""

    source: int
    number: int
    edge: CompiledEdge

    @property
    def target(self) -> int:
        """The location it leads to."""
        return self.edge.target


def proof_of(automaton: CompiledAutomaton, asked: Property) -> Component | None:
    """How it is shown that every fair run keeps the promise of an ``eventually`` property; None where it is not.

    It holds for every value of every parameter. Locations in the proof are those of the automaton's system.
    """
    locations, (inside, hops) = automaton.explore(), _open_part(automaton, asked)
    parts = _kept(locations, inside, hops, asked)
    return None if parts is None else Component(_named(locations, inside), (), parts)


def undecided(automaton: CompiledAutomaton, asked: Property) -> Iterator[tuple[frozenset[int], list[GraphEdge]]]:
    """The strongly connected parts in which a run may stay, as far as the graph tells: each fair one ends up in one."""
    locations = automaton.explore()
    waiting = [_open_part(automaton, asked)]
    while waiting:
        for part, within in _parts(*waiting.pop()):
            if _silent(within, asked):
                continue
            if out := tuple(_leaving(locations, part, within)):
                waiting.append(_left(locations, part, within, out))
            else:
                yield part, within


def _open_part(automaton: CompiledAutomaton, asked: Property) -> tuple[frozenset[int], list[GraphEdge]]:
    """The locations in which the promise is open, and the hops among them."""
    locations = automaton.explore()
    inside = frozenset(number for number, location in enumerate(locations) if asked.name in location.pending)
    return inside, [
        GraphEdge(number, index, edge)
        for number in sorted(inside)
        for index, edge in enumerate(locations[number].edges)
        if edge.target in inside
    ]


def _named(locations: Sequence[CompiledLocation], part: frozenset[int]) -> frozenset[Location]:
    return frozenset(locations[number].original for number in part)


def _silent(hops: list[GraphEdge], asked: Property) -> bool:
    """Whether a run may stay, since it makes none of the noise that is forbidden."""
    return asked.recurrent and not any(asked.name in hop.edge.original.recurrent for hop in hops)


def _kept(
    locations: Sequence[CompiledLocation], nodes: frozenset[int], hops: list[GraphEdge], asked: Property
) -> tuple[Component, ...] | None:
    """The parts among which runs pass, in order, each with what shows that none stays in it; None where one may."""
    found = []
    for part, within in _parts(nodes, hops):
        if _silent(within, asked):
            found.append(Component(_named(locations, part), (), (), harmless=True))
            continue
        out = tuple(_leaving(locations, part, within))
        deeper = _kept(locations, *_left(locations, part, within, out), asked) if out else None
        if deeper is None:
            return None
        found.append(Component(_named(locations, part), out, deeper))
    return tuple(found)


def _left(
    locations: Sequence[CompiledLocation], part: frozenset[int], hops: list[GraphEdge], out: Sequence[Exclusion]
) -> tuple[frozenset[int], list[GraphEdge]]:
    """What may recur when some cannot."""
    gone = {one.location for one in out if one.edge is None}
    dropped = {(one.location, one.edge) for one in out}
    left = frozenset(number for number in part if locations[number].original not in gone)
    return left, [
        hop
        for hop in hops
        if hop.source in left and hop.target in left and (locations[hop.source].original, hop.number) not in dropped
    ]


def _parts(nodes: frozenset[int], hops: list[GraphEdge]) -> Iterator[tuple[frozenset[int], list[GraphEdge]]]:
    """The strongly connected parts, each with the hops inside it, in the order in which runs pass from one to the next.

    A lone location is one too: time may pass there.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(nodes))
    graph.add_edges_from((hop.source, hop.target) for hop in hops)
    condensed = nx.condensation(graph)
    home = condensed.graph["mapping"]
    inner: dict[int, list[GraphEdge]] = {}
    for hop in hops:
        if home[hop.source] == home[hop.target]:
            inner.setdefault(home[hop.source], []).append(hop)
    for index in nx.lexicographical_topological_sort(condensed, key=lambda index: min(condensed.nodes[index]["members"])):
        yield frozenset(condensed.nodes[index]["members"]), inner.get(index, [])


def _leaving(locations: Sequence[CompiledLocation], part: frozenset[int], hops: list[GraphEdge]) -> Iterator[Exclusion]:
    """What cannot recur for ever in a part: locations, and hops between those that are left."""
    started = {
        clock
        for hop in hops
        for clock, origin in zip(locations[hop.target].clocks, hop.edge.updates, strict=True)
        if origin == RESET or (origin >= 0 and locations[hop.source].clocks[origin] != clock)
    }
    served = frozenset().union(*(hop.edge.original.fair for hop in hops))

    def grows(location: CompiledLocation, clock: int) -> bool:
        return location.clocks[clock] not in started

    def of_location(location: CompiledLocation) -> Exclusion | None:
        if any(grows(location, test.clock) for test in location.invariant):
            return Exclusion(location.original, None, Reason.PAST_BOUND, None)
        for number, edge in enumerate(location.edges):
            open_late = all(test.relation == ">" and grows(location, test.clock) for test in edge.guard)
            if open_late and edge.original.fair - served:
                return Exclusion(location.original, None, Reason.UNTAKEN_HERE, number)
        return None

    def of_hop(hop: GraphEdge) -> Exclusion | None:
        location = locations[hop.source]
        if any(test.relation in ("<=", "==") and grows(location, test.clock) for test in hop.edge.guard):
            return Exclusion(location.original, hop.number, Reason.PAST_BOUND, None)
        for number, sister in enumerate(location.edges):
            if sister.original.fair - served and set(sister.guard) <= set(hop.edge.guard):
                return Exclusion(location.original, hop.number, Reason.UNTAKEN_ALTERNATIVE, number)
        for number, out in enumerate(locations[hop.target].edges):
            at_once = all(test.relation == "<=" and hop.edge.updates[test.clock] == RESET for test in out.guard)
            if out.guard and at_once and out.original.fair - served:
                return Exclusion(location.original, hop.number, Reason.UNTAKEN_ON_ENTRY, number)
        return None

    gone = set()
    for number in sorted(part):
        if found := of_location(locations[number]):
            gone.add(number)
            yield found
    for hop in hops:
        if not {hop.source, hop.target} & gone and (found := of_hop(hop)):
            yield found


class GraphEngine(DecisionEngine):
    """Proofs from the location graph, for every value of every parameter."""

    label = "graph, every duration"
    kind = "eventually"
    choices = frozenset({Engine.ZONES, Engine.SMT})

    def supports(self, question: Question) -> bool:
        return question.finite is not None

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        del budget
        findings = []
        for asked in properties:
            started = time.monotonic()
            if proof_of(question.whole, asked) is not None:
                finding = Finding(asked.name, Verdict.PROVED, self.label, states=len(question.whole.explore()))
                if question.may_time_lock:
                    finding = finding.but(Verdict.VACUOUS, TIME_LOCK)
                findings.append(replace(finding, seconds=time.monotonic() - started))
        return findings
