"""Fewer locations: whether something is still alive is left to its clock.

The locations of a *family* differ only in which mortal clocks (those with a lifetime) still exist. They
are folded into one, in which all of them exist and those that were never started, or have expired, are
`INACTIVE`. What can happen is the same; there are tens of locations instead of hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from heapq import heappop, heappush

from timewait.checker.finding import Budget, Stopped
from timewait.vocabulary.automaton import INACTIVE, Bound, Clock, ClockUpdate, Edge, Location, TimedAutomaton


class Quotient:
    """A timed system with its families folded (itself a `TimedAutomaton`).

    Parameters
    ----------
    system : TimedAutomaton
        What is folded; its locations are walked once, whatever the guards say.
    budget : Budget or None
        Bounds on that walk.

    Raises
    ------
    Stopped
        A bound was reached.
    """

    def __init__(self, system: TimedAutomaton, budget: Budget | None = None) -> None:
        self.system = system
        self._widest, self._edges = _widest(system, budget or Budget())

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
        return self._home(self.system.initial())

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        first = self.system.initial()
        known: dict[Clock, ClockUpdate] = dict(zip(self.system.clocks(first), self.system.initial_updates(), strict=True))
        return tuple(known.get(clock, INACTIVE) for clock in self.system.clocks(self.initial()))

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        return self.system.clocks(location)

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return self.system.invariant(location)

    def edges(self, location: Location) -> Iterable[Edge]:
        for edge in self._edges[self.system.equivalence_class(location)]:
            home = self._home(edge.target)
            known: dict[Clock, ClockUpdate] = dict(zip(self.system.clocks(edge.target), edge.updates, strict=True))
            updates = tuple(known.get(clock, INACTIVE) for clock in self.system.clocks(home))
            yield replace(edge, target=home, updates=updates)

    def expired(self, location: Location, clock: Clock) -> Location:
        """Unchanged: an expired clock stays, dead."""
        del clock
        return location

    def equivalence_class(self, location: Location) -> Location:
        return location

    def join(self, location: Location, other: Location) -> Location:
        del other
        return location

    def pending(self, location: Location) -> frozenset[str]:
        return self.system.pending(location)

    def _home(self, location: Location) -> Location:
        return self._widest[self.system.equivalence_class(location)]


def _widest(system: TimedAutomaton, budget: Budget) -> tuple[dict[Location, Location], dict[Location, tuple[Edge, ...]]]:
    """For each family the location in which everything is alive that can be, with its edges: a least fixed point.

    Families are gone through in the order in which they were met, which is about the order in which copies travel: few
    are looked at twice.
    """
    start = system.initial()
    widest = {system.equivalence_class(start): start}
    edges: dict[Location, tuple[Edge, ...]] = {}
    met = list(widest)
    numbers = {equivalence_class: number for number, equivalence_class in enumerate(met)}
    waiting = [0]
    while waiting:
        equivalence_class = met[heappop(waiting)]
        if len(edges) % 64 == 0 and (stopped := budget.exceeded(len(met), 0)):
            raise Stopped(f"{stopped}, while locations were folded")
        edges[equivalence_class] = tuple(system.edges(widest[equivalence_class]))
        for edge in edges[equivalence_class]:
            reached = system.equivalence_class(edge.target)
            known = widest.get(reached)
            joined = edge.target if known is None else system.join(known, edge.target)
            if known is None:
                numbers[reached] = len(met)
                met.append(reached)
            if joined != known:
                widest[reached] = joined
                if known is None or reached in edges:
                    heappush(waiting, numbers[reached])
                    edges.pop(reached, None)
    return widest, edges
