"""The same run with a longer TIME-WAIT: at which step, and why, it stops being possible."""

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
from timewait.spec.endpoint import Timer
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.reference import initial_state
from timewait.spec.trace_actions import action_of
from timewait.vocabulary.replay import ImpossibleMove, ReplayState

LONG = 200
"""Steps of a run for which other instants are looked for, at most."""

MOST = 4
"""The longest TIME-WAIT tried, in MSL; no known rule of answering needs more."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """How far a run comes with another TIME-WAIT.

    Attributes
    ----------
    time_wait : Fraction
        In seconds.
    step : int or None
        The first step that is impossible; None when the whole run is possible all the same.
    why : str
        Why it is.
    later : bool or None
        Of a run that stops: whether the same steps are possible at other instants; None where nobody knows.
    """

    time_wait: Fraction
    step: int | None
    why: str
    later: bool | None = None


def longer_time_wait(trace: Trace) -> tuple[Obstacle, ...]:
    """What becomes of a run, step for step at the same instants, when TIME-WAIT is longer.

    The lengths tried are the next one that makes a difference (what the timer showed when it was left soonest), and the
    whole multiples of MSL above the one that the run had, or where there are none its double. Nothing is said of a run
    that is not of the specification, such as one taken from a capture, or that has no TIME-WAIT.
    """
    try:
        configuration = configuration_from_data(trace.about)
    except ConfigurationError:
        return ()
    if not configuration.behaviour.time_wait or _stop(trace, configuration) is not None:
        return ()
    stops = []
    for time_wait in sorted({*_next(trace), *_multiples(configuration)}):
        changed = replace(configuration, time_wait=time_wait)
        stop = _stop(trace, changed)
        stops.append(
            Obstacle(time_wait, None, "") if stop is None else Obstacle(time_wait, *stop, _at_other_instants(trace, changed))
        )
    return tuple(stops)


def _next(trace: Trace) -> Iterator[Fraction]:
    """The least TIME-WAIT with which some step that leaves it comes too early."""
    shown = []
    for before, step in zip((None, *trace.steps), trace.steps, strict=False):
        if any(name == "timer.time-wait" for name, _, _ in step.event.rules):
            timers = trace.initial_timers if before is None else before.timers
            shown += [step.time - one.since for one in timers if (one.name, one.owner) == (Timer.TIME_WAIT, step.event.actor)]
    if shown:
        yield min(shown)


def _multiples(configuration: Configuration) -> Iterator[Fraction]:
    longer = [times * configuration.msl for times in range(1, MOST + 1) if times * configuration.msl > configuration.time_wait]
    yield from longer or [2 * configuration.time_wait]


def _stop(trace: Trace, configuration: Configuration) -> tuple[int, str] | None:
    """The first step that cannot be done, and why."""
    world: ReplayState = initial_state(configuration)
    for step in trace.steps:
        try:
            world = _same(world, step)
        except ImpossibleMove as impossible:
            return step.number, str(impossible)
        except ValueError as problem:
            return step.number, str(problem)
    return None


def _at_other_instants(trace: Trace, configuration: Configuration) -> bool | None:
    """Whether some delays make the steps of a run possible; None where the system has no such path."""
    if trace.loop is not None or configuration.duplication is not None or len(trace.steps) > LONG:
        return None
    automaton = CompiledAutomaton(Composition(configuration))
    place, path = automaton.start, []
    for step in trace.steps:
        action = action_of(step.event)
        if action is None:
            continue
        location = automaton.location(place)
        edge = next((edge for edge in location.edges if edge.original.action.identity == action.identity), None)
        if edge is None:
            return None
        path.append((location, edge))
        place = edge.target
    return delays(path, configuration.parameters, unit_of(configuration.parameters)) is not None


def _same(world: ReplayState, step: Step) -> ReplayState:
    """The world after a step, the copies in it the same ones as in the trace."""
    later = world.wait(step.delay)
    action = action_of(step.event)
    if action is None:
        return later
    for way in later.act(action):
        if _copies(way) == tuple(copy.number for copy in step.in_flight) and _received(way) == step.event.received:
            return way
    raise ImpossibleMove("other copies would arrive")


def _copies(world: ReplayState) -> tuple[int, ...]:
    return tuple(copy.number for copy in world.in_flight())


def _received(world: ReplayState) -> object:
    return world.event.received
