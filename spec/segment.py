"""Segments: what the two ends exchange (RFC 9293 3.1), with sequence numbers relative to each ISN."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Segment(NamedTuple):
    """One segment.

    Attributes
    ----------
    seq : int
        SEG.SEQ in octets, relative: the SYN is 0 and the first octet of text 1.
    ack : int or None
        SEG.ACK, relative to the other end's ISN; None when the ACK bit is off.
    length : int
        Octets of text.
    syn, fin, rst : bool
        The control bits.
    """

    seq: int
    ack: int | None = None
    length: int = 0
    syn: bool = False
    fin: bool = False
    rst: bool = False

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
        """The control bits as the field writes them, for instance ``FIN+ACK``."""
        return _named(bool(self.length), self.ack is not None, self.syn, self.fin, self.rst)

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """What it carries by name: ``seq``, ``ack`` unless the ACK bit is off, ``len``, and 1 for each control bit that is on."""
        bits = (("syn", self.syn), ("fin", self.fin), ("rst", self.rst))
        ack = () if self.ack is None else (("ack", self.ack),)
        return (("seq", self.seq), *ack, ("len", self.length), *((name, 1) for name, on in bits if on))

    def __str__(self) -> str:
        return _written(self)


@cache
def _written(segment: Segment) -> str:
    ack = "" if segment.ack is None else f" ack={segment.ack}"
    text = f" len={segment.length}" if segment.length else ""
    return f"{segment.flags} seq={segment.seq}{ack}{text}"


@cache
def _named(text: bool, ack: bool, syn: bool, fin: bool, rst: bool) -> str:
    bits = (("SYN", syn), ("FIN", fin), ("RST", rst), ("DATA", text), ("ACK", ack))
    return "+".join(name for name, on in bits if on) or "NONE"
