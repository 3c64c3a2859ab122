"""Why an end sent a segment: a user call, a retransmission, an answer, or something the standard does not provide for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.observations import RemarkKind
from timewait.narration.prose import counted, rounded
from timewait.spec.endpoint import allowed_calls, timer_fires, user_calls
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State

Fault = tuple[str, str, RemarkKind]
"""The text, section and kind of a remark."""


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
    faults : tuple of Fault
        Deviations from what the specification would send.
    """

    text: str
    outcome: Outcome
    kind: str
    faults: tuple[Fault, ...] = ()


def explain_segment(
    block: Block, segment: Segment, due: Sequence[Segment], behaviour: Behaviour, gap: Fraction | None
) -> SegmentExplanation:
    """Explain a segment from its sender's state.

    Parameters
    ----------
    block : Block
        The sender's control block.
    segment : Segment
        The segment.
    due : sequence of Segment
        The answers that the specification expects from the sender.
    behaviour : Behaviour
        The settings of the sender's stack.
    gap : Fraction or None
        Seconds since the same octets were last sent; None for the first time.
    """
    if segment.syn:
        return _syn(segment)
    if segment.rst:
        return _rst(block, segment, due, behaviour)
    if block.state is State.CLOSED:
        return _from_closed(segment, due, block)
    if segment.span and segment.end > block.nxt:
        return _new_text(block, segment, behaviour)
    if _is_keep_alive(block, segment):
        return SegmentExplanation("sends a keep-alive probe", Outcome(block), "other")
    if segment.span:
        return _retransmission(block, segment, behaviour, gap)
    return _acknowledgement(block, segment, due)


def _deviation(text: str, section: str) -> Fault:
    return (text, section, RemarkKind.DEVIATION)


def _syn(segment: Segment) -> SegmentExplanation:
    if segment.ack is not None:
        return SegmentExplanation("accepts the opening of a connection", Outcome(Block(State.SYN_RECEIVED)), "other")
    opened = Block(State.SYN_SENT, una=segment.seq, nxt=segment.seq + 1)
    return SegmentExplanation(f"user calls {Call.OPEN_ACTIVE}", Outcome(opened, rules=("open.active",)), "call")


def _rst(block: Block, segment: Segment, due: Sequence[Segment], behaviour: Behaviour) -> SegmentExplanation:
    if any(answer.rst and answer.seq == segment.seq for answer in due):
        return SegmentExplanation("answers with a RST", Outcome(block), "answer")
    if block.state is State.CLOSED:
        return SegmentExplanation("sends a RST", Outcome(block), "answer")
    if Call.ABORT not in allowed_calls(block):
        return SegmentExplanation("sends a RST", Outcome(block), "other")
    outcome = user_calls(block, Call.ABORT, behaviour)
    faults: tuple[Fault, ...] = ()
    if not outcome.replies:
        text = f"sends a RST in {block.state}, where neither the user nor a segment calls for one"
        faults = (_deviation(text, "RFC 9293 3.10.5"),)
    elif segment.seq != block.nxt and not block.una <= segment.seq <= block.nxt:
        text = f"sends a RST with sequence number {segment.seq}; its next number is {block.nxt}"
        faults = (_deviation(text, "RFC 9293 3.10.5"),)
    return SegmentExplanation(f"user calls {Call.ABORT}", outcome, "call", faults)


def _from_closed(segment: Segment, due: Sequence[Segment], block: Block) -> SegmentExplanation:
    expected = "where a RST is called for" if any(answer.rst for answer in due) else "in CLOSED"
    fault = _deviation(f"sends {segment} {expected}", "RFC 9293 3.10.7.1")
    return SegmentExplanation("sends in CLOSED", Outcome(block), "other", (fault,))


def _is_keep_alive(block: Block, segment: Segment) -> bool:
    idle = not block.outstanding and segment.length <= 1 and not segment.fin
    return idle and segment.seq == block.nxt - 1


def _new_text(block: Block, segment: Segment, behaviour: Behaviour) -> SegmentExplanation:
    """New text, a FIN, or both."""
    if block.fin_sent or Call.SEND not in allowed_calls(block):
        fault = _deviation(f"sends {segment} in {block.state}, beyond its FIN", "RFC 9293 3.10.2")
        return SegmentExplanation("sends beyond its FIN", Outcome(block), "other", (fault,))
    block, faults = _after_missing_octets(block, segment)
    outcome, calls = Outcome(block), []
    length = segment.seq + segment.length - block.nxt
    if length > 0:
        sent = user_calls(block, Call.SEND, behaviour)
        after = sent.block._replace(nxt=block.nxt + length, sent=block.sent + length)
        outcome, calls = sent._replace(block=after, replies=()), [f"{Call.SEND} ({length:,} octets)"]
    if segment.fin:
        outcome = outcome.then(user_calls(outcome.block, Call.CLOSE, behaviour)._replace(replies=()))
        calls.append(str(Call.CLOSE))
    return SegmentExplanation(f"user calls {' and '.join(calls)}", outcome, "call", tuple(faults))


def _after_missing_octets(block: Block, segment: Segment) -> tuple[Block, list[Fault]]:
    """The control block after octets that the capture lacks, where the segment starts beyond the next number."""
    if segment.seq <= block.nxt:
        return block, []
    text = f"had sent {counted(segment.seq - block.nxt, 'octet')} missing from the capture"
    return block._replace(nxt=segment.seq, sent=max(block.sent, segment.seq - 1)), [(text, "", RemarkKind.NOT_CAPTURED)]


def _retransmission(block: Block, segment: Segment, behaviour: Behaviour, gap: Fraction | None) -> SegmentExplanation:
    faults: tuple[Fault, ...] = ()
    if segment.fin and block.fin_sent and segment.end - 1 != block.fin_seq:
        text = f"sends its FIN with sequence number {segment.end - 1} after sending it with {block.fin_seq}"
        faults = (_deviation(text, "RFC 9293 3.4"),)
    elif segment.end <= block.una:
        faults = (_deviation(f"retransmits {segment} although it was acknowledged", "RFC 9293 3.10.8"),)
    outcome = timer_fires(block, Timer.RETRANSMISSION, behaviour) if block.outstanding else Outcome(block)
    after = "" if gap is None else f" after {rounded(gap)}"
    return SegmentExplanation(f"retransmits{after}", outcome._replace(replies=()), "timer", faults)


def _acknowledgement(block: Block, segment: Segment, due: Sequence[Segment]) -> SegmentExplanation:
    if segment.ack is None:
        fault = _deviation(f"sends {segment}, without the ACK bit", "RFC 9293 3.1")
        return SegmentExplanation("sends a segment without ACK", Outcome(block), "other", (fault,))
    block, faults = _after_missing_octets(block, segment)
    if segment.ack > block.rcv:
        text = f"acknowledges {counted(segment.ack - block.rcv, 'octet')} missing from the capture"
        faults.append((text, "", RemarkKind.NOT_CAPTURED))
        block = block._replace(rcv=segment.ack)
    elif any(answer.rst for answer in due) and not any(answer.ack == segment.ack for answer in due):
        faults.append(_deviation(f"sends {segment} where a RST is called for", "RFC 9293 3.10.7.1"))
    elif segment.ack < block.rcv:
        text = f"acknowledges {segment.ack}, less than the {block.rcv} that had arrived"
        faults.append(_deviation(text, "RFC 9293 3.10.7.4"))
    if any(answer.ack is not None and answer.ack <= segment.ack for answer in due):
        return SegmentExplanation("acknowledges", Outcome(block), "answer", tuple(faults))
    return SegmentExplanation("repeats its acknowledgement", Outcome(block), "other", tuple(faults))
