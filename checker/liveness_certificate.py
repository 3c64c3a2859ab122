"""Certificates of promises: why no fair run leaves an ``eventually`` property open for ever.

Such a run would stay among the locations in which the promise is open. They are split into parts that runs pass one
after the other, never back; so the run stays in one of them. Of each part it is told what cannot recur in it for ever
while time goes on, and why; what is left is split again, until nothing is left. That holds for every value of every
parameter.

It is checked here from the vocabulary alone: the locations and steps are those of the system, not of the file. That the
parts fit together is a matter of counting. Each reason for which something cannot recur is a plain query that must be
unsatisfiable, put to Z3 and to cvc5. In the queries the clocks that nothing in the part starts are later than every
parameter, for so they are in the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count

from timewait.checker.certificate import BrokenCertificate, Query
from timewait.vocabulary.automaton import ZERO, Bound, Clock, Edge, Location, TimedAutomaton

PAST_BOUND = "late"
"""A symbol for a duration that no parameter exceeds."""


class Reason(Enum):
    """Why something cannot recur in a part for ever."""

    PAST_BOUND = "late"
    """A clock that nothing in the part starts is beyond what the guard, or the invariant, allows."""
    UNFAIR_HERE = "starved"
    """In the end a step can be taken there whose fairness name the part never serves."""
    UNFAIR_ALTERNATIVE = "sister"
    """Whenever it can be taken, so can another step whose fairness name the part never serves."""
    UNFAIR_ON_ENTRY = "arrival"
    """On arrival a step can be taken whose fairness name the part never serves."""


@dataclass(frozen=True)
class Exclusion:
    """Something that cannot recur in a part for ever.

    Attributes
    ----------
    location : Location
        The location, or the one that the step leaves.
    step : int or None
        The number of the step among those of the location; None when it is the location itself.
    reason : Reason
        Why.
    shown_by : int or None
        The number of the step that is never served: of the same location, or for `Reason.UNFAIR_ON_ENTRY` of the target.
    """

    location: Location
    step: int | None
    reason: Reason
    unfair_edge: int | None


@dataclass(frozen=True)
class Component:
    """Locations among which a run may stay, and why it does not.

    Attributes
    ----------
    locations : frozenset of Location
        The locations.
    out : tuple of Leaving
        What cannot recur.
    parts : tuple of Part
        What is left, split: steps lead from earlier ones to later ones, never back.
    silent : bool
        Whether no step in it is the noise that the property forbids, so that a run may stay.
    """

    locations: frozenset[Location]
    out: tuple[Exclusion, ...]
    parts: tuple[Component, ...]
    no_recurrent_edge: bool = False


ComponentEdges = Mapping[tuple[Location, int], Edge]
"""Steps by their location and their number there."""


class LivenessCertificate:
    """The proof of a promise, as queries.

    Parameters
    ----------
    system : TimedAutomaton
        What keeps it.
    name : str
        The ``eventually`` property.
    recurrent : bool
        Whether it is broken only by noise that recurs.
    proof : Part
        The proof.
    """

    intro = (
        "; Why no fair run leaves a promise open for ever: the parts that runs pass in order, what cannot recur in each, and a",
        "; query for each reason. Every answer must be unsat.",
    )

    def __init__(self, system: TimedAutomaton, name: str, recurrent: bool, proof: Component) -> None:
        self.system = system
        self.name = name
        self.recurrent = recurrent
        self.proof = proof
        self._steps = steps(system)
        self._numbers = {location: number for number, location in enumerate(self._steps)}

    @property
    def size(self) -> int:
        """How many things are shown not to recur."""
        return sum(len(part.out) for _, part, _ in self._walk())

    def _walk(self) -> Iterator[tuple[str, Component, ComponentEdges]]:
        """Every part with its name and the steps inside it."""
        open_now = frozenset(location for location in self._steps if self.name in self.system.pending(location))
        waiting = [("0", self.proof, self._inside(self._every(), open_now))]
        while waiting:
            name, part, hops = waiting.pop()
            yield name, part, hops
            left = self._left(part, hops)
            inner = [(f"{name}.{index}", one, self._inside(left, one.locations)) for index, one in enumerate(part.parts)]
            waiting.extend(reversed(inner))

    def _every(self) -> ComponentEdges:
        return {(location, number): edge for location, edges in self._steps.items() for number, edge in enumerate(edges)}

    @staticmethod
    def _inside(hops: ComponentEdges, locations: Collection[Location]) -> ComponentEdges:
        return {key: edge for key, edge in hops.items() if key[0] in locations and edge.target in locations}

    def _left(self, part: Component, hops: ComponentEdges) -> ComponentEdges:
        """The steps of a part that may recur."""
        gone = {one.location for one in part.out if one.step is None}
        dropped = {(one.location, one.step) for one in part.out}
        return self._inside({key: edge for key, edge in hops.items() if key not in dropped}, part.locations - gone)

    # --- what counting shows ---

    def mismatch(self) -> str:
        """Where the parts do not fit together; empty when they do."""
        open_now = frozenset(location for location in self._steps if self.name in self.system.pending(location))
        if self.proof.locations != open_now:
            return f"part 0: its locations are not those in which {self.name} is open"
        return next(filter(None, (self._gap(part, hops, f"part {name}") for name, part, hops in self._walk())), "")

    def _gap(self, part: Component, hops: ComponentEdges, where: str) -> str:
        if part.no_recurrent_edge:
            noise = any(self.name in edge.recurrent for edge in hops.values())
            return f"{where}: it is not silent" if noise or not self.recurrent else ""
        for one in part.out:
            if one.location not in part.locations:
                return f"{where}: what cannot recur is not in it"
            if fault := self.misfit(one, hops):
                return f"{where}, location {self._numbers[one.location]}: {fault}"
        left = part.locations - {one.location for one in part.out if one.step is None}
        placed = [location for inner in part.parts for location in inner.locations]
        if len(placed) != len(set(placed)) or set(placed) != left:
            return f"{where}: not every location that is left is in just one part of it"
        place = {location: index for index, inner in enumerate(part.parts) for location in inner.locations}
        for (location, _), edge in self._left(part, hops).items():
            if place[location] > place[edge.target]:
                return f"{where}: a step leads back from location {self._numbers[location]}"
        return ""

    def misfit(self, one: Exclusion, hops: ComponentEdges) -> str:
        """What is wrong with a reason before any solver is asked."""
        if one.step is not None and (one.location, one.step) not in hops:
            return f"step {one.step} is none of the part"
        if (one.step is None) == (
            one.reason in (Reason.UNFAIR_ALTERNATIVE, Reason.UNFAIR_ON_ENTRY)
        ) and one.reason is not Reason.PAST_BOUND:
            return f"{one.reason.value} is no reason for that"
        if one.reason is Reason.PAST_BOUND:
            return ""
        shown = self._shown_by(one)
        if shown is None:
            return "there is no step that shows it"
        served = frozenset().union(*(edge.fair for edge in hops.values()))
        return "" if shown.fair - served else f"the step {shown.action} is served in the part, or nothing forces it"

    def _shown_by(self, one: Exclusion) -> Edge | None:
        place = one.location
        if one.reason is Reason.UNFAIR_ON_ENTRY and one.step is not None:
            place = self._steps[one.location][one.step].target
        steps_there = self._steps[place]
        return steps_there[one.unfair_edge] if one.unfair_edge is not None and one.unfair_edge < len(steps_there) else None

    # --- what solvers show ---

    def head(self) -> list[str]:
        """The logic, the parameters and the clocks."""
        most = max(len(self.system.clocks(location)) for location in self._steps)
        lines = ["(set-logic QF_LRA)", f"(declare-const {PAST_BOUND} Real)"]
        for parameter in self.system.parameters:
            if parameter != ZERO:
                lines += [f"(declare-const {parameter} Real)", f"(assert (<= 0.0 {parameter} {PAST_BOUND}))"]
        lines.append(f"(assert (<= 0.0 {PAST_BOUND}))")
        for kind in ("x", "dead"):
            lines += [f"(declare-const {kind}{index} Real)" for index in range(most)]
        return [*lines, *(f"(assert (>= x{index} 0.0))" for index in range(most))]

    def definitions(self) -> Iterator[str]:
        """The parts, and what cannot recur in them; from these lines the proof is read."""
        for name, part, _ in self._walk():
            members = " ".join(str(number) for number in sorted(map(self._numbers.__getitem__, part.locations)))
            yield f'(set-info :part "{name} {"silent" if part.no_recurrent_edge else "left"}: {members}")'
            for one in part.out:
                what = f"{self._numbers[one.location]} {_or_dash(one.step)}"
                yield f'(set-info :out "{name}: {what} {one.reason.value} {_or_dash(one.unfair_edge)}")'

    def queries(self) -> Iterator[Query]:
        """Each reason as a query that must be unsatisfiable."""
        for name, part, hops in self._walk():
            started, dead = self._started(hops)
            for one in part.out:
                clocks = self.system.clocks(one.location)
                late = [
                    f"(> x{index} {self.system.lifetimes[clock.role] if clock in dead else PAST_BOUND})"
                    for index, clock in enumerate(clocks)
                    if clock not in started
                ]
                yield Query(one.reason.value, f"part {name}, location {self._numbers[one.location]}", self._asked(one, late))

    def _asked(self, one: Exclusion, late: list[str]) -> list[str]:
        clocks = self.system.clocks(one.location)
        values = {clock: f"x{index}" for index, clock in enumerate(clocks)}
        here = self.system.invariant(one.location)
        edge = None if one.step is None else self._steps[one.location][one.step]
        taken = [] if edge is None else _bounds(edge.guard, values)
        shown = self._shown_by(one)
        if one.reason is Reason.PAST_BOUND:
            return [*late, *(_bounds(here, values) if edge is None else taken)]
        assert shown is not None, "counting comes first"
        if one.reason is not Reason.UNFAIR_ON_ENTRY:
            return [*late, *taken, _not_all(_bounds(shown.guard, values))]
        assert edge is not None, "counting comes first"
        arrived, conditions = self._arrived(edge, values)
        return [*conditions, _not_all(_bounds(shown.guard, arrived))]

    def _arrived(self, edge: Edge, values: Mapping[Clock, str]) -> tuple[dict[Clock, str], list[str]]:
        """The clocks of the target on arrival, and that dead ones are beyond their lifetime."""
        arrived, conditions = {}, []
        for index, (clock, origin) in enumerate(zip(self.system.clocks(edge.target), edge.updates, strict=True)):
            if origin is None:
                arrived[clock] = "0.0"
            elif isinstance(origin, Clock):
                arrived[clock] = values[origin]
            else:
                arrived[clock] = f"dead{index}"
                conditions.append(f"(> dead{index} {self.system.lifetimes[clock.role]})")
        return arrived, conditions

    def _started(self, hops: ComponentEdges) -> tuple[set[Clock], set[Clock]]:
        """The clocks that steps of a part start, or copy from others, and those that one makes dead."""
        started, dead = set(), set()
        for edge in hops.values():
            for clock, origin in zip(self.system.clocks(edge.target), edge.updates, strict=True):
                if origin is None or (isinstance(origin, Clock) and origin != clock):
                    started.add(clock)
                elif not isinstance(origin, Clock):
                    dead.add(clock)
        return started, dead


def steps(system: TimedAutomaton) -> dict[Location, tuple[Edge, ...]]:
    """The steps of every location that steps lead to, whatever the guards say; in the order in which they are met."""
    found: dict[Location, tuple[Edge, ...]] = {}
    waiting = [system.initial()]
    met = {system.initial()}
    for location in waiting:
        found[location] = tuple(system.edges(location))
        for edge in found[location]:
            if edge.target not in met:
                met.add(edge.target)
                waiting.append(edge.target)
    return found


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def _bounds(bounds: Sequence[Bound], values: Mapping[Clock, str]) -> list[str]:
    return [
        f"({'=' if bound.relation == '==' else bound.relation} {values[bound.clock]}"
        f" {'0.0' if bound.parameter == ZERO else bound.parameter})"
        for bound in bounds
    ]


def _not_all(parts: Sequence[str]) -> str:
    return f"(not (and {' '.join(parts)}))" if parts else "false"


# --- files ---------------------------------------------------------------------------------------------------------

_PART = re.compile(r'^\(set-info :part "(0(?:\.\d+)*) (silent|left):((?: \d+)*) ?"\)$')
_OUT = re.compile(r'^\(set-info :out "(0(?:\.\d+)*): (\d+) (-|\d+) (late|starved|sister|arrival) (-|\d+)"\)$')


def read(system: TimedAutomaton, text: str, where: str) -> Component:
    """The proof in a certificate; everything else in the file is passed over.

    Raises
    ------
    BrokenCertificate
        There is none, or it speaks of what the system has not.
    """
    locations = list(steps(system))
    members: dict[str, frozenset[Location]] = {}
    no_recurrent_edge: dict[str, bool] = {}
    out: dict[str, list[Exclusion]] = {}
    for row, line in enumerate(text.splitlines()):
        try:
            if found := _PART.match(line):
                if found[1] in members:
                    raise BrokenCertificate(f"{where} and {row} more: part {found[1]} comes twice")
                members[found[1]] = frozenset(locations[int(number)] for number in found[3].split())
                no_recurrent_edge[found[1]] = found[2] == "silent"
            elif found := _OUT.match(line):
                step, shown = (None if number == "-" else int(number) for number in (found[3], found[5]))
                out.setdefault(found[1], []).append(Exclusion(locations[int(found[2])], step, Reason(found[4]), shown))
        except IndexError as error:
            raise BrokenCertificate(f"{where} and {row} more: the system has {len(locations)} locations") from error
    if "0" not in members:
        raise BrokenCertificate(f"{where}: no part of any location")

    def part(name: str) -> Component:
        inner = []
        for index in count():
            if f"{name}.{index}" not in members:
                break
            inner.append(part(f"{name}.{index}"))
        return Component(members[name], tuple(out.get(name, ())), tuple(inner), no_recurrent_edge[name])

    return part("0")
