"""Inductive invariants from finished explorations: zones that cover all reachable states, with linear terms as bounds.

Every bound of a zone is a sum of parameters along the path to the zone. If the parameters have *generic* values (large
and coprime), a bound in ticks identifies its sum, and the zones become an invariant with parameters in it. It is
inductive for all values that satisfy its *side conditions*: the successor of each zone of the cover must lie in a zone
of the cover, which is a list of comparisons between terms. The interval of ratios that satisfies them is exact up to
the choice of the including zone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from timewait.checker import dbm
from timewait.checker.certificate import conjunction, linear
from timewait.checker.dbm import Zone
from timewait.checker.linear import Terms, difference, only
from timewait.checker.ratios import EVERY_RATIO, RatioInterval
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Location

TickReading = Callable[[int], Terms]
"""The linear term that a number of ticks stands for."""


class ReducedZone(NamedTuple):
    """A zone with its minimal constraint system.

    Attributes
    ----------
    zone : (n, n) matrix
        The canonical difference-bound matrix.
    entries : list of (int, int)
        The entries from which all others follow.
    """

    zone: Zone
    entries: list[tuple[int, int]]


Cover = dict[int, list[ReducedZone]]
"""For each location reached, by its number, the zones that cover its reachable states."""


def cover_of(zones: Zones) -> Cover:
    """The cover of a finished exploration."""
    return {number: [ReducedZone(zone, minimal_bounds(zone)) for zone in found] for number, found in zones.cover().items()}


def invariant(zones: Zones, cover: Cover, reading: TickReading) -> dict[Location, list[str]]:
    """A cover as an invariant for `timewait.checker.certificate`.

    Parameters
    ----------
    zones : Zones
        The exploration that the cover comes from.
    cover : Cover
        The cover.
    reading : callable
        Reads ticks as linear terms.
    """
    return {
        zones.automaton.location(number).original: [_formula(zone, reading) for zone in reduced]
        for number, reduced in cover.items()
    }


def _formula(reduced: ReducedZone, reading: TickReading) -> str:
    parts = []
    for row, column in reduced.entries:
        bound = int(reduced.zone[row, column])
        left = "0.0" if row == 0 else f"x{row - 1}"
        shown = left if column == 0 else f"(- {left} x{column - 1})"
        parts.append(f"({'<' if _strict(bound) else '<='} {shown} {linear(reading(bound >> 1))})")
    return conjunction(parts)


def _strict(bound: int) -> bool:
    return not bound & 1


def minimal_bounds(zone: Zone) -> list[tuple[int, int]]:
    """The entries of a canonical matrix from which all others follow (Larsen, Larsson, Pettersson and Yi, 1997)."""
    size = len(zone)
    classes: list[list[int]] = []
    for row in range(size):
        for members in classes:
            first = members[0]
            if dbm.through(zone[row, first], zone[first, row]) == dbm.AT_MOST_ZERO:
                members.append(row)
                break
        else:
            classes.append([row])
    kept = []
    for members in classes:
        if len(members) > 1:
            kept += [*itertools.pairwise(members), (members[-1], members[0])]
    firsts = [members[0] for members in classes]
    for row in firsts:
        for column in firsts:
            bound = zone[row, column]
            if (
                row != column
                and bound < dbm.INFINITE
                and not any(
                    dbm.through(zone[row, middle], zone[middle, column]) <= bound
                    for middle in firsts
                    if middle not in (row, column)
                )
            ):
                kept.append((row, column))
    return kept


# --- ticks as linear terms ------------------------------------------------------------------------------------------------


def constants(unit: Fraction) -> TickReading:
    """Every bound is a number of seconds."""
    return lambda ticks: {"": ticks * unit} if ticks else {}


def multiples(name: str, ticks_of_name: int) -> TickReading:
    """Every bound is a multiple of one parameter."""
    return lambda ticks: {name: Fraction(ticks, ticks_of_name)} if ticks else {}


class NotGeneric(Exception):
    """A bound is not a sum with small coefficients: the values of the parameters were not generic enough."""


MAX_COEFFICIENT = 4096
"""The largest coefficient of a sum."""


@dataclass(frozen=True)
class SumReading:
    """Reads bounds as sums of two parameters with coprime values.

    Attributes
    ----------
    first, second : str
        The parameters.
    first_value, second_value : int
        Their values, in a unit in which they are coprime.
    tick : Fraction
        The length of a tick, in the same unit.
    parts : int
        The denominator of the coefficients: larger than 1 where other parameters are fractions of these two.
    """

    first: str
    second: str
    first_value: int
    second_value: int
    tick: Fraction = Fraction(1)
    parts: int = 1

    def __call__(self, ticks: int) -> Terms:
        units = ticks * self.tick * self.parts
        inverse = pow(self.second_value, -1, self.first_value)
        factor = int(units) * inverse % self.first_value
        if factor > self.first_value // 2:
            factor -= self.first_value
        rest = (int(units) - factor * self.second_value) // self.first_value
        if units.denominator > 1 or max(abs(factor), abs(rest)) > MAX_COEFFICIENT:
            raise NotGeneric(f"{ticks} ticks are not a sum of few {self.first} and {self.second}")
        return only({self.first: Fraction(rest, self.parts), self.second: Fraction(factor, self.parts)})


# --- side conditions --------------------------------------------------------------------------------------------


class SideCondition(NamedTuple):
    """A linear term must be at most zero, or less if strict."""

    term: Terms
    strict: bool


def side_conditions(zones: Zones, cover: Cover, reading: TickReading) -> Iterator[SideCondition]:
    """The comparisons that make a cover inductive: those of the bounds of each edge, each once.

    Edges that cannot be taken at the explored values must stay so. Every other edge must lead into the same zone of
    the cover as it does at these values.
    """
    cycles, pairs = set[int](), set[tuple[int, int]]()
    for number, found in cover.items():
        for reduced in found:
            for target, bounds, sources, lifetimes in zones.edges(number):
                narrow, contradiction = _narrowed(reduced.zone, bounds)
                if contradiction is not None:
                    cycles.add(contradiction)
                    continue
                after = dbm.carry(narrow, sources, lifetimes)
                including = next(other for other in cover[target] if dbm.includes(other.zone[None], after))
                pairs.update((int(after[entry]), int(including.zone[entry])) for entry in including.entries)
    yield from (_below(cycle, reading) for cycle in sorted(cycles))
    yield from (_at_most(inner, outer, reading) for inner, outer in sorted(pairs))


def _narrowed(zone: Zone, bounds: Zone) -> tuple[Zone, int | None]:
    """The zone under some bounds, and the sum along the negative cycle if they contradict it."""
    narrow = zone.copy()
    for row, column, bound in bounds:
        cycle = dbm.through(narrow[column, row], bound)
        if not dbm.tighten(narrow, row, column, bound):
            return narrow, int(cycle)
    return narrow, None


# --- redundant bounds ---------------------------------------------------------------------------------------------------


def trimmed(zones: Zones, cover: Cover, properties: frozenset[str]) -> Cover:
    """The cover without redundant bounds: no bound of the result can be removed.

    Removing a bound enlarges a zone, so only the edges out of that zone are checked again.

    Parameters
    ----------
    zones : Zones
        The exploration that the cover comes from.
    cover : Cover
        The cover.
    properties : frozenset of str
        The properties that no edge may violate.
    """
    kept = {number: list(found) for number, found in cover.items()}
    changed = True
    while changed:
        changed = False
        for number, found in kept.items():
            for index in range(len(found)):
                for entry in list(found[index].entries):
                    before = found[index]
                    found[index] = _without(before, entry)
                    if _inductive(zones, kept, number, found[index], properties):
                        changed = True
                    else:
                        found[index] = before
    return {number: _maximal(found) for number, found in kept.items()}


def _maximal(found: list[ReducedZone]) -> list[ReducedZone]:
    """The zones that no other one includes."""
    kept = list(found)
    for reduced in found:
        others = [other for other in kept if other is not reduced]
        if any(dbm.includes(other.zone[None], reduced.zone) for other in others):
            kept = others
    return kept


def _without(reduced: ReducedZone, entry: tuple[int, int]) -> ReducedZone:
    zone = np.full_like(reduced.zone, dbm.INFINITE)
    np.fill_diagonal(zone, dbm.AT_MOST_ZERO)
    entries = [other for other in reduced.entries if other != entry]
    for row, column in entries:
        zone[row, column] = reduced.zone[row, column]
    return ReducedZone(dbm.close(zone), entries)


def _inductive(zones: Zones, cover: Cover, number: int, reduced: ReducedZone, properties: frozenset[str]) -> bool:
    """Whether every edge out of a zone, after any wait, violates no property and leads into the cover."""
    edges = zones.automaton.location(number).edges
    waited = reduced.zone.copy()
    waited[1:, 0] = dbm.INFINITE
    for edge, (target, bounds, sources, lifetimes) in zip(edges, zones.edges(number), strict=True):
        possible, narrow = dbm.narrowed(waited, bounds)
        if not possible:
            continue
        after = dbm.carry(narrow, sources, lifetimes)
        if edge.original.violates & properties or not any(
            dbm.includes(other.zone[None], after) for other in cover.get(target, ())
        ):
            return False
    return True


# --- comparisons ----------------------------------------------------------------------------------------------------


def _below(cycle: int, reading: TickReading) -> SideCondition:
    """The sum of a cycle stays negative: at most zero if the sum is strict, else less."""
    return SideCondition(reading(cycle >> 1), not _strict(cycle))


def _at_most(inner: int, outer: int, reading: TickReading) -> SideCondition:
    """One bound is at least as strong as another."""
    term = difference(reading(inner >> 1), reading(outer >> 1))
    return SideCondition(term, _strict(outer) and not _strict(inner))


def ratio_interval(comparisons: Iterator[SideCondition], numerator: str, denominator: str) -> RatioInterval:
    """The ratios ``numerator / denominator`` that satisfy comparisons of sums of these two; both are positive.

    The comparisons must hold for some ratio.
    """
    found = EVERY_RATIO
    distinct = {(term.get(denominator, Fraction(0)), term.get(numerator, Fraction(0)), strict) for term, strict in comparisons}
    for constant, slope, strict in distinct:
        if slope > 0:
            found = found.up_to(-constant / slope, not strict)
        elif slope < 0:
            found = found.down_to(-constant / slope, not strict)
    return found
