"""The first packet and the sequence numbers with which the trace of a connection starts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from timewait.captures.kept_packets import CapturedSegment, Item, SkippedRun
from timewait.captures.ordering import OVERTAKEN
from timewait.spec.exchange import ENDS
from timewait.spec.segment import Segment

INITIAL_HOPS = frozenset({32, 64, 128, 255})
"""Times to live that systems send with; a packet that still has one has passed no router."""

UNSEEN = 0
"""The frame number of a segment that the capture lacks."""


class TraceStart(NamedTuple):
    """The part of a connection that its trace covers.

    Attributes
    ----------
    items : tuple of (CapturedSegment or SkippedRun)
        The packets.
    next_seq : (int, int)
        The next sequence number of each end at the start.
    received : (int, int)
        For each end the number up to which the other end had received everything at the start.
    """

    items: tuple[Item, ...]
    next_seq: tuple[int, int]
    received: tuple[int, int]


def trace_start(items: Sequence[Item]) -> TraceStart:
    """The close of a connection: everything from the first FIN or RST on, and earlier text still in flight then.

    Parameters
    ----------
    items : sequence of (CapturedSegment or SkippedRun)
        The connection, in the order of sending.
    """
    first = next(
        i for i, item in enumerate(items) if isinstance(item, CapturedSegment) and (item.segment.fin or item.segment.rst)
    )
    answered = [0, 0]
    for item in items[:first]:
        if isinstance(item, CapturedSegment) and item.segment.ack is not None:
            answered[1 - item.sender] = max(answered[1 - item.sender], item.segment.ack)
    start = first
    for index in range(first - 1, -1, -1):
        item = items[index]
        if isinstance(item, SkippedRun):
            break
        if item.segment.length and item.segment.end > answered[item.sender]:
            start = index
    next_seq = _next_seq(items, start, 0), _next_seq(items, start, 1)
    received = _received(items, start, 0, next_seq[0]), _received(items, start, 1, next_seq[1])
    return TraceStart(tuple(items[start:]), next_seq, received)


def _received(items: Sequence[Item], start: int, side: int, next_seq: int) -> int:
    """The highest number of an end that the other end acknowledged before the item at `start`."""
    known = [
        item.next_seq[side] or 0
        if isinstance(item, SkippedRun)
        else (item.segment.ack or 0)
        if item.sender != side and not item.segment.rst
        else 0
        for item in items[:start]
    ]
    return min(max(known, default=0) or next_seq, next_seq)


def with_missing_fins(items: Sequence[Item]) -> list[Item]:
    """The packets of a connection, with FINs that the capture lacks inserted before the packets that show them.

    A FIN is shown by a number that is one more than all text captured of its sender, in an acknowledgement or in a later
    packet of its sender without text, if the sender then sends nothing more.
    """
    found = list(items)
    for side in (0, 1):
        index, number = _shows_missing_fin(found, side)
        if index is not None:
            shown = found[index]
            assert isinstance(shown, CapturedSegment)
            fin = Segment(number - 1, _last_ack(found[:index], side), fin=True)
            packet = shown.packet._replace(frame=UNSEEN, timestamps=None, ident=0, hops=0)
            found.insert(index, CapturedSegment(packet, side, fin, None))
    return found


def _last_ack(items: Sequence[Item], side: int) -> int:
    """The last acknowledgement number of an end."""
    own = [it.segment.ack for it in items if isinstance(it, CapturedSegment) and it.sender == side and not it.segment.rst]
    return max((ack for ack in own if ack is not None), default=1)


def _shows_missing_fin(items: Sequence[Item], side: int) -> tuple[int | None, int]:
    """The index of the first packet that shows a missing FIN of an end, and the number after the FIN.

    Where the FIN was captured, but only after a number that shows it, its first transmission is missing.
    """
    text: int | None = None
    fin: int | None = None
    captured = 0
    numbers: list[tuple[int, int]] = []
    for index, item in enumerate(items):
        if isinstance(item, SkippedRun):
            text = item.next_seq[side] or text
            continue
        segment = item.segment
        if segment.rst or (segment.syn and segment.seq != 0):
            continue
        if item.sender == side:
            if segment.fin:
                fin, captured = segment.end, item.time
                break
            if segment.span or text is None:
                text = segment.end if text is None else max(segment.end, text)
            else:
                numbers.append((index, segment.seq))
        elif segment.ack is not None:
            numbers.append((index, segment.ack))
    if fin is not None:
        own = [index for index, number in numbers if number >= fin and _sent_long_before(items[index], side, captured)]
        return (own[0], fin) if own else (None, 0)
    if text is None:
        text = _last_text_acknowledged([number for _, number in numbers])
    if text is None:
        return None, 0
    shown = next((index for index, number in numbers if number == text + 1), None)
    highest = max((number for _, number in numbers), default=0)
    return (shown, text + 1) if highest == text + 1 else (None, 0)


def _last_text_acknowledged(numbers: Sequence[int]) -> int | None:
    """The number after the text of an end of which nothing was captured; None where its acknowledgements show no FIN.

    A single step by one, after all others, is the FIN; an end that sends single octets makes many.
    """
    distinct = sorted(set(numbers))
    steps = [later - earlier for earlier, later in pairwise(distinct)]
    return distinct[-2] if steps and steps[-1] == 1 and steps.count(1) == 1 else None


def _sent_long_before(item: Item, side: int, time: int) -> bool:
    """Whether an end sent a packet so long before a time that what was captured then did not merely overtake it."""
    return isinstance(item, CapturedSegment) and item.sender == side and time - item.time >= OVERTAKEN


def swapped(item: Item) -> Item:
    """The item with the two ends exchanged."""
    if isinstance(item, CapturedSegment):
        return item._replace(sender=1 - item.sender)
    return item._replace(octets=item.octets[::-1], next_seq=item.next_seq[::-1])


def _next_seq(items: Sequence[Item], start: int, side: int) -> int:
    """The next sequence number of an end before the item at `start`."""
    known = []
    for item in items[:start]:
        if isinstance(item, SkippedRun):
            known.append(item.next_seq[side] or 1)
        elif item.segment.syn and item.segment.seq != 0:
            continue
        elif item.sender == side and not item.segment.rst:
            known.append(item.segment.end)
        elif item.sender != side and item.segment.ack is not None:
            known.append(item.segment.ack)
    if known:
        return max(known)
    later = [it for it in items[start:] if isinstance(it, CapturedSegment) and not it.segment.syn]
    own = [it.segment.seq for it in later if it.sender == side and not it.segment.rst]
    acknowledged = [it.segment.ack for it in later if it.sender != side and it.segment.ack is not None]
    return min((*own[:1], *acknowledged[:1]), default=1)


def capture_point_beside(hops: tuple[frozenset[int], frozenset[int]]) -> str:
    """The end beside a single capture point: the one whose packets have passed no router; empty when that is unclear.

    Parameters
    ----------
    hops : (frozenset of int, frozenset of int)
        For each end the times to live of its packets.
    """
    local = [bool(values) and values <= INITIAL_HOPS for values in hops]
    if local[0] == local[1] or not all(hops):
        return ""
    return ENDS[local.index(True)]
