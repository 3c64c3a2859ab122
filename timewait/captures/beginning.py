"""Where the trace of a connection starts, and which end is A: the one that closed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from timewait.captures.connections import CapturedSegment, Skipped
from timewait.spec.exchange import ENDS
from timewait.spec.segment import Segment

INITIAL_HOPS = frozenset({32, 64, 128, 255})
"""Times to live with which systems send; a packet that still has one passed no router."""


class Beginning(NamedTuple):
    """Where the trace of a connection starts: the packets and gaps that it tells of, and the numbers at its start."""

    items: tuple[CapturedSegment | Skipped, ...]
    standing: tuple[int, int]


UNSEEN = 0
"""The frame of a packet that the capture lacks."""


def with_unseen_fins(items: Sequence[CapturedSegment | Skipped]) -> list[CapturedSegment | Skipped]:
    """The packets of a connection, with FINs that the capture lacks but whose acknowledgement it has.

    Such an acknowledgement is one beyond all that an end was seen to send, by an end that sends nothing more.
    """
    found = list(items)
    for side in (0, 1):
        index = _acknowledgement_of_unseen_fin(found, side)
        if index is not None:
            answer = found[index]
            assert isinstance(answer, CapturedSegment)
            assert answer.segment.ack is not None
            fin = Segment(answer.segment.ack - 1, _standing(found, index, 1 - side), fin=True)
            found.insert(index, CapturedSegment(UNSEEN, answer.time, answer.place, side, fin, hops=0))
    return found


def _acknowledgement_of_unseen_fin(items: Sequence[CapturedSegment | Skipped], side: int) -> int | None:
    """Which packet acknowledges a FIN of an end that is not there."""
    sent: int | None = None
    for index, item in enumerate(items):
        if isinstance(item, Skipped):
            sent = item.standing[side] or sent
        elif item.sender == side and not item.segment.rst:
            if item.segment.fin:
                return None
            sent = max(item.segment.end, sent or 0)
        elif item.segment.ack is not None and sent is not None and item.segment.ack == sent + 1 and not item.segment.rst:
            later = (one.segment for one in items[index:] if isinstance(one, CapturedSegment) and one.sender == side)
            return None if any(one.span and not one.rst for one in later) else index
    return None


def second_closes(items: Sequence[CapturedSegment | Skipped]) -> bool:
    """Whether the end that sent the first packet of all is not the one that closed first."""
    seen = sorted((one for one in items if isinstance(one, CapturedSegment)), key=lambda one: (one.time, one.frame))
    closing = [one for one in seen if one.segment.fin] or [one for one in seen if one.segment.rst]
    return closing[0].sender == 1


def flipped(item: CapturedSegment | Skipped, flip: bool) -> CapturedSegment | Skipped:
    """The same with the ends exchanged, if they are to be."""
    if not flip:
        return item
    if isinstance(item, CapturedSegment):
        return item._replace(sender=1 - item.sender)
    return item._replace(octets=item.octets[::-1], standing=item.standing[::-1])


def beginning(items: Sequence[CapturedSegment | Skipped]) -> Beginning:
    """What matters of a connection: from its first FIN or RST on, and text that was on its way then."""
    first = next(index for index, item in enumerate(items) if isinstance(item, CapturedSegment) and _ends(item.segment))
    start = first
    for index in range(first - 1, -1, -1):
        item = items[index]
        if isinstance(item, Skipped):
            break
        if item.segment.length and not _acknowledged(item, items[:first]):
            start = index
    return Beginning(tuple(items[start:]), (_standing(items, start, 0), _standing(items, start, 1)))


def _ends(segment: Segment) -> bool:
    return segment.fin or segment.rst


def _acknowledged(one: CapturedSegment, packets: Sequence[CapturedSegment | Skipped]) -> bool:
    others = (each.segment for each in packets if isinstance(each, CapturedSegment) and each.sender != one.sender)
    return any(each.ack is not None and each.ack >= one.segment.end for each in others)


def _standing(items: Sequence[CapturedSegment | Skipped], start: int, side: int) -> int:
    """The number of the next octet of an end where the trace starts."""
    known = []
    for item in items[:start]:
        if isinstance(item, Skipped):
            known.append(item.standing[side] or 1)
        elif item.sender == side and not item.segment.rst:
            known.append(item.segment.end)
        elif item.sender != side and item.segment.ack is not None:
            known.append(item.segment.ack)
    if known:
        return max(known)
    later = [item for item in items[start:] if isinstance(item, CapturedSegment) and not item.segment.syn]
    own = [item.segment.seq for item in later if item.sender == side and not item.segment.rst]
    acknowledged = [item.segment.ack for item in later if item.sender != side and item.segment.ack is not None]
    return min((*own[:1], *acknowledged[:1]), default=1)


def beside(hops: tuple[frozenset[int], frozenset[int]]) -> str:
    """Which end a single place of capture is beside, by whose packets had passed no router; empty if that does not tell."""
    local = [bool(values) and values <= INITIAL_HOPS for values in hops]
    if local[0] == local[1] or not all(hops):
        return ""
    return ENDS[local.index(True)]
