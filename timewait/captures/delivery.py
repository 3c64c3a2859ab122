"""The delivery of every captured copy: when it arrived, as far as a capture can show.

A capture at one point sees a copy pass, not arrive.

- Text or a FIN *arrived* if a later segment of the receiver acknowledges it: between the last segment that the receiver
  sent without knowing of it, and the first one that acknowledges it. It was *lost* if the acknowledgement can only answer
  a later transmission. Without an acknowledgement its arrival is *unknown*.
- An acknowledgement needs no answer. It is taken to have arrived, unless its receiver retransmits what it covers more
  than a round trip later.
- A RST is taken to have arrived; `timewait.captures.judging` says what else may be.

"Lost" thus means: lost behind the capture point, later than everything the capture shows, or ignored by the receiver; or
its answer was lost before the capture point. A capture cannot tell these apart.

With two capture points the near one shows when a copy was sent, and the far one when it arrived or that it was lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from timewait.captures.kept_packets import CapturedSegment, CaptureInstant, is_zero_window
from timewait.captures.ordering import SentSegment, in_order_of_sending
from timewait.spec.segment import Segment


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
        Whether nothing shows if it arrived.
    measured : bool or None
        Whether its times at the ends are measured; None where its times are those of the capture (`timewait.captures.at_ends`).
    """

    captured: CapturedSegment
    sent: CaptureInstant
    arrivals: tuple[CaptureInstant, ...]
    pending: bool = False
    measured: bool | None = None

    @property
    def lost(self) -> bool:
        """Whether it did not arrive, as later packets show."""
        return not self.arrivals and not self.pending


class Deliveries(NamedTuple):
    """All copies of a connection.

    Attributes
    ----------
    copies : tuple of Delivery
        The copies, in the order of sending.
    near : (str, str) or None
        With two capture points, the interface beside each end.
    clock_shift : int
        Nanoseconds by which the second capture point's clock was advanced.
    """

    copies: tuple[Delivery, ...]
    near: tuple[str, str] | None = None
    clock_shift: int = 0


def deliveries(
    segments: Sequence[CapturedSegment], responses: tuple[int | None, int | None], near: tuple[str, str] | None, ended: int
) -> Deliveries:
    """The delivery of each packet of a connection.

    Parameters
    ----------
    segments : sequence of CapturedSegment
        The packets.
    responses : tuple of (int or None)
        For each end its shortest time to an acknowledgement, in nanoseconds.
    near : (str, str) or None
        The result of `near_interfaces`.
    ended : int
        The end of the capture in nanoseconds since 1970.
    """
    if near is not None:
        return _two_points(segments, near, ended)
    unique = _without_other_interfaces(segments)
    return Deliveries(_one_point(unique, (responses[0] or 0, responses[1] or 0)))


def _without_other_interfaces(segments: Sequence[CapturedSegment]) -> list[CapturedSegment]:
    """The packets without those that a capture of several interfaces holds more than once."""
    if len({captured.packet.interface for captured in segments}) <= 1:
        return sorted(segments, key=CapturedSegment.instant)
    latest: dict[tuple[object, ...], CapturedSegment] = {}
    kept = []
    for captured in sorted(segments, key=CapturedSegment.instant):
        last = latest.get(captured.copy_key)
        if last is None or last.packet.interface == captured.packet.interface:
            latest[captured.copy_key] = captured
            kept.append(captured)
    return kept


# --- one capture point ---------------------------------------------------------------------------------------------


def _one_point(segments: list[CapturedSegment], responses: tuple[int, int]) -> tuple[Delivery, ...]:
    first: dict[tuple[object, ...], int] = {}
    duplicates: dict[int, list[CaptureInstant]] = defaultdict(list)
    originals: list[CapturedSegment] = []
    for captured in segments:
        # Retransmissions have IPv4 identifications of their own; only a duplicate made by the network shares one.
        key = captured.copy_key
        if captured.packet.ident and key in first:
            duplicates[first[key]].append(captured.instant(1))
            continue
        first[key] = len(originals)
        originals.append(captured)
    again = {id(originals[index]): found for index, found in duplicates.items()}
    ordered = in_order_of_sending(originals)
    arrivals = _Arrivals(ordered, responses)
    return tuple(_also_arriving(arrivals.of(i), again.get(id(it.captured), ())) for i, it in enumerate(ordered))


def _also_arriving(delivery: Delivery, duplicates: Sequence[CaptureInstant]) -> Delivery:
    """A delivery with the arrivals of the duplicates that the network made."""
    if not duplicates:
        return delivery
    return replace(delivery, arrivals=(*delivery.arrivals, *duplicates), pending=False)


class _Arrivals:
    """Arrival times inferred from the whole capture.

    Parameters
    ----------
    ordered : list of SentSegment
        The packets, in the order of sending.
    responses : tuple of int
        For each end its shortest time to an acknowledgement, in nanoseconds.
    """

    def __init__(self, ordered: list[SentSegment], responses: tuple[int, int]) -> None:
        self._ordered = ordered
        self._segments = [it.captured for it in ordered]
        self._responses = responses
        # For each end the lowest number of text or FIN that it sends from an index on.
        self._lowest = ([1 << 62], [1 << 62])
        least = [1 << 62, 1 << 62]
        for _, sender, (seq, _, length, syn, fin, _, _), _ in reversed(self._segments):
            if (length or fin) and not syn and seq < least[sender]:
                least[sender] = seq
            self._lowest[0].append(least[0])
            self._lowest[1].append(least[1])

    def _retransmits_below(self, sender: int, index: int, number: int) -> bool:
        """Whether an end sends text or a FIN below a number after the packet at an index."""
        return self._lowest[sender][len(self._segments) - index - 1] < number

    def of(self, index: int) -> Delivery:
        """The delivery of the packet at an index."""
        captured, sent = self._ordered[index]
        _, _, length, syn, fin, rst, _ = captured.segment
        if rst:
            return Delivery(captured, sent, (self._just_after(self._last_crossing(index)),))
        if syn:
            return Delivery(captured, sent, (self._just_after(index),))
        if length + fin == 1 and self._is_refused(index):
            return Delivery(captured, sent, (), pending=True)
        return self._of_text(index) if length or fin else self._of_acknowledgement(index)

    def _is_refused(self, index: int) -> bool:
        """Whether a single number probes a window of zero (RFC 9293 3.8.6.1), and the next answer does not acknowledge it."""
        probe = self._segments[index]
        before = (it for it in self._segments[index - 1 :: -1] if it.sender != probe.sender) if index else iter(())
        after = (it for it in self._segments[index + 1 :] if it.sender != probe.sender)
        last, answer = next(before, None), next(after, None)
        closed = last is not None and is_zero_window(last)
        return closed and answer is not None and (answer.segment.ack or 0) <= probe.segment.seq

    def _just_after(self, index: int) -> CaptureInstant:
        time, frame, rank = self._ordered[index].sent
        return time, frame, rank + 1

    def _last_crossing(self, index: int) -> int:
        """The last packet that the receiver of a packet may have sent before that arrived: it came within a round trip."""
        captured = self._segments[index]
        response, last = self._responses[1 - captured.sender], index
        for later in range(index + 1, len(self._segments)):
            other = self._segments[later]
            if other.time - captured.time > response:
                break
            if other.sender != captured.sender and not other.segment.rst:
                last = later
        return last

    def _of_text(self, index: int) -> Delivery:
        """The delivery of text or a FIN, inferred from the receiver's acknowledgements."""
        captured, sent = self._ordered[index]
        segment, sender, end = captured.segment, captured.sender, captured.segment.end
        crossed = index
        retransmissions = []
        for later in range(index + 1, len(self._segments)):
            other = self._segments[later]
            if other.sender == sender:
                if other.segment.seq <= segment.seq and other.segment.end >= end:
                    retransmissions.append(other)
            elif _acknowledges(other.segment, segment, end):
                in_time = [it for it in retransmissions if other.time - it.time >= self._responses[other.sender]]
                lost = in_time and not self._answered_first(later, captured, in_time)
                return Delivery(captured, sent, () if lost else (self._just_after(crossed),))
            elif not other.segment.rst and not other.segment.syn:
                crossed = later
        return Delivery(captured, sent, (), pending=True)

    def _answered_first(self, answer: int, captured: CapturedSegment, again: Sequence[CapturedSegment]) -> bool:
        """Whether an acknowledgement that may answer a retransmission answers the first transmission, too.

        It repeats the time stamp of what it answers (RFC 7323 4.3), or every transmission is acknowledged by itself.
        """
        found = self._segments[answer]
        stamps = [None if it.packet.timestamps is None else it.packet.timestamps[0] for it in (captured, *again)]
        echo = found.packet.timestamps
        if echo is not None and None not in stamps and stamps[0] not in stamps[1:] and echo[1] in stamps:
            return echo[1] == stamps[0]
        return self._answers(answer, captured.segment) >= self._transmissions(captured)

    def _answers(self, first: int, segment: Segment) -> int:
        """The bare acknowledgements of a segment from an index on, alike, until its sender sends anything else."""
        found = self._segments[first]
        number = 0
        for it in self._segments[first:]:
            if it.sender != found.sender and it.segment.span and it.segment.end > segment.end:
                break
            bare = it.sender == found.sender and not it.segment.span and not it.segment.rst
            number += bare and (it.segment.ack, it.window) == (found.segment.ack, found.window)
        return number

    def _transmissions(self, captured: CapturedSegment) -> int:
        """The transmissions of text or a FIN, or of parts of it, captured of an end."""
        seq, end = captured.segment.seq, captured.segment.end
        own = [it.segment for it in self._segments if it.sender == captured.sender and it.segment.span and not it.segment.rst]
        return sum(it.seq < end and seq < it.end for it in own)

    def _of_acknowledgement(self, index: int) -> Delivery:
        """The delivery of an acknowledgement, disproved by a retransmission of what it covers."""
        captured, sent = self._ordered[index]
        if not self._retransmits_below(1 - captured.sender, index, captured.segment.ack or 0):
            return Delivery(captured, sent, (self._just_after(index),))
        resent = [later for later in range(index + 1, len(self._segments)) if self._disproves(later, captured)]
        too_late = [it for it in resent if self._segments[it].time - captured.time > self._responses[1 - captured.sender]]
        if not too_late:
            return Delivery(captured, sent, (self._just_after(max(resent, default=index)),))
        answered_by_rst = self._next_answered_by_rst(index)
        if answered_by_rst is None:
            return Delivery(captured, sent, ())
        return Delivery(captured, sent, (self._just_after(max(later for later in resent if later < answered_by_rst)),))

    def _disproves(self, later: int, acknowledgement: CapturedSegment) -> bool:
        """Whether a packet retransmits what an acknowledgement covers; a keep-alive probe does not."""
        segment, ack = self._segments[later].segment, acknowledgement.segment.ack
        if self._segments[later].sender == acknowledgement.sender or ack is None or segment.rst or segment.syn:
            return False
        probe = not segment.fin and segment.length <= 1 and segment.seq == ack - 1
        return bool(segment.span) and segment.seq < ack and not probe

    def _next_answered_by_rst(self, index: int) -> int | None:
        """The next acknowledgement of the same number if a RST answered it; its receiver must have got an earlier one."""
        captured = self._segments[index]
        following = [
            later
            for later in range(index + 1, len(self._segments))
            if self._segments[later].sender == captured.sender and self._segments[later].segment.ack == captured.segment.ack
        ]
        if not following:
            return None
        answers = (it for it in self._segments[following[0] + 1 :] if it.sender != captured.sender)
        answer = next(answers, None)
        disproved = any(self._disproves(later, captured) for later in range(index + 1, following[0]))
        return following[0] if answer is not None and answer.segment.rst and disproved else None


def _acknowledges(answer: Segment, segment: Segment, end: int) -> bool:
    """Whether a segment of the receiver shows that text or a FIN, with this number after it, had arrived."""
    if answer.ack is None:
        return answer.rst and segment.ack is not None and answer.seq == segment.ack
    return answer.ack >= end


# --- two capture points --------------------------------------------------------------------------------------------


def near_interfaces(segments: Sequence[CapturedSegment]) -> tuple[str, str] | None:
    """The interface beside each end; None unless there are exactly two and the packets tell them apart."""
    interfaces = {captured.packet.interface for captured in segments}
    if len(interfaces) != 2:
        return None
    votes: dict[tuple[int, str], int] = defaultdict(int)
    first: dict[tuple[object, ...], CapturedSegment] = {}
    for captured in sorted(segments, key=CapturedSegment.instant):
        other = first.setdefault(captured.copy_key, captured)
        if other.packet.interface != captured.packet.interface:
            # A router decrements the time to live; without one the earlier capture is the nearer.
            nearer = captured if captured.packet.hops > other.packet.hops else other
            votes[nearer.sender, nearer.packet.interface] += 1
    near = tuple(max(interfaces, key=lambda name: (votes[sender, name], name)) for sender in (0, 1))
    known = all(any(votes[sender, name] for name in interfaces) for sender in (0, 1))
    return (near[0], near[1]) if known and near[0] != near[1] else None


def _two_points(segments: Sequence[CapturedSegment], near: tuple[str, str], ended: int) -> Deliveries:
    shift = _clock_shift(segments, near)
    corrected = [
        it._replace(packet=it.packet._replace(time=it.time + shift)) if it.packet.interface == near[1] else it for it in segments
    ]
    copies: list[Delivery] = []
    by_key: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for captured in sorted(corrected, key=CapturedSegment.instant):
        same = by_key[captured.copy_key]
        instant = captured.instant()
        if captured.packet.interface == near[captured.sender]:
            same.append(len(copies))
            copies.append(Delivery(captured, instant, ()))
        elif not same:
            same.append(len(copies))
            copies.append(Delivery(captured, instant, (captured.instant(1),)))
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
        if _acknowledges(answer.captured.segment, segment, segment.end):
            return replace(copy, arrivals=(arrival, *copy.arrivals[1:]))
        arrival = (answer.sent[0], answer.sent[1], 1)
    return copy


def _clock_shift(segments: Sequence[CapturedSegment], near: tuple[str, str]) -> int:
    """Nanoseconds to add to the second clock so that nothing arrives before it was sent; both directions become equally fast.

    0 where no packet arrives before it was sent.
    """
    fastest: dict[int, int] = {}
    for sender in (0, 1):
        sent: dict[tuple[object, ...], int] = {}
        own = [captured for captured in segments if captured.sender == sender]
        for captured in own:
            if captured.packet.interface == near[sender]:
                sent.setdefault(captured.copy_key, captured.time)
        delays = [it.time - sent[it.copy_key] for it in own if it.packet.interface != near[sender] and it.copy_key in sent]
        if delays:
            fastest[sender] = min(delays)
    if len(fastest) < 2 or min(fastest.values()) >= 0:
        return 0
    return (fastest[1] - fastest[0]) // 2
