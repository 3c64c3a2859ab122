"""Many random configurations, each decided in four ways (see `four_ways`).

``python tests/draws.py --first 1234 --wanted 1`` repeats draw 1234 if it can be decided;
``python tests/draws.py --first 5000 --wanted 1000`` decides draws from 5000 on until a thousand were decided in four ways.
The last line sums up; the exit code is 1 if ways disagree, or if too few draws were decided.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from four_ways import Bounds, Judgement, judgement
from oracle import JUDGED

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import Arrival, ResetRule

KINDS: Mapping[str, Callable[[Configuration], bool]] = {
    "core": lambda drawn: drawn.scope is Scope.CORE,
    "either closes first": lambda drawn: drawn.both_close,
    "text from A": lambda drawn: drawn.text[0] > 0,
    "text from B": lambda drawn: drawn.text[1] > 0,
    "no loss": lambda drawn: drawn.loss == 0,
    "one loss": lambda drawn: drawn.loss == 1,
    "two losses": lambda drawn: drawn.loss == 2,
    "any loss": lambda drawn: drawn.loss is None,
    "no duplication": lambda drawn: drawn.duplication == 0,
    "one duplication": lambda drawn: drawn.duplication == 1,
    "any duplication": lambda drawn: drawn.duplication is None,
    "order kept": lambda drawn: drawn.fifo,
    "order kept and copies counted": lambda drawn: drawn.fifo and drawn.duplication is not None,
    "back-off": lambda drawn: len(drawn.rto) > 1,
    "exact gaps": lambda drawn: drawn.rto_exact,
    "late retransmissions": lambda drawn: drawn.rto_slack > 0,
    "limited retries": lambda drawn: drawn.behaviour.retries is not None,
    "a FIN restarts TIME-WAIT": lambda drawn: Arrival.FIN in drawn.behaviour.restarts,
    "a FIN does not restart TIME-WAIT": lambda drawn: Arrival.FIN not in drawn.behaviour.restarts,
    "a RST ends TIME-WAIT": lambda drawn: drawn.behaviour.reset is not ResetRule.IGNORE,
    "no TIME-WAIT": lambda drawn: not drawn.behaviour.time_wait,
    "FIN-WAIT-2 ends": lambda drawn: drawn.behaviour.fin_wait_2,
    "LAST-ACK ends": lambda drawn: drawn.behaviour.last_ack,
    "SO_LINGER {1,0}": lambda drawn: drawn.behaviour.linger_zero,
    "half-close": lambda drawn: drawn.behaviour.half_close,
    "RST at the number of the FIN": lambda drawn: drawn.behaviour.reset_at_fin,
}
"""Kinds of configurations; draws of each kind must be decided."""

FIRST = "TIMEWAIT_FIRST_DRAW"
"""The variable of the environment with the number of the first draw of the long test."""

SPREAD = 3
"""Draws are tried up to this multiple of those that are wanted."""


def first_draw() -> int:
    """The number of the first draw of the long test."""
    return int(os.environ.get(FIRST, "0"))


@dataclass
class Tally:
    """The results of several draws.

    Attributes
    ----------
    judged : list of Judgement
        The draws that were decided in four ways.
    undecided : list of Judgement
        The others: one way reached a bound.
    """

    judged: list[Judgement] = field(default_factory=list)
    undecided: list[Judgement] = field(default_factory=list)

    def add(self, judged: Judgement) -> None:
        """Count one more draw."""
        (self.undecided if judged.undecided else self.judged).append(judged)

    @property
    def faults(self) -> list[str]:
        """Every disagreement, also in draws that one way did not decide."""
        return [str(judged) for judged in (*self.judged, *self.undecided) if judged.faults]

    @property
    def summary(self) -> str:
        """The results in a line."""
        violated = sum(bool(judged.broken) for judged in self.judged)
        runs = sum(judged.runs for judged in (*self.judged, *self.undecided))
        return (
            f"{len(self.judged)} draws decided in four ways, {violated} of them violate something; "
            f"{len(self.undecided)} not decided; {runs} runs replayed; {len(self.faults)} disagreements"
        )

    @property
    def kinds(self) -> Counter[str]:
        """The number of decided draws of each kind."""
        return Counter(kind for judged in self.judged for kind, holds in KINDS.items() if holds(judged.configuration))

    def lines(self) -> Iterator[str]:
        """The results as lines of text."""
        verdicts = Counter(name for judged in self.judged for name in judged.broken)
        yield ", ".join(f"{name} violated {verdicts[name]}, safe {len(self.judged) - verdicts[name]}" for name in JUDGED)
        yield ", ".join(f"{kind}: {self.kinds[kind]}" for kind in KINDS)
        between = [judged.number for judged in self.judged if judged.between]
        yield f"violated in parts of a tick alone: draws {', '.join(map(str, between)) or 'none'}"
        reasons: dict[str, list[int]] = {}
        for judged in self.undecided:
            reasons.setdefault(judged.undecided.split(":")[0], []).append(judged.number)
        for way, numbers in sorted(reasons.items()):
            yield f"not decided, a bound of {way}: draws {', '.join(map(str, numbers))}"
        yield from self.faults
        yield self.summary


def tally(numbers: Iterable[int], wanted: int, bounds: Bounds) -> Tally:
    """Decide draws until a number of them were decided in four ways."""
    found = Tally()
    for number in numbers:
        if len(found.judged) >= wanted:
            break
        found.add(judgement(number, bounds))
    return found


def main() -> int:
    """Print the result of each draw, and then of all."""
    parser = argparse.ArgumentParser(description="Decide random configurations in four ways.")
    parser.add_argument("--first", type=int, default=first_draw(), help="the number of the first draw")
    parser.add_argument("--wanted", type=int, default=1_000, help="draws to decide in four ways")
    parser.add_argument("--most", type=int, help=f"draws to try, by default {SPREAD} times as many")
    given = parser.parse_args()
    found, started = Tally(), time.process_time()
    last = given.first + (SPREAD * given.wanted if given.most is None else given.most)
    for number in range(given.first, last):
        if len(found.judged) >= given.wanted:
            break
        began = time.process_time()
        judged = judgement(number, Bounds())
        found.add(judged)
        answer = judged.undecided or str(judged.broken or "safe")
        print(f"draw {number}: {answer}, {time.process_time() - began:.2f} s" + f"\n  {judged}" * bool(judged.faults), flush=True)
    print(f"{time.process_time() - started:.0f} s of processor time")
    for line in found.lines():
        print(line)
    return int(bool(found.faults) or len(found.judged) < given.wanted)


if __name__ == "__main__":
    sys.exit(main())
