"""The endpoint against RFC 9293 3.10, state by state and step by step.

What is expected is written down from the words of the standard, never computed by the code under test. Left out on
purpose are SEND and OPEN in LISTEN, SEND in SYN-RECEIVED, and text or a FIN on a SYN.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewait.spec.endpoint import allowed_calls, running, segment_arrives, timer_fires, timer_length, user_calls
from timewait.spec.graph_events import apply_event, reachable_steps
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.replies import acknowledgement, earliest_unacknowledged
from timewait.spec.rules import RULES
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, AnswerLimit, Arrival, Behaviour, DroppedAck, ResetRule
from timewait.spec.state import ESTABLISHED, FIN_RECEIVED, Block, State, closed
from timewait.spec.window import WINDOW, acceptable

USUAL = Behaviour()
LETTER = Behaviour(answers=EVERY_ARRIVAL, restarts=frozenset({Arrival.ACK, Arrival.BEYOND}), reset=ResetRule.EXACT)
"""RFC 9293 (literal reading): TIME-WAIT answers everything, restarts on what reaches the fifth step, and honours a RST."""

LINUX = Behaviour(
    answers=EVERY_ARRIVAL - {Arrival.ACK},
    restarts=EVERY_ARRIVAL - {Arrival.SYN},
    reset=ResetRule.EXACT,
    late_data_reset=True,
    late_fin_reset=True,
    minimal_fin_wait_2=True,
    dropped_ack=DroppedAck.LAST,
    reset_at_fin=True,
    challenges_reset=False,
    fin_wait_2=True,
    abandons=True,
)
"""Linux, for a user who has called close()."""

# This end has sent two octets of text, the first of them acknowledged, so its FIN is 3; the other end has sent three
# octets, so its FIN is 4. Hence no two of SND.UNA, SND.NXT and RCV.NXT are alike unless they have to be.
BLOCKS = {
    State.CLOSED: Block(State.CLOSED),
    State.LISTEN: Block(State.LISTEN),
    State.SYN_SENT: Block(State.SYN_SENT, nxt=1),
    State.SYN_RECEIVED: Block(State.SYN_RECEIVED, nxt=1, rcv=1),
    State.ESTABLISHED: Block(State.ESTABLISHED, una=2, nxt=3, rcv=4, sent=2),
    State.FIN_WAIT_1: Block(State.FIN_WAIT_1, una=2, nxt=4, rcv=4, sent=2),
    State.FIN_WAIT_2: Block(State.FIN_WAIT_2, una=4, nxt=4, rcv=4, sent=2),
    State.CLOSE_WAIT: Block(State.CLOSE_WAIT, una=2, nxt=3, rcv=5, sent=2),
    State.CLOSING: Block(State.CLOSING, una=2, nxt=4, rcv=5, sent=2),
    State.LAST_ACK: Block(State.LAST_ACK, una=2, nxt=4, rcv=5, sent=2),
    State.TIME_WAIT: Block(State.TIME_WAIT, una=4, nxt=4, rcv=5, sent=2),
}
PASSIVE = Block(State.SYN_RECEIVED, nxt=1, rcv=1, passive=True)
SYNCHRONISED = [state for state in State if state not in (State.CLOSED, State.LISTEN, State.SYN_SENT)]
OPEN = [state for state in SYNCHRONISED if state is not State.SYN_RECEIVED]
RECEIVING = [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2]
DEAF = [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT]

each_synchronised = pytest.mark.parametrize("state", SYNCHRONISED, ids=str)
each_open = pytest.mark.parametrize("state", OPEN, ids=str)


def ack_of(block: Block) -> Segment:
    """``<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>``."""
    return Segment(seq=block.nxt, ack=block.rcv)


def arrives(block: Block, segment: Segment, behaviour: Behaviour = USUAL) -> Outcome:
    """Return the outcome of an arrival, after the check that no RST answers a RST."""
    outcome = segment_arrives(block, segment, behaviour)
    assert not (segment.rst and any(reply.rst for reply in outcome.replies))
    return outcome


def assert_dropped(outcome: Outcome, block: Block) -> None:
    """The event had no effect."""
    assert outcome.block == block
    assert outcome.replies == ()
    assert outcome.started == frozenset()


def assert_acknowledged_and_dropped(outcome: Outcome, block: Block) -> None:
    """The only effect was ``<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>``."""
    assert outcome.block == block
    assert outcome.replies == (ack_of(block),)


# --- 3.10.7.1 CLOSED ----------------------------------------------------------------------------------------------


class TestClosed:
    """All data are discarded; a RST that its receiver accepts answers any segment but a RST."""

    @pytest.mark.parametrize(
        ("segment", "reset"),
        [
            # ACK off: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, SYN and FIN counting one octet each
            (Segment(7), Segment(0, ack=7, rst=True)),
            (Segment(7, syn=True), Segment(0, ack=8, rst=True)),
            (Segment(7, fin=True), Segment(0, ack=8, rst=True)),
            (Segment(7, length=3), Segment(0, ack=10, rst=True)),
            (Segment(7, length=3, fin=True), Segment(0, ack=11, rst=True)),
            (Segment(7, length=3, syn=True), Segment(0, ack=11, rst=True)),
            # ACK on: <SEQ=SEG.ACK><CTL=RST>
            (Segment(7, ack=5), Segment(5, rst=True)),
            (Segment(7, ack=5, length=3), Segment(5, rst=True)),
            (Segment(7, ack=5, fin=True), Segment(5, rst=True)),
            (Segment(7, ack=5, syn=True), Segment(5, rst=True)),
        ],
        ids=str,
    )
    def test_a_segment_without_rst_is_answered_with_a_reset(self, segment: Segment, reset: Segment) -> None:
        outcome = arrives(BLOCKS[State.CLOSED], segment)
        assert outcome.block == BLOCKS[State.CLOSED]
        assert outcome.replies == (reset,)
        assert outcome.effects == {Effect.UNKNOWN}

    @pytest.mark.parametrize("segment", [Segment(7, rst=True), Segment(7, ack=5, rst=True)], ids=str)
    def test_a_reset_is_discarded(self, segment: Segment) -> None:
        assert_dropped(arrives(BLOCKS[State.CLOSED], segment), BLOCKS[State.CLOSED])

    def test_the_reset_is_acceptable_to_whoever_sent_the_offending_segment(self) -> None:
        """Figure 9: the answer to a segment of an unknown connection has the number that its receiver expects."""
        sender = BLOCKS[State.LAST_ACK]
        offending = Segment(sender.una, sender.rcv, fin=True)
        (reset,) = arrives(BLOCKS[State.CLOSED], offending).replies
        assert arrives(sender, reset).block.state is State.CLOSED

    def test_closing_keeps_only_what_the_users_sent_and_read(self) -> None:
        for block in BLOCKS.values():
            over = closed(block)
            assert over.state is State.CLOSED
            assert (over.una, over.nxt, over.tries, over.passive) == (0, 0, 0, False)
            assert (over.sent, over.read) == (block.sent, block.read)


# --- 3.10.7.2 LISTEN ----------------------------------------------------------------------------------------------


class TestListen:
    """First a RST is ignored, second an ACK is bad, third a SYN is accepted, fourth any other segment is dropped."""

    @pytest.mark.parametrize(
        "segment",
        [
            Segment(0, rst=True),
            Segment(0, ack=1, rst=True),
            Segment(0, syn=True, rst=True),
            Segment(3, length=1),
            Segment(3, fin=True),
        ],
        ids=str,
    )
    def test_ignored(self, segment: Segment) -> None:
        assert_dropped(arrives(BLOCKS[State.LISTEN], segment), BLOCKS[State.LISTEN])

    @pytest.mark.parametrize(
        "segment",
        [Segment(7, ack=5), Segment(7, ack=5, syn=True), Segment(7, ack=5, fin=True), Segment(7, ack=5, length=1)],
        ids=str,
    )
    def test_any_acknowledgement_is_bad(self, segment: Segment) -> None:
        outcome = arrives(BLOCKS[State.LISTEN], segment)
        assert outcome.block == BLOCKS[State.LISTEN]
        assert outcome.replies == (Segment(5, rst=True),)

    def test_a_syn_is_answered_with_syn_ack(self) -> None:
        """``RCV.NXT <- SEG.SEQ+1``; ``<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>``; SND.NXT is ISS+1 and SND.UNA is ISS."""
        outcome = arrives(BLOCKS[State.LISTEN], Segment(0, syn=True))
        assert outcome.block == PASSIVE
        assert outcome.replies == (Segment(0, ack=1, syn=True),)
        assert outcome.started == {Timer.RETRANSMISSION}


# --- 3.10.7.3 SYN-SENT --------------------------------------------------------------------------------------------


class TestSynSent:
    """ACK first, then RST, then SYN; ``SND.UNA < SEG.ACK =< SND.NXT`` is the acceptable acknowledgement."""

    BLOCK = BLOCKS[State.SYN_SENT]

    @pytest.mark.parametrize("ack", [0, 2])
    @pytest.mark.parametrize("flags", [{}, {"syn": True}, {"fin": True}, {"length": 1}], ids=str)
    def test_an_unacceptable_ack_is_answered_with_a_reset(self, ack: int, flags: dict[str, Any]) -> None:
        outcome = arrives(self.BLOCK, Segment(0, ack=ack, **flags))
        assert outcome.block == self.BLOCK
        assert outcome.replies == (Segment(ack, rst=True),)

    @pytest.mark.parametrize("ack", [0, 2])
    def test_unless_it_is_a_reset(self, ack: int) -> None:
        assert_dropped(arrives(self.BLOCK, Segment(0, ack=ack, rst=True)), self.BLOCK)

    def test_an_acknowledging_reset_ends_the_attempt(self) -> None:
        outcome = arrives(self.BLOCK, Segment(0, ack=1, rst=True))
        assert outcome.block.state is State.CLOSED
        assert outcome.replies == ()
        assert outcome.effects == {Effect.RESET}

    def test_a_reset_without_ack_is_dropped(self) -> None:
        assert_dropped(arrives(self.BLOCK, Segment(0, rst=True)), self.BLOCK)

    def test_syn_ack_establishes(self) -> None:
        outcome = arrives(self.BLOCK, Segment(0, ack=1, syn=True))
        assert outcome.block == ESTABLISHED
        assert outcome.replies == (Segment(1, ack=1),)
        assert Timer.RETRANSMISSION not in running(outcome.block, USUAL)

    def test_the_acknowledged_syn_is_no_longer_counted(self) -> None:
        """3.8.3: R2 counts per segment; retransmissions of the SYN do not count for the next segment."""
        block = timer_fires(BLOCKS[State.SYN_SENT], Timer.RETRANSMISSION, Behaviour(retries=1)).block
        assert block.tries == 1
        assert arrives(block, Segment(0, ack=1, syn=True)).block.tries == 0

    def test_a_syn_alone_is_a_simultaneous_open(self) -> None:
        """Enter SYN-RECEIVED and send ``<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>``."""
        outcome = arrives(self.BLOCK, Segment(0, syn=True))
        assert outcome.block == Block(State.SYN_RECEIVED, nxt=1, rcv=1, passive=False)
        assert outcome.replies == (Segment(0, ack=1, syn=True),)
        assert outcome.started == {Timer.RETRANSMISSION}

    @pytest.mark.parametrize(
        "segment",
        [Segment(0), Segment(0, fin=True), Segment(0, length=1), Segment(0, ack=1), Segment(0, ack=1, fin=True)],
        ids=str,
    )
    def test_without_syn_or_rst_it_is_dropped(self, segment: Segment) -> None:
        """That covers the FIN, which must not be processed here, "since the SEG.SEQ cannot be validated"."""
        assert_dropped(arrives(self.BLOCK, segment), self.BLOCK)


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


# --- 3.10.1 to 3.10.5: the user calls -----------------------------------------------------------------------------

CALLS = [
    # state, call, next state, what is sent
    (State.CLOSED, Call.OPEN_ACTIVE, State.SYN_SENT, Segment(0, syn=True)),
    (State.CLOSED, Call.OPEN_PASSIVE, State.LISTEN, None),
    (State.ESTABLISHED, Call.SEND, State.ESTABLISHED, Segment(3, ack=4, length=1)),
    (State.CLOSE_WAIT, Call.SEND, State.CLOSE_WAIT, Segment(3, ack=5, length=1)),
    (State.LISTEN, Call.CLOSE, State.CLOSED, None),
    (State.SYN_SENT, Call.CLOSE, State.CLOSED, None),
    (State.SYN_RECEIVED, Call.CLOSE, State.FIN_WAIT_1, Segment(1, ack=1, fin=True)),
    (State.ESTABLISHED, Call.CLOSE, State.FIN_WAIT_1, Segment(3, ack=4, fin=True)),
    (State.CLOSE_WAIT, Call.CLOSE, State.LAST_ACK, Segment(3, ack=5, fin=True)),
    (State.LISTEN, Call.ABORT, State.CLOSED, None),
    (State.SYN_SENT, Call.ABORT, State.CLOSED, None),
    (State.SYN_RECEIVED, Call.ABORT, State.CLOSED, Segment(1, rst=True)),
    (State.ESTABLISHED, Call.ABORT, State.CLOSED, Segment(3, rst=True)),
    (State.FIN_WAIT_1, Call.ABORT, State.CLOSED, Segment(4, rst=True)),
    (State.FIN_WAIT_2, Call.ABORT, State.CLOSED, Segment(4, rst=True)),
    (State.CLOSE_WAIT, Call.ABORT, State.CLOSED, Segment(3, rst=True)),
    (State.CLOSING, Call.ABORT, State.CLOSED, None),
    (State.LAST_ACK, Call.ABORT, State.CLOSED, None),
    (State.TIME_WAIT, Call.ABORT, State.CLOSED, None),
]
ERRORS = [
    # calls that the standard answers with an error, and that change nothing
    *((State.CLOSED, call) for call in (Call.SEND, Call.CLOSE, Call.ABORT)),
    *((state, call) for state in State for call in (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE) if state is not State.CLOSED),
    *((state, Call.SEND) for state in (State.FIN_WAIT_1, State.FIN_WAIT_2, *DEAF[1:])),
    *((state, Call.CLOSE) for state in (State.FIN_WAIT_1, State.FIN_WAIT_2, *DEAF[1:])),
]


class TestCalls:
    """Every call in every state."""

    @pytest.mark.parametrize(("state", "call", "expected", "sent"), CALLS)
    def test_carried_out(self, state: State, call: Call, expected: State, sent: Segment | None) -> None:
        block = BLOCKS[state]
        outcome = user_calls(block, call, USUAL)
        assert outcome.block.state is expected
        assert outcome.replies == ((sent,) if sent else ())
        if expected is not State.CLOSED:
            assert outcome.block.nxt == block.nxt + (sent.span if sent else 0)
            assert outcome.block.rcv == block.rcv
        if call is Call.ABORT:
            assert outcome.effects == {Effect.GAVE_UP}

    @pytest.mark.parametrize(("state", "call"), ERRORS)
    def test_refused(self, state: State, call: Call) -> None:
        assert call not in allowed_calls(BLOCKS[state])
        with pytest.raises(ValueError, match=r"not allowed"):
            user_calls(BLOCKS[state], call, USUAL)

    @pytest.mark.parametrize("block", [BLOCKS[State.SYN_RECEIVED], PASSIVE], ids=["active", "passive"])
    def test_send_in_syn_received_would_only_be_queued(self, block: Block) -> None:
        """3.10.2: "queue the data for transmission after entering ESTABLISHED": SEND may as well be called there."""
        assert allowed_calls(block) == (Call.CLOSE, Call.ABORT)
        with pytest.raises(ValueError, match=r"not allowed"):
            user_calls(block, Call.SEND, USUAL)

    @pytest.mark.parametrize("call", [Call.SEND, Call.CLOSE], ids=str)
    def test_the_retransmission_timer_starts_with_the_first_thing_outstanding(self, call: Call) -> None:
        """RFC 6298 (5.1): start it "if the timer is not running"."""
        assert user_calls(ESTABLISHED, call, USUAL).started == {Timer.RETRANSMISSION}
        assert user_calls(BLOCKS[State.ESTABLISHED], call, USUAL).started == frozenset()

    @pytest.mark.parametrize("state", [State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT], ids=str)
    def test_close_with_linger_zero_aborts(self, state: State) -> None:
        block = BLOCKS[state]
        outcome = user_calls(block, Call.CLOSE, Behaviour(linger_zero=True))
        assert outcome.block == closed(block)
        assert outcome.replies == (Segment(block.nxt, rst=True),)
        assert outcome.effects == {Effect.GAVE_UP}

    @pytest.mark.parametrize("state", [State.LISTEN, State.SYN_SENT], ids=str)
    def test_close_with_linger_zero_sends_nothing_before_the_connection(self, state: State) -> None:
        assert user_calls(BLOCKS[state], Call.CLOSE, Behaviour(linger_zero=True)).replies == ()


# --- 3.10.8 and 3.8.3: the timers ---------------------------------------------------------------------------------

EARLIEST = [
    # who, and the segment at SND.UNA with the acknowledgement as it stands now
    (BLOCKS[State.SYN_SENT], Segment(0, syn=True)),
    (BLOCKS[State.SYN_RECEIVED], Segment(0, ack=1, syn=True)),
    (PASSIVE, Segment(0, ack=1, syn=True)),
    (PASSIVE._replace(rcv=5), Segment(0, ack=5, syn=True)),
    (BLOCKS[State.ESTABLISHED], Segment(2, ack=4, length=1)),
    (BLOCKS[State.CLOSE_WAIT], Segment(2, ack=5, length=1)),
    (BLOCKS[State.FIN_WAIT_1], Segment(2, ack=4, length=1)),
    (BLOCKS[State.FIN_WAIT_1]._replace(una=3), Segment(3, ack=4, fin=True)),
    (BLOCKS[State.FIN_WAIT_1]._replace(una=3, rcv=6), Segment(3, ack=6, fin=True)),
    (BLOCKS[State.CLOSING]._replace(una=3), Segment(3, ack=5, fin=True)),
    (BLOCKS[State.LAST_ACK], Segment(2, ack=5, length=1)),
    (BLOCKS[State.LAST_ACK]._replace(una=3), Segment(3, ack=5, fin=True)),
]


class TestTimers:
    """The running timers, and the outcome when one expires."""

    @pytest.mark.parametrize(("block", "segment"), EARLIEST)
    def test_retransmission_sends_the_front_of_the_queue_again(self, block: Block, segment: Segment) -> None:
        assert Timer.RETRANSMISSION in running(block, USUAL)
        outcome = timer_fires(block, Timer.RETRANSMISSION, USUAL)
        assert outcome.replies == (segment,)
        assert outcome.started == {Timer.RETRANSMISSION}
        assert outcome.block == block
        assert earliest_unacknowledged(block) == segment

    def test_a_syn_ack_is_still_a_syn_ack_after_close(self) -> None:
        block = user_calls(PASSIVE, Call.CLOSE, USUAL).block
        assert block.state is State.FIN_WAIT_1
        assert timer_fires(block, Timer.RETRANSMISSION, USUAL).replies == (Segment(0, ack=1, syn=True),)

    def test_after_r2_retransmissions_it_gives_up(self) -> None:
        block = BLOCKS[State.LAST_ACK]
        patient = Behaviour(retries=2)
        for _ in range(2):
            outcome = timer_fires(block, Timer.RETRANSMISSION, patient)
            assert outcome.replies
            block = outcome.block
        outcome = timer_fires(block, Timer.RETRANSMISSION, patient)
        assert outcome.block == closed(block)
        assert outcome.replies == ()
        assert outcome.effects == {Effect.GAVE_UP}

    def test_an_acknowledgement_of_something_new_starts_the_count_again(self) -> None:
        block = timer_fires(BLOCKS[State.LAST_ACK], Timer.RETRANSMISSION, Behaviour(retries=1)).block
        assert block.tries == 1
        block = arrives(block, Segment(5, ack=3)).block
        assert timer_fires(block, Timer.RETRANSMISSION, Behaviour(retries=1)).replies

    @pytest.mark.parametrize("backoff", [1, 2, 4])
    def test_back_off_counts_as_far_as_its_schedule_goes(self, backoff: int) -> None:
        block = BLOCKS[State.LAST_ACK]
        counted = []
        for _ in range(6):
            counted.append(block.tries)
            block = timer_fires(block, Timer.RETRANSMISSION, Behaviour(backoff=backoff)).block
        assert counted == [min(tries, backoff - 1) for tries in range(6)]

    def test_time_wait_ends(self) -> None:
        block = BLOCKS[State.TIME_WAIT]
        assert running(block, USUAL) == (Timer.TIME_WAIT,)
        outcome = timer_fires(block, Timer.TIME_WAIT, USUAL)
        assert outcome.block == closed(block)
        assert outcome.replies == ()
        assert outcome.effects == frozenset()

    def test_fin_wait_2_of_an_abandoned_connection_ends(self) -> None:
        orphan = Behaviour(fin_wait_2=True, abandons=True)
        outcome = arrives(BLOCKS[State.FIN_WAIT_1], Segment(4, ack=4), orphan)
        assert Timer.FIN_WAIT_2 in outcome.started
        assert running(outcome.block, orphan) == (Timer.FIN_WAIT_2,)
        ended = timer_fires(outcome.block, Timer.FIN_WAIT_2, orphan)
        assert ended.block.state is State.CLOSED
        assert ended.replies == ()
        assert ended.effects == {Effect.GAVE_UP}

    @pytest.mark.parametrize("behaviour", [USUAL, Behaviour(fin_wait_2=True), Behaviour(abandons=True)])
    def test_and_no_other_does(self, behaviour: Behaviour) -> None:
        assert running(BLOCKS[State.FIN_WAIT_2], behaviour) == ()

    @pytest.mark.parametrize("state", [State.CLOSED, State.LISTEN, State.FIN_WAIT_2], ids=str)
    def test_where_nothing_is_outstanding_no_timer_runs(self, state: State) -> None:
        assert running(BLOCKS[state], USUAL) == ()


# --- the settings of TIME-WAIT and of a user who reads no more ----------------------------------------------------

ARRIVALS = {
    Arrival.FIN: [Segment(4, ack=4, fin=True)],
    Arrival.UNACCEPTABLE: [
        Segment(4, ack=4),
        Segment(3, ack=4, length=1),
        Segment(5 + WINDOW, ack=4),
        # A SYN,ACK is an old segment, no request to open the connection again.
        Segment(0, ack=1, syn=True),
    ],
    Arrival.ACK: [Segment(5, ack=4), Segment(5, ack=2)],
    Arrival.BEYOND: [
        Segment(6, ack=4),
        Segment(5, ack=4, length=1),
        Segment(7, ack=4, length=2),
        Segment(5, ack=4, fin=True),
        Segment(4, ack=4, length=2),
        Segment(5, ack=4, syn=True),
    ],
    Arrival.SYN: [Segment(0, syn=True), Segment(5, syn=True), Segment(6, syn=True), Segment(5 + WINDOW, syn=True)],
}


class TestKnobs:
    """The settings."""

    @pytest.mark.parametrize("answered", [True, False], ids=["answered", "not answered"])
    @pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "not restarted"])
    @pytest.mark.parametrize("arrival", Arrival, ids=str)
    def test_answers_and_restarts_of_time_wait(self, arrival: Arrival, answered: bool, restarted: bool) -> None:
        block = BLOCKS[State.TIME_WAIT]
        alone, others = frozenset({arrival}), EVERY_ARRIVAL - {arrival}
        behaviour = Behaviour(answers=alone if answered else others, restarts=alone if restarted else others)
        for segment in ARRIVALS[arrival]:
            outcome = arrives(block, segment, behaviour)
            assert outcome.block == block
            assert outcome.replies == ((ack_of(block),) if answered else ())
            assert outcome.started == ({Timer.TIME_WAIT} if restarted else set())
            assert (Effect.NOT_RESTARTED in outcome.effects) is (arrival is Arrival.FIN and not restarted)

    @pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2], ids=str)
    @pytest.mark.parametrize("late_data_reset", [True, False])
    @pytest.mark.parametrize("abandons", [True, False])
    def test_text_for_a_user_who_reads_no_more(self, state: State, late_data_reset: bool, abandons: bool) -> None:
        """SHLD-3 of 3.6.1: "if new data is received after CLOSE is called, its TCP SHOULD send a RST"."""
        block = BLOCKS[state]
        behaviour = Behaviour(late_data_reset=late_data_reset, abandons=abandons)
        outcome = arrives(block, Segment(block.rcv, ack=block.una, length=1), behaviour)
        if late_data_reset and abandons:
            assert outcome.block == closed(block)
            # 3.5.2 group 1: <SEQ=SEG.ACK><CTL=RST>, which in FIN-WAIT-1 is not SND.NXT.
            assert outcome.replies == (Segment(block.una, rst=True),)
            assert outcome.effects == {Effect.GAVE_UP}
        else:
            assert outcome.block == block._replace(rcv=block.rcv + 1)

    @pytest.mark.parametrize(("length", "seq"), [(1, 5), (2, 3), (3, 2)], ids=["out of order", "half old", "mostly old"])
    @pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2], ids=str)
    def test_a_reset_answers_new_text_only(self, state: State, length: int, seq: int) -> None:
        stern = Behaviour(late_data_reset=True, abandons=True)
        outcome = arrives(BLOCKS[state], Segment(seq, ack=4, length=length), stern)
        assert outcome.replies == (Segment(4, rst=True),)

    @pytest.mark.parametrize("length", [0, 1, 2])
    @pytest.mark.parametrize(
        ("state", "ack", "expected"),
        [
            (State.FIN_WAIT_1, 2, State.CLOSING),
            (State.FIN_WAIT_1, 4, State.TIME_WAIT),
            (State.FIN_WAIT_2, 4, State.TIME_WAIT),
        ],
    )
    def test_old_text_with_a_new_fin_is_no_new_text(self, state: State, ack: int, expected: State, length: int) -> None:
        """The FIN is taken in, whether the user reads or not."""
        block = BLOCKS[state]
        segment = Segment(block.rcv - length, ack=ack, length=length, fin=True)
        for behaviour in (USUAL, Behaviour(late_data_reset=True, abandons=True)):
            outcome = arrives(block, segment, behaviour)
            assert outcome.block == block._replace(state=expected, una=max(block.una, ack), rcv=block.rcv + 1)
            assert outcome.replies == (ack_of(outcome.block),)
            assert "text.accept" not in outcome.rules

    @pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT, State.LAST_ACK], ids=str)
    def test_before_close_or_after_the_fin_text_is_no_reason_for_a_reset(self, state: State) -> None:
        block = BLOCKS[state]
        stern = Behaviour(late_data_reset=True, abandons=True)
        segment = Segment(block.rcv, ack=block.una, length=1)
        assert arrives(block, segment, stern) == arrives(block, segment)


# --- where stacks deviate -----------------------------------------------------------------------------------------

DROPPED = {
    # segments outside the window, by the least of the rules under which their ACK field counts
    DroppedAck.LAST: [Segment(4, ack=4, fin=True), Segment(4, ack=4, length=1), Segment(2, ack=4, length=3)],
    DroppedAck.OLD: [Segment(4, ack=4), Segment(3, ack=4, length=1), Segment(2, ack=4, length=1, fin=True)],
    DroppedAck.ANY: [Segment(5 + WINDOW, ack=4), Segment(5 + WINDOW, ack=4, length=1)],
}
ORDER = tuple(DroppedAck)


class TestDroppedAck:
    """The ACK field of a segment that the first step drops."""

    @pytest.mark.parametrize("rule", DroppedAck, ids=str)
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (State.CLOSE_WAIT, State.CLOSE_WAIT),
            (State.CLOSING, State.TIME_WAIT),
            (State.LAST_ACK, State.CLOSED),
        ],
    )
    def test_it_counts_by_the_setting(self, state: State, expected: State, rule: DroppedAck) -> None:
        block = BLOCKS[state]
        for least, segments in DROPPED.items():
            for segment in segments:
                offending = segment._replace(ack=min(block.nxt, 4))
                outcome = arrives(block, offending, Behaviour(dropped_ack=rule))
                if ORDER.index(rule) < ORDER.index(least):
                    assert_acknowledged_and_dropped(outcome, block)
                    continue
                assert outcome.block.state is expected
                silent = expected is State.CLOSED or (expected is State.TIME_WAIT and rule is DroppedAck.LAST)
                assert outcome.replies == (() if silent else (ack_of(outcome.block),))
                assert (Timer.TIME_WAIT in outcome.started) is (expected is State.TIME_WAIT)

    def test_old_text_leads_to_fin_wait_2(self) -> None:
        block = BLOCKS[State.FIN_WAIT_1]
        outcome = arrives(block, Segment(3, ack=4, length=1), Behaviour(dropped_ack=DroppedAck.LAST))
        assert outcome.block == block._replace(state=State.FIN_WAIT_2, una=4)
        assert outcome.replies == (ack_of(block),)
        minimal = Behaviour(dropped_ack=DroppedAck.LAST, minimal_fin_wait_2=True, abandons=True)
        assert arrives(block, Segment(3, ack=4, length=1), minimal) == outcome._replace(replies=())

    @pytest.mark.parametrize("rule", DroppedAck, ids=str)
    @pytest.mark.parametrize(
        "segment", [Segment(4, ack=2, fin=True), Segment(4, ack=5, fin=True), Segment(4, fin=True), Segment(4, ack=4, syn=True)]
    )
    def test_an_ack_of_nothing_new_or_of_the_unsent_does_not(self, segment: Segment, rule: DroppedAck) -> None:
        block = BLOCKS[State.CLOSING]
        assert_acknowledged_and_dropped(arrives(block, segment, Behaviour(dropped_ack=rule)), block)

    @pytest.mark.parametrize("rule", DroppedAck, ids=str)
    def test_not_before_the_connection_is_open(self, rule: DroppedAck) -> None:
        segment = Segment(0, ack=1, length=1)
        assert_acknowledged_and_dropped(arrives(PASSIVE, segment, Behaviour(dropped_ack=rule)), PASSIVE)


class TestResetNumbers:
    """The numbers with which a RST ends a connection."""

    @pytest.mark.parametrize("reset_at_fin", [True, False])
    @each_synchronised
    def test_the_number_of_the_fin(self, state: State, reset_at_fin: bool) -> None:
        """Linux: RCV.NXT - 1, in CLOSE-WAIT, CLOSING and LAST-ACK."""
        block = BLOCKS[state]
        for offset in (-2, -1):
            outcome = arrives(block, Segment(block.rcv + offset, rst=True), Behaviour(reset_at_fin=reset_at_fin))
            if reset_at_fin and offset == -1 and state in (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK):
                assert outcome.block == closed(block)
                assert outcome.effects == {Effect.RESET}
            else:
                assert_dropped(outcome, block)

    @pytest.mark.parametrize("challenges", [True, False])
    def test_a_challenge_in_time_wait(self, challenges: bool) -> None:
        block = BLOCKS[State.TIME_WAIT]
        behaviour = Behaviour(reset=ResetRule.EXACT, challenges_reset=challenges)
        outcome = arrives(block, Segment(block.rcv + 1, rst=True), behaviour)
        assert outcome.block == block
        assert outcome.replies == ((ack_of(block),) if challenges else ())
        assert outcome.started == frozenset()


class TestAbandoned:
    """A connection whose user has called close()."""

    @pytest.mark.parametrize("late_fin_reset", [True, False])
    @pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2], ids=str)
    def test_a_fin_beyond_rcv_nxt(self, state: State, late_fin_reset: bool) -> None:
        block = BLOCKS[state]
        segment = Segment(block.rcv + 1, ack=block.una, fin=True)
        outcome = arrives(block, segment, Behaviour(late_fin_reset=late_fin_reset, abandons=True))
        if late_fin_reset and state is not State.ESTABLISHED:
            assert outcome.block == closed(block)
            assert outcome.replies == (Segment(block.una, rst=True),)
            assert outcome.effects == {Effect.GAVE_UP}
        else:
            assert_acknowledged_and_dropped(outcome, block)
        assert_acknowledged_and_dropped(arrives(block, segment, Behaviour(late_fin_reset=late_fin_reset)), block)

    BLOCK = BLOCKS[State.FIN_WAIT_2]
    MINIMAL = (
        # the segment, the state after it, the answer: Linux, tcp_timewait_state_process, case TCP_FIN_WAIT2
        (Segment(4, rst=True), State.CLOSED, None),
        (Segment(6, rst=True), State.CLOSED, None),
        (Segment(3, rst=True), State.FIN_WAIT_2, Segment(4, ack=4)),
        (Segment(4 + WINDOW, rst=True), State.FIN_WAIT_2, Segment(4, ack=4)),
        (Segment(0, syn=True), State.FIN_WAIT_2, Segment(4, ack=4)),
        (Segment(0, ack=1, syn=True), State.FIN_WAIT_2, Segment(4, ack=4)),
        (Segment(5, syn=True), State.CLOSED, Segment(0, ack=6, rst=True)),
        (Segment(5, ack=3, syn=True), State.CLOSED, Segment(3, rst=True)),
        (Segment(3, ack=4, length=1), State.FIN_WAIT_2, Segment(4, ack=4)),
        (Segment(4, ack=4), State.FIN_WAIT_2, None),
        (Segment(4, ack=9), State.FIN_WAIT_2, None),
        (Segment(4, ack=4, length=1), State.CLOSED, Segment(4, rst=True)),
        (Segment(5, ack=4, length=1), State.CLOSED, Segment(4, rst=True)),
        (Segment(4, ack=4, length=1, fin=True), State.CLOSED, Segment(4, rst=True)),
        (Segment(5, ack=4, fin=True), State.CLOSED, Segment(4, rst=True)),
        (Segment(4, ack=4, fin=True), State.TIME_WAIT, Segment(4, ack=5)),
        (Segment(3, ack=4, length=1, fin=True), State.TIME_WAIT, Segment(4, ack=5)),
    )

    @pytest.mark.parametrize(("segment", "expected", "answer"), MINIMAL, ids=str)
    def test_the_minimal_socket_of_fin_wait_2(self, segment: Segment, expected: State, answer: Segment | None) -> None:
        outcome = arrives(self.BLOCK, segment, LINUX)
        assert outcome.block.state is expected
        assert outcome.replies == ((answer,) if answer else ())
        assert (Effect.RESET in outcome.effects) is (segment.rst and expected is State.CLOSED)
        assert (Timer.TIME_WAIT in outcome.started) is (expected is State.TIME_WAIT)

    @pytest.mark.parametrize("behaviour", [replace(LINUX, abandons=False), replace(LINUX, minimal_fin_wait_2=False)])
    def test_a_full_socket_challenges_instead(self, behaviour: Behaviour) -> None:
        for segment in (Segment(6, rst=True), Segment(5, syn=True)):
            assert_acknowledged_and_dropped(arrives(self.BLOCK, segment, behaviour), self.BLOCK)
        assert_dropped(arrives(self.BLOCK, Segment(3, rst=True), behaviour), self.BLOCK)

    @pytest.mark.parametrize("abandons", [True, False])
    @pytest.mark.parametrize(("state", "ack"), [(State.FIN_WAIT_1, 4), (State.FIN_WAIT_2, 4)])
    def test_a_clock_from_before_close(self, state: State, ack: int, abandons: bool) -> None:
        """Until something restarts it, the clock of TIME-WAIT counts from before its beginning."""
        behaviour = Behaviour(clock_before_close=True, abandons=abandons)
        outcome = arrives(BLOCKS[state], Segment(4, ack=ack, fin=True), behaviour)
        assert outcome.block.early is abandons
        assert timer_length(outcome.block, Timer.TIME_WAIT, behaviour) == ("TIME_WAIT_LEFT" if abandons else "TIME_WAIT")
        again = arrives(outcome.block, Segment(4, ack=ack, fin=True), behaviour)
        assert not again.block.early
        assert timer_length(again.block, Timer.TIME_WAIT, behaviour) == "TIME_WAIT"
        silent = arrives(outcome.block, Segment(4, ack=ack, fin=True), replace(behaviour, restarts=frozenset()))
        assert silent.block.early is abandons
        assert timer_length(BLOCKS[State.FIN_WAIT_2], Timer.FIN_WAIT_2, behaviour).endswith("_LEFT") is abandons

    def test_close_wait_precedes_close(self) -> None:
        """Its clock never counts from before its beginning."""
        behaviour = Behaviour(clock_before_close=True, abandons=True, close_wait=True, last_ack=True)
        assert timer_length(Block(State.CLOSE_WAIT), Timer.LIMIT, behaviour) == "CLOSE_WAIT"
        assert timer_length(Block(State.LAST_ACK), Timer.LIMIT, behaviour) == "LAST_ACK_LEFT"


class TestUsers:
    """What CLOSE does to text that its user has not read, and stacks that cannot half-close."""

    @pytest.mark.parametrize("unread", [True, False])
    @pytest.mark.parametrize("unread_reset", [True, False])
    @pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT], ids=str)
    def test_unread_text(self, state: State, unread: bool, unread_reset: bool) -> None:
        behaviour = Behaviour(unread=unread, unread_reset=unread_reset)
        for read in (0, 3):
            block = BLOCKS[state]._replace(rcv=1 + read + (state is State.CLOSE_WAIT))
            outcome = user_calls(block, Call.CLOSE, behaviour)
            if unread and unread_reset and read:
                assert outcome.replies == (Segment(block.nxt, rst=True),)
                assert outcome.block == Block(State.CLOSED, rcv=1, sent=block.sent)
                assert outcome.effects == {Effect.GAVE_UP}
            else:
                assert outcome.replies == (Segment(block.nxt, block.rcv, fin=True),)

    @pytest.mark.parametrize("outstanding", [True, False])
    def test_without_half_close_fin_answers_fin(self, outstanding: bool) -> None:
        block = BLOCKS[State.ESTABLISHED]._replace(una=2 if outstanding else 3)
        outcome = arrives(block, Segment(4, ack=2, fin=True), Behaviour(half_close=False))
        assert outcome.block == block._replace(state=State.LAST_ACK, nxt=4, rcv=5)
        assert outcome.replies == (Segment(3, ack=5, fin=True),)
        assert outcome.started == (frozenset() if outstanding else {Timer.RETRANSMISSION})
        assert outcome.effects == {Effect.FIN_ACCEPTED}

    def test_a_close_without_half_close(self) -> None:
        """Who closes first still waits; the other end never sees CLOSE-WAIT."""
        pair = Pair(ESTABLISHED, ESTABLISHED, Behaviour(half_close=False))
        pair.call(0, Call.CLOSE)
        pair.deliver()
        assert State.CLOSE_WAIT not in {state for states in pair.seen for state in states}
        assert pair.states == (State.TIME_WAIT, State.CLOSED)


class TestOutOfOrder:
    """SHLD-31: what is beyond RCV.NXT is kept, where the setting says so."""

    KEEPS = Behaviour(keeps_out_of_order=True)

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (State.ESTABLISHED, State.CLOSE_WAIT),
            (State.FIN_WAIT_1, State.CLOSING),
            (State.FIN_WAIT_2, State.TIME_WAIT),
        ],
    )
    @pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)], ids=str)
    def test_any_order_ends_alike(self, order: tuple[int, ...], state: State, expected: State) -> None:
        block = BLOCKS[state]
        segments = [Segment(4, ack=block.una, length=1), Segment(5, ack=block.una, length=1), Segment(6, ack=block.una, fin=True)]
        effects: set[Effect] = set()
        for number in order:
            outcome = arrives(block, segments[number], self.KEEPS)
            assert outcome.replies == (ack_of(outcome.block),)
            effects |= outcome.effects
            block = outcome.block
        assert block == BLOCKS[state]._replace(state=expected, rcv=7)
        assert block.read == 5
        assert effects == {Effect.FIN_ACCEPTED}
        assert (Timer.TIME_WAIT in outcome.started) is (expected is State.TIME_WAIT)

    def test_a_gap_stays_a_gap(self) -> None:
        block = arrives(ESTABLISHED, Segment(3, ack=1, length=1), self.KEEPS).block
        assert (block.rcv, block.kept) == (1, 0b1000)
        block = arrives(block, Segment(1, ack=1, length=1), self.KEEPS).block
        assert (block.rcv, block.kept) == (2, 0b1000)
        block = arrives(block, Segment(2, ack=1, length=1), self.KEEPS).block
        assert (block.rcv, block.kept) == (4, 0)

    def test_without_the_setting_it_is_dropped(self) -> None:
        for segment in (Segment(3, ack=1, length=1), Segment(3, ack=1, fin=True)):
            assert_acknowledged_and_dropped(arrives(ESTABLISHED, segment), ESTABLISHED)


LIMITED = {
    State.FIN_WAIT_1: Behaviour(fin_wait_1=True),
    State.CLOSE_WAIT: Behaviour(close_wait=True),
    State.CLOSING: Behaviour(closing=True),
    State.LAST_ACK: Behaviour(last_ack=True),
}


class TestLimits:
    """Limits of states and of answers."""

    @pytest.mark.parametrize("state", LIMITED, ids=str)
    def test_a_state_ends_by_its_limit(self, state: State) -> None:
        block, behaviour = BLOCKS[state], LIMITED[state]
        assert Timer.LIMIT in running(block, behaviour)
        assert timer_length(block, Timer.LIMIT, behaviour) == state
        outcome = timer_fires(block, Timer.LIMIT, behaviour)
        assert outcome.block == closed(block)
        assert outcome.replies == ()
        assert outcome.effects == {Effect.GAVE_UP}
        for other in State:
            assert (Timer.LIMIT in running(BLOCKS[other], behaviour)) is (other is state)

    @pytest.mark.parametrize(
        ("state", "event"),
        [
            (State.FIN_WAIT_1, Call.CLOSE),
            (State.CLOSE_WAIT, Segment(4, ack=2, fin=True)),
            (State.CLOSING, Segment(4, ack=2, fin=True)),
            (State.LAST_ACK, Call.CLOSE),
        ],
    )
    def test_the_limit_starts_with_the_state(self, state: State, event: Call | Segment) -> None:
        before = {State.CLOSING: State.FIN_WAIT_1, State.LAST_ACK: State.CLOSE_WAIT}.get(state, State.ESTABLISHED)
        outcome = apply_event(BLOCKS[before], event, LIMITED[state])
        assert outcome.block.state is state
        assert Timer.LIMIT in outcome.started
        assert Timer.LIMIT not in apply_event(BLOCKS[before], event, USUAL).started

    @pytest.mark.parametrize("reset", [True, False])
    @pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK], ids=str)
    def test_an_end_that_gives_up_may_send_a_reset(self, state: State, reset: bool) -> None:
        block = BLOCKS[state]
        outcome = timer_fires(block, Timer.RETRANSMISSION, Behaviour(retries=0, retries_reset=reset))
        assert outcome.block == closed(block)
        assert outcome.replies == ((Segment(block.nxt, rst=True),) if reset else ())
        assert outcome.effects == {Effect.GAVE_UP}

    @pytest.mark.parametrize("limit", AnswerLimit, ids=str)
    @pytest.mark.parametrize(
        ("segment", "least"),
        [
            (Segment(4, ack=4), AnswerLimit.EMPTY),
            (Segment(4, ack=4, fin=True), AnswerLimit.ANY),
            (Segment(3, ack=4, length=1), AnswerLimit.ANY),
            (Segment(5, ack=4, syn=True), AnswerLimit.EMPTY),
            (Segment(6, rst=True), AnswerLimit.EMPTY),
        ],
        ids=str,
    )
    def test_an_answer_that_a_limit_may_suppress(self, segment: Segment, least: AnswerLimit, limit: AnswerLimit) -> None:
        order = tuple(AnswerLimit)
        for state in (State.CLOSE_WAIT, State.LAST_ACK, State.TIME_WAIT):
            outcome = arrives(BLOCKS[state], segment, replace(LETTER, answer_limit=limit))
            assert outcome.replies
            assert (Effect.LIMITED in outcome.effects) is (order.index(limit) >= order.index(least))

    @pytest.mark.parametrize("segment", [Segment(4, ack=2, length=1), Segment(4, ack=2, fin=True)], ids=str)
    def test_an_answer_to_something_new_is_not_suppressed(self, segment: Segment) -> None:
        outcome = arrives(BLOCKS[State.ESTABLISHED], segment, Behaviour(answer_limit=AnswerLimit.ANY))
        assert outcome.replies
        assert Effect.LIMITED not in outcome.effects


# --- whole exchanges ----------------------------------------------------------------------------------------------


class Pair:
    """Two ends and a network that delivers in order and loses only chosen transmissions."""

    def __init__(self, one: Block, other: Block, behaviour: Behaviour = USUAL, lost: Collection[int] = ()) -> None:
        self.ends = [one, other]
        self.behaviour = behaviour
        self.lost = lost
        self.sent: list[Segment] = []
        self.flying: list[tuple[int, Segment]] = []
        self.seen = [self.states]

    @property
    def states(self) -> tuple[State, State]:
        return self.ends[0].state, self.ends[1].state

    def take(self, end: int, outcome: Outcome) -> None:
        self.ends[end] = outcome.block
        for segment in outcome.replies:
            if len(self.sent) not in self.lost:
                self.flying.append((1 - end, segment))
            self.sent.append(segment)
        if self.states != self.seen[-1]:
            self.seen.append(self.states)

    def call(self, end: int, call: Call) -> None:
        self.take(end, user_calls(self.ends[end], call, self.behaviour))

    def fire(self, end: int, timer: Timer) -> None:
        assert timer in running(self.ends[end], self.behaviour)
        self.take(end, timer_fires(self.ends[end], timer, self.behaviour))

    def deliver(self) -> None:
        """Deliver until nothing is in flight; an endless exchange is an error."""
        for _ in range(100):
            if not self.flying:
                return
            end, segment = self.flying.pop(0)
            self.take(end, arrives(self.ends[end], segment, self.behaviour))
        raise AssertionError("the exchange does not end")

    def settle(self) -> None:
        """Deliver, and retransmit outstanding segments, until none is outstanding."""
        self.deliver()
        while waiting := [end for end in (0, 1) if Timer.RETRANSMISSION in running(self.ends[end], self.behaviour)]:
            self.fire(waiting[0], Timer.RETRANSMISSION)
            self.deliver()


S = State


class TestExchanges:
    """The figures of the standard, carried out."""

    def test_figure_6_three_way_handshake(self) -> None:
        pair = Pair(BLOCKS[S.CLOSED], BLOCKS[S.CLOSED])
        pair.call(1, Call.OPEN_PASSIVE)
        pair.call(0, Call.OPEN_ACTIVE)
        pair.deliver()
        assert pair.seen[2:] == [
            (S.SYN_SENT, S.LISTEN),
            (S.SYN_SENT, S.SYN_RECEIVED),
            (S.ESTABLISHED, S.SYN_RECEIVED),
            (S.ESTABLISHED, S.ESTABLISHED),
        ]
        assert pair.ends == [ESTABLISHED, ESTABLISHED]

    def test_figure_7_simultaneous_open(self) -> None:
        pair = Pair(BLOCKS[S.CLOSED], BLOCKS[S.CLOSED])
        pair.call(0, Call.OPEN_ACTIVE)
        pair.call(1, Call.OPEN_ACTIVE)
        pair.deliver()
        assert (S.SYN_RECEIVED, S.SYN_RECEIVED) in pair.seen
        assert pair.ends == [ESTABLISHED, ESTABLISHED]

    def test_figure_8_an_old_duplicate_syn(self) -> None:
        """A RST answers its answer, which acknowledges nothing that was sent, and the listener returns to LISTEN."""
        answered = arrives(BLOCKS[S.LISTEN], Segment(0, syn=True))
        (reset,) = arrives(BLOCKS[S.SYN_SENT], Segment(0, ack=9, syn=True)).replies
        assert reset == Segment(9, rst=True)
        assert arrives(answered.block, Segment(answered.block.rcv, rst=True)).block == Block(State.LISTEN)

    def test_figure_12_normal_close(self) -> None:
        pair = Pair(ESTABLISHED, ESTABLISHED)
        pair.call(0, Call.CLOSE)
        pair.deliver()
        pair.call(1, Call.CLOSE)
        pair.deliver()
        pair.fire(0, Timer.TIME_WAIT)
        assert pair.seen == [
            (S.ESTABLISHED, S.ESTABLISHED),
            (S.FIN_WAIT_1, S.ESTABLISHED),
            (S.FIN_WAIT_1, S.CLOSE_WAIT),
            (S.FIN_WAIT_2, S.CLOSE_WAIT),
            (S.FIN_WAIT_2, S.LAST_ACK),
            (S.TIME_WAIT, S.LAST_ACK),
            (S.TIME_WAIT, S.CLOSED),
            (S.CLOSED, S.CLOSED),
        ]

    def test_figure_13_simultaneous_close(self) -> None:
        pair = Pair(ESTABLISHED, ESTABLISHED)
        pair.call(0, Call.CLOSE)
        pair.call(1, Call.CLOSE)
        pair.deliver()
        assert pair.seen == [
            (S.ESTABLISHED, S.ESTABLISHED),
            (S.FIN_WAIT_1, S.ESTABLISHED),
            (S.FIN_WAIT_1, S.FIN_WAIT_1),
            (S.FIN_WAIT_1, S.CLOSING),
            (S.CLOSING, S.CLOSING),
            (S.TIME_WAIT, S.CLOSING),
            (S.TIME_WAIT, S.TIME_WAIT),
        ]

    def test_the_omitted_edge_of_figure_5(self) -> None:
        """Note 2: the acknowledgement of our FIN is lost, and the other end's FIN carries it again."""
        pair = Pair(ESTABLISHED, ESTABLISHED, lost={1})
        pair.call(0, Call.CLOSE)
        pair.deliver()
        pair.call(1, Call.CLOSE)
        pair.deliver()
        assert pair.sent[1] == Segment(1, ack=2)
        assert pair.seen[2:] == [
            (S.FIN_WAIT_1, S.CLOSE_WAIT),
            (S.FIN_WAIT_1, S.LAST_ACK),
            (S.TIME_WAIT, S.LAST_ACK),
            (S.TIME_WAIT, S.CLOSED),
        ]

    def test_half_close(self) -> None:
        pair = Pair(ESTABLISHED, ESTABLISHED)
        pair.call(0, Call.CLOSE)
        pair.deliver()
        pair.call(1, Call.SEND)
        pair.call(1, Call.SEND)
        pair.deliver()
        assert pair.states == (S.FIN_WAIT_2, S.CLOSE_WAIT)
        assert pair.ends[0].read == 2
        assert not pair.ends[1].outstanding
        pair.call(1, Call.CLOSE)
        pair.deliver()
        assert pair.states == (S.TIME_WAIT, S.CLOSED)
        assert pair.ends[0].read == 2

    @pytest.mark.parametrize("lost", [{0}, {1}, {2}, {3}, {0, 1}, {2, 3}, {0, 2}, {1, 3}], ids=str)
    def test_losses_are_repaired(self, lost: set[int]) -> None:
        """Whichever of FIN, ACK, FIN, ACK are lost, the retransmission timers complete the close."""
        pair = Pair(ESTABLISHED, ESTABLISHED, lost=lost)
        for end in (0, 1):
            pair.call(end, Call.CLOSE)
            pair.settle()
        assert len(pair.sent) > 4
        assert pair.states == (S.TIME_WAIT, S.CLOSED)

    @pytest.mark.parametrize("lost", [{0}, {1}, {2}, {3}, {0, 1}, {0, 1, 2, 3}], ids=str)
    def test_in_a_simultaneous_close_too(self, lost: set[int]) -> None:
        pair = Pair(ESTABLISHED, ESTABLISHED, lost=lost)
        pair.call(0, Call.CLOSE)
        pair.call(1, Call.CLOSE)
        pair.settle()
        assert pair.states in [(S.TIME_WAIT, S.TIME_WAIT), (S.TIME_WAIT, S.CLOSED), (S.CLOSED, S.TIME_WAIT)]

    def test_two_ends_in_time_wait_acknowledge_each_other_for_ever(self) -> None:
        """Literal reading: one duplicated bare ACK after a simultaneous close causes endless acknowledgements."""
        pair = Pair(BLOCKS[S.TIME_WAIT], Block(State.TIME_WAIT, una=5, nxt=5, rcv=4, sent=3), LETTER)
        pair.flying = [(1, Segment(4, ack=5))]
        with pytest.raises(AssertionError, match="does not end"):
            pair.deliver()

    @pytest.mark.parametrize("answered", [USUAL, Behaviour(answers=frozenset({Arrival.FIN}))])
    def test_unless_they_keep_silent(self, answered: Behaviour) -> None:
        pair = Pair(BLOCKS[S.TIME_WAIT], Block(State.TIME_WAIT, una=5, nxt=5, rcv=4, sent=3), answered)
        pair.flying = [(1, Segment(4, ack=5))]
        pair.deliver()

    def test_a_reset_in_time_wait(self) -> None:
        """RFC 1337: an old duplicate, its answer, and the RST of an end that has left TIME-WAIT."""
        for behaviour, expected in ((LETTER, S.CLOSED), (USUAL, S.TIME_WAIT)):
            pair = Pair(BLOCKS[S.TIME_WAIT], BLOCKS[S.CLOSED], behaviour)
            pair.flying = [(0, Segment(3, ack=3, length=1))]
            pair.deliver()
            assert pair.states == (expected, S.CLOSED)


# --- whatever happens ---------------------------------------------------------------------------------------------

behaviours = st.builds(
    Behaviour,
    time_wait=st.booleans(),
    answers=st.frozensets(st.sampled_from(Arrival)),
    restarts=st.frozensets(st.sampled_from(Arrival)),
    reset=st.sampled_from(ResetRule),
    fin_wait_2=st.booleans(),
    late_data_reset=st.booleans(),
    linger_zero=st.booleans(),
    retries=st.none() | st.integers(0, 2),
    backoff=st.integers(1, 3),
    abandons=st.booleans(),
)


Course = tuple[Behaviour, list[tuple[Block, Segment | Timer | Call, Outcome]]]
"""A behaviour, and the events of one endpoint."""


@st.composite
def segments(draw: st.DrawFn, block: Block) -> Segment:
    """Any segment with numbers around those of a block, but with nothing beyond the FIN of the other end."""
    seq = draw(st.integers(max(block.rcv - 3, 0), block.rcv + WINDOW + 1))
    ack = draw(st.none() | st.integers(0, block.nxt + 1))
    syn, rst = draw(st.sampled_from([(False, False), (False, False), (True, False), (False, True), (True, True)]))
    length, fin = draw(st.integers(0, 2)), draw(st.booleans())
    if block.state in FIN_RECEIVED and seq + length + fin > block.rcv:
        length, fin = 0, False
    return Segment(seq, ack, length, syn, fin, rst)


@st.composite
def walks(draw: st.DrawFn) -> Course:
    """A walk from CLOSED, or from an open connection."""
    behaviour = draw(behaviours)
    block = draw(st.sampled_from([Block(State.CLOSED), ESTABLISHED]))
    walk = []
    for _ in range(draw(st.integers(1, 12))):
        own: list[Timer | Call] = [*allowed_calls(block), *running(block, behaviour)]
        happening: Segment | Timer | Call = draw(st.sampled_from(own) | segments(block))
        outcome = apply_event(block, happening, behaviour)
        walk.append((block, happening, outcome))
        block = outcome.block
    return behaviour, walk


MOVES = {
    # figure 5 with its notes, every state keeping itself; the moves by RST, ABORT and time-out to CLOSED are added
    S.CLOSED: {S.LISTEN, S.SYN_SENT},
    S.LISTEN: {S.SYN_RECEIVED},
    S.SYN_SENT: {S.SYN_RECEIVED, S.ESTABLISHED},
    S.SYN_RECEIVED: {S.LISTEN, S.ESTABLISHED, S.FIN_WAIT_1, S.CLOSE_WAIT},
    S.ESTABLISHED: {S.FIN_WAIT_1, S.CLOSE_WAIT},
    S.FIN_WAIT_1: {S.FIN_WAIT_2, S.CLOSING, S.TIME_WAIT},
    S.FIN_WAIT_2: {S.TIME_WAIT},
    S.CLOSE_WAIT: {S.LAST_ACK},
    S.CLOSING: {S.TIME_WAIT},
    S.LAST_ACK: set(),
    S.TIME_WAIT: set(),
}
SENT_FIN = {S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSING, S.LAST_ACK, S.TIME_WAIT}


class TestWhateverHappens:
    """Properties of every step of every walk; that no step raises is one of them."""

    @given(walks())
    def test_states_move_as_in_figure_5(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            assert outcome.block.state in MOVES[block.state] | {block.state, State.CLOSED}

    @given(walks())
    def test_numbers_never_go_backwards(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            after = outcome.block
            if after.state not in (State.CLOSED, State.LISTEN) and block.state is not State.CLOSED:
                assert after.una >= block.una
                assert after.nxt >= block.nxt
                assert after.rcv >= block.rcv
                assert after.sent >= block.sent

    @given(walks())
    def test_numbers_fit_the_state(self, course: Course) -> None:
        for _, _, outcome in course[1]:
            block = outcome.block
            if block.state is State.CLOSED:
                assert block.una == block.nxt == 0
                continue
            assert 0 <= block.una <= block.nxt <= block.fin_seq + 1
            assert block.fin_sent is (block.state in SENT_FIN)
            assert block.fin_acknowledged is (block.state in {S.FIN_WAIT_2, S.TIME_WAIT})
            if block.state is State.TIME_WAIT:
                assert not block.outstanding

    @given(walks())
    def test_text_read_never_decreases(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            if outcome.block.state is State.CLOSED and block.state is not State.CLOSED:
                assert outcome.block.sent == block.sent
                assert outcome.block.read >= block.read  # the segment that closes may bring text

    @given(walks())
    def test_every_reply_speaks_for_the_block_it_leaves(self, course: Course) -> None:
        for block, happening, outcome in course[1]:
            after = outcome.block
            for reply in outcome.replies:
                assert not (reply.rst and isinstance(happening, Segment) and happening.rst)
                if reply == Segment(reply.seq, reply.ack) and after.state is not State.CLOSED:
                    assert reply == acknowledgement(after)
                if (reply.fin or reply.length) and reply.ack is not None:
                    assert reply.ack == block.rcv
                    assert reply.end <= after.nxt

    @given(walks())
    def test_a_timer_that_begins_to_run_was_started(self, course: Course) -> None:
        behaviour, walk = course
        for block, _, outcome in walk:
            assert set(running(outcome.block, behaviour)) - set(running(block, behaviour)) <= outcome.started

    @given(walks())
    def test_every_rule_applied_is_in_the_list(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            assert set(outcome.rules) <= RULES.keys()
            assert outcome.rules or (outcome.block, outcome.replies, outcome.started) == (block, (), frozenset())


def test_every_rule_in_the_list_is_applied_somewhere() -> None:
    """Every rule is reachable from CLOSED under some behaviour."""
    used = set()
    for behaviour in (
        USUAL,
        LETTER,
        Behaviour(linger_zero=True),
        Behaviour(retries=1, fin_wait_2=True, late_data_reset=True, abandons=True),
        LINUX,
        replace(LINUX, minimal_fin_wait_2=False),
        Behaviour(half_close=False, unread=True, retries=0, retries_reset=True, last_ack=True),
        Behaviour(keeps_out_of_order=True),
    ):
        for block, _, outcome in reachable_steps(behaviour):
            used |= set(outcome.rules)
            used |= set(segment_arrives(block, Segment(block.rcv), behaviour).rules)
    assert used == RULES.keys()


def test_every_rule_cites_a_section() -> None:
    """The text of a rule is one clause."""
    for name, rule in RULES.items():
        assert rule.section, name
        assert rule.text, name
        assert not rule.text.endswith("."), name
