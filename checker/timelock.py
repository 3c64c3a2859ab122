"""Time can always pass, or something can happen: checked on the graph, for every value of the parameters.

A location may keep time from passing only by an upper bound on a clock. When that clock shows the bound,
some step must be open: one whose guard asks, of that clock or of clocks that can never show more, no more
than the same bound, and of others no more than the location itself. A model in which time stops would prove everything.
"""

from __future__ import annotations

from timewait.checker.compiled import RESET, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.vocabulary.automaton import ZERO

Order = frozenset[tuple[int, int]]
"""Pairs of clocks of a location of which the first never shows more than the second."""


def time_locks(automaton: CompiledAutomaton) -> list[CompiledLocation]:
    """The locations in which time might stop with nothing left to happen."""
    locations, values = automaton.explore(), automaton.system.parameters

    def may_lock(location: CompiledLocation, bound: CompiledBound, order: Order) -> bool:
        return not any(_open(edge, location, bound, order, values[bound.parameter] > 0) for edge in location.edges)

    return [
        location
        for location, order in zip(locations, _orders(automaton, locations), strict=True)
        if any(may_lock(location, bound, order) for bound in location.invariant)
    ]


def _open(edge: CompiledEdge, location: CompiledLocation, limit: CompiledBound, order: Order, positive: bool) -> bool:
    """Whether an edge of a location is open when a limit, more than nought or not, is reached."""
    for test in edge.guard:
        same = test.clock == limit.clock
        if test in location.invariant:
            continue  # time does not pass beyond it
        if test.relation == "<=" and test.parameter == limit.parameter and (same or (test.clock, limit.clock) in order):
            continue
        if same and (test.parameter, test.relation) in ((limit.parameter, "=="), (limit.parameter, ">=")):
            continue
        if same and positive and (test.parameter, test.relation) == (ZERO, ">"):
            continue
        return False
    return True


def _orders(automaton: CompiledAutomaton, locations: tuple[CompiledLocation, ...]) -> list[Order]:
    """For each location which clocks are never older than which, by a greatest fixed point along the edges."""
    asked = _asked(locations)
    every = [
        frozenset(
            (a, b)
            for b, limit in enumerate(location.clocks)
            for a, tested in enumerate(location.clocks)
            if a != b and (tested.role, limit.role) in asked
        )
        for location in locations
    ]
    every[automaton.start] &= _after(automaton.start_updates(), frozenset(), every[automaton.start])
    waiting = list(range(len(locations)))
    while waiting:
        source = waiting.pop()
        for edge in locations[source].edges:
            kept = every[edge.target] & _after(edge.updates, every[source], every[edge.target])
            if kept != every[edge.target]:
                every[edge.target] = kept
                waiting.append(edge.target)
    return every


def _asked(locations: tuple[CompiledLocation, ...]) -> set[tuple[str, str]]:
    """The roles of two clocks whose order may matter: a step bounds the one by what a location bounds the other by."""
    return {
        (location.clocks[test.clock].role, location.clocks[limit.clock].role)
        for location in locations
        for limit in location.invariant
        for edge in location.edges
        for test in edge.guard
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
