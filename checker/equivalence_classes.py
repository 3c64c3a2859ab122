"""The equivalence classes of an automaton that passes messages, found by kernels.

`EquivalenceClasses` owns the arrays on which the kernels of `timewait.checker.class_kernels` work, and supplies the rows of
the table (`timewait.checker.mealy`), the duties and the choices of obligations that a kernel asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from timewait.checker import class_kernels as kernels
from timewait.checker.class_kernels import (
    CLASSES,
    DONE,
    DROPPING,
    FIRST,
    FIRST_CHOICE,
    HERE,
    MISSING_CHOICE,
    MISSING_DUTY,
    MISSING_ROWS,
    NO_ROOM,
    SECOND,
    STEPS,
    WAITING,
    WAITS,
    ClassArrays,
)
from timewait.checker.finding import Budget, Stopped
from timewait.checker.growing import grown, widened
from timewait.checker.mealy import Mealy, Row
from timewait.vocabulary.automaton import Clock, TimedAutomaton
from timewait.vocabulary.message_passing import InFlight, ObligationDropping

CHUNK = 1 << 12
"""Classes that are looked at between two looks at the budget."""


class EquivalenceClasses:
    """The classes of an automaton, each with the messages that may be in flight and its steps: a least fixed point.

    Parameters
    ----------
    system : TimedAutomaton
        The automaton; its messages are merged.
    table : Mealy
        The table of the automaton that passes messages, which `system` is or approximates.
    budget : Budget
        The budget for finding the classes.

    Attributes
    ----------
    rows : list of Row
        The rows of the table that were asked for, by number.
    ages, dues : list of Clock
        For each message the clocks of its age, which messages may share, and of its deadline.
    due_bound : int
        The number of the bound on deadlines.
    arrays : ClassArrays
        The table and the classes as numbers.

    Raises
    ------
    Stopped
        The budget is used up.
    """

    def __init__(self, system: TimedAutomaton, table: Mealy, budget: Budget) -> None:
        self.system = system
        self.table = table
        self.dropping = system if isinstance(system, ObligationDropping) else None
        self.rows: list[Row] = []
        self.ages: list[Clock] = []
        self.dues: list[Clock] = []
        self.due_bound = -1
        self._order: list[str] = []
        self._controls = 0
        self._used = {"lists": 0, "sends": 0, "chosen": 0}
        self.arrays = ClassArrays(
            counts=np.zeros(7, dtype=np.int64),
            row_lists=np.full((64, 17), -1, dtype=np.int32),
            lists=np.zeros((64, 2), dtype=np.int32),
            rows=np.zeros((256, 3), dtype=np.int32),
            sends=np.zeros((256, 2), dtype=np.int32),
            sent=np.zeros((256, 1), dtype=np.uint64),
            obliged=np.zeros((256, 1), dtype=np.uint64),
            keeps=np.zeros(64, dtype=np.int8),
            duties=np.full((64, 16), -1, dtype=np.int8),
            controls=np.zeros(1 << 10, dtype=np.int32),
            must=np.zeros((1 << 10, 1), dtype=np.uint64),
            flying=np.zeros((1 << 10, 1), dtype=np.uint64),
            done=np.zeros((1 << 10, 1), dtype=np.uint64),
            links=np.zeros((1 << 10, 6), dtype=np.int32),
            steps=np.zeros((1 << 13, 4), dtype=np.int32),
            chosen=np.zeros(256, dtype=np.int32),
            slots=np.zeros(1 << 12, dtype=np.int32),
            set=np.zeros(1, dtype=np.uint64),
        )
        self.arrays.counts[DROPPING] = self.dropping is not None
        self._describe()
        self._find(budget)

    def __len__(self) -> int:
        """The number of classes met so far."""
        return int(self.arrays.counts[CLASSES])

    @property
    def ranks(self) -> NDArray[np.int32]:
        """The place of each message in the order in which a location has them."""
        ranks = np.zeros(len(self._order), dtype=np.int32)
        ranks[self.in_order(iter(range(len(ranks))))] = np.arange(len(ranks), dtype=np.int32)
        return ranks

    @property
    def steps(self) -> int:
        """The number of steps between classes."""
        return int(self.arrays.counts[STEPS])

    def in_order(self, messages: Iterator[int]) -> list[int]:
        """Messages in the order in which a location has them."""
        return sorted(messages, key=self._order.__getitem__)

    def in_flight(self, number: int) -> list[InFlight]:
        """The messages in flight of the representative of a class."""
        must = set(members(self.arrays.must[number]))
        flying = self.in_order(members(self.arrays.flying[number]))
        return [InFlight(self.table.messages[message], message in must, None) for message in flying]

    # --- the search -------------------------------------------------------------------------------------------------

    def _find(self, budget: Budget) -> None:
        kernels.intern(self.arrays, self.table.start, self.arrays.set)
        self.arrays.links[0, WAITS] = self.arrays.counts[WAITING] = 1
        while (status := kernels.find(self.arrays, CHUNK)) != DONE:
            if stopped := budget.exceeded(len(self), 0):
                raise Stopped(f"{stopped}, while locations were merged")
            self._supply(status)

    def _supply(self, status: int) -> None:
        """Supply what a kernel lacks, so that it can be called again."""
        control, message = int(self.arrays.counts[FIRST]), int(self.arrays.counts[SECOND])
        if status == MISSING_ROWS:
            wanted = [message] if message < 0 else [*members(self.arrays.flying[self.arrays.counts[HERE]])]
            for one in wanted:  # all that its class needs, so that kernels are called less often
                if self.arrays.row_lists[control, one + 1] < 0:
                    self._add_list(
                        control, one, self.table.spontaneous(control) if one < 0 else self.table.arrivals(control, one)
                    )
        elif status == MISSING_DUTY:
            self.arrays.duties[control, message] = self.table.must_be_delivered(control, message)
        elif status == MISSING_CHOICE:
            self._choose(control)
        elif status == NO_ROOM:
            self._grow(2)
        self._describe()

    def _add_list(self, control: int, message: int, rows: Sequence[Row]) -> None:
        begin, first = self._used["lists"], len(self.rows)
        self._used["lists"] += 1
        self._describe()  # messages that the rows send
        self._reserve("lists", begin + 1)
        self._reserve("rows", first + len(rows))
        self._reserve("sent", first + len(rows))
        self._reserve("obliged", first + len(rows))
        self.arrays.lists[begin] = first, len(rows)
        self.arrays.row_lists[control, message + 1] = begin
        for number, row in enumerate(rows, first):
            sends = self._used["sends"]
            self._used["sends"] += len(row.sent)
            self._reserve("sends", self._used["sends"])
            self.arrays.rows[number] = row.target, sends, len(row.sent)
            for part, (sent, obliged) in enumerate(row.sent, sends):
                self.arrays.sends[part] = sent, obliged
                _include(self.arrays.sent[number], sent)
                if obliged:
                    _include(self.arrays.obliged[number], sent)
            self.rows.append(row)

    def _choose(self, number: int) -> None:
        """Note the classes that an over-approximation puts in the place of one."""
        assert self.dropping is not None, "only an over-approximation chooses"
        control, must = int(self.arrays.controls[number]), self.in_order(members(self.arrays.must[number]))
        flying = [InFlight(self.table.messages[message], True, None) for message in must]
        location = self.table.system.with_in_flight(self.table.controls[control], flying)
        choices = []
        for kept in self.dropping.kept_obligations(location):
            self._grow(1)
            chosen = np.zeros_like(self.arrays.set)
            for position in kept:
                _include(chosen, must[position])
            choices.append(kernels.intern(self.arrays, control, chosen))
        begin = self._used["chosen"]
        self._used["chosen"] += len(choices)
        self._reserve("chosen", self._used["chosen"])
        self.arrays.chosen[begin : begin + len(choices)] = choices
        self.arrays.links[number, FIRST_CHOICE:][:2] = begin, len(choices)

    def _describe(self) -> None:
        """Describe controls and messages that are new in the table."""
        table, (height, width) = self.table, self.arrays.duties.shape
        controls, messages = len(table.controls), len(table.messages)
        self._reserve("keeps", controls)
        for control in range(self._controls, controls):
            self.arrays.keeps[control] = table.keeps_in_flight(control)
        self._controls = controls
        for message in range(len(self.ages), messages):
            self._describe_message(message)
        if controls > height or messages > width:
            row_lists = widened(self.arrays.row_lists, controls, messages + 1, -1)
            duties = widened(self.arrays.duties, len(row_lists), row_lists.shape[1] - 1, -1)
            self.arrays = self.arrays._replace(row_lists=row_lists, duties=duties)
        if messages > 64 * len(self.arrays.set):
            self._widen_sets((messages + 63) // 64)

    def _widen_sets(self, words: int) -> None:
        """Give sets more words."""
        sets = {name: widened(getattr(self.arrays, name), 0, words) for name in ("sent", "obliged", "must", "flying", "done")}
        width, slots = sets["must"].shape[1], np.zeros_like(self.arrays.slots)
        self.arrays = self.arrays._replace(**sets, set=np.zeros(width, dtype=np.uint64), slots=slots)
        kernels.rehash(self.arrays)

    def _describe_message(self, message: int) -> None:
        """Note the clocks of a message, which are those of it alone in the first control."""
        table, control = self.table, self.table.start
        own = table.system.clocks(table.alone(control, message, must_be_delivered=False))[len(table.clocks[control]) :]
        self._order.append(own[0].owner)
        alone = [
            self.system.clocks(table.alone(control, message, must_be_delivered=must))[len(table.clocks[control]) :]
            for must in (False, True)
        ]
        (age,) = alone[0]
        (due,) = [clock for clock in alone[1] if clock != age]
        self.ages.append(age)
        self.dues.append(due)
        self.due_bound, _ = table.deadline(control, message)

    def _grow(self, classes: int) -> None:
        """Make room for steps, and for more classes."""
        self._reserve("steps", self.steps + 4096)
        for name in ("controls", "must", "flying", "done", "links"):
            self._reserve(name, len(self) + classes + 1)
        if len(self.arrays.controls) > len(self.arrays.slots) // 2:
            self.arrays = self.arrays._replace(slots=np.zeros(4 * len(self.arrays.slots), dtype=np.int32))
            kernels.rehash(self.arrays)

    def _reserve(self, name: str, length: int) -> None:
        array = getattr(self.arrays, name)
        if length > len(array):
            self.arrays = self.arrays._replace(**{name: grown(array, length)})


def members(row: NDArray[np.uint64]) -> Iterator[int]:
    """The messages of a set, lowest first."""
    for word, value in enumerate(row.tolist()):
        while value:
            lowest = value & -value
            yield 64 * word + lowest.bit_length() - 1
            value ^= lowest


def _include(row: NDArray[np.uint64], message: int) -> None:
    """Put a message into a set, in place."""
    row[message >> 6] |= np.uint64(1 << (message & 63))
