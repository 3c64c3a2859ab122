"""Commands that run in a folder, and the processor time and processes of each."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MARK = "TIMEWAIT_TEST_OF_KILLS"
"""The variable of the environment by which processes of one run are recognised."""


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

    def __init__(self, words: Sequence[str], folder: Path, mark: str, piped: Path | None = None) -> None:
        environment = os.environ | {MARK: mark, "XDG_CACHE_HOME": str(folder / "cache")}
        line = [sys.executable, "-m", "timewait", *words]
        self._errors = folder.with_name(f"{mark}.errors")
        self._writer = None if piped is None else subprocess.Popen(["cat", piped], stdout=subprocess.PIPE, process_group=0)
        source = subprocess.DEVNULL if self._writer is None else self._writer.stdout
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of what a shell runs in the background; it would be inherited
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with self._errors.open("wb") as stream:
            self._process = subprocess.Popen(
                line, cwd=folder, env=environment, stdin=source, stdout=subprocess.DEVNULL, stderr=stream, start_new_session=True
            )
        if self._writer is not None and self._writer.stdout is not None:
            self._writer.stdout.close()  # the command alone reads from it
        self._begun = time.monotonic()
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

    def until_clock(self, seconds: float) -> float:
        """Wait until so many seconds of the clock have gone by since the start; returns the processor time that is spent."""
        time.sleep(max(0.0, self._begun + seconds - time.monotonic()))
        return self.spent()

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
        if self._writer is not None:
            self._writer.wait(limit)


def left_behind(mark: str, seconds: float = 10) -> list[int]:
    """The processes of a run that are still there after a while."""
    deadline = time.monotonic() + seconds
    while (found := processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for number in found:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return found
