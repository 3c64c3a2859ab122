"""Free texts on command lines: each is a name that is known, or refused in one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from bad_inputs import INPUTS, damaged_text, within
from click.shell_completion import BashComplete
from commands import run

from timewait.cli.agree import _chosen
from timewait.cli.certify import asked_by_options
from timewait.cli.expectations import read_expectations
from timewait.cli.glossary import explained
from timewait.cli.main import COMPLETE, cli
from timewait.cli.questions import asked
from timewait.proofs.claim_files import registered
from timewait.proofs.claims import CLAIMS
from timewait.spec.stacks import load_stack
from timewait.vocabulary.errors import InputError, RequestError
from timewait.vocabulary.untrusted import unprintable, visible

EXPECTED = read_expectations(Path(__file__).parent.parent / "examples/stack/timewait.toml")

GOOD = (
    *("check", "--time-wait", "tcp_fin_timeout", "graceful", "C9", "TIME-WAIT", "FIN_WAIT_2", "stray segment", "quotient"),
    *("cannot assign requested address", "what restarts the timer?", "net.ipv4.tcp_tw_reuse", "linux", "rfc9293-intended"),
    *(
        "freebsd",
        "one loss",
        "three losses",
        "core, enough",
        "diagram states",
        "--loss 1 --msl 2s",
        "Broken pipe (32)",
        "LAST_ACK",
    ),
)

WORDS = (
    *("9" * 5_000, "\x1b[31m", "\n", "\ud800", "\u202e", "\0", "\u0663", "\u00b2", "İ", "ß", " ", "--", "-", "_", ".", "..", "*"),
    *("?", "(", "[", "\\", "'", '"', "%", "$(x)", "`x`", "~", "{}", "{0}", "a" * 3_000, "the " * 500, "\u2028", "\ufeff", "='"),
)


def complete(text: str) -> None:
    """The completions of a line that is not finished."""
    shell = BashComplete(cli, {}, "timewait", COMPLETE)
    words = text.split()
    for found in shell.get_completions(words[:-1], words[-1] if words else ""):
        assert isinstance(found.value, str)


READERS: dict[str, Callable[[str], object]] = {
    "glossary": explained,
    "questions": asked,
    "stack": lambda text: load_stack(text.replace("/", "").replace(".toml", "")),
    "prove": lambda text: registered([text.replace("/", "").replace(".py", "")]),
    "agree": lambda text: _chosen((text,)),
    "ci": lambda text: EXPECTED.about([], [text]),
    "certify": lambda text: asked_by_options(text.split()),
    "completion": complete,
}
"""What reads each kind of text; those of files are read elsewhere."""


def fuzz(name: str, number: int, seed: int) -> tuple[int, int]:
    """Read damaged texts; returns how many were known, and how many were not."""
    rng, read, accepted, refused = random.Random(seed), READERS[name], 0, 0
    for _ in range(number):
        text = damaged_text(rng, rng.choice((*GOOD, *CLAIMS)), WORDS) if rng.random() < 0.9 else rng.choice(GOOD)
        message = ""
        try:
            with within(10):
                read(text)
        except click.ClickException as problem:
            message = problem.format_message()
        except (InputError, RequestError) as problem:
            message = str(problem)
        else:
            accepted += 1
        refused += bool(message)
        assert not unprintable(visible(" ".join(message.split()))), text
    return accepted, refused


@pytest.mark.parametrize("name", READERS)
def test_damaged_words(name: str) -> None:
    """Every one is known, or refused in a line."""
    accepted, refused = fuzz(name, 150, 1)
    assert accepted
    assert refused or name in ("questions", "completion")


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_words_at_length(name: str) -> None:
    """The same, a hundred thousand times."""
    fuzz(name, INPUTS, 2)


def topics(number: int, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Ask for help on damaged topics: an explanation, or one line."""
    rng = random.Random(seed)
    for _ in range(number):
        text = damaged_text(rng, rng.choice(GOOD), WORDS)
        with within(20):
            code, out, err = run(capsys, "help", "--", *text.split())
        assert (code, err) == (0, "") or (code, out, err.count("\n")) == (2, "", 1), text
        assert not unprintable(out.replace("\n", "") + err.replace("\n", "")), text


def test_damaged_topics(capsys: pytest.CaptureFixture[str]) -> None:
    """Every one is explained or refused."""
    topics(30, 1, capsys)


@pytest.mark.slow
def test_damaged_topics_at_length(capsys: pytest.CaptureFixture[str]) -> None:
    """The same, a hundred thousand times."""
    topics(INPUTS, 2, capsys)
