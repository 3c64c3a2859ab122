"""Decoding of a captured frame into a TCP segment: addresses, ports, numbers and flags.

Link types: Ethernet (with VLAN tags and PPPoE), Linux cooked (versions 1 and 2), raw IP, and loopback. IPv4 and IPv6
(with extension headers). Only headers are read; the length of the text follows from theirs.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

from timewait.captures.capture_file import Frame

TCP = 6
FIN, SYN, RST, ACK = 1, 2, 4, 16

NULL, ETHERNET, LOOP, COOKED, COOKED_2 = 0, 1, 108, 113, 276
RAW = frozenset({12, 14, 101, 228, 229})
HEADER_LENGTH = {NULL: 4, LOOP: 4, COOKED: 16, COOKED_2: 20} | dict.fromkeys(RAW, 0)
"""Octets before the IP header, by link type."""

VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
PPPOE = 0x8864

EXTENSIONS = frozenset({0, 43, 60})
"""IPv6 extension headers that are skipped: hop-by-hop options, routing, destination options."""
FRAGMENT = 44

END, NO_OPERATION, WINDOW_SCALE, TIMESTAMPS = 0, 1, 3, 8
"""TCP options."""


class UnsupportedLinkType(ValueError):
    """A link type that this module cannot decode; the message names it."""


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


def decode(frame: Frame) -> CapturedPacket | None:
    """The TCP segment in a frame; None when it has none or its header was not captured whole.

    Raises
    ------
    UnsupportedLinkType
        The link type cannot be decoded.
    """
    start = _ip_header(frame)
    if start is None or start >= len(frame.octets):
        return None
    version = frame.octets[start] >> 4
    try:
        if version == 4:
            return _ipv4(frame, start)
        return _ipv6(frame, start) if version == 6 else None
    except (struct.error, IndexError):
        return None


def _ip_header(frame: Frame) -> int | None:
    """The offset of the IP header; None where there is none."""
    if frame.link_type == ETHERNET:
        return _after_ethernet(frame.octets)
    if frame.link_type not in HEADER_LENGTH:
        known = "Ethernet, Linux cooked, raw IP and loopback"
        raise UnsupportedLinkType(f"link type {frame.link_type} is not supported; {known} are")
    return HEADER_LENGTH[frame.link_type]


def _after_ethernet(octets: bytes) -> int | None:
    at = 12
    while int.from_bytes(octets[at : at + 2], "big") in VLAN_TAGS:
        at += 4
    ethertype = int.from_bytes(octets[at : at + 2], "big")
    if ethertype == PPPOE:
        return at + 10
    return at + 2 if ethertype in (0x0800, 0x86DD) else None


def _ipv4(frame: Frame, start: int) -> CapturedPacket | None:
    octets = frame.octets
    first, total, ident, fragment, hops, protocol = struct.unpack_from("!BxHHHBB", octets, start)
    if protocol != TCP or fragment & 0x1FFF:
        return None
    header = (first & 15) * 4
    # Segmentation offload leaves a total length of 0: the packet is all that was captured.
    end = start + total if total else len(octets)
    addresses = octets[start + 12 : start + 16], octets[start + 16 : start + 20]
    return _tcp(frame, start + header, end, addresses, ident, hops)


def _ipv6(frame: Frame, start: int) -> CapturedPacket | None:
    octets = frame.octets
    total, kind, hops = struct.unpack_from("!HBB", octets, start + 4)
    addresses = octets[start + 8 : start + 24], octets[start + 24 : start + 40]
    at = start + 40
    end = at + total if total else len(octets)
    while kind in EXTENSIONS or kind == FRAGMENT:
        if kind == FRAGMENT and struct.unpack_from("!H", octets, at + 2)[0] >> 3:
            return None
        kind, length = octets[at], 0 if kind == FRAGMENT else octets[at + 1]
        at += 8 + 8 * length
    return _tcp(frame, at, end, addresses, 0, hops) if kind == TCP else None


def _tcp(frame: Frame, at: int, end: int, addresses: tuple[bytes, bytes], ident: int, hops: int) -> CapturedPacket | None:
    source, destination, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", frame.octets, at)
    header = (offset >> 4) * 4
    if header < 20 or at + header > end:
        return None
    options = _options(frame.octets[at + 20 : at + header])
    timestamps = options.get(TIMESTAMPS, b"")
    scale = options.get(WINDOW_SCALE, b"")
    return CapturedPacket(
        frame.number,
        frame.time,
        frame.interface,
        Socket(addresses[0], source),
        Socket(addresses[1], destination),
        seq,
        ack if flags & ACK else None,
        end - at - header,
        flags,
        window,
        scale[0] if scale and flags & SYN else None,
        struct.unpack("!II", timestamps) if len(timestamps) == 8 else None,
        ident,
        hops,
    )


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
