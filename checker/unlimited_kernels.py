"""Liveness by the graph of a network without limits, compiled: the conditions that `timewait.checker.unlimited` states.

The components are those of `timewait.checker.graph_kernels`; what cannot recur in one is found by the conditions for a system
whose messages may arrive any number of times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.class_kernels import MESSAGE, ROW, TARGET
from timewait.checker.graph_kernels import (
    AT_MOST,
    EQUAL,
    MORE,
    BoundArrays,
    Marks,
    Part,
    begin_parts,
    find_components,
    no_stricter,
    note,
    row_tested,
    unserved,
)
from timewait.checker.jit import kernel, subroutine
from timewait.checker.quotient_kernels import EDGES, FIRST_EDGE, FIRST_LIMIT, FIRST_ROW, LIMITS, QuotientArrays


class MessageMarks(NamedTuple):
    """What edges say of messages.

    Attributes
    ----------
    arrivals : (messages,) int32
        The number of the fairness name of the arrival of a message; -1 where no edge has it.
    sent_of : (reactions + 1,) int32
        The begin of the messages of each reaction in `sent`.
    sent : (n,) int32
        The messages that the edges of a reaction send with the fairness name for that.
    offering : (messages,) int32
        Room: how many locations of a component have the arrival of a message.
    last : (messages,) int32
        Room: the last location that was counted there.
    """

    arrivals: NDArray[np.int32]
    sent_of: NDArray[np.int32]
    sent: NDArray[np.int32]
    offering: NDArray[np.int32]
    last: NDArray[np.int32]


@kernel
def may_stay_unlimited(quotient: QuotientArrays, bounds: BoundArrays, marks: Marks, messages: MessageMarks, state: Part) -> bool:
    """Whether, by the graph alone, a fair run of the system may keep a property pending for ever."""
    open_parts, last = begin_parts(quotient, marks, state), 0
    while open_parts:
        open_parts -= 1
        begin, end = state.parts[open_parts, 0], state.parts[open_parts, 1]
        last += 1
        for position in range(begin, end):
            state.part[state.order[position]] = last
        count = find_components(quotient, state, begin, end, last)
        last += count
        for component in range(count):
            first, after, number = state.components[component]
            left = _left(quotient, bounds, marks, messages, state, first, after, number)
            if left < 0:
                return True
            if left:
                state.parts[open_parts, 0], state.parts[open_parts, 1] = first, first + left
                open_parts += 1
    return False


@subroutine
def _left(
    quotient: QuotientArrays,
    bounds: BoundArrays,
    marks: Marks,
    messages: MessageMarks,
    state: Part,
    first: int,
    after: int,
    number: int,
) -> int:
    """Exclude what cannot recur in a component; the locations left, put first in the order, or -1 if nothing is excluded."""
    if not note(quotient, marks, state, first, after, number) and marks.by_events:
        return 0
    _await(quotient, marks, messages, state, first, after, number)
    order, excluded, place = state.order, False, first
    for position in range(first, after):
        location = order[position]
        if _leaves(quotient, bounds, marks, state, location, number):
            excluded = True
            state.part[location] = -1
        else:
            order[place] = location
            place += 1
    for position in range(first, place):
        location = order[position]
        begin = quotient.locations[location, FIRST_EDGE]
        for edge in range(begin, begin + quotient.locations[location, EDGES]):
            inside = state.part[quotient.edges[edge, TARGET]] == number and not state.dropped[edge]
            if inside and _ceases(quotient, bounds, marks, messages, state, location, edge, number, after - first):
                state.dropped[edge] = True
                excluded = True
    return place - first if excluded else -1


@subroutine
def _await(
    quotient: QuotientArrays, marks: Marks, messages: MessageMarks, state: Part, first: int, after: int, number: int
) -> None:
    """Count the locations of a component that have the arrival of each message; -1 where an edge of the component is one."""
    offering, last = messages.offering, messages.last
    for message in range(len(offering)):
        offering[message], last[message] = 0, -1
    for position in range(first, after):
        location = state.order[position]
        begin = quotient.locations[location, FIRST_EDGE]
        for edge in range(begin, begin + quotient.locations[location, EDGES]):
            message = quotient.edges[edge, MESSAGE]
            if message < 0 or offering[message] < 0:
                continue
            if state.part[quotient.edges[edge, TARGET]] == number and not state.dropped[edge]:
                offering[message] = -1
            elif last[message] != location and _arrives(quotient, marks, messages, edge):
                last[message] = location
                offering[message] += 1


@subroutine
def _arrives(quotient: QuotientArrays, marks: Marks, messages: MessageMarks, edge: int) -> bool:
    """Whether an arrival has the fairness name for that."""
    reaction, name = marks.reaction_of[quotient.edges[edge, ROW]], messages.arrivals[quotient.edges[edge, MESSAGE]]
    for entry in range(marks.fair_of[reaction], marks.fair_of[reaction + 1]):  # noqa: SIM110 - numba compiles loops, not generators
        if marks.fair[entry] == name:
            return True
    return False


@subroutine
def _leaves(quotient: QuotientArrays, bounds: BoundArrays, marks: Marks, state: Part, location: int, number: int) -> bool:
    """Whether a location cannot recur: a bound is passed, or an edge that is no arrival is due and never taken."""
    rows, limits = quotient.locations[location, FIRST_ROW], quotient.locations[location, FIRST_LIMIT]
    for limit in range(limits, limits + quotient.locations[location, LIMITS]):
        if state.started[quotient.clocks[rows + quotient.limits[limit, 0]]] != number:
            return True
    begin = quotient.locations[location, FIRST_EDGE]
    for edge in range(begin, begin + quotient.locations[location, EDGES]):
        if quotient.edges[edge, MESSAGE] < 0 and unserved(quotient, marks, state, edge, number):
            late, row = True, quotient.edges[edge, ROW]
            for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
                grows = state.started[quotient.clocks[rows + row_tested(quotient, edge, part)]] != number
                late &= grows and bounds.relations[quotient.guards[part, 1]] == MORE
            if late:
                return True
    return False


@subroutine
def _ceases(
    quotient: QuotientArrays,
    bounds: BoundArrays,
    marks: Marks,
    messages: MessageMarks,
    state: Part,
    location: int,
    edge: int,
    number: int,
    size: int,
) -> bool:
    """Whether an edge cannot recur: a bound is passed, what it sends arrives, or it stands beside one that is never taken."""
    rows, row, message = quotient.locations[location, FIRST_ROW], quotient.edges[edge, ROW], quotient.edges[edge, MESSAGE]
    for part in range(quotient.guards_of[row], quotient.guards_of[row + 1]):
        relation = bounds.relations[quotient.guards[part, 1]]
        grows = state.started[quotient.clocks[rows + row_tested(quotient, edge, part)]] != number
        if grows and (relation in (AT_MOST, EQUAL)):
            return True
    reaction = marks.reaction_of[row]
    for entry in range(messages.sent_of[reaction], messages.sent_of[reaction + 1]):
        if messages.offering[messages.sent[entry]] == size:
            return True
    begin = quotient.locations[location, FIRST_EDGE]
    for other in range(begin, begin + quotient.locations[location, EDGES]):
        arrives = quotient.edges[other, MESSAGE]
        beside = arrives < 0 or arrives == message
        if beside and unserved(quotient, marks, state, other, number) and no_stricter(quotient, other, edge):
            return True
    return False
