"""Where the trace of a connection starts, and which end is A: the one that closed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from diagrams.capture.connections import Connection, Seen, Skipped
from spec.exchange import ENDS
from spec.segment import Segment

INITIAL_HOPS = frozenset({32, 64, 128, 255})
"""Times to live with which systems send; a packet that still has one passed no router."""


class Beginning(NamedTuple):
    """Where the trace of a connection starts: the packets and gaps that it tells of, and the numbers at its start."""

    items: tuple[Seen | Skipped, ...]
    standing: tuple[int, int]


def second_closes(connection: Connection) -> bool:
    """Whether the end that sent the first packet of all is not the one that closed first."""
    seen = sorted((one for one in connection.items if isinstance(one, Seen)), key=lambda one: (one.time, one.frame))
    closing = [one for one in seen if one.segment.fin] or [one for one in seen if one.segment.rst]
    return closing[0].sender == 1


def flipped(item: Seen | Skipped, flip: bool) -> Seen | Skipped:
    """The same with the ends exchanged, if they are to be."""
    if not flip:
        return item
    if isinstance(item, Seen):
        return item._replace(sender=1 - item.sender)
    return item._replace(octets=item.octets[::-1], standing=item.standing[::-1])


def beginning(items: Sequence[Seen | Skipped]) -> Beginning:
    """What matters of a connection: from its first FIN or RST on, and text that was on its way then."""
    first = next(index for index, item in enumerate(items) if isinstance(item, Seen) and _ends(item.segment))
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


def _acknowledged(one: Seen, packets: Sequence[Seen | Skipped]) -> bool:
    others = (each.segment for each in packets if isinstance(each, Seen) and each.sender != one.sender)
    return any(each.ack is not None and each.ack >= one.segment.end for each in others)


def _standing(items: Sequence[Seen | Skipped], start: int, side: int) -> int:
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
    later = [item for item in items[start:] if isinstance(item, Seen) and not item.segment.syn]
    own = [item.segment.seq for item in later if item.sender == side and not item.segment.rst]
    acknowledged = [item.segment.ack for item in later if item.sender != side and item.segment.ack is not None]
    return min((*own[:1], *acknowledged[:1]), default=1)


def beside(hops: tuple[frozenset[int], frozenset[int]]) -> str:
    """Which end a single place of capture is beside, by whose packets had passed no router; empty if that does not tell."""
    local = [bool(values) and values <= INITIAL_HOPS for values in hops]
    if local[0] == local[1] or not all(hops):
        return ""
    return ENDS[local.index(True)]
