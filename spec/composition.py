"""Two endpoints, their timers and the network between them, composed into one timed automaton.

Every edge is made from one of three pure functions of `timewait.spec.endpoint`: a user calls, a timer fires, a segment
arrives. Each reply is sent, and a reply under the loss budget may be lost. Once both ends are CLOSED the four-tuple may be
reopened, atomically. From then on the arrival of any old copy breaks ``isolation``, and the property that names its harm
(`timewait.spec.incarnation`): this is the worst case, in which the new window covers all old sequence numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from functools import cache
from itertools import chain, product
from typing import NamedTuple

from timewait.spec import stances
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.endpoint import allowed_calls, running, segment_arrives, timer_fires, user_calls
from timewait.spec.exchange import (
    ENDS,
    changes_nothing,
    delivery_matters,
    pending,
    recurrent_properties,
    reply_windows,
    violated_properties,
)
from timewait.spec.incarnation import ISOLATION, UNKNOWN, KnownIsns, harm_of
from timewait.spec.network import Channel, ClockedPacket, Network
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.state import ESTABLISHED, Block, State
from timewait.spec.timer_guards import gap, timer_guard
from timewait.vocabulary.automaton import Action, Bound, Clock, ClockUpdate, Edge, Location
from timewait.vocabulary.message_passing import ControlParts, EdgesOfPart, InFlight, NetworkMessage, NetworkRules


class Phase(StrEnum):
    """The incarnation that is open."""

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
        The packets in flight.
    lost : tuple of int
        Copies lost in the current loss window, for A and for B as the end that may wait in TIME-WAIT.
    phase : Phase
        The incarnation that is open.
    incarnations : tuple of int
        The incarnations of A and of B where the next one opens by a handshake: 0 for the old one, 1 for the next one.
    crashed : tuple of bool
        Whether A and whether B has lost all memory.
    isns : tuple of int or None
        The numbers of the old incarnation at which the new ISNs of A and of B lie, where a SYN that opened says so.
    """

    ends: tuple[Block, Block]
    network: Network
    lost: tuple[int, int]
    phase: Phase = Phase.FIRST
    incarnations: tuple[int, int] = (0, 0)
    crashed: tuple[bool, bool] = (False, False)
    isns: KnownIsns = UNKNOWN


class Composition:
    """The timed automaton of one configuration (a `timewait.vocabulary.automaton.TimedAutomaton`).

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    told_apart : int
        Copies of one segment with deadlines of their own, where copies are merged (see `timewait.spec.network`). With 1 the
        composition has every run, and some in which the answer to one copy is lost and the others are never answered; the
        more are told apart, the fewer of these.
    """

    def __init__(self, configuration: Configuration, told_apart: int = 1) -> None:
        self.configuration = configuration
        self.channel = Channel(configuration.duplication, configuration.fifo, told_apart)
        self.closers = (True, configuration.both_close)
        self.received = cache(self._received)
        self.running_of = cache(self._running_of)

    def __getstate__(self) -> dict[str, object]:
        """The composition as it is pickled: another process begins with empty caches."""
        return {name: value for name, value in vars(self).items() if name not in ("received", "running_of")}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        vars(self).update(state, received=cache(self._received), running_of=cache(self._running_of))

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        return self.configuration.parameters

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        values = self.configuration.parameters
        constants = {"age": "MSL", "due": "MSL", Timer.TIME_WAIT.value: "TIME_WAIT"}
        constants[Timer.RETRANSMISSION.value] = max((most for _, most in self.configuration.gap_names), key=values.__getitem__)
        if self.configuration.behaviour.fin_wait_2:
            constants[Timer.FIN_WAIT_2.value] = "FIN_WAIT_2"
        if self.configuration.limits:
            constants[Timer.LIMIT.value] = max(self.configuration.limits, key=values.__getitem__)
        return constants

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
        state = state_of(location)
        return (*self.timers(state), *self.channel.clocks(state.network))

    def timers(self, state: CompositionState) -> tuple[Clock, ...]:
        """The running timers of both ends; they come first among the clocks."""
        first, second = state.ends
        return self.running_of(first, "A") + self.running_of(second, "B")

    def _running_of(self, block: Block, end: str) -> tuple[Clock, ...]:
        """The running timers of an end."""
        return tuple(Clock(timer.value, end) for timer in running(block, self.configuration.behaviour))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        state = state_of(location)
        bounds = []
        for end, block in zip(ENDS, state.ends, strict=True):
            if Timer.RETRANSMISSION in running(block, self.configuration.behaviour):
                bounds.append(Bound(Clock(Timer.RETRANSMISSION.value, end), "<=", gap(self.configuration, block)[1]))
        for index, packet in enumerate(state.network):
            if packet.must_be_delivered:
                bounds.append(Bound(self.channel.due(state.network, index), "<=", "MSL"))
        return tuple(bounds)

    def expired(self, location: Location, clock: Clock) -> CompositionState:
        state = state_of(location)
        network = state.network
        kept = tuple(packet for index, packet in enumerate(network) if self.channel.age(network, index) != clock)
        return state._replace(network=kept)

    def equivalence_class(self, location: Location) -> CompositionState:
        state = state_of(location)
        if not self.channel.merged:
            return state
        kept = (packet for packet in state.network if packet.must_be_delivered or packet.segment.incarnation)
        return state._replace(network=tuple(kept))

    def join(self, location: Location, other: Location) -> CompositionState:
        state, more = state_of(location), state_of(other)
        clocked = [ClockedPacket(packet, None) for packet in {*state.network, *more.network}]
        return state._replace(network=self.channel.settle(clocked)[0])

    def pending(self, location: Location) -> frozenset[str]:
        state = state_of(location)
        if state.phase is not Phase.FIRST:
            return frozenset()
        return pending(state.ends)

    # --- control and messages in flight (`timewait.vocabulary.message_passing.MessagePassing`) ------------------------

    def network_rules(self) -> NetworkRules | None:
        if self.channel.told_apart > 1:
            return None
        return NetworkRules(self.channel.duplication, self.channel.fifo)

    def identity(self) -> Hashable:
        return type(self), self.configuration.without_durations, self.channel

    def control(self, location: Location) -> CompositionState:
        return state_of(location)._replace(network=())

    def in_flight(self, location: Location) -> tuple[InFlight, ...]:
        return tuple(
            InFlight(NetworkMessage(packet.sender, packet.segment), packet.must_be_delivered, packet.left)
            for packet in state_of(location).network
        )

    def with_in_flight(self, control: Location, messages: Sequence[InFlight]) -> CompositionState:
        packets = (
            PacketInFlight(message.sender, _segment(message), must_be_delivered, left)
            for message, must_be_delivered, left in messages
        )
        return state_of(control)._replace(network=tuple(packets))

    def must_be_delivered(self, control: Location, message: NetworkMessage) -> bool:
        packet = PacketInFlight(message.sender, _segment(message), True, self.channel.duplication)
        (left,) = self._relieved(state_of(control).ends, [ClockedPacket(packet, None, None)])
        return left.packet.must_be_delivered

    def keeps_in_flight(self, control: Location) -> bool:
        return state_of(control).phase is not Phase.OVER

    def sending_name(self, message: NetworkMessage) -> str:
        return f"transmit {message.sender} {message.subject}"

    def arrival_name(self, message: NetworkMessage) -> str:
        return f"deliver {message.sender} {message.subject}"

    def parts(self, control: Location) -> ControlParts:
        ends, *shared = state_of(control)
        return ControlParts(ends, tuple(shared))

    def with_parts(self, parts: ControlParts) -> CompositionState:
        assert isinstance(parts.shared, tuple)
        return CompositionState._make((parts.own, *parts.shared))

    def clocks_of_part(self, control: Location, part: int) -> tuple[Clock, ...]:
        return self.running_of(state_of(control).ends[part], ENDS[part])

    def seen(self, control: Location, part: int) -> Hashable:
        ends = state_of(control).ends
        return stances.seen(ends[part], ends[1 - part], self.configuration.loss)

    def seen_on_arrival(self, control: Location, message: NetworkMessage) -> Hashable:
        ends, side = state_of(control).ends, self.receiver(message)
        outcome = self.received(ends[side], side, _segment(message))
        return stances.seen_on_arrival(ends[side], ends[1 - side], outcome, self.configuration.loss)

    def receiver(self, message: NetworkMessage) -> int:
        return 1 - ENDS.index(message.sender)

    def unrelieved(self) -> Composition:
        unrelieved = self.unrelieved_kind()(self.configuration, self.channel.told_apart)
        unrelieved.received = self.received  # the same function: what it has computed serves both
        return unrelieved

    def unrelieved_kind(self) -> type[UnrelievedComposition]:
        """The class of `unrelieved`."""
        return UnrelievedComposition

    def spontaneous_edges(self, control: Location) -> tuple[list[EdgesOfPart], list[EdgesOfPart]]:
        state = state_of(control)
        first, sides = state.phase is Phase.FIRST, range(len(ENDS))
        calls = [EdgesOfPart(side, self.calls_of(state, side) if first else ()) for side in sides]
        timeouts = [EdgesOfPart(side, self.timeouts_of(state, side) if first else ()) for side in sides]
        return calls + timeouts, [EdgesOfPart(0, self._reopen(state) if first else ())]

    def arrival_edges(self, location: Location) -> Iterable[Edge]:
        state = state_of(location)
        match state.phase:
            case Phase.FIRST:
                return self.arrivals(state)
            case Phase.REOPENED:
                return self._old_arrivals(state)
            case Phase.OVER:
                return ()

    # --- steps ------------------------------------------------------------------------------------------------------

    def edges(self, location: Location) -> Iterable[Edge]:
        before, after = self.spontaneous_edges(location)
        yield from chain.from_iterable(edges for _, edges in before)
        yield from self.arrival_edges(location)
        yield from chain.from_iterable(edges for _, edges in after)

    def calls_of(self, state: CompositionState, side: int) -> Iterator[Edge]:
        """The calls of one user."""
        block, end = state.ends[side], ENDS[side]
        for call in allowed_calls(block):
            if self.may_call(state, side, call):
                outcome = user_calls(block, call, self.configuration.behaviour)
                fair = frozenset({f"{end} {call}"} if call is Call.CLOSE else ())
                clocked = self.channel.unchanged(state.network)
                yield from self.step(state, side, Action("call", end, call), (), outcome, clocked, fair)

    def may_call(self, state: CompositionState, side: int, call: Call) -> bool:
        """Whether a user makes a call: each sends its text, then closes; B closes second unless either end may close first."""
        block = state.ends[side]
        if call is Call.SEND:
            return block.sent < self.configuration.text[side]
        first = block.state is State.ESTABLISHED
        return call is Call.CLOSE and not (first and side == 1 and not self.configuration.both_close)

    def timeouts_of(self, state: CompositionState, side: int) -> Iterator[Edge]:
        """The timeouts of one end."""
        block, end = state.ends[side], ENDS[side]
        for timer in running(block, self.configuration.behaviour):
            outcome = timer_fires(block, timer, self.configuration.behaviour)
            fair = frozenset({f"{end} {timer}"})
            clocked = self.channel.unchanged(state.network)
            guard = timer_guard(self.configuration, block, timer, end)
            yield from self.step(state, side, Action("timer", end, timer), guard, outcome, clocked, fair)

    def arrivals(self, state: CompositionState) -> Iterator[Edge]:
        network = state.network
        for index, packet in enumerate(network):
            if self.channel.blocked(network, index):
                continue
            side = 1 - ENDS.index(packet.sender)
            outcome = self.received(state.ends[side], side, packet.segment)
            if self.channel.merged and changes_nothing(state.ends[side], outcome):
                continue
            guard = (Bound(self.channel.age(network, index), "<=", "MSL"),)
            action = Action("deliver", ENDS[side], (packet.sender, packet.segment))
            fair = frozenset({self.arrival_name(NetworkMessage(packet.sender, packet.segment))})
            arrived = self.step(state, side, action, guard, outcome, self.channel.deliver(network, index), fair)
            if packet.further and self._counts_again(state, side, outcome, packet.segment):
                alone = self.step(state, side, action, guard, outcome, self.channel.deliver_oldest(network, index), fair)
                yield from (edge for edge in arrived if not any(edge.action.lost))
                yield from (edge for edge in alone if any(edge.action.lost))
            else:
                yield from arrived

    def _counts_again(self, state: CompositionState, side: int, outcome: Outcome, segment: Segment) -> bool:
        """Whether the loss of an answer to a further copy counts against the same loss budget as that of the first answer."""
        again = self.received(outcome.block, side, segment)
        ends = (again.block, state.ends[1]) if side == 0 else (state.ends[0], again.block)
        counted = any(self._loss_windows(ends, side, reply, again) for reply in again.replies)
        return Effect.FIN_ACCEPTED not in again.effects and counted

    def _received(self, block: Block, side: int, segment: Segment) -> Outcome:
        """The outcome of an arrival; in scope core a CLOSED passive end is silent."""
        outcome = self.outcome_of(block, segment)
        if self.configuration.scope is Scope.CORE and side == 1 and block.state is State.CLOSED:
            return outcome._replace(replies=(), effects=frozenset())
        return outcome

    def outcome_of(self, block: Block, segment: Segment) -> Outcome:
        """The outcome of an arrival at an endpoint."""
        return segment_arrives(block, segment, self.configuration.behaviour)

    def _relieved(self, ends: tuple[Block, Block], clocked: list[ClockedPacket]) -> list[ClockedPacket]:
        """The packets in flight; a packet need not be delivered where its delivery does not matter."""
        if not self.channel.merged:
            return clocked
        kept = []
        for entry in clocked:
            side = 1 - ENDS.index(entry.packet.sender)
            outcome = self.received(ends[side], side, entry.packet.segment)
            if entry.packet.must_be_delivered and not delivery_matters(ends, side, outcome, self.closers):
                entry = ClockedPacket(entry.packet._replace(must_be_delivered=False, further=0), entry.age)
            kept.append(entry)
        return kept

    def _reopen(self, state: CompositionState) -> Iterator[Edge]:
        if all(block.state is State.CLOSED for block in state.ends):
            target = state._replace(phase=Phase.REOPENED, lost=(0, 0))
            action = Action("reopen", "users", "the same addresses and ports", rules=("incarnation.reopen",))
            yield Edge(action, (), target, self.clocks(target), witnesses=frozenset({"reopen"}))

    def _old_arrivals(self, state: CompositionState) -> Iterator[Edge]:
        """The arrivals of old copies in the next incarnation."""
        network = state.network
        over = CompositionState(state.ends, (), (0, 0), Phase.OVER)
        for index, packet in enumerate(network):
            if not self.channel.blocked(network, index):
                receiver = ENDS[1 - ENDS.index(packet.sender)]
                harm = harm_of(packet.segment)
                action = Action("deliver", receiver, (packet.sender, packet.segment), rules=(f"incarnation.{harm}",))
                guard = (Bound(self.channel.age(network, index), "<=", "MSL"),)
                yield Edge(action, guard, over, (), violates=frozenset({harm, ISOLATION}))

    # --- one step ---------------------------------------------------------------------------------------------------

    def step(
        self,
        state: CompositionState,
        side: int,
        action: Action,
        guard: tuple[Bound, ...],
        outcome: Outcome,
        clocked: list[ClockedPacket],
        fair: frozenset[str],
    ) -> Iterator[Edge]:
        """One edge for each choice of the replies that the network loses."""
        ends = (outcome.block, state.ends[1]) if side == 0 else (state.ends[0], outcome.block)
        restarted = {Clock(timer.value, ENDS[side]) for timer in outcome.started}
        kept = set(self.timers(state)) - restarted
        for losses in product(*([False, True] for _ in outcome.replies)):
            sent = self._transmit(state, ends, side, outcome, losses, clocked)
            if sent is None:
                continue
            in_flight, lost, transmitted = sent
            network, updates = self.channel.settle(self._relieved(ends, in_flight))
            target = CompositionState(ends, network, lost)
            timers = tuple(clock if clock in kept else None for clock in self.timers(target))
            yield Edge(
                Action(action.kind, action.actor, action.subject, losses, outcome.rules),
                guard,
                target,
                (*timers, *updates),
                violates=violated_properties(state.ends, ends, side, outcome),
                witnesses=self.witnesses(state.ends[side], outcome),
                fair=fair | transmitted,
                recurrent=recurrent_properties(ends, outcome),
            )

    def witnesses(self, before: Block, outcome: Outcome) -> frozenset[str]:
        """What a step proves possible: the rules applied, the state reached, a FIN that meets TIME-WAIT."""
        names = {*outcome.rules, f"reaches {outcome.block.state}"}
        if before.state is State.TIME_WAIT and Effect.FIN_ACCEPTED in outcome.effects:
            names.add("FIN meets TIME_WAIT")
        return frozenset(names)

    def _transmit(
        self,
        state: CompositionState,
        ends: tuple[Block, Block],
        side: int,
        outcome: Outcome,
        losses: tuple[bool, ...],
        clocked: list[ClockedPacket],
    ) -> tuple[list[ClockedPacket], tuple[int, int], frozenset[str]] | None:
        """Send the replies; None if the losses exceed the loss budget, or add nothing.

        The loss of a copy outside the budget adds nothing, since that copy need not arrive.
        """
        lost = list(state.lost)
        if Effect.FIN_ACCEPTED in outcome.effects:
            lost[side] = 0
        transmitted = set()
        for segment, is_lost in zip(outcome.replies, losses, strict=True):
            windows = () if self.configuration.loss is None else self._loss_windows(ends, side, segment, outcome)
            budgeted = bool(windows)
            if not is_lost:
                must_be_delivered = budgeted or self.configuration.lossless
                clocked = self.channel.send(clocked, ENDS[side], segment, must_be_delivered)
                transmitted.add(self.sending_name(NetworkMessage(ENDS[side], segment)))
            elif budgeted:
                for waiter in windows:
                    lost[waiter] += 1
            else:
                return None
        if self.configuration.loss is not None and max(lost) > self.configuration.loss:
            return None
        if self.channel.merged:
            lost = [0 if end.state is State.CLOSED else count for end, count in zip(ends, lost, strict=True)]
        return clocked, (lost[0], lost[1]), frozenset(transmitted)

    def _loss_windows(self, ends: tuple[Block, Block], side: int, segment: Segment, outcome: Outcome) -> tuple[int, ...]:
        """The loss windows that matter: where copies are merged, a segment to a CLOSED end limits nothing."""
        windows = reply_windows(ends, side, segment, outcome, self.closers)
        if not self.channel.merged:
            return windows
        return tuple(waiter for waiter in windows if waiter == side or ends[waiter].state is not State.CLOSED)


class UnrelievedComposition(Composition):
    """A composition in which a packet must be delivered even where its delivery does not matter."""

    def _relieved(self, ends: tuple[Block, Block], clocked: list[ClockedPacket]) -> list[ClockedPacket]:
        del ends
        return clocked


def state_of(location: Location) -> CompositionState:
    """The location, which is one of a composition."""
    assert isinstance(location, CompositionState)
    return location


def _segment(message: NetworkMessage) -> Segment:
    assert isinstance(message.subject, Segment)
    return message.subject
