"""From a captured frame to a TCP segment: addresses, ports, numbers and flags.

Link types: Ethernet (with VLAN tags and PPPoE), Linux cooked (both versions), raw IP, and loopback. IPv4 and IPv6
(with extension headers). Only the headers are read: how much text a segment carries is known from its length.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

from timewait.captures.container import Frame

TCP = 6
FIN, SYN, RST, ACK = 1, 2, 4, 16

NULL, ETHERNET, LOOP, COOKED, COOKED_2 = 0, 1, 108, 113, 276
RAW = frozenset({12, 14, 101, 228, 229})

VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
PPPOE = 0x8864

EXTENSIONS = frozenset({0, 43, 60})
"""IPv6 headers that are skipped: hop-by-hop options, routing, destination options."""
FRAGMENT = 44

END, NOTHING, WINDOW_SCALE, TIMESTAMPS = 0, 1, 3, 8
"""TCP options."""


class UnreadLink(ValueError):
    """A link type that is not read here; the message names it."""


class Socket(NamedTuple):
    """One end of a connection."""

    address: bytes
    port: int

    def __str__(self) -> str:
        text = str(ip_address(self.address))
        return f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"


class CapturedPacket(NamedTuple):
    """A TCP segment as it was captured.

    Attributes
    ----------
    frame : int
        The number of its frame in the file.
    time : int
        When it was captured, in nanoseconds since 1970.
    place : str
        Where it was captured.
    source, destination : End
        Who sent it, and to whom.
    seq : int
        The sequence number, as sent.
    ack : int or None
        The acknowledgement number, as sent; None when the ACK bit is off.
    length : int
        Octets of text.
    flags : int
        The control bits.
    window : int
        The window, not scaled.
    scale : int or None
        The window scale that a SYN offers.
    stamps : (int, int) or None
        The values of the timestamp option: the sender's clock, and what it echoes.
    ident : int
        The identification of its IPv4 packet; 0 for IPv6.
    hops : int
        The time to live, or hop limit, that was left.
    comment : str
        What the file says of it.
    """

    frame: int
    time: int
    place: str
    source: Socket
    destination: Socket
    seq: int
    ack: int | None
    length: int
    flags: int
    window: int
    scale: int | None
    stamps: tuple[int, int] | None
    ident: int
    hops: int
    comment: str


def packet(frame: Frame) -> CapturedPacket | None:
    """The TCP segment in a frame; None when there is none, or its header was not kept.

    Raises
    ------
    UnreadLink
        Frames of its link type are not read.
    """
    start = _start(frame)
    if start is None or start >= len(frame.octets):
        return None
    version = frame.octets[start] >> 4
    try:
        if version == 4:
            return _in_ipv4(frame, start)
        return _in_ipv6(frame, start) if version == 6 else None
    except (struct.error, IndexError):
        return None


def _start(frame: Frame) -> int | None:
    """Where the IP header begins."""
    if frame.link_type == ETHERNET:
        return _after_ethernet(frame.octets)
    if frame.link_type in RAW:
        return 0
    if frame.link_type in (NULL, LOOP):
        return 4
    if frame.link_type == COOKED:
        return 16
    if frame.link_type == COOKED_2:
        return 20
    raise UnreadLink(f"frames of link type {frame.link_type} are not read; Ethernet, Linux cooked, raw IP and loopback are")


def _after_ethernet(octets: bytes) -> int | None:
    at = 12
    while int.from_bytes(octets[at : at + 2], "big") in VLAN_TAGS:
        at += 4
    kind = int.from_bytes(octets[at : at + 2], "big")
    if kind == PPPOE:
        return at + 10
    return at + 2 if kind in (0x0800, 0x86DD) else None


def _in_ipv4(frame: Frame, start: int) -> CapturedPacket | None:
    octets = frame.octets
    first, total, ident, fragment, hops, protocol = struct.unpack_from("!BxHHHBB", octets, start)
    if protocol != TCP or fragment & 0x1FFF:
        return None
    header = (first & 15) * 4
    # A length of nought is what segmentation offload leaves: all that was captured belongs to it.
    end = start + total if total else len(octets)
    ends = octets[start + 12 : start + 16], octets[start + 16 : start + 20]
    return _segment(frame, start + header, end, ends, ident, hops)


def _in_ipv6(frame: Frame, start: int) -> CapturedPacket | None:
    octets = frame.octets
    total, kind, hops = struct.unpack_from("!HBB", octets, start + 4)
    ends = octets[start + 8 : start + 24], octets[start + 24 : start + 40]
    at = start + 40
    end = at + total if total else len(octets)
    while kind in EXTENSIONS or kind == FRAGMENT:
        if kind == FRAGMENT and struct.unpack_from("!H", octets, at + 2)[0] >> 3:
            return None
        kind, length = octets[at], 0 if kind == FRAGMENT else octets[at + 1]
        at += 8 + 8 * length
    return _segment(frame, at, end, ends, 0, hops) if kind == TCP else None


def _segment(frame: Frame, at: int, end: int, ends: tuple[bytes, bytes], ident: int, hops: int) -> CapturedPacket | None:
    source, destination, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", frame.octets, at)
    header = (offset >> 4) * 4
    if header < 20 or at + header > end:
        return None
    options = _options(frame.octets[at + 20 : at + header])
    stamps = options.get(TIMESTAMPS, b"")
    scale = options.get(WINDOW_SCALE, b"")
    return CapturedPacket(
        frame.number,
        frame.time,
        frame.place,
        Socket(ends[0], source),
        Socket(ends[1], destination),
        seq,
        ack if flags & ACK else None,
        end - at - header,
        flags,
        window,
        scale[0] if scale and flags & SYN else None,
        struct.unpack("!II", stamps) if len(stamps) == 8 else None,
        ident,
        hops,
        frame.comment,
    )


def _options(octets: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(octets) and octets[at] != END:
        if octets[at] == NOTHING:
            at += 1
            continue
        if at + 1 >= len(octets) or octets[at + 1] < 2:
            break
        found[octets[at]] = octets[at + 2 : at + octets[at + 1]]
        at += octets[at + 1]
    return found
