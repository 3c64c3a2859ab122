"""Packets sorted into connections, by four-tuple and, where one is used again, by incarnation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from timewait.captures.connections import Connection
from timewait.captures.headers import SYN, CapturedPacket, Socket

MOST_CONNECTIONS = 20_000
"""Connections followed in one capture."""


@dataclass(slots=True)
class Traffic:
    """What a capture holds.

    Attributes
    ----------
    connections : list of Connection
        Every connection, in the order of their first packets.
    frames : int
        Frames altogether.
    segments : int
        TCP segments among them.
    unfollowed : int
        Segments of connections beyond the number that is followed.
    places : set of str
        Where they were captured.
    """

    connections: list[Connection] = field(default_factory=list)
    frames: int = 0
    segments: int = 0
    unfollowed: int = 0
    places: set[str] = field(default_factory=set)
    _current: dict[frozenset[Socket], Connection] = field(default_factory=dict)
    _before: dict[frozenset[Socket], Connection] = field(default_factory=dict)
    _rivals: dict[frozenset[Socket], list[CapturedPacket]] = field(default_factory=dict)

    def add(self, packet: CapturedPacket) -> None:
        """One more segment."""
        self.segments += 1
        if packet.source == packet.destination:
            self.unfollowed += 1
            return
        self.places.add(packet.place)
        pair = frozenset((packet.source, packet.destination))
        before = self._before.get(pair)
        if before is not None and before.knows(packet):
            before.add(packet)
            return
        current = self._current.get(pair)
        if current is None:
            if len(self.connections) >= MOST_CONNECTIONS:
                self.unfollowed += 1
                return
            current = self._begin(pair, packet)
        elif packet.flags & SYN and self._opens_again(pair, current, packet):
            return
        current.add(packet)

    def _begin(self, pair: frozenset[Socket], packet: CapturedPacket) -> Connection:
        connection = Connection((packet.source, packet.destination))
        self.connections.append(connection)
        self._current[pair] = connection
        return connection

    def _opens_again(self, pair: frozenset[Socket], current: Connection, packet: CapturedPacket) -> bool:
        """Whether a SYN completes the opening of the next connection on the same addresses and ports.

        A SYN alone is shown to the old connection too, which may have to answer it; once it is answered by a SYN with
        the right acknowledgement it belongs to the new one.
        """
        own, _ = current.numbers(packet)
        rivals = self._rivals.setdefault(pair, [])
        if packet.ack is None:
            if own is not None and packet.seq != own % (1 << 32):
                rivals.append(packet)
            return False
        asked = [one for one in rivals if (one.seq + 1) % (1 << 32) == packet.ack and one.source == packet.destination]
        if not asked:
            return False
        current.without(one.frame for one in asked)
        current.reopened = (asked[0].time, asked[0].frame)
        self._before[pair] = current
        fresh = self._begin(pair, asked[0])
        for one in (*asked, packet):
            fresh.add(one)
        rivals.clear()
        return True


def traffic(packets: Iterable[CapturedPacket | None]) -> Traffic:
    """Sort the packets of a capture; None stands for a frame without a TCP segment."""
    found = Traffic()
    for one in packets:
        found.frames += 1
        if one is not None:
            found.add(one)
    for connection in found.connections:
        connection.end()
    return found


def between(packets: Iterable[CapturedPacket | None], ends: frozenset[Socket]) -> Iterator[CapturedPacket | None]:
    """The packets between two ends alone."""
    for one in packets:
        yield one if one is not None and frozenset((one.source, one.destination)) == ends else None
