"""Hosts that share an address, and a server that judges a SYN by the last timestamp of its address (``tcp_tw_recycle``).

Each host behind a NAT has a timestamp clock of its own. A server that takes them for one host drops the SYN of each host whose
clock is behind that of another. Source: ``tcp_conn_request`` in ``net/ipv4/tcp_input.c`` and ``tcp_peer_is_proven`` in
``net/ipv4/tcp_metrics.c``, Linux before 4.12.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

REMEMBERED = 60
"""Seconds for which the server compares with a timestamp: ``TCP_PAWS_MSL``."""

ALLOWED = 1
"""By how much a timestamp may be older than the last one: ``TCP_PAWS_WINDOW``, in units of the timestamp."""


class SharingHost(NamedTuple):
    """A host behind the NAT.

    Attributes
    ----------
    name : str
        Its name.
    clock : int
        Its timestamp at time 0; it counts milliseconds.
    """

    name: str
    clock: int


class Opening(NamedTuple):
    """A SYN as the server sees it.

    Attributes
    ----------
    time : int
        Seconds.
    host : str
        The host that sends it; the server sees the address alone.
    timestamp : int
        Its timestamp.
    accepted : bool
        Whether the server answers; otherwise it drops the SYN without an answer.
    """

    time: int
    host: str
    timestamp: int
    accepted: bool

    @property
    def sentence(self) -> str:
        """The SYN in words."""
        outcome = "the server answers it" if self.accepted else "the server drops it, as its timestamp is older than the last one"
        return f"{self.time} s: {self.host} sends a SYN with timestamp {self.timestamp}; {outcome}"


def accepted(last: tuple[int, int] | None, timestamp: int, time: int) -> bool:
    """Whether the server answers a SYN.

    Parameters
    ----------
    last : pair of int or None
        The last timestamp of the address and when it came, in seconds; None if there was none.
    timestamp : int
        That of the SYN.
    time : int
        When the SYN comes, in seconds.
    """
    return last is None or time - last[1] >= REMEMBERED or last[0] - timestamp <= ALLOWED


def openings(hosts: Sequence[SharingHost], order: Sequence[int], interval: int = 1) -> Iterator[Opening]:
    """Hosts open connections in turn, one after each interval in seconds; `order` holds the numbers of the hosts."""
    last: tuple[int, int] | None = None
    for number, index in enumerate(order):
        time = number * interval
        timestamp = hosts[index].clock + 1000 * time
        answers = accepted(last, timestamp, time)
        yield Opening(time, hosts[index].name, timestamp, answers)
        if answers:
            last = (timestamp, time)


def shortest_refusal(hosts: Sequence[SharingHost], most: int = 4, interval: int = 1) -> tuple[Opening, ...] | None:
    """The shortest run in which the server drops a SYN, among all orders of up to `most` SYNs; None if there is none."""
    for length in range(1, most + 1):
        for order in product(range(len(hosts)), repeat=length):
            run = tuple(openings(hosts, order, interval))
            if not run[-1].accepted:
                return run
    return None
