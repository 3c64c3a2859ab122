"""Equivalence classes of a message-passing automaton as small numbers, and the steps between them, compiled by numba.

A class is the number of a control and the messages that must be delivered, a set with one bit for each message. Its
representative has every message in flight that may be, which is a least fixed point. The rows of a control, its edges by number,
are put together here from the reactions of its parts (`timewait.checker.mealy`). All this lies in growing arrays
(`ClassArrays`), which `timewait.checker.equivalence_classes.EquivalenceClasses` owns: a kernel that lacks room, reactions, a
control, or a choice of obligations says so before it changes anything, and is called again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import kernel, subroutine

DONE, MISSING_REACTIONS, MISSING_CONTROL, MISSING_DUTY, MISSING_CHOICE, NO_ROOM, MORE = range(7)
"""How a kernel ended: everything is found; reactions, a control, a duty or a choice of obligations is missing; no room; more is
to be done."""

CLASSES, STEPS, HERE, WAITING, FIRST, SECOND, DROPPING, LISTS, ALL_ROWS, BEFORE = range(10)
"""The entries of `ClassArrays.counts`: classes and steps met, the class to look at next, how many classes wait, what is
missing when a kernel ended early, whether obligations are chosen, lists and rows met, and the groups before arrivals."""

CONTROL_AFTER, FIRST_SENT, SENT, REACTION, CONTROL_BEFORE = range(5)
"""The columns of `ClassArrays.rows`."""

PART_AFTER, SHARED_AFTER = range(2)
"""The first columns of `ClassArrays.reactions`, before those that are as in `ClassArrays.rows`."""

FIRST_STEP, LAST_STEP, FIRST_CHOICE, CHOICES, WAITS, BEGUN = range(6)
"""The columns of `ClassArrays.links`."""

ROW, MESSAGE, TARGET, NEXT = range(4)
"""The columns of `ClassArrays.steps`."""

ONE = np.uint64(1)


class ClassArrays(NamedTuple):
    """The table, and the classes met so far; sets of messages have as many words as the messages need.

    Attributes
    ----------
    counts : (10,) int64
        See `CLASSES` and the names after it.
    groups : (groups,) int32
        The part of each group of spontaneous reactions.
    receivers : (messages,) int32
        The part at which each message arrives.
    parts : (controls, parts + 1) int32
        For each control its parts, then what they share.
    stances : (controls, parts) int32
        For each control the stance of each part.
    control_slots : (2^n,) int32
        Hash table of controls by their parts, each number plus one; zero is empty.
    wanted : (parts + 1,) int32
        The parts of a control that is looked up, and missing when a kernel ended so.
    reaction_lists : (stances, groups + messages) int32
        The number of the list of reactions for each stance and group or message; -1 is unknown.
    spans : (lists, 2) int32
        For each list of reactions its first one and its length.
    reactions : (reactions, 4) int32
        For each reaction the part and what is shared after it, and the begin and the number of the messages that it sends.
    row_lists : (controls, messages + 1) int32
        The number of the list of rows for each control and message, after the list of spontaneous rows; -1 is unknown.
    before : (controls,) int32
        The spontaneous rows of a control before those of arrivals, once its list is known.
    lists : (lists, 2) int32
        For each list of rows its first row and its length.
    rows : (rows, 5) int32
        For each row its target control, the begin and the number of the messages that it sends, its reaction, and its control.
    sends : (n, 2) int32
        Messages sent, and whether each must be delivered.
    sent, obliged : (reactions, words) uint64
        The messages that a reaction sends, and those of them that must be delivered.
    keeps : (controls,) int8
        Whether messages stay in flight in a control.
    duties : (controls, messages) int8
        Whether an obligation to deliver a message remains in a control; -1 is unknown.
    controls : (classes,) int32
        The control of each class.
    must, flying, done : (classes, words) uint64
        The messages that must be delivered, those that may be in flight, and those whose arrivals are among the steps.
    links : (classes, 6) int32
        For each class its first and last step, -1 where there is none, the begin (-1: unknown) and number of the classes that
        an over-approximation puts in its place, whether it waits to be looked at, and whether its spontaneous steps are known.
    steps : (steps, 4) int32
        For each step its row, the message that arrives or -1, the class that it leads to, and the next step of its class.
    chosen : (n,) int32
        Classes that an over-approximation chooses.
    slots : (2^n,) int32
        Hash table of classes, each number plus one; zero is empty.
    set : (words,) uint64
        Room for the messages that must be delivered in a target.
    """

    counts: NDArray[np.int64]
    groups: NDArray[np.int32]
    receivers: NDArray[np.int32]
    parts: NDArray[np.int32]
    stances: NDArray[np.int32]
    control_slots: NDArray[np.int32]
    wanted: NDArray[np.int32]
    reaction_lists: NDArray[np.int32]
    spans: NDArray[np.int32]
    reactions: NDArray[np.int32]
    row_lists: NDArray[np.int32]
    before: NDArray[np.int32]
    lists: NDArray[np.int32]
    rows: NDArray[np.int32]
    sends: NDArray[np.int32]
    sent: NDArray[np.uint64]
    obliged: NDArray[np.uint64]
    keeps: NDArray[np.int8]
    duties: NDArray[np.int8]
    controls: NDArray[np.int32]
    must: NDArray[np.uint64]
    flying: NDArray[np.uint64]
    done: NDArray[np.uint64]
    links: NDArray[np.int32]
    steps: NDArray[np.int32]
    chosen: NDArray[np.int32]
    slots: NDArray[np.int32]
    set: NDArray[np.uint64]


@subroutine
def has(row: NDArray[np.uint64], bit: int) -> bool:
    """Whether a set contains a message."""
    return bool((row[bit >> 6] >> np.uint64(bit & 63)) & ONE)


@subroutine
def _mixed(value: np.uint64, word: np.uint64) -> np.uint64:
    mixed = (value ^ word) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(29))


@subroutine
def _slot(arrays: ClassArrays, control: int, must: NDArray[np.uint64]) -> int:
    """The slot of a class, or the empty slot where it belongs."""
    value = np.uint64(control + 1) * np.uint64(0x9E3779B97F4A7C15)
    for word in range(len(must)):
        value = _mixed(value, must[word])
    mask = len(arrays.slots) - 1
    slot = np.int64(value >> np.uint64(20)) & mask
    while arrays.slots[slot]:
        known = arrays.slots[slot] - 1
        same = arrays.controls[known] == control
        for word in range(len(must)):
            same &= arrays.must[known, word] == must[word]
        if same:
            break
        slot = (slot + 1) & mask
    return int(slot)


@kernel
def intern(arrays: ClassArrays, control: int, must: NDArray[np.uint64]) -> int:
    """The number of a class; a new one if it was never met, for which there is room."""
    slot = _slot(arrays, control, must)
    if arrays.slots[slot]:
        return int(arrays.slots[slot]) - 1
    number = arrays.counts[CLASSES]
    arrays.slots[slot] = number + 1
    arrays.controls[number] = control
    for word in range(len(must)):
        arrays.must[number, word] = must[word]
    arrays.links[number, FIRST_STEP], arrays.links[number, LAST_STEP] = -1, -1
    arrays.links[number, FIRST_CHOICE] = -1
    arrays.counts[CLASSES] += 1
    return int(number)


@kernel
def rehash(arrays: ClassArrays) -> None:
    """Fill an empty hash table with the classes met so far."""
    for number in range(arrays.counts[CLASSES]):
        arrays.slots[_slot(arrays, arrays.controls[number], arrays.must[number])] = number + 1


@subroutine
def _control_slot(arrays: ClassArrays, parts: NDArray[np.int32]) -> int:
    """The slot of the control of some parts, or the empty slot where it belongs."""
    value = np.uint64(0x9E3779B97F4A7C15)
    for place in range(len(parts)):
        value = _mixed(value, np.uint64(parts[place] + 1))
    mask = len(arrays.control_slots) - 1
    slot = np.int64(value >> np.uint64(20)) & mask
    while arrays.control_slots[slot]:
        known = arrays.control_slots[slot] - 1
        same = True
        for place in range(len(parts)):
            same &= arrays.parts[known, place] == parts[place]
        if same:
            break
        slot = (slot + 1) & mask
    return int(slot)


@kernel
def enter_controls(arrays: ClassArrays, first: int, end: int) -> None:
    """Enter controls into the hash table of controls, in which there is room."""
    for control in range(first, end):
        arrays.control_slots[_control_slot(arrays, arrays.parts[control])] = control + 1


@subroutine
def list_rows(arrays: ClassArrays, control: int, message: int) -> int:
    """Put the rows of a control together, those for the arrival of a message or the spontaneous ones; all of them or none."""
    counts, groups = arrays.counts, len(arrays.groups)
    row, count = counts[ALL_ROWS], counts[LISTS]
    columns = groups if message < 0 else 1
    before = 0
    for number in range(columns):
        place = arrays.groups[number] if message < 0 else arrays.receivers[message]
        column = number if message < 0 else groups + message
        chosen = arrays.reaction_lists[arrays.stances[control, place], column]
        if chosen < 0:
            counts[FIRST], counts[SECOND] = control, -1 - number if message < 0 else message
            return MISSING_REACTIONS
        first, end = arrays.spans[chosen, 0], arrays.spans[chosen, 0] + arrays.spans[chosen, 1]
        if row + end - first > len(arrays.rows) or count >= len(arrays.lists):
            return NO_ROOM
        for reaction in range(first, end):
            for other in range(arrays.parts.shape[1] - 1):
                arrays.wanted[other] = arrays.parts[control, other]
            arrays.wanted[place] = arrays.reactions[reaction, PART_AFTER]
            arrays.wanted[arrays.parts.shape[1] - 1] = arrays.reactions[reaction, SHARED_AFTER]
            target = arrays.control_slots[_control_slot(arrays, arrays.wanted)] - 1
            if target < 0:
                return MISSING_CONTROL
            arrays.rows[row, CONTROL_AFTER] = target
            arrays.rows[row, FIRST_SENT], arrays.rows[row, SENT] = arrays.reactions[reaction, 2], arrays.reactions[reaction, 3]
            arrays.rows[row, REACTION], arrays.rows[row, CONTROL_BEFORE] = reaction, control
            row += 1
        if message < 0 and number < counts[BEFORE]:
            before = row - counts[ALL_ROWS]
    if message < 0:
        arrays.before[control] = before
    arrays.lists[count, 0], arrays.lists[count, 1] = counts[ALL_ROWS], row - counts[ALL_ROWS]
    arrays.row_lists[control, message + 1] = count
    counts[ALL_ROWS], counts[LISTS] = row, count + 1
    return DONE


@kernel
def find(arrays: ClassArrays, count: int) -> int:
    """Look at classes that wait, those met first at first; how it ended."""
    counts = arrays.counts
    while count > 0:
        here = counts[HERE]
        if here >= counts[CLASSES]:
            if not counts[WAITING]:
                return DONE
            counts[HERE] = 0
            continue
        if arrays.links[here, WAITS]:
            status = _complete(arrays, here)
            if status != DONE:
                return status
            arrays.links[here, WAITS] = 0
            counts[WAITING] -= 1
            _spread(arrays, here)
            count -= 1
        counts[HERE] += 1
    return MORE


@subroutine
def _complete(arrays: ClassArrays, here: int) -> int:
    """Add the steps of a class that are not among its steps yet; how it ended."""
    control = arrays.controls[here]
    if not arrays.links[here, BEGUN]:
        status = _add(arrays, here, control, -1)
        if status != DONE:
            return status
        arrays.links[here, BEGUN] = 1
    for word in range(arrays.flying.shape[1]):
        missing = arrays.flying[here, word] & ~arrays.done[here, word]
        for bit in range(64):
            if (missing >> np.uint64(bit)) & ONE:
                status = _add(arrays, here, control, 64 * word + bit)
                if status != DONE:
                    return status
                arrays.done[here, word] |= ONE << np.uint64(bit)
    return DONE


@subroutine
def _add(arrays: ClassArrays, here: int, control: int, message: int) -> int:
    """Add the steps for the arrival of a message, or the spontaneous ones; all of them or none."""
    counts, links = arrays.counts, arrays.links
    if arrays.row_lists[control, message + 1] < 0:
        status = list_rows(arrays, control, message)
        if status != DONE:
            return status
    chosen = arrays.row_lists[control, message + 1]
    steps, last = counts[STEPS], links[here, LAST_STEP]
    first = arrays.lists[chosen, 0]
    for row in range(first, first + arrays.lists[chosen, 1]):
        status = _add_row(arrays, here, row, message)
        if status != DONE:
            counts[STEPS], links[here, LAST_STEP] = steps, last
            if last >= 0:
                arrays.steps[last, NEXT] = -1
            else:
                links[here, FIRST_STEP] = -1
            return status
    return DONE


@subroutine
def _add_row(arrays: ClassArrays, here: int, row: int, message: int) -> int:
    """Add the steps of one row: one, unless an over-approximation chooses obligations."""
    counts, links, must, control = arrays.counts, arrays.links, arrays.set, arrays.rows[row, CONTROL_AFTER]
    reaction = arrays.rows[row, REACTION]
    if counts[CLASSES] + 1 >= min(len(arrays.controls), len(arrays.slots) // 2):
        return NO_ROOM
    for word in range(len(must)):
        must[word] = arrays.must[here, word]
        if message >= 0 and message >> 6 == word:
            must[word] &= ~(ONE << np.uint64(message & 63))
        must[word] |= arrays.obliged[reaction, word]
        if not arrays.keeps[control]:
            must[word] = 0
        for bit in range(64):
            if (must[word] >> np.uint64(bit)) & ONE:
                duty = arrays.duties[control, 64 * word + bit]
                if duty < 0:
                    counts[FIRST], counts[SECOND] = control, 64 * word + bit
                    return MISSING_DUTY
                if not duty:
                    must[word] &= ~(ONE << np.uint64(bit))
    target = intern(arrays, control, must)
    if not counts[DROPPING]:
        return _link(arrays, here, row, message, target)
    if links[target, FIRST_CHOICE] < 0:
        counts[FIRST] = target
        return MISSING_CHOICE
    for choice in range(links[target, FIRST_CHOICE], links[target, FIRST_CHOICE] + links[target, CHOICES]):
        status = _link(arrays, here, row, message, arrays.chosen[choice])
        if status != DONE:
            return status
    return DONE


@subroutine
def _link(arrays: ClassArrays, here: int, row: int, message: int, target: int) -> int:
    """Add a step to those of a class."""
    step, last = arrays.counts[STEPS], arrays.links[here, LAST_STEP]
    if step >= len(arrays.steps):
        return NO_ROOM
    arrays.steps[step, ROW], arrays.steps[step, MESSAGE], arrays.steps[step, TARGET] = row, message, target
    arrays.steps[step, NEXT] = -1
    if last >= 0:
        arrays.steps[last, NEXT] = step
    else:
        arrays.links[here, FIRST_STEP] = step
    arrays.links[here, LAST_STEP] = step
    arrays.counts[STEPS] += 1
    return DONE


@subroutine
def _spread(arrays: ClassArrays, here: int) -> None:
    """Put the messages in flight of a class, and those that its steps send, in flight where the steps lead."""
    step = arrays.links[here, FIRST_STEP]
    while step >= 0:
        reaction, target = arrays.rows[arrays.steps[step, ROW], REACTION], arrays.steps[step, TARGET]
        more = not arrays.links[target, BEGUN]
        if arrays.keeps[arrays.controls[target]]:
            for word in range(arrays.flying.shape[1]):
                flying = arrays.flying[target, word] | arrays.flying[here, word] | arrays.sent[reaction, word]
                if flying != arrays.flying[target, word]:
                    arrays.flying[target, word] = flying
                    more = True
        if more and not arrays.links[target, WAITS]:
            arrays.links[target, WAITS] = 1
            arrays.counts[WAITING] += 1
        step = arrays.steps[step, NEXT]
