"""Exact numbers of states, zones and transitions of systems of a handful of locations."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Hashable
from fractions import Fraction
from pathlib import Path

import pytest
from explored_toys import HALF, in_ticks, in_zones
from toys import Toy, counter, courier, fischer, hurry, lamp, letterbox, trap, whirl, window

from timewait.vocabulary.automaton import INACTIVE

# --- how much there is ---------------------------------------------------------------------------------------------


def by_brute_force(toy: Toy, unit: Fraction) -> tuple[int, int, set[str]]:
    """The states and transitions of a toy whose clocks have no lifetimes in ticks, and what they break, with no table at all."""
    limits = {bound for place in toy.places for bound in toy.invariant(place)}
    guards = {bound for place in toy.places for edge in toy.edges(place) for bound in edge.guard}
    cap = {
        role: 1 + max(toy.parameters[bound.parameter] / unit for bound in limits | guards if bound.clock.role == role)
        for role in {bound.clock.role for bound in limits | guards}
    }
    compare = {"<=": Fraction.__le__, ">=": Fraction.__ge__, ">": Fraction.__gt__, "==": Fraction.__eq__}
    start: tuple[Hashable, tuple[Fraction, ...]] = (toy.start, tuple(Fraction(0) for _ in toy.clocks(toy.start)))
    seen, waiting = {start}, [start]
    transitions = 0
    broken: set[str] = set()
    while waiting:
        place, values = waiting.pop()
        shown = dict(zip(toy.clocks(place), values, strict=True))
        following = []
        for edge in toy.edges(place):
            if all(compare[test.relation](shown[test.clock] * unit, toy.parameters[test.parameter]) for test in edge.guard):
                updates = [Fraction(0) if origin is None else shown[origin] for origin in edge.updates if origin != INACTIVE]
                following.append((edge.target, tuple(updates)))
                broken |= edge.violates
        later = {clock: min(value + 1, cap.get(clock.role, Fraction(1))) for clock, value in shown.items()}
        if all((shown[test.clock] + 1) * unit <= toy.parameters[test.parameter] for test in toy.invariant(place)):
            following.append((place, tuple(later.values())))
        transitions += len(following)
        for state in following:
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return len(seen), transitions, broken


class TestCounts:
    """Exact numbers of states, zones and transitions."""

    @pytest.mark.parametrize(
        ("toy", "unit", "states", "transitions", "depth"),
        [
            (lamp(3), 1, 5, 10, 4),
            (lamp(3), 3, 3, 6, 2),
            (lamp(3, again=False), 1, 5, 6, 4),
            (counter(3), 2, 9, 15, 8),
            (counter(3), 1, 13, 22, 12),
            (letterbox(1, 1), 1, 10, 17, 4),
            (whirl(), 1, 3, 6, 1),
            (trap("t >= LIMIT"), 1, 4, 4, 3),
        ],
        ids=str,
    )
    def test_in_ticks_by_hand(self, toy: Toy, unit: int, states: int, transitions: int, depth: int) -> None:
        explored = in_ticks(toy, Fraction(unit))
        assert (len(explored.nodes), explored.transitions, explored.depth) == (states, transitions, depth)

    @pytest.mark.parametrize(
        ("toy", "unit"),
        [
            (lamp(7), 1),
            (counter(5, 3), 1),
            (hurry(), HALF),
            (fischer(2, 2), HALF),
            (fischer(2, 1), 1),
            (fischer(2, 3, ">="), 1),
            (courier(True, False), HALF),
            (window(">", 1, 4), 1),
        ],
    )
    def test_in_ticks_by_brute_force(self, toy: Toy, unit: Fraction | int) -> None:
        explored = in_ticks(toy, Fraction(unit))
        assert (len(explored.nodes), explored.transitions, set(explored.broken)) == by_brute_force(toy, Fraction(unit))

    @pytest.mark.parametrize(
        ("toy", "zones", "transitions"),
        [
            (lamp(3), 2, 3),
            (lamp(3, again=False), 2, 2),
            (counter(3), 4, 6),
            (window(">=", 3, 2), 2, 1),
            (hurry(), 3, 2),
            (courier(True, True), 3, 4),
            (whirl(), 2, 2),
        ],
    )
    def test_in_zones_by_hand(self, toy: Toy, zones: int, transitions: int) -> None:
        explored = in_zones(toy)
        assert (len(explored), explored.transitions) == (zones, transitions)

    @pytest.mark.parametrize("factor", [Fraction(1, 7), Fraction(30), Fraction(1000003)], ids=str)
    def test_zones_do_not_care_how_long_a_second_is(self, factor: Fraction) -> None:
        explored, same = in_zones(fischer(2, 1)), in_zones(fischer(2 * factor, factor))
        assert (len(same), same.transitions) == (len(explored), explored.transitions)
        assert same.broken == explored.broken

    def test_the_same_in_every_run(self) -> None:
        """Whatever the hash seed: states, zones and runs, in the same order."""
        program = """
from toys import *
from explored_toys import in_ticks, in_zones
for toy in (fischer(2, 1), letterbox(2, 1)):
    for explored in (in_ticks(toy), in_zones(toy)):
        (where,) = explored.broken.values()
        print(explored.transitions, explored.run_to(*where))
    print(in_ticks(toy).nodes, [(place, zones.tolist()) for place, zones in in_zones(toy).cover().items()])
"""
        described = set()
        for seed in ("1", "2"):
            environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
            here = Path(__file__).parent
            done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=here, capture_output=True, check=True)
            described.add(done.stdout)
        assert len(described) == 1
        assert next(iter(described)).count(b"\n") == 6
