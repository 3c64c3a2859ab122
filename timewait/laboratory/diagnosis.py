"""The kernel's own record of its sockets: states, timers, queues (INET_DIAG, sock_diag(7)), and their removal (SOCK_DESTROY)."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from timewait.laboratory.isolation import LaboratoryUnavailable
from timewait.laboratory.namespaces import Namespace
from timewait.spec.state import State

BY_FAMILY, DESTROY = 20, 21
REQUEST, ACKNOWLEDGE, DUMP = 1, 4, 0x300
ERROR, DONE = 2, 3
NO_COOKIE = 0xFFFFFFFF
NETLINK_SOCK_DIAG = 4
SYN_RECEIVED_REQUEST = 12
"""A request for a connection that has no socket yet."""

STATES = {
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECEIVED,
    4: State.FIN_WAIT_1,
    5: State.FIN_WAIT_2,
    6: State.TIME_WAIT,
    7: State.CLOSED,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    SYN_RECEIVED_REQUEST: State.SYN_RECEIVED,
}
"""The states by their numbers in the kernel (include/net/tcp_states.h)."""


class KernelTimer(IntEnum):
    """The timer of a socket that runs out next (struct inet_diag_msg, idiag_timer)."""

    NONE = 0
    RETRANSMISSION = 1
    KEEPALIVE = 2
    """Also FIN-WAIT-2 of a whole socket."""
    TIME_WAIT = 3
    """The timer of a small socket, in TIME-WAIT or in the FIN-WAIT-2 of an abandoned connection."""
    PROBE = 4


class SocketRecord(NamedTuple):
    """The kernel's record of one socket.

    Attributes
    ----------
    state : State
        The connection state; of a small socket in FIN-WAIT-2, that.
    timer : KernelTimer
        The timer that runs out next.
    left : float
        Seconds until then.
    retransmissions : int
        Retransmissions since the last acknowledgement of something new.
    unread, unacknowledged : int
        Octets that the user has not read, and octets not acknowledged (idiag_rqueue, idiag_wqueue).
    local, remote : (str, int)
        Addresses and ports.
    """

    state: State
    timer: KernelTimer
    left: float
    retransmissions: int
    unread: int
    unacknowledged: int
    local: tuple[str, int]
    remote: tuple[str, int]

    @property
    def small(self) -> bool:
        """Whether the kernel keeps it without a socket of a user (struct inet_timewait_sock)."""
        return self.timer is KernelTimer.TIME_WAIT


class Diagnosis:
    """Reads the records of the sockets of a namespace.

    Raises
    ------
    LaboratoryUnavailable
        The kernel has no INET_DIAG.
    """

    def __init__(self, namespace: Namespace) -> None:
        try:
            with namespace.entered():
                self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
            self.records()
        except OSError as problem:
            raise LaboratoryUnavailable(f"the kernel does not show its sockets (INET_DIAG): {problem.strerror}") from problem

    def find(self, local: tuple[str, int], remote: tuple[str, int]) -> SocketRecord | None:
        """Return the record of a connection; None if the kernel has none. A listener is no connection."""
        try:
            found = [*self._ask(BY_FAMILY, REQUEST, local, remote)]
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                return None
            raise
        return next((record for record in found if record.state is not State.LISTEN), None)

    def records(self) -> list[SocketRecord]:
        """Return the records of all sockets of the namespace but closed ones."""
        nowhere = ("0.0.0.0", 0)
        return [*self._ask(BY_FAMILY, REQUEST | DUMP, nowhere, nowhere)]

    def destroy(self, local: tuple[str, int], remote: tuple[str, int]) -> bool:
        """Remove a connection, as ``ss -K`` does, which sends nothing for a small socket; False if there is none.

        Raises
        ------
        OSError
            The kernel refuses; without CONFIG_INET_DIAG_DESTROY it always does.
        """
        try:
            list(self._ask(DESTROY, REQUEST | ACKNOWLEDGE, local, remote))
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                return False
            raise
        return True

    def destroy_all(self) -> None:
        """Remove every connection and listener of the namespace.

        Raises
        ------
        OSError
            The kernel refuses.
        """
        for record in self.records():
            self.destroy(record.local, record.remote)

    def _ask(self, kind: int, flags: int, local: tuple[str, int], remote: tuple[str, int]) -> Iterator[SocketRecord]:
        """Send one request (struct inet_diag_req_v2), and read the records that answer it."""
        ends = struct.pack("!HH", local[1], remote[1]) + b"".join(
            socket.inet_aton(address) + bytes(12) for address, _ in (local, remote)
        )
        identity = ends + struct.pack("=III", 0, NO_COOKIE, NO_COOKIE)
        body = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFF & ~(1 << 7)) + identity
        self._netlink.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        while True:
            answer = self._netlink.recv(1 << 16)
            at = 0
            while at < len(answer):
                length, answered = struct.unpack_from("=IH", answer, at)
                if answered == DONE:
                    return
                if answered == ERROR:
                    (error,) = struct.unpack_from("=i", answer, at + 16)
                    if error:
                        raise OSError(-error, os.strerror(-error))
                    return
                yield _record(answer, at + 16)
                at += length + 3 & ~3
            if not flags & DUMP:
                return

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()


def _record(answer: bytes, at: int) -> SocketRecord:
    """The record in a struct inet_diag_msg."""
    _, state, timer, retransmissions, source_port, destination_port = struct.unpack_from("!BBBBHH", answer, at)
    source, destination = (socket.inet_ntoa(answer[at + start : at + start + 4]) for start in (8, 24))
    expires, unread, unacknowledged = struct.unpack_from("=III", answer, at + 52)
    local, remote = (source, source_port), (destination, destination_port)
    left = expires / 1_000 if timer else 0.0
    return SocketRecord(STATES[state], KernelTimer(timer), left, retransmissions, unread, unacknowledged, local, remote)
