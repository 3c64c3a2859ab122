"""What a trace holds that takes time: the passage of each copy, each wait in TIME-WAIT, each stretch of a lifeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from timewait.checker.trace import Step, Trace
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Packet, RunningTimer

REOPEN = "incarnation.reopen"
"""The rule by which a step begins the next incarnation."""


class DeliveryOutcome(StrEnum):
    """What becomes of a copy on one passage."""

    ARRIVES = "arrives"
    DUPLICATE = "again"
    """It is a duplicate: the same copy arrived before."""
    LOST = "lost"
    OPEN = "open"
    """Nothing more is heard of it in this run."""


@dataclass(frozen=True, slots=True)
class Transit:
    """One way of one copy through the network.

    Attributes
    ----------
    copy : Message
        What travels.
    fate : Fate
        How it ends.
    sent, arrives : int or None
        The steps at which it was sent and at which it arrives; None where the run has no such step.
    incarnation : int
        The incarnation that sent it, from 0.
    """

    copy: Packet
    outcome: DeliveryOutcome
    sent: int | None
    arrives: int | None
    incarnation: int = 0

    @property
    def step(self) -> int:
        """The step that one would look at first: its arrival, else its sending."""
        return self.arrives or self.sent or 0


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A part of a lifeline.

    Attributes
    ----------
    end : str
        Whose.
    kind : {"open", "closed", "next"}
        Whether there is a connection, none, or a later incarnation.
    first, last : int
        The steps between which it lasts; 0 is the start, and the last step of the run stands for "until the end".
    """

    end: str
    kind: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A stay in TIME-WAIT, from when its timer started, or started again.

    Attributes
    ----------
    end : str
        Who waits.
    first, last : int
        The steps between which it lasts, as for `Lifetime`.
    since, limit : Fraction
        When the timer started, and its length, in seconds; a limit of 0 is one that is not known.
    restarted : bool
        Whether it was the timer that started again, not the state that was entered.
    ended : bool
        Whether the state was left at its last step.
    """

    end: str
    first: int
    last: int
    since: Fraction
    limit: Fraction
    restarted: bool
    ended: bool


def state(values: Mapping[str, str | int], end: str) -> str:
    """The state of an end, as a trace has it."""
    return str(values.get(f"{end}.state", ""))


def reopens(step: Step) -> bool:
    """Whether a step opens the same addresses and ports again."""
    return any(name == REOPEN for name, _, _ in step.event.rules)


def incarnations(trace: Trace) -> list[int]:
    """For each step, and before them for the start, which incarnation lives, from 0."""
    found = [0]
    for step in trace.steps:
        found.append(found[-1] + reopens(step))
    return found


def transits(trace: Trace) -> list[Transit]:
    """Every copy that was sent, once, and every further arrival of it, in the order in which they were sent."""
    lives = incarnations(trace)
    arrivals: dict[int, list[int]] = {}
    strangers: list[Transit] = []
    known = {copy.number for step in trace.steps for copy in step.event.sent}
    for step in trace.steps:
        copy = step.event.received
        if copy is not None:
            if copy.number not in known and copy.number not in arrivals:
                strangers.append(Transit(copy, DeliveryOutcome.ARRIVES, None, step.number))
            arrivals.setdefault(copy.number, []).append(step.number)
    found = []
    for one in strangers:
        found += [one, *_again(one, arrivals[one.copy.number][1:])]
    for step in trace.steps:
        for copy in step.event.sent:
            reached = arrivals.get(copy.number, [])
            first = reached[0] if reached else None
            outcome = DeliveryOutcome.LOST if copy.lost else DeliveryOutcome.OPEN if first is None else DeliveryOutcome.ARRIVES
            passage = Transit(copy, outcome, step.number, first, lives[step.number])
            found += [passage, *_again(passage, reached[1:])]
    return found


def _again(first: Transit, arrivals: list[int]) -> Iterator[Transit]:
    return (replace(first, outcome=DeliveryOutcome.DUPLICATE, arrives=arrival) for arrival in arrivals)


def lifetimes(trace: Trace) -> list[Lifetime]:
    """Every lifeline in parts."""
    lives = incarnations(trace)
    found = []
    states = [trace.initial, *(step.state for step in trace.steps)]
    for end in ENDS:
        kinds = [
            "next" if life else "closed" if state(now, end) == "CLOSED" else "open"
            for now, life in zip(states, lives, strict=True)
        ]
        begun = 0
        for number in range(1, len(kinds) + 1):
            if number == len(kinds) or kinds[number] != kinds[begun]:
                found.append(Lifetime(end, kinds[begun], begun, min(number, len(kinds) - 1)))
                begun = number
    return found


def waits(trace: Trace) -> list[Wait]:
    """Every stay in TIME-WAIT, by end and then in order."""
    found: list[Wait] = []
    moments = [
        (Fraction(0), trace.initial, trace.initial_timers),
        *((step.time, step.state, step.timers) for step in trace.steps),
    ]
    for end in ENDS:
        current: Wait | None = None
        for number, (time, values, timers) in enumerate(moments):
            since, limit = _timer(timers, end, time if current is None else current.since)
            inside = state(values, end) == "TIME_WAIT"
            if current is not None and (not inside or since != current.since):
                found.append(replace(current, last=number, ended=not inside))
            if inside and (current is None or since != current.since):
                current = Wait(end, number, number, since, limit, current is not None, ended=False)
            elif not inside:
                current = None
        if current is not None:
            found.append(replace(current, last=len(moments) - 1))
    return found


def _timer(timers: tuple[RunningTimer, ...], end: str, otherwise: Fraction) -> tuple[Fraction, Fraction]:
    return next(
        ((one.since, one.limit) for one in timers if (one.name, one.owner) == ("time-wait", end)), (otherwise, Fraction(0))
    )
