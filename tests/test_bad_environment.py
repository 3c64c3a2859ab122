"""The environment of a process, in which anything may stand: each variable is used, or refused in one line."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import click
import pytest
from bad_inputs import INPUTS, damaged_text, within
from click.shell_completion import get_completion_class
from commands import run

from timewait.cli.console import COLUMNS, Screen
from timewait.cli.main import COMPLETE, check_completion_request, cli
from timewait.cli.prove import _users_cache
from timewait.cli.reports import SUMMARY
from timewait.formats.source_locations import WORKSPACE, users_location

GOOD = (
    "80",
    "132",
    "0",
    "/tmp",
    "relative",
    "bash_complete",
    "zsh_complete",
    "fish_complete",
    "bash_source",
    "timewait check --ms",
)

WORDS = (
    *(
        "9" * 5_000,
        "9" * 15,
        "-1",
        "1e9",
        "\u00b2",
        "\u0661\u0662",
        "\x1b[31m",
        "\n",
        "\udcff",
        "\u202e",
        " ",
        "",
        "/",
        "..",
        "~",
    ),
    *("x" * 5_000, "/dev/full", "_", "'", '"', "\\", "$HOME", "--", "timewait ", "check ", "--stack li", "nan", "\u2028"),
)


def write_lines() -> None:
    """Write prose, a line and a table in the width that is stated."""
    screen = Screen()
    assert screen.width is None or 40 <= screen.width < 10_000
    screen.line("a line of some words " * 20)
    screen.paragraphs(["prose of some words " * 20])
    screen.table(("one", "two"), [("a", "b " * 60), ("c", "d")])


def locate() -> None:
    """Name a line of a file relative to the workspace."""
    assert users_location(Path("some.toml"), 1).line == 1


def find_cache() -> None:
    """Name the folder of proofs of this user."""
    folder = _users_cache()
    assert folder is None or folder.is_absolute()


def complete() -> None:
    """Answer a shell."""
    if not os.environ.get(COMPLETE):
        return
    check_completion_request()
    shell, _, what = os.environ[COMPLETE].partition("_")
    kind = get_completion_class(shell)
    assert kind is not None
    if what == "complete":
        kind(cli, {}, "timewait", COMPLETE).complete()


READERS: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "columns": (write_lines, (COLUMNS, "COLUMNS")),
    "workspace": (locate, (WORKSPACE,)),
    "cache": (find_cache, ("XDG_CACHE_HOME", "HOME")),
    "completion": (complete, (COMPLETE, "COMP_WORDS", "COMP_CWORD")),
}
"""For each reader what it does, and the variables that it reads."""


def fuzz(name: str, number: int, seed: int) -> tuple[int, int]:
    """Read damaged variables; returns how often they were used, and how often refused."""
    rng, used, refused = random.Random(seed), 0, 0
    read, variables = READERS[name]
    before = dict(os.environ)
    try:
        for _ in range(number):
            for variable in variables:
                text = rng.choice(GOOD)
                text = damaged_text(rng, text, WORDS) if rng.random() < 0.7 else text
                if rng.random() < 0.1:
                    os.environ.pop(variable, None)
                else:
                    os.environ[variable] = os.fsdecode(text.encode("utf-8", "surrogateescape")).replace("\0", "")
            message = ""
            try:
                with within(10), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                    read()
                used += 1
            except click.UsageError as problem:
                message = problem.format_message()
                refused += 1
            assert "\n" not in message
    finally:
        os.environ.clear()
        os.environ.update(before)
    return used, refused


@pytest.mark.parametrize("name", READERS)
def test_damaged_environment(name: str) -> None:
    """Every one is used or refused."""
    used, refused = fuzz(name, 200, 1)
    assert used
    assert refused or name != "completion"


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_environment_at_length(name: str) -> None:
    """The same, a hundred thousand times."""
    fuzz(name, INPUTS, 2)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({COMPLETE: "bogus"}, "no request such as"),
        ({COMPLETE: "bash"}, "no request such as"),
        ({COMPLETE: "bash_complete"}, "COMP_WORDS"),
        ({COMPLETE: "bash_complete", "COMP_WORDS": "timewait ch"}, "COMP_WORDS"),
        ({COMPLETE: "fish_complete", "COMP_WORDS": "timewait ch"}, "COMP_WORDS"),
        ({COMPLETE: "fish_complete", "COMP_WORDS": "timewait ch", "COMP_CWORD": " "}, "COMP_WORDS"),
        ({COMPLETE: "zsh_complete", "COMP_WORDS": "timewait ch", "COMP_CWORD": "x"}, "COMP_WORDS"),
        ({COMPLETE: "zsh_complete", "COMP_WORDS": "timewait ch", "COMP_CWORD": "9" * 5_000}, "COMP_WORDS"),
    ],
)
def test_no_request_for_completions(
    environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line instead of a traceback or silence."""
    for variable in (COMPLETE, "COMP_WORDS", "COMP_CWORD"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    code, out, err = run(capsys, "stacks")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_workspace_in_a_circle_of_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is below it."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv(WORKSPACE, str(tmp_path / "loop"))
    monkeypatch.chdir(tmp_path)
    assert users_location(Path("some.toml"), 3).path == "some.toml"
    assert users_location(tmp_path / "loop", 3).line == 3


@pytest.mark.parametrize("value", ["9" * 5_000, "9" * 15, "-1", "\u00b2", "0"])
def test_widths_that_are_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are as good as absent."""
    monkeypatch.setenv(COLUMNS, value)
    assert Screen().width is None


@pytest.mark.parametrize("place", ["folder", "loop", "/dev/full", "nowhere/x"])
def test_a_step_summary_that_cannot_be_written(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is printed, and the line says which file failed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setenv(SUMMARY, str(tmp_path / place))
    words = (
        "check",
        "--msl",
        "1s",
        "--rto",
        "1s",
        "--time-wait",
        "1s",
        "--closers",
        "a",
        "--property",
        "graceful",
        "--loss",
        "0",
    )
    code, out, err = run(capsys, *words, "--github")
    assert (code, "cannot write" in err, err.count("\n")) == (2, True, 1)
    assert "verdict: PROVED" in out
