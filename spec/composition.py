"""Two endpoints, the network between them and their timers, as one timed system.

Every step an engine can take is made here from three pure functions of `timewait.spec.endpoint`: a user calls, a
timer fires, a copy arrives. What they reply is sent, and each reply that the loss budget covers may be
lost. Once both ends are CLOSED the four-tuple may be opened again, atomically; from then on the arrival of
any old copy breaks ``isolation``, the worst case in which the new window covers the old numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from functools import cache
from itertools import product
from typing import NamedTuple

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.endpoint import (
    Call,
    Effect,
    Outcome,
    Timer,
    allowed_calls,
    running,
    segment_arrives,
    timer_fires,
    user_calls,
)
from timewait.spec.exchange import ENDS, delivery_matters, loss_windows, pending, recurrent_properties, violated_properties
from timewait.spec.network import Channel, ClockedPacket, Network
from timewait.spec.segment import Segment
from timewait.spec.state import ESTABLISHED, Block, State
from timewait.vocabulary.automaton import ZERO, Action, Bound, Clock, ClockUpdate, Edge, Location


class Phase(StrEnum):
    """Which incarnation lives."""

    FIRST = "first"
    REOPENED = "reopened"
    OVER = "over"


class CompositionState(NamedTuple):
    """A location of the composition.

    Attributes
    ----------
    ends : tuple of Block
        The control blocks of A and of B.
    network : Network
        What is in flight.
    lost : tuple of int
        Copies lost in the current round, for A and for B as the end that may wait in TIME-WAIT.
    phase : Phase
        Which incarnation lives.
    """

    ends: tuple[Block, Block]
    network: Network
    lost: tuple[int, int]
    phase: Phase = Phase.FIRST


class Composition:
    """The timed system of one configuration (a `timewait.vocabulary.automaton.TimedAutomaton`)."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.channel = Channel(configuration.duplication, configuration.fifo)
        self.closers = (True, configuration.both_close)
        self.received = cache(self._received)

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        return self.configuration.parameters

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        values = self.configuration.parameters
        maximal_constants = {"age": "MSL", "due": "MSL", Timer.TIME_WAIT.value: "TIME_WAIT"}
        maximal_constants[Timer.RETRANSMISSION.value] = max(self.configuration.rto_names, key=values.__getitem__)
        if self.configuration.behaviour.fin_wait_2:
            maximal_constants[Timer.FIN_WAIT_2.value] = "FIN_WAIT_2"
        return maximal_constants

    @property
    def dense(self) -> bool:
        return self.channel.merged

    @property
    def lifetimes(self) -> Mapping[str, str]:
        return {"age": "MSL"}

    def initial(self) -> CompositionState:
        if self.configuration.scope is Scope.CORE:
            waiting = Block(State.FIN_WAIT_2, una=2, nxt=2, rcv=1)
            return CompositionState((waiting, Block(State.CLOSE_WAIT, una=1, nxt=1, rcv=2)), (), (0, 0))
        return CompositionState((ESTABLISHED, ESTABLISHED), (), (0, 0))

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        return (None,) * len(self.clocks(self.initial()))

    # --- clocks -----------------------------------------------------------------------------------------------------

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        situation = _situation(location)
        return (*self.timers(situation), *self.channel.clocks(situation.network))

    def timers(self, situation: CompositionState) -> tuple[Clock, ...]:
        """The timers that run, of both ends; first among the clocks."""
        behaviour = self.configuration.behaviour
        return tuple(
            Clock(timer.value, end)
            for end, block in zip(ENDS, situation.ends, strict=True)
            for timer in running(block, behaviour)
        )

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        situation = _situation(location)
        bounds = []
        for end, block in zip(ENDS, situation.ends, strict=True):
            if Timer.RETRANSMISSION in running(block, self.configuration.behaviour):
                bounds.append(Bound(Clock(Timer.RETRANSMISSION.value, end), "<=", self._gap(block)))
        for index, copy in enumerate(situation.network):
            if copy.must_be_delivered:
                bounds.append(Bound(self.channel.due(situation.network, index), "<=", "MSL"))
        return tuple(bounds)

    def _gap(self, block: Block) -> str:
        names = self.configuration.rto_names
        return names[min(block.tries, len(names) - 1)]

    def expired(self, location: Location, clock: Clock) -> CompositionState:
        situation = _situation(location)
        network = situation.network
        kept = tuple(copy for index, copy in enumerate(network) if self.channel.age(network, index) != clock)
        return situation._replace(network=kept)

    def equivalence_class(self, location: Location) -> CompositionState:
        situation = _situation(location)
        if not self.channel.merged:
            return situation
        return situation._replace(network=tuple(copy for copy in situation.network if copy.must_be_delivered))

    def join(self, location: Location, other: Location) -> CompositionState:
        situation, more = _situation(location), _situation(other)
        flights = [ClockedPacket(copy, None, None) for copy in {*situation.network, *more.network}]
        return situation._replace(network=self.channel.settle(flights)[0])

    def pending(self, location: Location) -> frozenset[str]:
        situation = _situation(location)
        if situation.phase is not Phase.FIRST:
            return frozenset()
        return pending(situation.ends)

    # --- steps ------------------------------------------------------------------------------------------------------

    def edges(self, location: Location) -> Iterable[Edge]:
        situation = _situation(location)
        match situation.phase:
            case Phase.FIRST:
                yield from self._calls(situation)
                yield from self._timeouts(situation)
                yield from self._arrivals(situation)
                yield from self._reopen(situation)
            case Phase.REOPENED:
                yield from self._intrusions(situation)
            case Phase.OVER:
                return

    def _calls(self, situation: CompositionState) -> Iterator[Edge]:
        for side, end in enumerate(ENDS):
            block = situation.ends[side]
            for call in allowed_calls(block):
                if self._user_may(situation, side, call):
                    outcome = user_calls(block, call, self.configuration.behaviour)
                    fair = frozenset({f"{end} {call}"} if call is Call.CLOSE else ())
                    flights = self.channel.flights(situation.network)
                    yield from self._step(situation, side, Action("call", end, call), (), outcome, flights, fair)

    def _user_may(self, situation: CompositionState, side: int, call: Call) -> bool:
        """What the users of a close do: send a little, then close; B only second unless both may close."""
        block = situation.ends[side]
        if call is Call.SEND:
            return block.sent < self.configuration.text[side]
        first = block.state is State.ESTABLISHED
        return call is Call.CLOSE and not (first and side == 1 and not self.configuration.both_close)

    def _timeouts(self, situation: CompositionState) -> Iterator[Edge]:
        for side, end in enumerate(ENDS):
            block = situation.ends[side]
            for timer in running(block, self.configuration.behaviour):
                outcome = timer_fires(block, timer, self.configuration.behaviour)
                fair = frozenset({f"{end} {timer}"})
                flights = self.channel.flights(situation.network)
                guard = self._ripe(block, timer, end)
                yield from self._step(situation, side, Action("timer", end, timer), guard, outcome, flights, fair)

    def _ripe(self, block: Block, timer: Timer, end: str) -> tuple[Bound, ...]:
        clock = Clock(timer.value, end)
        match timer:
            case Timer.RETRANSMISSION if self.configuration.rto_exact:
                return (Bound(clock, "==", self._gap(block)),)
            case Timer.RETRANSMISSION:
                return (Bound(clock, ">", ZERO), Bound(clock, "<=", self._gap(block)))
            case Timer.TIME_WAIT:
                return (Bound(clock, ">", "TIME_WAIT"),)
            case Timer.FIN_WAIT_2:
                return (Bound(clock, ">", "FIN_WAIT_2"),)

    def _arrivals(self, situation: CompositionState) -> Iterator[Edge]:
        network = situation.network
        for index, copy in enumerate(network):
            if self.channel.blocked(network, index):
                continue
            side = 1 - ENDS.index(copy.sender)
            outcome = self.received(situation.ends[side], side, copy.segment)
            if self.channel.merged and _idle(situation.ends[side], outcome):
                continue
            guard = (Bound(self.channel.age(network, index), "<=", "MSL"),)
            action = Action("deliver", ENDS[side], (copy.sender, copy.segment))
            fair = frozenset({f"deliver {copy.sender} {copy.segment}"})
            yield from self._step(situation, side, action, guard, outcome, self.channel.deliver(network, index), fair)

    def _received(self, block: Block, side: int, segment: Segment) -> Outcome:
        """What an end does with a segment; a CLOSED passive end is silent in scope core."""
        outcome = segment_arrives(block, segment, self.configuration.behaviour)
        if self.configuration.scope is Scope.CORE and side == 1 and block.state is State.CLOSED:
            return outcome._replace(replies=(), effects=frozenset())
        return outcome

    def _released(self, ends: tuple[Block, Block], flights: list[ClockedPacket]) -> list[ClockedPacket]:
        """The flights without the obligations that limit nothing."""
        if not self.channel.merged:
            return flights
        kept = []
        for flight in flights:
            side = 1 - ENDS.index(flight.copy.sender)
            outcome = self.received(ends[side], side, flight.copy.segment)
            if flight.copy.must_be_delivered and not delivery_matters(ends, side, outcome, self.closers):
                flight = ClockedPacket(flight.copy._replace(must_be_delivered=False), flight.age, None)
            kept.append(flight)
        return kept

    def _reopen(self, situation: CompositionState) -> Iterator[Edge]:
        if all(block.state is State.CLOSED for block in situation.ends):
            target = situation._replace(phase=Phase.REOPENED, lost=(0, 0))
            action = Action("reopen", "users", "the same addresses and ports", rules=("incarnation.reopen",))
            yield Edge(action, (), target, self.clocks(target), witnesses=frozenset({"reopen"}))

    def _intrusions(self, situation: CompositionState) -> Iterator[Edge]:
        """Old copies that reach the next incarnation."""
        network = situation.network
        over = CompositionState(situation.ends, (), (0, 0), Phase.OVER)
        for index, copy in enumerate(network):
            if not self.channel.blocked(network, index):
                receiver = ENDS[1 - ENDS.index(copy.sender)]
                action = Action("deliver", receiver, (copy.sender, copy.segment), rules=("incarnation.intrusion",))
                guard = (Bound(self.channel.age(network, index), "<=", "MSL"),)
                yield Edge(action, guard, over, (), violates=frozenset({"isolation"}))

    # --- one step ---------------------------------------------------------------------------------------------------

    def _step(
        self,
        situation: CompositionState,
        side: int,
        action: Action,
        guard: tuple[Bound, ...],
        outcome: Outcome,
        flights: list[ClockedPacket],
        fair: frozenset[str],
    ) -> Iterator[Edge]:
        """One edge for each way in which the network may lose what is sent."""
        ends = (outcome.block, situation.ends[1]) if side == 0 else (situation.ends[0], outcome.block)
        restarted = {Clock(timer.value, ENDS[side]) for timer in outcome.started}
        kept = set(self.timers(situation)) - restarted
        for fates in product(*([False, True] for _ in outcome.replies)):
            sent = self._transmit(situation, ends, side, outcome, fates, flights)
            if sent is None:
                continue
            network_flights, lost, spared = sent
            network, updates = self.channel.settle(self._released(ends, network_flights))
            target = CompositionState(ends, network, lost)
            timers = tuple(clock if clock in kept else None for clock in self.timers(target))
            yield Edge(
                Action(action.kind, action.actor, action.subject, fates, outcome.rules),
                guard,
                target,
                (*timers, *updates),
                violates=violated_properties(situation.ends, ends, side, outcome),
                witnesses=self._witnesses(situation.ends[side], outcome),
                fair=fair | spared,
                recurrent=recurrent_properties(ends, outcome),
            )

    def _witnesses(self, before: Block, outcome: Outcome) -> frozenset[str]:
        """What a step shows to be possible: the rules applied, the state reached, a FIN that meets TIME-WAIT."""
        names = {*outcome.rules, f"reaches {outcome.block.state}"}
        if before.state is State.TIME_WAIT and Effect.FIN_ACCEPTED in outcome.effects:
            names.add("FIN meets TIME_WAIT")
        return frozenset(names)

    def _transmit(
        self,
        situation: CompositionState,
        ends: tuple[Block, Block],
        side: int,
        outcome: Outcome,
        fates: tuple[bool, ...],
        flights: list[ClockedPacket],
    ) -> tuple[list[ClockedPacket], tuple[int, int], frozenset[str]] | None:
        """Send the replies; None when these fates break the loss budget, or are no different.

        A copy outside the budget need not arrive anyway: to lose it adds nothing.
        """
        lost = list(situation.lost)
        if Effect.FIN_ACCEPTED in outcome.effects:
            lost[side] = 0
        spared = set()
        for segment, is_lost in zip(outcome.replies, fates, strict=True):
            covering = self._covering(ends, side, segment)
            budgeted = bool(covering) and self.configuration.loss is not None
            if not is_lost:
                flights = self.channel.send(flights, ENDS[side], segment, budgeted)
                spared.add(f"transmit {ENDS[side]} {segment}")
            elif budgeted:
                for waiter in covering:
                    lost[waiter] += 1
            else:
                return None
        if self.configuration.loss is not None and max(lost) > self.configuration.loss:
            return None
        if self.channel.merged:
            lost = [0 if end.state is State.CLOSED else count for end, count in zip(ends, lost, strict=True)]
        return flights, (lost[0], lost[1]), frozenset(spared)

    def _covering(self, ends: tuple[Block, Block], side: int, segment: Segment) -> tuple[int, ...]:
        """The rounds that matter: where copies are merged, what is sent to an end that is done limits nothing."""
        covering = loss_windows(ends, side, segment, self.closers)
        if not self.channel.merged:
            return covering
        return tuple(waiter for waiter in covering if waiter == side or ends[waiter].state is not State.CLOSED)


def _idle(block: Block, outcome: Outcome) -> bool:
    """Whether an arrival leaves everything as it was."""
    return outcome.block == block and not (outcome.replies or outcome.started or outcome.effects)


def _situation(location: Location) -> CompositionState:
    assert isinstance(location, CompositionState)
    return location
