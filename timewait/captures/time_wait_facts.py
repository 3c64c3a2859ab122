"""TIME-WAIT and FIN-WAIT-2 as the capture shows them: when they began, what came, how it was answered, and what ended them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.direction import PROMPT
from timewait.captures.kept_packets import CaptureInstant
from timewait.captures.observations import (
    FinPair,
    ResetArrival,
    ResetCause,
    ResetFacts,
    StateLeft,
    TimeWaitAnswer,
    TimeWaitArrival,
)
from timewait.captures.passages import Passage, Passages, covers, first_covering
from timewait.captures.trace_start import UNSEEN
from timewait.captures.unknowns import MAX_ACK_DELAY
from timewait.spec.exchange import ENDS
from timewait.spec.settings import Arrival
from timewait.spec.state import State
from timewait.spec.time_wait import arrival_class


def time_wait_entered(found: Passages, fins: FinPair, side: int) -> Passage | None:
    """The packet that shows that an end was in TIME-WAIT; None where nothing shows that it ever was.

    The end did not know the other's FIN when it closed, it acknowledged that FIN, and its own FIN was acknowledged.
    """
    own, other = fins[side], fins[1 - side]
    if own is None or other is None or own.knew is not False:
        return None
    answer = first_covering((it for it in found.of(side) if not it.segment.rst), other.number)
    # A retransmission of its own FIN shows that no earlier acknowledgement had arrived.
    again = [it for it in found.of(side) if it.segment.fin and it.fresh]
    passed = (it for it in found.of(1 - side, after=again[-1].order if again else None) if it.reached is not None)
    acknowledgement = first_covering(passed, own.number)
    if answer is None or acknowledgement is None:
        return None
    return max(answer, acknowledgement, key=lambda passage: passage.order)


def time_wait_arrivals(found: Passages, fins: FinPair, side: int, entered: Passage) -> Iterator[TimeWaitArrival]:
    """The segments that came for an end after it had entered TIME-WAIT, with its answers.

    A segment that passed the capture before the end's own acknowledgement did is not counted: the end may have been in
    another state when it arrived.
    """
    other = fins[1 - side]
    assert other is not None
    waiting: list[TimeWaitArrival] = []
    quiet, began = entered.time, time_wait_began(found, side, entered)
    for passage in found.all:
        if passage.order <= entered.order:
            continue
        if passage.sender == side and passage.fresh and not passage.segment.syn:
            quiet = passage.time
            if waiting:
                first = waiting.pop(0)
                first.answer = TimeWaitAnswer.RST if passage.segment.rst else TimeWaitAnswer.ACK
                first.answered = passage.frame
        elif passage.sender != side and not passage.segment.rst and passage.reached is not None:
            arrival = TimeWaitArrival(
                ENDS[side],
                found.seconds(passage.reached),
                passage.frame,
                Fraction(passage.reached - began, 10**9),
                Fraction(passage.reached - quiet, 10**9),
                _class(passage, other.number),
            )
            if arrival.arrival is not Arrival.ACK:
                waiting.append(arrival)
            yield arrival


def time_wait_began(found: Passages, side: int, entered: Passage) -> int:
    """When TIME-WAIT began, at the latest, as seen where packets to the end pass: with the last FIN that its answer can answer.

    Nothing shows when a FIN came that the capture lacks, and one that came long before the answer may have been lost, or have
    come before text that was missing; then TIME-WAIT began at the answer, at the latest.
    """
    if entered.sender != side:
        return entered.time
    fins = [it.time for it in found.of(1 - side, before=entered.order) if it.segment.fin and it.frame != UNSEEN]
    return fins[-1] if fins and entered.time - fins[-1] < MAX_ACK_DELAY * NANOSECONDS else entered.time


def _class(passage: Passage, expected: int) -> Arrival:
    """The class of a segment in TIME-WAIT; what begins at or after the number expected counts as inside the window."""
    return arrival_class(passage.segment, expected, in_window=passage.segment.seq >= expected)


def reset_arrivals(
    found: Passages, fins: FinPair, side: int, entered: Passage, accepted: CaptureInstant | None
) -> Iterator[ResetArrival]:
    """The RSTs sent to an end in TIME-WAIT, and whether later packets show that they ended it.

    Parameters
    ----------
    accepted : Instant or None
        When a SYN of the next incarnation was accepted.
    """
    other = fins[1 - side]
    assert other is not None
    doubtful = False
    for rst in found.of(1 - side, after=entered.order):
        if not rst.segment.rst or rst.reached is None:
            continue
        exact, ended = rst.segment.seq == other.number, _ended(found, side, rst, accepted)
        # An earlier RST may have ended it already, and an end that has sent a RST has left it.
        gone = any(it.segment.rst for it in found.of(side, before=rst.order))
        ended = None if ended and (doubtful or gone) else ended
        doubtful = doubtful or ended is not False
        yield ResetArrival(ENDS[side], found.seconds(rst.time), rst.frame, exact, ended)


def _ended(found: Passages, side: int, rst: Passage, accepted: CaptureInstant | None) -> bool | None:
    """Whether a RST ended TIME-WAIT: how the end answers the first segment that came after it.

    An answer counts only if nothing that came before the RST can still be waiting for it.
    """
    if _unanswered(found, side, rst):
        return None
    asked = next((it for it in found.of(1 - side, after=rst.order) if not it.segment.rst), None)
    if asked is None:
        spoke = next((it for it in found.of(side, after=rst.order) if it.fresh and not it.segment.syn), None)
        if spoke is not None and found.directions[side].had_time(rst.time, spoke.time):
            # It answers something that did not pass the capture, unless it may be an old copy of an ACK.
            return _shown_by(found, side, rst, spoke) if spoke.segment.rst or _is_no_copy(found, side, rst) else None
        challenged = any(it.segment.syn for it in found.of(1 - side, before=rst.order))
        return True if challenged and accepted is not None and accepted > rst.order else None
    answer = next((it for it in found.of(side, after=asked.order) if it.fresh and not it.segment.syn), None)
    return None if answer is None else _shown_by(found, side, rst, answer)


def _is_no_copy(found: Passages, side: int, rst: Passage) -> bool:
    """Whether an acknowledgement after a RST is no old copy of one whose first passage the capture lacks.

    A RST to TIME-WAIT answers an acknowledgement. Where none passed that it can answer, the capture may lack its first passage.
    """
    if found.sees_all_of(side):
        return True
    response = found.directions[1 - side].response or 0
    asked = [it for it in found.of(side, before=rst.order) if it.segment.ack == rst.segment.seq]
    answers = bool(asked) and rst.time - asked[-1].time <= 2 * response + PROMPT
    return answers and found.shows_first_passages(side)


def _shown_by(found: Passages, side: int, rst: Passage, answer: Passage) -> bool | None:
    """Whether a RST ended TIME-WAIT, by a later packet of its receiver: a RST does not tell it from another RST between them."""
    if not answer.segment.rst:
        return False
    between = found.of(1 - side, after=rst.order, before=answer.order)
    return None if any(it.segment.rst and not it.duplicate for it in between) else True


def _unanswered(found: Passages, side: int, rst: Passage) -> bool:
    """Whether a segment that needs an answer passed before a RST, after the last packet of its receiver."""
    latest = max((it.order for it in found.of(side, before=rst.order)), default=None)
    before = found.of(1 - side, after=latest, before=rst.order)
    return any(it.segment.span for it in before)


def states_left(found: Passages, fins: FinPair, resets: tuple[ResetFacts, ...]) -> Iterator[StateLeft]:
    """TIME-WAIT and FIN-WAIT-2 that an end had left, as its RST shows; timed by the segments that passed the capture."""
    by_frame = {it.frame: it for it in found.all if not it.duplicate}
    for reset in resets:
        side = ENDS.index(reset.end)
        own, other = fins[side], fins[1 - side]
        answered = None if reset.answers is None else by_frame.get(reset.answers)
        if own is None or answered is None:
            continue
        if {*reset.causes} - {ResetCause.ABORT} == {ResetCause.FORGOTTEN}:
            began = first_covering(found.of(1 - side, before=answered.order), own.number)
            # A retransmission of its FIN shows that no earlier acknowledgement had arrived.
            again = [it for it in found.of(side, before=answered.order) if it.segment.fin and not it.duplicate]
            if again and not first_covering(found.of(1 - side, after=again[-1].order, before=answered.order), own.number):
                continue
            state = State.FIN_WAIT_2
        elif reset.causes == (ResetCause.LEFT_TIME_WAIT,) and other is not None:
            began = next((it for it in found.of(1 - side) if it.segment.fin and it.segment.end == other.number), None)
            entered = time_wait_entered(found, fins, side)
            if began is not None and entered is not None and not covers(began, own.number):
                began = entered
            state = State.TIME_WAIT
        else:
            continue
        if began is not None and began.order < answered.order:
            rst = by_frame[reset.frame]
            # A RST that came long after the segment answers another one, which the capture lacks or has later.
            answers = not found.directions[side].had_time(answered.time, rst.time)
            within = (answered if answers else rst).time - began.time
            # Elsewhere the acknowledgement may be lost behind the capture, and a RST of the user before it.
            certain = ResetCause.ABORT not in reset.causes
            yield StateLeft(reset.end, state, Fraction(within, 10**9), reset.frame, certain)
