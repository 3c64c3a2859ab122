"""Two independent ways agree: the engines against the brute-force oracle, on configurations drawn at random."""

from __future__ import annotations

import random

import pytest
from oracle import JUDGED, Search, TooLarge, judge
from random_configurations import random_configuration

from checker.decide import Engine, decide
from checker.explicit import Explicit
from checker.finding import Budget
from checker.verdict import Verdict
from checker.zones import Zones
from proofs.question import question
from spec.configuration import Configuration
from spec.plain import plain
from spec.properties import PROPERTIES

CAP = 10_000
"""Worlds that the oracle may visit; a larger draw is passed over, and counted."""


SMALL = 600
"""Likewise where every violation is replayed."""

STATES = 20_000
"""States that the tick engine may visit; a larger draw is passed over too."""


def explored(configuration: Configuration) -> set[str] | None:
    """The properties that the tick engine finds broken; None when that is too large."""
    engine = Explicit(question(configuration).table)
    attainable = frozenset(Search(configuration).attainable)
    engine.explore(Budget(states=STATES), attainable)
    complete = not engine.stopped or attainable <= engine.broken.keys()
    return set(engine.broken) & set(JUDGED) if complete else None


def in_dense_time(configuration: Configuration) -> set[str]:
    """The properties that zones find broken."""
    engine = Zones(question(configuration).folded)
    engine.explore(Budget())
    assert not engine.stopped
    return set(engine.broken) & set(JUDGED)


def compare(seed: int, wanted: int) -> tuple[int, int]:
    """Compare some draws that the oracle can judge; how many, and how many of them in dense time too."""
    rng = random.Random(seed)
    judged = dense = 0
    while judged < wanted:
        configuration = random_configuration(rng)
        try:
            verdicts = judge(configuration, CAP)
        except TooLarge:
            continue
        found = explored(configuration)
        if found is None:
            continue
        judged += 1
        broken = {name for name, violated in verdicts.items() if violated}
        assert found == broken, plain(configuration)
        if question(configuration).system.dense:
            dense += 1
            assert in_dense_time(configuration) == broken, plain(configuration)
    return judged, dense


@pytest.mark.parametrize("seed", range(8))
def test_engines_equal_the_oracle(seed: int) -> None:
    """Eight draws a seed in the default run."""
    assert compare(seed, 8)[0] == 8


def test_some_draws_are_compared_in_dense_time() -> None:
    """Of sixteen draws that the oracle can judge, at least three have finitely many locations."""
    assert compare(1, 16)[1] >= 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
def test_engines_equal_the_oracle_on_many(seed: int) -> None:
    """Six hundred draws in all."""
    assert compare(seed, 12)[0] == 12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_every_violation_is_replayed(seed: int) -> None:
    """What either engine finds broken can be carried out on the specification, copy by copy."""
    rng = random.Random(1000 + seed)
    shown = 0
    while shown < 3:
        configuration = random_configuration(rng)
        try:
            judge(configuration, SMALL)
        except TooLarge:
            continue
        asked = [PROPERTIES[name] for name in JUDGED]
        for engine in (Engine.EXPLICIT, Engine.ZONES):
            for answer in decide(question(configuration), asked, engine, Budget(states=SMALL)):
                assert answer.verdict is not Verdict.DISAGREEMENT, (plain(configuration), answer.finding.reason)
                assert (answer.trace is not None) == (answer.verdict is Verdict.VIOLATED)
                shown += answer.trace is not None
