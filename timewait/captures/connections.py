"""One connection of a capture: the packets around its close, in relative numbers.

A capture is read once, packet by packet. Of an open connection the last few packets are held, and numbers of the
standing of each direction; from its first FIN or RST on packets are kept. Long runs of text without a FIN, RST or SYN
among them, before the close or while one direction is still open, are left out and replaced by a `Skipped` that says
where the numbers stood. So memory depends on how many connections there are, not on how much they carried.

Sequence numbers are unwrapped and made relative, as `timewait.spec.segment` has them: a SYN is 0, the first octet of text 1.
Where no SYN was captured the first number seen counts as 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from timewait.captures.headers import FIN, RST, SYN, CapturedPacket, Socket
from timewait.spec.segment import Segment

AROUND = 10
"""Packets kept before and after each FIN, RST or SYN."""

MOST_KEPT = 1_000
"""Packets kept of one connection."""


class CapturedSegment(NamedTuple):
    """A packet of a connection.

    Attributes
    ----------
    frame : int
        The number of its frame in the file.
    time : int
        When it was captured, in nanoseconds since 1970.
    place : str
        Where it was captured.
    sender : int
        Which end sent it: 0 or 1.
    segment : Segment
        What it carries, in relative numbers.
    window : int or None
        The window it advertises, in octets; None when its scale is not known.
    stamps : (int, int) or None
        The values of its timestamp option.
    ident : int
        The identification of its IPv4 packet.
    hops : int
        The time to live that was left.
    comment : str
        What the file says of it.
    """

    frame: int
    time: int
    place: str
    sender: int
    segment: Segment
    window: int | None = None
    stamps: tuple[int, int] | None = None
    ident: int = 0
    hops: int = 0
    comment: str = ""

    @property
    def copy(self) -> tuple[object, ...]:
        """What two sightings of one copy have in common, and two copies mostly have not."""
        return (self.sender, self.segment, self.ident, self.stamps, self.window)


class Skipped(NamedTuple):
    """Packets that were left out.

    Attributes
    ----------
    packets : int
        How many.
    octets : tuple of int
        How much text the two ends sent in them.
    until : int
        When the last of them was captured, in nanoseconds since 1970.
    standing : tuple of (int or None)
        For each end the number just past all that it has sent; None when it had sent nothing.
    """

    packets: int
    octets: tuple[int, int]
    until: int
    standing: tuple[int | None, int | None]


@dataclass(slots=True)
class _Direction:
    """What one end has sent so far."""

    base: int | None = None
    high: int = 0
    scale: int | None = None
    shift: int | None = None
    settled: int | None = None
    skipped: int = 0
    awaiting: tuple[int, int] | None = None
    loop: int | None = None
    """The shortest time, in nanoseconds, in which something the other end sent was acknowledged by this one."""
    hops: set[int] = field(default_factory=set)

    def relative(self, number: int, opening: bool = False) -> int:
        """A sequence number as sent, unwrapped and relative."""
        if self.base is None:
            self.base = number if opening else number - 1
        beside = self.base + self.high
        return self.high + (number - beside + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass(slots=True)
class Connection:
    """One connection and what was kept of it.

    Attributes
    ----------
    ends : tuple of End
        The two ends: 0, who sent the first packet, and 1.
    items : list of (Seen or Skipped)
        The packets, in order.
    packets : int
        How many there were altogether.
    opened : int or None
        When its SYN was captured, in nanoseconds since 1970.
    reopened : (int, int) or None
        When the same addresses and ports were opened again, in nanoseconds since 1970, and by which frame.
    cut : bool
        Whether packets at the end were left out because there were too many.
    """

    ends: tuple[Socket, Socket]
    items: list[CapturedSegment | Skipped] = field(default_factory=list)
    packets: int = 0
    opened: int | None = None
    reopened: tuple[int, int] | None = None
    cut: bool = False
    _directions: tuple[_Direction, _Direction] = field(default_factory=lambda: (_Direction(), _Direction()))
    _recent: deque[CapturedSegment] = field(default_factory=deque)
    _dropped: int = 0
    _dropped_until: int = 0
    _to_keep: int = 0
    _kept: int = 0
    _finished: set[int] = field(default_factory=set)
    _closing: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def closes(self) -> bool:
        """Whether an open connection was seen to close, in order or not; one that was refused was never open."""
        flags = [item.segment for item in self.items if isinstance(item, CapturedSegment)]
        spoke = any(isinstance(item, Skipped) for item in self.items) or any(not (one.rst or one.syn) for one in flags)
        return any(one.fin for one in flags) or (spoke and any(one.rst for one in flags))

    @property
    def loops(self) -> tuple[int | None, int | None]:
        """For each end the shortest time, in nanoseconds, from something for it to its acknowledgement, as seen here."""
        first, second = self._directions
        return first.loop, second.loop

    @property
    def hops(self) -> tuple[frozenset[int], frozenset[int]]:
        """For each end the times to live that its packets had left."""
        first, second = self._directions
        return frozenset(first.hops), frozenset(second.hops)

    def numbers(self, packet: CapturedPacket) -> tuple[int | None, int | None]:
        """The first sequence number, as sent, of the sender of a packet and of the other end."""
        sender = self.ends.index(packet.source)
        return self._directions[sender].base, self._directions[1 - sender].base

    def add(self, packet: CapturedPacket) -> None:
        """One more packet."""
        seen = self._seen(packet)
        self.packets += 1
        if self._finished or packet.flags & (FIN | RST):
            self._closing.add(_copy(packet))
        if packet.flags & (FIN | RST | SYN):
            self._flush()
            self._keep(seen)
            self._to_keep = AROUND
        elif self._to_keep and self._finished != {0, 1}:
            self._to_keep -= 1
            self._keep(seen)
        elif self._finished == {0, 1}:
            self._keep(seen)
        else:
            self._recent.append(seen)
            if len(self._recent) > AROUND:
                self._drop(self._recent.popleft())
        if packet.flags & FIN:
            self._finished.add(seen.sender)
        if packet.flags & RST:
            self._finished |= {0, 1}

    def knows(self, packet: CapturedPacket) -> bool:
        """Whether a packet is a copy of one that was sent while the connection closed."""
        return bool(packet.ident) and _copy(packet) in self._closing

    def end(self) -> None:
        """The capture ends: what is held of a connection that was closing is kept."""
        if self._finished:
            self._flush()

    def without(self, frames: Iterable[int]) -> None:
        """Forget packets that turned out to belong to the next connection."""
        gone = set(frames)
        self.items = [item for item in self.items if isinstance(item, Skipped) or item.frame not in gone]
        self.packets -= len(gone)

    def _seen(self, packet: CapturedPacket) -> CapturedSegment:
        sender = self.ends.index(packet.source)
        own, other = self._directions[sender], self._directions[1 - sender]
        syn, rst = bool(packet.flags & SYN), bool(packet.flags & RST)
        # A RST that answers a segment without ACK has the number 0 as it stands (RFC 9293 3.5.2), relative to nothing.
        bare = rst and packet.seq == 0 and packet.ack is not None
        segment = Segment(
            0 if bare else own.relative(packet.seq, opening=syn),
            None if packet.ack is None else other.relative(packet.ack),
            packet.length,
            syn,
            bool(packet.flags & FIN),
            rst,
        )
        if syn:
            own.scale, own.shift = packet.scale, packet.scale or 0
            self.opened = packet.time if self.opened is None else self.opened
        self._measure(own, other, segment, packet.time)
        if not segment.rst:
            own.high = max(own.high, segment.end)
        own.hops.add(packet.hops)
        return CapturedSegment(
            packet.frame,
            packet.time,
            packet.place,
            sender,
            segment,
            self._window(own, other, packet.window, syn),
            packet.stamps,
            packet.ident,
            packet.hops,
            packet.comment,
        )

    def _measure(self, own: _Direction, other: _Direction, segment: Segment, time: int) -> None:
        """How soon this end acknowledges what the other sent."""
        if other.awaiting is not None and segment.ack is not None and segment.ack >= other.awaiting[0]:
            took = time - other.awaiting[1]
            if segment.ack == other.awaiting[0] and took >= 0:
                own.loop = took if own.loop is None else min(own.loop, took)
            other.awaiting = None
        if segment.span and segment.end > own.high and not segment.rst:
            own.awaiting = (segment.end, time)

    @staticmethod
    def _window(own: _Direction, other: _Direction, window: int, syn: bool) -> int | None:
        if syn:
            return window
        if own.shift is None or other.shift is None:
            return None
        both = own.scale is not None and other.scale is not None
        return window << own.shift if both else window

    def _keep(self, seen: CapturedSegment) -> None:
        if self._kept >= MOST_KEPT:
            self.cut = True
            return
        self._kept += 1
        self.items.append(seen)

    def _drop(self, seen: CapturedSegment) -> None:
        direction = self._directions[seen.sender]
        direction.settled = max(seen.segment.end, direction.settled or 0)
        direction.skipped += seen.segment.length
        self._dropped += 1
        self._dropped_until = seen.time

    def _flush(self) -> None:
        """Keep the packets held, after a note of those that were left out before them."""
        if self._dropped:
            first, second = self._directions
            octets = (first.skipped, second.skipped)
            self.items.append(Skipped(self._dropped, octets, self._dropped_until, (first.settled, second.settled)))
            self._dropped = first.skipped = second.skipped = 0
        while self._recent:
            self._keep(self._recent.popleft())


def _copy(packet: CapturedPacket) -> tuple[object, ...]:
    """What all sightings of one copy have in common, whatever its numbers are relative to."""
    return (packet.source, packet.ident, packet.seq, packet.ack, packet.length, packet.flags)
