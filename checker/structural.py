"""Proofs of ``eventually`` properties from the graph of locations, for every value of every duration.

Take the locations in which a property is pending. A run that stays among them for ever ends up in one strongly
connected component and repeats all that it does there, while time diverges. What cannot recur under these circumstances is
excluded, the rest is split again, and when nothing is left every fair run fulfils the property:

1. an edge with an upper bound on a clock that nothing in the component resets: that clock only grows;
2. a location whose invariant bounds such a clock;
3. a location with an edge of a fairness name that the component never serves, without a guard or with lower bounds on
   such clocks alone;
4. an edge that resets the clocks in the guard of an edge out of its target, if that edge has a name never served: it is
   possible on entry;
5. an edge beside another one with no stricter guard and a name never served: a network that loses a copy could
   have delivered it.

If something is left, nothing follows, and an engine that knows the durations is asked. The exclusions, in order and with
their reasons, are a proof that `timewait.checker.liveness_certificate` checks without this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from timewait.checker import digraphs
from timewait.checker.compiled import RESET, CompiledAutomaton, CompiledEdge, CompiledLocation
from timewait.checker.engine import TIME_LOCK, DecisionEngine
from timewait.checker.finding import Budget, Finding, Stopped
from timewait.checker.liveness_certificate import Component, Exclusion, Reason
from timewait.checker.question import Engine, Question
from timewait.checker.quotient_graph import may_stay_pending
from timewait.checker.quotient_table import QuotientTable
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Location, Property


class GraphEdge(NamedTuple):
    """An edge with the number of its source and its own number there."""

    source: int
    number: int
    compiled: CompiledEdge

    @property
    def target(self) -> int:
        """The number of its target."""
        return self.compiled.target


def is_proved(automaton: CompiledAutomaton, asked: Property) -> bool:
    """Whether there is a proof that every fair run fulfils an ``eventually`` property; by compiled functions where possible."""
    if isinstance(automaton, QuotientTable):
        return not may_stay_pending(automaton, asked)
    return proof_of(automaton, asked) is not None


def proof_of(automaton: CompiledAutomaton, asked: Property) -> Component | None:
    """The proof that every fair run fulfils an ``eventually`` property, for every parameter value; None if there is none.

    Locations in the proof are those of the automaton's system.
    """
    locations, (inside, edges) = automaton.explore(), _pending_part(automaton, asked)
    parts = _kept(locations, inside, edges, asked)
    return None if parts is None else Component(_named(locations, inside), (), parts)


def undecided(automaton: CompiledAutomaton, asked: Property) -> Iterator[tuple[frozenset[int], list[GraphEdge]]]:
    """The strongly connected components in which, by the graph alone, a fair run may stay for ever."""
    locations = automaton.explore()
    waiting = [_pending_part(automaton, asked)]
    while waiting:
        for part, within in _parts(*waiting.pop()):
            if _harmless(within, asked):
                continue
            if out := tuple(_exclusions(locations, part, within)):
                waiting.append(_left(locations, part, within, out))
            else:
                yield part, within


def _pending_part(automaton: CompiledAutomaton, asked: Property) -> tuple[frozenset[int], list[GraphEdge]]:
    """The locations in which a property is pending, and the edges among them."""
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


def _harmless(edges: list[GraphEdge], asked: Property) -> bool:
    """Whether a run may stay, because no edge is a recurrent event of the property."""
    return asked.recurrent and not any(asked.name in edge.compiled.original.recurrent for edge in edges)


def _kept(
    locations: Sequence[CompiledLocation], nodes: frozenset[int], edges: list[GraphEdge], asked: Property
) -> tuple[Component, ...] | None:
    """The components in the order in which runs pass them, each with its exclusions; None where a run may stay in one."""
    found = []
    for part, within in _parts(nodes, edges):
        if _harmless(within, asked):
            found.append(Component(_named(locations, part), (), (), harmless=True))
            continue
        out = tuple(_exclusions(locations, part, within))
        deeper = _kept(locations, *_left(locations, part, within, out), asked) if out else None
        if deeper is None:
            return None
        found.append(Component(_named(locations, part), out, deeper))
    return tuple(found)


def _left(
    locations: Sequence[CompiledLocation], part: frozenset[int], edges: list[GraphEdge], out: Sequence[Exclusion]
) -> tuple[frozenset[int], list[GraphEdge]]:
    """The locations and edges that are left after some exclusions."""
    gone = {one.location for one in out if one.edge is None}
    dropped = {(one.location, one.edge) for one in out}
    left = frozenset(number for number in part if locations[number].original not in gone)
    return left, [
        edge
        for edge in edges
        if edge.source in left and edge.target in left and (locations[edge.source].original, edge.number) not in dropped
    ]


def _parts(nodes: frozenset[int], edges: list[GraphEdge]) -> Iterator[tuple[frozenset[int], list[GraphEdge]]]:
    """The strongly connected components, each with its edges, in the order in which runs pass them.

    A lone location is a component too: time may pass there.
    """
    found = [*digraphs.ordered_components(nodes, ((edge.source, edge.target) for edge in edges))]
    home = {node: index for index, part in enumerate(found) for node in part}
    inner: dict[int, list[GraphEdge]] = {}
    for edge in edges:
        if home[edge.source] == home[edge.target]:
            inner.setdefault(home[edge.source], []).append(edge)
    for index, part in enumerate(found):
        yield part, inner.get(index, [])


def _exclusions(locations: Sequence[CompiledLocation], part: frozenset[int], edges: list[GraphEdge]) -> Iterator[Exclusion]:
    """The locations that cannot recur for ever in a component, and the edges among the others that cannot."""
    started = {
        clock
        for edge in edges
        for clock, origin in zip(locations[edge.target].clocks, edge.compiled.updates, strict=True)
        if origin == RESET or (origin >= 0 and locations[edge.source].clocks[origin] != clock)
    }
    served = frozenset().union(*(edge.compiled.original.fair for edge in edges))

    def grows(location: CompiledLocation, clock: int) -> bool:
        return location.clocks[clock] not in started

    def of_location(location: CompiledLocation) -> Exclusion | None:
        if any(grows(location, test.clock) for test in location.invariant):
            return Exclusion(location.original, None, Reason.PAST_BOUND, None)
        for number, edge in enumerate(location.edges):
            possible_late = all(test.relation == ">" and grows(location, test.clock) for test in edge.guard)
            if possible_late and edge.original.fair - served:
                return Exclusion(location.original, None, Reason.UNTAKEN_HERE, number)
        return None

    def of_edge(edge: GraphEdge) -> Exclusion | None:
        location = locations[edge.source]
        if any(test.relation in ("<=", "==") and grows(location, test.clock) for test in edge.compiled.guard):
            return Exclusion(location.original, edge.number, Reason.PAST_BOUND, None)
        for number, other in enumerate(location.edges):
            if other.original.fair - served and set(other.guard) <= set(edge.compiled.guard):
                return Exclusion(location.original, edge.number, Reason.UNTAKEN_ALTERNATIVE, number)
        for number, out in enumerate(locations[edge.target].edges):
            at_once = all(test.relation == "<=" and edge.compiled.updates[test.clock] == RESET for test in out.guard)
            if out.guard and at_once and out.original.fair - served:
                return Exclusion(location.original, edge.number, Reason.UNTAKEN_ON_ENTRY, number)
        return None

    gone = set()
    for number in sorted(part):
        if found := of_location(locations[number]):
            gone.add(number)
            yield found
    for edge in edges:
        if not {edge.source, edge.target} & gone and (found := of_edge(edge)):
            yield found


class GraphEngine(DecisionEngine):
    """Proofs from the location graph, for every value of every parameter."""

    label = "graph, every duration"
    kind = "eventually"
    choices = frozenset({Engine.ZONES, Engine.SMT})

    def supports(self, question: Question) -> bool:
        return question.finite is not None

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        findings = []
        for asked in properties:
            spent = budget.fresh()
            if stopped := spent.exceeded(len(question.whole), 0):
                raise Stopped(stopped)
            if is_proved(question.whole, asked):
                finding = Finding(asked.name, Verdict.PROVED, self.label, states=len(question.whole))
                if question.may_time_lock:
                    finding = finding.but(Verdict.VACUOUS, TIME_LOCK)
                findings.append(replace(finding, seconds=spent.elapsed))
        return findings
