"""Closes with TIME-WAIT, and two without it: the actions of users, network and timers, step by step.

A scenario is carried out on the specification like a counterexample; it states actions, not outcomes. The network delivers in
20 ms, and the addresses and ports are reopened as soon as TIME-WAIT allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.description import BASELINE
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.stacks import load_stack
from timewait.vocabulary.automaton import Action


class Planned(NamedTuple):
    """An action, and its delay in seconds after the action before."""

    delay: Fraction
    action: Action


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run that shows how a close works.

    Attributes
    ----------
    name : str
        Its name in commands.
    statement : str
        What the run shows, in a sentence.
    configuration : Configuration
        The durations and the network.
    moves : tuple of Planned
        The actions, in order.
    """

    name: str
    statement: str
    configuration: Configuration
    moves: tuple[Planned, ...]


WAY = Fraction(20, 1000)
"""The delay of the network in one direction, in seconds."""
THOUGHT = Fraction(60, 1000)
"""The time between an event and the next call of a user, in seconds."""
GAP = Fraction(1)
"""The time between two transmissions of a segment, in seconds (RFC 6298 2.4: one second at least)."""
WAITED = Fraction(60) + WAY
"""The time that an end spends in a TIME-WAIT of 60 s, in seconds: slightly more."""

OLD = Fraction(1)
"""The time after which a duplicate of old text arrives in the next incarnation, in seconds."""

USUAL = assemble(load_stack(BASELINE), Overrides(msl=Fraction(30), time_wait=Fraction(60), rto=(GAP,), loss=1, scope=Scope.CLOSE))
"""Both ends behave as RFC 9293 (intended reading)."""

WITHOUT = replace(USUAL, time_wait=Fraction(0), duplication=0, behaviour=replace(USUAL.behaviour, time_wait=False))
"""The same without TIME-WAIT: an end that would enter it is CLOSED."""

FIN_OF_A = Segment(1, ack=1, fin=True)
ACK_OF_A = Segment(2, ack=2)
ACK_OF_B = Segment(1, ack=2)


def _call(end: str, call: Call, *, after: Fraction = Fraction(0)) -> Planned:
    return Planned(after, Action("call", end, call, (False,)))


def _arrives(sender: str, segment: Segment, *answers: bool, after: Fraction = WAY) -> Planned:
    """A packet arrives; for each answer, whether the answer is lost."""
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


def _fin_comes_again() -> tuple[Planned, ...]:
    """A close whose last acknowledgement is lost, until the FIN of B arrives for the second time."""
    fin = Segment(1, ack=2, fin=True)
    return (
        _call("A", Call.CLOSE),
        _arrives("A", FIN_OF_A, False),
        _arrives("B", ACK_OF_B),
        _call("B", Call.CLOSE, after=THOUGHT),
        _arrives("B", fin, True),
        Planned(GAP - WAY, Action("timer", "B", Timer.RETRANSMISSION, (False,))),
        _arrives("B", fin, False),
    )


def _lost_last_ack() -> tuple[Planned, ...]:
    return (*_fin_comes_again(), _arrives("A", ACK_OF_A), _leaves_time_wait("A"), REOPENS)


def _lost_last_ack_without() -> tuple[Planned, ...]:
    return (*_fin_comes_again(), _arrives("A", Segment(2, rst=True)))


def _old_duplicate() -> tuple[Planned, ...]:
    text, fin = Segment(1, ack=1, length=1), Segment(1, ack=3, fin=True)
    return (
        _call("A", Call.SEND),
        _arrives("A", text, False),
        _arrives("B", Segment(1, ack=2)),
        _call("A", Call.CLOSE, after=THOUGHT),
        _arrives("A", Segment(2, ack=1, fin=True), False),
        _arrives("B", Segment(1, ack=3)),
        _call("B", Call.CLOSE, after=THOUGHT),
        _arrives("B", fin, False),
        _arrives("A", Segment(3, ack=2)),
        REOPENS,
        _arrives("A", text, False, after=OLD),
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
            "A closes, B closes, nothing is lost; A waits in TIME-WAIT until every old segment has expired",
            USUAL,
            _clean_close(),
        ),
        Scenario(
            "lost-last-ack",
            "the last acknowledgement is lost; A is still in TIME-WAIT when B retransmits its FIN, and answers it",
            USUAL,
            _lost_last_ack(),
        ),
        Scenario(
            "simultaneous-close",
            "both ends close at once, their FINs cross, and both enter TIME-WAIT (RFC 9293 3.6 figure 13)",
            replace(USUAL, both_close=True),
            _simultaneous_close(),
        ),
        Scenario(
            "half-close",
            "A closes its own direction; B continues to send and A to acknowledge, until B closes too",
            replace(USUAL, text=(0, 2)),
            _half_close(),
        ),
    )
}
"""Closes that go well, by name."""

WITHOUT_TIME_WAIT: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "lost-last-ack-without",
            "lost-last-ack without TIME-WAIT: A is CLOSED when B retransmits its FIN, and answers with a RST",
            WITHOUT,
            _lost_last_ack_without(),
        ),
        Scenario(
            "old-duplicate",
            "without TIME-WAIT: a duplicate of old text arrives in the next incarnation, which reads it as new",
            replace(WITHOUT, duplication=1, text=(1, 0)),
            _old_duplicate(),
        ),
    )
}
"""Runs without TIME-WAIT, each of which a TIME-WAIT prevents, by name."""

EVERY_SCENARIO = SCENARIOS | WITHOUT_TIME_WAIT
