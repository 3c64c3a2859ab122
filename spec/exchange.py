"""The FIN/ACK exchange: the copies under the loss budget, and the properties that a step breaks."""

from __future__ import annotations

from timewait.spec.outcome import Effect, Outcome
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State

ENDS = ("A", "B")
"""The two ends; A closes first."""

EndPair = tuple[Block, Block]

IN_ORDER = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK})
"""The states of an end in an orderly close that a RST would cut off."""

SILENT = frozenset({State.CLOSED, State.TIME_WAIT})
"""The states in which an end sends nothing unless it answers."""

PASSIVE = frozenset({State.CLOSE_WAIT, State.LAST_ACK})
"""The states of an end that closes second, and so never enters TIME-WAIT."""


def loss_windows(ends: EndPair, side: int, segment: Segment, closers: tuple[bool, bool]) -> tuple[int, ...]:
    """The loss windows to which a segment belongs, each named by the end that may wait in TIME-WAIT.

    The loss window of such an end covers every copy of the peer's FIN, every copy of text sent after that FIN (it is
    retransmitted instead of the FIN, being earlier), and every acknowledgement of the FIN by the end itself. An end that
    closes second has no loss window.

    Parameters
    ----------
    ends : pair of Block
        The control blocks after the step that sends the segment.
    side : int
        The sender: 0 for A, 1 for B.
    segment : Segment
        The segment sent.
    closers : pair of bool
        Whether A and whether B may close first.
    """
    if segment.rst:
        return ()
    waits = [may and end.state not in PASSIVE for may, end in zip(closers, ends, strict=True)]
    found = []
    if segment.span and ends[side].fin_sent and waits[1 - side]:
        found.append(1 - side)
    if waits[side] and segment.ack is not None and segment.ack > ends[1 - side].fin_seq and not ends[side].waited:
        found.append(side)
    return tuple(found)


def changes_nothing(block: Block, outcome: Outcome) -> bool:
    """Whether an arrival has no effect at all."""
    return outcome.block == block and not (outcome.replies or outcome.started or outcome.effects)


def delivery_matters(ends: EndPair, side: int, outcome: Outcome, closers: tuple[bool, bool]) -> bool:
    """Whether the delivery of a segment matters: it changes the receiver, or its answer belongs to a loss window.

    Otherwise the segment may as well arrive at once, and again at any time, so an obligation to deliver it limits nothing.

    Parameters
    ----------
    ends : pair of Block
        The control blocks.
    side : int
        The receiver: 0 for A, 1 for B.
    outcome : Outcome
        The outcome of its arrival.
    closers : pair of bool
        Whether A and whether B may close first.
    """
    if outcome.block != ends[side] or outcome.started:
        return True
    return any(reply_windows(ends, side, reply, outcome, closers) for reply in outcome.replies)


def reply_windows(ends: EndPair, side: int, reply: Segment, outcome: Outcome, closers: tuple[bool, bool]) -> tuple[int, ...]:
    """The loss windows to which a reply of an outcome belongs; none if a limit on answers may suppress it."""
    return () if Effect.LIMITED in outcome.effects else loss_windows(ends, side, reply, closers)


def violated_properties(before: EndPair, after: EndPair, side: int, outcome: Outcome) -> frozenset[str]:
    """The ``always`` properties that a step of one end breaks (`timewait.spec.properties` states them)."""
    return frozenset(violations(before, after, side, outcome))


def violations(before: EndPair, after: EndPair, side: int, outcome: Outcome) -> dict[str, str]:
    """The ``always`` properties that a step of one end breaks, each with the conjunct that fails, in words."""
    broken = {}
    old, new, other = before[side], after[side], after[1 - side]
    end, peer = ENDS[side], ENDS[1 - side]
    if Effect.RESET in outcome.effects and old.state in IN_ORDER:
        broken["graceful"] = f"{end} was closing in order, in {old.state}, and a RST ended it"
    if new.state is State.CLOSED and old.state is not State.CLOSED and other.read < new.sent:
        octets = f"{new.sent} octet{'s' * (new.sent != 1)}"
        broken["integrity"] = f"{end} is CLOSED; {end}'s user sent {octets}, and {peer}'s user has read {other.read}"
    if Effect.ASSASSINATED in outcome.effects:
        broken["time-wait-kept"] = f"{end} was in TIME_WAIT, and a RST ended it before its timer"
    if Effect.NOT_RESTARTED in outcome.effects:
        broken["fin-restarts"] = f"a further copy of {peer}'s FIN reached {end} in TIME_WAIT and did not restart its timer"
    if any(segment.rst for segment in outcome.replies):
        broken["no-stray-reset"] = f"{end} sends a RST"
    return broken


def pending(ends: EndPair) -> frozenset[str]:
    """The ``eventually`` properties that are pending."""
    states = {block.state for block in ends}
    names = set()
    if states != {State.CLOSED}:
        names.add("closes")
    if states <= SILENT:
        names.add("quiet")
    return frozenset(names)


def recurrent_properties(ends: EndPair, outcome: Outcome) -> frozenset[str]:
    """The ``eventually`` properties for which a step is a recurrent event: a segment is sent although both ends are silent."""
    return frozenset({"quiet"} if outcome.replies and {block.state for block in ends} <= SILENT else ())
