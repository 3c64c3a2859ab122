"""An automaton under names that every format accepts: the common ground of all exporters.

A `Plan` names the locations, clocks, edges and parameters of an automaton and lists the clocks that each edge changes. It
is made from an automaton with finitely many locations (`plan_of`; the quotient is the shortest and easiest to read), or
from a finished exploration in ticks (`plan_of_exploration`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.compiled import INACTIVE, RESET, CompiledAutomaton, CompiledBound, CompiledLocation
from timewait.checker.explicit import Explicit
from timewait.checker.search import TICK
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.vocabulary.automaton import ZERO, Clock, Location, Relation


class ClockChange(StrEnum):
    """The change of a clock by an edge."""

    RESET = "reset"
    """The clock starts from zero."""
    INACTIVE = "inactive"
    """The clock becomes inactive: its value exceeds its lifetime and no longer matters."""
    UNUSED = "unused"
    """The clock does not run in the target; its value is kept at zero there, so that equal states have equal values."""


class ClockCopy(NamedTuple):
    """The change of a clock to the value of another one."""

    clock: str


ExportedUpdate = ClockChange | ClockCopy


@dataclass(frozen=True)
class Labels:
    """The texts of an export that only the caller knows.

    Attributes
    ----------
    title : str
        The system, in a line.
    configuration : tuple of str
        The configuration, in lines.
    properties : mapping
        The statement of each property to export, by name.
    sections : mapping
        The section of each rule.
    label : callable
        Names a location in a few words, from which an identifier is made.
    describe : callable
        Describes a location in a line.
    file : str
        The name of the file, for the commands in its first lines.
    """

    title: str
    configuration: tuple[str, ...]
    properties: Mapping[str, str]
    sections: Mapping[str, str]
    label: Callable[[Location], str]
    describe: Callable[[Location], str]
    file: str

    @property
    def stem(self) -> str:
        """The name of the file without its suffix."""
        return self.file.rpartition(".")[0] or self.file


class DurationTooLong(ValueError):
    """A duration has more ticks than a format can hold; the message names it."""


class ExportedBound(NamedTuple):
    """A bound by names; `timewait.vocabulary.automaton.ZERO`, as a parameter, is the numeral zero too."""

    clock: str
    relation: Relation
    parameter: str

    @property
    def sign(self) -> str:
        """The relation, with a single sign of equality."""
        return self.relation.replace("==", "=")


class ExportedEdge(NamedTuple):
    """An edge by names.

    Attributes
    ----------
    description : str
        The action.
    name : str
        The action as an identifier; edges of several locations may share it.
    rules : tuple of str
        The rules applied, each with its section.
    guard : tuple of ExportedBound
        The guard.
    target : str
        The name of the target.
    changes : mapping
        The change of each clock that does not simply run on; all changes happen at once.
    violates : tuple of str
        The exported properties that the edge violates.
    """

    description: str
    name: str
    rules: tuple[str, ...]
    guard: tuple[ExportedBound, ...]
    target: str
    changes: Mapping[str, ExportedUpdate]
    violates: tuple[str, ...]

    @property
    def comment(self) -> str:
        """The action with its rules."""
        return f"{self.description} by {', '.join(self.rules)}" if self.rules else self.description


class Expiry(NamedTuple):
    """The effect of a tick in which clocks pass their lifetime: these clocks, the location that is left, the changes."""

    clocks: tuple[str, ...]
    target: str
    changes: Mapping[str, ExportedUpdate]


class ExportedLocation(NamedTuple):
    """A location by names.

    Attributes
    ----------
    name : str
        An identifier.
    description : str
        The location in a line.
    clocks : tuple of str
        The active clocks.
    invariant : tuple of ExportedBound
        The upper bounds under which time may pass.
    edges : tuple of ExportedEdge
        The edges.
    expiries : tuple of Expiry
        The effects of ticks where expired clocks are dropped; empty where they stay.
    """

    name: str
    description: str
    clocks: tuple[str, ...]
    invariant: tuple[ExportedBound, ...]
    edges: tuple[ExportedEdge, ...]
    expiries: tuple[Expiry, ...] = ()


@dataclass(frozen=True)
class Plan:
    """An automaton by names.

    Attributes
    ----------
    labels : Labels
        The caller's texts.
    automaton : CompiledAutomaton
        The automaton itself.
    locations : tuple of ExportedLocation
        The locations, the initial one first.
    clocks : mapping
        The clock of each name.
    inactive : frozenset of str
        The clocks that are inactive at the start; all others start from zero.
    values : mapping
        Every parameter in seconds, without `timewait.vocabulary.automaton.ZERO`.
    maximal : mapping
        For each clock the largest parameter that it is compared with.
    lifetimes : mapping
        For each clock with a lifetime the parameter beyond which its value no longer matters.
    unit : Fraction
        The length of a tick in seconds.
    ticks : mapping
        Every parameter in ticks.
    drops_expired : bool
        Whether a tick in which a clock passes its lifetime leads to another location; otherwise the clock stays.
    """

    labels: Labels
    automaton: CompiledAutomaton
    locations: tuple[ExportedLocation, ...]
    clocks: Mapping[str, Clock]
    inactive: frozenset[str]
    values: Mapping[str, Fraction]
    maximal: Mapping[str, str]
    lifetimes: Mapping[str, str]
    unit: Fraction
    ticks: Mapping[str, int]
    drops_expired: bool

    @property
    def edges(self) -> Iterator[tuple[ExportedLocation, ExportedEdge]]:
        """Every edge with its source."""
        return ((location, edge) for location in self.locations for edge in location.edges)

    @property
    def properties(self) -> tuple[str, ...]:
        """The names of the properties to export."""
        return tuple(self.labels.properties)

    def longest(self, limit: int) -> int:
        """The ticks of the longest duration.

        Raises
        ------
        DurationTooLong
            It is longer than the limit.
        """
        name, longest = max(self.ticks.items(), key=lambda entry: entry[1])
        if longest > limit:
            raise DurationTooLong(
                f"{name} is {longest:,} times the unit of {float(self.unit):.3g} s; no more than {limit:,} can be written"
            )
        return longest

    def saturation(self, clock: str) -> str:
        """The parameter beyond which a clock's value no longer matters."""
        return self.lifetimes.get(clock, self.maximal[clock])

    @property
    def needs_spare(self) -> bool:
        """Whether an edge exchanges clocks, so that sequential assignments need `SPARE`."""
        changes = [edge.changes for _, edge in self.edges]
        changes += [expiry.changes for location in self.locations for expiry in location.expiries]
        return any(SPARE in dict(sequential(some)) for some in changes)

    def assigned(self, clock: str, change: ExportedUpdate) -> str:
        """The value that a change gives to a clock; an inactive one gets its lifetime and one more."""
        if isinstance(change, ClockCopy):
            return change.clock
        return f"{self.lifetimes[clock]} + 1" if change is ClockChange.INACTIVE else "0"

    def initial(self, clock: str) -> str:
        """The value of a clock at the start."""
        return self.assigned(clock, ClockChange.INACTIVE if clock in self.inactive else ClockChange.RESET)

    def droppable(self, location: ExportedLocation) -> tuple[str, ...]:
        """The clocks of a location that are dropped when they pass their lifetime."""
        return tuple(clock for clock in location.clocks if clock in self.lifetimes) if self.drops_expired else ()


UNEXPLORED = "unforeseen"
"""The location to which edges lead that the exploration never took: reaching it is an error."""

SPARE = "spare"
"""A clock that only serves to exchange others."""


def plan_of(automaton: CompiledAutomaton, labels: Labels) -> Plan:
    """The plan of an automaton, with every location that edges lead to, whatever the guards say."""
    return _Planner(automaton, labels, dict(enumerate(automaton.explore()))).plan(None)


def plan_of_exploration(exploration: Explicit, labels: Labels) -> Plan:
    """The plan of the locations that a finished exploration in ticks has reached.

    Edges that were never taken lead to `UNEXPLORED`, as does a tick with an effect that was never seen.
    """
    automaton = exploration.automaton
    locations = {number: automaton.location(number) for number, _ in exploration.nodes}
    return _Planner(automaton, labels, locations).plan(_expiries(exploration))


Expiries = Mapping[int, Mapping[tuple[int, ...], int]]
"""For each location and each set of clocks that pass their lifetime in a tick the location that is left."""


def _expiries(exploration: Explicit) -> Expiries:
    seen: dict[int, dict[tuple[int, ...], int]] = {}
    for number, values in exploration.nodes:
        lifetimes = exploration.location(number).lifetimes
        for edge, (target, _) in exploration.after((number, values)):
            if edge == TICK and lifetimes:
                expired = tuple(sorted(clock - 1 for clock, lifetime in lifetimes if values[clock] >= lifetime))
                seen.setdefault(number, {})[expired] = target
    return seen


class _Planner:
    """Makes a plan: the names first, then everything under its name."""

    def __init__(self, automaton: CompiledAutomaton, labels: Labels, locations: Mapping[int, CompiledLocation]) -> None:
        self.automaton = automaton
        self.labels = labels
        self.locations = locations
        taken = {UNEXPLORED, SPARE, *automaton.system.parameters}
        clocks = sorted({clock for location in locations.values() for clock in location.clocks})
        self.clocks = {clock: _unused(identifier(f"{clock.role} {clock.owner}"), taken) for clock in clocks}
        self.names = {
            number: _unused(identifier(f"L{number} {labels.label(location.original)}"), taken)
            for number, location in locations.items()
        }

    def plan(self, expiries: Expiries | None) -> Plan:
        system, start = self.automaton.system, self.automaton.start
        values, unit = system.parameters, unit_of(system.parameters)
        numbers = (start, *(number for number in self.locations if number != start))
        updates = zip(self.locations[start].clocks, self.automaton.start_updates(), strict=True)
        return Plan(
            self.labels,
            self.automaton,
            tuple(self._location(number, (expiries or {}).get(number, {})) for number in numbers),
            {name: clock for clock, name in self.clocks.items()},
            frozenset(self.clocks[clock] for clock, update in updates if update == INACTIVE),
            {name: value for name, value in values.items() if name != ZERO},
            {name: system.maximal_constants[clock.role] for clock, name in self.clocks.items()},
            {name: system.lifetimes[clock.role] for clock, name in self.clocks.items() if clock.role in system.lifetimes},
            unit,
            {name: count for name, count in in_ticks(values, unit).items() if name != ZERO},
            expiries is not None,
        )

    def _location(self, number: int, expiries: Mapping[tuple[int, ...], int]) -> ExportedLocation:
        location = self.locations[number]
        return ExportedLocation(
            self.names[number],
            self.labels.describe(location.original),
            tuple(self.clocks[clock] for clock in location.clocks),
            self._bounds(location, location.invariant),
            tuple(self._edges(location)),
            tuple(self._expiry(location, expired, target) for expired, target in sorted(expiries.items())),
        )

    def _edges(self, location: CompiledLocation) -> Iterator[ExportedEdge]:
        for edge in location.edges:
            explored = edge.target in self.locations
            action = edge.original.action
            sections = self.labels.sections
            yield ExportedEdge(
                str(action),
                identifier(str(action)),
                tuple(f"{rule} ({sections[rule]})" if rule in sections else rule for rule in action.rules),
                self._bounds(location, edge.guard),
                self.names[edge.target] if explored else UNEXPLORED,
                self._changes(location, self.locations[edge.target], edge.updates) if explored else {},
                tuple(name for name in self.labels.properties if name in edge.original.violates),
            )

    def _bounds(self, location: CompiledLocation, bounds: Sequence[CompiledBound]) -> tuple[ExportedBound, ...]:
        return tuple(
            ExportedBound(self.clocks[location.clocks[bound.clock]], bound.relation, bound.parameter) for bound in bounds
        )

    def _expiry(self, location: CompiledLocation, expired: tuple[int, ...], target: int) -> Expiry:
        remaining = [clock for clock in range(len(location.clocks)) if clock not in expired]
        changes = self._changes(location, self.locations[target], remaining)
        return Expiry(tuple(self.clocks[location.clocks[clock]] for clock in expired), self.names[target], changes)

    def _changes(self, source: CompiledLocation, target: CompiledLocation, updates: Sequence[int]) -> dict[str, ExportedUpdate]:
        """The change of each clock between two locations, unless it simply runs on."""
        changes: dict[str, ExportedUpdate] = {}
        for clock, update in zip(target.clocks, updates, strict=True):
            if update == RESET:
                changes[self.clocks[clock]] = ClockChange.RESET
            elif update == INACTIVE:
                changes[self.clocks[clock]] = ClockChange.INACTIVE
            elif source.clocks[update] != clock:
                changes[self.clocks[clock]] = ClockCopy(self.clocks[source.clocks[update]])
        for clock in source.clocks:
            if clock not in target.clocks:
                changes[self.clocks[clock]] = ClockChange.UNUSED
        return changes


def sequential(changes: Mapping[str, ExportedUpdate]) -> list[tuple[str, ExportedUpdate]]:
    """Simultaneous changes as sequential assignments; `SPARE` holds a value where clocks are exchanged."""
    waiting = dict(changes)
    done: list[tuple[str, ExportedUpdate]] = []
    while waiting:
        read = {change.clock for change in waiting.values() if isinstance(change, ClockCopy)}
        ready = [clock for clock in waiting if clock not in read]
        if ready:
            done += [(clock, waiting.pop(clock)) for clock in ready]
        else:
            held = next(iter(waiting))
            done.append((SPARE, ClockCopy(held)))
            waiting = {clock: ClockCopy(SPARE) if change == ClockCopy(held) else change for clock, change in waiting.items()}
    return done


def identifier(text: str) -> str:
    """A name of letters, digits and underscores, from any text."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")


def _unused(name: str, taken: set[str]) -> str:
    """The name, with a number after it if it is taken; it is taken from now on."""
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    taken.add(free)
    return free


def head_comment(labels: Labels, what: str, meanings: Iterable[str], commands: Iterable[str]) -> list[str]:
    """The lines of the head comment: the system, configuration, properties, the meaning of the answers, and the commands."""
    return [
        f"{labels.title}, {what}",
        "",
        "The configuration:",
        *(f"  {line}" for line in labels.configuration),
        "",
        "The properties:",
        *(f"  {name}: {statement}" for name, statement in labels.properties.items()),
        "",
        "The meaning of the answer:",
        *(f"  {line}" for line in meanings),
        "",
        "The command:",
        *(f"  {line}" for line in commands),
    ]
