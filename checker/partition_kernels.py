"""Exploration in ticks of one part of the states, compiled by numba: the states are divided by their hash.

A part visits its own states, level by level, and sends each successor to the part that it belongs to. Meanwhile the table of
locations stays as it is: a state whose messages expire in a way that the table lacks waits until the table has it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import allocating_kernel, subroutine
from timewait.checker.location_kernels import DONE, Arrays
from timewait.checker.state_set_kernels import insert, mixed
from timewait.checker.tick_kernels import (
    BATCH,
    BLOCK,
    StateBlock,
    count_dead_ends,
    expire,
    gather,
    new_block,
    note_taken,
    pass_time,
    successors_by_edge,
)
from timewait.checker.tick_layout_kernels import (
    LEVEL_BEGIN,
    LEVEL_END,
    NEXT,
    NO_SLOTS,
    NO_STATES,
    STATES,
    TRANSITIONS,
    WANTED,
    Ticks,
    location_of,
)

FULL = 8
"""How an exploration stopped: what it found has to be sent before it goes on."""

OWN, WAITING, MISSING = range(3)
"""The entries of `Exchange.counts`: the number of the part, and of states that wait and of expiries that are missing."""

ROOM = 1 << 18
"""Successors that are sent to one part at once, at most; more than the steps out of a block, for locations have few edges."""


class Exchange(NamedTuple):
    """What a part sends, and the states that wait.

    Attributes
    ----------
    sent : (parts, words, n) uint64
        The successors for each part, its own among them.
    lengths : (parts,) int64
        Their numbers.
    waiting : (n,) int64
        The states in which time passes once the table has what expires.
    missing : (n, 2) int64
        What it lacks: a location, and the messages that expire in it as bits.
    counts : (3,) int64
        See `OWN` and the names after it.
    """

    sent: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    waiting: NDArray[np.int64]
    missing: NDArray[np.int64]
    counts: NDArray[np.int64]


@subroutine
def _part_of(value: np.uint64, parts: int) -> int:
    """The part of a state with a hash; its place in the set of states depends on other bits."""
    return int(np.int64((((value >> np.uint64(16)) & np.uint64(0xFFFF)) * np.uint64(parts)) >> np.uint64(16)))


@allocating_kernel
def _send(ticks: Ticks, exchange: Exchange, found: NDArray[np.uint64], count: int) -> None:
    """Divide successors among the parts, and store those of the own part."""
    sent, lengths, own = exchange.sent, exchange.lengths, exchange.counts[OWN]
    for index in range(count):
        value = np.uint64(0)
        for word in range(len(found)):
            value = mixed(value ^ found[word, index])
        part = _part_of(value, len(lengths))
        for word in range(len(found)):
            sent[part, word, lengths[part]] = found[word, index]
        lengths[part] += 1
    ticks.counts[STATES] = insert(ticks.states, ticks.counts[STATES], ticks.slots, sent[own], lengths[own])
    lengths[own] = 0


@allocating_kernel
def accept(ticks: Ticks, sent: NDArray[np.uint64], count: int) -> None:
    """Store states that another part sent, of shape (words, n), in a part that has room for them."""
    found = np.empty((len(sent), BATCH), dtype=np.uint64)
    for begin in range(0, count, BATCH):
        length = min(BATCH, count - begin)
        for word in range(len(sent)):
            for index in range(length):
                found[word, index] = sent[word, begin + index]
        ticks.counts[STATES] = insert(ticks.states, ticks.counts[STATES], ticks.slots, found, length)


@allocating_kernel
def adopt(ticks: Ticks, states: NDArray[np.uint64], begin: int, end: int, own: int, parts: int) -> None:
    """Store those of a range of states, of shape (n, words), that belong to a part that has room for them."""
    found = np.empty((states.shape[1], BATCH), dtype=np.uint64)
    length = 0
    for state in range(begin, end):
        value = np.uint64(0)
        for word in range(len(found)):
            found[word, length] = states[state, word]
            value = mixed(value ^ states[state, word])
        length += int(_part_of(value, parts) == own)
        if length == BATCH or state == end - 1:
            ticks.counts[STATES] = insert(ticks.states, ticks.counts[STATES], ticks.slots, found, length)
            length = 0


@subroutine
def _room(ticks: Ticks, exchange: Exchange, more: int, waiting: int) -> int:
    """Whether there is room for a number of further states, here and in what is sent."""
    states = ticks.counts[STATES] + more
    ticks.counts[WANTED] = states
    if states > len(ticks.states):
        return NO_STATES
    if 5 * states > 4 * len(ticks.slots):
        return NO_SLOTS
    room = exchange.sent.shape[2] - more
    for part in range(len(exchange.lengths)):
        if exchange.lengths[part] > room:
            return FULL
    if max(exchange.counts[WAITING], exchange.counts[MISSING]) + waiting > len(exchange.waiting):
        return FULL
    return DONE


@allocating_kernel
def expand(arrays: Arrays, ticks: Ticks, exchange: Exchange, chunk: int) -> int:
    """Visit further states of the level, about `chunk` of them at most, whose locations are ready; how it ended."""
    counts = ticks.counts
    block = new_block(ticks.states.shape[1], BLOCK, BATCH)
    status, found, end = DONE, int(np.int64(0)), min(counts[NEXT] + chunk, counts[LEVEL_END])
    while status == DONE and counts[NEXT] < end:
        status, found = _visit(arrays, ticks, exchange, block, found)
    _send(ticks, exchange, block.found, found)
    return status


@allocating_kernel
def _visit(arrays: Arrays, ticks: Ticks, exchange: Exchange, block: StateBlock, found: int) -> tuple[int, int]:
    """Visit the next states of one location; how it ended, and the number of successors that are still collected."""
    counts = ticks.counts
    location = location_of(ticks, counts[LEVEL_BEGIN] + ticks.order[counts[NEXT] - counts[LEVEL_BEGIN]])
    length, edges = gather(ticks, block, location), arrays.place[location, 4]
    status = _room(ticks, exchange, found + length * (edges + 1), length)
    if status != DONE:
        return status, found
    for index in range(length):
        block.alive[index] = 0
    steps, begin = 0, arrays.place[location, 3]
    for edge in range(begin, begin + edges):
        more = successors_by_edge(arrays, ticks, block, edge, found, length)
        if ticks.taken[arrays.edges[edge, 1], 0] < 0 and more > found:
            note_taken(arrays, ticks, block, edge, length)
        steps += more - found
        found = _sent(ticks, exchange, block, more)
    more = _successors_by_time(arrays, ticks, exchange, block, location, found, length)
    steps += more - found
    found = _sent(ticks, exchange, block, more)
    count_dead_ends(ticks, block, length)
    counts[TRANSITIONS] += steps
    counts[NEXT] += length
    return DONE, found


@allocating_kernel
def _sent(ticks: Ticks, exchange: Exchange, block: StateBlock, found: int) -> int:
    """Send the successors if they fill a batch; the number of those that are still collected."""
    if found < BATCH:
        return found
    _send(ticks, exchange, block.found, found)
    return 0


@subroutine
def _successors_by_time(
    arrays: Arrays, ticks: Ticks, exchange: Exchange, block: StateBlock, location: int, found: int, length: int
) -> int:
    """Collect the states after a tick, as far as the table has what expires; how many successors are collected then."""
    found, index = pass_time(arrays, ticks, block, location, found, length)
    begin = ticks.counts[NEXT] - ticks.counts[LEVEL_BEGIN]
    while index < length:
        found, index = expire(
            ticks.expiries, ticks.moves, block.later, block.found, block.expiring, location, found, index, length
        )
        if index < length:
            exchange.waiting[exchange.counts[WAITING]] = ticks.counts[LEVEL_BEGIN] + ticks.order[begin + index]
            exchange.counts[WAITING] += 1
            _miss(exchange, location, block.expiring[index])
            index += 1
    return found


@subroutine
def _miss(exchange: Exchange, location: int, gone: np.uint64) -> None:
    """Note that the table lacks what expires, unless that was noted just before."""
    number, bits = exchange.counts[MISSING], np.int64(gone)
    if number == 0 or exchange.missing[number - 1, 0] != location or exchange.missing[number - 1, 1] != bits:
        exchange.missing[number, 0], exchange.missing[number, 1] = location, bits
        exchange.counts[MISSING] += 1


@allocating_kernel
def resume(arrays: Arrays, ticks: Ticks, exchange: Exchange) -> int:
    """Let time pass in the states that wait; those for which the table still lacks something go on waiting. How it ended."""
    block, one = new_block(ticks.states.shape[1], 1, BATCH), int(np.int64(1))
    status, found, total, kept = DONE, int(np.int64(0)), exchange.counts[WAITING], 0
    for number in range(total):
        state = exchange.waiting[number]
        if status == DONE:
            status = _room(ticks, exchange, found + one, 1)
        if status == DONE:
            location = location_of(ticks, state)
            for word in range(len(block.states)):
                block.states[word, 0] = ticks.states[state, word]
            more, index = pass_time(arrays, ticks, block, location, found, one)
            more, index = expire(
                ticks.expiries, ticks.moves, block.later, block.found, block.expiring, location, more, index, one
            )
            ticks.counts[TRANSITIONS] += more - found
            found = _sent(ticks, exchange, block, more)
            if index == one:
                continue
            _miss(exchange, location, block.expiring[0])
        exchange.waiting[kept] = state
        kept += 1
    exchange.counts[WAITING] = kept
    _send(ticks, exchange, block.found, found)
    return status


@allocating_kernel
def lacking(ticks: Ticks) -> NDArray[np.int64]:
    """The locations of the level whose edges are not ready, each once."""
    counts, last, count = ticks.counts, -1, 0
    found = np.empty(len(ticks.tally), dtype=np.int64)
    for number in range(counts[LEVEL_END] - counts[LEVEL_BEGIN]):
        location = location_of(ticks, counts[LEVEL_BEGIN] + ticks.order[number])
        if location != last and (location >= len(ticks.ready) or not ticks.ready[location]):
            found[count] = location
            count += 1
        last = location
    return found[:count]
