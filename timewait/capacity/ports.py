"""The ports of a connecting host, and how long each connection blocks one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from timewait.vocabulary.errors import RequestError

SOCKET_OCTETS = 256
"""Memory of one connection in TIME-WAIT: the object size of the cache tw_sock_TCP, Linux 6.18, x86-64."""


class Reuse(StrEnum):
    """Whether connect() may take a port whose connection is in TIME-WAIT (Linux: ``tcp_tw_reuse`` 0, 2, 1)."""

    OFF = "off"
    LOOPBACK = "loopback"
    ON = "on"


class Closer(StrEnum):
    """The end that closes first and so enters TIME-WAIT."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How connections are used: durations in seconds.

    Attributes
    ----------
    time_wait : Fraction
        TIME_WAIT of the end that closes first.
    service_time : Fraction
        From the opening of a connection until both ends have closed.
    closer : Closer
        The end that closes first.
    """

    time_wait: Fraction
    service_time: Fraction
    closer: Closer = Closer.CLIENT

    def __post_init__(self) -> None:
        if min(self.time_wait, self.service_time) < 0:
            raise RequestError("TIME_WAIT and the service time must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortPool:
    """The combinations of addresses and ports that a host can use to open connections, and the rule for using one again.

    Attributes
    ----------
    ports : int
        Ports that connect() may choose.
    addresses, destinations : int
        Local addresses, and pairs of remote address and port.
    reuse : Reuse
        The rule for a port in TIME-WAIT.
    reuse_delay : Fraction
        How long a connection must have been in TIME-WAIT before its port may be taken, in seconds.
    timestamps : bool
        Whether both ends use timestamps; without them the rule never applies.
    loopback : bool
        Whether the destination is a loopback address.
    buckets : int or None
        The most connections in TIME-WAIT; a further one is deleted without TIME-WAIT. None: no limit.
    """

    ports: int
    addresses: int = 1
    destinations: int = 1
    reuse: Reuse = Reuse.OFF
    reuse_delay: Fraction = Fraction(1)
    timestamps: bool = True
    loopback: bool = False
    buckets: int | None = None

    def __post_init__(self) -> None:
        if min(self.ports, self.addresses, self.destinations) < 1:
            raise RequestError("there must be at least one port, one address and one destination")
        if self.ports > 65535:
            raise RequestError(f"there are 65535 ports at most, not {self.ports}; give more --addresses or --destinations")
        if self.reuse_delay < 0:
            raise RequestError("the delay of reuse must not be negative")

    @property
    def size(self) -> int:
        """How many connections can exist at once, TIME-WAIT included."""
        return self.ports * self.addresses * self.destinations

    @property
    def reuses(self) -> bool:
        """Whether connect() may take a port in TIME-WAIT."""
        if not self.timestamps:
            return False
        return self.reuse is Reuse.ON or (self.reuse is Reuse.LOOPBACK and self.loopback)

    def blocked(self, service: Service) -> Fraction:
        """How long a port stays blocked after the close of its connection, in seconds, with TIME-WAIT not cut short."""
        if service.closer is Closer.SERVER:
            return Fraction(0)
        return min(service.time_wait, self.reuse_delay) if self.reuses else service.time_wait
