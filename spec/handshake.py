"""The composition whose next incarnation opens by a handshake, with old segments still in flight.

Until an end opens again, the automaton is that of `timewait.spec.composition`. From then on every segment carries its
incarnation; one that arrives at an end of another incarnation is judged by its effect (`timewait.spec.incarnation`).
An old packet need not arrive at an end that has opened again, or whose host has lost all memory: that end is CLOSED and
answers nothing until it opens. Segments of the next incarnation are under no loss budget,
their lifetime is not limited, and they may be retransmitted at any time: all this only adds runs, and needs no clock. Users
of the next incarnation send a little text and do not close; the first harm ends a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from timewait.spec.composition import Composition, CompositionState, Phase, state_of
from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import running, timer_fires, user_calls
from timewait.spec.exchange import ENDS, changes_nothing, violated_properties
from timewait.spec.incarnation import Crossing, KnownIsns, answers, crossings, stamped
from timewait.spec.network import ClockedPacket
from timewait.spec.old_syn import at_start, received
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.reopening import Crash
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State
from timewait.vocabulary.automaton import Action, Bound, Clock, Edge, Location
from timewait.vocabulary.message_passing import NetworkRules

OVER = CompositionState((Block(State.CLOSED), Block(State.CLOSED)), (), (0, 0), Phase.OVER)
"""The location after the first harm, and where no harm is possible any more."""

OPENS = (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE)

QUIET = "quiet"
"""The role of the clock that measures the quiet time of an end after a crash."""

LOST_MEMORY = "all memory"
"""The subject of the action of a crash."""


class HandshakeComposition(Composition):
    """The timed automaton of a configuration whose next incarnation opens by a handshake."""

    def __init__(self, configuration: Configuration, told_apart: int = 1) -> None:
        super().__init__(configuration, told_apart)
        self.reopening = configuration.reopening
        self.unlimited = unlimited(configuration.behaviour)
        self.crossing = cache(self._crossing)

    def initial(self) -> CompositionState:
        return super().initial()._replace(network=at_start(self.configuration))

    def network_rules(self) -> NetworkRules | None:
        """None: a packet of the next incarnation has no lifetime, so not all packets obey the same rules."""
        return None

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        constants = dict(super().maximal_constants)
        if self.reopening.crash is not Crash.NONE:
            constants[QUIET] = self.reopening.quiet_name
        return constants

    def edges(self, location: Location) -> Iterable[Edge]:
        state = state_of(location)
        if state.phase is Phase.OVER:
            return
        yield from self._crash(state)
        yield from self.calls_of(state, 0)
        yield from self.calls_of(state, 1)
        yield from self.timeouts(state)
        yield from self.arrivals(state)
        yield from self._opens(state)

    def may_call(self, state: CompositionState, side: int, call: Call) -> bool:
        if state.incarnations[side]:
            return call is Call.SEND and state.ends[side].sent < self.reopening.text[side]
        return super().may_call(state, side, call)

    def outcome_of(self, block: Block, segment: Segment) -> Outcome:
        return received(self.configuration, block, segment)

    # --- timers -----------------------------------------------------------------------------------------------------

    def timers(self, state: CompositionState) -> tuple[Clock, ...]:
        """The running timers of the ends that are still in the old incarnation."""
        old = [end for end, number in zip(ENDS, state.incarnations, strict=True) if not number]
        quiet = (Clock(QUIET, end) for end, crashed in zip(ENDS, state.crashed, strict=True) if crashed and end in old)
        return (*(clock for clock in super().timers(state) if clock.owner in old), *quiet)

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        state = state_of(location)
        known = self.clocks(state)
        return tuple(bound for bound in super().invariant(location) if bound.clock in known)

    def timeouts(self, state: CompositionState) -> Iterator[Edge]:
        """The timeouts of ends in the old incarnation, and retransmissions at any time in the next one."""
        for side, end in enumerate(ENDS):
            if not state.incarnations[side]:
                yield from self.timeouts_of(state, side)
            elif Timer.RETRANSMISSION in running(state.ends[side], self.unlimited):
                outcome = timer_fires(state.ends[side], Timer.RETRANSMISSION, self.unlimited)
                clocked = self.channel.unchanged(state.network)
                yield from self.step(state, side, Action("timer", end, Timer.RETRANSMISSION), (), outcome, clocked, frozenset())

    # --- users ------------------------------------------------------------------------------------------------------

    def _opens(self, state: CompositionState) -> Iterator[Edge]:
        for side, end in enumerate(ENDS):
            if not may_open(self.configuration, state.ends, state.incarnations, side, state.crashed):
                continue
            guard = (Bound(Clock(QUIET, end), ">", self.reopening.quiet_name),) if state.crashed[side] else ()
            for call in OPENS:
                outcome = user_calls(state.ends[side], call, self.configuration.behaviour)
                clocked = [self._released(entry, end) for entry in self.channel.unchanged(state.network)]
                incarnations = (1, state.incarnations[1]) if side == 0 else (state.incarnations[0], 1)
                opened = state._replace(lost=(0, 0), phase=Phase.REOPENED, incarnations=incarnations)
                yield from self.step(opened, side, Action("call", end, call), guard, outcome, clocked, frozenset())

    def _crash(self, state: CompositionState) -> Iterator[Edge]:
        """The crash of a host, at any instant: it forgets the connection, and sends nothing."""
        for side, end in enumerate(ENDS):
            if not may_crash(self.configuration, state.incarnations, side, state.crashed):
                continue
            clocked = [self._released(entry, end) for entry in self.channel.unchanged(state.network)]
            crashed = (True, False) if side == 0 else (False, True)
            lost = state._replace(lost=(0, 0), phase=Phase.REOPENED, crashed=crashed)
            outcome = Outcome(Block(State.CLOSED), rules=("incarnation.crash",))
            yield from self._across(lost, side, Action("crash", end, LOST_MEMORY), (), Crossing(outcome, (), ""), clocked)

    def _released(self, entry: ClockedPacket, receiver: str) -> ClockedPacket:
        """A packet, which need not arrive at an end that opens again."""
        if entry.packet.sender == receiver or not entry.packet.must_be_delivered:
            return entry
        return ClockedPacket(entry.packet._replace(must_be_delivered=False, further=0), entry.age)

    # --- arrivals ---------------------------------------------------------------------------------------------------

    def arrivals(self, state: CompositionState) -> Iterator[Edge]:
        if state.phase is Phase.FIRST:
            yield from super().arrivals(state)
            return
        network = state.network
        for index, packet in enumerate(network):
            if self.channel.blocked(network, index):
                continue
            side = 1 - ENDS.index(packet.sender)
            ages = () if packet.segment.incarnation else (self.channel.age(network, index),)
            guard = tuple(Bound(age, "<=", "MSL") for age in ages)
            action = Action("deliver", ENDS[side], (packet.sender, packet.segment))
            for crossing in self._ways(state, side, packet.segment):
                idle = changes_nothing(state.ends[side], crossing.outcome) and not crossing.broken
                if idle and self.channel.merged and not packet.must_be_delivered:
                    continue
                clocked = self.channel.deliver(network, index)
                yield from self._across(state, side, action, guard, crossing, clocked)

    def _ways(self, state: CompositionState, side: int, segment: Segment) -> tuple[Crossing, ...]:
        """The ways in which a segment may count at an end: one in its own incarnation."""
        if is_quiet(state.incarnations, side, state.crashed):
            return (Crossing(Outcome(state.ends[side]), (), ""),)
        if segment.incarnation != state.incarnations[side]:
            return self.crossing(state.ends, state.incarnations, side, segment, state.isns)
        outcome = self.received(state.ends[side], side, segment)
        return (Crossing(outcome._replace(replies=answers(outcome.replies, segment.incarnation, segment)), (), ""),)

    def _crossing(
        self, ends: tuple[Block, Block], incarnations: tuple[int, int], side: int, segment: Segment, isns: KnownIsns
    ) -> tuple[Crossing, ...]:
        return crossings(self.configuration, ends, incarnations, side, segment, isns)

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
        if state.phase is Phase.FIRST:
            yield from super().step(state, side, action, guard, outcome, clocked, fair)
            return
        sent = outcome._replace(replies=stamped(outcome.replies, state.incarnations[side]))
        yield from self._across(state, side, action, guard, Crossing(sent, (), ""), clocked)

    def _across(
        self,
        state: CompositionState,
        side: int,
        action: Action,
        guard: tuple[Bound, ...],
        crossing: Crossing,
        clocked: list[ClockedPacket],
    ) -> Iterator[Edge]:
        """A step after an end has opened again: no reply need be delivered, so a loss adds nothing."""
        outcome = crossing.outcome
        if crossing.opens:
            state = state._replace(incarnations=(1, 1), isns=crossing.isns)
            clocked = [self._released(entry, ENDS[side]) for entry in clocked]
        ends = (outcome.block, state.ends[1]) if side == 0 else (state.ends[0], outcome.block)
        broken = frozenset(dict(crossing.broken))
        if not state.incarnations[side]:
            broken |= violated_properties(state.ends, ends, side, outcome) - {"integrity"}
        done = Action(action.kind, action.actor, action.subject, (False,) * len(outcome.replies), outcome.rules)
        witnesses = self._witnessed(state, side, outcome)
        if crossing.harmful:
            yield Edge(done, guard, OVER, (), violates=broken, witnesses=witnesses)
            return
        for reply in outcome.replies:
            clocked = self._sent(clocked, ENDS[side], reply)
        network, updates = self.channel.settle(clocked)
        target = state._replace(ends=ends, network=network)
        if _past(target):
            yield Edge(done, guard, OVER, (), violates=broken, witnesses=witnesses)
            return
        started = {timer.value for timer in outcome.started} | ({QUIET} if action.kind == "crash" else set())
        kept = set(self.timers(state)) - {Clock(role, ENDS[side]) for role in started}
        timers = tuple(clock if clock in kept else None for clock in self.timers(target))
        yield Edge(done, guard, target, (*timers, *updates), violates=broken, witnesses=witnesses)

    def _sent(self, clocked: list[ClockedPacket], sender: str, segment: Segment) -> list[ClockedPacket]:
        """The network after one more copy was sent; a segment of the next incarnation that is in flight stays there."""
        if not segment.incarnation:
            return self.channel.send(clocked, sender, segment, False)
        packet = PacketInFlight(sender, segment, False, None)
        if any(entry.packet == packet for entry in clocked):
            return clocked
        return [*clocked, ClockedPacket(packet, None)]

    def _witnessed(self, state: CompositionState, side: int, outcome: Outcome) -> frozenset[str]:
        """What a step proves possible; the next incarnation has names of its own, and is open once an end is ESTABLISHED."""
        names = self.witnesses(state.ends[side], outcome)
        if not state.incarnations[side]:
            return names
        open_again = {"reopen"} if outcome.block.state is State.ESTABLISHED else set()
        return frozenset({f"next: {name}" for name in names} | open_again)


def unlimited(behaviour: Behaviour) -> Behaviour:
    """The behaviour of an end of the next incarnation, which retransmits without limit, at any time."""
    return replace(behaviour, retries=None, backoff=1)


def _past(state: CompositionState) -> bool:
    """Whether the next incarnation is open and nothing old is left, so that nothing can be violated any more."""
    if state.incarnations != (1, 1) or any(not packet.segment.incarnation for packet in state.network):
        return False
    return any(block.state is State.ESTABLISHED for block in state.ends)


def may_open(
    configuration: Configuration,
    ends: tuple[Block, Block],
    incarnations: tuple[int, int],
    side: int,
    crashed: tuple[bool, bool] = (False, False),
) -> bool:
    """Whether the user of an end may open the next incarnation: it is CLOSED, and the other end too or it has opened.

    Where a host crashes, no end opens before that, and its own end does not wait for the other one.
    """
    if incarnations[side] or ends[side].state is not State.CLOSED:
        return False
    if configuration.reopening.crash is not Crash.NONE and not any(crashed):
        return False
    other = 1 - side
    early = configuration.reopening.early or crashed[side]
    return early or bool(incarnations[other]) or ends[other].state is State.CLOSED


def may_crash(configuration: Configuration, incarnations: tuple[int, int], side: int, crashed: tuple[bool, bool]) -> bool:
    """Whether the host of an end may lose all memory: it is the one that crashes, once, in the old incarnation."""
    return configuration.reopening.crash == ENDS[side].lower() and not any(crashed) and not any(incarnations)


def is_quiet(incarnations: tuple[int, int], side: int, crashed: tuple[bool, bool]) -> bool:
    """Whether an end has lost all memory and not opened again; it then sends nothing."""
    return crashed[side] and not incarnations[side]


def compose(configuration: Configuration, told_apart: int = 1) -> Composition:
    """The timed automaton of a configuration; for `told_apart` see `timewait.spec.network.Channel`."""
    kind = HandshakeComposition if configuration.reopening.handshake else Composition
    return kind(configuration, told_apart)
