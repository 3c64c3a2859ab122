"""The action of a step, recovered from its event."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reference_walks import WALKED, steps_of

from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import initial_state
from timewait.spec.segment import Segment
from timewait.spec.trace_actions import action_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Event


@pytest.mark.parametrize("name", WALKED)
def test_the_action_of_every_step(name: str) -> None:
    """Of walks that take every kind of action: which it was, and the losses too, but for copies that arrive together."""
    for before, action, after in steps_of(name):
        found = action_of(after.event)
        assert found is not None
        assert (found.kind, found.actor, str(found.subject)) == (action.kind, action.actor, str(action.subject))
        if not before.reopened and after.copies == before.copies + len(after.event.sent):
            assert found.lost == action.lost


RULES = {
    "open.active": Action("call", "A", Call.OPEN_ACTIVE),
    "open.passive": Action("call", "A", Call.OPEN_PASSIVE),
    "send": Action("call", "A", Call.SEND),
    "close.first": Action("call", "A", Call.CLOSE),
    "abort.reset": Action("call", "A", Call.ABORT),
    "timer.retransmission": Action("timer", "A", Timer.RETRANSMISSION),
    "timer.retries": Action("timer", "A", Timer.RETRANSMISSION),
    "timer.retries-reset": Action("timer", "A", Timer.RETRANSMISSION),
    "timer.time-wait": Action("timer", "A", Timer.TIME_WAIT),
    "timer.fin-wait-2": Action("timer", "A", Timer.FIN_WAIT_2),
    "timer.limit": Action("timer", "A", Timer.LIMIT),
    "incarnation.reopen": Action("reopen", "A", "the same addresses and ports"),
    "incarnation.crash": Action("crash", "A", "loses all memory"),
}
"""The first rule of an event, and the action."""


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_says_which(rule: str) -> None:
    """Where no packet arrives."""
    found = action_of(Event("A", "some text", rules=((rule, "RFC 9293", "a rule"), ("close.second", "RFC 9293", "another"))))
    assert found is not None
    assert (found.kind, found.actor, found.lost) == (RULES[rule].kind, "A", ())
    assert found.subject == RULES[rule].subject or rule == "incarnation.crash"


def test_what_is_no_step() -> None:
    """Time that passes is none, and an unknown rule is refused."""
    assert action_of(Event("network", "time passes")) is None
    with pytest.raises(ValueError, match=r"^not a step of the specification: A dances$"):
        action_of(Event("A", "dances", rules=(("dance", "RFC 1", "it dances"),)))


def test_an_injected_segment() -> None:
    """Sent in the name of an end, without a rule."""
    segment = Segment(1, 2, 3, fin=True)
    (after,) = initial_state(WALKED["core"]).act(Action("inject", "network", ("B", segment)))
    assert action_of(after.event) == Action("inject", "network", ("B", segment))
    assert action_of(replace(after.event, sent=())) is None
