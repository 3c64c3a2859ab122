"""States in ticks packed into words, and the edges of locations as operations on them, compiled by numba.

A state is one or more words of 64 bits: the number of its location in the lowest bits of the first, then the values of its
clocks, each in as many bits as its largest value needs; no value lies in two words. An edge tests some fields and copies
others. So does the step of time after which messages expire, for each set of messages that expire together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import kernel, subroutine
from timewait.checker.location_kernels import (
    DONE,
    MAX_CLOCKS,
    MAX_EDGES,
    NO_ROOM,
    Arrays,
    Scratch,
    build,
    flying_from,
    has_room,
    intern,
)

TOO_WIDE, NO_STATES, NO_SLOTS, NO_PROGRAM = 4, 5, 6, 7
"""How an exploration stopped: a state needs more bits; no room for states or levels; no room in the hash table, or
for the moves of edges."""

STATES, NEXT, TRANSITIONS, DEAD_ENDS, LEVEL_BEGIN, LEVEL_END, DEPTH, MOVES, LIMITS, EXPIRIES, WANTED, WIDTH = range(12)
"""The entries of `Ticks.counts`: numbers of states, of visited states, of steps and of dead ends; the first state of the
level that is visited and the one after its last, and the number of levels begun; numbers of moves, of limits and of
expiries; the room for states that is lacking; and the bits of the number of a location."""

MOST_LIMITS = 256
"""Parts of the invariant of one location, at most."""


class Ticks(NamedTuple):
    """The durations in ticks, and the states reached.

    Attributes
    ----------
    bits, caps, lives : (roles,) int64
        For each role of clocks the bits of a value, the largest value that is told apart, and the lifetime or -1.
    low, high : (bounds,) int64
        For each bound the least and the largest value of a clock that satisfies it.
    states : (n, words) uint64
        The states, level by level.
    levels : (n,) int64
        The first state of each level.
    order : (n,) uint32
        The states of the level that is visited, by location, counted from its first.
    tally : (locations,) uint32
        Zeros, in which the states of each location are counted.
    slots : (n,) uint64
        The set of states (`timewait.checker.state_set_kernels`).
    counts : (12,) int64
        See `STATES` and the names after it.
    taken : (rows, 2) int64
        For each row of the table the first state in which an edge of it was taken, and that edge; -1 if none.
    dead_end : (1,) int64
        The first state without a step, or -1.
    shifts : (n,) int16
        For each clock of a location the bit at which its value begins, counted through all words; in the place of its role
        in `Arrays.roles`. -1 is unknown.
    programs : (edges, 2) int32
        For each edge begin and length of its moves.
    moves : (n, 4) int64
        Parts of a state that an edge copies: source word, its mask, target word, and the shift to the left.
    waits : (locations, 2) int32
        For each location begin and length of its invariant among `limits`.
    limits : (n, 4) uint64
        The word, the shift and the mask of a clock, and the value at which time may pass no more.
    ready : (locations,) int8
        Whether the programs of the edges of a location are written.
    tests : (n, 5) uint64
        For each guard of an edge the word, the shift and the mask of a clock, its least value, and how much more it may be.
    expiries : (2^n, 5) int64
        Hash table of expiries: the number of a location plus one, the messages that expire as bits, the target, and begin and
        length of the moves. Zero is empty.
    """

    bits: NDArray[np.int64]
    caps: NDArray[np.int64]
    lives: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    states: NDArray[np.uint64]
    levels: NDArray[np.int64]
    order: NDArray[np.uint32]
    tally: NDArray[np.uint32]
    slots: NDArray[np.uint64]
    counts: NDArray[np.int64]
    taken: NDArray[np.int64]
    dead_end: NDArray[np.int64]
    shifts: NDArray[np.int16]
    programs: NDArray[np.int32]
    moves: NDArray[np.int64]
    waits: NDArray[np.int32]
    limits: NDArray[np.uint64]
    ready: NDArray[np.int8]
    tests: NDArray[np.uint64]
    expiries: NDArray[np.int64]


@subroutine
def location_mask(ticks: Ticks) -> np.uint64:
    """The bits of the number of a location."""
    return (np.uint64(1) << np.uint64(ticks.counts[WIDTH])) - np.uint64(1)


@subroutine
def location_of(ticks: Ticks, state: int) -> int:
    """The location of a state."""
    return int(np.int64(ticks.states[state, 0] & location_mask(ticks)))


@kernel
def decode(arrays: Arrays, ticks: Ticks, state: int, values: NDArray[np.int64]) -> int:
    """Unpack the clocks of a state; its location."""
    location = location_of(ticks, state)
    begin = arrays.place[location, 5]
    lay_out(arrays, ticks, location)
    for clock in range(arrays.place[location, 6]):
        shift, bits = ticks.shifts[begin + clock], ticks.bits[arrays.roles[begin + clock]]
        values[clock] = np.int64(ticks.states[state, shift >> 6] >> np.uint64(shift & 63)) & ((1 << bits) - 1)
    return location


@kernel
def lay_out(arrays: Arrays, ticks: Ticks, location: int) -> bool:
    """Assign bits to the clocks of a location; False if the words of a state, or the bits of its location, do not suffice."""
    begin, shift = arrays.place[location, 5], ticks.counts[WIDTH]
    if location + 1 >= 1 << shift:  # no state has ones alone, since the set of states needs another value for nothing
        return False
    for clock in range(begin, begin + arrays.place[location, 6]):
        bits = ticks.bits[arrays.roles[clock]]
        if (shift & 63) + bits > 64:
            shift = (shift | 63) + 1
        if shift + bits > 64 * ticks.states.shape[1]:
            return False
        ticks.shifts[clock] = shift
        shift += bits
    return True


@subroutine
def _move(ticks: Ticks, first: int, old: int, new: int, bits: int) -> None:
    """Add the move of a field to the program that begins with the move `first`."""
    mask = np.int64(((np.uint64(1) << np.uint64(bits)) - np.uint64(1)) << np.uint64(old & 63))
    move = ticks.counts[MOVES]
    for other in range(first, move):
        if (
            ticks.moves[other, 0] == old >> 6
            and ticks.moves[other, 2] == new >> 6
            and ticks.moves[other, 3] == (new & 63) - (old & 63)
        ):
            ticks.moves[other, 1] |= mask
            return
    ticks.moves[move, 0], ticks.moves[move, 1] = old >> 6, mask
    ticks.moves[move, 2], ticks.moves[move, 3] = new >> 6, (new & 63) - (old & 63)
    ticks.counts[MOVES] = move + 1


@subroutine
def _program(arrays: Arrays, ticks: Ticks, location: int) -> int:
    """Write the moves and tests of the edges of a location; how it ended."""
    if (
        ticks.counts[MOVES] + MAX_EDGES * MAX_CLOCKS > len(ticks.moves)
        or ticks.counts[LIMITS] + MOST_LIMITS > len(ticks.limits)
        or len(ticks.waits) < len(arrays.place)
        or len(ticks.programs) < len(arrays.edges)
        or len(ticks.shifts) < len(arrays.roles)
        or len(ticks.tests) < len(arrays.guards)
    ):
        return NO_PROGRAM
    if not lay_out(arrays, ticks, location):
        return TOO_WIDE
    first, begin = arrays.place[location, 5], arrays.place[location, 3]
    for edge in range(begin, begin + arrays.place[location, 4]):
        target = arrays.edges[edge, 0]
        if not lay_out(arrays, ticks, target):
            return TOO_WIDE
        for guard in range(arrays.edges[edge, 3], arrays.edges[edge, 3] + arrays.edges[edge, 4]):
            clock, bound = first + arrays.guards[guard, 0], arrays.guards[guard, 1]
            ticks.tests[guard, 0], ticks.tests[guard, 1] = ticks.shifts[clock] >> 6, ticks.shifts[clock] & 63
            ticks.tests[guard, 2] = (1 << ticks.bits[arrays.roles[clock]]) - 1
            ticks.tests[guard, 3], ticks.tests[guard, 4] = ticks.low[bound], ticks.high[bound] - ticks.low[bound]
        start = ticks.counts[MOVES]
        for clock in range(arrays.place[target, 6]):
            source = arrays.updates[arrays.edges[edge, 5] + clock]
            if source >= 0:
                old, new = ticks.shifts[first + source], ticks.shifts[arrays.place[target, 5] + clock]
                _move(ticks, start, old, new, ticks.bits[arrays.roles[first + source]])
        ticks.programs[edge, 0], ticks.programs[edge, 1] = start, ticks.counts[MOVES] - start
    _limit(arrays, ticks, location)
    return DONE


@subroutine
def _limit(arrays: Arrays, ticks: Ticks, location: int) -> None:
    """Write the invariant of a location."""
    control, begin = arrays.place[location, 0], ticks.counts[LIMITS]
    for part in range(arrays.controls[control, 2], arrays.controls[control, 2] + arrays.controls[control, 3]):
        _add_limit(arrays, ticks, location, arrays.row_parts[part, 0], arrays.row_parts[part, 1])
    clock = arrays.controls[control, 0]
    for position in range(arrays.place[location, 1], arrays.place[location, 1] + arrays.place[location, 2]):
        if arrays.codes[position] & 1:
            clock += arrays.rules[0] < 0
            _add_limit(arrays, ticks, location, clock, arrays.rules[6])
        clock += 1
    ticks.waits[location, 0], ticks.waits[location, 1] = begin, ticks.counts[LIMITS] - begin


@subroutine
def _add_limit(arrays: Arrays, ticks: Ticks, location: int, clock: int, bound: int) -> None:
    """Write a part of the invariant of a location: a clock and its bound."""
    limit, number = ticks.counts[LIMITS], arrays.place[location, 5] + clock
    ticks.limits[limit, 0], ticks.limits[limit, 1] = ticks.shifts[number] >> 6, ticks.shifts[number] & 63
    ticks.limits[limit, 2], ticks.limits[limit, 3] = (1 << ticks.bits[arrays.roles[number]]) - 1, ticks.high[bound]
    ticks.counts[LIMITS] = limit + 1


@kernel
def prepare(arrays: Arrays, ticks: Ticks, location: int, flying: Scratch) -> int:
    """Build the edges of a location, with their programs; how it ended."""
    if location >= len(ticks.ready):
        return NO_PROGRAM
    if ticks.ready[location]:
        return DONE
    if arrays.place[location, 4] < 0:
        status = build(arrays, location, flying)
        if status != DONE:
            return status
    status = _program(arrays, ticks, location)
    ticks.ready[location] = status == DONE
    return status


@subroutine
def slot_of(expiries: NDArray[np.int64], location: int, gone: np.uint64) -> int:
    """The slot of some messages that expire in a location, or the empty one where they belong."""
    mask = len(expiries) - 1
    mixed = ((np.uint64(location) << np.uint64(32)) ^ gone) * np.uint64(0x9E3779B97F4A7C15)
    slot = int(np.int64(mixed >> np.uint64(32))) & mask
    while expiries[slot, 0] and (expiries[slot, 0] != location + 1 or expiries[slot, 1] != np.int64(gone)):
        slot = (slot + 1) & mask
    return slot


@kernel
def add_expiry(arrays: Arrays, ticks: Ticks, location: int, gone: np.uint64, flying: Scratch) -> int:
    """Add some messages that expire in a location to `Ticks.expiries`; how it ended."""
    if not has_room(arrays, 2):
        return NO_ROOM
    if 2 * ticks.counts[EXPIRIES] >= len(ticks.expiries) or ticks.counts[MOVES] + MAX_CLOCKS > len(ticks.moves):
        return NO_PROGRAM
    control, kept = arrays.place[location, 0], 0
    clocks = arrays.controls[control, 0]
    for position in range(flying_from(arrays, location, flying)):
        if not (gone >> np.uint64(position)) & np.uint64(1):
            flying.codes[kept], flying.ages[kept] = flying.codes[position], flying.ages[position]
            flying.dues[kept] = flying.dues[position]
            kept += 1
    target = intern(arrays, control, flying.codes, kept)
    if len(ticks.shifts) < len(arrays.roles):
        return NO_PROGRAM
    if not lay_out(arrays, ticks, target):
        return TOO_WIDE
    begin, first, new = ticks.counts[MOVES], arrays.place[location, 5], arrays.place[target, 5]
    for clock in range(clocks):
        _move(ticks, begin, ticks.shifts[first + clock], ticks.shifts[new + clock], ticks.bits[arrays.roles[new + clock]])
    clock = new + clocks
    for position in range(kept):
        for source in (flying.ages[position], flying.dues[position]):
            if source >= 0:
                _move(ticks, begin, ticks.shifts[first + source], ticks.shifts[clock], ticks.bits[arrays.roles[clock]])
                clock += 1
    slot = slot_of(ticks.expiries, location, gone)
    ticks.expiries[slot, 0], ticks.expiries[slot, 1], ticks.expiries[slot, 2] = location + 1, np.int64(gone), target
    ticks.expiries[slot, 3], ticks.expiries[slot, 4] = begin, ticks.counts[MOVES] - begin
    ticks.counts[EXPIRIES] += 1
    return DONE
