"""Sorting of packets into connections, by four-tuple and, where ports are reused, by incarnation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from timewait.captures.connections import Connection
from timewait.captures.headers import SYN, CapturedPacket, Socket


@dataclass(slots=True)
class Traffic:
    """The connections of a capture.

    Attributes
    ----------
    connections : list of Connection
        Every connection, in the order of first packets.
    segments : int
        The segments of all connections.
    ignored : int
        Segments that a socket sent to itself.
    """

    connections: list[Connection] = field(default_factory=list)
    segments: int = 0
    ignored: int = 0
    _current: dict[frozenset[Socket], Connection] = field(default_factory=dict)
    _previous: dict[frozenset[Socket], Connection] = field(default_factory=dict)
    _syns: dict[frozenset[Socket], list[CapturedPacket]] = field(default_factory=dict)

    def add(self, packet: CapturedPacket) -> None:
        """Assign a segment to its connection."""
        self.segments += 1
        if packet.source == packet.destination:
            self.ignored += 1
            return
        pair = frozenset((packet.source, packet.destination))
        previous = self._previous.get(pair)
        if previous is not None and previous.has_copy_of(packet):
            previous.add(packet)
            return
        current = self._current.get(pair)
        if current is None:
            current = self._begin(pair, packet)
        elif packet.flags & SYN and self._reopens(pair, current, packet):
            return
        current.add(packet)

    def _begin(self, pair: frozenset[Socket], packet: CapturedPacket) -> Connection:
        connection = Connection((packet.source, packet.destination))
        self.connections.append(connection)
        self._current[pair] = connection
        return connection

    def _reopens(self, pair: frozenset[Socket], current: Connection, packet: CapturedPacket) -> bool:
        """Whether a SYN+ACK completes the opening of the next incarnation.

        A SYN alone belongs to the old connection, which may have to answer it, until a SYN+ACK acknowledges it.
        """
        own, _ = current.first_numbers(packet)
        syns = self._syns.setdefault(pair, [])
        if packet.ack is None:
            if own is not None and packet.seq != own % (1 << 32):
                syns.append(packet)
            return False
        acknowledged = [syn for syn in syns if (syn.seq + 1) % (1 << 32) == packet.ack and syn.source == packet.destination]
        if not acknowledged:
            return False
        current.remove(syn.frame for syn in acknowledged)
        current.reopened = (acknowledged[0].time, acknowledged[0].frame)
        self._previous[pair] = current
        reopened = self._begin(pair, acknowledged[0])
        for opening in (*acknowledged, packet):
            reopened.add(opening)
        syns.clear()
        return True


def traffic(packets: Iterable[CapturedPacket]) -> Traffic:
    """Sort the packets of a capture."""
    found = Traffic()
    for packet in packets:
        found.add(packet)
    for connection in found.connections:
        connection.end()
    return found
