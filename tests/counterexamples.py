"""Traces of several kinds, from engines and from hand-written schedules."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.family import instance, parse_schedule
from timewait.checker.finding import Budget, Run
from timewait.checker.question import Engine
from timewait.checker.replay import carried_out, replay
from timewait.checker.trace import Trace
from timewait.proofs.claims import FIN, INTENDED, LITERAL, STEP_ONE, close, core
from timewait.proofs.question import question
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.settings import Behaviour, ResetRule

_THIRD = Fraction(1, 3)
_RST_EXACT = replace(INTENDED, reset=ResetRule.EXACT)
_SENDS = replace(close(1, 2, 1, 0), text=(0, 1))

QUESTIONS: dict[str, tuple[Configuration, str]] = {
    "C2 core": (core(30, Fraction(599, 10), 30, 1), "isolation"),
    "C2 close": (close(30, Fraction(59_999, 1_000), 30, 1), "graceful"),
    "C2 thirds": (replace(close(1, 0, 1, 1), msl=_THIRD, time_wait=_THIRD, rto=(_THIRD,)), "graceful"),
    "C5": (close(2, 4, 2, 2), "graceful"),
    "C7": (close(2, 4, 2, 1, replace(INTENDED, restarts=frozenset())), "graceful"),
    "C8": (close(2, 4, 2, 0, _RST_EXACT), "isolation"),
    "C8 no duplication": (replace(close(1, 2, 1, 0, _RST_EXACT), duplication=0), "time-wait-kept"),
    "C12": (
        replace(_SENDS, behaviour=replace(INTENDED, abandons=True, fin_wait_2=True), fin_wait_2=Fraction(3)),
        "integrity",
    ),
    "C15": (replace(close(1, 2, 1, 0), text=(1, 0), behaviour=replace(INTENDED, linger_zero=True)), "integrity"),
    "C16": (close(2, 5, 1, 0, Behaviour(answers=STEP_ONE, restarts=FIN)), "isolation"),
}
"""Configurations with a violated property, each decided in about a second."""

SCHEDULES: dict[str, tuple[Configuration, str]] = {
    "text out of order": (
        replace(close(4, 8, 2, 1), text=(2, 0)),
        """
        0: A call SEND
        0: A call SEND
        MSL/4: B deliver A DATA+ACK seq=2 ack=1 len=1
        MSL/4: A timer retransmission
        RTO: A timer retransmission
        0: B deliver A DATA+ACK seq=1 ack=1 len=1
        0: A deliver B ACK seq=1 ack=2
        0: A call CLOSE
        """,
    ),
    "a duplicate at once": (
        close(4, 8, 2, 1),
        """
        0: A call CLOSE
        0: B deliver A FIN+ACK seq=1 ack=1
        0: B deliver A FIN+ACK seq=1 ack=1
        MSL/8: B call CLOSE
        0: A deliver B FIN+ACK seq=1 ack=2
        """,
    ),
}
"""Runs written by hand, with events that engines seldom show."""

ENDLESS = """
    0: A call CLOSE
    0: B call CLOSE
    0: B deliver A FIN+ACK seq=1 ack=1
    0: A deliver B FIN+ACK seq=1 ack=1
    0: B deliver A ACK seq=2 ack=2
    0: A deliver B ACK seq=2 ack=2
    MSL: B deliver A ACK seq=2 ack=2
    MSL: A deliver B ACK seq=2 ack=2
    MSL: B deliver A ACK seq=2 ack=2
    MSL: A deliver B ACK seq=2 ack=2
"""
"""The lasso of C10: after its eighth step it repeats itself."""

NAMES = (*QUESTIONS, *SCHEDULES, "C10")


@cache
def counterexample(name: str) -> Trace:
    """The trace of one of `NAMES`."""
    if name == "C10":
        literal = replace(close(1, 2, 1, 0, LITERAL), both_close=True)
        run = replace(_run(literal, ENDLESS), loop=8)
        return replay(initial_state(literal), run, PROPERTIES["quiet"])
    if name in SCHEDULES:
        configuration, schedule = SCHEDULES[name]
        run = _run(configuration, schedule)
        return carried_out(initial_state(configuration), run, name, f"it can happen: {name}")
    configuration, violated = QUESTIONS[name]
    (answer,) = decide(question(configuration), [PROPERTIES[violated]], Engine.AUTO, Budget())
    assert answer.trace is not None
    return answer.trace


def _run(configuration: Configuration, schedule: str) -> Run:
    return instance(CompiledAutomaton(Composition(configuration)), parse_schedule(schedule), configuration.parameters, 0)
