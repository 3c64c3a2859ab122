"""Time can always pass, or something can happen: checked on the graph, for every value of the parameters.

A location may keep time from passing only by an upper bound on a clock. When that clock shows the bound,
some step must be open: one whose guard asks, of that clock or of clocks that can never show more, no more
than the same bound, and of others no more than the location itself. A model in which time stops would prove everything.
"""

from __future__ import annotations

from timewait.checker.compiled import RESET, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.vocabulary.automaton import ZERO

Order = frozenset[tuple[int, int]]
"""Pairs of clocks of a room of which the first never shows more than the second."""


def time_locks(table: CompiledAutomaton) -> list[CompiledLocation]:
    """The locations in which time might stop with nothing left to happen."""
    rooms, values = table.explore(), table.system.parameters
    orders = _orders(table, rooms)
    return [
        room
        for room, order in zip(rooms, orders, strict=True)
        if any(
            not any(_open(door, room, limit, order, values[limit.parameter] > 0) for door in room.edges) for limit in room.limits
        )
    ]


def _open(door: CompiledEdge, room: CompiledLocation, limit: CompiledBound, order: Order, positive: bool) -> bool:
    """Whether a door of a room is open when a limit, more than nought or not, is reached."""
    for test in door.tests:
        same = test.clock == limit.clock
        if test in room.limits:
            continue  # time does not pass beyond it
        if test.relation == "<=" and test.parameter == limit.parameter and (same or (test.clock, limit.clock) in order):
            continue
        if same and (test.parameter, test.relation) in ((limit.parameter, "=="), (limit.parameter, ">=")):
            continue
        if same and positive and (test.parameter, test.relation) == (ZERO, ">"):
            continue
        return False
    return True


def _orders(table: CompiledAutomaton, rooms: tuple[CompiledLocation, ...]) -> list[Order]:
    """For each room which clocks are never older than which, by a greatest fixed point along the doors."""
    asked = _asked(rooms)
    every = [
        frozenset(
            (a, b)
            for b, limit in enumerate(room.clocks)
            for a, tested in enumerate(room.clocks)
            if a != b and (tested.role, limit.role) in asked
        )
        for room in rooms
    ]
    every[table.start] &= _after(table.start_updates(), frozenset(), every[table.start])
    waiting = list(range(len(rooms)))
    while waiting:
        source = waiting.pop()
        for door in rooms[source].edges:
            kept = every[door.target] & _after(door.updates, every[source], every[door.target])
            if kept != every[door.target]:
                every[door.target] = kept
                waiting.append(door.target)
    return every


def _asked(rooms: tuple[CompiledLocation, ...]) -> set[tuple[str, str]]:
    """The roles of two clocks whose order may matter: a step bounds the one by what a location bounds the other by."""
    return {
        (room.clocks[test.clock].role, room.clocks[limit.clock].role)
        for room in rooms
        for limit in room.limits
        for door in room.edges
        for test in door.tests
        if test.relation == "<=" and test.parameter == limit.parameter
    }


def _after(updates: tuple[int, ...], before: Order, pairs: Order) -> Order:
    """The pairs that are in order after a step."""
    return frozenset(
        (a, b)
        for a, b in pairs
        if updates[a] == RESET
        or (updates[a] >= 0 and updates[b] >= 0 and (updates[a] == updates[b] or (updates[a], updates[b]) in before))
    )
