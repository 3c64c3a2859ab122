"""Difference-bound matrices against brute force: all simple paths, and membership of every point of a grid.

With two clocks and whole constants, the thirds of a unit meet every region, and the sixths every region that lies
between two of those; so on grids of that kind "for some point" and "for every point" are exact.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from plain_zones import PlainZones, uncovered
from toys import Place, Step, Toy, counter, courier, fischer, hurry, lamp, letterbox, window

from timewait.checker import dbm
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.dbm import AT_MOST_ZERO, INFINITE, Zone, at_most, below
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Location, TimedAutomaton

Points = NDArray[np.int64]
Bound = tuple[float, bool]
"""A bound: a number, and whether it is itself included."""

SCALE = 6
"""Points are given in sixths of a unit."""

SEEDS = range(60)


# --- an independent reading of the matrices ------------------------------------------------------------------------


def meaning(entry: int) -> Bound:
    """What an entry says."""
    return (float("inf"), False) if entry >= INFINITE else (entry // 2, entry % 2 == 1)


def follow(path: Sequence[int], zone: Zone) -> Bound:
    """The bound that a path implies: the sum, strict as soon as one part is."""
    parts = [meaning(int(zone[here, there])) for here, there in pairwise(path)]
    return sum(number for number, _ in parts), all(included for _, included in parts)


def tightest(zone: Zone, row: int, column: int) -> Bound:
    """The least bound over all simple paths, each enumerated."""
    others = [index for index in range(len(zone)) if index not in (row, column)]
    paths = [(row, *way, column) for length in range(len(others) + 1) for way in permutations(others, length)]
    return min((follow(path, zone) for path in paths), key=ordered)


def ordered(bound: Bound) -> Bound:
    """A key by which ``< 3`` comes before ``<= 3``, and no bound is like any other."""
    return (float("inf"), False) if bound[0] == float("inf") else bound


def contradictory(zone: Zone) -> bool:
    """Whether some simple cycle is negative, or zero and strict."""
    size = len(zone)
    cycles = [(way[0], *way[1:], way[0]) for length in range(2, size + 1) for way in permutations(range(size), length)]
    return any(follow(cycle, zone) < (0, True) for cycle in cycles)


def inside(points: Points, zone: Zone) -> NDArray[np.bool_]:
    """Which points lie in a zone."""
    padded = np.concatenate([np.zeros((len(points), 1), dtype=np.int64), points], axis=1)
    result = np.ones(len(points), dtype=np.bool_)
    for row in range(len(zone)):
        for column in range(len(zone)):
            if row != column and zone[row, column] < INFINITE:
                number, included = meaning(int(zone[row, column]))
                gap = padded[:, row] - padded[:, column]
                result &= gap <= number * SCALE if included else gap < number * SCALE
    return result


def grid(step: int, most: int, clocks: int = 2) -> Points:
    """Every point whose coordinates are multiples of `step` sixths up to `most` units."""
    axis = np.arange(0, most * SCALE + 1, step)
    return np.stack(np.meshgrid(*[axis] * clocks, indexing="ij"), axis=-1).reshape(-1, clocks)


THIRDS, SIXTHS = grid(2, 7), grid(1, 12)


def random_matrix(rng: random.Random, size: int, sparse: float = 0.5) -> Zone:
    """Any matrix with ``<= 0`` on its diagonal."""
    matrix = np.full((size, size), INFINITE, dtype=np.int64)
    for row in range(size):
        for column in range(size):
            if row == column:
                matrix[row, column] = AT_MOST_ZERO
            elif rng.random() > sparse:
                matrix[row, column] = 2 * rng.randint(-4, 7) + rng.randint(0, 1)
    return matrix


def random_zone(rng: random.Random, size: int = 3, most: int = 4) -> Zone:
    """A canonical zone of clocks that are not negative, and not empty."""
    while True:
        matrix = random_matrix(rng, size, 0.4)
        matrix[matrix < INFINITE] = np.clip(matrix[matrix < INFINITE], -2 * most, 2 * most + 1)
        matrix[0, 1:] = np.minimum(matrix[0, 1:], AT_MOST_ZERO)
        if not contradictory(matrix):
            return dbm.close(matrix)


def canonical(zone: Zone) -> bool:
    """Whether no entry can be tightened."""
    return bool((dbm.close(zone.copy()) == zone).all())


# --- bounds --------------------------------------------------------------------------------------------------------


def test_bounds_are_ordered_and_mean_what_they_say() -> None:
    """A strict bound comes before the same one with equality."""
    bounds = [below(-1), at_most(-1), below(0), at_most(0), below(1), at_most(1)]
    assert bounds == sorted(bounds) == [-2, -1, 0, 1, 2, 3]
    assert [meaning(bound) for bound in bounds] == [(-1, False), (-1, True), (0, False), (0, True), (1, False), (1, True)]
    assert at_most(0) == AT_MOST_ZERO


class TestClose:
    """All shortest paths."""

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
    def test_against_all_simple_paths(self, size: int) -> None:
        rng = random.Random(size)
        consistent = 0
        for _ in range(60):
            matrix = random_matrix(rng, size, 0.6)
            closed = dbm.close(matrix.copy())
            empty = any(closed[index, index] < AT_MOST_ZERO for index in range(size))
            assert empty is contradictory(matrix)
            if not empty:
                consistent += 1
                for row, column in permutations(range(size), 2):
                    assert meaning(int(closed[row, column])) == tightest(matrix, row, column)
        assert consistent >= 5

    def test_changes_no_point(self) -> None:
        for seed in SEEDS:
            matrix = random_matrix(random.Random(seed), 3)
            assert (inside(SIXTHS, matrix) == inside(SIXTHS, dbm.close(matrix.copy()))).all()

    def test_strictness_adds_up(self) -> None:
        """From x < 3 and y - x <= 1 follows y < 4, not y <= 4."""
        zone = np.array([[1, 1, 1], [below(3), 1, INFINITE], [INFINITE, at_most(1), 1]], dtype=np.int64)
        assert dbm.close(zone)[2, 0] == below(4)

    def test_no_bound_stays_no_bound(self) -> None:
        zone = np.array([[1, at_most(-3)], [INFINITE, 1]], dtype=np.int64)
        assert dbm.close(zone)[1, 0] == INFINITE


class TestTighten:
    """One more bound."""

    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_is_the_minimum_closed_again(self, size: int) -> None:
        rng = random.Random(size)
        outcomes = {True: 0, False: 0}
        for _ in range(150):
            zone = random_zone(rng, size)
            row, column = rng.sample(range(size), 2)
            bound = 2 * rng.randint(-5, 5) + rng.randint(0, 1)
            expected = zone.copy()
            expected[row, column] = min(expected[row, column], bound)
            empty = contradictory(expected)
            possible = dbm.tighten(zone, row, column, bound)
            assert possible is not empty
            outcomes[possible] += 1
            if possible:
                assert (zone == dbm.close(expected)).all()
        assert min(outcomes.values()) >= 10

    def test_narrowed_keeps_the_points_that_meet_the_bounds(self) -> None:
        empty = 0
        for seed in SEEDS:
            rng = random.Random(seed)
            zone = random_zone(rng)
            before = zone.copy()
            bounds = np.array(
                [(*rng.sample(range(3), 2), 2 * rng.randint(-4, 4) + rng.randint(0, 1)) for _ in range(rng.randint(0, 3))],
                dtype=np.int64,
            ).reshape(-1, 3)
            possible, narrowed = dbm.narrowed(zone, bounds)
            assert (zone == before).all()
            meets = inside(THIRDS, zone)
            for row, column, bound in bounds:
                alone = np.full((3, 3), INFINITE, dtype=np.int64)
                alone[row, column] = bound
                meets &= inside(THIRDS, alone)
            empty += not possible
            if possible:
                assert canonical(narrowed)
                assert (inside(THIRDS, narrowed) == meets).all()
            else:
                assert not meets.any()
        assert 5 <= empty <= len(SEEDS) - 5


class TestCarry:
    """A step: clocks keep their values, are reset, are dropped, or become inactive."""

    @pytest.mark.parametrize("seed", SEEDS)
    def test_membership(self, seed: int) -> None:
        rng = random.Random(seed)
        zone = random_zone(rng)
        updates = [rng.choice(["reset", "inactive", 1, 2]) for _ in range(2)]
        sources = np.array([0, *(origin if isinstance(origin, int) else 0 for origin in updates)], dtype=np.int64)
        limits = [rng.randint(0, 3) for _ in updates]
        lifetimes = np.array(
            [-1, *(limit if update == "inactive" else -1 for update, limit in zip(updates, limits, strict=True))], dtype=np.int64
        )
        carried = dbm.carry(zone, sources, lifetimes)
        assert canonical(carried)
        possible = SIXTHS[inside(SIXTHS, zone)]
        for after in THIRDS:
            met = np.ones(len(possible), dtype=np.bool_)
            for value, origin, limit in zip(after, updates, limits, strict=True):
                match origin:
                    case "reset":
                        met &= bool(value == 0)
                    case "inactive":
                        met &= bool(value > limit * SCALE)
                    case int():
                        met &= possible[:, origin - 1] == value
            assert inside(after[None], carried)[0] == met.any()

    def test_clocks_may_be_dropped_and_added(self) -> None:
        zone = random_zone(random.Random(1))
        assert dbm.carry(zone, np.array([0]), np.array([-1])).tolist() == [[AT_MOST_ZERO]]
        grown = dbm.carry(zone, np.array([0, 1, 2, 0, 2]), np.array([-1, -1, -1, -1, -1]))
        assert (grown[:3, :3] == zone).all()
        assert grown[3, 0] == grown[0, 3] == grown[2, 4] == grown[4, 2] == AT_MOST_ZERO
        assert canonical(grown)


WIDE = np.array([0, 40, 40], dtype=np.int64)
"""Constants so large that nothing is forgotten."""


class TestElapse:
    """Time passes under upper bounds."""

    @pytest.mark.parametrize("seed", SEEDS)
    def test_membership(self, seed: int) -> None:
        zone, limits = self.entered(random.Random(seed))
        bounds = np.array(limits, dtype=np.int64).reshape(-1, 3)
        before = zone.copy()
        after = dbm.settled(zone, bounds, WIDE, WIDE)
        assert canonical(after)
        allowed = np.full((3, 3), INFINITE, dtype=np.int64)
        for row, column, bound in limits:
            allowed[row, column] = bound
        delays = np.arange(0, 8 * SCALE)
        for point in THIRDS:
            earlier = point[None] - delays[:, None]
            came_from = inside(earlier, before) & (earlier >= 0).all(axis=1)
            assert inside(point[None], after)[0] == (came_from.any() and inside(point[None], allowed)[0])

    @staticmethod
    def entered(rng: random.Random) -> tuple[Zone, list[tuple[int, int, int]]]:
        """A zone and limits that some point of it meets."""
        while True:
            zone = random_zone(rng)
            limits = [(1 + index, 0, at_most(rng.randint(0, 5))) for index in range(rng.randint(0, 2))]
            entry = zone.copy()
            if all(dbm.tighten(entry, *limit) for limit in limits):
                return zone, limits

    def test_differences_stay(self) -> None:
        zone = random_zone(random.Random(7))
        after = dbm.settled(zone.copy(), np.zeros((0, 3), dtype=np.int64), WIDE, WIDE)
        assert (after[1:, 1:] == zone[1:, 1:]).all()
        assert (after[0] == zone[0]).all()
        assert (after[1:, 0] == INFINITE).all()


class TestExtrapolate:
    """What no guard can tell apart is forgotten, and nothing else."""

    @staticmethod
    def constants(rng: random.Random) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        lower, upper = (np.array([0, rng.randint(-1, 3), rng.randint(-1, 3)], dtype=np.int64) for _ in range(2))
        return lower, upper

    def test_only_widens(self) -> None:
        widened = 0
        for seed in range(300):
            rng = random.Random(seed)
            zone = random_zone(rng)
            after = dbm.extrapolate(zone.copy(), *self.constants(rng))
            assert (after >= zone).all()
            assert canonical(after)
            assert (after.diagonal() == AT_MOST_ZERO).all()
            assert (after[0] <= AT_MOST_ZERO).all()
            widened += bool((after > zone).any())
        assert 100 <= widened < 300

    def test_what_is_added_can_do_no_more(self) -> None:
        """Every new point is simulated by an old one: where it is less it is above L, where it is more the new one is above U."""
        added = 0
        for seed in range(25):
            rng = random.Random(seed)
            zone = random_zone(rng)
            lower, upper = self.constants(rng)
            after = dbm.extrapolate(zone.copy(), lower, upper)
            old = SIXTHS[inside(SIXTHS, zone)]
            low, high = lower[1:] * SCALE, upper[1:] * SCALE
            for point in THIRDS[inside(THIRDS, after) & ~inside(THIRDS, zone)]:
                simulates = ((old >= point) | (old > low)) & ((old <= point) | (point > high))
                assert simulates.all(axis=1).any(), (seed, point)
                added += 1
        assert added > 1000

    def test_nothing_to_compare_with_means_nothing_to_remember(self) -> None:
        zone = random_zone(random.Random(3))
        never = np.array([0, -1, -1], dtype=np.int64)
        after = dbm.extrapolate(zone, never, never)
        assert after.tolist() == [[1, 1, 1], [INFINITE, 1, INFINITE], [INFINITE, INFINITE, 1]]

    def test_large_constants_change_nothing(self) -> None:
        for seed in SEEDS:
            zone = random_zone(random.Random(seed))
            assert (dbm.extrapolate(zone.copy(), WIDE, WIDE) == zone).all()

    def test_at_the_very_constant(self) -> None:
        """With L = U = 2, ``x == 2`` is remembered, ``x == 3`` is no more than ``x > 2``."""
        two = np.array([0, 2], dtype=np.int64)
        exact = np.array([[1, at_most(-2)], [at_most(2), 1]], dtype=np.int64)
        assert dbm.extrapolate(exact.copy(), two, two).tolist() == exact.tolist()
        beyond = np.array([[1, at_most(-3)], [at_most(3), 1]], dtype=np.int64)
        assert dbm.extrapolate(beyond, two, two).tolist() == [[1, below(-2)], [INFINITE, 1]]

    @pytest.mark.parametrize(
        "toy",
        [
            lamp(3),
            counter(4),
            hurry(),
            fischer(1, 1),
            fischer(2, 1),
            fischer(3, 3, ">="),
            courier(False, True),
            window(">", 2, 2),
            window(">=", 2, 2),
        ],
        ids=range(9),
    )
    @pytest.mark.parametrize("tall", [5, 12])
    def test_a_wide_constant_changes_no_answer(self, toy: Toy, tall: int) -> None:
        """A guard that is never met, with a large constant, makes zones finer: as many answers, perhaps more zones."""
        plain, finer = explored(toy), explored(with_attic(toy, tall))
        assert (finer.broken.keys(), finer.witnessed.keys()) == (plain.broken.keys(), plain.witnessed.keys())
        assert {finer.automaton.location(place).original for place in finer.cover()} == {
            plain.automaton.location(place).original for place in plain.cover()
        }
        assert len(finer) >= len(plain)

    @pytest.mark.parametrize("tall", [1, 5, 12])
    def test_a_wide_constant_makes_zones_finer(self, tall: int) -> None:
        """Or else the tests before would show nothing: seconds that nobody counts are alike, until somebody does.

        Then there is a zone for each number of seconds from 0 to TALL, and one for all that are more.
        """
        second = Step("strike", "clock", ("t == SECOND",), ("u",))
        toy = Toy("clock", {"clock": Place(("t", "u"), ("t <= SECOND",), (second,))}, {"SECOND": 1})
        assert len(explored(toy)) == 1
        assert len(explored(with_attic(toy, tall))) == tall + 2

    def test_clocks_with_lifetimes_too(self) -> None:
        for life, wait in ((1, 1), (2, 1), (1, 2)):
            toy = letterbox(life, wait)
            assert ("fresh" in explored(toy).broken) is (wait < life)
            assert len(explored(letterbox(1000 * life, 1000 * wait))) == len(explored(toy)) == 5


def with_attic(toy: Toy, tall: int) -> Toy:
    """The toy with one more location, of many limits, that is behind a guard that is never met."""
    clocks = sorted({name for place in toy.places.values() for name in place.clocks})
    places: dict[Location, Place] = {"attic": Place(clocks, [f"{name} <= TALL" for name in clocks])}
    for location, place in toy.places.items():
        guards = [(f"{name} > TALL", f"{name} <= 0") for name in place.clocks]
        places[location] = replace(place, steps=[*place.steps, *(Step("climb", "attic", guard) for guard in guards)])
    return replace(toy, places=places, values={**toy.values, "TALL": tall})


def explored(system: TimedAutomaton) -> Zones:
    """A system explored in dense time."""
    zones = Zones(CompiledAutomaton(Quotient(system)))
    zones.explore(Budget())
    assert zones.stopped == ""
    return zones


class TestInclusion:
    """Which zone lies in which."""

    def test_against_the_points(self) -> None:
        everywhere = grid(2, 8)
        counted = {True: 0, False: 0}
        for seed in SEEDS:
            rng = random.Random(seed)
            stack = np.stack([random_zone(rng) for _ in range(5)])
            zone = random_zone(rng)
            mine = inside(everywhere, zone)
            covers = [bool((inside(everywhere, other) | ~mine).all()) for other in stack]
            covered = [bool((mine | ~inside(everywhere, other)).all()) for other in stack]
            assert dbm.includes(stack, zone) is any(covers)
            assert uncovered(stack, zone).tolist() == [not one for one in covered]
            counted[any(covers)] += 1
        assert min(counted.values()) >= 5

    def test_of_itself_and_of_nothing(self) -> None:
        zone = random_zone(random.Random(5))
        assert dbm.includes(zone[None], zone)
        assert uncovered(zone[None], zone).tolist() == [False]
        assert not dbm.includes(np.zeros((0, 3, 3), dtype=np.int64), zone)

    def test_what_is_passed_covers_what_is_met(self) -> None:
        """No zone kept lies in another one, and every one met lies in one kept."""
        zones, plain = explored(fischer(2, 1)), PlainZones(CompiledAutomaton(Quotient(fischer(2, 1))))
        plain.explore(Budget())
        kept = zones.cover()
        for place, zone in plain.nodes:
            assert dbm.includes(kept[place], zone)
        for stack in kept.values():
            for one, other in combinations(range(len(stack)), 2):
                assert not dbm.includes(stack[one][None], stack[other])
                assert not dbm.includes(stack[other][None], stack[one])
