"""Zones explored in Python, the plain way: what `timewait.checker.zones` is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import dbm
from timewait.checker.compiled import INACTIVE, ROWS, CompiledAutomaton, CompiledBound, carried
from timewait.checker.dbm import Zone
from timewait.checker.finding import Run
from timewait.checker.search import Search
from timewait.vocabulary.automaton import Edge

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


class PlainZones(Search[ZoneNode]):
    """An exploration of an automaton in dense time; parameters and attributes as for `timewait.checker.search.Search`."""

    poll = 64

    def __init__(self, automaton: CompiledAutomaton, values: Mapping[str, Fraction] | None = None) -> None:
        super().__init__(automaton, values)
        self._lower, self._upper = self._maximal_constants()
        self._locations: dict[int, LocationBounds] = {}
        self._stored: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def _maximal_constants(self) -> tuple[dict[str, int], dict[str, int]]:
        """For each clock role the maximal constants in lower and in upper bounds, over every location."""
        found = {
            (location.clocks[bound.clock].role, bound.relation, self.ticks[bound.parameter])
            for location in self.automaton.explore()
            for bound in chain(location.invariant, *(edge.guard for edge in location.edges))
        }
        below = [(role, constant) for role, relation, constant in found if relation in (">", ">=", "==")]
        above = [(role, constant) for role, relation, constant in found if relation in ("<", "<=", "==")]
        return dict(sorted(below)), dict(sorted(above))  # sorted, so the greatest constant of a role is the last

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
            kept = uncovered(stored[0], zone)
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

    def run_to(self, number: int, step: int | None = None) -> Run | None:
        raise NotImplementedError("the compiled search has the same paths")

    def cover(self) -> dict[int, NDArray[np.int64]]:
        """For each location reached, the zones that cover everything reachable there, shape (count, n, n)."""
        return {number: zones for number, (zones, _) in self._stored.items()}

    def parents(self) -> list[tuple[int, int, int]]:
        """Each node: its location, the node that it was reached from, or -1, and the number of the edge there."""
        locations = [number for number, _ in self.nodes]
        return list(zip(locations, self._parents, self._steps, strict=True))

    def taken(self) -> set[tuple[int, int]]:
        """Every edge that can be taken, as the number of its location and its own."""
        nodes = [(number, zone) for number, zones in self.cover().items() for zone in zones]
        return {(number, step) for number, zone in nodes for step, _ in self.after((number, zone))}


def uncovered(zones: NDArray[np.int64], zone: Zone) -> NDArray[np.bool_]:
    """Which of a stack of zones are not included in a zone."""
    greater: NDArray[np.bool_] = np.any(zones > zone, axis=(1, 2))
    return greater
