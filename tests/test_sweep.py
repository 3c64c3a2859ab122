"""``sweep``: a grid of questions, a row for each, and files that grow by whole rows."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from commands import run

from timewait.api import check
from timewait.cli import sweep as command
from timewait.cli.sweep import durations, losses
from timewait.cli.sweep_rows import RowFile, row_file
from timewait.sweep import Grid, answer

GRID = ("--msl", "1s,2s", "--time-wait", "1s..2s", "--rto", "1s", "--loss", "0..1")
"""Eight questions of a small kind."""

FIXED: dict[str, Any] = {"closers": "a", "scope": "core", "data": (0, 0), "duplication": "any", "fifo": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s,30s,2m", [10, 30, 120]),
        ("1s..4s", [1, 2, 3, 4]),
        ("1m..3m", [60, 120, 180]),
        ("0.5s..1.5s/500ms", [Fraction(1, 2), 1, Fraction(3, 2)]),
        ("1s..2s,2s,5s", [1, 2, 5]),
        ("2s..2s", [2]),
    ],
)
def test_durations(text: str, expected: list[Fraction]) -> None:
    """Lists and ranges, each value once."""
    assert durations(text) == expected


@pytest.mark.parametrize("text", ["", "1", "3s..1s", "1s..", "..3s", "1s..3s/0s", "0s..1000000s", "1s..x", "1s,,2s", "any..3"])
def test_no_durations(text: str) -> None:
    """What makes no sense, or is too much, is refused."""
    with pytest.raises(ValueError, match=r"\S"):
        durations(text)


def test_losses() -> None:
    """Numbers, ranges, and any."""
    assert losses("0..2,any") == [0, 1, 2, None]
    with pytest.raises(ValueError, match="range"):
        losses("any..2")


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Questions are decided in this process; the list of those that were."""
    asked: list[Any] = []

    def rows(grid: Grid, done: set[Any], jobs: int, cluster: str) -> Any:
        del jobs, cluster
        for point in grid.points():
            if grid.key_of(point) not in done:
                asked.append(point)
                yield answer(point, {**grid.fixed, "properties": grid.properties})

    monkeypatch.setattr(command, "rows", rows)
    return asked


def table(path: Path) -> list[dict[str, Any]]:
    """The rows of a file in any format, with the cells as text."""
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return [dict(row) for row in parquet.read_table(path).to_pylist()]
    text = path.read_text()
    return list(csv.DictReader(text.splitlines())) if path.suffix == ".csv" else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_rows(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], decided: list[Any]) -> None:
    """Each question has a row with the verdicts of ``check``; a second run asks nothing, a wider one what is new."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    code, out, err = run(capsys, "sweep", *GRID, "--scope", "core", "--out", str(path))
    assert (code, err.splitlines()[0].startswith("8 questions, 0 of them")) == (0, True)
    rows = table(path)
    assert len(rows) == len(decided) == 8
    for row in rows:
        lengths: dict[str, Any] = {key: f"{Fraction(str(row[key]))}s" for key in ("msl", "time_wait", "rto")}
        loss = int(float(row["loss"]))
        found = check(**lengths, loss=loss, scope="core", closers="a", properties=["graceful", "isolation"])
        assert [row["graceful"], row["isolation"]] == [str(found["graceful"].verdict), str(found["isolation"].verdict)]
        assert row["verdict"] == str(found.verdict)
    before = path.read_bytes()
    assert run(capsys, "sweep", *GRID, "--scope", "core", "--out", str(path))[0] == 0
    assert (path.read_bytes(), len(decided)) == (before, 8) or name == "a.parquet"
    run(capsys, "sweep", *GRID[:-1], "0..2", "--scope", "core", "--out", str(path))
    assert len(table(path)) == len(decided) == 12
    assert "12 rows" not in out
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_changed_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str], decided: list[Any]) -> None:
    """Its questions are asked again; answers about the profile as it was do not count."""
    profile = tmp_path / "mine.toml"
    text = Path("spec/stacks/lwip.toml").read_text(encoding="utf-8").replace('"lwip"', '"mine"')
    out = tmp_path / "rows.csv"
    asked = ("sweep", "--stack", str(profile), "--msl", "60s", "--rto", "10s", "--scope", "core", "--out", str(out))
    for length, count in (("120s", 1), ("120s", 1), ("1s", 2), ("1s", 2)):
        profile.write_text(text.replace('"120s"', f'"{length}"'), encoding="utf-8")
        run(capsys, *asked)
        assert len(decided) == count
    assert [row["verdict"] for row in table(out)] == ["proved", "violated"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_cut_off(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], decided: list[Any]) -> None:
    """A file that was cut off anywhere keeps its whole rows, and the others are decided again."""
    path = tmp_path / name
    arguments = ("sweep", *GRID, "--scope", "core", "--out", str(path))
    run(capsys, *arguments)
    whole, first = path.read_bytes(), path.read_bytes().find(b"\n") + 1
    draw = random.Random(3)
    for end in [0, first // 2, *(draw.randrange(first, len(whole)) for _ in range(3))]:
        path.write_bytes(whole[:end])
        decided.clear()
        assert run(capsys, *arguments)[0] == 0
        kept = max(whole[:end].count(b"\n") - name.endswith(".csv"), 0)
        assert len(decided) == 8 - kept
        assert len(table(path)) == 8


FOREIGN = [b"hello\n", b"hello", b"stack,msl\n1,2\n", b'{"stack": 1}\n', b"\xff\xfe\n", b"[" * 5000 + b"\n", b"{}\n{}\n", b"1\n"]


@pytest.mark.parametrize("content", FOREIGN)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_another_file(content: bytes, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of something else is refused in one line, and stays as it is."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_bytes(content)
    code, out, err = run(capsys, "sweep", *GRID, "--out", str(path))
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert path.read_bytes() == content


def test_one_writer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run that writes the same file is refused."""
    path = tmp_path / "a.csv"
    grid = Grid({}, FIXED, ("graceful",), "1")
    with row_file(path, grid.columns):
        code, _, err = run(capsys, "sweep", *GRID, "--property", "graceful", "--out", str(path))
    assert (code, "another run" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--msl", "1s", "--out", "a.txt"), "format"),
        (("--msl", "1s", "--out", "none/a.csv"), "cannot write"),
        (("--msl", "1s", "--stack", "nosuch", "--out", "a.csv"), "nosuch"),
        (("--msl", "x", "--out", "a.csv"), "--msl"),
        (("--msl", "1s", "--time-wait", "1s..9000s", "--rto", "1s..9000s", "--out", "a.csv"), "questions"),
    ],
)
def test_usage(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes no sense is one line, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "sweep", *arguments)
    assert (code, out, words in err) == (2, "", True), err
    assert not list(tmp_path.iterdir())


def test_inconclusive_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str], decided: list[Any]) -> None:
    """What reaches a bound, or needs a value that the stack does not state, is a row with its reason, and no success."""
    path = tmp_path / "a.csv"
    arguments = ("sweep", "--msl", "1s", "--time-wait", "2s", "--rto", "1s", "--out", str(path))
    code, out, _ = run(capsys, *arguments, "--max-states", "1", "--property", "graceful")
    (row,) = table(path)
    assert (code, row["verdict"], "inconclusive: 1" in out) == (20, "inconclusive", True)
    assert "stopped at" in row["reason"]
    point = dict.fromkeys(("stack", "msl", "time_wait", "rto", "loss"), "")
    unknown = answer({**point, "stack": "freertos", "loss": "1"}, {**FIXED, "properties": ("graceful",)})
    assert (unknown["verdict"], unknown["graceful"], bool(unknown["reason"])) == ("inconclusive", "inconclusive", True)
    assert len(decided) == 1


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that does not fit is cut off by the next run, which has the whole ones."""
    path = tmp_path / "a.csv"
    grid = Grid({}, FIXED, ("graceful",), "1")
    row = dict.fromkeys(grid.columns, "x") | {"verdict": "proved"}
    with row_file(path, grid.columns) as file:
        file.add(row)
        written = path.read_bytes()
        monkeypatch.setattr(os, "write", _some_then_full(os.write))
        with pytest.raises(Exception, match="No space"):
            file.add(row)
    monkeypatch.undo()
    assert len(path.read_bytes()) > len(written)
    with row_file(path, grid.columns) as again:
        assert again.rows == [row]
        assert path.read_bytes() == written


def _some_then_full(write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
    full = iter((False, True))

    def some(handle: int, data: bytes) -> int:
        if next(full):
            raise OSError(28, os.strerror(28))
        return write(handle, data[: len(data) // 2])

    return some


def test_cells_that_could_be_misread(tmp_path: Path) -> None:
    """Commas, quotes, line breaks and control characters in a reason stay one row."""
    grid = Grid({}, FIXED, ("graceful",), "1")
    for name in ("a.csv", "a.jsonl"):
        row = dict.fromkeys(grid.columns, "x") | {"verdict": "proved", "reason": 'a, "b"; c'}
        with row_file(tmp_path / name, grid.columns) as file:
            file.add(row)
            file.add(row | {"reason": "a\nb\x1b[31m"})
        with row_file(tmp_path / name, grid.columns) as again:
            assert again.rows[0] == row
            assert "\n" not in again.rows[1]["reason"]
            assert isinstance(again, RowFile)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_goes_on(number: int, tmp_path: Path) -> None:
    """A run that is ended in the middle keeps its rows; started again, it repeats at most the questions in flight."""
    path = tmp_path / "a.csv"
    command_line = [sys.executable, "-m", "timewait", "sweep", *GRID, "--time-wait", "1s..6s", "--out", str(path)]
    running = subprocess.Popen(command_line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not path.exists() or path.read_bytes().count(b"\n") < 4:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(number)
    running.wait(60)
    kept = path.read_bytes()
    done = kept.count(b"\n") - 1
    again = subprocess.run(command_line, capture_output=True, text=True, check=False)
    assert (again.returncode, f"24 questions, {done} of them" in again.stderr) == (0, True)
    assert path.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    rows = table(path)
    assert len(rows) == len({tuple(row[name] for name in ("msl", "time_wait", "rto", "loss")) for row in rows}) == 24
