"""One connection of a capture: the packets around its close, with relative sequence numbers.

The capture is read once. Of an open connection only the last few packets are held; from the first FIN or RST on packets
are kept. Longer runs of text before the close, or while one direction is still open, are replaced by a `SkippedRun` with
the sequence numbers reached. Memory thus depends on the number of connections, not on the amount of text.

Sequence numbers are unwrapped and relative, as in `timewait.spec.segment`: a SYN is 0, the first octet of text 1. Where
the capture lacks the SYN, the first number seen counts as 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from timewait.captures.headers import FIN, RST, SYN, CapturedPacket, Socket
from timewait.spec.segment import Segment

CONTEXT = 10
"""Packets kept before and after each FIN, RST or SYN."""

MAX_KEPT = 1_000
"""Packets kept of one connection."""


CaptureInstant = tuple[int, int, int]
"""A time in nanoseconds since 1970, and a tie-break: the frame, and a rank."""


class CapturedSegment(NamedTuple):
    """A captured packet as a segment of its connection.

    Attributes
    ----------
    packet : CapturedPacket
        The packet; its frame is 0 where the capture lacks the segment.
    sender : int
        The index of the sending end: 0 or 1.
    segment : Segment
        The segment, with relative numbers.
    window : int or None
        The advertised window in octets; None when its scale is unknown.
    """

    packet: CapturedPacket
    sender: int
    segment: Segment
    window: int | None

    @property
    def time(self) -> int:
        """Capture time in nanoseconds since 1970."""
        return self.packet.time

    def instant(self, rank: int = 0) -> CaptureInstant:
        """Its place in the order of events: rank 0 for the packet itself, 1 for a consequence of it."""
        return self.packet.time, self.packet.frame, rank

    @property
    def copy_key(self) -> tuple[object, ...]:
        """Equal for two captures of one copy, and different for most pairs of copies."""
        return (self.sender, self.segment, self.packet.ident, self.packet.timestamps, self.window)


class SkippedRun(NamedTuple):
    """A run of packets that was not kept.

    Attributes
    ----------
    packets : int
        The number of packets.
    octets : (int, int)
        Octets of text in them, by sender.
    until : int
        Capture time of the last one, in nanoseconds since 1970.
    next_seq : tuple of (int or None)
        For each end the number after all that it has sent; None when it has sent nothing.
    """

    packets: int
    octets: tuple[int, int]
    until: int
    next_seq: tuple[int | None, int | None]


Item = CapturedSegment | SkippedRun


@dataclass(slots=True)
class _Direction:
    """The state of one direction.

    Attributes
    ----------
    first : int or None
        The initial sequence number on the wire.
    high : int
        The number after all that was sent.
    scale : int or None
        The window scale that the SYN offered.
    shift : int or None
        The same, or 0 where the SYN offered none; None where the capture lacks the SYN.
    skipped_to, skipped_octets :
        The number after the skipped packets, and the octets of text in the current run of them.
    awaiting : (int, int) or None
        The acknowledgement number that covers the last new segment, and when that segment was captured.
    response : int or None
        The shortest time in nanoseconds from a segment of the other end to its acknowledgement by this one.
    hops : set of int
        The times to live of its packets.
    """

    first: int | None = None
    high: int = 0
    scale: int | None = None
    shift: int | None = None
    skipped_to: int | None = None
    skipped_octets: int = 0
    awaiting: tuple[int, int] | None = None
    response: int | None = None
    hops: set[int] = field(default_factory=set)

    def relative(self, number: int, syn: bool = False) -> int:
        """A sequence number of the wire, unwrapped and relative."""
        if self.first is None:
            self.first = number if syn else number - 1
        expected = self.first + self.high
        return self.high + (number - expected + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass(slots=True)
class Connection:
    """One connection and the packets kept of it.

    Attributes
    ----------
    ends : (Socket, Socket)
        The two ends; end 0 sent the first packet.
    items : list of (CapturedSegment or SkippedRun)
        The kept packets and the gaps between them, in order.
    packets : int
        The number of all its packets.
    opened : int or None
        When its SYN was captured, in nanoseconds since 1970.
    reopened : (int, int) or None
        When the next incarnation was opened, in nanoseconds since 1970, and the frame of its SYN.
    truncated : bool
        Whether packets at the end were dropped because of `MAX_KEPT`.
    """

    ends: tuple[Socket, Socket]
    items: list[Item] = field(default_factory=list)
    packets: int = 0
    opened: int | None = None
    reopened: tuple[int, int] | None = None
    truncated: bool = False
    _directions: tuple[_Direction, _Direction] = field(default_factory=lambda: (_Direction(), _Direction()))
    _recent: deque[CapturedSegment] = field(default_factory=deque)
    _skipped: int = 0
    _skipped_until: int = 0
    _context_left: int = 0
    _kept: int = 0
    _finished: set[int] = field(default_factory=set)
    _closing_copies: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def closes(self) -> bool:
        """Whether the connection was open and then closed or reset; a refused one was never open."""
        segments = [item.segment for item in self.items if isinstance(item, CapturedSegment)]
        was_open = any(isinstance(item, SkippedRun) for item in self.items) or any(not (it.rst or it.syn) for it in segments)
        return any(it.fin for it in segments) or (was_open and any(it.rst for it in segments))

    @property
    def responses(self) -> tuple[int | None, int | None]:
        """For each end its shortest time to an acknowledgement, in nanoseconds, as seen at the capture point."""
        first, second = self._directions
        return first.response, second.response

    @property
    def hops(self) -> tuple[frozenset[int], frozenset[int]]:
        """For each end the times to live of its packets."""
        first, second = self._directions
        return frozenset(first.hops), frozenset(second.hops)

    def first_numbers(self, packet: CapturedPacket) -> tuple[int | None, int | None]:
        """The initial sequence numbers of a packet's sender and receiver, as on the wire."""
        sender = self.ends.index(packet.source)
        return self._directions[sender].first, self._directions[1 - sender].first

    def add(self, packet: CapturedPacket) -> None:
        """Process the next packet: keep it, hold it, or skip the oldest held one."""
        segment = self._relative(packet)
        self.packets += 1
        if self._finished or packet.flags & (FIN | RST):
            self._closing_copies.add(_wire_key(packet))
        if packet.flags & (FIN | RST | SYN):
            self._flush()
            self._keep(segment)
            self._context_left = CONTEXT
        elif self._finished == {0, 1}:
            self._keep(segment)
        elif self._context_left:
            self._context_left -= 1
            self._keep(segment)
        else:
            self._recent.append(segment)
            if len(self._recent) > CONTEXT:
                self._skip(self._recent.popleft())
        if packet.flags & FIN:
            self._finished.add(segment.sender)
        if packet.flags & RST:
            self._finished |= {0, 1}

    def has_copy_of(self, packet: CapturedPacket) -> bool:
        """Whether a packet is a copy of one that was sent during the close."""
        return bool(packet.ident) and _wire_key(packet) in self._closing_copies

    def end(self) -> None:
        """The capture ends: keep the held packets of a connection that was closing."""
        if self._finished:
            self._flush()

    def remove(self, frames: Iterable[int]) -> None:
        """Remove packets that belong to the next connection."""
        removed = set(frames)
        self.items = [item for item in self.items if isinstance(item, SkippedRun) or item.packet.frame not in removed]
        self.packets -= len(removed)

    def _relative(self, packet: CapturedPacket) -> CapturedSegment:
        sender = self.ends.index(packet.source)
        own, other = self._directions[sender], self._directions[1 - sender]
        syn, rst = bool(packet.flags & SYN), bool(packet.flags & RST)
        # A RST that answers a segment without ACK has the absolute sequence number 0 (RFC 9293 3.5.2).
        absolute = rst and packet.seq == 0 and packet.ack is not None
        segment = Segment(
            0 if absolute else own.relative(packet.seq, syn),
            None if packet.ack is None else other.relative(packet.ack),
            packet.length,
            syn,
            bool(packet.flags & FIN),
            rst,
        )
        if syn:
            own.scale, own.shift = packet.scale, packet.scale or 0
            self.opened = packet.time if self.opened is None else self.opened
        self._measure_response(own, other, segment, packet.time)
        if not segment.rst:
            own.high = max(own.high, segment.end)
        own.hops.add(packet.hops)
        return CapturedSegment(packet, sender, segment, self._window(own, other, packet.window, syn))

    def _measure_response(self, own: _Direction, other: _Direction, segment: Segment, time: int) -> None:
        if other.awaiting is not None and segment.ack is not None and segment.ack >= other.awaiting[0]:
            took = time - other.awaiting[1]
            if segment.ack == other.awaiting[0] and took >= 0:
                own.response = took if own.response is None else min(own.response, took)
            other.awaiting = None
        if segment.span and segment.end > own.high and not segment.rst:
            own.awaiting = (segment.end, time)

    @staticmethod
    def _window(own: _Direction, other: _Direction, window: int, syn: bool) -> int | None:
        if syn:
            return window
        if own.shift is None or other.shift is None:
            return None
        both_scale = own.scale is not None and other.scale is not None
        return window << own.shift if both_scale else window

    def _keep(self, segment: CapturedSegment) -> None:
        if self._kept >= MAX_KEPT:
            self.truncated = True
            return
        self._kept += 1
        self.items.append(segment)

    def _skip(self, captured: CapturedSegment) -> None:
        direction = self._directions[captured.sender]
        direction.skipped_to = max(captured.segment.end, direction.skipped_to or 0)
        direction.skipped_octets += captured.segment.length
        self._skipped += 1
        self._skipped_until = captured.time

    def _flush(self) -> None:
        """Keep the held packets, after a `SkippedRun` for those skipped before them."""
        if self._skipped:
            first, second = self._directions
            octets, next_seq = (first.skipped_octets, second.skipped_octets), (first.skipped_to, second.skipped_to)
            self.items.append(SkippedRun(self._skipped, octets, self._skipped_until, next_seq))
            self._skipped = first.skipped_octets = second.skipped_octets = 0
        while self._recent:
            self._keep(self._recent.popleft())


def _wire_key(packet: CapturedPacket) -> tuple[object, ...]:
    """Equal for all captures of one copy, whatever its numbers are relative to."""
    return (packet.source, packet.ident, packet.seq, packet.ack, packet.length, packet.flags)
