"""The zones of a finished exploration checked as an inductive invariant: the second way to a proof in dense time.

The search for zones proves a property because it found no zone that an edge leads out of, and no edge that violates the property.
Here nothing is searched. Of every stored zone, and of every edge out of its location, it is decided by shortest paths whether
the edge is impossible, or leads into a stored zone of its target and violates nothing. The start lies in a stored zone too. So
no run leaves the zones, whatever the search did: its order, its extrapolation and its inclusion have no part in it. The kernel is
that for certificates (`timewait.checker.zone_obligation_kernels`), here with numbers instead of terms.

What both ways share is the table of edges (`timewait.checker.quotient_table`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.class_kernels import ROW, TARGET
from timewait.checker.dbm import INFINITE
from timewait.checker.quotient_kernels import (
    AGE_ROW,
    EDGES,
    FIRST_EDGE,
    FIRST_LIMIT,
    FIRST_ROW,
    FIRST_SOURCE,
    LIMITS,
    ROWS,
)
from timewait.checker.quotient_table import QuotientTable, begins_of
from timewait.checker.zone_obligation_kernels import Obligations, open_edges
from timewait.checker.zones import Zones

Columns = NDArray[np.int64]


class _Bounds(NamedTuple):
    """Bounds, each of one owner (a zone or an edge), as (owner, row, column, length, strict)."""

    rows: Columns

    def of(self, owners: int) -> tuple[Columns, Columns]:
        """For each owner begin and number of its bounds, and the bounds in that order."""
        counts = np.bincount(self.rows[:, 0], minlength=owners)
        return np.stack([np.cumsum(counts) - counts, counts], axis=1), self.rows[np.argsort(self.rows[:, 0], kind="stable"), 1:]


def leads_out(zones: Zones) -> str:
    """The first edge that leads out of the stored zones, or violates a property that the search did not find violated.

    Parameters
    ----------
    zones : Zones
        A finished exploration of the quotient of an automaton that passes messages (`QuotientTable`).

    Returns
    -------
    str
        The edge with its location, or ``"the start"``; empty if there is none.
    """
    assert isinstance(zones.automaton, QuotientTable), "the edges are not in arrays"
    quotient = zones.automaton
    found, size = _obligations(zones, quotient)
    is_open, width = np.zeros(len(found.edges), dtype=np.bool_), found.terms.shape[1] + 1
    room, scratch = np.zeros((2, size, size, width), dtype=np.int64), np.zeros((2, width), dtype=np.int64)
    if not open_edges(found, room, scratch, np.ones_like(is_open), is_open):
        return ""
    edge = int(is_open.argmax())
    if edge == len(quotient.arrays.edges):
        return "the start"
    source = int(_sources(quotient)[edge])
    return f"location {source}: {quotient.original(int(quotient.arrays.edges[edge, ROW])).action}"


def _sources(quotient: QuotientTable) -> Columns:
    """The location of each edge."""
    return np.repeat(np.arange(len(quotient)), quotient.arrays.locations[:, EDGES])


def _obligations(zones: Zones, quotient: QuotientTable) -> tuple[Obligations, int]:
    """What must hold, and the rows of the largest zone."""
    locations, edges = quotient.arrays.locations.astype(np.int64), quotient.arrays.edges
    homes, in_zones = _zones(zones, locations)
    of_zones, entries = in_zones.of(len(homes) + 1)  # before the start is a zone without clocks
    of_edges, bounds = _Bounds(np.concatenate([_guards(zones, quotient), _limits(zones, quotient)])).of(len(edges) + 1)
    first_source, sources = _updates(zones, quotient, locations)
    lengths, terms = np.unique(np.concatenate([entries[:, 2], bounds[:, 2], -1 - sources[sources < 0]]), return_inverse=True)
    sources[sources < 0] = -1 - terms[len(entries) + len(bounds) :]
    entries[:, 2], bounds[:, 2] = terms[: len(entries)], terms[len(entries) : len(entries) + len(bounds)]
    counts = np.bincount(homes, minlength=len(locations))
    places = np.zeros((len(locations) + 1, 5), dtype=np.int64)
    of_edges_here = locations[:, FIRST_EDGE], locations[:, EDGES]
    places[:-1] = np.stack([locations[:, ROWS] - 1, np.cumsum(counts) - counts, counts, *of_edges_here], axis=1)
    places[-1] = 0, len(homes), 1, len(edges), 1
    violates = np.array([bool(reaction.edge.violates - zones.broken.keys()) for reaction in quotient.reactions], dtype=np.int64)
    steps = np.zeros((len(edges) + 1, 5), dtype=np.int64)
    steps[:-1, 0], steps[:-1, 4] = edges[:, TARGET], violates[quotient.reaction_of[edges[:, ROW]]]
    steps[-1, 0] = quotient.start
    steps[:, 1:3], steps[:, 3] = of_edges, first_source
    always = np.zeros((1, 1), dtype=np.bool_)  # one ray, on which the only constraint, 1 > 0, is not zero
    on_ray = np.stack([lengths, lengths], axis=1)
    return Obligations(places, of_zones, entries, steps, bounds, sources, on_ray, always), int(locations[:, ROWS].max())


def _zones(zones: Zones, locations: Columns) -> tuple[Columns, _Bounds]:
    """The locations of the stored zones, in order, and the bounds of each zone."""
    homes, begins, pool = zones.stored()
    order = np.argsort(homes, kind="stable")
    homes, begins, found = homes[order], begins[order], [np.zeros((0, 5), dtype=np.int64)]
    sizes = locations[homes, ROWS]
    for size in np.unique(sizes).tolist():
        numbers = np.flatnonzero(sizes == size)
        matrices = pool[begins[numbers, None] + np.arange(size * size)]
        matrices[:, :: size + 1] = INFINITE
        zone, place = np.nonzero(matrices < INFINITE)
        bound = matrices[zone, place]
        found.append(np.stack([numbers[zone], place // size, place % size, bound >> 1, 1 - (bound & 1)], axis=1))
    return homes, _Bounds(np.concatenate(found))


def _guards(zones: Zones, quotient: QuotientTable) -> Columns:
    """The bounds of the guard of each edge."""
    edges, guards_of, guards = quotient.arrays.edges, quotient.arrays.guards_of, quotient.arrays.guards
    edge, part = _spread(guards_of[edges[:, ROW]], np.diff(guards_of)[edges[:, ROW]])
    clocks = guards[part, 0]
    return _comparisons(zones, quotient, edge, np.where(clocks < 0, edges[edge, AGE_ROW], clocks), guards[part, 1])


def _limits(zones: Zones, quotient: QuotientTable) -> Columns:
    """The bounds of the invariant of the location of each edge."""
    locations, limits = quotient.arrays.locations[_sources(quotient)], quotient.arrays.limits
    edge, part = _spread(locations[:, FIRST_LIMIT], locations[:, LIMITS])
    return _comparisons(zones, quotient, edge, limits[part, 0], limits[part, 1])


def _spread(begins: NDArray[np.int32], counts: NDArray[np.int32]) -> tuple[Columns, Columns]:
    """The owner and the place of every entry, for owners with entries one behind another from some begins."""
    owner = np.repeat(np.arange(len(begins)), counts)
    return owner, begins[owner] + np.arange(len(owner)) - begins_of(counts)[owner]


def _comparisons(zones: Zones, quotient: QuotientTable, owner: Columns, row: Columns, bound: Columns) -> Columns:
    """Comparisons of clocks with parameters as bounds on the clock, and on the zero."""
    relations = np.array([relation for relation, _ in quotient.table.bounds])[bound]
    length = np.array([zones.ticks[name] for _, name in quotient.table.bounds], dtype=np.int64)[bound]
    zero = np.zeros_like(owner)
    above, below = np.isin(relations, ("<=", "==")), np.isin(relations, (">=", ">", "=="))
    upper = np.stack([owner, row, zero, length, zero], axis=1)
    lower = np.stack([owner, zero, row, -length, (relations == ">").astype(np.int64)], axis=1)
    return np.concatenate([upper[above], lower[below]])


def _updates(zones: Zones, quotient: QuotientTable, locations: Columns) -> tuple[Columns, Columns]:
    """For each edge, and for the start, the begin of its sources, and all sources; a lifetime is minus one minus its length."""
    arrays, lifetimes = quotient.arrays, quotient.base.lifetimes
    targets = np.append(arrays.edges[:, TARGET], quotient.start)
    begins = np.append(arrays.edges[:, FIRST_SOURCE], len(arrays.sources))
    known = np.concatenate([arrays.sources, [0], np.array(quotient.start_updates(), dtype=np.int64) + 1]).astype(np.int64)
    edge, place = _spread(begins + 1, locations[targets, ROWS] - 1)
    first = begins_of(locations[targets, ROWS] - 1)[:-1].astype(np.int64)
    row = place - begins[edge]
    ticks = [-1 if clock is None else zones.ticks.get(lifetimes.get(clock.role, ""), -1) for clock in quotient.clocks]
    lasts = np.array(ticks, dtype=np.int64)[arrays.clocks[locations[targets[edge], FIRST_ROW] + row]]
    assert (lasts[known[place] < 0] >= 0).all(), "a clock without a lifetime is never inactive"
    return first, np.where(known[place] < 0, -1 - lasts, known[place])
