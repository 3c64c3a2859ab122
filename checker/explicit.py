"""Exhaustive exploration in ticks: every state, breadth first, each stored once.

A state is a location with the value of each of its clocks in whole ticks. A value beyond all that a clock
is ever compared with is kept at one more than that, and a clock beyond its lifetime is dropped: neither
changes what can happen. Every state remembers the state it was first reached from, so a shortest run is
read off without a second search.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from operator import itemgetter
from typing import NamedTuple

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.vocabulary.automaton import Edge

TICK = -1
"""The number of the step in which nothing happens but that time passes."""

UNBOUNDED = 1 << 60

Values = tuple[int, ...]
"""The clocks of a state, behind a leading nought from which fresh clocks are copied."""


class TickEdge(NamedTuple):
    """An edge with numbers in place of parameters."""

    ranges: tuple[tuple[int, int, int], ...]
    target: int
    carry: Callable[[Values], Values]
    original: Edge


class TickLocation(NamedTuple):
    """A location with numbers in place of parameters: passages, limits on waiting, and what waiting does to clocks."""

    edges: tuple[TickEdge, ...]
    invariant: tuple[tuple[int, int], ...]
    caps: Values
    lifetimes: tuple[tuple[int, int], ...]
    pending: frozenset[str]


class Explicit:
    """An exploration of an automaton in ticks.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    unit : Fraction or None
        The length of a tick in seconds; by default the longest one in which every parameter is whole.

    Attributes
    ----------
    broken : dict
        For each broken ``always`` property the (state, passage) that first broke it.
    witnessed : dict
        For each fulfilled ``sometimes`` property likewise.
    time_locked : list of int
        States in which neither time can pass nor anything happen.
    stopped : str
        Why the exploration ended early; empty when it is complete.
    """

    def __init__(self, automaton: CompiledAutomaton, unit: Fraction | None = None) -> None:
        self.automaton = automaton
        self.unit = unit_of(automaton.system.parameters) if unit is None else unit
        self._ticks = in_ticks(automaton.system.parameters, self.unit)
        self._chambers: dict[int, TickLocation] = {}
        self._numbers: dict[tuple[int, Values], int] = {}
        self.states: list[tuple[int, Values]] = []
        self._parents = array("q")
        self._steps = array("i")
        self._depths = array("i")
        self.transitions = 0
        self.broken: dict[str, tuple[int, int]] = {}
        self.witnessed: dict[str, tuple[int, int]] = {}
        self.time_locked: list[int] = []
        self.stopped = ""

    # --- the search -------------------------------------------------------------------------------------------------

    def explore(self, budget: Budget, until: frozenset[str] = frozenset()) -> None:
        """Visit every reachable state; stop at a bound (then `stopped` says why), or when all of `until` are broken."""
        self._visit(self.first(), -1, TICK)
        number = 0
        while number < len(self.states):
            if number % 1024 == 0 and (stopped := budget.exceeded(len(self.states), self._depths[number])):
                self.stopped = stopped
                return
            alive = False
            for step, target in self.successors(number):
                alive = True
                self.transitions += 1
                if step != TICK:
                    self._record(number, step)
                self._visit(target, number, step)
            if not alive:
                self.time_locked.append(number)
            if until and until <= self.broken.keys():
                self.stopped = "every property asked for is broken"
                return
            number += 1

    def successors(self, number: int) -> Iterator[tuple[int, tuple[int, Values]]]:
        """Every step out of a numbered state: the passage it takes (or `TICK`) and the state it leads to."""
        return self.after(self.states[number])

    def first(self) -> tuple[int, Values]:
        """The state in which every run begins."""
        start = self.automaton.start
        return start, (0,) * (1 + len(self.automaton.location(start).clocks))

    def after(self, state: tuple[int, Values]) -> Iterator[tuple[int, tuple[int, Values]]]:
        """Every step out of a state, explored or not."""
        place, values = state
        tick_location = self.location(place)
        for step, (ranges, target, carry, _) in enumerate(tick_location.edges):
            for clock, least, most in ranges:
                if not least <= values[clock] <= most:
                    break
            else:
                yield step, (target, carry(values))
        for clock, most in tick_location.invariant:
            if values[clock] >= most:
                return
        yield TICK, self._wait(place, values, tick_location)

    def _wait(self, place: int, values: Values, tick_location: TickLocation) -> tuple[int, Values]:
        later = tuple([value + 1 if value < cap else cap for value, cap in zip(values, tick_location.caps, strict=True)])
        for clock, lifetime in tick_location.lifetimes:
            if later[clock] > lifetime:
                place = self.automaton.after_expiry(place, clock - 1)
                later = later[:clock] + later[clock + 1 :]
        return place, later

    def _visit(self, state: tuple[int, Values], parent: int, step: int) -> None:
        if state not in self._numbers:
            self._numbers[state] = len(self.states)
            self.states.append(state)
            self._parents.append(parent)
            self._steps.append(step)
            self._depths.append(0 if parent < 0 else self._depths[parent] + 1)

    def _record(self, number: int, step: int) -> None:
        edge = self.location(self.states[number][0]).edges[step].original
        for name in edge.violates:
            self.broken.setdefault(name, (number, step))
        for name in edge.witnesses:
            self.witnessed.setdefault(name, (number, step))

    # --- what it reads ----------------------------------------------------------------------------------------------

    def location(self, place: int) -> TickLocation:
        """A location with numbers in place of parameters, made when it is first entered."""
        tick_location = self._chambers.get(place)
        if tick_location is None:
            location = self.automaton.location(place)
            system, ticks = self.automaton.system, self._ticks
            tick_location = TickLocation(
                tuple(self._passage(edge) for edge in location.edges),
                tuple((test.clock + 1, ticks[test.parameter]) for test in location.invariant),
                (0, *(ticks[system.maximal_constants[clock.role]] + 1 for clock in location.clocks)),
                tuple(
                    (index + 1, ticks[system.lifetimes[clock.role]])
                    for index, clock in reversed(list(enumerate(location.clocks)))
                    if clock.role in system.lifetimes
                ),
                location.pending,
            )
            self._chambers[place] = tick_location
        return tick_location

    def _passage(self, edge: CompiledEdge) -> TickEdge:
        ranges = []
        for test in edge.guard:
            limit = self._ticks[test.parameter]
            least = {"<=": 0, "==": limit, ">=": limit, ">": limit + 1}[test.relation]
            most = limit if test.relation in ("<=", "==") else UNBOUNDED
            ranges.append((test.clock + 1, least, most))
        carry = itemgetter(0, *(origin + 1 for origin in edge.updates)) if edge.updates else _forget
        return TickEdge(tuple(ranges), edge.target, carry, edge.original)

    # --- what it tells ----------------------------------------------------------------------------------------------

    def number(self, state: tuple[int, Values]) -> int | None:
        """The number of a state, if it was reached."""
        return self._numbers.get(state)

    @property
    def depth(self) -> int:
        """The most steps that a state is away from the start."""
        return self._depths[-1] if self._depths else 0

    def run_to(self, number: int, *steps: int) -> Run:
        """A shortest run to a state, then some further steps."""
        backwards = []
        while number >= 0:
            backwards.append((number, self._steps[number]))
            number = self._parents[number]
        places = [self._parents[number] for number, _ in reversed(backwards)][1:]
        taken = [step for _, step in reversed(backwards)][1:]
        last = backwards[0][0]
        return Run(tuple(self.moves([*zip(places, taken, strict=True), *((last, step) for step in steps)])))

    def moves(self, path: list[tuple[int, int]]) -> Iterator[Move]:
        """The moves of a path of (state, step), ticks gathered into delays; trailing ticks become a mere wait."""
        delay = Fraction(0)
        for number, step in path:
            if step == TICK:
                delay += self.unit
            else:
                yield Move(delay, self.location(self.states[number][0]).edges[step].original.action)
                delay = Fraction(0)
        if delay:
            yield Move(delay, None)


def _forget(values: Values) -> Values:
    del values
    return (0,)
