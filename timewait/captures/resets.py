"""Who sent each RST, and why: every cause that the capture leaves possible, the likeliest first.

A RST without ACK repeats the acknowledgement number of the segment that it answers (RFC 9293 3.5.2); a RST of the user's
own has the sender's next number. Many stacks set the ACK bit only on the latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.devices import foreign_identification, foreign_marks
from timewait.captures.direction import CAPTURED_TWICE, PROMPT
from timewait.captures.fins import surely_acknowledged
from timewait.captures.kept_packets import is_zero_window
from timewait.captures.observations import LEAST_CAP, FinPair, ResetCause, ResetFacts
from timewait.captures.passages import Passage, Passages, covers
from timewait.captures.trace_start import UNSEEN
from timewait.narration.prose import counted, listed, other_end, rounded
from timewait.spec.exchange import ENDS

SHORTEST_FIN_WAIT_2 = 1_000_000_000
"""Nanoseconds: no known stack gives up FIN-WAIT-2 sooner."""

USUAL_FIN_WAIT_2 = 60_000_000_000
"""Nanoseconds of silence after which the timer of FIN-WAIT-2 is taken to have run out: the shortest default of usual stacks."""

SILENCE = 60_000_000_000
"""Nanoseconds without a packet after which a RST may come from a keep-alive timer, a device, or a host that lost everything."""

LEAST_RETRANSMISSIONS = 2
"""Unanswered retransmissions after which a RST may mean that the limit R2 was reached."""

LEAST_MAXIMUM = int(LEAST_CAP * NANOSECONDS)
"""The least maximum of the retransmission timeout in nanoseconds."""

LEAST_LIMIT = 3
"""The least number of retransmissions before an end may give up (RFC 9293 3.8.3, R1): after fewer, its user may have done so."""

CauseFound = tuple[tuple[ResetCause, ...], Passage | None, str]
"""The possible causes, the segment answered, and the evidence."""


def _is_copy(passage: Passage, other: Passage) -> bool:
    """Whether two packets may be copies of one."""
    return passage.captured.copy_key == other.captured.copy_key


def _distinct(*causes: ResetCause) -> tuple[ResetCause, ...]:
    return tuple(dict.fromkeys(causes))


_READINGS: dict[bool | None, tuple[ResetCause, ...]] = {
    True: (ResetCause.CLOSED,),
    False: (ResetCause.LEFT_TIME_WAIT,),
    None: (ResetCause.CLOSED, ResetCause.LEFT_TIME_WAIT),
}
"""The causes of a RST of an end that had finished, by whether it knew the other's FIN when it closed."""


def _is_next_timeout(waits: Sequence[int]) -> bool:
    """Whether the last of some waits, in nanoseconds, is the next retransmission timeout: it doubles, or is at its maximum."""
    *_, before, last = waits
    doubled, steady = abs(last - 2 * before) * 10 <= 2 * before, abs(last - before) * 10 <= before
    at_maximum = before >= LEAST_MAXIMUM or (len(waits) > 2 and abs(before - waits[-3]) * 10 <= before)
    return doubled or (steady and at_maximum)


_OF_CLOSED_BEFORE = (ResetCause.CLOSED, ResetCause.LATE_TEXT, ResetCause.FORGOTTEN, ResetCause.LEFT_TIME_WAIT)
"""Further causes of a RST of an end that may have closed before the capture began."""


def reset_facts(found: Passages, fins: FinPair, established: bool) -> tuple[ResetFacts, ...]:
    """Every RST of a connection, in order.

    Parameters
    ----------
    found : Passages
        All passages.
    fins : tuple
        The FINs of both ends.
    established : bool
        Whether the connection was open.
    """
    resets: list[ResetFacts] = []
    for passage in found.all:
        if passage.segment.rst and not passage.duplicate:
            causes, answered, evidence = _Reset(found, fins, established, tuple(resets), passage).verdict()
            frame = None if answered is None else answered.frame
            end, time = ENDS[passage.sender], found.seconds(passage.time)
            resets.append(ResetFacts(end, time, passage.frame, causes, frame, evidence))
    return tuple(resets)


class _Reset:
    """One RST, with what came before and after it.

    Parameters
    ----------
    found : Passages
        All passages.
    fins : tuple
        The FINs of both ends.
    established : bool
        Whether the connection was open.
    earlier : tuple of ResetFacts
        The RSTs before it.
    passage : Passage
        The RST.
    """

    def __init__(
        self, found: Passages, fins: FinPair, established: bool, earlier: Sequence[ResetFacts], passage: Passage
    ) -> None:
        self._found = found
        self._fins = fins
        self._established = established
        self._earlier = earlier
        self._rst = passage
        self._side = passage.sender
        self._end, self._other = ENDS[self._side], other_end(ENDS[self._side])
        self._own = [it for it in found.of(self._side, before=passage.order) if not it.segment.rst]
        self._peer = [it for it in found.of(1 - self._side, before=passage.order) if not it.segment.rst]

    def verdict(self) -> CauseFound:
        """The possible causes, the segment that the RST answers, and the evidence."""
        judges = (self._in_syn_sent, self._of_device, self._of_opening, self._of_keep_alives, self._of_retry_limit)
        for judge in (*judges, self._of_closed):
            verdict = judge()
            if verdict is not None:
                return verdict
        causes, trigger, evidence = self._after_silence(*self._call_or_answer())
        if self._found.may_have_closed_before(self._side):
            causes = _distinct(*causes, *_OF_CLOSED_BEFORE)
        return causes, trigger, evidence

    # --- causes -----------------------------------------------------------------------------------------------------

    def _in_syn_sent(self) -> CauseFound | None:
        """The sender has sent a new SYN, and the other end answered with the numbers of this connection."""
        syn = next((it for it in reversed(self._own) if it.segment.syn and it.segment.ack is None and it.segment.seq != 0), None)
        answer = self._trigger()
        if syn is None or answer is None or answer.order < syn.order:
            return None
        return (ResetCause.SYN_SENT,), answer, f"it had sent a new SYN in frame {syn.frame}"

    def _of_device(self) -> CauseFound | None:
        """The RST does not look like a packet of its sender, or the sender goes on as if it had sent none."""
        after = self._found.of(self._side, after=self._rst.order)
        later = [it for it in after if it.fresh and not it.segment.rst and not it.segment.syn]
        goes_on = any(it.segment.span or covers(it, self._acknowledged() + 1) for it in later)
        others = [it.captured for it in (*self._own, *later)]
        foreign = foreign_marks(self._end, self._rst.captured, self._found.directions[self._side].hops, others)
        if goes_on:
            foreign += foreign_identification(self._end, self._rst.captured, others)
        if foreign and goes_on:
            return (ResetCause.DEVICE,), None, f"{listed(foreign)}; and {self._end} went on"
        if foreign:
            return _distinct(ResetCause.DEVICE, *self._call_or_answer()[0]), self._trigger(), listed(foreign)
        if goes_on and not self._earlier_from_here():
            evidence = f"{self._end} went on after it; or packets that {self._end} had sent before were overtaken by it"
            return (ResetCause.ABORT, ResetCause.DEVICE), self._trigger(), evidence
        return None

    def _of_opening(self) -> CauseFound | None:
        if self._established or any(self._fins):
            return None
        return (ResetCause.REFUSAL,), self._peer[-1] if self._peer else None, ""

    def _of_retry_limit(self) -> CauseFound | None:
        """Nothing came from the other end since the sender first sent what it then retransmitted."""
        last = next((it for it in reversed(self._own) if it.segment.span and not it.duplicate), None)
        if last is None:
            return None
        same = [it for it in self._own if it.segment.span and it.segment.end >= last.segment.end and not it.duplicate]
        if len(same) <= LEAST_RETRANSMISSIONS or self._rst.segment.seq < last.segment.end:
            return None
        if any(it.order > same[1].order for it in self._found.of(1 - self._side, before=self._rst.order)):
            return None
        waits = [later.time - earlier.time for earlier, later in pairwise([*same, self._rst])]
        if waits[-1] * 10 < waits[-2] * 9:
            return None
        waited_for = rounded(Fraction(waits[-1], 10**9))
        if all(it.frame == UNSEEN for it in self._found.of(1 - self._side)):
            # Of a capture of one direction nobody knows what the other end answered.
            evidence = f"it came {waited_for} after the last of {counted(len(same) - 1, 'retransmission')}"
            return _distinct(ResetCause.RETRY_LIMIT, *self._call_or_answer()[0], ResetCause.ABORT), None, evidence
        evidence = f"it came {waited_for} after the last of {counted(len(same) - 1, 'unanswered retransmission')}"
        if len(same) > LEAST_LIMIT and _is_next_timeout(waits):
            return (ResetCause.RETRY_LIMIT,), None, evidence
        causes = (ResetCause.RETRY_LIMIT, ResetCause.ABORT)
        return causes if _is_next_timeout(waits) else causes[::-1], None, evidence

    def _of_keep_alives(self) -> CauseFound | None:
        """The last packets of the sender are probes, of the connection or of a window of zero, and nothing answered them.

        Earlier ones that were answered do not count.
        """
        number = max((it.segment.end for it in self._own if it.segment.length > 1 or not it.segment.length), default=0)
        probes: list[Passage] = []
        for it in reversed(self._own):
            if it.segment.fin or it.segment.syn or it.segment.length > 1 or it.segment.seq != number - 1 or not it.fresh:
                break
            probes.insert(0, it)
        acknowledged = any(covers(it, number) for it in self._peer)
        probes = [it for it in probes if it.order > self._peer[-1].order] if self._peer else []
        if not acknowledged or len(probes) < LEAST_RETRANSMISSIONS:
            return None
        gap, waited = probes[-1].time - probes[-2].time, self._rst.time - probes[-1].time
        if waited * 10 < gap * 9:
            return None
        waited_for = rounded(self._found.seconds(self._rst.time) - self._found.seconds(probes[-1].time))
        evidence = f"it came {waited_for} after the last of {counted(len(probes), 'unanswered probe')}"
        zero = is_zero_window(self._peer[-1].captured)
        return (ResetCause.RETRY_LIMIT if zero else ResetCause.KEEP_ALIVE,), None, evidence

    def _of_closed(self) -> CauseFound | None:
        """The sender had ended the connection before."""
        trigger = self._trigger()
        if self._earlier_from_here():
            evidence = f"{self._end} had dropped the connection before"
            return _distinct(ResetCause.CLOSED, *self._causes_of_original()), trigger, evidence
        received = next((it for it in self._earlier if it.end == self._other), None)
        if received is None or trigger is None:
            return None
        passage = next(it for it in self._found.all if it.frame == received.frame)
        ended = f"ended the connection at {self._end}"
        if self._surely_arrived(passage) and passage.segment.seq == self._acknowledged():
            return (ResetCause.CLOSED,), trigger, f"the RST in frame {received.frame} had {ended}"
        causes = _distinct(ResetCause.CLOSED, *self._answers(trigger))
        return causes, trigger, f"the RST in frame {received.frame} may have {ended}"

    def _call_or_answer(self) -> CauseFound:
        """A RST of the user's own has the next number of its sender; any other, if it is without ACK, is an answer."""
        trigger, number = self._trigger(), max((it.segment.end for it in self._own), default=0)
        if self._rst.segment.ack is not None and (trigger is None or not self._is_prompt(trigger)):
            return (ResetCause.ABORT,), None, ""
        answers = self._answers(trigger)
        if self._rst.segment.ack is None and self._rst.segment.seq < number:
            return answers, trigger, ""
        if trigger is None and answers[0] is ResetCause.LATE_TEXT and self._refuses_at_once():
            return answers, None, ""
        if trigger is None or not self._is_prompt(trigger):
            return _distinct(ResetCause.ABORT, *answers), None, ""
        return answers, trigger, ""

    def _after_silence(self, causes: tuple[ResetCause, ...], trigger: Passage | None, evidence: str) -> CauseFound:
        """The causes with those that remain where nothing had been captured for long.

        An end that was silent for long and answers a segment as CLOSED does has more likely lost the connection than that its
        user dropped it just then. A RST that answers nothing may come from a timer, or from a device that forgets connections.
        """
        closed = any(it.segment.fin for it in self._own)
        last = [it.time for it in (*self._own, *([] if trigger is not None else self._peer))]
        silent = self._rst.time - max(last) if last else 0
        if silent < SILENCE or (trigger is not None and closed):
            return causes, trigger, evidence
        passed = rounded(Fraction(silent, 10**9))
        if trigger is not None:
            bare = self._rst.segment.ack is None
            heads = (ResetCause.FORGOTTEN,) if bare else ()
            return _distinct(*heads, *causes, ResetCause.DEVICE), trigger, f"nothing of {self._end} had passed for {passed}"
        further = (ResetCause.KEEP_ALIVE, ResetCause.FORGOTTEN, ResetCause.DEVICE)
        return _distinct(*causes, *further), None, f"nothing had passed for {passed}"

    def _answers(self, trigger: Passage | None) -> tuple[ResetCause, ...]:
        """The causes of a RST that answers a segment, by what the sender had sent and received before."""
        own, other = self._fins[self._side], self._fins[1 - self._side]
        closed = own is not None and any(it.segment.fin for it in self._own)
        if own is None or not closed:
            bare = self._rst.segment.ack is None
            return (ResetCause.ABORT, ResetCause.FORGOTTEN) if bare else (ResetCause.ABORT,)
        if other is not None and any(covers(it, other.number) for it in self._own):
            passed = any(covers(it, own.number) for it in self._peer)
            # An end that is still in CLOSING may be dropped by its user without a packet.
            acknowledged = passed and (own.known is not False or surely_acknowledged(self._found, self._fins, self._side))
            return _READINGS[own.known] if acknowledged else _distinct(*_READINGS[own.known], ResetCause.ABORT)
        return self._while_waiting(trigger)

    def _while_waiting(self, trigger: Passage | None) -> tuple[ResetCause, ...]:
        """The causes of a RST of an end that has closed and not received the FIN of the other end."""
        # What was sent after a segment may have answered it; then the RST need not.
        unanswered = trigger is not None and self._own[-1].order < trigger.order
        known = self._found.directions[self._side].response is not None and unanswered
        # The capture may lack a RST of its user, as elsewhere than beside it, or where it lacks anything; then it was CLOSED.
        whole = self._found.sees_all_of(self._side) and self._found.seems_whole
        others = () if known and whole else (ResetCause.ABORT,)
        unread = [it for it in self._peer if it.segment.length and it.segment.end > self._acknowledged()]
        refused = bool(unread)
        soon = self._rst.time - self._own[-1].time < SHORTEST_FIN_WAIT_2
        if trigger is not None and trigger.segment.length and not trigger.segment.fin:
            return (ResetCause.LATE_TEXT, *others) if soon else (ResetCause.LATE_TEXT, ResetCause.FORGOTTEN, *others)
        if refused and soon:
            # No timer ends FIN-WAIT-2 so soon.
            answered = known and any(self._is_prompt(it) and it.segment.ack == self._rst.segment.seq for it in unread)
            if answered:
                return (ResetCause.LATE_TEXT, *others)
            return (ResetCause.LATE_TEXT, ResetCause.FORGOTTEN, ResetCause.ABORT)
        if refused or soon or trigger is None or not self._is_prompt(trigger):
            # The capture may lack text that was answered.
            return (ResetCause.FORGOTTEN, ResetCause.LATE_TEXT, ResetCause.ABORT)
        closed = (ResetCause.CLOSED, ResetCause.LEFT_TIME_WAIT) if self._may_have_acknowledged(trigger) else ()
        ran_out = known and trigger.time - self._own[-1].time >= USUAL_FIN_WAIT_2
        return (ResetCause.FORGOTTEN, *closed, *(() if ran_out else others))

    def _may_have_acknowledged(self, trigger: Passage) -> bool:
        """Whether the sender may have acknowledged a FIN of the other end before, and the capture does not show that.

        An end answers every FIN that arrives: one that came before without an answer was lost, or the capture lacks the answer.
        Beside the sender, in a capture that shows its acknowledgements, nothing suggests that.
        """
        if self._found.lacks_last(1 - self._side):
            # What the capture lacks at the end may be the FIN.
            return True
        again = any(it.segment.fin for it in self._peer if it.order < trigger.order)
        return again and not (self._found.sees_all_of(self._side) and self._found.seems_whole)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _trigger(self) -> Passage | None:
        """The last segment of the other end that the RST can answer: its number repeats the acknowledgement."""
        rst = self._rst.segment
        since = self._own[-1].order if self._own else None
        for passage in reversed(self._peer):
            fits = passage.segment.ack == rst.seq if rst.ack is None else rst.ack == passage.segment.end and passage.segment.span
            unanswered = passage.segment.span and passage.segment.end > self._acknowledged()
            if fits and (since is None or passage.order > since or unanswered):
                return passage
        return None

    def _is_prompt(self, trigger: Passage) -> bool:
        """Whether the RST came as soon as an answer comes; one that came later was not an answer."""
        response = self._found.directions[self._side].response
        return response is None or self._rst.time - trigger.time <= 2 * response + PROMPT

    def _surely_arrived(self, earlier: Passage) -> bool:
        """Whether a RST of the other end had arrived when this one was sent.

        What passed a capture point elsewhere than beside the receiver may have been lost, or have been on its way for longer
        than any segment before it.
        """
        if self._found.near is None:
            return self._found.beside == self._end and self._found.directions[self._side].had_time(earlier.time, self._rst.time)
        response = self._found.directions[self._side].response
        in_time = response is not None and self._rst.time - earlier.time > response
        return in_time and earlier.reached is not None and earlier.reached < self._rst.time

    def _refuses_at_once(self) -> bool:
        """Whether text that the end never acknowledged came as shortly before the RST as an answer takes."""
        known = self._found.directions[self._side].response is not None
        unread = [it for it in self._peer if it.segment.length and it.segment.end > self._acknowledged()]
        return known and any(self._is_prompt(it) for it in unread)

    def _acknowledged(self) -> int:
        return max((it.segment.ack for it in self._own if it.segment.ack is not None), default=0)

    def _causes_of_original(self) -> tuple[ResetCause, ...]:
        """The causes of an earlier RST that this one may be a copy of: one that the network made, or the capture."""
        if self._rst.captured.packet.ident:
            return ()
        alike = (it for it in self._found.of(self._side, before=self._rst.order) if _is_copy(it, self._rst))
        near = self._found.sees_all_of(self._side)
        copied = {it.frame for it in alike if not near or self._rst.time - it.time < CAPTURED_TWICE}
        return next((it.causes for it in self._earlier if it.frame in copied), ())

    def _earlier_from_here(self) -> bool:
        ending = (ResetCause.SYN_SENT, ResetCause.DEVICE)
        return any(it.end == self._end and it.cause not in ending for it in self._earlier)
