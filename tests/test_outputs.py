"""What every command prints: at any width, with and without colour, in the words and units of people.

Every command of the command table has an output here; `test_every_command_is_looked_at` notices one that has none.
"""

from __future__ import annotations

import io
import os
import re
import sys
from fractions import Fraction
from pathlib import Path

import click
import pytest
from commands import run

from timewait.cli.console import COLUMNS
from timewait.cli.diagram import diagram_command
from timewait.cli.main import COMMANDS, main
from timewait.proofs.claims import CLAIMS
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.description import configuration_in_words
from timewait.spec.stacks import MissingValue, load_stack, stack_names
from timewait.spec.state import State, in_rfc_spelling, state_named

EXAMPLES = Path(__file__).parent.parent / "examples"
TRACE, CAPTURE = (str(EXAMPLES / name) for name in ("trace.itf.json", "capture.pcapng"))
CLOSE = ("--msl", "1s", "--rto", "1s")

OUTPUTS = {
    "check": (*CLOSE, "--time-wait", "1.9s", "--property", "graceful", "--explain"),
    "threshold": (*CLOSE, "--scope", "core", "--property", "graceful"),
    "sweep": ("--msl", "1s", "--rto", "1s", "--time-wait", "1s,2s", "--scope", "core", "--out", "{folder}/rows.csv"),
    "ci": (str(EXAMPLES / "stack" / "timewait.toml"), "--stack", "tiny", "--question", "one loss"),
    "init": ("{folder}/stack",),
    "prove": ("C15", "--no-cache"),
    "certify": (str(EXAMPLES / "stack" / "tiny.toml"),),
    "agree": ("picoTCP",),
    "explain": (CAPTURE, "--steps"),
    "run": ("--scenario", "old-duplicate"),
    "view": (TRACE, "--out", "{folder}/page.html"),
    "diagram": ("--help",),
    "diagram states": ("--state", "time-wait"),
    "diagram sequence": ("--trace", TRACE),
    "diagram composition": (*CLOSE, "--time-wait", "2s"),
    "diagram region": (),
    "convert": (TRACE, "--to", "mermaid"),
    "export": ("--to", "promela", *CLOSE, "--time-wait", "2s", "--scope", "core"),
    "conform": ("--help",),
    "stacks": ("freertos",),
    "diff": ("picotcp", "uip"),
    "glossary": (),
    "help": ("time-wait",),
    "host": (),
    "replay": ("--help",),
    "learn": ("--help",),
    "risk": ("--loss-rate", "1%", "--rtt", "50ms", "--samples", "100", "--rate-of-reuse", "1000", "--duplicates", "0.1%"),
    "capacity": ("--rate", "1000/s", "--time-wait", "60s", "--host"),
    "ways": ("--box", "conntrack"),
}
"""The arguments of each command; ``{folder}`` stands for an empty folder."""

FILES = ("convert", "export")
"""Commands whose output is a file of other tools, which has its own lines."""

LONG = pytest.mark.slow
WORDS_THAT_RIDDLE = re.compile(r"\b(?:tol[d]|ow(?:ed|es)|fates?|noise|rounds|round(?! trip))\b")
ODD_NUMBERS = re.compile(r"(?<![\d.])\d{4,}(?:\.\d+)?(?:us|ms|s|m)\b|\b\d+/\d+ ?(?:us|ms|s|m)\b")


def printed(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints on standard output, or else its error."""
    arguments = [argument.format(folder=folder) for argument in OUTPUTS[name]]
    _, out, problem = run(capsys, *name.split(), *arguments)
    return out or problem


def test_every_command_is_looked_at() -> None:
    """Also each that is below another one."""
    assert {*OUTPUTS} == {*COMMANDS, *(f"diagram {name}" for name in diagram_command.commands)}


@pytest.mark.parametrize("width", [60, pytest.param(80, marks=LONG), pytest.param(120, marks=LONG)])
@pytest.mark.parametrize("name", OUTPUTS)
def test_lines_are_in_order(
    name: str, width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They fit and end in no blank; without a terminal no escape sequence is among them; words and units are those of people."""
    monkeypatch.setenv(COLUMNS, str(width))
    monkeypatch.setenv("COLUMNS", str(width))
    text = printed(name, tmp_path, capsys)
    lines = text.splitlines()
    assert lines
    assert "\x1b" not in text
    assert [line for line in lines if line != line.rstrip()] == []
    assert not WORDS_THAT_RIDDLE.findall(text)
    assert not ODD_NUMBERS.findall(text)  # lengths of time of thousands of their unit
    if name not in FILES and not text.startswith("timewait: "):  # an error is one line where nobody looks at a terminal
        assert [line for line in lines if len(line) > width] == []


class TerminalOutput(io.StringIO):
    """Standard output as a terminal."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> str:
    """What a command writes on a terminal."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream := TerminalOutput())
        patched.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
        for key, value in environment.items():
            patched.setenv(key, value)
        with pytest.raises(SystemExit):
            main([*arguments])
    return stream.getvalue()


@pytest.mark.parametrize("name", ["check", "stacks", "risk", "run", "diff", "host"])
def test_colour_is_nothing_but_colour(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``NO_COLOR`` and a dumb terminal have the same text without any escape sequence."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    arguments = [name, *(argument.format(folder=tmp_path) for argument in OUTPUTS[name])]
    seconds = re.compile(r"\d+\.\d\d s")
    coloured = on_terminal(monkeypatch, *arguments, TERM="xterm")
    assert "\x1b[" in coloured
    unstyled = seconds.sub("", click.unstyle(coloured))
    assert [line for line in unstyled.splitlines() if line != line.rstrip()] == []
    for plain in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        text = on_terminal(monkeypatch, *arguments, **plain)
        assert "\x1b" not in text
        assert seconds.sub("", text) == unstyled


@pytest.mark.parametrize("state", State)
def test_a_state_has_many_names(state: State) -> None:
    """As RFC 9293, a program, ``netstat`` and a person write it, in any case."""
    rfc, program = in_rfc_spelling(state), str(state)
    for name in {rfc, program, rfc.lower(), program.lower(), rfc.title(), program.replace("_", ""), program.replace("_", " ")}:
        assert state_named(name) is state


@pytest.mark.parametrize(
    ("name", "state"), [("FIN_WAIT1", State.FIN_WAIT_1), ("estab", State.ESTABLISHED), ("SYN_RECV", State.SYN_RECEIVED)]
)
def test_names_of_other_programs(name: str, state: State) -> None:
    """``ss`` and ``netstat`` abbreviate."""
    assert state_named(name) is state


@pytest.mark.parametrize("command", [("diagram", "states", "--state"), ("help",)], ids=" ".join)
def test_a_state_is_read_in_both_spellings(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Everywhere."""
    texts = {run(capsys, *command, name)[:2] for name in ("last-ack", "LAST_ACK", "Last-Ack")}
    assert len(texts) == 1
    assert next(iter(texts))[0] == 0


@pytest.mark.parametrize("state", ["TIME-WAIT", "CLOSE-WAIT"])
def test_a_state_in_a_file_has_the_lines_of_its_picture(state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its meaning is no line of its own length."""
    file = tmp_path / "state.txt"
    assert run(capsys, "diagram", "states", "--state", state, "--out", str(file))[0] == 0
    assert max(map(len, file.read_text().splitlines())) <= 100


def test_no_such_state() -> None:
    """The message names the nearest."""
    with pytest.raises(ValueError, match="did you mean TIME_WAIT"):
        state_named("time-wit")
    with pytest.raises(ValueError, match="such as TIME-WAIT"):
        state_named("zzz")


@pytest.mark.parametrize("claim", ["C99", "c1x", "C07"])
def test_an_unknown_claim_gets_the_nearest(claim: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And no list of all."""
    code, _, problem = run(capsys, "prove", claim)
    assert code == 2
    assert f"there is no claim {claim!r}; did you mean C" in problem
    assert sum(name in problem.split() for name in CLAIMS) <= 2


@pytest.mark.parametrize("width", [60, 80])
def test_help_breaks_no_name(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Names such as ``no-stray-reset`` and ``--idle-before-close`` can be searched for and copied."""
    monkeypatch.setenv("COLUMNS", str(width))
    for name in COMMANDS:
        _, out, _ = run(capsys, name, "--help")
        assert [line for line in out.splitlines() if line.endswith("-") and not line.endswith(" -")] == []
        assert "..." not in out.partition("Commands:")[2]


@pytest.mark.parametrize("stack", stack_names())
def test_behaviour_is_stated_in_sentences(stack: str) -> None:
    """Of every stack; no setting as its option, and verbs that agree."""
    try:
        configuration = assemble(load_stack(stack), Overrides(msl=Fraction(30), rto=(Fraction(30),), time_wait=Fraction(60)))
    except MissingValue:
        pytest.skip(f"{stack} leaves out what a close needs")
    text = configuration_in_words(configuration, behaviour=True)
    assert "--" not in text
    assert "nothing; each" not in text
    assert not re.search(r" and [^;]* restarts it", text)


def test_the_picture_of_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a capture; each format that a run has."""
    for suffix in ("svg", "txt", "mmd"):
        code, out, _ = run(capsys, "explain", TRACE, "--out", str(tmp_path / f"run.{suffix}"))
        assert code == 0
        assert out.startswith("graceful: ")
        assert "FIN+ACK" in (tmp_path / f"run.{suffix}").read_text()
