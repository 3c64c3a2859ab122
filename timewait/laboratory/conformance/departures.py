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
    remembers : bool
        Whether it remembers segments.
    abstractions : tuple of str
        The abstractions (`timewait.spec.abstractions`) that state it, if a close of the specification can meet it.
    """

    name: str
    stacks: tuple[str, ...]
    meaning: str
    reason: str
    source: str
    changed: Callable[[Reaction], Reaction]
    remembers: bool = False
    abstractions: tuple[str, ...] = ()


UNSYNCHRONISED = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT})
NOT_OPEN = UNSYNCHRONISED | {State.TIME_WAIT}

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
        end, _ = _taken(block, segment) if "text.late" in outcome.rules else (segment.end, False)
        replies = (reply._replace(ack=end) if reply.rst and reply.ack is None else reply for reply in outcome.replies)
        return outcome._replace(replies=tuple(replies))

    return changed


def _late_text_reset_at_nxt(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        outcome = reaction(block, segment, behaviour)
        if "text.late" not in outcome.rules:
            return outcome
        return outcome._replace(replies=tuple(reply._replace(seq=block.nxt) for reply in outcome.replies))

    return changed


def _taken(block: Block, segment: Segment) -> tuple[int, bool]:
    """RCV.NXT once text at RCV.NXT and what was kept behind it are taken, and whether a FIN is among it."""
    end = segment.seq + segment.length
    while block.kept >> end & 1:
        end += 1
    fin = segment.fin or (block.kept_fin == end > 0)
    return end + fin, fin


def _edge_of_lwip(block: Block) -> int:
    """The first number beyond the window of lwIP, which advertises a window that grows with the text received only later."""
    return block.rcv + WINDOW + block.rcv - 1


def _window_ahead(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        ahead = block.rcv + WINDOW <= segment.seq < _edge_of_lwip(block)
        if segment.ack is None or segment.rst or segment.syn or not ahead or block.state in NOT_OPEN:
            return reaction(block, segment, behaviour)
        return reaction(block, segment._replace(seq=block.rcv + WINDOW - 1), behaviour)

    return changed


def _late_text_with_fin(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        outcome = reaction(block, segment, behaviour)
        done = block.state is State.FIN_WAIT_2 or segment.ack == block.nxt
        late = "text.late" in outcome.rules and _taken(block, segment)[1]
        return outcome._replace(replies=()) if late and done else outcome

    return changed


def _late_text_in_order(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        if segment.length and segment.seq > block.rcv:
            return reaction(block, segment, replace(behaviour, late_data_reset=False))
        return reaction(block, segment, behaviour)

    return changed


def _number_alone_after_fin(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        if segment.rst or segment.syn or block.state not in AFTER_FIN:
            return reaction(block, segment, behaviour)
        inside = block.rcv <= segment.seq < _edge_of_lwip(block)
        return reaction(block, Segment(block.rcv if inside else block.rcv - 1, segment.ack), behaviour)

    return changed


def _time_wait_of_lwip(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        if block.state is not State.TIME_WAIT:
            return reaction(block, segment, behaviour)
        if segment.rst:
            return Outcome(block)
        if segment.syn and block.rcv <= segment.seq <= _edge_of_lwip(block):
            return Outcome(block, (Segment(segment.ack or 0, segment.end, rst=True),))
        started = frozenset({Timer.TIME_WAIT} if segment.fin and not segment.syn else ())
        return Outcome(block, (acknowledgement(block),) if segment.span else (), started)

    return changed


def _going_on_in_lwip(reaction: Reaction) -> Reaction:
    """What lwIP makes of a segment where the specification has dropped it for its ACK."""
    return _window_ahead(_number_alone_after_fin(_late_text_in_order(reaction)))


def _ack_bit_unneeded(reaction: Reaction) -> Reaction:
    proceed = _going_on_in_lwip(reaction)

    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        if segment.ack is not None or segment.rst or segment.syn or block.state in NOT_OPEN:
            return reaction(block, segment, behaviour)
        return proceed(block, segment._replace(ack=block.una), behaviour)

    return changed


def _unsent_ack_goes_on(reaction: Reaction) -> Reaction:
    proceed = _going_on_in_lwip(reaction)

    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        unsent = segment.ack is not None and segment.ack > block.nxt and not segment.rst and not segment.syn
        if not unsent or block.state in NOT_OPEN:
            return reaction(block, segment, behaviour)
        return Outcome(block, (acknowledgement(block),)).then(proceed(block, segment._replace(ack=block.una), behaviour))

    return changed


def _reset_at_edge(reaction: Reaction) -> Reaction:
    def changed(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        beyond = block.rcv + WINDOW <= segment.seq <= _edge_of_lwip(block)
        if not segment.rst or not beyond or block.state in UNSYNCHRONISED:
            return reaction(block, segment, behaviour)
        return reaction(block, segment._replace(seq=block.rcv + WINDOW - 1), behaviour)

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
            ("linux",),
            "drops text and a FIN beyond the FIN of the peer without an answer, but counts a second FIN after old text",
            NO_PEER,
            "tcp_data_queue, net/ipv4/tcp_input.c",
            _nothing_beyond_fin,
        ),
        Departure(
            "late-text-in-order",
            ("lwip",),
            "answers late text with a RST only if the text is at RCV.NXT",
            "the setting late_data_reset is about all new text",
            "tcp_input, src/core/tcp_in.c: recv_data",
            _late_text_in_order,
        ),
        Departure(
            "late-text-reset-at-nxt",
            ("lwip",),
            "gives the RST that answers late text the number SND.NXT, not SEG.ACK",
            "a peer that has not received all before it sends a challenge ACK, and the RST that answers it ends the connection",
            "tcp_abandon, src/core/tcp.c",
            _late_text_reset_at_nxt,
            abstractions=("lwip-late-text",),
        ),
        Departure(
            "late-text-with-fin",
            ("lwip",),
            "forgets the connection without a RST if late text comes with the FIN that would lead to TIME-WAIT",
            "no endpoint of the specification sends text and a FIN in one segment",
            "tcp_abandon, src/core/tcp.c: pcb->state == TIME_WAIT",
            _late_text_with_fin,
        ),
        Departure(
            "window-ahead",
            ("lwip",),
            "accepts as much beyond the window that it has advertised as it has received",
            "no peer sends so much: the window is larger than all text",
            "tcp_update_rcv_ann_wnd, src/core/tcp.c",
            _window_ahead,
        ),
        Departure(
            "number-alone-after-fin",
            ("lwip",),
            "looks only at the sequence number of a segment that arrives after the FIN: not at its length, text or FIN",
            NO_PEER,
            "tcp_receive, src/core/tcp_in.c: pcb->state < CLOSE_WAIT",
            _number_alone_after_fin,
        ),
        Departure(
            "time-wait-of-lwip",
            ("lwip",),
            "in TIME-WAIT answers whatever occupies sequence numbers, restarts for a FIN whatever its number, and answers a SYN"
            " in the window with a RST",
            "the settings answers and restarts have one class for old text and old acknowledgements, and no RST",
            "tcp_timewait_input, src/core/tcp_in.c",
            _time_wait_of_lwip,
            abstractions=("lwip-fin-number", "lwip-old-acks"),
        ),
        Departure(
            "ack-bit-unneeded",
            ("lwip",),
            "takes text and a FIN without ACK",
            NO_PEER,
            "tcp_receive, src/core/tcp_in.c",
            _ack_bit_unneeded,
        ),
        Departure(
            "unsent-ack-goes-on",
            ("lwip",),
            "answers an acknowledgement of something unsent, and then goes on with the rest of the segment",
            NO_PEER,
            "tcp_receive, src/core/tcp_in.c: tcp_send_empty_ack",
            _unsent_ack_goes_on,
        ),
        Departure(
            "reset-at-edge",
            ("lwip",),
            "answers a RST at the first number beyond the window as one inside",
            "no peer sends so much: the window is larger than all text",
            "tcp_process, src/core/tcp_in.c",
            _reset_at_edge,
        ),
        Departure(
            "resets-acknowledge",
            ("lwip",),
            "sets the ACK bit of every RST, which acknowledges the segment that it answers",
            "a receiver in a synchronised state ignores the ACK of a RST",
            "tcp_rst, src/core/tcp_out.c",
            _resets_acknowledge,
            abstractions=("lwip-reset-ack",),
        ),
        Departure(
            "old-fin-keeps-socket",
            ("linux",),
            "answers an old FIN that acknowledges its own, and keeps a whole socket in FIN-WAIT-2 for it",
            NO_PEER,
            "tcp_rcv_state_process, net/ipv4/tcp_input.c: th->fin",
            _old_fin_keeps_socket,
            remembers=True,
        ),
        Departure(
            "edge-in-window",
            ("linux",),
            "counts the first number beyond the window as inside, for text only while nothing is unread",
            "no peer sends so much: the window is larger than all text",
            "tcp_sequence, net/ipv4/tcp_input.c",
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
