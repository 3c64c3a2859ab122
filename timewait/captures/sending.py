"""What an end meant by a segment it sent: a user's call, a retransmission, an answer, or something the standard does not know."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.account import Weight
from timewait.narration.prose import rounded
from timewait.spec.endpoint import Call, Outcome, Timer, allowed_calls, timer_fires, user_calls
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State

Fault = tuple[str, str, Weight]
"""What is wrong, where the standard says otherwise, and how much that says."""


class Explanation(NamedTuple):
    """What a segment meant.

    Attributes
    ----------
    words : str
        What its sender did.
    outcome : Outcome
        What that made of its sender.
    kind : str
        ``call``, ``timer``, ``answer``, or ``other``.
    faults : tuple of Fault
        Where it is not what the specification would send.
    """

    words: str
    outcome: Outcome
    kind: str
    faults: tuple[Fault, ...] = ()


def explain_segment(
    block: Block, segment: Segment, due: Sequence[Segment], behaviour: Behaviour, gap: Fraction | None
) -> Explanation:
    """What a segment meant, by the standing of its sender.

    Parameters
    ----------
    block : Block
        The sender's control block.
    segment : Segment
        What it sent.
    due : sequence of Segment
        The answers that it owes, by the specification.
    behaviour : Behaviour
        What it does where stacks differ.
    gap : Fraction or None
        Seconds since the same octets were last sent; None for the first time.
    """
    if segment.syn:
        return _opens(segment)
    if segment.rst:
        return _resets(block, segment, due, behaviour)
    if block.state is State.CLOSED:
        return _speaks_when_closed(block, segment, due)
    if segment.span and segment.end > block.nxt:
        return _sends_new(block, segment, behaviour)
    if _is_probe(block, segment):
        return Explanation("asks whether the other end is still there (keep-alive)", Outcome(block), "other")
    if segment.span:
        return _sends_again(block, segment, behaviour, gap)
    return _acknowledges(block, segment, due)


def _opens(segment: Segment) -> Explanation:
    if segment.ack is not None:
        return Explanation("agrees to open a connection", Outcome(Block(State.SYN_RECEIVED)), "other")
    opened = Block(State.SYN_SENT, una=segment.seq, nxt=segment.seq + 1)
    return Explanation(f"user calls {Call.OPEN_ACTIVE}", Outcome(opened, rules=("open.active",)), "call")


def _resets(block: Block, segment: Segment, due: Sequence[Segment], behaviour: Behaviour) -> Explanation:
    if any(one.rst and one.seq == segment.seq for one in due):
        return Explanation("answers with a RST", Outcome(block), "answer")
    if block.state is State.CLOSED:
        return Explanation("sends a RST", Outcome(block), "answer")
    if Call.ABORT not in allowed_calls(block):
        return Explanation("sends a RST", Outcome(block), "other")
    outcome = user_calls(block, Call.ABORT, behaviour)
    faults: tuple[Fault, ...] = ()
    if not outcome.replies:
        text = f"sends a RST in {block.state}, where neither the user nor a segment calls for one"
        faults = ((text, "RFC 9293 3.10.5", Weight.DEVIATES),)
    elif segment.seq != block.nxt and not block.una <= segment.seq <= block.nxt:
        text = f"sends a RST with the number {segment.seq}, which is not its next one, {block.nxt}"
        faults = ((text, "RFC 9293 3.10.5", Weight.DEVIATES),)
    return Explanation(f"user calls {Call.ABORT}", outcome, "call", faults)


def _speaks_when_closed(block: Block, segment: Segment, due: Sequence[Segment]) -> Explanation:
    called_for = "where a RST is called for" if any(one.rst for one in due) else "although the connection is over for it"
    fault = (f"sends {segment} {called_for}", "RFC 9293 3.10.7.1", Weight.DEVIATES)
    return Explanation("sends, although the connection is over for it", Outcome(block), "other", (fault,))


def _is_probe(block: Block, segment: Segment) -> bool:
    idle = not block.outstanding and segment.length <= 1 and not segment.fin
    return idle and segment.seq == block.nxt - 1


def _sends_new(block: Block, segment: Segment, behaviour: Behaviour) -> Explanation:
    """New text, a FIN, or both."""
    faults: list[Fault] = []
    if block.fin_sent or Call.SEND not in allowed_calls(block):
        text = f"sends {segment} in {block.state}, beyond its FIN"
        return Explanation("sends beyond its FIN", Outcome(block), "other", ((text, "RFC 9293 3.10.2", Weight.DEVIATES),))
    if segment.seq > block.nxt:
        text = f"had sent {segment.seq - block.nxt:,} octets that are not in the capture"
        faults.append((text, "", Weight.UNSEEN))
        block = block._replace(nxt=segment.seq, sent=segment.seq - 1)
    outcome, calls = Outcome(block), []
    length = segment.seq + segment.length - block.nxt
    if length > 0:
        sent = user_calls(block, Call.SEND, behaviour)
        after = sent.block._replace(nxt=block.nxt + length, sent=block.sent + length)
        outcome, calls = sent._replace(block=after, replies=()), [f"{Call.SEND} ({length:,} octets)"]
    if segment.fin:
        outcome = outcome.then(user_calls(outcome.block, Call.CLOSE, behaviour)._replace(replies=()))
        calls.append(str(Call.CLOSE))
    return Explanation(f"user calls {' and '.join(calls)}", outcome, "call", tuple(faults))


def _sends_again(block: Block, segment: Segment, behaviour: Behaviour, gap: Fraction | None) -> Explanation:
    faults: tuple[Fault, ...] = ()
    if segment.fin and block.fin_sent and segment.end - 1 != block.fin_seq:
        text = f"sends its FIN with the number {segment.end - 1}, and had sent it with {block.fin_seq}"
        faults = ((text, "RFC 9293 3.4", Weight.DEVIATES),)
    elif segment.end <= block.una:
        text = f"sends {segment} again, which had been acknowledged"
        faults = ((text, "RFC 9293 3.10.8", Weight.DEVIATES),)
    outcome = timer_fires(block, Timer.RETRANSMISSION, behaviour) if block.outstanding else Outcome(block)
    after = "" if gap is None else f" after {rounded(gap)}"
    return Explanation(f"retransmits{after}", outcome._replace(replies=()), "timer", faults)


def _acknowledges(block: Block, segment: Segment, due: Sequence[Segment]) -> Explanation:
    if segment.ack is None:
        fault = (f"sends {segment}, without the ACK bit", "RFC 9293 3.1", Weight.DEVIATES)
        return Explanation("sends a segment without ACK", Outcome(block), "other", (fault,))
    faults: list[Fault] = []
    if segment.seq > block.nxt:
        faults.append((f"had sent {segment.seq - block.nxt:,} octets that are not in the capture", "", Weight.UNSEEN))
        block = block._replace(nxt=segment.seq, sent=max(block.sent, segment.seq - 1))
    if segment.ack > block.rcv:
        text = f"acknowledges {segment.ack - block.rcv:,} octets that did not come past the capture"
        faults.append((text, "", Weight.UNSEEN))
        block = block._replace(rcv=segment.ack)
    elif any(one.rst for one in due) and not any(one.ack == segment.ack for one in due):
        faults.append((f"sends {segment} where a RST is called for", "RFC 9293 3.10.7.1", Weight.DEVIATES))
    elif segment.ack < block.rcv:
        text = f"acknowledges {segment.ack}, less than the {block.rcv} that had arrived"
        faults.append((text, "RFC 9293 3.10.7.4", Weight.DEVIATES))
    if any(one.ack is not None and one.ack <= segment.ack for one in due):
        return Explanation("acknowledges", Outcome(block), "answer", tuple(faults))
    return Explanation("repeats its acknowledgement", Outcome(block), "other", tuple(faults))
