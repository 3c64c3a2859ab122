"""Segments (RFC 9293 3.1), with sequence numbers relative to the ISN of their sender, and segments in flight."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

NEXT = " (new)"
"""The mark of a segment of the next incarnation in its text."""


class Segment(NamedTuple):
    """A segment.

    Attributes
    ----------
    seq : int
        SEG.SEQ in octets: the SYN is 0 and the first octet of text 1.
    ack : int or None
        SEG.ACK, relative to the ISN of the other end; None if the ACK bit is off.
    length : int
        Octets of text.
    syn, fin, rst : bool
        The control bits.
    incarnation : int
        The incarnation to whose ISNs its numbers are relative: 0 for the one that closes, 1 for the next one.
    """

    seq: int
    ack: int | None = None
    length: int = 0
    syn: bool = False
    fin: bool = False
    rst: bool = False
    incarnation: int = 0

    @property
    def span(self) -> int:
        """SEG.LEN: octets of sequence space, SYN and FIN counted (RFC 9293 3.4)."""
        return self.length + self.syn + self.fin

    @property
    def end(self) -> int:
        """The sequence number just past the segment."""
        return self.seq + self.span

    @property
    def flags(self) -> str:
        """The control bits by name, for instance ``FIN+ACK``."""
        return _flag_names(bool(self.length), self.ack is not None, self.syn, self.fin, self.rst)

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """Its fields by name: ``seq``, ``ack`` unless the ACK bit is off, ``len``, and 1 for each control bit that is on.

        A segment of the next incarnation has ``incarnation``, too.
        """
        bits = (("syn", self.syn), ("fin", self.fin), ("rst", self.rst), ("incarnation", bool(self.incarnation)))
        ack = () if self.ack is None else (("ack", self.ack),)
        return (("seq", self.seq), *ack, ("len", self.length), *((name, 1) for name, on in bits if on))

    def __str__(self) -> str:
        return _described(self)


class PacketInFlight(NamedTuple):
    """A segment in flight.

    Attributes
    ----------
    sender : str
        ``"A"`` or ``"B"``.
    segment : Segment
        The segment sent.
    must_be_delivered : bool
        Whether it must still arrive.
    left : int or None
        How often it may still arrive; None: any number of times.
    further : int
        Further copies of it, all sent later, that must still arrive too and are told apart.
    """

    sender: str
    segment: Segment
    must_be_delivered: bool
    left: int | None
    further: int = 0


@cache
def _described(segment: Segment) -> str:
    ack = "" if segment.ack is None else f" ack={segment.ack}"
    text = f" len={segment.length}" if segment.length else ""
    new = NEXT if segment.incarnation else ""
    return f"{segment.flags} seq={segment.seq}{ack}{text}{new}"


@cache
def _flag_names(text: bool, ack: bool, syn: bool, fin: bool, rst: bool) -> str:
    bits = (("SYN", syn), ("FIN", fin), ("RST", rst), ("DATA", text), ("ACK", ack))
    return "+".join(name for name, on in bits if on) or "NONE"
