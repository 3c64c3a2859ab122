"""The blocks of a pcapng file: a section, its interfaces, and packets with comments (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
RAW_IP = 101
"""The link type of packets that begin with their IP header."""

END, COMMENT = 0, 1
"""Options of every block."""
PROGRAM = 4
"""shb_userappl, of a section."""
NAME, DESCRIPTION, RESOLUTION = 2, 3, 9
"""if_name, if_description and if_tsresol, of an interface."""
FLAGS = 2
"""epb_flags, of a packet."""
INBOUND, OUTBOUND = 1, 2

NANOSECONDS = 9
"""The resolution of times, as a negative power of ten of a second."""

MAX_OPTION = 60_000
"""Octets of an option at most; its length has 16 bits."""


class Interface(NamedTuple):
    """A capturing interface."""

    name: str
    description: str


class PacketBlock(NamedTuple):
    """A captured packet.

    Attributes
    ----------
    interface : int
        The index of its interface.
    time : int
        Capture time in nanoseconds since 1970.
    outbound : bool
        Whether it leaves; otherwise it arrives.
    octets : bytes
        The packet.
    comment : str
        The comment on it.
    """

    interface: int
    time: int
    outbound: bool
    octets: bytes
    comment: str


Option = tuple[int, bytes]


def capture(comment: str, program: str, interfaces: Sequence[Interface], packets: Iterable[PacketBlock]) -> bytes:
    """A whole file: one section with its comment and the name of the program, the interfaces, and the packets in order."""
    parts = [_section(comment, program)]
    parts += [_interface(interface) for interface in interfaces]
    parts += [_packet(packet) for packet in packets]
    return b"".join(parts)


def _section(comment: str, program: str) -> bytes:
    unknown_length = -1
    body = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, unknown_length)
    return _block(SECTION, body, ((COMMENT, _text(comment)), (PROGRAM, _text(program))))


def _interface(interface: Interface) -> bytes:
    options = (
        (NAME, _text(interface.name)),
        (DESCRIPTION, _text(interface.description)),
        (RESOLUTION, bytes([NANOSECONDS])),
    )
    unlimited = 0
    return _block(INTERFACE, struct.pack("<HHI", RAW_IP, 0, unlimited), options)


def _packet(packet: PacketBlock) -> bytes:
    high, low = divmod(packet.time, 2**32)
    length = len(packet.octets)
    body = struct.pack("<IIIII", packet.interface, high, low, length, length) + _padded(packet.octets)
    flags = struct.pack("<I", OUTBOUND if packet.outbound else INBOUND)
    return _block(PACKET, body, ((COMMENT, _text(packet.comment)), (FLAGS, flags)))


def _block(kind: int, body: bytes, options: Iterable[Option]) -> bytes:
    whole = body + b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in (*options, (END, b"")))
    length = struct.pack("<I", len(whole) + 12)
    return struct.pack("<I", kind) + length + whole + length


def _text(text: str) -> bytes:
    """Text as an option, truncated to `MAX_OPTION` octets."""
    octets = text.encode()
    return octets if len(octets) <= MAX_OPTION else octets[:MAX_OPTION].decode(errors="ignore").encode() + " …".encode()


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)
