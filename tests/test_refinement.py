"""A run that the close cannot carry out does not end a search, and a run that only the replay rejects is a disagreement.

Where copies are merged, all copies of a segment that must be delivered get one answer. If that answer is lost, the others are
not answered at all, which the loss budget may not allow. Refinements of the composition tell such copies apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from oracle import TooLarge, judge

from timewait.checker.certificate import BrokenCertificate
from timewait.checker.cover import constants, cover_of, invariant
from timewait.checker.decide import Answer, decide
from timewait.checker.family import follow
from timewait.checker.finding import Budget
from timewait.checker.over_approximated import run_with
from timewait.checker.question import Engine
from timewait.checker.threshold import minimum_safe
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.proofs.certificate_files import check_file
from timewait.proofs.certify import ClaimedProperties, certified_proof
from timewait.proofs.question import copies_told_apart, question
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.settings import Behaviour

JUDGED = ("graceful", "isolation")
GRACEFUL = [PROPERTIES["graceful"]]


def close(msl: int, time_wait: Fraction, rto: Sequence[int], loss: int, **others: object) -> Configuration:
    """Either end may close first, with a schedule of gaps."""
    behaviour = Behaviour(backoff=len(rto))
    configuration = Configuration(Fraction(msl), time_wait, tuple(map(Fraction, rto)), loss=loss, behaviour=behaviour)
    return replace(configuration, both_close=True, **others)  # type: ignore[arg-type]


SHORT = close(30, Fraction(4999, 100), (10, 20), 1)
"""A hundredth of a second below the least safe TIME_WAIT."""

ONE_ANSWER_FOR_TWO = (
    "A call CLOSE",
    "A timer retransmission",
    "B call CLOSE",
    "B deliver A FIN+ACK seq=1 ack=1 (lost)",
    "A deliver B FIN+ACK seq=1 ack=1",
    "B deliver A ACK seq=2 ack=2",
    "A timer retransmission",
    "A timer retransmission",
    "B timer time-wait",
    "B deliver A FIN+ACK seq=1 ack=2",
    "A deliver B RST seq=2",
)
"""Two copies of A's FIN arrive; the answer to one is lost, and there is no answer to the other, with one loss allowed."""


class TestSpuriousRuns:
    """Runs of the composition that the close does not have."""

    def test_the_merged_composition_has_one_and_the_refined_one_has_not(self) -> None:
        """Telling two copies apart excludes the run."""
        asked = question(SHORT)
        actions = [edge.original.action for _, edge in follow(asked.compiled, ONE_ANSWER_FOR_TWO)]
        assert run_with(asked.compiled, actions) is not None
        assert asked.refined is not None
        assert run_with(asked.refined.compiled, actions) is None

    def test_the_search_goes_on_to_a_run_that_can_be_carried_out(self) -> None:
        """Below the threshold there is another run, whichever is found first."""
        (answer,) = decide(question(SHORT), GRACEFUL, Engine.ZONES, Budget())
        assert answer.verdict is Verdict.VIOLATED
        assert answer.trace is not None

    def test_one_that_the_refined_system_has_remains_a_disagreement(self) -> None:
        """A replay with another TIME_WAIT rejects every run, and no engine is believed instead of it."""
        asked = question(close(1, Fraction(0), (1,), 1))
        assert asked.refined is not None
        longer = initial_state(close(1, Fraction(9), (1,), 1))
        refined = replace(asked.refined, initial_state=longer, refined=None)
        (answer,) = decide(replace(asked, initial_state=longer, refined=refined), GRACEFUL, Engine.ZONES, Budget())
        assert answer.verdict is Verdict.DISAGREEMENT
        assert "the replay was rejected" in answer.reason

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("rto", "loss", "expected"), [((10, 20), 1, 50), ((20, 10), 1, 50), ((10, 20), 0, 30), ((5, 10, 20), 1, 50)]
    )
    def test_thresholds(self, rto: tuple[int, ...], loss: int, expected: int) -> None:
        """MSL and the longest gap, with either end closing first."""

        def at(value: Fraction) -> list[Answer]:
            return decide(question(close(30, value, rto, loss)), GRACEFUL, Engine.ZONES, Budget())

        assert minimum_safe(at, Fraction(5), Fraction(100), whole=False).minimum == expected


def test_a_certificate_names_the_copies_told_apart(tmp_path: Path) -> None:
    """Z3 and cvc5 accept the zones of a refinement, and the checker builds it again from the first line of the file."""
    core = Configuration(Fraction(1), Fraction(2), (Fraction(1),), loss=1, scope=Scope.CORE)
    claimed = ClaimedProperties(core, JUDGED, None, told_apart=2)
    assert len(claimed.automaton.explore()) > len(question(core).quotient.explore())
    zones = Zones(claimed.automaton)
    zones.explore(Budget())
    proof = certified_proof(claimed, invariant(zones, cover_of(zones), constants(zones.unit)))
    assert proof.verdict is Verdict.PROVED
    path = tmp_path / "refined.smt2"
    path.write_text(proof.text)
    assert [checked.rejection for checked in check_file(path)] == [""]
    path.write_text(proof.text.replace('"told apart": 2', '"told apart": 1', 1))
    with pytest.raises(BrokenCertificate, match="clocks, not"):
        check_file(path)


def drawn(rng: random.Random) -> Configuration:
    """A small close with a schedule of up to three gaps, either end or A closing first, and up to two losses."""
    rto = [rng.randint(1, 3) for _ in range(rng.choice((1, 2, 2, 3)))]
    loss = rng.choice((0, 1, 1, 2))
    time_wait = Fraction(max(loss * max(rto) + 1 + rng.choice((-2, -1, 0)), 0))
    text = rng.choice(((0, 0), (0, 0), (0, 1), (1, 0)))
    both = not any(text)
    return close(1, time_wait, rto, loss, both_close=both, text=text, rto_exact=rng.random() < 0.5)


def wrong_answers(configuration: Configuration, told_apart: int, engine: Engine, cap: int) -> list[str]:
    """The properties about which an engine contradicts the oracle, with some copies told apart from the beginning."""
    truth = judge(configuration, cap)
    asked = question(configuration)
    if told_apart > 1:
        system = Composition(configuration, told_apart)
        asked = replace(asked, system=system, over_approximation=None, obliged_approximation=None)
    answers = decide(asked, [PROPERTIES[name] for name in JUDGED], engine, Budget())
    expected = {name: Verdict.VIOLATED if truth[name] else Verdict.PROVED for name in JUDGED}
    return [
        f"{answer.name}: {answer.verdict} {answer.reason}" for answer in answers if answer.verdict is not expected[answer.name]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("told_apart", [1, 2, 3])
def test_a_few_closes_against_the_oracle(told_apart: int) -> None:
    """A schedule with either end closing first, with and without copies told apart."""
    for time_wait in (1, 2):
        configuration = close(1, Fraction(time_wait), (1, 2), 1, rto_exact=True)
        assert not wrong_answers(configuration, told_apart, Engine.ZONES, 1_000_000), configuration


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_many_closes_against_the_oracle(seed: int) -> None:
    """Closes drawn at random: no disagreement, and no verdict that the oracle contradicts."""
    configuration = drawn(random.Random(seed))
    for told_apart in (1, *copies_told_apart(configuration)):
        for engine in (Engine.ZONES, Engine.EXPLICIT):
            try:
                wrong = wrong_answers(configuration, told_apart, engine, 300_000)
            except TooLarge:
                pytest.skip("too large for the oracle")
            assert not wrong, configuration


def test_where_copies_are_told_apart() -> None:
    """Only where copies are merged and an answer may be lost within a budget."""
    assert copies_told_apart(SHORT) == (2, 4)
    assert not copies_told_apart(replace(SHORT, loss=0))
    assert not copies_told_apart(replace(SHORT, loss=None))
    assert not copies_told_apart(replace(SHORT, duplication=1))
    assert copies_told_apart(replace(SHORT, loss=2, scope=Scope.CLOSE, fifo=True)) == (3, 6)
