"""What an answer rests on: every setting, condition and abstraction, and what an engine says where one is otherwise.

The settings come from `timewait.spec.settings`, the abstractions from `timewait.spec.abstractions`: a new one appears by itself.
Nothing here states an effect. Each is found by asking the engines the same question with one value changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from timewait.api import SAFE, check, threshold
from timewait.checker.finding import Budget
from timewait.checker.threshold import InconclusiveAnswer
from timewait.checker.verdict import Verdict
from timewait.options import Options
from timewait.results import CheckResult
from timewait.spec.abstractions import Abstraction, abstractions_of
from timewait.spec.assemble import Overrides, stack_defaults
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.description import gaps_in_words, reopening_in_words, value_in_words
from timewait.spec.duration import format_duration
from timewait.spec.durations import DURATIONS
from timewait.spec.reopening import NextIncarnation, Numbers, Reopen
from timewait.spec.setting import InProfile, Setting
from timewait.spec.settings import BEHAVIOUR, EVERY_ARRIVAL, SETTINGS
from timewait.vocabulary.errors import RequestError

RETRIES = 3
"""The limit on retransmissions to try where a stack states none."""


@dataclass(frozen=True)
class Neighbour:
    """The same question with one value changed.

    Attributes
    ----------
    value : str
        The other value, in words.
    changed : mapping of str to Verdict
        The properties whose verdict is another with the other value; inconclusive where no engine decided within its bounds.
    overrides : mapping of str to object
        What states the other value: fields of `timewait.spec.assemble.Overrides`, and settings of its behaviour.
    """

    value: str
    changed: Mapping[str, Verdict]
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Assumption:
    """A value that an answer rests on.

    Attributes
    ----------
    name : str
        What has the value, in words.
    value : str
        The value, in words.
    source : str
        The section or file that states it, ``option`` where an option does, or ``default``.
    option : str
        The option that changes it; empty if there is none.
    otherwise : tuple of Neighbour
        What engines found for other values; empty where none was asked.
    not_asked : tuple of str
        The other values that no engine was asked about because the time for all questions was over.
    """

    name: str
    value: str
    source: str
    option: str = ""
    otherwise: tuple[Neighbour, ...] = ()
    not_asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Basis:
    """What an answer rests on.

    Attributes
    ----------
    assumptions : tuple of Assumption
        Every setting and condition.
    abstractions : tuple of Abstraction
        What the specification leaves out and could change a verdict; no engine can say how.
    """

    assumptions: tuple[Assumption, ...]
    abstractions: tuple[Abstraction, ...]

    def as_json(self) -> dict[str, Any]:
        """The basis as plain data; ``otherwise`` is empty where no engine was asked."""
        return {
            "assumptions": [
                {
                    "name": entry.name,
                    "value": entry.value,
                    "source": entry.source,
                    "option": entry.option,
                    "otherwise": [
                        {
                            "value": other.value,
                            "changed": {name: str(verdict) for name, verdict in other.changed.items()},
                        }
                        for other in entry.otherwise
                    ],
                    "not_asked": [*entry.not_asked],
                }
                for entry in self.assumptions
            ],
            "left_out": [
                {
                    "name": entry.name,
                    "what": entry.left_out,
                    "otherwise": entry.otherwise,
                    "properties": [*entry.properties],
                    "source": entry.source,
                    "option": entry.option,
                }
                for entry in self.abstractions
            ],
        }


Change = tuple[str, dict[str, Any]]
"""Another value in words, and the overrides that state it."""


@dataclass(frozen=True)
class _Condition:
    """A condition of the network or the users: its name, option, value in words, and other values."""

    name: str
    option: str
    value: Callable[[Configuration], str]
    others: Callable[[Configuration], Sequence[Change]]


def _count(value: int | None) -> str:
    return "any number" if value is None else str(value)


def _losses(configuration: Configuration) -> Sequence[Change]:
    if configuration.loss is None:
        return [("1", {"loss": 1})]
    return [(_count(loss), {"loss": loss}) for loss in (configuration.loss - 1, configuration.loss + 1, None) if loss != -1]


def _duplications(configuration: Configuration) -> Sequence[Change]:
    return [("none", {"duplication": 0}) if configuration.duplication is None else ("any number", {"duplication": None})]


def _orders(configuration: Configuration) -> Sequence[Change]:
    return [("any", {"fifo": False}) if configuration.fifo else ("as sent", {"fifo": True})]


def _closers(configuration: Configuration) -> Sequence[Change]:
    if configuration.scope is Scope.CORE:
        return []
    both = configuration.both_close
    return [("A", {"both_close": False}) if both else ("A, B, or both at once", {"both_close": True})]


def _texts(configuration: Configuration) -> Sequence[Change]:
    if configuration.scope is Scope.CORE:
        return []
    if any(configuration.text):
        return [("none", {"text": (0, 0)})]
    return [(f"{text[0]} and {text[1]} octets", {"text": text}) for text in ((1, 0), (0, 1))]


def _openings(configuration: Configuration) -> Sequence[Change]:
    """The other kind of opening; of a handshake other numbers, and timestamps."""
    if configuration.scope is Scope.CORE:
        return []
    handshake = NextIncarnation(kind=Reopen.HANDSHAKE)
    if not configuration.reopening.handshake:
        others = [handshake, replace(handshake, numbers=Numbers.ABOVE), replace(handshake, timestamps=(True, True))]
    else:
        numbers = [replace(handshake, numbers=each) for each in Numbers if each is not Numbers.CLOCK]
        others = [NextIncarnation(), *numbers, replace(handshake, timestamps=(True, True))]
    different = [other for other in others if other != configuration.reopening]
    return [(reopening_in_words(other, configuration.msl), {"reopening": other}) for other in different]


def _scopes(configuration: Configuration) -> Sequence[Change]:
    if configuration.scope is Scope.CORE:
        return [("the whole close", {"scope": Scope.CLOSE})]
    alone = {"scope": Scope.CORE, "both_close": False, "text": (0, 0)}
    return [("the last exchange", alone)]


CONDITIONS = (
    _Condition("copies lost in a loss window", "--loss", lambda at: _count(at.loss), _losses),
    _Condition("times that a copy arrives again", "--duplication", lambda at: _count(at.duplication), _duplications),
    _Condition("order of arrival", "--fifo", lambda at: "as sent" if at.fifo else "any", _orders),
    _Condition("closes first", "--closers", lambda at: "A, B, or both at once" if at.both_close else "A", _closers),
    _Condition("text that the users send", "--data", lambda at: _text(at.text), _texts),
    _Condition("opening of the next incarnation", "--reopen", lambda at: reopening_in_words(at.reopening, at.msl), _openings),
    _Condition("explored", "--scope", lambda at: _scope(at.scope), _scopes),
)
"""The conditions of the network and the users."""


OF_CONDITIONS = ("loss", "duplication", "fifo", "scope", "both_close", "text", "reopening")
"""The fields of a configuration that the conditions read."""


def _text(text: tuple[int, int]) -> str:
    return f"{text[0]} and {text[1]} octets" if any(text) else "none"


def _scope(scope: Scope) -> str:
    return "the last exchange" if scope is Scope.CORE else "the whole close"


def other_values(entry: Setting, value: Any) -> list[Any]:
    """Other values of a setting, by its kind."""
    if entry.kind is bool:
        return [not value]
    if entry.kind is frozenset:
        return [other for other in dict.fromkeys((entry.default, frozenset(), EVERY_ARRIVAL)) if other != value]
    if entry.kind is int:
        return [RETRIES if value is None else None]
    if issubclass(entry.kind, StrEnum):
        return [other for other in entry.kind if other is not value]
    return []


def basis_of(options: Options, result: CheckResult, bounds: Budget | None = None, seconds: float = 0.0) -> Basis:
    """What an answer rests on.

    Parameters
    ----------
    options : Options
        The question.
    result : CheckResult
        Its answer.
    bounds : Budget, optional
        The bounds on each question about another value; without them no engine is asked.
    seconds : float
        The time for all those questions together, in seconds.
    """
    configuration = result.configuration
    asked = _asking(options, result, bounds, seconds) if bounds is not None else _nothing
    longer = _least_safe(options, result, bounds, seconds) if bounds is not None and seconds > 0 else []
    entries = [*_durations(options, result, longer), *_conditions(configuration), *_settings(options, configuration)]
    names = [answer.name for answer in result.answers]
    return Basis(
        tuple(_with_answers(entry, asked(changes)) for entry, changes in entries),
        abstractions_of(configuration, options.stack.name, names),
    )


def _with_answers(entry: Assumption, replies: Iterable[Neighbour | str]) -> Assumption:
    """The assumption with the answers about its other values, and the values that were not asked about."""
    found = [*replies]
    answered = tuple(reply for reply in found if isinstance(reply, Neighbour))
    return replace(entry, otherwise=answered, not_asked=tuple(reply for reply in found if isinstance(reply, str)))


Alternatives = tuple[Assumption, Sequence[Change]]
"""An assumption, and the other values to ask about."""


def _durations(options: Options, result: CheckResult, longer: Sequence[Change]) -> Iterator[Alternatives]:
    """The durations; other values are asked of the MSL, TIME_WAIT and the RTO. ``timewait threshold`` computes every effect."""
    configuration = result.configuration
    others = {"msl": _lifetimes(result), "time_wait": longer}
    for name, entry in DURATIONS.items():
        if name not in GAPS and _lasts(name, entry, configuration):
            length = _length(name, configuration)
            yield Assumption(entry.meaning, length, _source(options, name), entry.option), others.get(name, ())
    gaps = gaps_in_words(configuration).removeprefix("RTO ")
    gap = Assumption("gap between two transmissions", gaps, _source(options, "rto_max"), DURATIONS["rto_max"].option)
    yield gap, _other_gaps(result)


def _lifetimes(result: CheckResult) -> list[Change]:
    """Half the MSL and twice the MSL, with the TIME_WAIT and the RTO of the question, which may follow from the MSL."""
    at = (result.any_gap or result).configuration
    kept = {"rto": at.rto} | ({"time_wait": at.time_wait} if at.behaviour.time_wait else {})
    return [(f"{format_duration(msl)}, all else as here", {"msl": msl, **kept}) for msl in (at.msl / 2, at.msl * 2)]


def _other_gaps(result: CheckResult) -> list[Change]:
    """Half the longest gap and twice the longest gap."""
    longest = max((result.any_gap or result).configuration.rto)
    return [(f"up to {format_duration(rto)}", {"rto": (rto,)}) for rto in (longest / 2, longest * 2)]


def _least_safe(options: Options, result: CheckResult, bounds: Budget, seconds: float) -> list[Change]:
    """The least safe TIME_WAIT where the one asked about is too short, if it is found in a third of the time."""
    base = result.any_gap or result
    broken = tuple(answer.name for answer in base.answers if answer.name in SAFE and answer.verdict is Verdict.VIOLATED)
    if not broken or not base.configuration.behaviour.time_wait:
        return []
    end = time.monotonic() + seconds / 3

    def over() -> bool:
        return bounds.interrupted() or time.monotonic() >= end

    wide = replace(options, schedule="any", properties=broken)
    try:
        least = threshold(wide, budget=replace(bounds, interrupted=over)).least
    except (InconclusiveAnswer, RequestError):
        return []
    return [] if least is None else [(f"{format_duration(least)}, the least safe", {"time_wait": least})]


GAPS = ("rto_min", "rto_max", "retry_time")
"""The durations of retransmission: one assumption names the gaps together, and `retries` stands for the time."""


def _lasts(name: str, entry: Setting, configuration: Configuration) -> bool:
    """Whether a duration matters."""
    early = configuration.behaviour.abandons and configuration.behaviour.clock_before_close
    return _applies(entry, configuration) and (name != "idle_before_close" or early)


def _length(name: str, configuration: Configuration) -> str:
    """A duration in words; of a state without a limit, that it has none."""
    length = getattr(configuration, name)
    if length is None:
        return "any"
    if DURATIONS[name].may_lack_limit and not getattr(configuration.behaviour, name):
        return "no limit"
    return format_duration(length)


def _settings(options: Options, configuration: Configuration) -> Iterator[Alternatives]:
    for name, entry in BEHAVIOUR.items():
        if entry.follows or not _applies(entry, configuration):
            continue
        value = getattr(configuration.behaviour, name)
        changes = [(value_in_words(other), {name: other}) for other in other_values(entry, value)]
        yield Assumption(entry.meaning, _chosen(options, entry, value), _source(options, name), entry.option), changes


def _chosen(options: Options, entry: Setting, value: Any) -> str:
    """The value of a setting in words, and that of the profile where it is reported and not used."""
    words, stated = value_in_words(value), options.stack.value(entry.name)
    if not _unused(options, entry.name) or stated is None:
        return words
    return f"{words}; the value of the profile, {value_in_words(stated)}, is not used without {entry.option}"


def _unused(options: Options, name: str) -> bool:
    """Whether a profile states a setting for readers alone, and no option states it."""
    return SETTINGS[name].profile is InProfile.REPORTED and options.overrides.value(name) is None


def _applies(entry: Setting, configuration: Configuration) -> bool:
    """Whether a setting matters: the one that it depends on is on."""
    return not entry.matters_with or bool(getattr(configuration.behaviour, entry.matters_with, True))


def _conditions(configuration: Configuration) -> Iterator[Alternatives]:
    usual = Overrides()
    defaults = replace(configuration, **{name: getattr(usual, name) for name in OF_CONDITIONS})
    for condition in CONDITIONS:
        value = condition.value(configuration)
        source = "default" if value == condition.value(defaults) else "option"
        yield Assumption(condition.name, value, source, condition.option), condition.others(configuration)


def _source(options: Options, name: str) -> str:
    """Who states a value: an option that differs from the stack, the source in the profile, or the default."""
    stated = options.stack.sources.get(name)
    if name == "rto_max":
        return "option" if options.overrides.rto else "default" if stated is None else stated.where
    overridden = options.overrides.value(name)
    usual = options.stack.value(name) if name in DURATIONS else stack_defaults(options.stack, options.overrides).get(name)
    if overridden is not None and overridden != usual:
        return "option"
    if _unused(options, name):
        return "default"
    return "default" if stated is None else stated.where


def _nothing(changes: Sequence[Change]) -> Iterator[Neighbour | str]:
    """No engine is asked."""
    del changes
    return iter(())


def _asking(
    options: Options, result: CheckResult, bounds: Budget, seconds: float
) -> Callable[[Sequence[Change]], Iterator[Neighbour | str]]:
    """A function that asks the engines about other values, as long as there is time; then it yields the values alone."""
    end = time.monotonic() + seconds
    base = result.any_gap or result
    known = {answer.name: answer.verdict for answer in base.answers}
    wide = replace(options, schedule="any", properties=tuple(known))

    def ask(changes: Sequence[Change]) -> Iterator[Neighbour | str]:
        for value, overrides in changes:
            if time.monotonic() >= end:
                yield value
            elif (found := _neighbour(wide, value, overrides, known, bounds)) is not None:
                yield found

    return ask


def _neighbour(
    options: Options, value: str, changes: Mapping[str, Any], known: Mapping[str, Verdict], bounds: Budget
) -> Neighbour | None:
    """The answers with one value changed; None where the options then make no sense."""
    stated = {name: other for name, other in changes.items() if name in BEHAVIOUR and name not in DURATIONS}
    overrides: Overrides = replace(
        options.overrides,
        behaviour={**options.overrides.behaviour} | stated,
        **{name: other for name, other in changes.items() if name not in stated},
    )
    try:
        found = check(replace(options, overrides=overrides), budget=bounds.fresh())
    except RequestError:
        return None
    changed = {answer.name: answer.verdict for answer in found.answers if answer.verdict is not known[answer.name]}
    return Neighbour(value, changed, changes)


def effect_in_words(neighbour: Neighbour) -> str:
    """What another value changes, in a clause."""
    parts = [f"{name} {str(verdict).upper()}" for name, verdict in neighbour.changed.items()]
    return f"{neighbour.value}: {', '.join(parts) or 'no verdict changes'}"


def effects_in_words(entry: Assumption) -> list[str]:
    """What other values of an assumption change, a clause each, and the values that no engine was asked about."""
    effects = [*map(effect_in_words, entry.otherwise)]
    return [*effects, f"not asked, the time was over: {', '.join(entry.not_asked)}"] if entry.not_asked else effects


SECONDS_FOR_EACH = Fraction(3)
"""The time for one question about another value."""

SECONDS_FOR_ALL = Fraction(30)
"""The time for all questions about other values."""
