"""Runs of the specification chosen at random, for tests of pictures and formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cache
from random import Random

from timewait.checker.finding import Move, Run
from timewait.checker.replay import carried_out
from timewait.checker.trace import Trace
from timewait.proofs.claims import INTENDED, close
from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.segment import Segment
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove, Packet

STEPS = 24
"""The most steps of a run."""

LOSSES = ((), (False,), (True,), (False, False), (True, False))
"""The losses of what a step sends, as far as they fit."""


@cache
def random_run(seed: int) -> Trace:
    """A run without a violation, by the number that chooses it: calls, losses, duplicates, delays and timers in any order."""
    random = Random(seed)
    configuration = replace(close(8, 16, 8, 2, INTENDED), both_close=bool(seed % 2))
    state, moves = initial_state(configuration), []
    for _ in range(STEPS):
        found = next(_steps(state, random), None)
        if found is None:
            break
        move, state = found
        moves.append(move)
    return carried_out(initial_state(configuration), Run(tuple(moves)), "random", f"run {seed}")


def _steps(state: ReferenceState, random: Random) -> Iterator[tuple[Move, ReferenceState]]:
    """The steps that are possible and violate nothing, in an order chosen at random."""
    delays = random.sample([Fraction(0), Fraction(0), Fraction(1, 10), Fraction(3), Fraction(8), Fraction(16)], 6)
    for delay in delays:
        with suppress(ImpossibleMove):
            later = state.wait(delay) if delay else state
            for action in random.sample(options := [*_actions(later)], len(options)):
                with suppress(ImpossibleMove, ValueError):
                    after = later.act(action)[0]
                    if not after.broken:
                        yield Move(delay, action), after


def _actions(state: ReferenceState) -> Iterator[Action]:
    for losses in LOSSES:
        for end in "AB":
            yield Action("call", end, Call.CLOSE, losses)
            yield from (Action("timer", end, timer, losses) for timer in (Timer.RETRANSMISSION, Timer.TIME_WAIT))
        for copy in state.in_flight():
            yield Action("deliver", copy.receiver, (copy.sender, _segment(copy)), losses)
    yield Action("reopen", "users", "the same addresses and ports")


def _segment(copy: Packet) -> Segment:
    fields = dict(copy.fields)
    bits = {bit: bool(fields.get(bit)) for bit in ("syn", "fin", "rst")}
    return Segment(fields["seq"], fields.get("ack"), fields.get("len", 0), **bits)
