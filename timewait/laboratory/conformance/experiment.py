"""Experiments: events that reach one end of an open connection, and what can be observed after each of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from timewait.spec.endpoint import segment_arrives
from timewait.spec.graph_events import EndpointEvent, apply_event
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import ESTABLISHED, Block, State
from timewait.spec.window import WINDOW

NEAR = WINDOW // 2
"""Sequence numbers from here on, counted from RCV.NXT, lie near the right edge of the window."""


class Experiment(NamedTuple):
    """Events in order, the first of them in ESTABLISHED with nothing sent.

    Attributes
    ----------
    events : tuple of Segment, Call or Timer
        What arrives at the end, what its user calls, and which of its timers expires.
    abandons : bool
        Whether CLOSE is close(), after which the user reads no more, rather than shutdown().
    """

    events: tuple[EndpointEvent, ...]
    abandons: bool

    def __str__(self) -> str:
        return ", ".join(self.described(number) for number in range(len(self.events)))

    def described(self, number: int) -> str:
        """One of the events in a few words."""
        event = self.events[number]
        if isinstance(event, Segment):
            return str(event)
        if isinstance(event, Timer):
            return f"{event} timer expires"
        return ("close()" if self.abandons else "shutdown()") if event is Call.CLOSE else str(event)


class Observation(NamedTuple):
    """What can be observed of one end after an event.

    Attributes
    ----------
    replies : tuple of Segment
        The segments that it sent, in order.
    state : State
        Its state.
    read : int or None
        Octets of text that its user has read so far; None once the user has abandoned the connection.
    restarted : bool
        Whether the event restarted the TIME-WAIT timer.
    """

    replies: tuple[Segment, ...]
    state: State
    read: int | None
    restarted: bool

    def __str__(self) -> str:
        sent = ", ".join(map(str, self.replies)) or "nothing"
        restarted = ", restarts TIME-WAIT" if self.restarted else ""
        read = "" if self.read is None else f", {self.read} read"
        return f"sends {sent}{restarted} -> {self.state}{read}"

    def as_json(self) -> dict[str, Any]:
        """The observation as plain data."""
        replies = [dict(reply.fields) for reply in self.replies]
        return {"replies": replies, "state": str(self.state), "read": self.read, "restarted": self.restarted}


class Stimulus(NamedTuple):
    """An event for a running stack.

    Attributes
    ----------
    event : Segment, Call or Timer
        The event.
    from_edge : int or None
        The sequence number of a segment counted from the right edge of the receiver's window, which in a running stack lies
        elsewhere than in the specification; None where the number counts from the ISN.
    """

    event: EndpointEvent
    from_edge: int | None


class RunningStack(Protocol):
    """A stack that runs, and takes part in experiments.

    Attributes
    ----------
    name : str
        Its name, which is that of its profile.
    version : str
        Its version.
    aids : tuple of str
        What was done to it that does not happen by default.
    """

    name: str
    version: str
    aids: tuple[str, ...]

    def carry_out(self, scripts: Sequence[tuple[Stimulus, ...]], abandons: bool) -> Iterator[tuple[Observation, ...]]:
        """Carry out experiments, each on a connection of its own; yield what was observed, in their order."""
        ...


class PredictedStep(NamedTuple):
    """One event of an experiment on the specification: the control block before it, the event and the outcome."""

    block: Block
    event: EndpointEvent
    outcome: Outcome

    def observation(self, abandons: bool) -> Observation:
        """What can be observed after it."""
        after = self.outcome.block
        restarted = Timer.TIME_WAIT in self.outcome.started and self.block.state is State.TIME_WAIT is after.state
        return Observation(self.outcome.replies, after.state, None if abandons else after.read, restarted)


def steps(
    events: Sequence[EndpointEvent],
    behaviour: Behaviour,
    reaction: Callable[[Block, Segment, Behaviour], Outcome] = segment_arrives,
) -> Iterator[PredictedStep]:
    """The steps of an experiment on the specification.

    Parameters
    ----------
    events : sequence of Segment, Call or Timer
        The events.
    behaviour : Behaviour
        The settings.
    reaction : callable
        What the endpoint does when a segment arrives.

    Raises
    ------
    ValueError
        A call is not allowed where it is made.
    """
    block = ESTABLISHED
    for event in events:
        outcome = reaction(block, event, behaviour) if isinstance(event, Segment) else apply_event(block, event, behaviour)
        yield PredictedStep(block, event, outcome)
        block = outcome.block


def predicted(
    experiment: Experiment,
    behaviour: Behaviour,
    reaction: Callable[[Block, Segment, Behaviour], Outcome] = segment_arrives,
) -> tuple[Observation, ...]:
    """What the specification lets one observe after each event; its parameters are those of `steps`.

    Raises
    ------
    ValueError
        A call is not allowed where it is made.
    """
    observed = []
    abandoned = False
    for step in steps(experiment.events, behaviour, reaction):
        abandoned = abandoned or (experiment.abandons and str(step.event) in ("CLOSE", "ABORT"))
        observed.append(step.observation(abandoned))
    return tuple(observed)


def script(experiment: Experiment, behaviour: Behaviour) -> tuple[Stimulus, ...]:
    """The events for a running stack."""
    return tuple(Stimulus(step.event, _from_edge(step.block, step.event)) for step in steps(experiment.events, behaviour))


def _from_edge(block: Block, event: EndpointEvent) -> int | None:
    if not isinstance(event, Segment) or block.state is State.CLOSED or event.seq < block.rcv + NEAR:
        return None
    return event.seq - block.rcv - WINDOW


def placed(segment: Segment, from_edge: int | None, right_edge: int) -> Segment:
    """A segment with the number that it has for a running stack, the right edge of whose window is known."""
    return segment if from_edge is None else segment._replace(seq=right_edge + from_edge)


def as_specified(reply: Segment, event: EndpointEvent, sent: Segment | None) -> Segment:
    """A reply with the number that the specification gives it, where it acknowledges a segment near the right edge.

    Parameters
    ----------
    reply : Segment
        The reply of the running stack.
    event : Segment, Call or Timer
        The event of the specification.
    sent : Segment or None
        The segment as it was sent to the running stack.
    """
    if sent is None or reply.ack is None or not isinstance(event, Segment) or not 0 <= reply.ack - sent.seq <= sent.span:
        return reply
    return reply._replace(ack=reply.ack - sent.seq + event.seq)


@dataclass(frozen=True)
class ComparedExperiment:
    """An experiment, what the specification predicts, and what a running stack did.

    Attributes
    ----------
    experiment : Experiment
        The experiment.
    predicted, observed : tuple of Observation
        After each event.
    """

    experiment: Experiment
    predicted: tuple[Observation, ...]
    observed: tuple[Observation, ...]

    @property
    def first_difference(self) -> int | None:
        """The index of the first event after which they differ; None if they agree."""
        pairs = zip(self.predicted, self.observed, strict=True)
        return next((number for number, (one, other) in enumerate(pairs) if one != other), None)

    @property
    def truncated(self) -> ComparedExperiment:
        """The same up to the first difference."""
        last = self.first_difference
        end = None if last is None else last + 1
        experiment = self.experiment._replace(events=self.experiment.events[:end])
        return ComparedExperiment(experiment, self.predicted[:end], self.observed[:end])


def compare(
    stack: RunningStack, experiments: Sequence[Experiment], behaviours: Mapping[bool, Behaviour]
) -> Generator[ComparedExperiment]:
    """Carry out experiments on a running stack, and compare each with the specification; in any order.

    Parameters
    ----------
    stack : RunningStack
        The stack.
    experiments : sequence of Experiment
        The experiments.
    behaviours : mapping of bool to Behaviour
        The settings for shutdown() (False) and for close() (True).
    """
    for abandons, behaviour in behaviours.items():
        chosen = [one for one in experiments if one.abandons is abandons]
        scripts = [script(one, behaviour) for one in chosen]
        for experiment, observed in zip(chosen, stack.carry_out(scripts, abandons), strict=True):
            yield ComparedExperiment(experiment, predicted(experiment, behaviour), observed)
