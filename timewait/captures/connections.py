"""One incarnation of a connection in a capture: its packets around the close, with relative sequence numbers, and its totals.

The capture is read once. Of an open connection only the packets still in flight and the last few others are held; from the
first FIN or RST on packets are kept. Longer runs of text before the close, or while one direction is still open, are
replaced by a `SkippedRun` with the sequence numbers reached. Memory thus depends on the number of connections and on the
text in flight, not on the amount of text.

Sequence numbers are unwrapped and relative, as in `timewait.spec.segment`: a SYN is 0, the first octet of text 1. Where
the capture lacks the SYN, the first number seen counts as 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from timewait.captures.headers import ACK, FIN, RST, SYN, CapturedPacket, Socket
from timewait.spec.segment import Segment

CONTEXT = 10
"""Packets kept before and after each FIN, RST or SYN."""

MAX_IN_FLIGHT = 200
"""Packets held for the trace because the capture does not yet show their acknowledgement; no judgement depends on them."""

MAX_KEPT = 10_000
"""Packets kept of one connection."""

CAPTURED_TWICE = 1_000_000
"""Nanoseconds within which two captures of one copy on one interface count as one."""

REMEMBERED = 8
"""Packets of each end that are remembered to recognise one that the capture holds twice."""

NUMBERS = 1 << 32
"""The size of the sequence space."""


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

    @property
    def frame(self) -> int:
        """The number of its frame; 0 where the capture lacks the segment."""
        return self.packet.frame

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

_Held = tuple[CapturedPacket, int, int, int | None]
"""A packet of an open connection, its sender, and its relative numbers."""


@dataclass(slots=True)
class Direction:
    """What one end sent, as far as it was captured.

    Attributes
    ----------
    first : int or None
        The initial sequence number on the wire.
    opening : bool
        Whether a SYN of this end was captured.
    high : int
        The number after everything captured of this end.
    acknowledges : int
        The highest number of the other end that this end acknowledged.
    fin : int or None
        The number after its FIN, if that was captured.
    scale : int or None
        The window scale that the SYN offered.
    shift : int or None
        The same, or 0 where the SYN offered none; None where the capture lacks the SYN.
    interface : str
        The interface on which this end is counted: that of its first packet.
    packets, octets, repeated : int
        Packets, octets of text, and packets with text or FIN that had been sent before; on that interface.
    missing : list of (int, int)
        Octets that the capture lacks although later ones were captured.
    response : int or None
        The shortest time in nanoseconds from a segment of the other end to its acknowledgement by this one.
    hops : dict
        The times to live of its packets other than RSTs, and the number of packets with each.
    """

    first: int | None = None
    opening: bool = False
    high: int = 0
    acknowledges: int = 0
    fin: int | None = None
    scale: int | None = None
    shift: int | None = None
    interface: str = ""
    packets: int = 0
    octets: int = 0
    repeated: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    response: int | None = None
    hops: dict[int, int] = field(default_factory=dict)
    skipped_to: int | None = None
    skipped_octets: int = 0
    awaiting: tuple[int, int] | None = None
    latest: deque[tuple[object, str, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def relative(self, number: int, syn: bool = False) -> int:
        """A sequence number of the wire, unwrapped and relative."""
        if self.first is None:
            self.first = number if syn else number - 1
        high = self.high
        return high + (number - self.first - high + (1 << 31)) % NUMBERS - (1 << 31)

    def distance(self, number: int) -> int:
        """How far a number of the wire is from the highest number of this end; 0 where nothing of it is known."""
        if self.first is None:
            return 0
        ahead = (number - self.first - self.high) % NUMBERS
        return min(ahead, NUMBERS - ahead)

    def sends(self, seq: int, end: int) -> bool:
        """Count numbers as sent; returns whether all of them had been captured before."""
        if seq > self.high and self.packets:
            self.missing.append((self.high, seq))
        if end > self.high:
            self.high = end
            return False
        if not self.missing or not any(start < end and seq < stop for start, stop in self.missing):
            return True
        pieces = [piece for gap in self.missing for piece in ((gap[0], min(gap[1], seq)), (max(gap[0], end), gap[1]))]
        self.missing = sorted({(start, stop) for start, stop in pieces if start < stop})
        return False


@dataclass(slots=True)
class Connection:
    """One incarnation of a connection and the packets kept of it.

    Attributes
    ----------
    ends : (Socket, Socket)
        The two ends; end 0 sent the first packet.
    incarnation : int
        Its number among the connections on the same addresses and ports, from 1.
    items : list of (CapturedSegment or SkippedRun)
        The kept packets and the gaps between them, in order.
    packets : int
        The number of all its packets.
    frames : (int, int)
        Its first and its last frame.
    times : (int, int)
        The capture times of its first and last frame, in nanoseconds since 1970.
    opened : int or None
        When its first SYN was captured, in nanoseconds since 1970.
    accepted : (int, int) or None
        The time and the frame of the SYN that a SYN,ACK answered; those of the SYN,ACK where the SYN is missing.
    established : bool
        Whether a packet other than SYN and RST was captured.
    next : Connection or None
        The next incarnation.
    challenges : list of (CapturedPacket, CapturedPacket)
        Its SYNs that an end of the previous incarnation answered, and the answers.
    captured_twice : int
        Packets left out because the capture has them twice.
    truncated : bool
        Whether packets at the end were dropped because of `MAX_KEPT`.
    directions : (Direction, Direction)
        What each end sent.
    """

    ends: tuple[Socket, Socket]
    incarnation: int = 1
    items: list[Item] = field(default_factory=list)
    packets: int = 0
    frames: tuple[int, int] = (0, 0)
    times: tuple[int, int] = (0, 0)
    opened: int | None = None
    accepted: tuple[int, int] | None = None
    established: bool = False
    next: Connection | None = None
    challenges: list[tuple[CapturedPacket, CapturedPacket]] = field(default_factory=list)
    captured_twice: int = 0
    truncated: bool = False
    directions: tuple[Direction, Direction] = field(default_factory=lambda: (Direction(), Direction()))
    _recent: deque[_Held] = field(default_factory=deque)
    _skipped: int = 0
    _skipped_until: int = 0
    _context_left: int = 0
    _kept: int = 0
    _finished: set[int] = field(default_factory=set)
    _last_syn: tuple[int, int] | None = None
    _interfaces: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether both ends have closed, or a RST was captured."""
        return self._finished == {0, 1}

    @property
    def closes(self) -> bool:
        """Whether the connection was open and then closed or reset; a refused one was never open."""
        return bool(self._finished) and (self.established or any(side.fin is not None for side in self.directions))

    @property
    def responses(self) -> tuple[int | None, int | None]:
        """For each end its shortest time to an acknowledgement, in nanoseconds, as seen at the capture point."""
        first, second = self.directions
        return first.response, second.response

    @property
    def hops(self) -> tuple[frozenset[int], frozenset[int]]:
        """For each end the times to live of its packets."""
        first, second = self.directions
        return frozenset(first.hops), frozenset(second.hops)

    @property
    def reopened(self) -> tuple[int, int] | None:
        """When the next incarnation was accepted, in nanoseconds since 1970, and the frame of its SYN."""
        return None if self.next is None else self.next.accepted

    def sides(self, packet: CapturedPacket) -> tuple[Direction, Direction]:
        """The directions of a packet's sender and receiver."""
        first, second = self.directions
        return (first, second) if packet.source == self.ends[0] else (second, first)

    # --- adding -----------------------------------------------------------------------------------------------------

    def add(self, packet: CapturedPacket) -> None:
        """Process the next packet: keep it, hold it, or skip the oldest held ones."""
        sender = 0 if packet.source == self.ends[0] else 1
        own, other = self.directions[sender], self.directions[1 - sender]
        self._interfaces.add(packet.interface)
        # With two capture points the second copy may be a duplicate that arrives.
        if self._is_repeated_capture(own, packet) and len(self._interfaces) == 1:
            self.captured_twice += 1
            return
        if not self.packets:
            self.frames, self.times = (packet.frame, 0), (packet.time, 0)
        self.packets += 1
        self.frames, self.times = (self.frames[0], packet.frame), (self.times[0], packet.time)
        flags = packet.flags
        if flags & (SYN | RST):
            self._add_special(sender, packet)
            return
        self.established = True
        seq = own.relative(packet.seq)
        ack = None if packet.ack is None else other.relative(packet.ack)
        end = seq + packet.length + (flags & FIN)
        acknowledges_fin = ack is not None and other.fin is not None and own.acknowledges < other.fin <= ack
        self._count(own, other, packet, seq, end, ack)
        held = (packet, sender, seq, ack)
        if flags & FIN or acknowledges_fin:
            self._flush()
            self._keep(held)
            self._context_left = CONTEXT
            if flags & FIN:
                own.fin = end if own.fin is None else own.fin
                self._finished.add(sender)
        elif len(self._finished) == 2:
            self._keep(held)
        elif self._context_left:
            self._context_left -= 1
            self._keep(held)
        else:
            self._hold(held)

    def visit(self, packet: CapturedPacket) -> None:
        """Keep a SYN of the next incarnation that an end of this one answers, as TIME-WAIT does."""
        self._flush()
        sender = 0 if packet.source == self.ends[0] else 1
        own = self.directions[sender]
        self._keep((packet, sender, own.relative(packet.seq), None))

    def has_copy_of(self, packet: CapturedPacket) -> bool:
        """Whether a packet is a copy of one that was kept: it has its identification, its numbers and its flags."""
        wanted = _wire_key(packet)
        return bool(packet.ident) and any(_wire_key(item.packet) == wanted for item in captured_segments(self.items))

    def end(self) -> None:
        """The capture ends: keep the held packets of a connection that was closing."""
        if self._finished:
            self._flush()

    # --- counting ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _is_repeated_capture(own: Direction, packet: CapturedPacket) -> bool:
        """Whether the capture has a copy twice, on one interface and almost at once."""
        key = (packet.ident, packet.seq, packet.ack, packet.length, packet.flags, packet.timestamps, packet.window)
        repeated = False
        if packet.ident or packet.length or packet.flags & (SYN | FIN):
            for known, interface, time in reversed(own.latest):
                if packet.time - time >= CAPTURED_TWICE:
                    break
                if known == key and interface == packet.interface:
                    repeated = True
        own.latest.append((key, packet.interface, packet.time))
        return repeated

    def _add_special(self, sender: int, packet: CapturedPacket) -> None:
        """Process a SYN or a RST."""
        own, other = self.directions[sender], self.directions[1 - sender]
        syn, rst = bool(packet.flags & SYN), bool(packet.flags & RST)
        if syn:
            own.opening = True
            own.scale, own.shift = packet.scale, packet.scale or 0
            self._note_opening(packet)
        seq = 0 if _has_absolute_number(packet) else own.relative(packet.seq, syn)
        ack = None if packet.ack is None else other.relative(packet.ack)
        end = seq + packet.length + syn + bool(packet.flags & FIN)
        if not rst:
            self._count(own, other, packet, seq, end, ack)
        else:
            own.packets += 1
            self._finished |= {0, 1}
        self._flush()
        self._keep((packet, sender, seq, ack))
        self._context_left = CONTEXT

    def _note_opening(self, packet: CapturedPacket) -> None:
        here = (packet.time, packet.frame)
        if self.opened is None:
            self.opened = packet.time
        if not packet.flags & ACK:
            self._last_syn = here
        elif self.accepted is None:
            self.accepted = self._last_syn or here

    @staticmethod
    def _count(own: Direction, other: Direction, packet: CapturedPacket, seq: int, end: int, ack: int | None) -> None:
        """Count a packet other than a RST, and measure the response of its sender."""
        if not own.packets:
            own.interface = packet.interface
        new = end > own.high
        known = own.sends(seq, end) if end > seq or seq > own.high else False
        counted = packet.interface == own.interface
        if counted:
            own.packets += 1
            if known:
                own.repeated += 1
                own.awaiting = None
            else:
                own.octets += packet.length
        own.hops[packet.hops] = own.hops.get(packet.hops, 0) + 1
        if new and end > seq and counted:
            own.awaiting = (end, packet.time)
        if ack is None:
            return
        own.acknowledges = max(own.acknowledges, ack)
        if other.awaiting is not None and ack >= other.awaiting[0]:
            took = packet.time - other.awaiting[1]
            if ack == other.awaiting[0] and took >= 0:
                own.response = took if own.response is None else min(own.response, took)
            other.awaiting = None

    # --- keeping ----------------------------------------------------------------------------------------------------

    def _hold(self, held: _Held) -> None:
        recent, directions = self._recent, self.directions
        recent.append(held)
        while len(recent) > CONTEXT:
            packet, sender, seq, _ = recent[0]
            in_flight = packet.length and seq + packet.length > directions[1 - sender].acknowledges
            if in_flight and len(recent) <= MAX_IN_FLIGHT:
                return
            self._skip(recent.popleft())

    def _keep(self, held: _Held) -> None:
        if self._kept >= MAX_KEPT:
            self.truncated = True
            return
        self._kept += 1
        self.items.append(self._as_segment(held))

    def _as_segment(self, held: _Held) -> CapturedSegment:
        packet, sender, seq, ack = held
        own, other = self.directions[sender], self.directions[1 - sender]
        flags = packet.flags
        segment = Segment(seq, ack, packet.length, bool(flags & SYN), bool(flags & FIN), bool(flags & RST))
        return CapturedSegment(packet, sender, segment, _window(own, other, packet))

    def _skip(self, held: _Held) -> None:
        packet, sender, seq, _ = held
        direction = self.directions[sender]
        direction.skipped_to = max(seq + packet.length, direction.skipped_to or 0)
        direction.skipped_octets += packet.length
        self._skipped += 1
        self._skipped_until = packet.time

    def _flush(self) -> None:
        """Keep the held packets, after a `SkippedRun` for those skipped before them."""
        if self._skipped:
            first, second = self.directions
            octets, next_seq = (first.skipped_octets, second.skipped_octets), (first.skipped_to, second.skipped_to)
            self.items.append(SkippedRun(self._skipped, octets, self._skipped_until, next_seq))
            self._skipped = first.skipped_octets = second.skipped_octets = 0
        while self._recent:
            self._keep(self._recent.popleft())


def _wire_key(packet: CapturedPacket) -> tuple[object, ...]:
    """Equal for all captures of one copy."""
    return (packet.source, packet.ident, packet.seq, packet.ack, packet.length, packet.flags)


def _has_absolute_number(packet: CapturedPacket) -> bool:
    """Whether a RST answers a segment without ACK: its sequence number is 0 and not relative (RFC 9293 3.5.2)."""
    return bool(packet.flags & RST) and packet.seq == 0 and packet.ack is not None


def _window(own: Direction, other: Direction, packet: CapturedPacket) -> int | None:
    if packet.flags & SYN:
        return packet.window
    if own.shift is None or other.shift is None:
        return None
    both_scale = own.scale is not None and other.scale is not None
    return packet.window << own.shift if both_scale else packet.window


def captured_segments(items: Sequence[Item]) -> list[CapturedSegment]:
    """The kept packets, without the runs of skipped ones."""
    return [item for item in items if isinstance(item, CapturedSegment)]
