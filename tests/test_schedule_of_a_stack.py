"""Retransmissions at stated instants: gaps with a lower bound, and the schedule that a profile gives."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from oracle import judge

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, ConfigurationError, Scope
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Behaviour, ResetRule

ASKED = ("graceful", "isolation")


def core(time_wait: int, *gaps: int, slack: int = 0, exact: bool = True, loss: int = 1) -> Configuration:
    """The last exchange with a schedule of gaps, in whole seconds, at an MSL of one second."""
    return Configuration(
        msl=Fraction(1),
        time_wait=Fraction(time_wait),
        rto=tuple(map(Fraction, gaps)),
        rto_exact=exact,
        rto_slack=Fraction(slack),
        loss=loss,
        scope=Scope.CORE,
        behaviour=Behaviour(backoff=len(gaps)),
    )


@pytest.mark.parametrize("slack", [0, 1])
@pytest.mark.parametrize("gaps", [(1,), (2,), (1, 2), (1, 2, 4), (3, 1)])
@pytest.mark.parametrize("time_wait", [1, 3, 5])
@pytest.mark.parametrize("engine", [Engine.EXPLICIT, Engine.ZONES])
def test_engines_agree_with_brute_force(gaps: tuple[int, ...], slack: int, time_wait: int, engine: Engine) -> None:
    """In ticks and in dense time, with single copies and merged ones; dense time may violate what ticks do not."""
    configuration = core(time_wait, *gaps, slack=slack)
    expected = judge(configuration, judged=ASKED)
    answers = decide(question(configuration), [PROPERTIES[name] for name in ASKED], engine, Budget(seconds=20))
    found = {answer.name: answer.verdict is Verdict.VIOLATED for answer in answers}
    assert all(answer.verdict in (Verdict.VIOLATED, Verdict.PROVED) for answer in answers)
    assert found == expected


@pytest.mark.parametrize(
    ("slack", "time_wait", "verdict"), [(0, 3, Verdict.PROVED), (1, 3, Verdict.VIOLATED), (1, 4, Verdict.PROVED)]
)
def test_slack_delays_the_last_fin(slack: int, time_wait: int, verdict: Verdict) -> None:
    """One copy of the FIN is lost: the next arrives RTO, the slack and MSL after the first one was acknowledged."""
    (answer,) = decide(question(core(time_wait, 2, slack=slack)), [PROPERTIES["graceful"]], Engine.AUTO, Budget(seconds=20))
    assert answer.verdict is verdict


def test_time_passes_in_every_gap() -> None:
    """A gap between a least and a greatest length causes no time-lock, in the system and its over-approximation."""
    asked = question(replace(core(3, 1, 2, slack=1), behaviour=Behaviour(backoff=2, reset=ResetRule.EXACT)))
    assert not asked.may_time_lock


@pytest.mark.parametrize("changes", [{"rto_slack": Fraction(-1), "rto_exact": True}, {"rto_slack": Fraction(1)}])
def test_slack_without_a_least_gap_is_refused(changes: dict[str, object]) -> None:
    """And a slack below zero."""
    with pytest.raises(ConfigurationError, match="slack"):
        replace(core(3, 1, exact=False), **changes)  # type: ignore[arg-type]  # checked by the dataclass
