"""A configuration as plain data, and back, for reports, traces and certificates; durations in seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from enum import StrEnum
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, ConfigurationError, Scope
from timewait.spec.durations import DURATIONS, STATE_LIMITS
from timewait.spec.reopening import NextIncarnation
from timewait.spec.setting import InProfile
from timewait.spec.settings import BEHAVIOUR, Arrival, Behaviour
from timewait.vocabulary.untrusted import exact_number, shown, visible

MAX_SETTING = 20
"""The largest whole number of a setting in plain data, as of options: the transition graph has states for each of them."""

MAX_COUNT = 1_000_000
"""The largest number of losses, octets or transmissions that plain data may state."""

BESIDE = ("capture",)
"""What a trace states beside its configuration: the capture that it follows."""


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
        **_lossless(configuration),
        "scope": str(configuration.scope),
        "both_close": configuration.both_close,
        "text": list(configuration.text),
        **{name: exact(getattr(configuration, name)) for name in STATE_LIMITS},
        "idle_before_close": None if configuration.idle_before_close is None else exact(configuration.idle_before_close),
        "behaviour": {name: _plain(getattr(behaviour, name)) for name in BEHAVIOUR},
        "reopening": reopening_as_data(configuration.reopening),
    }


def _lossless(configuration: Configuration) -> dict[str, bool]:
    """That the network loses nothing, where it does not."""
    return {"lossless": True} if configuration.lossless else {}


def reopening_as_data(reopening: NextIncarnation) -> dict[str, Any]:
    """The opening of the next incarnation as plain data: of a handshake everything, else its kind alone."""
    if not reopening.handshake:
        return {"kind": str(reopening.kind)}
    data: dict[str, Any] = {entry.name: getattr(reopening, entry.name) for entry in fields(reopening)}
    for name in ("data_rate", "idle", "lifetime", "quiet"):
        data[name] = None if data[name] is None else exact(data[name])
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def _reopening(data: Mapping[str, Any]) -> NextIncarnation:
    kinds = {entry.name: entry.default for entry in fields(NextIncarnation)}
    _refuse_unknown(data, kinds, "the next incarnation")
    return NextIncarnation(**{name: _of_opening(name, kinds[name], value) for name, value in data.items()})


def _of_opening(name: str, default: Any, value: Any) -> Any:
    """The value of a field of the next incarnation from its plain form; it has the type of the default."""
    try:
        if isinstance(default, StrEnum):
            return type(default)(value)
        if isinstance(default, tuple):
            return _pair(value, _flag if type(default[0]) is bool else _count)
        if isinstance(default, bool):
            return _flag(value)
        return None if value is None and default is None else exact_number(value)
    except ValueError as problem:
        raise ValueError(f"{name} of the next incarnation: {problem}") from problem


def _pair(value: Any, of: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Something of A and of B, from its plain form."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{shown(value)} is no pair")
    return of(value[0]), of(value[1])


def _refuse_unknown(data: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse a key that states nothing: whoever wrote it believes that it counts."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{shown(data)} is not {where}")
    if unknown := [name for name in data if name not in known]:
        raise ValueError(f"{where} has no {shown(unknown[0])}")


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
        **_lossless(configuration),
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
        The data are not a configuration, or have a key that none has.
    """
    try:
        _refuse_unknown(data, (*(entry.name for entry in fields(Configuration)), *BESIDE), "a configuration")
        stated = data["behaviour"]
        _refuse_unknown(stated, BEHAVIOUR, "the behaviour")
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
            lossless=_flag(data.get("lossless", False)),
            scope=Scope(data["scope"]),
            both_close=_flag(data["both_close"]),
            text=_pair(data["text"], _count),
            **{name: exact_number(data.get(name, 0)) for name in STATE_LIMITS},
            idle_before_close=None if (idle := data.get("idle_before_close")) is None else exact_number(idle),
            behaviour=Behaviour(**behaviour),
            reopening=_reopening(data.get("reopening", {})),
        )
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise ConfigurationError(f"not a configuration: {_in_a_line(problem)}") from problem


def _in_a_line(problem: Exception) -> str:
    """A problem in a message: of a key that is missing, its name."""
    return f"it lacks {shown(problem.args[0])}" if isinstance(problem, KeyError) else visible(str(problem))
