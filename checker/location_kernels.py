"""Locations of a message-passing automaton as small numbers, and their edges, compiled by numba.

A location is the number of its control and a sequence of codes, one for each message in flight: the number of the message,
how often it may still arrive, and whether it must be delivered. Everything is kept in growing arrays (`Arrays`), which
`timewait.checker.locations.Locations` owns: a kernel that lacks room, or a row of the table, says so and is called again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import kernel, subroutine

DONE, MISSING_ROWS, MISSING_DUTY, NO_ROOM, TOO_MANY = 0, 1, 2, 3, 8
"""How a kernel ended: everything is there; a row is missing; it is unknown whether a message must be delivered; no room; a
location with more messages in flight, clocks, edges or guards than the arrays can express."""

LOCATIONS, EDGES, UPDATES, GUARDS, CODES, ROLES, FIRST, SECOND = range(8)
"""The entries of `Arrays.counts`: how much is used, and what is missing when a kernel ended early."""

FRESH = -1
"""The source of a clock that starts from zero."""

MAX_FLYING = 62
"""Messages in flight in one location, at most."""

MAX_CLOCKS = 127
"""Clocks in one location, at most."""

MAX_EDGES, MAX_GUARDS = 1024, 4096
"""Edges out of one location, and their guards, at most."""


class Arrays(NamedTuple):
    """The table and the locations met so far.

    Attributes
    ----------
    counts : (8,) int64
        Numbers of used entries; see `LOCATIONS` and the names after it.
    rules : (7,) int64
        Copies left of a message just sent, or -1 where they are not counted; whether order is kept; whether messages are
        merged; codes per message; the roles of the age and of the deadline of a message; the bound on its deadline.
    row_lists : (controls, messages + 1) int32
        The number of the list of rows for each control and message, after the list of spontaneous rows; -1 is unknown.
    lists : (lists, 2) int32
        For each list its first row and its length.
    rows : (rows, 7) int32
        For each row its target, then begin and length of its guard, of its updates, and of what it sends.
    row_parts : (n, 2) int32
        Guards as (clock, bound), updates as (source, 0), messages sent as (message, must be delivered).
    duties : (controls, messages) int8
        Whether an obligation to deliver a message remains in a control; -1 is unknown.
    controls : (controls, 5) int32
        For each control its number of clocks, whether messages stay in flight there, begin and length of its invariant among
        `row_parts`, and the begin of the roles of its clocks there, each as (role, 0).
    senders : (messages,) int8
        The sender of each message.
    place : (locations, 7) int32
        For each location its control, begin and length of its codes, begin and length of its edges (-1: not built), and begin
        and length of the roles of its clocks.
    codes : (n,) uint16
        Codes of messages in flight.
    edges : (edges, 6) int32
        For each edge its target, its row, the position of the message that arrives or -1, begin and length of its guard, and
        the begin of its updates, of which there are as many as the target has clocks.
    updates : (n,) int8
        Positions of source clocks, or `FRESH`.
    guards : (n, 2) int32
        Clock and bound.
    roles : (n,) int8
        Roles of clocks.
    slots : (2^n,) int32
        Hash table of locations, each number plus one; zero is empty.
    """

    counts: NDArray[np.int64]
    rules: NDArray[np.int64]
    row_lists: NDArray[np.int32]
    lists: NDArray[np.int32]
    rows: NDArray[np.int32]
    row_parts: NDArray[np.int32]
    duties: NDArray[np.int8]
    controls: NDArray[np.int32]
    senders: NDArray[np.int8]
    place: NDArray[np.int32]
    codes: NDArray[np.uint16]
    edges: NDArray[np.int32]
    updates: NDArray[np.int8]
    guards: NDArray[np.int32]
    roles: NDArray[np.int8]
    slots: NDArray[np.int32]


class Scratch(NamedTuple):
    """The messages in flight of a target while it is built, with the sources of their clocks, each of shape (n,).

    Attributes
    ----------
    codes, ages, dues : int32
        Codes, and the sources of ages and of deadlines; `FRESH` starts a clock.
    """

    codes: NDArray[np.int32]
    ages: NDArray[np.int32]
    dues: NDArray[np.int32]


def scratch() -> Scratch:
    """Room for one target."""
    return Scratch(*(np.empty(2 * MAX_FLYING, dtype=np.int32) for _ in range(3)))


@kernel
def intern(arrays: Arrays, control: int, codes: NDArray[np.int32], length: int) -> int:
    """The number of a location; a new one if it was never met."""
    value = np.uint64(control + 1) * np.uint64(0x9E3779B97F4A7C15)
    for position in range(length):
        value = (value ^ np.uint64(codes[position] + 1)) * np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(29)
    mask = len(arrays.slots) - 1
    slot = np.int64(value >> np.uint64(20)) & mask
    while arrays.slots[slot]:
        known = arrays.slots[slot] - 1
        if arrays.place[known, 0] == control and arrays.place[known, 2] == length:
            begin, same = arrays.place[known, 1], True
            for position in range(length):
                if arrays.codes[begin + position] != codes[position]:
                    same = False
                    break
            if same:
                return known
        slot = (slot + 1) & mask
    number, begin = arrays.counts[LOCATIONS], arrays.counts[CODES]
    arrays.slots[slot] = number + 1
    arrays.place[number, 0], arrays.place[number, 1], arrays.place[number, 2] = control, begin, length
    arrays.place[number, 3], arrays.place[number, 4] = 0, -1
    for position in range(length):
        arrays.codes[begin + position] = codes[position]
    arrays.counts[LOCATIONS] += 1
    arrays.counts[CODES] += length
    arrays.place[number, 5] = arrays.counts[ROLES]
    _list_roles(arrays, number)
    arrays.place[number, 6] = arrays.counts[ROLES] - arrays.place[number, 5]
    return number


@subroutine
def _list_roles(arrays: Arrays, location: int) -> None:
    """Add the roles of the clocks of a location."""
    control, begin, length = arrays.place[location, 0], arrays.place[location, 1], arrays.place[location, 2]
    role = arrays.counts[ROLES]
    for part in range(arrays.controls[control, 4], arrays.controls[control, 4] + arrays.controls[control, 0]):
        arrays.roles[role] = arrays.row_parts[part, 0]
        role += 1
    for position in range(begin, begin + length):
        arrays.roles[role] = arrays.rules[4]
        role += 1
        if arrays.rules[0] < 0 and arrays.codes[position] & 1:
            arrays.roles[role] = arrays.rules[5]
            role += 1
    arrays.counts[ROLES] = role


@kernel
def rehash(place: NDArray[np.int32], codes: NDArray[np.uint16], count: int, slots: NDArray[np.int32]) -> None:
    """Fill an empty hash table with the locations met so far; the hash is that of `intern`."""
    mask = len(slots) - 1
    for number in range(count):
        value = np.uint64(place[number, 0] + 1) * np.uint64(0x9E3779B97F4A7C15)
        for position in range(place[number, 1], place[number, 1] + place[number, 2]):
            value = (value ^ np.uint64(np.int64(codes[position]) + 1)) * np.uint64(0xBF58476D1CE4E5B9)
            value ^= value >> np.uint64(29)
        slot = np.int64(value >> np.uint64(20)) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = number + 1


@subroutine
def has_room(arrays: Arrays, locations: int) -> bool:
    """Whether there is room for so many new locations, and for the edges of one."""
    return (
        arrays.counts[LOCATIONS] + locations < min(len(arrays.place), len(arrays.slots) // 2)
        and arrays.counts[CODES] + locations * MAX_FLYING < len(arrays.codes)
        and arrays.counts[ROLES] + locations * MAX_CLOCKS < len(arrays.roles)
        and arrays.counts[EDGES] + MAX_EDGES < len(arrays.edges)
        and arrays.counts[UPDATES] + MAX_EDGES * MAX_CLOCKS < len(arrays.updates)
        and arrays.counts[GUARDS] + MAX_GUARDS < len(arrays.guards)
    )


@subroutine
def flying_from(arrays: Arrays, location: int, flying: Scratch) -> int:
    """Copy the messages in flight of a location, with clocks that keep their values; their number."""
    control, begin, length = arrays.place[location, 0], arrays.place[location, 1], arrays.place[location, 2]
    clock = arrays.controls[control, 0]
    for position in range(length):
        code = np.int32(arrays.codes[begin + position])
        flying.codes[position], flying.ages[position], flying.dues[position] = code, clock, FRESH
        clock += 1
        if arrays.rules[0] < 0 and code & 1:
            flying.dues[position] = clock
            clock += 1
    return length


@subroutine
def _remove(flying: Scratch, length: int, position: int) -> int:
    for later in range(position + 1, length):
        flying.codes[later - 1], flying.ages[later - 1], flying.dues[later - 1] = (
            flying.codes[later],
            flying.ages[later],
            flying.dues[later],
        )
    return length - 1


@subroutine
def _arrive(arrays: Arrays, flying: Scratch, length: int, position: int) -> int:
    """The messages in flight after one arrived; in a queue, those ahead of it are lost."""
    per_message, code = arrays.rules[3], flying.codes[position]
    sender = arrays.senders[code // per_message]
    if arrays.rules[0] < 0 or (code % per_message) >> 1:
        flying.codes[position] = (code & ~1) - (0 if arrays.rules[0] < 0 else 2)
        flying.dues[position] = FRESH
    else:
        length = _remove(flying, length, position)
    if arrays.rules[1]:
        for ahead in range(position - 1, -1, -1):
            if arrays.senders[flying.codes[ahead] // per_message] == sender:
                length = _remove(flying, length, ahead)
    return length


@subroutine
def _send(arrays: Arrays, flying: Scratch, length: int, message: int, must: int) -> int:
    """The messages in flight after one more was sent."""
    per_message = arrays.rules[3]
    if arrays.rules[0] < 0:
        for position in range(length - 1, -1, -1):
            other = flying.codes[position] // per_message
            if other == message:
                flying.ages[position] = FRESH
                if not flying.codes[position] & 1:
                    flying.codes[position] |= must
                    flying.dues[position] = FRESH
                return length
            if arrays.rules[1] and arrays.senders[other] == arrays.senders[message]:
                break
    left = max(arrays.rules[0], 0)
    flying.codes[length] = message * per_message + 2 * left + must
    flying.ages[length], flying.dues[length] = FRESH, FRESH
    return length + 1


@subroutine
def _relieve(arrays: Arrays, flying: Scratch, length: int, control: int) -> int:
    """Drop the obligations that do not matter in a control, and sort; the length, or -1 where an answer is missing."""
    if not arrays.controls[control, 1]:
        return 0
    if arrays.rules[2]:
        for position in range(length):
            if flying.codes[position] & 1:
                message = flying.codes[position] // arrays.rules[3]
                duty = arrays.duties[control, message]
                if duty < 0:
                    arrays.counts[FIRST], arrays.counts[SECOND] = control, message
                    return -1
                if not duty:
                    flying.codes[position] &= ~1
                    flying.dues[position] = FRESH
        for position in range(1, length):
            place = position
            while place and flying.codes[place - 1] > flying.codes[place]:
                _swap(flying.codes, place)
                _swap(flying.ages, place)
                _swap(flying.dues, place)
                place -= 1
    return length


@subroutine
def _swap(values: NDArray[np.int32], place: int) -> None:
    values[place - 1], values[place] = values[place], values[place - 1]


@subroutine
def _blocked(arrays: Arrays, location: int, position: int) -> bool:
    """Whether a message cannot arrive yet: in a queue, one ahead of it must be delivered first."""
    if not arrays.rules[1]:
        return False
    begin, per_message = arrays.place[location, 1], arrays.rules[3]
    sender = arrays.senders[arrays.codes[begin + position] // per_message]
    for ahead in range(begin, begin + position):
        if arrays.codes[ahead] & 1 and arrays.senders[arrays.codes[ahead] // per_message] == sender:
            return True
    return False


@kernel
def build(arrays: Arrays, location: int, flying: Scratch) -> int:
    """Build the edges of a location; how it ended."""
    if not has_room(arrays, 2 * MAX_EDGES):  # a batch of the exploration in ticks adds some more without a look
        return NO_ROOM
    control, begin, length = arrays.place[location, 0], arrays.place[location, 1], arrays.place[location, 2]
    per_message = arrays.rules[3]
    if arrays.row_lists[control, 0] < 0:
        arrays.counts[FIRST], arrays.counts[SECOND] = control, -1
        return MISSING_ROWS
    for position in range(length):
        message = arrays.codes[begin + position] // per_message
        if arrays.row_lists[control, message + 1] < 0:
            arrays.counts[FIRST], arrays.counts[SECOND] = control, message
            return MISSING_ROWS
    saved = (arrays.counts[EDGES], arrays.counts[UPDATES], arrays.counts[GUARDS])
    most = (arrays.counts[EDGES] + MAX_EDGES, arrays.counts[GUARDS] + MAX_GUARDS)
    status = _edges(arrays, location, -1, arrays.row_lists[control, 0], flying, most)
    for position in range(length):
        if status == DONE and not _blocked(arrays, location, position):
            message = arrays.codes[begin + position] // per_message
            status = _edges(arrays, location, position, arrays.row_lists[control, message + 1], flying, most)
    if status != DONE:
        arrays.counts[EDGES], arrays.counts[UPDATES], arrays.counts[GUARDS] = saved
        return status
    arrays.place[location, 3], arrays.place[location, 4] = saved[0], arrays.counts[EDGES] - saved[0]
    return DONE


@subroutine
def _edges(arrays: Arrays, location: int, position: int, chosen: int, flying: Scratch, most: tuple[int, int]) -> int:
    """Build the edges of a list of rows, for the message at a position or for none; how it ended.

    `most` holds the numbers of edges and of guards beyond which there is no room.
    """
    first = arrays.lists[chosen, 0]
    for row in range(first, first + arrays.lists[chosen, 1]):
        length = flying_from(arrays, location, flying)
        if position >= 0:
            arrival_clock = flying.ages[position]
            length = _arrive(arrays, flying, length, position)
        else:
            arrival_clock = np.int32(-1)
        begin = arrays.rows[row, 5]
        if (
            length + arrays.rows[row, 6] > 2 * MAX_FLYING
            or arrays.counts[EDGES] >= most[0]
            or arrays.counts[GUARDS] + arrays.rows[row, 2] > most[1]
        ):
            return TOO_MANY
        for part in range(begin, begin + arrays.rows[row, 6]):
            length = _send(arrays, flying, length, arrays.row_parts[part, 0], arrays.row_parts[part, 1])
        control = arrays.rows[row, 0]
        length = _relieve(arrays, flying, length, control)
        if length < 0:
            return MISSING_DUTY
        if length > MAX_FLYING or _clocks(arrays, control, length, flying) > MAX_CLOCKS:
            return TOO_MANY
        target = intern(arrays, control, flying.codes, length)
        _edge(arrays, row, position, arrival_clock, target, length, flying)
    return DONE


@subroutine
def _clocks(arrays: Arrays, control: int, length: int, flying: Scratch) -> int:
    """The number of clocks of a location."""
    count = arrays.controls[control, 0] + length
    if arrays.rules[0] < 0:
        for position in range(length):
            count += flying.codes[position] & 1
    return count


@subroutine
def _edge(arrays: Arrays, row: int, position: int, arrival_clock: int, target: int, length: int, flying: Scratch) -> None:
    """Add an edge."""
    edge, update, guard = arrays.counts[EDGES], arrays.counts[UPDATES], arrays.counts[GUARDS]
    arrays.edges[edge, 0], arrays.edges[edge, 1], arrays.edges[edge, 2] = target, row, position
    arrays.edges[edge, 3], arrays.edges[edge, 4], arrays.edges[edge, 5] = guard, arrays.rows[row, 2], update
    for part in range(arrays.rows[row, 1], arrays.rows[row, 1] + arrays.rows[row, 2]):
        clock = arrays.row_parts[part, 0]
        arrays.guards[guard, 0] = arrival_clock if clock < 0 else clock
        arrays.guards[guard, 1] = arrays.row_parts[part, 1]
        guard += 1
    for part in range(arrays.rows[row, 3], arrays.rows[row, 3] + arrays.rows[row, 4]):
        arrays.updates[update] = arrays.row_parts[part, 0]
        update += 1
    for entry in range(length):
        arrays.updates[update] = flying.ages[entry]
        update += 1
        if arrays.rules[0] < 0 and flying.codes[entry] & 1:
            arrays.updates[update] = flying.dues[entry]
            update += 1
    arrays.counts[EDGES], arrays.counts[UPDATES], arrays.counts[GUARDS] = edge + 1, update, guard


@kernel
def build_all(arrays: Arrays, begin: int, limit: int, flying: Scratch) -> tuple[int, int]:
    """Build the edges of every location from a number on, and of those that they lead to; how it ended, and the next number."""
    number = begin
    while number < arrays.counts[LOCATIONS] and number < limit:
        if arrays.place[number, 4] < 0:
            status = build(arrays, number, flying)
            if status != DONE:
                return status, number
        number += 1
    return DONE, number
