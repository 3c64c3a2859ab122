"""A close on a random network as a Markov chain, made from the specification and solved in rational arithmetic.

A state holds the control blocks, the packets in flight with the ticks until each arrives, and the running timers with the ticks
until each expires; a tick divides every delay and duration. The next event is the earliest one. It is an event of
`timewait.spec.endpoint`; the network then draws the fate of each packet sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from functools import cache, partial
from typing import NamedTuple

from timewait.risk.path import OrderlyClose
from timewait.spec.endpoint import running, segment_arrives, timer_fires, user_calls
from timewait.spec.exchange import EndPair, loss_windows, violations
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.state import ESTABLISHED, State

CLOSERS = (True, False)
"""A closes first."""


class CloseResult(StrEnum):
    """How a close ends."""

    IN_ORDER = "in order"
    """B has received the acknowledgement of its FIN."""
    RESET = "reset"
    """A RST cut an end off that was closing in order: property ``graceful``."""
    GAVE_UP = "gave up"
    """An end has retransmitted as often as it may."""


class TravellingPacket(NamedTuple):
    """A packet in flight: ticks until it arrives, its receiver (0 for A, 1 for B), and its segment."""

    arrives_in: int
    receiver: int
    segment: Segment


class PendingTimer(NamedTuple):
    """A running timer: ticks until it expires, its end (0 for A, 1 for B), and its kind."""

    expires_in: int
    side: int
    timer: Timer


class ChainState(NamedTuple):
    """A state of the chain; `lost` counts the losses in the loss window of A."""

    ends: EndPair
    packets: tuple[TravellingPacket, ...]
    timers: tuple[PendingTimer, ...]
    lost: int


Successor = tuple[ChainState | CloseResult, Fraction]


def result_probabilities(close: OrderlyClose) -> dict[CloseResult, Fraction]:
    """The exact probability of each result of a close; together they are 1.

    Parameters
    ----------
    close : OrderlyClose
        The close.
    """
    found = dict.fromkeys(CloseResult, Fraction(0))
    level: dict[ChainState, Fraction] = {}
    chain = _Chain(close)
    successors = list(chain.initial())
    while successors or level:
        following: defaultdict[ChainState, Fraction] = defaultdict(Fraction)
        for state, chance in successors:
            if isinstance(state, CloseResult):
                found[state] += chance
            else:
                following[state] += chance
        level = following
        successors = [(state, chance * share) for before, chance in level.items() for state, share in chain.successors(before)]
        level = {}
    assert sum(found.values()) == 1
    return found


class _Chain:
    def __init__(self, close: OrderlyClose) -> None:
        unit, path = close.unit, close.path
        self._behaviour, self._budget = close.behaviour, path.budget
        self._time_wait = int(close.time_wait * unit)
        self._gaps = [int(gap * unit) for gap in close.gaps]
        self._limits = {state: int(length * unit) for state, length in close.limits.items()}
        delays = [(int(delay * unit), chance) for delay, chance in path.delays]
        self._certain: list[tuple[int | None, Fraction]] = [*delays]
        lossy = [(delay, (1 - path.loss_rate) * chance) for delay, chance in delays]
        self._lossy: list[tuple[int | None, Fraction]] = [(None, path.loss_rate), *lossy] if path.loss_rate else self._certain
        self._arrival = cache(partial(segment_arrives, behaviour=close.behaviour))

    def initial(self) -> Iterator[Successor]:
        """Both ends are in ESTABLISHED, and the user of A calls CLOSE."""
        ends = (ESTABLISHED, ESTABLISHED)
        outcome = user_calls(ESTABLISHED, Call.CLOSE, self._behaviour)
        yield from self._after(ChainState(ends, (), (), 0), 0, outcome)

    def successors(self, state: ChainState) -> Iterator[Successor]:
        """What the earliest event leads to; a packet arrives before a timer expires at the same instant."""
        first_packet = state.packets[0] if state.packets else None
        first_timer = state.timers[0] if state.timers else None
        if first_packet and (first_timer is None or first_packet.arrives_in <= first_timer.expires_in):
            later = _passed(state._replace(packets=state.packets[1:]), first_packet.arrives_in)
            side = first_packet.receiver
            yield from self._after(later, side, self._arrival(state.ends[side], first_packet.segment))
        else:
            assert first_timer is not None, "an end that is not CLOSED has a packet to come or a timer"
            later = _passed(state._replace(timers=state.timers[1:]), first_timer.expires_in)
            side = first_timer.side
            yield from self._after(later, side, timer_fires(state.ends[side], first_timer.timer, self._behaviour))

    def _after(self, state: ChainState, side: int, outcome: Outcome) -> Iterator[Successor]:
        """The states after an event at one end, with every fate of the packets that it sends."""
        ends = _with(state.ends, side, outcome)
        if result := _result(state.ends, ends, side, outcome):
            yield result, Fraction(1)
            return
        if side == 1 and ends[1].state is State.CLOSE_WAIT and state.ends[1].state is not State.CLOSE_WAIT:
            outcome = outcome.then(user_calls(ends[1], Call.CLOSE, self._behaviour))
            ends = _with(state.ends, side, outcome)
        lost = 0 if side == 0 and Effect.FIN_ACCEPTED in outcome.effects else state.lost
        timers = self._timers(state, ends, side, outcome)
        for packets, losses, chance in self._sent(ends, side, outcome.replies, lost):
            in_flight = tuple(sorted((*state.packets, *packets), key=_order))
            yield ChainState(ends, in_flight, timers, losses), chance

    def _timers(self, state: ChainState, ends: EndPair, side: int, outcome: Outcome) -> tuple[PendingTimer, ...]:
        run = running(ends[side], self._behaviour)
        kept = [
            entry for entry in state.timers if entry.side != side or (entry.timer in run and entry.timer not in outcome.started)
        ]
        started = [PendingTimer(self._length(ends, side, timer), side, timer) for timer in run if timer in outcome.started]
        return tuple(sorted((*kept, *started)))

    def _length(self, ends: EndPair, side: int, timer: Timer) -> int:
        if timer is Timer.TIME_WAIT:
            return self._time_wait
        if timer is Timer.LIMIT:
            return self._limits[ends[side].state]
        assert timer is Timer.RETRANSMISSION, "users read to the end, so FIN-WAIT-2 has no timer"
        return self._gaps[min(ends[side].tries, len(self._gaps) - 1)]

    def _sent(
        self, ends: EndPair, side: int, segments: tuple[Segment, ...], lost: int
    ) -> list[tuple[tuple[TravellingPacket, ...], int, Fraction]]:
        """Every joint fate of some segments: the packets in flight, the losses in the loss window, and the probability."""
        fates: list[tuple[tuple[TravellingPacket, ...], int, Fraction]] = [((), lost, Fraction(1))]
        for segment in segments:
            counts = self._budget is not None and bool(loss_windows(ends, side, segment, CLOSERS))
            fates = [
                (packets, losses + counts, chance * share)
                if delay is None
                else ((*packets, TravellingPacket(delay, 1 - side, segment)), losses, chance * share)
                for packets, losses, chance in fates
                for delay, share in (self._certain if counts and losses == self._budget else self._lossy)
            ]
        return fates


def _with(ends: EndPair, side: int, outcome: Outcome) -> EndPair:
    return (outcome.block, ends[1]) if side == 0 else (ends[0], outcome.block)


def _passed(state: ChainState, elapsed: int) -> ChainState:
    packets = tuple(packet._replace(arrives_in=packet.arrives_in - elapsed) for packet in state.packets)
    timers = tuple(timer._replace(expires_in=timer.expires_in - elapsed) for timer in state.timers)
    return state._replace(packets=packets, timers=timers)


def _order(packet: TravellingPacket) -> tuple[int, int, str]:
    return packet.arrives_in, packet.receiver, str(packet.segment)


def _result(before: EndPair, after: EndPair, side: int, outcome: Outcome) -> CloseResult | None:
    """How a step ends the close; None if the close goes on."""
    if "graceful" in violations(before, after, side, outcome):
        return CloseResult.RESET
    if Effect.GAVE_UP in outcome.effects:
        return CloseResult.GAVE_UP
    if after[1].state is State.CLOSED:
        return CloseResult.IN_ORDER
    return None
