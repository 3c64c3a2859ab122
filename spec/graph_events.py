"""The events that may reach an endpoint, and their outcomes, in every small case.

From CLOSED, the handshake included, every control block that is reachable with at most `TEXT` octets each way gets every user
call, every running timer and every segment with numbers around its own. Segments are limited to those that some endpoint may
send: once a connection is open each carries an ACK (RFC 9293 3.1), a SYN or a RST apart; SYN, FIN and RST exclude one
another; and no text or FIN lies beyond a FIN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from timewait.spec.endpoint import allowed_calls, running, segment_arrives, timer_fires, user_calls
from timewait.spec.guards import Circumstances
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.replies import earliest_unacknowledged
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import FIN_RECEIVED, Block, State
from timewait.spec.window import WINDOW, acceptable

TEXT = 2
"""The octets of text that each end may send at most: enough for an acknowledgement of a part."""

EndpointEvent = Segment | Timer | Call

UNNUMBERED = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT})
"""The states that know no sequence number of the other end yet."""


class EdgeClass(NamedTuple):
    """The features that the events of one edge share."""

    source: State
    target: State
    trigger: str
    reply: str
    timers: tuple[str, ...]
    rules: tuple[str, ...]
    effects: tuple[str, ...]

    @property
    def rank(self) -> tuple[object, ...]:
        """The sort key of the edge: states in the order of the standard, then all features by name."""
        states = tuple(State)
        return states.index(self.source), states.index(self.target), *self[2:]

    @property
    def silent(self) -> bool:
        """Whether the edge changes no state, sends nothing and starts no timer."""
        return self.source is self.target and not self.reply and not self.timers


def possible_events(block: Block, behaviour: Behaviour) -> Iterator[EndpointEvent]:
    """Every event that may reach a control block: calls, timers, segments."""
    yield from (call for call in allowed_calls(block) if call is not Call.SEND or block.sent < TEXT)
    yield from running(block, behaviour)
    yield from _segments(block)


def _segments(block: Block) -> Iterator[Segment]:
    unnumbered = block.state in UNNUMBERED
    positions = {block.rcv - 2, block.rcv - 1, block.rcv, block.rcv + 1, block.rcv + WINDOW}
    acks = range(block.nxt + 2)
    for seq in (0, 1) if unnumbered else sorted(seq for seq in positions if seq >= 0):
        for ack in (None, *acks):
            yield Segment(seq, ack, rst=True)
            if seq == 0 or not unnumbered:
                yield Segment(seq, ack, syn=True)
        for ack in acks:
            yield Segment(seq, ack)
            for length, fin in ((1, False), (0, True), (1, True)):
                segment = Segment(seq, ack, length, fin=fin)
                if _plausible(block, segment):
                    yield segment


def _plausible(block: Block, segment: Segment) -> bool:
    """Whether the other end may have sent such text or such a FIN: not beyond its FIN, nor more than `TEXT`."""
    if block.state in FIN_RECEIVED:
        return segment.end <= block.rcv
    return segment.seq + segment.length <= 1 + TEXT or segment.seq >= block.rcv + WINDOW


def apply_event(block: Block, event: EndpointEvent, behaviour: Behaviour) -> Outcome:
    """The outcome of an event."""
    match event:
        case Timer():
            return timer_fires(block, event, behaviour)
        case Call():
            return user_calls(block, event, behaviour)
        case _:
            return segment_arrives(block, event, behaviour)


def reachable_steps(behaviour: Behaviour) -> Iterator[tuple[Block, EndpointEvent, Outcome]]:
    """Every event of every reachable control block, with its outcome."""
    seen = {Block(State.CLOSED)}
    waiting = list(seen)
    while waiting:
        block = waiting.pop()
        for event in possible_events(block, behaviour):
            outcome = apply_event(block, event, behaviour)
            yield block, event, outcome
            if outcome.block not in seen:
                seen.add(outcome.block)
                waiting.append(outcome.block)


def edge_class(block: Block, event: EndpointEvent, outcome: Outcome, behaviour: Behaviour) -> EdgeClass:
    """The edge to which an event belongs."""
    started = [timer for timer in running(outcome.block, behaviour) if timer in outcome.started] if outcome.started else []
    before = running(block, behaviour) if started else ()
    return EdgeClass(
        block.state,
        outcome.block.state,
        _trigger(block, event),
        ", ".join(segment.flags for segment in outcome.replies),
        tuple(f"{'restart' if timer in before else 'start'} {timer}" for timer in started),
        outcome.rules,
        tuple(sorted(effect.value for effect in outcome.effects)),
    )


def _trigger(block: Block, event: EndpointEvent) -> str:
    match event:
        case Timer():
            return f"timer {event}"
        case Call():
            return f"call {event}"
        case _:
            return "segment RST" if event.rst else f"segment {_without_old_text(block, event).flags}"


def _without_old_text(block: Block, segment: Segment) -> Segment:
    """The segment without text of which nothing is new, if its FIN is next."""
    if segment.fin and segment.end == block.rcv + 1 and block.state not in UNNUMBERED:
        return Segment(block.rcv, segment.ack, fin=True)
    return segment


def circumstances_of(block: Block, event: EndpointEvent, behaviour: Behaviour) -> Circumstances:
    """The circumstances of an event."""
    trigger = _trigger(block, event)
    origin = ("passive" if block.passive else "active") if block.state is State.SYN_RECEIVED else ""
    if not isinstance(event, Segment):
        reached = behaviour.retries is not None and block.tries >= behaviour.retries
        tries = ("reached" if reached else "not reached") if event is Timer.RETRANSMISSION else ""
        return Circumstances(trigger, origin=origin, outstanding=_outstanding(block), tries=tries)
    acknowledges = _acknowledges(block, event.ack)
    new = acknowledges in ("new", "SYN", "FIN")
    rest = ("none" if event.ack == block.nxt else "some") if new else ""
    answered = event.fin and not behaviour.half_close and block.state in (State.SYN_RECEIVED, State.ESTABLISHED)
    left = _outstanding(block._replace(una=event.ack) if new and event.ack is not None else block) if answered else ""
    return Circumstances(trigger, _position(block, event), acknowledges, rest, origin, left)


def _outstanding(block: Block) -> str:
    if not block.outstanding:
        return "none"
    first = earliest_unacknowledged(block)
    return "SYN" if first.syn else "FIN" if first.fin else "text"


def _position(block: Block, segment: Segment) -> str:
    if block.state in UNNUMBERED:
        return ""
    if acceptable(block, segment):
        return "later" if segment.seq > block.rcv else "next"
    if segment.seq > block.rcv:
        return "far"
    last = segment.seq == block.rcv - 1 if segment.rst else segment.span and not segment.syn and segment.end == block.rcv
    return "last" if last else "old"


def _acknowledges(block: Block, ack: int | None) -> str:
    if ack is None:
        return "no ACK"
    if ack > block.nxt:
        return "unsent"
    if ack <= block.una:
        return "nothing"
    if block.fin_sent and ack > block.fin_seq:
        return "FIN"
    return "SYN" if block.una == 0 and block.state in (State.SYN_SENT, State.SYN_RECEIVED) else "new"


def classified_events(behaviour: Behaviour) -> dict[EdgeClass, dict[Circumstances, tuple[Block, EndpointEvent]]]:
    """Every event, by its edge and its circumstances; one sample for each pair."""
    events: dict[EdgeClass, dict[Circumstances, tuple[Block, EndpointEvent]]] = defaultdict(dict)
    for block, event, outcome in reachable_steps(behaviour):
        edge = edge_class(block, event, outcome, behaviour)
        events[edge].setdefault(circumstances_of(block, event, behaviour), (block, event))
    return dict(events)
