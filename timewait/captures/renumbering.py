"""The specification asked about real sequence numbers.

`timewait.spec.endpoint` counts a handful of octets in a window of `WINDOW`; a real connection counts millions. But in one step
an endpoint only compares numbers of the same direction, copies one to another, and adds 1 for a FIN. So before each
step the few numbers that matter in it are moved together: what is equal stays equal, what is less stays less, what is
next to each other stays next to each other, and every larger distance becomes 2. What the specification then says
is translated back. A number beyond the real window is put beyond the specification's.
"""

from __future__ import annotations

from collections.abc import Iterable

from timewait.spec.endpoint import WINDOW, Outcome, segment_arrives
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block

FIRST = 3
"""Where moved numbers begin: 0 is a SYN's to the specification, and nothing that is moved stands for one."""


class _Moved:
    """Numbers of one direction, moved together and back.

    Parameters
    ----------
    numbers : iterable of int
        The numbers that matter in a step.
    outside : iterable of int
        Those of them that are beyond the window.
    """

    def __init__(self, numbers: Iterable[int], outside: Iterable[int] = ()) -> None:
        self._to: dict[int, int] = {}
        place, before, first_outside = FIRST, None, min(outside, default=None)
        for number in sorted(set(numbers)):
            if before is not None:
                place += min(number - before, 2)
            if number == first_outside:
                place += WINDOW
            self._to[number] = place
            before = number
        self._back = {moved: number for number, moved in self._to.items()}

    def to(self, number: int) -> int:
        """A number of the step, moved."""
        return self._to[number]

    def back(self, moved: int) -> int:
        """The number that a moved one stands for; one beside a number of the step counts from that."""
        for beside in (0, 1, -1):
            if moved - beside in self._back:
                return self._back[moved - beside] + beside
        return moved


def arrives(block: Block, segment: Segment, behaviour: Behaviour, window: int | None = None) -> Outcome:
    """What the specification says of a segment, in real relative numbers.

    Parameters
    ----------
    block : Block
        The control block, in real relative numbers.
    segment : Segment
        What arrives.
    behaviour : Behaviour
        What the endpoint does where stacks differ.
    window : int or None
        The octets beyond RCV.NXT that it takes; None when that is not known, and everything is taken to be inside.
    """
    own = _Moved({block.una, block.nxt, block.fin_seq, block.fin_seq + 1} | ({segment.ack} if segment.ack is not None else set()))
    text_end = segment.seq + segment.length
    other = _Moved({block.rcv - 1, block.rcv, segment.seq, text_end, segment.end}, _outside(block, segment, window))
    few = block._replace(una=own.to(block.una), nxt=own.to(block.nxt), rcv=other.to(block.rcv), sent=own.to(block.fin_seq) - 1)
    arriving = segment._replace(
        seq=other.to(segment.seq),
        ack=None if segment.ack is None else own.to(segment.ack),
        length=other.to(text_end) - other.to(segment.seq),
    )
    outcome = segment_arrives(few, arriving, behaviour)
    after = outcome.block
    return outcome._replace(
        block=after._replace(
            una=own.back(after.una) if after.una else 0,
            nxt=own.back(after.nxt) if after.nxt else 0,
            rcv=other.back(after.rcv),
            # A block thrown away, as on the way back to LISTEN, has sent nothing.
            sent=block.sent if after.sent else 0,
        ),
        replies=tuple(_reply(one, own, other) for one in outcome.replies),
    )


def _outside(block: Block, segment: Segment, window: int | None) -> set[int]:
    """The numbers of a segment that are beyond the window; its end counts as its last octet does."""
    if window is None:
        return set()
    edge = block.rcv + max(window, 1)
    starts = {segment.seq} if segment.seq >= edge else set()
    return starts | {end for end in (segment.seq + segment.length, segment.end) if end > edge}


def _reply(segment: Segment, own: _Moved, other: _Moved) -> Segment:
    return segment._replace(
        # The RST that answers a segment without ACK has the number 0 as it stands.
        seq=own.back(segment.seq) if segment.seq else 0,
        ack=None if segment.ack is None else other.back(segment.ack),
    )
