"""The segments that an endpoint sends without a call of its user: acknowledgements, retransmissions, RSTs."""

from __future__ import annotations

from timewait.spec.segment import Segment
from timewait.spec.state import Block, State


def acknowledgement(block: Block) -> Segment:
    """``<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>``."""
    return Segment(block.nxt, block.rcv)


def earliest_unacknowledged(block: Block) -> Segment:
    """The segment at SND.UNA, with the current acknowledgement."""
    if block.una == 0 or block.waited:
        return Segment(block.una, None if block.state is State.SYN_SENT else block.rcv, syn=True)
    if block.una < block.fin_seq:
        return Segment(block.una, block.rcv, length=1)
    return Segment(block.una, block.rcv, fin=True)


def reset_for(segment: Segment) -> Segment:
    """The RST that answers a segment of an unknown connection (RFC 9293 3.5.2 group 1)."""
    if segment.ack is None:
        return Segment(0, segment.end, rst=True)
    return Segment(segment.ack, rst=True)
