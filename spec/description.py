"""A configuration in a line of words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

from timewait.spec.assemble import Overrides, stack_defaults
from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.duration import format_duration
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.reopening import AnswerIsn, Crash, NextIncarnation, Paws, SynRule
from timewait.spec.setting import Setting
from timewait.spec.settings import BEHAVIOUR, Arrival, Behaviour, ResetRule
from timewait.spec.stacks import load_stack

ARRIVALS = {
    Arrival.FIN: "a retransmitted FIN",
    Arrival.UNACCEPTABLE: "a segment outside the window",
    Arrival.ACK: "a bare ACK",
    Arrival.BEYOND: "any other segment in the window",
    Arrival.SYN: "a SYN",
}
"""The classes of segments that may arrive in TIME-WAIT, in words."""

PAWS = {
    Paws.RFC_7323: "RFC 7323: no old segment but a RST passes",
    Paws.LINUX: "Linux: old RSTs pass, and bare ACKs that are next and acknowledge nothing new",
}
"""The check of timestamps, in words."""

RESETS = {
    ResetRule.IGNORE: "no RST ends it",
    ResetRule.EXACT: "a RST at RCV.NXT ends it",
    ResetRule.WINDOW: "a RST in the window ends it",
    ResetRule.ANY: "any RST ends it",
}
"""Which RST ends TIME-WAIT, in words."""

BASELINE = "rfc9293-intended"
"""The profile whose settings a line does not name unless it has other defaults: RFC 9293 (intended reading)."""

STATED = frozenset(
    (
        *("msl", "time_wait", "rto", "rto_exact", "rto_slack", "fin_wait_2", "loss", "duplication", "fifo", "scope"),
        *("both_close", "text", "behaviour", "reopening"),
    )
)
"""The fields of a configuration that its line states in words of their own."""

LISTED_GAPS = 3
"""Gaps of a schedule that are listed one by one."""


def configuration_in_words(
    configuration: Configuration,
    *,
    durations: bool = True,
    time_wait: bool = True,
    loss: bool = True,
    behaviour: bool = False,
    defaults: Mapping[str, object] | None = None,
) -> str:
    """Describe a configuration in a line: the durations, the network, the users, and every setting that is not the default.

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
        Whether to state the behaviour in sentences, in TIME-WAIT and elsewhere, in the place of options.
    defaults : mapping of str to object, optional
        The default of each setting of `timewait.spec.settings.BEHAVIOUR` and each limit of a state; a setting without one is
        named whatever it is. By default those of `BASELINE`.
    """
    parts = _durations(configuration, time_wait) if durations else []
    if loss:
        parts.append(f"loss {_bound(configuration.loss)}")
    parts.append(f"duplication {_bound(configuration.duplication)}")
    if configuration.fifo:
        parts.append("in order")
    if any(configuration.text):
        parts.append(f"text {','.join(map(str, configuration.text))}")
    parts.append(f"scope {configuration.scope}")
    parts.append("either end may close first" if configuration.both_close else "A closes first")
    in_sentence = {name for name, entry in BEHAVIOUR.items() if entry.matters_with == "time_wait"} if behaviour else set()
    others = other_settings(configuration, baseline() if defaults is None else defaults, in_sentence, sentences=behaviour)
    if not behaviour:
        parts += others
    if configuration.reopening.handshake:
        parts.append(reopening_in_words(configuration.reopening, configuration.msl))
    if not behaviour:
        return ", ".join(parts)
    stated = durations and time_wait and not configuration.behaviour.time_wait  # as no TIME_WAIT
    return "; ".join([", ".join(parts), *others, *([] if stated else [behaviour_in_words(configuration.behaviour)])])


@cache
def baseline() -> Mapping[str, object]:
    """The settings of `BASELINE`."""
    return stack_defaults(load_stack(BASELINE), Overrides())


def other_settings(
    configuration: Configuration, defaults: Mapping[str, object], left_out: Collection[str] = (), *, sentences: bool = False
) -> list[str]:
    """Every setting and condition that is not the default and that the line of a configuration states in no other way.

    Each is an option where there is one, such as ``--retries 3``. With `sentences`, those that matter alone, in a sentence where
    there is one. A new setting, and a new field of a configuration, appear by themselves.
    """
    found = []
    if configuration.behaviour.fin_wait_2:
        lasts = format_duration(configuration.fin_wait_2)
        found.append(f"FIN-WAIT-2 of an orphan lasts {lasts} at most" if sentences else f"--fin-wait-2 {lasts}")
    for name, entry in BEHAVIOUR.items():
        value = getattr(configuration.behaviour, name)
        matters = _matters(entry, configuration.behaviour)
        unknown = name not in defaults and (matters or value != entry.default)
        if entry.follows or name in left_out or not (unknown or value != defaults.get(name, value)):
            continue
        if not sentences:
            found.append(setting_in_words(entry, value))
        elif matters:
            found.append(_in_a_sentence(entry, value) or f"{entry.meaning}: {value_in_words(value)}")
    for field in fields(configuration):
        if field.name not in STATED:
            default = defaults.get(field.name, field.default)
            found += _differing(field.name, getattr(configuration, field.name), default)
    return found


def _matters(entry: Setting, behaviour: Behaviour) -> bool:
    """Whether a setting matters beside the others: one of an orphan does not where no user abandons a connection."""
    return getattr(behaviour, entry.matters_with, True) not in (None, False)


def _in_a_sentence(entry: Setting, value: object) -> str:
    """What a setting that is on or off says, as its option explains it; empty if that is no sentence of this value."""
    said = entry.help.removesuffix(".")
    if entry.kind is not bool or not said:
        return ""
    if value or entry.switch:
        return said if said[:2].isupper() else f"{said[0].lower()}{said[1:]}"
    return f"no {said.removeprefix('A ')}" if said.startswith("A RST") else ""


def _differing(name: str, value: object, default: object) -> list[str]:
    """A field with its value unless that is the default; of a structure the fields that differ."""
    if value == default:
        return []
    if is_dataclass(value):
        return [part for entry in fields(value) for part in _differing(entry.name, getattr(value, entry.name), entry.default)]
    return [f"{name.replace('_', ' ')} {value_in_words(value)}"]


def setting_in_words(entry: Setting, value: object) -> str:
    """A setting with its value, as the option that states it where there is one."""
    if not isinstance(value, bool):
        return f"{entry.option or entry.name} {value_in_words(value)}"
    if not entry.option or (entry.switch and value == entry.default):
        return f"{entry.name} {value_in_words(value)}"
    return entry.option if value or entry.switch else entry.negative


def value_in_words(value: object) -> str:
    """The value of a setting in a word, as an option takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ",".join(arrival for arrival in Arrival if arrival in value) or "none"
    if isinstance(value, Fraction):
        return format_duration(value)
    return "no limit" if value is None else str(value)


def reopening_in_words(reopening: NextIncarnation, msl: Fraction) -> str:
    """Describe how the next incarnation opens, where segments live `msl` seconds at most."""
    if not reopening.handshake:
        return "atomic reopen"
    parts = [f"reopen by a handshake, numbers {reopening.numbers}"]
    if derivation := reopening.derivation(msl):
        parts[0] += f": {derivation}"
    if reopening.checks_timestamps:
        parts.append(f"timestamps ({PAWS[reopening.paws]})")
    elif any(reopening.timestamps):
        alone = "A" if reopening.timestamps[0] else "B"
        parts.append(f"timestamps at {alone} alone, so none")
    if not reopening.checks_timestamps and reopening.paws is not Paws.RFC_7323:
        parts.append(f"--paws {reopening.paws} without timestamps")
    if reopening.early:
        parts.append("an end opens as soon as it is CLOSED")
    if reopening.syn is not SynRule.NEVER:
        isn = ", with any ISN" if reopening.isn is AnswerIsn.ANY else ""
        parts.append(f"a SYN opens in TIME-WAIT: {reopening.syn}{isn}")
    if reopening.old_syn:
        parts.append("an old SYN is in flight" + ("" if reopening.returns else ", and TIME-WAIT does not go on after it"))
    if reopening.ack_first:
        parts.append("SYN-RECEIVED looks at the ACK first")
    if reopening.crash is not Crash.NONE:
        lasting = "TIME_WAIT" if reopening.quiet is None else format_duration(reopening.quiet)
        parts.append(f"{reopening.crash.upper()} loses all memory and keeps quiet for {lasting}")
    if reopening.text != (1, 1):
        parts.append(f"new text {','.join(map(str, reopening.text))}")
    return "; ".join(parts)


def data_in_words(data: Mapping[str, Any], *, behaviour: bool = False) -> str:
    """Describe the configuration in plain data, such as a trace has; empty if they hold none.

    With `behaviour` a sentence states the behaviour in TIME-WAIT, in the place of its options.
    """
    try:
        return configuration_in_words(configuration_from_data(data), behaviour=behaviour)
    except ConfigurationError:
        return ""


def behaviour_in_words(behaviour: Behaviour) -> str:
    """Describe what an endpoint does in TIME-WAIT."""
    if not behaviour.time_wait:
        return "there is no TIME-WAIT"
    several = len(behaviour.restarts) > 1
    same = behaviour.restarts and behaviour.answers == behaviour.restarts
    restarts = "each restarts it" if same else f"{_arrivals(behaviour.restarts)} {'restart' if several else 'restarts'} it"
    return f"TIME-WAIT answers {_arrivals(behaviour.answers)}; {restarts}; {RESETS[behaviour.reset]}"


def _durations(configuration: Configuration, time_wait: bool) -> list[str]:
    parts = [f"MSL {format_duration(configuration.msl)}"]
    if time_wait:
        lasts = f"TIME_WAIT {format_duration(configuration.time_wait)}"
        parts.append(lasts if configuration.behaviour.time_wait else "no TIME_WAIT")
    return [*parts, gaps_in_words(configuration)]


def gaps_in_words(configuration: Configuration) -> str:
    """Describe the gaps between retransmissions, for instance ``RTO 200ms doubling to 2m, each up to 10ms late``."""
    gaps = configuration.rto
    texts = [*map(format_duration, gaps)]
    doubling = all(later == min(2 * gap, gaps[-1]) for gap, later in pairwise(gaps))
    text = f"{texts[0]} doubling to {texts[-1]}" if len(gaps) > LISTED_GAPS and doubling else ", ".join(texts)
    if not configuration.rto_exact:
        return f"RTO up to {text}"
    if not configuration.rto_slack:
        return f"RTO exactly {text}"
    return f"RTO {text}{', each' if len(gaps) > 1 else ''} up to {format_duration(configuration.rto_slack)} late"


def _bound(bound: int | None) -> str:
    return "any" if bound is None else str(bound)


def _arrivals(arrivals: Collection[Arrival]) -> str:
    *most, last = [name for arrival, name in ARRIVALS.items() if arrival in arrivals] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
