"""Times in traces: every timer expires at the earliest instant that still violates the property, or the trace says how late."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest

from timewait.checker.decide import decide
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.question import Engine
from timewait.checker.replay import carried_out
from timewait.checker.schedule import LEGIBLE
from timewait.checker.trace import Trace
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.duration import parse_duration
from timewait.spec.outcome import Call, Timer
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour, ResetRule
from timewait.vocabulary.automaton import Action

SEED = 20261130


def configurations() -> Iterator[Configuration]:
    """Small random configurations, most of them with a TIME_WAIT that is too short."""
    rng = random.Random(SEED)
    for _ in range(12):
        counted = rng.random() < 0.3
        yield Configuration(
            msl=Fraction(rng.choice((1, 2, 30))),
            time_wait=rng.choice((Fraction(1), Fraction(599, 10), Fraction(3))),
            rto=(Fraction(rng.choice((1, 2, 30))),),
            loss=rng.choice((0, 1)),
            duplication=1 if counted else None,
            scope=Scope.CORE if counted else Scope.CLOSE,
            behaviour=Behaviour(reset=rng.choice((ResetRule.IGNORE, ResetRule.EXACT))),
        )


def violations(configuration: Configuration) -> list[Trace]:
    """The runs that break graceful or isolation; copies are counted in a small configuration alone."""
    if configuration.duplication is not None:
        configuration = replace(configuration, msl=Fraction(2), time_wait=Fraction(1), rto=(Fraction(1),))
    asked = [PROPERTIES[name] for name in ("graceful", "isolation")]
    answers = decide(question(configuration), asked, Engine.AUTO, Budget(seconds=30))
    return [answer.trace for answer in answers if answer.trace is not None]


@pytest.mark.parametrize("configuration", list(configurations()), ids=lambda _: "")
def test_time_wait_ends_as_soon_as_it_may(configuration: Configuration) -> None:
    """A thousandth of a second after its length, or the step says how late it is."""
    for trace in violations(configuration):
        before = trace.initial_timers
        for step in trace.steps:
            ended = [timer for timer in before if timer.owner == step.event.actor and timer.strict]
            if "leaves TIME_WAIT" in step.event.text:
                (timer,) = ended
                late = step.time - timer.since - timer.limit
                assert late > 0
                said = re.search(r"so (\S+) late", step.event.text)
                assert late <= max(LEGIBLE, timer.limit / 100) if said is None else parse_duration(said[1]) == late
            before = step.timers


def test_first_counterexample_of_the_readme() -> None:
    """TIME_WAIT is a tenth of a second short, and ends a thousandth after that."""
    short = Configuration(msl=Fraction(30), time_wait=Fraction(599, 10), rto=(Fraction(30),))
    (trace,) = [trace for trace in violations(short) if trace.shows == "graceful"]
    assert [step.time for step in trace.steps][4:6] == [Fraction(29901, 1000), Fraction(59901, 1000)]
    assert trace.steps[5].event.text == "leaves TIME_WAIT after 59.901s (TIME_WAIT is 59.9s)"


def test_copies_that_fit_several_edges() -> None:
    """Where copies are counted, an action may fit two copies of one segment; the one that makes the earliest times possible."""
    counted = Configuration(msl=Fraction(2), time_wait=Fraction(1), rto=(Fraction(1),), loss=1, duplication=1, scope=Scope.CORE)
    (trace,) = [trace for trace in violations(counted) if trace.shows == "graceful"]
    assert trace.steps[3].event.text == "leaves TIME_WAIT after 1.001s (TIME_WAIT is 1s)"


@pytest.mark.parametrize(
    ("after", "text"), [(5, "after 5s (TIME_WAIT is 1s, so 4s late)"), (Fraction("1.01"), "after 1.01s (TIME_WAIT is 1s)")]
)
def test_a_late_timer_is_called_late(after: int | Fraction, text: str) -> None:
    """By more than a hundredth of its length."""
    core = Configuration(msl=Fraction(2), time_wait=Fraction(1), rto=(Fraction(1),), loss=0, scope=Scope.CORE)
    fin = Segment(1, ack=2, fin=True)
    moves = [
        (0, Action("call", "B", Call.CLOSE, (False,))),
        (0, Action("deliver", "A", ("B", fin), (False,))),
        (0, Action("deliver", "B", ("A", Segment(2, ack=2)))),
        (after, Action("timer", "A", Timer.TIME_WAIT)),
    ]
    run = Run(tuple(Move(Fraction(delay), action) for delay, action in moves))
    assert carried_out(initial_state(core), run, "late", "").steps[-1].event.text == f"leaves TIME_WAIT {text}"
