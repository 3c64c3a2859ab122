"""What is in flight: copies of segments, and what may become of them.

Where a copy may arrive any number of times, only the youngest copy of each segment matters, and copies
are *merged*; otherwise each is kept by itself, in the order sent. A copy that counts against the loss
budget and was not lost is *owed*: it must arrive before it is older than MSL. A merged entry therefore
has two clocks: the age of its youngest copy, which says how long it may still arrive, and the age of the
oldest one still owed, which says when one must.

Delivering a merged entry settles all that is owed of it: with unlimited duplication the other copies may
just as well arrive at the same instant, and be answered alike.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from timewait.spec.segment import Segment
from timewait.vocabulary.automaton import Clock


class PacketInFlight(NamedTuple):
    """An entry of the network.

    Attributes
    ----------
    sender : str
        ``"A"`` or ``"B"``.
    segment : Segment
        What was sent.
    owed : bool
        Whether it must still arrive.
    left : int or None
        How often it may still arrive; None: any number of times.
    """

    sender: str
    segment: Segment
    must_be_delivered: bool
    left: int | None


class ClockedPacket(NamedTuple):
    """A copy together with where its clocks come from: None for one that starts now."""

    copy: PacketInFlight
    age: Clock | None
    due: Clock | None


Network = tuple[PacketInFlight, ...]


class Channel(NamedTuple):
    """What the network does to copies: duplication (None: unlimited) and order."""

    duplication: int | None
    fifo: bool

    @property
    def merged(self) -> bool:
        """Whether copies of one segment are kept as one entry, whatever lies between them."""
        return self.duplication is None and not self.fifo

    def age(self, network: Network, index: int) -> Clock:
        """The clock that shows the age of an entry's youngest copy."""
        copy = network[index]
        if self.merged:
            return _clock("age", copy.sender, copy.segment)
        return Clock("age", f"{index}: {copy.sender} {copy.segment}")

    def due(self, network: Network, index: int) -> Clock:
        """The clock that shows the age of an entry's oldest owed copy."""
        if self.duplication is not None:
            return self.age(network, index)
        return Clock("due", self.age(network, index).owner)

    def clocks(self, network: Network) -> tuple[Clock, ...]:
        """All clocks of the network, in order."""
        clocks: list[Clock] = []
        for index, copy in enumerate(network):
            clocks.append(self.age(network, index))
            if copy.must_be_delivered and self.duplication is None:
                clocks.append(self.due(network, index))
        return tuple(clocks)

    def flights(self, network: Network) -> list[ClockedPacket]:
        """The network as it stands, each clock coming from itself."""
        return [
            ClockedPacket(copy, self.age(network, index), self.due(network, index) if copy.must_be_delivered else None)
            for index, copy in enumerate(network)
        ]

    def send(self, flights: list[ClockedPacket], sender: str, segment: Segment, must_be_delivered: bool) -> list[ClockedPacket]:
        """The flights after one more copy was sent and not lost."""
        fresh = ClockedPacket(PacketInFlight(sender, segment, must_be_delivered, self.duplication), None, None)
        same = self._mergeable(flights, sender, segment)
        if same is None:
            return [*flights, fresh]
        old = flights[same]
        joined = fresh
        if old.copy.must_be_delivered:
            joined = ClockedPacket(old.copy, None, old.due)
        return [*flights[:same], joined, *flights[same + 1 :]]

    def _mergeable(self, flights: list[ClockedPacket], sender: str, segment: Segment) -> int | None:
        """The entry that a new copy joins: any of the same segment, or in a queue the last one if it is the same."""
        if self.duplication is not None:
            return None
        mine = [index for index, flight in enumerate(flights) if flight.copy.sender == sender]
        for index in mine[-1:] if self.fifo else mine:
            if flights[index].copy.segment == segment:
                return index
        return None

    def blocked(self, network: Network, index: int) -> bool:
        """Whether an entry cannot arrive yet: in a queue, an owed copy is ahead of it."""
        sender = network[index].sender
        return self.fifo and any(copy.must_be_delivered for copy in network[:index] if copy.sender == sender)

    def deliver(self, network: Network, index: int) -> list[ClockedPacket]:
        """The flights after an entry arrived."""
        flights = self.flights(network)
        arrived = flights[index]
        copy = arrived.copy
        kept: list[ClockedPacket] = []
        if copy.left is None:
            kept = [ClockedPacket(copy._replace(must_be_delivered=False), arrived.age, None)]
        elif copy.left > 0:
            kept = [ClockedPacket(copy._replace(must_be_delivered=False, left=copy.left - 1), arrived.age, None)]
        ahead = flights[:index]
        if self.fifo:
            ahead = [flight for flight in ahead if flight.copy.sender != copy.sender]
        return ahead + kept + flights[index + 1 :]

    def settle(self, flights: list[ClockedPacket]) -> tuple[Network, tuple[Clock | None, ...]]:
        """The network in its canonical order, and where each of its clocks comes from."""
        ordered = sorted(flights, key=_name) if self.merged else flights
        updates: list[Clock | None] = []
        for flight in ordered:
            updates.append(flight.age)
            if flight.copy.must_be_delivered and self.duplication is None:
                updates.append(flight.due)
        return tuple(flight.copy for flight in ordered), tuple(updates)


@cache
def _clock(role: str, sender: str, segment: Segment) -> Clock:
    """The clock of a merged entry."""
    return Clock(role, f"{sender} {segment}")


def _name(flight: ClockedPacket) -> str:
    return _clock("age", flight.copy.sender, flight.copy.segment).owner
