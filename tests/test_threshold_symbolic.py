"""``timewait threshold --symbolic``: the formulas of the claims, their proofs, and one clear line for bad flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run

FORMULA = ("threshold", "--symbolic")
CORE = ("--scope", "core")
BOTH = ("graceful", "isolation")


def formula(
    capsys: pytest.CaptureFixture[str], *arguments: str, properties: tuple[str, ...] = BOTH
) -> tuple[str, dict[str, Any]]:
    """The formula, with every piece proved from both sides, and the JSON output."""
    named = [part for name in properties for part in ("--property", name)]
    code, out, _ = run(capsys, *FORMULA, *named, *arguments, "--json")
    data = json.loads(out)
    assert (code, data["verdict"], data["property"]) == (0, "proved", list(properties))
    for piece in data["pieces"]:
        assert piece["verdict"] == "proved"
        assert f"TIME_WAIT >= {piece['least_time_wait']}" in piece["region"]
        assert piece["breaks"] in properties
        assert piece["schedule"].startswith("+0: ")
        assert (piece["trace"]["property"], piece["trace"]["loop"]) == (piece["breaks"], None)
    return data["least_time_wait"], data


# --- C3: exact thresholds -------------------------------------------------------------------------------------------


def lost(loss: int) -> str:
    """One MSL, and RTO for every loss."""
    return {0: "MSL", 1: "MSL + RTO"}.get(loss, f"MSL + {loss}*RTO")


CORE_ISOLATION = (
    "RTO <= MSL: safe iff TIME_WAIT >= MSL + RTO; MSL <= RTO: safe iff TIME_WAIT >= 2*MSL",
    "RTO <= 1/2*MSL: safe iff TIME_WAIT >= MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 2*MSL;"
    " MSL <= RTO: safe iff TIME_WAIT >= MSL + RTO",
    "RTO <= 1/3*MSL: safe iff TIME_WAIT >= MSL + 3*RTO; 1/3*MSL <= RTO <= 1/2*MSL: safe iff TIME_WAIT >= 2*MSL;"
    " 1/2*MSL <= RTO: safe iff TIME_WAIT >= MSL + 2*RTO",
    "safe iff TIME_WAIT >= max(2*MSL, MSL + 3*RTO)",
)
"""M + max(kR, min((k+1)R, M)), from R = M/4 on."""


def expected(scope: str, loss: int, properties: tuple[str, ...]) -> str:
    """The formula of the theory."""
    if properties == ("graceful",):
        return f"safe iff TIME_WAIT >= {lost(loss)}"
    if scope == "core":
        return CORE_ISOLATION[loss]
    return f"safe iff TIME_WAIT >= {f'max(2*MSL, {lost(loss)})' if loss else '2*MSL'}"


QUICK = {("core", 0, ("isolation",)), ("core", 0, BOTH), ("core", 1, ("isolation",)), ("close", 0, ("isolation",))}


@pytest.mark.parametrize(
    ("scope", "loss", "properties"),
    [
        pytest.param(*case, id="-".join((case[0], str(case[1]), *case[2])), marks=() if case in QUICK else pytest.mark.slow)
        for scope in ("core", "close")
        for loss in range(4)
        for properties in (("graceful",), ("isolation",), BOTH)
        for case in [(scope, loss, properties)]
    ],
)
def test_exact_thresholds(capsys: pytest.CaptureFixture[str], scope: str, loss: int, properties: tuple[str, ...]) -> None:
    """C3."""
    found, _ = formula(capsys, "--scope", scope, "--loss", str(loss), properties=properties)
    assert found == expected(scope, loss, properties)


# --- C16: the answer rule -------------------------------------------------------------------------------------------

STEP_ONE = ("--answers", "fin,unacceptable", "--restarts", "fin")
BARE = ("--answers", "fin,unacceptable,ack", "--restarts", "fin")
BARE_FORMULA = "RTO <= 1/2*MSL: safe iff TIME_WAIT >= 3*MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 4*MSL"


@pytest.mark.parametrize(
    ("answers", "ratios", "found"),
    [
        (STEP_ONE, "1,1", "safe iff TIME_WAIT >= 3*MSL"),
        pytest.param(BARE, "1,1", "safe iff TIME_WAIT >= 4*MSL", marks=pytest.mark.slow),
        pytest.param(BARE, "1/4,1/4", "safe iff TIME_WAIT >= 7/2*MSL", marks=pytest.mark.slow),
        pytest.param(STEP_ONE, "1/4,1", "safe iff TIME_WAIT >= 3*MSL", marks=pytest.mark.slow),
        pytest.param(BARE, "1/4,1", BARE_FORMULA, marks=pytest.mark.slow),
    ],
)
def test_the_answer_rule(capsys: pytest.CaptureFixture[str], answers: tuple[str, ...], ratios: str, found: str) -> None:
    """C16: an answer without a restart can provoke an old copy."""
    assert formula(capsys, *answers, "--ratios", ratios, properties=("isolation",))[0] == found


# --- C5: schedules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gaps", "loss", "ratios", "found"),
    [
        ("1s,2s", 1, "1,2", "MSL + 2*RTO"),
        ("2s,1s", 1, "1,2", "MSL + RTO"),
        pytest.param("3s,1s", 1, "1/2,2", "MSL + RTO", marks=pytest.mark.slow),
        pytest.param("3s,2s,1s", 2, "1/2,2", "MSL + 5/3*RTO", marks=pytest.mark.slow),
        pytest.param("1s,2s,4s", 2, "1/2,2", "MSL + 8*RTO", marks=pytest.mark.slow),
    ],
)
def test_schedules(capsys: pytest.CaptureFixture[str], gaps: str, loss: int, ratios: str, found: str) -> None:
    """C5: MSL and the longest consecutive gaps of a loss window; RTO is the first gap, the last one repeats."""
    arguments = (*CORE, "--rto", gaps, "--loss", str(loss), "--ratios", ratios)
    assert formula(capsys, *arguments, properties=("graceful",))[0] == f"safe iff TIME_WAIT >= {found}"


# --- other ratios ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratios", "rto", "minimum"), [("1,1", "RTO = MSL", "2*MSL"), ("1/2,1/2", "RTO = 1/2*MSL", "3/2*MSL")])
def test_one_ratio(capsys: pytest.CaptureFixture[str], ratios: str, rto: str, minimum: str) -> None:
    """At one ratio the formula is a multiple of MSL."""
    _, data = formula(capsys, *CORE, "--ratios", ratios, properties=("graceful",))
    assert [(piece["rto"], piece["least_time_wait"]) for piece in data["pieces"]] == [(rto, minimum)]


def test_a_change_just_below_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The piece beyond the last change is found."""
    found, _ = formula(capsys, *CORE, "--loss", "0", "--ratios", "3/4,10001/10000", properties=("isolation",))
    assert found == CORE_ISOLATION[0]


# --- no finite TIME_WAIT --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["core", pytest.param("close", marks=pytest.mark.slow)])
def test_any_loss(capsys: pytest.CaptureFixture[str], scope: str) -> None:
    """C6: a loop outlasts every TIME_WAIT."""
    arguments = (*FORMULA, "--scope", scope, "--loss", "any", "--property", "graceful")
    code, out, _ = run(capsys, *arguments)
    assert code == 10
    lines = out.splitlines()
    assert lines[1].startswith("  no finite TIME_WAIT is enough")
    assert "every RTO: no TIME_WAIT is enough" in lines
    assert (
        "  every TIME_WAIT: graceful is violated; legal and violating for all values, by Z3 and by cvc5; replay: confirmed"
        in lines
    )
    assert "again and again [after RTO: B retransmits" in out
    assert lines[-1] == "verdict: VIOLATED"


# --- evidence -------------------------------------------------------------------------------------------------------


def test_written_evidence_is_accepted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A certificate and a trace for each piece, read again by the commands for such files."""
    folder = tmp_path / "new" / "evidence"
    code, out, _ = run(capsys, *FORMULA, *CORE, "--loss", "0", "--property", "isolation", "--out", str(folder))
    assert code == 0
    names = ["piece-1.itf.json", "piece-1.smt2", "piece-2.itf.json", "piece-2.smt2"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert [f"wrote {folder / name}" in out.splitlines() for name in names] == [True] * 4
    for number, minimum, less in ((1, "MSL + RTO", "MSL + 99/100*RTO"), (2, "2*MSL", "199/100*MSL")):
        certificate = folder / f"piece-{number}.smt2"
        code, out, _ = run(capsys, "certify", str(certificate))
        assert (code, "accepted by" in out, f"TIME_WAIT >= {minimum}" in out) == (0, True, True)
        text = certificate.read_text(encoding="utf-8")
        certificate.write_text(text.replace(f'"TIME_WAIT >= {minimum}"', f'"TIME_WAIT >= {less}"', 1), encoding="utf-8")
        assert run(capsys, "certify", str(certificate))[0] == 40
        code, out, _ = run(capsys, "explain", str(folder / f"piece-{number}.itf.json"))
        assert code == 0
        assert "next incarnation" in out


def test_a_pumped_schedule_has_no_certificate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """No TIME_WAIT is safe, so there is only a trace."""
    arguments = (*FORMULA, *CORE, "--loss", "any", "--property", "graceful", "--out", str(tmp_path))
    assert run(capsys, *arguments)[0] == 10
    assert [path.name for path in tmp_path.iterdir()] == ["piece-1.itf.json"]


# --- inconclusive searches and bad flags ----------------------------------------------------------------


def test_a_bound_is_never_a_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """The budget is used up at once."""
    code, out, err = run(capsys, *FORMULA, *CORE, "--max-seconds", "0.000001", "--json")
    data = json.loads(out)
    assert (code, data["verdict"], data["pieces"], data["least_time_wait"]) == (20, "inconclusive", [], None)
    assert err.startswith("not settled: stopped after 1e-06 s")


def test_ratios_too_close_together(capsys: pytest.CaptureFixture[str]) -> None:
    """The search is inconclusive and reports it."""
    code, out, err = run(capsys, *FORMULA, *CORE, "--ratios", "1/1000000000,1/500000000")
    assert code == 20
    assert out.splitlines()[-1] == "verdict: INCONCLUSIVE"
    assert "too close together" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*FORMULA, "--ratios", "2,1"), "the lower ratio comes first"),
        ((*FORMULA, "--ratios", "0,1"), "more than zero"),
        ((*FORMULA, "--ratios", "1"), "'1' is not two ratios"),
        ((*FORMULA, "--ratios", "1/0,1"), "'1/0,1' is not two ratios"),
        ((*FORMULA, "--ratios", "low,high"), "'low,high' is not two ratios"),
        ((*FORMULA, "--limit", "3s"), "--limit and --engine belong to"),
        ((*FORMULA, "--engine", "explicit"), "--limit and --engine belong to"),
        ((*FORMULA, "--duplication", "0"), "needs unlimited duplication and any order"),
        ((*FORMULA, "--fifo"), "needs unlimited duplication and any order"),
        ((*FORMULA, "--property", "closes"), "some of graceful"),
        ((*FORMULA, "--msl", "0"), "MSL must be more than zero"),
        ((*FORMULA, "--stack", "macos"), "give --answers"),
        (("threshold", "--ratios", "1,2"), "--ratios and --out belong to --symbolic"),
        (("threshold", "--out", "evidence"), "--ratios and --out belong to --symbolic"),
    ],
)
def test_bad_flags(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    """One line on standard error, and nothing else."""
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("timewait: ")
    assert err.count("\n") == 1
    assert message in err


def test_nowhere_to_write(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The folder is a file; nothing is written beside it."""
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    code, out, err = run(capsys, *FORMULA, *CORE, "--loss", "0", "--property", "isolation", "--out", str(taken / "evidence"))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"timewait: cannot write {taken / 'evidence'}")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert taken.read_text(encoding="utf-8") == "mine"
