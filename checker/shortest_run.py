"""The run that shows a violation in ticks: the least of the shortest ones, however the states were explored.

Locations, messages and states are numbered as an exploration meets them, and several shortest runs may lead to a violation.
So a choice between them compares what the numbers stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from timewait.checker import tick_kernels as kernels
from timewait.checker.finding import Move, Run
from timewait.checker.location_kernels import DONE, Arrays
from timewait.checker.locations import Locations
from timewait.checker.tick_kernels import NO_STEP, TICK
from timewait.checker.tick_layout_kernels import TOO_WIDE, WIDTH, Ticks, prepare

StateKey = tuple[str, tuple[int, ...]]
"""A location in words, and the values of its clocks; equal for equal states, whatever their numbers."""


class StateStep(NamedTuple):
    """A state, and a step out of it.

    Attributes
    ----------
    key : StateKey
        What the state stands for.
    words : tuple of int
        The state, packed.
    step : int
        An edge, or `TICK`.
    """

    key: StateKey
    words: tuple[int, ...]
    step: int


def in_order(value: object) -> str:
    """A value in words that depend on no order of a set."""
    if isinstance(value, frozenset):
        return "{" + ",".join(sorted(map(in_order, value))) + "}"
    if isinstance(value, tuple):
        return "(" + ",".join(map(in_order, value)) + ")"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({','.join(in_order(getattr(value, field.name)) for field in fields(value))})"
    return repr(value)


def location_in_order(locations: Locations, number: int) -> str:
    """A location in words; merged messages have no order of their own."""
    flying = [in_order(entry) for entry in locations.in_flight(number)]
    flying = sorted(flying) if locations.table.rules.merged else flying
    return in_order((locations.table.controls[locations.control(number)], tuple(flying)))


def clocks_in_order(locations: Locations, number: int) -> list[int]:
    """The clocks of a location in an order that does not depend on the numbers of messages."""
    own, clocks = int(locations.arrays.controls[locations.control(number), 0]), locations.clocks(number)
    if not locations.table.rules.merged:
        return [*range(len(clocks))]
    return [*range(own), *sorted(range(own, len(clocks)), key=lambda clock: str(clocks[clock]))]


def clock_values(locations: Locations, ticks: Ticks, location: int, states: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The clocks of states of one location, in order, of shape (n, clocks)."""
    begin = int(locations.arrays.place[location, 5])
    values = np.zeros((len(states), int(locations.arrays.place[location, 6])), dtype=np.int64)
    for column, clock in enumerate(clocks_in_order(locations, location)):
        shift, bits = int(ticks.shifts[begin + clock]), int(ticks.bits[locations.arrays.roles[begin + clock]])
        values[:, column] = (states[:, shift >> 6] >> np.uint64(shift & 63)) & np.uint64((1 << bits) - 1)
    return values


def state_key(locations: Locations, ticks: Ticks, state: NDArray[np.uint64]) -> StateKey:
    """The key of a state, of shape (words,), whose location is laid out."""
    location = int(state[0]) & ((1 << int(ticks.counts[WIDTH])) - 1)
    values = clock_values(locations, ticks, location, state[np.newaxis])[0]
    return location_in_order(locations, location), tuple(map(int, values))


def possible(arrays: Arrays, ticks: Ticks, edge: int, states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """In which states of its location an edge is possible."""
    first, count = map(int, arrays.edges[edge, 3:5])
    passed = np.ones(len(states), dtype=np.bool_)
    for word, shift, mask, least, span in ticks.tests[first : first + count]:
        passed &= ((states[:, int(word)] >> shift) & mask) - least <= span
    return passed


def after(arrays: Arrays, ticks: Ticks, edge: int, state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The state, of shape (words,), after an edge."""
    target = np.zeros(len(state), dtype=np.uint64)
    target[0] = arrays.edges[edge, 0]
    first, count = map(int, ticks.programs[edge])
    for source, mask, word, shift in ticks.moves[first : first + count].tolist():
        part = int(state[source]) & (mask & ((1 << 64) - 1))
        target[word] |= np.uint64((part << shift if shift >= 0 else part >> -shift) & ((1 << 64) - 1))
    return target


def least_edge(locations: Locations, edges: Sequence[int]) -> int:
    """The edge with the least action in words."""
    return min(edges, key=lambda edge: in_order(locations.rows[int(locations.arrays.edges[edge, 1])].edge.action))


class TickStates(Protocol):
    """An exploration that supplies what a compiled function lacks."""

    @property
    def locations(self) -> Locations:
        """The locations."""

    def described(self) -> Ticks:
        """Its arrays, as they are now."""

    def supply(self, status: int) -> None:
        """Supply what was lacking when a function ended."""


def least_parent(explored: TickStates, begin: int, end: int, wanted: NDArray[np.uint64]) -> StateStep | None:
    """The least state of a range, all visited, from which a step leads to a state, of shape (words,), and its least such step."""
    locations, column, found, state = explored.locations, wanted[:, np.newaxis].copy(), [], begin
    while state < end:
        ticks = explored.described()
        status, state, step = kernels.step_to(locations.arrays, ticks, state, end, column, locations.scratch)
        if status != DONE:
            assert status != TOO_WIDE, "every successor of a visited state was stored as it is"
            explored.supply(status)
            continue
        if step != NO_STEP:
            found.append((state_key(locations, ticks, ticks.states[state]), state, step))
        state += 1
    if not found:
        return None
    ticks = explored.described()
    key, state, step = min(found)
    words = ticks.states[state]
    edges = [
        edge
        for edge in _edges(locations, int(words[0]) & ((1 << int(ticks.counts[WIDTH])) - 1))
        if possible(locations.arrays, ticks, edge, words[np.newaxis])[0]
        and np.array_equal(after(locations.arrays, ticks, edge, words), wanted)
    ]
    return StateStep(key, tuple(map(int, words)), least_edge(locations, edges) if edges else step)


def _edges(locations: Locations, location: int) -> range:
    begin = int(locations.arrays.place[location, 3])
    return range(begin, begin + max(int(locations.arrays.place[location, 4]), 0))


def least_violation(locations: Locations, ticks: Ticks, begin: int, end: int, name: str) -> StateStep | None:
    """The least state of a range in which an edge that violates a property is possible, and the least such edge.

    Locations whose edges do not fit into the arrays as they are, which is so for none that was visited, are left out.
    """
    located = (ticks.states[begin:end, 0] & np.uint64((1 << int(ticks.counts[WIDTH])) - 1)).astype(np.int64)
    numbers = np.flatnonzero(np.bincount(located)) if end > begin else np.zeros(0, dtype=np.int64)
    violating: dict[int, list[int]] = {}
    for location in map(int, numbers):
        if prepare(locations.arrays, ticks, location, locations.scratch) == DONE:
            rows = locations.arrays.edges[:, 1]
            edges = [edge for edge in _edges(locations, location) if name in locations.rows[int(rows[edge])].edge.violates]
            if edges:
                violating[location] = edges
    for location in sorted(violating, key=lambda number: location_in_order(locations, number)):
        edges = violating[location]
        states = ticks.states[begin:end][located == location]
        passed = {edge: possible(locations.arrays, ticks, edge, states) for edge in edges}
        some = np.logical_or.reduce([*passed.values(), np.zeros(len(states), dtype=np.bool_)])
        if some.any():
            least = _least(clock_values(locations, ticks, location, states), some)
            words = states[least]
            edge = least_edge(locations, [edge for edge in edges if passed[edge][least]])
            return StateStep(state_key(locations, ticks, words), tuple(map(int, words)), edge)
    return None


def _least(values: NDArray[np.int64], chosen: NDArray[np.bool_]) -> int:
    """The number of the least of some rows."""
    rows = np.flatnonzero(chosen)
    for column in values.T:
        rows = rows[column[rows] == column[rows].min()]
    return int(rows[0])


def run_along(locations: Locations, steps: Sequence[int], unit: Fraction) -> Run:
    """The run that takes some steps, edges and ticks of a length."""
    return Run(tuple(_moves(locations, steps, unit)))


def _moves(locations: Locations, steps: Sequence[int], unit: Fraction) -> Iterator[Move]:
    delay = Fraction(0)
    for step in steps:
        if step == TICK:
            delay += unit
        else:
            row = locations.rows[int(locations.arrays.edges[step, 1])]
            yield Move(delay, row.edge.action)
            delay = Fraction(0)
    if delay:
        yield Move(delay, None)
