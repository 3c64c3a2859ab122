"""Exhaustive exploration in ticks: every state, breadth first, each stored once.

A state is a location with the value of each of its clocks in whole ticks. A value larger than every constant that a
clock is compared with is kept at the largest constant plus one, and a clock that passes its lifetime is dropped: neither
changes what can happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from operator import itemgetter
from typing import NamedTuple

from timewait.checker.compiled import ROWS, CompiledAutomaton, CompiledEdge, carried
from timewait.checker.engine import DecisionEngine, finding_of
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.mealy import Unsupported
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.partitioned_ticks import PartitionedTicks, explored
from timewait.checker.question import Engine, Question
from timewait.checker.search import TICK, Search
from timewait.vocabulary.automaton import Edge, Property

WITNESS_STATES = 20_000
"""States in ticks among which witnesses are looked for."""

UNBOUNDED = 1 << 60
"""The upper end of a range without an upper bound, in ticks."""

ClockValues = tuple[int, ...]
"""The clocks of a state in ticks, behind a leading zero from which reset clocks are copied."""

TickState = tuple[int, ClockValues]
"""The number of a location, and the values of its clocks."""


class TickEdge(NamedTuple):
    """An edge in ticks: the range of each clock of its guard, its target, and the function that updates the clocks."""

    ranges: tuple[tuple[int, int, int], ...]
    target: int
    update: Callable[[ClockValues], ClockValues]


class TickLocation(NamedTuple):
    """A location in ticks.

    Attributes
    ----------
    edges : tuple of TickEdge
        Its edges.
    originals : tuple of Edge
        The edges that were compiled.
    invariant, lifetimes : tuple of (int, int)
        Positions of clocks and their upper bounds.
    caps : tuple of int
        For each clock its maximal constant plus one.
    pending : frozenset of str
        The ``eventually`` properties that are pending here.
    """

    edges: tuple[TickEdge, ...]
    originals: tuple[Edge, ...]
    invariant: tuple[tuple[int, int], ...]
    caps: ClockValues
    lifetimes: tuple[tuple[int, int], ...]
    pending: frozenset[str]


class Explicit(Search[TickState]):
    """An exploration of an automaton in ticks; parameters and attributes as for `timewait.checker.search.Search`."""

    poll = 1024

    def __init__(self, automaton: CompiledAutomaton, unit: Fraction | None = None) -> None:
        super().__init__(automaton, unit=unit)
        self._locations: dict[int, TickLocation] = {}
        self._numbers: dict[TickState, int] = {}

    def first(self) -> TickState:
        start = self.automaton.start
        return start, (0,) * (1 + len(self.automaton.location(start).clocks))

    def after(self, node: TickState) -> Iterator[tuple[int, TickState]]:
        number, values = node
        location = self.location(number)
        for step, (ranges, target, update) in enumerate(location.edges):
            for clock, least, most in ranges:
                if not least <= values[clock] <= most:
                    break
            else:
                yield step, (target, update(values))
        for clock, most in location.invariant:
            if values[clock] >= most:
                return
        yield TICK, self._tick(number, values, location)

    def _tick(self, number: int, values: ClockValues, location: TickLocation) -> TickState:
        later = tuple([value + 1 if value < cap else cap for value, cap in zip(values, location.caps, strict=True)])
        for clock, lifetime in location.lifetimes:
            if later[clock] > lifetime:
                number = self.automaton.after_expiry(number, clock - 1)
                later = later[:clock] + later[clock + 1 :]
        return number, later

    def edges_of(self, node: TickState) -> tuple[Edge, ...]:
        return self.location(node[0]).originals

    def _is_new(self, node: TickState) -> bool:
        count = len(self._numbers)
        return self._numbers.setdefault(node, count) == count

    def number(self, state: TickState) -> int | None:
        """The number of a state, if it was reached."""
        return self._numbers.get(state)

    @property
    def time_locked(self) -> list[int]:
        """The states in which neither time can pass nor anything happen."""
        return self.dead_ends

    def run_to(self, number: int, step: int | None = None) -> Run:
        return Run(tuple(self.moves(self.trail(number, step))))

    def moves(self, path: list[tuple[int, int]]) -> Iterator[Move]:
        """The moves of a path of (state, step), ticks gathered into delays; trailing ticks become a mere delay."""
        delay = Fraction(0)
        for number, step in path:
            if step == TICK:
                delay += self.unit
            else:
                yield Move(delay, self.edges_of(self.nodes[number])[step].action)
                delay = Fraction(0)
        if delay:
            yield Move(delay, None)

    # --- compilation ------------------------------------------------------------------------------------------------

    def location(self, number: int) -> TickLocation:
        """A location in ticks, made when it is first entered."""
        known = self._locations.get(number)
        if known is None:
            location = self.automaton.location(number)
            system, ticks = self.automaton.system, self.ticks
            known = self._locations[number] = TickLocation(
                tuple(map(self._edge, location.edges)),
                tuple(edge.original for edge in location.edges),
                tuple((bound.clock + 1, ticks[bound.parameter]) for bound in location.invariant),
                (0, *(ticks[system.maximal_constants[clock.role]] + 1 for clock in location.clocks)),
                tuple(
                    (index + 1, ticks[system.lifetimes[clock.role]])
                    for index, clock in reversed(list(enumerate(location.clocks)))
                    if clock.role in system.lifetimes
                ),
                location.pending,
            )
        return known

    def _edge(self, edge: CompiledEdge) -> TickEdge:
        ranges = []
        for bound in edge.guard:
            limit = self.ticks[bound.parameter]
            least = {"<=": 0, "==": limit, ">=": limit, ">": limit + 1}[bound.relation]
            most = limit if bound.relation in ("<=", "==") else UNBOUNDED
            ranges.append((bound.clock + 1, least, most))
        sources = carried(edge.updates, ROWS, 0, _inactive)
        return TickEdge(tuple(ranges), edge.target, itemgetter(0, *sources) if sources else _no_clocks)


def _inactive(clock: int) -> int:
    raise ValueError(f"clock {clock} is inactive, and has no value in ticks; explore the automaton before it is folded")


def _no_clocks(values: ClockValues) -> ClockValues:
    del values
    return (0,)


class TickEngine(DecisionEngine):
    """Every state in ticks, breadth first, whatever the system."""

    label = "explicit, breadth first"
    kind = "always"
    choices = frozenset({Engine.AUTO, Engine.EXPLICIT})

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent, names = budget.fresh(), frozenset(asked.name for asked in properties)

        def findings(states: PackedTicks | PartitionedTicks | Explicit) -> list[Finding]:
            seconds = spent.elapsed
            return [
                finding_of(question, asked, states, self.label, seconds, lambda: bool(states.dead_ends)) for asked in properties
            ]

        if question.locations is not None:
            with suppress(Unsupported), explored(question.locations, spent, names) as states:
                return findings(states)
        return findings(unpacked(question, spent, names))


def packed(question: Question, budget: Budget, until: frozenset[str] = frozenset()) -> PackedTicks | None:
    """The states of a system that passes messages, by compiled functions; None if those do not support the system."""
    if (locations := question.locations) is None:
        return None
    try:
        explored = PackedTicks(locations)
        explored.explore(budget, until)
    except Unsupported:
        return None
    return explored


def packed_until_witnessed(question: Question, budget: Budget, names: Set[str]) -> PackedTicks | None:
    """The first states of a system that passes messages, up to witnesses of some properties; None if that is not supported."""
    if (locations := question.locations) is None:
        return None
    bounds = replace(budget, states=min(budget.states, WITNESS_STATES))
    try:
        explored = PackedTicks(locations)
        while not (explored.stopped or explored.complete or names <= explored.witnessed.keys()):
            explored.explore(bounds, few=2 * len(explored))
    except Unsupported:
        return None
    return explored


def unpacked(question: Question, budget: Budget, until: frozenset[str] = frozenset()) -> Explicit:
    """The states of any system."""
    explored = Explicit(question.compiled)
    explored.explore(budget, until)
    return explored
