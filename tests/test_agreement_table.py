"""The table of agreement: all engines agree, and a broken engine is a disagreement."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from commands import run
from oracle import JUDGED, TooLarge, judge

from timewait.checker import dbm, explicit, horn, zone_tables
from timewait.checker.bounded import Searched, search
from timewait.checker.cover import cover_of
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget, Run
from timewait.checker.mealy import Unsupported
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.proofs import certify, engine_answers
from timewait.proofs.agreement import ConfigurationAgreement, PropertyAgreement, compare, compare_case
from timewait.proofs.agreement_cases import CASES
from timewait.proofs.engine_answers import EngineAnswer, EngineName
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.reference import ReferenceState
from timewait.spec.settings import ResetRule
from timewait.vocabulary.automaton import Action, Relation
from timewait.vocabulary.replay import ImpossibleMove

PROVED, VIOLATED, VACUOUS = Verdict.PROVED, Verdict.VIOLATED, Verdict.VACUOUS
INCONCLUSIVE, DISAGREEMENT = Verdict.INCONCLUSIVE, Verdict.DISAGREEMENT

QUICK = (
    "core, no loss, enough for one reason",
    "core, any loss",
    "core, no duplicates, short",
    "core, in order, short",
    "close, no loss",
)
"""One of each kind that takes seconds."""

SMALL = "core, any loss"
"""The smallest: graceful and isolation are violated, fin-restarts holds."""


# --- the table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES], ids=str
)
def test_all_agree(case: str) -> None:
    """At least two answers decide each property and agree; so does the oracle where it can."""
    compared = compare_case(case, 120.0)
    assert compared.rows
    for row in compared.rows:
        assert row.disagreements == []
        assert row.verdict in (PROVED, VIOLATED)
        assert row.agreement is PROVED, (row.name, row.summary)
    assert compared.agreement is PROVED
    agrees_with_the_oracle(compared)


def agrees_with_the_oracle(compared: ConfigurationAgreement) -> None:
    """The oracle agrees, where durations are whole and its states not too many."""
    if any(duration.denominator != 1 for duration in compared.configuration.parameters.values()):
        return
    try:
        verdicts = judge(compared.configuration, 300_000)
    except TooLarge:
        return
    violated = {row.name: row.verdict is VIOLATED for row in compared.rows if row.name in JUDGED}
    assert violated == {name: verdicts[name] for name in violated}


def test_the_table_has_every_kind() -> None:
    """Both scopes, either closer, each budget, text, and each rule of TIME-WAIT."""
    kinds: dict[str, Callable[[Configuration], Any]] = {
        "scope": lambda one: one.scope,
        "closers": lambda one: one.both_close,
        "loss": lambda one: one.loss,
        "duplication": lambda one: one.duplication,
        "order": lambda one: one.fifo,
        "text": lambda one: one.text,
        "gaps": lambda one: one.rto_exact,
        "RST": lambda one: one.behaviour.reset,
        "TIME_WAIT": lambda one: one.behaviour.time_wait,
        "back-off": lambda one: one.behaviour.backoff,
        "retries": lambda one: one.behaviour.retries is None,
        "whole numbers": lambda one: all(value.denominator == 1 for value in one.parameters.values()),
        "every answer restarts": lambda one: one.behaviour.answers <= one.behaviour.restarts,
    }
    met = {kind: {look(configuration) for configuration in CASES.values()} for kind, look in kinds.items()}
    assert met["scope"] == set(Scope)
    assert met["loss"] == {0, 1, 2, None}
    assert met["duplication"] == {0, 1, None}
    assert met["text"] == {(0, 0), (0, 1), (1, 0)}
    assert met["RST"] >= {ResetRule.IGNORE, ResetRule.EXACT, ResetRule.ANY}
    assert all(len(values) >= 2 for values in met.values())
    assert 20 <= len(CASES) == len({str(configuration) for configuration in CASES.values()})


# --- broken engines ---------------------------------------------------------------------------------------


def blind(patch: pytest.MonkeyPatch, search: type[Explicit] | type[PackedTicks] | type[Zones]) -> None:
    """Make a search miss every violation."""
    explore = search.explore

    def explore_blindly(self: Any, budget: Budget, until: frozenset[str] = frozenset(), few: int | None = None) -> None:
        del until, few
        explore(self, budget)
        self.broken.clear()

    patch.setattr(search, "explore", explore_blindly)


def blind_ticks(patch: pytest.MonkeyPatch) -> None:
    """Ticks that miss every violation, by compiled functions."""
    blind(patch, PackedTicks)


def blind_unpacked_ticks(patch: pytest.MonkeyPatch) -> None:
    """The same of a system that the compiled functions do not support."""

    def unsupported(*_: object) -> None:
        raise Unsupported("for a test")

    patch.setattr(explicit, "PackedTicks", unsupported)
    patch.setattr(explicit, "explored", unsupported)
    blind(patch, Explicit)


def blind_zones(patch: pytest.MonkeyPatch) -> None:
    """Zones that miss every violation."""
    blind(patch, Zones)


def hasty_zones(patch: pytest.MonkeyPatch) -> None:
    """Zones that never wait for the lower bound of a guard: they miss every violation that needs a wait."""
    described = zone_tables.forms

    def describe_hastily(relation: Relation, constant: int) -> tuple[int, int]:
        above, below = described(relation, constant)
        return (above if relation == "<=" else dbm.below(0)), below

    patch.setattr(zone_tables, "forms", describe_hastily)


def blind_smt(patch: pytest.MonkeyPatch) -> None:
    """A bounded search that never finds anything."""
    patch.setattr(engine_answers, "search", lambda _, depth, __: Searched(None, "no run", depth))


def raving_smt(patch: pytest.MonkeyPatch) -> None:
    """A bounded search that finds impossible runs."""

    def rave(symbolic: Any, depth: int, budget: Budget) -> Searched:
        searched = search(symbolic, depth, budget)
        if searched.found is None:
            return searched
        late = [replace(move, delay=move.delay + 7) for move in searched.found.run.moves]
        return searched._replace(found=replace(searched.found, run=Run(tuple(late))))

    patch.setattr(engine_answers, "search", rave)


def roundabout_smt(patch: pytest.MonkeyPatch) -> None:
    """A bounded search that denies the run that it finds."""

    def wander(symbolic: Any, depth: int, budget: Budget) -> Searched:
        searched = search(symbolic, depth, budget)
        return searched if searched.found is None else searched._replace(clear=len(searched.found.run.moves))

    patch.setattr(engine_answers, "search", wander)


def frightened_horn(patch: pytest.MonkeyPatch) -> None:
    """A Horn solver that reports every bad step as reachable."""
    patch.setattr(horn, "solve", lambda *_: horn.HornResult(None, True, ""))


def careless_horn(patch: pytest.MonkeyPatch) -> None:
    """A Horn solver whose invariant is always true."""
    patch.setattr(horn, "solve", lambda *_: horn.HornResult({}, False, ""))


def leaking_cover(patch: pytest.MonkeyPatch) -> None:
    """Zones whose cover lacks a location."""

    def leak(zones: Zones) -> Any:
        cover = dict(cover_of(zones))
        cover.pop(max(cover))
        return cover

    patch.setattr(certify, "cover_of", leak)


def stubborn_specification(patch: pytest.MonkeyPatch) -> None:
    """A specification that refuses every action."""

    def refuse(self: ReferenceState, action: Action) -> tuple[ReferenceState, ...]:
        raise ImpossibleMove(f"{self.now}: not {action}")

    patch.setattr(ReferenceState, "act", refuse)


BROKEN = (
    blind_ticks,
    blind_unpacked_ticks,
    blind_zones,
    hasty_zones,
    blind_smt,
    raving_smt,
    roundabout_smt,
    frightened_horn,
    careless_horn,
    leaking_cover,
    stubborn_specification,
)


@pytest.mark.parametrize("sabotage", BROKEN, ids=lambda sabotage: str(sabotage.__name__))
def test_a_broken_engine_is_a_disagreement(
    sabotage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 40, and a line that names the engine and the problem."""
    sabotage(monkeypatch)
    code, out, _ = run(capsys, "agree", SMALL, "--jobs", "1")
    assert code == 40
    assert "DISAGREEMENT: " in out
    assert out.rstrip().endswith("verdict: DISAGREEMENT")


def test_an_unsound_graph_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph wrongly proves `quiet` where ticks find a lasso."""
    lasso = EngineAnswer(EngineName.TICKS, VIOLATED, "violated")
    graph = EngineAnswer(EngineName.GRAPH, PROVED, "proved")
    assert PropertyAgreement("case", "quiet", (lasso, graph)).disagreements == ["graph: it holds; ticks: it does not"]
    monkeypatch.setattr(engine_answers, "proof_of", lambda *_: None)
    compared = compare(SMALL, CASES[SMALL], Budget())
    assert {row.name: row.agreement for row in compared.rows}["quiet"] is VACUOUS
    assert compared.agreement is VACUOUS


# --- what counts as agreement --------------------------------------------------------------------------------------


def row(*answers: EngineAnswer) -> PropertyAgreement:
    """A row by hand."""
    return PropertyAgreement("by hand", "graceful", answers)


def answer(engine: EngineName, verdict: Verdict | None, steps: int | None = None, no_run_up_to: float = 0) -> EngineAnswer:
    """An answer by hand."""
    return EngineAnswer(engine, verdict, "by hand", "for a reason", steps, no_run_up_to)


class TestRows:
    """Answers compared."""

    @pytest.mark.parametrize(
        ("answers", "agreement", "verdict", "summary"),
        [
            ((), INCONCLUSIVE, INCONCLUSIVE, "no engine decides it"),
            (
                (answer(EngineName.TICKS, None), answer(EngineName.ZONES, None)),
                INCONCLUSIVE,
                INCONCLUSIVE,
                "no engine decides it",
            ),
            ((answer(EngineName.TICKS, PROVED), answer(EngineName.ZONES, None)), VACUOUS, PROVED, "ticks alone: no agreement"),
            (
                (answer(EngineName.TICKS, VIOLATED, 9), answer(EngineName.SMT, None, no_run_up_to=8)),
                VACUOUS,
                VIOLATED,
                "ticks alone: no agreement",
            ),
            (
                (answer(EngineName.TICKS, PROVED), answer(EngineName.SMT, None, no_run_up_to=8)),
                VACUOUS,
                PROVED,
                "ticks alone: no agreement",
            ),
            ((answer(EngineName.TICKS, PROVED), answer(EngineName.ZONES, PROVED)), PROVED, PROVED, "2 engines"),
            ((answer(EngineName.TICKS, VIOLATED, 6), answer(EngineName.SMT, VIOLATED, 6, 5)), PROVED, VIOLATED, "2 engines"),
            ((answer(EngineName.TICKS, VIOLATED), answer(EngineName.REPLAY, VIOLATED)), PROVED, VIOLATED, "ticks, and replay"),
            (
                (answer(EngineName.ZONES, PROVED), answer(EngineName.CERTIFICATE, PROVED)),
                PROVED,
                PROVED,
                "zones, and certificate",
            ),
            (
                (answer(EngineName.TICKS, VACUOUS), answer(EngineName.ZONES, VACUOUS)),
                VACUOUS,
                VACUOUS,
                "what must be possible never happens",
            ),
        ],
    )
    def test_no_disagreement(self, answers: tuple[EngineAnswer, ...], agreement: Verdict, verdict: Verdict, summary: str) -> None:
        """Two answers that decide are an agreement, one is not."""
        one = row(*answers)
        assert (one.disagreements, one.agreement, one.verdict, one.summary) == ([], agreement, verdict, summary)

    @pytest.mark.parametrize(
        ("answers", "disagreement"),
        [
            ((answer(EngineName.TICKS, PROVED), answer(EngineName.ZONES, VIOLATED, 5)), "ticks: it holds; zones: it does not"),
            ((answer(EngineName.ZONES, PROVED), answer(EngineName.SMT, VIOLATED, 5)), "zones: it holds; smt: it does not"),
            ((answer(EngineName.ZONES, VACUOUS), answer(EngineName.HORN, VIOLATED)), "zones: it holds; horn: it does not"),
            (
                (answer(EngineName.TICKS, PROVED), answer(EngineName.ZONES, VACUOUS)),
                "ticks and zones differ about what is possible",
            ),
            (
                (answer(EngineName.TICKS, VIOLATED, 8), answer(EngineName.SMT, None, no_run_up_to=8)),
                "smt: no run of up to 8 steps; ticks: one of 8",
            ),
            (
                (answer(EngineName.TICKS, VIOLATED, 8), answer(EngineName.SMT, None, no_run_up_to=inf)),
                "smt: no run of up to inf steps; ticks: one of 8",
            ),
            (
                (answer(EngineName.TICKS, VIOLATED, 8), answer(EngineName.SMT, VIOLATED, 9, 8)),
                "smt: no run of up to 8 steps; ticks: one of 8",
            ),
            ((answer(EngineName.TICKS, PROVED), answer(EngineName.CERTIFICATE, DISAGREEMENT)), "certificate: for a reason"),
        ],
    )
    def test_disagreement(self, answers: tuple[EngineAnswer, ...], disagreement: str) -> None:
        """Contradictions, in either order of the answers."""
        for order in (answers, answers[::-1]):
            one = row(*order)
            assert one.disagreements == [disagreement]
            assert (one.agreement, one.verdict, one.summary) == (DISAGREEMENT, DISAGREEMENT, disagreement)


# --- the command ---------------------------------------------------------------------------------------------------


class TestCommand:
    """``timewait agree``."""

    def test_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A table for each configuration, and a summary."""
        code, out, _ = run(capsys, "agree", SMALL, "--jobs", "1")
        assert code == 0
        for text in (
            "violated (7)",
            "violated (9)",
            "none at all",
            "accepted",
            "replayed",
            "MSL 2s",
            "5 properties",
            "not asked:",
        ):
            assert text in out
        assert "agreed by two engines or more: 5" in out
        assert out.rstrip().endswith("verdict: AGREED")

    def test_for_programs(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """One object, printed and written; a prefix selects several configurations."""
        target = tmp_path / "agreement.json"
        code, out, err = run(capsys, "agree", "core, no duplicates", "--json", "--out", str(target))
        assert code == 0
        data = json.loads(out)
        assert data == json.loads(target.read_text())
        assert data["verdict"] == "proved"
        assert [one["case"] for one in data["configurations"]] == ["core, no duplicates", "core, no duplicates, short"]
        answers = {answer["who"]: answer for answer in data["configurations"][1]["properties"][0]["answers"]}
        del answers["horn"]["seconds"]
        assert answers["horn"] == {
            "who": "horn",
            "decided": False,
            "told": "not asked",
            "steps": None,
            "reason": "copies are counted",
        }
        assert answers["zones"]["told"] == "violated (6)"
        assert err.count("agreed in") == 2

    def test_out_of_time_is_no_agreement(self, capsys: pytest.CaptureFixture[str]) -> None:
        """No engine decides, or the graph alone: never exit code 0."""
        code, out, _ = run(capsys, "agree", SMALL, "--jobs", "1", "--max-seconds", "1e-6")
        assert code == 30
        assert "graph alone: no agreement" in out
        assert out.rstrip().endswith("verdict: NO AGREEMENT")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("nothing of the kind",), "begins with 'nothing of the kind'"),
            (("core", "--jobs", "0"), "--jobs"),
            (("core", "--max-seconds", "0"), "--max-seconds"),
            (("core", "--out", "/nowhere/at/all.json"), "cannot write /nowhere/at/all.json"),
        ],
    )
    def test_usage(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
        """One clear line, at once."""
        code, out, err = run(capsys, "agree", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("timewait: ")
        assert err.count("\n") == 1
        assert message in err
