"""The compiled search in dense time against the plain one: every node, every zone, and memory that is used again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from plain_zones import PlainZones
from random_configurations import random_configuration
from toys import Place, Step, Toy, counter, courier, fischer, lamp, letterbox, relay, snoozer, whirl, window

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.checker.zones import Zones
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.vocabulary.automaton import Location, Relation

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),), loss=1)
"""A configuration with few zones."""


def compare(automaton: CompiledAutomaton) -> Zones:
    """The finished compiled exploration, once everything about it is as in the plain one."""
    zones, plain = Zones(automaton), PlainZones(automaton)
    zones.explore(Budget())
    plain.explore(Budget())
    assert zones.stopped == plain.stopped == ""
    assert [zones.node(number) for number in range(len(zones))] == plain.parents()
    assert (zones.transitions, zones.depth) == (plain.transitions, plain.depth)
    assert (zones.broken, zones.witnessed) == (plain.broken, plain.witnessed)
    assert zones.taken() == plain.taken()
    found, expected = zones.cover(), plain.cover()
    assert list(found) == list(expected)
    for location, stack in found.items():
        np.testing.assert_array_equal(stack, expected[location])
    return zones


def random_toy(rng: random.Random) -> Toy:
    """A toy with any guards; an edge starts clocks, keeps them, or copies one to another."""
    clocks, values = ("t", "u", "v", "w"), {name: rng.randint(0, 9) for name in ("P", "Q", "R", "S")}
    running = {number: tuple(sorted(rng.sample(clocks, rng.randint(1, 4)))) for number in range(rng.randint(2, 7))}

    def bound(names: tuple[str, ...], relations: tuple[Relation, ...]) -> Iterator[str]:
        if names and rng.random() < 0.5:
            yield f"{rng.choice(names)} {rng.choice(relations)} {rng.choice(list(values))}"

    def step(number: int) -> Step:
        target = rng.randrange(len(running))
        kept = [f"{name}={rng.choice(running[number])}" for name in running[target] if running[number] and rng.random() < 0.6]
        guard = [*bound(running[number], ("<=", ">=", ">", "==")), *bound(running[number], ("<=", ">="))]
        return Step(f"to {target}", target, guard, kept, **marks(rng))

    places: dict[Location, Place] = {
        number: Place(names, [], [step(number) for _ in range(rng.randint(2, 5))]) for number, names in running.items()
    }
    return Toy(0, places, values)


def marks(rng: random.Random) -> dict[str, frozenset[str]]:
    """What a step violates or witnesses."""
    kind = rng.choice(("violates", "witnesses", ""))
    return {kind: frozenset({rng.choice(("p", "q"))})} if kind else {}


@pytest.mark.parametrize(
    "toy",
    [
        lamp(),
        counter(4),
        window(">", 2, 2),
        fischer(2, 1),
        fischer(1, 2, ">="),
        courier(False, True),
        letterbox(2, 1),
        whirl(),
        relay(),
        snoozer(),
    ],
    ids=range(10),
)
def test_toys(toy: Toy) -> None:
    """Toys by hand."""
    compare(CompiledAutomaton(Quotient(toy)))


def test_random_toys() -> None:
    """Toys drawn at random; in some, zones include earlier ones, whose memory is used again."""
    zones = [compare(CompiledAutomaton(Quotient(random_toy(random.Random(seed))))) for seed in range(60)]
    assert sum(len(one) > sum(map(len, one.cover().values())) for one in zones) >= 5
    assert sum(bool(one.broken) for one in zones) >= 20
    assert max(map(len, zones)) >= 30


def test_quotients() -> None:
    """A close, and what approximates it."""
    for asked in (question(SOME), question(replace(SOME, both_close=True, loss=0))):
        compare(asked.quotient)
        assert len(compare(asked.coarse)) > 30


COUNTED = (13, 25, 34, 36, 41, 77, 87)
"""Draws with few locations whose copies are counted, whose messages form queues, or both; some have a limit of retries."""


def test_counted_copies() -> None:
    """Copies that are counted and queues, which have no quotient, where the locations are few."""
    drawn = [random_configuration(random.Random(seed)) for seed in COUNTED]
    assert {(each.duplication, each.fifo) for each in drawn} == {(0, False), (1, False), (0, True), (1, True), (None, True)}
    assert {each.behaviour.retries for each in drawn} == {None, 0, 1}
    for configuration in drawn:
        assert not question(configuration).system.dense
        compared = compare_finite(configuration, 200)
        assert compared is not None
        assert compared > 5


def compare_finite(configuration: Configuration, limit: int) -> int | None:
    """Compare the zones of a system that engines compile whole; None if it has too many locations."""
    asked = question(configuration)
    automaton = asked.quotient if asked.system.dense else CompiledAutomaton(asked.system)
    return len(compare(automaton)) if automaton.within(limit) else None


def test_random_configurations() -> None:
    """Configurations drawn at random."""
    compared = [compare_finite(random_configuration(random.Random(seed)), 60) for seed in range(4, 20)]
    assert sum(one is not None for one in compared) >= 5


@pytest.mark.slow
def test_many_random_configurations_and_toys() -> None:
    """A hundred configurations, and five hundred toys."""
    compared = [compare_finite(random_configuration(random.Random(seed)), 300) for seed in range(1000, 1100)]
    assert sum(one is not None for one in compared) >= 30
    for seed in range(1000, 1500):
        compare(CompiledAutomaton(Quotient(random_toy(random.Random(seed)))))


def test_memory_is_used_again() -> None:
    """The zones that a later one includes need no memory of their own."""
    zones = compare(question(replace(SOME, both_close=True)).coarse)
    rows = [zones.automaton.location(zones.node(number)[0]).clocks for number in range(len(zones))]
    assert zones.bytes < 0.9 * sum(8 * (len(clocks) + 1) ** 2 for clocks in rows)


def test_interrupted() -> None:
    """An exploration that stops goes on where it stopped."""
    automaton = question(replace(SOME, both_close=True)).coarse
    whole, parts = Zones(automaton), Zones(automaton)
    whole.explore(Budget())
    for states in range(0, len(whole), 50):
        parts.explore(Budget(states=states))
        assert parts.stopped.startswith("stopped at ")
    parts.stopped = ""
    parts.explore(Budget())
    assert (parts.stopped, len(parts), parts.transitions, parts.broken) == ("", len(whole), whole.transitions, whole.broken)
