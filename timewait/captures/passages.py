"""Every passage of a packet past the capture, in the order of sending: what all judgements on a connection are made from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.delivery import Deliveries
from timewait.captures.direction import Direction
from timewait.captures.kept_packets import CapturedSegment, CaptureInstant
from timewait.captures.observations import Transmission
from timewait.captures.trace_start import UNSEEN
from timewait.spec.exchange import ENDS
from timewait.spec.segment import Segment

NEARBY = 1 << 12
"""Steps of IPv4 identifications below this are those of a counter."""

IDENTIFICATIONS = 1 << 16
"""IPv4 identifications: a counter begins again after them."""

COUNTED = 3
"""New packets with identifications that show whether their sender counts."""

_Made = tuple[CaptureInstant, CapturedSegment, int | None, bool, bool]
"""The order of a passage, its packet, and its `reached`, `duplicate` and `sure`."""


class Passage(NamedTuple):
    """One passage of a packet.

    Attributes
    ----------
    captured : CapturedSegment
        The packet.
    order : Instant
        The place of its sending among all events.
    reached : int or None
        The earliest time at which it can have arrived, in nanoseconds since 1970; None if it is known not to have arrived.
    duplicate : bool
        Whether it is a copy made by the network.
    fresh : bool
        Whether it cannot be a copy made by the network or an overtaken packet: its sender sent it after all before it.
    sender : int
        The index of the sending end.
    segment : Segment
        The segment.
    frame : int
        The frame; 0 where the capture lacks the segment.
    time : int
        Nanoseconds since 1970 at the place of sending.
    sure : bool
        Whether it certainly arrived: it was captured beside its receiver. Elsewhere it may have been lost behind the capture.
    """

    captured: CapturedSegment
    order: CaptureInstant
    reached: int | None
    duplicate: bool
    fresh: bool
    sender: int
    segment: Segment
    frame: int
    time: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Passages:
    """All passages of a connection.

    Attributes
    ----------
    all : tuple of Passage
        In the order of sending.
    directions : (Direction, Direction)
        The totals of each end.
    started : int
        The zero of times, in nanoseconds since 1970.
    near : (str, str) or None
        With two capture points, the interface beside each end.
    beside : str
        The end beside the only capture point; empty if unknown, or with two.
    """

    all: tuple[Passage, ...]
    directions: tuple[Direction, Direction]
    started: int
    near: tuple[str, str] | None
    beside: str
    _sides: tuple[Sequence[Passage], Sequence[Passage]]
    _orders: tuple[Sequence[CaptureInstant], Sequence[CaptureInstant]]

    def at_sender(self, passage: Passage) -> bool:
        """Whether a packet was captured at the capture point that captures all packets of its sender in the same way."""
        return self.near is None or passage.captured.packet.interface == self.near[passage.sender]

    def sees_all_of(self, side: int) -> bool:
        """Whether everything that an end sends passes a capture point; elsewhere it may be lost before the point."""
        return self.near is not None or self.beside == ENDS[side]

    def seconds(self, time: int) -> Fraction:
        """A capture time in seconds since the start."""
        return Fraction(time - self.started, NANOSECONDS)

    def of(self, side: int, *, after: CaptureInstant | None = None, before: CaptureInstant | None = None) -> Iterator[Passage]:
        """The passages of one end's packets between two places, which are left out themselves."""
        found, orders = self._sides[side], self._orders[side]
        if after is None and before is None:
            return iter(found)
        start = 0 if after is None else bisect_right(orders, after)
        stop = len(found) if before is None else bisect_left(orders, before)
        return iter(found[start:stop])

    def transmission(self, passage: Passage) -> Transmission:
        """A passage as a report states it."""
        return Transmission(self.seconds(passage.time), passage.frame, passage.segment.ack)

    def may_have_closed_before(self, side: int) -> bool:
        """Whether an end may have closed before the capture began, which has neither the opening nor new text of that end."""
        return self.began_late and not self.shows_text(side) and self.directions[side].fin is None

    def shows_text(self, side: int) -> bool:
        """Whether the capture has text of an end, and acknowledged; text that is never acknowledged may be a retransmission."""
        own, other = self.directions[side], self.directions[1 - side]
        return bool(own.octets) and other.acknowledges >= own.high

    @property
    def began_late(self) -> bool:
        """Whether the capture lacks the opening, and may have begun after anything else."""
        return not any(it.opening for it in self.directions)

    @property
    def lossy(self) -> bool:
        """Whether the capture lacks numbers that it shows to have been sent."""
        return self.lacks(0) or self.lacks(1)

    def shows_first_passages(self, side: int) -> bool:
        """Whether a packet of an end that is not a copy of a captured one is none at all.

        The network makes copies behind the sender; of one whose first passage the capture lacks, nothing shows that it is one.
        """
        return self.sees_all_of(side) or self.seems_whole

    @property
    def seems_whole(self) -> bool:
        """Whether nothing shows that the capture lacks a packet: it has all numbers, and the opening with its last ACK."""
        openers = {it.sender for it in self.all if it.segment.syn and it.segment.ack is None}
        first = (it.segment for it in self.all if it.sender in openers and it.segment.seq == 1 and it.segment.ack is not None)
        opened = any(not (it.fin or it.rst) for it in first) and all(it.opening for it in self.directions)
        return opened and not self.lossy and not self._acknowledges_ahead()

    def _acknowledges_ahead(self) -> bool:
        """Whether a number was acknowledged before it passed, so that the capture lacks its first transmission."""
        high = [0, 0]
        for passage in self.all:
            segment, side = passage.segment, passage.sender
            if segment.rst or (segment.syn and segment.seq):
                continue
            if passage.frame == UNSEEN or (segment.ack or 0) > high[1 - side] > 0:
                return True
            high[side] = max(high[side], segment.end)
        return False

    def lacks(self, side: int) -> bool:
        """Whether the capture lacks numbers of an end that later ones, or acknowledgements, show to have been sent."""
        own, other = self.directions[side], self.directions[1 - side]
        return bool(own.missing) or other.acknowledges > own.high

    def lacks_last(self, side: int) -> bool:
        """Whether the capture lacks the last numbers of an end, as acknowledgements or a later bare one of its own show."""
        own, other = self.directions[side], self.directions[1 - side]
        return other.acknowledges > max(own.high, 1) or any(stop == own.high for _, stop in own.missing)


def passages(found: Deliveries, directions: tuple[Direction, Direction], started: int, beside: str = "") -> Passages:
    """The passages of all copies of a connection; `beside` names the end beside the only capture point, if it is known."""
    made: list[_Made] = []
    for copy in found.copies:
        reached: int | None = copy.sent[0]
        if found.near is not None:
            # Of a RST nothing later shows whether it arrived after the capture.
            awaited = copy.pending and not copy.captured.segment.rst
            reached = copy.arrivals[0][0] if copy.arrivals else reached if awaited else None
        sure = beside == ENDS[1 - copy.captured.sender] if found.near is None else bool(copy.arrivals)
        made.append((copy.sent, copy.captured, reached, False, sure))
        made += [(arrival, copy.captured, arrival[0], True, sure) for arrival in copy.arrivals[1:]]
    made.sort(key=lambda passage: passage[0])
    every = tuple(_with_freshness(made, {side for side in (0, 1) if beside == ENDS[side]}))
    sides = [it for it in every if it.sender == 0], [it for it in every if it.sender == 1]
    orders = [it.order for it in sides[0]], [it.order for it in sides[1]]
    return Passages(every, directions, started, found.near, beside, sides, orders)


def _with_freshness(made: Sequence[_Made], beside: set[int]) -> Iterator[Passage]:
    """The passages, each with whether it is fresh.

    A packet that repeats numbers may be a copy that the network made of one whose first passage the capture lacks. It is none
    where all packets of its sender pass the capture (`beside` holds such ends), and where its identification shows that it
    was sent after all before it. An end that sets identifications and does not count them may have sent it; so may one that
    sends some packets with 0, as Linux does from TIME-WAIT: those count as its own, unless they are copies of captured ones.
    """
    numbered = {captured.sender for _, captured, *_ in made if captured.packet.ident}
    counters = {side: _Counter(made, side) for side in numbered}
    seen: set[tuple[object, ...]] = set()
    acknowledged, sent = [0, 0], [0, 0]
    for order, captured, reached, duplicate, sure in made:
        packet, side, segment, _ = captured
        key, ack, end = captured.copy_key, segment.ack or 0, segment.end
        repeated = key in seen or (segment.span and end <= sent[side])
        own = side in beside or (side in numbered and counters[side].is_newest(packet.ident))
        copied = duplicate or (not own and repeated and ack <= acknowledged[side])
        stale = segment.ack is not None and ack < acknowledged[side]
        fresh = not copied and not stale
        yield Passage(captured, order, reached, duplicate, fresh, side, segment, packet.frame, order[0], sure)
        seen.add(key)
        if not segment.rst:
            acknowledged[side] = max(acknowledged[side], ack)
            sent[side] = max(sent[side], end)


class _Counter:
    """The identifications of an end's packets: whether it counts them, and the latest one so far.

    Parameters
    ----------
    made : sequence of _Made
        The packets of both ends, in the order of sending.
    side : int
        The end.
    """

    def __init__(self, made: Sequence[_Made], side: int) -> None:
        new = [captured.packet.ident for captured in _new(made, side) if captured.packet.ident]
        steps = [(later - earlier) % IDENTIFICATIONS for earlier, later in pairwise(new)]
        self._counts = len(new) >= COUNTED and all(0 < step < NEARBY for step in steps)
        self._latest = 0

    def is_newest(self, ident: int) -> bool:
        """Whether nothing shows that a packet was sent before one that passed earlier; its identification is then the latest."""
        if not ident or not self._counts:
            return True
        newest = not self._latest or 0 < (ident - self._latest) % IDENTIFICATIONS < IDENTIFICATIONS // 2
        self._latest = ident if newest else self._latest
        return newest


def _new(made: Sequence[_Made], side: int) -> Iterator[CapturedSegment]:
    """The packets of an end that send or acknowledge something for the first time."""
    sent = acknowledged = -1
    for _, captured, *_ in made:
        segment = captured.segment
        if captured.sender == side and not segment.rst and (segment.end > sent or (segment.ack or 0) > acknowledged):
            yield captured
            sent, acknowledged = max(sent, segment.end), max(acknowledged, segment.ack or 0)


def covers(passage: Passage, number: int) -> bool:
    """Whether a packet acknowledges everything before a number."""
    return passage.segment.ack is not None and passage.segment.ack >= number


def first_covering(found: Sequence[Passage] | Iterator[Passage], number: int) -> Passage | None:
    """The first of some passages that acknowledges everything before a number."""
    return next((passage for passage in found if covers(passage, number)), None)
