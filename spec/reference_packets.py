"""The packets in flight of the reference semantics: each copy with the time at which it was sent, in the order of sending."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from timewait.spec.exchange import ENDS
from timewait.spec.segment import PacketInFlight, Segment
from timewait.vocabulary.replay import Packet


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


def has_to_wait(in_transit: tuple[TimedPacket, ...], index: int) -> bool:
    """Whether a packet has to wait, where order is kept: one of its direction, sent earlier, must be delivered first."""
    sender = in_transit[index].packet.sender
    return any(entry.packet.must_be_delivered for entry in in_transit[:index] if entry.packet.sender == sender)


def due_together(in_transit: tuple[TimedPacket, ...], sender: str, segment: Segment, *, in_order: bool) -> list[int]:
    """The numbers of the copies of a segment that must be delivered and can arrive in succession, in the order sent."""
    found: list[int] = []
    for packet, number, _ in in_transit:
        if packet.must_be_delivered and packet.sender == sender:
            if packet.segment == segment:
                found.append(number)
            elif in_order:
                break
    return found


def after_arrival(in_transit: tuple[TimedPacket, ...], index: int, *, in_order: bool) -> tuple[TimedPacket, ...]:
    """The packets in flight after one arrived; where order is kept, those of its direction that were ahead of it are lost."""
    arrived = in_transit[index]
    sender, left = arrived.packet.sender, arrived.packet.left
    kept: tuple[TimedPacket, ...] = ()
    if left is None or left > 0:
        packet = arrived.packet._replace(must_be_delivered=False, left=None if left is None else left - 1)
        kept = (arrived._replace(packet=packet),)
    ahead = in_transit[:index]
    if in_order:
        ahead = tuple(entry for entry in ahead if entry.packet.sender != sender)
    return (*ahead, *kept, *in_transit[index + 1 :])
