"""The options of a question: a typed object for the library and every command.

Each keyword of `Options.of` is a long option of ``timewait check``, with underscores for hyphens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from os import PathLike
from typing import Any, Literal, TypedDict, Unpack

from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.proofs.question import applicable
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.backoff import backoff
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.duration import parse_duration
from timewait.spec.durations import NoLimit
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import AnswerIsn, Crash, NextIncarnation, Numbers, Paws, Reopen, SynRule
from timewait.spec.setting import Setting
from timewait.spec.settings import EVERY_ARRIVAL, SETTINGS, Arrival, ResetRule
from timewait.spec.stacks import DEFAULT_STACK, Stack, load_stack
from timewait.vocabulary.automaton import Property
from timewait.vocabulary.errors import InputError, RequestError
from timewait.vocabulary.suggestions import advice
from timewait.vocabulary.untrusted import exact_number

MOST_COPIES = 12
"""The largest bound on losses or duplicates that can be explored."""

MOST_OCTETS = 3
"""The most octets of each user that can be explored."""

STATES, SECONDS = 3_000_000, 600.0
"""The default bounds on one exploration: states or zones, and seconds."""

DurationLike = str | int | Fraction
"""A duration: text with a unit (``"30s"``, ``"250ms"``), or a number of seconds."""

CountLike = int | str | None
"""A bound on copies: a small whole number, or any number (``"any"`` or None)."""

ArrivalsLike = str | Iterable[Arrival]
"""Classes of segments: text with commas (``"fin,ack"``), ``"any"``, ``"none"``, or the members themselves."""

Closers = Literal["a", "both"]

Schedule = Literal["stack", "any"]
"""The instants of retransmissions: those of the stack, or any up to its greatest RTO."""


def duration(value: DurationLike) -> Fraction:
    """A duration in seconds.

    Raises
    ------
    ValueError
        The text is not a duration, or the number is negative.
    """
    if isinstance(value, str):
        return parse_duration(value)
    if value < 0:
        raise ValueError(f"a length of time must not be negative: {value}")
    return Fraction(value)


def schedule(value: DurationLike | Sequence[DurationLike]) -> tuple[Fraction, ...]:
    """A back-off schedule in seconds: one gap, or several with commas between them."""
    if isinstance(value, str):
        return tuple(map(duration, value.split(",")))
    return tuple(map(duration, value if isinstance(value, Sequence) else [value]))


def count(value: CountLike) -> int | None:
    """A bound on copies; None stands for any number."""
    if value in ("any", None):
        return None
    if not str(value).isdecimal():
        raise ValueError(f"{value!r} is neither a whole number nor 'any'")
    if int(str(value)) > MOST_COPIES:
        raise ValueError(f"{value} is more than can be explored; {MOST_COPIES} at most, or 'any'")
    return int(str(value))


def octets(value: str | tuple[int, int]) -> tuple[int, int]:
    """The octets that the users of A and of B may send."""
    parts = value.split(",") if isinstance(value, str) else [str(part) for part in value]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{value!r} is not two whole numbers, such as 1,1")
    first, second = map(int, parts)
    if max(first, second) > MOST_OCTETS:
        raise ValueError(f"{value!r}: more than {MOST_OCTETS} octets cannot be explored")
    return first, second


def arrivals(value: ArrivalsLike) -> frozenset[Arrival]:
    """A set of classes of segments."""
    if not isinstance(value, str):
        return frozenset(value)
    if value in ("any", "none"):
        return EVERY_ARRIVAL if value == "any" else frozenset()
    try:
        return frozenset(Arrival(part) for part in value.split(","))
    except ValueError:
        raise ValueError(f"{value!r} is none of {', '.join((*Arrival, 'any', 'none'))}") from None


def restarting(value: ArrivalsLike) -> frozenset[Arrival] | Literal["answered"]:
    """A set of classes of segments, or ``"answered"``."""
    if value == "answered":
        return "answered"
    try:
        return arrivals(value)
    except ValueError as problem:
        raise ValueError(f"{problem}, answered") from None


def ratios(value: str | tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    """A range of RTO / MSL: two ratios, the lower one first."""
    try:
        low, high = map(exact_number, value.split(",")) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"{value!r} is not two ratios, such as 1/4,2") from None
    if not 0 < low <= high:
        raise ValueError(f"{value!r}: the lower ratio comes first, and is more than zero")
    return low, high


class Keywords(TypedDict, total=False):
    """What `Options.of` takes; see `Overrides` for the meaning of each setting."""

    stack: str | PathLike[str] | Stack | None
    msl: DurationLike | None
    time_wait: DurationLike | None
    rto: DurationLike | Sequence[DurationLike] | None
    exact_rto: bool
    rto_slack: DurationLike | None
    schedule: Schedule
    rto_runs_on: bool
    loss: CountLike
    duplication: CountLike
    fifo: bool
    scope: Scope | Literal["core", "close"]
    closers: Closers
    data: str | tuple[int, int]
    reopen: Reopen | str
    numbers: Numbers | str | None
    timestamps: str | None
    paws: Paws | str | None
    syn: SynRule | str | None
    isn: AnswerIsn | str | None
    ack_first: bool | None
    early: bool
    old_syn: bool
    crash: Crash | str | None
    quiet: DurationLike | None
    new_data: str | tuple[int, int] | None
    data_rate: int | Fraction | None
    idle: DurationLike | None
    lifetime: DurationLike | None
    answers: ArrivalsLike | None
    restarts: ArrivalsLike | None
    rst: ResetRule | str | None
    orphan: bool
    fin_wait_2: DurationLike | None
    linger_zero: bool
    retries: int | None
    properties: Sequence[str]
    engine: Engine | str
    max_states: int
    max_seconds: float
    workers: int
    cluster: str
    confirm: bool


KEYWORDS = frozenset(Keywords.__annotations__) | {entry.keyword for entry in SETTINGS.values() if entry.option}
"""Every keyword; type checkers know those of `Keywords`, and a setting works as soon as the table declares it."""


DEFAULTS: Keywords = {
    "stack": DEFAULT_STACK,
    "exact_rto": False,
    "rto_slack": None,
    "schedule": "stack",
    "loss": 1,
    "duplication": "any",
    "fifo": False,
    "scope": Scope.CLOSE,
    "closers": "a",
    "data": (0, 0),
    "reopen": Reopen.ATOMIC,
    "properties": (),
    "engine": Engine.AUTO,
    "max_states": STATES,
    "max_seconds": SECONDS,
    "workers": 1,
    "cluster": "",
    "confirm": False,
}
"""The keywords that have a default; every setting of a stack that is left out stays as the stack has it."""


@dataclass(frozen=True, slots=True)
class Options:
    """A question about one stack: settings, properties, and how it is decided.

    Attributes
    ----------
    stack : Stack
        The stack that both ends run.
    overrides : Overrides
        Settings and network conditions that replace those of the stack.
    properties : tuple of str
        The properties asked for; empty for the default ones.
    engine : Engine
        The engine that decides.
    max_states : int
        Bound on states or zones of each exploration.
    max_seconds : float
        Bound on the time of each exploration, in seconds.
    schedule : {"stack", "any"}
        The instants of retransmissions where no RTO is given; see `of_stack`.
    workers : int
        Threads, or workers of the cluster, that an exploration in ticks uses once its states are many.
    cluster : str
        A Ray cluster: ``"ray"`` or an address such as ``"ray://head:10001"``; empty for this process.
    confirm : bool
        Whether each proof is confirmed in a second way (`timewait.checker.confirmation`).

    Examples
    --------
    >>> options = Options.of(stack="linux", msl="30s", loss=2)
    >>> options.configuration().time_wait
    Fraction(60, 1)
    """

    stack: Stack
    overrides: Overrides = field(default_factory=Overrides)
    properties: tuple[str, ...] = ()
    engine: Engine = Engine.AUTO
    max_states: int = STATES
    max_seconds: float = SECONDS
    schedule: Schedule = "any"
    workers: int = 1
    cluster: str = ""
    confirm: bool = False

    @classmethod
    def of(cls, **keywords: Unpack[Keywords]) -> Options:
        """Options from keywords; those that are left out take their defaults.

        Raises
        ------
        RequestError
            A value makes no sense, or a name is unknown.
        InputError
            The file of a stack cannot be read.
        """
        try:
            return _options(keywords)
        except (InputError, RequestError):
            raise
        except ValueError as problem:
            raise RequestError(str(problem)) from problem

    def override(self, **changes: object) -> Options:
        """The same options with other settings, by the names of `Overrides`."""
        return replace(self, overrides=replace(self.overrides, **changes))  # type: ignore[arg-type]  # checked by the dataclass

    def of_stack(self) -> Options | None:
        """The same options with the retransmission schedule of the stack, `timewait.spec.backoff.backoff`.

        None where another schedule is asked for, where the profile does not state one, where acknowledgements do not restart
        the timer, or where copies are counted or in order, whose states are counted in ticks.
        """
        overrides = self.overrides
        stated = self.schedule == "any" or overrides.rto is not None
        dense = overrides.duplication is None and not overrides.fifo
        gaps = backoff(self.stack)
        if stated or not dense or not gaps or overrides.behaviour.get("acks_restart_rto") is False:
            return None
        return self.override(rto=gaps, rto_exact=True)

    def any_gap(self) -> Options:
        """The same options with any gap up to the greatest of `of_stack`, so that they have every run of those."""
        longest = None if self.overrides.rto_slack is None else (max(backoff(self.stack)) + self.overrides.rto_slack,)
        return self.override(rto=longest, rto_exact=False, rto_slack=None)

    def with_msl(self, default: Fraction) -> Options:
        """The same options, with a value in seconds for an MSL that they leave open."""
        return self if self.overrides.msl is not None else self.override(msl=default)

    def configuration(self) -> Configuration:
        """The configuration that the options and the stack give.

        Raises
        ------
        RequestError
            A needed value is stated by neither, or the values contradict each other.
        """
        return assemble(self.stack, self.overrides)

    def asked(self, default: Sequence[str] = ()) -> list[Property]:
        """The properties asked for, else the default ones, else all that apply."""
        return [PROPERTIES[name] for name in self.properties or default] or list(applicable(self.configuration()))

    def budget(self) -> Budget:
        """The bounds on one exploration."""
        return Budget(self.max_states, self.max_seconds, workers=self.workers, cluster=self.cluster)


def _options(keywords: Keywords) -> Options:
    for keyword in keywords:
        if keyword not in KEYWORDS:
            raise ValueError(f"there is no option {keyword!r}; {advice(keyword, sorted(KEYWORDS))}")
    values: Keywords = {**DEFAULTS, **keywords}
    named = values["stack"] or DEFAULT_STACK
    stack = named if isinstance(named, Stack) else load_stack(named)
    if values.get("time_wait") == NoLimit.NONE:
        stack, values["time_wait"] = stack.without_time_wait(), None
    scope = Scope(values["scope"])
    if values["closers"] == "both" and scope is not Scope.CLOSE:
        raise ValueError(ONE_CLOSER)
    for name in values["properties"]:
        if name not in PROPERTIES:
            raise ValueError(f"there is no property {name!r}; {advice(name, PROPERTIES)}")
    overrides = Overrides.of(
        **_settings(stack, values),
        rto_exact=values["exact_rto"],
        rto_slack=None if values["rto_slack"] is None else duration(values["rto_slack"]),
        loss=count(values["loss"]),
        duplication=count(values["duplication"]),
        fifo=values["fifo"],
        scope=scope,
        both_close=values["closers"] == "both",
        text=octets(values["data"]),
        reopening=_reopening(values),
    )
    engine = Engine(values["engine"])
    budget = values["max_states"], values["max_seconds"]
    if values["workers"] < 1:
        raise ValueError(f"there is at least one worker, not {values['workers']}")
    options = Options(stack, overrides, tuple(values["properties"]), engine, *budget, values["schedule"], values["workers"])
    options = replace(options, confirm=values["confirm"])
    if values["cluster"]:
        options = replace(options, cluster=values["cluster"], workers=max(options.workers, 2))  # one worker needs no cluster
    if values["rto_slack"] is not None and not overrides.rto_exact and options.of_stack() is None:
        raise ValueError("a slack belongs to --exact-rto or to the schedule of a stack; here a retransmission may be early")
    return options


ONE_CLOSER = "closers both needs scope close; the last exchange (scope core) begins when A has closed first"

TIMESTAMPS = {"none": (False, False), "a": (True, False), "b": (False, True), "both": (True, True)}
"""The ends that use timestamps, by the word of the option."""


def _reopening(values: Mapping[str, Any]) -> NextIncarnation:
    """The opening of the next incarnation."""
    stated: dict[str, Any] = {}
    for keyword, name, read in (
        ("numbers", "numbers", Numbers),
        ("timestamps", "timestamps", _timestamps),
        ("crash", "crash", Crash),
        ("quiet", "quiet", duration),
        ("new_data", "text", octets),
        ("data_rate", "data_rate", Fraction),
        ("idle", "idle", duration),
        ("lifetime", "lifetime", duration),
    ):
        if values.get(keyword) is not None:
            stated[name] = read(values[keyword])
    return NextIncarnation(
        kind=Reopen(values["reopen"]), early=bool(values.get("early")), old_syn=bool(values.get("old_syn")), **stated
    )


def _timestamps(value: str) -> tuple[bool, bool]:
    if value not in TIMESTAMPS:
        raise ValueError(f"{value!r} is none of {', '.join(TIMESTAMPS)}")
    return TIMESTAMPS[value]


def _settings(stack: Stack, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the table that the keywords override, by name."""
    values = {}
    for name, entry in SETTINGS.items():
        value = keywords.get(entry.keyword)
        if value is not None:
            values["rto" if name == "rto_max" else name] = _setting(entry, value)
    for name, value in values.items():
        if value == "answered":
            alike = SETTINGS[name].alike
            values[name] = values[alike] if alike in values else stack.require(alike)
    if "fin_wait_2" in values or "idle_before_close" in values:
        values["abandons"] = True
    return values


def _setting(entry: Setting, value: Any) -> Any:
    """The value of a setting; a switch turns its default round."""
    if entry.kind is bool:
        return bool(value) != entry.default if entry.switch else bool(value)
    if entry.name == "rto_max":
        return schedule(value)
    if entry.kind is frozenset:
        return restarting(value) if entry.alike else arrivals(value)
    if entry.may_lack_limit and value == NoLimit.NONE:
        return NoLimit.NONE
    return duration(value) if entry.kind is Fraction else entry.kind(value)
