"""The state of each end after the last packet: every state that the capture leaves possible, and the likeliest.

An end's own packets show what it had received when it sent them. What passed the capture later may have arrived or not:
a FIN or text counts as arrived when it is acknowledged; an acknowledgement needs no answer and is likely to have arrived;
and where an end does not answer retransmissions, nothing that was sent to it since its last packet is likely to have
arrived.
"""

from __future__ import annotations

from itertools import product

from timewait.captures.fins import surely_acknowledged
from timewait.captures.observations import EndState, FinPair, ResetArrival, ResetCause, ResetFacts
from timewait.captures.passages import Passage, Passages, covers
from timewait.spec.exchange import ENDS
from timewait.spec.state import State

NO_EFFECT = frozenset({ResetCause.SYN_SENT, ResetCause.DEVICE})
"""Causes of a RST that say nothing about the connection at the end in whose name it was sent."""


def end_state(
    found: Passages, fins: FinPair, side: int, resets: tuple[ResetFacts, ...], arrivals: tuple[ResetArrival, ...], opens: bool
) -> EndState:
    """The state of one end.

    Parameters
    ----------
    found : Passages
        All passages.
    fins : tuple
        The FINs of both ends.
    side : int
        The end.
    resets : tuple of ResetFacts
        All RSTs.
    arrivals : tuple of ResetArrival
        The RSTs that came for ends in TIME-WAIT.
    opens : bool
        Whether the end later sent a SYN from the same addresses and ports.
    """
    sent = [reset for reset in resets if reset.end == ENDS[side]]
    if any(not NO_EFFECT & set(reset.causes) for reset in sent):
        return EndState(State.CLOSED, frozenset({State.CLOSED}))
    state = _End(found, fins, side).state()
    if any(set(reset.causes) - NO_EFFECT for reset in sent):
        state = state._replace(possible=state.possible | {State.CLOSED})
        if sent[-1].cause not in NO_EFFECT and not _goes_on(found, side, sent[-1]):
            state = EndState(State.CLOSED, state.possible)
    for reset in resets:
        if reset.end != ENDS[side]:
            state = _after_reset(found, side, reset, state, arrivals)
    if opens:
        # Of the states of a connection only TIME-WAIT gives way to a SYN.
        waits = state.possible & {State.TIME_WAIT}
        return EndState(State.TIME_WAIT if state.likely is State.TIME_WAIT else State.CLOSED, waits | {State.CLOSED})
    return state


def _goes_on(found: Passages, side: int, reset: ResetFacts) -> bool:
    """Whether an end sent anything after a RST in its name."""
    passage = next(it for it in found.all if it.frame == reset.frame)
    return any(not it.segment.rst for it in found.of(side, after=passage.order))


def _after_reset(found: Passages, side: int, reset: ResetFacts, state: EndState, arrivals: tuple[ResetArrival, ...]) -> EndState:
    """The state after a RST that was sent to an end: it may have arrived."""
    passage = next(it for it in found.all if it.frame == reset.frame)
    expected = max((it.segment.ack or 0 for it in found.of(side)), default=0)
    later = [it for it in found.of(side, after=passage.order) if it.fresh and not it.segment.rst and not it.segment.syn]
    went_on = found.shows_first_passages(side) and any(found.directions[side].had_time(passage.time, it.time) for it in later)
    if went_on or (expected and passage.segment.seq < expected and passage.segment.seq):
        return state
    in_time_wait = next((it for it in arrivals if it.frame == reset.frame and it.end == ENDS[side]), None)
    if in_time_wait is not None and in_time_wait.ended is False:
        return state
    if _surely_ends(found, side, passage, expected) and State.TIME_WAIT not in state.possible:
        return EndState(State.CLOSED, frozenset({State.CLOSED}))
    possible = state.possible | {State.CLOSED}
    if state.likely is None or (in_time_wait is not None and in_time_wait.ended is None):
        return EndState(state.likely, possible, state.coming)
    return EndState(State.CLOSED, possible)


def _surely_ends(found: Passages, side: int, reset: Passage, expected: int) -> bool:
    """Whether a RST certainly ended a connection that is not in TIME-WAIT: it arrived and has the number that the end expects."""
    exact = reset.segment.seq == expected == found.directions[1 - side].high
    return reset.sure and exact and found.seems_whole


class _End:
    """What one end knows: facts of which each is true, false, or unknown.

    Parameters
    ----------
    found : Passages
        All passages.
    fins : tuple
        The FINs of both ends.
    side : int
        The end.
    """

    def __init__(self, found: Passages, fins: FinPair, side: int) -> None:
        self._found = found
        self._fins = fins
        self._own, self._other = fins[side], fins[1 - side]
        self._side = side
        self._mine = [it for it in found.of(side) if not (it.segment.rst and it.segment.ack is None) and not it.segment.syn]
        self._theirs = [it for it in found.of(1 - side) if not (it.segment.rst and it.segment.ack is None)]

    def state(self) -> EndState:
        """The state, from what is known of both FINs."""
        received, acknowledged = self._received(), self._acknowledged()
        if surely_acknowledged(self._found, self._fins, self._side):
            # A FIN that was captured later is an old copy.
            acknowledged = {True}
        undecided = self._undecided_order() or (self._own is not None and not self._own.certain)
        knew = {True, False} if undecided else {self._own is not None and bool(self._own.knew)}
        sent = {self._own is not None}
        if (self._own is None and self._found.lacks(self._side)) or (self._own is not None and not self._own.captured):
            sent = {True, False}
        if self._own is None and self._may_have_closed(self._side):
            sent, acknowledged = {True, False}, {True, False}
        before = self._other is None and self._may_have_closed(1 - self._side)
        if before:
            received, knew = {True, False}, {True, False}
        choices = set(product(sent, received, acknowledged, knew))
        if self._other is not None and self._other.known:
            # Every copy of the other end's FIN acknowledges the FIN of this end.
            choices = {it for it in choices if it[2] or not it[1]}
            if self._only_fins_acknowledge() and not self._found.lossy:
                choices = {it for it in choices if it[1] == it[2]}
        possible = frozenset(_state(*choice) for choice in choices)
        if possible & {State.TIME_WAIT, State.FIN_WAIT_2}:
            # Both end with a timer whose length only the end knows.
            possible |= self._expired()
        if possible & {State.FIN_WAIT_1, State.FIN_WAIT_2} and self._has_unanswered_text():
            # The capture may lack the RST that refused it.
            possible |= {State.CLOSED}
        if len(possible) == 1:
            return EndState(next(iter(possible)), possible)
        complete = _state(self._own is not None, True in received, self._passed(), max(knew))
        if (
            before
            or len(sent) > 1
            or self._silent()
            or self._undecided_order()
            or not self._found.directions[1 - self._side].packets
        ):
            return EndState(None, possible)
        if len(received) > 1:
            return EndState(None, possible, complete)
        return EndState(complete, possible)

    def _may_have_closed(self, side: int) -> bool:
        """Whether an end of which the capture has no FIN may have closed before the capture began, or with what it lacks.

        Of an end without its opening, and without text of which the acknowledgement passed, any number may be one after a FIN.
        """
        return not (self._found.directions[side].opening or self._found.shows_text(side)) or self._found.lacks_last(side)

    def _undecided_order(self) -> bool:
        """Whether nothing shows if this end knew of the other's FIN when it closed."""
        return self._own is not None and self._other is not None and self._own.knew is None

    def _passed(self) -> bool:
        """Whether an acknowledgement of its FIN passed the capture."""
        return self._own is not None and self._own.acknowledged is not None and not self._closed_again(certain=False)

    def _expired(self) -> set[State]:
        """CLOSED, if the end sent nothing for a second: a timer may have ended its state."""
        last = self._mine[-1].time if self._mine else self._found.started
        end = max((it.time for it in self._found.all), default=last)
        return {State.CLOSED} if end - last > 10**9 else set()

    def _has_unanswered_text(self) -> bool:
        """Whether text of the other end passed that this end did not acknowledge."""
        acknowledged = max((it.segment.ack or 0 for it in self._mine), default=0)
        return any(it.segment.length and it.segment.end > acknowledged for it in self._theirs)

    def _received(self) -> set[bool]:
        """Whether the other end's FIN had arrived."""
        if self._other is None:
            return {False}
        if any(covers(it, self._other.number) for it in self._mine):
            return {True}
        return {True, False}

    def _acknowledged(self) -> set[bool]:
        """Whether the acknowledgement of its own FIN had arrived."""
        if self._own is None:
            return {False}
        answers = [it for it in self._theirs if covers(it, self._own.number)]
        if not self._found.shows_first_passages(self._side) or not self._mine or not self._mine[-1].segment.fin:
            # An acknowledgement that the capture lacks may have come before the end's last packet.
            return {True, False}
        waits = self._closed_again(certain=True) if answers else self._found.seems_whole
        return {False} if waits else {True, False}

    def _closed_again(self, *, certain: bool) -> bool:
        """Whether its FIN came again, a round trip after each acknowledgement; where certain, not as a copy of the network."""
        assert self._own is not None
        answers = [it for it in self._theirs if covers(it, self._own.number)]
        fins = [it for it in self._mine if it.segment.fin and (it.fresh if certain else not it.duplicate)]
        if not fins or not answers or fins[-1].order < answers[-1].order:
            return False
        if certain:
            return all(self._found.directions[self._side].had_time(it.time, fins[-1].time) for it in answers)
        return all(fins[-1].time - it.time > (self._found.directions[self._side].response or 0) for it in answers)

    def _only_fins_acknowledge(self) -> bool:
        """Whether every packet that acknowledges the FIN of this end also carries that of the other."""
        if self._own is None:
            return False
        answers = [it for it in self._theirs if covers(it, self._own.number)]
        return bool(answers) and all(it.segment.fin for it in answers)

    def _silent(self) -> bool:
        """Whether the other end retransmitted text or a FIN and this end answered nothing any more."""
        last = self._mine[-1].order if self._mine else None
        asked: list[Passage] = [
            it
            for it in self._found.of(1 - self._side, after=last)
            if it.segment.span and not it.segment.rst and not it.segment.syn and not it.duplicate
        ]
        ends = [it.segment.end for it in asked]
        return len(ends) != len(set(ends))


def _state(sent: bool, received: bool, acknowledged: bool, knew: bool) -> State:
    """The state of an end by its knowledge.

    Parameters
    ----------
    sent, received : bool
        Whether it has sent its FIN, and received the other's.
    acknowledged : bool
        Whether it has received the acknowledgement of its FIN.
    knew : bool
        Whether it had received the other's FIN when it sent its own.
    """
    if not sent:
        return State.CLOSE_WAIT if received else State.ESTABLISHED
    if not received:
        return State.FIN_WAIT_2 if acknowledged else State.FIN_WAIT_1
    if acknowledged:
        return State.CLOSED if knew else State.TIME_WAIT
    return State.LAST_ACK if knew else State.CLOSING
