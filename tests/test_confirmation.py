"""The second way to a proof: it confirms what holds, contradicts a broken engine, and says where it is missing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from commands import run, run_json
from random_configurations import random_configuration

import timewait
from timewait.api import _worse
from timewait.checker import confirmation, unlimited_engines
from timewait.checker.confirmation import WAYS, PlainGraph, confirmed
from timewait.checker.decide import Answer, decide
from timewait.checker.finding import Budget, Confirmation, Finding
from timewait.checker.over_approximated import OverApproximationEngine
from timewait.checker.question import Engine, Question
from timewait.checker.quotient_table import QuotientTable
from timewait.checker.structural import GraphEngine
from timewait.checker.unlimited_engines import UnlimitedGraphEngine
from timewait.checker.verdict import Verdict
from timewait.checker.zone_invariant import Columns, leads_out
from timewait.checker.zones import Zones
from timewait.formats.case import case_of_answer
from timewait.proofs.claims import close
from timewait.proofs.question import applicable, question
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.automaton import Property

SEED = 905
CLOSES, GRACEFUL = PROPERTIES["closes"], PROPERTIES["graceful"]
SAFE, SHORT = close(1, 2, 1, 1), close(1, 1, 1, 1)
"""Where 2 MSL are enough, and where TIME-WAIT is too short."""
LIMITED = replace(SAFE, behaviour=replace(SAFE.behaviour, retries=1))
"""An end may give up, so its peer may wait for ever."""


def finished(asked: Question) -> Zones:
    """The zones of the over-approximation."""
    zones = Zones(asked.coarse)
    zones.explore(Budget(states=20_000))
    return zones


class Without(Zones):
    """An exploration that forgot one of the zones that it stored."""

    missing = 0

    def stored(self) -> tuple[Columns, Columns, Columns]:
        locations, begins, pool = super().stored()
        kept = [number for number in range(len(begins)) if number != self.missing]
        return locations[kept], begins[kept], pool


# --- zones as an invariant --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(6, 90, 6))])
def test_the_zones_of_a_search_are_an_invariant(start: int) -> None:
    """Random closes, some of them violated: no edge leads out of what the search stored."""
    checked = 0
    for number in range(start, start + 6):
        asked = question(
            replace(random_configuration(random.Random(SEED + number)), duplication=None, fifo=False, lossless=False)
        )
        zones = finished(asked)
        if isinstance(zones.automaton, QuotientTable) and not zones.stopped:
            assert not leads_out(zones), number
            checked += 1
    assert checked


def test_every_missing_zone_is_noticed() -> None:
    """Without any one of its zones, the rest is no invariant."""
    zones = Without(question(SAFE).coarse)
    zones.explore(Budget())
    count = len(Zones.stored(zones)[0])
    for zones.missing in range(count):
        assert leads_out(zones), f"zone {zones.missing} of {count}"
    zones.missing = -1
    assert not leads_out(zones)


def test_a_wider_guard_leads_out() -> None:
    """Zones of a longer TIME-WAIT do not cover a shorter one."""
    zones = finished(question(SAFE))
    zones.ticks = {**zones.ticks, "TIME_WAIT": zones.ticks["TIME_WAIT"] - 1}
    assert leads_out(zones)


def test_a_violation_that_the_search_passed_over_is_noticed() -> None:
    """An edge that violates a property is possible from a stored zone, whatever the search noted."""
    zones = finished(question(SHORT))
    assert "graceful" in zones.broken
    assert not leads_out(zones)
    zones.broken.clear()
    assert leads_out(zones)


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keywords",
    [
        {"rto": "30s"},
        {"rto": "30s", "closers": "a", "data": "0,1"},
        {"rto": "30s", "duplication": 0, "closers": "a"},
        {"rto": "30s", "engine": "explicit", "closers": "a"},
        {"stack": "linux", "closers": "a"},
    ],
    ids=str,
)
def test_every_proof_is_confirmed(keywords: dict[str, Any]) -> None:
    """Of dense time, of ticks, of liveness, with text and with counted copies."""
    result = timewait.check(msl="30s", confirm=True, **keywords)
    proofs = [answer for answer in result.answers if answer.verdict is Verdict.PROVED]
    assert proofs
    for answer in proofs:
        assert answer.confirmation is not None
        assert answer.confirmation.verdict is Verdict.PROVED, answer.name
        assert answer.confirmation.way not in ("", answer.engine)


def test_nothing_is_confirmed_unless_it_is_asked() -> None:
    """And a violation has its replay alone."""
    assert all(answer.confirmation is None for answer in timewait.check(msl="1s", time_wait="2s", rto="1s", closers="a").answers)
    violated = timewait.check(msl="1s", time_wait="1s", rto="1s", closers="a", properties=["graceful"], confirm=True)["graceful"]
    assert (violated.verdict, violated.confirmation) == (Verdict.VIOLATED, None)


@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(4, 60, 4))])
def test_no_second_way_contradicts_a_proof(start: int) -> None:
    """Random configurations: no disagreement."""
    proofs = 0
    for number in range(start, start + 4):
        configuration = random_configuration(random.Random(SEED + number))
        asked, properties = question(configuration), applicable(configuration)
        bounds = Budget(states=20_000, seconds=20)
        answers = decide(asked, properties, Engine.AUTO, bounds)
        for before, after in zip(answers, confirmed(asked, properties, answers, bounds), strict=True):
            assert after.verdict is before.verdict, (number, after)
            proofs += before.verdict is Verdict.PROVED
    assert proofs


def claim(monkeypatch: pytest.MonkeyPatch, engine: type[OverApproximationEngine] | type[GraphEngine]) -> None:
    """Let an engine prove everything."""

    def decide_all(self: object, asked: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        del self, asked, budget
        return [Finding(entry.name, Verdict.PROVED, engine.label) for entry in properties]

    monkeypatch.setattr(engine, "decide", decide_all)


def test_a_broken_engine_for_zones_is_contradicted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It proves what is violated: the command ends with the code of a disagreement."""
    claim(monkeypatch, OverApproximationEngine)
    question_in_words = ("--msl", "1s", "--time-wait", "1s", "--rto", "1s", "--closers", "a", "--property", "graceful")
    assert run(capsys, "check", *question_in_words)[0] == 0
    code, out, _ = run(capsys, "check", *question_in_words, "--confirm")
    assert code == 40
    assert "DISAGREEMENT" in out
    assert "contradicts it" in out


def test_a_broken_engine_for_graphs_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It proves that every connection closes; ticks have a lasso."""
    claim(monkeypatch, GraphEngine)
    asked = question(LIMITED)
    answers = decide(asked, [CLOSES], Engine.AUTO, Budget())
    assert answers[0].verdict is Verdict.PROVED
    (answer,) = confirmed(asked, [CLOSES], answers, Budget())
    assert answer.verdict is Verdict.DISAGREEMENT


def test_a_broken_compiled_function_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain search finds that a run may stay pending."""
    monkeypatch.setattr(unlimited_engines, "may_stay_pending_unlimited", lambda *_: False)
    asked = question(replace(LIMITED, fifo=True))
    answers = decide(asked, [CLOSES], Engine.AUTO, Budget())
    assert (answers[0].verdict, answers[0].engine) == (Verdict.PROVED, UnlimitedGraphEngine.label)
    (answer,) = confirmed(asked, [CLOSES], answers, Budget())
    assert answer.verdict is Verdict.DISAGREEMENT
    assert "plain search of the graph" in answer.reason


def test_a_broken_search_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It forgot a zone."""
    monkeypatch.setattr("timewait.checker.over_approximated.Zones", Without)
    asked = question(SAFE)
    answers = decide(asked, [GRACEFUL], Engine.AUTO, Budget())
    assert answers[0].verdict is Verdict.PROVED
    (answer,) = confirmed(asked, [GRACEFUL], answers, Budget())
    assert answer.verdict is Verdict.DISAGREEMENT
    assert "do not cover" in answer.reason


# --- no second answer -------------------------------------------------------------------------------------------------


def test_a_missing_second_answer_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict stands, and the line says that nothing confirmed it, and why; so do the reports."""
    monkeypatch.setattr(confirmation, "WAYS", WAYS[-1:])
    monkeypatch.setattr(confirmation, "MOST_STATES", 10)
    words = ("check", "--msl", "1s", "--time-wait", "2s", "--rto", "1s", "--closers", "a", "--property", "graceful", "--confirm")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "not confirmed: stopped at" in out
    _, data = run_json(capsys, *words)
    assert data["results"][0]["confirmation"]["verdict"] == "inconclusive"


def test_no_way_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an engine is the only one that can decide a question."""
    monkeypatch.setattr(confirmation, "WAYS", ())
    asked = question(SAFE)
    (answer,) = confirmed(asked, [CLOSES], decide(asked, [CLOSES], Engine.AUTO, Budget()), Budget())
    assert (answer.verdict, str(answer.confirmation)) == (Verdict.PROVED, "not confirmed: there is no second way")


def test_a_way_says_nothing_of_another_kind() -> None:
    """Nothing is pending of a property of kind always, so the graph would confirm it without a look."""
    asked, found = question(SAFE), Finding("graceful", Verdict.PROVED, GraphEngine.label)
    assert PlainGraph().applies(asked, CLOSES, replace(found, name="closes"))
    assert not PlainGraph().applies(asked, GRACEFUL, found)


def test_both_questions_must_be_confirmed() -> None:
    """A proof for either end is not confirmed where that for A is not."""
    proof = Answer(Finding("closes", Verdict.PROVED, "some engine"))
    yes, no = Confirmation("another", Verdict.PROVED), Confirmation("another", Verdict.INCONCLUSIVE, "too large")
    for one, other in ((yes, no), (no, yes)):
        assert _worse(replace(proof, confirmation=one), replace(proof, confirmation=other)).confirmation == no
    assert _worse(replace(proof, confirmation=yes), None).confirmation == yes
    for verdict in (Verdict.INCONCLUSIVE, Verdict.VIOLATED, Verdict.VACUOUS):
        other_answer = Answer(Finding(proof.name, verdict, "an engine"))
        assert _worse(replace(proof, confirmation=yes), other_answer).confirmation is None


def test_reports_name_both_ways() -> None:
    """JUnit, SARIF and the events take the engine of a case."""
    proof = Answer(Finding("closes", Verdict.PROVED, "some engine"), confirmation=Confirmation("another", Verdict.PROVED))
    assert case_of_answer(proof).engine == "some engine; confirmed: another"
    assert case_of_answer(replace(proof, confirmation=None)).engine == "some engine"
