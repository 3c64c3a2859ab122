"""From a stack and overrides to a configuration: an override counts before the value of the stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.durations import DURATIONS, STATE_LIMITS, Durations, NoLimit
from timewait.spec.reopening import ATOMIC, NextIncarnation, SynRule
from timewait.spec.setting import InProfile, Setting
from timewait.spec.settings import BEHAVIOUR, REUSE, SETTINGS, Behaviour
from timewait.spec.stacks import MissingValue, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides(Durations):
    """Values that replace those of a stack, and the conditions of the network and the users.

    Attributes
    ----------
    behaviour : mapping of str to object
        Settings of `timewait.spec.settings.Behaviour`, by name; None leaves one to the stack.
    rto : tuple of Fraction or None
        The schedule of retransmissions in seconds; None: `rto_max`, or that of the stack.
    rto_slack : Fraction or None
        By how much a retransmission may be late, in seconds, where `rto_exact` holds; None: not at all.
    rto_exact, loss, duplication, fifo, scope, both_close, text, reopening
        As in `timewait.spec.configuration.Configuration`.
    without_limit : frozenset of str
        The durations that have no limit.
    """

    behaviour: Mapping[str, Any] = field(default_factory=dict, hash=False)
    rto: tuple[Fraction, ...] | None = None
    rto_exact: bool = False
    rto_slack: Fraction | None = None
    loss: int | None = 1
    duplication: int | None = None
    fifo: bool = False
    scope: Scope = Scope.CLOSE
    both_close: bool = False
    text: tuple[int, int] = (0, 0)
    without_limit: frozenset[str] = frozenset()
    reopening: NextIncarnation = ATOMIC

    @classmethod
    def of(cls, **values: Any) -> Overrides:
        """Return the overrides that state settings and conditions, each under its own name."""
        behaviour = {name: value for name, value in values.items() if name in SETTINGS and name not in DURATIONS}
        without_limit = frozenset(name for name, value in values.items() if value is NoLimit.NONE)
        others = {name: value for name, value in values.items() if name not in behaviour and name not in without_limit}
        return cls(behaviour=behaviour, without_limit=without_limit, **others)

    def value(self, name: str) -> Any:
        """Return the override of a setting; None if there is none, `NoLimit.NONE` for a duration without limit."""
        if name in self.without_limit:
            return NoLimit.NONE
        return getattr(self, name) if name in DURATIONS else self.behaviour.get(name)


def assemble(stack: Stack, overrides: Overrides) -> Configuration:
    """Return the configuration of two ends that both run a stack.

    Raises
    ------
    MissingValue
        Neither the overrides nor the stack state a required value.
    ConfigurationError
        The values make no sense.
    """

    def required(name: str) -> Fraction:
        value: Fraction = stack.require(name) if overrides.value(name) is None else overrides.value(name)
        return value

    msl = required("msl")
    stack = stack.with_msl(msl)
    time_wait = required("time_wait")
    rto = overrides.rto or (required("rto_max"),)
    limits: dict[str, Any] = {name: _limit(name, stack, overrides) or Fraction(0) for name in STATE_LIMITS}
    return Configuration(
        msl=msl,
        time_wait=time_wait,
        rto=rto,
        rto_exact=overrides.rto_exact,
        rto_slack=(overrides.rto_slack or Fraction(0)) if overrides.rto_exact else Fraction(0),
        fin_wait_2=_limit("fin_wait_2", stack, overrides) or Fraction(0),
        idle_before_close=overrides.idle_before_close,
        **limits,
        loss=overrides.loss,
        duplication=overrides.duplication,
        fifo=overrides.fifo,
        scope=overrides.scope,
        both_close=overrides.both_close,
        text=overrides.text,
        reopening=opening_of(stack, overrides),
        behaviour=behaviour_of(stack, overrides),
    )


def opening_of(stack: Stack, overrides: Overrides) -> NextIncarnation:
    """Return the opening of the next incarnation, with what the stack does where that matters.

    Raises
    ------
    NextIncarnationError
        The values contradict each other.
    """
    matters = _conditions(stack, overrides)
    values: dict[str, Any] = {}
    for name, entry in REUSE.items():
        known = stack.behaviour.get(name) if matters[entry.matters_with] else None
        stated = overrides.behaviour.get(name)
        if stated is not None or known is not None:
            values[name] = known if stated is None else stated
    return replace(overrides.reopening, **values)


def behaviour_of(stack: Stack, overrides: Overrides) -> Behaviour:
    """Return the behaviour of an endpoint that runs a stack.

    Raises
    ------
    MissingValue
        Neither the overrides nor the stack state a required value that matters.
    """
    matters = _conditions(stack, overrides)
    values: dict[str, Any] = {name: _limit(name, stack, overrides) is not None for name in STATE_LIMITS}
    for name, entry in BEHAVIOUR.items():
        if not entry.follows:
            values[name] = _stated(entry, stack, overrides, matters)
    return Behaviour(
        time_wait=matters["time_wait"],
        fin_wait_2=matters["abandons"] and _has_fin_wait_2(stack, overrides),
        backoff=len(overrides.rto or (0,)),
        **values,
    )


def stack_defaults(stack: Stack, overrides: Overrides) -> dict[str, Any]:
    """Return the settings of a stack and the limits of its states, by name, where no override states them.

    Settings that are unknown are left out. Whether a setting matters at all depends on the overrides of others.
    """
    matters = _conditions(stack, overrides)
    found: dict[str, Any] = {name: _limit(name, stack, Overrides()) or Fraction(0) for name in STATE_LIMITS}
    for name, entry in BEHAVIOUR.items():
        if not entry.follows and (entry.profile is not InProfile.REQUIRED or stack.value(name) is not None):
            found[name] = _stated(entry, stack, Overrides(), matters)
    return found


def _has_fin_wait_2(stack: Stack, overrides: Overrides) -> bool:
    """Whether FIN-WAIT-2 of an abandoned connection has a limit; it is an error if that is unknown."""
    if overrides.value("fin_wait_2") is None:
        stack.require("fin_wait_2")
    return _limit("fin_wait_2", stack, overrides) is not None


def assumptions(stack: Stack, overrides: Overrides) -> Iterator[str]:
    """Describe what is assumed because it matters and is unknown: one line for what profiles state, one for the users.

    There is none where a required value is missing, since that is an error.
    """
    if _lacks_required(stack, overrides):
        return
    matters = _conditions(stack, overrides)
    if unknown := assumed(stack, overrides):
        options = ", ".join(entry.option for entry in unknown)
        yield (
            f"profile {stack.name} does not say {'; '.join(entry.meaning for entry in unknown)}.\n"
            f"Assumed as in RFC 9293; state it in a profile of your own, or give {options}."
        )
    early = matters["abandons"] and _stated(BEHAVIOUR["clock_before_close"], stack, overrides, matters)
    if early and overrides.idle_before_close is None:
        idle = DURATIONS["idle_before_close"]
        yield f"{idle.meaning} is not known; assumed: any time, so that the state may be over at once. Give {idle.supplied_by}."


def assumed(stack: Stack, overrides: Overrides) -> list[Setting]:
    """The settings that matter, that neither the profile nor an override states, and that are assumed as in RFC 9293."""
    matters = _conditions(stack, overrides)
    return [
        entry
        for name, entry in SETTINGS.items()
        if entry.profile is InProfile.ASSUMED
        and matters.get(entry.matters_with, True)
        and overrides.value(name) is None
        and stack.value(name) is None
    ]


def _lacks_required(stack: Stack, overrides: Overrides) -> bool:
    """Whether a value is missing that every question needs."""
    try:
        behaviour_of(stack, overrides)
    except MissingValue:
        return True
    return not overrides.rto and stack.rto_max is None and overrides.rto_max is None


def _conditions(stack: Stack, overrides: Overrides) -> dict[str, bool]:
    """The settings on which it depends whether others matter."""
    opening = overrides.reopening
    early = (opening.early or opening.old_syn) and (stack.has_time_wait or overrides.time_wait is not None)
    syn = overrides.behaviour.get("syn") or (stack.behaviour.get("syn") if early else None) or SynRule.NEVER
    return {
        "time_wait": stack.has_time_wait or overrides.time_wait is not None,
        "abandons": bool(overrides.behaviour.get("abandons")),
        "early": early,
        "syn": syn.least is not None,
        "old_syn": opening.old_syn,
        "timestamps": overrides.reopening.checks_timestamps,
        "kind": opening.handshake,
        "unread": bool(overrides.behaviour.get("unread")),
        "retries": overrides.behaviour.get("retries") is not None,
    }


def _limit(name: str, stack: Stack, overrides: Overrides) -> Fraction | None:
    """The limit of a state; None if it has none, or if that is unknown."""
    value = overrides.value(name)
    value = stack.value(name) if value is None else value
    return value if isinstance(value, Fraction) else None


def _stated(entry: Setting, stack: Stack, overrides: Overrides, matters: Mapping[str, bool]) -> Any:
    """The value of one setting: the override, else that of the stack, else the default."""
    value = overrides.behaviour.get(entry.name)
    if value is not None:
        return value
    if entry.matters_with == "time_wait" and not matters["time_wait"]:
        return frozenset() if entry.kind is frozenset else entry.default
    if entry.profile is InProfile.REQUIRED and matters.get(entry.matters_with, True):
        return stack.require(entry.name)
    known = stack.behaviour.get(entry.name) if entry.profile in (InProfile.REQUIRED, InProfile.ASSUMED) else None
    return entry.default if known is None else known
