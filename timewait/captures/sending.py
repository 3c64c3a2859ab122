"""Why an end sent a segment: a user call, a retransmission, an answer, or something the specification does not provide for.

The explanation belongs to one reading of the capture, and accuses nobody: `timewait.captures.deviations` does that from
the packets alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.observations import ResetCause
from timewait.narration.prose import counted, rounded
from timewait.spec.endpoint import allowed_calls, timer_fires, user_calls
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State, closed


class SegmentExplanation(NamedTuple):
    """Why a segment was sent.

    Attributes
    ----------
    text : str
        What the sender did.
    outcome : Outcome
        The sender's control block afterwards, and the rules applied.
    kind : str
        ``call``, ``timer``, ``answer``, or ``other``.
    missing : str
        What the segment shows that the capture lacks, as the rest of a sentence about the sender; empty if nothing.
    """

    text: str
    outcome: Outcome
    kind: str
    missing: str = ""


class Sending(NamedTuple):
    """A segment and what its sender knew.

    Attributes
    ----------
    block : Block
        The sender's control block.
    segment : Segment
        The segment.
    due : sequence of Segment
        The answers that the specification expects from the sender.
    peer_next : int
        The number after everything that the other end was seen to send.
    gap : Fraction or None
        Seconds since the same octets were last sent; None for the first time.
    timed : bool
        Whether the segment acknowledges nothing new, so that a timer sent it if it was sent before.
    cause : ResetCause or None
        The cause of a RST.
    """

    block: Block
    segment: Segment
    due: Sequence[Segment]
    peer_next: int
    gap: Fraction | None = None
    timed: bool = True
    cause: ResetCause | None = None


def explain_segment(sending: Sending, behaviour: Behaviour) -> SegmentExplanation:
    """Explain a segment from its sender's state; `behaviour` holds the settings of the sender's stack."""
    block, segment = sending.block, sending.segment
    if segment.syn:
        return _syn(block, segment)
    if segment.rst:
        return _rst(sending, behaviour)
    if block.state is State.CLOSED:
        return SegmentExplanation(f"sends {segment}", Outcome(block), "other")
    if segment.span and segment.end > block.nxt:
        return _new_text(block, segment, behaviour)
    if _is_keep_alive(block, segment):
        return SegmentExplanation("sends a keep-alive probe", Outcome(block), "other")
    if segment.span:
        return _retransmission(sending, behaviour)
    return _acknowledgement(sending)


def _syn(block: Block, segment: Segment) -> SegmentExplanation:
    if segment.ack is not None:
        return SegmentExplanation("accepts the opening of a connection", Outcome(Block(State.SYN_RECEIVED)), "other")
    # What the users of the old connection sent and read is kept, for the properties.
    opened = Block(State.SYN_SENT, una=segment.seq, nxt=segment.seq + 1, rcv=1 + block.read, sent=block.sent)
    return SegmentExplanation(f"user calls {Call.OPEN_ACTIVE}", Outcome(opened, rules=("open.active",)), "call")


def _rst(sending: Sending, behaviour: Behaviour) -> SegmentExplanation:
    block, segment = sending.block, sending.segment
    if sending.cause is ResetCause.DEVICE:
        return SegmentExplanation("did not send this RST: a device on the way sent it in its name", Outcome(block), "other")
    if any(answer.rst and answer.seq == segment.seq for answer in sending.due):
        return SegmentExplanation("answers with a RST", Outcome(block), "answer")
    if block.state is State.CLOSED:
        return SegmentExplanation("sends a RST", Outcome(block), "answer")
    if sending.cause is ResetCause.RETRY_LIMIT:
        gave_up = Outcome(closed(block), rules=("timer.retries",), effects=frozenset({Effect.GAVE_UP}))
        return SegmentExplanation("has reached its limit of retransmissions, gives up and sends a RST", gave_up, "timer")
    if Call.ABORT not in allowed_calls(block):
        return SegmentExplanation("sends a RST", Outcome(block), "other")
    return SegmentExplanation(f"user calls {Call.ABORT}", user_calls(block, Call.ABORT, behaviour), "call")


def _is_keep_alive(block: Block, segment: Segment) -> bool:
    idle = not block.outstanding and segment.length <= 1 and not segment.fin
    return idle and segment.seq == block.nxt - 1


def _new_text(block: Block, segment: Segment, behaviour: Behaviour) -> SegmentExplanation:
    """New text, a FIN, or both."""
    if block.fin_sent or Call.SEND not in allowed_calls(block):
        return SegmentExplanation("sends beyond its FIN", Outcome(block), "other")
    block, missing = _after_missing_octets(block, segment)
    outcome, calls = Outcome(block), []
    length = segment.seq + segment.length - block.nxt
    if length > 0:
        sent = user_calls(block, Call.SEND, behaviour)
        after = sent.block._replace(nxt=block.nxt + length, sent=block.sent + length)
        outcome, calls = sent._replace(block=after, replies=()), [f"{Call.SEND} ({length:,} octets)"]
    if segment.fin:
        outcome = outcome.then(user_calls(outcome.block, Call.CLOSE, behaviour)._replace(replies=()))
        calls.append(str(Call.CLOSE))
    return SegmentExplanation(f"user calls {' and '.join(calls)}", outcome, "call", missing)


def _after_missing_octets(block: Block, segment: Segment) -> tuple[Block, str]:
    """The control block after octets that the capture lacks, where the segment starts beyond the next number."""
    if segment.seq <= block.nxt or block.fin_sent:
        return block, ""
    text = f"had sent {counted(segment.seq - block.nxt, 'octet')} missing from the capture"
    return block._replace(nxt=segment.seq, sent=max(block.sent, segment.seq - 1)), text


def _retransmission(sending: Sending, behaviour: Behaviour) -> SegmentExplanation:
    block = sending.block
    if not sending.timed:
        return SegmentExplanation("acknowledges, and repeats what is not acknowledged", Outcome(block), "answer")
    outcome = timer_fires(block, Timer.RETRANSMISSION, behaviour) if block.outstanding else Outcome(block)
    after = "" if sending.gap is None else f" after {rounded(sending.gap)}"
    return SegmentExplanation(f"retransmits{after}", outcome._replace(replies=()), "timer")


def _acknowledgement(sending: Sending) -> SegmentExplanation:
    segment = sending.segment
    if segment.ack is None:
        return SegmentExplanation("sends a segment without ACK", Outcome(sending.block), "other")
    block, missing = _after_missing_octets(sending.block, segment)
    partly = block.rcv < segment.ack <= sending.peer_next
    if segment.ack > block.rcv:
        if not partly:
            octets = segment.ack - max(sending.peer_next, block.rcv)
            missing = missing or f"acknowledges {counted(octets, 'octet')} missing from the capture"
        block = block._replace(rcv=segment.ack)
    if partly or any(answer.ack is not None and answer.ack <= segment.ack for answer in sending.due):
        return SegmentExplanation("acknowledges", Outcome(block), "answer", missing)
    return SegmentExplanation("repeats its acknowledgement", Outcome(block), "other", missing)
