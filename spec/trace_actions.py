"""The action of a step, recovered from the event in a trace."""

from __future__ import annotations

from timewait.spec.handshake import LOST_MEMORY
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Event

OPENS = {"open.active": Call.OPEN_ACTIVE, "open.passive": Call.OPEN_PASSIVE}
CALLS = {"send": Call.SEND, "close": Call.CLOSE, "abort": Call.ABORT}
TIMERS = {
    "timer.retransmission": Timer.RETRANSMISSION,
    "timer.retries": Timer.RETRANSMISSION,
    "timer.retries-reset": Timer.RETRANSMISSION,
    "timer.time-wait": Timer.TIME_WAIT,
    "timer.fin-wait-2": Timer.FIN_WAIT_2,
    "timer.limit": Timer.LIMIT,
}
"""The timer that expired, by the rule applied."""


def action_of(event: Event) -> Action | None:
    """The action of a step; None if only time passed.

    It is recovered from the packet that arrived or from the rule applied, never from the text of the event.

    Raises
    ------
    ValueError
        The event is not a step of the specification.
    """
    lost = tuple(packet.lost for packet in event.sent)
    if event.received is not None:
        return Action("deliver", event.actor, (event.received.sender, segment_of(event.received.fields)), lost)
    if not event.rules and event.sent:
        (packet,) = event.sent
        return Action("inject", event.actor, (packet.sender, segment_of(packet.fields)))
    if not event.rules:
        return None
    rule = event.rules[0][0]
    if rule == "incarnation.reopen":
        return Action("reopen", event.actor, "the same addresses and ports")
    if rule == "incarnation.crash":
        return Action("crash", event.actor, LOST_MEMORY)
    if rule in TIMERS:
        return Action("timer", event.actor, TIMERS[rule], lost)
    if (call := OPENS.get(rule) or CALLS.get(rule.partition(".")[0])) is not None:
        return Action("call", event.actor, call, lost)
    raise ValueError(f"not a step of the specification: {event.actor} {event.text}")


def segment_of(fields: tuple[tuple[str, int], ...]) -> Segment:
    """The segment with these fields (`timewait.spec.segment.Segment.fields`)."""
    values = dict(fields)
    bits = {name: bool(values.get(name, 0)) for name in ("syn", "fin", "rst")}
    return Segment(values["seq"], values.get("ack"), values.get("len", 0), **bits, incarnation=values.get("incarnation", 0))
