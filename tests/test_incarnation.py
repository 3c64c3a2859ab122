"""Isolation by its harm: four properties whose conjunction is isolation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from four_ways import drawn
from oracle import HARMS as JUDGED_HARMS
from oracle import TooLarge, judge

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.narration.story import story
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.incarnation import HARMS, ISOLATION
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Behaviour

ALL = (ISOLATION, *HARMS)


def close(time_wait: int, **others: object) -> Configuration:
    """Return a close with one octet from A, MSL and RTO of one second, and no loss."""
    given: dict[str, object] = {"loss": 0, "text": (1, 0)}
    return Configuration(Fraction(1), Fraction(time_wait), (Fraction(1),), **given | others)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", [Engine.EXPLICIT, Engine.ZONES])
@pytest.mark.parametrize("harm", HARMS)
def test_each_harm_without_time_wait(harm: str, engine: Engine) -> None:
    """Without TIME-WAIT each harm has a shortest run whose last step names it."""
    none = close(0, behaviour=Behaviour(time_wait=False))
    asked = [PROPERTIES[harm], PROPERTIES[ISOLATION]]
    answer, isolation = decide(question(none), asked, engine, Budget())
    assert (answer.verdict, isolation.verdict) == (Verdict.VIOLATED, Verdict.VIOLATED)
    assert answer.trace is not None
    last = answer.trace.steps[-1].event
    assert [name for name, _ in last.breaks] == [ISOLATION, harm]
    assert last.rules[-1][0] == f"incarnation.{harm}"
    assert HARMS[harm].format(end=last.actor, peer="AB".replace(last.actor, "")) in last.breaks[1][1]
    assert story(answer.trace)[-1].text


@pytest.mark.parametrize("engine", [Engine.EXPLICIT, pytest.param(Engine.ZONES, marks=pytest.mark.slow)])
def test_no_harm_after_two_lifetimes(engine: Engine) -> None:
    """A TIME_WAIT of 2 MSL keeps every harm out."""
    answers = decide(question(close(2)), [PROPERTIES[name] for name in ALL], engine, Budget())
    assert {answer.verdict for answer in answers} == {Verdict.PROVED}


def test_a_harm_that_no_segment_can_do_is_vacuous() -> None:
    """Without text no old text can arrive, which proves nothing."""
    (answer,) = decide(question(close(2, text=(0, 0))), [PROPERTIES["old-text"]], Engine.EXPLICIT, Budget())
    assert answer.verdict is Verdict.VACUOUS


@pytest.mark.parametrize("first", [0, pytest.param(4, marks=pytest.mark.slow), pytest.param(40, marks=pytest.mark.slow)])
def test_isolation_is_their_conjunction(first: int) -> None:
    """On random configurations isolation is violated if and only if a harm is; brute force finds the same harms."""
    compared = 0
    for number in range(first, first + (36 if first else 4)):
        configuration = drawn(number)
        if configuration.scope is Scope.CLOSE and number % 3 == 0:
            configuration = replace(configuration, text=(1, 0))
        try:
            judged = judge(configuration, 3_000, judged=("isolation", *JUDGED_HARMS))
        except (TooLarge, ValueError):
            continue
        answers = decide(question(configuration), [PROPERTIES[name] for name in ALL], Engine.EXPLICIT, Budget(states=20_000))
        verdicts = {answer.finding.name: answer.verdict for answer in answers}
        if Verdict.INCONCLUSIVE in verdicts.values():
            continue
        violated = {name for name, verdict in verdicts.items() if verdict is Verdict.VIOLATED}
        assert violated == {name for name, bad in judged.items() if bad}, number
        assert (ISOLATION in violated) == bool(violated & set(HARMS)), number
        compared += 1
    assert compared
