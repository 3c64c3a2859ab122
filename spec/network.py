"""The network: the copies of segments in flight, and when they may or must arrive.

Where a copy may arrive any number of times, in any order, only the youngest copy of each segment matters, and copies of one
segment are *merged* into one entry. Otherwise each copy is an entry, in the order sent. A copy under the loss budget that
was not lost *must be delivered* before it is older than MSL. A merged entry therefore has two clocks: the age of its
youngest copy bounds how long it may arrive; the age of its oldest undelivered copy (``due``) bounds how long it may wait.

A packet of the next incarnation has no clocks: how long it lives is not limited.

The delivery of a merged entry counts for all its copies: with unlimited duplication the others may arrive at the same
instant, and they get the same answer. That allows too much where the first answer is lost and the loss budget does not
cover the loss of the others. A channel that tells copies apart (`Channel.told_apart`) keeps the deadlines of the oldest
copies, one clock for each, and can deliver the oldest alone.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from timewait.spec.segment import PacketInFlight, Segment
from timewait.vocabulary.automaton import Clock

Network = tuple[PacketInFlight, ...]

NETWORKS = 4096
"""Networks of which the clocks are remembered: all edges of a location begin with the same one."""


class ClockedPacket(NamedTuple):
    """A packet in flight and the updates of its clocks: the clock that each value comes from; None: the clock starts now.

    Attributes
    ----------
    packet : PacketInFlight
        The packet.
    age, due : Clock or None
        The updates of its age, and of the age of its oldest copy that must be delivered.
    later : tuple of Clock or None
        The updates of the ages of its `PacketInFlight.further` copies, the oldest first.
    """

    packet: PacketInFlight
    age: Clock | None
    due: Clock | None = None
    later: tuple[Clock | None, ...] = ()


class Channel(NamedTuple):
    """The rules of the network.

    Attributes
    ----------
    duplication : int or None
        How often a copy may arrive again; None: any number of times.
    fifo : bool
        Whether order is kept.
    told_apart : int
        Copies of one merged entry that must be delivered and have a deadline of their own, at most: the oldest ones.
    """

    duplication: int | None
    fifo: bool
    told_apart: int = 1

    @property
    def merged(self) -> bool:
        """Whether all copies of one segment form one entry."""
        return self.duplication is None and not self.fifo

    def age(self, network: Network, index: int) -> Clock:
        """The clock that holds the age of the youngest copy of an entry."""
        packet = network[index]
        if self.merged:
            return _clock("age", packet.sender, packet.segment)
        return Clock("age", f"{index}: {packet.sender} {packet.segment}")

    def due(self, network: Network, index: int) -> Clock:
        """The clock that holds the age of the oldest copy of an entry that must be delivered."""
        if self.duplication is not None:
            return self.age(network, index)
        return Clock("due", self.age(network, index).owner)

    def clocks(self, network: Network) -> tuple[Clock, ...]:
        """All clocks of the network, in order."""
        return _clocks(self, network)

    def later(self, packet: PacketInFlight) -> tuple[Clock, ...]:
        """The clocks that hold the ages of the further copies of an entry, the oldest first."""
        return tuple(_clock("due", packet.sender, packet.segment, number) for number in range(2, packet.further + 2))

    def unchanged(self, network: Network) -> list[ClockedPacket]:
        """The network with clocks that keep their values."""
        return [*_unchanged(self, network)]

    def send(self, clocked: list[ClockedPacket], sender: str, segment: Segment, must_be_delivered: bool) -> list[ClockedPacket]:
        """The network after one more copy was sent and not lost."""
        fresh = ClockedPacket(PacketInFlight(sender, segment, must_be_delivered, self.duplication), None, None)
        same = self._mergeable(clocked, sender, segment)
        if same is None:
            return [*clocked, fresh]
        old = clocked[same]
        joined = fresh
        if old.packet.must_be_delivered:
            joined = old._replace(age=None)
            if must_be_delivered and old.packet.further + 1 < self.told_apart:
                packet = old.packet._replace(further=old.packet.further + 1)
                joined = ClockedPacket(packet, None, old.due, (*old.later, None))
        return [*clocked[:same], joined, *clocked[same + 1 :]]

    def _mergeable(self, clocked: list[ClockedPacket], sender: str, segment: Segment) -> int | None:
        """The entry that a new copy joins: any of the same segment, or in a queue the last entry if it is the same."""
        if self.duplication is not None:
            return None
        own = [index for index, entry in enumerate(clocked) if entry.packet.sender == sender]
        for index in own[-1:] if self.fifo else own:
            if clocked[index].packet.segment == segment:
                return index
        return None

    def blocked(self, network: Network, index: int) -> bool:
        """Whether an entry cannot arrive yet: in a queue, an entry ahead of it must be delivered first."""
        sender = network[index].sender
        return self.fifo and any(packet.must_be_delivered for packet in network[:index] if packet.sender == sender)

    def deliver(self, network: Network, index: int) -> list[ClockedPacket]:
        """The network after an entry arrived, with all its copies."""
        packet, age = network[index], self.age(network, index)
        kept: list[ClockedPacket] = []
        if packet.left is None:
            kept = [ClockedPacket(packet._replace(must_be_delivered=False, further=0), age)]
        elif packet.left > 0:
            kept = [ClockedPacket(packet._replace(must_be_delivered=False, left=packet.left - 1), age)]
        return self._arrived(network, index, kept)

    def deliver_oldest(self, network: Network, index: int) -> list[ClockedPacket]:
        """The network after the oldest copy of a merged entry arrived, which has further copies that must be delivered."""
        packet = network[index]
        next_oldest, *later = self.later(packet)
        kept = ClockedPacket(packet._replace(further=packet.further - 1), self.age(network, index), next_oldest, tuple(later))
        return self._arrived(network, index, [kept])

    def _arrived(self, network: Network, index: int, kept: list[ClockedPacket]) -> list[ClockedPacket]:
        """The network with what is kept of an entry that arrived; in a queue, the entries ahead of it are lost."""
        clocked = self.unchanged(network)
        ahead = clocked[:index]
        if self.fifo:
            ahead = [entry for entry in ahead if entry.packet.sender != network[index].sender]
        return ahead + kept + clocked[index + 1 :]

    def settle(self, clocked: list[ClockedPacket]) -> tuple[Network, tuple[Clock | None, ...]]:
        """The network in its canonical order, and the update of each of its clocks."""
        ordered = sorted(clocked, key=_name) if self.merged else clocked
        updates: list[Clock | None] = []
        for entry in ordered:
            if entry.packet.segment.incarnation:
                continue
            updates.append(entry.age)
            if entry.packet.must_be_delivered and self.duplication is None:
                updates += [entry.due, *entry.later]
        return tuple(entry.packet for entry in ordered), tuple(updates)


@lru_cache(maxsize=NETWORKS)
def _clocks(channel: Channel, network: Network) -> tuple[Clock, ...]:
    """All clocks of a network, in order."""
    clocks: list[Clock] = []
    for index, packet in enumerate(network):
        if packet.segment.incarnation:
            continue
        clocks.append(channel.age(network, index))
        if packet.must_be_delivered and channel.duplication is None:
            clocks += [channel.due(network, index), *channel.later(packet)]
    return tuple(clocks)


@lru_cache(maxsize=NETWORKS)
def _unchanged(channel: Channel, network: Network) -> tuple[ClockedPacket, ...]:
    """A network with clocks that keep their values."""
    return tuple(
        ClockedPacket(packet, channel.age(network, index), channel.due(network, index), channel.later(packet))
        if packet.must_be_delivered
        else ClockedPacket(packet, channel.age(network, index), None)
        for index, packet in enumerate(network)
    )


@cache
def _clock(role: str, sender: str, segment: Segment, copy: int = 1) -> Clock:
    """A clock of a merged entry; that of a further copy has its number."""
    return Clock(role, f"{sender} {segment}" + (f" ({copy})" if copy > 1 else ""))


def _name(clocked: ClockedPacket) -> str:
    return _clock("age", clocked.packet.sender, clocked.packet.segment).owner
