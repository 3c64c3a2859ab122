"""The delivery of every captured copy: when it arrived, as far as a capture can show.

A capture at one point sees a copy pass, not arrive. The copy counts as arriving when it passes, unless later segments of
the receiver show that it had not arrived by then:

- Text or a FIN is *lost* when its sender retransmits it and the acknowledgement seen can only answer the later copy.
- An acknowledgement is *lost* when its receiver retransmits what it covers, more than a round trip later.
- A copy that crossed older segments of the receiver arrives after the last of these.

"Lost" thus means: lost behind the capture point, later than everything the capture shows, or ignored by the receiver; or
its answer was lost before the capture point. A capture cannot tell these apart.

With two capture points the near one shows when a copy was sent, and the far one when it arrived or that it was lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from timewait.captures.connections import CapturedSegment
from timewait.spec.segment import Segment

CAPTURED_TWICE = 1_000_000
"""Nanoseconds within which two captures of one copy on one interface count as one."""

Instant = tuple[int, int, int]
"""A time in nanoseconds, and a tie-break: the frame, and 0 for the frame itself or 1 for its consequence."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One copy of a segment and its way through the network.

    Attributes
    ----------
    captured : CapturedSegment
        The copy, where it was captured first.
    sent : Instant
        When it was sent, or passed the only capture point.
    arrivals : tuple of Instant
        When it arrived; several times if the network duplicated it.
    pending : bool
        Whether it may still have been in flight when the capture ended.
    """

    captured: CapturedSegment
    sent: Instant
    arrivals: tuple[Instant, ...]
    pending: bool = False

    @property
    def lost(self) -> bool:
        """Whether it never arrived."""
        return not self.arrivals and not self.pending


class Deliveries(NamedTuple):
    """All copies of a connection.

    Attributes
    ----------
    copies : tuple of Delivery
        The copies, in the order of sending.
    near : (str, str) or None
        With two capture points, the interface beside each end.
    captured_twice : int
        Packets left out because the capture has them twice.
    clock_shift : int
        Nanoseconds by which the second capture point's clock was advanced.
    """

    copies: tuple[Delivery, ...]
    near: tuple[str, str] | None = None
    captured_twice: int = 0
    clock_shift: int = 0


def deliveries(
    captured: Sequence[CapturedSegment], responses: tuple[int | None, int | None], near: tuple[str, str] | None, ended: int
) -> Deliveries:
    """The delivery of each packet of a connection.

    Parameters
    ----------
    captured : sequence of CapturedSegment
        The packets.
    responses : tuple of (int or None)
        For each end its shortest time to an acknowledgement, in nanoseconds.
    near : (str, str) or None
        The result of `near_interfaces`.
    ended : int
        The end of the capture in nanoseconds since 1970.
    """
    if near is not None:
        return _two_points(captured, near, ended)
    unique = _without_repeated_captures(captured)
    copies = _one_point(unique, (responses[0] or 0, responses[1] or 0))
    return Deliveries(copies, captured_twice=len(captured) - len(unique))


def _without_repeated_captures(captured: Sequence[CapturedSegment]) -> list[CapturedSegment]:
    """The packets without those that a capture of several interfaces holds more than once."""
    latest: dict[tuple[object, ...], CapturedSegment] = {}
    kept = []
    for packet in sorted(captured, key=lambda it: (it.time, it.frame)):
        last = latest.get(packet.copy_key)
        repeated = last is not None and (
            last.interface != packet.interface or (packet.ident and packet.time - last.time < CAPTURED_TWICE)
        )
        if not repeated:
            latest[packet.copy_key] = packet
            kept.append(packet)
    return kept


# --- one capture point ---------------------------------------------------------------------------------------------


def _one_point(captured: list[CapturedSegment], responses: tuple[int, int]) -> tuple[Delivery, ...]:
    first: dict[tuple[object, ...], int] = {}
    duplicates: dict[int, list[Instant]] = defaultdict(list)
    originals = []
    for packet in captured:
        # Retransmissions have IPv4 identifications of their own; only a duplicate made by the network shares one.
        if packet.ident and packet.copy_key in first:
            duplicates[first[packet.copy_key]].append((packet.time, packet.frame, 1))
            continue
        first[packet.copy_key] = packet.frame
        originals.append(packet)
    copies = []
    arrivals = _Arrivals(originals, responses)
    for index, packet in enumerate(originals):
        arrival = arrivals.of(index)
        first_arrival = () if arrival is None else (arrival,)
        copies.append(Delivery(packet, (packet.time, packet.frame, 0), (*first_arrival, *duplicates[packet.frame])))
    return tuple(copies)


class _Arrivals:
    """Arrival times inferred from the whole capture.

    Parameters
    ----------
    captured : list of CapturedSegment
        The packets, in order.
    responses : tuple of int
        For each end its shortest time to an acknowledgement, in nanoseconds.
    """

    def __init__(self, captured: list[CapturedSegment], responses: tuple[int, int]) -> None:
        self._captured = captured
        self._responses = responses

    def of(self, index: int) -> Instant | None:
        """The arrival of the packet at an index; None if it did not arrive."""
        segment = self._captured[index].segment
        if segment.syn or segment.rst:
            return self._just_after(index)
        return self._of_text(index) if segment.span else self._of_acknowledgement(index)

    def _just_after(self, index: int) -> Instant:
        return self._captured[index].time, self._captured[index].frame, 1

    def _of_text(self, index: int) -> Instant | None:
        """The arrival of text or a FIN, inferred from the receiver's acknowledgements."""
        packet = self._captured[index]
        crossed = index
        retransmissions = []
        for later in range(index + 1, len(self._captured)):
            other = self._captured[later]
            if other.sender == packet.sender:
                if other.segment.seq <= packet.segment.seq and other.segment.end >= packet.segment.end:
                    retransmissions.append(other)
            elif _acknowledges(other.segment, packet.segment):
                in_time = [it for it in retransmissions if other.time - it.time >= self._responses[other.sender]]
                return None if in_time else self._just_after(crossed)
            elif not other.segment.rst:
                crossed = later
        overdue = crossed != index and self._captured[crossed].time - packet.time > self._responses[1 - packet.sender]
        return None if retransmissions or overdue else self._just_after(crossed)

    def _of_acknowledgement(self, index: int) -> Instant | None:
        """The arrival of an acknowledgement, disproved by a retransmission of what it covers."""
        packet = self._captured[index]
        resent = [later for later in range(index + 1, len(self._captured)) if self._disproves(later, packet)]
        too_late = [it for it in resent if self._captured[it].time - packet.time > self._responses[1 - packet.sender]]
        if not too_late:
            return self._just_after(max(resent, default=index))
        answered_by_rst = self._next_answered_by_rst(index)
        if answered_by_rst is None:
            return None
        return self._just_after(max(later for later in resent if later < answered_by_rst))

    def _disproves(self, later: int, acknowledgement: CapturedSegment) -> bool:
        """Whether a packet retransmits what an acknowledgement covers; a keep-alive probe does not."""
        segment, ack = self._captured[later].segment, acknowledgement.segment.ack
        if self._captured[later].sender == acknowledgement.sender or ack is None or segment.rst or segment.syn:
            return False
        probe = not segment.fin and segment.length <= 1 and segment.seq == ack - 1
        return bool(segment.span) and segment.seq < ack and not probe

    def _next_answered_by_rst(self, index: int) -> int | None:
        """The next acknowledgement of the same number if a RST answered it; its receiver must have got an earlier one."""
        packet = self._captured[index]
        following = [
            later
            for later in range(index + 1, len(self._captured))
            if self._captured[later].sender == packet.sender and self._captured[later].segment.ack == packet.segment.ack
        ]
        if not following:
            return None
        answers = (it for it in self._captured[following[0] + 1 :] if it.sender != packet.sender)
        answer = next(answers, None)
        disproved = any(self._disproves(later, packet) for later in range(index + 1, following[0]))
        return following[0] if answer is not None and answer.segment.rst and disproved else None


def _acknowledges(answer: Segment, segment: Segment) -> bool:
    """Whether a segment of the receiver shows that text or a FIN had arrived."""
    if answer.rst and segment.ack is not None:
        return answer.seq == segment.ack or (answer.ack is not None and answer.ack >= segment.end)
    return answer.ack is not None and answer.ack >= segment.end


# --- two capture points --------------------------------------------------------------------------------------------


def near_interfaces(captured: Sequence[CapturedSegment]) -> tuple[str, str] | None:
    """The interface beside each end; None unless there are exactly two and the packets tell them apart."""
    interfaces = {packet.interface for packet in captured}
    if len(interfaces) != 2:
        return None
    votes: dict[tuple[int, str], int] = defaultdict(int)
    first: dict[tuple[object, ...], CapturedSegment] = {}
    for packet in sorted(captured, key=lambda it: (it.time, it.frame)):
        other = first.setdefault(packet.copy_key, packet)
        if other.interface != packet.interface:
            # A router decrements the time to live; without one the earlier capture is the nearer.
            nearer = packet if packet.hops > other.hops else other
            votes[nearer.sender, nearer.interface] += 1
    near = tuple(max(interfaces, key=lambda name: (votes[sender, name], name)) for sender in (0, 1))
    known = all(any(votes[sender, name] for name in interfaces) for sender in (0, 1))
    return (near[0], near[1]) if known and near[0] != near[1] else None


def _two_points(captured: Sequence[CapturedSegment], near: tuple[str, str], ended: int) -> Deliveries:
    shift = _clock_shift(captured, near)
    corrected = [it._replace(time=it.time + shift) if it.interface == near[1] else it for it in captured]
    copies: list[Delivery] = []
    by_key: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for packet in sorted(corrected, key=lambda it: (it.time, it.frame)):
        same = by_key[packet.copy_key]
        instant = (packet.time, packet.frame, 0)
        if packet.interface == near[packet.sender]:
            same.append(len(copies))
            copies.append(Delivery(packet, instant, ()))
        elif not same:
            same.append(len(copies))
            copies.append(Delivery(packet, instant, ((packet.time, packet.frame, 1),)))
        else:
            waiting = [index for index in same if not copies[index].arrivals]
            index = waiting[-1] if waiting else same[-1]
            copies[index] = replace(copies[index], arrivals=(*copies[index].arrivals, instant))
    slowest = max((arrival[0] - copy.sent[0] for copy in copies for arrival in copy.arrivals), default=0)
    copies = [replace(copy, pending=not copy.arrivals and copy.sent[0] + slowest >= ended) for copy in copies]
    return Deliveries(tuple(_as_processed(copy, copies) for copy in copies), near, clock_shift=shift)


def _as_processed(copy: Delivery, copies: Sequence[Delivery]) -> Delivery:
    """The copy with its arrival moved after the last segment that its receiver sent without knowing of it.

    A packet is captured shortly before its receiver processes it, and the receiver's own packets shortly after sending.
    """
    segment = copy.captured.segment
    if not segment.span or segment.syn or segment.rst or not copy.arrivals:
        return copy
    arrival = copy.arrivals[0]
    for answer in copies:
        if answer.captured.sender == copy.captured.sender or answer.sent < arrival or answer.captured.segment.rst:
            continue
        if _acknowledges(answer.captured.segment, segment):
            return replace(copy, arrivals=(arrival, *copy.arrivals[1:]))
        arrival = (answer.sent[0], answer.sent[1], 1)
    return copy


def _clock_shift(captured: Sequence[CapturedSegment], near: tuple[str, str]) -> int:
    """Nanoseconds to add to the second clock so that nothing arrives before it was sent; both directions become equally fast.

    0 where no packet arrives before it was sent.
    """
    fastest: dict[int, int] = {}
    for sender in (0, 1):
        sent: dict[tuple[object, ...], int] = {}
        own = [packet for packet in captured if packet.sender == sender]
        for packet in own:
            if packet.interface == near[sender]:
                sent.setdefault(packet.copy_key, packet.time)
        delays = [it.time - sent[it.copy_key] for it in own if it.interface != near[sender] and it.copy_key in sent]
        if delays:
            fastest[sender] = min(delays)
    if len(fastest) < 2 or min(fastest.values()) >= 0:
        return 0
    return (fastest[1] - fastest[0]) // 2
