"""An automaton under names: what is common to all exporters.

A `Plan` is an automaton in which locations, clocks, steps and parameters have names that every format accepts, and each
step says which clocks it changes. It is made from an automaton whose locations are finitely many (`plan_of`; folded, it
is the shortest and the easiest to read), or from an exploration in ticks of one whose locations are not (`explored`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.compiled import EXPIRED, RESET, CompiledAutomaton, CompiledBound, CompiledLocation
from timewait.checker.explicit import TICK, Explicit
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.vocabulary.automaton import ZERO, Clock, Location, Relation


class ClockChange(StrEnum):
    """What a step makes of a clock."""

    NOUGHT = "nought"
    """It starts anew."""
    DEAD = "dead"
    """It is beyond its lifetime: its value no longer matters."""
    IDLE = "idle"
    """It does not run where the step leads; kept at nought there, so that states are told apart by what matters."""


class ClockCopy(NamedTuple):
    """The value of another clock."""

    clock: str


ExportedUpdate = ClockChange | ClockCopy


@dataclass(frozen=True)
class Labels:
    """What only the caller can say.

    Attributes
    ----------
    title : str
        What the system is, in a line.
    configuration : tuple of str
        The configuration, in lines.
    properties : mapping
        What is asked: each property's name with its statement.
    sections : mapping
        For each rule where it stands.
    label : callable
        A location in a few words, of which a name is made.
    describe : callable
        A location in a line.
    file : str
        The name of the file that the text will be in, for the commands that are shown.
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
        """The name of the file without its ending."""
        return self.file.rpartition(".")[0] or self.file


class TooLong(ValueError):
    """A duration of more ticks than a format can hold; the message says which."""


class ExportedBound(NamedTuple):
    """A bound by names; the parameter is `timewait.vocabulary.automaton.ZERO` where the clock is compared with nought."""

    clock: str
    relation: Relation
    parameter: str

    @property
    def limit(self) -> str:
        """The parameter, or the numeral for nought."""
        return "0" if self.parameter == ZERO else self.parameter


class ExportedEdge(NamedTuple):
    """An edge by names.

    Attributes
    ----------
    says : str
        What happens.
    name : str
        The same as an identifier; steps of several locations may share it.
    rules : tuple of str
        The rules applied, each with its section.
    guard : tuple of Comparison
        What must hold.
    target : str
        The name of the place it leads to.
    changes : mapping
        What becomes of each clock that does not simply go on; all changes happen at once.
    breaks : tuple of str
        Which of the properties asked for it breaks.
    """

    says: str
    name: str
    rules: tuple[str, ...]
    guard: tuple[ExportedBound, ...]
    target: str
    changes: Mapping[str, ExportedUpdate]
    breaks: tuple[str, ...]

    @property
    def told(self) -> str:
        """What happens, and by which rules."""
        return f"{self.says} by {', '.join(self.rules)}" if self.rules else self.says


class Expiry(NamedTuple):
    """What a tick does to a place: the clocks that pass their lifetime in it, the place that is left, what changes."""

    clocks: tuple[str, ...]
    target: str
    changes: Mapping[str, ExportedUpdate]


class ExportedLocation(NamedTuple):
    """A location by names.

    Attributes
    ----------
    name : str
        An identifier.
    says : str
        What the location is.
    clocks : tuple of str
        The clocks that run.
    limits : tuple of Comparison
        Upper bounds under which time may pass.
    steps : tuple of Step
        What may happen.
    lapses : tuple of Lapse
        What ticks have been seen to do where an expired clock is dropped; empty where it stays.
    """

    name: str
    says: str
    clocks: tuple[str, ...]
    limits: tuple[ExportedBound, ...]
    steps: tuple[ExportedEdge, ...]
    lapses: tuple[Expiry, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A system by names.

    Attributes
    ----------
    words : Words
        What the caller says.
    places : tuple of Place
        The places, the start first.
    clocks : mapping
        For each clock's name the clock.
    dead : frozenset of str
        The clocks that are beyond their lifetime at the start; all others start from nought.
    values : mapping
        Every parameter in seconds; `timewait.vocabulary.automaton.ZERO` is none.
    highest : mapping
        For each clock the largest parameter that it is compared with.
    lifetimes : mapping
        For each clock that has one the parameter beyond which it no longer matters.
    unit : Fraction
        A tick in seconds.
    ticks : mapping
        Every parameter in ticks.
    drops : bool
        Whether a place is left for another one when a clock passes its lifetime; else the clock stays, dead.
    """

    words: Labels
    places: tuple[ExportedLocation, ...]
    clocks: Mapping[str, Clock]
    dead: frozenset[str]
    values: Mapping[str, Fraction]
    highest: Mapping[str, str]
    lifetimes: Mapping[str, str]
    unit: Fraction
    ticks: Mapping[str, int]
    drops: bool

    @property
    def steps(self) -> Iterator[tuple[ExportedLocation, ExportedEdge]]:
        """Every step with where it starts."""
        return ((place, step) for place in self.places for step in place.steps)

    @property
    def asked(self) -> tuple[str, ...]:
        """The properties asked for."""
        return tuple(self.words.properties)

    def fitting(self, largest: int) -> int:
        """The ticks of the longest duration, which must not be more than a format can hold.

        Raises
        ------
        TooLong
            It is.
        """
        name, most = max(self.ticks.items(), key=lambda entry: entry[1])
        if most > largest:
            raise TooLong(
                f"{name} is {most:,} times the unit of {float(self.unit):.3g} s; no more than {largest:,} can be written"
            )
        return most

    def most(self, clock: str) -> str:
        """The parameter beyond which it no longer matters how much a clock shows."""
        return self.lifetimes.get(clock, self.highest[clock])

    @property
    def exchanges(self) -> bool:
        """Whether a step exchanges clocks, so that assignments one after the other need `SPARE`."""
        changes = [step.changes for _, step in self.steps]
        changes += [lapse.changes for place in self.places for lapse in place.lapses]
        return any(SPARE in dict(in_order(one)) for one in changes)

    def mortal(self, place: ExportedLocation) -> tuple[str, ...]:
        """The clocks of a place that are dropped when they pass their lifetime."""
        return tuple(clock for clock in place.clocks if clock in self.lifetimes) if self.drops else ()


UNEXPECTED = "unforeseen"
"""The place of every step that an exploration never saw taken: to reach it is an error."""

SPARE = "spare"
"""A clock for nothing but to exchange others."""


def plan_of(automaton: CompiledAutomaton, words: Labels) -> Plan:
    """The plan of an automaton, of all its locations that edges lead to, whatever the guards say."""
    locations = dict(enumerate(automaton.explore()))
    return _Drawing(automaton, words, locations).plan(None)


def explored(exploration: Explicit, words: Labels) -> Plan:
    """The plan of the locations that a finished exploration in ticks has reached.

    Steps that were never taken lead to `UNEXPECTED`; so does a tick that does what no tick was seen to do.
    """
    automaton = exploration.automaton
    locations = {place: automaton.location(place) for place, _ in exploration.states}
    return _Drawing(automaton, words, locations).plan(_lapses(exploration))


Expiries = Mapping[int, Mapping[tuple[int, ...], int]]


def _lapses(exploration: Explicit) -> Expiries:
    """For each location reached, and each set of clocks that passed their lifetime in a tick, what was left."""
    seen: dict[int, dict[tuple[int, ...], int]] = {}
    for number, (place, values) in enumerate(exploration.states):
        mortal = exploration.location(place).lifetimes
        for step, (target, _) in exploration.successors(number):
            if step == TICK and mortal:
                gone = tuple(sorted(clock - 1 for clock, lifetime in mortal if values[clock] >= lifetime))
                seen.setdefault(place, {})[gone] = target
    return seen


class _Drawing:
    """The making of a plan: names first, then everything under its name."""

    def __init__(self, automaton: CompiledAutomaton, words: Labels, locations: Mapping[int, CompiledLocation]) -> None:
        self.automaton = automaton
        self.words = words
        self.locations = locations
        taken = {UNEXPECTED, SPARE, *automaton.system.parameters}
        clocks = sorted({clock for location in locations.values() for clock in location.clocks})
        self.clocks = {clock: _unused(identifier(f"{clock.role} {clock.owner}"), taken) for clock in clocks}
        self.places = {
            number: _unused(identifier(f"L{number} {words.label(location.original)}"), taken)
            for number, location in locations.items()
        }

    def plan(self, lapses: Expiries | None) -> Plan:
        system, start = self.automaton.system, self.automaton.start
        values, unit = system.parameters, unit_of(system.parameters)
        numbers = (start, *(one for one in self.locations if one != start))
        updates = zip(self.locations[start].clocks, self.automaton.start_updates(), strict=True)
        return Plan(
            self.words,
            tuple(self._place(number, (lapses or {}).get(number, {})) for number in numbers),
            {name: clock for clock, name in self.clocks.items()},
            frozenset(self.clocks[clock] for clock, origin in updates if origin == EXPIRED),
            {name: value for name, value in values.items() if name != ZERO},
            {name: system.maximal_constants[clock.role] for clock, name in self.clocks.items()},
            {name: system.lifetimes[clock.role] for clock, name in self.clocks.items() if clock.role in system.lifetimes},
            unit,
            {name: count for name, count in in_ticks(values, unit).items() if name != ZERO},
            lapses is not None,
        )

    def _place(self, number: int, lapses: Mapping[tuple[int, ...], int]) -> ExportedLocation:
        location = self.locations[number]
        return ExportedLocation(
            self.places[number],
            self.words.describe(location.original),
            tuple(self.clocks[clock] for clock in location.clocks),
            self._comparisons(location, location.invariant),
            tuple(self._steps(location)),
            tuple(self._lapse(location, gone, target) for gone, target in sorted(lapses.items())),
        )

    def _steps(self, location: CompiledLocation) -> Iterator[ExportedEdge]:
        for edge in location.edges:
            known = edge.target in self.locations
            action = edge.original.action
            sections = self.words.sections
            yield ExportedEdge(
                str(action),
                identifier(str(action)),
                tuple(f"{rule} ({sections[rule]})" if rule in sections else rule for rule in action.rules),
                self._comparisons(location, edge.guard),
                self.places[edge.target] if known else UNEXPECTED,
                self._changes(location, self.locations[edge.target], edge.updates) if known else {},
                tuple(name for name in self.words.properties if name in edge.original.violates),
            )

    def _comparisons(self, location: CompiledLocation, tests: Sequence[CompiledBound]) -> tuple[ExportedBound, ...]:
        return tuple(ExportedBound(self.clocks[location.clocks[test.clock]], test.relation, test.parameter) for test in tests)

    def _lapse(self, location: CompiledLocation, gone: tuple[int, ...], target: int) -> Expiry:
        left = [clock for clock in range(len(location.clocks)) if clock not in gone]
        changes = self._changes(location, self.locations[target], left)
        return Expiry(tuple(self.clocks[location.clocks[clock]] for clock in gone), self.places[target], changes)

    def _changes(self, location: CompiledLocation, target: CompiledLocation, updates: Sequence[int]) -> dict[str, ExportedUpdate]:
        """What becomes of each clock on the way from one location to another, if it does not simply go on."""
        changes: dict[str, ExportedUpdate] = {}
        for clock, origin in zip(target.clocks, updates, strict=True):
            if origin == RESET:
                changes[self.clocks[clock]] = ClockChange.NOUGHT
            elif origin == EXPIRED:
                changes[self.clocks[clock]] = ClockChange.DEAD
            elif location.clocks[origin] != clock:
                changes[self.clocks[clock]] = ClockCopy(self.clocks[location.clocks[origin]])
        for clock in location.clocks:
            if clock not in target.clocks:
                changes[self.clocks[clock]] = ClockChange.IDLE
        return changes


def in_order(changes: Mapping[str, ExportedUpdate]) -> list[tuple[str, ExportedUpdate]]:
    """Changes that happen at once as assignments one after the other; `SPARE` holds a value where two are exchanged."""
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
    """The name itself, or with a number behind it if it is taken; it is taken from now on."""
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    taken.add(free)
    return free


def head(words: Labels, what: str, means: Iterable[str], run: Iterable[str]) -> list[str]:
    """The lines of a head comment: what it is, of which configuration, what is asked, what the answers mean, how to ask."""
    return [
        f"{words.title}, {what}",
        "",
        "The configuration:",
        *(f"  {line}" for line in words.configuration),
        "",
        "What is asked:",
        *(f"  {name}: {statement}" for name, statement in words.properties.items()),
        "",
        "What the answer means:",
        *(f"  {line}" for line in means),
        "",
        "To ask:",
        *(f"  {line}" for line in run),
    ]
