"""Exploration in ticks, breadth first, compiled by numba: the states of one location are visited together.

States are kept in the order in which they are reached, which is the queue of the search too. A level, the states that as many
steps lead to, is visited by location: an edge is one test and a few shifts of words, carried out on a block of states at a
time. Nothing is kept for the way to a state: its parent is a state of the level before it, found again when a run is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import allocating_kernel, subroutine
from timewait.checker.location_kernels import DONE, LOCATIONS, MAX_EDGES, NO_ROOM, Arrays, Scratch, has_room
from timewait.checker.state_set_kernels import insert
from timewait.checker.tick_layout_kernels import (
    DEAD_ENDS,
    DEPTH,
    LEVEL_BEGIN,
    LEVEL_END,
    NEXT,
    NO_SLOTS,
    NO_STATES,
    STATES,
    TRANSITIONS,
    WANTED,
    Ticks,
    add_expiry,
    location_mask,
    location_of,
    prepare,
    slot_of,
)

BLOCK = 512
"""States of one location that are visited together, at most."""

BATCH = 4096
"""Successors that are collected before the set of states is asked about them."""

MOST_STEPS = MAX_EDGES + 1
"""Steps out of one state, at most: its edges, and a tick."""

TICK, NO_STEP = -1, -2
"""The step that takes no edge: time passes by one tick; and no step at all."""


class StateBlock(NamedTuple):
    """Some states of one location while they are visited, and the successors found.

    Attributes
    ----------
    states, later, targets : (words, n) uint64
        The states; the same after a tick; and their successors by one edge.
    passed, alive : (n,) uint64
        For each state whether the step is possible that is considered, and whether any step was.
    expiring : (n,) uint64
        For each state the messages that expire with the next tick, as bits.
    found : (words, n) uint64
        The successors found.
    """

    states: NDArray[np.uint64]
    later: NDArray[np.uint64]
    targets: NDArray[np.uint64]
    passed: NDArray[np.uint64]
    alive: NDArray[np.uint64]
    expiring: NDArray[np.uint64]
    found: NDArray[np.uint64]


@allocating_kernel
def new_block(words: int, length: int, batch: int) -> StateBlock:
    """Room for a number of states at a time, and of successors."""
    return StateBlock(
        np.empty((words, length), dtype=np.uint64),
        np.empty((words, length), dtype=np.uint64),
        np.empty((words, length), dtype=np.uint64),
        np.empty(length, dtype=np.uint64),
        np.empty(length, dtype=np.uint64),
        np.empty(length, dtype=np.uint64),
        np.empty((words, batch + length), dtype=np.uint64),
    )


@allocating_kernel
def explore(arrays: Arrays, ticks: Ticks, chunk: int, flying: Scratch) -> int:
    """Visit further states, breadth first, about `chunk` of them at most; how it ended."""
    counts = ticks.counts
    block = new_block(ticks.states.shape[1], BLOCK, BATCH)
    status, none, end = DONE, int(np.int64(0)), counts[NEXT] + chunk  # the compiler makes further versions for a mere 0
    found = none
    while status == DONE and counts[NEXT] < end:
        if counts[NEXT] < counts[LEVEL_END]:
            status, found = _visit(arrays, ticks, block, found, flying)
            continue
        counts[STATES] = insert(ticks.states, counts[STATES], ticks.slots, block.found, found)
        found = none
        if counts[STATES] == counts[LEVEL_END]:
            break
        status = begin_level(arrays, ticks)
    counts[STATES] = insert(ticks.states, counts[STATES], ticks.slots, block.found, found)
    return status


@allocating_kernel
def begin_level(arrays: Arrays, ticks: Ticks) -> int:
    """Sort the states that were reached from the last level by location; how it ended."""
    counts, order, tally, states, mask = ticks.counts, ticks.order, ticks.tally, ticks.states, location_mask(ticks)
    begin, end = counts[LEVEL_END], counts[STATES]
    if end - begin > len(order) or len(arrays.place) > len(tally) or counts[DEPTH] == len(ticks.levels):
        return NO_STATES
    met, most = 0, min(end - begin, arrays.counts[LOCATIONS])
    locations = np.empty(most, dtype=np.int64)
    for state in range(begin, end):
        location = np.int64(states[state, 0] & mask)
        if not tally[location]:
            locations[met] = location
            met += 1
        tally[location] += 1
    place = 0
    for number in range(met):
        length = tally[locations[number]]
        tally[locations[number]] = place
        place += length
    for state in range(begin, end):
        location = np.int64(states[state, 0] & mask)
        order[tally[location]] = state - begin
        tally[location] += 1
    for number in range(met):
        tally[locations[number]] = 0
    counts[LEVEL_BEGIN], counts[LEVEL_END], ticks.levels[counts[DEPTH]] = begin, end, begin
    counts[DEPTH] += 1
    return DONE


@subroutine
def _room(arrays: Arrays, ticks: Ticks, more: int) -> int:
    """Whether there is room for a number of further states."""
    if not has_room(arrays, 2 * BLOCK):
        return NO_ROOM
    states = ticks.counts[STATES] + more
    ticks.counts[WANTED] = states
    if states > len(ticks.states):
        return NO_STATES
    if 5 * states > 4 * len(ticks.slots):
        return NO_SLOTS
    return DONE


@subroutine
def gather(ticks: Ticks, block: StateBlock, location: int) -> int:
    """Copy the next states of a location into the block; their number."""
    states, gathered, order, mask = ticks.states, block.states, ticks.order, location_mask(ticks)
    begin, next_one, length = ticks.counts[LEVEL_BEGIN], ticks.counts[NEXT], 0
    for number in range(next_one - begin, min(next_one + BLOCK, ticks.counts[LEVEL_END]) - begin):
        state = begin + order[number]
        if np.int64(states[state, 0] & mask) != location:
            break
        for word in range(len(gathered)):
            gathered[word, length] = states[state, word]
        length += 1
    return length


@allocating_kernel
def _visit(arrays: Arrays, ticks: Ticks, block: StateBlock, found: int, flying: Scratch) -> tuple[int, int]:
    """Visit the next states of one location; how it ended, and the number of successors that are still collected."""
    counts = ticks.counts
    first = counts[LEVEL_BEGIN] + ticks.order[counts[NEXT] - counts[LEVEL_BEGIN]]
    location = location_of(ticks, first)
    status = prepare(arrays, ticks, location, flying)
    if status != DONE:
        return status, found
    length, edges = gather(ticks, block, location), arrays.place[location, 4]
    status = _room(arrays, ticks, found + length * (edges + 1))
    if status != DONE:
        return status, found
    for index in range(length):
        block.alive[index] = 0
    steps, begin = 0, arrays.place[location, 3]
    for edge in range(begin, begin + edges):
        if arrays.edges[edge, 1] >= len(ticks.taken):
            return NO_STATES, found
        more = successors_by_edge(arrays, ticks, block, edge, found, length)
        if ticks.taken[arrays.edges[edge, 1], 0] < 0 and more > found:
            note_taken(arrays, ticks, block, edge, length)
        steps += more - found
        found = _inserted(ticks, block, more)
    status, more = successors_by_time(arrays, ticks, block, location, found, length, flying)
    if status != DONE:
        return status, found
    steps += more - found
    found = _inserted(ticks, block, more)
    count_dead_ends(ticks, block, length)
    counts[TRANSITIONS] += steps
    counts[NEXT] += length
    return DONE, found


@subroutine
def successors_by_edge(arrays: Arrays, ticks: Ticks, block: StateBlock, edge: int, found: int, length: int) -> int:
    """Collect the states after an edge from those of the block in which it is possible; how many are collected then."""
    _test(arrays, ticks, block, edge, length)
    _take(arrays, ticks, block, edge, length)
    return _collect(block, block.targets, found, length)


@allocating_kernel
def _inserted(ticks: Ticks, block: StateBlock, found: int) -> int:
    """Store the successors if they fill a batch; the number of those that are still collected."""
    if found < BATCH:
        return found
    ticks.counts[STATES] = insert(ticks.states, ticks.counts[STATES], ticks.slots, block.found, found)
    return 0


@subroutine
def _test(arrays: Arrays, ticks: Ticks, block: StateBlock, edge: int, length: int) -> None:
    """Note in which states of the block an edge is possible."""
    passed = block.passed
    for index in range(length):
        passed[index] = 1
    for test in range(arrays.edges[edge, 3], arrays.edges[edge, 3] + arrays.edges[edge, 4]):
        row, shift, mask = block.states[np.int64(ticks.tests[test, 0])], ticks.tests[test, 1], ticks.tests[test, 2]
        least, span = ticks.tests[test, 3], ticks.tests[test, 4]
        for index in range(length):
            passed[index] &= np.uint64(((row[index] >> shift) & mask) - least <= span)


@subroutine
def _take(arrays: Arrays, ticks: Ticks, block: StateBlock, edge: int, length: int) -> None:
    """Take an edge from every state of the block, possible or not."""
    for word in range(len(block.targets)):
        target, value = block.targets[word], np.uint64(0 if word else arrays.edges[edge, 0])
        for index in range(length):
            target[index] = value
    for move in range(ticks.programs[edge, 0], ticks.programs[edge, 0] + ticks.programs[edge, 1]):
        source, target = block.states[ticks.moves[move, 0]], block.targets[ticks.moves[move, 2]]
        mask, shift = np.uint64(ticks.moves[move, 1]), ticks.moves[move, 3]
        if shift >= 0:
            for index in range(length):
                target[index] |= (source[index] & mask) << np.uint64(shift)
        else:
            for index in range(length):
                target[index] |= (source[index] & mask) >> np.uint64(-shift)


@subroutine
def _collect(block: StateBlock, targets: NDArray[np.uint64], found: int, length: int) -> int:
    """Collect the successors by a step that is possible; how many are collected then."""
    passed, end = block.passed, found
    for word in range(len(targets)):
        source, row, end = targets[word], block.found[word], found
        for index in range(length):
            row[end] = source[index]
            end += int(np.int64(passed[index]))
    for index in range(length):
        block.alive[index] |= passed[index]
    return end


@subroutine
def note_taken(arrays: Arrays, ticks: Ticks, block: StateBlock, edge: int, length: int) -> None:
    """Note the first state in which an edge of a row is taken."""
    counts = ticks.counts
    for index in range(length):
        if block.passed[index]:
            row, number = arrays.edges[edge, 1], counts[NEXT] - counts[LEVEL_BEGIN] + index
            ticks.taken[row, 0], ticks.taken[row, 1] = counts[LEVEL_BEGIN] + ticks.order[number], edge
            return


@subroutine
def count_dead_ends(ticks: Ticks, block: StateBlock, length: int) -> None:
    """Count the states of the block without a step."""
    counts = ticks.counts
    for index in range(length):
        if not block.alive[index]:
            counts[DEAD_ENDS] += 1
            if ticks.dead_end[0] < 0:
                number = counts[NEXT] - counts[LEVEL_BEGIN] + index
                ticks.dead_end[0] = counts[LEVEL_BEGIN] + ticks.order[number]


@subroutine
def _tick(arrays: Arrays, ticks: Ticks, block: StateBlock, location: int, length: int) -> None:
    """The states of the block after a tick, whether they may wait for it, and the messages that expire with it."""
    passed, expiring = block.passed, block.expiring
    for index in range(length):
        passed[index], expiring[index] = 1, 0
    for word in range(len(block.states)):
        values, later = block.states[word], block.later[word]
        for index in range(length):
            later[index] = values[index]
    one, ages = np.uint64(1), np.uint64(0)
    own, begin = arrays.controls[arrays.place[location, 0], 0], arrays.place[location, 5]
    for clock in range(arrays.place[location, 6]):
        role, shift = arrays.roles[begin + clock], np.uint64(ticks.shifts[begin + clock] & 63)
        values, later = block.states[ticks.shifts[begin + clock] >> 6], block.later[ticks.shifts[begin + clock] >> 6]
        mask, cap, life = (one << np.uint64(ticks.bits[role])) - one, np.uint64(ticks.caps[role]), ticks.lives[role]
        for index in range(length):
            later[index] += np.uint64((values[index] >> shift) & mask < cap) << shift
        if clock >= own and role == arrays.rules[4]:
            if life >= 0:
                for index in range(length):
                    expiring[index] |= np.uint64((values[index] >> shift) & mask == np.uint64(life)) << ages
            ages += one
    for limit in range(ticks.waits[location, 0], ticks.waits[location, 0] + ticks.waits[location, 1]):
        values, shift = block.states[np.int64(ticks.limits[limit, 0])], ticks.limits[limit, 1]
        mask, most = ticks.limits[limit, 2], ticks.limits[limit, 3]
        for index in range(length):
            passed[index] &= np.uint64((values[index] >> shift) & mask < most)


@subroutine
def pass_time(arrays: Arrays, ticks: Ticks, block: StateBlock, location: int, found: int, length: int) -> tuple[int, int]:
    """Collect the states after a tick with which no message expires.

    How many successors are collected then, and the first index in the block from which on messages may expire, or `length`.
    """
    _tick(arrays, ticks, block, location, length)
    passed, expiring, some = block.passed, block.expiring, np.uint64(0)
    for index in range(length):
        block.alive[index] |= passed[index]
        expiring[index] *= passed[index]
        some |= expiring[index]
    if some:
        for index in range(length):
            passed[index] &= np.uint64(expiring[index] == 0)
    return _collect(block, block.later, found, length), 0 if some else length


@subroutine
def successors_by_time(
    arrays: Arrays, ticks: Ticks, block: StateBlock, location: int, found: int, length: int, flying: Scratch
) -> tuple[int, int]:
    """Collect the states after a tick; how it ended, and how many successors are collected then."""
    found, index = pass_time(arrays, ticks, block, location, found, length)
    while index < length:
        found, index = expire(
            ticks.expiries, ticks.moves, block.later, block.found, block.expiring, location, found, index, length
        )
        if index < length:
            status = add_expiry(arrays, ticks, location, block.expiring[index], flying)
            if status != DONE:
                return status, found
    return DONE, found


@subroutine
def expire(
    expiries: NDArray[np.int64],
    moves: NDArray[np.int64],
    later: NDArray[np.uint64],
    collected: NDArray[np.uint64],
    expiring: NDArray[np.uint64],
    location: int,
    found: int,
    begin: int,
    end: int,
) -> tuple[int, int]:
    """Collect the states after a tick with which messages expire, from those before it with the numbers from `begin` to `end`.

    The number of successors collected then, and the first number for which the expiry is missing, or `end`.
    """
    for index in range(begin, end):
        if not expiring[index]:
            continue
        number = slot_of(expiries, location, expiring[index])
        if not expiries[number, 0]:
            return found, index
        for word in range(len(collected)):
            collected[word, found] = 0
        collected[0, found] = np.uint64(expiries[number, 2])
        for move in range(expiries[number, 3], expiries[number, 3] + expiries[number, 4]):
            part, shift = later[moves[move, 0], index] & np.uint64(moves[move, 1]), moves[move, 3]
            collected[moves[move, 2], found] |= part << np.uint64(shift) if shift >= 0 else part >> np.uint64(-shift)
        found += 1
    return found, end


@allocating_kernel
def step_to(
    arrays: Arrays, ticks: Ticks, begin: int, end: int, wanted: NDArray[np.uint64], flying: Scratch
) -> tuple[int, int, int]:
    """The first state of a range, all visited, from which a step leads to the state `wanted`, of shape (words, 1), and that step.

    How it ended, that state and that step: the end of the range and `NO_STEP` if there is none. If something is lacking, for
    an expiry that was found before may have been dropped, the state to go on with.
    """
    block, none, one = new_block(ticks.states.shape[1], 1, 1), int(np.int64(0)), int(np.int64(1))
    arrival = np.int64(wanted[0, 0] & location_mask(ticks))
    for state in range(begin, end):
        location = location_of(ticks, state)
        for word in range(len(block.states)):
            block.states[word, 0] = ticks.states[state, word]
        first = arrays.place[location, 3]
        for edge in range(first, first + arrays.place[location, 4]):
            if arrays.edges[edge, 0] == arrival:
                _test(arrays, ticks, block, edge, one)
                _take(arrays, ticks, block, edge, one)
                if block.passed[0] and _equals(wanted, block.targets):
                    return DONE, state, edge
        if arrays.place[location, 0] == arrays.place[arrival, 0]:
            status, found = successors_by_time(arrays, ticks, block, location, none, one, flying)
            if status != DONE:
                return status, state, NO_STEP
            if found and _equals(wanted, block.found):
                return DONE, state, TICK
    return DONE, end, NO_STEP


@subroutine
def _equals(wanted: NDArray[np.uint64], found: NDArray[np.uint64]) -> bool:
    """Whether a state is the first of those found."""
    same = True
    for word in range(len(found)):
        same &= wanted[word, 0] == found[word, 0]
    return same
