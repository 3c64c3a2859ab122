"""The endpoint under each setting: what a stack does otherwise than RFC 9293."""

from __future__ import annotations

from dataclasses import replace

import pytest
from endpoint_cases import (
    BLOCKS,
    LETTER,
    LINUX,
    PASSIVE,
    USUAL,
    Pair,
    ack_of,
    arrives,
    assert_acknowledged_and_dropped,
    assert_dropped,
    each_synchronised,
)

from timewait.spec.endpoint import running, timer_fires, timer_length, user_calls
from timewait.spec.graph_events import apply_event
from timewait.spec.outcome import Call, Effect, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, AnswerLimit, Arrival, Behaviour, DroppedAck, ResetRule
from timewait.spec.state import ESTABLISHED, Block, State, closed
from timewait.spec.window import WINDOW

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
