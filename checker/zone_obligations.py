"""Invariants of zones checked by shortest paths, for all values of the parameters in a region, without any solver.

The proof obligations are those of `timewait.checker.certificate`: the start lies in the invariant, no edge leads out of it, none
inside it violates a property. Where every case is a zone, each of them is about sums of bounds. The region is a cone, with a
parameter of value 1 where it has constants, so a linear term is at most zero in it if it is so on each extreme ray. A zone after
a wait and a guard is therefore inside a case of the target if each bound of that case follows from some path of bounds whose sum
is at most this bound on each ray. All of it is exact, in whole numbers.

This decides less than a solver: a path that is the shortest in one part of the region alone, or a zone that only several
cases together include, stays open. What it accepts holds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from timewait.checker import certificate
from timewait.checker.certificate import Statement, numbered
from timewait.checker.linear import Terms, only, times
from timewait.checker.zone_obligation_kernels import CLOCKS, RESET, Obligations, open_edges
from timewait.vocabulary.automaton import Bound, Clock, ClockUpdate, Edge, Location

LARGEST = 1 << 32
"""The largest number on a ray: sums along a path, weighted, stay below `timewait.checker.zone_obligation_kernels.NO_BOUND`."""

CaseBound = tuple[int, int, Terms, bool]
"""Row, column, the term that bounds their difference, and whether the bound is strict; row 0 is zero, row 1 the first clock."""


class NotZones(Exception):
    """The invariant is none of zones, or has numbers that are too large."""


class ZoneInvariant:
    """The invariant of a certificate, each of whose cases is a zone.

    Parameters
    ----------
    statement : Statement
        What the invariant must prove.
    text : str
        The certificate, of which the definitions of cases alone are read.

    Attributes
    ----------
    cases, locations : int
        How many cases it has, of how many locations.

    Raises
    ------
    NotZones
        Shortest paths decide nothing about this invariant.
    """

    def __init__(self, statement: Statement, text: str) -> None:
        zones: dict[int, list[list[CaseBound]]] = {}
        for case in certificate.cases_in(text):
            if case.place != len(zones.setdefault(case.number, [])):
                raise NotZones("a case out of turn")
            zones[case.number].append(_zone(case.body, len(case.clocks)))
        numbers, edges = numbered(statement.system, lambda number, _: number in zones)
        if not zones or zones.keys() != {numbers[location] for location in edges}:
            raise NotZones("no case, or one of a location that no edge leads to")
        self.cases, self.locations = sum(map(len, zones.values())), len(zones)
        self._tables = _Tables(statement, numbers, edges, zones)

    def unproved(self) -> str:
        """The place of the first proof obligation that does not follow by shortest paths; empty if all do."""
        return self._tables.first_open()


# --- cases as zones ------------------------------------------------------------------------------------------------------

_SIZE = r"[0-9]{1,18}\.0|\(/ [0-9]{1,18}\.0 [1-9][0-9]{0,17}\.0\)"
_FACTOR = rf"(?:{_SIZE}|\(- (?:{_SIZE})\))"
_PRODUCT = rf"(?:\(\* {_FACTOR} [A-Z][A-Z_]*\)|{_FACTOR})"
_TERM = rf"{_PRODUCT}|\(\+(?: {_PRODUCT})+\)"
_BOUND = re.compile(rf"\((<=?) (?:\(- (0\.0|x[0-9]{{1,4}}) (x[0-9]{{1,4}})\)|(x[0-9]{{1,4}})) ({_TERM})\)")
_PRODUCTS = re.compile(rf"\(\* ({_FACTOR}) ([A-Z][A-Z_]*)\)|({_FACTOR})")
_WHOLE = re.compile(r"[0-9]+(?=\.0)")


def _zone(body: str, clocks: int) -> list[CaseBound]:
    """A case as bounds.

    Raises
    ------
    NotZones
        It is none.
    """
    if body == "true":
        return []
    inner = body[5:-1] if body.startswith("(and ") else body
    found, position = [], 0
    while position < len(inner):
        match = _BOUND.match(inner, position)
        if match is None or inner[match.end() : match.end() + 1] not in ("", " "):
            raise NotZones("a case that is no zone")
        relation, left, right, alone, term = match.groups()
        row, column = _position(alone or left), _position(right or "0.0")
        if row == column or max(row, column) > clocks:
            raise NotZones("a bound of no two clocks")
        found.append((row, column, _term(term), relation == "<"))
        position = match.end() + 1
    return found


def _position(name: str) -> int:
    return 0 if name == "0.0" else int(name[1:]) + 1


@cache
def _term(text: str) -> Terms:
    """A linear term as `timewait.checker.certificate.linear` writes it."""
    terms: dict[str, Fraction] = {}
    for factor, name, constant in _PRODUCTS.findall(text):
        number = factor or constant
        size = Fraction(*map(int, _WHOLE.findall(number)))
        terms[name] = terms.get(name, Fraction(0)) + (-size if number.startswith("(-") else size)
    return only(terms)


# --- the region as a cone ---------------------------------------------------------------------------------------------------


def _rays(constraints: Collection[tuple[int, ...]], size: int) -> list[tuple[int, ...]]:
    """The extreme rays of the pointed cone in which no constraint, a row of factors, is negative."""
    found = set()
    for chosen in itertools.combinations(constraints, size - 1):
        ray = _common_zero(chosen, size)
        for signed in (ray, tuple(-value for value in ray)):
            if any(signed) and all(_product(row, signed) >= 0 for row in constraints):
                found.add(_least(signed))
    return sorted(found)


def _common_zero(rows: Sequence[tuple[int, ...]], size: int) -> tuple[int, ...]:
    """A vector at which all of `size` - 1 rows are zero: their minors in turn, which all are zero unless it is the only one."""
    columns = range(size)
    minors = [_determinant([[row[other] for other in columns if other != column] for row in rows]) for column in columns]
    return tuple(-minor if column % 2 else minor for column, minor in enumerate(minors))


def _determinant(matrix: list[list[int]]) -> int:
    """The determinant of a small matrix."""
    if not matrix:
        return 1
    first, *others = matrix
    parts = (
        (-1) ** column * value * _determinant([[*row[:column], *row[column + 1 :]] for row in others])
        for column, value in enumerate(first)
        if value
    )
    return sum(parts)


def _least(row: tuple[int, ...]) -> tuple[int, ...]:
    """The row of the same direction with the least whole numbers."""
    common = gcd(*row)
    return tuple(value // common for value in row) if common else row


class _Cone:
    """The region of a statement, with a further parameter for the number 1 where a term has constants; all are at least zero.

    Parameters
    ----------
    statement : Statement
        The statement.
    terms : sequence
        Terms.

    Attributes
    ----------
    values : (terms, rays) int64
        The terms on each ray.
    strict : (n, rays) bool
        For each strict constraint whether it is zero on a ray.

    Raises
    ------
    NotZones
        A term names something else than a parameter of the statement, or a number is too large.
    """

    def __init__(self, statement: Statement, terms: Sequence[Terms]) -> None:
        named = {name for term in (*terms, *(part.terms for part in statement.region)) for name in only(term)}
        if not named <= {"", *statement.symbols}:
            raise NotZones("there is no such parameter")
        self._names = sorted({*statement.symbols, *named})
        rows = [self._row(part.terms) for part in statement.region]
        equal = [self._row(times(Fraction(-1), part.terms)) for part in statement.region if part.relation == "=="]
        none_negative = [self._row({name: Fraction(1)}) for name in self._names]
        self._rays = _rays(dict.fromkeys([*rows, *equal, *none_negative]), len(self._names))
        strict = [row for row, part in zip(rows, statement.region, strict=True) if part.relation == ">"]
        if "" in named:
            strict.append(self._row({"": Fraction(1)}))
        zero = [[_product(row, ray) == 0 for ray in self._rays] for row in strict]
        self.strict = np.array(zero, dtype=np.bool_).reshape(len(zero), len(self._rays))
        self.values = self._on_rays(terms)

    def _row(self, terms: Terms) -> tuple[int, ...]:
        """A term as the least whole factors of the parameters with the same sign everywhere."""
        factors = [terms.get(name, Fraction(0)) for name in self._names]
        scale = lcm(*(factor.denominator for factor in factors))
        return _least(tuple(int(factor * scale) for factor in factors))

    def weights(self) -> Iterator[NDArray[np.int64]]:
        """Points inside, as weights of the rays: the middle, then others near each ray."""
        yield np.ones(len(self._rays), dtype=np.int64)
        for ray in range(len(self._rays)):
            found = np.ones(len(self._rays), dtype=np.int64)
            found[ray] = 100
            yield found

    def _on_rays(self, terms: Sequence[Terms]) -> NDArray[np.int64]:
        """Terms on each ray, of which each has a length that makes them whole."""
        scale = lcm(*(factor.denominator for term in terms for factor in term.values()))
        whole = [[int(term.get(name, Fraction(0)) * scale) for name in self._names] for term in terms]
        found = [[_product(row, ray) for ray in self._rays] for row in whole]
        if max((abs(value) for row in found for value in row), default=0) > LARGEST:
            raise NotZones("the numbers are too large")
        return np.array(found, dtype=np.int64).reshape(len(terms), len(self._rays))


def _product(row: Sequence[int], ray: Sequence[int]) -> int:
    return sum(factor * value for factor, value in zip(row, ray, strict=True))


# --- the obligations in arrays ------------------------------------------------------------------------------------------


class _Tables:
    """The obligations of an invariant, in arrays.

    Parameters
    ----------
    statement : Statement
        What the invariant must prove.
    numbers, edges : mapping
        The locations and edges, as `timewait.checker.certificate.numbered` yields them.
    zones : mapping
        The cases of each location, by its number.

    Raises
    ------
    NotZones
        A case names a clock that its location does not have.
    """

    def __init__(
        self,
        statement: Statement,
        numbers: Mapping[Location, int],
        edges: Mapping[Location, Sequence[Edge]],
        zones: Mapping[int, Sequence[Sequence[CaseBound]]],
    ) -> None:
        self._statement, self._system, self._numbers = statement, statement.system, numbers
        self._terms: dict[tuple[tuple[str, Fraction], ...], int] = {}
        self._parameters: dict[tuple[str, bool], int] = {}
        self._bounds: list[tuple[int, int, int, int]] = []
        self._sources: list[int] = []
        self._edges: list[tuple[int, int, int, int, int]] = []
        self._where: list[str] = []
        places: list[tuple[int, int, int, int, int]] = []
        rows: list[tuple[int, int]] = []
        entries: list[tuple[int, int, int, int]] = []
        for location, number in numbers.items():
            first_zone, first_edge, clocks = len(rows), len(self._edges), self._system.clocks(location)
            for zone in zones.get(number, ()):
                rows.append((len(entries), len(zone)))
                entries += [(row, column, self._number(term), strict) for row, column, term, strict in zone]
                if any(max(row, column) > len(clocks) for row, column, _, _ in zone):
                    raise NotZones("a clock that the location does not have")
            self._add_edges(location, clocks, edges.get(location, ()))
            places.append((len(clocks), first_zone, len(rows) - first_zone, first_edge, len(self._edges) - first_edge))
        places.append((0, len(rows), 1, len(self._edges), 1))  # before the start, without a clock
        rows.append((len(entries), 0))
        start = self._system.initial()
        self._add_edge("the start", start, self._sources_of(start, self._system.initial_updates(), {}), (), False)
        self._cone = _Cone(statement, [dict(term) for term in self._terms])
        self._arrays = [_table(places, 5), _table(rows, 2), _table(entries, 4), _table(self._edges, 5), _table(self._bounds, 4)]

    def _number(self, term: Terms) -> int:
        """The number of a term."""
        return self._terms.setdefault(tuple(sorted(term.items())), len(self._terms))

    def _parameter(self, name: str, negative: bool = False) -> int:
        """The number of the term of a parameter of the system, or of its opposite."""
        if (name, negative) not in self._parameters:
            term = self._statement.terms[name]
            self._parameters[name, negative] = self._number(times(Fraction(-1 if negative else 1), term))
        return self._parameters[name, negative]

    def _add_edges(self, location: Location, clocks: Sequence[Clock], edges: Sequence[Edge]) -> None:
        positions = {clock: index for index, clock in enumerate(clocks, start=1)}
        waits = self._bounds_of(self._system.invariant(location), positions)
        for edge in edges:
            bounds = [*waits, *self._bounds_of(edge.guard, positions)]
            sources = self._sources_of(edge.target, edge.updates, positions)
            bad = bool((edge.violates | edge.witnesses) & self._statement.bad)
            self._add_edge(f"location {self._numbers[location]}: {edge.action}", edge.target, sources, bounds, bad)

    def _bounds_of(self, bounds: Sequence[Bound], positions: Mapping[Clock, int]) -> list[tuple[int, int, int, int]]:
        found = []
        for clock, relation, parameter in bounds:
            row = positions[clock]
            if relation in ("<=", "=="):
                found.append((row, 0, self._parameter(parameter), 0))
            if relation in (">=", ">", "=="):
                found.append((0, row, self._parameter(parameter, negative=True), int(relation == ">")))
        return found

    def _sources_of(self, target: Location, updates: Sequence[ClockUpdate], positions: Mapping[Clock, int]) -> list[int]:
        clocks = self._system.clocks(target)
        return [self._source(clock, update, positions) for clock, update in zip(clocks, updates, strict=True)]

    def _source(self, clock: Clock, update: ClockUpdate, positions: Mapping[Clock, int]) -> int:
        if update is None:
            return RESET
        if isinstance(update, Clock):
            return positions[update]
        return -1 - self._parameter(self._system.lifetimes[clock.role])

    def _add_edge(
        self, where: str, target: Location, sources: Sequence[int], bounds: Sequence[tuple[int, int, int, int]], bad: bool
    ) -> None:
        self._where.append(where)
        self._edges.append((self._numbers[target], len(self._bounds), len(bounds), len(self._sources), int(bad)))
        self._bounds += bounds
        self._sources += sources

    def first_open(self) -> str:
        """The place of the first edge whose obligations stay open; empty if none does."""
        places, zones, entries, edges, bounds = self._arrays
        on_rays = self._cone.values
        size = int(places[:, CLOCKS].max()) + 1
        width = on_rays.shape[1] + 2
        wanted = np.ones(len(edges), dtype=np.bool_)
        for weights in self._cone.weights():
            terms = np.concatenate([(on_rays @ weights)[:, None], on_rays], axis=1)
            sources = np.array(self._sources, dtype=np.int64)
            found = Obligations(places, zones, entries, edges, bounds, sources, terms, self._cone.strict)
            room = np.zeros((2, size, size, width), dtype=np.int64)
            is_open = np.zeros_like(wanted)
            if not open_edges(found, room, np.zeros((2, width), dtype=np.int64), wanted, is_open):
                return ""
            wanted = is_open
        return self._where[int(wanted.argmax())]


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(len(rows), columns)
