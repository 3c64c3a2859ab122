"""Exploration in dense time, compiled by numba: the loop behind `timewait.checker.zones.Zones`.

The locations met so far, the nodes and their zones lie in growing arrays (`ZoneArrays`), which `Zones` owns. A kernel that
meets a location whose edges it does not know, or lacks room, says so before it changes anything, and is called again.

A zone is a difference-bound matrix as in `timewait.checker.dbm`, row by row in the pool. The zones of one location form a
list of which no member includes another. The room of a zone that a later one includes is used again, unless all are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.class_kernels import ROW
from timewait.checker.class_kernels import TARGET as STEP_TARGET
from timewait.checker.dbm import AT_MOST_ZERO, INFINITE, through
from timewait.checker.jit import kernel, subroutine
from timewait.checker.quotient_kernels import AGE_ROW, FIRST_LIMIT, FIRST_ROW, FIRST_SOURCE, LIMITS, ROWS, QuotientArrays
from timewait.checker.quotient_kernels import EDGES as STEPS
from timewait.checker.quotient_kernels import FIRST_EDGE as FIRST_STEP

DONE, UNKNOWN, NO_ROOM, NOTED = 0, 1, 2, 3
"""How a kernel ended: done; a location is unknown; there is no room; an edge of a new kind was taken."""

NODES, NEXT, TRANSITIONS, POOL, WANTED, KEEPS = range(6)
"""The entries of `ZoneArrays.counts`: nodes, the next to visit, steps, used entries of the pool, the unknown location, and
whether zones that a later one includes are kept."""

SIZE, FIRST_EDGE, EDGES, FIRST_BOUND, BOUNDS, FIRST_CONSTANT = range(6)
"""The columns of `ZoneArrays.places`."""

TARGET, FIRST_GUARD, GUARDS, FIRST_UPDATE, KIND, TAKEN = range(6)
"""The columns of `ZoneArrays.edges`."""

LOCATION, PARENT, STEP, DEPTH, CHAIN = range(5)
"""The columns of `ZoneArrays.nodes`."""


class ZoneArrays(NamedTuple):
    """The locations, the nodes and their zones.

    Attributes
    ----------
    counts : (6,) int64
        See `NODES` and the names after it.
    places : (locations, 6) int32
        For each location the number of rows of its zones (0: unknown), begin and number of its edges, begin and number of
        the bounds of its invariant, and the begin of its maximal constants, one for each row.
    heads : (locations,) int32
        For each location the newest of its stored nodes; -1 is none.
    edges : (edges, 6) int32
        For each edge its target, begin and number of the bounds of its guard, the begin of its updates, one for each row of
        the target, its kind, which is 0 where it violates and witnesses nothing, and whether it was ever taken.
    bounds : (n, 3) int64
        Bounds as (row, column, bound).
    sources : (n,) int16
        For each row of a target the row that it copies; 0 for a clock that is reset, and for row 0; -1 for an inactive clock.
    constants : (n, 3) int64
        For each row the maximal constants in lower and in upper bounds, and the lifetime that the clock exceeds when it is
        inactive, in ticks; -1 where there is none. Row 0 has the constants 0.
    nodes : (nodes, 5) int32
        For each node its location, the node that it was reached from (-1: none), the edge there, its depth, and the next older
        node of its location that is stored; -1 is none.
    slots : (nodes,) int64
        For each node the begin of its zone in the pool; -1 once a later zone includes it.
    pool : (n,) int64
        Zones, row by row.
    free : (sizes,) int64
        For each number of rows the begin of a part of the pool that is free again, whose first entry is the begin of the
        next; -1 ends the list.
    first_taken : (kinds, 2) int64
        For each kind of edge the first (node, step) with such an edge; -1 is none.
    scratch : (3, rows squared) int64
        Room for the zone that is left, under a guard, and after an edge.
    least : (rows,) int64
        Room for the least value of each clock.
    """

    counts: NDArray[np.int64]
    places: NDArray[np.int32]
    heads: NDArray[np.int32]
    edges: NDArray[np.int32]
    bounds: NDArray[np.int64]
    sources: NDArray[np.int16]
    constants: NDArray[np.int64]
    nodes: NDArray[np.int32]
    slots: NDArray[np.int64]
    pool: NDArray[np.int64]
    free: NDArray[np.int64]
    first_taken: NDArray[np.int64]
    scratch: NDArray[np.int64]
    least: NDArray[np.int64]


@kernel
def write_bounds(
    quotient: QuotientArrays,
    forms: NDArray[np.int64],
    places: NDArray[np.int32],
    edges: NDArray[np.int32],
    bounds: NDArray[np.int64],
    at: NDArray[np.int32],
) -> int:
    """Write the locations of a quotient, its edges and their bounds; the bounds, of which only those are written that fit.

    Parameters
    ----------
    forms : (bounds, 2) int64
        For each bound its form on (clock, zero) and on (zero, clock), `INFINITE` where it has none.
    places, edges, bounds
        As in `ZoneArrays`; the kinds of edges are written already.
    at : (rows of the table, 1 + most rows of a location) int32
        Room, -1: for each row, and row of the age of an arriving message, the begin of the guard.
    """
    used = 0
    for location in range(len(quotient.locations)):
        place = quotient.locations[location]
        begin = used
        for limit in range(place[FIRST_LIMIT], place[FIRST_LIMIT] + place[LIMITS]):
            used = _write_bound(forms, bounds, used, quotient.limits[limit, 0], quotient.limits[limit, 1])
        places[location, SIZE], places[location, FIRST_CONSTANT] = place[ROWS], place[FIRST_ROW]
        places[location, FIRST_EDGE], places[location, EDGES] = place[FIRST_STEP], place[STEPS]
        places[location, FIRST_BOUND], places[location, BOUNDS] = begin, used - begin
    for edge in range(len(quotient.edges)):
        row, age = quotient.edges[edge, ROW], quotient.edges[edge, AGE_ROW]
        count = 0
        for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
            bound = quotient.guards[part, 1]
            count += (forms[bound, 0] < INFINITE) + (forms[bound, 1] < INFINITE)
        if at[row, age + 1] < 0:
            at[row, age + 1] = used
            for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
                tested = quotient.guards[part, 0] if quotient.guards[part, 0] >= 0 else age
                used = _write_bound(forms, bounds, used, tested, quotient.guards[part, 1])
        edges[edge, TARGET], edges[edge, FIRST_UPDATE] = quotient.edges[edge, STEP_TARGET], quotient.edges[edge, FIRST_SOURCE]
        edges[edge, FIRST_GUARD], edges[edge, GUARDS] = at[row, age + 1], count
    return used


@subroutine
def _write_bound(forms: NDArray[np.int64], bounds: NDArray[np.int64], used: int, row: int, bound: int) -> int:
    for form in range(2):
        if forms[bound, form] < INFINITE:
            if used < len(bounds):
                bounds[used, form], bounds[used, 1 - form], bounds[used, 2] = row, 0, forms[bound, form]
            used += 1
    return used


@kernel
def begin(arrays: ZoneArrays, location: int, sources: NDArray[np.int16]) -> None:
    """Store the first node; the sources of its rows are among the rows of a zone of which only the constant zero is known."""
    _enter(arrays, location, sources)
    _store(arrays, location, -1, -1, 0)


@kernel
def first_stored(arrays: ZoneArrays, location: int, sources: NDArray[np.int16]) -> int:
    """A stored node whose zone includes that of the first one; parameters as in `begin`."""
    _enter(arrays, location, sources)
    return _including(arrays, location)


@subroutine
def _enter(arrays: ZoneArrays, location: int, sources: NDArray[np.int16]) -> None:
    """Put the zone of the first node into the last row of the scratch."""
    arrays.scratch[0, 0] = AT_MOST_ZERO
    _carry(arrays, arrays.scratch[0], 1, arrays.scratch[2], location, sources, 0)
    _settle(arrays, arrays.scratch[2], location)


@kernel
def explore(arrays: ZoneArrays, count: int, most: int) -> int:
    """Visit nodes, breadth first; how it ended.

    Parameters
    ----------
    arrays : ZoneArrays
        The exploration.
    count : int
        Nodes to visit.
    most : int
        Nodes above which no further one is visited.
    """
    counts = arrays.counts
    while count > 0 and counts[NEXT] < counts[NODES] <= most:
        number = counts[NEXT]
        if arrays.slots[number] >= 0:
            location = arrays.nodes[number, LOCATION]
            first = arrays.places[location, FIRST_EDGE]
            last = first + arrays.places[location, EDGES]
            widest = 0
            for edge in range(first, last):
                size = int(arrays.places[arrays.edges[edge, TARGET], SIZE])
                if not size:
                    counts[WANTED] = location
                    return UNKNOWN
                widest = max(widest, size)
            if counts[NODES] + last - first > len(arrays.nodes) or counts[POOL] + (last - first) * widest * widest > len(
                arrays.pool
            ):
                return NO_ROOM
            count -= 1
            if _visit(arrays, number, location, first, last):
                counts[NEXT] += 1
                return NOTED
        counts[NEXT] += 1
    return DONE


@subroutine
def _visit(arrays: ZoneArrays, number: int, location: int, first: int, last: int) -> bool:
    """Take every edge that is possible at a node; whether one is of a kind that was never taken."""
    noted = False
    _leave(arrays, number, location)
    for edge in range(first, last):
        if not _taken(arrays, location, edge):
            continue
        arrays.counts[TRANSITIONS] += 1
        arrays.edges[edge, TAKEN] = 1
        kind = arrays.edges[edge, KIND]
        if kind and arrays.first_taken[kind, 0] < 0:
            arrays.first_taken[kind, 0], arrays.first_taken[kind, 1] = number, edge - first
            noted = True
        _store(arrays, arrays.edges[edge, TARGET], number, edge - first, arrays.nodes[number, DEPTH] + 1)
    return noted


@subroutine
def _leave(arrays: ZoneArrays, number: int, location: int) -> None:
    """Copy the zone of a stored node into the scratch."""
    size, slot, zone = int(arrays.places[location, SIZE]), arrays.slots[number], arrays.scratch[0]
    for entry in range(size * size):
        zone[entry] = arrays.pool[slot + entry]


@subroutine
def _taken(arrays: ZoneArrays, location: int, edge: int) -> bool:
    """Whether an edge can be taken from the zone in the scratch; what it leads to is then in the last row of the scratch."""
    size, zone = int(arrays.places[location, SIZE]), arrays.scratch[0]
    begin = arrays.edges[edge, FIRST_GUARD]
    end = begin + arrays.edges[edge, GUARDS]
    if not _narrowed(arrays, size, begin, end):
        return False
    guarded = zone
    for bound in range(begin, end):
        if arrays.bounds[bound, 2] < zone[arrays.bounds[bound, 0] * size + arrays.bounds[bound, 1]]:
            guarded = arrays.scratch[1]
    target = arrays.edges[edge, TARGET]
    _carry(arrays, guarded, size, arrays.scratch[2], target, arrays.sources, arrays.edges[edge, FIRST_UPDATE])
    _settle(arrays, arrays.scratch[2], target)
    return True


@kernel
def link(arrays: ZoneArrays, begins: NDArray[np.int64], successors: NDArray[np.int32]) -> None:
    """For each stored node and each edge out of it, find a stored node whose zone includes what the edge leads to.

    Parameters
    ----------
    begins : (nodes,) int64
        For each node the place of its first edge in `successors`; the others follow in their order.
    successors : (n,) int32
        The result, first -1: the number of such a node; as it is where the edge cannot be taken, or there is no such node.
    """
    for number in range(arrays.counts[NODES]):
        if arrays.slots[number] < 0:
            continue
        location = arrays.nodes[number, LOCATION]
        first = arrays.places[location, FIRST_EDGE]
        _leave(arrays, number, location)
        for edge in range(first, first + arrays.places[location, EDGES]):
            known = arrays.places[arrays.edges[edge, TARGET], SIZE] > 0
            if known and _taken(arrays, location, edge):
                successors[begins[number] + edge - first] = _including(arrays, int(arrays.edges[edge, TARGET]))


@subroutine
def _including(arrays: ZoneArrays, location: int) -> int:
    """The oldest stored node of a location whose zone includes the one in the last row of the scratch; -1 if there is none."""
    size, other, oldest = int(arrays.places[location, SIZE]), int(arrays.heads[location]), -1
    while other >= 0:
        inside, _ = _compare(arrays.scratch[2], arrays.pool, arrays.slots[other], size)
        if inside:
            oldest = other
        other = int(arrays.nodes[other, CHAIN])
    return oldest


@subroutine
def _narrowed(arrays: ZoneArrays, size: int, begin: int, end: int) -> bool:
    """Whether a zone meets the bounds of a guard; the narrowed zone is in the scratch if a bound narrows it."""
    zone, narrow, bounds = arrays.scratch[0], arrays.scratch[1], arrays.bounds
    narrows = False
    for bound in range(begin, end):
        row, column, value = bounds[bound, 0], bounds[bound, 1], bounds[bound, 2]
        if value < zone[row * size + column]:
            narrows = True
            if through(zone[column * size + row], value) < AT_MOST_ZERO:
                return False
    if narrows:
        for entry in range(size * size):
            narrow[entry] = zone[entry]
        for bound in range(begin, end):
            if not _tighten(narrow, size, bounds[bound, 0], bounds[bound, 1], bounds[bound, 2]):
                return False
    return True


@subroutine
def _tighten(zone: NDArray[np.int64], size: int, row: int, column: int, bound: int) -> bool:
    """As `timewait.checker.dbm.tighten`."""
    if bound >= zone[row * size + column]:
        return True
    if through(zone[column * size + row], bound) < AT_MOST_ZERO:
        return False
    for i in range(size):
        before = through(zone[i * size + row], bound)
        if before < INFINITE:
            for j in range(size):
                zone[i * size + j] = min(zone[i * size + j], through(before, zone[column * size + j]))
    return True


@subroutine
def _carry(
    arrays: ZoneArrays,
    zone: NDArray[np.int64],
    size: int,
    after: NDArray[np.int64],
    target: int,
    sources: NDArray[np.int16],
    update: int,
) -> None:
    """As `timewait.checker.dbm.carry`; the sources begin at the index `update`."""
    rows, constants = int(arrays.places[target, SIZE]), arrays.places[target, FIRST_CONSTANT]
    for row in range(rows):
        source = int(sources[update + row])
        for column in range(rows):
            other = int(sources[update + column])
            if source < 0:
                bound = INFINITE
            elif other < 0:
                bound = through(zone[source * size], -2 * arrays.constants[constants + column, 2])
            else:
                bound = zone[source * size + other]
            after[row * rows + column] = bound
        after[row * rows + row] = AT_MOST_ZERO


@subroutine
def _settle(arrays: ZoneArrays, zone: NDArray[np.int64], location: int) -> None:
    """As `timewait.checker.dbm.settled`; a zone that extrapolation leaves as it is need not be made canonical."""
    size, constants = int(arrays.places[location, SIZE]), arrays.places[location, FIRST_CONSTANT]
    for row in range(1, size):
        zone[row * size] = INFINITE
    first = arrays.places[location, FIRST_BOUND]
    for bound in range(first, first + arrays.places[location, BOUNDS]):
        _tighten(zone, size, arrays.bounds[bound, 0], arrays.bounds[bound, 1], arrays.bounds[bound, 2])
    least, changed = arrays.least, False
    for row in range(size):
        least[row] = -(zone[row] >> 1)
    for row in range(1, size):
        lower = arrays.constants[constants + row, 0]
        for column in range(size):
            bound = zone[row * size + column]
            if row == column or bound >= INFINITE:
                continue
            upper = arrays.constants[constants + column, 1]
            if lower < 0 or (bound >> 1) > lower or least[row] > lower or least[column] > upper:
                zone[row * size + column] = INFINITE
                changed = True
    for column in range(1, size):
        upper = arrays.constants[constants + column, 1]
        if least[column] > upper:
            zone[column] = AT_MOST_ZERO if upper < 0 else -2 * upper
            changed = True
    if changed:
        _close(zone, size)


@subroutine
def _close(zone: NDArray[np.int64], size: int) -> None:
    """As `timewait.checker.dbm.close`."""
    for middle in range(size):
        for row in range(size):
            first = zone[row * size + middle]
            if first < INFINITE and row != middle:
                for column in range(size):
                    bound = through(first, zone[middle * size + column])
                    zone[row * size + column] = min(zone[row * size + column], bound)


@subroutine
def _store(arrays: ZoneArrays, location: int, parent: int, step: int, depth: int) -> None:
    """Store the zone after an edge, the last row of the scratch, as a new node, unless a stored zone includes it."""
    size, zone = int(arrays.places[location, SIZE]), arrays.scratch[2]
    nodes, slots, pool = arrays.nodes, arrays.slots, arrays.pool
    newer, other = -1, int(arrays.heads[location])
    while other >= 0:
        inside, outside = _compare(zone, pool, slots[other], size)
        if inside:
            return
        older = int(nodes[other, CHAIN])
        if outside and not arrays.counts[KEEPS]:
            if newer < 0:
                arrays.heads[location] = older
            else:
                nodes[newer, CHAIN] = older
            pool[slots[other]] = arrays.free[size]
            arrays.free[size] = slots[other]
            slots[other] = -1
        else:
            newer = other
        other = older
    slot = arrays.free[size]
    if slot >= 0:
        arrays.free[size] = pool[slot]
    else:
        slot = arrays.counts[POOL]
        arrays.counts[POOL] += size * size
    for entry in range(size * size):
        pool[slot + entry] = zone[entry]
    number = arrays.counts[NODES]
    nodes[number, LOCATION], nodes[number, PARENT], nodes[number, STEP] = location, parent, step
    nodes[number, DEPTH], nodes[number, CHAIN] = depth, arrays.heads[location]
    arrays.heads[location] = number
    slots[number] = slot
    arrays.counts[NODES] += 1


@subroutine
def _compare(zone: NDArray[np.int64], pool: NDArray[np.int64], slot: int, size: int) -> tuple[bool, bool]:
    """Whether a zone is included in a stored one, and whether it includes it."""
    inside = outside = True
    for row in range(size):
        for entry in range(row * size, row * size + size):
            inside &= zone[entry] <= pool[slot + entry]
            outside &= pool[slot + entry] <= zone[entry]
        if not inside and not outside:
            break
    return inside, outside
