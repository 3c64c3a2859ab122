"""The durations in a trace: the transit of each copy, each stay in TIME-WAIT, and the lifetime of each connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from timewait.checker.trace import Step, Trace
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Packet, RunningTimer

REOPEN = "incarnation.reopen"
"""The rule of a step that opens the next incarnation."""


class DeliveryOutcome(StrEnum):
    """How one transit of a copy ends."""

    ARRIVES = "arrives"
    DUPLICATE = "again"
    """The same copy arrived before."""
    LOST = "lost"
    OPEN = "open"
    """The run ends before it arrives."""


@dataclass(frozen=True, slots=True)
class Transit:
    """One transit of one copy through the network.

    Attributes
    ----------
    copy : Packet
        The copy.
    outcome : DeliveryOutcome
        How it ends.
    sent, arrives : int or None
        The steps of sending and of arrival; None where the run has no such step.
    incarnation : int
        The incarnation that sent it, from 0.
    """

    copy: Packet
    outcome: DeliveryOutcome
    sent: int | None
    arrives: int | None
    incarnation: int = 0

    @property
    def frame(self) -> int:
        """The frame of a capture that shows the copy; 0 where there is none."""
        return dict(self.copy.fields).get("frame", 0)

    @property
    def measured(self) -> bool:
        """Whether its times are those of a run, or measured by a capture; false for captured copies that lack them."""
        return bool(dict(self.copy.fields).get("measured", 1))

    @property
    def step(self) -> int:
        """The most informative step: its arrival, else its sending."""
        return self.arrives or self.sent or 0


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A part of an end's lifeline.

    Attributes
    ----------
    end : str
        A or B.
    kind : {"open", "closed", "next"}
        Whether the end has a connection, has none, or has a later incarnation.
    first, last : int
        The steps between which it lasts; 0 is the start, and the last step of the run means "until the end".
    """

    end: str
    kind: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A stay in TIME-WAIT between two starts of its timer, or after the last one.

    Attributes
    ----------
    end : str
        A or B.
    first, last : int
        The steps between which it lasts, as for `Lifetime`.
    since, limit : Fraction
        When the timer started, and its length, in seconds; a limit of 0 means unknown.
    restarted : bool
        Whether a restart of the timer began it, not the entry into the state.
    ended : bool
        Whether the end left the state at the last step.
    """

    end: str
    first: int
    last: int
    since: Fraction
    limit: Fraction
    restarted: bool
    ended: bool


def state(values: Mapping[str, str | int], end: str) -> str:
    """The state of an end in the variables of a trace; empty if they lack it."""
    return str(values.get(f"{end}.state", ""))


def reopens(step: Step) -> bool:
    """Whether a step opens the next incarnation."""
    return any(name == REOPEN for name, _, _ in step.event.rules)


def incarnation_of(values: Mapping[str, str | int], end: str, default: int) -> int:
    """The incarnation of an end in the variables of a trace, where each end opens by itself."""
    return int(values.get(f"{end}.incarnation", default))


def leaves_first(step: Step, end: str) -> bool:
    """Whether a step of an end belongs to its next incarnation or brings a segment of it, or the end forgets the first one."""
    if step.event.actor != end:
        return False
    copies = (*filter(None, [step.event.received]), *step.event.sent)
    forgets = any(name == "incarnation.crash" for name, _, _ in step.event.rules)
    return forgets or incarnation_of(step.state, end, 0) > 0 or any(dict(copy.fields).get("incarnation") for copy in copies)


def incarnations(trace: Trace) -> list[int]:
    """The current incarnation at the start and after each step, from 0."""
    found = [0]
    for step in trace.steps:
        found.append(found[-1] + reopens(step))
    return found


def transits(trace: Trace) -> list[Transit]:
    """Every transit of every copy, in the order of sending: its first arrival, or its loss, and each duplicate's arrival."""
    current = incarnations(trace)
    arrivals: dict[int, list[int]] = {}
    unsent: list[Transit] = []
    sent = {copy.number for step in trace.steps for copy in step.event.sent}
    for step in trace.steps:
        copy = step.event.received
        if copy is not None:
            if copy.number not in sent and copy.number not in arrivals:
                unsent.append(Transit(copy, DeliveryOutcome.ARRIVES, None, step.number))
            arrivals.setdefault(copy.number, []).append(step.number)
    found = []
    for transit in unsent:
        found += [transit, *_duplicates(transit, arrivals[transit.copy.number][1:])]
    for step in trace.steps:
        for copy in step.event.sent:
            reached = arrivals.get(copy.number, [])
            outcome = DeliveryOutcome.ARRIVES if reached else DeliveryOutcome.OPEN
            if copy.lost:
                outcome = DeliveryOutcome.LOST
            incarnation = dict(copy.fields).get("incarnation", current[step.number])
            transit = Transit(copy, outcome, step.number, reached[0] if reached else None, incarnation)
            found += [transit, *_duplicates(transit, reached[1:])]
    return found


def _duplicates(first: Transit, arrivals: list[int]) -> Iterator[Transit]:
    return (replace(first, outcome=DeliveryOutcome.DUPLICATE, arrives=arrival) for arrival in arrivals)


def lifetimes(trace: Trace) -> list[Lifetime]:
    """Every lifeline in parts."""
    current = incarnations(trace)
    found = []
    states = [trace.initial, *(step.state for step in trace.steps)]
    for end in ENDS:
        kinds = [
            "next" if incarnation_of(values, end, incarnation) else "closed" if state(values, end) == "CLOSED" else "open"
            for values, incarnation in zip(states, current, strict=True)
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


def _timer(timers: tuple[RunningTimer, ...], end: str, default: Fraction) -> tuple[Fraction, Fraction]:
    """The start and length of an end's TIME-WAIT timer."""
    return next(
        ((timer.since, timer.limit) for timer in timers if (timer.name, timer.owner) == ("time-wait", end)),
        (default, Fraction(0)),
    )
