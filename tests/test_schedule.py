"""Delays for a path: earliest, exact, within every guard and invariant, or none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import pytest
from toys import Letterbox, Place, Step, Toy, World, always, fischer, hurry, letterbox, world

from timewait.checker.compiled import CompiledAutomaton, CompiledPath
from timewait.checker.finding import Move, Run
from timewait.checker.replay import replay
from timewait.checker.schedule import delays, differences
from timewait.vocabulary.automaton import Location
from timewait.vocabulary.replay import ImpossibleMove


def path_of(toy: Toy, *does: str) -> CompiledPath:
    """The path of a toy that does some things one after the other."""
    automaton = CompiledAutomaton(toy)
    path, place = [], automaton.start
    for what in does:
        location = automaton.location(place)
        (edge,) = [edge for edge in location.edges if edge.original.action.subject == what]
        path.append((location, edge))
        place = edge.target
    return path


def chain(
    *guards: Sequence[str], limits: Sequence[str] = (), values: dict[str, int | Fraction] | None = None
) -> tuple[Toy, CompiledPath]:
    """Steps in a row; clock ``a`` runs from the start, clock ``b`` from the last step."""
    places: dict[Location, Place] = {}
    for number, guard in enumerate(guards):
        places[number] = Place(("a", "b"), limits, (Step(str(number), number + 1, guard, ("a",)),))
    places[len(guards)] = Place(("a", "b"))
    toy = Toy(0, places, values or {"TWO": 2, "FIVE": 5})
    return toy, path_of(toy, *map(str, range(len(guards))))


def waits(toy: Toy, path: CompiledPath, unit: Fraction | int = 1) -> list[Fraction | int] | None:
    """The delays of a path as a list; where there are any the toy itself carries them out."""
    found = delays(path, toy.parameters, Fraction(unit))
    if found is None:
        return None
    moment = world(toy)
    for wait, (_, edge) in zip(found, path, strict=True):
        (moment,) = moment.wait(wait).act(edge.original.action)
    return list(found)


@pytest.mark.parametrize(
    ("guards", "expected"),
    [
        ([()], [0]),
        ([("a >= TWO",)], [2]),
        ([("a == TWO",)], [2]),
        ([("a > TWO",)], [3]),
        ([("a <= TWO",)], [0]),
        ([("b >= TWO",), ("b >= TWO",)], [2, 2]),
        ([("b >= TWO",), ("a >= FIVE",)], [2, 3]),
        ([(), ("b == TWO", "a == FIVE")], [3, 2]),
        ([("a <= TWO",), ("b <= TWO", "a >= FIVE")], None),
        ([("a <= TWO",), ("b <= FIVE", "a >= FIVE")], [0, 5]),
        ([("b >= TWO",), ("b >= TWO",), ("a <= TWO",)], None),
        ([("a > TWO", "a <= TWO")], None),
        ([("a >= TWO", "a <= TWO")], [2]),
        ([(), (), ("b == FIVE", "a == FIVE")], [0, 0, 5]),
    ],
)
def test_earliest(guards: list[Sequence[str]], expected: list[int] | None) -> None:
    """Strict bounds are kept with a margin of a unit where there is room for it."""
    toy, path = chain(*guards)
    assert waits(toy, path) == expected


def test_limits_of_the_location_hold_until_it_is_left() -> None:
    """An invariant is a bound on the step that leaves."""
    toy, path = chain(("b >= TWO",), ("b >= TWO",), limits=("a <= TWO",))
    assert waits(toy, path) is None
    toy, path = chain(("b >= TWO",), ("b <= TWO",), limits=("a <= TWO",))
    assert waits(toy, path) == [2, 0]


@pytest.mark.parametrize(
    ("steps", "margin"), [(1, Fraction(1)), (2, Fraction(1, 2)), (3, Fraction(1, 4)), (5, Fraction(1, 5)), (60, Fraction(1, 100))]
)
def test_the_margin_is_as_large_and_round_as_there_is_room(steps: int, margin: Fraction) -> None:
    """So many waits, each longer than nothing, within a second."""
    toy, path = chain(*[("b > 0", "a <= SECOND")] * steps, values={"SECOND": 1})
    assert waits(toy, path) == [margin] * steps


def test_no_room_at_all() -> None:
    """Strictly between two instants that are the same."""
    toy, path = chain(("b > 0", "a <= SECOND"), ("b >= SECOND", "a <= SECOND"), values={"SECOND": 1})
    assert waits(toy, path) is None


def test_a_path_without_steps() -> None:
    """Takes no time."""
    assert delays([], {}, Fraction(1)) == ()
    assert differences([]) == []


def test_a_clock_beyond_its_lifetime_bounds_nothing() -> None:
    """The age of a letter that was never posted says nothing of when the box is opened."""
    toy = letterbox(1, 2)
    assert isinstance(toy, Letterbox)
    path = path_of(toy, "close", "open anew")
    assert delays(path, toy.parameters, Fraction(1)) == (Fraction(0), Fraction(3))


@pytest.mark.parametrize("factor", [Fraction(1), Fraction(1, 3), Fraction(10**6), Fraction(1, 10**6)])
def test_scales_with_the_unit(factor: Fraction) -> None:
    """A different unit of time, the same path."""
    toy = fischer(2 * factor, factor)
    path = path_of(toy, "1 asks", "2 asks", "1 writes", "1 enters", "2 writes", "2 enters")
    assert waits(toy, path, factor) == [0, 0, 0, 2 * factor, 0, 2 * factor]


def test_the_run_of_a_path_is_a_run() -> None:
    """With the delays found, the toy itself breaks."""
    toy = hurry()
    found = delays(path_of(toy, "first", "second"), toy.parameters, Fraction(1))
    assert found is not None
    moves = [Move(wait, edge.original.action) for wait, (_, edge) in zip(found, path_of(toy, "first", "second"), strict=True)]
    assert [step.delay for step in replay(world(toy), Run(tuple(moves)), always("safe")).steps] == [Fraction(1, 2)] * 2


def possible(toy: Toy, path: CompiledPath, grid: Fraction, most: int) -> set[tuple[Fraction, ...]]:
    """Schedules on a grid that the toy carries out, as the instants of the steps: one for each situation each can lead to."""
    moments: dict[tuple[Fraction, ...], tuple[World, tuple[Fraction, ...]]] = {(): (world(toy), ())}
    for _, edge in path:
        following: dict[tuple[Fraction, ...], tuple[World, tuple[Fraction, ...]]] = {}
        for moment, times in moments.values():
            for count in range(int((most - moment.now) / grid) + 1):
                try:
                    (after,) = moment.wait(count * grid).act(edge.original.action)
                except ImpossibleMove:
                    continue
                instants = (*times, after.now)
                following[instants if grid == 1 else (after.now, *after.since.values())] = after, instants
        moments = following
    return {times for _, times in moments.values()}


@pytest.mark.parametrize("seed", range(80))
def test_against_every_schedule_on_a_grid(seed: int) -> None:
    """Random guards: a schedule is found when there is one, and where no bound is strict it is the earliest."""
    rng = random.Random(seed)
    relations = ["<=", ">=", "=="] if seed % 2 else ["<=", ">=", ">", "<="]
    guards = [
        [f"{rng.choice('ab')} {rng.choice(relations)} {rng.choice(['ONE', 'TWO', 'THREE'])}" for _ in range(rng.randint(0, 2))]
        for _ in range(3)
    ]
    limits = [f"{rng.choice('ab')} <= {rng.choice(['TWO', 'THREE'])}"] if rng.random() < 0.4 else []
    toy, path = chain(*guards, limits=limits, values={"ONE": 1, "TWO": 2, "THREE": 3})
    schedules = possible(toy, path, Fraction(1) if seed % 2 else Fraction(1, 4), 10)
    found = waits(toy, path)
    assert (found is not None) is bool(schedules)
    if found is not None and seed % 2:
        assert tuple(accumulate(found)) == tuple(min(times) for times in zip(*schedules, strict=True))
