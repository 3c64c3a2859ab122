"""SYN-RECEIVED of an end that listened, where a stack looks at the ACK of a segment before its number and its timestamp.

RFC 9293 3.10.7.4 looks at the number first, and acknowledges a segment outside the window. A stack that keeps no more than the
two ISNs of a connection until its handshake is complete may look for the ACK that completes it.
"""

from __future__ import annotations

from timewait.spec.outcome import Outcome
from timewait.spec.reopening import NextIncarnation
from timewait.spec.replies import reset_for
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State


def refused_by_ack(opening: NextIncarnation, block: Block, segment: Segment) -> Outcome | None:
    """The outcome of a segment whose ACK does not complete the handshake: a RST; None where other rules decide.

    A RST is left to those: whether its number counts before its ACK matters only to one that answers a segment without ACK.
    """
    waits = opening.ack_first and block.state is State.SYN_RECEIVED and block.passive
    if not waits or segment.rst or segment.ack in (None, block.nxt):
        return None
    return Outcome(block, (reset_for(segment),), rules=("incarnation.ack-first",))
