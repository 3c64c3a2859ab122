"""A control block in each state, the outcomes of arrivals, and two ends that exchange segments."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from timewait.spec.endpoint import running, segment_arrives, timer_fires, user_calls
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, DroppedAck, ResetRule
from timewait.spec.state import Block, State

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
