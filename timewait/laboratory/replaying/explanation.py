"""Whether a step that the kernel refutes is one at which the settings of the trace are not those of Linux."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from timewait.laboratory.replaying.kernel_settings import KernelScript
from timewait.laboratory.replaying.reopening_plan import course
from timewait.spec.assemble import Overrides, behaviour_of, opening_of
from timewait.spec.configuration import Configuration
from timewait.spec.reopening import NextIncarnationError
from timewait.spec.settings import BEHAVIOUR, REUSE, Behaviour, ResetRule
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
    wanted = list(_course(script, script.configuration, step))
    return tuple(
        name for name, configuration in _with_own_settings(script) if list(_course(script, configuration, step)) != wanted
    )


def _with_own_settings(script: KernelScript) -> Iterator[tuple[str, Configuration]]:
    """The configuration of a trace with each setting in turn, by its name, that Linux has otherwise."""
    configuration, stack = script.configuration, load_stack("linux")
    own = behaviour_of(stack, Overrides.of(abandons=script.behaviour.abandons))
    for name in BEHAVIOUR:
        if _is_foreign(name, script.behaviour, own):
            yield name, replace(configuration, behaviour=replace(script.behaviour, **{name: getattr(own, name)}))
    opening = opening_of(stack, Overrides(reopening=configuration.reopening))
    for name in REUSE:
        if getattr(opening, name) != getattr(configuration.reopening, name):
            with suppress(NextIncarnationError):  # a value that makes no sense with the others of the trace explains nothing
                yield name, replace(configuration, reopening=replace(configuration.reopening, **{name: getattr(opening, name)}))


def _is_foreign(name: str, behaviour: Behaviour, own: Behaviour) -> bool:
    if name in EXPRESSED or getattr(behaviour, name) == getattr(own, name):
        return False
    return name != "reset" or behaviour.reset not in (ResetRule.IGNORE, ResetRule.EXACT)


def _course(script: KernelScript, configuration: Configuration, last: int) -> Iterator[tuple[object, ...]]:
    """What each step of the trace sends, starts and leads to under some settings, up to the first that is impossible.

    Of several results of a step the one is taken that the trace states (`course`), if it is still possible.
    """
    try:
        for step, _, reached in course(configuration, script.trace.steps[:last], script.actions[:last]):
            sent = tuple(packet.text for packet in reached.event.sent)
            place = reached.event.text  # of a segment of another incarnation: where its numbers lie
            yield step.number, place, sent, reached.event.starts, reached.timers(), tuple(sorted(reached.state().items()))
    except (ImpossibleMove, ValueError) as problem:
        yield ("impossible", str(problem))
