"""Segments as octets: IPv4 and TCP headers with true checksums (RFC 791, RFC 9293 3.1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

TCP = 6
BITS = {"fin": 1, "syn": 2, "rst": 4}
ACK_BIT = 16
HEADER = 20
"""Octets of an IPv4 and of a TCP header without options."""


class WireSocket(NamedTuple):
    """An address and a port."""

    address: IPv4Address
    port: int


class Envelope(NamedTuple):
    """What a segment travels in.

    Attributes
    ----------
    source, destination : Socket
        From where, and to where.
    identification : int
        The identification of the IPv4 packet: the same in every copy that the network makes of it.
    hops : int
        The time to live that is left.
    """

    source: WireSocket
    destination: WireSocket
    identification: int
    hops: int


def packet(envelope: Envelope, fields: Mapping[str, int], origin: tuple[int, int], window: int) -> bytes:
    """An IPv4 packet with a TCP segment in it.

    Parameters
    ----------
    envelope : Envelope
        Addresses and the like.
    fields : mapping
        ``seq``, ``len``, ``ack`` if it acknowledges, and the control bits that are on; numbers are relative.
    origin : (int, int)
        The initial sequence numbers of the sender and of the receiver.
    window : int
        The window that it advertises, in octets.
    """
    source, destination = envelope.source, envelope.destination
    addresses = source.address.packed + destination.address.packed
    text = _text(fields["seq"], fields["len"])
    segment = _segment(envelope, fields, origin, window, text, 0)
    pseudo_header = addresses + struct.pack("!BBH", 0, TCP, len(segment))
    segment = _segment(envelope, fields, origin, window, text, checksum(pseudo_header + segment))
    head = struct.pack("!BBHHHBBH", 0x45, 0, HEADER + len(segment), envelope.identification % 2**16, 0, envelope.hops, TCP, 0)
    true_sum = struct.pack("!H", checksum(head + addresses))
    return head[:-2] + true_sum + addresses + segment


def _segment(
    envelope: Envelope, fields: Mapping[str, int], origin: tuple[int, int], window: int, text: bytes, true_sum: int
) -> bytes:
    acknowledged = (fields["ack"] + origin[1]) % 2**32 if "ack" in fields else 0
    bits = sum(bit for name, bit in BITS.items() if fields.get(name)) | (ACK_BIT if "ack" in fields else 0)
    ports = envelope.source.port, envelope.destination.port
    sequence = (fields["seq"] + origin[0]) % 2**32
    return struct.pack("!HHIIBBHHH", *ports, sequence, acknowledged, HEADER // 4 << 4, bits, window, true_sum, 0) + text


def _text(first: int, length: int) -> bytes:
    """Octets of text: each sequence number has its letter, so that what is sent again is the same again."""
    return bytes(ord("a") + number % 26 for number in range(first - 1, first - 1 + length))


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
