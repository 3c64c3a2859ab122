"""The equivalence classes of an automaton that passes messages, found by kernels.

`EquivalenceClasses` owns the arrays on which the kernels of `timewait.checker.class_kernels` work, and supplies the reactions and
controls of the table (`timewait.checker.mealy`), the duties and the choices of obligations that a kernel asks for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from timewait.checker import class_kernels as kernels
from timewait.checker.class_kernels import (
    ALL_ROWS,
    BEFORE,
    CLASSES,
    DONE,
    DROPPING,
    FIRST,
    FIRST_CHOICE,
    HERE,
    LISTS,
    MISSING_CHOICE,
    MISSING_CONTROL,
    MISSING_DUTY,
    MISSING_REACTIONS,
    NO_ROOM,
    SECOND,
    STEPS,
    WAITING,
    WAITS,
    ClassArrays,
)
from timewait.checker.finding import Budget, Stopped
from timewait.checker.growing import grown, widened
from timewait.checker.mealy import Mealy, PartReaction
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
    reactions : list of PartReaction
        The reactions of the table that were asked for, by number.
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
        self.reactions: list[PartReaction] = []
        self.ages: list[Clock] = []
        self.dues: list[Clock] = []
        self.due_bound = -1
        self._order: list[str] = []
        self._controls = 0
        self._spans: dict[int, int] = {}
        self._described = (0, 0, 0)
        self._used = {"sends": 0, "chosen": 0}
        places = len(table.stances[table.start])
        self.arrays = ClassArrays(
            counts=np.zeros(10, dtype=np.int64),
            groups=np.array(table.groups, dtype=np.int32),
            receivers=np.zeros(64, dtype=np.int32),
            parts=np.zeros((64, places + 1), dtype=np.int32),
            stances=np.zeros((64, places), dtype=np.int32),
            control_slots=np.zeros(256, dtype=np.int32),
            wanted=np.zeros(places + 1, dtype=np.int32),
            reaction_lists=np.full((64, len(table.groups) + 16), -1, dtype=np.int32),
            spans=np.zeros((64, 2), dtype=np.int32),
            reactions=np.zeros((256, 4), dtype=np.int32),
            row_lists=np.full((64, 17), -1, dtype=np.int32),
            before=np.zeros(64, dtype=np.int32),
            lists=np.zeros((1 << 10, 2), dtype=np.int32),
            rows=np.zeros((1 << 11, 5), dtype=np.int32),
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
        self.arrays.counts[BEFORE] = table.groups_before
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

    def arrivals(self) -> Iterator[tuple[int, int, list[PartReaction]]]:
        """Each control and message in flight that met, with the reactions, once for all stances that are the same."""
        control_of: dict[int, int] = {}
        for control, stances in enumerate(self.table.stances):
            for stance in stances:
                control_of.setdefault(stance, control)
        known, groups = self.arrays.reaction_lists, len(self.table.groups)
        for stance, message in np.argwhere(known[:, groups:] >= 0).tolist():
            first, count = self.arrays.spans[known[stance, groups + message]].tolist()
            yield control_of[stance], message, self.reactions[first : first + count]

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
        if status == MISSING_REACTIONS:
            wanted = [message] if message < 0 else self._unknown(control)
            for one in wanted:  # all that its class needs, so that kernels are called less often
                self._add_reactions(control, one)
        elif status == MISSING_CONTROL:
            self.table.control_of(tuple(self.arrays.wanted.tolist()))
        elif status == MISSING_DUTY:
            self.arrays.duties[control, message] = self.table.must_be_delivered(control, message)
        elif status == MISSING_CHOICE:
            self._choose(control)
        elif status == NO_ROOM:
            self._grow(2)
        self._describe()

    def _unknown(self, control: int) -> list[int]:
        """The messages in flight of the class that is looked at, as far as the reactions of its control are not noted."""
        arrays = self.arrays
        flying = np.unpackbits(arrays.flying[arrays.counts[HERE]].astype("<u8").view(np.uint8), bitorder="little")
        messages = np.flatnonzero(flying)
        stances = arrays.stances[control, arrays.receivers[messages]]
        unknown: list[int] = messages[arrays.reaction_lists[stances, len(self.table.groups) + messages] < 0].tolist()
        return unknown

    def _places(self, control: int, message: int) -> tuple[int, int]:
        """The place of a list of reactions in `ClassArrays.reaction_lists`; messages below 0 are groups."""
        table = self.table
        if message < 0:
            return table.stances[control][table.groups[-1 - message]], -1 - message
        return table.stances[control][table.receivers[message]], len(table.groups) + message

    def _add_reactions(self, control: int, message: int) -> None:
        """Note the reactions of a control to a message, or for a number below 0 those of a group."""
        place, chosen = self._places(control, message), self.table.list_of(control, message)
        self._describe()  # messages that the reactions send
        known = self._spans.get(chosen)
        self.arrays.reaction_lists[place] = len(self._spans) if known is None else known
        if known is None:
            self._add_list(chosen)

    def _add_list(self, chosen: int) -> None:
        """Note a list of reactions of the table."""
        reactions, begin, first = self.table.lists[chosen], len(self._spans), len(self.reactions)
        self._spans[chosen] = begin
        self._reserve("spans", begin + 1)
        for name in ("reactions", "sent", "obliged"):
            self._reserve(name, first + len(reactions))
        self.arrays.spans[begin] = first, len(reactions)
        for number, reaction in enumerate(reactions, first):
            sends = self._used["sends"]
            self._used["sends"] += len(reaction.sent)
            self.arrays.reactions[number] = reaction.part, reaction.shared, sends, len(reaction.sent)
            if reaction.sent:
                self._reserve("sends", self._used["sends"])
                self.arrays.sends[sends : self._used["sends"]] = reaction.sent
            for sent, obliged in reaction.sent:
                _include(self.arrays.sent[number], sent)
                if obliged:
                    _include(self.arrays.obliged[number], sent)
        self.reactions += reactions

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
        table, controls, messages = self.table, len(self.table.controls), len(self.table.messages)
        if self._described == (controls, messages, table.met_stances):
            return
        self._described = controls, messages, table.met_stances
        if controls > self._controls:
            self._describe_controls(self._controls, controls)
        self._reserve("receivers", messages)
        for message in range(len(self.ages), messages):
            self.arrays.receivers[message] = table.receivers[message]
            self._describe_message(message)
        height, width = self.arrays.duties.shape
        if controls > height or messages > width:
            row_lists = widened(self.arrays.row_lists, controls, messages + 1, -1)
            duties = widened(self.arrays.duties, len(row_lists), row_lists.shape[1] - 1, -1)
            self.arrays = self.arrays._replace(row_lists=row_lists, duties=duties)
        lists = widened(self.arrays.reaction_lists, table.met_stances, len(table.groups) + messages, -1)
        self.arrays = self.arrays._replace(reaction_lists=lists)
        if messages > 64 * len(self.arrays.set):
            self._widen_sets((messages + 63) // 64)

    def _describe_controls(self, first: int, end: int) -> None:
        """Describe controls that are new in the table."""
        table = self.table
        for name in ("keeps", "parts", "stances", "before"):
            self._reserve(name, end)
        for control in range(first, end):
            self.arrays.keeps[control] = table.keeps_in_flight(control)
            self.arrays.parts[control], self.arrays.stances[control] = table.parts[control], table.stances[control]
        if end > len(self.arrays.control_slots) // 2:
            self.arrays = self.arrays._replace(control_slots=np.zeros(1 << (4 * end).bit_length(), dtype=np.int32))
            first = 0
        kernels.enter_controls(self.arrays, first, end)
        self._controls = end

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
        self.due_bound, _ = table.deadline(message)

    def _grow(self, classes: int) -> None:
        """Make room for rows and steps, and for more classes."""
        self._reserve("rows", int(self.arrays.counts[ALL_ROWS]) + 1024)
        self._reserve("lists", int(self.arrays.counts[LISTS]) + 1)
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
