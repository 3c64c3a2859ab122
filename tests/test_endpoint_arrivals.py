"""The endpoint in the other states against RFC 9293 3.10.7.4, step by step.

What is expected is written down from the words of the standard, never computed by the code under test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from endpoint_cases import (
    BLOCKS,
    DEAF,
    LETTER,
    OPEN,
    PASSIVE,
    RECEIVING,
    SYNCHRONISED,
    USUAL,
    ack_of,
    arrives,
    assert_acknowledged_and_dropped,
    assert_dropped,
    each_synchronised,
)

from timewait.spec.endpoint import running
from timewait.spec.outcome import Effect, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, Behaviour, ResetRule
from timewait.spec.state import Block, State, closed
from timewait.spec.window import WINDOW, acceptable

# --- 3.10.7.4 first step: the sequence number ---------------------------------------------------------------------

TABLE_6 = [
    # offset of SEG.SEQ from RCV.NXT, SEG.LEN, acceptable
    (-1, 0, False),
    (0, 0, True),
    (WINDOW - 1, 0, True),
    (WINDOW, 0, False),
    (-2, 1, False),
    (-1, 1, False),  # a retransmitted FIN: SEG.SEQ = SEG.SEQ+SEG.LEN-1 = RCV.NXT-1
    (-1, 2, True),
    (-3, 3, False),
    (-3, 4, True),
    (0, 1, True),
    (WINDOW - 1, 1, True),
    (WINDOW - 1, 5, True),
    (WINDOW, 1, False),
    (0, WINDOW + 2, True),
    (-1, WINDOW + 1, True),
]


class TestSequenceNumber:
    """Table 6, its rows for an open window."""

    @pytest.mark.parametrize(("offset", "length", "expected"), TABLE_6)
    @each_synchronised
    def test_acceptability(self, state: State, offset: int, length: int, expected: bool) -> None:
        block = BLOCKS[state]
        assert acceptable(block, Segment(block.rcv + offset, ack=block.una, length=length)) is expected
        if length:
            assert acceptable(block, Segment(block.rcv + offset, ack=block.una, length=length - 1, fin=True)) is expected

    @pytest.mark.parametrize(("offset", "length"), [(offset, length) for offset, length, fits in TABLE_6 if not fits])
    @each_synchronised
    def test_an_unacceptable_segment_is_acknowledged_and_dropped(self, state: State, offset: int, length: int) -> None:
        block = BLOCKS[state]
        segments = [Segment(block.rcv + offset, ack=ack, length=length) for ack in range(block.nxt + 2)]
        segments += [Segment(block.rcv + offset, length=length)]
        segments += [segment._replace(length=length - 1, fin=True) for segment in segments if length]
        segments += [segment._replace(length=length - 1, syn=True) for segment in segments if segment.length]
        for segment in segments:
            assert_acknowledged_and_dropped(arrives(block, segment, LETTER), block)

    @pytest.mark.parametrize("offset", [-2, -1, WINDOW, WINDOW + 3])
    @each_synchronised
    def test_an_unacceptable_reset_is_dropped(self, state: State, offset: int) -> None:
        block = BLOCKS[state]
        for ack in (None, block.una, block.nxt):
            assert_dropped(arrives(block, Segment(block.rcv + offset, ack=ack, rst=True)), block)

    def test_literally_a_retransmitted_fin_does_not_restart_time_wait(self) -> None:
        """It is acknowledged and dropped here, and never reaches the steps that restart the 2 MSL timeout."""
        outcome = arrives(BLOCKS[State.TIME_WAIT], Segment(4, ack=4, fin=True), LETTER)
        assert outcome.replies == (Segment(4, ack=5),)
        assert outcome.started == frozenset()
        assert outcome.effects == {Effect.FIN_ACCEPTED, Effect.NOT_RESTARTED}


# --- 3.10.7.4 second step: the RST bit ----------------------------------------------------------------------------


class TestReset:
    """Outside the window no effect, at RCV.NXT the end, elsewhere in the window a challenge ACK."""

    @pytest.mark.parametrize("offset", [1, WINDOW - 1])
    @each_synchronised
    def test_in_the_window_but_not_exact_it_is_challenged(self, state: State, offset: int) -> None:
        block = BLOCKS[state]
        for ack in (None, block.una, block.nxt):
            assert_acknowledged_and_dropped(arrives(block, Segment(block.rcv + offset, ack=ack, rst=True), LETTER), block)

    @each_synchronised
    def test_exact_it_ends_the_connection(self, state: State) -> None:
        block = BLOCKS[state]
        for ack in (None, block.una, block.nxt, block.nxt + 1):
            outcome = arrives(block, Segment(block.rcv, ack=ack, rst=True), LETTER)
            assert outcome.block == closed(block)
            assert outcome.replies == ()
            assert outcome.effects == {Effect.ASSASSINATED if state is State.TIME_WAIT else Effect.RESET}

    def test_after_a_passive_open_it_returns_to_listen(self) -> None:
        for ack in (None, 0, 1, 2):
            outcome = arrives(PASSIVE, Segment(1, ack=ack, rst=True))
            assert outcome.block == Block(State.LISTEN)
            assert outcome.replies == ()
            assert outcome.effects == frozenset()

    @pytest.mark.parametrize(
        ("rule", "outside", "inside", "exact"),
        [
            (ResetRule.IGNORE, "dropped", "dropped", "dropped"),
            (ResetRule.EXACT, "dropped", "challenged", "closed"),
            (ResetRule.WINDOW, "dropped", "closed", "closed"),
            (ResetRule.ANY, "closed", "closed", "closed"),
        ],
        ids=str,
    )
    def test_the_setting_of_time_wait(self, rule: ResetRule, outside: str, inside: str, exact: str) -> None:
        block = BLOCKS[State.TIME_WAIT]
        for offset, expected in ((-1, outside), (WINDOW, outside), (1, inside), (WINDOW - 1, inside), (0, exact)):
            outcome = arrives(block, Segment(block.rcv + offset, rst=True), Behaviour(reset=rule))
            match expected:
                case "dropped":
                    assert_dropped(outcome, block)
                case "challenged":
                    assert_acknowledged_and_dropped(outcome, block)
                case "closed":
                    assert outcome.block == closed(block)
                    assert outcome.effects == {Effect.ASSASSINATED}

    @each_synchronised
    def test_only_its_sequence_number_counts(self, state: State) -> None:
        """A RST with text that starts before RCV.NXT is outside the window, even if its text ends in it."""
        block = BLOCKS[state]
        assert_dropped(arrives(block, Segment(block.rcv - 1, length=2, rst=True), LETTER), block)

    @pytest.mark.parametrize("rule", ResetRule, ids=str)
    @pytest.mark.parametrize("state", [state for state in SYNCHRONISED if state is not State.TIME_WAIT], ids=str)
    def test_the_setting_matters_in_no_other_state(self, state: State, rule: ResetRule) -> None:
        block = BLOCKS[state]
        for seq in range(block.rcv + WINDOW + 1):
            segment = Segment(seq, rst=True)
            assert arrives(block, segment, Behaviour(reset=rule)) == arrives(block, segment, LETTER)


# --- 3.10.7.4 fourth step: the SYN bit ----------------------------------------------------------------------------


class TestSyn:
    """Irrespective of the sequence number a challenge ACK, but in SYN-RECEIVED after a passive OPEN."""

    @each_synchronised
    def test_a_challenge_ack_for_every_number(self, state: State) -> None:
        block = BLOCKS[state]
        for seq in range(block.rcv + WINDOW + 1):
            for ack in (None, *range(block.nxt + 2)):
                assert_acknowledged_and_dropped(arrives(block, Segment(seq, ack=ack, syn=True), LETTER), block)

    @pytest.mark.parametrize("ack", [None, 0, 1, 2])
    def test_after_a_passive_open_it_returns_to_listen(self, ack: int | None) -> None:
        outcome = arrives(PASSIVE, Segment(PASSIVE.rcv, ack=ack, syn=True))
        assert outcome.block == Block(State.LISTEN)
        assert outcome.replies == ()

    def test_a_retransmitted_syn_fails_the_first_step_instead(self) -> None:
        assert_acknowledged_and_dropped(arrives(PASSIVE, Segment(0, syn=True)), PASSIVE)


# --- 3.10.7.4 fifth step: the ACK field ---------------------------------------------------------------------------


class TestAck:
    """ACK off: drop. Otherwise per state."""

    @pytest.mark.parametrize("flags", [{}, {"fin": True}, {"length": 1}], ids=str)
    @each_synchronised
    def test_without_ack_it_is_dropped(self, state: State, flags: dict[str, Any]) -> None:
        block = BLOCKS[state]
        assert_dropped(arrives(block, Segment(block.rcv, **flags), LETTER), block)

    @pytest.mark.parametrize("block", [BLOCKS[State.SYN_RECEIVED], PASSIVE], ids=["active", "passive"])
    def test_syn_received_to_established(self, block: Block) -> None:
        outcome = arrives(block, Segment(1, ack=1))
        assert outcome.block.state is State.ESTABLISHED
        assert (outcome.block.una, outcome.block.nxt, outcome.block.rcv) == (1, 1, 1)
        assert outcome.replies == ()

    @pytest.mark.parametrize("ack", [0, 2])
    def test_syn_received_and_an_unacceptable_ack(self, ack: int) -> None:
        """``<SEQ=SEG.ACK><CTL=RST>``."""
        for flags in ({}, {"fin": True}, {"length": 1}):
            outcome = arrives(PASSIVE, Segment(1, ack=ack, **flags))
            assert outcome.block == PASSIVE
            assert outcome.replies == (Segment(ack, rst=True),)

    @pytest.mark.parametrize("state", [state for state in OPEN if state is not State.TIME_WAIT], ids=str)
    def test_of_something_not_yet_sent(self, state: State) -> None:
        """``SEG.ACK > SND.NXT``: send an ACK, drop the segment, and return: neither text nor FIN is processed."""
        block = BLOCKS[state]
        for flags in ({}, {"fin": True}, {"length": 1}):
            segment = Segment(block.rcv, ack=block.nxt + 1, **flags)
            assert_acknowledged_and_dropped(arrives(block, segment), block)

    @pytest.mark.parametrize("state", [state for state in OPEN if state is not State.TIME_WAIT], ids=str)
    def test_a_duplicate_can_be_ignored(self, state: State) -> None:
        """``SEG.ACK =< SND.UNA``."""
        block = BLOCKS[state]
        for ack in range(block.una + 1):
            assert_dropped(arrives(block, Segment(block.rcv, ack=ack)), block)

    @pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK])
    @pytest.mark.parametrize("restarts", [True, False])
    def test_of_a_part_of_the_outstanding_octets(self, state: State, restarts: bool) -> None:
        """RFC 6298 5.3: the retransmission timer restarts; or, by the setting, it continues."""
        outcome = arrives(BLOCKS[state], Segment(BLOCKS[state].rcv, ack=3), replace(USUAL, acks_restart_rto=restarts))
        assert Timer.RETRANSMISSION in running(outcome.block, USUAL)
        assert (Timer.RETRANSMISSION in outcome.started) is restarts

    @pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT])
    def test_of_all_that_is_outstanding(self, state: State) -> None:
        """RFC 6298 5.2: the retransmission timer is turned off, and nothing is started."""
        outcome = arrives(BLOCKS[state], Segment(BLOCKS[state].rcv, ack=3), USUAL)
        assert not outcome.block.outstanding
        assert outcome.started == frozenset()

    @pytest.mark.parametrize(
        ("state", "ack", "expected", "timers"),
        [
            (State.ESTABLISHED, 3, State.ESTABLISHED, set()),
            (State.CLOSE_WAIT, 3, State.CLOSE_WAIT, set()),
            (State.FIN_WAIT_1, 3, State.FIN_WAIT_1, {Timer.RETRANSMISSION}),
            (State.FIN_WAIT_1, 4, State.FIN_WAIT_2, set()),
            (State.CLOSING, 3, State.CLOSING, {Timer.RETRANSMISSION}),
            (State.CLOSING, 4, State.TIME_WAIT, {Timer.TIME_WAIT}),
            (State.LAST_ACK, 3, State.LAST_ACK, {Timer.RETRANSMISSION}),
            (State.LAST_ACK, 4, State.CLOSED, set()),
        ],
    )
    def test_of_something_new(self, state: State, ack: int, expected: State, timers: set[Timer]) -> None:
        """``SND.UNA <- SEG.ACK``; then, if our FIN is now acknowledged, the next state."""
        block = BLOCKS[state]._replace(tries=1)
        outcome = arrives(block, Segment(block.rcv, ack=ack))
        assert outcome.block.state is expected
        assert outcome.replies == ()
        assert set(running(outcome.block, USUAL)) == timers
        assert timers <= outcome.started
        assert outcome.block.tries == 0
        if expected is not State.CLOSED:
            assert outcome.block.una == ack
            assert (outcome.block.nxt, outcome.block.rcv, outcome.block.sent) == (block.nxt, block.rcv, block.sent)

    @pytest.mark.parametrize("flags", [{}, {"fin": True}, {"length": 1}], ids=str)
    def test_time_wait_acknowledges_and_restarts_the_timeout(self, flags: dict[str, Any]) -> None:
        """Literally, "the only thing that can arrive" is a retransmitted FIN; but any segment may."""
        letter = Behaviour(answers=EVERY_ARRIVAL, restarts=EVERY_ARRIVAL)
        block = BLOCKS[State.TIME_WAIT]
        outcome = arrives(block, Segment(block.rcv, ack=block.nxt, **flags), letter)
        assert_acknowledged_and_dropped(outcome, block)
        assert outcome.started == {Timer.TIME_WAIT}

    def test_of_the_unsent_in_time_wait_it_follows_the_settings(self) -> None:
        """3.10.7.4 fifth step treats TIME-WAIT separately: SND.NXT plays no part."""
        silent = Behaviour(answers=frozenset(), restarts=frozenset())
        block = BLOCKS[State.TIME_WAIT]
        segment = Segment(block.rcv, ack=block.nxt + 1)
        assert_dropped(arrives(block, segment, silent), block)
        assert_acknowledged_and_dropped(arrives(block, segment, LETTER), block)


# --- 3.10.7.4 seventh step: the segment text ----------------------------------------------------------------------


class TestText:
    """Accepted and acknowledged in ESTABLISHED, FIN-WAIT-1 and FIN-WAIT-2; ignored once a FIN has arrived."""

    @pytest.mark.parametrize("state", RECEIVING, ids=str)
    @pytest.mark.parametrize(("offset", "length"), [(0, 1), (0, 3), (-1, 2), (-3, 5)])
    def test_only_the_new_part_counts(self, state: State, offset: int, length: int) -> None:
        block = BLOCKS[state]
        outcome = arrives(block, Segment(block.rcv + offset, ack=block.una, length=length))
        after = block._replace(rcv=block.rcv + offset + length)
        assert outcome.block == after
        assert outcome.replies == (ack_of(after),)
        assert outcome.block.read == block.read + offset + length

    @pytest.mark.parametrize("state", RECEIVING, ids=str)
    @pytest.mark.parametrize("flags", [{"length": 1}, {"length": 1, "fin": True}], ids=str)
    def test_beyond_rcv_nxt_it_may_be_acknowledged(self, state: State, flags: dict[str, Any]) -> None:
        """MAY-13. Text beyond RCV.NXT is not kept, against SHLD-31, so it must be retransmitted."""
        block = BLOCKS[state]
        assert_acknowledged_and_dropped(arrives(block, Segment(block.rcv + 1, ack=block.una, **flags)), block)

    @pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.LAST_ACK], ids=str)
    def test_after_a_fin_it_is_ignored(self, state: State) -> None:
        block = BLOCKS[state]
        assert_dropped(arrives(block, Segment(block.rcv, ack=block.una, length=1)), block)

    def test_half_closed_data_arrives(self) -> None:
        """The end that has closed "must continue to accept data" until the other end closes too (3.6)."""
        block = BLOCKS[State.FIN_WAIT_2]
        for _ in range(2):
            block = arrives(block, Segment(block.rcv, ack=4, length=1)).block
        assert block.state is State.FIN_WAIT_2
        assert block.read == 5
        assert arrives(block, Segment(block.rcv, ack=4, fin=True)).block.read == 5

    def test_the_acknowledgement_of_our_fin_may_come_with_text(self) -> None:
        outcome = arrives(BLOCKS[State.FIN_WAIT_1], Segment(4, ack=4, length=1))
        assert outcome.block == Block(State.FIN_WAIT_2, una=4, nxt=4, rcv=5, sent=2)
        assert outcome.replies == (Segment(4, ack=5),)


# --- 3.10.7.4 eighth step: the FIN bit ----------------------------------------------------------------------------


class TestFin:
    """Advance RCV.NXT over the FIN, acknowledge it, and change the state."""

    @pytest.mark.parametrize(
        ("state", "ack", "expected"),
        [
            (State.SYN_RECEIVED, 1, State.CLOSE_WAIT),
            (State.ESTABLISHED, 2, State.CLOSE_WAIT),
            (State.ESTABLISHED, 3, State.CLOSE_WAIT),
            (State.FIN_WAIT_1, 2, State.CLOSING),
            (State.FIN_WAIT_1, 3, State.CLOSING),
            (State.FIN_WAIT_1, 4, State.TIME_WAIT),  # our FIN is acknowledged "perhaps in this segment"
            (State.FIN_WAIT_2, 4, State.TIME_WAIT),
        ],
    )
    @pytest.mark.parametrize("length", [0, 2])
    def test_in_order(self, state: State, ack: int, expected: State, length: int) -> None:
        block = BLOCKS[state]
        outcome = arrives(block, Segment(block.rcv, ack=ack, length=length, fin=True))
        after = block._replace(state=expected, una=max(block.una, ack), rcv=block.rcv + length + 1)
        assert outcome.block == after
        assert outcome.replies == (ack_of(after),)
        assert outcome.block.read == block.read + length
        assert (Timer.TIME_WAIT in outcome.started) is (expected is State.TIME_WAIT)
        assert outcome.effects == {Effect.FIN_ACCEPTED}

    @pytest.mark.parametrize("state", RECEIVING, ids=str)
    def test_beyond_rcv_nxt_it_has_to_wait(self, state: State) -> None:
        block = BLOCKS[state]
        assert_acknowledged_and_dropped(arrives(block, Segment(block.rcv + 1, ack=block.una, fin=True)), block)

    @pytest.mark.parametrize("state", DEAF, ids=str)
    def test_again_it_is_acknowledged_by_the_first_step(self, state: State) -> None:
        block = BLOCKS[state]
        for ack in range(block.nxt + 1):
            assert_acknowledged_and_dropped(arrives(block, Segment(block.rcv - 1, ack=ack, fin=True)), block)

    @pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK], ids=str)
    def test_another_one_in_the_window_changes_nothing(self, state: State) -> None:
        """No endpoint sends it; "remain in the same state"."""
        block = BLOCKS[state]
        assert_dropped(arrives(block, Segment(block.rcv, ack=block.una, fin=True)), block)

    def test_without_time_wait_all_is_forgotten_at_once(self) -> None:
        for state, ack in ((State.FIN_WAIT_1, 4), (State.FIN_WAIT_2, 4)):
            outcome = arrives(BLOCKS[state], Segment(4, ack=ack, fin=True), Behaviour(time_wait=False))
            assert outcome.block == Block(State.CLOSED, rcv=4, sent=2)
            assert outcome.replies == (Segment(4, ack=5),)
        assert arrives(BLOCKS[State.CLOSING], Segment(5, ack=4), Behaviour(time_wait=False)).block.state is State.CLOSED
