"""The oracle for a next incarnation that opens by a handshake: brute force over single copies, with real handshakes.

It shares the endpoints and the `Configuration` with the suite, and nothing else: numbers, timestamps, harms and openings are
written again. Unlike the suite it gives every copy of the next incarnation its age, and every end its retransmission timer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from oracle import HARMS, UNLIMITED, A, B, Copy, End, Search, TooLarge, World

from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import segment_arrives, user_calls
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State

LONG_AGO = 500
"""How far old numbers lie below the new ones where they lie below."""

ANCIENT = 500
"""The number of a SYN that was sent before the incarnation that closes."""

NOT_OPEN = frozenset({State.CLOSED, State.LISTEN})


class Opened(NamedTuple):
    """The state once an end has opened again or crashed.

    `old` says which ends have not opened; `crashed` which end has lost all memory, and `quiet` for how many ticks;
    `starts` at which number of the old incarnation each end starts, as far as a SYN that met TIME-WAIT says so.
    """

    ends: tuple[End, End]
    copies: tuple[Copy, ...]
    old: tuple[bool, bool]
    crashed: int | None = None
    quiet: int = 0
    starts: tuple[int | None, int | None] = (None, None)

    def still(self, who: int) -> bool:
        """Return whether an end has crashed and not opened."""
        return self.crashed == who and self.old[who]


def judge_handshake(configuration: Configuration, cap: int = 400_000, wanted: tuple[str, ...] = HARMS) -> dict[str, bool]:
    """For every harm of `wanted` whether some run does it, in ticks; more than `cap` states raise `TooLarge`."""
    search = HandshakeSearch(configuration)
    seen: set[World | Opened] = {search.first()}
    waiting = list(seen)
    while waiting and not set(wanted) <= search.violated:
        state = waiting.pop()
        for later in search.all_successors(state):
            if later not in seen:
                seen.add(later)
                waiting.append(later)
        if len(seen) > cap:
            raise TooLarge(f"more than {cap} states")
    return {name: name in search.violated for name in wanted}


class HandshakeSearch(Search):
    """The successors of a state, and the harms that their steps do."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        if configuration.reopening.old_syn:
            self.arrive = cache(lambda block, segment: self.beside_old_syn(block, segment))

    def first(self) -> World:
        """Return the initial state, in which a SYN of long ago may be in flight."""
        world = super().first()
        if not self.configuration.reopening.old_syn:
            return world
        return world._replace(copies=(Copy(B, self.number(Segment(ANCIENT, syn=True)), 0, True, self.arrivals),))

    def beside_old_syn(self, block: Block, segment: Segment) -> Outcome:
        """Return the outcome at an end that closes, where a SYN of long ago may end TIME-WAIT, and prove old."""
        opening = self.configuration.reopening
        if self.unexpected(block, segment):
            assert segment.ack is not None
            return Outcome(block, (Segment(segment.ack, rst=True),))
        if block.state is State.TIME_WAIT and segment == Segment(ANCIENT, syn=True) and opening.syn in ("above", "at-or-above"):
            begun = Block(State.SYN_RECEIVED, block.nxt, block.nxt + 1, ANCIENT + 1, block.sent, passive=True, waited=block.rcv)
            return Outcome(begun, (Segment(block.nxt, ANCIENT + 1, syn=True),), frozenset({Timer.RETRANSMISSION}))
        outcome = segment_arrives(block, segment, self.behaviour)
        if block.waited and outcome.block.state is State.LISTEN:
            if opening.returns:
                again = Block(State.TIME_WAIT, block.una, block.una, block.waited, block.sent)
                return Outcome(again, started=frozenset({Timer.TIME_WAIT}))
            return Outcome(Block(State.CLOSED, rcv=block.waited - 1, sent=block.sent))
        return outcome

    def reopen(self, world: World) -> None:
        """Do nothing: users open by a call."""

    def all_successors(self, state: World | Opened) -> Iterator[World | Opened]:
        """Yield every state after one event or one tick."""
        if isinstance(state, World):
            yield from self.successors(state)
            if self.crashes is None:
                yield from self.openings(Opened(state.ends, state.copies, (True, True)))
            else:
                yield self.crash(state, self.crashes)
            return
        if not any(state.old) and all(self.segments[copy.number].incarnation for copy in state.copies):
            return  # nothing old is left
        yield from self.openings(state)
        for who in (A, B):
            for outcome in self.own_events(state, who):
                yield from self.after(state, who, outcome, state.copies, None)
        for index in range(len(state.copies)):
            yield from self.arrivals_of(state, index)
        world = World(state.ends, state.copies, (0, 0))
        if self.time_may_pass(world):
            later = self.tick(world)
            yield state._replace(ends=later.ends, copies=later.copies, quiet=min(state.quiet, self.least_quiet) + 1)

    @property
    def crashes(self) -> int | None:
        """The end that crashes, if one does."""
        return {"none": None, "a": A, "b": B}[self.configuration.reopening.crash]

    @property
    def least_quiet(self) -> int:
        """The ticks after which an end that crashed may open, at the earliest one tick later."""
        stated = self.configuration.reopening.quiet
        return int(self.configuration.time_wait if stated is None else stated)

    def crash(self, world: World, who: int) -> Opened:
        """Return the state after a host lost all memory."""
        gone = End(Block(State.CLOSED), ())
        ends = (gone, world.ends[B]) if who == A else (world.ends[A], gone)
        copies = tuple(copy if copy.sender == who else copy._replace(free=True) for copy in world.copies)
        return Opened(ends, self.canonical(copies), (True, True), who)

    def openings(self, state: Opened) -> Iterator[Opened]:
        """Yield the states after a user opens."""
        for who in (A, B):
            other = state.ends[1 - who].block.state is State.CLOSED or not state.old[1 - who]
            allowed = other or self.configuration.reopening.early or state.crashed == who
            if state.still(who) and state.quiet <= self.least_quiet:
                continue
            if state.old[who] and state.ends[who].block.state is State.CLOSED and allowed:
                old = (False, state.old[B]) if who == A else (state.old[A], False)
                copies = tuple(copy if copy.sender == who else copy._replace(free=True) for copy in state.copies)
                for call in (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE):
                    outcome = user_calls(state.ends[who].block, call, self.behaviour)
                    yield from self.after(state._replace(copies=copies, old=old), who, outcome, copies, None)

    def own_events(self, state: Opened, who: int) -> Iterator[Outcome]:
        """Yield the outcomes of calls and timers."""
        world = World(state.ends, state.copies, (0, 0))
        yield from self.timers(world, who)
        if state.old[who]:
            yield from self.user(world, who)
            return
        block = state.ends[who].block
        if block.state is State.ESTABLISHED and block.sent < self.configuration.reopening.text[who]:
            yield user_calls(block, Call.SEND, self.behaviour)

    def after(
        self, state: Opened, who: int, outcome: Outcome, copies: tuple[Copy, ...], answered: Segment | None
    ) -> Iterator[Opened]:
        """Yield the state after an event; every copy sent may be lost, so none must be delivered."""
        end, incarnation = state.ends[who], 0 if state.old[who] else 1
        before = dict(zip(self.running(end.block), end.clocks, strict=True))
        clocks = tuple(0 if timer in outcome.started else before.get(timer, 0) for timer in self.running(outcome.block))
        changed = End(outcome.block, clocks)
        sent = []
        for reply in outcome.replies:
            foreign = answered is not None and answered.incarnation != incarnation
            numbered = reply._replace(incarnation=1 - incarnation if reply.rst and foreign else incarnation)
            if reply.rst and foreign:
                assert answered is not None
                number = 0 if answered.ack is None else answered.ack
                numbered = Segment(
                    number, None if answered.ack is not None else answered.end, rst=True, incarnation=1 - incarnation
                )
            sent.append(Copy(who, self.number(numbered), 0, True, self.arrivals))
        ends = (changed, state.ends[B]) if who == A else (state.ends[A], changed)
        yield state._replace(ends=ends, copies=self.canonical((*copies, *sent)))

    def arrivals_of(self, state: Opened, index: int) -> Iterator[Opened]:
        """Yield the states after the arrival of one copy, in each way in which its numbers may count."""
        sender, number, age, _, left = state.copies[index]
        rest = (*state.copies[:index], *state.copies[index + 1 :])
        if left != 1:
            rest = (*rest, Copy(sender, number, age, True, left if left == UNLIMITED else left - 1))
        who, segment = 1 - sender, self.segments[number]
        if state.still(who):
            yield state._replace(copies=self.canonical(rest))
            return
        block = state.ends[who].block
        foreign = state.old[who] == bool(segment.incarnation)
        for seen in self.counted(state, who, block, segment) if foreign else (segment,):
            if foreign and state.old[who] and self.opens(block, seen):
                freed = tuple(copy if copy.sender == who else copy._replace(free=True) for copy in rest)
                opened = segment_arrives(Block(State.LISTEN), segment, self.behaviour)
                begun = state._replace(copies=freed, old=(False, False), starts=self.starts(block, who, seen.seq))
                yield from self.after(begun, who, opened, freed, segment)
                continue
            outcome = self.processed(state, who, block, seen, foreign=foreign)
            if foreign and not state.old[who] and self.harmed(state, who, block, segment, outcome.block):
                continue
            yield from self.after(state, who, outcome, rest, segment)

    def counted(self, state: Opened, who: int, block: Block, segment: Segment) -> Iterator[Segment]:
        """Yield a segment as its numbers may count at an end of the other incarnation."""
        relation = self.configuration.reopening.relation(self.configuration.msl)
        if relation == "repeated":
            yield segment
            return
        if state.old[who]:
            places = (block.rcv - LONG_AGO, block.rcv, block.rcv + 1) if relation == "worst" else (block.rcv + 1,)
            yield from (segment._replace(seq=place) for place in places)
            return
        own, peer = state.starts[who], state.starts[1 - who]
        if segment.syn or ANCIENT + 1 in (segment.seq, segment.ack):
            yield segment
            return
        worst = relation == "worst" and block.state not in NOT_OPEN
        from_ancient = block.rcv == ANCIENT + 1
        next_one = [segment.seq if from_ancient else block.rcv] if worst and peer is None else []
        for seq in [segment.seq - (peer or LONG_AGO), *next_one]:
            if segment.ack is None:
                yield segment._replace(seq=seq)
                continue
            for ack in {segment.ack - (own or LONG_AGO), *([block.una, block.nxt] if worst and own is None else [])}:
                yield segment._replace(seq=seq, ack=ack)

    def starts(self, block: Block, who: int, syn: int) -> tuple[int | None, int | None]:
        """Return where both ends start after a SYN with this number opened at an end in TIME-WAIT."""
        own = block.nxt if self.configuration.reopening.isn == "above" else None
        peer = syn if syn >= block.rcv else None
        return (own, peer) if who == A else (peer, own)

    def opens(self, block: Block, seen: Segment) -> bool:
        """Return whether a SYN of the next incarnation ends TIME-WAIT and opens."""
        opening = self.configuration.reopening
        above = {"above": 1, "at-or-above": 0, "timestamp": 1, "timestamp-or-at": 0}.get(opening.syn)
        least = None if above is None else block.rcv + above
        if block.state is not State.TIME_WAIT or not seen.syn or least is None:
            return False
        return seen.seq >= least or (opening.syn.startswith("timestamp") and opening.timestamps == (True, True))

    def processed(self, state: Opened, who: int, block: Block, seen: Segment, *, foreign: bool) -> Outcome:
        """Return the outcome of an arrival; where both ends have timestamps, an old segment but a RST is only answered."""
        opening = self.configuration.reopening
        if self.unexpected(block, seen):
            assert seen.ack is not None
            return Outcome(block, (Segment(seen.ack, rst=True),))
        synchronised = not state.old[who] and block.state in (State.SYN_RECEIVED, State.ESTABLISHED)
        if foreign and synchronised and opening.timestamps == (True, True) and not seen.rst:
            passes = opening.paws == "linux" and block.state is State.ESTABLISHED
            if not (passes and seen == Segment(block.rcv, block.una)):
                return Outcome(block, (Segment(block.nxt, block.rcv),))
        if self.core and who == B and block.state is State.CLOSED:
            return Outcome(block)
        if foreign and opening.syn == "reset" and block.state is State.TIME_WAIT and seen.syn and seen.seq >= block.rcv:
            return Outcome(block, (Segment(0, None, rst=True),))
        return self.arrive(block, seen) if state.old[who] else segment_arrives(block, seen, self.behaviour)

    def unexpected(self, block: Block, seen: Segment) -> bool:
        """Return whether a SYN has opened this end, which looks first for the ACK of its own SYN, and this is another one."""
        waits = self.configuration.reopening.ack_first and block.passive and block.state is State.SYN_RECEIVED
        return waits and not seen.rst and seen.ack is not None and seen.ack != block.una + 1

    def harmed(self, state: Opened, who: int, before: Block, segment: Segment, after: Block) -> bool:
        """Record the harms of an old segment; returns whether there was one, which ends the run."""
        peer = state.ends[1 - who].block
        reached = peer.rcv if not state.old[1 - who] and peer.state in (State.SYN_RECEIVED, State.ESTABLISHED) else 0
        found = {
            "old-text": segment.length > 0 and after.read > before.read,
            "old-fin": after.state is State.CLOSE_WAIT,
            "old-reset": segment.rst and after.state is State.CLOSED and before.state not in NOT_OPEN,
            "old-ack": after.una > max(before.una, reached, 1),
        }
        self.violated.update(name for name, bad in found.items() if bad)
        return any(found.values())
