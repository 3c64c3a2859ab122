"""A configuration as plain data, and back, for reports, traces and certificates; durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, ConfigurationError, Scope
from timewait.spec.reopening import Crash, NextIncarnation, Numbers, Paws, Reopen, SynRule
from timewait.spec.setting import InProfile
from timewait.spec.settings import BEHAVIOUR, DURATIONS, STATE_LIMITS, Arrival, Behaviour
from timewait.vocabulary.untrusted import exact_number, shown

MAX_SETTING = 20
"""The largest whole number of a setting in plain data, as of options: the transition graph has states for each of them."""

MAX_COUNT = 1_000_000
"""The largest number of losses, octets or transmissions that plain data may state."""


def configuration_as_data(configuration: Configuration) -> dict[str, Any]:
    """A configuration as plain data: everything that a verdict depends on."""
    behaviour = configuration.behaviour
    return {
        "msl": exact(configuration.msl),
        "time_wait": exact(configuration.time_wait),
        "rto": [exact(gap) for gap in configuration.rto],
        "rto_exact": configuration.rto_exact,
        "rto_slack": exact(configuration.rto_slack),
        "fin_wait_2": exact(configuration.fin_wait_2),
        "loss": configuration.loss,
        "duplication": configuration.duplication,
        "fifo": configuration.fifo,
        "scope": str(configuration.scope),
        "both_close": configuration.both_close,
        "text": list(configuration.text),
        **{name: exact(getattr(configuration, name)) for name in STATE_LIMITS},
        "idle_before_close": None if configuration.idle_before_close is None else exact(configuration.idle_before_close),
        "behaviour": {name: _plain(getattr(behaviour, name)) for name in BEHAVIOUR},
        "reopening": reopening_as_data(configuration.reopening),
    }


def reopening_as_data(reopening: NextIncarnation) -> dict[str, Any]:
    """The opening of the next incarnation as plain data: of a handshake everything, else its kind alone."""
    if not reopening.handshake:
        return {"kind": str(reopening.kind)}
    data: dict[str, Any] = {entry.name: getattr(reopening, entry.name) for entry in fields(reopening)}
    for name in ("data_rate", "idle", "lifetime", "quiet"):
        data[name] = None if data[name] is None else exact(data[name])
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def _reopening(data: Mapping[str, Any]) -> NextIncarnation:
    values: dict[str, Any] = dict(data)
    for name, kind in (
        ("kind", Reopen),
        ("numbers", Numbers),
        ("paws", Paws),
        ("syn", SynRule),
        ("crash", Crash),
        ("timestamps", tuple),
        ("text", tuple),
    ):
        if name in values:
            values[name] = kind(values[name])
    for name in ("data_rate", "idle", "lifetime", "quiet"):
        if values.get(name) is not None:
            values[name] = Fraction(str(values[name]))
    return NextIncarnation(**values)


def verdict_parameters(configuration: Configuration) -> dict[str, Any]:
    """The parameters of a verdict, under the names that ``--json`` uses; durations in seconds."""
    behaviour = configuration.behaviour
    return {
        "msl": _seconds(configuration.msl),
        "time_wait": _seconds(configuration.time_wait),
        "rto": [_seconds(gap) for gap in configuration.rto],
        "rto_exact": configuration.rto_exact,
        "rto_slack": _seconds(configuration.rto_slack),
        "loss": "any" if configuration.loss is None else configuration.loss,
        "duplication": "any" if configuration.duplication is None else configuration.duplication,
        "fifo": configuration.fifo,
        "scope": str(configuration.scope),
        "closers": "both" if configuration.both_close else "a",
        "data": list(configuration.text),
        "fin_wait_2": _seconds(configuration.fin_wait_2) if behaviour.fin_wait_2 else None,
        **{name: _seconds(getattr(configuration, name)) if getattr(behaviour, name) else None for name in STATE_LIMITS},
        "idle_before_close": None if configuration.idle_before_close is None else _seconds(configuration.idle_before_close),
        **{
            entry.json or name: _plain(getattr(behaviour, name))
            for name, entry in BEHAVIOUR.items()
            if entry.json or name not in DURATIONS
        },
        "reopening": reopening_as_data(configuration.reopening),
    }


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def _value(name: str, value: Any) -> Any:
    """The value of a setting from its plain form."""
    entry = BEHAVIOUR[name]
    if value is None and entry.default is None:
        return None
    if entry.kind is frozenset:
        return frozenset(map(Arrival, value))
    if issubclass(entry.kind, StrEnum):
        return entry.kind(value)
    if type(value) is not entry.kind or (entry.kind is int and not 0 <= value <= MAX_SETTING):
        raise ValueError(f"{shown(value)} is no value of the setting {name}")
    return value


def _count(value: Any) -> int:
    """A whole number that is not too large, from its plain form."""
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{shown(value)} is no number of things")
    return value


def _limit(value: Any) -> int | None:
    return None if value is None else _count(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def _seconds(value: Fraction) -> float | str:
    found = exact(value)
    return found if isinstance(found, str) else float(found)


def exact(value: Fraction) -> int | float | str:
    """A number as JSON: an integer or a float if that is exact, else the fraction as text."""
    if value.denominator == 1:
        return value.numerator
    return float(value) if Fraction(str(float(value))) == value else str(value)


def configuration_from_data(data: Mapping[str, Any]) -> Configuration:
    """The configuration in the result of `configuration_as_data`.

    Raises
    ------
    ConfigurationError
        The data are not a configuration.
    """
    try:
        stated = data["behaviour"]
        required = (name for name, entry in BEHAVIOUR.items() if entry.profile is InProfile.REQUIRED)
        behaviour = {name: _value(name, stated[name]) for name in (*stated, *required)}
        return Configuration(
            msl=exact_number(data["msl"]),
            time_wait=exact_number(data["time_wait"]),
            rto=tuple(exact_number(gap) for gap in data["rto"]),
            rto_exact=_flag(data["rto_exact"]),
            rto_slack=exact_number(data.get("rto_slack", 0)),
            fin_wait_2=exact_number(data["fin_wait_2"]),
            loss=_limit(data["loss"]),
            duplication=_limit(data["duplication"]),
            fifo=_flag(data["fifo"]),
            scope=Scope(data["scope"]),
            both_close=_flag(data["both_close"]),
            text=(_count(data["text"][0]), _count(data["text"][1])),
            **{name: exact_number(data.get(name, 0)) for name in STATE_LIMITS},
            idle_before_close=None if (idle := data.get("idle_before_close")) is None else exact_number(idle),
            behaviour=Behaviour(**behaviour),
            reopening=_reopening(data.get("reopening", {})),
        )
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise ConfigurationError(f"not a configuration: {problem!r}") from problem
