"""Files of one plain close, in encapsulations, beside damaged frames, and cut off: the close is told, and the rest counted."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence

import pytest
from capture_octets import (
    ETHERNET,
    IPV4,
    Wrapped,
    enhanced,
    ethernet,
    ethertype,
    interface,
    links,
    pcap_header,
    record,
    section,
    tunnels,
)
from capture_scripts import CLOSE, OPEN, PLAIN, differences, packets
from test_bad_captures import capture_of


def whole_close() -> list[tuple[float, bytes]]:
    """The packets of a plain close, with their times."""
    return [(float(it.time), bytes(it)) for it in packets(OPEN + CLOSE).packets]


def in_pcap(link_type: int, frames: Sequence[tuple[float, bytes]]) -> bytes:
    """A pcap file."""
    return pcap_header(link_type) + b"".join(record(octets, time) for time, octets in frames)


def with_more(*octets: bytes, place: int = 4) -> bytes:
    """A plain close with more frames in the middle of it."""
    frames = whole_close()
    frames[place:place] = [(frames[place][0], more) for more in octets]
    return in_pcap(228, frames)


def each_in(wrap: Callable[[int, bytes], bytes]) -> bytes:
    """A plain close with every packet in an Ethernet frame, made from its number and its octets."""
    return in_pcap(ETHERNET, [(time, wrap(number, octets)) for number, (time, octets) in enumerate(whole_close())])


def inside(name: str) -> bytes:
    """A plain close with every packet in an encapsulation."""

    def wrapped(octets: bytes) -> Wrapped:
        return next(it for kind in (links, tunnels) for it in kind(IPV4, octets) if it.name == name)

    frames = [(time, wrapped(octets)) for time, octets in whole_close()]
    return in_pcap(frames[0][1].link_type, [(time, it.octets) for time, it in frames])


def two_sections() -> bytes:
    """A plain close of which the second half is in a section of the other byte order."""
    parts = []
    for order, frames in (("<", whole_close()[:4]), (">", whole_close()[4:])):
        parts += [section(order), interface(228, order=order)]
        parts += [enhanced(order, 0, round(time * 1_000_000), octets) for time, octets in frames]
    return b"".join(parts)


def tagged(number: int, octets: bytes) -> bytes:
    """A frame with one of two tags in turn."""
    kind = ethertype(IPV4)
    if number % 2:
        return ethernet(b"\x88\xe5", b"\0\0\0\0\0\x09" + kind + octets)
    return ethernet(b"\x89\x09", b"\1\1\0\1\0\x07" + kind + octets)


READING: dict[str, tuple[Callable[[], bytes], int, bool]] = {
    "an empty frame": (lambda: with_more(b""), 1, False),
    "a frame of thirty octets": (lambda: with_more(whole_close()[0][1][:30]), 1, False),
    "frames that are no IP": (lambda: with_more(b"\xff" * 60, bytes(60), b"\x60"), 3, False),
    "an IP header that claims to be longer than its packet": (lambda: with_more(b"\x4f" + whole_close()[0][1][1:]), 1, False),
    "padding up to sixty octets": (lambda: each_in(lambda _, it: ethernet(ethertype(IPV4), it) + bytes(6)), 0, False),
    "two tags in turn": (lambda: each_in(tagged), 0, False),
    "l2tp": (lambda: inside("l2tp, numbers and offset"), 0, False),
    "a service header behind vxlan-gpe": (lambda: inside("vxlan-gpe, service header"), 0, False),
    "two byte orders in a file": (two_sections, 0, False),
    "the file ends within a further frame": (lambda: in_pcap(228, whole_close()) + record(bytes(60))[:40], 0, True),
    "a compressed file ends early": (lambda: gzip.compress(in_pcap(228, whole_close()))[:-8], 0, True),
}
"""Files of a plain close: how many frames are left out, and whether the file ends early."""


@pytest.mark.parametrize("name", READING)
def test_reading(name: str) -> None:
    """The close is told as if nothing else were in the file, and what was left out is counted."""
    octets, left_out, early = READING[name]
    found = capture_of(octets())
    assert [differences(found, index, PLAIN) for index in range(len(found.connections))] == [[]]
    assert found.connections[0].packets_captured == len(whole_close())
    assert (found.reader.left_out.total(), bool(found.reader.problem)) == (left_out, early)
