"""A run with a longer TIME-WAIT: the first step that becomes impossible, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.schedule import delays
from timewait.checker.time_unit import unit_of
from timewait.checker.trace import Step, Trace
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.outcome import Timer
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.trace_actions import action_of
from timewait.vocabulary.replay import ImpossibleMove

MAX_STEPS = 200
"""Steps up to which other delays are searched for."""

MAX_MULTIPLE = 4
"""The longest TIME-WAIT tried, in MSL; no known answer rule needs more."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """How far a run gets with another TIME-WAIT.

    Attributes
    ----------
    time_wait : Fraction
        The TIME-WAIT in seconds.
    step : int or None
        The first impossible step; None when the whole run stays possible.
    why : str
        Why it is impossible.
    later : bool or None
        Whether other delays make the same steps possible; None when unknown, or when the run stays possible.
    """

    time_wait: Fraction
    step: int | None
    why: str
    later: bool | None = None


def longer_time_wait(trace: Trace) -> tuple[Obstacle, ...]:
    """Replay a run, step for step at the same times, with longer TIME-WAITs.

    The lengths tried are the next one that makes a difference (the least time after which an end left TIME-WAIT), and the
    multiples of MSL above the run's own, or where there are none its double. Empty for a run that is not one of the
    specification, such as one made from a capture, and for one without TIME-WAIT.
    """
    try:
        configuration = configuration_from_data(trace.about)
    except ConfigurationError:
        return ()
    if not configuration.behaviour.time_wait or _first_impossible(trace, configuration) is not None:
        return ()
    found = []
    for time_wait in sorted({*_next_length(trace), *_multiples(configuration)}):
        changed = replace(configuration, time_wait=time_wait)
        stop = _first_impossible(trace, changed)
        found.append(
            Obstacle(time_wait, None, "") if stop is None else Obstacle(time_wait, *stop, _with_other_delays(trace, changed))
        )
    return tuple(found)


def _next_length(trace: Trace) -> Iterator[Fraction]:
    """The least TIME-WAIT for which some step that leaves the state comes too early."""
    lasted = []
    for before, step in zip((None, *trace.steps), trace.steps, strict=False):
        if any(name == "timer.time-wait" for name, _, _ in step.event.rules):
            timers = trace.initial_timers if before is None else before.timers
            own = [timer for timer in timers if (timer.name, timer.owner) == (Timer.TIME_WAIT, step.event.actor)]
            lasted += [step.time - timer.since for timer in own]
    if lasted:
        yield min(lasted)


def _multiples(configuration: Configuration) -> Iterator[Fraction]:
    multiples = [factor * configuration.msl for factor in range(1, MAX_MULTIPLE + 1)]
    yield from [length for length in multiples if length > configuration.time_wait] or [2 * configuration.time_wait]


def _first_impossible(trace: Trace, configuration: Configuration) -> tuple[int, str] | None:
    """The first impossible step, and the reason."""
    state = initial_state(configuration)
    for step in trace.steps:
        try:
            state = carried_on(state, step)
        except (ImpossibleMove, ValueError) as problem:
            return step.number, str(problem)
    return None


def carried_on(state: ReferenceState, step: Step) -> ReferenceState:
    """The state after a step of a trace, with the same copies in flight as in the trace.

    Raises
    ------
    ImpossibleMove
        The step is not possible in the state.
    ValueError
        The event is not a step of the specification.
    """
    later = state.wait(step.delay)
    action = action_of(step.event)
    if action is None:
        return later
    in_flight = tuple(copy.number for copy in step.in_flight)
    for after in later.act(action):
        if tuple(copy.number for copy in after.in_flight()) == in_flight and after.event.received == step.event.received:
            return after
    raise ImpossibleMove("other copies would arrive")


def _with_other_delays(trace: Trace, configuration: Configuration) -> bool | None:
    """Whether some delays make the steps of a run possible; None where the automaton has no such path."""
    if trace.loop is not None or configuration.duplication is not None or len(trace.steps) > MAX_STEPS:
        return None
    if configuration.reopening.handshake:  # one action may lead to several locations
        return None
    automaton = CompiledAutomaton(Composition(configuration))
    number, path = automaton.start, []
    for step in trace.steps:
        action = action_of(step.event)
        if action is None:
            continue
        location = automaton.location(number)
        edge = next((edge for edge in location.edges if edge.original.action.identity == action.identity), None)
        if edge is None:
            return None
        path.append((location, edge))
        number = edge.target
    return delays(path, configuration.parameters, unit_of(configuration.parameters)) is not None
