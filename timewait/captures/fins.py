"""The FINs of a connection: their transmissions, their acknowledgements, and which end closed first."""

from __future__ import annotations

from collections.abc import Sequence

from timewait.captures.kept_packets import CapturedSegment
from timewait.captures.observations import FinFacts, FinPair
from timewait.captures.ordering import OVERTAKEN
from timewait.captures.passages import Passage, Passages, covers, first_covering
from timewait.captures.trace_start import UNSEEN
from timewait.spec.exchange import ENDS

SHORTEST_TIMEOUT = 200_000_000
"""Nanoseconds after which a FIN may be a retransmission whose first transmission the capture lacks."""


def fin_facts(found: Passages) -> tuple[FinFacts | None, FinFacts | None]:
    """The FINs of both ends; None where neither a FIN nor its acknowledgement was captured."""
    sent = [[it for it in found.of(side) if it.segment.fin and not it.segment.rst] for side in (0, 1)]
    numbers = [copies[0].segment.end if copies else None for copies in sent]
    first, second = (_facts(found, side, sent[side], numbers) for side in (0, 1))
    return first, second


def _facts(found: Passages, side: int, copies: Sequence[Passage], numbers: Sequence[int | None]) -> FinFacts | None:
    number, other = numbers[side], numbers[1 - side]
    if number is None:
        return None
    own = [it for it in copies if not it.duplicate]
    # The acknowledgement on a FIN that the capture lacks is not known.
    acknowledgement = first_covering((it for it in found.of(1 - side) if it.frame != UNSEEN), number)
    knew, certain = (None, True) if other is None else _knew(found, side, own, number, other)
    return FinFacts(
        ENDS[side],
        number,
        tuple(found.transmission(it) for it in own),
        own[0].frame != UNSEEN,
        None if acknowledgement is None else found.transmission(acknowledgement),
        knew,
        certain,
    )


def _knew(found: Passages, side: int, copies: Sequence[Passage], number: int, other: int) -> tuple[bool | None, bool]:
    """Whether an end had received the other's FIN when it first sent its own, or None; and whether that is certain.

    A retransmission carries the acknowledgement number of its own time, so the lowest one is the first. A bare
    acknowledgement of the other's FIN with a number below its own FIN shows that the end knew. Otherwise a FIN that comes
    long after the other one may be a retransmission of one that was lost before the capture point; so may one that is followed
    by a bare acknowledgement of the other's FIN that answers nothing and that it may have overtaken.

    A FIN that answers the other one at once is still a retransmission where the first transmission was lost before the capture
    point, or came before the capture began, and the timer ran out just then. A bare acknowledgement shortly before it excludes
    that: it would have had the number after the FIN.
    """
    if any(not covers(it, other) for it in copies if it.frame != UNSEEN):
        return False, True
    earlier = [it for it in found.of(side, before=copies[0].order) if not it.segment.rst]
    before = [it.segment for it in earlier]
    if any(not it.span and it.seq < number and it.ack is not None and it.ack >= other for it in before):
        return True, True
    theirs = next((it for it in found.of(1 - side) if it.segment.fin and it.frame != UNSEEN), None)
    late = theirs is None or copies[0].time - theirs.time >= SHORTEST_TIMEOUT
    missing = copies[0].frame == UNSEEN or any(it.seq >= number for it in before)
    if found.began_late and not any(it.end < number for it in before):
        # The first transmission may have come before the capture.
        missing = True
    if not missing and any(it.length and not it.fin and it.seq < number and (it.ack or 0) >= other for it in before):
        # New text below the FIN acknowledges the other one, too, or both were sent again.
        return True, False
    if missing or late or _overtook_an_answer(found, side, copies[0], other):
        return None, True
    whole = found.sees_all_of(side) and all(it.opening for it in found.directions) and not found.lossy
    # Later than an answer comes it may be a retransmission, if the capture dropped all before it.
    first = whole and theirs is not None and not found.directions[side].had_time(theirs.time, copies[0].time)
    return True, first or any(_is_before_fin(it, copies[0], number) for it in earlier)


def _is_before_fin(passage: Passage, fin: Passage, number: int) -> bool:
    """Whether a packet is a bare acknowledgement below a FIN that ends at a number, and came less than a timeout before it."""
    bare = not passage.segment.span and passage.fresh and passage.segment.seq < number
    return bare and fin.time - passage.time < SHORTEST_TIMEOUT


def _overtook_an_answer(found: Passages, side: int, fin: Passage, other: int) -> bool:
    """Whether a bare acknowledgement of the other's FIN follows a FIN at once, and nothing that came since calls for it."""
    answer = next((it for it in found.of(side, after=fin.order) if not it.segment.span and not it.segment.rst), None)
    if answer is None or answer.segment.seq < fin.segment.end or not covers(answer, other):
        return False
    if answer.time - fin.time >= OVERTAKEN:
        return False
    # What passed less than a round trip before the FIN had not arrived when that was sent.
    since = fin.captured.time - (found.directions[side].response or 0)
    return not any(it.segment.span and it.time > since for it in found.of(1 - side, before=answer.order))


def surely_acknowledged(found: Passages, fins: FinPair, side: int) -> bool:
    """Whether an end certainly received an acknowledgement of its FIN.

    A bare one that passed a capture point elsewhere than beside the end may have been lost behind it, and nothing later need
    show that. The other's FIN, which the end acknowledged, certainly arrived; so did what every copy of it acknowledges.
    """
    own, other = fins[side], fins[1 - side]
    if own is None:
        return False
    theirs = [it for it in found.of(1 - side) if not it.segment.rst]
    if any(it.sure and covers(it, own.number) and not _is_repeated(found, it) for it in theirs):
        return True
    if other is None or not any(covers(it, other.number) for it in found.of(side) if not it.segment.rst):
        return False
    if other.known:
        return True
    complete = other.captured and not found.lossy and not found.began_late
    return complete and all(covers(it, own.number) for it in theirs if it.segment.fin)


def _is_repeated(found: Passages, passage: Passage) -> bool:
    """Whether a packet repeats what was acknowledged: its own acknowledgement is dropped with it (RFC 9293 3.10.7.4).

    The capture may lack that first acknowledgement.
    """
    if not passage.segment.span:
        return False
    earlier = (it for it in found.of(passage.sender, before=passage.order) if it.segment.span and not it.segment.rst)
    if not found.seems_whole and any(it.segment.end >= passage.segment.end for it in earlier):
        return True
    return any(covers(it, passage.segment.end) for it in found.of(1 - passage.sender, before=passage.order))


def second_closed_first(segments: Sequence[CapturedSegment]) -> bool:
    """Whether end 1 closed first: the end whose FIN did not acknowledge the other's, or that sent the first FIN or RST.

    Parameters
    ----------
    segments : sequence of CapturedSegment
        The packets in the order of sending.
    """
    fins = [it for it in segments if it.segment.fin and not it.segment.rst]
    first = [next((it for it in fins if it.sender == side), None) for side in (0, 1)]
    if first[0] is not None and first[1] is not None:
        knew = [_acknowledges(it, first[1 - side]) for side, it in enumerate(first)]
        if knew[0] != knew[1]:
            return knew[0]
    closing = fins or [it for it in segments if it.segment.rst]
    return bool(closing) and closing[0].sender == 1


def _acknowledges(captured: CapturedSegment | None, fin: CapturedSegment | None) -> bool:
    return captured is not None and fin is not None and (captured.segment.ack or 0) >= fin.segment.end
