"""How long TIME_WAIT would have had to be, by what came after an end had come to it, and which stacks wait so long.

What counts is the time from the last acknowledgement of the end that waits to each segment of the other end that still
needed an answer: an end that no longer knew the connection would have answered it with a RST. A stack whose wait is not
restarted by such a segment has to reckon from the start of the wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.account import Account, TimeWaitAnswer, TimeWaitArrival
from timewait.spec.exchange import ENDS
from timewait.spec.settings import Arrival
from timewait.spec.stacks import Stack
from timewait.spec.state import State

NEEDS_ANSWER = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
"""The segments that show that the other end still waits for something."""


class TimeWaitObserved(NamedTuple):
    """What one end's TIME_WAIT had to do.

    Attributes
    ----------
    end : str
        Who came to TIME_WAIT.
    entered : Fraction
        When, in seconds since the start of the trace.
    restarted : Fraction
        How long a TIME_WAIT that every answer restarts would have had to be, in seconds; 0 when nothing came.
    unrestarted : Fraction
        How long one that nothing restarts would have had to be, in seconds.
    last : Met or None
        The last segment that needed an answer.
    watched : Fraction
        Seconds that the capture goes on after the end came to TIME_WAIT.
    """

    end: str
    entered: Fraction
    restarted: Fraction
    unrestarted: Fraction
    last: TimeWaitArrival | None
    watched: Fraction


def time_waits_observed(account: Account) -> tuple[TimeWaitObserved, ...]:
    """What the TIME_WAIT of each end that came to it had to do."""
    found = []
    for end in ENDS:
        entered = next(
            (step.time for step in account.trace.steps if step.changed.get(f"{end}.state", ("", ""))[1] == State.TIME_WAIT), None
        )
        if entered is None:
            continue
        met = [one for one in account.met if one.end == end and one.arrival in NEEDS_ANSWER]
        found.append(
            TimeWaitObserved(
                end,
                entered,
                max((one.quiet for one in met), default=Fraction(0)),
                max((one.waited for one in met), default=Fraction(0)),
                met[-1] if met else None,
                account.lasted - entered,
            )
        )
    return tuple(found)


class Sorted(NamedTuple):
    """Stacks whose TIME_WAIT would have been long enough, and those for which it would have been too short."""

    enough: tuple[Stack, ...]
    short: tuple[Stack, ...]


def compared(need: TimeWaitObserved, met: Iterable[TimeWaitArrival], stacks: Iterable[Stack]) -> Sorted:
    """Compare what was needed with the TIME_WAIT of stacks, of each by its own rule for what restarts it."""
    arrivals = [one for one in met if one.end == need.end and one.arrival in NEEDS_ANSWER]
    enough: list[Stack] = []
    short: list[Stack] = []
    for stack in stacks:
        if stack.time_wait is not None:
            (enough if _lasts(stack, arrivals) else short).append(stack)
    return Sorted(tuple(enough), tuple(short))


def _lasts(stack: Stack, arrivals: Iterable[TimeWaitArrival]) -> bool:
    assert stack.time_wait is not None
    last = Fraction(0)
    for one in arrivals:
        if one.waited - last > stack.time_wait:
            return False
        # What a profile does not say is taken as the standard means it: an answer restarts the wait.
        if (restarts := stack.value("restarts")) is None or one.arrival in restarts:
            last = one.waited
    return True


def answered_by_reset(need: TimeWaitObserved, account: Account) -> TimeWaitArrival | None:
    """The first segment that met no TIME_WAIT any more."""
    return next((one for one in account.met if one.end == need.end and one.answer is TimeWaitAnswer.RST), None)
