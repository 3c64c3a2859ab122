"""TIME-WAIT: the class of a segment that arrives in it, and what the settings make of each class."""

from __future__ import annotations

from timewait.spec.outcome import Effect, Outcome, Timer
from timewait.spec.replies import acknowledgement
from timewait.spec.segment import Segment
from timewait.spec.settings import Arrival, Behaviour, ResetRule
from timewait.spec.state import Block, State, closed


def arrival_class(segment: Segment, rcv: int, *, in_window: bool) -> Arrival:
    """The class of a segment that is not a RST.

    Parameters
    ----------
    segment : Segment
        The segment.
    rcv : int
        RCV.NXT: the number just past the FIN of the other end.
    in_window : bool
        Whether the window accepts the segment.
    """
    if segment.syn and segment.ack is None:
        return Arrival.SYN
    if in_window:
        return Arrival.ACK if segment.seq == segment.end == rcv else Arrival.BEYOND
    return Arrival.FIN if segment.fin else Arrival.UNACCEPTABLE


def segment_in_time_wait(block: Block, arrival: Arrival, behaviour: Behaviour, rule: str) -> Outcome:
    """The outcome in TIME-WAIT of a segment that is not a RST, by the settings `answers` and `restarts`."""
    replies = (acknowledgement(block),) if arrival in behaviour.answers else ()
    restarted = arrival in behaviour.restarts
    effects = set()
    if arrival is Arrival.FIN:
        effects.add(Effect.FIN_ACCEPTED)
        if not restarted:
            effects.add(Effect.NOT_RESTARTED)
    after = block._replace(early=block.early and not restarted)
    return Outcome(after, replies, frozenset({Timer.TIME_WAIT} if restarted else ()), (rule,), frozenset(effects))


def enter_time_wait(block: Block, behaviour: Behaviour, rules: tuple[str, ...]) -> Outcome:
    """The entry into TIME-WAIT; CLOSED where the stack has none."""
    if not behaviour.time_wait:
        return Outcome(closed(block._replace(state=State.TIME_WAIT)), rules=rules)
    early = behaviour.abandons and behaviour.clock_before_close
    return Outcome(block._replace(state=State.TIME_WAIT, early=early), started=frozenset({Timer.TIME_WAIT}), rules=rules)


def reset_in_time_wait(block: Block, behaviour: Behaviour, *, exact: bool) -> Outcome:
    """The outcome in TIME-WAIT of a RST that its rule does not put outside the window, by the setting `reset`."""
    if behaviour.reset is ResetRule.IGNORE:
        return Outcome(block, rules=("reset.time-wait-ignored",))
    if behaviour.reset is ResetRule.EXACT and not exact:
        replies = (acknowledgement(block),) if behaviour.challenges_reset else ()
        return Outcome(block, replies, rules=("reset.challenge",))
    return Outcome(closed(block), rules=("reset.time-wait",), effects=frozenset({Effect.ASSASSINATED}))
