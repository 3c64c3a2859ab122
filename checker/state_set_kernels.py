"""A set of packed states, compiled by numba: a hash table with open addressing that is probed in batches.

An entry of the table is 64 bits, and zero is empty. Where a state is one word, its entry is that word plus one, so that one
read decides whether the state is known. Where it is several, its entry is the upper half of its hash and the number of the
state plus one, and the states are compared where the halves are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import allocating_kernel, kernel, prefetch, subroutine

AHEAD = 16
"""Entries that are read ahead: enough to hide the time of one read, and few enough to be read at once."""

HALF = np.uint64(32)
ZERO, ONE = np.uint64(0), np.uint64(1)
LOWER = np.uint64((1 << 32) - 1)


@subroutine
def mixed(value: np.uint64) -> np.uint64:
    """A permutation of words whose upper bits depend on all bits."""
    value ^= value >> HALF
    value *= np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(29)
    return value * np.uint64(0xD6E8FEB86659FD93)


@subroutine
def _read_ahead(slots: NDArray[np.uint64], place: np.uint64) -> None:
    """Begin to read an entry of the table."""
    prefetch(slots, place)  # type: ignore[call-arg]  # the compiler supplies the context


@allocating_kernel
def insert(states: NDArray[np.uint64], known: int, slots: NDArray[np.uint64], found: NDArray[np.uint64], count: int) -> int:
    """Append those of some states that are new; the number of states after that.

    Parameters
    ----------
    states : (n, words) uint64
        The states, with room for all that were found.
    known : int
        Their number.
    slots : (m,) uint64
        The table, with room for all that were found.
    found : (words, k) uint64
        The states that were found.
    count : int
        Their number.
    """
    words, size = len(found), np.uint64(len(slots))
    places, halves = np.empty(count, dtype=np.uint64), np.zeros(count, dtype=np.uint64)
    for word in range(words):
        for index in range(count):
            halves[index] = mixed(halves[index] ^ found[word, index])
    for index in range(count):
        halves[index] >>= HALF
        places[index] = (halves[index] * size) >> HALF
    for index in range(min(AHEAD, count)):
        _read_ahead(slots, places[index])
    if words == 1:
        return _insert_words(states, known, slots, found[0], places, count)
    return _insert_numbers(states, known, slots, found, halves, places, count)


@subroutine
def _insert_words(
    states: NDArray[np.uint64],
    known: int,
    slots: NDArray[np.uint64],
    found: NDArray[np.uint64],
    places: NDArray[np.uint64],
    count: int,
) -> int:
    """As `insert`, for states of one word."""
    size = np.uint64(len(slots))
    for index in range(count):
        if index + AHEAD < count:
            _read_ahead(slots, places[index + AHEAD])
        place, entry = places[index], found[index] + ONE
        while slots[place] != entry:
            if slots[place] == 0:
                slots[place] = entry
                states[known, 0] = found[index]
                known += 1
                break
            place += ONE
            if place == size:
                place = ZERO
    return known


@subroutine
def _insert_numbers(
    states: NDArray[np.uint64],
    known: int,
    slots: NDArray[np.uint64],
    found: NDArray[np.uint64],
    halves: NDArray[np.uint64],
    places: NDArray[np.uint64],
    count: int,
) -> int:
    """As `insert`, for states of several words."""
    size = np.uint64(len(slots))
    for index in range(count):
        if index + AHEAD < count:
            _read_ahead(slots, places[index + AHEAD])
        place = places[index]
        while True:
            entry = slots[place]
            if entry == 0:
                slots[place] = (halves[index] << HALF) | np.uint64(known + 1)
                for word in range(len(found)):
                    states[known, word] = found[word, index]
                known += 1
                break
            if entry >> HALF == halves[index]:
                state, same = np.int64(entry & LOWER) - 1, True
                for word in range(len(found)):
                    same &= states[state, word] == found[word, index]
                if same:
                    break
            place += ONE
            if place == size:
                place = ZERO
    return known


@allocating_kernel
def spread(slots: NDArray[np.uint64], before: int, words: int) -> None:
    """Move the entries of a table to their places after it has grown, without a second table.

    Places are in the order of hashes, before and after. So the entries are moved from the last one down: each goes above all
    that still wait, to places that keep what they get, and both the reading and the writing pass through memory once. Those
    that cannot go above, near the beginning, are put aside and come last.

    Parameters
    ----------
    slots : (m,) uint64
        The table; its new part, which is empty, is at its end.
    before : int
        The length that it had.
    words : int
        The words of a state.
    """
    size, late = np.uint64(len(slots)), 0
    aside = np.empty(64, dtype=np.uint64)
    for index in range(before - 1, -1, -1):
        entry = slots[index]
        if entry == 0:
            continue
        slots[index] = ZERO
        place = int(np.int64((_upper_half(entry, words) * size) >> HALF))
        if place > index:
            while place < len(slots) and slots[place] != 0:
                place += 1
            if place < len(slots):
                slots[place] = entry
                continue
        if late == len(aside):
            longer = np.empty(2 * late, dtype=np.uint64)
            longer[:late] = aside
            aside = longer
        aside[late] = entry
        late += 1
    for index in range(late):
        place = int(np.int64((_upper_half(aside[index], words) * size) >> HALF))
        while slots[place] != 0:
            place += 1
            if place == len(slots):
                place = 0
        slots[place] = aside[index]


@subroutine
def _upper_half(entry: np.uint64, words: int) -> np.uint64:
    """The upper half of the hash of the state with an entry."""
    return (mixed(entry - ONE) if words == 1 else entry) >> HALF


@allocating_kernel
def numbered(states: NDArray[np.uint64], known: int) -> NDArray[np.uint32]:
    """A table of the numbers of states, each plus one, with open addressing; zero is empty."""
    size = 16
    while size < 2 * known:
        size *= 2
    table = np.zeros(size, dtype=np.uint32)
    for state in range(known):
        value = ZERO
        for word in range(states.shape[1]):
            value = mixed(value ^ states[state, word])
        place = np.int64(value >> HALF) & (size - 1)
        while table[place]:
            place = (place + 1) & (size - 1)
        table[place] = state + 1
    return table


@kernel
def number_of(states: NDArray[np.uint64], table: NDArray[np.uint32], found: NDArray[np.uint64], index: int) -> int:
    """The number of the state that was found at an index of shape (words, k), or -1."""
    value = ZERO
    for word in range(len(found)):
        value = mixed(value ^ found[word, index])
    place = np.int64(value >> HALF) & (len(table) - 1)
    while table[place]:
        state, same = np.int64(table[place]) - 1, True
        for word in range(len(found)):
            same &= states[state, word] == found[word, index]
        if same:
            return int(state)
        place = (place + 1) & (len(table) - 1)
    return -1
