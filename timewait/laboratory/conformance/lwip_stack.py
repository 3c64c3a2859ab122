"""lwIP as a running stack: Debian's liblwip in a process of its own, with a virtual clock: two minutes take microseconds.

A program of a few pages (``lwip_shim.c``) is compiled where there is a C compiler. It gives lwIP a device whose other side
is this process, and moves lwIP's clock.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Self

from timewait.captures.headers import CapturedPacket
from timewait.laboratory.conformance.experiment import Observation, Stimulus, as_specified, placed
from timewait.laboratory.isolation import LaboratoryUnavailable
from timewait.laboratory.packets import CraftedEnd, decoded
from timewait.spec.graph_events import EndpointEvent
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.state import State

COMPILERS = ("cc", "gcc", "clang")
INCLUDES = "/usr/include/lwip"
ADDRESS, PEER = ("192.0.2.1", 5_000), ("192.0.2.2", 80)
"""Addresses for documentation (RFC 5737)."""
PORTS = range(5_000, 60_000)
ISN = 1_000

STATES = (
    State.CLOSED,
    State.LISTEN,
    State.SYN_SENT,
    State.SYN_RECEIVED,
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
)
"""The states by their numbers in lwIP (enum tcp_state)."""

CALLS = {Call.SEND: "send", Call.ABORT: "abort"}


class LwipStack:
    """LwIP with a virtual clock, as a context: its process ends with it.

    Attributes
    ----------
    name : str
        ``"lwip"``.
    version : str
        Its version.
    aids : tuple of str
        What is not lwIP's default.

    Raises
    ------
    LaboratoryUnavailable
        There is no C compiler, or no lwIP.
    """

    name = "lwip"

    def __init__(self) -> None:
        if reason := lwip_missing():
            raise LaboratoryUnavailable(reason)
        with TemporaryDirectory() as folder:
            program = Path(folder) / "lwip"
            reason = _compile(program)
            if reason:
                raise LaboratoryUnavailable(reason)
            pipe = subprocess.PIPE
            # In a group of its own, so that Ctrl-C of a terminal interrupts this process alone; it ends when its input does.
            self._process = subprocess.Popen([program], stdin=pipe, stdout=pipe, text=True, bufsize=1, process_group=0)
            self.version = self._line()
        self.aids: tuple[str, ...] = ("virtual clock", "no algorithm of Nagle (tcp_nagle_disable)")
        self._port = PORTS.start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def carry_out(self, scripts: Sequence[tuple[Stimulus, ...]], abandons: bool) -> Iterator[tuple[Observation, ...]]:
        """Carry out experiments (`timewait.laboratory.conformance.experiment.RunningStack`)."""
        for script in scripts:
            yield self._carry_out(script, abandons)

    def _carry_out(self, script: tuple[Stimulus, ...], abandons: bool) -> tuple[Observation, ...]:
        self._port = self._port + 1 if self._port + 1 in PORTS else PORTS.start
        end = CraftedEnd(PEER, (ADDRESS[0], self._port), ISN)
        self._ask(f"open {self._port} {ADDRESS[0]} {PEER[0]} {PEER[1]}", end)
        self._ask(f"input {self._port} {end.written(Segment(0, 1, syn=True)).hex()}", end)
        observed: list[Observation] = []
        abandoned = False
        state, mark = State.ESTABLISHED, 0
        for stimulus in script:
            abandoned = abandoned or (abandons and stimulus.event is Call.CLOSE) or stimulus.event is Call.ABORT
            sent = None
            if isinstance(stimulus.event, Segment):
                sent = placed(stimulus.event, stimulus.from_edge, end.right_edge)
            raw, after, read, later = self._ask(self._command(stimulus.event, sent, end, abandons), end)
            replies = tuple(as_specified(reply, stimulus.event, sent) for reply in raw)
            restarted = state is State.TIME_WAIT is after and later != mark
            observed.append(Observation(replies, after, None if abandoned else read, restarted))
            state, mark = after, later
        self._ask(f"abort {self._port}", end)
        return tuple(observed)

    def _command(self, event: EndpointEvent, sent: Segment | None, end: CraftedEnd, abandons: bool) -> str:
        """The command for an event; a segment as it is sent."""
        if sent is not None:
            return f"input {self._port} {end.written(sent).hex()}"
        if isinstance(event, Timer):
            return f"expire {self._port}"
        assert isinstance(event, Call)
        return f"{CALLS.get(event) or ('close' if abandons else 'shutdown')} {self._port}"

    def _ask(self, command: str, end: CraftedEnd) -> tuple[tuple[Segment, ...], State, int, int]:
        """Give a command; the packets that lwIP sent, its state, the octets read, and the mark of the TIME-WAIT timer."""
        with suppress(BrokenPipeError):  # it has ended, and gives no answer
            _pipe(self._process.stdin).write(command + "\n")
        replies = []
        while (line := self._line()).startswith("packet "):
            fields = decoded(bytes.fromhex(line.partition(" ")[2]))
            assert isinstance(fields, CapturedPacket)
            replies.append(end.read(fields))
        _, state, read, mark = line.split()
        return tuple(replies), STATES[int(state)], int(read), int(mark)

    def _line(self) -> str:
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise LaboratoryUnavailable(f"the process of lwIP ended with {self._process.wait()}")
        return line.strip()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _compiler() -> str | None:
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def _compile(program: Path) -> str:
    """Compile the shim; returns the reason, in one line, why that failed, or nothing."""
    compiler = _compiler()
    if compiler is None:
        return f"lwIP needs a C compiler: one of {', '.join(COMPILERS)}"
    with resources.as_file(resources.files(__package__).joinpath("lwip_shim.c")) as source:
        command = [compiler, "-O1", "-I", INCLUDES, "-o", str(program), str(source), "-llwip"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return ""
    first = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr.strip())
    return f"lwIP cannot be compiled (Debian: liblwip-dev): {first}"


@cache
def lwip_missing() -> str:
    """The reason, in one line, why lwIP cannot run here; empty if it can."""
    with TemporaryDirectory() as folder:
        return _compile(Path(folder) / "lwip")
