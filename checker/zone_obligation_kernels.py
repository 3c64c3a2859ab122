"""The proof obligations of zones for all values in a cone, compiled: the loop behind `timewait.checker.zone_obligations`.

A bound is a linear term in the parameters, given by its values on the extreme rays of a cone, with a number that says whether it
is strict. In a matrix of bounds an entry is a sum along some path, so it holds at every point of the cone; which path is taken
is decided at one point, where each term has the value that stands first in its row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import kernel, subroutine

CLOCKS, FIRST_ZONE, ZONES, FIRST_EDGE, EDGES = range(5)
"""The columns of `Obligations.places`."""

TARGET, FIRST_BOUND, BOUNDS, FIRST_SOURCE, BAD = range(5)
"""The columns of `Obligations.edges`."""

ROW, COLUMN, TERM, STRICT = range(4)
"""The columns of bounds."""

NO_BOUND = np.int64(1) << 60
"""The first number of a row without a bound."""

IMPOSSIBLE, CLOSED, UNDECIDED = 0, 1, 2
"""What comes of a further bound: nothing satisfies all; they are closed; there is nothing at the point that decides alone."""

RESET = 0
"""The source of a clock that starts from zero; a positive one is the position of a clock above 1, a negative one a lifetime."""


class Obligations(NamedTuple):
    """Locations with their zones and edges, and the terms of their bounds.

    Attributes
    ----------
    places : (locations, 5) int64
        For each location the number of its clocks, begin and number of its zones, and of its edges.
    zones : (zones, 2) int64
        For each zone begin and number of its bounds among `entries`.
    entries : (n, 4) int64
        Bounds of zones: row, column, term, and whether it is strict; row 0 is zero, row 1 the first clock.
    edges : (edges, 5) int64
        For each edge its target, begin and number of its bounds among `bounds`, the begin of its sources, and whether it must
        be impossible.
    bounds : (n, 4) int64
        Bounds of edges, as `entries`.
    sources : (n,) int64
        For each clock of a target its source: see `RESET`; a lifetime is minus one minus the number of its term.
    terms : (n, 1 + rays) int64
        For each term its value at the point that decides, then on each ray.
    strict : (n, rays) bool
        For each strict constraint of the cone whether it is zero on a ray.
    """

    places: NDArray[np.int64]
    zones: NDArray[np.int64]
    entries: NDArray[np.int64]
    edges: NDArray[np.int64]
    bounds: NDArray[np.int64]
    sources: NDArray[np.int64]
    terms: NDArray[np.int64]
    strict: NDArray[np.bool_]


@subroutine
def _copy(one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
    """Copy the numbers of one row to another, which may be longer."""
    for index in range(len(one)):
        other[index] = one[index]


@subroutine
def _below_zero(term: NDArray[np.int64], or_zero: bool, strict: NDArray[np.bool_]) -> bool:
    """Whether a term is below zero everywhere in the cone, or may be zero; the first number of the term is not looked at."""
    for ray in range(1, len(term)):
        if term[ray] > 0:
            return False
    if or_zero:
        return True
    for number in range(len(strict)):
        excludes = True
        for ray in range(1, len(term)):
            if term[ray] == 0 and not strict[number, ray - 1]:
                excludes = False
        if excludes:
            return True
    return False


@subroutine
def _shorten(matrix: NDArray[np.int64], row: int, middle: int, column: int) -> None:
    """Take the path through a row where it is shorter."""
    one, other, known = matrix[row, middle], matrix[middle, column], matrix[row, column]
    if one[0] >= NO_BOUND or other[0] >= NO_BOUND:
        return
    last = len(known) - 1
    length = one[0] + other[0]
    strict = one[last] | other[last]
    if length < known[0] or (length == known[0] and strict > known[last]):
        for ray in range(last):
            known[ray] = one[ray] + other[ray]
        known[last] = strict


@subroutine
def _tighten(
    matrix: NDArray[np.int64],
    size: int,
    bound: NDArray[np.int64],
    terms: NDArray[np.int64],
    strict: NDArray[np.bool_],
    scratch: NDArray[np.int64],
) -> int:
    """Add a bound to closed bounds and close them again."""
    row, column, last = bound[ROW], bound[COLUMN], terms.shape[1]
    new, around = scratch[0], scratch[1]
    _copy(terms[bound[TERM]], new)
    new[last] = bound[STRICT]
    back = matrix[column, row]
    if back[0] < NO_BOUND:
        for ray in range(last):
            around[ray] = new[ray] + back[ray]
        if _below_zero(around[:last], new[last] + back[last] > 0, strict):
            return IMPOSSIBLE
        if around[0] < 0:  # then a sum could grow without limit
            return UNDECIDED
    known = matrix[row, column]
    if new[0] < known[0] or (new[0] == known[0] and new[last] > known[last]):
        _copy(new, known)
        for other in range(size):
            if other != row and other != column:
                _shorten(matrix, other, row, column)
        for other in range(size):
            for end in range(size):
                if other != end and end != column:
                    _shorten(matrix, other, column, end)
    return CLOSED


@subroutine
def _clear(matrix: NDArray[np.int64], size: int) -> None:
    """No bounds."""
    for row in range(size):
        for column in range(size):
            for number in range(matrix.shape[2]):
                matrix[row, column, number] = 0
            if row != column:
                matrix[row, column, 0] = NO_BOUND


@subroutine
def _implied(
    matrix: NDArray[np.int64], found: Obligations, entry: NDArray[np.int64], first_source: int, scratch: NDArray[np.int64]
) -> bool:
    """Whether a bound of a zone of the target follows from the bounds before the step."""
    sources, terms = found.sources, found.terms
    left, right = entry[ROW], entry[COLUMN]
    if left == right:
        return False
    last = terms.shape[1]
    row = 0 if left == 0 else sources[first_source + left - 1]
    column = 0 if right == 0 else sources[first_source + right - 1]
    if row < 0:
        return False
    inner = scratch[0]
    _copy(matrix[row, max(column, 0)], inner)
    if inner[0] >= NO_BOUND:
        return False
    if column < 0:  # beyond its lifetime, and no more is known
        for ray in range(last):
            inner[ray] -= terms[-1 - column, ray]
        inner[last] = 1
    outer = terms[entry[TERM]]
    for ray in range(last):
        inner[ray] -= outer[ray]
    return _below_zero(inner[:last], inner[last] >= entry[STRICT], found.strict)


@subroutine
def _covered(matrix: NDArray[np.int64], found: Obligations, edge: NDArray[np.int64], scratch: NDArray[np.int64]) -> bool:
    """Whether the clocks after an edge lie in one zone of its target."""
    target = found.places[edge[TARGET]]
    for zone in found.zones[target[FIRST_ZONE] : target[FIRST_ZONE] + target[ZONES]]:
        inside = True
        for entry in found.entries[zone[0] : zone[0] + zone[1]]:
            if not _implied(matrix, found, entry, edge[FIRST_SOURCE], scratch):
                inside = False
                break
        if inside:
            return True
    return False


@kernel
def open_edges(
    found: Obligations,
    matrices: NDArray[np.int64],
    scratch: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
) -> int:
    """Mark the edges whose obligations do not follow by shortest paths, and return their number.

    Parameters
    ----------
    found : Obligations
        The locations; row 0 of every zone and edge is the constant zero.
    matrices : (2, n, n, 2 + rays) int64
        Room for two matrices.
    scratch : (2, 2 + rays) int64
        Room for bounds.
    wanted : (edges,) bool
        The edges to look at.
    is_open : (edges,) bool
        Room for the marks, none of which is set.
    """
    number = 0
    before, after = matrices[0], matrices[1]
    for place in found.places:
        size = place[CLOCKS] + 1
        for zone in found.zones[place[FIRST_ZONE] : place[FIRST_ZONE] + place[ZONES]]:
            _clear(before, size)
            state = CLOSED
            for entry in found.entries[zone[0] : zone[0] + zone[1]]:
                if state == CLOSED:
                    state = _tighten(before, size, entry, found.terms, found.strict, scratch)
            if state == IMPOSSIBLE:
                continue
            for row in range(1, size):
                before[row, 0, 0] = NO_BOUND  # any wait
            for index in range(place[FIRST_EDGE], place[FIRST_EDGE] + place[EDGES]):
                if not wanted[index] or is_open[index]:
                    continue
                edge = found.edges[index]
                for row in range(size):
                    for column in range(size):
                        _copy(before[row, column], after[row, column])
                result = state
                for bound in found.bounds[edge[FIRST_BOUND] : edge[FIRST_BOUND] + edge[BOUNDS]]:
                    if result == CLOSED:
                        result = _tighten(after, size, bound, found.terms, found.strict, scratch)
                if result != IMPOSSIBLE and (result == UNDECIDED or edge[BAD] or not _covered(after, found, edge, scratch)):
                    is_open[index] = True
                    number += 1
    return number
