"""Closes that go well: what users, network and timers do in them, step by step.

Each is carried out on the specification like any counterexample; nothing here says what comes of a step. One way
through the network takes 20 ms, and the addresses and ports are opened again as soon as TIME-WAIT allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import Call, Timer
from timewait.spec.segment import Segment
from timewait.vocabulary.automaton import Action


class Planned(NamedTuple):
    """A step that is to be done: how many seconds after the one before, and what."""

    delay: Fraction
    action: Action


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run worth seeing.

    Attributes
    ----------
    name : str
        How people ask for it.
    statement : str
        What it shows, in a sentence.
    configuration : Configuration
        How long things last.
    moves : tuple of Planned
        The steps, in order.
    """

    name: str
    statement: str
    configuration: Configuration
    moves: tuple[Planned, ...]


WAY = Fraction(20, 1000)
"""One way through the network, in seconds."""
THOUGHT = Fraction(60, 1000)
"""How long a user takes before the next call, in seconds."""
GAP = Fraction(1)
"""Between two transmissions of a segment, in seconds (RFC 6298 2.4: a second at least)."""
WAITED = Fraction(60) + WAY
"""How long an end stays in a TIME-WAIT of 60 s, in seconds: it is left a little later."""

USUAL = Configuration(msl=Fraction(30), time_wait=Fraction(60), rto=(GAP,), loss=1)

FIN_OF_A = Segment(1, ack=1, fin=True)
ACK_OF_A = Segment(2, ack=2)
ACK_OF_B = Segment(1, ack=2)


def _call(end: str, call: Call, *, after: Fraction = Fraction(0)) -> Planned:
    return Planned(after, Action("call", end, call, (False,)))


def _arrives(sender: str, segment: Segment, *answers: bool, after: Fraction = WAY) -> Planned:
    """A copy arrives; for each answer, whether it is lost."""
    receiver = "B" if sender == "A" else "A"
    return Planned(after, Action("deliver", receiver, (sender, segment), answers))


def _leaves_time_wait(end: str, after: Fraction = WAITED - WAY) -> Planned:
    return Planned(after, Action("timer", end, Timer.TIME_WAIT))


REOPENS = Planned(Fraction(0), Action("reopen", "users", "the same addresses and ports"))


def _clean_close() -> tuple[Planned, ...]:
    fin = Segment(1, ack=2, fin=True)
    return (
        _call("A", Call.CLOSE),
        _arrives("A", FIN_OF_A, False),
        _arrives("B", ACK_OF_B),
        _call("B", Call.CLOSE, after=THOUGHT),
        _arrives("B", fin, False),
        _arrives("A", ACK_OF_A),
        _leaves_time_wait("A"),
        REOPENS,
    )


def _lost_last_ack() -> tuple[Planned, ...]:
    fin = Segment(1, ack=2, fin=True)
    return (
        _call("A", Call.CLOSE),
        _arrives("A", FIN_OF_A, False),
        _arrives("B", ACK_OF_B),
        _call("B", Call.CLOSE, after=THOUGHT),
        _arrives("B", fin, True),
        Planned(GAP - WAY, Action("timer", "B", Timer.RETRANSMISSION, (False,))),
        _arrives("B", fin, False),
        _arrives("A", ACK_OF_A),
        _leaves_time_wait("A"),
        REOPENS,
    )


def _simultaneous_close() -> tuple[Planned, ...]:
    both = Segment(1, ack=1, fin=True)
    half = WAY / 2
    return (
        _call("A", Call.CLOSE),
        _call("B", Call.CLOSE, after=half),
        _arrives("A", both, False, after=half),
        _arrives("B", both, False, after=half),
        _arrives("B", ACK_OF_A, after=half),
        _arrives("A", ACK_OF_A, after=half),
        _leaves_time_wait("A", WAITED - half),
        _leaves_time_wait("B", half),
        REOPENS,
    )


def _half_close() -> tuple[Planned, ...]:
    first, second = Segment(1, ack=2, length=1), Segment(2, ack=2, length=1)
    fin = Segment(3, ack=2, fin=True)
    return (
        _call("A", Call.CLOSE),
        _arrives("A", FIN_OF_A, False),
        _arrives("B", ACK_OF_B),
        _call("B", Call.SEND, after=THOUGHT),
        _arrives("B", first, False),
        _arrives("A", Segment(2, ack=2)),
        _call("B", Call.SEND, after=THOUGHT),
        _arrives("B", second, False),
        _arrives("A", Segment(2, ack=3)),
        _call("B", Call.CLOSE, after=THOUGHT),
        _arrives("B", fin, False),
        _arrives("A", Segment(2, ack=4)),
        _leaves_time_wait("A"),
        REOPENS,
    )


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "clean-close",
            "A closes, B closes, nothing is lost; A waits in TIME-WAIT until every old copy is dead",
            USUAL,
            _clean_close(),
        ),
        Scenario(
            "lost-last-ack",
            "the last acknowledgement is lost; A is still in TIME-WAIT when B sends its FIN again, and answers it",
            USUAL,
            _lost_last_ack(),
        ),
        Scenario(
            "simultaneous-close",
            "both ends close at once, their FINs cross, and both come to TIME-WAIT (RFC 9293 3.6 figure 13)",
            Configuration(msl=Fraction(30), time_wait=Fraction(60), rto=(GAP,), loss=1, both_close=True),
            _simultaneous_close(),
        ),
        Scenario(
            "half-close",
            "A closes its own direction; B goes on sending, A goes on acknowledging, until B closes too",
            Configuration(msl=Fraction(30), time_wait=Fraction(60), rto=(GAP,), loss=1, text=(0, 2)),
            _half_close(),
        ),
    )
}
"""Every scenario."""
