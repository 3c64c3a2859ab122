"""The reference semantics: the specification carried out packet by packet, in exact time, without abstraction.

Engines merge packets, build quotients and count time in ticks or zones. A run that an engine finds is accepted only if it
can be carried out here, where every packet in flight is an object of its own with the time at which it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.duration import format_duration
from timewait.spec.endpoint import allowed_calls, running, timer_fires, timer_length, user_calls
from timewait.spec.exchange import ENDS, EndPair, delivery_matters, pending, recurrent_properties, reply_windows, violations
from timewait.spec.handshake import OPENS, is_quiet, may_crash, may_open, unlimited
from timewait.spec.incarnation import (
    HARMS,
    INCARNATION_RULES,
    UNKNOWN,
    Crossing,
    KnownIsns,
    answers,
    crossings,
    harm_in_words,
    harm_of,
    harm_rule,
    rule_of,
    stamped,
)
from timewait.spec.old_syn import at_start, received
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.reference_packets import TimedPacket, after_arrival, due_together, has_to_wait
from timewait.spec.reference_time import late_in_words
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.state import ESTABLISHED, Block, State
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Event, ImpossibleMove, Packet, RunningTimer

COMMON_TIMERS = (Timer.RETRANSMISSION, Timer.TIME_WAIT, Timer.FIN_WAIT_2)
"""The timers that every trace shows."""


@dataclass(frozen=True, slots=True)
class ReferenceState:
    """The state of a replay (a `timewait.vocabulary.replay.ReplayState`)."""

    configuration: Configuration
    ends: EndPair
    now: Fraction = Fraction(0)
    in_transit: tuple[TimedPacket, ...] = ()
    started: Mapping[tuple[str, Timer], Fraction] = field(default_factory=dict)
    lost: tuple[int, int] = (0, 0)
    copies: int = 0
    reopened: bool = False
    incarnations: tuple[int, int] = (0, 0)
    isns: KnownIsns = UNKNOWN
    crashed_at: Fraction | None = None
    event: Event = field(default_factory=lambda: Event("", "the connection is open"))
    broken: frozenset[str] = frozenset()
    recurrent: frozenset[str] = frozenset()

    @property
    def pending(self) -> frozenset[str]:
        return frozenset() if self.reopened or self._later else pending(self.ends)

    @property
    def _later(self) -> bool:
        """Whether an end has opened again, or lost all memory."""
        return any(self.incarnations) or self.crashed_at is not None

    @property
    def _crashed(self) -> tuple[bool, bool]:
        """Whether A and whether B has lost all memory."""
        crash = self.configuration.reopening.crash if self.crashed_at is not None else ""
        return crash == "a", crash == "b"

    def is_quiet(self, side: int) -> bool:
        """Whether an end has lost all memory and not opened again; 0 is A, 1 is B."""
        return is_quiet(self.incarnations, side, self._crashed)

    # --- time -------------------------------------------------------------------------------------------------------

    def wait(self, delay: Fraction) -> ReferenceState:
        later = self.now + delay
        if delay < 0:
            raise ImpossibleMove(f"waits {delay}s")
        for (end, timer), since in self.started.items():
            old = not self.incarnations[ENDS.index(end)]
            if old and timer is Timer.RETRANSMISSION and later > since + self._gap(end) + self.configuration.rto_slack:
                most = format_duration(self._gap(end) + self.configuration.rto_slack)
                raise ImpossibleMove(f"{end} must retransmit {most} after it last did")
        for packet, _, sent in self.in_transit:
            if packet.must_be_delivered and later > sent + self.configuration.msl:
                raise ImpossibleMove(
                    f"{packet.sender}'s {packet.segment}, sent at {format_duration(sent)}, must arrive within MSL"
                )
        lasting = (entry for entry in self.in_transit if later <= entry.sent + self.configuration.msl or entry.is_new)
        alive = tuple(lasting)
        return replace(self, now=later, in_transit=alive)

    def _gap(self, end: str) -> Fraction:
        return self.configuration.rto[min(self.ends[ENDS.index(end)].tries, len(self.configuration.rto) - 1)]

    def _length(self, end: str, timer: Timer) -> Fraction:
        """The time after which a running timer, the retransmission timer apart, may expire."""
        block = self.ends[ENDS.index(end)]
        return self.configuration.parameters[timer_length(block, timer, self.configuration.behaviour)]

    # --- actions ----------------------------------------------------------------------------------------------------

    def act(self, action: Action) -> tuple[ReferenceState, ...]:
        match action.kind:
            case "call":
                return (self._call(action),)
            case "timer":
                return (self._timer(action),)
            case "crash":
                return (self._crash(action.actor),)
            case "reopen":
                return (self._reopen(),)
            case "deliver":
                return self._deliver(action)
            case "inject":
                return (self._injected(action),)
            case other:
                raise ImpossibleMove(f"there is no action {other}")

    def _call(self, action: Action) -> ReferenceState:
        side, call = ENDS.index(action.actor), Call(str(action.subject))
        block = self.ends[side]
        if call in OPENS:
            return self._open(side, call, action)
        if self.incarnations[side]:
            return self._call_in_next(side, call, action)
        if call is Call.SEND and block.sent >= self.configuration.text[side]:
            raise ImpossibleMove(f"the user of {action.actor} has nothing more to send")
        if call is Call.CLOSE and side == 1 and block.state is State.ESTABLISHED and not self.configuration.both_close:
            raise ImpossibleMove("B closes second")
        try:
            outcome = user_calls(block, call, self.configuration.behaviour)
        except ValueError as error:
            raise ImpossibleMove(str(error)) from error
        if self._later:
            return self._after_opening(side, Crossing(outcome, (), ""), action, f"user calls {call}", None)
        return self._after(side, outcome, action, f"user calls {call}", None)

    def _crash(self, end: str) -> ReferenceState:
        """The state after the host of an end lost all memory."""
        side = ENDS.index(end)
        if not may_crash(self.configuration, self.incarnations, side, self._crashed):
            raise ImpossibleMove(f"the host of {end} does not lose its memory")
        opened = replace(self._released(side), crashed_at=self.now)
        outcome = Outcome(Block(State.CLOSED), rules=("incarnation.crash",))
        text = "loses all memory, and keeps quiet"
        return opened._after_opening(side, Crossing(outcome, (), ""), Action("crash", end, ""), text, None)

    def _open(self, side: int, call: Call, action: Action) -> ReferenceState:
        """The state after a user opens the next incarnation."""
        allowed = may_open(self.configuration, self.ends, self.incarnations, side, self._crashed)
        quiet = self.configuration.parameters[self.configuration.reopening.quiet_name]
        still = self._crashed[side] and self.crashed_at is not None and self.now <= self.crashed_at + quiet
        if not self.configuration.reopening.handshake or not allowed or still:
            raise ImpossibleMove(f"{action.actor} cannot open the next incarnation yet")
        outcome = user_calls(self.ends[side], call, self.configuration.behaviour)
        return self._opened(side)._after_opening(side, Crossing(outcome, (), ""), action, f"user calls {call}", None)

    def _opened(self, side: int) -> ReferenceState:
        """The state with an end in the next incarnation."""
        return replace(self._released(side), incarnations=(1, self.incarnations[1]) if side == 0 else (self.incarnations[0], 1))

    def _released(self, side: int) -> ReferenceState:
        """The state in which old packets need not arrive at an end any more."""
        free = (e._replace(packet=e.packet._replace(must_be_delivered=e.is_due_at(1 - side))) for e in self.in_transit)
        return replace(self, in_transit=tuple(free), lost=(0, 0))

    def _call_in_next(self, side: int, call: Call, action: Action) -> ReferenceState:
        block = self.ends[side]
        if call is not Call.SEND or block.sent >= self.configuration.reopening.text[side] or call not in allowed_calls(block):
            raise ImpossibleMove(f"the user of {action.actor} has nothing to call in the next incarnation")
        outcome = user_calls(block, call, self.configuration.behaviour)
        return self._after_opening(side, Crossing(outcome, (), ""), action, f"user calls {call}", None)

    def _retransmit_in_next(self, side: int, action: Action) -> ReferenceState:
        """The state after a retransmission in the next incarnation, which may happen at any time."""
        outcome = timer_fires(self.ends[side], Timer.RETRANSMISSION, unlimited(self.configuration.behaviour))
        elapsed = self.now - self.started[action.actor, Timer.RETRANSMISSION]
        text = f"retransmits after {format_duration(elapsed)}"
        return self._after_opening(side, Crossing(outcome, (), ""), action, text, None)

    def _timer(self, action: Action) -> ReferenceState:
        side, timer = ENDS.index(action.actor), Timer(str(action.subject))
        since = self.started.get((action.actor, timer))
        if since is None:
            raise ImpossibleMove(f"the {timer} timer of {action.actor} does not run")
        if self.incarnations[side]:
            return self._retransmit_in_next(side, action)
        elapsed = self.now - since
        configuration = self.configuration
        match timer:
            case Timer.RETRANSMISSION:
                gap = self._gap(action.actor)
                least, most = (gap, gap + configuration.rto_slack) if configuration.rto_exact else (Fraction(0), gap)
                may_fire = elapsed > 0 and least <= elapsed <= most
            case Timer.TIME_WAIT if configuration.behaviour.time_wait_cut:
                may_fire = True
            case _:
                may_fire = elapsed > self._length(action.actor, timer)
        if not may_fire:
            raise ImpossibleMove(f"the {timer} timer of {action.actor} shows {format_duration(elapsed)} and cannot fire")
        outcome = timer_fires(self.ends[side], timer, configuration.behaviour)
        late = "" if timer is Timer.RETRANSMISSION else late_in_words(elapsed, self._length(action.actor, timer))
        text = {
            Timer.RETRANSMISSION: f"retransmits after {format_duration(elapsed)}",
            Timer.TIME_WAIT: f"leaves TIME_WAIT after {format_duration(elapsed)}"
            f" (TIME_WAIT is {format_duration(configuration.time_wait)}{late})",
        }.get(timer, f"gives up {self.ends[side].state} after {format_duration(elapsed)}{late}")
        if self._later:
            return self._after_opening(side, Crossing(outcome, (), ""), action, text, None)
        return self._after(side, outcome, action, text, None)

    def _reopen(self) -> ReferenceState:
        if self.configuration.reopening.handshake:
            raise ImpossibleMove("the next incarnation opens by a handshake")
        if self.reopened or any(block.state is not State.CLOSED for block in self.ends):
            raise ImpossibleMove("both ends must be CLOSED before they open again")
        rules = (("incarnation.reopen", *INCARNATION_RULES["incarnation.reopen"]),)
        event = Event("users", "open the same addresses and ports again", rules=rules)
        return replace(self, reopened=True, lost=(0, 0), event=event, broken=frozenset(), recurrent=frozenset())

    def _injected(self, action: Action) -> ReferenceState:
        """The state after a third party has sent a segment in the name of an end."""
        sender, segment = self._subject(action)
        entry = TimedPacket(PacketInFlight(sender, segment, False, self.configuration.duplication), self.copies + 1, self.now)
        event = Event("network", f"sends {segment} in the name of {sender}", sent=(self._copy(entry),))
        later = replace(self, in_transit=(*self.in_transit, entry), copies=self.copies + 1, event=event)
        return replace(later, broken=frozenset(), recurrent=frozenset())

    def _deliver(self, action: Action) -> tuple[ReferenceState, ...]:
        """One result for each copy that may be the one that arrives, and one for all that must be delivered at once."""
        sender, segment = self._subject(action)
        ready = [
            index
            for index, (packet, _, _) in enumerate(self.in_transit)
            if (packet.sender, packet.segment) == (sender, segment)
            and not (self.configuration.fifo and has_to_wait(self.in_transit, index))
        ]
        if not ready:
            raise ImpossibleMove(f"no copy of {sender}'s {segment} can arrive")
        ready.sort(key=lambda index: (not self.in_transit[index].packet.must_be_delivered, self.in_transit[index].sent))
        due = due_together(self.in_transit, sender, segment, in_order=self.configuration.fifo)
        if self.configuration.duplication is None and not self.configuration.fifo:
            # Each copy may arrive again, so only the obligations differ, and the oldest obligation must be met first.
            ready = ready[:1]
        if self._later:
            return tuple(state for index in ready for state in self._arrive_after_opening(index, action))
        results = [self._arrive(index, action) for index in ready]
        if self.configuration.duplication is None and len(due) > 1:
            results.append(self._arrive_together(due, action))
        return tuple(results)

    def _arrive_together(self, due: list[int], action: Action) -> ReferenceState:
        """All these copies at the same instant; later answers are lost like the first, unless that exceeds the loss budget."""
        state = self
        for due_number in due:
            index = next(index for index, (_, number, _) in enumerate(state.in_transit) if number == due_number)
            state = self._arrive(index, action) if state is self else state._arrive_again(index, action)
        return state

    def _arrive_again(self, index: int, action: Action) -> ReferenceState:
        """The arrival of a further copy, answered as the first was if possible, else with nothing lost."""
        for losses in (action.lost, (False,) * len(action.lost), (False,) * (1 - len(action.lost))):
            with suppress(ImpossibleMove):
                return self._arrive(index, replace(action, lost=losses))
        raise ImpossibleMove(f"no losses make the arrival of a further copy possible for {action}")

    def _subject(self, action: Action) -> tuple[str, Segment]:
        match action.subject:
            case (str() as sender, Segment() as segment):
                return sender, segment
        raise ImpossibleMove(f"{action.subject!r} is not a segment with its sender")

    def _arrive(self, index: int, action: Action) -> ReferenceState:
        arrived = self.in_transit[index]
        sender, segment = arrived.packet.sender, arrived.packet.segment
        side = 1 - ENDS.index(sender)
        in_transit = after_arrival(self.in_transit, index, in_order=self.configuration.fifo)
        text = f"receives {segment} ({format_duration(self.now - arrived.sent)} old)"
        if self.reopened:
            harm = harm_of(segment)
            breaks = harm_in_words(harm, sender, ENDS[side], str(segment))
            copy, rules = self._copy(arrived), (harm_rule(harm),)
            event = Event(ENDS[side], f"{text} in the next incarnation", copy, rules=rules, breaks=breaks)
            return replace(self, in_transit=in_transit, event=event, broken=frozenset(dict(breaks)), recurrent=frozenset())
        outcome = self._received(self.ends[side], side, segment)
        return replace(self, in_transit=in_transit)._after(side, outcome, action, text, self._copy(arrived))

    def _arrive_after_opening(self, index: int, action: Action) -> tuple[ReferenceState, ...]:
        """One result for each way in which a segment may count at an end of another incarnation."""
        arrived = self.in_transit[index]
        sender, segment = arrived.packet.sender, arrived.packet.segment
        side = 1 - ENDS.index(sender)
        text = f"receives {segment} ({format_duration(self.now - arrived.sent)} old)"
        if self.is_quiet(side):
            ways: tuple[Crossing, ...] = (Crossing(Outcome(self.ends[side]), (), ""),)
        elif segment.incarnation == self.incarnations[side]:
            outcome = self._received(self.ends[side], side, segment)
            sent = answers(outcome.replies, segment.incarnation, segment)
            ways = (Crossing(outcome._replace(replies=sent), (), ""),)
        else:
            ways = crossings(self.configuration, self.ends, self.incarnations, side, segment, self.isns)
        later = replace(self, in_transit=after_arrival(self.in_transit, index, in_order=self.configuration.fifo))
        found = []
        for way in ways:
            if len(action.lost) == len(way.outcome.replies):
                where = f" in the {('old', 'next')[self.incarnations[side]]} incarnation, {way.place}" if way.place else ""
                opened = replace(later._opened(side), isns=way.isns) if way.opens else later
                found.append(opened._after_opening(side, way, action, text + where, self._copy(arrived)))
        if not found:
            raise ImpossibleMove(f"{ENDS[side]} does not send {len(action.lost)} segments in answer to {sender}'s {segment}")
        return tuple(found)

    def _after_opening(self, side: int, crossing: Crossing, action: Action, text: str, received: Packet | None) -> ReferenceState:
        """The state after an event once an end has opened again: no segment sent is under the loss budget."""
        outcome = crossing.outcome
        _check_losses(action, len(outcome.replies))
        ends = (outcome.block, self.ends[1]) if side == 0 else (self.ends[0], outcome.block)
        sent: list[Packet] = []
        in_transit = self.in_transit
        own = stamped(outcome.replies, self.incarnations[side]) if received is None else outcome.replies
        for segment, is_lost in zip(own, action.lost, strict=True):
            times = None if segment.incarnation else self.configuration.duplication
            packet = PacketInFlight(ENDS[side], segment, False, times)
            entry = TimedPacket(packet, self.copies + len(sent) + 1, self.now)
            sent.append(self._copy(entry, lost=is_lost))
            in_transit += () if is_lost else (entry,)
        broken = dict(crossing.broken)
        if not self.incarnations[side]:
            broken |= {name: why for name, why in violations(self.ends, ends, side, outcome).items() if name != "integrity"}
        rules = [(name, *rule_of(name)) for name in outcome.rules]
        rules += [harm_rule(name) for name in broken if name in HARMS]
        event = Event(
            ENDS[side], text, received, tuple(sent), tuple(rules), tuple(broken.items()), starts=tuple(sorted(outcome.started))
        )
        return replace(
            self,
            ends=ends,
            in_transit=in_transit,
            started=self._timers_after(side, outcome),
            copies=self.copies + len(sent),
            event=event,
            broken=frozenset(broken),
            recurrent=frozenset(),
        )

    def _received(self, block: Block, side: int, segment: Segment) -> Outcome:
        outcome = received(self.configuration, block, segment)
        if self.configuration.scope is Scope.CORE and side == 1 and block.state is State.CLOSED:
            return Outcome(block, rules=outcome.rules)
        return outcome

    def _relieved(self, ends: EndPair, entry: TimedPacket) -> TimedPacket:
        """The packet, which need not be delivered if its delivery does not matter and it may arrive any number of times."""
        packet = entry.packet
        if not packet.must_be_delivered or packet.left is not None or self.configuration.fifo:
            return entry
        side = 1 - ENDS.index(packet.sender)
        outcome = self._received(ends[side], side, packet.segment)
        if delivery_matters(ends, side, outcome, (True, self.configuration.both_close)):
            return entry
        return entry._replace(packet=packet._replace(must_be_delivered=False))

    def _copy(self, entry: TimedPacket, *, lost: bool = False) -> Packet:
        """The packet as a trace describes it."""
        return entry.described(self.configuration.msl, lost=lost)

    def _after(self, side: int, outcome: Outcome, action: Action, text: str, received: Packet | None) -> ReferenceState:
        """The state after an event: the new block, the restarted timers, the replies in flight."""
        _check_losses(action, len(outcome.replies))
        ends = (outcome.block, self.ends[1]) if side == 0 else (self.ends[0], outcome.block)
        lost = list(self.lost)
        if Effect.FIN_ACCEPTED in outcome.effects:
            lost[side] = 0
        in_transit = self.in_transit
        sent: list[Packet] = []
        if self.configuration.lossless and any(action.lost):
            raise ImpossibleMove("the network loses nothing")
        for segment, is_lost in zip(outcome.replies, action.lost, strict=True):
            windows = reply_windows(ends, side, segment, outcome, (True, self.configuration.both_close))
            budgeted = bool(windows) and self.configuration.loss is not None
            for waiter in windows if is_lost else ():
                lost[waiter] += 1
            if self.configuration.loss is not None and max(lost) > self.configuration.loss:
                raise ImpossibleMove(f"more than {self.configuration.loss} losses in one loss window")
            number = self.copies + len(sent) + 1
            must_be_delivered = budgeted or self.configuration.lossless
            packet = PacketInFlight(ENDS[side], segment, must_be_delivered, self.configuration.duplication)
            entry = TimedPacket(packet, number, self.now)
            sent.append(self._copy(entry, lost=is_lost))
            if not is_lost:
                in_transit += (entry,)
        broken = violations(self.ends, ends, side, outcome)
        event = Event(
            ENDS[side],
            text,
            received,
            tuple(sent),
            tuple((name, *rule_of(name)) for name in outcome.rules),
            tuple(broken.items()),
            starts=tuple(sorted(outcome.started & {*running(outcome.block, self.configuration.behaviour)})),
        )
        return replace(
            self,
            ends=ends,
            in_transit=tuple(self._relieved(ends, entry) for entry in in_transit),
            started=self._timers_after(side, outcome),
            lost=(lost[0], lost[1]),
            copies=self.copies + len(sent),
            event=event,
            broken=frozenset(broken),
            recurrent=recurrent_properties(ends, outcome),
        )

    def _timers_after(self, side: int, outcome: Outcome) -> dict[tuple[str, Timer], Fraction]:
        """The running timers after an event at an end, with the time at which each started."""
        started = {key: since for key, since in self.started.items() if key[0] != ENDS[side]}
        for timer in running(outcome.block, self.configuration.behaviour):
            since = self.started.get((ENDS[side], timer), self.now)
            started[ENDS[side], timer] = self.now if timer in outcome.started else since
        return started

    # --- for traces -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, str | int]:
        variables: dict[str, str | int] = {}
        for end, block in zip(ENDS, self.ends, strict=True):
            variables[f"{end}.state"] = "new incarnation" if self.reopened else str(block.state)
            variables |= {f"{end}.una": block.una, f"{end}.nxt": block.nxt, f"{end}.rcv": block.rcv}
            for timer in Timer if self.configuration.limits else COMMON_TIMERS:
                since = self.started.get((end, timer))
                variables[f"{end}.{timer}"] = "off" if since is None else f"since {format_duration(since)}"
            variables[f"lost.{end}"] = self.lost[ENDS.index(end)]
            if self.configuration.reopening.handshake:
                variables[f"{end}.incarnation"] = self.incarnations[ENDS.index(end)]
        variables["in flight"] = "; ".join(
            f"{packet.sender}: {packet.segment} sent {format_duration(sent)}" for packet, _, sent in self.in_transit
        )
        return variables

    def in_flight(self) -> tuple[Packet, ...]:
        return tuple(map(self._copy, self.in_transit))

    def timers(self) -> tuple[RunningTimer, ...]:
        return tuple(
            RunningTimer(timer.value, end, since, self._gap(end) + self.configuration.rto_slack, False)
            if timer is Timer.RETRANSMISSION
            else RunningTimer(timer.value, end, since, self._length(end, timer), True)
            for (end, timer), since in sorted(self.started.items())
        )

    def about(self) -> dict[str, Any]:
        return configuration_as_data(self.configuration)

    def loop_key(self) -> tuple[EndPair, bool, tuple[int, int]]:
        return self.ends, self.reopened, self.incarnations


def _check_losses(action: Action, sent: int) -> None:
    """Raise `ImpossibleMove` unless an action says of each segment sent whether it is lost."""
    if len(action.lost) != sent:
        raise ImpossibleMove(f"{action.actor} sends {sent} segments, not {len(action.lost)}")


def initial_state(configuration: Configuration) -> ReferenceState:
    """The state in which every run of a configuration starts."""
    ends = (ESTABLISHED, ESTABLISHED)
    if configuration.scope is Scope.CORE:
        waiting = Block(State.FIN_WAIT_2, una=2, nxt=2, rcv=1)
        ends = (waiting, Block(State.CLOSE_WAIT, una=1, nxt=1, rcv=2))
    timers = ((end, timer) for end, block in zip(ENDS, ends, strict=True) for timer in running(block, configuration.behaviour))
    started = dict.fromkeys(timers, Fraction(0))
    in_transit = tuple(TimedPacket(packet, 1, Fraction(0)) for packet in at_start(configuration))
    return ReferenceState(configuration, ends, in_transit=in_transit, started=started, copies=len(in_transit))
