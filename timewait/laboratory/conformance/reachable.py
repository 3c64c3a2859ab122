"""The situations that a close can reach: a control block, and a segment that may arrive at it.

The two ends and the network between them are explored without time: a segment that was ever sent may arrive at any later
moment, any number of times, or never. For each pair of control blocks the segments of all ways there are joined, so every
situation of a timed run is found, and a few that no run has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from functools import cache
from typing import NamedTuple

from timewait.laboratory.conformance.experiment import Experiment
from timewait.spec.endpoint import allowed_calls, running
from timewait.spec.graph_events import EndpointEvent, apply_event
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import ESTABLISHED, Block

TEXT = 1
"""The octets of text that each user sends at most."""

Sent = frozenset[Segment]


class Situation(NamedTuple):
    """A control block and a segment that arrives at it."""

    block: Block
    segment: Segment


def reachable_situations(behaviour: Behaviour) -> tuple[Situation, ...]:
    """Every situation of a close in which either end, or both, may close first and each user sends `TEXT` octets at most."""
    start = (ESTABLISHED, ESTABLISHED)
    sent: dict[tuple[Block, Block], tuple[Sent, Sent]] = {start: (frozenset(), frozenset())}
    waiting = deque([start])
    own_events = cache(lambda block: [*_own_outcomes(block, behaviour)])
    arrival = cache(lambda block, segment: apply_event(block, segment, behaviour))
    while waiting:
        ends = waiting.popleft()
        for side in (0, 1):
            block = ends[side]
            outcomes = [*own_events(block), *(arrival(block, segment) for segment in sent[ends][1 - side])]
            for outcome in outcomes:
                _join(sent, waiting, ends, side, outcome)
    found = {Situation(ends[side], segment) for ends, both in sent.items() for side in (0, 1) for segment in both[1 - side]}
    return tuple(sorted(found, key=str))


def _join(
    sent: dict[tuple[Block, Block], tuple[Sent, Sent]],
    waiting: deque[tuple[Block, Block]],
    ends: tuple[Block, Block],
    side: int,
    outcome: Outcome,
) -> None:
    """Add the segments in flight after an outcome to those of its control blocks; explore these again if any is new."""
    after = (outcome.block, ends[1]) if side == 0 else (ends[0], outcome.block)
    now = [*sent[ends]]
    now[side] |= frozenset(outcome.replies)
    known = sent.get(after, (frozenset(), frozenset()))
    joined = (known[0] | now[0], known[1] | now[1])
    if after not in sent or joined != known:
        sent[after] = joined
        waiting.append(after)


def _own_events(block: Block, behaviour: Behaviour) -> Iterator[EndpointEvent]:
    """The calls of the user, who sends `TEXT` octets and closes, and the timers."""
    for call in allowed_calls(block):
        if call is Call.CLOSE or (call is Call.SEND and block.sent < TEXT):
            yield call
    yield from running(block, behaviour)


def _own_outcomes(block: Block, behaviour: Behaviour) -> Iterator[Outcome]:
    for event in _own_events(block, behaviour):
        yield apply_event(block, event, behaviour)


def shortest_ways(
    situations: Collection[Situation], behaviour: Behaviour, avoided: Collection[Situation] = ()
) -> dict[Block, tuple[EndpointEvent, ...]]:
    """The shortest events from ESTABLISHED to each control block; timers other than the retransmission timer come last.

    Parameters
    ----------
    situations : collection of Situation
        The situations whose segments may arrive.
    behaviour : Behaviour
        The settings.
    avoided : collection of Situation
        Situations that no way may pass, for instance those in which a running stack does otherwise.
    """
    arrivals: dict[Block, list[Segment]] = {}
    for situation in situations:
        if situation not in avoided:
            arrivals.setdefault(situation.block, []).append(situation.segment)
    ways: dict[Block, tuple[EndpointEvent, ...]] = {ESTABLISHED: ()}
    for with_timers in (False, True):
        waiting = deque(sorted(ways, key=lambda block: len(ways[block])))
        while waiting:
            block = waiting.popleft()
            own = [event for event in _own_events(block, behaviour) if with_timers or not isinstance(event, Timer)]
            for event in [*own, *arrivals.get(block, ())]:
                if event is Timer.RETRANSMISSION:
                    continue
                after = apply_event(block, event, behaviour).block
                if after not in ways:
                    ways[after] = (*ways[block], event)
                    waiting.append(after)
    return ways


def experiments(
    situations: Collection[Situation], behaviour: Behaviour, abandons: bool, avoided: Collection[Situation] = ()
) -> dict[Situation, Experiment | None]:
    """The shortest experiment for each situation; None where every way passes an avoided one."""
    ways = shortest_ways(situations, behaviour, avoided)
    found: dict[Situation, Experiment | None] = {}
    for situation in situations:
        way = ways.get(situation.block)
        found[situation] = None if way is None else Experiment((*way, situation.segment), abandons)
    return found
