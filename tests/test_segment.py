"""Segments: their lengths, their fields by name, and their text."""

from __future__ import annotations

from itertools import product

import pytest

from timewait.spec.segment import Segment
from timewait.spec.trace_actions import segment_of

SEGMENTS = [
    Segment(5, ack, length, syn, fin, rst, incarnation)
    for ack in (None, 0, 7)
    for length, incarnation in product((0, 3), (0, 1))
    for syn, fin, rst in product((False, True), repeat=3)
]
"""Every combination of the fields."""


def test_syn_and_fin_count_one_octet_each() -> None:
    """SEG.LEN of RFC 9293 3.4, and the number just past the segment."""
    for segment in SEGMENTS:
        assert segment.span == segment.length + (1 if segment.syn else 0) + (1 if segment.fin else 0)
        assert segment.end == 5 + segment.span


def test_fields_say_everything() -> None:
    """The segment follows from them, and no two segments have the same."""
    assert [segment_of(segment.fields) for segment in SEGMENTS] == SEGMENTS
    assert len({segment.fields for segment in SEGMENTS}) == len(SEGMENTS)
    assert Segment(1).fields == (("seq", 1), ("len", 0))
    everything = (("seq", 1), ("ack", 2), ("len", 3), ("syn", 1), ("fin", 1), ("rst", 1), ("incarnation", 1))
    assert Segment(1, 2, 3, True, True, True, 1).fields == everything


@pytest.mark.parametrize(
    ("segment", "flags", "text"),
    [
        (Segment(1), "NONE", "NONE seq=1"),
        (Segment(1, 2), "ACK", "ACK seq=1 ack=2"),
        (Segment(0, syn=True), "SYN", "SYN seq=0"),
        (Segment(0, 0, syn=True, incarnation=1), "SYN+ACK", "SYN+ACK seq=0 ack=0 (new)"),
        (Segment(1, 2, fin=True), "FIN+ACK", "FIN+ACK seq=1 ack=2"),
        (Segment(1, 2, 3, fin=True), "FIN+DATA+ACK", "FIN+DATA+ACK seq=1 ack=2 len=3"),
        (Segment(1, length=3), "DATA", "DATA seq=1 len=3"),
        (Segment(1, rst=True), "RST", "RST seq=1"),
    ],
)
def test_text(segment: Segment, flags: str, text: str) -> None:
    """The control bits by name, then the numbers; a number that says nothing is left out."""
    assert (segment.flags, str(segment)) == (flags, text)
