"""Certificates for ``eventually`` properties: why no fair run leaves one pending for ever, whatever the durations are.

Such a run would stay among the locations where the property is pending, and so, in the end, in one strongly connected
component of their graph. The certificate splits these locations into components that runs pass in order, never back.
Each component lists the locations and edges that no fair run can repeat in it for ever, with the reason; what remains
is split again, until nothing remains.

The checker reads locations and edges from the system, not from the file. It checks by comparison of sets that the
components cover everything and are in order, and puts one query for each reason to Z3 and cvc5; each must be
unsatisfiable. In these queries every clock that the component never resets is greater than every parameter: as time
diverges, it will be.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count

from timewait.checker.certificate import BrokenCertificate, numbered
from timewait.checker.queries import Query
from timewait.vocabulary.automaton import ZERO, Bound, Clock, Edge, Location, TimedAutomaton

LATE = "late"
"""The SMT-LIB constant for a duration that no parameter exceeds."""


class Reason(Enum):
    """Why no fair run repeats a location or an edge of a component for ever; the values stand in the files.

    An *untaken* edge is one that must be taken if it is enabled again and again (strong fairness) although the component
    has no edge of one of its fairness names.
    """

    PAST_BOUND = "late"
    """A clock that the component never resets has passed an upper bound of the guard or the invariant."""
    UNTAKEN_HERE = "starved"
    """In the end an untaken edge of the location is always enabled."""
    UNTAKEN_ALTERNATIVE = "sister"
    """Whenever the edge is enabled, so is an untaken edge of the same location."""
    UNTAKEN_ON_ENTRY = "arrival"
    """An untaken edge of the target is enabled on entry."""


@dataclass(frozen=True)
class Exclusion:
    """A location or an edge that no fair run repeats in a component for ever.

    Attributes
    ----------
    location : Location
        The location, or the source of the edge.
    edge : int or None
        The number of the edge among those of the location; None when the location itself is excluded.
    reason : Reason
        The reason.
    untaken : int or None
        The number of the untaken edge, among those of the location or, for `Reason.UNTAKEN_ON_ENTRY`, of the target.
    """

    location: Location
    edge: int | None
    reason: Reason
    untaken: int | None


@dataclass(frozen=True)
class Component:
    """Locations among which a run may stay, and why no fair run does.

    Attributes
    ----------
    locations : frozenset of Location
        The locations.
    exclusions : tuple of Exclusion
        The locations and edges that no fair run repeats in it for ever.
    parts : tuple of Component
        The components of what remains; edges lead from earlier ones to later ones, never back.
    harmless : bool
        Whether a run may stay: the property is violated by recurrent events alone, and no edge of it is one.
    """

    locations: frozenset[Location]
    exclusions: tuple[Exclusion, ...]
    parts: tuple[Component, ...]
    harmless: bool = False


ComponentEdges = Mapping[tuple[Location, int], Edge]
"""The edges of a component, by their source and their number there."""


class LivenessCertificate:
    """The proof of an ``eventually`` property, as proof obligations.

    Parameters
    ----------
    system : TimedAutomaton
        The system.
    name : str
        The ``eventually`` property.
    recurrent : bool
        Whether only a recurrent event violates it, not mere waiting.
    proof : Component
        The proof.
    """

    intro = (
        "; Why no fair run leaves the property pending for ever: the components that runs pass in order, the locations and",
        "; edges that no fair run repeats in each, and a query for each reason. Every answer must be unsat.",
    )

    def __init__(self, system: TimedAutomaton, name: str, recurrent: bool, proof: Component) -> None:
        self.system = system
        self.name = name
        self.recurrent = recurrent
        self.proof = proof
        self._numbers, self._edges = numbered(system, lambda *_: True)
        self._pending = frozenset(location for location in self._edges if name in system.pending(location))

    @property
    def size(self) -> int:
        """The number of exclusions."""
        return sum(len(component.exclusions) for _, component, _ in self._components())

    @property
    def ever_pending(self) -> bool:
        """Whether the property is pending in some location."""
        return bool(self._pending)

    def _components(self) -> Iterator[tuple[str, Component, ComponentEdges]]:
        """Every component with its name and its edges, parents first."""
        every = {(location, number): edge for location, edges in self._edges.items() for number, edge in enumerate(edges)}
        waiting = [("0", self.proof, _within(every, self._pending))]
        while waiting:
            name, component, edges = waiting.pop()
            yield name, component, edges
            remaining = _remaining(component, edges)
            parts = enumerate(component.parts)
            waiting += reversed([(f"{name}.{index}", part, _within(remaining, part.locations)) for index, part in parts])

    # --- comparison of sets ---

    def mismatch(self) -> str:
        """The first component that does not fit the system or its parts; empty when all do."""
        if self.proof.locations != self._pending:
            return f"part 0: its locations are not those in which {self.name} is pending"
        checked = (self._mismatch(component, edges, f"part {name}") for name, component, edges in self._components())
        return next(filter(None, checked), "")

    def _mismatch(self, component: Component, edges: ComponentEdges, where: str) -> str:
        if component.harmless:
            recurrent = any(self.name in edge.recurrent for edge in edges.values())
            return f"{where}: it has a recurrent event" if recurrent or not self.recurrent else ""
        for exclusion in component.exclusions:
            if exclusion.location not in component.locations:
                return f"{where}: an excluded location is not in it"
            if problem := self.misapplied(exclusion, edges):
                return f"{where}, location {self._numbers[exclusion.location]}: {problem}"
        remaining = component.locations - _excluded_locations(component)
        placed = [location for part in component.parts for location in part.locations]
        if len(placed) != len(set(placed)) or set(placed) != remaining:
            return f"{where}: not every remaining location is in exactly one part of it"
        order = {location: index for index, part in enumerate(component.parts) for location in part.locations}
        for (location, _), edge in _remaining(component, edges).items():
            if order[location] > order[edge.target]:
                return f"{where}: an edge leads back from location {self._numbers[location]}"
        return ""

    def misapplied(self, exclusion: Exclusion, edges: ComponentEdges) -> str:
        """Why the reason of an exclusion does not apply, before any solver is asked; empty when it may apply."""
        if exclusion.edge is not None and (exclusion.location, exclusion.edge) not in edges:
            return f"edge {exclusion.edge} is not in the part"
        if exclusion.reason is Reason.PAST_BOUND:
            return ""
        if (exclusion.edge is None) != (exclusion.reason is Reason.UNTAKEN_HERE):
            return f"the reason {exclusion.reason.value!r} does not apply to it"
        untaken = self._untaken(exclusion)
        if untaken is None:
            return "the untaken edge does not exist"
        taken = frozenset().union(*(edge.fair for edge in edges.values()))
        return "" if untaken.fair - taken else f"the edge {untaken.action} is taken in the part, or fairness does not force it"

    def _untaken(self, exclusion: Exclusion) -> Edge | None:
        location = exclusion.location
        if exclusion.reason is Reason.UNTAKEN_ON_ENTRY and exclusion.edge is not None:
            location = self._edges[location][exclusion.edge].target
        edges = self._edges[location]
        return edges[exclusion.untaken] if exclusion.untaken is not None and exclusion.untaken < len(edges) else None

    # --- queries ---

    def head(self) -> list[str]:
        """The logic, the parameters and the clocks."""
        most = max(len(self.system.clocks(location)) for location in self._edges)
        lines = ["(set-logic QF_LRA)", f"(declare-const {LATE} Real)"]
        for parameter in self.system.parameters:
            if parameter != ZERO:
                lines += [f"(declare-const {parameter} Real)", f"(assert (<= 0.0 {parameter} {LATE}))"]
        lines.append(f"(assert (<= 0.0 {LATE}))")
        for kind in ("x", "dead"):
            lines += [f"(declare-const {kind}{index} Real)" for index in range(most)]
        return [*lines, *(f"(assert (>= x{index} 0.0))" for index in range(most))]

    def definitions(self) -> Iterator[str]:
        """The components and their exclusions, as annotations; `read` reads the proof from these lines."""
        for name, component, _ in self._components():
            members = " ".join(map(str, sorted(self._numbers[location] for location in component.locations)))
            yield f'(set-info :part "{name} {"silent" if component.harmless else "left"}: {members}")'
            for exclusion in component.exclusions:
                what = f"{self._numbers[exclusion.location]} {_or_dash(exclusion.edge)}"
                yield f'(set-info :out "{name}: {what} {exclusion.reason.value} {_or_dash(exclusion.untaken)}")'

    def queries(self) -> Iterator[Query]:
        """One query for each exclusion; each must be unsatisfiable."""
        for name, component, edges in self._components():
            reset, inactive = self._changed(edges)
            for exclusion in component.exclusions:
                clocks = self.system.clocks(exclusion.location)
                late = [
                    f"(> x{index} {self.system.lifetimes[clock.role] if clock in inactive else LATE})"
                    for index, clock in enumerate(clocks)
                    if clock not in reset
                ]
                where = f"part {name}, location {self._numbers[exclusion.location]}"
                yield Query(exclusion.reason.value, where, self._assertions(exclusion, late))

    def _assertions(self, exclusion: Exclusion, late: list[str]) -> list[str]:
        clocks = self.system.clocks(exclusion.location)
        values = {clock: f"x{index}" for index, clock in enumerate(clocks)}
        edge = None if exclusion.edge is None else self._edges[exclusion.location][exclusion.edge]
        if exclusion.reason is Reason.PAST_BOUND:
            return [*late, *_bounds(self.system.invariant(exclusion.location) if edge is None else edge.guard, values)]
        untaken = self._untaken(exclusion)
        assert untaken is not None, "mismatch() comes first"
        if exclusion.reason is Reason.UNTAKEN_ON_ENTRY:
            assert edge is not None, "mismatch() comes first"
            entered, conditions = self._entered(edge, values)
            return [*conditions, _not_all(_bounds(untaken.guard, entered))]
        return [*late, *_bounds(edge.guard if edge else (), values), _not_all(_bounds(untaken.guard, values))]

    def _entered(self, edge: Edge, values: Mapping[Clock, str]) -> tuple[dict[Clock, str], list[str]]:
        """The values of the clocks of an edge's target on entry; those of inactive clocks exceed their lifetimes."""
        entered, conditions = {}, []
        for index, (clock, update) in enumerate(zip(self.system.clocks(edge.target), edge.updates, strict=True)):
            if update is None:
                entered[clock] = "0.0"
            elif isinstance(update, Clock):
                entered[clock] = values[update]
            else:
                entered[clock] = f"dead{index}"
                conditions.append(f"(> dead{index} {self.system.lifetimes[clock.role]})")
        return entered, conditions

    def _changed(self, edges: ComponentEdges) -> tuple[set[Clock], set[Clock]]:
        """The clocks that edges of a component reset or copy from others, and those that an edge makes inactive."""
        reset, inactive = set(), set()
        for edge in edges.values():
            for clock, update in zip(self.system.clocks(edge.target), edge.updates, strict=True):
                if update is None or (isinstance(update, Clock) and update != clock):
                    reset.add(clock)
                elif not isinstance(update, Clock):
                    inactive.add(clock)
        return reset, inactive


def _within(edges: ComponentEdges, locations: Collection[Location]) -> ComponentEdges:
    """The edges between some locations."""
    return {key: edge for key, edge in edges.items() if key[0] in locations and edge.target in locations}


def _excluded_locations(component: Component) -> set[Location]:
    return {exclusion.location for exclusion in component.exclusions if exclusion.edge is None}


def _remaining(component: Component, edges: ComponentEdges) -> ComponentEdges:
    """The edges of a component that are not excluded, between locations that are not."""
    excluded = {(exclusion.location, exclusion.edge) for exclusion in component.exclusions}
    kept = {key: edge for key, edge in edges.items() if key not in excluded}
    return _within(kept, component.locations - _excluded_locations(component))


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

MAX_PARTS = 200
"""Parts of a proof inside one another."""

_PART = re.compile(r'^\(set-info :part "(0(?:\.\d+)*) (silent|left):((?: \d{1,9})*) ?"\)$')
_OUT = re.compile(r'^\(set-info :out "(0(?:\.\d+)*): (\d{1,9}) (-|\d{1,9}) (late|starved|sister|arrival) (-|\d{1,9})"\)$')


def read(system: TimedAutomaton, text: str, where: str) -> Component:
    """The proof in a certificate; the queries in the file are not read.

    Raises
    ------
    BrokenCertificate
        The text holds no proof, or names a location that the system does not have.
    """
    locations = list(numbered(system, lambda *_: True)[0])
    members: dict[str, frozenset[Location]] = {}
    harmless: dict[str, bool] = {}
    exclusions: dict[str, list[Exclusion]] = {}
    for row, line in enumerate(text.splitlines()):
        try:
            if found := _PART.match(line):
                if found[1] in members:
                    raise BrokenCertificate(f"{where} and {row} more: part {found[1]} comes twice")
                if found[1].count(".") > MAX_PARTS:
                    raise BrokenCertificate(f"{where} and {row} more: more than {MAX_PARTS} parts inside one another")
                members[found[1]] = frozenset(locations[int(number)] for number in found[3].split())
                harmless[found[1]] = found[2] == "silent"
            elif found := _OUT.match(line):
                edge, untaken = (None if number == "-" else int(number) for number in (found[3], found[5]))
                exclusion = Exclusion(locations[int(found[2])], edge, Reason(found[4]), untaken)
                exclusions.setdefault(found[1], []).append(exclusion)
        except IndexError as error:
            raise BrokenCertificate(f"{where} and {row} more: the system has {len(locations)} locations") from error
    if "0" not in members:
        raise BrokenCertificate(f"{where}: no part of any location")

    def component(name: str) -> Component:
        inner = []
        for index in count():
            if f"{name}.{index}" not in members:
                break
            inner.append(component(f"{name}.{index}"))
        return Component(members[name], tuple(exclusions.get(name, ())), tuple(inner), harmless[name])

    return component("0")
