"""Runs by which engines break properties of small closes, and one that is written down."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.quotient import Quotient
from timewait.checker.zones import Zones
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Arrival, Behaviour
from timewait.vocabulary.automaton import Action

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
INTENDED = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
CORE = Configuration(Fraction(2), Fraction(3), (Fraction(2),), loss=1, scope=Scope.CORE, behaviour=INTENDED)
CLOSE = Configuration(Fraction(1), Fraction(1), (Fraction(1),), loss=1, behaviour=INTENDED)
ODD = replace(CORE, msl=Fraction(2, 3), time_wait=Fraction(1), rto=(Fraction(1, 2),))
TEXT = replace(CLOSE, text=(0, 1), time_wait=Fraction(0))
CONFIGURATIONS = {"core": CORE, "close": CLOSE, "odd": ODD, "text": TEXT}
BROKEN = [(name, asked) for name in CONFIGURATIONS for asked in ("graceful", "isolation")]

each_run = pytest.mark.parametrize("engine", ["explicit", "zones"])
each_broken = pytest.mark.parametrize(("name", "asked"), BROKEN)


@cache
def found(name: str, asked: str, engine: str) -> Run:
    """The run by which an engine breaks a property."""
    system = Composition(CONFIGURATIONS[name])
    explored: Explicit | Zones = (
        Explicit(CompiledAutomaton(system)) if engine == "explicit" else Zones(CompiledAutomaton(Quotient(system)))
    )
    explored.explore(Budget(), frozenset({asked}))
    run = explored.run_to(*explored.broken[asked])
    assert run is not None
    return run


# --- a run written by hand -----------------------------------------------------------------------------------------

FIN = ("B", Segment(1, ack=2, fin=True))
ACK = ("A", Segment(2, ack=2))
HAIR = Fraction(1, 10**9)


def deliver(actor: str, subject: tuple[str, Segment], *lost: bool) -> Action:
    """The arrival of a copy, and what becomes of the answers."""
    return Action("deliver", actor, subject, lost)


def timer(actor: str, which: Timer, *lost: bool) -> Action:
    """A timer, and what becomes of what is sent then."""
    return Action("timer", actor, which, lost)


# MSL = 2 s, RTO = 2 s, TIME_WAIT = 3 s: the FIN sent at 2 s may arrive until 4 s; TIME-WAIT, entered at 0 s, ends after 3 s.
MOVES = (
    Move(Fraction(0), Action("call", "B", Call.CLOSE, (False,))),
    Move(Fraction(0), deliver("A", FIN, False)),
    Move(Fraction(2), timer("B", Timer.RETRANSMISSION, False)),
    Move(Fraction(0), deliver("B", ACK)),
    Move(1 + HAIR, timer("A", Timer.TIME_WAIT)),
    Move(Fraction(0), Action("reopen", "users", "the same addresses and ports")),
    Move(1 - HAIR, deliver("A", FIN)),
)
CALL, FIRST, AGAIN, ACKED, LEFT, REOPENED, LATE = range(len(MOVES))


# --- runs without end ----------------------------------------------------------------------------------------------


def go(*does: str | None, delay: int = 0) -> list[Move]:
    """Moves of a toy."""
    return [Move(Fraction(delay), Action("toy", "somebody", what) if what else None) for what in does]
