"""Packets in the order of their times, where the frames of a file are in another order.

Captures of several interfaces are out of order by milliseconds, and files put one after the other by as much as they last.
A file in order is read as it comes; one that is not is read again through a window, and if that does not suffice, sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from timewait.captures.headers import CapturedPacket

WINDOW = 4_096
"""Packets held back to put them in order."""


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
