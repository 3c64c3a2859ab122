"""The graph of a quotient in arrays: what cannot recur for ever, and where time may stop, compiled by numba.

The same conditions as in `timewait.checker.structural` and `timewait.checker.timelock`, which state and justify them, and which
decide any other automaton and make the proofs that certificates hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.class_kernels import ROW, TARGET
from timewait.checker.jit import kernel, subroutine
from timewait.checker.quotient_kernels import (
    AGE_ROW,
    CONTROL,
    EDGES,
    FIRST_EDGE,
    FIRST_LIMIT,
    FIRST_ROW,
    FIRST_SOURCE,
    LIMITS,
    ROWS,
    QuotientArrays,
)

AT_MOST, EQUAL, AT_LEAST, MORE = range(4)
"""The relations of bounds."""

MAX_ROWS = 64
"""Rows of a location, at most, where the order of clocks is asked for."""


class BoundArrays(NamedTuple):
    """What bounds say, by their numbers.

    Attributes
    ----------
    relations : (bounds,) int8
        See `AT_MOST` and the names after it.
    parameters : (bounds,) int32
        The number of the parameter.
    ranks : (bounds,) int32
        The place of the parameter's value among all values.
    """

    relations: NDArray[np.int8]
    parameters: NDArray[np.int32]
    ranks: NDArray[np.int32]


class Marks(NamedTuple):
    """What the graph says of one ``eventually`` property.

    Attributes
    ----------
    pending : (controls,) bool
        Whether it is pending in the locations of a control.
    reaction_of : (rows of the table,) int32
        The reaction of each row.
    recurrent : (reactions,) bool
        Whether the edges of a reaction are its recurrent event.
    fair_of : (reactions + 1,) int32
        The begin of the fairness names of the edges of each reaction in `fair`.
    fair : (n,) int32
        Fairness names, by number.
    names : int
        How many such names there are.
    by_events : bool
        Whether only a recurrent event that recurs for ever violates the property.
    """

    pending: NDArray[np.bool_]
    reaction_of: NDArray[np.int32]
    recurrent: NDArray[np.bool_]
    fair_of: NDArray[np.int32]
    fair: NDArray[np.int32]
    names: int
    by_events: bool


class Part(NamedTuple):
    """Where a search for components is: the parts, and what is known of the one that is looked at.

    Attributes
    ----------
    part : (locations,) int32
        The number of the part that a location belongs to; -1 where it belongs to none, and at first.
    dropped : (edges,) bool
        Whether an edge cannot recur; at first it may.
    started, served : (clocks,), (names,) int32
        The last part that starts a clock, or moves another one to it; and that serves a fairness name. -1 at first.
    order : (locations,) int32
        Room for the locations, part by part.
    found, low, next_edge, members, path, waiting : (locations,) int32
        Room for Tarjan's algorithm.
    components, parts : (locations, 3), (locations, 2) int32
        Room for the components of a part, and for the parts that are not looked at yet: begin and end of each in `order`, and
        the number of a component.
    """

    part: NDArray[np.int32]
    dropped: NDArray[np.bool_]
    started: NDArray[np.int32]
    served: NDArray[np.int32]
    order: NDArray[np.int32]
    found: NDArray[np.int32]
    low: NDArray[np.int32]
    next_edge: NDArray[np.int32]
    members: NDArray[np.int32]
    path: NDArray[np.int32]
    waiting: NDArray[np.int32]
    components: NDArray[np.int32]
    parts: NDArray[np.int32]


# --- what cannot recur -----------------------------------------------------------------------------------------------


@kernel
def may_stay(quotient: QuotientArrays, bounds: BoundArrays, marks: Marks, state: Part) -> bool:
    """Whether, by the graph alone, a fair run may keep a property pending for ever."""
    part, order, parts, components = state.part, state.order, state.parts, state.components
    open_parts, last = begin_parts(quotient, marks, state), 0
    while open_parts:
        open_parts -= 1
        begin, end = parts[open_parts, 0], parts[open_parts, 1]
        last += 1
        for position in range(begin, end):
            part[order[position]] = last
        count = find_components(quotient, state, begin, end, last)
        last += count
        for component in range(count):
            first, after, number = components[component, 0], components[component, 1], components[component, 2]
            left = _left(quotient, bounds, marks, state, first, after, number)
            if left < 0:
                return True
            if left:
                parts[open_parts, 0], parts[open_parts, 1] = first, first + left
                open_parts += 1
    return False


@subroutine
def begin_parts(quotient: QuotientArrays, marks: Marks, state: Part) -> int:
    """Begin with the locations in which the property is pending, as one part; the number of parts."""
    used = 0
    for location in range(len(state.part)):
        if marks.pending[quotient.locations[location, CONTROL]]:
            state.part[location] = 0
            state.order[used] = location
            used += 1
    state.parts[0, 0], state.parts[0, 1] = 0, used
    return int(used > 0)


@subroutine
def find_components(quotient: QuotientArrays, state: Part, begin: int, end: int, number: int) -> int:
    """Find the strongly connected components of a part, and put their locations together in the order; their number.

    Tarjan's algorithm.
    """
    order, members, found, low, next_edge = state.order, state.members, state.found, state.low, state.next_edge
    path, waiting, components, known = state.path, state.waiting, state.components, 0
    for position in range(begin, end):
        location = order[position]
        members[position], found[location], next_edge[location] = location, -1, 0
    met, length, size, place = 0, 0, 0, begin
    for position in range(begin, end):
        root = members[position]
        if found[root] >= 0:
            continue
        path[0], length = root, 1
        while length:
            location = path[length - 1]
            if found[location] < 0:
                found[location] = low[location] = met
                met += 1
                waiting[size] = location
                size += 1
            first = quotient.locations[location, FIRST_EDGE]
            deeper = False
            while next_edge[location] < quotient.locations[location, EDGES]:
                edge = first + next_edge[location]
                target = quotient.edges[edge, TARGET]
                if state.part[target] == number and not state.dropped[edge]:
                    if found[target] < 0:
                        path[length] = target
                        length += 1
                        deeper = True
                        break
                    low[location] = min(low[location], low[target])  # a target in a component found before is elsewhere
                next_edge[location] += 1
            if deeper:
                continue
            length -= 1
            if low[location] == found[location]:
                components[known, 0], components[known, 2] = place, number + known + 1
                while True:
                    size -= 1
                    member = waiting[size]
                    state.part[member] = number + known + 1
                    order[place] = member
                    place += 1
                    if member == location:
                        break
                components[known, 1] = place
                known += 1
    return known


@subroutine
def _left(
    quotient: QuotientArrays,
    bounds: BoundArrays,
    marks: Marks,
    state: Part,
    first: int,
    after: int,
    number: int,
) -> int:
    """Exclude what cannot recur in a component; the locations left, put first in the order, or -1 if nothing is excluded."""
    if not note(quotient, marks, state, first, after, number) and marks.by_events:
        return 0
    order, excluded, place = state.order, False, first
    for position in range(first, after):
        location = order[position]
        if _leaves(quotient, bounds, marks, state, location, number):
            excluded = True
            state.part[location] = -1
        else:
            order[place] = location
            place += 1
    for position in range(first, place):
        location = order[position]
        begin = quotient.locations[location, FIRST_EDGE]
        for edge in range(begin, begin + quotient.locations[location, EDGES]):
            inside = state.part[quotient.edges[edge, TARGET]] == number and not state.dropped[edge]
            if inside and _ceases(quotient, bounds, marks, state, location, edge, number):
                state.dropped[edge] = True
                excluded = True
    return place - first if excluded else -1


@subroutine
def note(quotient: QuotientArrays, marks: Marks, state: Part, first: int, after: int, number: int) -> bool:
    """Note which clocks a component starts and which names it serves; whether it has a recurrent event."""
    events = False
    for position in range(first, after):
        location = state.order[position]
        begin, row_begin = quotient.locations[location, FIRST_EDGE], quotient.locations[location, FIRST_ROW]
        for edge in range(begin, begin + quotient.locations[location, EDGES]):
            target = quotient.edges[edge, TARGET]
            if state.part[target] != number or state.dropped[edge]:
                continue
            reaction = marks.reaction_of[quotient.edges[edge, ROW]]
            events |= marks.recurrent[reaction]
            for entry in range(marks.fair_of[reaction], marks.fair_of[reaction + 1]):
                state.served[marks.fair[entry]] = number
            source, rows = quotient.edges[edge, FIRST_SOURCE], quotient.locations[target, FIRST_ROW]
            for clock in range(1, quotient.locations[target, ROWS]):
                origin = quotient.sources[source + clock]
                moved = origin > 0 and quotient.clocks[row_begin + origin] != quotient.clocks[rows + clock]
                if origin == 0 or moved:
                    state.started[quotient.clocks[rows + clock]] = number
    return events


@subroutine
def row_tested(quotient: QuotientArrays, edge: int, part: int) -> int:
    """The row that a part of the guard of an edge bounds."""
    return int(quotient.guards[part, 0] if quotient.guards[part, 0] >= 0 else quotient.edges[edge, AGE_ROW])


@subroutine
def unserved(quotient: QuotientArrays, marks: Marks, state: Part, edge: int, number: int) -> bool:
    """Whether an edge has a fairness name that a component never serves."""
    reaction = marks.reaction_of[quotient.edges[edge, ROW]]
    for entry in range(marks.fair_of[reaction], marks.fair_of[reaction + 1]):  # noqa: SIM110 - numba compiles loops, not generators
        if state.served[marks.fair[entry]] != number:
            return True
    return False


@subroutine
def _leaves(quotient: QuotientArrays, bounds: BoundArrays, marks: Marks, state: Part, location: int, number: int) -> bool:
    """Whether a location cannot recur: its invariant bounds a clock that only grows, or an edge that is never taken is due."""
    rows, limits = quotient.locations[location, FIRST_ROW], quotient.locations[location, FIRST_LIMIT]
    for limit in range(limits, limits + quotient.locations[location, LIMITS]):
        if state.started[quotient.clocks[rows + quotient.limits[limit, 0]]] != number:
            return True
    begin = quotient.locations[location, FIRST_EDGE]
    for edge in range(begin, begin + quotient.locations[location, EDGES]):
        if unserved(quotient, marks, state, edge, number):
            late, row = True, quotient.edges[edge, ROW]
            for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
                grows = state.started[quotient.clocks[rows + row_tested(quotient, edge, part)]] != number
                late &= grows and bounds.relations[quotient.guards[part, 1]] == MORE
            if late:
                return True
    return False


@subroutine
def _ceases(
    quotient: QuotientArrays, bounds: BoundArrays, marks: Marks, state: Part, location: int, edge: int, number: int
) -> bool:
    """Whether an edge cannot recur: it bounds a clock that only grows, or stands beside or before an edge never taken."""
    rows, row = quotient.locations[location, FIRST_ROW], quotient.edges[edge, ROW]
    for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
        relation = bounds.relations[quotient.guards[part, 1]]
        grows = state.started[quotient.clocks[rows + row_tested(quotient, edge, part)]] != number
        if grows and (relation in (AT_MOST, EQUAL)):
            return True
    begin = quotient.locations[location, FIRST_EDGE]
    for other in range(begin, begin + quotient.locations[location, EDGES]):
        if unserved(quotient, marks, state, other, number) and no_stricter(quotient, other, edge):
            return True
    target = quotient.edges[edge, TARGET]
    begin = quotient.locations[target, FIRST_EDGE]
    for out in range(begin, begin + quotient.locations[target, EDGES]):
        if unserved(quotient, marks, state, out, number) and _at_once(quotient, bounds, edge, out):
            return True
    return False


@subroutine
def no_stricter(quotient: QuotientArrays, other: int, edge: int) -> bool:
    """Whether every bound of the guard of an edge is one of another edge of the same location."""
    row, own = quotient.edges[other, ROW], quotient.edges[edge, ROW]
    for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
        known = False
        for same in range(quotient.guards_of[own], quotient.guards_of[own + 1]):
            tested = row_tested(quotient, edge, same) == row_tested(quotient, other, part)
            known |= tested and quotient.guards[same, 1] == quotient.guards[part, 1]
        if not known:
            return False
    return True


@subroutine
def _at_once(quotient: QuotientArrays, bounds: BoundArrays, edge: int, out: int) -> bool:
    """Whether an edge starts every clock in the guard of an edge out of its target, which bounds them from above alone."""
    row, source = quotient.edges[out, ROW], quotient.edges[edge, FIRST_SOURCE]
    if quotient.guards_of[row] == quotient.guards_of[row + 1]:
        return False
    for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
        started = quotient.sources[source + row_tested(quotient, out, part)] == 0
        if not started or bounds.relations[quotient.guards[part, 1]] != AT_MOST:
            return False
    return True


# --- where time may stop ---------------------------------------------------------------------------------------------


class ClockOrder(NamedTuple):
    """What is known of the order of clocks, to find time-locks.

    Attributes
    ----------
    asked : (roles, roles) bool
        The pairs of roles of clocks whose order may matter; none at first.
    below : (rows of all locations,) uint64
        For each row the rows of its location, as bits, whose clocks never exceed its clock; none at first.
    waiting, waits : (locations,) int32, bool
        Room for the locations to look at again.
    """

    asked: NDArray[np.bool_]
    below: NDArray[np.uint64]
    waiting: NDArray[np.int32]
    waits: NDArray[np.bool_]


@kernel
def first_lock(
    quotient: QuotientArrays,
    bounds: BoundArrays,
    roles: NDArray[np.int32],
    fresh: NDArray[np.bool_],
    order: ClockOrder,
    ordered: bool,
) -> int:
    """The first location in which time may stop while no edge is possible; -1 if there is none.

    `roles` holds the role of each clock, `fresh` for each row of the first location whether its clock starts from zero. With
    `ordered` no location has more than `MAX_ROWS` rows; without, no clock is known not to exceed another, so that a location may
    be found in which time never stops.
    """
    if ordered:
        _ask(quotient, bounds, roles, order.asked)
        _find_order(quotient, roles, fresh, order)
    for location in range(len(quotient.locations)):
        limits = quotient.locations[location, FIRST_LIMIT]
        for limit in range(limits, limits + quotient.locations[location, LIMITS]):
            possible = False
            begin = quotient.locations[location, FIRST_EDGE]
            for edge in range(begin, begin + quotient.locations[location, EDGES]):
                if _open(quotient, bounds, order.below, location, limit, edge):
                    possible = True
                    break
            if not possible:
                return location
    return -1


@subroutine
def _open(quotient: QuotientArrays, bounds: BoundArrays, order: NDArray[np.uint64], location: int, limit: int, edge: int) -> bool:
    """Whether an edge of a location is possible when a clock reaches a limit."""
    row, limited, most = quotient.edges[edge, ROW], quotient.limits[limit, 0], quotient.limits[limit, 1]
    limits = quotient.locations[location, FIRST_LIMIT]
    below = order[quotient.locations[location, FIRST_ROW] + limited]
    for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
        tested, bound = row_tested(quotient, edge, part), quotient.guards[part, 1]
        relation, equal = bounds.relations[bound], bounds.parameters[bound] == bounds.parameters[most]
        holds = False
        for other in range(limits, limits + quotient.locations[location, LIMITS]):
            holds |= quotient.limits[other, 0] == tested and quotient.limits[other, 1] == bound
        if tested == limited:
            holds |= relation in (AT_MOST, EQUAL) and equal
            holds |= relation == AT_LEAST and bounds.ranks[bound] <= bounds.ranks[most]
            holds |= relation == MORE and bounds.ranks[bound] < bounds.ranks[most]
        if below:  # of a location with no more than `MAX_ROWS` rows
            holds |= relation == AT_MOST and equal and bool((below >> np.uint64(tested)) & np.uint64(1))
        if not holds:
            return False
    return True


@subroutine
def _ask(quotient: QuotientArrays, bounds: BoundArrays, roles: NDArray[np.int32], asked: NDArray[np.bool_]) -> None:
    """Mark the pairs of roles of clocks whose order may matter: one is tested by the parameter by which the other is limited."""
    for location in range(len(quotient.locations)):
        rows = quotient.locations[location, FIRST_ROW]
        begin, limits = quotient.locations[location, FIRST_EDGE], quotient.locations[location, FIRST_LIMIT]
        for limit in range(limits, limits + quotient.locations[location, LIMITS]):
            limited = roles[quotient.clocks[rows + quotient.limits[limit, 0]]]
            parameter = bounds.parameters[quotient.limits[limit, 1]]
            for edge in range(begin, begin + quotient.locations[location, EDGES]):
                row = quotient.edges[edge, ROW]
                for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
                    bound = quotient.guards[part, 1]
                    if bounds.relations[bound] == AT_MOST and bounds.parameters[bound] == parameter:
                        asked[roles[quotient.clocks[rows + row_tested(quotient, edge, part)]], limited] = True


@subroutine
def _find_order(quotient: QuotientArrays, roles: NDArray[np.int32], fresh: NDArray[np.bool_], order: ClockOrder) -> None:
    """Find for each row the rows of its location whose clocks never exceed its clock: a greatest fixed point."""
    one, count, asked, below = np.uint64(1), len(quotient.locations), order.asked, order.below
    waiting, waits, size = order.waiting, order.waits, count
    for location in range(count):
        waiting[location], waits[location] = location, True
        begin, rows = quotient.locations[location, FIRST_ROW], quotient.locations[location, ROWS]
        for row in range(1, rows):
            for other in range(1, rows):
                pair = asked[roles[quotient.clocks[begin + other]], roles[quotient.clocks[begin + row]]]
                if pair and other != row and (location or fresh[other]):
                    below[begin + row] |= one << np.uint64(other)
    while size:
        size -= 1
        location = waiting[size]
        waits[location] = False
        begin = quotient.locations[location, FIRST_EDGE]
        for edge in range(begin, begin + quotient.locations[location, EDGES]):
            target = quotient.edges[edge, TARGET]
            if _lessen(quotient, below, location, edge) and not waits[target]:
                waits[target] = True
                waiting[size] = target
                size += 1


@subroutine
def _lessen(quotient: QuotientArrays, order: NDArray[np.uint64], location: int, edge: int) -> bool:
    """Keep the order of the clocks of a target that holds after an edge; whether that is less."""
    target, source = quotient.edges[edge, TARGET], quotient.edges[edge, FIRST_SOURCE]
    begin, before = quotient.locations[target, FIRST_ROW], quotient.locations[location, FIRST_ROW]
    lessened = False
    for row in range(1, quotient.locations[target, ROWS]):
        pairs, origin = order[begin + row], quotient.sources[source + row]
        if not pairs:
            continue
        for other in range(1, quotient.locations[target, ROWS]):
            bit = np.uint64(1) << np.uint64(other)
            if pairs & bit:
                lesser = quotient.sources[source + other]
                kept = lesser == 0
                if lesser > 0 and origin > 0:
                    kept = lesser == origin or bool((order[before + origin] >> np.uint64(lesser)) & np.uint64(1))
                if not kept:
                    order[begin + row] &= ~bit
                    lessened = True
    return lessened
