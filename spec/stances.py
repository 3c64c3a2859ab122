"""What a step of one end depends on beyond its own control block: the little that it sees of the other end.

The endpoint itself sees nothing of it. The properties and the loss windows do (`timewait.spec.exchange`): whether the other end
has read everything, whether it is silent, and which loss windows there are. Tables of edges (`timewait.checker.mealy`) keep one
entry for all other ends of which a step sees the same. Nothing here changes what an end does; `tests/test_quotient_table.py` and
`tests/test_packed_ticks.py` compare such tables with the composition, edge by edge.
"""

from __future__ import annotations

from collections.abc import Hashable

from timewait.spec.exchange import SILENT
from timewait.spec.outcome import Outcome
from timewait.spec.state import Block, State


def seen(block: Block, other: Block, loss: int | None) -> Hashable:
    """What any step of an end depends on beyond its control block.

    Parameters
    ----------
    block, other : Block
        The control blocks of the end and of the other one.
    loss : int or None
        The loss budget; None: the network may lose everything, and there are no loss windows.
    """
    unread = other.read < block.sent
    if loss is None:
        return other.state is State.CLOSED, other.state in SILENT, unread
    return other.state, other.fin_seq, unread


def seen_on_arrival(block: Block, other: Block, outcome: Outcome, loss: int | None) -> Hashable:
    """The part of what is `seen` on which the arrival of a segment with an outcome depends; the arguments are as for `seen`.

    What the other end has read matters if the end closes, its silence and the loss windows if the end answers, and whether it is
    CLOSED to the losses that are counted.
    """
    closes = outcome.block.state is State.CLOSED and block.state is not State.CLOSED
    unread = closes and other.read < block.sent
    if loss is None:
        return bool(outcome.replies) and other.state in SILENT, unread
    return other.state is State.CLOSED, (other.state, other.fin_seq) if outcome.replies else None, unread
