"""Exploration in dense time: sets of clock values instead of single ones.

A node is a location with a zone, every clock value it may have after any wait. A node whose zone lies in
one already met is not explored again. Zones are widened by lower and upper bounds, which keeps them few
whatever the size of the constants and changes no answer about reachability.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import dbm
from timewait.checker.compiled import EXPIRED, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.checker.dbm import Zone
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.schedule import delays
from timewait.checker.time_unit import in_ticks, unit_of


class ZoneLocation(NamedTuple):
    """A location with numbers in place of parameters.

    Attributes
    ----------
    passages : tuple
        For each edge: its bounds as (row, column, bound), and how rows are carried.
    limits : tuple
        The invariant, likewise.
    lower, upper : arrays
        The largest constants each row is compared with from below and from above.
    """

    edges: tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], ...]
    invariant: NDArray[np.int64]
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]


class Zones:
    """An exploration of an automaton in dense time; attributes as in `timewait.checker.explicit.Explicit`.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, best folded: zones see to what is still alive.
    values : mapping or None
        The parameters in seconds; by default those of the system.
    """

    def __init__(self, automaton: CompiledAutomaton, values: Mapping[str, Fraction] | None = None) -> None:
        self.automaton = automaton
        self.values = automaton.system.parameters if values is None else values
        self.unit = unit_of(self.values)
        self._ticks = in_ticks(self.values, self.unit)
        self._lower, self._upper = self._role_bounds()
        self._halls: dict[int, ZoneLocation] = {}
        self._passed: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._covered: set[int] = set()
        self.nodes: list[tuple[int, Zone]] = []
        self._parents = array("q")
        self._steps = array("i")
        self._depths = array("i")
        self.transitions = 0
        self.broken: dict[str, tuple[int, int]] = {}
        self.witnessed: dict[str, tuple[int, int]] = {}
        self.stopped = ""

    def _role_bounds(self) -> tuple[dict[str, int], dict[str, int]]:
        """For each clock role the largest constants in lower and in upper bounds, over every location."""
        lower: dict[str, int] = {}
        upper: dict[str, int] = {}
        for location in self.automaton.explore():
            for test in (*location.invariant, *(test for edge in location.edges for test in edge.guard)):
                role, limit = location.clocks[test.clock].role, self._ticks[test.parameter]
                if test.relation != "<=":
                    lower[role] = max(limit, lower.get(role, -1))
                if test.relation in ("<=", "=="):
                    upper[role] = max(limit, upper.get(role, -1))
        return lower, upper

    def explore(self, budget: Budget, until: frozenset[str] = frozenset()) -> None:
        """Visit every reachable zone; stop at a bound (then `stopped` says why), or when all of `until` are broken."""
        self._visit(self.automaton.start, self._first(), -1, -1)
        number = 0
        while number < len(self.nodes):
            if number % 64 == 0 and (stopped := budget.exceeded(len(self.nodes), self._depths[number])):
                self.stopped = stopped
                return
            place, here = self.nodes[number]
            if number in self._covered:
                number += 1
                continue
            for step, target, zone in self._successors(place, here):
                self.transitions += 1
                edge = self.automaton.location(place).edges[step].original
                for name in edge.violates:
                    self.broken.setdefault(name, (number, step))
                for name in edge.witnesses:
                    self.witnessed.setdefault(name, (number, step))
                self._visit(target, zone, number, step)
            if until and until <= self.broken.keys():
                self.stopped = "every property asked for is broken"
                return
            number += 1

    def _first(self) -> Zone:
        automaton = self.automaton
        location = automaton.location(automaton.start)
        updates = automaton.start_updates()
        rows = len(location.clocks) + 1
        dead = np.full(rows, -1, dtype=np.int64)
        for index, origin in enumerate(updates):
            if origin == EXPIRED:
                dead[index + 1] = self._ticks[automaton.system.lifetimes[location.clocks[index].role]]
        point = np.full((1, 1), dbm.NOUGHT, dtype=np.int64)
        return self._settle(automaton.start, dbm.carry(point, np.zeros(rows, dtype=np.int64), dead))

    def _successors(self, place: int, zone: Zone) -> Iterator[tuple[int, int, Zone]]:
        hall = self._hall(place)
        edges = self.automaton.location(place).edges
        for step, (bounds, sources, dead) in enumerate(hall.edges):
            possible, narrowed = dbm.narrowed(zone, bounds)
            if possible:
                target = edges[step].target
                yield step, target, self._settle(target, dbm.carry(narrowed, sources, dead))

    def _settle(self, place: int, zone: Zone) -> Zone:
        """Let time pass under the invariant, then forget what no guard can tell apart."""
        hall = self._hall(place)
        return dbm.settled(zone, hall.invariant, hall.lower, hall.upper)

    def _visit(self, place: int, zone: Zone, parent: int, step: int) -> None:
        known = self._passed.get(place)
        numbers = np.array([len(self.nodes)], dtype=np.int64)
        zones = zone[None]
        if known is not None:
            if dbm.includes(known[0], zone):
                return
            kept = dbm.uncovered(known[0], zone)
            self._covered.update(known[1][~kept].tolist())
            zones, numbers = np.concatenate([known[0][kept], zones]), np.concatenate([known[1][kept], numbers])
        self._passed[place] = zones, numbers
        self.nodes.append((place, zone))
        self._parents.append(parent)
        self._steps.append(step)
        self._depths.append(0 if parent < 0 else self._depths[parent] + 1)

    # --- what it reads ----------------------------------------------------------------------------------------------

    def _hall(self, place: int) -> ZoneLocation:
        hall = self._halls.get(place)
        if hall is None:
            location = self.automaton.location(place)
            roles = [clock.role for clock in location.clocks]
            hall = ZoneLocation(
                tuple((self._bounds(edge.guard), *self._carriage(edge)) for edge in location.edges),
                self._bounds(location.invariant),
                np.array([0, *(self._lower.get(role, -1) for role in roles)], dtype=np.int64),
                np.array([0, *(self._upper.get(role, -1) for role in roles)], dtype=np.int64),
            )
            self._halls[place] = hall
        return hall

    def _bounds(self, tests: tuple[CompiledBound, ...]) -> NDArray[np.int64]:
        """Tests as rows of (row, column, bound), shape (count, 3)."""
        rows = []
        for test in tests:
            limit, row = self._ticks[test.parameter], test.clock + 1
            if test.relation in ("<=", "=="):
                rows.append((row, 0, dbm.at_most(limit)))
            if test.relation in (">=", "=="):
                rows.append((0, row, dbm.at_most(-limit)))
            if test.relation == ">":
                rows.append((0, row, dbm.below(-limit)))
        return np.array(rows, dtype=np.int64).reshape(len(rows), 3)

    def _carriage(self, edge: CompiledEdge) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        target = self.automaton.location(edge.target)
        sources = np.array([0, *(max(origin + 1, 0) for origin in edge.updates)], dtype=np.int64)
        dead = np.full(len(sources), -1, dtype=np.int64)
        for index, origin in enumerate(edge.updates):
            if origin == EXPIRED:
                dead[index + 1] = self._ticks[self.automaton.system.lifetimes[target.clocks[index].role]]
        return sources, dead

    # --- what it tells ----------------------------------------------------------------------------------------------

    def path_to(self, number: int, *steps: int) -> list[tuple[CompiledLocation, CompiledEdge]]:
        """The edges by which a node was reached, then some further steps."""
        path: list[tuple[CompiledLocation, CompiledEdge]] = []
        place = self.nodes[number][0]
        for step in steps:
            edge = self.automaton.location(place).edges[step]
            path.append((self.automaton.location(place), edge))
            place = edge.target
        while (parent := self._parents[number]) >= 0:
            location = self.automaton.location(self.nodes[parent][0])
            path.insert(0, (location, location.edges[self._steps[number]]))
            number = parent
        return path

    def run_to(self, number: int, *steps: int) -> Run | None:
        """A run to a node, then some further steps; None when its delays cannot be found."""
        path = self.path_to(number, *steps)
        waits = delays(path, self.values, self.unit)
        if waits is None:
            return None
        return Run(tuple(Move(wait, edge.original.action) for wait, (_, edge) in zip(waits, path, strict=True)))

    def ticks(self, parameter: str) -> int:
        """The value of a parameter in units."""
        return self._ticks[parameter]

    def edges(self, place: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """For each edge of a location its target, its bounds with the invariant's, and how it carries the rows of a zone."""
        hall = self._hall(place)
        for edge, (bounds, sources, dead) in zip(self.automaton.location(place).edges, hall.edges, strict=True):
            yield edge.target, np.concatenate([hall.invariant, bounds]), sources, dead

    def cover(self) -> dict[int, NDArray[np.int64]]:
        """For each location met, the zones that cover everything reachable there, shape (count, n, n)."""
        return {place: zones for place, (zones, _) in self._passed.items()}

    def taken(self) -> set[tuple[int, int]]:
        """Every edge that can be taken, as the number of its location and of its edge."""
        passable = set()
        for place, zones in self.cover().items():
            for zone in zones:
                passable |= {(place, step) for step, _, _ in self._successors(place, zone)}
        return passable
