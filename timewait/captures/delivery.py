"""What became of every copy: when it arrived, as far as a capture can tell.

A capture made at one place sees a copy pass by, not arrive. It is taken to arrive as it passes, unless what the
receiver sends afterwards shows that it had not arrived by then:

- text or a FIN is *lost* if its sender sends it again and the acknowledgement seen could answer only the later copy;
- an acknowledgement is *lost* if the end that it was for sends what it acknowledges again, later than by a round trip;
- something that crossed with older segments of the receiver arrives after the last of these.

That a copy was lost here means: lost behind the place of capture, late by more than all the capture shows, or not
taken by its receiver; or its answer was lost before it came to the place of capture. No more can be known there.

Captured at two places on the way, the near one shows when a copy was sent, the far one when it arrived, or that it did
not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from timewait.captures.connections import CapturedSegment
from timewait.spec.segment import Segment

CAPTURED_TWICE = 1_000_000
"""Within so many nanoseconds two sightings of one copy at one place are the capture's doing, not the network's."""

Instant = tuple[int, int, int]
"""A time in nanoseconds and, among things at the same time, a rank: the frame, and 1 for what follows from it."""


@dataclass(frozen=True, slots=True)
class CapturedCopy:
    """One copy of a segment.

    Attributes
    ----------
    seen : Seen
        The packet where it was first seen.
    sent : Instant
        When it was sent, or passed the place of capture.
    arrivals : tuple of Instant
        When it arrived: never, once, or more often if the network duplicated it.
    underway : bool
        Whether it may still have been on its way when the capture ended.
    """

    seen: CapturedSegment
    sent: Instant
    arrivals: tuple[Instant, ...]
    underway: bool = False

    @property
    def lost(self) -> bool:
        """Whether it never arrived."""
        return not self.arrivals and not self.underway


class Deliveries(NamedTuple):
    """The copies of a connection.

    Attributes
    ----------
    copies : tuple of Copy
        In the order in which they were sent.
    near : (str, str) or None
        With two places of capture, the one beside either end.
    twice : int
        Sightings left out because the capture has them twice.
    shift : int
        Nanoseconds by which the clock of the second place was found to run behind that of the first.
    """

    copies: tuple[CapturedCopy, ...]
    near: tuple[str, str] | None = None
    twice: int = 0
    shift: int = 0


def deliveries(
    seen: Sequence[CapturedSegment], loops: tuple[int | None, int | None], near: tuple[str, str] | None, ended: int
) -> Deliveries:
    """What became of packets of a connection.

    Parameters
    ----------
    seen : sequence of Seen
        The packets, as captured.
    loops : tuple of (int or None)
        For each end the shortest time, in nanoseconds, from something for it to its acknowledgement.
    near : (str, str) or None
        What `sides` says of the whole connection.
    ended : int
        When the capture ended, in nanoseconds since 1970.
    """
    if near is not None:
        return _two_places(seen, near, ended)
    once = _once(seen)
    return Deliveries(_one_place(once, (loops[0] or 0, loops[1] or 0)), twice=len(seen) - len(once))


def _once(seen: Sequence[CapturedSegment]) -> list[CapturedSegment]:
    """The sightings, but for those that a capture of several interfaces has in several places."""
    last: dict[tuple[object, ...], CapturedSegment] = {}
    kept = []
    for one in sorted(seen, key=lambda each: (each.time, each.frame)):
        before = last.get(one.copy)
        again = before is not None and (before.place != one.place or (one.ident and one.time - before.time < CAPTURED_TWICE))
        if not again:
            last[one.copy] = one
            kept.append(one)
    return kept


# --- one place -----------------------------------------------------------------------------------------------------


def _one_place(seen: list[CapturedSegment], loops: tuple[int, int]) -> tuple[CapturedCopy, ...]:
    first: dict[tuple[object, ...], int] = {}
    again: dict[int, list[Instant]] = defaultdict(list)
    originals = []
    for one in seen:
        # Two transmissions differ in the number of their packets; only a duplicate of the network has the same.
        if one.ident and one.copy in first:
            again[first[one.copy]].append((one.time, one.frame, 1))
            continue
        first[one.copy] = one.frame
        originals.append(one)
    copies = []
    arrivals = _Arrivals(originals, loops)
    for index, one in enumerate(originals):
        arrived = arrivals.of(index)
        when = () if arrived is None else (arrived,)
        copies.append(CapturedCopy(one, (one.time, one.frame, 0), (*when, *again[one.frame])))
    return tuple(copies)


class _Arrivals:
    """When each of some packets arrived, judged by all of them.

    Parameters
    ----------
    seen : list of Seen
        The packets, in order.
    loops : tuple of int
        How soon each end answers at the earliest, in nanoseconds.
    """

    def __init__(self, seen: list[CapturedSegment], loops: tuple[int, int]) -> None:
        self._seen = seen
        self._loops = loops

    def of(self, index: int) -> Instant | None:
        """When the packet at an index arrived; None if it did not."""
        segment = self._seen[index].segment
        if segment.syn or segment.rst:
            return self._passing(index)
        return self._of_text(index) if segment.span else self._of_acknowledgement(index)

    def _passing(self, index: int) -> Instant:
        return self._seen[index].time, self._seen[index].frame, 1

    def _of_text(self, index: int) -> Instant | None:
        """Text and FINs: reflected by what the receiver acknowledges later."""
        one = self._seen[index]
        crossed = index
        repeated = []
        for later in range(index + 1, len(self._seen)):
            other = self._seen[later]
            if other.sender == one.sender:
                if other.segment.seq <= one.segment.seq and other.segment.end >= one.segment.end:
                    repeated.append(other)
            elif _reflects(other.segment, one.segment):
                answerable = [each for each in repeated if other.time - each.time >= self._loops[other.sender]]
                return None if answerable else self._passing(crossed)
            elif not other.segment.rst:
                crossed = later
        if repeated or (crossed != index and self._seen[crossed].time - one.time > self._loops[1 - one.sender]):
            return None
        return self._passing(crossed)

    def _of_acknowledgement(self, index: int) -> Instant | None:
        """Acknowledgements: gainsaid by what they acknowledge, when it is sent again."""
        one = self._seen[index]
        resent = [later for later in range(index + 1, len(self._seen)) if self._gainsays(later, one)]
        late = [later for later in resent if self._seen[later].time - one.time > self._loops[1 - one.sender]]
        if not late:
            return self._passing(max(resent, default=index))
        closer = self._known_closed(index)
        if closer is None:
            return None
        return self._passing(max(later for later in resent if later < closer))

    def _gainsays(self, later: int, one: CapturedSegment) -> bool:
        segment = self._seen[later].segment
        if self._seen[later].sender == one.sender or one.segment.ack is None or segment.rst or segment.syn:
            return False
        probe = not segment.fin and segment.length <= 1 and segment.seq == one.segment.ack - 1
        return bool(segment.span) and segment.seq < one.segment.ack and not probe

    def _known_closed(self, index: int) -> int | None:
        """The next acknowledgement of the same, if a RST was the answer to it: the other end must have got this one before."""
        one = self._seen[index]
        following = [
            later
            for later in range(index + 1, len(self._seen))
            if self._seen[later].sender == one.sender and self._seen[later].segment.ack == one.segment.ack
        ]
        if not following:
            return None
        answers = (each for each in self._seen[following[0] + 1 :] if each.sender != one.sender)
        answer = next(answers, None)
        gainsaid = any(self._gainsays(later, one) for later in range(index + 1, following[0]))
        return following[0] if answer is not None and answer.segment.rst and gainsaid else None


def _reflects(answer: Segment, segment: Segment) -> bool:
    """Whether a segment of the other end shows that some text or FIN had arrived."""
    if answer.rst and segment.ack is not None:
        return answer.seq == segment.ack or (answer.ack is not None and answer.ack >= segment.end)
    return answer.ack is not None and answer.ack >= segment.end


# --- two places ----------------------------------------------------------------------------------------------------


def sides(seen: Sequence[CapturedSegment]) -> tuple[str, str] | None:
    """With two places of capture, the one nearer to either end; None with one place, or when they do not tell."""
    places = {one.place for one in seen}
    if len(places) != 2:
        return None
    votes: dict[tuple[int, str], int] = defaultdict(int)
    before: dict[tuple[object, ...], CapturedSegment] = {}
    for one in sorted(seen, key=lambda each: (each.time, each.frame)):
        other = before.setdefault(one.copy, one)
        if other.place != one.place:
            # A router takes one from the time to live; where none is between, the earlier sighting is the nearer.
            nearer = one if one.hops > other.hops else other
            votes[nearer.sender, nearer.place] += 1
    near = tuple(max(places, key=lambda place: (votes[sender, place], place)) for sender in (0, 1))
    known = all(any(votes[sender, place] for place in places) for sender in (0, 1))
    return (near[0], near[1]) if known and near[0] != near[1] else None


def _two_places(seen: Sequence[CapturedSegment], near: tuple[str, str], ended: int) -> Deliveries:
    shift = _clock_shift(seen, near)
    set_right = [replace_time(one, shift) if one.place == near[1] else one for one in seen]
    ordered = sorted(set_right, key=lambda each: (each.time, each.frame))
    copies: list[CapturedCopy] = []
    open_: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for one in ordered:
        same = open_[one.copy]
        if one.place == near[one.sender]:
            same.append(len(copies))
            copies.append(CapturedCopy(one, (one.time, one.frame, 0), ()))
            continue
        instant = (one.time, one.frame, 0)
        if not same:
            same.append(len(copies))
            copies.append(CapturedCopy(one, instant, ((one.time, one.frame, 1),)))
            continue
        waiting = [index for index in same if not copies[index].arrivals]
        index = waiting[-1] if waiting else same[-1]
        copies[index] = replace(copies[index], arrivals=(*copies[index].arrivals, instant))
    slowest = max((arrival[0] - copy.sent[0] for copy in copies for arrival in copy.arrivals), default=0)
    fated = [replace(copy, underway=not copy.arrivals and copy.sent[0] + slowest >= ended) for copy in copies]
    return Deliveries(tuple(_processed(copy, fated) for copy in fated), near, shift=shift)


def _processed(copy: CapturedCopy, copies: Sequence[CapturedCopy]) -> CapturedCopy:
    """A copy with its arrival as its receiver saw it: not before the last segment that it sent without knowing of it.

    A packet is captured a little before its receiver takes it in, and what that one sends meanwhile a little after.
    """
    segment = copy.seen.segment
    if not segment.span or segment.syn or segment.rst or not copy.arrivals:
        return copy
    arrival = copy.arrivals[0]
    for answer in copies:
        if answer.seen.sender == copy.seen.sender or answer.sent < arrival or answer.seen.segment.rst:
            continue
        if _reflects(answer.seen.segment, segment):
            return replace(copy, arrivals=(arrival, *copy.arrivals[1:]))
        arrival = (answer.sent[0], answer.sent[1], 1)
    return copy


def replace_time(one: CapturedSegment, shift: int) -> CapturedSegment:
    """A sighting by a clock that is set right."""
    return one._replace(time=one.time + shift)


def _clock_shift(seen: Sequence[CapturedSegment], near: tuple[str, str]) -> int:
    """What the second clock must be set on by, so that nothing arrives before it was sent, and both ways take as long."""
    fastest: dict[int, int] = {}
    for sender in (0, 1):
        sent: dict[tuple[object, ...], int] = {}
        for one in seen:
            if one.sender == sender and one.place == near[sender]:
                sent.setdefault(one.copy, one.time)
        took = [
            one.time - sent[one.copy] for one in seen if one.sender == sender and one.place != near[sender] and one.copy in sent
        ]
        if took:
            fastest[sender] = min(took)
    if len(fastest) < 2 or min(fastest.values()) >= 0:
        return 0
    return (fastest[1] - fastest[0]) // 2
