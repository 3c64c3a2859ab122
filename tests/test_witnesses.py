"""A witness of a proof is a run of the system asked about, wherever the actions of the run come from."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from random_configurations import random_configuration

from timewait.checker.decide import decide
from timewait.checker.explicit import packed, packed_until_witnessed, unpacked
from timewait.checker.finding import Budget
from timewait.checker.over_approximated import concretised_witnesses, witnessed_as_in_small_systems
from timewait.checker.question import Engine, Question
from timewait.checker.unlimited_engines import UnlimitedZoneEngine
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.proofs.claims import close
from timewait.proofs.question import applicable, question
from timewait.spec.properties import PROPERTIES, WITNESSES

NAMES = frozenset(name for names in WITNESSES.values() for name in names)
"""Every witness of a property."""

RETRIES = replace(close(30, 60, 30, 1), both_close=True)
RETRIES = replace(RETRIES, behaviour=replace(RETRIES.behaviour, retries=8))
"""A large system, in which the shortest way out of TIME-WAIT on a network without limits leaves out a delivery."""

ABORTING = replace(RETRIES, behaviour=replace(RETRIES.behaviour, linger_zero=True))
"""No end of it enters TIME-WAIT."""

ONE_FIN = replace(close(1, 4, 3, 0), duplication=0, rto_exact=True)
"""No copy of a FIN is lost or delivered again, and its acknowledgement arrives before the first retransmission."""

SECOND_FIN = "FIN meets TIME_WAIT"


def in_small(asked: Question) -> set[str]:
    """The witnesses that the small systems of a question have."""
    explored = [packed_until_witnessed(small, Budget(), NAMES) for small in asked.small]
    return {name for found in explored if found is not None for name in found.witnessed}


def test_a_large_system_has_the_witnesses_of_a_small_one() -> None:
    """The witnesses that no run of the network without limits shows are found, and the proof needs no further engine."""
    asked = question(RETRIES)
    kept = PROPERTIES["time-wait-kept"]
    assert asked.unlimited_approximation is not None
    zones = Zones(asked.quotient_of(asked.unlimited_approximation))
    zones.explore(Budget())
    wanted = set(WITNESSES[kept.name])
    assert zones.witnessed.keys() >= wanted > concretised_witnesses(asked, zones, wanted)
    (found,) = UnlimitedZoneEngine().decide(asked, [kept], Budget())
    assert found.verdict is Verdict.PROVED
    assert UnlimitedZoneEngine().decide(replace(asked, small=()), [kept], Budget()) == []


def test_a_run_of_a_small_system_alone_is_no_witness() -> None:
    """A small system retransmits the FIN at once; where none is retransmitted in time the proof stays vacuous."""
    asked = question(ONE_FIN)
    assert SECOND_FIN in in_small(asked)
    assert SECOND_FIN not in witnessed_as_in_small_systems(asked, {SECOND_FIN}, Budget())
    assert UnlimitedZoneEngine().decide(asked, [PROPERTIES["fin-restarts"]], Budget()) == []
    (answer,) = decide(asked, [PROPERTIES["fin-restarts"]], Engine.AUTO, Budget())
    assert (answer.verdict, answer.reason) == (Verdict.VACUOUS, f"never happens: {SECOND_FIN}")


def test_a_run_that_the_specification_cannot_carry_out_is_no_witness() -> None:
    """The replay has the last word."""
    asked = question(RETRIES)
    assert witnessed_as_in_small_systems(asked, NAMES, Budget()) > {"timer.time-wait"}
    other = replace(asked, initial_state=question(ABORTING).initial_state)
    assert "timer.time-wait" not in witnessed_as_in_small_systems(other, NAMES, Budget())


def test_a_proof_without_witnesses_is_vacuous() -> None:
    """An end that aborts never enters TIME-WAIT, whatever small system is asked for a witness."""
    asked = replace(question(ABORTING), small=question(RETRIES).small)
    names = ("fin-restarts", "time-wait-kept")
    for answer in decide(asked, [PROPERTIES[name] for name in names], Engine.AUTO, Budget()):
        assert (answer.verdict, "never happens" in answer.reason) == (Verdict.VACUOUS, True)


@pytest.mark.parametrize("budget", [Budget(seconds=0.0), Budget(interrupted=lambda: True)], ids=["time", "interrupted"])
def test_the_search_for_witnesses_has_the_bounds_asked_for(budget: Budget) -> None:
    """No state of a small system is visited once a bound is reached."""
    asked = question(RETRIES)
    (small,) = asked.small
    explored = packed_until_witnessed(small, budget, NAMES)
    assert explored is not None
    assert len(explored) == 1
    assert witnessed_as_in_small_systems(asked, NAMES, budget) == set()


@pytest.mark.parametrize("seed", range(5))
def test_witnesses_are_those_of_every_state_in_ticks(seed: int) -> None:
    """What is witnessed by the actions of a small system is witnessed among all states of the system in ticks."""
    rng, compared = random.Random(seed), 0
    for _ in range(8):
        drawn = random_configuration(rng)
        asked = question(drawn)
        states = packed(asked, Budget(states=100_000)) or unpacked(asked, Budget(states=20_000))
        if states.stopped:
            continue
        found = witnessed_as_in_small_systems(asked, NAMES, Budget())
        assert found <= states.witnessed.keys(), drawn
        compared += len(found)
    assert compared


@pytest.mark.parametrize("seed", range(3))
def test_large_questions_have_the_verdicts_of_ticks(seed: int) -> None:
    """With the actions of small systems as with all states in ticks: proved, violated and vacuous alike."""
    rng = random.Random(100 + seed)
    for _ in range(6):
        drawn = random_configuration(rng)
        asked = question(drawn)
        safety = [entry for entry in applicable(drawn) if entry.kind == "always"]
        ticks = {answer.name: answer.verdict for answer in decide(asked, safety, Engine.EXPLICIT, Budget(states=100_000))}
        if asked.unlimited_graph is None or Verdict.INCONCLUSIVE in ticks.values():
            continue
        for found in UnlimitedZoneEngine().decide(asked, safety, Budget()):
            assert found.verdict is ticks[found.name], (found, drawn)
