"""Exploration in dense time: sets of clock values (zones) instead of single ones.

A node is a location with a zone: every clock valuation that it may have after any delay. A node whose zone is included
in a stored one is not explored again. Zones are widened by lower and upper bounds (LU extrapolation), which keeps
them few whatever the size of the constants, and changes no answer about reachability.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import dbm
from timewait.checker.compiled import INACTIVE, ROWS, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation, carried
from timewait.checker.dbm import Zone
from timewait.checker.engine import DecisionEngine, finding_of
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.question import Engine, Question
from timewait.checker.schedule import delays
from timewait.checker.search import Search
from timewait.vocabulary.automaton import Edge, Property

ZoneNode = tuple[int, Zone]
"""The number of a location, and a zone of its clocks."""

Updates = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The arguments `sources` and `lifetimes` of `timewait.checker.dbm.carry`, each of shape (clocks + 1,)."""


class LocationBounds(NamedTuple):
    """The bounds and clock updates of a location with n clocks, as entries and rows of difference-bound matrices.

    Attributes
    ----------
    edges : tuple of (guard, sources, lifetimes)
        For each edge its guard, an array of shape (bounds, 3) like `invariant`, and its `Updates`, each of shape (m + 1,)
        for a target with m clocks: row numbers, and ticks.
    originals : tuple of Edge
        The edges that were compiled, in the same order.
    invariant : array, shape (bounds, 3)
        The invariant, each bound as (row, column, bound); bounds are encoded as in `timewait.checker.dbm`.
    lower, upper : array, shape (n + 1,)
        For each row the maximal constant, in ticks, in lower and in upper bounds on its clock; -1 where there is none.
    """

    edges: tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], ...]
    originals: tuple[Edge, ...]
    invariant: NDArray[np.int64]
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]


class Zones(Search[ZoneNode]):
    """An exploration of an automaton in dense time; parameters and attributes as for `timewait.checker.search.Search`.

    The automaton is best a quotient: zones decide what may still be in flight.
    """

    poll = 64

    def __init__(self, automaton: CompiledAutomaton, values: Mapping[str, Fraction] | None = None) -> None:
        super().__init__(automaton, values)
        self._lower, self._upper = self._maximal_constants()
        self._locations: dict[int, LocationBounds] = {}
        self._stored: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def _maximal_constants(self) -> tuple[dict[str, int], dict[str, int]]:
        """For each clock role the maximal constants in lower and in upper bounds, over every location."""
        lower: dict[str, int] = {}
        upper: dict[str, int] = {}
        for location in self.automaton.explore():
            for bound in (*location.invariant, *(bound for edge in location.edges for bound in edge.guard)):
                role, constant = location.clocks[bound.clock].role, self.ticks[bound.parameter]
                if bound.relation != "<=":
                    lower[role] = max(constant, lower.get(role, -1))
                if bound.relation in ("<=", "=="):
                    upper[role] = max(constant, upper.get(role, -1))
        return lower, upper

    def first(self) -> ZoneNode:
        start = self.automaton.start
        point = np.full((1, 1), dbm.AT_MOST_ZERO, dtype=np.int64)
        return start, self._settled(start, dbm.carry(point, *self._updates(start, self.automaton.start_updates())))

    def after(self, node: ZoneNode) -> Iterator[tuple[int, ZoneNode]]:
        """Each edge that can be taken, with the node it leads to: guard, updates, delay, invariant, extrapolation."""
        number, zone = node
        edges = self.automaton.location(number).edges
        for step, (guard, sources, lifetimes) in enumerate(self._location(number).edges):
            possible, narrowed = dbm.narrowed(zone, guard)
            if possible:
                target = edges[step].target
                yield step, (target, self._settled(target, dbm.carry(narrowed, sources, lifetimes)))

    def edges_of(self, node: ZoneNode) -> tuple[Edge, ...]:
        return self._location(node[0]).originals

    def _settled(self, number: int, zone: Zone) -> Zone:
        """A zone after any delay under the invariant, extrapolated."""
        location = self._location(number)
        return dbm.settled(zone, location.invariant, location.lower, location.upper)

    def _is_new(self, node: ZoneNode) -> bool:
        number, zone = node
        stored = self._stored.get(number)
        zones, nodes = zone[None], np.array([len(self.nodes)], dtype=np.int64)
        if stored is not None:
            if dbm.includes(stored[0], zone):
                return False
            kept = dbm.uncovered(stored[0], zone)
            self._superseded.update(stored[1][~kept].tolist())
            zones, nodes = np.concatenate([stored[0][kept], zones]), np.concatenate([stored[1][kept], nodes])
        self._stored[number] = zones, nodes
        return True

    # --- compilation ------------------------------------------------------------------------------------------------

    def _location(self, number: int) -> LocationBounds:
        """The bounds of a location, compiled when it is first entered."""
        known = self._locations.get(number)
        if known is None:
            location = self.automaton.location(number)
            roles = [clock.role for clock in location.clocks]
            known = self._locations[number] = LocationBounds(
                tuple((self._bounds(edge.guard), *self._updates(edge.target, edge.updates)) for edge in location.edges),
                tuple(edge.original for edge in location.edges),
                self._bounds(location.invariant),
                np.array([0, *(self._lower.get(role, -1) for role in roles)], dtype=np.int64),
                np.array([0, *(self._upper.get(role, -1) for role in roles)], dtype=np.int64),
            )
        return known

    def _bounds(self, bounds: tuple[CompiledBound, ...]) -> NDArray[np.int64]:
        """Bounds, each as (row, column, bound), shape (bounds, 3)."""
        entries = []
        for bound in bounds:
            constant, row = self.ticks[bound.parameter], bound.clock + 1
            if bound.relation in ("<=", "=="):
                entries.append((row, 0, dbm.at_most(constant)))
            if bound.relation in (">=", "=="):
                entries.append((0, row, dbm.at_most(-constant)))
            if bound.relation == ">":
                entries.append((0, row, dbm.below(-constant)))
        return np.array(entries, dtype=np.int64).reshape(len(entries), 3)

    def _updates(self, target: int, updates: tuple[int, ...]) -> Updates:
        clocks, lifetimes = self.automaton.location(target).clocks, self.automaton.system.lifetimes
        sources = carried(updates, ROWS, 0, lambda _: 0)
        inactive = [
            self.ticks[lifetimes[clocks[index].role]] if update == INACTIVE else -1 for index, update in enumerate(updates)
        ]
        return np.array([0, *sources], dtype=np.int64), np.array([-1, *inactive], dtype=np.int64)

    # --- results ----------------------------------------------------------------------------------------------------

    def path_to(self, number: int, step: int | None = None) -> list[tuple[CompiledLocation, CompiledEdge]]:
        """The edges along `trail`, each with its source."""
        locations = [(self.automaton.location(self.nodes[node][0]), taken) for node, taken in self.trail(number, step)]
        return [(location, location.edges[taken]) for location, taken in locations]

    def run_to(self, number: int, step: int | None = None) -> Run | None:
        path = self.path_to(number, step)
        waits = delays(path, self.values, self.unit)
        if waits is None:
            return None
        return Run(tuple(Move(wait, edge.original.action) for wait, (_, edge) in zip(waits, path, strict=True)))

    def edges(self, number: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """For each edge of a location its target, its guard with the invariant, and its `Updates`."""
        location = self._location(number)
        for edge, (guard, sources, lifetimes) in zip(self.automaton.location(number).edges, location.edges, strict=True):
            yield edge.target, np.concatenate([location.invariant, guard]), sources, lifetimes

    def cover(self) -> dict[int, NDArray[np.int64]]:
        """For each location reached, the zones that cover everything reachable there, shape (count, n, n)."""
        return {number: zones for number, (zones, _) in self._stored.items()}

    def taken(self) -> set[tuple[int, int]]:
        """Every edge that can be taken, as the number of its location and its own."""
        nodes = [(number, zone) for number, zones in self.cover().items() for zone in zones]
        return {(number, step) for number, zone in nodes for step, _ in self.after((number, zone))}


class ZoneEngine(DecisionEngine):
    """The zones of the system itself, where its locations are few."""

    label = "zones, dense time"
    kind = "always"
    choices = frozenset({Engine.ZONES})

    def supports(self, question: Question) -> bool:
        return question.finite is not None

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent = budget.fresh()
        explored = Zones(question.whole)
        explored.explore(spent, frozenset(asked.name for asked in properties))
        return [
            finding_of(question, asked, explored, self.label, spent.elapsed, lambda: question.may_time_lock)
            for asked in properties
        ]
