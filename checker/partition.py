"""One part of the states of an exploration in ticks, and the table of locations that all parts use.

The states are divided by their hash. Every part visits its states of a level and sends the others their successors; a level
ends when nothing is left to visit or to send. The table changes between two steps of that kind alone, and for all parts in
the same way, so that the number of a location is the same in every part.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import partition_kernels as kernels
from timewait.checker.location_kernels import DONE, Arrays
from timewait.checker.locations import Locations
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.partition_kernels import MISSING, ROOM, WAITING, Exchange
from timewait.checker.shortest_run import StateStep, least_parent, least_violation
from timewait.checker.state_set_kernels import spread
from timewait.checker.tick_kernels import begin_level
from timewait.checker.tick_layout_kernels import (
    DEAD_ENDS,
    DEPTH,
    LEVEL_BEGIN,
    LEVEL_END,
    NEXT,
    NO_SLOTS,
    NO_STATES,
    STATES,
    TOO_WIDE,
    TRANSITIONS,
    WANTED,
    WIDTH,
    Ticks,
    add_expiry,
    prepare,
)

CHUNK = 1 << 17
"""States of a part between two exchanges, about."""

SHARED = ("bits", "caps", "lives", "low", "high", "shifts", "programs", "moves", "waits", "limits", "ready", "tests", "expiries")
"""The arrays of `Ticks` that describe locations."""

Parcel = tuple[NDArray[np.uint64], int]
"""States that are sent, of shape (words, n), and how many they are."""

Gone = tuple[int, int]
"""A location, and the messages that expire in it as bits."""


class Widened(Exception):
    """A state needs more words than it has, so that the exploration has to begin anew."""


class Level(NamedTuple):
    """A level as a part begins it.

    Attributes
    ----------
    size : int
        The states of the part in it.
    lacking : tuple of int
        The locations among them whose edges the table lacks.
    """

    size: int
    lacking: tuple[int, ...]


class Advance(NamedTuple):
    """What a part did in one step.

    Attributes
    ----------
    parcels : tuple of Parcel
        The successors for each part; none for itself.
    missing : tuple of Gone
        What the table lacks.
    finished : bool
        Whether no state of the level is left that the part knows of.
    rows : tuple of int
        The rows of the table that were taken for the first time.
    states, transitions, dead_ends : int
        What the part has counted since the beginning.
    megabytes : float
        Resident memory of the process of the part, at most.
    """

    parcels: tuple[Parcel, ...]
    missing: tuple[Gone, ...]
    finished: bool
    rows: tuple[int, ...]
    states: int
    transitions: int
    dead_ends: int
    megabytes: float


def complete(explored: PackedTicks, lacking: Iterable[int], missing: Iterable[Gone]) -> None:
    """Complete the table: the edges of some locations, and what expires, each in ascending order.

    Raises
    ------
    Widened
        The states have to be wider; the exploration that holds the table has only the first state again.
    """
    for location in sorted(set(lacking)):
        while True:
            status = prepare(explored.locations.arrays, explored.arrays, location, explored.locations.scratch)
            if not _supplied(explored, status):
                break
    for location, gone in sorted(set(missing)):
        while True:
            arrays, scratch = explored.locations.arrays, explored.locations.scratch
            if not _supplied(explored, add_expiry(arrays, explored.arrays, location, np.uint64(gone), scratch)):
                break


def _supplied(explored: PackedTicks, status: int) -> bool:
    """Supply what a kernel lacked; False if it lacked nothing."""
    if status != DONE:
        explored.supply(status)
        if status == TOO_WIDE:
            raise Widened
    return status != DONE


class StatePart:
    """One part of the states.

    Parameters
    ----------
    number, parts : int
        Its number, and how many parts there are.
    explored : PackedTicks
        An exploration that ended with a level; the part takes over its own states, and uses its table.
    """

    def __init__(self, number: int, parts: int, explored: PackedTicks) -> None:
        self.explored = explored
        arrays, (_, words) = explored.arrays, explored.arrays.states.shape
        counts = arrays.counts.copy()
        counts[[STATES, TRANSITIONS, DEAD_ENDS]] = 0
        self.ticks: Ticks = arrays._replace(
            states=np.zeros((1 << 12, words), dtype=np.uint64),
            slots=np.zeros(1 << 13, dtype=np.uint64),
            levels=np.zeros(len(arrays.levels), dtype=np.int64),
            order=np.zeros(1 << 10, dtype=np.uint32),
            tally=np.zeros(0, dtype=np.uint32),
            counts=counts,
            taken=np.full(arrays.taken.shape, -1, dtype=np.int64),
            dead_end=np.full(1, -1, dtype=np.int64),
        )
        self._noted = arrays.taken[:, 0] >= 0
        waiting, missing = np.zeros(CHUNK + ROOM, dtype=np.int64), np.zeros((CHUNK + ROOM, 2), dtype=np.int64)
        self._exchanges = [  # what one of them holds is read by other parts while the other one is filled
            Exchange(
                np.zeros((parts, words, ROOM), dtype=np.uint64),
                np.zeros(parts, dtype=np.int64),
                waiting,
                missing,
                np.array([number, 0, 0], dtype=np.int64),
            )
            for _ in range(2)
        ]
        self._exchanges[1] = self._exchanges[1]._replace(counts=self._exchanges[0].counts)
        self._adopt(number, parts)

    @property
    def arrays(self) -> Arrays:
        """The table and the locations."""
        return self.explored.locations.arrays

    def _adopt(self, number: int, parts: int) -> None:
        """Take over the states that belong to the part, level by level."""
        counts, source = self.ticks.counts, self.explored.arrays
        for level in range(int(source.counts[DEPTH]) + 1):
            if level == source.counts[DEPTH]:
                counts[LEVEL_END] = counts[NEXT] = counts[STATES]
            else:
                self.ticks.levels[level] = counts[LEVEL_BEGIN] = counts[STATES]
            begin, end = self.explored.level(level)
            self._reserve(int(counts[STATES]) + end - begin)
            kernels.adopt(self.ticks, source.states, begin, end, number, parts)

    def begin(self) -> Level:
        """Begin the next level."""
        self._use_table()
        counts, ticks = self.ticks.counts, self.ticks
        size, depth = int(counts[STATES] - counts[LEVEL_END]), int(counts[DEPTH])
        if size > len(ticks.order):
            ticks = ticks._replace(order=np.zeros(size + size // 2, dtype=np.uint32))
        if depth == len(ticks.levels):
            ticks = ticks._replace(levels=np.concatenate([ticks.levels, np.zeros(depth, dtype=np.int64)]))
        if len(ticks.tally) < len(self.arrays.place):
            ticks = ticks._replace(tally=np.zeros(len(self.arrays.place), dtype=np.uint32))
        self.ticks = ticks
        status = begin_level(self.arrays, ticks)
        assert status == DONE, "there is room for the level"
        return Level(size, tuple(map(int, kernels.lacking(ticks))))

    def advance(self, parcels: Sequence[Parcel]) -> Advance:
        """Store what others sent, and visit further states of the level."""
        self._use_table()
        self._exchanges.reverse()
        exchange = self._exchanges[0]
        exchange.lengths[:] = 0
        exchange.counts[MISSING] = 0
        for states, count in parcels:
            self._reserve(int(self.ticks.counts[STATES]) + count)
            kernels.accept(self.ticks, states, count)
        self._visit(exchange)
        counts = self.ticks.counts
        taken = self.ticks.taken[:, 0] >= 0
        taken[: len(self._noted)] &= ~self._noted
        self._noted = self.ticks.taken[:, 0] >= 0
        missing = exchange.missing[: int(exchange.counts[MISSING])].tolist()
        return Advance(
            tuple(zip(exchange.sent, map(int, exchange.lengths), strict=True)),
            tuple({(location, gone) for location, gone in missing}),
            bool(counts[NEXT] == counts[LEVEL_END] and not exchange.counts[WAITING]),
            tuple(map(int, np.flatnonzero(taken))),
            int(counts[STATES]),
            int(counts[TRANSITIONS]),
            int(counts[DEAD_ENDS]),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )

    def _visit(self, exchange: Exchange) -> None:
        """Visit states until as many were visited as there are in a chunk, or as much is to be sent as there is room for."""
        status = NO_STATES if exchange.counts[WAITING] else DONE
        while status in (NO_STATES, NO_SLOTS):
            status = kernels.resume(self.arrays, self.ticks, exchange)
            self._grow(status)
        if status != DONE:
            return
        end = int(self.ticks.counts[NEXT]) + CHUNK
        status = NO_STATES
        while status in (NO_STATES, NO_SLOTS):
            status = kernels.expand(self.arrays, self.ticks, exchange, end - int(self.ticks.counts[NEXT]))
            self._grow(status)

    def _grow(self, status: int) -> None:
        if status in (NO_STATES, NO_SLOTS):
            self._reserve(int(self.ticks.counts[WANTED]))

    def _reserve(self, wanted: int) -> None:
        """Make room for a number of states."""
        states, slots = self.ticks.states, self.ticks.slots
        room, words = states.shape
        if wanted > room:
            states.resize((max(9 * room // 8, wanted + room // 8), words), refcheck=False)
        if 5 * wanted > 4 * len(slots):
            before = len(slots)
            slots.resize(max(3 * before // 2, 2 * wanted), refcheck=False)
            spread(slots, before, words)

    def _use_table(self) -> None:
        """Use the table as it is now."""
        shared, taken = self.explored.arrays, self.ticks.taken
        if len(self.explored.locations.rows) > len(taken):
            taken = np.full((2 * len(self.explored.locations.rows), 2), -1, dtype=np.int64)
            taken[: len(self.ticks.taken)] = self.ticks.taken
        self.ticks = self.ticks._replace(taken=taken, **{name: getattr(shared, name) for name in SHARED})
        assert self.ticks.counts[WIDTH] == shared.counts[WIDTH], "all parts begin anew where states have to be wider"

    # --- runs -------------------------------------------------------------------------------------------------------

    def parent(self, level: int, words: Sequence[int]) -> StateStep | None:
        """The least state of a level, all visited, from which a step leads to a state, and that step; None if there is none."""
        wanted = np.array(words, dtype=np.uint64)
        return least_parent(self, *self._level(level), wanted)

    def violation(self, level: int, name: str) -> StateStep | None:
        """The least state of a level, and the least edge, that violate a property; None if there is none."""
        return least_violation(self.locations, self.described(), *self._level(level), name)

    @property
    def locations(self) -> Locations:
        """The locations, which all parts share."""
        return self.explored.locations

    def described(self) -> Ticks:
        """The states of the part beside the table, which may still change."""
        return self.explored.arrays._replace(states=self.ticks.states)

    def supply(self, status: int) -> None:
        """Supply what a function lacks in the table."""
        self.explored.supply(status)

    def _level(self, number: int) -> tuple[int, int]:
        counts = self.ticks.counts
        levels = [*self.ticks.levels[: int(counts[DEPTH])], counts[LEVEL_END], counts[STATES]]
        return int(levels[number]), int(levels[number + 1])

    @property
    def bytes(self) -> int:
        """The memory of the part without the table, as far as it is used, in bytes."""
        ticks, used = self.ticks, int(self.ticks.counts[STATES]) * self.ticks.states.strides[0]
        used += sum(array.nbytes for array in (ticks.slots, ticks.levels, ticks.order, ticks.tally, ticks.taken))
        return used + sum(exchange.sent.nbytes for exchange in self._exchanges)
