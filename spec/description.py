"""A configuration in a line of words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.duration import format_duration
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.settings import Arrival, Behaviour, ResetRule

ARRIVALS = {
    Arrival.FIN: "a retransmitted FIN",
    Arrival.UNACCEPTABLE: "a segment outside the window",
    Arrival.ACK: "a bare ACK",
    Arrival.BEYOND: "any other segment in the window",
    Arrival.SYN: "a SYN",
}
"""The classes of segments that may arrive in TIME-WAIT, in words."""

RESETS = {
    ResetRule.IGNORE: "no RST ends it",
    ResetRule.EXACT: "a RST at RCV.NXT ends it",
    ResetRule.WINDOW: "a RST in the window ends it",
    ResetRule.ANY: "any RST ends it",
}
"""Which RST ends TIME-WAIT, in words."""


def configuration_in_words(
    configuration: Configuration, *, durations: bool = True, time_wait: bool = True, loss: bool = True, behaviour: bool = False
) -> str:
    """Describe a configuration in a line.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    durations : bool
        Whether to state MSL, TIME-WAIT and RTO.
    time_wait : bool
        Whether to state TIME-WAIT, if durations are stated.
    loss : bool
        Whether to state the loss budget.
    behaviour : bool
        Whether to state the behaviour in TIME-WAIT.
    """
    parts = _durations(configuration, time_wait) if durations else []
    if loss:
        parts.append(f"loss {_bound(configuration.loss)}")
    parts.append(f"duplication {_bound(configuration.duplication)}")
    if configuration.fifo:
        parts.append("in order")
    parts.append(f"scope {configuration.scope}")
    parts.append("either end may close first" if configuration.both_close else "A closes first")
    return ", ".join(parts) + (f"; {behaviour_in_words(configuration.behaviour)}" if behaviour else "")


def data_in_words(data: Mapping[str, Any]) -> str:
    """Describe the configuration in plain data, such as a trace has; empty if they hold none."""
    try:
        return configuration_in_words(configuration_from_data(data))
    except ConfigurationError:
        return ""


def behaviour_in_words(behaviour: Behaviour) -> str:
    """Describe what an endpoint does in TIME-WAIT."""
    if not behaviour.time_wait:
        return "there is no TIME-WAIT"
    same = behaviour.answers == behaviour.restarts
    restarts = "each restarts it" if same else f"{_arrivals(behaviour.restarts)} restarts it"
    return f"TIME-WAIT answers {_arrivals(behaviour.answers)}; {restarts}; {RESETS[behaviour.reset]}"


def _durations(configuration: Configuration, time_wait: bool) -> list[str]:
    parts = [f"MSL {format_duration(configuration.msl)}"]
    if time_wait:
        lasts = f"TIME_WAIT {format_duration(configuration.time_wait)}"
        parts.append(lasts if configuration.behaviour.time_wait else "no TIME_WAIT")
    bound = "exactly" if configuration.rto_exact else "up to"
    return [*parts, f"RTO {bound} {', '.join(map(format_duration, configuration.rto))}"]


def _bound(bound: int | None) -> str:
    return "any" if bound is None else str(bound)


def _arrivals(arrivals: Collection[Arrival]) -> str:
    *most, last = [name for arrival, name in ARRIVALS.items() if arrival in arrivals] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
