"""The specification carried out copy by copy, in real time, without any abstraction.

Engines merge copies, fold locations and count in ticks or zones. A run they find is believed only when it
can be carried out here, where every copy is a thing of its own with the instant at which it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.duration import format_duration
from timewait.spec.endpoint import RULES, Call, Effect, Outcome, Timer, running, segment_arrives, timer_fires, user_calls
from timewait.spec.exchange import ENDS, EndPair, delivery_matters, loss_windows, pending, recurrent_properties, violations
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.segment import Segment
from timewait.spec.state import ESTABLISHED, Block, State
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Event, ImpossibleMove, Packet, RunningTimer

INCARNATION_RULES = {
    "incarnation.reopen": ("RFC 9293 3.10.1", "both ends are CLOSED: the same addresses and ports are opened again"),
    "incarnation.intrusion": ("RFC 9293 3.4.3", "an old segment arrives in the window of the next incarnation"),
}
"""Rules that are no endpoint's own."""


@dataclass(frozen=True, slots=True)
class ReferencePacket:
    """A copy in flight: its number, who sent what, when (seconds), whether it must still arrive, how often it still may."""

    number: int
    sender: str
    segment: Segment
    sent: Fraction
    must_be_delivered: bool
    left: int | None


@dataclass(frozen=True, slots=True)
class ReferenceState:
    """One moment of a replay (a `timewait.vocabulary.replay.ReplayState`)."""

    configuration: Configuration
    ends: EndPair
    now: Fraction = Fraction(0)
    flying: tuple[ReferencePacket, ...] = ()
    started: Mapping[tuple[str, Timer], Fraction] = field(default_factory=dict)
    lost: tuple[int, int] = (0, 0)
    copies: int = 0
    reopened: bool = False
    event: Event = field(default_factory=lambda: Event("", "the connection is open"))
    broken: frozenset[str] = frozenset()
    recurrent: frozenset[str] = frozenset()

    @property
    def pending(self) -> frozenset[str]:
        return frozenset() if self.reopened else pending(self.ends)

    # --- time -------------------------------------------------------------------------------------------------------

    def wait(self, delay: Fraction) -> ReferenceState:
        later = self.now + delay
        if delay < 0:
            raise ImpossibleMove(f"waits {delay}s")
        if not self.reopened:
            for (end, timer), since in self.started.items():
                if timer is Timer.RETRANSMISSION and later > since + self._gap(end):
                    raise ImpossibleMove(f"{end} must retransmit {format_duration(self._gap(end))} after it last did")
        for copy in self.flying:
            if copy.must_be_delivered and later > copy.sent + self.configuration.msl:
                raise ImpossibleMove(
                    f"{copy.sender}'s {copy.segment}, sent at {format_duration(copy.sent)}, must arrive within MSL"
                )
        alive = tuple(copy for copy in self.flying if later <= copy.sent + self.configuration.msl)
        return replace(self, now=later, flying=alive)

    def _gap(self, end: str) -> Fraction:
        block = self.ends[ENDS.index(end)]
        return self.configuration.rto[min(block.tries, len(self.configuration.rto) - 1)]

    # --- actions ----------------------------------------------------------------------------------------------------

    def act(self, action: Action) -> tuple[ReferenceState, ...]:
        match action.kind:
            case "call":
                return (self._call(action),)
            case "timer":
                return (self._timer(action),)
            case "reopen":
                return (self._reopen(),)
            case "deliver":
                return self._deliver(action)
            case other:
                raise ImpossibleMove(f"nobody knows how to {other}")

    def _call(self, action: Action) -> ReferenceState:
        side = ENDS.index(action.actor)
        call = Call(str(action.subject))
        block = self.ends[side]
        if call is Call.SEND and block.sent >= self.configuration.text[side]:
            raise ImpossibleMove(f"the user of {action.actor} has nothing more to send")
        if call is Call.CLOSE and side == 1 and block.state is State.ESTABLISHED and not self.configuration.both_close:
            raise ImpossibleMove("B closes second")
        try:
            outcome = user_calls(block, call, self.configuration.behaviour)
        except ValueError as error:
            raise ImpossibleMove(str(error)) from error
        return self._after(side, outcome, action, f"user calls {call}", None)

    def _timer(self, action: Action) -> ReferenceState:
        side = ENDS.index(action.actor)
        timer = Timer(str(action.subject))
        since = self.started.get((action.actor, timer))
        if since is None or self.reopened:
            raise ImpossibleMove(f"the {timer} timer of {action.actor} does not run")
        shown = self.now - since
        configuration = self.configuration
        match timer:
            case Timer.RETRANSMISSION:
                ripe = shown == self._gap(action.actor) if configuration.rto_exact else 0 < shown <= self._gap(action.actor)
            case Timer.TIME_WAIT:
                ripe = shown > configuration.time_wait
            case Timer.FIN_WAIT_2:
                ripe = shown > configuration.fin_wait_2
        if not ripe:
            raise ImpossibleMove(f"the {timer} timer of {action.actor} shows {format_duration(shown)} and cannot fire")
        outcome = timer_fires(self.ends[side], timer, configuration.behaviour)
        words = {
            Timer.RETRANSMISSION: f"retransmits after {format_duration(shown)}",
            Timer.TIME_WAIT: f"leaves TIME_WAIT after {format_duration(shown)}"
            f" (TIME_WAIT is {format_duration(configuration.time_wait)})",
            Timer.FIN_WAIT_2: f"gives up FIN_WAIT_2 after {format_duration(shown)}",
        }[timer]
        return self._after(side, outcome, action, words, None)

    def _reopen(self) -> ReferenceState:
        if self.reopened or any(block.state is not State.CLOSED for block in self.ends):
            raise ImpossibleMove("both ends must be CLOSED before they open again")
        rule = ("incarnation.reopen", *INCARNATION_RULES["incarnation.reopen"])
        event = Event("users", "open the same addresses and ports again", rules=(rule,))
        return replace(self, reopened=True, lost=(0, 0), event=event, broken=frozenset(), recurrent=frozenset())

    def _deliver(self, action: Action) -> tuple[ReferenceState, ...]:
        """One arrival for each distinct copy it may be, and all that are owed at once."""
        sender, segment = self._subject(action)
        ready = [
            index
            for index, copy in enumerate(self.flying)
            if (copy.sender, copy.segment) == (sender, segment) and not self._blocked(index)
        ]
        if not ready:
            raise ImpossibleMove(f"no copy of {sender}'s {segment} can arrive")
        ready.sort(key=lambda index: (not self.flying[index].must_be_delivered, self.flying[index].sent))
        pending = self._owed_together(sender, segment)
        if self.configuration.duplication is None and not self.configuration.fifo:
            # Each may arrive again and again, so all that matters is what is settled, and the oldest must be settled first.
            ready = ready[:1]
        worlds = [self._arrive(index, action) for index in ready]
        if self.configuration.duplication is None and len(pending) > 1:
            worlds.append(self._arrive_together(pending, action))
        return tuple(worlds)

    def _owed_together(self, sender: str, segment: Segment) -> list[int]:
        """The numbers of the owed copies of a segment that can arrive one right after the other, in the order sent."""
        found = []
        for copy in self.flying:
            if copy.must_be_delivered and copy.sender == sender:
                if copy.segment == segment:
                    found.append(copy.number)
                elif self.configuration.fifo:
                    break
        return found

    def _arrive_together(self, pending: list[int], action: Action) -> ReferenceState:
        """Every owed copy at the same instant; what the later ones draw shares the fate of the first answer."""
        world = self
        for number in pending:
            index = next(index for index, copy in enumerate(world.flying) if copy.number == number)
            if world is self:
                world = self._arrive(index, action)
                continue
            try:
                world = world._arrive(index, action)
            except ImpossibleMove:
                world = world._arrive(index, replace(action, lost=(False,) * (1 - len(action.lost))))
        return world

    def _subject(self, action: Action) -> tuple[str, Segment]:
        match action.subject:
            case (str() as sender, Segment() as segment):
                return sender, segment
        raise ImpossibleMove(f"{action.subject!r} is no copy of a segment")

    def _blocked(self, index: int) -> bool:
        sender = self.flying[index].sender
        return self.configuration.fifo and any(copy.must_be_delivered and copy.sender == sender for copy in self.flying[:index])

    def _arrive(self, index: int, action: Action) -> ReferenceState:
        copy = self.flying[index]
        side = 1 - ENDS.index(copy.sender)
        flying = self._without(index)
        age = format_duration(self.now - copy.sent)
        words = f"receives {copy.segment} ({age} old)"
        if self.reopened:
            rule = ("incarnation.intrusion", *INCARNATION_RULES["incarnation.intrusion"])
            why = (("isolation", f"{copy.sender}'s old {copy.segment} is in the window of {ENDS[side]}'s new incarnation"),)
            event = Event(ENDS[side], f"{words} in the next incarnation", self._message(copy), rules=(rule,), breaks=why)
            return replace(self, flying=flying, event=event, broken=frozenset({"isolation"}), recurrent=frozenset())
        outcome = self._received(self.ends[side], side, copy.segment)
        return replace(self, flying=flying)._after(side, outcome, action, words, self._message(copy))

    def _received(self, block: Block, side: int, segment: Segment) -> Outcome:
        outcome = segment_arrives(block, segment, self.configuration.behaviour)
        if self.configuration.scope is Scope.CORE and side == 1 and block.state is State.CLOSED:
            return Outcome(block, rules=outcome.rules)
        return outcome

    def _released(self, ends: EndPair, copy: ReferencePacket) -> ReferencePacket:
        """The copy, without its obligation where that limits nothing and it may arrive as often as it likes."""
        if not copy.must_be_delivered or copy.left is not None or self.configuration.fifo:
            return copy
        side = 1 - ENDS.index(copy.sender)
        outcome = self._received(ends[side], side, copy.segment)
        return (
            copy
            if delivery_matters(ends, side, outcome, (True, self.configuration.both_close))
            else replace(copy, must_be_delivered=False)
        )

    def _without(self, index: int) -> tuple[ReferencePacket, ...]:
        """The copies in flight after one arrived."""
        copy = self.flying[index]
        kept: tuple[ReferencePacket, ...] = ()
        if copy.left is None or copy.left > 0:
            kept = (replace(copy, must_be_delivered=False, left=None if copy.left is None else copy.left - 1),)
        ahead = self.flying[:index]
        if self.configuration.fifo:
            ahead = tuple(other for other in ahead if other.sender != copy.sender)
        return (*ahead, *kept, *self.flying[index + 1 :])

    def _message(self, copy: ReferencePacket, *, lost: bool = False) -> Packet:
        """A copy as a trace tells of it."""
        receiver = ENDS[1 - ENDS.index(copy.sender)]
        expires = copy.sent + self.configuration.msl
        return Packet(copy.number, copy.sender, receiver, str(copy.segment), copy.segment.fields, copy.sent, expires, lost)

    def _after(self, side: int, outcome: Outcome, action: Action, words: str, received: Packet | None) -> ReferenceState:
        """Store the new block, restart timers, send the replies."""
        if len(action.lost) != len(outcome.replies):
            raise ImpossibleMove(f"{action.actor} sends {len(outcome.replies)} segments, not {len(action.lost)}")
        ends = (outcome.block, self.ends[1]) if side == 0 else (self.ends[0], outcome.block)
        started = {}
        for timer in running(outcome.block, self.configuration.behaviour):
            since = self.started.get((ENDS[side], timer), self.now)
            started[ENDS[side], timer] = self.now if timer in outcome.started else since
        others = {key: since for key, since in self.started.items() if key[0] != ENDS[side]}
        lost = list(self.lost)
        if Effect.FIN_ACCEPTED in outcome.effects:
            lost[side] = 0
        flying = self.flying
        sent: list[Packet] = []
        for segment, is_lost in zip(outcome.replies, action.lost, strict=True):
            covering = loss_windows(ends, side, segment, (True, self.configuration.both_close))
            budgeted = bool(covering) and self.configuration.loss is not None
            for waiter in covering if is_lost else ():
                lost[waiter] += 1
            if self.configuration.loss is not None and max(lost) > self.configuration.loss:
                raise ImpossibleMove(f"{self.configuration.loss} losses in one round are all there are")
            number = self.copies + len(sent) + 1
            copy = ReferencePacket(number, ENDS[side], segment, self.now, budgeted, self.configuration.duplication)
            sent.append(self._message(copy, lost=is_lost))
            if not is_lost:
                flying += (copy,)
        faults = violations(self.ends, ends, side, outcome)
        event = Event(
            ENDS[side],
            words,
            received,
            tuple(sent),
            tuple((name, RULES[name].section, RULES[name].text) for name in outcome.rules),
            tuple(faults.items()),
        )
        return replace(
            self,
            ends=ends,
            flying=tuple(self._released(ends, copy) for copy in flying),
            started=others | started,
            lost=(lost[0], lost[1]),
            copies=self.copies + len(sent),
            event=event,
            broken=frozenset(faults),
            recurrent=recurrent_properties(ends, outcome),
        )

    # --- what it shows ----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, str | int]:
        shown: dict[str, str | int] = {}
        for end, block in zip(ENDS, self.ends, strict=True):
            shown[f"{end}.state"] = "new incarnation" if self.reopened else str(block.state)
            shown |= {f"{end}.una": block.una, f"{end}.nxt": block.nxt, f"{end}.rcv": block.rcv}
            for timer in Timer:
                since = self.started.get((end, timer))
                shown[f"{end}.{timer}"] = "off" if since is None or self.reopened else f"since {format_duration(since)}"
            shown[f"lost.{end}"] = self.lost[ENDS.index(end)]
        shown["in flight"] = "; ".join(f"{copy.sender}: {copy.segment} sent {format_duration(copy.sent)}" for copy in self.flying)
        return shown

    def in_flight(self) -> tuple[Packet, ...]:
        return tuple(map(self._message, self.flying))

    def timers(self) -> tuple[RunningTimer, ...]:
        if self.reopened:
            return ()
        lengths = {Timer.TIME_WAIT: self.configuration.time_wait, Timer.FIN_WAIT_2: self.configuration.fin_wait_2}
        return tuple(
            RunningTimer(timer.value, end, since, lengths.get(timer, self._gap(end)), timer in lengths)
            for (end, timer), since in sorted(self.started.items())
        )

    def about(self) -> dict[str, Any]:
        return configuration_as_data(self.configuration)

    def loop_key(self) -> tuple[EndPair, bool]:
        return self.ends, self.reopened


def initial_state(configuration: Configuration) -> ReferenceState:
    """The moment at which every run of a configuration starts."""
    ends = (ESTABLISHED, ESTABLISHED)
    if configuration.scope is Scope.CORE:
        waiting = Block(State.FIN_WAIT_2, una=2, nxt=2, rcv=1)
        ends = (waiting, Block(State.CLOSE_WAIT, una=1, nxt=1, rcv=2))
    started = {
        (end, timer): Fraction(0)
        for end, block in zip(ENDS, ends, strict=True)
        for timer in running(block, configuration.behaviour)
    }
    return ReferenceState(configuration, ends, started=started)
