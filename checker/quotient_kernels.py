"""The quotient of a message-passing automaton in arrays, made from its equivalence classes, compiled by numba.

The classes (`timewait.checker.class_kernels`) become numbered locations. Their clocks and limits, and the clock updates of their
edges, follow from the messages in flight and from the rows of the table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.class_kernels import (
    CONTROL_BEFORE,
    FIRST_SENT,
    FIRST_STEP,
    MESSAGE,
    NEXT,
    REACTION,
    ROW,
    SENT,
    TARGET,
    ClassArrays,
    has,
)
from timewait.checker.jit import kernel, subroutine

AGE_ROW, FIRST_SOURCE = 3, 4
"""The columns of `QuotientArrays.edges` after those that it shares with `ClassArrays.steps`: row, message and target."""

CLASS, FIRST_EDGE, EDGES, FIRST_ROW, ROWS, CONTROL, FIRST_LIMIT, LIMITS = range(8)
"""The columns of `QuotientArrays.locations`."""


class ClockNumbers(NamedTuple):
    """How clocks are numbered: 0 is the row of the constant zero, then come clocks of controls, ages and deadlines.

    Attributes
    ----------
    begins : (controls + 1,) int32
        The begin of the clocks of each control in `own`.
    own : (n,) int32
        The numbers of the clocks of controls.
    ages, dues : (messages,) int32
        The number of the age of each message, which messages may share, and that of its deadline.
    apart : bool
        Whether the deadlines of a location come before the ages, and not each after the age of its message.
    total : int
        All numbers.
    """

    begins: NDArray[np.int32]
    own: NDArray[np.int32]
    ages: NDArray[np.int32]
    dues: NDArray[np.int32]
    apart: bool
    total: int


class ReactionParts(NamedTuple):
    """What the reactions of the table say of clocks, and where the clocks of parts of controls are, in numbers.

    Attributes
    ----------
    places : (reactions,) int32
        The place of the part that a reaction changes.
    updates_of, guards_of : (reactions + 1,) int32
        The begin of the part of each reaction in `updates` and in `guards`.
    updates : (n,) int16
        For each clock of a part the place of its source among those of the part before, from 1 on, or 0 where it is reset.
    guards : (n, 2) int32
        Bounds, each as the place of its clock from 1 on (-1: that of the age of the arriving message) and its number.
    begins : (controls, parts + 1) int32
        For each control the position of the first clock of each part, then the number of its clocks.
    """

    places: NDArray[np.int32]
    updates_of: NDArray[np.int32]
    updates: NDArray[np.int16]
    guards_of: NDArray[np.int32]
    guards: NDArray[np.int32]
    begins: NDArray[np.int32]


class RowParts(NamedTuple):
    """What the rows of the table and its controls say of clocks, in numbers.

    Attributes
    ----------
    updates_of, guards_of : (rows + 1,) int32
        The begin of the part of each row in `updates` and in `guards`.
    updates : (n,) int16
        For each clock of a target control the row of its source clock, or 0 where it is reset.
    guards : (n, 2) int32
        Bounds, each as the row of its clock (-1: that of the age of the arriving message) and the number of the bound.
    limits_of : (controls + 1,) int32
        The begin of the part of each control in `limits`.
    limits : (n, 2) int32
        The bounds of invariants, each as row and number.
    due_bound : int
        The number of the bound on deadlines.
    """

    updates_of: NDArray[np.int32]
    updates: NDArray[np.int16]
    guards_of: NDArray[np.int32]
    guards: NDArray[np.int32]
    limits_of: NDArray[np.int32]
    limits: NDArray[np.int32]
    due_bound: int


class QuotientArrays(NamedTuple):
    """The quotient: numbered locations, their clocks and their edges.

    Attributes
    ----------
    locations : (locations, 8) int32
        For each location its class, begin and number of its edges, begin and number of its rows, which are one more than its
        clocks, its control, and begin and number of the bounds of its invariant.
    edges : (edges, 5) int32
        For each edge its row of the table, the message that arrives or -1, its target location, the row of the age of that
        message or -1, and the begin of the sources of its target's rows.
    clocks : (n,) int16
        The number of the clock of each row; 0 for the first, which is that of the constant zero.
    sources : (n,) int16
        For each row of a target the row that it copies; 0 for a clock that is reset, and for row 0; -1 for an inactive clock.
    limits : (n, 2) int32
        The bounds of invariants, each as the row of its clock and its number.
    guards_of : (rows of the table + 1,) int32
        The begin of the guard of each row of the table in `guards`.
    guards : (n, 2) int32
        The bounds of guards, each as the row of its clock (-1: that of the age of the arriving message) and its number.
    """

    locations: NDArray[np.int32]
    edges: NDArray[np.int32]
    clocks: NDArray[np.int16]
    sources: NDArray[np.int16]
    limits: NDArray[np.int32]
    guards_of: NDArray[np.int32]
    guards: NDArray[np.int32]


@kernel
def write_rows(rows: NDArray[np.int32], reactions: ReactionParts, parts: RowParts) -> None:
    """Write the updates and guards of rows into room for them: a reaction in a control, whose other parts keep their clocks."""
    for row in range(len(rows)):
        control, reaction = rows[row, CONTROL_BEFORE], rows[row, REACTION]
        place, update = reactions.places[reaction], parts.updates_of[row]
        begins = reactions.begins[control]
        for part in range(len(begins) - 1):
            if part == place:
                for entry in range(reactions.updates_of[reaction], reactions.updates_of[reaction + 1]):
                    source = reactions.updates[entry]
                    parts.updates[update] = begins[part] + source if source else 0
                    update += 1
            else:
                for clock in range(begins[part], begins[part + 1]):
                    parts.updates[update] = clock + 1
                    update += 1
        guard = parts.guards_of[row]
        for entry in range(reactions.guards_of[reaction], reactions.guards_of[reaction + 1]):
            clock = reactions.guards[entry, 0]
            parts.guards[guard, 0] = begins[place] + clock if clock > 0 else clock
            parts.guards[guard, 1] = reactions.guards[entry, 1]
            guard += 1


@kernel
def number(
    arrays: ClassArrays,
    ranks: NDArray[np.int32],
    locations: NDArray[np.int32],
    edges: NDArray[np.int32],
    numbers: NDArray[np.int32],
    keys: NDArray[np.int32],
) -> int:
    """Number the classes in the order in which edges lead to them, and put the edges in the order of the automaton; how many.

    `ranks` holds the place of each message in that order, `numbers` -1 for each class; `keys` is room for each edge.
    """
    locations[0, CLASS], numbers[0] = 0, 0
    location, count, end = 0, 1, 0
    while location < count:
        here, begin = locations[location, CLASS], end
        control = arrays.controls[here]
        first = arrays.lists[arrays.row_lists[control, 0], 0]
        step = arrays.links[here, FIRST_STEP]
        while step >= 0:
            row, message = arrays.steps[step, ROW], arrays.steps[step, MESSAGE]
            spontaneous = np.int32(0 if row - first < arrays.before[control] else len(ranks) + 1)
            key = ranks[message] + 1 if message >= 0 else spontaneous
            place = end
            while place > begin and keys[place - 1] > key:
                keys[place] = keys[place - 1]
                for column in range(AGE_ROW):
                    edges[place, column] = edges[place - 1, column]
                place -= 1
            keys[place] = key
            edges[place, ROW], edges[place, MESSAGE], edges[place, TARGET] = row, message, arrays.steps[step, TARGET]
            step = arrays.steps[step, NEXT]
            end += 1
        for edge in range(begin, end):
            target = edges[edge, TARGET]
            if numbers[target] < 0:
                numbers[target] = count
                locations[count, CLASS] = target
                count += 1
            edges[edge, TARGET] = numbers[target]
        locations[location, FIRST_EDGE], locations[location, EDGES] = begin, end - begin
        locations[location, CONTROL] = control
        location += 1
    return count


@subroutine
def list_clocks(
    arrays: ClassArrays, numbers: ClockNumbers, by_rank: NDArray[np.int32], here: int, clocks: NDArray[np.int16], begin: int
) -> int:
    """Write the numbers of the clocks of a class, after a zero; how many."""
    control, flying, must = arrays.controls[here], arrays.flying[here], arrays.must[here]
    clocks[begin] = 0
    end = begin + 1
    for clock in range(numbers.begins[control], numbers.begins[control + 1]):
        clocks[end] = numbers.own[clock]
        end += 1
    if numbers.apart:
        for message in by_rank:
            if has(must, message):
                clocks[end] = numbers.dues[message]
                end += 1
    ages = end
    for message in by_rank:
        if has(flying, message):
            known = False
            for row in range(ages, end):
                known |= clocks[row] == numbers.ages[message]
            if not known:
                clocks[end] = numbers.ages[message]
                end += 1
            if not numbers.apart and has(must, message):
                clocks[end] = numbers.dues[message]
                end += 1
    return end - begin


@kernel
def measure(
    arrays: ClassArrays,
    numbers: ClockNumbers,
    by_rank: NDArray[np.int32],
    parts: RowParts,
    locations: NDArray[np.int32],
    edges: NDArray[np.int32],
    room: NDArray[np.int16],
) -> tuple[int, int, int]:
    """Say where the rows and limits of each location, and the sources of each edge, begin; the number of each.

    `room` has an entry for each clock and one more.
    """
    rows = sources = limits = 0
    for location in range(len(locations)):
        here, control = locations[location, CLASS], locations[location, CONTROL]
        count = list_clocks(arrays, numbers, by_rank, here, room, 0)
        locations[location, FIRST_ROW], locations[location, ROWS] = rows, count
        rows += count
        count = parts.limits_of[control + 1] - parts.limits_of[control]
        for message in by_rank:
            if has(arrays.must[here], int(message)):
                count += 1
        locations[location, FIRST_LIMIT], locations[location, LIMITS] = limits, count
        limits += count
    for edge in range(len(edges)):
        edges[edge, FIRST_SOURCE] = sources
        sources += locations[edges[edge, TARGET], ROWS]
    return rows, sources, limits


@kernel
def lay_out(
    arrays: ClassArrays,
    numbers: ClockNumbers,
    by_rank: NDArray[np.int32],
    parts: RowParts,
    quotient: QuotientArrays,
    at: NDArray[np.int16],
    resets: NDArray[np.int32],
) -> None:
    """Write the clocks and limits of locations, and the row of the arriving age and the sources of edges.

    `at` and `resets` are room, -1 for each clock.
    """
    locations, edges, clocks = quotient.locations, quotient.edges, quotient.clocks
    for location in range(len(locations)):
        list_clocks(arrays, numbers, by_rank, locations[location, CLASS], clocks, locations[location, FIRST_ROW])
    for location in range(len(locations)):
        begin, rows = locations[location, FIRST_ROW], locations[location, ROWS]
        for row in range(rows):
            at[clocks[begin + row]] = row
        must = arrays.must[locations[location, CLASS]]
        _write_limits(quotient, numbers, by_rank, parts, location, must, at)
        first = locations[location, FIRST_EDGE]
        for edge in range(first, first + locations[location, EDGES]):
            message = edges[edge, MESSAGE]
            edges[edge, AGE_ROW] = at[numbers.ages[message]] if message >= 0 else np.int16(-1)
            _mark_resets(arrays, numbers, must, edges, edge, resets)
            _write_sources(quotient, numbers, parts, edge, at, resets)
        for row in range(rows):
            at[clocks[begin + row]] = -1


@subroutine
def _write_limits(
    quotient: QuotientArrays,
    numbers: ClockNumbers,
    by_rank: NDArray[np.int32],
    parts: RowParts,
    location: int,
    must: NDArray[np.uint64],
    at: NDArray[np.int16],
) -> None:
    """Write the bounds of the invariant of a location: those of its control, then a bound on each deadline."""
    limit, control = quotient.locations[location, FIRST_LIMIT], quotient.locations[location, CONTROL]
    for part in range(parts.limits_of[control], parts.limits_of[control + 1]):
        quotient.limits[limit, 0], quotient.limits[limit, 1] = parts.limits[part, 0], parts.limits[part, 1]
        limit += 1
    for message in by_rank:
        if has(must, message):
            quotient.limits[limit, 0], quotient.limits[limit, 1] = at[numbers.dues[message]], parts.due_bound
            limit += 1


@subroutine
def _mark_resets(
    arrays: ClassArrays,
    numbers: ClockNumbers,
    must: NDArray[np.uint64],
    edges: NDArray[np.int32],
    edge: int,
    resets: NDArray[np.int32],
) -> None:
    """Mark the ages and deadlines that an edge starts: those of messages that it sends."""
    row, arrived = edges[edge, ROW], edges[edge, MESSAGE]
    first = arrays.rows[row, FIRST_SENT]
    for part in range(first, first + arrays.rows[row, SENT]):
        message = arrays.sends[part, 0]
        resets[numbers.ages[message]] = edge
        if arrays.sends[part, 1] and (message == arrived or not has(must, message)):
            resets[numbers.dues[message]] = edge


@subroutine
def _write_sources(
    quotient: QuotientArrays,
    numbers: ClockNumbers,
    parts: RowParts,
    edge: int,
    at: NDArray[np.int16],
    resets: NDArray[np.int32],
) -> None:
    """Write the sources of the rows of an edge's target."""
    target, begin = quotient.edges[edge, TARGET], quotient.edges[edge, FIRST_SOURCE]
    first, control = quotient.locations[target, FIRST_ROW], quotient.locations[target, CONTROL]
    own = parts.updates_of[quotient.edges[edge, ROW]] - 1
    timers = numbers.begins[control + 1] - numbers.begins[control]
    quotient.sources[begin] = 0
    for row in range(1, quotient.locations[target, ROWS]):
        clock = quotient.clocks[first + row]
        if row <= timers:
            quotient.sources[begin + row] = parts.updates[own + row]
        elif resets[clock] == edge:
            quotient.sources[begin + row] = 0
        else:
            quotient.sources[begin + row] = at[clock]


@kernel
def maximal_constants(
    quotient: QuotientArrays, lower: NDArray[np.int64], upper: NDArray[np.int64], most: NDArray[np.int64]
) -> None:
    """Write for each clock the maximal constants in lower and in upper bounds, shape (clocks, 2), where -1 stands for none.

    `lower` and `upper` hold for each bound its constant as a lower and as an upper one, -1 where it is none.
    """
    for location in range(len(quotient.locations)):
        begin = quotient.locations[location, FIRST_ROW]
        first = quotient.locations[location, FIRST_LIMIT]
        for limit in range(first, first + quotient.locations[location, LIMITS]):
            clock, bound = quotient.clocks[begin + quotient.limits[limit, 0]], quotient.limits[limit, 1]
            most[clock, 0], most[clock, 1] = max(most[clock, 0], lower[bound]), max(most[clock, 1], upper[bound])
        first = quotient.locations[location, FIRST_EDGE]
        for edge in range(first, first + quotient.locations[location, EDGES]):
            row = quotient.edges[edge, ROW]
            for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
                tested = quotient.guards[part, 0] if quotient.guards[part, 0] >= 0 else quotient.edges[edge, AGE_ROW]
                clock, bound = quotient.clocks[begin + tested], quotient.guards[part, 1]
                most[clock, 0], most[clock, 1] = max(most[clock, 0], lower[bound]), max(most[clock, 1], upper[bound])


@kernel
def list_started(quotient: QuotientArrays, begins: NDArray[np.int32], started: NDArray[np.int16]) -> int:
    """Write for each edge the begin of the clocks that it resets or copies from others, and these if there is room; how many."""
    count = 0
    for location in range(len(quotient.locations)):
        before, first = quotient.locations[location, FIRST_ROW], quotient.locations[location, FIRST_EDGE]
        for edge in range(first, first + quotient.locations[location, EDGES]):
            begins[edge] = count
            target, begin = quotient.edges[edge, TARGET], quotient.edges[edge, FIRST_SOURCE]
            rows = quotient.locations[target, FIRST_ROW]
            for row in range(1, quotient.locations[target, ROWS]):
                clock, source = quotient.clocks[rows + row], quotient.sources[begin + row]
                if source == 0 or (source > 0 and quotient.clocks[before + source] != clock):
                    if count < len(started):
                        started[count] = clock
                    count += 1
    return count
