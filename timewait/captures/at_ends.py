"""The times at which the ends sent and received each copy, estimated from the times at which it passed the capture point.

An acknowledgement by an end follows the segment that it answers by one round trip between the capture point and that end,
and whatever the end itself took. Half of the shortest such time is taken as the way between them: a copy left its sender that
long before it was captured, and reached its receiver that long after. No capture at one point shows how a round trip is
divided between its two ways.

Where an end acknowledged nothing that was captured, its times are those of the capture, and its copies are not *measured*. The
same holds for a copy that the capture lacks, and for one that its receiver did not know of when it sent a later segment.
With two capture points the times are those of the captures beside the ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.delivery import Deliveries, Delivery
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.kept_packets import CaptureInstant
from timewait.narration.prose import rounded


def at_ends(found: Deliveries, facts: ConnectionFacts) -> Deliveries:
    """The deliveries with times at the ends, each marked as measured or not.

    Parameters
    ----------
    found : Deliveries
        The copies, with the times of the capture.
    facts : ConnectionFacts
        The facts of the same connection; the responses of its ends are in seconds.
    """
    if found.near is not None:
        return found._replace(copies=tuple(replace(it, measured=_is_captured_twice(it, found.near)) for it in found.copies))
    ways = tuple(None if it.response is None else int(it.response * NANOSECONDS) // 2 for it in facts.totals)
    frames = frozenset((copy.captured.sender, copy.captured.frame) for copy in found.copies)
    moved = [_moved(copy, (ways[0], ways[1]), frames) for copy in found.copies]
    return found._replace(copies=tuple(sorted(moved, key=lambda copy: copy.sent)))


def unmeasured(found: Deliveries) -> Deliveries:
    """The deliveries with the times of the capture, none of them measured at the ends."""
    return found._replace(copies=tuple(replace(copy, measured=False) for copy in found.copies))


def times_in_words(observed: ObservedClose, shown: Deliveries, estimated: bool) -> str:
    """The source of the times at the ends, and the round trips, in a few sentences.

    Parameters
    ----------
    observed : ObservedClose
        The close.
    shown : Deliveries
        Its copies.
    estimated : bool
        Whether they are from `at_ends`; otherwise they are from `unmeasured`.
    """
    if shown.near is not None:
        return "".join(_both_ends(shown))
    responses = [total.response for total in observed.facts.totals]
    if not estimated or responses == [None, None]:
        contradicted = ", as half of the shortest round trips contradicts the order of the packets"
        return f"Captured at one point: times are those at which packets passed it{'' if estimated else contradicted}."
    to_a, to_b = ("not measured" if it is None else rounded(it) for it in responses)
    whole = observed.facts.round_trip
    between = "" if whole is None else f"; between the ends: {rounded(whole)}"
    return (
        f"Captured at one point. Shortest round trip from it to A: {to_a}; to B: {to_b}{between}. Half of each is drawn as the"
        " way of a packet."
    )


def _both_ends(shown: Deliveries) -> Iterator[str]:
    yield "Captured at both ends: times of sending and of arrival are measured."
    ways = [
        [it.arrivals[0][0] - it.sent[0] for it in shown.copies if it.captured.sender == sender and it.arrivals and it.measured]
        for sender in (0, 1)
    ]
    if all(ways):
        there, back = (Fraction(min(way), NANOSECONDS) for way in ways)
        yield f" Shortest way from A to B: {rounded(there)}; from B to A: {rounded(back)}; round trip: {rounded(there + back)}."
    if shown.clock_shift:
        shift = rounded(Fraction(shown.clock_shift, NANOSECONDS))
        yield f" The two clocks differed: B's was advanced by {shift}, which makes both ways equally long."


def _is_captured_twice(copy: Delivery, near: tuple[str, str]) -> bool:
    """Whether a copy was captured beside its sender, so that the time of its sending is known, too."""
    return copy.captured.frame > 0 and copy.captured.packet.interface == near[copy.captured.sender]


def _moved(copy: Delivery, ways: tuple[int | None, int | None], frames: frozenset[tuple[int, int]]) -> Delivery:
    """A copy at its ends; `ways` are in nanoseconds, `frames` those of all copies with their senders."""
    sender, receiver = copy.captured.sender, 1 - copy.captured.sender
    back, forth = ways[sender], ways[receiver]
    sent = _later(copy.sent, -(back or 0))
    earliest = _later((copy.sent[0], copy.sent[1], copy.sent[2] + 1), forth or 0)
    arrivals = []
    for arrival in copy.arrivals:
        # An arrival that later packets show is given as the place of one that the receiver sent without knowing of it.
        by_receiver = (receiver, arrival[1]) in frames
        arrivals.append(max(earliest, _later(arrival, (-1 if by_receiver else 1) * (forth or 0))))
    known = back is not None and copy.captured.frame > 0
    if copy.arrivals:
        known = known and forth is not None and _first(arrivals) == earliest[0]
    return replace(copy, sent=sent, arrivals=tuple(arrivals), measured=known)


def _first(arrivals: Iterable[CaptureInstant]) -> int:
    return min(arrival[0] for arrival in arrivals)


def _later(instant: CaptureInstant, by: int) -> CaptureInstant:
    return instant[0] + by, instant[1], instant[2]
