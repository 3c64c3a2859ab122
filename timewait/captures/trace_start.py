"""The first packet and the sequence numbers with which the trace of a connection starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from timewait.captures.connections import CapturedSegment, Item, SkippedRun
from timewait.spec.exchange import ENDS
from timewait.spec.segment import Segment

INITIAL_HOPS = frozenset({32, 64, 128, 255})
"""Times to live that systems send with; a packet that still has one has passed no router."""

UNSEEN = 0
"""The frame number of a segment that the capture lacks."""


class TraceStart(NamedTuple):
    """The part of a connection that its trace covers, and the next sequence number of each end at its start."""

    items: tuple[Item, ...]
    next_seq: tuple[int, int]


def trace_start(items: Sequence[Item]) -> TraceStart:
    """The close of a connection: everything from the first FIN or RST on, and earlier text still in flight then."""
    first = next(
        i for i, item in enumerate(items) if isinstance(item, CapturedSegment) and (item.segment.fin or item.segment.rst)
    )
    start = first
    for index in range(first - 1, -1, -1):
        item = items[index]
        if isinstance(item, SkippedRun):
            break
        if item.segment.length and not _acknowledged(item, items[:first]):
            start = index
    return TraceStart(tuple(items[start:]), (_next_seq(items, start, 0), _next_seq(items, start, 1)))


def with_missing_fins(items: Sequence[Item]) -> list[Item]:
    """The packets of a connection, with FINs that the capture lacks inserted before their acknowledgements.

    An acknowledgement shows such a FIN when it covers one number more than its receiver was seen to send, and the
    receiver sends nothing more.
    """
    found = list(items)
    for side in (0, 1):
        index = _acknowledgement_of_missing_fin(found, side)
        if index is not None:
            answer = found[index]
            assert isinstance(answer, CapturedSegment)
            assert answer.segment.ack is not None
            fin = Segment(answer.segment.ack - 1, _next_seq(found, index, 1 - side), fin=True)
            found.insert(index, CapturedSegment(answer.packet._replace(frame=UNSEEN, timestamps=None, ident=0), side, fin, None))
    return found


def _acknowledgement_of_missing_fin(items: Sequence[Item], side: int) -> int | None:
    sent: int | None = None
    for index, item in enumerate(items):
        if isinstance(item, SkippedRun):
            sent = item.next_seq[side] or sent
        elif item.sender == side and not item.segment.rst:
            if item.segment.fin:
                return None
            sent = max(item.segment.end, sent or 0)
        elif item.segment.ack is not None and sent is not None and item.segment.ack == sent + 1 and not item.segment.rst:
            later = (it.segment for it in items[index:] if isinstance(it, CapturedSegment) and it.sender == side)
            return None if any(it.span and not it.rst for it in later) else index
    return None


def second_closes_first(items: Sequence[Item]) -> bool:
    """Whether end 1 sent the first FIN, or, where there is none, the first RST."""
    captured = sorted((it for it in items if isinstance(it, CapturedSegment)), key=CapturedSegment.instant)
    closing = [it for it in captured if it.segment.fin] or [it for it in captured if it.segment.rst]
    return closing[0].sender == 1


def swapped(item: Item) -> Item:
    """The item with the two ends exchanged."""
    if isinstance(item, CapturedSegment):
        return item._replace(sender=1 - item.sender)
    return item._replace(octets=item.octets[::-1], next_seq=item.next_seq[::-1])


def _acknowledged(captured: CapturedSegment, items: Sequence[Item]) -> bool:
    answers = (it.segment for it in items if isinstance(it, CapturedSegment) and it.sender != captured.sender)
    return any(answer.ack is not None and answer.ack >= captured.segment.end for answer in answers)


def _next_seq(items: Sequence[Item], start: int, side: int) -> int:
    """The next sequence number of an end before the item at `start`."""
    known = []
    for item in items[:start]:
        if isinstance(item, SkippedRun):
            known.append(item.next_seq[side] or 1)
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
