"""The values of a profile to which a verdict is due: those that another value turns into the verdict one expects.

The other value is that of RFC 9293 (intended reading); for TIME_WAIT the least that is enough, and for RTO the greatest. A value
counts only if an engine decides that the verdict changes with it; no guess is made from the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from timewait.checker.threshold import least_holding
from timewait.checker.time_unit import unit_of
from timewait.options import Options
from timewait.spec.duration import format_duration
from timewait.spec.durations import DURATIONS, NoLimit
from timewait.spec.settings import SETTINGS
from timewait.spec.stacks import DEFAULT_STACK, Stack, load_stack
from timewait.vocabulary.errors import RequestError

LONG = 16
"""The multiple of MSL + RTO that stands for a TIME_WAIT as long as anybody may need."""

SHORT = 4
"""The part of an MSL that is the shortest RTO tried: shorter ones take long to explore."""

FINER_UNIT = 10
"""The parts of the unit of all durations in which a limit is searched for."""

_SAFER = {"time_wait": 1, "rto_max": -1}
"""The durations of which a limit is searched for, with the direction in which they are safer."""

AsWished = Callable[[Options], bool]


class BlamedValue(NamedTuple):
    """A value of a profile to which a verdict is due.

    Attributes
    ----------
    setting : str
        Its name, which is its key in the profile.
    value, instead : str
        The value, and the one with which the verdict is another one, as words.
    """

    setting: str
    value: str
    instead: str


class _Change(NamedTuple):
    """Another value for a setting: in itself, and as a multiple of MSL where the standard states it so."""

    value: Any
    multiple: int | None = None


def blamed(options: Options, as_wished: AsWished, monotone: bool = True) -> tuple[tuple[BlamedValue, ...], ...]:
    """The values of the stack of a question to which its verdict is due.

    Parameters
    ----------
    options : Options
        The question. Settings that it overrides are not to blame.
    as_wished : callable
        Asks an engine whether the same question has the verdict that one expects.
    monotone : bool
        Whether a verdict that is as wished stays so with a longer TIME_WAIT and with a shorter RTO.

    Returns
    -------
    tuple of tuple of BlamedValue
        The ways to the expected verdict, each with the values that it needs together. There is one way, of as few values as
        possible; a second one only where TIME_WAIT alone gives the verdict and RTO alone too. Empty where nothing gives it.
    """
    return _Search(options, as_wished, monotone).ways()


class _Search:
    """A search for the values to blame, for one question.

    Parameters
    ----------
    options, as_wished, monotone
        As `blamed` takes them.
    """

    def __init__(self, options: Options, as_wished: AsWished, monotone: bool) -> None:
        self._options = options
        self._as_wished = as_wished
        self._monotone = monotone
        self._standard = _standard_values(options)

    def ways(self) -> tuple[tuple[BlamedValue, ...], ...]:
        """The ways to the expected verdict."""
        found = self._changes()
        ways = [self._limits(found)] if found else []
        if self._monotone and len(found) == 1:
            (name,) = found
            other = {"time_wait": "rto_max", "rto_max": "time_wait"}.get(name, "")
            change = self._extreme(other)
            if change is not None and self._holds({other: change}):
                further = self._limits({other: change})
                ways.insert(0 if other in self._standard else 1, further)  # a value that is not the standard's comes first
        return tuple(tuple(_described(self._options, name, change) for name, change in way.items()) for way in ways)

    def _changes(self) -> dict[str, _Change]:
        """As few changes as possible: with the values of the standard, else also with a TIME_WAIT that outlasts anything."""
        enough = self._extreme("time_wait")
        with_enough = {} if enough is None else {"time_wait": enough} | {**self._standard, "time_wait": enough}
        for changes in (self._standard, with_enough):
            found = _fewest(changes, self._holds)
            if found:
                return {name: changes[name] for name in found}
        return {}

    def _holds(self, changes: dict[str, _Change]) -> bool:
        changed = _changed(self._options, changes)
        return changed is not None and self._as_wished(changed)

    def _extreme(self, name: str) -> _Change | None:
        """A TIME_WAIT that outlasts anything, or the shortest RTO that is tried; None where the profile does not decide it."""
        if name not in DURATIONS or name not in self._options.stack.sources or self._stated(name):
            return None
        configuration = self._options.configuration()
        if name == "time_wait":
            return _Change(LONG * (configuration.msl + max(configuration.rto)))
        shortest = configuration.msl / SHORT
        return _Change(shortest) if shortest < max(configuration.rto) else None

    def _stated(self, name: str) -> bool:
        """Whether the question states a duration itself."""
        overrides = self._options.overrides
        return (overrides.rto if name == "rto_max" else overrides.value(name)) is not None

    def _limits(self, changes: dict[str, _Change]) -> dict[str, _Change]:
        """The same changes with the least TIME_WAIT and the greatest RTO that are enough, one after the other."""
        for name in _SAFER if self._monotone else ():
            if name in changes:
                changes = changes | {name: self._limit(name, changes)}
        return changes

    def _limit(self, name: str, changes: dict[str, _Change]) -> _Change:
        """The value next to the one that the profile states that is enough, beside the other changes."""
        stack, msl, sign = self._options.stack, self._options.configuration().msl, _SAFER[name]
        now, enough = (each.with_msl(msl).require(name) for each in (stack, _with_changes(stack, changes)))
        most = sign * (enough - now)
        if most <= 0:  # the standard is less safe here, so that it gives a violation that is expected
            return changes[name]
        unit = unit_of({**self._options.configuration().parameters, "most": most}) / FINER_UNIT
        least = least_holding(lambda more: self._holds(changes | {name: _Change(now + sign * more)}), unit, most)
        value = enough if least is None else now + sign * least
        return changes[name] if value == enough else _Change(value)


def _fewest(changes: dict[str, _Change], holds: Callable[[dict[str, _Change]], bool]) -> Sequence[str]:
    """One change that is enough by itself, else several of which none can be left out; empty where all are not enough."""
    for name, change in changes.items():
        if holds({name: change}):
            return [name]
    if len(changes) < 2 or not holds(changes):
        return []
    needed = dict(changes)
    for name in changes:
        fewer = {other: change for other, change in needed.items() if other != name}
        if holds(fewer):
            needed = fewer
    return [*needed]


def _standard_values(options: Options) -> dict[str, _Change]:
    """The values of the standard for the settings that the profile states otherwise and the question leaves to it."""
    standard, stack = load_stack(DEFAULT_STACK), options.stack
    alike = stack.alike & standard.alike
    stated = [name for name in SETTINGS if name in stack.sources and name not in alike and options.overrides.value(name) is None]
    changes = {name: _Change(standard.value(name), standard.multiples.get(name)) for name in stated if name not in _BOUNDS}
    msl = options.overrides.msl or stack.msl
    if msl is not None and "rto_max" in stated and options.overrides.rto is None and stack.require("rto_max") > msl:
        changes["rto_max"] = _Change(msl)
    return {name: change for name, change in changes.items() if _matters(options, name, change)}


_BOUNDS = ("msl", "rto_min", "rto_max", "retry_time")
"""Durations for which the standard has no value that is safer than another: RTO counts where it is longer than MSL."""


def _matters(options: Options, name: str, change: _Change) -> bool:
    changed = _changed(options, {name: change})
    return changed is not None and changed.configuration() != options.configuration()


def _changed(options: Options, changes: dict[str, _Change]) -> Options | None:
    """The same question about a stack with other values; None where it makes no sense with them."""
    changed = replace(options, stack=_with_changes(options.stack, changes))
    try:
        changed.configuration()
    except RequestError:
        return None
    return changed


def _with_changes(stack: Stack, changes: dict[str, _Change]) -> Stack:
    following = {name: changes[SETTINGS[name].alike] for name in stack.alike if SETTINGS[name].alike in changes}
    changes = following | changes
    durations: dict[str, Any] = {name: None if change.value is NoLimit.NONE else change.value for name, change in changes.items()}
    return replace(
        stack,
        has_time_wait=stack.has_time_wait or "time_wait" in changes,
        behaviour={**stack.behaviour} | {name: change.value for name, change in changes.items() if name not in DURATIONS},
        multiples={name: factor for name, factor in stack.multiples.items() if name not in changes}
        | {name: change.multiple for name, change in changes.items() if change.multiple is not None},
        without_limit=stack.without_limit - changes.keys()
        | {name for name, change in changes.items() if change.value is NoLimit.NONE},
        **{name: value for name, value in durations.items() if name in DURATIONS},
    )


def _described(options: Options, name: str, change: _Change) -> BlamedValue:
    msl = options.configuration().msl
    before, after = (stack.with_msl(msl) for stack in (options.stack, _with_changes(options.stack, {name: change})))
    return BlamedValue(name, before.described(name), _in_words(after, name, change))


def _in_words(stack: Stack, name: str, change: _Change) -> str:
    return format_duration(change.value) if isinstance(change.value, Fraction) and not change.multiple else stack.described(name)
