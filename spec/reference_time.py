"""Times in the reference semantics: a packet with the time at which it was sent, and a timer that expires late."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.segment import PacketInFlight
from timewait.vocabulary.replay import Packet

NOTICEABLE = 100
"""A timer that expires late by more than one part in so many of its length is called late."""

INSTANT = Fraction(1, 1000)
"""The most by which a timer expires late without being called late, however short it is, in seconds."""


class TimedPacket(NamedTuple):
    """A packet in flight, its number in the order of sending, and the time at which it was sent, in seconds."""

    packet: PacketInFlight
    number: int
    sent: Fraction

    def is_due_at(self, side: int) -> bool:
        """Whether it must still arrive, and at this end."""
        return self.packet.must_be_delivered and self.packet.sender == ENDS[1 - side]

    @property
    def is_new(self) -> bool:
        """Whether it belongs to the next incarnation, in which the lifetime of a packet is not limited."""
        return bool(self.packet.segment.incarnation)

    def described(self, msl: Fraction, *, lost: bool) -> Packet:
        """The packet as a trace describes it, where packets live `msl` seconds at most."""
        sender, segment = self.packet.sender, self.packet.segment
        receiver = ENDS[1 - ENDS.index(sender)]
        return Packet(self.number, sender, receiver, str(segment), segment.fields, self.sent, self.sent + msl, lost)


def late_in_words(elapsed: Fraction, length: Fraction) -> str:
    """By how much a timer has expired late, if a reader would notice; otherwise empty."""
    late = elapsed - length
    return f", so {format_duration(late)} late" if late > max(length / NOTICEABLE, INSTANT) else ""
