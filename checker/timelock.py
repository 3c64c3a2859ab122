"""Absence of time-locks: time can always pass, or an edge can be taken. Checked on the graph, whatever the guards allow.

Only an upper bound on a clock keeps time from passing in a location. When the clock reaches the bound, some edge must be
possible: its guard bounds that clock from below by no more than that, and from above that clock, or clocks that never
exceed it, by the same bound, and other clocks only as the invariant does. A system with a time-lock could be proved anything of.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from timewait.checker import quotient_graph
from timewait.checker.compiled import RESET, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.checker.quotient_table import QuotientTable

Order = frozenset[tuple[int, int]]
"""Pairs of clocks of a location of which the first never exceeds the second."""


def may_lock(automaton: CompiledAutomaton) -> bool:
    """Whether there is a location in which time may stop while no edge is possible; by compiled functions where possible."""
    if isinstance(automaton, QuotientTable):
        narrow = quotient_graph.is_narrow(automaton)
        found = quotient_graph.may_lock(automaton, ordered=narrow)
        if narrow or not found:
            return found
    return bool(time_locks(automaton))


def time_locks(automaton: CompiledAutomaton) -> list[CompiledLocation]:
    """The locations in which time may stop while no edge is possible."""
    locations, values = automaton.explore(), automaton.system.parameters

    def may_lock(location: CompiledLocation, bound: CompiledBound, order: Order) -> bool:
        return not any(_open(edge, location, bound, order, values) for edge in location.edges)

    return [
        location
        for location, order in zip(locations, _orders(automaton, locations), strict=True)
        if any(may_lock(location, bound, order) for bound in location.invariant)
    ]


def _open(
    edge: CompiledEdge, location: CompiledLocation, limit: CompiledBound, order: Order, values: Mapping[str, Fraction]
) -> bool:
    """Whether an edge of a location is possible when a clock reaches a bound."""
    for test in edge.guard:
        same = test.clock == limit.clock
        if test in location.invariant:
            continue  # time does not pass beyond it
        if test.relation == "<=" and test.parameter == limit.parameter and (same or (test.clock, limit.clock) in order):
            continue
        if same and (test.parameter, test.relation) == (limit.parameter, "=="):
            continue
        if same and test.relation == ">=" and values[test.parameter] <= values[limit.parameter]:
            continue
        if same and test.relation == ">" and values[test.parameter] < values[limit.parameter]:
            continue
        return False
    return True


def _orders(automaton: CompiledAutomaton, locations: tuple[CompiledLocation, ...]) -> list[Order]:
    """For each location the order of its clocks: a greatest fixed point along the edges."""
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
    """The roles of clocks whose order may matter: an edge bounds one by the parameter by which a location bounds the other."""
    return {
        (location.clocks[test.clock].role, location.clocks[limit.clock].role)
        for location in locations
        for limit in location.invariant
        for edge in location.edges
        for test in edge.guard
        if test.relation == "<=" and test.parameter == limit.parameter
    }


def _after(updates: tuple[int, ...], before: Order, pairs: Order) -> Order:
    """The pairs that are in order after an edge."""
    return frozenset(
        (a, b)
        for a, b in pairs
        if updates[a] == RESET
        or (updates[a] >= 0 and updates[b] >= 0 and (updates[a] == updates[b] or (updates[a], updates[b]) in before))
    )
