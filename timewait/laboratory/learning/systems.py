"""The systems that can be learned: the kernel of this machine, and an endpoint of the specification."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import Protocol

from timewait.laboratory.crafted_peer import CraftedConnection, CraftedPeer
from timewait.spec.endpoint import allowed_calls, running, segment_arrives, timer_fires, user_calls
from timewait.spec.graph_events import EndpointEvent
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import ESTABLISHED, State

DELAYED_ACK = 0.25
"""Seconds within which a kernel acknowledges a FIN, at the latest."""

SETTINGS = {"tcp_rto_min_us": 30_000_000, "tcp_invalid_ratelimit": 0}
"""No retransmission disturbs a query, and every segment is answered, however soon after another."""


class LearnedSystem(Protocol):
    """A system that can be reset, and reacts to events in a deterministic way."""

    def reset(self) -> None:
        """Open a new connection; the end is in ESTABLISHED."""
        ...

    def apply(self, event: EndpointEvent) -> tuple[Segment, ...]:
        """Let an event reach the end; what it sends, with relative numbers."""
        ...

    @property
    def state(self) -> State:
        """The state of the end, by its own account; used for names alone."""
        ...

    def close(self) -> None:
        """Let go of the system."""
        ...


class SpecifiedEnd:
    """An endpoint of the specification.

    Parameters
    ----------
    behaviour : Behaviour
        Its settings.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._block = ESTABLISHED

    def reset(self) -> None:
        self._block = ESTABLISHED

    def apply(self, event: EndpointEvent) -> tuple[Segment, ...]:
        if isinstance(event, Segment):
            outcome = segment_arrives(self._block, event, self._behaviour)
        elif isinstance(event, Timer):
            if event not in running(self._block, self._behaviour):
                return ()
            outcome = timer_fires(self._block, event, self._behaviour)
        elif event in allowed_calls(self._block):
            outcome = user_calls(self._block, event, self._behaviour)
        else:
            return ()
        self._block = outcome.block
        return outcome.replies

    @property
    def state(self) -> State:
        return self._block.state

    def close(self) -> None:
        """Nothing is held."""


class KernelEnd:
    """The kernel of this machine; make it in the process of the laboratory only.

    Parameters
    ----------
    abandons : bool
        Whether CLOSE is close() rather than shutdown().
    """

    def __init__(self, abandons: bool) -> None:
        self._abandons = abandons
        self._peer = CraftedPeer()
        self._connection: CraftedConnection | None = None
        for name, value in SETTINGS.items():
            self._peer.host.namespace.set_if_known(f"ipv4/{name}", value)

    @property
    def _open(self) -> CraftedConnection:
        assert self._connection is not None, "reset() comes first"
        return self._connection

    def reset(self) -> None:
        self._forget()
        self._connection = self._peer.connect()

    def _forget(self) -> None:
        if self._connection is not None:
            local, remote = self._connection.local, self._connection.remote
            self._connection.close()
            with suppress(OSError):
                self._peer.host.diagnosis.destroy(local, remote)
            self._connection = None

    def apply(self, event: EndpointEvent) -> tuple[Segment, ...]:
        self._open.inbox.clear()
        patience = 0.0
        if isinstance(event, Segment):
            self._acknowledge_at_once()
            self._open.send(event)
            patience = DELAYED_ACK if event.fin else 0.0
        elif event is Timer.TIME_WAIT:
            if self.state is State.TIME_WAIT:
                self._peer.host.cut_timer(self._open.local, self._open.remote)
        elif event is Call.CLOSE:
            self._close()
        self._read(patience)
        replies = tuple(self._open.inbox)
        self._open.inbox.clear()
        return replies

    def _acknowledge_at_once(self) -> None:
        if self._open.socket is not None:
            with suppress(OSError):
                self._open.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _close(self) -> None:
        if self._open.socket is None:
            return
        if self._abandons:
            self._open.abandon()
        else:
            with suppress(OSError):
                self._open.socket.shutdown(socket.SHUT_WR)

    def _read(self, patience: float) -> None:
        """Read what the kernel has sent; where nothing came, wait for some seconds."""
        end = time.monotonic() + patience
        self._peer.read()
        while not self._open.inbox and (left := end - time.monotonic()) > 0:
            select.select([self._peer.host.link], [], [], left)
            self._peer.read()

    @property
    def state(self) -> State:
        return self._open.state

    def close(self) -> None:
        self._forget()
        self._peer.close()
