"""The specification applied to real sequence numbers.

`timewait.spec.endpoint` counts a few octets in a window of `WINDOW`; a real connection counts millions. In one step an
endpoint only compares numbers of one direction, copies them, and adds 1 for a FIN. Before each step the few numbers that
matter are therefore compressed: equal numbers stay equal, the order stays, neighbours stay neighbours, and every larger
distance becomes 2. The outcome is mapped back. A number beyond the real window is moved beyond the specification's.
"""

from __future__ import annotations

from collections.abc import Iterable

from timewait.spec.endpoint import segment_arrives
from timewait.spec.outcome import Outcome
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block
from timewait.spec.window import WINDOW

FIRST = 3
"""The smallest compressed number; the specification reserves 0 for a SYN."""


class _Compression:
    """A map from the numbers of one direction to small ones, and back.

    Parameters
    ----------
    numbers : iterable of int
        The numbers that matter in a step.
    outside : iterable of int
        Those of them that are beyond the window.
    """

    def __init__(self, numbers: Iterable[int], outside: Iterable[int] = ()) -> None:
        self._small: dict[int, int] = {}
        small, previous, first_outside = FIRST, None, min(outside, default=None)
        for number in sorted(set(numbers)):
            if previous is not None:
                small += min(number - previous, 2)
            if number == first_outside:
                small += WINDOW
            self._small[number] = small
            previous = number
        self._real = {small: number for number, small in self._small.items()}

    def small(self, number: int) -> int:
        """The compressed form of a number of the step."""
        return self._small[number]

    def real(self, small: int) -> int:
        """The real number of a compressed one, which may also be a neighbour of a number of the step."""
        for offset in (0, 1, -1):
            if small - offset in self._real:
                return self._real[small - offset] + offset
        return small


def arrives(block: Block, segment: Segment, behaviour: Behaviour, window: int | None = None) -> Outcome:
    """The specification's outcome for an arriving segment, in real relative numbers.

    Parameters
    ----------
    block : Block
        The control block, in real relative numbers.
    segment : Segment
        The arriving segment.
    behaviour : Behaviour
        The settings of the endpoint.
    window : int or None
        The octets accepted beyond RCV.NXT; None if unknown, which counts everything as inside.
    """
    own = _Compression(
        {block.una, block.nxt, block.fin_seq, block.fin_seq + 1} | ({segment.ack} if segment.ack is not None else set())
    )
    text_end = segment.seq + segment.length
    other = _Compression({block.rcv - 1, block.rcv, segment.seq, text_end, segment.end}, _outside(block, segment, window))
    small_block = block._replace(
        una=own.small(block.una), nxt=own.small(block.nxt), rcv=other.small(block.rcv), sent=own.small(block.fin_seq) - 1
    )
    small_segment = segment._replace(
        seq=other.small(segment.seq),
        ack=None if segment.ack is None else own.small(segment.ack),
        length=other.small(text_end) - other.small(segment.seq),
    )
    outcome = segment_arrives(small_block, small_segment, behaviour)
    after = outcome.block
    return outcome._replace(
        block=after._replace(
            una=own.real(after.una) if after.una else 0,
            nxt=own.real(after.nxt) if after.nxt else 0,
            rcv=other.real(after.rcv),
            # A discarded control block, as on the return to LISTEN, has sent nothing.
            sent=block.sent if after.sent else 0,
        ),
        replies=tuple(_real_reply(reply, own, other) for reply in outcome.replies),
    )


def _outside(block: Block, segment: Segment, window: int | None) -> set[int]:
    """The numbers of a segment beyond the window; an end number counts by its last octet."""
    if window is None:
        return set()
    edge = block.rcv + max(window, 1)
    starts = {segment.seq} if segment.seq >= edge else set()
    return starts | {end for end in (segment.seq + segment.length, segment.end) if end > edge}


def _real_reply(reply: Segment, own: _Compression, other: _Compression) -> Segment:
    return reply._replace(
        # A RST that answers a segment without ACK has the absolute number 0.
        seq=own.real(reply.seq) if reply.seq else 0,
        ack=None if reply.ack is None else other.real(reply.ack),
    )
