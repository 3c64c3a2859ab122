"""From what a trace tells of a step back to the action that it was."""

from __future__ import annotations

from timewait.spec.endpoint import Call, Timer
from timewait.spec.segment import Segment
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Event

CALLS = {"send": Call.SEND, "close": Call.CLOSE, "abort": Call.ABORT}
TIMERS = {
    "timer.retransmission": Timer.RETRANSMISSION,
    "timer.retries": Timer.RETRANSMISSION,
    "timer.time-wait": Timer.TIME_WAIT,
    "timer.fin-wait-2": Timer.FIN_WAIT_2,
}
"""Which timer ran out, by the rule that was applied."""


def action_of(event: Event) -> Action | None:
    """The action that a step was; None where time merely passed.

    The event says it by the copy that arrived or by the rule applied, never by its words.

    Raises
    ------
    ValueError
        It is no step of the specification.
    """
    lost = tuple(copy.lost for copy in event.sent)
    if event.received is not None:
        return Action("deliver", event.actor, (event.received.sender, _segment(event.received.fields)), lost)
    if not event.rules:
        return None
    rule = event.rules[0][0]
    if rule == "incarnation.reopen":
        return Action("reopen", event.actor, "the same addresses and ports")
    if rule in TIMERS:
        return Action("timer", event.actor, TIMERS[rule], lost)
    if (call := CALLS.get(rule.partition(".")[0])) is not None:
        return Action("call", event.actor, call, lost)
    raise ValueError(f"nobody knows what {event.actor} does when it {event.text}")


def _segment(fields: tuple[tuple[str, int], ...]) -> Segment:
    carried = dict(fields)
    bits = {name: bool(carried.get(name, 0)) for name in ("syn", "fin", "rst")}
    return Segment(carried["seq"], carried.get("ack"), carried.get("len", 0), **bits)
