"""The settings of a trace as settings of the kernel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timewait.checker.trace import Trace
from timewait.laboratory.kernel_pair import ADDRESSES, KernelPair
from timewait.laboratory.replaying.outcome import NotReplayable
from timewait.laboratory.replaying.reopening_plan import ReopeningPlan, plan_of
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.outcome import Timer
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.trace_actions import OPENS, action_of
from timewait.vocabulary.automaton import Action

SLOW, FAST = 15_000_000, 200_000
"""``tcp_rto_min_us`` of a host that never retransmits in a trace, and of one that does, in microseconds."""

NO_LIMIT = 255
"""The greatest number of retransmissions that the kernel accepts: more than a trace has."""

MOST_RETRIES = 15


@dataclass(frozen=True, slots=True)
class KernelScript:
    """A trace, ready to be carried out.

    Attributes
    ----------
    trace : Trace
        The trace.
    configuration : Configuration
        Its configuration.
    actions : tuple of (Action or None)
        The action of each step; None where only time passes.
    plan : ReopeningPlan or None
        The plan of a next incarnation that opens by a handshake; None where it opens at once.
    """

    trace: Trace
    configuration: Configuration
    actions: tuple[Action | None, ...]
    plan: ReopeningPlan | None = None

    @property
    def behaviour(self) -> Behaviour:
        """The settings of both ends."""
        return self.configuration.behaviour

    @property
    def retransmitters(self) -> frozenset[str]:
        """The ends that retransmit."""
        return frozenset(self._retransmissions())

    def most_retransmissions(self, name: str) -> int:
        """How often an end retransmits, in all."""
        return self._retransmissions()[name]

    def _retransmissions(self) -> Counter[str]:
        return Counter(
            action.actor
            for action in self.actions
            if action and action.kind == "timer" and action.subject == Timer.RETRANSMISSION
        )

    @property
    def reopens(self) -> bool:
        """Whether the ports are used again."""
        opening = ("reopen", "crash")
        return any(action and (action.kind in opening or action.subject in OPENS.values()) for action in self.actions)

    @property
    def core(self) -> bool:
        """Whether the trace begins in FIN-WAIT-2 and CLOSE-WAIT."""
        return self.configuration.scope is Scope.CORE


def script_of(trace: Trace) -> KernelScript:
    """Make a trace ready.

    Raises
    ------
    NotReplayable
        It does not say what was carried out, or a step is none of the specification.
    """
    about: Mapping[str, Any] = trace.about
    if not about:
        raise NotReplayable("the trace does not say what was carried out")
    try:
        configuration = configuration_from_data(about)
        actions = tuple(action_of(step.event) for step in trace.steps)
    except ValueError as problem:
        raise NotReplayable(str(problem)) from problem
    if any(action and action.kind == "inject" for action in actions):
        raise NotReplayable("a middlebox sends in the name of an end")
    handshake = configuration.reopening.handshake
    plan = plan_of(configuration, trace.steps, actions) if handshake else None
    return KernelScript(trace, configuration, actions, plan)


def apply_settings(pair: KernelPair, script: KernelScript) -> None:
    """Give both hosts the settings of a trace; every change from the default is noted among the aids."""
    behaviour = script.behaviour
    for name, timestamps in zip(ADDRESSES, script.configuration.reopening.timestamps, strict=True):
        host = pair.hosts[name]
        if timestamps:
            host.namespace.set("ipv4/tcp_timestamps", 1)  # the default
        elif script.reopens:
            host.aids.append(f"{name}: tcp_timestamps = 0")
        host.set("tcp_rfc1337", int(behaviour.reset is ResetRule.IGNORE))
        host.set("tcp_rto_min_us", FAST if name in script.retransmitters else SLOW)
        host.set("tcp_invalid_ratelimit", 0)
        if name in script.retransmitters:
            host.namespace.set_if_known("ipv4/tcp_rto_max_ms", 1000)
        if not behaviour.time_wait:
            host.set("tcp_fin_timeout", 120)
            host.set("tcp_max_tw_buckets", 0)
        if behaviour.retries is None and script.most_retransmissions(name) >= MOST_RETRIES:
            for setting in ("tcp_orphan_retries", "tcp_retries2"):
                host.set(setting, NO_LIMIT)
        if behaviour.retries is not None:
            # The kernel retransmits once more than these say.
            host.set("tcp_orphan_retries", max(behaviour.retries - 1, 1))
            host.set("tcp_retries2", min(max(behaviour.retries - 1, 1), MOST_RETRIES))
