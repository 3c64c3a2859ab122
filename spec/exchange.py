"""The FIN/ACK exchange: which copies the loss budget covers, and what each step means for the properties."""

from __future__ import annotations

from timewait.spec.endpoint import Effect, Outcome
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State

ENDS = ("A", "B")
"""The two ends: A, who closes first, and B."""

EndPair = tuple[Block, Block]

IN_ORDER = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK})
"""The states of an end that is closing in order and has something to lose by a RST."""


SILENT = frozenset({State.CLOSED, State.TIME_WAIT})
"""The states in which an end has nothing more to say of its own."""

PASSIVE = frozenset({State.CLOSE_WAIT, State.LAST_ACK})
"""The states of an end that closes second, and so never comes to TIME-WAIT."""


def loss_windows(ends: EndPair, side: int, segment: Segment, closers: tuple[bool, bool]) -> tuple[int, ...]:
    """The rounds that a segment belongs to, each named by the end that may wait in TIME-WAIT.

    The exchange of such a waiter is every copy of the other end's FIN, every copy of text that is sent once that
    FIN is out (it is retransmitted in the FIN's place, being earlier), and every acknowledgement of the FIN by the
    waiter. An end that turned out to close second is none.

    Parameters
    ----------
    ends : pair of Block
        The control blocks, after the step that sends the segment.
    side : int
        Who sends it: 0 for A, 1 for B.
    segment : Segment
        What is sent.
    closers : pair of bool
        Which ends may close first.
    """
    if segment.rst:
        return ()
    waits = [may and end.state not in PASSIVE for may, end in zip(closers, ends, strict=True)]
    found = []
    if segment.span and ends[side].fin_sent and waits[1 - side]:
        found.append(1 - side)
    if waits[side] and segment.ack is not None and segment.ack > ends[1 - side].fin_seq:
        found.append(side)
    return tuple(found)


def delivery_matters(ends: EndPair, side: int, outcome: Outcome, closers: tuple[bool, bool]) -> bool:
    """Whether it makes a difference that a segment must arrive: its arrival changes its receiver, or what it draws is covered.

    Otherwise it may as well arrive at once, and again whenever it likes; that it must arrive limits nothing.

    Parameters
    ----------
    ends : pair of Block
        The control blocks.
    side : int
        Who would receive it: 0 for A, 1 for B.
    outcome : Outcome
        What its arrival would lead to.
    closers : pair of bool
        Which ends may close first.
    """
    if outcome.block != ends[side] or outcome.started:
        return True
    return any(loss_windows(ends, side, reply, closers) for reply in outcome.replies)


def violated_properties(before: EndPair, after: EndPair, side: int, outcome: Outcome) -> frozenset[str]:
    """The ``always`` properties that a step of one end breaks (`timewait.spec.properties` states them)."""
    return frozenset(violations(before, after, side, outcome))


def violations(before: EndPair, after: EndPair, side: int, outcome: Outcome) -> dict[str, str]:
    """The ``always`` properties that a step of one end breaks, each with the part of it that fails, in words."""
    names = {}
    old, new, other = before[side], after[side], after[1 - side]
    end, peer = ENDS[side], ENDS[1 - side]
    if Effect.RESET in outcome.effects and old.state in IN_ORDER:
        names["graceful"] = f"{end} was closing in order, in {old.state}, and a RST ended it"
    if new.state is State.CLOSED and old.state is not State.CLOSED and other.read < new.sent:
        names["integrity"] = f"{end} is CLOSED, and of {new.sent} octets that its user sent the user of {peer} has {other.read}"
    if Effect.ASSASSINATED in outcome.effects:
        names["time-wait-kept"] = f"{end} was in TIME_WAIT, and a RST ended it before its timer"
    if Effect.NOT_RESTARTED in outcome.effects:
        names["fin-restarts"] = f"{peer}'s retransmitted FIN reached {end} in TIME_WAIT, and its timer ran on"
    if any(segment.rst for segment in outcome.replies):
        names["no-stray-reset"] = f"{end} sends a RST"
    return names


def pending(ends: EndPair) -> frozenset[str]:
    """The ``eventually`` properties whose promise is open."""
    states = {block.state for block in ends}
    names = set()
    if states != {State.CLOSED}:
        names.add("closes")
    if states <= SILENT:
        names.add("quiet")
    return frozenset(names)


def recurrent_properties(ends: EndPair, outcome: Outcome) -> frozenset[str]:
    """The ``eventually`` properties for which a step is noise: something is sent when both ends have nothing more to say."""
    return frozenset({"quiet"} if outcome.replies and {block.state for block in ends} <= SILENT else ())
