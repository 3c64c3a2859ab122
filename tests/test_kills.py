"""Long commands that are ended at any moment: no process stays, no file is half-written, and no earlier file is lost."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from timewait.checker.certificate import joined, sections
from timewait.checker.finding import Budget
from timewait.proofs.certify import certify_at_values
from timewait.proofs.claims import close

ROOT = Path(__file__).parent.parent

MOMENTS = int(os.environ.get("TIMEWAIT_KILLS", "10"))
"""Random moments at which each command is ended."""

MARK = "TIMEWAIT_TEST_OF_KILLS"
"""The variable of the environment by which processes of one run are recognised."""

EARLIER = "an earlier file\n"

SMALL = ("--msl", "1s", "--rto", "1s")

CAPTURE, TRACE = str(ROOT / "examples/capture.pcapng"), str(ROOT / "examples/trace.itf.json")

SOON = 1.0
"""Seconds of processor time, of all processes together, within which an interrupted command ends."""

SHORT = 0.4
"""Seconds of processor time, about, until a command is loaded; an interrupt before is answered by Python."""


class LongCommand(NamedTuple):
    """A command that takes a while.

    Attributes
    ----------
    words : tuple of str
        The command.
    files : tuple of str
        Files that are there before it runs, and that it writes anew.
    goes_on : str
        A file or folder from which a second run goes on; empty where there is none.
    """

    words: tuple[str, ...]
    files: tuple[str, ...] = ()
    goes_on: str = ""


COMMANDS: dict[str, LongCommand] = {
    "check": LongCommand(
        ("check", *SMALL, "--time-wait", "1s", "--trace", "a.itf.json", "--html", "a.html", "--certificate", "a.smt2"),
        ("a.itf.json", "a.html", "a.smt2"),
    ),
    "solver": LongCommand(
        (
            "check",
            "--msl",
            "2s",
            "--rto",
            "2s",
            "--time-wait",
            "4s",
            "--scope",
            "core",
            "--engine",
            "smt",
            "--certificate",
            "a.smt2",
        ),
        ("a.smt2",),
    ),
    "prove": LongCommand(
        ("prove", "C2", "C15", "--out", "out", "--cache", "cache"), ("out/C15.2.itf.json", "out/C2.1.itf.json"), "cache"
    ),
    "prove for all values": LongCommand(
        ("prove", "../inputs/mine.py", "--out", "out", "--cache", "cache"), ("out/X1.1.smt2",), "cache"
    ),
    "threshold": LongCommand(("threshold", *SMALL, "--json")),
    "formula": LongCommand(("threshold", *SMALL, "--symbolic", "--out", "out"), ("out/piece-1.smt2",)),
    "region": LongCommand(("diagram", "region", "--msl", "1s", "--scope", "core", "--out", "a.svg"), ("a.svg",)),
    "agree": LongCommand(("agree", "core, no loss, enough for one reason", "--max-seconds", "20")),
    "ci": LongCommand(
        ("ci", str(ROOT / "examples/stack/timewait.toml"), "--junit", "a.xml", "--sarif", "a.sarif"), ("a.xml", "a.sarif")
    ),
    "sweep": LongCommand(("sweep", *SMALL, "--time-wait", "1s..4s", "--out", "a.csv"), (), "a.csv"),
    "sweep into Parquet": LongCommand(
        ("sweep", *SMALL, "--time-wait", "1s..4s", "--out", "a.parquet"), (), ".a.parquet.rows.jsonl"
    ),
    "explain": LongCommand(("explain", "../inputs/big.pcapng"), ()),
    "explain a close": LongCommand(("explain", CAPTURE, "--trace", "a.itf.json", "--out", "a.svg"), ("a.itf.json", "a.svg")),
    "view": LongCommand(("view", TRACE, "--out", "a.html"), ("a.html",)),
    "export": LongCommand(
        ("export", *SMALL, "--time-wait", "2s", "--scope", "core", "--to", "promela", "--out", "a.pml"), ("a.pml",)
    ),
    "certify": LongCommand(("certify", "../inputs/long.smt2", "--max-seconds", "60")),
    "risk": LongCommand(("risk", "--loss-rate", "1%", "--rtt", "50ms", "--out", "a.svg"), ("a.svg",)),
    "capacity": LongCommand(("capacity", "--rate", "1000/s", "--time-wait", "60s", "--out", "a.svg"), ("a.svg",)),
    "ways": LongCommand(("ways", "--way", "tw-recycle", "--json")),
    "run": LongCommand(("run", "--scenario", "simultaneous-close", "--out", "a.svg"), ("a.svg",)),
    "all pictures": LongCommand(
        ("diagram", "--all", "--committed", "--out", "out"), ("out/run-c8.svg", "out/README.md", "out/capacity.svg"), "out"
    ),
}
"""Long commands; the kernel's own (``replay``, ``conform``, ``learn``) are killed in ``test_laboratory_killed.py``."""


CLAIM = """
from timewait.checker.verdict import Verdict
from timewait.proofs.claim import claim
from timewait.proofs.claims import core
from timewait.proofs.evidence import for_all

@claim("X1", "2 MSL are enough", "none", Verdict.PROVED)
def enough():
    yield for_all("core", core(1, 2, 1, 1), ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL"))
"""
"""A claim of one's own whose proof is found in a moment."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture of many closes, a file of many certificates, and a claim that carries one."""
    folder = tmp_path_factory.mktemp("inputs")
    octets = Path(CAPTURE).read_bytes()
    (folder / "big.pcapng").write_bytes(octets * 3_000)  # a capture may have several sections
    proof = certify_at_values(close(1, 2, 1, 1), ["graceful"], Budget()).text
    (folder / "long.smt2").write_text(joined([proof] * 8))
    (folder / "mine.py").write_text(CLAIM)
    return folder


def processes(mark: str) -> list[int]:
    """The processes of a run, its descendants in other sessions too."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


class Running:
    """A command that runs in a folder, with a mark in the environment of its processes.

    Attributes
    ----------
    errors : str
        What it wrote on standard error; complete when it has ended.
    code : int
        Its exit code, as of `subprocess.Popen`; known when it has ended.
    seconds : float
        The processor time of all its processes; known when it has ended.
    """

    def __init__(self, words: Sequence[str], folder: Path, mark: str) -> None:
        environment = os.environ | {MARK: mark, "XDG_CACHE_HOME": str(folder / "cache")}
        line = [sys.executable, "-m", "timewait", *words]
        self._errors = folder.with_name(f"{mark}.errors")
        with self._errors.open("wb") as stream:
            self._process = subprocess.Popen(
                line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=stream, start_new_session=True
            )
        self.number, self.errors, self.code, self.seconds = self._process.pid, "", 0, 0.0

    def spent(self) -> float:
        """The processor time of the process and its descendants until now, in seconds; infinite if it has ended."""
        if os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            return math.inf
        ticks, waiting, total = os.sysconf("SC_CLK_TCK"), [self.number], 0.0
        while waiting:
            process = Path("/proc", str(waiting.pop()))
            with suppress(OSError):  # it has ended meanwhile
                total += sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:15])) / ticks
                waiting += [int(child) for child in (process / "task" / process.name / "children").read_text().split()]
        return total

    def until(self, seconds: float) -> float:
        """Wait until this much processor time is spent, or the command has ended; returns what is spent."""
        while (spent := self.spent()) < seconds:
            time.sleep(0.01)
        return spent

    def wait(self, limit: float) -> None:
        """Wait for the end.

        Raises
        ------
        TimeoutError
            It did not come within this many seconds of the clock.
        """
        deadline = time.monotonic() + limit
        while os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no end within {limit:g} s")
            time.sleep(0.01)
        _, status, usage = os.wait4(self.number, 0)
        self.code, self.seconds = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        self._process.returncode = self.code
        self.errors = self._errors.read_text()
        self._errors.unlink()


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


def interrupted_badly(code: int, text: str) -> str:
    """Why an interrupt was not answered in one clear line; empty if it was, or if the command ended before."""
    problems = ["an empty line"] if "\n\n" in f"\n{text}" else []
    problems += [word for word in ("Traceback", "KeyboardInterrupt", "Exception ignored", "Process ") if word in text]
    gone = code == -signal.SIGINT and not text  # when all was done, and Python itself was ending
    return "" if gone or (not problems and code in (*ENDS, 20)) else f"exit {code}: {text[-2000:]}"


ENDS = (0, 10, 20, 40)
"""Exit codes of a command that came to its end."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc on this machine")
@pytest.mark.parametrize("name", COMMANDS)
def test_ended_at_any_moment(name: str, tmp_path: Path, inputs: Path) -> None:
    """By SIGKILL and SIGTERM to the process, and by SIGINT to all of its processes as by a terminal, in turn."""
    command = COMMANDS[name]
    whole = tmp_path / "whole"
    (tmp_path / "inputs").symlink_to(inputs)
    whole.mkdir()
    lasts = finished(command, whole, f"{name}-whole-{os.getpid()}")
    draw, ended, heard = random.Random(name), 0, []
    for moment in range(MOMENTS):
        folder, mark = tmp_path / str(moment), f"{name}-{moment}-{os.getpid()}"
        folder.mkdir()
        for file in command.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(EARLIER)
        number = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[moment % 3]
        running = Running(command.words, folder, mark)
        spent = running.until(max(draw.uniform(0.05, 1.0) * lasts, SHORT if number is signal.SIGINT else 0.0))
        ended += spent < math.inf
        with suppress(ProcessLookupError):
            (os.killpg if number is signal.SIGINT else os.kill)(running.number, number)
        running.wait(120)
        assert left_behind(mark) == [], f"processes stay after {number.name}"
        assert [problem for path in written(folder) if (problem := half_written(path))] == []
        assert all((folder / file).exists() for file in command.files)
        if number is signal.SIGINT:
            assert not (problem := interrupted_badly(running.code, running.errors)), problem
            if spent < math.inf:
                heard.append(running.seconds - spent)
                assert heard[-1] < SOON, f"goes on for {heard[-1]:.1f} s of processor time after {spent:.1f} of {lasts:.1f} s"
        if command.goes_on and moment >= MOMENTS - 3:
            kept = {path.name for path in written(folder)}
            finished(command, folder, f"{mark}-again")
            assert kept <= {path.name for path in written(folder)} | {command.goes_on}
            assert same_answer(command, folder, whole)
        shutil.rmtree(folder)
    assert ended, "no run was ended before its end"
    after = f"{statistics.median(heard):.2f} s at the median, {max(heard):.2f} s at most" if heard else "never interrupted"
    print(f"{name}: {lasts:.1f} s of processor time, {ended} of {MOMENTS} ended before the end; after SIGINT {after}")


def finished(command: LongCommand, folder: Path, mark: str) -> float:
    """Run a command to its end; returns the seconds of processor time."""
    running = Running(command.words, folder, mark)
    running.wait(900)
    assert running.code in ENDS, running.errors
    assert left_behind(mark) == []
    return running.seconds


def same_answer(command: LongCommand, folder: Path, whole: Path) -> bool:
    """Whether a run that went on wrote the files of one that was never ended, and a sweep the same rows."""
    names = [{str(path.relative_to(each)) for path in written(each) if path.name != command.goes_on} for each in (folder, whole)]
    rows = [
        [line.rsplit(",", 1)[0] for line in sorted(path.read_text().splitlines())]
        for each in (folder, whole)
        for path in each.glob("*.csv")
    ]
    return names[0] == names[1] and (not rows or rows[0] == rows[1])
