"""One kernel, whose peer is this process: it opens connections with kernel sockets and sends them any segment."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from timewait.captures.headers import CapturedPacket
from timewait.laboratory.diagnosis import SocketRecord
from timewait.laboratory.host import LaboratoryHost
from timewait.laboratory.links import Link, open_link
from timewait.laboratory.namespaces import Namespace
from timewait.laboratory.packets import CraftedEnd, decoded
from timewait.spec.segment import Segment
from timewait.spec.state import State

KERNEL, PEER = "192.0.2.1", "192.0.2.2"
"""Addresses for documentation (RFC 5737)."""
FIRST_PORT, LAST_PORT = 20_000, 60_000
PEER_PORT = 80
PATIENCE = 2.0
"""How long the kernel may take for a handshake, in seconds."""


class CraftedConnection:
    """A connection between a kernel socket and the crafted peer.

    Attributes
    ----------
    socket : socket.socket or None
        The kernel's socket; None once its user has closed it.
    local, remote : (str, int)
        The kernel's address and port, and the peer's.
    inbox : deque of Segment
        The segments that the kernel sent and nobody has taken, oldest first, with relative numbers.
    """

    def __init__(self, peer: CraftedPeer, local: tuple[str, int], remote: tuple[str, int], isn: int) -> None:
        self._peer = peer
        self.socket: socket.socket | None = None
        self.local, self.remote = local, remote
        self.inbox: deque[Segment] = deque()
        self._end = CraftedEnd(remote, local, isn)

    @property
    def right_edge(self) -> int:
        """The first sequence number of the peer beyond the kernel's window, relative."""
        return self._end.right_edge

    def send(self, segment: Segment) -> None:
        """Send a segment with relative numbers to the kernel, which has dealt with it on return."""
        self._peer.host.link.send(self._end.written(segment))

    def receive(self, timeout: float = 0.0) -> Segment | None:
        """Return the next segment of the kernel; None if none comes within some seconds."""
        end = time.monotonic() + timeout
        self._peer.read()
        while not self.inbox and (left := end - time.monotonic()) > 0:
            self._peer.wait(left)
        return self.inbox.popleft() if self.inbox else None

    def record(self) -> SocketRecord | None:
        """Return the kernel's record of the connection; None if it has none."""
        return self._peer.host.diagnosis.find(self.local, self.remote)

    def abandon(self) -> None:
        """Let the user close the socket in order; what the kernel then does, it does alone."""
        if self.socket is not None:
            self._peer.host.abandon(self.socket)
            self.socket = None

    @property
    def state(self) -> State:
        """The state of the kernel's end; CLOSED where the kernel has no record."""
        record = self.record()
        return State.CLOSED if record is None else record.state

    def take(self, fields: CapturedPacket) -> None:
        """Put a packet of the kernel into the inbox."""
        self.inbox.append(self._end.read(fields))

    def close(self) -> None:
        """Forget the connection, and abort it if the kernel still has it (SO_LINGER {1,0})."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        self._peer.forget(self)


class CraftedPeer:
    """A host of the laboratory, and this process as the peer of all its connections.

    Parameters
    ----------
    link : callable
        Makes the link; by default a TUN device where one can be had.

    Attributes
    ----------
    host : LaboratoryHost
        The host.

    Raises
    ------
    LaboratoryUnavailable
        The machine cannot make the host; the message says why.
    """

    def __init__(self, link: Callable[[Namespace, str], Link] = open_link) -> None:
        self.host = LaboratoryHost("kernel", KERNEL, link)
        self._connections: dict[int, CraftedConnection] = {}
        self._port = FIRST_PORT

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def connect(self) -> CraftedConnection:
        """Return a new connection that the kernel has opened to the peer; both ends are in ESTABLISHED.

        Raises
        ------
        TimeoutError
            The kernel does not finish the handshake.
        """
        connection = self._new_connection()
        opening = self.host.socket()
        connection.socket = opening
        opening.bind(connection.local)
        with suppress(BlockingIOError):
            opening.connect(connection.remote)
        self._expect(connection, lambda segment: segment.syn)
        connection.send(Segment(0, 1, syn=True))
        self._expect(connection, lambda segment: segment.ack == 1)
        return connection

    def _new_connection(self) -> CraftedConnection:
        """A connection on a port that no other has."""
        self._port = FIRST_PORT if self._port >= LAST_PORT else self._port + 1
        connection = CraftedConnection(self, (KERNEL, self._port), (PEER, PEER_PORT), isn=self._port << 16)
        self._connections[self._port] = connection
        return connection

    def _expect(self, connection: CraftedConnection, matches: Callable[[Segment], bool]) -> None:
        segment = connection.receive(PATIENCE)
        if segment is None or not matches(segment):
            raise TimeoutError(f"the kernel does not open a connection; it sent {segment}")

    def read(self) -> None:
        """Put every packet that the kernel has sent into the inbox of its connection."""
        while (octets := self.host.link.receive()) is not None:
            fields = decoded(octets)
            if fields is not None and fields.source.port in self._connections:
                self._connections[fields.source.port].take(fields)

    def wait(self, timeout: float) -> None:
        """Wait until the kernel sends a packet, some seconds at most, and read it."""
        select.select([self.host.link], [], [], timeout)
        self.read()

    def forget(self, connection: CraftedConnection) -> None:
        """Ignore what the kernel still sends on a connection."""
        self._connections.pop(connection.local[1], None)

    def close(self) -> None:
        """Let go of the host."""
        self.host.close()
