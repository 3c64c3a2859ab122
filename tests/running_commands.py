"""Commands that run in a folder, and the processor time and processes of each."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import warm_process

MARK = "TIMEWAIT_TEST_OF_KILLS"
"""The variable of the environment by which processes of one run are recognised."""

MARK_LENGTH = 100
"""Characters of each mark."""

BUSY = 4
"""Processors that a run keeps busy at most, about: so much processor time may be spent in a second."""

GONE = ("Z", "X")
"""The states of a process that has ended: proc(5)."""


def mark_of(text: str) -> str:
    """A mark of the length of all marks.

    Raises
    ------
    ValueError
        The text is longer.
    """
    if len(text) > MARK_LENGTH:
        raise ValueError(f"no mark: {text}")
    return text.ljust(MARK_LENGTH, ".")


def processes(mark: str) -> list[int]:
    """The processes of a run, its descendants in other sessions too."""
    wanted, found = f"{MARK}={mark_of(mark)}".encode(), []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


class Beginning(Protocol):
    """A way in which a run begins."""

    begun_after: float
    """The processor time in seconds, about, that a run takes until ``main`` answers an interrupt; Python does before."""

    def begin(self, words: Sequence[str], folder: Path, mark: str, source: int, errors: int) -> int:
        """Begin a command in a session of its own; returns its process.

        Parameters
        ----------
        words : sequence of str
            The command.
        folder : Path
            The folder in which it runs.
        mark : str
            The mark in the environment of its processes.
        source, errors : int
            The file descriptors of its standard input and of its standard error.
        """

    def end(self, number: int) -> tuple[int, float]:
        """The status and the processor time in seconds of a process that has ended; it vanishes."""


class Fresh:
    """Each run is a process of its own from its first instruction."""

    begun_after = 0.4

    def begin(self, words: Sequence[str], folder: Path, mark: str, source: int, errors: int) -> int:
        """As `Beginning`."""
        line = [sys.executable, "-m", "timewait", *words]
        environment = os.environ | variables(folder, mark)
        process = subprocess.Popen(
            line, cwd=folder, env=environment, stdin=source, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
        process.returncode = 0  # `end` waits for it
        return process.pid

    def end(self, number: int) -> tuple[int, float]:
        """As `Beginning`."""
        _, status, usage = os.wait4(number, 0)
        return status, usage.ru_utime + usage.ru_stime


class Warm:
    """Each run is forked from a process that has imported the command (`warm_process`).

    Attributes
    ----------
    start_up : float
        The processor time of the imports, in seconds, which a fresh run takes before it is where a forked one begins.
    """

    begun_after = 0.06

    def __init__(self, messages: socket.socket) -> None:
        self._messages = messages
        self.start_up: float = self._answer()

    def begin(self, words: Sequence[str], folder: Path, mark: str, source: int, errors: int) -> int:
        """As `Beginning`."""
        run = {"words": words, "folder": str(folder), "shown": {MARK: mark_of(mark)}, "environment": variables(folder, mark)}
        socket.send_fds(self._messages, [json.dumps(run).encode()], [source, errors])
        return int(self._answer())

    def end(self, number: int) -> tuple[int, float]:
        """As `Beginning`."""
        self._messages.send(json.dumps({"ended": number}).encode())
        status, seconds = self._answer()
        return status, seconds

    def _answer(self) -> Any:
        return json.loads(self._messages.recv(warm_process.LARGEST))


@contextmanager
def warm(command: str) -> Iterator[Warm]:
    """A process from which runs of a command are forked.

    Parameters
    ----------
    command : str
        The first word of the command.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line = [sys.executable, warm_process.__file__, command, str(theirs.fileno())]
    environment = os.environ | {MARK: mark_of("")}
    leave_no_interrupt_ignored()
    with subprocess.Popen(line, env=environment, pass_fds=[theirs.fileno()], start_new_session=True) as process, ours:
        theirs.close()
        try:
            yield Warm(ours)
        finally:
            ours.close()
            process.wait(60)


def variables(folder: Path, mark: str) -> Mapping[str, str]:
    """The variables of the environment of a run."""
    return {MARK: mark_of(mark), "XDG_CACHE_HOME": str(folder / "cache")}


def leave_no_interrupt_ignored() -> None:
    """Let processes that begin here get interrupts: what a shell runs in the background ignores them, which is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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

    def __init__(
        self, words: Sequence[str], folder: Path, mark: str, piped: Path | None = None, beginning: Beginning | None = None
    ) -> None:
        self._beginning = Fresh() if beginning is None else beginning
        self._errors = folder.with_name(f"{mark}.errors")
        self._writer = None if piped is None else subprocess.Popen(["cat", piped], stdout=subprocess.PIPE, process_group=0)
        leave_no_interrupt_ignored()
        with self._errors.open("wb") as stream, self._source() as source:
            self.number = self._beginning.begin(words, folder, mark, source, stream.fileno())
        self._begun = time.monotonic()
        self.errors, self.code, self.seconds = "", 0, 0.0

    @contextmanager
    def _source(self) -> Iterator[int]:
        """The standard input: empty, or what comes through the pipe, from which the command alone reads."""
        if self._writer is None or self._writer.stdout is None:
            with Path(os.devnull).open("rb") as nothing:
                yield nothing.fileno()
        else:
            with self._writer.stdout as pipe:
                yield pipe.fileno()

    def _ended(self) -> bool:
        return Path("/proc", str(self.number), "stat").read_text().rpartition(")")[2].split()[0] in GONE

    def spent(self) -> float:
        """The processor time of the process and its descendants until now, in seconds; infinite if it has ended."""
        if self._ended():
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
            time.sleep(max(0.005, (seconds - spent) / BUSY))
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
        while not self._ended():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no end within {limit:g} s")
            time.sleep(0.01)
        status, self.seconds = self._beginning.end(self.number)
        self.code = os.waitstatus_to_exitcode(status)
        self.errors = self._errors.read_text()
        self._errors.unlink()
        if self._writer is not None:
            self._writer.wait(limit)


def left_behind(mark: str, seconds: float = 60) -> list[int]:
    """The processes of a run that are still there after a while."""
    deadline = time.monotonic() + seconds
    while (found := processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for number in found:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return found
