"""One incarnation of a connection in a capture: its packets around the close, with relative sequence numbers, and its totals.

The capture is read once. Of an open connection only the packets still in flight and the last few others are held; from the
first FIN or RST on packets are kept. Longer runs of text before the close, or while one direction is still open, are
replaced by a `SkippedRun` with the sequence numbers reached. Memory thus depends on the number of connections and on the
text in flight, not on the amount of text.

Sequence numbers are unwrapped and relative, as in `timewait.spec.segment`: a SYN is 0, the first octet of text 1. Where
the capture lacks the SYN, the first number seen counts as 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from timewait.captures.direction import Direction, count, is_repeated_capture, wire_key
from timewait.captures.headers import ACK, FIN, RST, SYN, CapturedPacket, Socket
from timewait.captures.kept_packets import Item, KeptPackets, SkippedRun, captured_segments

CONTEXT = 10
"""Packets kept before and after each FIN, RST or SYN."""

MAX_IN_FLIGHT = 200
"""Packets held for the trace because the capture does not yet show their acknowledgement; no judgement depends on them."""

MAX_KEPT = 10_000
"""Packets kept of one connection."""

BOTH = 0b11
"""The bits of both ends."""

_Held = tuple[CapturedPacket, int, int, int | None]
"""A packet of an open connection, its sender, and its relative numbers."""


@dataclass(slots=True)
class Connection:
    """One incarnation of a connection and the packets kept of it.

    Attributes
    ----------
    ends : (Socket, Socket)
        The two ends; end 0 sent the first packet.
    incarnation : int
        Its number among the connections on the same addresses and ports, from 1.
    kept : KeptPackets
        The kept packets and the runs of skipped ones between them.
    packets : int
        The number of all its packets.
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
    several_interfaces : bool
        Whether its packets were captured on more than one interface.
    directions : (Direction, Direction)
        What each end sent.
    """

    ends: tuple[Socket, Socket]
    incarnation: int = 1
    kept: KeptPackets = field(default_factory=KeptPackets)
    packets: int = 0
    opened: int | None = None
    accepted: tuple[int, int] | None = None
    established: bool = False
    next: Connection | None = None
    challenges: list[tuple[CapturedPacket, CapturedPacket]] = field(default_factory=list)
    captured_twice: int = 0
    truncated: bool = False
    several_interfaces: bool = False
    directions: tuple[Direction, Direction] = field(default_factory=lambda: (Direction(), Direction()))
    _first: tuple[int, int] = (0, 0)
    _last: tuple[int, int] = (0, 0)
    _recent: list[_Held] = field(default_factory=list)
    _skipped: int = 0
    _skipped_until: int = 0
    _context_left: int = 0
    _finished: int = 0
    _last_syn: tuple[int, int] | None = None
    _interface: str = ""

    @property
    def items(self) -> list[Item]:
        """The kept packets and the runs of skipped ones between them, in order; unpacked anew each time."""
        return self.kept.items(self.ends)

    @property
    def frames(self) -> tuple[int, int]:
        """Its first and its last frame; 0 before the first packet."""
        return self._first[0], self._last[0]

    @property
    def times(self) -> tuple[int, int]:
        """The capture times of its first and last frame, in nanoseconds since 1970; 0 before the first packet."""
        return self._first[1], self._last[1]

    @property
    def over(self) -> bool:
        """Whether both ends have closed, or a RST was captured."""
        return self._finished == BOTH

    @property
    def closes(self) -> bool:
        """Whether the connection was open and then closed or reset; a refused one was never open."""
        return bool(self._finished) and (self.established or any(side.fin is not None for side in self.directions))

    @property
    def opened_by(self) -> set[Socket]:
        """The ends that sent a SYN, with or without ACK: they had no connection on these addresses and ports any more."""
        return {end for end, side in zip(self.ends, self.directions, strict=True) if side.opening}

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
        _, _, interface, source, _, number, acknowledged, length, flags, *_ = packet
        if source == self.ends[0]:
            sender, (own, other) = 0, self.directions
        else:
            sender, (other, own) = 1, self.directions
        if interface != self._interface:
            self.several_interfaces = bool(self._interface) or self.several_interfaces
            self._interface = interface
        if flags & (SYN | RST):
            if not self._is_left_out(own, packet):
                self._add_special(sender, packet)
            return
        seq, ack = own.relative(number), None if acknowledged is None else other.relative(acknowledged)
        end = seq + length + (flags & FIN)
        # What was captured before has no new number.
        if end <= own.high and (ack is None or ack <= own.acknowledges):
            if self._is_left_out(own, packet):
                return
        else:
            own.remember(packet)
            self._note(packet)
        self.established = True
        before = own.acknowledges
        count(own, other, packet, seq, end, ack)
        held = (packet, sender, seq, ack)
        if flags & FIN or (other.fin is not None and ack is not None and before < other.fin <= ack):
            self._flush()
            self._keep(held)
            self._context_left = CONTEXT
            if flags & FIN:
                own.fin = end if own.fin is None else own.fin
                self._finished |= 1 << sender
        elif self._finished == BOTH:
            self._keep(held)
        elif self._context_left:
            self._context_left -= 1
            self._keep(held)
        else:
            self._hold(held)

    def _note(self, packet: CapturedPacket) -> None:
        self._last = packet.frame, packet.time
        if not self.packets:
            self._first = self._last
        self.packets += 1

    def _is_left_out(self, own: Direction, packet: CapturedPacket) -> bool:
        """Whether a packet is left out because the capture has it twice; otherwise it is noted.

        With two capture points the second copy may be a duplicate that arrives.
        """
        repeated = is_repeated_capture(own, packet)
        own.remember(packet)
        if repeated and not self.several_interfaces:
            self.captured_twice += 1
            return True
        self._note(packet)
        return False

    def visit(self, packet: CapturedPacket) -> None:
        """Keep a SYN of the next incarnation that an end of this one answers, as TIME-WAIT does."""
        self._flush()
        sender = 0 if packet.source == self.ends[0] else 1
        own = self.directions[sender]
        self._keep((packet, sender, own.relative(packet.seq), None))

    def has_copy_of(self, packet: CapturedPacket) -> bool:
        """Whether a packet is a copy of one that was kept: it has its identification, its numbers and its flags."""
        wanted = wire_key(packet)
        return bool(packet.ident) and any(wire_key(item.packet) == wanted for item in captured_segments(self.items))

    def end(self) -> None:
        """The capture ends: keep the held packets of a connection that was closing."""
        if self._finished:
            self._flush()

    # --- counting ---------------------------------------------------------------------------------------------------

    def _add_special(self, sender: int, packet: CapturedPacket) -> None:
        """Process a SYN or a RST."""
        own, other = self.directions[sender], self.directions[1 - sender]
        syn, rst = bool(packet.flags & SYN), bool(packet.flags & RST)
        if syn:
            own.opening = True
            own.text_on_syn = max(own.text_on_syn, packet.length + bool(packet.flags & FIN))
            own.scale, own.shift = packet.scale, packet.scale or 0
            self._note_opening(packet)
        # A RST that answers a SYN says nothing of its sender's numbers: a device may have sent it, and the SYN,ACK follows.
        answers_syn = rst and own.first is None and other.opening
        seq = 0 if answers_syn or _has_absolute_number(packet) else own.relative(packet.seq, syn)
        ack = None if packet.ack is None else other.relative(packet.ack)
        end = seq + packet.length + syn + bool(packet.flags & FIN)
        if not rst:
            count(own, other, packet, seq, end, ack)
        else:
            own.packets += 1
            self._finished = BOTH
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

    # --- keeping ----------------------------------------------------------------------------------------------------

    def _hold(self, held: _Held) -> None:
        recent, directions = self._recent, self.directions
        recent.append(held)
        while len(recent) > CONTEXT:
            packet, sender, seq, _ = recent[0]
            in_flight = packet.length and seq + packet.length > directions[1 - sender].acknowledges
            if in_flight and len(recent) <= MAX_IN_FLIGHT:
                return
            self._skip(recent.pop(0))

    def _keep(self, held: _Held) -> None:
        if self.kept.packets >= MAX_KEPT:
            self.truncated = True
            return
        packet, sender, seq, ack = held
        own, other = self.directions[sender], self.directions[1 - sender]
        self.kept.add(packet, sender, seq, ack, _shift(own, other, packet))

    def _skip(self, held: _Held) -> None:
        packet, sender, seq, _ = held
        direction, length = self.directions[sender], packet.length
        if direction.skipped_to is None or seq + length > direction.skipped_to:
            direction.skipped_to = max(seq + length, 0)
        direction.skipped_octets += length
        self._skipped += 1
        self._skipped_until = packet.time

    def _flush(self) -> None:
        """Keep the held packets, after a `SkippedRun` for those skipped before them."""
        if self._skipped:
            first, second = self.directions
            octets, next_seq = (first.skipped_octets, second.skipped_octets), (first.skipped_to, second.skipped_to)
            self.kept.skip(SkippedRun(self._skipped, octets, self._skipped_until, next_seq))
            self._skipped = first.skipped_octets = second.skipped_octets = 0
        for held in self._recent:
            self._keep(held)
        self._recent.clear()


def _has_absolute_number(packet: CapturedPacket) -> bool:
    """Whether a RST answers a segment without ACK: its sequence number is 0 and not relative (RFC 9293 3.5.2)."""
    return bool(packet.flags & RST) and packet.seq == 0 and packet.ack is not None


def _shift(own: Direction, other: Direction, packet: CapturedPacket) -> int | None:
    """The scale of a window; None where it is unknown."""
    if packet.flags & SYN:
        return 0
    if own.shift is None or other.shift is None:
        return None
    both_scale = own.scale is not None and other.scale is not None
    return own.shift if both_scale else 0
