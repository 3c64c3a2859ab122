"""Explorations in ticks in several parts against those of one core: counts, levels, verdicts and runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from random_configurations import random_configuration

from timewait.checker import packed_ticks, partition, partition_kernels, partitioned_ticks
from timewait.checker.decide import decide
from timewait.checker.explicit import packed
from timewait.checker.finding import Budget, Run
from timewait.checker.locations import Locations
from timewait.checker.mealy import Mealy
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.partitioned_ticks import PartitionedTicks, explored
from timewait.checker.question import Engine
from timewait.checker.replay import replay
from timewait.checker.shortest_run import state_key
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),), both_close=True)
"""A configuration with a few thousand states."""

SHORT = replace(SOME, msl=Fraction(3), time_wait=Fraction(3), rto=(Fraction(3),), both_close=False)
"""A TIME-WAIT that is too short: several properties are violated."""


def facts(states: PackedTicks | PartitionedTicks) -> tuple[object, ...]:
    """What an exploration counts and finds."""
    counted = len(states), states.transitions, states.depth, states.dead_ends
    return *counted, frozenset(states.broken), frozenset(states.witnessed), bool(states.stopped)


def runs(states: PackedTicks | PartitionedTicks) -> dict[str, Run]:
    """The run of each violation."""
    return {name: states.run_to(*where) for name, where in states.broken.items()}


def recording(function: Callable[..., Any], calls: list[object]) -> Callable[..., Any]:
    """The function, which notes the arguments of each call."""

    def recorded(*values: object) -> Any:
        calls.append(values)
        return function(*values)

    return recorded


def compare(configuration: Configuration, few: Sequence[int], workers: Sequence[int], budget: Budget) -> bool:
    """Compare explorations in parts with that of one core; False if its states are too many."""
    asked = question(configuration)
    alone = packed(asked, budget)
    assert alone is not None
    if alone.stopped:
        return False
    expected = runs(alone)
    for name, run in expected.items():
        replay(asked.initial_state, run, PROPERTIES[name])
    for number, count in zip(few, workers, strict=True):
        locations = question(configuration).locations
        assert locations is not None
        with explored(locations, replace(budget, workers=count), few=number) as states:
            assert isinstance(states, PartitionedTicks)
            assert facts(states) == facts(alone)
            assert runs(states) == expected
    return True


@pytest.fixture(autouse=True)
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even few states are visited in threads."""
    monkeypatch.setattr(partitioned_ticks, "FEW_AT_ONCE", 0)


def test_same_counts_and_runs() -> None:
    """Parts that begin at the first level, or later, have the counts and the runs of one core, where properties fail too."""
    assert compare(SOME, (40,), (3,), Budget())
    assert compare(SHORT, (1, 1), (2, 3), Budget())
    assert compare(replace(SHORT, fifo=True), (1,), (2,), Budget())
    assert compare(replace(SHORT, duplication=0, loss=0), (1,), (2,), Budget())


@pytest.mark.parametrize(("duplication", "fifo"), [(None, False), (0, False), (1, False), (None, True), (0, True)])
def test_keys(duplication: int | None, fifo: bool) -> None:
    """Two states never have the same key."""
    states = packed(question(replace(SHORT, duplication=duplication, fifo=fifo)), Budget(states=1_000))
    assert states is not None
    keys = {state_key(states.locations, states.arrays, words) for words in states.arrays.states[: len(states)]}
    assert len(keys) == len(states)


def test_random_configurations() -> None:
    """The same for random configurations."""
    found = [compare(random_configuration(random.Random(number)), (1,), (2,), Budget(states=4_000)) for number in range(8)]
    assert sum(found) >= 4


@pytest.mark.slow
def test_many_random_configurations() -> None:
    """The same for many random configurations."""
    found = [
        compare(random_configuration(random.Random(number)), (1, 30), (2, 3), Budget(states=30_000)) for number in range(300)
    ]
    assert sum(found) >= 200


def test_exchanges_that_are_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where as much is to be sent as there is room for, or a chunk is visited, the parts exchange, and go on with the level."""
    for module in (partition, partition_kernels):
        monkeypatch.setattr(module, "ROOM", 1 << 15)
    monkeypatch.setattr(partition, "CHUNK", 16)
    rounds: list[object] = []
    monkeypatch.setattr(partition.StatePart, "advance", recording(partition.StatePart.advance, rounds))
    assert compare(SOME, (1,), (2,), Budget())
    assert len(rounds) > 200


def test_wider_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the numbers of locations come to need more bits, the exploration begins anew, and ends the same."""
    monkeypatch.setattr(packed_ticks, "FIRST_WIDTH", 4)
    begun: list[object] = []
    monkeypatch.setattr(partition.StatePart, "__init__", recording(partition.StatePart.__init__, begun))
    assert compare(SOME, (1,), (2,), Budget())
    assert len(begun) > 2


def test_expiries_that_are_forgotten() -> None:
    """The table of expiries is emptied where it grows; what is missing then is added again, and the counts are the same."""
    expected = packed(question(SOME), Budget())
    locations = Locations(Mealy(Composition(SOME)))
    first = PackedTicks(locations)
    first.arrays = first.arrays._replace(expiries=np.zeros((2, 5), dtype=np.int64))
    first.explore(Budget(), few=1)
    crew = partitioned_ticks.Threads(first, 2)
    states = PartitionedTicks(first, crew)
    states.explore(Budget())
    crew.close()
    assert expected is not None
    assert len(first.arrays.expiries) > 2
    assert facts(states) == facts(expected)


@pytest.mark.parametrize(
    "budget", [Budget(states=400), Budget(seconds=0.0), Budget(interrupted=lambda: True)], ids=["states", "time", "interrupted"]
)
def test_budget(budget: Budget) -> None:
    """A search in parts that reaches a bound says so."""
    first = PackedTicks(Locations(Mealy(Composition(SOME))))
    first.explore(Budget(), few=1)
    crew = partitioned_ticks.Threads(first, 2)
    states = PartitionedTicks(first, crew)
    states.explore(budget)
    crew.close()
    assert states.stopped
    assert len(states) < 2_000


def test_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine in ticks gives the verdicts, counts and traces of one core, where the search ends with a violation too."""
    monkeypatch.setattr(partitioned_ticks, "FEW", 1)
    crews: list[object] = []
    monkeypatch.setattr(partitioned_ticks, "Threads", recording(partitioned_ticks.Threads, crews))
    names = ["graceful", "isolation"]
    found = {}
    for workers in (1, 2):
        answers = decide(question(SHORT), [PROPERTIES[name] for name in names], Engine.EXPLICIT, Budget(workers=workers))
        found[workers] = [(answer.verdict, answer.finding.states, answer.trace and answer.trace.steps) for answer in answers]
    assert len(crews) == 1
    assert found[1] == found[2]
    assert Verdict.VIOLATED in [verdict for verdict, *_ in found[1]]
