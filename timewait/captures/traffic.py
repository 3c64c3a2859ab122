"""Sorting of packets into connections: by four-tuple and, where addresses and ports are used again, by incarnation.

A SYN with a new initial sequence number begins the next incarnation, whether it is answered or not. Every other packet
belongs to the incarnation whose sequence numbers it fits best: an acknowledgement with the numbers of the previous
connection, with which TIME-WAIT answers a SYN, belongs to the previous connection, and so does the RST with which
SYN-SENT answers that acknowledgement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from timewait.captures.connections import Connection
from timewait.captures.direction import Direction
from timewait.captures.headers import ACK, RST, SYN, CapturedPacket, Socket
from timewait.captures.kept_packets import captured_segments
from timewait.spec.sequence_numbers import NUMBERS, wrapped

COMPARED = 4
"""The latest incarnations that a packet may belong to."""

FAR = 1 << 28
"""Numbers this far from all that was sent belong to another incarnation, whose SYN the capture lacks."""


@dataclass(slots=True)
class _Reuse:
    """The incarnations of one four-tuple, and the SYNs of the last one that nobody has answered."""

    incarnations: list[Connection]
    unanswered: list[CapturedPacket] = field(default_factory=list)


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
    _by_sockets: dict[tuple[Socket, Socket], _Reuse] = field(default_factory=dict)

    def add(self, packet: CapturedPacket) -> None:
        """Assign a segment to its connection."""
        self.segments += 1
        reuse = self._by_sockets.get((packet.source, packet.destination))
        if reuse is None:
            self._first(packet)
            return
        if not packet.flags & SYN and len(reuse.incarnations) == 1 and not reuse.incarnations[0].over:
            reuse.incarnations[0].add(packet)
        elif packet.flags & SYN:
            self._add_syn(reuse, packet)
        else:
            self._add_by_numbers(reuse, packet)

    def _first(self, packet: CapturedPacket) -> None:
        if packet.source == packet.destination:
            self.ignored += 1
            return
        reuse = _Reuse([])
        self._by_sockets[packet.source, packet.destination] = reuse
        self._by_sockets[packet.destination, packet.source] = reuse
        self._begin(reuse, packet)

    def _begin(self, reuse: _Reuse, packet: CapturedPacket) -> None:
        """Begin the next incarnation with a packet."""
        connection = Connection((packet.source, packet.destination), len(reuse.incarnations) + 1)
        if reuse.incarnations:
            reuse.incarnations[-1].next = connection
        reuse.incarnations.append(connection)
        reuse.unanswered = [packet] if packet.flags & (SYN | ACK) == SYN else []
        self.connections.append(connection)
        connection.add(packet)

    def _add_syn(self, reuse: _Reuse, packet: CapturedPacket) -> None:
        for connection in reuse.incarnations[: -1 - COMPARED : -1]:
            if _opens(connection, packet, connection is reuse.incarnations[-1]):
                if packet.flags & ACK:
                    reuse.unanswered = []
                elif connection is reuse.incarnations[-1] and not connection.established:
                    reuse.unanswered.append(packet)
                connection.add(packet)
                return
        self._begin(reuse, packet)

    def _add_by_numbers(self, reuse: _Reuse, packet: CapturedPacket) -> None:
        """Add a packet without SYN to the incarnation whose numbers it fits best, the later one if two fit alike."""
        latest = reuse.incarnations[: -1 - COMPARED : -1]
        best = min(latest, key=lambda connection: _distance(connection, packet))
        if best is latest[0] and len(latest) > 1 and latest[1].over:
            # The numbers of the two may overlap: a copy is recognised by its identification.
            best = next((connection for connection in latest if connection.has_copy_of(packet)), best)
        if best is latest[0]:
            if best.over and best.established and _distance(best, packet) > FAR and not packet.flags & RST:
                self._begin(reuse, packet)
                return
            reuse.unanswered = []
        elif best is latest[1] and reuse.unanswered:
            # The end that still knows the previous connection answers the SYN.
            answered = [syn for syn in reuse.unanswered if syn.source == packet.destination]
            for syn in answered[-1:]:
                best.visit(syn)
                latest[0].challenges.append((syn, packet))
                reuse.unanswered.remove(syn)
        best.add(packet)


def _opens(connection: Connection, packet: CapturedPacket, latest: bool) -> bool:
    """Whether a SYN belongs to the opening of a connection, first sent or again."""
    own, other = connection.sides(packet)
    answers = packet.ack is None or _acknowledges_syn(other, packet.ack)
    if own.first is None:
        # The answer to the SYN, or a simultaneous open.
        return latest and answers and not connection.established
    if packet.seq != wrapped(own.first) or not answers:
        return False
    copy = bool(packet.ident) and any(packet.ident == known for known in _idents(connection, packet))
    return copy or not (connection.over and connection.established)


def _acknowledges_syn(opener: Direction, ack: int) -> bool:
    """Whether a number acknowledges a SYN, with all, some or none of the text on it (RFC 7413)."""
    return opener.first is not None and 1 <= wrapped(ack - opener.first) <= 1 + opener.text_on_syn


def _idents(connection: Connection, packet: CapturedPacket) -> list[int]:
    """The identifications of the SYNs that the sender of a packet sent."""
    sent = [item.packet for item in captured_segments(connection.items) if item.packet.source == packet.source]
    return [earlier.ident for earlier in sent if earlier.flags & SYN]


def _distance(connection: Connection, packet: CapturedPacket) -> int:
    """How badly the numbers of a packet fit a connection: the sum of the distances of both numbers."""
    own, other = connection.sides(packet)
    acknowledged = 0 if packet.ack is None else other.distance(packet.ack)
    if packet.flags & RST and packet.seq == 0 and packet.ack is not None:
        return acknowledged
    if own.first is None and not connection.established and acknowledged > 1:
        # The SYN was answered with something that does not acknowledge it.
        return NUMBERS
    if own.first is None and packet.ack is None:
        return FAR
    return own.distance(packet.seq) + acknowledged


def traffic(packets: Iterable[CapturedPacket]) -> Traffic:
    """Sort the packets of a capture."""
    found = Traffic()
    for packet in packets:
        found.add(packet)
    for connection in found.connections:
        connection.end()
    return found
