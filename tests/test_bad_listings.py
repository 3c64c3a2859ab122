"""Listings, tables and rows that anybody may have written: each is read, or refused in one line; no file is endless."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import click
import pytest
from bad_inputs import INPUTS, damaged_octets, damaged_text, within
from test_bad_values import commands
from test_host import DEFAULTS, FREEBSD

from timewait.capacity.load import read_load
from timewait.cli.main import cli, main
from timewait.cli.sweep_rows import row_file
from timewait.machine.linux_settings import read_linux
from timewait.machine.profile import host_profile
from timewait.machine.reading import report
from timewait.machine.sources import settings_of_file
from timewait.proofs.memory import _read, with_digest
from timewait.sweep import Grid
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.input_files import read_octets
from timewait.vocabulary.untrusted import unprintable

LINUX = "".join(f"net.ipv4.{name} = {value}\n" for name, value in DEFAULTS.items())

LOAD = "time,rate\n0,1000\n10,2500.5\n60.25,0\n"

WORDS = (
    *("9" * 25, "9" * 5_000, "-1", "0", "65536", "1e9", "nan", "1/0", "\n", "\r", "\0", '"', ",", "=", ":", " ", "\x1b[31m", "é"),
    *(
        "\u2028",
        "\u202e",
        "\ufeff",
        "{",
        "}",
        "null",
        "true",
        "[]",
        "proved",
        "net.ipv4.",
        "net.inet.",
        "time,rate\n",
        "x" * 140_000,
    ),
)

COLUMNS = Grid({}, {}, ("graceful",), "1").columns
ROW = dict.fromkeys(COLUMNS, "1") | {"verdict": "proved", "graceful": "proved", "stack": "linux", "reason": "a, b"}


def as_csv() -> str:
    """Rows of a sweep."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([COLUMNS, ROW.values(), ROW.values()])
    return stream.getvalue()


def as_lines() -> str:
    """The same as JSON lines."""
    numbers: dict[str, object] = {**ROW, "msl": 1, "rto": 2.5}
    return f"{json.dumps(numbers)}\n{json.dumps(numbers)}\n"


def as_parquet() -> bytes:
    """The same as Parquet."""
    stream = io.BytesIO()
    numbers: dict[str, object] = {**ROW, "msl": 1.0, "rto": 2.5, "loss": None}
    table = pytest.importorskip("pyarrow").table({name: [value, value] for name, value in numbers.items()})
    pytest.importorskip("pyarrow.parquet").write_table(table, stream)
    return stream.getvalue()


def read_host(path: Path) -> None:
    """Read and explain the settings of a machine."""
    source = settings_of_file(path)
    found = report(source)
    assert not any(map(unprintable, [found.headline, *(entry.meaning + entry.value for entry in found.settings)]))
    with suppress(InputError):
        host_profile(read_linux(source))


def read_rows(path: Path) -> None:
    """Go on with the rows of a sweep."""
    with row_file(path, COLUMNS) as file:
        assert all(isinstance(cell, str) for row in file.rows for cell in row.values())
        file.add(ROW)


def recall(path: Path) -> None:
    """Read a remembered result; whatever is wrong with it, the question is asked again."""
    try:
        _read(path, {"engine": "zones"})
    except (ValueError, LookupError, TypeError) as problem:
        raise InputError("spoiled") from problem


REMEMBERED = with_digest(
    f"{json.dumps({'question': {'engine': 'zones'}, 'facts': [1, 'a', None]})}\n; timewait certificate {{}}\n"
)

READERS: dict[str, tuple[str, str | bytes, Callable[[Path], object]]] = {
    "linux": ("saved.txt", LINUX, read_host),
    "freebsd": ("saved.txt", FREEBSD, read_host),
    "load": ("load.csv", LOAD, lambda path: [*read_load(path, Fraction(1))]),
    "csv": ("rows.csv", as_csv(), read_rows),
    "jsonl": ("rows.jsonl", as_lines(), read_rows),
    "parquet": ("rows.parquet", as_parquet(), read_rows),
    "remembered": ("result.smt2", REMEMBERED, recall),
}
"""For each reader a name of a file, good content, and how it is read."""


def fuzz(name: str, number: int, seed: int, folder: Path) -> tuple[int, int]:
    """Read damaged files; returns how many were accepted, and how many were not."""
    file, good, read = READERS[name]
    text = good if isinstance(good, str) else ""
    rng, path, accepted, refused = random.Random(seed), folder / file, 0, 0
    for _ in range(number):
        octets = good.encode() if isinstance(good, str) else good
        if text and rng.random() < 0.6:
            octets = damaged_text(rng, text, WORDS).encode("utf-8", "surrogatepass")
        if rng.random() < 0.5:
            octets = damaged_octets(rng, octets)
        path.write_bytes(octets)
        message = ""
        try:
            with within(20):
                read(path)
        except (InputError, click.UsageError) as problem:
            message = problem.message if isinstance(problem, click.UsageError) else str(problem)
            refused += 1
        else:
            accepted += 1
        assert "\n" not in message
    return accepted, refused


@pytest.mark.parametrize("name", READERS)
def test_damaged_listings(name: str, tmp_path: Path) -> None:
    """Every one is read, or refused in one line."""
    assert all(fuzz(name, 400, 1, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_listings_at_length(name: str, tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(name, INPUTS, 2, tmp_path)


@pytest.mark.parametrize("name", ["load", "csv"])
def test_a_field_without_end(name: str, tmp_path: Path) -> None:
    """The reader of CSV has a limit of its own."""
    file, text, read = READERS[name]
    path = tmp_path / file
    path.write_text(f"{text!s}{'x' * 140_000}\n")
    with pytest.raises(InputError, match=r"line [45]"):
        read(path)


@pytest.mark.parametrize("kind", ["zeros", "octets", "empty", "folder", "endless"])
def test_no_parquet(kind: str, tmp_path: Path) -> None:
    """A file that is none is refused."""
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    if kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes({"zeros": bytes(1_000), "octets": bytes(range(256)), "empty": b""}[kind])
    with pytest.raises((InputError, click.UsageError)):
        read_rows(path)


ENDLESS = (
    *(("stacks", "X"), ("certify", "X"), ("view", "X", "--out", "a.html"), ("convert", "X", "--to", "pcapng", "--out", "a")),
    *(("ci", "X"), ("explain", "X"), ("host", "--from", "X"), ("capacity", "--load", "X"), ("prove", "X"), ("replay", "X")),
    ("check", "--stack", "X", "--msl", "1s"),
)


@pytest.mark.parametrize("words", ENDLESS, ids=[words[0] for words in ENDLESS])
def test_a_device_without_end(words: tuple[str, ...], tmp_path: Path) -> None:
    """Each command stops reading at a limit."""
    line = [sys.executable, "-m", "timewait", *("/dev/zero" if word == "X" else word for word in words)]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (3, "", 1)
    assert not [*tmp_path.iterdir()]


def test_a_limit(tmp_path: Path) -> None:
    """A file may be as large as the limit, and no larger."""
    path = tmp_path / "some"
    path.write_bytes(bytes(1 << 20))
    assert len(read_octets(path, 1 << 20)) == 1 << 20
    with pytest.raises(OSError, match="it is larger than 0 MB"):
        read_octets(path, (1 << 20) - 1)


def gone(words: tuple[str, ...], **environment: str) -> Iterator[tuple[int, str]]:
    """The exit codes and errors of a command whose output nobody reads, on a full disk and without standard output."""
    line = ["env", *(f"{name}={value}" for name, value in environment.items()), sys.executable, "-m", "timewait", *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        yield running.wait(120), running.stderr.read().decode()
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
            yield ended.returncode, ended.stderr
    closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *line], stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    yield closed.returncode, closed.stderr


@pytest.mark.parametrize(
    "words",
    [
        *(("stacks",), ("explain", str(Path("examples", "capture.pcapng").resolve())), ("help", "check"), ("help", "--man")),
        ("--version",),
    ],
    ids=" ".join,
)
def test_output_that_goes_nowhere(words: tuple[str, ...]) -> None:
    """A pipe without a reader ends the command in silence, a full disk in one line, and a closed stream changes nothing."""
    full = (2, "timewait: cannot write standard output: No space left on device\n")
    assert [*gone(words)] in ([(141, ""), full, (0, "")], [(141, ""), (0, "")])


def test_completion_that_goes_nowhere() -> None:
    """The same for what a shell asks for."""
    full = (2, "timewait: cannot write standard output: No space left on device\n")
    for asked in ("bash_source", "bash_complete"):
        found = [*gone((), _TIMEWAIT_COMPLETE=asked, COMP_WORDS="timewait ch", COMP_CWORD="1")]
        assert found in ([(141, ""), full, (0, "")], [(141, ""), (0, "")])


@pytest.mark.parametrize("command", [words for words, _ in commands(cli)], ids=str)
def test_help_on_a_full_disk(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and the exit code of each command's help."""

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert (ended.value.code, capsys.readouterr().err.count("\n")) == (2, 1)
