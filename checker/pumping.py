"""Where no TIME_WAIT is long enough: runs with a loop that can be repeated until any wait is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge, CompiledPath
from timewait.checker.family import ROUNDS, BrokenSchedule, ParametricSchedule, ScheduledAction, failed_conditions
from timewait.checker.linear import Constraint, Terms, constraint_of
from timewait.vocabulary.automaton import Action

MAX_LOOP = 3
"""Edges of a loop."""


def pumpable_schedule(
    automaton: CompiledAutomaton, path: CompiledPath, name: str, terms: Mapping[str, Terms], units: tuple[str, str], wait: str
) -> tuple[ParametricSchedule, list[Constraint]] | None:
    """A schedule with a loop that outlasts every wait, and the region that it holds in; None when none was found.

    Every short loop at every location of a path is tried. One of its edges takes a unit of time, a parameter that its
    guard mentions; every other action of the run takes none. The first schedule that Z3 and cvc5 accept for all values is
    the result.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, not its quotient.
    path : sequence of (CompiledLocation, CompiledEdge)
        A run of the automaton that violates the property.
    name : str
        The property.
    terms : mapping
        Every parameter as a term in the symbolic ones.
    units : pair of str
        The parameters that may be the length of an iteration.
    wait : str
        The parameter to outlast.
    """
    for before, loop, after in _loops_along(automaton, path, wait):
        actions = [edge.original.action for edge in loop]
        for position, edge in enumerate(loop):
            for unit in {test.parameter for test in edge.guard} & set(units):
                region = _outlasted(units, unit, wait)
                schedule = ParametricSchedule(_at_once(before), _timed(actions, position, unit), _at_once(after))
                try:
                    if not failed_conditions(automaton, schedule, name, region, terms):
                        return schedule, region
                except BrokenSchedule:
                    continue
    return None


def _outlasted(units: tuple[str, str], unit: str, wait: str) -> list[Constraint]:
    """The iterations take longer than the wait, by one iteration at most."""
    one = Fraction(1)
    positive = [constraint_of({name: one}, ">") for name in units]
    longer = constraint_of({ROUNDS: one, wait: -one}, ">")
    return [*positive, longer, constraint_of({ROUNDS: -one, wait: one, unit: one}, ">=")]


def _at_once(actions: Sequence[Action]) -> tuple[ScheduledAction, ...]:
    return tuple(ScheduledAction({}, action) for action in actions)


def _timed(actions: Sequence[Action], position: int, unit: str) -> tuple[ScheduledAction, ...]:
    return tuple(
        ScheduledAction({unit: Fraction(1)} if index == position else {}, action) for index, action in enumerate(actions)
    )


def _loops_along(
    automaton: CompiledAutomaton, path: CompiledPath, wait: str
) -> Iterator[tuple[list[Action], list[CompiledEdge], list[Action]]]:
    """For each location of a path the actions before it, a loop, and the actions after it; detours of the path are left out.

    A location counts only if a guard there compares some clock with the wait, and a loop only if it does not reset that clock.
    """
    actions = [edge.original.action for _, edge in path]
    numbers = [automaton.start, *(edge.target for _, edge in path)]
    for number in dict.fromkeys(numbers[1:-1]):
        first = numbers.index(number)
        last = len(numbers) - 1 - numbers[::-1].index(number)
        waiting = {test.clock for edge in automaton.location(number).edges for test in edge.guard if test.parameter == wait}
        for loop in _paths(automaton, number, number, MAX_LOOP):
            if any(_position_after(clock, loop) == clock for clock in waiting):
                yield actions[:first], loop, actions[last:]


def _position_after(clock: int, edges: Sequence[CompiledEdge]) -> int | None:
    """The position of a clock after some edges; None when one of them resets it."""
    position: int | None = clock
    for edge in edges:
        if position is None or position not in edge.updates:
            return None
        position = edge.updates.index(position)
    return position


def _paths(automaton: CompiledAutomaton, source: int, target: int, length: int) -> Iterator[list[CompiledEdge]]:
    """The paths between two locations of a length at most, without edges that violate a property."""
    edges = [edge for edge in automaton.location(source).edges if not edge.original.violates]
    yield from ([edge] for edge in edges if edge.target == target)
    if length > 1:
        for edge in edges:
            for rest in _paths(automaton, edge.target, target, length - 1):
                yield [edge, *rest]
