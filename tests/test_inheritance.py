"""Proofs with any gap are proofs for a schedule if they are not vacuous there; violations with less text are violations."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from random_configurations import random_configuration

from timewait.checker.decide import Answer, decide, violations_with_less_text
from timewait.checker.finding import Budget, Finding
from timewait.checker.inheritance import inherited
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import close
from timewait.proofs.question import applicable, question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.properties import DEFAULT, PROPERTIES

SCHEDULE = close(2, 4, 1, 1)
SCHEDULE = replace(SCHEDULE, rto=(Fraction(1), Fraction(2)), rto_exact=True, behaviour=replace(SCHEDULE.behaviour, backoff=2))
ABORTING = replace(SCHEDULE, behaviour=replace(SCHEDULE.behaviour, linger_zero=True))
SENDING = replace(SCHEDULE, text=(0, 1))


def proofs(*names: str) -> list[Answer]:
    """Proofs of some properties."""
    return [Answer(Finding(name, Verdict.PROVED, "an engine")) for name in names]


def names_of(answers: list[Answer]) -> set[str]:
    """The properties of some answers."""
    return {answer.name for answer in answers}


def with_any_gap(configuration: Configuration) -> Configuration:
    """The same with any gap up to the longest of its schedule."""
    behaviour = replace(configuration.behaviour, backoff=1)
    longest = (max(configuration.rto) + configuration.rto_slack,)
    return replace(configuration, rto=longest, rto_exact=False, rto_slack=Fraction(0), behaviour=behaviour)


def test_proofs_that_are_not_vacuous_are_inherited() -> None:
    """Each with the system that it comes from; the witness that an end sends text needs a system with text."""
    found = inherited(question(SENDING), proofs(*DEFAULT), "any gap", Budget())
    assert [answer.name for answer in found] == [*DEFAULT]
    assert {answer.engine for answer in found} == {"an engine, any gap"}


def test_vacuous_proofs_are_not_inherited() -> None:
    """Where no end reaches TIME-WAIT or LAST-ACK, or none sends text, whatever holds with any gap."""
    assert names_of(inherited(question(SCHEDULE), proofs("integrity", "fin-restarts"), "any gap", Budget())) == {"fin-restarts"}
    assert not {"graceful", "fin-restarts"} & names_of(inherited(question(ABORTING), proofs(*DEFAULT), "any gap", Budget()))


def test_only_proofs_are_inherited() -> None:
    """Neither violations nor proofs with a reservation, such as whole ticks."""
    answers = [
        Answer(Finding("graceful", Verdict.VIOLATED, "an engine")),
        Answer(Finding("closes", Verdict.PROVED, "an engine", reason="in whole ticks of 1 s")),
        Answer(Finding("isolation", Verdict.INCONCLUSIVE, "an engine", reason="stopped")),
    ]
    assert inherited(question(SCHEDULE), answers, "any gap", Budget()) == []


def test_nothing_is_inherited_within_no_time() -> None:
    """Without time for the witnesses only what needs none is left."""
    assert names_of(inherited(question(SCHEDULE), proofs(*DEFAULT), "any gap", Budget(seconds=0.0))) == {"closes", "quiet"}


@pytest.mark.parametrize("seed", range(3))
def test_inherited_proofs_are_those_of_ticks(seed: int) -> None:
    """Schedules drawn at random: what is proved with any gap, and inherited, is proved for the schedule itself in ticks."""
    rng, compared = random.Random(seed), 0
    while compared < 3:
        drawn = random_configuration(rng)
        if drawn.duplication is not None or drawn.fifo or not drawn.rto_exact or not drawn.behaviour.acks_restart_rto:
            continue
        asked, budget = applicable(drawn), Budget(states=50_000, seconds=20)
        answers = decide(question(with_any_gap(drawn)), asked, Engine.AUTO, budget)
        found = names_of(inherited(question(drawn), answers, "any gap", budget))
        own = decide(question(drawn), [entry for entry in asked if entry.name in found], Engine.EXPLICIT, budget)
        assert all(answer.verdict in (Verdict.PROVED, Verdict.INCONCLUSIVE) for answer in own), drawn
        compared += any(answer.verdict is Verdict.PROVED for answer in own)


@pytest.mark.parametrize("seed", range(3))
def test_text_stops_no_time(seed: int) -> None:
    """A schedule under which time can pass without text lets it pass with text too."""
    rng, compared = random.Random(seed), 0
    while compared < 3:
        drawn = replace(random_configuration(rng), duplication=None, fifo=False, text=(0, 0))
        if drawn.scope is Scope.CORE:
            continue
        without, whole = question(drawn), question(replace(drawn, text=rng.choice([(0, 1), (1, 0), (1, 1)])))
        if without.unlimited_graph is None or whole.unlimited_graph is None:
            continue
        assert without.unlimited_graph.may_lock() or not whole.unlimited_graph.may_lock(), drawn
        compared += 1


def test_violations_with_less_text_are_replayed() -> None:
    """Each with its run on the system with all the text; what less text does not violate is left out."""
    short = question(replace(SENDING, time_wait=Fraction(0)))
    names = ("graceful", "isolation", "time-wait-kept")
    answers = violations_with_less_text(short, [PROPERTIES[name] for name in names], Budget())
    assert names_of(answers) == {"graceful", "isolation"}
    for answer in answers:
        assert answer.trace is not None
        assert answer.trace.about["text"] == [0, 1]
    assert violations_with_less_text(question(SCHEDULE), [PROPERTIES["graceful"]], Budget()) == []
