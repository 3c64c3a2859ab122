"""Packets of the laboratory: octets, and the segment that they carry with relative numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count

from timewait.captures.capture_file import Frame
from timewait.captures.headers import FIN, RST, SYN, CapturedPacket, decode
from timewait.formats.wire import HEADER, TCP, Envelope, WireSocket, checksum, packet
from timewait.spec.segment import Segment
from timewait.spec.sequence_numbers import difference

RAW_IP = 101


@dataclass(frozen=True)
class CarriedPacket:
    """A packet that a kernel sent, held by the process that plays the network. It may be delivered never, once or often.

    Attributes
    ----------
    number : int
        Counted from 1 in the order of reading.
    sender : str
        The name of the host that sent it.
    time : float
        When it was read, in seconds of `time.monotonic`.
    octets : bytes
        The IPv4 packet.
    decoded : CapturedPacket
        Its header fields, with the numbers of the wire.
    segment : Segment
        The segment, with numbers relative to the ISNs of its incarnation.
    """

    number: int
    sender: str
    time: float
    octets: bytes
    decoded: CapturedPacket
    segment: Segment


@dataclass
class Numbering:
    """The ISNs of both ends of one incarnation, learned from their SYNs or chosen.

    Attributes
    ----------
    initial : dict of str to int
        The ISN of each end whose SYN was seen, by name.
    """

    initial: dict[str, int]

    def relative(self, sender: str, receiver: str, fields: CapturedPacket) -> Segment:
        """Return the segment in a packet; a SYN sets the ISN of its sender."""
        if fields.flags & SYN:
            self.initial[sender] = fields.seq
        seq = difference(fields.seq, self.initial.get(sender, 0))
        ack = None if fields.ack is None else difference(fields.ack, self.initial.get(receiver, 0))
        bits = (bool(fields.flags & bit) for bit in (SYN, FIN, RST))
        return Segment(seq, ack, fields.length, *bits)


def decoded(octets: bytes) -> CapturedPacket | None:
    """The header fields of an IPv4 packet; None if it carries no TCP segment."""
    found = decode(Frame(0, 0, "", RAW_IP, octets))
    return found if isinstance(found, CapturedPacket) else None


@dataclass(frozen=True)
class SegmentWriter:
    """Writes the segments of one end as IPv4 packets.

    Attributes
    ----------
    source, destination : (str, int)
        Addresses and ports.
    window : int
        The window that it advertises, in octets.
    identifications : iterator of int
        The identifications of its packets.
    """

    source: tuple[str, int]
    destination: tuple[str, int]
    window: int = 65_535
    identifications: Iterator[int] = field(default_factory=lambda: count(1))

    def write(self, fields: Mapping[str, int], initial: tuple[int, int]) -> bytes:
        """Return a segment with relative numbers (`Segment.fields`) as a packet; `initial` holds both ISNs, its own first."""
        source, destination = (WireSocket(IPv4Address(host), port) for host, port in (self.source, self.destination))
        return packet(Envelope(source, destination, next(self.identifications), 64), fields, initial, self.window)


class CraftedEnd:
    """The peer's end of a connection whose segments this process writes: numbers, and the window of the other end.

    Attributes
    ----------
    right_edge : int
        The first sequence number beyond the other end's window, relative: its last acknowledgement plus its window.
    """

    def __init__(self, own: tuple[str, int], other: tuple[str, int], isn: int) -> None:
        self.right_edge = 1
        self._numbering = Numbering({"own": isn})
        self._writer = SegmentWriter(own, other)

    def written(self, segment: Segment) -> bytes:
        """Return a segment with relative numbers as a packet."""
        initial = self._numbering.initial
        return self._writer.write(dict(segment.fields), (initial["own"], initial.get("other", 0)))

    def read(self, fields: CapturedPacket) -> Segment:
        """Return the segment in a packet of the other end; of a RST that answers a segment without ACK the number stays 0."""
        segment = self._numbering.relative("other", "own", fields)
        if segment.rst and fields.seq == 0:
            segment = segment._replace(seq=0)
        if segment.ack is not None and not segment.rst:
            self.right_edge = segment.ack + fields.window
        return segment


def with_checksum(octets: bytes) -> bytes:
    """An IPv4 packet without options whose TCP checksum is right; virtual devices hand packets over without one."""
    if octets[9] != TCP:
        return octets
    (total,) = struct.unpack_from("!H", octets, 2)
    head, segment = octets[:HEADER], octets[HEADER:total]
    cleared = segment[:16] + b"\0\0" + segment[18:]
    pseudo_header = head[12:20] + struct.pack("!BBH", 0, TCP, len(segment))
    return head + cleared[:16] + struct.pack("!H", checksum(pseudo_header + cleared)) + cleared[18:]
