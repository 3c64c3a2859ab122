"""The TIME-WAIT that a captured close needed, and the stacks whose TIME-WAIT is that long.

An end in TIME-WAIT must still know the connection when a segment arrives that needs an answer; otherwise it answers with
a RST. Where every answer restarts the timer, the longest time from an answer to the next such segment is needed; where
nothing restarts it, the time from the start of TIME-WAIT.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.facts import ObservedClose
from timewait.captures.observations import TimeWaitAnswer, TimeWaitArrival, TimeWaitEntry
from timewait.spec.exchange import ENDS
from timewait.spec.settings import Arrival
from timewait.spec.stacks import Stack

NEEDS_ANSWER = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
"""Segments whose sender is still waiting for an acknowledgement."""


class TimeWaitObserved(NamedTuple):
    """The TIME-WAIT of one end.

    Attributes
    ----------
    end : str
        The end.
    entered : TimeWaitEntry
        When it entered TIME-WAIT, in seconds since the start of the trace, and whether that is certain.
    restarted : Fraction
        The length needed where every answer restarts the timer, in seconds.
    unrestarted : Fraction
        The length needed where nothing restarts it, in seconds.
    arrivals : tuple of TimeWaitArrival
        The segments that needed an answer.
    watched : Fraction
        Seconds from entering TIME-WAIT to the end of the capture.
    """

    end: str
    entered: TimeWaitEntry
    restarted: Fraction
    unrestarted: Fraction
    arrivals: tuple[TimeWaitArrival, ...]
    watched: Fraction

    @property
    def answered_by_reset(self) -> TimeWaitArrival | None:
        """The first segment that arrived when the end had left TIME-WAIT."""
        return next((arrival for arrival in self.arrivals if arrival.answer is TimeWaitAnswer.RST), None)

    def suffices(self, stack: Stack) -> bool:
        """Whether a stack's TIME-WAIT is long enough, by its own rule for restarting the timer.

        A profile that does not state the rule counts as restarting with every answer.
        """
        assert stack.time_wait is not None
        restarts, restarted = stack.value("restarts"), Fraction(0)
        for arrival in self.arrivals:
            if arrival.waited - restarted > stack.time_wait:
                return False
            if restarts is None or arrival.arrival in restarts:
                restarted = arrival.waited
        return True


def time_waits_observed(observed: ObservedClose) -> tuple[TimeWaitObserved, ...]:
    """The TIME-WAIT of each end that the capture shows in it.

    A segment that nobody answered is not shown to have arrived, and needs nothing.
    """
    found = []
    for end, entered in zip(ENDS, observed.facts.entered, strict=True):
        if entered is None:
            continue
        arrivals = tuple(
            it
            for it in observed.time_wait_arrivals
            if it.end == end and it.arrival in NEEDS_ANSWER and it.answer is not TimeWaitAnswer.NONE
        )
        restarted = max((arrival.quiet for arrival in arrivals), default=Fraction(0))
        unrestarted = max((arrival.waited for arrival in arrivals), default=Fraction(0))
        watched = observed.lasted - entered.time
        found.append(TimeWaitObserved(end, entered, restarted, unrestarted, arrivals, watched))
    return tuple(found)


def compare(need: TimeWaitObserved, stacks: Iterable[Stack]) -> tuple[list[Stack], list[Stack]]:
    """The stacks whose TIME-WAIT is long enough, and those for which it is too short; others have no known length."""
    known = [stack for stack in stacks if stack.time_wait is not None]
    enough = [stack for stack in known if need.suffices(stack)]
    return enough, [stack for stack in known if stack not in enough]
