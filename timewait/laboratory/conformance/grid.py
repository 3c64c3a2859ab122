"""The grid: every state, and segments of every kind, place and acknowledgement, those that no peer sends among them."""

from __future__ import annotations

from collections.abc import Iterator

from timewait.laboratory.conformance.experiment import Experiment
from timewait.laboratory.conformance.reachable import Situation, reachable_situations, shortest_ways
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import FIN_RECEIVED, Block, State
from timewait.spec.window import WINDOW

KINDS = {
    "ACK": Segment(0, 0),
    "text": Segment(0, 0, length=1),
    "FIN": Segment(0, 0, fin=True),
    "text and FIN": Segment(0, 0, length=1, fin=True),
    "SYN,ACK": Segment(0, 0, syn=True),
    "RST,ACK": Segment(0, 0, rst=True),
    "SYN": Segment(0, syn=True),
    "RST": Segment(0, rst=True),
    "text without ACK": Segment(0, length=1),
    "FIN without ACK": Segment(0, fin=True),
    "no control bit": Segment(0),
}
"""The kinds of segments, each with any numbers."""

PLACES = (-2, -1, 0, 1, WINDOW - 1, WINDOW, WINDOW + 1)
"""Sequence numbers, counted from RCV.NXT: old, next, beyond it, and about the right edge of the window."""


def grid(behaviour: Behaviour, abandons: bool) -> Iterator[tuple[Situation, Experiment]]:
    """Every cell, with the shortest experiment that leads there.

    Parameters
    ----------
    behaviour : Behaviour
        The settings.
    abandons : bool
        Whether CLOSE is close() rather than shutdown().
    """
    situations = reachable_situations(behaviour)
    for block, way in sorted(shortest_ways(situations, behaviour).items()):
        if _nothing_received(block):
            for segment in _segments(block):
                yield Situation(block, segment), Experiment((*way, segment), abandons)


def _nothing_received(block: Block) -> bool:
    """Whether the peer has sent no text, since places count from RCV.NXT."""
    if block.state is State.CLOSED:
        return block.rcv == 1 and block.sent == 0
    return block.rcv == 1 + (block.state in FIN_RECEIVED)


def _segments(block: Block) -> Iterator[Segment]:
    for kind in KINDS.values():
        for place in PLACES:
            placed = kind._replace(seq=block.rcv + place)
            if kind.ack is None:
                yield placed
            else:
                yield from (placed._replace(ack=ack) for ack in range(max(block.una - 1, 0), block.nxt + 2))
