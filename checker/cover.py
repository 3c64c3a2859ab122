"""Invariants from finished explorations: the zones that cover all that is reachable, their bounds as terms.

A bound of a zone is a sum of parameters, taken along the steps that led to it. Explored at values that are
*generic* (large, without a common divisor) each bound tells which sum it is, and the cover speaks of every
value near by. How near is found by looking at each step once more: a zone of the cover, taken through a
edge, must lie in a zone of the cover, and that is a list of comparisons between terms. The interval of
ratios on which all of them hold is exact up to the choice of the including zone.
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
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Location

Reading = Callable[[int], Terms]
"""Which term a number of ticks stands for."""


class ZoneTerms(NamedTuple):
    """A zone of a cover.

    Attributes
    ----------
    zone : (n, n) matrix
        Canonical.
    entries : list of (int, int)
        The entries from which all others follow.
    """

    zone: Zone
    entries: list[tuple[int, int]]


Cover = dict[int, list[ZoneTerms]]
"""For each location met, by its number, the zones that hold everything reachable there."""


def cover_of(zones: Zones) -> Cover:
    """The cover of a finished exploration."""
    return {place: [ZoneTerms(zone, minimal(zone)) for zone in stack] for place, stack in zones.cover().items()}


def invariant(zones: Zones, cover: Cover, reading: Reading) -> dict[Location, list[str]]:
    """A cover as an invariant for `timewait.checker.certificate`.

    Parameters
    ----------
    zones : Zones
        The exploration that the cover is from.
    cover : Cover
        The cover.
    reading : callable
        Turns ticks into terms.
    """
    return {
        zones.automaton.location(place).original: [_formula(region, reading) for region in regions]
        for place, regions in cover.items()
    }


def _formula(region: ZoneTerms, reading: Reading) -> str:
    parts = []
    for row, column in region.entries:
        bound = int(region.zone[row, column])
        left = "0.0" if row == 0 else f"x{row - 1}"
        shown = left if column == 0 else f"(- {left} x{column - 1})"
        parts.append(f"({'<' if _strict(bound) else '<='} {shown} {linear(reading(bound >> 1))})")
    return conjunction(parts)


def _strict(bound: int) -> bool:
    return not bound & 1


def minimal(zone: Zone) -> list[tuple[int, int]]:
    """The entries of a canonical matrix from which all others follow (Larsen and others, 1997)."""
    size = len(zone)
    classes: list[list[int]] = []
    for row in range(size):
        for members in classes:
            first = members[0]
            if dbm.through(zone[row, first], zone[first, row]) == dbm.NOUGHT:
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


# --- ticks as terms ------------------------------------------------------------------------------------------------


def constants(unit: Fraction) -> Reading:
    """Every bound is a number of seconds."""
    return lambda ticks: {"": ticks * unit} if ticks else {}


def multiples(name: str, ticks_of_name: int) -> Reading:
    """Every bound is a multiple of one parameter."""
    return lambda ticks: {name: Fraction(ticks, ticks_of_name)} if ticks else {}


class NotGeneric(Exception):
    """A bound that is no sum of few parameters: the values explored at were not generic enough."""


MOST = 4096
"""The largest coefficient that is read."""


@dataclass(frozen=True)
class ZoneEntry:
    """Bounds as sums of two parameters, read off values that have no common divisor.

    Attributes
    ----------
    first, second : str
        The parameters.
    one, other : int
        Their values, in units of which they have no common multiple but their product.
    tick : Fraction
        A tick, in the same unit.
    parts : int
        Where other parameters are fractions of these two, bounds are sums of so small parts of them.
    """

    first: str
    second: str
    one: int
    other: int
    tick: Fraction = Fraction(1)
    parts: int = 1

    def __call__(self, ticks: int) -> Terms:
        units = ticks * self.tick * self.parts
        inverse = pow(self.other, -1, self.one)
        factor = int(units) * inverse % self.one
        if factor > self.one // 2:
            factor -= self.one
        rest = (int(units) - factor * self.other) // self.one
        if units.denominator > 1 or max(abs(factor), abs(rest)) > MOST:
            raise NotGeneric(f"{ticks} ticks are no sum of few {self.first} and {self.second}")
        return only({self.first: Fraction(rest, self.parts), self.second: Fraction(factor, self.parts)})


# --- where else it holds --------------------------------------------------------------------------------------------


class TermComparison(NamedTuple):
    """What a step needs: a term is at most nought (or less)."""

    term: Terms
    strict: bool


def side_conditions(zones: Zones, cover: Cover, reading: Reading) -> Iterator[TermComparison]:
    """What must hold of the parameters for the cover to be inductive: one comparison for each bound of each step.

    Steps that are impossible at the values explored must stay so; every other one must lead into the zone of the
    cover that it leads into there.
    """
    for place, regions in cover.items():
        for region in regions:
            for target, bounds, sources, dead in zones.edges(place):
                narrow, contradiction = _narrowed(region.zone, bounds)
                if contradiction is not None:
                    yield _below(contradiction, reading)
                    continue
                after = dbm.carry(narrow, sources, dead)
                home = next(other for other in cover[target] if dbm.includes(other.zone[None], after))
                for row, column in home.entries:
                    yield _at_most(int(after[row, column]), int(home.zone[row, column]), reading)


def _narrowed(zone: Zone, bounds: Zone) -> tuple[Zone, int | None]:
    """The zone under some bounds, or the sum along the cycle that contradicts them."""
    narrow = zone.copy()
    for row, column, bound in bounds:
        cycle = dbm.through(narrow[column, row], bound)
        if not dbm.tighten(narrow, row, column, bound):
            return narrow, int(cycle)
    return narrow, None


# --- fewer bounds ---------------------------------------------------------------------------------------------------


def trimmed(zones: Zones, cover: Cover, asked: frozenset[str]) -> Cover:
    """The cover without bounds that nothing needs: afterwards the removal of any one is noticed.

    To drop a bound widens a zone, so only the steps out of it are looked at again.

    Parameters
    ----------
    zones : Zones
        The exploration that the cover is from.
    cover : Cover
        The cover.
    asked : frozenset of str
        The properties that no step may break.
    """
    kept = {place: list(regions) for place, regions in cover.items()}
    changed = True
    while changed:
        changed = False
        for place, regions in kept.items():
            for index in range(len(regions)):
                for entry in list(regions[index].entries):
                    region = regions[index]
                    wider = _without(region, entry)
                    regions[index] = wider
                    if _inductive(zones, kept, place, wider, asked):
                        changed = True
                    else:
                        regions[index] = region
    return {place: _widest(regions) for place, regions in kept.items()}


def _widest(regions: list[ZoneTerms]) -> list[ZoneTerms]:
    """The zones that lie in no other."""
    left = list(regions)
    for region in regions:
        others = [other for other in left if other is not region]
        if any(dbm.includes(other.zone[None], region.zone) for other in others):
            left = others
    return left


def _without(region: ZoneTerms, entry: tuple[int, int]) -> ZoneTerms:
    zone = np.full_like(region.zone, dbm.INFINITE)
    np.fill_diagonal(zone, dbm.NOUGHT)
    entries = [other for other in region.entries if other != entry]
    for row, column in entries:
        zone[row, column] = region.zone[row, column]
    return ZoneTerms(dbm.close(zone), entries)


def _inductive(zones: Zones, cover: Cover, place: int, region: ZoneTerms, asked: frozenset[str]) -> bool:
    """Whether every step out of a zone, after any wait, is good and leads into the cover."""
    edges = zones.automaton.location(place).edges
    waited = region.zone.copy()
    waited[1:, 0] = dbm.INFINITE
    for edge, (target, bounds, sources, dead) in zip(edges, zones.edges(place), strict=True):
        possible, narrow = dbm.narrowed(waited, bounds)
        if not possible:
            continue
        after = dbm.carry(narrow, sources, dead)
        if edge.original.violates & asked or not any(dbm.includes(other.zone[None], after) for other in cover.get(target, ())):
            return False
    return True


# --- comparisons ----------------------------------------------------------------------------------------------------


def _below(cycle: int, reading: Reading) -> TermComparison:
    """That a sum is negative: at most nought if it is strict, else less."""
    return TermComparison(reading(cycle >> 1), not _strict(cycle))


def _at_most(inner: int, outer: int, reading: Reading) -> TermComparison:
    """That one bound is no weaker than another."""
    term = difference(reading(inner >> 1), reading(outer >> 1))
    return TermComparison(term, _strict(outer) and not _strict(inner))


class RatioInterval(NamedTuple):
    """Values of a ratio: from `low` (itself included if `closed_low`) to `high`; None is beyond all bounds."""

    low: Fraction
    high: Fraction | None
    closed_low: bool
    closed_high: bool

    def __contains__(self, ratio: object) -> bool:
        assert isinstance(ratio, Fraction)
        above = ratio > self.low or (ratio == self.low and self.closed_low)
        return above and (self.high is None or ratio < self.high or (ratio == self.high and self.closed_high))

    @property
    def empty(self) -> bool:
        """Whether there is no value in it."""
        if self.high is None or self.low < self.high:
            return False
        return self.low > self.high or not (self.closed_low and self.closed_high)

    def meet(self, other: RatioInterval) -> RatioInterval:
        """What lies in both."""
        found = self.down_to(other.low, other.closed_low)
        return found if other.high is None else found.up_to(other.high, other.closed_high)

    def below(self, other: RatioInterval) -> RatioInterval:
        """What lies below the lower end of another."""
        return self.up_to(other.low, not other.closed_low)

    def above(self, other: RatioInterval) -> RatioInterval:
        """What lies above the upper end of another."""
        return NO_RATIO if other.high is None else self.down_to(other.high, not other.closed_high)

    def up_to(self, high: Fraction, closed: bool) -> RatioInterval:
        """The part up to a ratio."""
        if self.high is None or high < self.high:
            return self._replace(high=high, closed_high=closed)
        return self._replace(closed_high=self.closed_high and closed) if high == self.high else self

    def down_to(self, low: Fraction, closed: bool) -> RatioInterval:
        """The part down to a ratio."""
        if low > self.low:
            return self._replace(low=low, closed_low=closed)
        return self._replace(closed_low=self.closed_low and closed) if low == self.low else self


EVERY_RATIO = RatioInterval(Fraction(0), None, closed_low=False, closed_high=False)
NO_RATIO = RatioInterval(Fraction(0), Fraction(0), closed_low=False, closed_high=False)


def ratio_interval(comparisons: Iterator[TermComparison], numerator: str, denominator: str) -> RatioInterval:
    """The ratios ``numerator / denominator`` for which comparisons of sums of these two hold; both are positive.

    The comparisons must hold at some ratio.
    """
    found = EVERY_RATIO
    distinct = {(term.get(denominator, Fraction(0)), term.get(numerator, Fraction(0)), strict) for term, strict in comparisons}
    for constant, slope, strict in distinct:
        if slope > 0:
            found = found.up_to(-constant / slope, not strict)
        elif slope < 0:
            found = found.down_to(-constant / slope, not strict)
    return found
