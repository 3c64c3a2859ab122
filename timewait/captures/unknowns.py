"""What a capture cannot show about a close, with the readings that remain."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from timewait.captures.observations import (
    FinFacts,
    FinPair,
    ResetArrival,
    ResetCause,
    ResetFacts,
    TimeWaitAnswer,
    TimeWaitArrival,
    Unknown,
)
from timewait.captures.passages import Passage, Passages
from timewait.narration.prose import counted, listed, other_end, rounded
from timewait.spec.exchange import ENDS
from timewait.spec.settings import Arrival

MAX_ACK_DELAY = Fraction(1, 2)
"""Seconds within which an acknowledgement is due (RFC 9293 3.8.6.3, MUST-40)."""

CAUSES = {
    ResetCause.ABORT: "its user dropped the connection",
    ResetCause.LATE_TEXT: "it received text after its user had closed both directions",
    ResetCause.RETRY_LIMIT: "it had reached its limit of retransmissions",
    ResetCause.KEEP_ALIVE: "its keep-alive probes were not answered",
    ResetCause.FORGOTTEN: "it had left FIN_WAIT_2 or lost the connection",
    ResetCause.LEFT_TIME_WAIT: "it had left TIME_WAIT",
    ResetCause.CLOSED: "it was CLOSED",
    ResetCause.SYN_SENT: "it was in SYN_SENT",
    ResetCause.DEVICE: "a device on the way sent it",
    ResetCause.REFUSAL: "it refused the connection",
}
"""Each cause of a RST as a clause about its sender."""


def unknowns(
    found: Passages,
    fins: FinPair,
    resets: tuple[ResetFacts, ...],
    reset_arrivals: tuple[ResetArrival, ...],
    arrivals: tuple[TimeWaitArrival, ...],
) -> tuple[Unknown, ...]:
    """What stays unknown, in order of time."""
    made = [
        *_missing_octets(found, fins),
        *_fins_not_captured(fins),
        *_closed_before(found, fins),
        *_closed_unseen(found, fins),
        *_order_of_fins(fins),
        *_unanswered_fins(fins, resets),
        *_late_acknowledgements(fins, found.beside),
        *_causes(resets),
        *_resets_in_time_wait(reset_arrivals),
        *_answered_as_of_old(found, fins, arrivals),
        *_spoke_when_closed(found, fins),
    ]
    return tuple(sorted(made, key=lambda it: it.time))


def missing_octets(found: Passages, side: int, fin: FinFacts | None) -> int:
    """Octets of text of an end that the capture lacks, as later numbers and acknowledgements show; no SYN and no FIN."""
    own = found.directions[side]
    behind = max(found.directions[1 - side].acknowledges - max(own.high, 1), 0)
    numbers = sum(end - start for start, end in own.missing) + behind
    return numbers - (numbers > 0 and fin is not None and not fin.captured)


def _missing_octets(found: Passages, fins: FinPair) -> Iterator[Unknown]:
    for side in (0, 1):
        end, octets = ENDS[side], missing_octets(found, side, fins[side])
        if octets:
            last = max((stop for _, stop in found.directions[side].missing), default=0)
            taken = found.directions[1 - side].acknowledges >= last
            them = "it" if octets == 1 else "them"
            shown = f"{other_end(end)} acknowledged {them}" if taken else f"later numbers show {them}"
            text = f"{counted(octets, 'octet')} of {end} {'is' if octets == 1 else 'are'} not in the capture; {shown}."
            yield Unknown("octets-missing", end, Fraction(0), (), text)


def _fins_not_captured(fins: FinPair) -> Iterator[Unknown]:
    for fin in fins:
        if fin is not None and not fin.captured:
            other = other_end(fin.end)
            frames = (fin.acknowledged.frame,) if fin.acknowledged else ()
            text = (
                f"{fin.end}'s FIN is missing from the capture: {other} acknowledged one number more than was captured of"
                f" {fin.end}. It may also have been an octet of text."
            )
            yield Unknown("fin-not-captured", fin.end, fin.time, frames, text)


def _closed_before(found: Passages, fins: FinPair) -> Iterator[Unknown]:
    """An end that may have closed before the capture began, while the other end closes in it."""
    for side, fin in enumerate(fins):
        other = fins[1 - side]
        if fin is None and other is not None and found.may_have_closed_before(side):
            end = ENDS[side]
            lacks = f"The capture has neither the opening nor acknowledged text of {end}"
            text = f"{lacks}: {end} may have closed before the capture began."
            yield Unknown("may-have-closed-before", end, other.time, (other.frame,), text)


def _closed_unseen(found: Passages, fins: FinPair) -> Iterator[Unknown]:
    """An end whose last octets are not in the capture: one of the numbers that later packets show may be a FIN."""
    for side, fin in enumerate(fins):
        other = fins[1 - side]
        if fin is None and other is not None and found.lacks_last(side) and not found.may_have_closed_before(side):
            end = ENDS[side]
            text = f"The capture lacks what {end} sent last, as later packets show: {end} may have closed."
            yield Unknown("may-have-closed-unseen", end, other.time, (other.frame,), text)


def _order_of_fins(fins: FinPair) -> Iterator[Unknown]:
    first, second = fins
    if first is None or second is None:
        return
    knew = (first.knew, second.knew)
    if None in knew and False not in knew:
        text = f"{first.end} may have closed first, or both at once: the capture may lack the first transmission of a FIN."
        yield Unknown("order-of-fins", "", max(first.time, second.time), (first.frame, second.frame), text)


def _unanswered_fins(fins: FinPair, resets: tuple[ResetFacts, ...]) -> Iterator[Unknown]:
    for fin in fins:
        if fin is None or fin.acknowledged is not None:
            continue
        other = other_end(fin.end)
        frames = tuple(it.frame for it in fin.transmissions)
        if any(reset.end == other and reset.answers in frames for reset in resets):
            continue
        if len(fin.transmissions) > 1:
            text = (
                f"Nothing answers the {len(fin.transmissions)} FINs of {fin.end}, and nothing shows that any of them arrived:"
                " they may have been lost on the way, as by a firewall or NAT that had forgotten the connection, or"
                f" {other} is gone or ignores them."
            )
        else:
            text = f"The acknowledgement of {fin.end}'s FIN is not in the capture, so nothing shows that the FIN arrived."
        yield Unknown("fin-not-answered", fin.end, fin.time, frames, text)


def _late_acknowledgements(fins: FinPair, beside: str) -> Iterator[Unknown]:
    for fin in fins:
        if fin is None or fin.acknowledged is None or not fin.captured or other_end(fin.end) != beside:
            continue
        took = fin.acknowledged.time - fin.time
        if took >= MAX_ACK_DELAY and len(fin.transmissions) == 1:
            text = (
                f"{beside} may have acknowledged {fin.end}'s FIN only after {rounded(took)}, where half a second is allowed"
                " (RFC 9293 3.8.6.3 MUST-40); or the capture lacks an earlier acknowledgement."
            )
            yield Unknown("late-acknowledgement", beside, fin.acknowledged.time, (fin.frame, fin.acknowledged.frame), text)


def _causes(resets: tuple[ResetFacts, ...]) -> Iterator[Unknown]:
    for reset in resets:
        if len(reset.causes) > 1:
            readings = listed([CAUSES[cause] for cause in reset.causes], "or")
            why = f" ({reset.evidence})" if reset.evidence else ""
            text = f"Why {reset.end} sent the RST in frame {reset.frame} is not certain: {readings}{why}."
            yield Unknown("cause-of-reset", reset.end, reset.time, (reset.frame,), text)


def _resets_in_time_wait(arrivals: tuple[ResetArrival, ...]) -> Iterator[Unknown]:
    for reset in arrivals:
        if reset.ended is None and reset.exact:
            text = (
                f"Nothing shows whether the RST in frame {reset.frame} ended the TIME_WAIT of {reset.end} (RFC 1337): it does"
                " where the stack accepts such a RST, and does not where the stack ignores it or the RST was lost."
            )
            yield Unknown("reset-in-time-wait", reset.end, reset.time, (reset.frame,), text)


def _answered_as_of_old(found: Passages, fins: FinPair, arrivals: tuple[TimeWaitArrival, ...]) -> Iterator[Unknown]:
    """SYNs of the next incarnation that were answered with the numbers of this one by an end that is not in TIME-WAIT."""
    in_time_wait = {it.frame for it in arrivals if it.arrival is Arrival.SYN and it.answer is not TimeWaitAnswer.NONE}
    syns = [it for it in found.all if it.segment.syn and it.segment.seq != 0 and it.segment.ack is None]
    answered = [
        (syn, answer)
        for syn in syns
        if syn.frame not in in_time_wait
        and (answer := next(found.of(1 - syn.sender, after=syn.order), None)) is not None
        and not answer.segment.syn
    ]
    if not answered:
        return
    end = ENDS[1 - answered[0][0].sender]
    own = fins[ENDS.index(end)]
    other = other_end(end)
    if own is None or fins[1 - ENDS.index(end)] is None:
        reading = f": it still has the old connection, which {other} has left without closing it"
    else:
        reading = (
            f" although it ought not to be in TIME_WAIT: {end} never received the last acknowledgement and is still in LAST_ACK,"
            " or a middlebox answers"
        )
    text = f"{end} answered {counted(len(answered), 'SYN')} of {other} with the numbers of this connection{reading}."
    frames = tuple(frame for syn, answer in answered for frame in (syn.frame, answer.frame))
    yield Unknown("old-numbers", end, found.seconds(answered[0][1].time), frames, text)


def _spoke_when_closed(found: Passages, fins: FinPair) -> Iterator[Unknown]:
    """An end that closed second and acknowledges something after the acknowledgement of its FIN passed the capture."""
    for side, fin in enumerate(fins):
        if fin is None or not fin.knew or fin.acknowledged is None:
            continue
        # An answer to what passed before the acknowledgement may still be on its way.
        passed, own = next(it for it in found.all if it.frame == fin.acknowledged.frame), found.directions[side]
        later = (it for it in found.of(side, after=passed.order) if not (it.segment.syn or it.segment.rst or it.segment.span))
        spoke = next((it for it in later if own.had_time(passed.time, it.time) and not _answers_syn(found, it)), None)
        if spoke is not None:
            closed_at_once = "" if fin.certain else " both had closed at once and it was in TIME_WAIT,"
            text = (
                f"{fin.end} sent an acknowledgement in frame {spoke.frame}, where CLOSED calls for a RST (RFC 9293 3.10.7.1): it"
                f" had not received the last acknowledgement and was still in LAST_ACK,{closed_at_once} or it deviates."
            )
            yield Unknown("spoke-when-closed", fin.end, found.seconds(spoke.time), (passed.frame, spoke.frame), text)


def _answers_syn(found: Passages, passage: Passage) -> bool:
    before = list(found.of(1 - passage.sender, before=passage.order))
    return bool(before) and before[-1].segment.syn
