"""A run for each claim that a counterexample shows: short, with common durations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

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
from timewait.vocabulary.errors import RequestError
from timewait.vocabulary.suggestions import advice

MSL = RTO = 30
"""In seconds."""
TWO_MSL = 2 * MSL
TOO_SHORT = Fraction(599, 10)
"""A TIME_WAIT of slightly less than 2 MSL, in seconds."""


@dataclass(frozen=True, slots=True)
class ClaimRun:
    """A run that shows a claim.

    Attributes
    ----------
    claim, broken : str
        The claim, and the property that the run violates.
    title : str
        The run in a line.
    find : callable
        Finds the run; it takes about a second.
    """

    claim: str
    broken: str
    title: str
    find: Callable[[], Trace]


def _first(claim: str) -> Trace:
    """The first run in the evidence of a claim."""
    return next(piece.trace for piece in CLAIMS[claim].gather() if piece.trace is not None)


def _violation(configuration: Configuration, name: str) -> Trace:
    """The run by which an engine violates a property."""
    (answer,) = decide(question(configuration), [PROPERTIES[name]], Engine.AUTO, Budget())
    assert answer.trace is not None, f"{name} is {answer.verdict}, not violated"
    return answer.trace


def _endless() -> Trace:
    """Two ends that acknowledge each other for ever: a fixed schedule, since a search for one takes long."""
    literal = replace(close(MSL, TWO_MSL, RTO, 0, LITERAL), both_close=True)
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
    run = instance(CompiledAutomaton(Composition(literal)), schedule, literal.parameters, 0)
    return replay(initial_state(literal), replace(run, loop=7), PROPERTIES["quiet"])


def _runs() -> Iterator[ClaimRun]:
    def violation(claim: str, broken: str, title: str, configuration: Configuration) -> ClaimRun:
        return ClaimRun(claim, broken, title, lambda: _violation(configuration, broken))

    title = "a tenth of a second less than 2 MSL, and an old FIN reaches the next connection"
    yield ClaimRun("C2", "isolation", title, lambda: _first("C2"))
    short = close(MSL, TOO_SHORT, RTO, 1)
    yield violation(
        "C4", "graceful", "the acknowledgement is lost: a retransmitted FIN finds no TIME-WAIT, and a RST ends B", short
    )
    lossless = replace(short, loss=0)
    yield violation("C4", "isolation", "nothing is lost, yet the RST that answers an old FIN ends the next connection", lossless)
    twice = close(MSL, TWO_MSL, RTO, 2)
    yield violation("C5", "graceful", "two losses in one loss window outlast 2 MSL", twice)
    yield violation(
        "C6", "graceful", "where any number of copies may be lost, every TIME_WAIT is too short", replace(twice, loss=None)
    )
    not_restarted = close(MSL, TWO_MSL, RTO, 1, replace(INTENDED, restarts=frozenset()))
    yield violation(
        "C7", "graceful", "a retransmitted FIN does not restart the timer, which expires before the next one", not_restarted
    )
    yield ClaimRun("C8", "isolation", "a RST ends TIME-WAIT at once, however long TIME_WAIT is", lambda: _first("C8"))
    literal = close(MSL, TWO_MSL, RTO, 1, LITERAL)
    yield violation(
        "C9", "fin-restarts", "RFC 9293 (literal reading): the FIN is acknowledged, and the timer is not restarted", literal
    )
    yield ClaimRun("C10", "quiet", "RFC 9293 (literal reading): two ends in TIME-WAIT acknowledge each other for ever", _endless)
    with_text = replace(close(MSL, TWO_MSL, RTO, 0), text=(0, 1))
    orphan = replace(INTENDED, abandons=True, fin_wait_2=True)
    with_timeout = replace(with_text, behaviour=orphan, fin_wait_2=Fraction(60))
    yield violation("C12", "integrity", "A leaves FIN-WAIT-2 after 60 s, and the text of B is lost", with_timeout)
    aborting = replace(with_text, text=(1, 0), behaviour=replace(INTENDED, linger_zero=True))
    yield violation("C15", "integrity", "SO_LINGER {1,0}: CLOSE discards text that was sent", aborting)
    not_restarting = close(MSL, Fraction(899, 10), RTO, 1, Behaviour(answers=STEP_ONE, restarts=FIN))
    yield violation(
        "C16", "isolation", "answers that do not restart the timer provoke a RST that outlives TIME-WAIT", not_restarting
    )
    late = replace(close(MSL, TWO_MSL, RTO, 1), text=(0, 1))
    yield violation("C17", "graceful", "a late acknowledgement of the text of B delays the FIN of B", late)


CLAIM_RUNS = tuple(_runs())
"""Every run, by claim."""


def counterexample(claim: str, broken: str | None = None) -> Trace:
    """A run that shows a claim: the one in `CLAIM_RUNS`, else the first in the evidence of the claim.

    Parameters
    ----------
    claim : str
        The name of the claim, in upper or lower case.
    broken : str or None
        The property that the run violates; None for any.

    Raises
    ------
    RequestError
        There is no such claim, or no such run for it.
    """
    name = claim.upper()
    if name not in CLAIMS:
        raise RequestError(f"there is no claim {claim!r}; {advice(claim.upper(), CLAIMS)}")
    for run in CLAIM_RUNS:
        if run.claim == name and broken in (None, run.broken):
            return run.find()
    for piece in CLAIMS[name].gather():
        if piece.trace is not None and broken in (None, piece.trace.shows):
            return piece.trace
    raise RequestError(f"claim {name} shows no run" + (f" that violates {broken}" if broken else ""))
