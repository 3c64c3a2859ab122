"""Two endpoints that exchange segments: the figures of RFC 9293, carried out."""

from __future__ import annotations

import pytest
from endpoint_cases import BLOCKS, LETTER, USUAL, Pair, S, arrives

from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Arrival, Behaviour
from timewait.spec.state import ESTABLISHED, Block, State


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
