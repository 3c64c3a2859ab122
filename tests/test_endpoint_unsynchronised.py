"""The endpoint in CLOSED, LISTEN and SYN-SENT against RFC 9293 3.10.7.1 to 3.10.7.3.

What is expected is written down from the words of the standard, never computed by the code under test. Left out on
purpose are OPEN in LISTEN, and text or a FIN on a SYN.
"""

from __future__ import annotations

from typing import Any

import pytest
from endpoint_cases import BLOCKS, PASSIVE, USUAL, arrives, assert_dropped

from timewait.spec.endpoint import running, timer_fires
from timewait.spec.outcome import Effect, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import ESTABLISHED, Block, State, closed

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
