"""Connections opened in turn by a kernel whose ports are few: which attempts succeed."""

from __future__ import annotations

import errno
import fcntl
import struct
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from socket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, inet_aton, socket

from timewait.laboratory.links import SET_ADDRESS, SET_FLAGS, UP
from timewait.laboratory.namespaces import Namespace

LOOPBACK, ELSEWHERE = "127.0.0.1", "10.9.0.1"
"""Addresses of the device ``lo``; the kernel's rule for loopback looks at the address alone, so the second is not on loopback."""

LISTENER = 80
FIRST_PORT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectingHost:
    """A kernel that opens connections to itself.

    Attributes
    ----------
    ports : int
        Ports that connect() may choose.
    loopback : bool
        Whether the address is one of loopback.
    settings : mapping of str to int
        Settings below ``/proc/sys/net/ipv4``.
    reserved : int
        Further ports of the range that are reserved; they follow the first one.
    destinations : int
        Ports on which the kernel listens; the connections go to each in turn.
    """

    ports: int
    loopback: bool
    settings: Mapping[str, int]
    reserved: int = 0
    destinations: int = 1


def connects(host: ConnectingHost, instants: Sequence[int]) -> Generator[tuple[int, bool]]:
    """Open a connection at each instant and close it at once, the client first.

    Run it in the process of the laboratory (`timewait.laboratory.isolation.isolated`).

    Parameters
    ----------
    host : ConnectingHost
        The kernel's settings.
    instants : sequence of int
        Nanoseconds from the start, in order.

    Yields
    ------
    (int, bool)
        When the attempt was made, in nanoseconds from the start, and whether it succeeded; otherwise the kernel said
        EADDRNOTAVAIL.

    Raises
    ------
    LaboratoryUnavailable
        The kernel refuses a setting.
    OSError
        An attempt failed for another reason.
    """
    namespace = Namespace()
    namespace.set("ipv4/ip_local_port_range", f"{FIRST_PORT} {FIRST_PORT + host.ports + host.reserved - 1}")
    if host.reserved:
        namespace.set("ipv4/ip_local_reserved_ports", f"{FIRST_PORT + 1}-{FIRST_PORT + host.reserved}")
    for name, value in host.settings.items():
        namespace.set(f"ipv4/{name}", value)
    address = LOOPBACK if host.loopback else ELSEWHERE
    with namespace.entered():
        bring_up_loopback(address)
        listeners = [_listening(address, LISTENER + number) for number in range(host.destinations)]
        begin = time.monotonic_ns()
        for instant, listener in zip(instants, cycle(listeners), strict=False):
            while (now := time.monotonic_ns() - begin) < instant:
                time.sleep(min((instant - now) / 1e9, 0.001))
            yield now, _open_and_close(listener)


def _listening(address: str, port: int) -> socket:
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(16)
    return listener


def _open_and_close(listener: socket) -> bool:
    with socket(AF_INET, SOCK_STREAM) as client:
        try:
            client.connect(listener.getsockname())
        except OSError as problem:
            if problem.errno == errno.EADDRNOTAVAIL:
                return False
            raise
        accepted, _ = listener.accept()
    # The client has sent its FIN; the FIN of the server follows when it closes.
    accepted.close()
    return True


def bring_up_loopback(address: str) -> None:
    """Give the device lo an address and bring it up, in the network namespace of this thread."""
    name = b"lo" if address == LOOPBACK else b"lo:1"
    with socket(AF_INET, SOCK_DGRAM) as control:
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", b"lo", UP))
        if address != LOOPBACK:
            fcntl.ioctl(control, SET_ADDRESS, struct.pack("16sH2x4s8x", name, AF_INET, inet_aton(address)))
