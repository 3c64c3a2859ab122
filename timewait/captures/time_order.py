"""Packets in the order of their times, where the frames of a file are in another order.

Captures of several interfaces are out of order by milliseconds, and files put one after the other by as much as they last.
A file in order is read as it comes; one that is not is read again through a window, and if that does not suffice, sorted.
Of a source that still grows each packet waits for a second of capture time, or until nothing has come for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from timewait.captures.headers import CapturedPacket

WINDOW = 4_096
"""Packets held back to put them in order."""


LATE = 1_000_000_000
"""Nanoseconds by which a packet of a source that still grows may come late."""


class OutOfOrder(Exception):
    """A packet is earlier than one that has already been passed on."""


def checked(packets: Iterable[CapturedPacket]) -> Iterator[CapturedPacket]:
    """The packets as they come.

    Raises
    ------
    OutOfOrder
        They are not in the order of their times.
    """
    last = 0
    for packet in packets:
        if packet.time < last:
            raise OutOfOrder
        last = packet.time
        yield packet


def windowed(packets: Iterable[CapturedPacket]) -> Iterator[CapturedPacket]:
    """The packets in the order of their times, as far as the window allows."""
    waiting: list[tuple[int, int, CapturedPacket]] = []
    for packet in packets:
        heappush(waiting, (packet.time, packet.frame, packet))
        if len(waiting) > WINDOW:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def in_full(packets: Iterable[CapturedPacket]) -> Iterator[CapturedPacket]:
    """The packets in the order of their times; all of them are held in memory."""
    return iter(sorted(packets, key=lambda packet: (packet.time, packet.frame)))


class Reordering:
    """Packets of a source that still grows, in the order of their times: each waits until others cannot precede it.

    Parameters
    ----------
    delay : int
        Nanoseconds of capture time by which a packet may come late.
    """

    def __init__(self, delay: int = LATE) -> None:
        self._delay = delay
        self._latest = 0
        self._waiting: list[tuple[int, int, CapturedPacket]] = []

    def add(self, packet: CapturedPacket) -> Iterator[CapturedPacket]:
        """Add a packet; yields those that have waited long enough."""
        heappush(self._waiting, (packet.time, packet.frame, packet))
        self._latest = max(self._latest, packet.time)
        while self._waiting and (self._waiting[0][0] <= self._latest - self._delay or len(self._waiting) > WINDOW):
            yield heappop(self._waiting)[2]

    def rest(self) -> Iterator[CapturedPacket]:
        """The packets that still wait."""
        while self._waiting:
            yield heappop(self._waiting)[2]
