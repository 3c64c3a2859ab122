"""From a stack and overrides to a configuration: an override counts before the value of the stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import BEHAVIOUR, DURATIONS, SETTINGS, Behaviour, Durations, InProfile, Setting
from timewait.spec.stacks import Stack


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
    rto_exact, loss, duplication, fifo, scope, both_close, text
        As in `timewait.spec.configuration.Configuration`.
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

    @classmethod
    def of(cls, **values: Any) -> Overrides:
        """Return the overrides that state settings and conditions, each under its own name."""
        behaviour = {name: value for name, value in values.items() if name in SETTINGS and name not in DURATIONS}
        return cls(behaviour=behaviour, **{name: value for name, value in values.items() if name not in behaviour})

    def value(self, name: str) -> Any:
        """Return the override of a setting; None if there is none."""
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
    return Configuration(
        msl=msl,
        time_wait=time_wait,
        rto=rto,
        rto_exact=overrides.rto_exact,
        rto_slack=(overrides.rto_slack or Fraction(0)) if overrides.rto_exact else Fraction(0),
        fin_wait_2=_fin_wait_2(stack, overrides) or Fraction(0),
        loss=overrides.loss,
        duplication=overrides.duplication,
        fifo=overrides.fifo,
        scope=overrides.scope,
        both_close=overrides.both_close,
        text=overrides.text,
        behaviour=behaviour_of(stack, overrides),
    )


def behaviour_of(stack: Stack, overrides: Overrides) -> Behaviour:
    """Return the behaviour of an endpoint that runs a stack.

    Raises
    ------
    MissingValue
        Neither the overrides nor the stack state a required value that matters.
    """
    matters = _conditions(stack, overrides)
    values = {}
    for name, entry in BEHAVIOUR.items():
        if not entry.follows:
            values[name] = _stated(entry, stack, overrides, matters)
    return Behaviour(
        time_wait=matters["time_wait"],
        fin_wait_2=matters["abandons"] and _fin_wait_2(stack, overrides) is not None,
        backoff=len(overrides.rto or (0,)),
        **values,
    )


def stack_defaults(stack: Stack) -> dict[str, Any]:
    """Return the settings of an endpoint that runs a stack, by name, where nothing is overridden; those unknown are left out."""
    matters = _conditions(stack, Overrides())
    found: dict[str, Any] = {}
    for name, entry in BEHAVIOUR.items():
        if not entry.follows and (entry.profile is not InProfile.REQUIRED or stack.value(name) is not None):
            found[name] = _stated(entry, stack, Overrides(), matters)
    return found


def assumptions(stack: Stack, overrides: Overrides) -> Iterator[str]:
    """Describe every value that matters, is unknown, and is therefore assumed; one line each."""
    matters = _conditions(stack, overrides)
    for name, entry in SETTINGS.items():
        unknown = overrides.value(name) is None and stack.value(name) is None
        if entry.profile is InProfile.ASSUMED and unknown and matters.get(entry.matters_with, True):
            assumed = "no limit" if entry.default is None else "no" if entry.default is False else str(entry.default)
            supply = f", or give {entry.option}" if entry.option else ""
            yield (
                f"profile {stack.name} does not say {entry.meaning}; assumed: {assumed}."
                f" State it in a profile of your own{supply}."
            )


def _conditions(stack: Stack, overrides: Overrides) -> dict[str, bool]:
    """The settings on which it depends whether others matter."""
    return {
        "time_wait": stack.has_time_wait or overrides.time_wait is not None,
        "abandons": bool(overrides.behaviour.get("abandons")),
    }


def _fin_wait_2(stack: Stack, overrides: Overrides) -> Fraction | None:
    return stack.fin_wait_2 if overrides.fin_wait_2 is None else overrides.fin_wait_2


def _stated(entry: Setting, stack: Stack, overrides: Overrides, matters: Mapping[str, bool]) -> Any:
    """The value of one setting: the override, else that of the stack, else the default."""
    value = overrides.behaviour.get(entry.name)
    if value is not None:
        return value
    if entry.matters_with == "time_wait" and not matters["time_wait"]:
        return frozenset() if entry.kind is frozenset else entry.default
    if entry.profile is InProfile.REQUIRED:
        return stack.require(entry.name)
    known = stack.behaviour.get(entry.name) if entry.profile is InProfile.ASSUMED else None
    return entry.default if known is None else known
