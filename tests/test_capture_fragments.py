"""Segments in fragments of IP packets: joined, or left out and counted."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from capture_octets import pcap_header, record
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Packet, Raw
from test_bad_captures import capture_of
from wire import Script

from timewait.captures.fragments import INCOMPLETE
from timewait.captures.observations import CloseKind

RAW = 101


def script() -> Script:
    """A connection in which A sends 2,000 octets and a FIN with 500 more, and B closes second."""
    made = Script().opened()
    made.say(0.5, "A", "PA", 1, 1, length=2_000)
    made.say(0.6, "B", "A", 1, 2_001)
    made.say(1.0, "A", "FPA", 2_001, 1, length=500)
    made.say(1.1, "B", "A", 1, 2_502)
    made.say(1.2, "B", "FA", 1, 2_502)
    made.say(1.3, "A", "A", 2_502, 2)
    return made


def cut(rng: random.Random, packet: Packet, version: int) -> Iterator[bytes]:
    """A packet in fragments of random lengths."""
    payload = bytes(packet[IP].payload)
    start = 0
    while start < len(payload):
        stop = min(start + 8 * rng.randint(4, 100), len(payload))
        more = stop < len(payload)
        head: Packet
        if version == 4:
            head = IP(src=packet.src, dst=packet.dst, id=packet.id, proto=6, flags="MF" if more else 0, frag=start // 8)
        else:
            part = IPv6ExtHdrFragment(id=packet.id, nh=6, offset=start // 8, m=int(more))
            head = IPv6(src=f"2001:db8::{packet.src[-1]}", dst=f"2001:db8::{packet.dst[-1]}") / part
        yield bytes(head / Raw(payload[start:stop]))
        start = stop


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("seed", range(10))
def test_fragments_in_any_order(seed: int, version: int) -> None:
    """Every octet of text is found, whatever the fragments and their order."""
    rng = random.Random(seed)
    parts, frames = [pcap_header(RAW)], 0
    for packet in script().packets:
        pieces = list(cut(rng, packet, version))
        rng.shuffle(pieces)
        frames += len(pieces)
        parts += [record(piece, float(packet.time) + index / 1e6) for index, piece in enumerate(pieces)]
    found = capture_of(b"".join(parts))
    (facts,) = found.connections
    assert (facts.kind, facts.frames[1]) == (CloseKind.IN_ORDER, frames)
    assert [total.octets for total in facts.totals] == [2_500, 0]
    assert (facts.deviations, facts.unknowns, found.reader.left_out.total()) == ((), (), 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_fragment_is_missing(seed: int) -> None:
    """The other fragments are counted, the text is not in the capture, and nobody is accused."""
    rng = random.Random(seed)
    parts, dropped = [pcap_header(RAW)], 0
    for packet in script().packets:
        pieces = list(cut(rng, packet, 4))
        if len(pieces) > 1 and not dropped:
            pieces.pop(rng.randrange(len(pieces)))
            dropped = len(pieces)
        parts += [record(piece, float(packet.time) + index / 1e6) for index, piece in enumerate(pieces)]
    found = capture_of(b"".join(parts))
    (facts,) = found.connections
    assert found.reader.left_out == {INCOMPLETE: dropped}
    assert (facts.kind, facts.totals[0].missing) == (CloseKind.IN_ORDER, 2_000)
    assert not facts.deviations
    assert {unknown.kind for unknown in facts.unknowns} == {"octets-missing"}
