"""Whether a step that the kernel refutes is one at which the settings of the trace are not those of Linux."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from timewait.laboratory.replaying.kernel_settings import KernelScript
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.settings import BEHAVIOUR, Behaviour, ResetRule
from timewait.spec.stacks import load_stack
from timewait.vocabulary.replay import ImpossibleMove

EXPRESSED = frozenset({"time_wait", "abandons", "linger_zero", "retries", "fin_wait_2", "backoff", "unread"})
"""Settings that the kernel is given, or that describe the users."""


def settings_that_explain(script: KernelScript, step: int) -> tuple[str, ...]:
    """The settings of a trace with each of which the specification does otherwise at a step, or before it, than with Linux's.

    The step itself must differ, so that a trace that no setting allows is not excused by settings that play no part.

    Parameters
    ----------
    script : KernelScript
        The trace.
    step : int
        The number of the refuted step.
    """
    own = behaviour_of(load_stack("linux"), Overrides.of(abandons=script.behaviour.abandons))
    wanted = list(_course(script, script.behaviour, step))
    return tuple(
        name
        for name in BEHAVIOUR
        if _is_foreign(name, script.behaviour, own)
        and list(_course(script, replace(script.behaviour, **{name: getattr(own, name)}), step)) != wanted
    )


def _is_foreign(name: str, behaviour: Behaviour, own: Behaviour) -> bool:
    if name in EXPRESSED or getattr(behaviour, name) == getattr(own, name):
        return False
    return name != "reset" or behaviour.reset not in (ResetRule.IGNORE, ResetRule.EXACT)


def _course(script: KernelScript, behaviour: Behaviour, last: int) -> Iterator[tuple[object, ...]]:
    """What each step of the trace sends, starts and leads to under some settings, up to the first that is impossible."""
    try:
        states: tuple[ReferenceState, ...] = (initial_state(replace(script.configuration, behaviour=behaviour)),)
        for step, action in zip(script.trace.steps[:last], script.actions[:last], strict=True):
            later = states[0].wait(step.delay)
            states = (later,) if action is None else later.act(action)
            reached = states[0]
            sent = tuple(packet.text for packet in reached.event.sent)
            yield step.number, sent, reached.event.starts, reached.timers(), tuple(sorted(reached.state().items()))
    except (ImpossibleMove, ValueError) as problem:
        yield ("impossible", str(problem))
