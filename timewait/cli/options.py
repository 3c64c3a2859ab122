"""The options of a question on the command line, and the `Options` that they state."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal

import click
from click.core import ParameterSource

from timewait.checker.worker_pool import is_cluster
from timewait.cli.session import note_assumptions
from timewait.cli.value_types import DURATION, Command, FiniteRange, Parsed, WordChoice, complete_stack
from timewait.machine.reading import this_host_profile
from timewait.options import (
    KEYWORDS,
    SECONDS,
    STATES,
    TIMESTAMPS,
    Options,
    arrivals,
    count,
    duration,
    octets,
    restarting,
    schedule,
)
from timewait.spec.configuration import Scope
from timewait.spec.durations import NoLimit
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import Crash, Numbers, Reopen
from timewait.spec.setting import Setting
from timewait.spec.settings import SETTINGS
from timewait.spec.stacks import DEFAULT_STACK

MSL = Fraction(30)
"""In seconds: the MSL of commands that need one where neither an option nor the stack states it."""

MOST_RETRIES = 20
"""The largest number that an option takes."""


COUNT = Parsed("count", count)
LIMIT = Parsed("time", lambda text: NoLimit.NONE if text == NoLimit.NONE else duration(text))


WIDEST_METAVAR = 45
"""The most characters of the choices that the help of an option shows beside its name; more are listed in its text."""


def _type(entry: Setting) -> click.ParamType[Any]:
    """The type of the option that overrides a setting."""
    if entry.name == "rto_max":
        return Parsed("times", schedule)
    if entry.kind is Fraction:
        return LIMIT if entry.may_lack_limit or entry.name == "time_wait" else DURATION
    if entry.kind is frozenset:
        return Parsed("arrivals", restarting if entry.alike else arrivals)
    return click.IntRange(0, MOST_RETRIES) if entry.kind is int else WordChoice(entry.choices)


def setting_option(name: str, help_text: str | None = None) -> Callable[[Command], Command]:
    """The option that overrides a setting; its value is None, or False for a switch, where the option is absent."""
    entry = SETTINGS[name]
    if entry.kind is bool:
        if entry.switch:
            return click.option(entry.option, is_flag=True, help=entry.help)
        return click.option(f"{entry.option}/{entry.negative}", default=None, help=entry.help)
    taken, said = _type(entry), help_text or entry.help
    if not isinstance(taken, click.Choice) or len("|".join(taken.choices)) <= WIDEST_METAVAR:
        return click.option(entry.option, type=taken, help=said)
    return click.option(entry.option, type=taken, metavar="RULE", help=f"{said} One of {', '.join(taken.choices)}.")


_NETWORK = (
    click.option("--exact-rto", is_flag=True, help="Retransmit exactly after RTO, instead of at any time up to it."),
    click.option(
        "--rto-slack", type=DURATION, help="How late a retransmission may be at an instant of --exact-rto or of the stack."
    ),
    click.option(
        "--loss", type=COUNT, default="1", show_default=True, help="Copies of the FIN/ACK exchange lost per loss window, or any."
    ),
    click.option("--duplication", type=COUNT, default="any", show_default=True, help="How often one copy may arrive again."),
    click.option("--fifo", is_flag=True, help="Copies of one direction arrive in the order sent."),
    click.option(
        "--scope",
        type=WordChoice([scope.value for scope in Scope]),
        default="close",
        show_default=True,
        help="The last exchange, or the whole close.",
    ),
    click.option(
        "--data",
        type=Parsed("a,b", octets),
        default="0,0",
        show_default=True,
        help="Octets that the users of A and B may send.",
    ),
)
_REOPENING = (
    click.option(
        "--reopen",
        type=WordChoice([*map(str, Reopen)]),
        default="atomic",
        show_default=True,
        help="The next incarnation: open at once, or by a handshake.",
    ),
    click.option(
        "--numbers", type=WordChoice([*map(str, Numbers)]), help="Handshake: old numbers among the new ones. [default: worst]"
    ),
    click.option("--timestamps", type=WordChoice([*TIMESTAMPS]), help="Handshake: ends with timestamps. [default: none]"),
    click.option("--early", is_flag=True, help="Handshake: an end opens as soon as it is CLOSED, whatever the other end does."),
    click.option("--old-syn", is_flag=True, help="Handshake: an old SYN of B, with a number above all others, is in flight."),
    click.option(
        "--crash", type=WordChoice([*map(str, Crash)]), help="Handshake: the end whose host loses all memory. [default: none]"
    ),
    click.option("--quiet", type=DURATION, help="How long that end keeps quiet before it opens. [default: TIME_WAIT]"),
    click.option("--new-data", type=Parsed("a,b", octets), help="Handshake: octets of the next incarnation. [default: 1,1]"),
    click.option("--data-rate", type=click.IntRange(min=0), help="Numbers by the clock: octets a second of the old connection."),
    click.option("--idle", type=DURATION, help="Numbers by the clock: time from the last old number to the new ISN, at least."),
    click.option("--lifetime", type=DURATION, help="Numbers by the clock: how long the old connection lasted, at most."),
)
_BUDGET = (
    click.option("--max-states", type=click.IntRange(min=1), default=STATES, show_default=True, help="Bound on states or zones."),
    click.option(
        "--max-seconds",
        type=FiniteRange(min=0, min_open=True),
        default=SECONDS,
        show_default=True,
        help="Bound on time, in seconds.",
    ),
)


def cluster(text: str) -> str:
    """The name of a Ray cluster (`timewait.checker.worker_pool.is_cluster`); empty, the default, is none."""
    if text and not is_cluster(text):
        raise ValueError(f"{text!r} is no Ray cluster; give ray for one on this machine, or an address such as ray://head:10001")
    return text


CLUSTER_OPTION = click.option(
    "--on", "cluster", type=Parsed("cluster", cluster), default="", help="A Ray cluster: ray (this machine), or ray://HOST:PORT."
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Threads of an exploration of many states in ticks.",
)
_STACK = click.option(
    "--stack",
    shell_complete=complete_stack,
    help=f"A profile by name (see 'timewait stacks') or a .toml file. [default: {DEFAULT_STACK}]",
)
_SCHEDULE = click.option(
    "--schedule",
    type=WordChoice(["stack", "any"]),
    default="stack",
    show_default=True,
    help="Without --rto: retransmissions at the instants of the stack, or at any up to its greatest RTO.",
)
_HOST = click.option("--host", is_flag=True, help="Take the settings of this machine as the stack.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
PROPERTY_OPTION = click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME",
    type=WordChoice([*PROPERTIES]),
    help=f"A property; may be repeated. One of {', '.join(PROPERTIES)}.",
)


def question_options(
    *,
    closers: str,
    time_wait: str = "the stack's",
    engines: Sequence[str] = (),
    stacks: Literal["named", "host", "both"] = "named",
    properties: bool = True,
    schedules: bool = False,
    notes: bool = True,
) -> Callable[[Command], Command]:
    """Add the options of a question; the command gets them as ``options``, an `Options`, and ``--json`` as ``as_json``.

    Parameters
    ----------
    closers : str
        The default of ``--closers``: ``a`` or ``both``.
    time_wait : str
        Whose TIME_WAIT is the default; empty where the command has no ``--time-wait``.
    engines : sequence of str
        The choices of ``--engine``; empty where the command has none.
    stacks : str
        Where the stack comes from: a profile (``named``), this machine (``host``), or either (``both``).
    properties : bool
        Whether the command decides properties, and so has ``--property`` and ``--json``.
    schedules : bool
        Whether the command decides with the schedule of a stack, and so has ``--schedule``.
    notes : bool
        Whether a note on standard error says what is assumed.
    """
    shared = [
        *([_STACK] if stacks != "host" else []),
        *([_HOST] if stacks == "both" else []),
        *(
            setting_option(name, f"TIME_WAIT, or none for no TIME-WAIT. [default: {time_wait}]" if name == "time_wait" else None)
            for name, entry in SETTINGS.items()
            if entry.option and (time_wait or name != "time_wait")
        ),
        *([_SCHEDULE] if schedules else []),
        *_NETWORK,
        *_REOPENING,
        click.option(
            "--closers",
            type=WordChoice(["a", "both"]),
            default=closers,
            show_default=True,
            help="The end that may close first: A alone, or either (scope close).",
        ),
        *([PROPERTY_OPTION] if properties else []),
    ]
    if engines:
        choices = WordChoice([*map(str, engines)])
        shared.append(click.option("--engine", type=choices, default="auto", show_default=True, help="The engine that decides."))
        shared.append(_WORKERS)
    shared += [*_BUDGET, *([_JSON] if properties else [])]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_options(*arguments: Any, host: bool = stacks == "host", **values: Any) -> Any:
            keywords = {name: values.pop(name) for name in KEYWORDS & values.keys()} | ({} if schedules else {"schedule": "any"})
            if keywords["scope"] == Scope.CORE and not _stated("closers"):
                keywords["closers"] = "a"  # who closes first in the last exchange; "both" is refused
            options = _options(host, keywords)
            if notes:
                note_assumptions(options.stack, options.overrides)
            return command(*arguments, options=options, **values)

        wrapped: Any = with_options
        for option in reversed(shared):
            wrapped = option(wrapped)
        return wrapped  # type: ignore[no-any-return]  # a command with more options

    return decorate


def _stated(name: str) -> bool:
    """Whether the command line states an option, rather than its default."""
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def _options(host: bool, keywords: dict[str, Any]) -> Options:
    """The options that a command line states."""
    if host and keywords.get("stack"):
        raise click.UsageError("--host and --stack exclude each other")
    return Options.of(**keywords | {"stack": this_host_profile() if host else keywords["stack"]})
