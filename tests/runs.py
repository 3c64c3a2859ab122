"""Replayed runs for the tests of charts and pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.family import instance, parse_schedule
from timewait.checker.finding import Move, Run
from timewait.checker.replay import carried_out, replay
from timewait.checker.trace import Trace
from timewait.cli.run import carry_out
from timewait.proofs.claims import INTENDED, LITERAL, NEVER_RESTARTED, close, core, iterations_to_outlast
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration
from timewait.spec.outcome import Call, Timer
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.scenarios import SCENARIOS
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour, ResetRule
from timewait.vocabulary.automaton import Action

OLD_DUPLICATE = """
    0: B call CLOSE
    0: A deliver B FIN+ACK seq=1 ack=2
    MSL/2: B timer retransmission (lost)
    MSL/2: B timer retransmission
    0: B deliver A ACK seq=2 ack=2
    TIME_WAIT/2: A timer time-wait
    0: users reopen the same addresses and ports
    0: A deliver B FIN+ACK seq=1 ack=2
"""
ASSASSINATED = """
    0: A call CLOSE
    0: B deliver A FIN+ACK seq=1 ack=1
    0: B call CLOSE
    0: A deliver B FIN+ACK seq=1 ack=2
    0: B deliver A ACK seq=2 ack=2
    MSL: A deliver B FIN+ACK seq=1 ack=2
    0: B deliver A ACK seq=2 ack=2
    0: A deliver B RST seq=2
    0: users reopen the same addresses and ports
    0: A deliver B FIN+ACK seq=1 ack=2
"""
CHAIN = """
    0: A call CLOSE
    0: B deliver A FIN+ACK seq=1 ack=1
    0: B call CLOSE
    0: A deliver B FIN+ACK seq=1 ack=2
    0: B deliver A ACK seq=2 ack=2
    MSL: A deliver B ACK seq=1 ack=2
    MSL: B deliver A ACK seq=2 ack=2
    TIME_WAIT/8: A timer time-wait
    0: users reopen the same addresses and ports
    0: A deliver B RST seq=2
"""


def scheduled(configuration: Configuration, text: str, name: str, iterations: int = 0) -> Trace:
    """A schedule, replayed until it violates a property."""
    run = instance(CompiledAutomaton(Composition(configuration)), parse_schedule(text), configuration.parameters, iterations)
    return replay(initial_state(configuration), run, PROPERTIES[name])


def _old_duplicate() -> Trace:
    return scheduled(core(30, Fraction(599, 10), 30, 1), OLD_DUPLICATE, "isolation")


def _never_restarted() -> Trace:
    never_restarted = core(30, 600, 30, 1, replace(INTENDED, restarts=frozenset()))
    return scheduled(never_restarted, NEVER_RESTARTED, "graceful", iterations_to_outlast(never_restarted))


def _assassinated() -> Trace:
    return scheduled(close(30, 600, 30, 0, replace(INTENDED, reset=ResetRule.EXACT)), ASSASSINATED, "isolation")


def _chain() -> Trace:
    behaviour = Behaviour(answers=INTENDED.answers, restarts=frozenset())
    return scheduled(close(8, 17, 8, 0, behaviour), CHAIN, "isolation")


def _endless() -> Trace:
    """Two ends in TIME-WAIT acknowledge each other for ever."""
    fin, ack = Segment(1, ack=1, fin=True), Segment(2, ack=2)

    def arrives(receiver: str, segment: Segment, *lost: bool, after: int = 0) -> Move:
        sender = "A" if receiver == "B" else "B"
        return Move(Fraction(after), Action("deliver", receiver, (sender, segment), lost))

    moves = (
        Move(Fraction(0), Action("call", "A", Call.CLOSE, (False,))),
        Move(Fraction(0), Action("call", "B", Call.CLOSE, (False,))),
        arrives("B", fin, False),
        arrives("A", fin, False),
        arrives("B", ack),
        arrives("A", ack),
        arrives("B", ack, False, after=1),
        arrives("A", ack, False, after=1),
        arrives("B", ack, False, after=1),
    )
    both = replace(close(1, 2, 1, 0, LITERAL), both_close=True)
    return replay(initial_state(both), Run(moves, 7), PROPERTIES["quiet"])


MAKERS: dict[str, Callable[[], Trace]] = {
    "old duplicate": _old_duplicate,
    "never restarted": _never_restarted,
    "assassinated": _assassinated,
    "chain": _chain,
    "endless": _endless,
}
VIOLATIONS = tuple(MAKERS)
EVERY = (*VIOLATIONS, *SCENARIOS)


@cache
def trace(name: str) -> Trace:
    """One of the runs, or a scenario, by name."""
    return carry_out(SCENARIOS[name]) if name in SCENARIOS else MAKERS[name]()


@cache
def long(steps: int) -> Trace:
    """A run of many steps: a FIN is answered, the answer lost, and so on."""
    configuration = core(30, 30 * steps, 30, 1, replace(INTENDED, restarts=frozenset()))
    again = Move(Fraction(30), Action("timer", "B", Timer.RETRANSMISSION, (False,)))
    lost = Move(Fraction(0), Action("deliver", "A", ("B", Segment(1, ack=2, fin=True)), (True,)))
    moves = [Move(Fraction(0), Action("call", "B", Call.CLOSE, (False,))), *[lost, again] * steps]
    return carried_out(initial_state(configuration), Run(tuple(moves[:steps])), "long", "a long run")
