"""The kernel of this machine as a running stack: many connections at once in the laboratory, one event of each at a time."""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from timewait.laboratory.conformance.experiment import Observation, Stimulus, as_specified, placed
from timewait.laboratory.crafted_peer import CraftedConnection, CraftedPeer
from timewait.laboratory.diagnosis import SocketRecord
from timewait.laboratory.host import CALM
from timewait.laboratory.isolation import LaboratoryUnavailable, isolated
from timewait.laboratory.probe import missing
from timewait.spec.graph_events import EndpointEvent
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.state import State

BATCH = 150
"""Connections at once: few enough that a batch ends long before the first retransmission."""
DELAYED_ACK = 0.06
"""Seconds within which an acknowledgement of text or a FIN is sent (TCP_DELACK_MIN, 40 ms, and a tick)."""
SHIFT = 0.015
"""By how many seconds a restart moves the end of a timer at least: less than `DELAYED_ACK`, more than a tick."""
SETTINGS = {
    "tcp_rto_min_us": 10_000_000,
    "tcp_invalid_ratelimit": 0,
}
"""No retransmission timer disturbs an experiment; every segment is answered, however soon after another."""


class LinuxStack:
    """The kernel of this machine.

    Attributes
    ----------
    name : str
        ``"linux"``.
    version : str
        Its release.
    aids : tuple of str
        The settings that differ from the kernel's defaults, and timers that are cut short.

    Raises
    ------
    LaboratoryUnavailable
        The machine cannot run the laboratory.
    """

    name = "linux"

    def __init__(self) -> None:
        if reason := missing():
            raise LaboratoryUnavailable(reason)
        self.version = platform.release()
        settings = {**CALM, **{f"ipv4/{name}": value for name, value in SETTINGS.items()}}
        self.aids = (
            *(f"{name.removeprefix('ipv4/')} = {value}" for name, value in settings.items()),
            "timers cut short (SOCK_DESTROY)",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def carry_out(self, scripts: Sequence[tuple[Stimulus, ...]], abandons: bool) -> Iterator[tuple[Observation, ...]]:
        """Carry out experiments (`timewait.laboratory.conformance.experiment.RunningStack`)."""
        if scripts:
            yield from isolated(_carry_out, scripts, abandons)


def _carry_out(scripts: Sequence[tuple[Stimulus, ...]], abandons: bool) -> Generator[tuple[Observation, ...]]:
    with CraftedPeer() as peer:
        for name, value in SETTINGS.items():
            peer.host.namespace.set_if_known(f"ipv4/{name}", value)
        for start in range(0, len(scripts), BATCH):
            runs = [_Run(peer, peer.connect(), script, abandons) for script in scripts[start : start + BATCH]]
            for number in range(max(len(run.script) for run in runs)):
                _one_event_of_each(peer, [run for run in runs if number < len(run.script)], number)
            for run in runs:
                run.connection.close()
            peer.read()
            yield from (tuple(run.observed) for run in runs)


def _one_event_of_each(peer: CraftedPeer, runs: Sequence[_Run], number: int) -> None:
    """Let an event reach each connection, wait for delayed acknowledgements, and observe."""
    for run in runs:
        run.apply(run.script[number])
    end = time.monotonic() + DELAYED_ACK
    while (left := end - time.monotonic()) > 0:
        peer.wait(left)
    for run in runs:
        run.observe()


class _Run:
    """One experiment on one connection."""

    def __init__(self, peer: CraftedPeer, connection: CraftedConnection, script: tuple[Stimulus, ...], abandons: bool) -> None:
        self.connection = connection
        self.script = script
        self.observed: list[Observation] = []
        self._peer = peer
        self._abandons = abandons
        self._abandoned = False
        self._read = 0
        self._state = State.ESTABLISHED
        self._ends: float | None = None
        self._event: EndpointEvent = Call.OPEN_ACTIVE
        self._sent: Segment | None = None

    def apply(self, stimulus: Stimulus) -> None:
        """Let an event reach the kernel."""
        event = self._event = stimulus.event
        self._sent = None
        if isinstance(event, Segment):
            self._sent = placed(event, stimulus.from_edge, self.connection.right_edge)
            self.connection.send(self._sent)
        elif isinstance(event, Timer):
            self._peer.host.cut_timer(self.connection.local, self.connection.remote)
        else:
            with suppress(OSError):
                self._call(event)

    def _call(self, call: Call) -> None:
        opened = self.connection.socket
        if opened is None:
            return
        if call is Call.SEND:
            opened.send(b"x")
        elif call is Call.ABORT:
            opened.close()
            self.connection.socket = None
            self._abandoned = True
        elif self._abandons:
            self.connection.abandon()
            self._abandoned = True
        else:
            opened.shutdown(socket.SHUT_WR)

    def observe(self) -> None:
        """Note what can be observed now."""
        if self.connection.socket is not None:
            with suppress(OSError):
                while octets := self.connection.socket.recv(4_096):
                    self._read += len(octets)
        replies = tuple(as_specified(reply, self._event, self._sent) for reply in self.connection.inbox)
        self.connection.inbox.clear()
        record, ends = self._timed_record()
        state = State.CLOSED if record is None else record.state
        moved = self._ends is not None and ends is not None and ends > self._ends + SHIFT
        restarted = moved and self._state is State.TIME_WAIT is state
        self.observed.append(Observation(replies, state, None if self._abandoned else self._read, restarted))
        self._state, self._ends = state, ends

    def _timed_record(self) -> tuple[SocketRecord | None, float | None]:
        """The kernel's record, and the instant at which its timer ends; asked again where the asking took long."""
        while True:
            before = time.monotonic()
            record = self.connection.record()
            after = time.monotonic()
            if after - before < SHIFT / 3:
                return record, None if record is None or not record.small else after + record.left
