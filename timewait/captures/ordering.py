"""The order in which packets were sent, where the capture has them in another order.

Packets of one end overtake one another on the way, a capture at two ports or by several queues records an acknowledgement
before the segment that it acknowledges, and an end never acknowledges less than before. From these facts each packet gets
the place of its sending; the times stay those of the capture.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from timewait.captures.kept_packets import CapturedSegment, CaptureInstant, Item, SkippedRun, captured_segments

OVERTAKEN = 200_000_000
"""Nanoseconds within which earlier text that follows later text was overtaken, and was not retransmitted by a timer."""

CAPTURED_LATE = 20_000_000
"""Nanoseconds within which a segment that follows its acknowledgement was captured late."""


class SentSegment(NamedTuple):
    """A captured segment and the place of its sending among all events."""

    captured: CapturedSegment
    sent: CaptureInstant


def items_in_order(items: Sequence[Item]) -> list[Item]:
    """The packets of a connection captured at one point in the order of sending; runs of skipped packets keep their place."""
    ordered = iter([it.captured for it in in_order_of_sending(captured_segments(items))])
    return [item if isinstance(item, SkippedRun) else next(ordered) for item in items]


def in_order_of_sending(segments: Sequence[CapturedSegment]) -> list[SentSegment]:
    """The packets of a connection captured at one point, in the order in which their ends sent them."""
    by_time = sorted([SentSegment(it, (it.packet.time, it.packet.frame, 0)) for it in segments], key=_SENT)
    if _as_sent(by_time):
        return by_time
    ordered: list[CapturedSegment] = []
    sent: set[tuple[int, int]] = set()
    for captured, _ in by_time:
        end = captured.sender, captured.segment.end
        ordered.insert(_place(ordered, captured, again=end in sent), captured)
        if captured.segment.span:
            sent.add(end)
    return _with_instants(_before_acknowledgements(ordered))


_SENT = itemgetter(1)


def _as_sent(by_time: Sequence[SentSegment]) -> bool:
    """Whether packets in the order of capture are certainly in the order of sending, and at different places.

    Each packet of an end begins where the packets before it had reached, or repeats numbers after an acknowledgement of
    them; it acknowledges no less than the one before it, and nothing that was not captured before.
    """
    last: CaptureInstant | None = None
    acknowledged, previous, high = [-1, -1], [0, 0], [0, 0]
    for captured, instant in by_time:
        _, side, (seq, ack, length, syn, fin, rst, _), _ = captured
        if instant == last:
            return False
        last = instant
        end = seq + length + syn + fin
        if rst:
            continue
        if ack is not None and high[1 - side] and ack > high[1 - side]:
            return False
        high[side] = max(high[side], end)
        if syn:
            continue
        if ack is None or ack < acknowledged[side] or seq < previous[side]:
            return False
        acknowledged[side], previous[side] = ack, seq
    return True


def _place(ordered: Sequence[CapturedSegment], captured: CapturedSegment, *, again: bool) -> int:
    """Where a packet belongs: before the packets of its sender that overtook it; `again` says if it is a retransmission."""
    place = len(ordered)
    if captured.segment.rst or captured.segment.syn:
        return place
    for index in range(len(ordered) - 1, -1, -1):
        earlier = ordered[index]
        if earlier.sender != captured.sender or earlier.segment.rst or earlier.segment.syn:
            continue
        if not _overtook(earlier, captured, again=again):
            break
        place = index
    return place


def _overtook(earlier: CapturedSegment, later: CapturedSegment, *, again: bool) -> bool:
    """Whether a packet captured earlier was sent after one captured later; `again` says if the later is a retransmission."""
    first, second = earlier.segment, later.segment
    if first.ack is not None and second.ack is not None and second.ack < first.ack:
        return True
    recent = later.time - earlier.time < OVERTAKEN and not again
    return recent and bool(second.span) and first.ack == second.ack and second.end <= first.seq


def _before_acknowledgements(ordered: list[CapturedSegment]) -> list[CapturedSegment]:
    """Segments captured shortly after their acknowledgement are put before it."""
    found = list(ordered)
    high = [0, 0]
    index = 0
    while index < len(found):
        captured = found[index]
        ack, other = captured.segment.ack, 1 - captured.sender
        if ack is not None and high[other] and ack > high[other] and not captured.segment.rst:
            late = _captured_late(found, index, high[other], ack)
            for position in late:
                found.insert(index, found.pop(position))
                high[other] = max(high[other], found[index].segment.end)
                index += 1
        if not captured.segment.rst:
            high[captured.sender] = max(high[captured.sender], captured.segment.end)
        index += 1
    return found


def _captured_late(found: Sequence[CapturedSegment], index: int, high: int, ack: int) -> list[int]:
    captured = found[index]
    positions = []
    for position in range(index + 1, len(found)):
        late = found[position]
        if late.time - captured.time > CAPTURED_LATE:
            break
        new = late.segment.span and late.segment.end > high and late.segment.seq < ack and not late.segment.syn
        if new and late.sender != captured.sender and (late.segment.ack or 0) <= captured.segment.seq:
            positions.append(position)
    return positions


def _with_instants(ordered: Sequence[CapturedSegment]) -> list[SentSegment]:
    """The places of sending: a packet that was moved forward is placed just before the one that follows it."""
    found: list[SentSegment] = []
    following: CaptureInstant | None = None
    for captured in reversed(ordered):
        sent = captured.instant()
        if following is not None and sent >= following:
            sent = (following[0], following[1], following[2] - 2)
        following = sent
        found.append(SentSegment(captured, sent))
    return found[::-1]
