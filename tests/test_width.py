"""Every output of a command fits the terminal; repeated rounds of a run are shown once."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import click
import pytest
from commands import run
from runs import trace

from timewait.api import check
from timewait.checker.finding import Budget, Progress
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli import prove as prove_module
from timewait.cli.console import COLUMNS, Screen
from timewait.cli.diagram import diagram_command
from timewait.cli.main import COMMANDS as CLI_COMMANDS
from timewait.cli.main import main
from timewait.cli.table import Cell, fits, records, table
from timewait.diagrams.sequence_text import folded_lanes
from timewait.narration.rounds import rounds
from timewait.proofs.claims import CLAIMS
from timewait.proofs.suite import ClaimResult, decide_claim
from timewait.spec.scenarios import SCENARIOS

SHORT = ("--msl", "1s", "--rto", "1s", "--time-wait", "1.9s", "--scope", "core", "--loss", "1")
COMMANDS = {
    "check": ("check", *SHORT),
    "explain": ("check", *SHORT, "--explain", "--property", "graceful"),
    "a stack": ("check", "--stack", "linux", "--msl", "30s", "--closers", "a", "--property", "graceful"),
    "endless": ("check", "--stack", "rfc9293", "--msl", "30s", "--loss", "0", "--property", "quiet"),
    "threshold": ("threshold", *SHORT[:4], "--scope", "core"),
    "formula": ("threshold", "--symbolic", "--scope", "core", "--property", "graceful", "--ratios", "1,1"),
    "stack": ("stacks", "linux"),
    "stacks": ("stacks",),
    **{name: ("run", "--scenario", name) for name in SCENARIOS},
    "scenarios": ("run",),
    "capacity": ("capacity", "--rate", "1000/s", "--time-wait", "60s"),
    "risks": ("risk", "--loss-rate", "1%", "--rtt", "50ms", "--rate-of-reuse", "1000", "--duplicates", "0.1%"),
    "risk": ("risk", "--loss-rate", "1%", "--rtt", "50ms", "--time-wait", "10s"),
    "term": ("glossary", "MSL"),
    "help": ("help", "graceful"),
    "difference": ("diff", "linux", "freebsd"),
    "capture": ("explain", "examples/capture.pcapng"),
    "captured run": ("explain", "examples/trace.itf.json"),
    **{f"{name} --help": (name, "--help") for name in CLI_COMMANDS},
    **{f"diagram {name} --help": ("diagram", name, "--help") for name in diagram_command.commands},
}


@pytest.mark.parametrize("width", [pytest.param(60, marks=pytest.mark.slow), 80, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_too_long(name: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """At 60, 80 and 120 columns, on standard output."""
    monkeypatch.setenv(COLUMNS, str(width))
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = run(capsys, *COMMANDS[name])
    assert out
    too_long = [line for line in out.splitlines() if len(line) > width]
    assert not too_long


@pytest.mark.parametrize("width", [60, 80, 120])
def test_words_of_a_table_stay_whole(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In columns, or, where these are too narrow, in rows one below the other."""
    monkeypatch.setenv(COLUMNS, str(width))
    _, out, _ = run(capsys, "stacks")
    words = out.replace(",", " ").replace(";", " ").split()
    assert words.count("unacceptable") == 4
    assert "rfc9293-intended" in words
    assert [line for line in out.splitlines() if len(line) > width] == []


def test_a_table_breaks_no_word() -> None:
    """A wide column gives way before a narrow one whose word is long, the gaps before both; then the rows are no columns."""
    rows = [[Cell("rfc9293-intended"), Cell("one two three four"), Cell("TIME_WAIT")]]
    heads = ("stack", "words", "state")
    lines = [click.unstyle(line) for line in table(heads, rows, 36)]
    assert all(len(line) <= 36 for line in lines)
    assert {"rfc9293-intended", "three", "TIME_WAIT"} <= {word for line in lines for word in line.split()}
    assert fits(heads, rows, 32)
    assert not fits(heads, rows, 31)
    assert [*map(click.unstyle, records(heads, rows, 31))] == [
        "stack rfc9293-intended",
        "  words: one two three four;",
        "  state: TIME_WAIT",
    ]


@pytest.mark.parametrize("width", range(40, 60))
def test_a_number_keeps_its_unit(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same line."""
    monkeypatch.setenv(COLUMNS, str(width))
    text = "tiny: one loss: time-wait-kept   PROVED, as expected   0.52 s, 100 MB"
    Screen().line(text)
    out = capsys.readouterr().out
    assert out.split() == text.split()
    assert "0.52 s" in out
    assert "100 MB" in out


def test_no_cell_is_a_tower() -> None:
    """Where prose would take many short lines, the rows are no columns."""
    heads, rows = ("setting", "meaning"), [[Cell("s" * 30), Cell("some words of prose " * 10)]]
    assert fits(heads, rows, 80)
    absent = [Cell("ticks"), Cell("-")]
    assert [*map(click.unstyle, records(("engine", "answer"), [absent], 50))] == ["engine ticks"]
    assert not fits(heads, rows, 50)
    assert all(len(click.unstyle(line)) <= 50 for line in records(heads, rows, 50))


def test_columns_of_states_are_as_wide_as_a_state(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of a new incarnation stand below one another, so that the wire has room."""
    monkeypatch.setenv(COLUMNS, "64")
    _, out, _ = run(capsys, "run", "--scenario", "clean-close")
    assert "new incarnation" not in out
    assert "(A sends FIN+ACK seq=1 ack=1)" in out


def test_a_first_command_is_short(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The run of a scenario at 80 columns has two lines a step at most."""
    monkeypatch.setenv(COLUMNS, "80")
    for name in SCENARIOS:
        _, out, _ = run(capsys, "run", "--scenario", name)
        assert len(out.splitlines()) <= 2 * len(trace(name).steps) + 8


# --- rounds ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def linux() -> Trace:
    """The run by which Linux violates graceful: many retransmissions in a row."""
    found = check(stack="linux", msl="30s", closers="a", properties=["graceful"]).trace
    assert found is not None
    return found


def test_rounds_cover_every_step_once(linux: Trace) -> None:
    """In order, whether they repeat or not."""
    covered = [number for part in rounds(linux) for number in range(part.first, part.end + 1)]
    assert covered == [step.number for step in linux.steps]


def test_repeated_rounds_are_folded(linux: Trace) -> None:
    """Seven retransmissions in a row, of which one is shown; the times may differ, nothing else."""
    folded = [part for part in rounds(linux) if part.count > 1]
    assert [(part.first, part.last, part.count, part.end) for part in folded] == [(5, 5, 7, 11)]
    rows = [*folded_lanes(linux)]
    shown = [int(row.number) for row in rows if row.number]
    assert shown == [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17, 18]
    (fold,) = [row.wire for row in rows if not row.number]
    assert fold == ("6 more times, like step 5", "the last at 25.4s, step 11")


def test_rounds_of_several_steps() -> None:
    """And none where a step differs in more than its time, or where the rounds are two."""
    run = trace("clean-close")
    step = run.steps[0]

    def made(*texts: str) -> Trace:
        event = step.event
        steps = [
            type(step)(number, Fraction(number), Fraction(1), type(event)(event.actor, text), {}, step.state)
            for number, text in enumerate(texts, start=1)
        ]
        return Trace("", "", run.initial, tuple(steps))

    first = ("retransmits after 1s", "receives ACK (2s old)")
    again = made(*(*first, "retransmits after 3m20s", "receives ACK (0 old)") * 2, "calls CLOSE")
    assert [(part.first, part.last, part.count) for part in rounds(again)] == [(1, 2, 4), (9, 9, 1)]
    twice = made("a", "b", "a", "b")
    assert all(part.count == 1 for part in rounds(twice))
    other = made("sends seq=1", "sends seq=2", "sends seq=3")
    assert all(part.count == 1 for part in rounds(other))


# --- prove ----------------------------------------------------------------------------------------------------------


def decide_as(monkeypatch: pytest.MonkeyPatch, results: list[ClaimResult]) -> None:
    """Let ``prove`` find some results."""

    def decided(*names: str, jobs: int, out: object, cache: object, cluster: str) -> Iterator[ClaimResult]:
        del names, jobs, out, cache, cluster
        return iter(results)

    monkeypatch.setattr(prove_module, "prove", decided)


@pytest.fixture(scope="module")
def c15() -> ClaimResult:
    """A counterexample that is expected."""
    return decide_claim("C15")


@pytest.fixture
def decided(c15: ClaimResult, monkeypatch: pytest.MonkeyPatch) -> ClaimResult:
    """The only claim that `prove` decides."""
    result = c15
    decide_as(monkeypatch, [result])
    return result


@pytest.mark.usefixtures("decided")
def test_an_expected_counterexample_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """The table calls it a counterexample, and the last line counts it as expected."""
    code, out, notes = run(capsys, "prove", "C15")
    assert code == 0
    assert out.splitlines()[-1] == "1 of 1 as expected"
    assert "VIOLATED" not in out
    assert notes.splitlines()[0].startswith("deciding 1 claim")
    assert "1 of 1: C15 counterexample in" in notes


def test_a_surprise_looks_like_one(
    decided: ClaimResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counterexample where a proof is expected."""
    surprise = replace(decided, pieces=tuple(replace(piece, expected=Verdict.PROVED) for piece in decided.pieces))
    decide_as(monkeypatch, [decided, surprise])
    code, out, _ = run(capsys, "prove", "C15", "C9")
    assert code == 10
    assert out.splitlines()[-1] == "1 of 2 as expected"
    assert "VIOLATED, not as expected" in " ".join(out.split())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_of_claims_fits(
    width: int, decided: ClaimResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every statement."""
    everything = [replace(decided, name=name, statement=claim.statement) for name, claim in CLAIMS.items()]
    decide_as(monkeypatch, everything)
    monkeypatch.setenv(COLUMNS, str(width))
    _, out, _ = run(capsys, "prove")
    assert not [line for line in out.splitlines() if len(line) > width]


# --- standard error -------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Standard error as a terminal of some width."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--stack", "zzz"),
        ("check", "--property", "zzz"),
        ("certify", "nothing.smt2"),
        ("check", "--html", "/nowhere/x.html"),
    ],
    ids=lambda arguments: "-".join(arguments[:2]),
)
def test_an_error_fits_the_terminal(arguments: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In lines between words, and in one line where standard error is none."""
    said = []
    for terminal in (True, False):
        stream = Terminal() if terminal else io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((width, 24)))
        with pytest.raises(SystemExit):
            main([*arguments])
        said.append(stream.getvalue())
    folded, line = said
    assert max(map(len, folded.splitlines())) <= width
    assert line.count("\n") == 1
    assert folded.split() == line.split()


def test_a_note_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its length."""
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((60, 24)))
    Screen().note("a note of many words " * 20)
    lines = [click.unstyle(line) for line in stream.getvalue().splitlines()]
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize(
    ("states", "depth", "shown"),
    [(1, 0, ""), (551, 0, "551 states, 1 a second, 100 MB"), (9, 3, "9 states, depth 3, 1 a second, 100 MB")],
)
def test_progress_is_that_of_an_exploration(states: int, depth: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of the one state with which it begins."""
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    Screen().progress(Progress(states, depth, 1.0, 100.0))
    assert click.unstyle(stream.getvalue()).strip() == shown


def test_progress_of_many_explorations_fills_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty in turn, each of which reports every second."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    screen = Screen()
    for second in range(600):
        now[0] = second + 0.5
        screen.progress(Progress(100 + second % 30, 1, 1.0, 100.0))
    assert 15 < len(stream.getvalue().splitlines()) < 60
    assert "100 states" in stream.getvalue().splitlines()[0]


def test_progress_fills_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour takes a few dozen lines, the first after a second."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    reports: list[float] = []
    budget = Budget(seconds=3600.0, listener=lambda _: reports.append(now[0]), started=0.0, _reported=0.0)
    for second in range(3600):
        now[0] = second + 0.5
        assert not budget.exceeded(1, 1)
    assert reports[0] < 2
    assert 20 < len(reports) < 80
    assert all(later - one <= max(1.0, later / 10) + 1 for one, later in pairwise(reports))
