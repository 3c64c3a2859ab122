"""The locations of a message-passing automaton, numbered and compiled in bulk.

`Locations` owns the arrays on which the kernels of `timewait.checker.location_kernels` work, and fills the table
(`timewait.checker.mealy`) where a kernel asks for a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timewait.checker import location_kernels as kernels
from timewait.checker.compiled import RESET
from timewait.checker.location_kernels import (
    CODES,
    DONE,
    EDGES,
    FIRST,
    GUARDS,
    LOCATIONS,
    MAX_CLOCKS,
    MISSING_DUTY,
    MISSING_ROWS,
    ROLES,
    SECOND,
    TOO_MANY,
    UPDATES,
    Arrays,
)
from timewait.checker.mealy import Mealy, Row, Unsupported
from timewait.vocabulary.automaton import Clock, Location
from timewait.vocabulary.message_passing import InFlight

assert RESET == kernels.FRESH, "both mean a clock that starts from zero"


class Locations:
    """The locations of an automaton met so far, with their edges.

    Parameters
    ----------
    table : Mealy
        The table of the automaton.

    Attributes
    ----------
    rows : list of Row
        Every row, by number.
    arrays : Arrays
        The table and the locations as numbers.
    start : int
        The initial location.

    Raises
    ------
    Unsupported
        The automaton has a property that the table cannot express.
    """

    def __init__(self, table: Mealy) -> None:
        self.table = table
        self.rows: list[Row] = []
        self._parts = 0
        self._lists = 0
        rules = self.table.rules
        per_message = 2 * (1 + (rules.duplication or 0))
        counted = -1 if rules.duplication is None else rules.duplication
        self.arrays = Arrays(
            counts=np.zeros(8, dtype=np.int64),
            rules=np.array([counted, rules.fifo, rules.merged, per_message, 0, 0, 0], dtype=np.int64),
            row_lists=np.full((64, 17), -1, dtype=np.int32),
            lists=np.zeros((256, 2), dtype=np.int32),
            rows=np.zeros((1024, 7), dtype=np.int32),
            row_parts=np.zeros((4096, 2), dtype=np.int32),
            duties=np.full((64, 16), -1, dtype=np.int8),
            controls=np.zeros((64, 5), dtype=np.int32),
            senders=np.zeros(16, dtype=np.int8),
            place=np.zeros((1 << 13, 7), dtype=np.int32),
            codes=np.zeros(1 << 17, dtype=np.uint16),
            edges=np.zeros((1 << 14, 6), dtype=np.int32),
            updates=np.zeros(1 << 18, dtype=np.int8),
            guards=np.zeros((1 << 14, 2), dtype=np.int32),
            roles=np.zeros(1 << 18, dtype=np.int8),
            slots=np.zeros(1 << 14, dtype=np.int32),
        )
        self.scratch = kernels.scratch()
        self._senders: list[str] = []
        self._described = (0, 0)
        self._describe()
        self.start: int = kernels.intern(self.arrays, self.table.start, self.scratch.codes, 0)

    def __len__(self) -> int:
        """The number of locations met so far."""
        return int(self.arrays.counts[LOCATIONS])

    # --- what kernels ask for ---------------------------------------------------------------------------------------

    def supply(self, status: int) -> None:
        """Supply what a kernel lacks, so that it can be called again.

        Raises
        ------
        Unsupported
            A location exceeds what the arrays can express.
        """
        control, message = int(self.arrays.counts[FIRST]), int(self.arrays.counts[SECOND])
        if status == MISSING_ROWS:
            found = self.table.spontaneous(control) if message < 0 else self.table.arrivals(control, message)
            self._add_list(control, message, found)
        elif status == MISSING_DUTY:
            self.arrays.duties[control, message] = self.table.must_be_delivered(control, message)
        elif status == TOO_MANY:
            raise Unsupported("a location has more messages in flight, clocks or edges than the arrays can express")
        else:
            self._grow()
        self._describe()

    def build(self, number: int) -> None:
        """Build the edges of a location, unless they are built."""
        while self.arrays.place[number, 4] < 0:
            status = kernels.build(self.arrays, number, self.scratch)
            if status != DONE:
                self.supply(status)

    def build_all(self, limit: int) -> bool:
        """Build the edges of every location, up to a number of them; whether all are built."""
        number = 0
        while number < len(self) and number < limit:
            status, number = kernels.build_all(self.arrays, number, limit, self.scratch)
            if status != DONE:
                self.supply(status)
        return number == len(self)

    def _add_list(self, control: int, message: int, rows: Sequence[Row]) -> None:
        self._reserve("lists", self._lists + 1)
        self._reserve("rows", len(self.rows) + len(rows))
        self.arrays.lists[self._lists] = len(self.rows), len(rows)
        self.arrays.row_lists[control, message + 1] = self._lists
        self._lists += 1
        for row in rows:
            guard = self._add_parts(row.guard)
            updates = self._add_parts([(source, 0) for source in row.updates])
            self.arrays.rows[len(self.rows)] = row.target, *guard, *updates, *self._add_parts(row.sent)
            self.rows.append(row)

    def _add_parts(self, parts: Sequence[tuple[int, int]]) -> tuple[int, int]:
        begin = self._parts
        self._reserve("row_parts", begin + len(parts))
        for part in parts:
            self.arrays.row_parts[self._parts] = part
            self._parts += 1
        return begin, len(parts)

    def _describe(self) -> None:
        """Describe controls and messages that are new in the table."""
        table, (controls, messages) = self.table, self._described
        self._reserve("controls", len(table.controls))
        self._reserve("senders", len(table.messages))
        self._widen(len(table.controls), len(table.messages))
        for control in range(controls, len(table.controls)):
            invariant = self._add_parts(table.invariants[control])
            roles, count = self._add_parts([(table.role(clock), 0) for clock in table.clocks[control]])
            if max(count, invariant[1]) > MAX_CLOCKS:
                raise Unsupported(f"{count} clocks of a control, or the bounds on them, are more than the arrays can express")
            self.arrays.controls[control] = count, table.keeps_in_flight(control), *invariant, roles
        for message in range(messages, len(table.messages)):
            sender = table.messages[message].sender
            if sender not in self._senders:
                self._senders.append(sender)
            self.arrays.senders[message] = self._senders.index(sender)
            self._check_clocks(message)
        if len(table.roles) > np.iinfo(np.int8).max:
            raise Unsupported(f"{len(table.roles)} roles of clocks are more than a byte can express")
        if len(table.messages) * int(self.arrays.rules[3]) > np.iinfo(np.uint16).max:
            raise Unsupported(f"{len(table.messages)} messages are more than a code can express")
        self._described = len(table.controls), len(table.messages)

    def _check_clocks(self, message: int) -> None:
        """Note the roles of the clocks of a message and the bound on its deadline, which are those of every message."""
        bound, clocks = self.table.deadline(message)
        described = self.table.role(clocks[0]), self.table.role(clocks[-1]), bound
        if message and described != tuple(self.arrays.rules[4:]):
            raise Unsupported(f"{self.table.messages[message]} has other clocks than other messages")
        self.arrays.rules[4:] = described

    def _widen(self, controls: int, messages: int) -> None:
        """Make room in the arrays by control and message."""
        height, width = self.arrays.duties.shape
        if controls <= height and messages <= width:
            return
        height, width = max(2 * height, controls), max(2 * width if messages > width else width, messages)
        lists = np.full((height, width + 1), -1, dtype=np.int32)
        duties = np.full((height, width), -1, dtype=np.int8)
        old = self.arrays.duties.shape
        lists[: old[0], : old[1] + 1] = self.arrays.row_lists
        duties[: old[0], : old[1]] = self.arrays.duties
        self.arrays = self.arrays._replace(row_lists=lists, duties=duties)

    def _reserve(self, name: str, length: int) -> None:
        """Make room for a number of entries of an array."""
        array: NDArray[Any] = getattr(self.arrays, name)
        if length > len(array):
            larger = np.zeros((max(2 * len(array), length), *array.shape[1:]), dtype=array.dtype)
            larger[: len(array)] = array
            self.arrays = self.arrays._replace(**{name: larger})

    def _grow(self) -> None:
        """Make room for more locations and edges wherever there is little."""
        counts = self.arrays.counts
        spare = {"place": (LOCATIONS, 8192), "codes": (CODES, 1 << 18), "edges": (EDGES, 4096)}
        spare |= {"updates": (UPDATES, 1 << 18), "guards": (GUARDS, 16384), "roles": (ROLES, 1 << 19)}
        for name, (entry, room) in spare.items():
            self._reserve(name, int(counts[entry]) + room)
        if counts[LOCATIONS] + 8192 > len(self.arrays.slots) // 2:
            slots = np.zeros(4 * len(self.arrays.slots), dtype=np.int32)
            kernels.rehash(self.arrays.place, self.arrays.codes, int(counts[LOCATIONS]), slots)
            self.arrays = self.arrays._replace(slots=slots)

    # --- in the terms of the automaton ------------------------------------------------------------------------------

    def control(self, number: int) -> int:
        """The number of the control of a location."""
        return int(self.arrays.place[number, 0])

    def codes(self, number: int) -> list[int]:
        """The codes of the messages in flight of a location."""
        _, begin, length, *_ = self.arrays.place[number]
        return [int(code) for code in self.arrays.codes[begin : begin + length]]

    def in_flight(self, number: int) -> list[InFlight]:
        """The messages in flight of a location."""
        per_message, counted = int(self.arrays.rules[3]), self.table.rules.duplication is not None
        return [
            InFlight(self.table.messages[code // per_message], bool(code & 1), (code % per_message) >> 1 if counted else None)
            for code in self.codes(number)
        ]

    def location(self, number: int) -> Location:
        """A location of the automaton itself; merged messages are in the order of these arrays."""
        return self.table.system.with_in_flight(self.table.controls[self.control(number)], self.in_flight(number))

    def clocks(self, number: int) -> tuple[Clock, ...]:
        """The clocks of a location, in the order of these arrays."""
        return self.table.system.clocks(self.location(number))

    def edges(self, number: int) -> Iterator[tuple[Row, int, int, list[tuple[int, int]], list[int]]]:
        """Each edge of a location: its row, the position of the message or -1, its target, guard, and updates."""
        self.build(number)
        arrays = self.arrays
        for edge in range(arrays.place[number, 3], arrays.place[number, 3] + arrays.place[number, 4]):
            target, row, position, guard, bounds, update = map(int, arrays.edges[edge])
            count = int(arrays.place[target, 6])
            limits = [(int(clock), int(bound)) for clock, bound in arrays.guards[guard : guard + bounds]]
            yield self.rows[row], position, target, limits, [int(source) for source in arrays.updates[update : update + count]]
