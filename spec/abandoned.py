"""A connection that its user has abandoned: late text and FINs, and the minimal socket of FIN-WAIT-2."""

from __future__ import annotations

from timewait.spec.outcome import Effect, Outcome
from timewait.spec.replies import acknowledgement, reset_for
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State, closed
from timewait.spec.time_wait import enter_time_wait
from timewait.spec.window import acceptable


def is_minimal(block: Block, behaviour: Behaviour) -> bool:
    """Whether only a minimal socket is kept: FIN-WAIT-2 of an abandoned connection, where the stack does so."""
    return block.state is State.FIN_WAIT_2 and behaviour.abandons and behaviour.minimal_fin_wait_2


def in_minimal_fin_wait_2(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
    """The outcome in FIN-WAIT-2 of a minimal socket (Linux, tcp_timewait_state_process).

    The socket knows the window and nothing of its own sequence numbers, so it does not check the ACK field.
    """
    if not acceptable(block, segment):
        return Outcome(block, (acknowledgement(block),), rules=("minimal.unacceptable",))
    if segment.rst:
        return Outcome(closed(block), rules=("minimal.reset",), effects=frozenset({Effect.RESET}))
    if segment.syn and segment.seq >= block.rcv:
        return _refused(block, segment, "minimal.syn")
    if segment.ack is None or segment.end <= block.rcv or not segment.span:
        unsent = segment.ack is not None and segment.ack > block.nxt
        return Outcome(block, rules=("minimal.ignore",) if unsent else ())
    if segment.fin and segment.end == block.rcv + 1:
        after = block._replace(rcv=block.rcv + 1)
        answered = Outcome(after, (acknowledgement(after),), effects=frozenset({Effect.FIN_ACCEPTED}))
        return answered.then(enter_time_wait(after, behaviour, ("fin.time-wait",)))
    return _refused(block, segment, "text.late" if segment.length else "fin.late")


def refusal(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome | None:
    """The RST to a segment beyond RCV.NXT for a user who has stopped reading; None if the segment is not refused."""
    if not behaviour.abandons or block.state not in (State.FIN_WAIT_1, State.FIN_WAIT_2):
        return None
    if segment.seq + segment.length <= block.rcv:
        return None
    if segment.length and behaviour.late_data_reset:
        return _refused(block, segment, "text.late")
    if segment.fin and not segment.length and behaviour.late_fin_reset:
        return _refused(block, segment, "fin.late")
    return None


def _refused(block: Block, segment: Segment, rule: str) -> Outcome:
    return Outcome(closed(block), (reset_for(segment),), rules=(rule,), effects=frozenset({Effect.GAVE_UP}))
