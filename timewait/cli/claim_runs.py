"""The runs by which claims are shown: of each claim's counterexamples one that is short, at durations that people use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import click

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.family import instance, parse_schedule
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.replay import replay
from timewait.checker.trace import Trace
from timewait.proofs.claims import CLAIMS, FIN, INTENDED, LITERAL, STEP_ONE, close
from timewait.proofs.question import question
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.settings import Behaviour

MSL = RTO = 30
"""In seconds."""
TWO_MSL = 2 * MSL
A_LITTLE_LESS = Fraction(599, 10)
"""Than 2 MSL, in seconds."""


@dataclass(frozen=True, slots=True)
class ClaimRun:
    """A run that shows a claim.

    Attributes
    ----------
    claim, broken : str
        Which claim, and which property the run breaks.
    told : str
        What happens, in a line.
    find : callable
        Finds the run; it takes about a second.
    """

    claim: str
    broken: str
    told: str
    find: Callable[[], Trace]


def _first(claim: str) -> Trace:
    """The first run among the evidence for a claim."""
    return next(piece.trace for piece in CLAIMS[claim].gather() if piece.trace is not None)


def _found(configuration: Configuration, name: str) -> Trace:
    """The run by which an engine answers a question."""
    (answer,) = decide(question(configuration), [PROPERTIES[name]], Engine.AUTO, Budget())
    assert answer.trace is not None, f"{name} is {answer.verdict}, and was to be violated"
    return answer.trace


def _endless() -> Trace:
    """Two ends that acknowledge each other for ever: a written schedule, since to search for it takes long."""
    letter = replace(close(MSL, TWO_MSL, RTO, 0, LITERAL), both_close=True)
    schedule = parse_schedule("""
        0: A call CLOSE
        0: B call CLOSE
        0: B deliver A FIN+ACK seq=1 ack=1
        0: A deliver B FIN+ACK seq=1 ack=1
        0: B deliver A ACK seq=2 ack=2
        0: A deliver B ACK seq=2 ack=2
        MSL: B deliver A ACK seq=2 ack=2
        MSL: A deliver B ACK seq=2 ack=2
        MSL: B deliver A ACK seq=2 ack=2
    """)
    run = instance(CompiledAutomaton(Composition(letter)), schedule, letter.parameters, 0)
    return replay(initial_state(letter), replace(run, loop=7), PROPERTIES["quiet"])


def _shown() -> Iterator[ClaimRun]:
    def asked(claim: str, broken: str, told: str, configuration: Configuration) -> ClaimRun:
        return ClaimRun(claim, broken, told, lambda: _found(configuration, broken))

    first_told = "a tenth of a second less than 2 MSL, and an old FIN reaches the next connection"
    yield ClaimRun("C2", "isolation", first_told, lambda: _first("C2"))
    short = close(MSL, A_LITTLE_LESS, RTO, 1)
    yield asked("C4", "graceful", "the lost acknowledgement: a FIN sent again meets no TIME_WAIT, and a RST ends B", short)
    unlost = replace(short, loss=0)
    yield asked("C4", "isolation", "the old duplicate: nothing is lost, and yet an old ACK reaches the next connection", unlost)
    twice = close(MSL, TWO_MSL, RTO, 2)
    yield asked("C5", "graceful", "two losses in one round outlast 2 MSL", twice)
    yield asked("C6", "graceful", "where any number may be lost, every TIME_WAIT is too short", replace(twice, loss=None))
    deaf = close(MSL, TWO_MSL, RTO, 1, replace(INTENDED, restarts=frozenset()))
    yield asked("C7", "graceful", "a FIN sent again does not restart the timer, which runs out before the next", deaf)
    yield ClaimRun("C8", "isolation", "a RST ends TIME_WAIT at once, however long it is", lambda: _first("C8"))
    letter = close(MSL, TWO_MSL, RTO, 1, LITERAL)
    yield asked("C9", "fin-restarts", "RFC 9293 (literal reading): the FIN is acknowledged, and the timer runs on", letter)
    yield ClaimRun("C10", "quiet", "RFC 9293 (literal reading): two ends in TIME_WAIT acknowledge each other for ever", _endless)
    sends = replace(close(MSL, TWO_MSL, RTO, 0), text=(0, 1))
    orphan = replace(INTENDED, abandons=True, fin_wait_2=True)
    impatient = replace(sends, behaviour=orphan, fin_wait_2=Fraction(60))
    yield asked("C12", "integrity", "A gives FIN_WAIT_2 up after 60 s, and B's text finds nobody", impatient)
    aborts = replace(sends, text=(1, 0), behaviour=replace(INTENDED, linger_zero=True))
    yield asked("C15", "integrity", "SO_LINGER {1,0}: what was sent is thrown away with the connection", aborts)
    answers = close(MSL, Fraction(899, 10), RTO, 1, Behaviour(answers=STEP_ONE, restarts=FIN))
    yield asked("C16", "isolation", "answers that do not restart the timer beget a RST that outlives it", answers)
    late = replace(close(MSL, TWO_MSL, RTO, 1), text=(0, 1))
    yield asked("C17", "graceful", "a late acknowledgement of B's text puts off B's FIN", late)


CLAIM_RUNS = tuple(_shown())
"""Every run, by claim."""


def counterexample(claim: str, broken: str | None = None) -> Trace:
    """A run that shows a claim: the one chosen for that, else the first of its evidence.

    Parameters
    ----------
    claim : str
        Its name, in letters of either case.
    broken : str or None
        The property that the run is to break; None for the first that is there.

    Raises
    ------
    click.UsageError
        There is no such claim, or it shows no such run.
    """
    name = claim.upper()
    if name not in CLAIMS:
        raise click.UsageError(f"there is no claim {claim!r}; there are {', '.join(CLAIMS)}")
    for shown in CLAIM_RUNS:
        if shown.claim == name and broken in (None, shown.broken):
            return shown.find()
    for piece in CLAIMS[name].gather():
        if piece.trace is not None and broken in (None, piece.trace.shows):
            return piece.trace
    raise click.UsageError(f"claim {name} shows no run" + (f" that breaks {broken}" if broken else ""))
