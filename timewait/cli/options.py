"""What the options of a command mean: text to durations, budgets, knobs and, in the end, a configuration."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import click

from timewait.spec.assemble import Overrides
from timewait.spec.configuration import Scope
from timewait.spec.duration import parse_duration
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, ResetRule
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


_SHARED = (
    click.option("--msl", type=Duration(), help="Maximum segment lifetime, for instance 30s."),
    click.option(
        "--rto", type=Durations(), help="Longest gap between transmissions; several with commas are a back-off schedule."
    ),
    click.option("--exact-rto", is_flag=True, help="Retransmit exactly after RTO, instead of at any time up to it."),
    click.option(
        "--rto-runs-on",
        is_flag=True,
        help="Acknowledgements do not restart the retransmission timer (RFC 6298 5.3 says they do).",
    ),
    click.option(
        "--loss", type=Count(), default="1", show_default=True, help="Copies of the FIN/ACK exchange lost per round, or any."
    ),
    click.option("--duplication", type=Count(), default="any", show_default=True, help="How often one copy may arrive again."),
    click.option("--fifo", is_flag=True, help="Copies of one direction arrive in the order sent."),
    click.option(
        "--scope",
        type=click.Choice([one.value for one in Scope]),
        default="close",
        show_default=True,
        help="The last exchange, or the whole close.",
    ),
    click.option("--data", type=OctetPair(), default="0,0", show_default=True, help="Octets that the users of A and B may send."),
    click.option("--stack", help="A profile by name (see 'timewait stacks') or a .toml file. [default: rfc9293-intended]"),
    click.option("--answers", type=Arrivals(), help="What TIME_WAIT answers: some of fin,unacceptable,ack,syn, or any, none."),
    click.option("--restarts", type=Arrivals("answered"), help="What restarts its timer: likewise, or answered."),
    click.option("--rst", type=click.Choice([one.value for one in ResetRule]), help="Which RST ends TIME_WAIT."),
    click.option("--orphan", is_flag=True, help="The user who closes reads no more: FIN_WAIT_2 timeouts then apply."),
    click.option("--fin-wait-2", type=Duration(), help="FIN_WAIT_2 timeout of an orphan."),
    click.option("--linger-zero", is_flag=True, help="CLOSE aborts, as with SO_LINGER {1,0}."),
    click.option(
        "--retries", type=click.IntRange(0, 20), help="Retransmissions of one segment before giving up. [default: no limit]"
    ),
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


def wishes(given: dict[str, Any], both_close: bool, stack: Stack) -> Overrides:
    """What the options state."""
    restarts = given["restarts"]
    if restarts == "answered":
        restarts = given["answers"] if given["answers"] is not None else stack.require("answers")
    return Overrides(
        msl=given["msl"],
        time_wait=given.get("time_wait"),
        rto=given["rto"],
        rto_exact=given["exact_rto"],
        fin_wait_2=given["fin_wait_2"],
        answers=given["answers"],
        restarts=restarts,
        reset=ResetRule(given["rst"]) if given["rst"] else None,
        loss=given["loss"],
        duplication=given["duplication"],
        fifo=given["fifo"],
        scope=Scope(given["scope"]),
        both_close=both_close,
        text=given["data"],
        orphan=given["orphan"] or given["fin_wait_2"] is not None,
        linger_zero=given["linger_zero"],
        retries=given["retries"],
        acks_restart_rto=not given["rto_runs_on"],
    )


def stack_of(given: dict[str, Any]) -> Stack:
    """The stack that the options name."""
    return load(given["stack"] or "rfc9293-intended")
