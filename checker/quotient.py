"""The quotient of a timed automaton: one location for each equivalence class.

The locations of a class differ only in which clocks with a lifetime exist. The representative of a class has all of
them; those that were never started, or have expired, are `INACTIVE`. The behaviour is the same, with tens of locations
instead of hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from heapq import heappop, heappush

from timewait.checker.finding import Budget, Stopped
from timewait.checker.made_once import made_once
from timewait.vocabulary.automaton import INACTIVE, Bound, Clock, ClockUpdate, Edge, Location, TimedAutomaton


class Quotient:
    """The quotient of a timed automaton (itself a `TimedAutomaton`).

    Parameters
    ----------
    system : TimedAutomaton
        The automaton; its locations are explored once, whatever the guards say, when one is first asked for.
    budget : Budget or None
        The budget of that exploration, which raises `Stopped` when it is used up.
    """

    def __init__(self, system: TimedAutomaton, budget: Budget | None = None) -> None:
        self.system = system
        self._budget = budget or Budget()

    @cached_property
    def _classes(self) -> _Classes:
        """The classes and the edges between them; found when they are first asked for."""
        return made_once("classes", self.system, self._budget, lambda: _Classes(self.system, self._budget.fresh()))

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        return self.system.parameters

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        return self.system.maximal_constants

    @property
    def dense(self) -> bool:
        return self.system.dense

    @property
    def lifetimes(self) -> Mapping[str, str]:
        return self.system.lifetimes

    def initial(self) -> Location:
        return self._classes.representative(self.system.initial())

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        first = self.system.initial()
        known: dict[Clock, ClockUpdate] = dict(zip(self.system.clocks(first), self.system.initial_updates(), strict=True))
        return tuple(known.get(clock, INACTIVE) for clock in self.system.clocks(self.initial()))

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        return self.system.clocks(location)

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return self.system.invariant(location)

    def edges(self, location: Location) -> Iterable[Edge]:
        return self._classes.edges(location)

    def expired(self, location: Location, clock: Clock) -> Location:
        """The location itself: an expired clock stays in it and is inactive."""
        del clock
        return location

    def equivalence_class(self, location: Location) -> Location:
        return location

    def join(self, location: Location, other: Location) -> Location:
        del other
        return location

    def pending(self, location: Location) -> frozenset[str]:
        return self.system.pending(location)


class _Classes:
    """The equivalence classes of an automaton, whatever the values of its parameters are.

    Parameters
    ----------
    system : TimedAutomaton
        The automaton.
    budget : Budget
        The budget of the exploration.
    """

    def __init__(self, system: TimedAutomaton, budget: Budget) -> None:
        self._system = system
        self._representatives, self._edges = _representatives(system, budget)
        self._between: dict[Location, tuple[Edge, ...]] = {}

    def __len__(self) -> int:
        return len(self._representatives)

    def representative(self, location: Location) -> Location:
        """The representative of the class of a location."""
        return self._representatives[self._system.equivalence_class(location)]

    def edges(self, location: Location) -> tuple[Edge, ...]:
        """The edges of a representative, which lead to representatives."""
        known = self._between.get(location)
        if known is None:
            known = self._between[location] = tuple(map(self._led, self._edges[self._system.equivalence_class(location)]))
        return known

    def _led(self, edge: Edge) -> Edge:
        """An edge that leads to the representative of the class of its target."""
        target = self.representative(edge.target)
        known: dict[Clock, ClockUpdate] = dict(zip(self._system.clocks(edge.target), edge.updates, strict=True))
        updates = tuple(known.get(clock, INACTIVE) for clock in self._system.clocks(target))
        return replace(edge, target=target, updates=updates)


def _representatives(system: TimedAutomaton, budget: Budget) -> tuple[dict[Location, Location], dict[Location, tuple[Edge, ...]]]:
    """For each class the location in which every clock is alive that can be, with its edges: a least fixed point.

    Classes are processed in the order in which they were met, so that few are processed twice.
    """
    start = system.initial()
    representatives = {system.equivalence_class(start): start}
    edges: dict[Location, tuple[Edge, ...]] = {}
    met = list(representatives)
    numbers = {equivalence_class: number for number, equivalence_class in enumerate(met)}
    waiting = [0]
    while waiting:
        equivalence_class = met[heappop(waiting)]
        if len(edges) % 64 == 0 and (stopped := budget.exceeded(len(met), 0)):
            raise Stopped(f"{stopped}, while locations were merged")
        edges[equivalence_class] = tuple(system.edges(representatives[equivalence_class]))
        for edge in edges[equivalence_class]:
            reached = system.equivalence_class(edge.target)
            known = representatives.get(reached)
            joined = edge.target if known is None else system.join(known, edge.target)
            if known is None:
                numbers[reached] = len(met)
                met.append(reached)
            if joined != known:
                representatives[reached] = joined
                if known is None or reached in edges:
                    heappush(waiting, numbers[reached])
                    edges.pop(reached, None)
    return representatives, edges
