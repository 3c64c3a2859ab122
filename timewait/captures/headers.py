"""Decoding of a captured frame into a TCP segment: addresses, ports, numbers and flags.

`link_layers` and `tunnels` find the innermost IP packet. IPv4 and IPv6 (with extension headers). Only headers are read;
the length of the text follows from theirs.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from timewait.captures.capture_file import Frame
from timewait.captures.link_layers import Undecoded, link_layer
from timewait.captures.tunnels import inside

TCP = 6
FIN, SYN, RST, ACK = 1, 2, 4, 16

MAX_LAYERS = 24
"""Headers before the TCP segment at most; more mean a frame made to keep readers busy."""

EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
"""IPv6 extension headers that are skipped: hop-by-hop options, routing, destination options, mobility, HIP, shim6."""
FRAGMENT, AUTHENTICATION = 44, 51

ETHERNET = 1

HARDWARE = {ETHERNET: 6, 113: 6, 276: 12}
"""Where the sender's hardware address of six octets stands, by link type."""

LATER_FRAGMENT = "later fragment of an IP packet"

FRAGMENTED = 0x3FFF
"""The bits of an IPv4 packet that is a fragment: more fragments, and the offset."""

ALIGNED_TIMESTAMPS = b"\x01\x01\x08\x0a"
"""Two octets of padding and the timestamps option (RFC 7323 appendix A)."""

END, NO_OPERATION, WINDOW_SCALE, TIMESTAMPS = 0, 1, 3, 8
"""TCP options."""


class LeftOut(NamedTuple):
    """A frame without a TCP segment that can be read.

    Attributes
    ----------
    reason : str
        What it holds instead.
    """

    reason: str


class Socket(NamedTuple):
    """Address and port of one end of a connection."""

    address: bytes
    port: int

    def __str__(self) -> str:
        text = str(ip_address(self.address))
        return f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"


class CapturedPacket(NamedTuple):
    """A captured TCP segment, decoded but with the sequence numbers of the wire.

    Attributes
    ----------
    frame : int
        The number of its frame in the file.
    time : int
        Capture time in nanoseconds since 1970.
    interface : str
        The capturing interface.
    source, destination : Socket
        Sender and receiver.
    seq : int
        The sequence number.
    ack : int or None
        The acknowledgement number; None when the ACK bit is off.
    length : int
        Octets of text.
    flags : int
        The control bits.
    window : int
        The advertised window before scaling.
    scale : int or None
        The window scale option of a SYN.
    timestamps : (int, int) or None
        TSval and TSecr of the timestamps option (RFC 7323).
    ident : int
        The identification of its IPv4 packet; 0 for IPv6.
    hops : int
        The remaining time to live or hop limit.
    hardware : bytes
        The sender's hardware address on the captured link; empty if the link has none.
    """

    frame: int
    time: int
    interface: str
    source: Socket
    destination: Socket
    seq: int
    ack: int | None
    length: int
    flags: int
    window: int
    scale: int | None
    timestamps: tuple[int, int] | None
    ident: int
    hops: int
    hardware: bytes = b""


class Fragment(NamedTuple):
    """One fragment of an IP packet with a TCP segment.

    Attributes
    ----------
    frame : int
        Its frame.
    time : int
        Its capture time in nanoseconds since 1970.
    packet : tuple
        Equal for all fragments of one packet, and different for most pairs of packets.
    start, stop : int
        The octets of the IP payload in it.
    last : bool
        Whether it is the last one.
    segment : CapturedPacket or None
        Of the first fragment: its TCP header, with the octets of text in this fragment.
    """

    frame: int
    time: int
    packet: tuple[object, ...]
    start: int
    stop: int
    last: bool
    segment: CapturedPacket | None


_WHOLE = struct.Struct("!12xHBxHHHBB2x4s4sHHIIBBH")
"""The headers of Ethernet, IPv4 and TCP without options."""
_TCP_HEADER = struct.Struct("!HHIIBBH").unpack_from
_TIMESTAMPS = struct.Struct("!II").unpack_from
_IPV4_HEADER = struct.Struct("!BxHHHBB2x4s4s").unpack_from


class _IpPacket(NamedTuple):
    """An IP packet: its protocol, where its payload begins and ends (0: with the frame), and what its header says.

    Of a fragment: the identification, the first octet of the payload, and whether it is the last one.
    """

    protocol: int
    at: int
    end: int
    source: bytes
    destination: bytes
    ident: int
    hops: int
    fragment: tuple[int, int, bool] | None = None


def decode(frame: Frame) -> CapturedPacket | Fragment | LeftOut:
    """The TCP segment in a frame or a part of one, or why it has none that can be read."""
    octets = frame.octets
    if frame.link_type == ETHERNET and (found := _decode_ethernet(frame, octets)) is not None:
        return found
    try:
        layer, at = link_layer(frame.link_type)
        for _ in range(MAX_LAYERS):
            if layer is not None:
                layer, at = layer(octets, at)
                continue
            packet = _ip(octets, at)
            if packet.protocol == TCP:
                return _tcp(frame, packet) if packet.fragment is None else _fragment(frame, packet, packet.fragment)
            if packet.fragment is not None and packet.fragment[1]:
                raise Undecoded(LATER_FRAGMENT)
            layer, at = inside(octets, packet.at, packet.protocol)
    except Undecoded as problem:
        return LeftOut(str(problem))
    except (struct.error, IndexError):
        whole = len(octets) >= frame.length
        return LeftOut("damaged headers" if whole else "headers that were not captured whole")
    return LeftOut(f"more than {MAX_LAYERS} headers")


def _decode_ethernet(frame: Frame, octets: bytes) -> CapturedPacket | None:
    """The TCP segment in an Ethernet frame whose headers are the commonest ones; None where others must be looked for."""
    if len(octets) < _WHOLE.size:
        return None
    kind, first, total, ident, fragment, hops, protocol, sender, receiver, *_ = fields = _WHOLE.unpack_from(octets)
    if kind != 0x0800 or first != 0x45 or protocol != TCP or fragment & FRAGMENTED:
        return None
    source, destination, seq, ack, offset, flags, window = fields[9:]
    header = offset >> 2 & 0x3C
    length = (14 + total if total else max(frame.length, len(octets))) - 34 - header
    if header < 20 or length < 0:
        return None
    scale = timestamps = None
    if header > 20:
        scale, timestamps = _scale_and_timestamps(octets[54 : 34 + header], flags)
    number, time, interface, *_ = frame
    return tuple.__new__(
        CapturedPacket,
        (
            number,
            time,
            interface,
            _socket(sender, source),
            _socket(receiver, destination),
            seq,
            ack if flags & ACK else None,
            length,
            flags,
            window,
            scale,
            timestamps,
            ident,
            hops,
            octets[6:12],
        ),
    )


def _ip(octets: bytes, at: int) -> _IpPacket:
    version = octets[at] >> 4
    if version == 4:
        return _ipv4(octets, at)
    if version == 6:
        return _ipv6(octets, at)
    raise Undecoded("a packet that is not IP")


def _ipv4(octets: bytes, start: int) -> _IpPacket:
    first, total, ident, fragment, hops, protocol, source, destination = _IPV4_HEADER(octets, start)
    at = start + (first & 15) * 4
    if at < start + 20:
        raise Undecoded("damaged headers")
    # Segmentation offload leaves a total length of 0: the packet is the rest of the frame.
    end = start + total if total else 0
    if protocol == AUTHENTICATION:
        protocol, at = octets[at], at + 4 * (octets[at + 1] + 2)
    part = (ident, 8 * (fragment & 0x1FFF), not fragment & 0x2000) if fragment & FRAGMENTED else None
    return _IpPacket(protocol, at, end, source, destination, ident, hops, part)


def _ipv6(octets: bytes, start: int) -> _IpPacket:
    total, kind, hops = struct.unpack_from("!HBB", octets, start + 4)
    at = start + 40
    end = at + total if total else 0
    part: tuple[int, int, bool] | None = None
    for _ in range(MAX_LAYERS):
        if part is not None and part[1]:
            return _IpPacket(kind, at, end, octets[start + 8 : start + 24], octets[start + 24 : start + 40], 0, hops, part)
        if kind == FRAGMENT:
            place, ident = struct.unpack_from("!HI", octets, at + 2)
            # A packet that is its own only fragment is whole (RFC 6946).
            part = (ident, place & 0xFFF8, not place & 1) if place & 0xFFF9 else None
            kind, at = octets[at], at + 8
        elif kind == AUTHENTICATION:
            kind, at = octets[at], at + 4 * (octets[at + 1] + 2)
        elif kind in EXTENSIONS:
            kind, at = octets[at], at + 8 + 8 * octets[at + 1]
        else:
            return _IpPacket(kind, at, end, octets[start + 8 : start + 24], octets[start + 24 : start + 40], 0, hops, part)
    raise Undecoded(f"more than {MAX_LAYERS} headers")


@lru_cache(maxsize=1 << 16)
def _socket(address: bytes, port: int) -> Socket:
    """The socket of an address and a port; one object for all its packets, which are then compared faster."""
    return Socket(address, port)


def _tcp(frame: Frame, packet: _IpPacket) -> CapturedPacket:
    octets, at = frame.octets, packet.at
    source, destination, seq, ack, offset, flags, window = _TCP_HEADER(octets, at)
    header = (offset >> 4) * 4
    length = (packet.end or max(frame.length, len(octets))) - at - header
    if header < 20 or length < 0:
        raise Undecoded("damaged headers")
    scale, timestamps = _scale_and_timestamps(octets[at + 20 : at + header], flags)
    hardware = HARDWARE.get(frame.link_type)
    return CapturedPacket(
        frame.number,
        frame.time,
        frame.interface,
        _socket(packet.source, source),
        _socket(packet.destination, destination),
        seq,
        ack if flags & ACK else None,
        length,
        flags,
        window,
        scale,
        timestamps,
        packet.ident,
        packet.hops,
        b"" if hardware is None else octets[hardware : hardware + 6],
    )


def _fragment(frame: Frame, packet: _IpPacket, part: tuple[int, int, bool]) -> Fragment:
    """A fragment of a TCP segment."""
    ident, start, last = part
    octets = (packet.end or max(frame.length, len(frame.octets))) - packet.at
    if octets <= 0:
        raise Undecoded("damaged headers")
    whole = frame.interface, packet.source, packet.destination, ident
    segment = None if start else _tcp(frame, packet)
    return Fragment(frame.number, frame.time, whole, start, start + octets, last, segment)


def _scale_and_timestamps(octets: bytes, flags: int) -> tuple[int | None, tuple[int, int] | None]:
    """The window scale of a SYN and the timestamps, from the options of a segment."""
    if octets.startswith(ALIGNED_TIMESTAMPS) and len(octets) == 12:
        return None, _TIMESTAMPS(octets, 4)
    found = _options(octets)
    scale, timestamps = found.get(WINDOW_SCALE, b""), found.get(TIMESTAMPS, b"")
    return scale[0] if scale and flags & SYN else None, _TIMESTAMPS(timestamps, 0) if len(timestamps) == 8 else None


def _options(octets: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(octets) and octets[at] != END:
        if octets[at] == NO_OPERATION:
            at += 1
            continue
        if at + 1 >= len(octets) or octets[at + 1] < 2:
            break
        found[octets[at]] = octets[at + 2 : at + octets[at + 1]]
        at += octets[at + 1]
    return found
