"""What running stacks were seen to do, and what their profiles make the endpoint do.

Each row is a measurement or a reading of a stack, written down by hand: a state, a segment, and the reaction. Numbers are
those of the blocks below: this end has sent two octets and a FIN (3), the other end three octets and a FIN (4).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from endpoint_cases import BLOCKS as ANY_BLOCKS
from endpoint_cases import OPEN

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.proofs.question import question
from timewait.spec.assemble import Overrides, assemble, behaviour_of
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.durations import NoLimit
from timewait.spec.endpoint import segment_arrives, timer_fires, user_calls
from timewait.spec.outcome import Call, Timer
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.stacks import load_stack
from timewait.spec.state import Block, State
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove

S = State
BLOCKS: dict[State, Block] = {state: ANY_BLOCKS[state] for state in OPEN}
ACK, RST, SILENT = "ACK", "RST", ""
SHUTDOWN, CLOSED = False, True
"""The user has called shutdown() and reads on, or close()."""


def behaviour(stack: str, *, abandons: bool, **others: Any) -> Behaviour:
    """The behaviour of a stack whose user calls shutdown() or close()."""
    return behaviour_of(load_stack(stack), Overrides.of(abandons=abandons, **others))


OLD_FIN, OLD_TEXT = Segment(4, ack=4, fin=True), Segment(3, ack=4, length=1)
REACTIONS = [
    # stack, shutdown() or close(), state, segment, state after it, answer, whether TIME-WAIT (re)starts
    # G1: the ACK field of a segment outside the window
    ("linux", SHUTDOWN, S.CLOSING, OLD_FIN, S.TIME_WAIT, SILENT, True),
    ("linux", SHUTDOWN, S.LAST_ACK, OLD_FIN, S.CLOSED, SILENT, False),
    ("linux", SHUTDOWN, S.FIN_WAIT_1, OLD_TEXT, S.FIN_WAIT_2, ACK, False),
    ("linux", SHUTDOWN, S.CLOSING, Segment(3, ack=4, length=1), S.CLOSING, ACK, False),
    ("lwip", SHUTDOWN, S.CLOSING, OLD_FIN, S.TIME_WAIT, ACK, True),
    ("lwip", SHUTDOWN, S.LAST_ACK, OLD_FIN, S.CLOSED, SILENT, False),
    ("lwip", SHUTDOWN, S.LAST_ACK, Segment(2, ack=4), S.CLOSED, SILENT, False),
    ("freebsd", SHUTDOWN, S.LAST_ACK, Segment(2, ack=4, length=1), S.CLOSED, SILENT, False),
    ("freebsd", SHUTDOWN, S.LAST_ACK, Segment(40, ack=4, length=1), S.LAST_ACK, ACK, False),
    ("rfc9293", SHUTDOWN, S.CLOSING, OLD_FIN, S.CLOSING, ACK, False),
    # G2 and G9: late text at an abandoned connection, and old text with a new FIN
    ("linux", CLOSED, S.FIN_WAIT_1, Segment(4, ack=2, length=1), S.CLOSED, "RST seq=2", False),
    ("freebsd", CLOSED, S.FIN_WAIT_1, Segment(4, ack=2, length=1), S.CLOSED, "RST seq=2", False),
    ("gvisor", CLOSED, S.FIN_WAIT_2, Segment(4, ack=4, length=1), S.CLOSED, "RST seq=4", False),
    ("linux", CLOSED, S.FIN_WAIT_2, Segment(3, ack=4, length=1, fin=True), S.TIME_WAIT, ACK, True),
    ("lwip", CLOSED, S.FIN_WAIT_2, Segment(3, ack=4, length=1, fin=True), S.TIME_WAIT, ACK, True),
    # G3: a FIN beyond RCV.NXT at an abandoned connection
    ("linux", CLOSED, S.FIN_WAIT_1, Segment(5, ack=2, fin=True), S.CLOSED, "RST seq=2", False),
    ("freebsd", CLOSED, S.FIN_WAIT_1, Segment(5, ack=2, fin=True), S.FIN_WAIT_1, ACK, False),
    # G4: a RST with the number of the FIN that was taken in
    *(
        ("linux", SHUTDOWN, state, Segment(4, rst=True), S.CLOSED, SILENT, False)
        for state in (S.CLOSE_WAIT, S.CLOSING, S.LAST_ACK)
    ),
    ("linux", SHUTDOWN, S.LAST_ACK, Segment(3, rst=True), S.LAST_ACK, SILENT, False),
    ("rfc9293", SHUTDOWN, S.LAST_ACK, Segment(4, rst=True), S.LAST_ACK, SILENT, False),
    # G5: the small socket of FIN-WAIT-2
    ("linux", CLOSED, S.FIN_WAIT_2, Segment(6, rst=True), S.CLOSED, SILENT, False),
    ("linux", CLOSED, S.FIN_WAIT_2, Segment(3, rst=True), S.FIN_WAIT_2, ACK, False),
    ("linux", CLOSED, S.FIN_WAIT_2, Segment(5, syn=True), S.CLOSED, RST, False),
    ("linux", SHUTDOWN, S.FIN_WAIT_2, Segment(6, rst=True), S.FIN_WAIT_2, ACK, False),
    # G6: a SYN,ACK in TIME-WAIT
    ("linux", SHUTDOWN, S.TIME_WAIT, Segment(0, ack=1, syn=True), S.TIME_WAIT, ACK, True),
    ("freebsd", SHUTDOWN, S.TIME_WAIT, Segment(0, ack=1, syn=True), S.TIME_WAIT, ACK, False),
    ("smoltcp", SHUTDOWN, S.TIME_WAIT, Segment(0, ack=1, syn=True), S.TIME_WAIT, ACK, True),
    ("linux", SHUTDOWN, S.TIME_WAIT, Segment(0, syn=True), S.TIME_WAIT, ACK, False),
    # G7 and the RST that ends TIME-WAIT
    ("linux", SHUTDOWN, S.TIME_WAIT, Segment(6, rst=True), S.TIME_WAIT, SILENT, False),
    ("linux", SHUTDOWN, S.TIME_WAIT, Segment(5, rst=True), S.CLOSED, SILENT, False),
    ("rfc9293", SHUTDOWN, S.TIME_WAIT, Segment(6, rst=True), S.TIME_WAIT, ACK, False),
    ("smoltcp", SHUTDOWN, S.TIME_WAIT, Segment(6, rst=True), S.CLOSED, SILENT, False),
    ("lwip", SHUTDOWN, S.TIME_WAIT, Segment(5, rst=True), S.TIME_WAIT, SILENT, False),
    # G8: text at RCV.NXT, and anything beyond it, in TIME-WAIT
    *(
        (stack, SHUTDOWN, S.TIME_WAIT, segment, S.TIME_WAIT, ACK, stack == "linux")
        for stack in ("linux", "lwip", "gvisor", "freebsd")
        for segment in (Segment(5, ack=4, length=1), Segment(6, ack=4), Segment(7, ack=4, length=1))
    ),
    ("linux", SHUTDOWN, S.TIME_WAIT, Segment(5, ack=4), S.TIME_WAIT, SILENT, True),
    ("gvisor", SHUTDOWN, S.TIME_WAIT, Segment(5, ack=4), S.TIME_WAIT, SILENT, False),
    # VPP does not answer a SYN in TIME-WAIT
    ("vpp", SHUTDOWN, S.TIME_WAIT, Segment(0, syn=True), S.TIME_WAIT, SILENT, False),
    # Zephyr: any RST in the window ends TIME-WAIT, none is answered; a retransmitted FIN is answered and restarts nothing
    ("zephyr", SHUTDOWN, S.TIME_WAIT, Segment(5, rst=True), S.CLOSED, SILENT, False),
    ("zephyr", SHUTDOWN, S.TIME_WAIT, Segment(6, rst=True), S.CLOSED, SILENT, False),
    ("zephyr", SHUTDOWN, S.TIME_WAIT, Segment(4, rst=True), S.TIME_WAIT, SILENT, False),
    ("zephyr", SHUTDOWN, S.TIME_WAIT, Segment(4, ack=4, fin=True), S.TIME_WAIT, ACK, False),
    # G16: no half-close
    ("zephyr", SHUTDOWN, S.ESTABLISHED, Segment(4, ack=3, fin=True), S.LAST_ACK, "FIN+ACK seq=3 ack=5", False),
    ("freertos", SHUTDOWN, S.ESTABLISHED, Segment(4, ack=3, fin=True), S.LAST_ACK, "FIN+ACK seq=3 ack=5", False),
    ("linux", SHUTDOWN, S.ESTABLISHED, Segment(4, ack=3, fin=True), S.CLOSE_WAIT, ACK, False),
]


@pytest.mark.parametrize(
    ("stack", "abandons", "state", "segment", "after", "answer", "starts"),
    REACTIONS,
    ids=[f"{stack} {'close' if closed else 'shutdown'} {state} {segment}" for stack, closed, state, segment, *_ in REACTIONS],
)
def test_reactions(stack: str, abandons: bool, state: State, segment: Segment, after: State, answer: str, starts: bool) -> None:
    """The endpoint reacts as the stack does."""
    outcome = segment_arrives(BLOCKS[state], segment, behaviour(stack, abandons=abandons))
    assert outcome.block.state is after
    assert (Timer.TIME_WAIT in outcome.started) is starts
    if not answer:
        assert outcome.replies == ()
        return
    (reply,) = outcome.replies
    assert str(reply) == (f"ACK seq={outcome.block.nxt} ack={outcome.block.rcv}" if answer == ACK else str(reply))
    assert str(reply).startswith(answer)


VALUES = [
    # stack, setting, value
    ("lwip", "time_wait", Fraction(120)),
    ("lwip", "fin_wait_2", Fraction(20)),
    ("lwip", "last_ack", Fraction(120)),
    ("lwip", "clock_before_close", True),
    ("lwip", "late_data_reset", True),
    ("linux", "time_wait", Fraction(60)),
    ("linux", "fin_wait_2", Fraction(60)),
    ("linux", "retries", 9),
    ("linux", "retries_reset", False),
    ("freebsd", "fin_wait_2", Fraction(600)),
    ("freebsd", "late_data_reset", True),
    ("freebsd", "retries_reset", True),
    ("smoltcp", "retries_reset", True),
    ("vpp", "retries_reset", True),
    ("vpp", "fin_wait_1", Fraction(60)),
    ("vpp", "closing", Fraction(30)),
    ("vpp", "last_ack", Fraction(30)),
    ("vpp", "close_wait", Fraction(2)),
    ("vpp", "returns", False),
    ("gvisor", "late_data_reset", True),
    ("zephyr", "late_data_reset", True),
    ("zephyr", "restarts", frozenset()),
    *((stack, "unread_reset", True) for stack in ("linux", "lwip", "vpp", "gvisor")),
]


@pytest.mark.parametrize(("stack", "name", "value"), VALUES)
def test_values(stack: str, name: str, value: object) -> None:
    """A profile states what was measured or read, with its source."""
    profile = load_stack(stack)
    assert profile.require(name) == value
    assert profile.sources[name].where


def test_freertos_has_no_time_wait() -> None:
    """The state exists in the source and is never entered."""
    profile = load_stack("freertos")
    assert not profile.has_time_wait
    outcome = segment_arrives(BLOCKS[S.FIN_WAIT_2], Segment(4, ack=4, fin=True), behaviour_of(profile, Overrides()))
    assert outcome.block.state is S.CLOSED


@pytest.mark.parametrize("stack", ["linux", "lwip", "vpp", "gvisor"])
def test_close_with_unread_text_sends_a_reset(stack: str) -> None:
    """G12, and no stack does so once the text is read."""
    for unread, answer in ((True, "RST"), (False, "FIN")):
        outcome = user_calls(BLOCKS[S.ESTABLISHED], Call.CLOSE, behaviour(stack, abandons=False, unread=unread))
        assert str(outcome.replies[0]).startswith(answer)


@pytest.mark.parametrize(("stack", "answer"), [("linux", False), ("freebsd", True), ("smoltcp", True), ("vpp", True)])
def test_who_gives_up_with_a_reset(stack: str, answer: bool) -> None:
    """G11: the reaction when no retransmission is left."""
    limited = behaviour(stack, abandons=False, retries=2)
    block = BLOCKS[S.LAST_ACK]
    for _ in range(2):
        block = timer_fires(block, Timer.RETRANSMISSION, limited).block
    outcome = timer_fires(block, Timer.RETRANSMISSION, limited)
    assert outcome.block.state is S.CLOSED
    assert bool(outcome.replies) is answer


# --- the clock of lwIP --------------------------------------------------------------------------------------------


def lwip(idle: int | None, **others: Any) -> Configuration:
    """A, lwIP, has been idle for some seconds before its program closes; B retransmits its FIN within 20 s."""
    values = {"abandons": True, "rto": (Fraction(20),), "last_ack": NoLimit.NONE, "loss": 1, "scope": Scope.CORE, **others}
    idle_before = None if idle is None else Fraction(idle)
    return assemble(load_stack("lwip"), Overrides.of(idle_before_close=idle_before, **values))


@pytest.mark.parametrize(("idle", "least"), [(0, 120), (60, 60), (110, 10), (130, 0)])
def test_time_wait_of_lwip_lasts_as_measured(idle: int, least: int) -> None:
    """Idle for 0, 60, 110 or 130 s before the close, TIME-WAIT lasted 120.5, 60.5, 10.5 or 0.5 s: a tick more than at least."""
    state = initial_state(lwip(idle, loss=None))
    (state,) = state.act(Action("call", "B", Call.CLOSE, (False,)))
    (state, *_) = state.act(Action("deliver", "A", ("B", Segment(1, 2, fin=True)), (False,)))
    assert state.ends[0].state is S.TIME_WAIT
    if least:
        with pytest.raises(ImpossibleMove):
            state.wait(min(Fraction(least), Fraction(20))).act(Action("timer", "A", Timer.TIME_WAIT))
    for _ in range(least // 20):
        (state,) = state.wait(Fraction(20)).act(Action("timer", "B", Timer.RETRANSMISSION, (True,)))
    (left,) = state.wait(Fraction(least % 20) + Fraction(1, 2)).act(Action("timer", "A", Timer.TIME_WAIT))
    assert left.ends[0].state is S.CLOSED


def test_a_fin_after_the_early_end_draws_a_reset() -> None:
    """Idle for 110 s: the last acknowledgement is lost, the FIN comes again after 20 s, and a RST answers it."""
    state = initial_state(lwip(110))
    (state,) = state.act(Action("call", "B", Call.CLOSE, (False,)))
    (state, *_) = state.act(Action("deliver", "A", ("B", Segment(1, 2, fin=True)), (True,)))
    (state,) = state.wait(Fraction(21, 2)).act(Action("timer", "A", Timer.TIME_WAIT))
    (state,) = state.wait(Fraction(19, 2)).act(Action("timer", "B", Timer.RETRANSMISSION, (False,)))
    (state, *_) = state.act(Action("deliver", "A", ("B", Segment(1, 2, fin=True)), (False,)))
    assert state.event.sent[0].text.startswith("RST")


@pytest.mark.parametrize(("idle", "safe"), [(0, True), (40, True), (41, False), (110, False), (None, False)])
def test_the_verdict_on_lwip_depends_on_the_idle_time(idle: int | None, safe: bool) -> None:
    """A retransmitted FIN needs TIME-WAIT for k RTO + MSL = 80 s; 120 s are that much if 40 s at most are gone before it."""
    configured = lwip(idle, fin_wait_2=NoLimit.NONE)
    asked = question(configured)
    (answer,) = decide(asked, [PROPERTIES["graceful"]], Engine.AUTO, Budget())
    assert (str(answer.verdict) == "proved") is safe
