"""The options of commands: their types, and the overrides that they state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

import click

from timewait.spec.assemble import Overrides
from timewait.spec.configuration import Scope
from timewait.spec.duration import parse_duration
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import DURATIONS, EVERY_ARRIVAL, SETTINGS, Arrival, Setting
from timewait.spec.stacks import Stack, load

Command = TypeVar("Command", bound=Callable[..., Any])


class Duration(click.ParamType[Fraction]):
    """A length of time such as ``250ms``, ``30s`` or ``2m``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        if isinstance(value, Fraction):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Durations(click.ParamType[tuple[Fraction, ...]]):
    """A schedule: lengths of time with commas between them."""

    name = "times"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Fraction, ...]:
        try:
            return tuple(parse_duration(part) for part in str(value).split(","))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Count(click.ParamType[int | None]):
    """A whole number that is not large, or ``any`` (None)."""

    name = "count"
    most = 12

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "any":
            return None
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither a whole number nor 'any'", param, ctx)
        if int(value) > self.most:
            self.fail(f"{value} is more than can be explored; {self.most} at most, or 'any'", param, ctx)
        return int(value)


class OctetPair(click.ParamType[tuple[int, int]]):
    """Two whole numbers, for A and for B."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r} is not two whole numbers, such as 1,1", param, ctx)
        if max(map(int, parts)) > 3:
            self.fail(f"{value!r}: more than 3 octets cannot be explored", param, ctx)
        return int(parts[0]), int(parts[1])


class Ratios(click.ParamType[tuple[Fraction, Fraction]]):
    """Two ratios, the lower one first."""

    name = "low,high"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Fraction, Fraction]:
        if isinstance(value, tuple):
            return value
        try:
            low, high = map(Fraction, str(value).split(","))
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not two ratios, such as 1/4,2", param, ctx)
        if not 0 < low <= high:
            self.fail(f"{value!r}: the lower ratio comes first, and is more than nought", param, ctx)
        return low, high


class Arrivals(click.ParamType[frozenset[Arrival] | str]):
    """Classes of segments, with commas between them, or one of some words."""

    name = "arrivals"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[Arrival] | str:
        if value in ("any", "none"):
            return EVERY_ARRIVAL if value == "any" else frozenset()
        if value in self.words:
            return str(value)
        try:
            return frozenset(Arrival(part) for part in str(value).split(","))
        except ValueError:
            known = ", ".join((*Arrival, "any", "none", *self.words))
            self.fail(f"{value!r} is none of {known}", param, ctx)


def _parameter(entry: Setting) -> click.ParamType[Any]:
    """The type of what the option of a setting takes."""
    if entry.name == "rto_max":
        return Durations()
    if entry.kind is Fraction:
        return Duration()
    if entry.kind is frozenset:
        return Arrivals("answered") if entry.alike else Arrivals()
    if entry.kind is int:
        return click.IntRange(0, 20)
    return click.Choice(entry.choices)


def setting_option(name: str, help_text: str | None = None) -> Callable[[Command], Command]:
    """The option that overrides a setting; its value is None where the option is absent.

    A schedule of retransmissions arrives under the name ``rto``, every other setting under its own.
    """
    entry = SETTINGS[name]
    destination = "rto" if name == "rto_max" else name
    if entry.kind is bool:
        return click.option(
            entry.option,
            destination,
            is_flag=True,
            callback=lambda _, __, value: (not entry.default) if value else None,
            help=entry.help,
        )
    return click.option(entry.option, destination, type=_parameter(entry), help=help_text or entry.help)


_SHARED = (
    *(setting_option(name) for name, entry in DURATIONS.items() if entry.option and name != "time_wait"),
    click.option("--exact-rto", is_flag=True, help="Retransmit exactly after RTO, instead of at any time up to it."),
    click.option(
        "--loss",
        type=Count(),
        default="1",
        show_default=True,
        help="Copies of the FIN/ACK exchange lost per loss window, or any.",
    ),
    click.option("--duplication", type=Count(), default="any", show_default=True, help="How often one copy may arrive again."),
    click.option("--fifo", is_flag=True, help="Copies of one direction arrive in the order sent."),
    click.option(
        "--scope",
        type=click.Choice([scope.value for scope in Scope]),
        default="close",
        show_default=True,
        help="The last exchange, or the whole close.",
    ),
    click.option("--data", type=OctetPair(), default="0,0", show_default=True, help="Octets that the users of A and B may send."),
    click.option("--stack", help="A profile by name (see 'timewait stacks') or a .toml file. [default: rfc9293-intended]"),
    *(setting_option(name) for name, entry in SETTINGS.items() if entry.option and name not in DURATIONS),
    click.option(
        "--property", "properties", multiple=True, type=click.Choice([*PROPERTIES]), help="What to ask; may be repeated."
    ),
    click.option(
        "--max-states", type=click.IntRange(min=1), default=3_000_000, show_default=True, help="Bound on states or zones."
    ),
    click.option(
        "--max-seconds", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True, help="Bound on time."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


def question_options(command: Command) -> Command:
    """Add the options that say what is asked."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def overrides_from(given: Mapping[str, Any], both_close: bool, stack: Stack) -> Overrides:
    """The overrides that the options state."""
    behaviour = {name: given[name] for name, entry in SETTINGS.items() if entry.option and name not in DURATIONS}
    for name, value in behaviour.items():
        if value == "answered":
            alike = SETTINGS[name].alike
            behaviour[name] = stack.require(alike) if given[alike] is None else given[alike]
        elif isinstance(value, str):
            behaviour[name] = SETTINGS[name].kind(value)
    if given["fin_wait_2"] is not None:
        behaviour["abandons"] = True
    return Overrides(
        **{name: given.get(name) for name in DURATIONS},
        behaviour=behaviour,
        rto=given["rto"],
        rto_exact=given["exact_rto"],
        loss=given["loss"],
        duplication=given["duplication"],
        fifo=given["fifo"],
        scope=Scope(given["scope"]),
        both_close=both_close,
        text=given["data"],
    )


def stack_of(given: dict[str, Any]) -> Stack:
    """The stack that the options name."""
    return load(given["stack"] or "rfc9293-intended")
