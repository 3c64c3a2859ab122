"""The receive window, and the segments that it accepts (RFC 9293 3.10.7.4 first step)."""

from __future__ import annotations

from timewait.spec.segment import Segment
from timewait.spec.state import Block

WINDOW = 8
"""RCV.WND in octets: constant, and larger than all text that a scenario sends."""


def acceptable(block: Block, segment: Segment) -> bool:
    """The acceptability test of RFC 9293 3.10.7.4, first step, table 6, for a window that is never zero."""
    window_end = block.rcv + WINDOW
    if segment.span == 0:
        return block.rcv <= segment.seq < window_end
    return block.rcv <= segment.seq < window_end or block.rcv <= segment.end - 1 < window_end
