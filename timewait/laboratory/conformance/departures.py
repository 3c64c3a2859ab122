"""Departures: what a running stack does otherwise than every value of every setting, each with the reason why it is left out.

A departure is code, not a label: it changes the reaction of the specification to a segment, so it explains a difference only
if the changed reaction is exactly what was observed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from timewait.spec.abandoned import is_minimal
from timewait.spec.endpoint import segment_arrives
from timewait.spec.outcome import Outcome, Timer
from timewait.spec.replies import acknowledgement
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import FIN_RECEIVED, Block, State
from timewait.spec.window import WINDOW, acceptable

Reaction = Callable[[Block, Segment, Behaviour], Outcome]
"""What an endpoint does when a segment arrives."""


class Departure(NamedTuple):
    """A departure of some stacks from the specification.

    Attributes
    ----------
    name : str
        Its name, in lower case with hyphens.
    stacks : tuple of str
        The running stacks that do so.
    meaning : str
        What they do.
    reason : str
        Why no setting expresses it.
    source : str
        The source file of the stack.
    changed : callable
        Changes a reaction; called once for each experiment, so that it may remember segments.
    """

    name: str
    stacks: tuple[str, ...]
    meaning: str
    reason: str
    source: str
    changed: Callable[[Reaction], Reaction]


UNSYNCHRONISED = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT})

NO_PEER = "no endpoint of the specification sends such a segment"


AFTER_FIN = FIN_RECEIVED - {State.TIME_WAIT}


def _acks_first(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        expected = segment.ack is not None or segment.rst or segment.syn
        if expected or block.state in UNSYNCHRONISED or is_minimal(block, behaviour):
            return reaction(block, segment, behaviour)
        if block.state is not State.TIME_WAIT:
            return Outcome(block)
        if segment.seq == segment.end == block.rcv:
            return Outcome(block, started=frozenset({Timer.TIME_WAIT}))
        return Outcome(block, (acknowledgement(block),))

    return changed


def _edge_inside(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        unread_fin = block.state is State.CLOSING and behaviour.abandons
        inside = not (segment.length and unread_fin) and not (segment.span and is_minimal(block, behaviour))
        if segment.seq != block.rcv + WINDOW or block.state in UNSYNCHRONISED or not inside:
            return reaction(block, segment, behaviour)
        return reaction(block, segment._replace(seq=segment.seq - 1), behaviour)

    return changed


def _nothing_beyond_fin(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        plain = not segment.rst and not segment.syn and segment.ack is not None
        if not plain or segment.end <= block.rcv or block.state not in AFTER_FIN or not acceptable(block, segment):
            return reaction(block, segment, behaviour)
        outcome = reaction(block, Segment(block.rcv, segment.ack), behaviour)
        if segment.seq >= block.rcv or outcome.replies or outcome.block.state is not block.state:
            return outcome
        return outcome._replace(replies=(Segment(block.nxt, block.rcv + 1),))

    return changed


def _resets_acknowledge(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        outcome = reaction(block, segment, behaviour)
        replies = tuple(
            reply._replace(ack=segment.end) if reply.rst and reply.ack is None else reply for reply in outcome.replies
        )
        return outcome._replace(replies=replies)

    return changed


def _late_text_reset_at_nxt(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        outcome = reaction(block, segment, behaviour)
        if "text.late" not in outcome.rules:
            return outcome
        return outcome._replace(replies=tuple(reply._replace(seq=block.nxt) for reply in outcome.replies))

    return changed


def _old_acks_unanswered(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        outcome = reaction(block, segment, behaviour)
        bare = segment.span == 0 and not segment.rst
        return outcome._replace(replies=()) if bare and block.state is State.TIME_WAIT else outcome

    return changed


def _old_fin_keeps_socket(reaction: Reaction) -> Reaction:
    whole = False

    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        nonlocal whole
        outcome = reaction(block, segment, replace(behaviour, minimal_fin_wait_2=False) if whole else behaviour)
        entered = block.state is State.FIN_WAIT_1 and is_minimal(outcome.block, behaviour)
        if not entered or not segment.fin or segment.end > block.rcv or outcome.replies:
            return outcome
        whole = True
        return outcome._replace(replies=(acknowledgement(outcome.block),))

    return changed


DEPARTURES: dict[str, Departure] = {
    entry.name: entry
    for entry in (
        Departure(
            "ack-bit-first",
            ("linux",),
            "drops a segment with neither ACK, RST nor SYN before it looks at the sequence number",
            NO_PEER,
            "tcp_rcv_established, tcp_rcv_state_process, net/ipv4/tcp_input.c",
            _acks_first,
        ),
        Departure(
            "silent-beyond-fin",
            ("linux", "lwip"),
            "drops text and a FIN beyond the FIN of the peer without an answer, but counts a second FIN after old text",
            NO_PEER,
            "tcp_data_queue, net/ipv4/tcp_input.c; tcp_receive, src/core/tcp_in.c",
            _nothing_beyond_fin,
        ),
        Departure(
            "late-text-reset-at-nxt",
            ("lwip",),
            "gives the RST that answers late text the number SND.NXT, not SEG.ACK",
            "the receiver compares the number of a RST with its own RCV.NXT, which is SND.NXT of the sender or SEG.ACK: both end"
            " the connection where nothing is lost",
            "tcp_abandon, src/core/tcp.c",
            _late_text_reset_at_nxt,
        ),
        Departure(
            "resets-acknowledge",
            ("lwip",),
            "sets the ACK bit of every RST, which acknowledges the segment that it answers",
            "a receiver in a synchronised state ignores the ACK of a RST",
            "tcp_rst, src/core/tcp_out.c",
            _resets_acknowledge,
        ),
        Departure(
            "old-acks-unanswered",
            ("lwip",),
            "answers an old segment in TIME-WAIT only if it occupies sequence numbers",
            "the class unacceptable of the setting answers covers old text and old acknowledgements alike",
            "tcp_timewait_input, src/core/tcp_in.c",
            _old_acks_unanswered,
        ),
        Departure(
            "old-fin-keeps-socket",
            ("linux",),
            "answers an old FIN that acknowledges its own, and keeps a whole socket in FIN-WAIT-2 for it",
            NO_PEER,
            "tcp_rcv_state_process, net/ipv4/tcp_input.c: th->fin",
            _old_fin_keeps_socket,
        ),
        Departure(
            "edge-in-window",
            ("linux", "lwip"),
            "counts the first number beyond the window as inside, for text only while nothing is unread",
            "no peer sends so much: the window is larger than all text",
            "tcp_sequence, net/ipv4/tcp_input.c; tcp_process, src/core/tcp_in.c",
            _edge_inside,
        ),
    )
}
"""Every departure, by name; where several apply, the later ones see what the earlier ones make of a segment."""


def departures_of(stack: str) -> tuple[Departure, ...]:
    """The departures of a running stack."""
    return tuple(entry for entry in DEPARTURES.values() if stack in entry.stacks)


def reaction_with(departures: tuple[Departure, ...]) -> Reaction:
    """The reaction of the specification, changed by departures."""
    reaction: Reaction = segment_arrives
    for entry in departures:
        reaction = entry.changed(reaction)
    return reaction
