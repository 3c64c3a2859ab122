"""The steps that a run could take instead of its own: a part of the state graph of the specification around the run.

Each step is carried out on the reference semantics (`timewait.spec.reference`), without an engine and without abstraction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from timewait.checker.time_unit import unit_of
from timewait.checker.trace import Trace
from timewait.proofs.longer_time_wait import carried_on
from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.exchange import ENDS
from timewait.spec.handshake import LOST_MEMORY
from timewait.spec.outcome import Call, Timer
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.trace_actions import segment_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Event, ImpossibleMove

LONGEST = 60
"""The most steps of a run around which other steps are explored."""

MOST_STATES = 160
"""The most states that are explored, those of the run included."""

MOST_REPLIES = 2
"""The most segments that an end sends in one step."""

CALLS = tuple(call for call in Call if call is not Call.ABORT)
"""The calls of the users of a close (`timewait.spec.composition.Composition.may_call`), who abort only with SO_LINGER 0."""

INSTANT = 1000
"""A timer that may expire only after its length expires this part of the time unit later."""


class OtherStep(NamedTuple):
    """A step that is possible in a state.

    Attributes
    ----------
    delay : Fraction
        Seconds since the state was entered.
    event : Event
        The step.
    target : int
        The number of the state that it leads to.
    """

    delay: Fraction
    event: Event
    target: int


@dataclass(frozen=True)
class StateGraph:
    """A part of the state graph around a run.

    Attributes
    ----------
    states : tuple of ReferenceState
        The states; the first ones are those of the run, from its start to its last step.
    steps : tuple of (tuple of OtherStep or None)
        The steps possible in each state, at the instants tried; None for a state that was not explored.
    """

    states: tuple[ReferenceState, ...]
    steps: tuple[tuple[OtherStep, ...] | None, ...]


def state_graph(trace: Trace, most: int = MOST_STATES) -> StateGraph | None:
    """Explore what else could happen in the states of a run, breadth first, up to a number of states.

    A packet is delivered at once, and at the last instant at which it may arrive; a timer expires at the first instant at
    which it may, and a user calls at once. So the graph has every choice of a step but not every instant of it.

    Returns
    -------
    StateGraph or None
        None for a run that is long, or is not one of the specification, such as one made from a capture.
    """
    try:
        configuration = configuration_from_data(trace.about)
    except ConfigurationError:
        return None
    if len(trace.steps) > LONGEST:
        return None
    states: list[ReferenceState] = [initial_state(configuration)]
    for step in trace.steps:
        try:
            states.append(carried_on(states[-1], step))
        except (ImpossibleMove, ValueError):
            return None
    return _explored(configuration, trace.shows, states, most)


def _explored(configuration: Configuration, shows: str, states: list[ReferenceState], most: int) -> StateGraph:
    """The graph that begins with the states of a run; a step that violates the property `shows` is not followed."""
    instant = unit_of(configuration.parameters) / INSTANT
    numbers: dict[Hashable, int] = {}
    for number, state in enumerate(states):
        numbers.setdefault(_key(state), number)
    waiting = deque(range(len(states)))
    steps: dict[int, tuple[OtherStep, ...]] = {}
    while waiting:
        number = waiting.popleft()
        if shows in states[number].broken:
            continue
        found = [*_next_states(states[number], instant)]
        fresh = {_key(state) for _, state in found} - numbers.keys()
        if len(states) + len(fresh) > most and number > 0 and steps:
            continue
        for _, state in found:
            key = _key(state)
            if key not in numbers:
                numbers[key] = len(states)
                waiting.append(len(states))
                states.append(state)
        steps[number] = tuple(OtherStep(delay, state.event, numbers[_key(state)]) for delay, state in found)
    return StateGraph(tuple(states), tuple(steps.get(number) for number in range(len(states))))


def _key(state: ReferenceState) -> Hashable:
    """What the future of a state depends on, and the violations of the step that led to it.

    Equal for states that differ in the instant at which they were reached and in the numbers of copies.
    """
    packets = tuple((entry.packet, state.now - entry.sent) for entry in state.in_transit)
    timers = frozenset((name, state.now - since) for name, since in state.started.items())
    quiet = None if state.crashed_at is None else state.now - state.crashed_at
    return state.loop_key(), state.lost, packets, timers, quiet, state.broken


def _next_states(state: ReferenceState, instant: Fraction) -> Iterator[tuple[Fraction, ReferenceState]]:
    """The states one step later, each with the delay; every step is tried at each of a few instants."""
    seen = set()
    for delays, action in _actions(state, instant):
        for delay, after in _carried_out(state, delays, action):
            mark = delay, str(after.event), _key(after)
            if mark not in seen:
                seen.add(mark)
                yield delay, after


def _carried_out(state: ReferenceState, delays: list[Fraction], action: Action) -> Iterator[tuple[Fraction, ReferenceState]]:
    """The states after an action, with every choice of losses: of a timer at the first possible instant, else at each."""
    for delay in delays:
        try:
            later = state.wait(delay)
        except ImpossibleMove:
            return
        found = [after for lost in _losses(later, action) for after in _after(later, replace(action, lost=lost))]
        yield from ((delay, after) for after in found)
        if found and action.kind == "timer":
            return


def _losses(state: ReferenceState, action: Action) -> Iterator[tuple[bool, ...]]:
    """Whether each segment is lost that an end sends in answer to an action: nothing lost first, then every choice."""
    for replies in range(MOST_REPLIES + 1):
        if _after(state, replace(action, lost=(False,) * replies)):
            yield from product((False, True), repeat=replies)


def _after(state: ReferenceState, action: Action) -> tuple[ReferenceState, ...]:
    """The states that an action may lead to at once; empty where it is impossible."""
    with suppress(ImpossibleMove, ValueError):
        return state.act(action)
    return ()


def _actions(state: ReferenceState, instant: Fraction) -> Iterator[tuple[list[Fraction], Action]]:
    """Every action that may be possible in a state, with the delays to try, in seconds."""
    now = state.now
    for copy in state.in_flight():
        left = copy.expires - now
        delays = [Fraction(0), left] if left > 0 else [Fraction(0)]
        yield delays, Action("deliver", copy.receiver, (copy.sender, segment_of(copy.fields)))
    for timer in state.timers():
        left = max(timer.since + timer.limit - now, Fraction(0))
        yield sorted({Fraction(0), instant, left, left + instant}), Action("timer", timer.owner, Timer(timer.name))
    for end, call in product(ENDS, CALLS):
        yield [Fraction(0)], Action("call", end, call)
    yield [Fraction(0)], Action("reopen", "users", "the same addresses and ports")
    for end in ENDS:
        yield [Fraction(0)], Action("crash", end, LOST_MEMORY)
