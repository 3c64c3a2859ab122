"""Exploration in ticks, compiled by numba: packed states, a hash table that is probed in batches, compact parents.

A state is one or more words of 64 bits: the number of its location in the lowest bits of the first, then the values of its
clocks, each in as many bits as its largest value needs; no value lies in two words. States are kept in the order in which they
are reached, which is the queue of a breadth-first search too. For each the number of its parent is kept, and the step
between both is found again when a run is asked for. The hash table holds the numbers of states.

Successors of several states are collected, then all their slots are read, then all states in those slots, then they are
compared: reads that do not wait for one another take a tenth of the time of reads that do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import kernel
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
"""How an exploration stopped: a state needs another word; no room for states; no room in the hash table, or
for the moves of edges."""

STATES, NEXT, TRANSITIONS, DEAD_ENDS, LEVEL_END, DEPTH, MOVES, LIMITS = range(8)
"""The entries of `Ticks.counts`."""

LOCATION_BITS = 28
"""Bits for the number of a location."""

LOCATION_MASK = np.uint64((1 << LOCATION_BITS) - 1)

BATCH = 512
"""Successors that are collected before the hash table is probed."""

MOST_STEPS = MAX_EDGES + 1
"""Steps out of one state, at most: its edges, and a tick."""

MOST_LIMITS = 256
"""Parts of the invariant of one location, at most."""

TICK = -1
"""The step that takes no edge: time passes by one tick."""


class Ticks(NamedTuple):
    """The durations in ticks, and the states reached.

    Attributes
    ----------
    bits, caps, lives : (roles,) int64
        For each role of clocks the bits of a value, the largest value that is told apart, and the lifetime or -1.
    low, high : (bounds,) int64
        For each bound the least and the largest value of a clock that satisfies it.
    states : (n, words) uint64
        The states.
    parents : (n,) uint32
        For each state the state from which it was first reached; the first state is its own parent.
    slots : (2^n,) uint32
        Hash table of states, each number plus one; zero is empty.
    counts : (8,) int64
        See `STATES` and the names after it.
    taken : (rows, 2) int64
        For each row of the table the first state in which an edge of it was taken, and that edge; -1 if none.
    dead_end : (1,) int64
        The first state without a step, or -1.
    shifts : (n,) int16
        For each clock of a location the bit at which its value begins, counted through all words; in the place of its role
        in `Arrays.roles`. -1 is unknown.
    programs : (edges, 2) int32
        For each edge begin and length of its moves; the length is -1 where they are unknown.
    moves : (n, 4) int64
        Parts of a state that an edge copies: source word, its mask, target word, and the shift to the left.
    waits : (locations, 2) int32
        For each location begin and length of its invariant among `limits`.
    limits : (n, 2) int64
        A clock, and the value at which time may pass no more.
    ready : (locations,) int8
        Whether the programs of the edges of a location are written.
    tests : (n, 5) int64
        For each guard of an edge the word, the shift and the mask of a clock, and its least and largest value.
    """

    bits: NDArray[np.int64]
    caps: NDArray[np.int64]
    lives: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    states: NDArray[np.uint64]
    parents: NDArray[np.uint32]
    slots: NDArray[np.uint32]
    counts: NDArray[np.int64]
    taken: NDArray[np.int64]
    dead_end: NDArray[np.int64]
    shifts: NDArray[np.int16]
    programs: NDArray[np.int32]
    moves: NDArray[np.int64]
    waits: NDArray[np.int32]
    limits: NDArray[np.int64]
    ready: NDArray[np.int8]
    tests: NDArray[np.int64]


@kernel
def _hash(states: NDArray[np.uint64], index: int) -> np.uint64:
    """A hash of a state."""
    value = np.uint64(0)
    for word in range(states.shape[1]):
        value = (value ^ states[index, word]) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(32)
    return value * np.uint64(0xD6E8FEB86659FD93)


@kernel
def decode(arrays: Arrays, ticks: Ticks, state: int, values: NDArray[np.int64]) -> int:
    """Unpack the clocks of a state; its location."""
    location = int(np.int64(ticks.states[state, 0] & LOCATION_MASK))
    begin = arrays.place[location, 5]
    lay_out(arrays, ticks, location)
    for clock in range(arrays.place[location, 6]):
        shift, bits = ticks.shifts[begin + clock], ticks.bits[arrays.roles[begin + clock]]
        values[clock] = np.int64(ticks.states[state, shift >> 6] >> np.uint64(shift & 63)) & ((1 << bits) - 1)
    return location


@kernel
def _expire(
    arrays: Arrays,
    ticks: Ticks,
    location: int,
    found: NDArray[np.uint64],
    index: int,
    values: NDArray[np.int64],
    sources: NDArray[np.int8],
    flying: Scratch,
) -> int:
    """The state after a tick in which messages expire; 0, or what is missing."""
    begin, control = arrays.place[location, 5], arrays.place[location, 0]
    kept, target = 0, arrays.controls[control, 0]
    for clock in range(target):
        sources[clock] = clock
    for position in range(flying_from(arrays, location, flying)):
        age = flying.ages[position]
        if values[age] != ticks.lives[arrays.roles[begin + age]]:
            flying.codes[kept] = flying.codes[position]
            kept += 1
            sources[target] = age
            target += 1
            if flying.dues[position] >= 0:
                sources[target] = flying.dues[position]
                target += 1
    reached = intern(arrays, control, flying.codes, kept)
    if len(ticks.shifts) < len(arrays.roles):
        return NO_PROGRAM
    if not lay_out(arrays, ticks, reached):
        return TOO_WIDE
    for word in range(found.shape[1]):
        found[index, word] = 0
    found[index, 0] = reached
    first = arrays.place[reached, 5]
    for clock in range(target):
        role, shift = arrays.roles[first + clock], ticks.shifts[first + clock]
        value = min(values[sources[clock]] + 1, ticks.caps[role])
        found[index, shift >> 6] |= np.uint64(value) << np.uint64(shift & 63)
    return 0


@kernel
def _room(arrays: Arrays, ticks: Ticks) -> int:
    """Whether there is room for a batch."""
    if not has_room(arrays, 2048):
        return NO_ROOM
    states = ticks.counts[STATES] + BATCH + MOST_STEPS
    if states > len(ticks.states):
        return NO_STATES
    if 4 * states > 3 * len(ticks.slots):
        return NO_SLOTS
    return DONE


@kernel
def lay_out(arrays: Arrays, ticks: Ticks, location: int) -> bool:
    """Assign bits to the clocks of a location; False if the words of a state do not suffice."""
    begin, shift = arrays.place[location, 5], LOCATION_BITS
    for clock in range(begin, begin + arrays.place[location, 6]):
        bits = ticks.bits[arrays.roles[clock]]
        if (shift & 63) + bits > 64:
            shift = (shift | 63) + 1
        if shift + bits > 64 * ticks.states.shape[1]:
            return False
        ticks.shifts[clock] = shift
        shift += bits
    return True


@kernel
def program(arrays: Arrays, ticks: Ticks, location: int) -> int:
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
            ticks.tests[guard, 3], ticks.tests[guard, 4] = ticks.low[bound], ticks.high[bound]
        move = ticks.counts[MOVES]
        start = move
        for clock in range(arrays.place[target, 6]):
            source = arrays.updates[arrays.edges[edge, 5] + clock]
            if source < 0:
                continue
            old, new = ticks.shifts[first + source], ticks.shifts[arrays.place[target, 5] + clock]
            mask = ((1 << ticks.bits[arrays.roles[first + source]]) - 1) << (old & 63)
            same = -1
            for other in range(start, move):
                if (
                    ticks.moves[other, 0] == old >> 6
                    and ticks.moves[other, 2] == new >> 6
                    and ticks.moves[other, 3] == (new & 63) - (old & 63)
                ):
                    same = other
            if same >= 0:
                ticks.moves[same, 1] |= mask
            else:
                ticks.moves[move, 0], ticks.moves[move, 1] = old >> 6, mask
                ticks.moves[move, 2], ticks.moves[move, 3] = new >> 6, (new & 63) - (old & 63)
                move += 1
        ticks.programs[edge, 0], ticks.programs[edge, 1] = start, move - start
        ticks.counts[MOVES] = move
    _limit(arrays, ticks, location)
    return DONE


@kernel
def _limit(arrays: Arrays, ticks: Ticks, location: int) -> None:
    """Write the invariant of a location."""
    control, limit = arrays.place[location, 0], ticks.counts[LIMITS]
    ticks.waits[location, 0] = limit
    for part in range(arrays.controls[control, 2], arrays.controls[control, 2] + arrays.controls[control, 3]):
        ticks.limits[limit, 0], ticks.limits[limit, 1] = arrays.row_parts[part, 0], ticks.high[arrays.row_parts[part, 1]]
        limit += 1
    clock = arrays.controls[control, 0]
    for position in range(arrays.place[location, 1], arrays.place[location, 1] + arrays.place[location, 2]):
        if arrays.codes[position] & 1:
            clock += arrays.rules[0] < 0
            ticks.limits[limit, 0], ticks.limits[limit, 1] = clock, ticks.high[arrays.rules[6]]
            limit += 1
        clock += 1
    ticks.waits[location, 1] = limit - ticks.waits[location, 0]
    ticks.counts[LIMITS] = limit


@kernel
def prepare(arrays: Arrays, ticks: Ticks, location: int, flying: Scratch) -> int:
    """Build the edges of a location, with their programs; how it ended."""
    if arrays.place[location, 4] < 0:
        status = build(arrays, location, flying)
        if status != DONE:
            return status
    return program(arrays, ticks, location)


@kernel
def explore(arrays: Arrays, ticks: Ticks, chunk: int, flying: Scratch) -> int:
    """Visit further states, breadth first, about `chunk` of them at most; how it ended."""
    place, edges, counts, taken, states = arrays.place, arrays.edges, ticks.counts, ticks.taken, ticks.states
    programs, moves, tests, ready = ticks.programs, ticks.moves, ticks.tests, ticks.ready
    waits, limits, shifts, roles = ticks.waits, ticks.limits, ticks.shifts, arrays.roles
    masks, caps, lives = (np.int64(1) << ticks.bits) - 1, ticks.caps, ticks.lives
    words = states.shape[1]
    found = np.empty((BATCH + MOST_STEPS, words), dtype=np.uint64)
    parents = np.empty(BATCH + MOST_STEPS, dtype=np.int64)
    hashes = np.empty(BATCH + MOST_STEPS, dtype=np.int64)
    later, sources = np.empty(MAX_CLOCKS, np.int64), np.empty(MAX_CLOCKS, np.int8)
    end = counts[NEXT] + chunk
    while counts[NEXT] < min(end, counts[STATES]):
        if counts[NEXT] == counts[LEVEL_END]:
            counts[LEVEL_END] = counts[STATES]
            counts[DEPTH] += 1
        status = _room(arrays, ticks)
        if status != DONE:
            return status
        state, count, dead_ends = counts[NEXT], 0, 0
        while state < counts[LEVEL_END] and count < BATCH:
            before = count
            location = int(np.int64(states[state, 0] & LOCATION_MASK))
            if location >= len(ready) or not ready[location]:
                if location >= len(ready):
                    return NO_PROGRAM
                status = prepare(arrays, ticks, location, flying)
                if status != DONE:
                    return status
                ready[location] = 1
            begin = place[location, 3]
            for edge in range(begin, begin + place[location, 4]):
                possible = True
                for test in range(edges[edge, 3], edges[edge, 3] + edges[edge, 4]):
                    value = np.int64(states[state, tests[test, 0]] >> np.uint64(tests[test, 1])) & tests[test, 2]
                    if value < tests[test, 3] or value > tests[test, 4]:
                        possible = False
                        break
                if not possible:
                    continue
                row = edges[edge, 1]
                if row >= len(taken):
                    return NO_STATES
                if taken[row, 0] < 0:
                    taken[row, 0], taken[row, 1] = state, edge
                found[count, 0] = np.uint64(edges[edge, 0])
                for word in range(1, words):
                    found[count, word] = 0
                for move in range(programs[edge, 0], programs[edge, 0] + programs[edge, 1]):
                    part = states[state, moves[move, 0]] & np.uint64(moves[move, 1])
                    shift = moves[move, 3]
                    part = part << np.uint64(shift) if shift >= 0 else part >> np.uint64(-shift)
                    found[count, moves[move, 2]] |= part
                parents[count] = state
                count += 1
            clocks, first, may_wait, expires = place[location, 6], place[location, 5], True, False
            for word in range(words):
                found[count, word] = states[state, word]
            for clock in range(clocks):
                role, shift = roles[first + clock], shifts[first + clock]
                value = np.int64(states[state, shift >> 6] >> np.uint64(shift & 63)) & masks[role]
                later[clock] = value
                if value < caps[role]:
                    found[count, shift >> 6] += np.uint64(1) << np.uint64(shift & 63)
                    expires |= value == lives[role]
            for limit in range(waits[location, 0], waits[location, 0] + waits[location, 1]):
                may_wait &= later[limits[limit, 0]] < limits[limit, 1]
            if may_wait:
                if expires:
                    status = _expire(arrays, ticks, location, found, count, later, sources, flying)
                    if status != DONE:
                        return status
                parents[count] = state
                count += 1
            if count == before:
                dead_ends += 1
                if ticks.dead_end[0] < 0:
                    ticks.dead_end[0] = state
            state += 1
        insert(states, ticks.parents, ticks.slots, counts, found, parents, hashes, count)
        counts[NEXT] = state
        counts[TRANSITIONS] += count
        counts[DEAD_ENDS] += dead_ends
    return DONE


@kernel
def insert(
    states: NDArray[np.uint64],
    parents: NDArray[np.uint32],
    slots: NDArray[np.uint32],
    counts: NDArray[np.int64],
    found: NDArray[np.uint64],
    origins: NDArray[np.int64],
    hashes: NDArray[np.int64],
    count: int,
) -> None:
    """Store those of some states that are new."""
    mask, words, touched, number = len(slots) - 1, found.shape[1], np.uint64(0), counts[STATES]
    for index in range(count):
        hashes[index] = np.int64(_hash(found, index) >> np.uint64(20)) & mask
    for index in range(count):
        touched ^= np.uint64(slots[hashes[index]])
    for index in range(count):
        known = np.int64(slots[hashes[index]])
        if known:
            touched ^= states[known - 1, 0]
    for index in range(count):
        slot = hashes[index]
        while True:
            known = np.int64(slots[slot])
            if known == 0:
                for word in range(words):
                    states[number, word] = found[index, word]
                parents[number] = origins[index]
                number += 1
                slots[slot] = number
                break
            same = True
            for word in range(words):
                if states[known - 1, word] != found[index, word]:
                    same = False
                    break
            if same:
                break
            slot = (slot + 1) & mask
    counts[STATES] = number
    hashes[0] = np.int64(touched)  # the reads above have a use, so that they are not left out


@kernel
def rehash(states: NDArray[np.uint64], count: int, slots: NDArray[np.uint32]) -> None:
    """Fill an empty hash table with the states reached so far."""
    mask = len(slots) - 1
    for number in range(count):
        slot = np.int64(_hash(states, number) >> np.uint64(20)) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = number + 1


@kernel
def step_between(arrays: Arrays, ticks: Ticks, state: int, target: int) -> int:
    """The first edge that leads from a state to another, or `TICK`; both were reached, and there is such a step."""
    words = np.empty(ticks.states.shape[1], dtype=np.uint64)
    values = np.empty(MAX_CLOCKS, np.int64)
    location = decode(arrays, ticks, state, values)
    begin = arrays.place[location, 3]
    for edge in range(begin, begin + arrays.place[location, 4]):
        if np.int64(ticks.states[target, 0] & LOCATION_MASK) != arrays.edges[edge, 0]:
            continue
        possible = True
        for part in range(arrays.edges[edge, 3], arrays.edges[edge, 3] + arrays.edges[edge, 4]):
            value, bound = values[arrays.guards[part, 0]], arrays.guards[part, 1]
            possible &= ticks.low[bound] <= value <= ticks.high[bound]
        words[:] = 0
        words[0] = arrays.edges[edge, 0]
        for move in range(ticks.programs[edge, 0], ticks.programs[edge, 0] + ticks.programs[edge, 1]):
            part_of_state = ticks.states[state, ticks.moves[move, 0]] & np.uint64(ticks.moves[move, 1])
            shift = ticks.moves[move, 3]
            shifted = part_of_state << np.uint64(shift) if shift >= 0 else part_of_state >> np.uint64(-shift)
            words[ticks.moves[move, 2]] |= shifted
        if possible and (words == ticks.states[target]).all():
            return edge
    return TICK
