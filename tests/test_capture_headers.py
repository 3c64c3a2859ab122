"""Decoding of captured frames: every link layer and tunnel gives the segment inside, and so does Wireshark."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
import scapy.layers.l2
from capture_octets import IPV4, IPV6, Wrapped, enhanced, interface, links, option, outer, section, tunnels, without_segment
from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from tshark import TSHARK, needs_tshark

from timewait.captures.capture_file import Frame
from timewait.captures.headers import CapturedPacket, Fragment, LeftOut, decode

FIN = TCP(sport=1, dport=2, seq=7, ack=9, flags="FA", window=5, options=[("Timestamp", (3, 4)), ("NOP", None), ("NOP", None)])
PACKETS = {
    IPV4: bytes(IP(src="10.0.0.1", dst="10.0.0.2", id=77, ttl=63) / FIN / b"ab"),
    IPV6: bytes(IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=63) / FIN / b"ab"),
}
ENCAPSULATED = [
    (version, wrapped) for version in PACKETS for kind in (links, tunnels) for wrapped in kind(version, PACKETS[version])
]

NEEDS_PREFERENCES = {"mpls, ethernet", "mpls alone"}
"""Encapsulations that Wireshark decodes only where its preferences say so."""


def frame(link_type: int, octets: bytes, length: int = 0) -> Frame:
    """A captured frame."""
    return Frame(1, 5, "eth0", link_type, octets, length)


@pytest.mark.parametrize(("version", "wrapped"), ENCAPSULATED, ids=[f"{it.name}, IPv{version}" for version, it in ENCAPSULATED])
def test_the_segment_inside(version: int, wrapped: Wrapped) -> None:
    """The addresses are those of the innermost packet."""
    found = decode(frame(wrapped.link_type, wrapped.octets))
    assert isinstance(found, CapturedPacket), found
    assert str(found.source) == ("10.0.0.1:1" if version == IPV4 else "[2001:db8::1]:1")
    assert (found.seq, found.ack, found.length, found.flags, found.window) == (7, 9, 2, 0x11, 5)
    assert (found.timestamps, found.ident, found.hops) == ((3, 4), 77 if version == IPV4 else 0, 63)


def test_no_frame_asks_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a frame sends nothing: no address of it is resolved."""
    monkeypatch.setattr(scapy.layers.l2, "getmacbyip", lambda *_, **__: pytest.fail("an address is asked for"))
    monkeypatch.setattr(conf, "L2socket", lambda *_, **__: pytest.fail("a socket is opened"))
    for version, packet in PACKETS.items():
        assert all(wrapped.octets for kind in (links, tunnels) for wrapped in kind(version, packet))
    assert all(octets for _, _, octets in without_segment(PACKETS[IPV4]))


@needs_tshark
def test_wireshark_finds_the_same(tmp_path: Path) -> None:
    """One pcapng file with an interface for each encapsulation, each with a clock of its own."""
    parts = [section()]
    for number, (_, wrapped) in enumerate(ENCAPSULATED):
        clock = option("<", 9, bytes([number % 10]))
        parts.append(interface(wrapped.link_type, clock) + enhanced("<", number, 1_000_000, wrapped.octets))
    path = tmp_path / "all.pcapng"
    path.write_bytes(b"".join(parts))
    command = [str(TSHARK), "-n", "-r", str(path), "-T", "fields", "-e", "tcp.seq_raw", "-e", "tcp.len", "-e", "tcp.srcport"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    missed = [
        f"{wrapped.name}, IPv{version}"
        for line, (version, wrapped) in zip(done.stdout.splitlines(), ENCAPSULATED, strict=True)
        if line.split("\t") != ["7", "2", "1"] and wrapped.name not in NEEDS_PREFERENCES
    ]
    assert missed == []


def test_tunnels_in_tunnels() -> None:
    """Random nestings, as long as there are not too many."""
    rng = random.Random(4789)
    for _ in range(40):
        packet, version = PACKETS[IPV4], IPV4
        for _ in range(rng.randint(1, 3)):
            packet, version = rng.choice([it.octets for it in tunnels(version, packet)]), IPV4
            if packet[0] >> 4 == 6:
                packet = outer(41, packet)
        wrapped = rng.choice(list(links(IPV4, packet)))
        found = decode(frame(wrapped.link_type, wrapped.octets))
        assert isinstance(found, CapturedPacket), (wrapped, found)
        assert str(found.source) == "10.0.0.1:1"


@pytest.mark.parametrize(("reason", "link_type", "octets"), list(without_segment(PACKETS[IPV4])))
def test_frames_without_a_segment(reason: str, link_type: int, octets: bytes) -> None:
    """The reason names what the frame holds instead."""
    assert decode(frame(link_type, octets)) == LeftOut(reason)


@pytest.mark.parametrize(("version", "wrapped"), ENCAPSULATED, ids=[f"{it.name}, IPv{version}" for version, it in ENCAPSULATED])
def test_a_frame_that_was_not_captured_whole(version: int, wrapped: Wrapped) -> None:
    """With all headers the text still counts; with fewer octets the reason says so; nothing else happens."""
    del version
    length = len(wrapped.octets)
    text = wrapped.octets.rindex(b"ab")
    found = decode(frame(wrapped.link_type, wrapped.octets[:text], length))
    assert isinstance(found, CapturedPacket)
    assert found.length == 2
    for kept in range(text - 32):
        assert isinstance(decode(frame(wrapped.link_type, wrapped.octets[:kept], length)), LeftOut)
    assert decode(frame(wrapped.link_type, wrapped.octets[: text - 13], length)) != LeftOut("damaged headers")


def test_random_octets_are_decoded_or_left_out() -> None:
    """No octets and no link type raise an exception."""
    rng = random.Random(9293)
    whole = [wrapped for _, wrapped in ENCAPSULATED]
    for _ in range(20_000):
        wrapped = rng.choice(whole)
        octets = bytearray(wrapped.octets)
        for _ in range(rng.randint(1, 5)):
            octets[rng.randrange(len(octets))] = rng.choice((0, 1, 4, 6, 0x45, 0x60, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        found = decode(frame(wrapped.link_type, bytes(octets[: rng.randint(0, len(octets))])))
        assert isinstance(found, CapturedPacket | Fragment | LeftOut)


def test_segmentation_offload() -> None:
    """An IP packet without a length lasts to the end of the frame as it was on the wire."""
    octets = bytes(IP(src="10.0.0.1", dst="10.0.0.2", len=0) / TCP() / (b"x" * 5_000))
    found = decode(frame(101, octets[:100], len(octets)))
    assert isinstance(found, CapturedPacket)
    assert found.length == 5_000


def test_the_hardware_address_of_the_sender() -> None:
    """On Ethernet and on cooked links."""
    for version, wrapped in ENCAPSULATED:
        found = decode(frame(wrapped.link_type, wrapped.octets))
        assert isinstance(found, CapturedPacket)
        if wrapped.name in ("ethernet", "mpls"):
            assert found.hardware == bytes.fromhex("020000000001")
        if wrapped.link_type == 101:
            assert found.hardware == b"", version
