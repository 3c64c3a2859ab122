"""The oracle: the safety of one configuration by brute-force search, independent of the engines.

Time is counted in ticks, every copy in flight is an object of its own, and nothing is abstracted. The oracle shares the
endpoints and the `Configuration` with the suite, and nothing else: it has its own network, losses, clocks, incarnations and
properties.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import NamedTuple

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.endpoint import allowed_calls, running, segment_arrives, timer_fires, user_calls
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Arrival, ResetRule
from timewait.spec.state import ESTABLISHED, Block, State

A, B = 0, 1
UNLIMITED = -1
JUDGED = ("graceful", "isolation", "integrity", "time-wait-kept", "fin-restarts", "no-stray-reset")
HARMS = ("old-text", "old-fin", "old-reset", "old-ack")
"""The harms of an old copy in the next incarnation; `judge` decides them only if asked."""
CLOSING_IN_ORDER = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK})


class TooLarge(Exception):
    """The search has more states than the caller allows."""


class Copy(NamedTuple):
    """A copy in flight.

    Its sender (`A` or `B`), its segment (an index of `Search.segments`), its age in ticks, whether it need not arrive (any
    more), and how often it may still arrive, or `UNLIMITED`.
    """

    sender: int
    number: int
    age: int
    free: bool
    left: int


class End(NamedTuple):
    """One endpoint: its control block and the value of each running timer, in the order of `running`."""

    block: Block
    clocks: tuple[int, ...]


class World(NamedTuple):
    """The state at one instant: the ends, the copies in flight, and the losses in the loss window of each end."""

    ends: tuple[End, End]
    copies: tuple[Copy, ...]
    lost: tuple[int, int]


def judge(
    configuration: Configuration, cap: int = 1_000_000, *, twins: bool = False, judged: tuple[str, ...] = JUDGED
) -> dict[str, bool]:
    """For every property of `judged`, whether some run of a configuration violates it; time is counted in ticks.

    More than `cap` states raise `TooLarge`. With `twins`, a copy is kept although a younger copy of its segment can do all
    that it can: slower, with the same verdicts.
    """
    search = Search(configuration, twins=twins)
    seen, waiting = {search.first()}, [search.first()]
    wanted = set(judged) - (set(JUDGED) - search.attainable)
    while waiting and not wanted <= search.violated:
        for world in search.successors(waiting.pop()):
            if world not in seen:
                seen.add(world)
                waiting.append(world)
        if len(seen) > cap:
            raise TooLarge(f"more than {cap} states")
    return {name: name in search.violated for name in judged}


class Search:
    """The successors of a state, and the properties that their steps violate."""

    def __init__(self, configuration: Configuration, *, twins: bool = False) -> None:
        if any(duration.denominator != 1 for duration in configuration.parameters.values()):
            raise ValueError("every duration must be a whole number of ticks")
        self.configuration = configuration
        self.core = configuration.scope is Scope.CORE
        self.msl = int(configuration.msl)
        self.rto = tuple(int(gap) for gap in configuration.rto)
        self.slack = int(configuration.rto_slack)
        self.waits = (A, B) if configuration.both_close else (A,)
        self.arrivals = UNLIMITED if configuration.duplication is None else configuration.duplication + 1
        self.twins = twins
        self.violated: set[str] = set()
        self.segments: list[Segment] = []
        self.behaviour = behaviour = configuration.behaviour
        possible = {
            "integrity": any(configuration.text),
            "time-wait-kept": behaviour.time_wait and behaviour.reset is not ResetRule.IGNORE,
            "fin-restarts": behaviour.time_wait and Arrival.FIN not in behaviour.restarts,
        }
        self.attainable = {name for name in JUDGED if possible.get(name, True)}
        self.running = cache(lambda block: running(block, behaviour))
        self.arrive = cache(lambda block, segment: segment_arrives(block, segment, behaviour))

    def first(self) -> World:
        """Return the initial state."""
        blocks = (ESTABLISHED, ESTABLISHED)
        if self.core:
            blocks = (Block(State.FIN_WAIT_2, una=2, nxt=2, rcv=1), Block(State.CLOSE_WAIT, una=1, nxt=1, rcv=2))
        a, b = (End(block, (0,) * len(self.running(block))) for block in blocks)
        return World((a, b), (), (0, 0))

    def successors(self, world: World) -> Iterator[World]:
        """Yield every state after one event or one tick, except some that are equal to this one."""
        self.reopen(world)
        for who in (A, B):
            for outcome in (*self.user(world, who), *self.timers(world, who)):
                yield from self.step(world, who, outcome, world.copies)
        for index in range(len(world.copies)):
            yield from self.arrival(world, index)
        if self.time_may_pass(world):
            yield self.tick(world)

    def reopen(self, world: World) -> None:
        """Record what an old copy does if the ends are reopened now, at once."""
        if world.copies and all(end.block.state is State.CLOSED for end in world.ends):
            # The ends may be reopened now, and the copy sent first may always arrive next.
            self.violated.add("isolation")
            self.violated.update(filter(None, (self.harm(world.copies, index) for index in range(len(world.copies)))))

    def harm(self, copies: tuple[Copy, ...], index: int) -> str:
        """Return the harm of a copy that arrives next in the next incarnation; empty if it cannot arrive next."""
        sender, number = copies[index][:2]
        if self.configuration.fifo and any(older.sender == sender and not older.free for older in copies[:index]):
            return ""
        segment = self.segments[number]
        flagged = ((segment.rst, "old-reset"), (segment.length > 0, "old-text"), (segment.fin, "old-fin"))
        return next((name for on, name in flagged if on), "old-ack")

    def user(self, world: World, who: int) -> Iterator[Outcome]:
        """Yield the outcomes of the calls that the user of an end may make."""
        block = world.ends[who].block
        for call in allowed_calls(block):
            if call is Call.SEND and block.sent < self.configuration.text[who]:
                yield user_calls(block, call, self.behaviour)
            if call is Call.CLOSE and (who == A or self.configuration.both_close or block.state is State.CLOSE_WAIT):
                yield user_calls(block, call, self.behaviour)

    def timers(self, world: World, who: int) -> Iterator[Outcome]:
        """Yield the outcomes of the timers of an end that may fire now."""
        block, clocks = world.ends[who]
        for timer, shown in zip(self.running(block), clocks, strict=True):
            earliest = self.gap(block) if self.configuration.rto_exact else 1
            if shown >= (earliest if timer is Timer.RETRANSMISSION else self.least(block, timer)):
                yield timer_fires(block, timer, self.behaviour)

    def least(self, block: Block, timer: Timer) -> int:
        """Return the number of ticks after which a timer may expire, the retransmission timer apart."""
        if timer is Timer.TIME_WAIT and self.behaviour.time_wait_cut:
            return 0
        early = self.behaviour.abandons and self.behaviour.clock_before_close
        if early and block.state is not State.CLOSE_WAIT and (timer is not Timer.TIME_WAIT or block.early):
            idle = self.configuration.idle_before_close
            return 1 if idle is None else max(self.length(block) - int(idle), 0) + 1
        return self.length(block) + 1

    def length(self, block: Block) -> int:
        """Return the length of a state in ticks."""
        return int(getattr(self.configuration, block.state.lower()))

    def arrival(self, world: World, index: int) -> Iterator[World]:
        """Yield the states after the arrival of one copy, if it may arrive."""
        sender, number, age, free, left = world.copies[index]
        before, after = world.copies[:index], world.copies[index + 1 :]
        if self.configuration.fifo:
            if not all(older.free or older.sender != sender for older in before):
                return
            before = tuple(older for older in before if older.sender != sender)
        if left != 1:
            before += (Copy(sender, number, age, True, left if left == UNLIMITED else left - 1),)
        who, block = 1 - sender, world.ends[1 - sender].block
        silent = self.core and who == B and block.state is State.CLOSED
        outcome = Outcome(block) if silent else self.arrive(block, self.segments[number])
        stays = free and left == UNLIMITED and not self.configuration.fifo
        if stays and outcome.block == block and not (outcome.replies or outcome.started or outcome.effects):
            return
        yield from self.step(world, who, outcome, world.copies if stays else before + after)

    def step(self, world: World, who: int, outcome: Outcome, copies: tuple[Copy, ...]) -> Iterator[World]:
        """Yield the states after an event at one end, one for each choice of the replies that are lost."""
        if outcome.replies or outcome.effects or outcome.block.state is State.CLOSED:
            self.record_violations(world, who, outcome)
        end, other = world.ends[who], world.ends[1 - who]
        if outcome.started or outcome.block != end.block:
            old = dict(zip(self.running(end.block), end.clocks, strict=True))
            clocks = (0 if timer in outcome.started else old.get(timer, 0) for timer in self.running(outcome.block))
            end = End(outcome.block, tuple(clocks))
        ends = (end, other) if who == A else (other, end)
        lost = tuple(0 if side == who and Effect.FIN_ACCEPTED in outcome.effects else world.lost[side] for side in (A, B))
        suppressed = Effect.LIMITED in outcome.effects
        for sent, counts in self.deliveries(who, outcome.replies, ends, (lost[A], lost[B]), suppressed=suppressed):
            yield World(ends, self.canonical(copies + sent), counts)

    def deliveries(
        self,
        sender: int,
        segments: tuple[Segment, ...],
        ends: tuple[End, End],
        lost: tuple[int, int],
        *,
        suppressed: bool = False,
    ) -> Iterator[tuple[tuple[Copy, ...], tuple[int, int]]]:
        """Yield each choice of losses among the segments just sent: the copies in flight, and the counts of losses."""
        if not segments:
            yield (), lost
            return
        second = frozenset(who for who in (A, B) if ends[who].block.state in (State.CLOSE_WAIT, State.LAST_ACK))
        closing = ends[sender].block.fin_sent
        windows = self.loss_windows(sender, segments[0], ends[1 - sender].block.fin_seq, second, closing=closing)
        if suppressed:
            windows = ()
        free = not windows and not self.configuration.lossless
        copy = Copy(sender, self.number(segments[0]), 0, free, self.arrivals)
        for rest, counts in self.deliveries(sender, segments[1:], ends, lost, suppressed=suppressed):
            yield (copy, *rest), counts
        spent = (lost[A] + (A in windows), lost[B] + (B in windows))
        if windows and max(spent) <= (self.configuration.loss or 0):
            yield from self.deliveries(sender, segments[1:], ends, spent)

    def loss_windows(
        self, sender: int, segment: Segment, fin_seq: int, second: frozenset[int] = frozenset(), *, closing: bool = True
    ) -> tuple[int, ...]:
        """Return the ends in whose loss window a copy counts; `fin_seq` is the number of the receiver's FIN.

        After the sender's FIN (`closing`), retransmitted text counts like the FIN. The ends in `second` close second, in
        CLOSE-WAIT or LAST-ACK: they never enter TIME-WAIT and have no loss window.
        """
        covers = segment.ack == fin_seq + 1 and not segment.rst
        asks = (segment.fin or segment.length > 0) and closing
        waits = self.waits if self.configuration.loss is not None else ()
        return tuple(who for who in waits if who not in second and (covers if who == sender else asks))

    def number(self, segment: Segment) -> int:
        """Return the index of a segment in `segments`."""
        if segment not in self.segments:
            self.segments.append(segment)
        return self.segments.index(segment)

    def canonical(self, copies: tuple[Copy, ...]) -> tuple[Copy, ...]:
        """Return the copies in canonical order, without copies that add nothing to another copy."""
        if self.configuration.fifo:
            queued = sorted(copies, key=lambda copy: (copy.sender, -copy.age))
            return tuple(queued) if self.arrivals != UNLIMITED else tuple(copy for copy, _ in groupby(queued))
        if self.arrivals != UNLIMITED:
            return tuple(sorted(copies))
        kept: list[Copy] = []
        for copy in sorted(set(copies)):  # the youngest copy of a segment comes first, and can do all that the others can
            if self.twins or not (copy.free and kept and kept[-1][:2] == copy[:2]):
                kept.append(copy)
        return tuple(kept)

    def gap(self, block: Block) -> int:
        """Return the bound on the current gap between two transmissions."""
        return self.rto[min(block.tries, len(self.rto) - 1)]

    def time_may_pass(self, world: World) -> bool:
        """Return whether no event must happen before the next tick."""
        if any(copy.age == self.msl and not copy.free for copy in world.copies):
            return False
        return not any(
            timer is Timer.RETRANSMISSION and shown >= self.gap(block) + self.slack
            for block, clocks in world.ends
            for timer, shown in zip(self.running(block), clocks, strict=True)
        )

    def tick(self, world: World) -> World:
        """Return the state one tick later."""
        a, b = (End(block, self.later(block, clocks)) for block, clocks in world.ends)
        older = (Copy(who, number, age + 1, free, left) for who, number, age, free, left in world.copies if age < self.msl)
        return World((a, b), tuple(older), world.lost)

    def later(self, block: Block, clocks: tuple[int, ...]) -> tuple[int, ...]:
        """Return the clocks one tick later; an expired timer stops counting."""
        shown = zip(self.running(block), clocks, strict=True)
        return tuple(ticks + 1 if timer is Timer.RETRANSMISSION else min(ticks, self.length(block)) + 1 for timer, ticks in shown)

    def record_violations(self, world: World, who: int, outcome: Outcome) -> None:
        """Record the properties that an event violates."""
        before, after = world.ends[who].block, outcome.block
        ended = after.state is State.CLOSED and before.state is not State.CLOSED
        found = {
            "graceful": Effect.RESET in outcome.effects and before.state in CLOSING_IN_ORDER,
            "integrity": ended and world.ends[1 - who].block.read < after.sent,
            "time-wait-kept": Effect.ASSASSINATED in outcome.effects,
            "fin-restarts": Effect.NOT_RESTARTED in outcome.effects,
            "no-stray-reset": any(reply.rst for reply in outcome.replies),
        }
        self.violated.update(name for name, bad in found.items() if bad)
