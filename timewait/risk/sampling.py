"""The same probabilities by drawing lots: closes carried out one by one, as the check of `timewait.risk.chain`.

It shares the endpoints and the loss windows with the chain and nothing else: it keeps absolute time, a queue of events, and a
generator of random numbers.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from math import sqrt
from typing import NamedTuple

from timewait.risk.chain import CLOSERS, CloseResult
from timewait.risk.path import OrderlyClose
from timewait.spec.endpoint import running, segment_arrives, timer_fires, user_calls
from timewait.spec.exchange import EndPair, loss_windows
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.state import ESTABLISHED, State

QUANTILE = 2.5758
"""Of the normal distribution: 99 percent lie within so many standard deviations."""

CUT_OFF = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK})
"""The states in which a RST cuts an orderly close off."""


class Estimate(NamedTuple):
    """A share of samples, and the interval that contains the probability with a confidence of 99 percent (Wilson 1927)."""

    share: float
    low: float
    high: float


def estimate(hits: int, samples: int) -> Estimate:
    """The share of samples and its confidence interval.

    Parameters
    ----------
    hits, samples : int
        The samples with a result, and all samples, at least one.
    """
    share, weight = hits / samples, QUANTILE**2 / samples
    middle = (share + weight / 2) / (1 + weight)
    half = QUANTILE / (1 + weight) * sqrt(share * (1 - share) / samples + weight / (4 * samples))
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0))


def sampled(close: OrderlyClose, samples: int, seed: int = 0) -> dict[CloseResult, Estimate]:
    """Carry out closes and count their results.

    Parameters
    ----------
    close : OrderlyClose
        The close.
    samples : int
        How many to carry out.
    seed : int
        Of the random numbers.
    """
    chance = random.Random(seed)
    counted = Counter(_Run(close, chance).result() for _ in range(samples))
    return {result: estimate(counted[result], samples) for result in CloseResult}


ArrivalEvent = tuple[int, Segment]
ExpiryEvent = tuple[int, Timer]


@dataclass(slots=True)
class _Run:
    """One close: a queue of events at absolute times, in ticks; an arrival comes before an expiry at the same time."""

    close: OrderlyClose
    chance: random.Random
    ends: EndPair = (ESTABLISHED, ESTABLISHED)
    lost: int = 0
    queue: list[tuple[int, bool, int, ArrivalEvent | ExpiryEvent]] = field(default_factory=list)
    expiries: dict[ExpiryEvent, int] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=count)

    def result(self) -> CloseResult:
        found = self._react(0, 0, user_calls(ESTABLISHED, Call.CLOSE, self.close.behaviour))
        while found is None:
            now, is_expiry, number, (side, subject) = heapq.heappop(self.queue)
            if not is_expiry:
                assert isinstance(subject, Segment)
                found = self._react(now, side, segment_arrives(self.ends[side], subject, self.close.behaviour))
                continue
            assert isinstance(subject, Timer)
            if self.expiries.get((side, subject)) == number:
                found = self._react(now, side, timer_fires(self.ends[side], subject, self.close.behaviour))
        return found

    def _react(self, now: int, side: int, outcome: Outcome) -> CloseResult | None:
        before = self.ends[side].state
        self.ends = (outcome.block, self.ends[1]) if side == 0 else (self.ends[0], outcome.block)
        if Effect.GAVE_UP in outcome.effects:
            return CloseResult.GAVE_UP
        if Effect.RESET in outcome.effects and before in CUT_OFF:
            return CloseResult.RESET
        if self.ends[1].state is State.CLOSED:
            return CloseResult.IN_ORDER
        if side == 0 and Effect.FIN_ACCEPTED in outcome.effects:
            self.lost = 0
        self._set_timers(now, side, outcome)
        if (after := self.ends[1].state) is State.CLOSE_WAIT and before is not after and side == 1:
            closing = user_calls(self.ends[1], Call.CLOSE, self.close.behaviour)
            self.ends = (self.ends[0], closing.block)
            self._set_timers(now, side, closing)
            self._send(now, side, (*outcome.replies, *closing.replies))
        else:
            self._send(now, side, outcome.replies)
        return None

    def _set_timers(self, now: int, side: int, outcome: Outcome) -> None:
        run = running(self.ends[side], self.close.behaviour)
        for timer in Timer:
            if timer not in run:
                self.expiries.pop((side, timer), None)
            elif timer in outcome.started:
                gaps = self.close.gaps
                gap = gaps[min(self.ends[side].tries, len(gaps) - 1)]
                lasts = {Timer.TIME_WAIT: self.close.time_wait, Timer.RETRANSMISSION: gap}.get(timer)
                lasts = self.close.limits[self.ends[side].state] if lasts is None else lasts
                self.expiries[side, timer] = number = next(self.numbers)
                heapq.heappush(self.queue, (now + int(lasts * self.close.unit), True, number, (side, timer)))

    def _send(self, now: int, side: int, segments: tuple[Segment, ...]) -> None:
        path = self.close.path
        for segment in segments:
            counts = path.budget is not None and bool(loss_windows(self.ends, side, segment, CLOSERS))
            if not (counts and self.lost == path.budget) and self.chance.random() < path.loss_rate:
                self.lost += counts
                continue
            delays, weights = zip(*path.delays, strict=True)
            (delay,) = self.chance.choices(delays, [float(weight) for weight in weights])
            heapq.heappush(self.queue, (now + int(delay * self.close.unit), False, next(self.numbers), (1 - side, segment)))
