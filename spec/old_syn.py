"""An old duplicate SYN that meets TIME-WAIT: the second condition of RFC 9293 3.6.1 MAY-2.

The SYN belongs to an incarnation before the one that closes. Its sender knows nothing of it, so the SYN,ACK that answers it
proves it old: a CLOSED sender answers with a RST. The numbers of the half-open connection are relative to the ISNs of the
incarnation that closes, of which both ends still are.
"""

from __future__ import annotations

from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import segment_arrives
from timewait.spec.outcome import Outcome, Timer
from timewait.spec.reopening import NextIncarnation
from timewait.spec.request import refused_by_ack
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.state import Block, State, closed

OLD_SYN = Segment(500, syn=True)
"""The old duplicate: its number is above every number that its sender has used since, and above every window."""


def at_start(configuration: Configuration) -> tuple[PacketInFlight, ...]:
    """The packets in flight at the start: the old SYN of B, which an incarnation before sent just then, if there is one."""
    if not configuration.reopening.old_syn:
        return ()
    return (PacketInFlight("B", OLD_SYN, False, configuration.duplication),)


def received(configuration: Configuration, block: Block, segment: Segment) -> Outcome:
    """The outcome of a segment at an end of the incarnation that closes, where an old SYN may open in TIME-WAIT."""
    if _opens(configuration.reopening, block, segment):
        after = block._replace(
            state=State.SYN_RECEIVED, una=block.nxt, nxt=block.nxt + 1, rcv=segment.end, passive=True, waited=block.rcv
        )
        answer = Segment(block.nxt, segment.end, syn=True)
        return Outcome(after, (answer,), frozenset({Timer.RETRANSMISSION}), ("incarnation.old-syn",))
    if (refused := refused_by_ack(configuration.reopening, block, segment)) is not None:
        return refused
    outcome = segment_arrives(block, segment, configuration.behaviour)
    if not block.waited or outcome.block.state is not State.LISTEN:
        return outcome
    waiting = block._replace(
        state=State.TIME_WAIT, nxt=block.una, rcv=block.waited, passive=False, tries=0, waited=0, early=False
    )
    if not configuration.reopening.returns:
        return outcome._replace(block=closed(waiting), rules=(*outcome.rules, "incarnation.old-syn-end"))
    rules = (*outcome.rules, "incarnation.old-syn-return")
    return outcome._replace(block=waiting, started=frozenset({Timer.TIME_WAIT}), rules=rules)


def beyond(segment: Segment) -> bool:
    """Whether a segment of the old incarnation has a number of an incarnation before: it is the old SYN, or answers it.

    No ISN of the next incarnation equals such a number: otherwise the SYN would be one of the next incarnation.
    """
    return segment.syn or OLD_SYN.end in (segment.ack, segment.seq)


def _opens(reopening: NextIncarnation, block: Block, segment: Segment) -> bool:
    """Whether an old SYN opens at an end in TIME-WAIT: by its number alone, since its timestamp is old."""
    if block.state is not State.TIME_WAIT or not segment.syn or segment.ack is not None or reopening.syn.least is None:
        return False
    refused = reopening.syn.by_timestamp and reopening.checks_timestamps
    return not refused and segment.seq >= block.rcv + reopening.syn.least
