"""The packets kept of a connection, packed into octets: a packet as an object takes ten times the memory.

A capture of many connections keeps some packets of each until all are judged; they are unpacked when they are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from timewait.captures.headers import ACK, FIN, RST, SYN, CapturedPacket, Socket
from timewait.spec.segment import Segment

_RECORD = struct.Struct("<qqIIIqqqBHhh?IIHB7pB")
"""Time, frame, interface, wire numbers, relative numbers, length, flags, window, its shift, its scale, timestamps, ..."""

UNKNOWN = -1
"""The shift of a window whose scale is unknown, and the scale of a SYN that offers none."""


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


CaptureInstant = tuple[int, int, int]
"""A time in nanoseconds since 1970, and a tie-break: the frame, and a rank."""


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


class PlainRecord(NamedTuple):
    """The part of a kept packet that shows whether its connection closed in order.

    Attributes
    ----------
    time, frame : int
        When it was captured, in nanoseconds since 1970, and its frame.
    seq, ack, length : int
        Its relative numbers, 0 without the ACK bit, and its octets of text.
    flags : int
        Its control bits.
    sender : int
        The index of its sender.
    """

    time: int
    frame: int
    seq: int
    ack: int
    length: int
    flags: int
    sender: int


@dataclass(slots=True)
class KeptPackets:
    """The kept packets of a connection and the runs of skipped ones between them, in order.

    Attributes
    ----------
    packets : int
        The number of kept packets.
    runs : list of (int, SkippedRun)
        The skipped runs, each with the number of packets kept before it.
    """

    packets: int = 0
    runs: list[tuple[int, SkippedRun]] = field(default_factory=list)
    _octets: bytearray = field(default_factory=bytearray)
    _interfaces: tuple[str, ...] = ()

    def add(self, packet: CapturedPacket, sender: int, seq: int, ack: int | None, shift: int | None) -> None:
        """Keep a packet.

        Parameters
        ----------
        packet : CapturedPacket
            The packet.
        sender : int
            The index of its sender.
        seq, ack : int, int or None
            Its relative numbers.
        shift : int or None
            The scale of its window; None where that is unknown.
        """
        frame, time, interface, _, _, number, acknowledged, length, flags, window, scale, stamps, ident, hops, hardware = packet
        if interface not in self._interfaces:
            self._interfaces = (*self._interfaces, interface)
        value, echo = stamps or (0, 0)
        self._octets += _RECORD.pack(
            time,
            frame,
            self._interfaces.index(interface),
            number,
            acknowledged or 0,
            seq,
            ack or 0,
            length,
            flags,
            window,
            UNKNOWN if shift is None else shift,
            UNKNOWN if scale is None else scale,
            stamps is not None,
            value,
            echo,
            ident,
            hops,
            hardware,
            sender,
        )
        self.packets += 1

    def skip(self, run: SkippedRun) -> None:
        """Note a run of packets that are not kept."""
        self.runs.append((self.packets, run))

    def items(self, ends: tuple[Socket, Socket]) -> list[Item]:
        """All kept packets and skipped runs of the connection between two ends."""
        found: list[Item] = [*self._segments(ends)]
        for place, run in reversed(self.runs):
            found.insert(place, run)
        return found

    def records(self) -> Iterator[PlainRecord]:
        """The kept packets, as far as they show whether the connection closed in order."""
        make = tuple.__new__
        for time, frame, _, _, _, seq, ack, length, flags, *_, sender in _RECORD.iter_unpack(self._octets):
            yield make(PlainRecord, (time, frame, seq, ack, length, flags, sender))

    def _segments(self, ends: tuple[Socket, Socket]) -> Iterator[CapturedSegment]:
        names, make = self._interfaces, tuple.__new__  # which takes a third of the time of the constructors
        for record in _RECORD.iter_unpack(self._octets):
            time, frame, interface, number, acknowledged, seq, ack, length, flags, window, shift, scale, *rest = record
            stamped, value, echo, ident, hops, hardware, sender = rest
            if flags & ACK:
                numbers = seq, ack, length
                wire = names[interface], ends[sender], ends[1 - sender], number, acknowledged
            else:
                numbers = seq, None, length
                wire = names[interface], ends[sender], ends[1 - sender], number, None
            options = None if scale == UNKNOWN else scale, (value, echo) if stamped else None
            packet = make(CapturedPacket, (frame, time, *wire, length, flags, window, *options, ident, hops, hardware))
            bits = flags & SYN == SYN, flags & FIN == FIN, flags & RST == RST
            segment = make(Segment, (*numbers, *bits, 0))
            yield make(CapturedSegment, (packet, sender, segment, None if shift == UNKNOWN else window << shift))


def is_zero_window(captured: CapturedSegment) -> bool:
    """Whether a packet closes the window of its sender: a RST says nothing about it."""
    return not captured.packet.window and not captured.segment.rst


def captured_segments(items: Sequence[Item]) -> list[CapturedSegment]:
    """The kept packets, without the runs of skipped ones."""
    return [item for item in items if isinstance(item, CapturedSegment)]
