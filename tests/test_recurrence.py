"""Runs without end, found in dense time: fair by a walk with exact clocks, and there whenever ticks have one."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import pytest
from random_configurations import random_configuration
from toys import Toy, chatter, courier, eventually, lamp, relay, sleeper, whirl

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.dense_lasso import DenseLassoEngine, find_dense_lasso
from timewait.checker.explicit import Explicit
from timewait.checker.fairness import unfair
from timewait.checker.finding import Budget
from timewait.checker.lasso import find_lasso
from timewait.checker.question import Engine
from timewait.checker.structural import proof_of
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Arrival, Behaviour, ResetRule
from timewait.vocabulary.automaton import Property

LETTER = Behaviour(
    answers=frozenset({Arrival.FIN, Arrival.UNACCEPTABLE, Arrival.ACK}),
    restarts=frozenset({Arrival.ACK}),
    reset=ResetRule.EXACT,
)
ENDLESS = Configuration(Fraction(1), Fraction(2), (Fraction(1),), loss=0, both_close=True, behaviour=LETTER)

BROKEN = {
    "a courier whom nothing forces": (courier(False, False), eventually("delivered")),
    "the same, always ready": (courier(False, True), eventually("delivered")),
    "a sleeper who starts again": (sleeper(True), eventually("risen")),
    "a lamp pressed again": (lamp(3), eventually("dark")),
    "a lamp of half a second": (lamp(1), eventually("dark")),
    "a relay": (relay(), eventually("done")),
}
KEPT = {
    "a courier": (courier(True, False), eventually("delivered")),
    "a whirl": (whirl(), eventually("still")),
    "a sleeper": (sleeper(False), eventually("risen")),
    "a lamp": (lamp(3, again=False), eventually("dark")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_toys(name: str) -> None:
    """Found, and fair."""
    toy, asked = BROKEN[name]
    run = find_dense_lasso(CompiledAutomaton(toy), asked, 8, Budget())
    assert run is not None
    assert run.loop is not None
    assert sum(move.delay for move in run.moves[run.loop :]) > 0
    assert unfair(CompiledAutomaton(toy), run) == ""


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str) -> None:
    """Nothing is found where there is nothing; even where the graph is not asked first."""
    toy, asked = KEPT[name]
    assert find_dense_lasso(CompiledAutomaton(toy), asked, 8, Budget()) is None


@pytest.mark.parametrize("endless", [True, False])
def test_noise(endless: bool) -> None:
    """Of a promise of silence mere waiting is no breach."""
    toy: Toy = chatter(endless)
    loud = eventually("quiet", recurrent=True)
    assert (find_dense_lasso(CompiledAutomaton(toy), loud, 6, Budget()) is not None) is endless


def test_a_step_that_fairness_forces_is_no_loop_to_stay_in() -> None:
    """The lamp must go out if it can again and again: pressed each three seconds or later, it does, and so never later."""
    run = find_dense_lasso(CompiledAutomaton(lamp(3)), eventually("dark"), 8, Budget())
    assert run is not None
    assert all(move.delay < 3 for move in run.moves)


@pytest.mark.parametrize(("name", "scale"), [("quiet", Fraction(120)), ("closes", Fraction(1))])
def test_the_letter(name: str, scale: Fraction) -> None:
    """Two ends in TIME_WAIT acknowledge each other for ever, in milliseconds too; replayed and minimised."""
    wait = 2 * scale - (0 if scale == 1 else Fraction(1, 1000))
    asked = replace(ENDLESS, msl=scale, rto=(scale,), time_wait=wait)
    (answer,) = decide(question(asked), [PROPERTIES[name]], Engine.ZONES, Budget())
    assert (answer.verdict, answer.finding.engine) == (Verdict.VIOLATED, DenseLassoEngine.label)
    assert answer.trace is not None
    assert answer.trace.loop is not None
    assert len(answer.trace.steps) <= 9


def compared(seeds: Iterable[int]) -> int:
    """How many promises that the graph does not settle were asked about by both, dense time and ticks."""
    asked = 0
    for seed in seeds:
        configuration = random_configuration(random.Random(seed))
        about = question(configuration)
        if about.system.dense and len(about.quotient.explore()) <= 150:
            asked += sum(_same(configuration, entry) for entry in PROPERTIES.values() if entry.kind == "eventually")
    return asked


def _same(configuration: Configuration, asked: Property) -> bool:
    about = question(configuration)
    if proof_of(about.quotient, asked) is not None:
        return False
    explored = Explicit(about.compiled)
    explored.explore(Budget(seconds=20))
    if explored.stopped:
        return False
    dense = find_dense_lasso(about.quotient, asked, 14, Budget(seconds=60))
    assert (dense is None) is (find_lasso(explored, asked) is None), configuration
    assert dense is None or unfair(about.compiled, dense) == "", configuration
    return True


def test_ticks_agree() -> None:
    """Durations are whole, so there is a run in whole ticks if there is one at all."""
    assert compared((11, 31, 33, 39, 88, 142, 158, 167, 232, 243)) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1_000, 100))
def test_ticks_agree_on_many(first: int) -> None:
    """The same of more."""
    assert compared(range(first, first + 100)) >= 4
