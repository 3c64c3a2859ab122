"""The values of a profile to which a verdict is due: those that another value turns into the verdict one expects.

The other value is that of RFC 9293 (intended reading). A value counts only if an engine decides that the verdict changes with
it; no guess is made from the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from timewait.options import Options
from timewait.spec.duration import format_duration
from timewait.spec.settings import DURATIONS, SETTINGS, NoLimit
from timewait.spec.stacks import DEFAULT_STACK, Stack, load_stack
from timewait.vocabulary.errors import RequestError

LONG = 16
"""The multiple of MSL + RTO that stands for a TIME_WAIT as long as anybody may need."""

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


def blamed(options: Options, as_wished: AsWished) -> tuple[BlamedValue, ...]:
    """The values of the stack of a question to which its verdict is due.

    Parameters
    ----------
    options : Options
        The question. Settings that it overrides are not to blame.
    as_wished : callable
        Asks an engine whether the same question has the verdict that one expects.

    Returns
    -------
    tuple of BlamedValue
        One value, where another one alone gives the expected verdict; else several of which all are needed; empty where even
        all together do not.
    """
    standard = _standard_values(options)

    def holds(changes: dict[str, _Change]) -> bool:
        changed = _changed(options, changes)
        return changed is not None and as_wished(changed)

    for changes in (standard, _with_long_time_wait(options, standard)):
        found = _fewest(changes, holds)
        if found:
            return tuple(_described(options, name, changes[name]) for name in found)
    return ()


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


_BOUNDS = ("msl", "rto_min", "rto_max")
"""Durations for which the standard has no value that is safer than another: RTO counts where it is longer than MSL."""


def _matters(options: Options, name: str, change: _Change) -> bool:
    changed = _changed(options, {name: change})
    return changed is not None and changed.configuration() != options.configuration()


def _with_long_time_wait(options: Options, changes: dict[str, _Change]) -> dict[str, _Change]:
    """The same changes with a TIME_WAIT that outlasts anything; none where the profile does not decide TIME_WAIT."""
    if "time_wait" not in options.stack.sources or options.overrides.value("time_wait") is not None:
        return {}
    configuration = options.configuration()
    return {"time_wait": _Change(LONG * (configuration.msl + max(configuration.rto)))} | {
        name: change for name, change in changes.items() if name != "time_wait"
    }


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
