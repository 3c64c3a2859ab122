"""A network that loses nothing: the engine agrees with brute force, and the replay refuses what it does not do."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from oracle import HARMS, JUDGED, judge

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.description import configuration_in_words
from timewait.spec.outcome import Call
from timewait.spec.plain_data import configuration_as_data, configuration_from_data, verdict_parameters
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.reopening import NextIncarnation, Reopen
from timewait.spec.settings import Behaviour
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove

CLOSE = Configuration(Fraction(1), Fraction(0), (Fraction(3),), loss=0, duplication=0, lossless=True, rto_exact=True)
"""Fast: a round trip is shorter than the gap between two transmissions."""


def drawn(seed: int) -> Configuration:
    """Draw a lossless close whose durations are whole numbers of ticks."""
    chance = random.Random(seed)
    return replace(
        CLOSE,
        time_wait=Fraction(chance.choice([0, 0, 1, 2])),
        rto=(Fraction(chance.randint(1, 3)),),
        fifo=chance.random() < 0.6,
        both_close=chance.random() < 0.3,
        text=chance.choice([(0, 0), (1, 0), (0, 1)]),
        behaviour=Behaviour(time_wait=chance.random() < 0.5, linger_zero=chance.random() < 0.2, retries=2),
    )


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 60))])
def test_brute_force_agrees(seed: int) -> None:
    """Each verdict about each property, in ticks; and a network that may lose packets breaks at least as much."""
    configuration = drawn(seed)
    names = (*JUDGED, *HARMS)
    expected = judge(configuration, judged=names)
    asked = [PROPERTIES[name] for name in names]
    found = {answer.name: answer for answer in decide(question(configuration), asked, Engine.EXPLICIT, Budget())}
    assert {name: found[name].verdict is Verdict.VIOLATED for name in names} == expected
    sent = [packet for answer in found.values() if answer.trace for step in answer.trace.steps for packet in step.event.sent]
    assert not any(packet.lost for packet in sent)
    lossy = judge(replace(configuration, lossless=False), judged=names)
    assert all(lossy[name] for name in names if expected[name])


def test_a_loss_matters() -> None:
    """An old ACK reaches the next connection only if the network may lose a packet: without TIME-WAIT, in order."""
    local = replace(CLOSE, behaviour=Behaviour(time_wait=False), fifo=True, both_close=True, text=(1, 0))
    assert not judge(local, judged=("old-ack",))["old-ack"]
    assert judge(replace(local, lossless=False), judged=("old-ack",))["old-ack"]


def test_the_replay_loses_nothing() -> None:
    """A loss is no move, and time does not pass a packet that has not arrived."""
    state = initial_state(CLOSE)
    close = Action("call", "A", Call.CLOSE, (False,))
    (sent,) = state.act(close)
    with pytest.raises(ImpossibleMove, match="loses nothing"):
        state.act(replace(close, lost=(True,)))
    with pytest.raises(ImpossibleMove, match="within MSL"):
        sent.wait(Fraction(3, 2))


@pytest.mark.parametrize(
    "changed",
    [{"loss": 1}, {"loss": None}, {"duplication": None}, {"duplication": 1}, {"reopening": NextIncarnation(Reopen.HANDSHAKE)}],
)
def test_what_contradicts_it(changed: dict[str, object]) -> None:
    """Refused: a loss, a duplicate, and a next incarnation whose segments may be lost."""
    with pytest.raises(ConfigurationError, match="loses nothing"):
        replace(CLOSE, **changed)  # type: ignore[arg-type]  # any value of a field


def test_as_data_and_in_words() -> None:
    """It is stated where it holds, and read back."""
    assert configuration_from_data(configuration_as_data(CLOSE)) == CLOSE
    assert verdict_parameters(CLOSE)["lossless"] is True
    assert "lossless" in configuration_in_words(CLOSE)
    usual = replace(CLOSE, lossless=False)
    assert configuration_from_data(configuration_as_data(usual)) == usual
    assert "lossless" not in configuration_in_words(usual)
