"""Segments as octets: IPv4 and TCP headers with correct checksums (RFC 791, RFC 9293 3.1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from timewait.spec.sequence_numbers import wrapped

TCP = 6
BITS = {"fin": 1, "syn": 2, "rst": 4}
ACK_BIT = 16
HEADER = 20
"""Octets of an IPv4 header, and of a TCP header, without options."""


class WireSocket(NamedTuple):
    """An address and a port."""

    address: IPv4Address
    port: int


class Envelope(NamedTuple):
    """The IPv4 header fields of a segment.

    Attributes
    ----------
    source, destination : WireSocket
        Addresses and ports.
    identification : int
        The identification: the same in every copy that the network makes of a packet.
    hops : int
        The time to live.
    """

    source: WireSocket
    destination: WireSocket
    identification: int
    hops: int


def packet(envelope: Envelope, fields: Mapping[str, int], initial: tuple[int, int], window: int) -> bytes:
    """An IPv4 packet with a TCP segment.

    Parameters
    ----------
    envelope : Envelope
        Addresses, ports, identification and time to live.
    fields : mapping
        ``seq``, ``len``, ``ack`` if it acknowledges, and the control bits that are on; numbers are relative.
    initial : (int, int)
        The initial sequence numbers of the sender and of the receiver.
    window : int
        The advertised window in octets.
    """
    source, destination = envelope.source, envelope.destination
    addresses = source.address.packed + destination.address.packed
    text = _text(fields["seq"], fields["len"])
    segment = _segment(envelope, fields, initial, window, text, 0)
    pseudo_header = addresses + struct.pack("!BBH", 0, TCP, len(segment))
    segment = _segment(envelope, fields, initial, window, text, checksum(pseudo_header + segment))
    head = struct.pack("!BBHHHBBH", 0x45, 0, HEADER + len(segment), envelope.identification % 2**16, 0, envelope.hops, TCP, 0)
    head_checksum = struct.pack("!H", checksum(head + addresses))
    return head[:-2] + head_checksum + addresses + segment


def _segment(
    envelope: Envelope, fields: Mapping[str, int], initial: tuple[int, int], window: int, text: bytes, checksum_: int
) -> bytes:
    ack = wrapped(fields["ack"] + initial[1]) if "ack" in fields else 0
    bits = sum(bit for name, bit in BITS.items() if fields.get(name)) | (ACK_BIT if "ack" in fields else 0)
    ports = envelope.source.port, envelope.destination.port
    seq = wrapped(fields["seq"] + initial[0])
    return struct.pack("!HHIIBBHHH", *ports, seq, ack, HEADER // 4 << 4, bits, window, checksum_, 0) + text


def _text(first: int, length: int) -> bytes:
    """Octets of text: one letter per sequence number, so that a retransmission repeats it."""
    return bytes(ord("a") + number % 26 for number in range(first - 1, first - 1 + length))


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
