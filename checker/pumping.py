"""When no wait is long enough: runs with a part that may be repeated for as long as the wait lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge, CompiledLocation
from timewait.checker.family import ROUNDS, BrokenSchedule, ParametricSchedule, ScheduledAction, failed_conditions
from timewait.checker.linear import Constraint, Terms, constraint_of

Path = Sequence[tuple[CompiledLocation, CompiledEdge]]

MAX_LOOP = 3
"""Steps of a part that is repeated."""


def pumpable_schedule(
    automaton: CompiledAutomaton, path: Path, asked: str, terms: Mapping[str, Terms], units: tuple[str, str], wait: str
) -> tuple[ParametricSchedule, list[Constraint]] | None:
    """A family of runs that outlasts every wait, and its region; None when none was found.

    At each location of a path every short way round is tried as the part to be repeated, one of its steps taking a unit
    of time (one that it is compared with) and every other step of the run none; the first that Z3 and cvc5 accept for
    all values is it.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, not folded.
    path : sequence of (CompiledLocation, CompiledEdge)
        A run of the automaton that breaks the property.
    asked : str
        The property.
    terms : mapping
        Every parameter as a term in the symbolic ones.
    units : pair of str
        The parameters that may be the length of a round.
    wait : str
        The parameter that is to be outlasted.
    """
    for before, block, after in _detours(automaton, path, wait):
        names = [str(edge.original.action) for edge in block]
        for position, edge in enumerate(block):
            for unit in {test.parameter for test in edge.guard} & set(units):
                region = _outlasted(units, unit, wait)
                script = ParametricSchedule(_at_once(before), _timed(names, position, unit), _at_once(after))
                try:
                    if not failed_conditions(automaton, script, asked, region, terms):
                        return script, region
                except BrokenSchedule:
                    continue
    return None


def _outlasted(units: tuple[str, str], unit: str, wait: str) -> list[Constraint]:
    """The rounds take longer than the wait, by a round at most."""
    one = Fraction(1)
    positive = [constraint_of({name: one}, ">") for name in units]
    longer = constraint_of({ROUNDS: one, wait: -one}, ">")
    return [*positive, longer, constraint_of({ROUNDS: -one, wait: one, unit: one}, ">=")]


def _at_once(actions: Sequence[str]) -> tuple[ScheduledAction, ...]:
    return tuple(ScheduledAction({}, action) for action in actions)


def _timed(actions: Sequence[str], position: int, unit: str) -> tuple[ScheduledAction, ...]:
    return tuple(
        ScheduledAction({unit: Fraction(1)} if index == position else {}, action) for index, action in enumerate(actions)
    )


def _detours(automaton: CompiledAutomaton, path: Path, wait: str) -> Iterator[tuple[list[str], list[CompiledEdge], list[str]]]:
    """For each location of a path the steps to it, a way round, and the steps on from it; what leads back to it is left out.

    Only where the wait is under way: some clock is compared with it, and the way round leaves that clock alone.
    """
    actions = [str(edge.original.action) for _, edge in path]
    places = [automaton.start, *(edge.target for _, edge in path)]
    for place in dict.fromkeys(places[1:-1]):
        first = places.index(place)
        last = len(places) - 1 - places[::-1].index(place)
        waiting = {test.clock for edge in automaton.location(place).edges for test in edge.guard if test.parameter == wait}
        for block in _rounds(automaton, place, place, MAX_LOOP):
            if any(_carried(clock, block) == clock for clock in waiting):
                yield actions[:first], block, actions[last:]


def _carried(clock: int, block: Sequence[CompiledEdge]) -> int | None:
    """Where a clock stands after some edges; None when it was started again."""
    position: int | None = clock
    for edge in block:
        if position is None or position not in edge.updates:
            return None
        position = edge.updates.index(position)
    return position


def _rounds(automaton: CompiledAutomaton, place: int, home: int, steps: int) -> Iterator[list[CompiledEdge]]:
    """The ways from one location to another of so many steps at most."""
    edges = [edge for edge in automaton.location(place).edges if not edge.original.violates]
    yield from ([edge] for edge in edges if edge.target == home)
    if steps > 1:
        for edge in edges:
            for rest in _rounds(automaton, edge.target, home, steps - 1):
                yield [edge, *rest]
