"""Repeated rounds of steps in a trace, which tables show once."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from timewait.checker.trace import Step, Trace
from timewait.spec.exchange import ENDS

LONGEST_ROUND = 8
"""Steps of a round at most."""

FEWEST_ROUNDS = 3
"""Rounds in a row from which on they are shown once."""

_TIME = re.compile(r"\b[0-9]+(?:\.[0-9]+)?(?:us|ms|s|m|h)[0-9.ms]*|\b0\b")


@dataclass(frozen=True, slots=True)
class Rounds:
    """Steps that repeat: equal but for their times.

    Attributes
    ----------
    first, last : int
        The numbers of the first and the last step of the first round.
    count : int
        The number of rounds, 1 where nothing repeats.
    """

    first: int
    last: int
    count: int

    @property
    def end(self) -> int:
        """The number of the last step of the last round."""
        return self.first + (self.last - self.first + 1) * self.count - 1


def rounds(trace: Trace) -> Iterator[Rounds]:
    """The steps of a trace in order, those that repeat as one round; a step that violates the property stands alone.

    The rounds of a run without end do not cross the beginning of its loop.
    """
    keys = [_key(step) for step in trace.steps]
    position = 0
    while position < len(keys):
        end = trace.loop if trace.loop is not None and position < trace.loop else len(keys)
        length, count = _longest(keys[position:end])
        yield Rounds(position + 1, position + length, count)
        position += length * count


def _longest(keys: Sequence[Hashable]) -> tuple[int, int]:
    """The length and number of the rounds that begin here and cover most steps; one step once if none repeats."""
    best = (1, 1)
    for length in range(1, min(LONGEST_ROUND, len(keys) // FEWEST_ROUNDS) + 1):
        count = 1
        while keys[length * count : length * (count + 1)] == keys[:length]:
            count += 1
        if count >= FEWEST_ROUNDS and length * count > best[0] * best[1]:
            best = (length, count)
    return best


def _key(step: Step) -> Hashable:
    """What a step has in common with its repetitions: everything but times and numbers of copies."""
    received = "" if step.event.received is None else step.event.received.text
    sent = tuple((copy.text, copy.lost) for copy in step.event.sent)
    states = tuple(step.state[f"{end}.state"] for end in ENDS)
    breaks = step.number if step.event.breaks else 0
    return step.event.actor, _TIME.sub("", step.event.text), received, sent, states, breaks
