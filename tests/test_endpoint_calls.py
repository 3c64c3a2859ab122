"""The endpoint's user calls and timers against RFC 9293 3.10.1 to 3.10.5 and 3.10.8.

What is expected is written down from the words of the standard, never computed by the code under test. Left out on
purpose are SEND and OPEN in LISTEN, and SEND in SYN-RECEIVED.
"""

from __future__ import annotations

import pytest
from endpoint_cases import BLOCKS, DEAF, PASSIVE, USUAL, arrives

from timewait.spec.endpoint import allowed_calls, running, timer_fires, user_calls
from timewait.spec.outcome import Call, Effect, Timer
from timewait.spec.replies import earliest_unacknowledged
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import ESTABLISHED, Block, State, closed

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
