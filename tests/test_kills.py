"""Long commands that are ended at any moment: no process stays, no file is half-written, and no earlier file is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from timewait.checker.certificate import sections

ROOT = Path(__file__).parent.parent

MOMENTS = int(os.environ.get("TIMEWAIT_KILLS", "10"))
"""Random moments at which each command is ended."""

MARK = "TIMEWAIT_TEST_OF_KILLS"
"""The variable of the environment by which processes of one run are recognised."""

EARLIER = "an earlier file\n"

SMALL = ("--msl", "1s", "--rto", "1s")

COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "check": (
        ("check", *SMALL, "--time-wait", "1s", "--trace", "a.itf.json", "--html", "a.html", "--certificate", "a.smt2"),
        ("a.itf.json", "a.html", "a.smt2"),
    ),
    "prove": (("prove", "C2", "C15", "--out", "out", "--cache", "cache"), ("out/C15.2.itf.json", "out/C2.1.itf.json")),
    "threshold": (("threshold", *SMALL, "--symbolic", "--json"), ()),
    "agree": (("agree", "core, no loss, enough for one reason", "--max-seconds", "20"), ()),
    "ci": (("ci", str(ROOT / "examples/stack/timewait.toml"), "--junit", "a.xml", "--sarif", "a.sarif"), ("a.xml", "a.sarif")),
    "sweep": (("sweep", *SMALL, "--time-wait", "1s..4s", "--out", "a.csv"), ()),
    "explain": (("explain", str(ROOT / "examples/capture.pcapng"), "--trace", "a.itf.json"), ("a.itf.json",)),
    "export": (("export", *SMALL, "--time-wait", "2s", "--scope", "core", "--to", "promela", "--out", "a.pml"), ("a.pml",)),
    "risk": (("risk", "--loss-rate", "1%", "--rtt", "50ms", "--rate-of-reuse", "1000000", "--json"), ()),
}
"""For each command its words, and the files that are there before it runs and that it writes anew."""


def processes(mark: str) -> list[int]:
    """The processes of a run, its descendants in other sessions too."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def started(words: Sequence[str], folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """A command in a folder, with a mark in its environment."""
    environment = os.environ | {MARK: mark, "XDG_CACHE_HOME": str(folder / "cache")}
    line = [sys.executable, "-m", "timewait", *words]
    return subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def left_behind(mark: str, seconds: float = 10) -> list[int]:
    """The processes of a run that are still there after a while."""
    deadline = time.monotonic() + seconds
    while (found := processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for number in found:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return found


def written(folder: Path) -> Iterator[Path]:
    """The files under final names: not those that a run writes beside them first."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            yield path


def half_written(path: Path) -> str:
    """Why a file is not whole; empty if it is, or if it is the earlier one."""
    text = path.read_text()
    if text == EARLIER:
        return ""
    try:
        if path.suffix in (".json", ".sarif"):
            json.loads(text)
        elif path.suffix in (".xml", ".svg"):
            ElementTree.fromstring(text)
        elif path.suffix == ".smt2" and path.parent.name != "cache":
            sections(path)
    except (ValueError, ElementTree.ParseError) as problem:
        return f"{path}: {problem}"
    ends = {".html": "</html>", ".smt2": "(pop 1)\n", ".csv": "\n", ".pml": "\n"}.get(path.suffix, "")
    return "" if text.endswith(ends) else f"{path} ends with {text[-20:]!r}"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc on this machine")
@pytest.mark.parametrize("name", COMMANDS)
def test_ended_at_any_moment(name: str, tmp_path: Path) -> None:
    """By SIGKILL, SIGTERM and SIGINT in turn."""
    words, files = COMMANDS[name]
    begin = time.monotonic()
    (tmp_path / "whole").mkdir()
    assert started(words, tmp_path / "whole", f"{name}-whole").wait(900) in (0, 10, 20, 40)
    lasts = time.monotonic() - begin
    assert left_behind(f"{name}-whole") == []
    draw, ended = random.Random(name), 0
    for moment in range(MOMENTS):
        folder, mark = tmp_path / str(moment), f"{name}-{moment}-{os.getpid()}"
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(EARLIER)
        folder.mkdir(exist_ok=True)
        number = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[moment % 3]
        running = started(words, folder, mark)
        with suppress(subprocess.TimeoutExpired):
            running.wait(draw.uniform(0.1, 1.0) * lasts)
        ended += running.poll() is None
        running.send_signal(number)
        running.wait(60)
        assert left_behind(mark) == [], f"processes stay after {number.name}"
        assert [problem for path in written(folder) if (problem := half_written(path))] == []
        assert all((folder / file).exists() for file in files)
    assert ended, "no run was ended before its end"
