"""A configuration as plain data and back, for reports and certificates; durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, ConfigurationError, Scope
from timewait.spec.settings import Arrival, Behaviour, ResetRule


def plain(configuration: Configuration) -> dict[str, Any]:
    """Everything that a verdict depends on."""
    behaviour = configuration.behaviour
    return {
        "msl": exact(configuration.msl),
        "time_wait": exact(configuration.time_wait),
        "rto": [exact(gap) for gap in configuration.rto],
        "rto_exact": configuration.rto_exact,
        "fin_wait_2": exact(configuration.fin_wait_2),
        "loss": configuration.loss,
        "duplication": configuration.duplication,
        "fifo": configuration.fifo,
        "scope": str(configuration.scope),
        "both_close": configuration.both_close,
        "text": list(configuration.text),
        "behaviour": {
            entry.name: sorted(value) if isinstance(value := getattr(behaviour, entry.name), frozenset) else value
            for entry in fields(Behaviour)
        },
    }


def exact(value: Fraction) -> int | float | str:
    """A number as JSON: whole or a float where that is exact, else the fraction as text."""
    if value.denominator == 1:
        return value.numerator
    return float(value) if Fraction(str(float(value))) == value else str(value)


def configuration_of(data: Mapping[str, Any]) -> Configuration:
    """The configuration that `plain` wrote.

    Raises
    ------
    ConfigurationError
        The data are not a configuration.
    """
    try:
        behaviour = dict(data["behaviour"])
        behaviour["answers"] = frozenset(Arrival(entry) for entry in behaviour["answers"])
        behaviour["restarts"] = frozenset(Arrival(entry) for entry in behaviour["restarts"])
        behaviour["reset"] = ResetRule(behaviour["reset"])
        return Configuration(
            msl=Fraction(str(data["msl"])),
            time_wait=Fraction(str(data["time_wait"])),
            rto=tuple(Fraction(str(gap)) for gap in data["rto"]),
            rto_exact=bool(data["rto_exact"]),
            fin_wait_2=Fraction(str(data["fin_wait_2"])),
            loss=data["loss"],
            duplication=data["duplication"],
            fifo=bool(data["fifo"]),
            scope=Scope(data["scope"]),
            both_close=bool(data["both_close"]),
            text=(int(data["text"][0]), int(data["text"][1])),
            behaviour=Behaviour(**behaviour),
        )
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise ConfigurationError(f"not a configuration: {problem!r}") from problem
