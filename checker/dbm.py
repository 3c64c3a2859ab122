"""Difference-bound matrices: sets of clock values given by bounds on clocks and their differences.

Row and column 0 stand for the constant zero, row and column i + 1 for clock i. An entry (i, j) bounds x_i - x_j:
2 c stands for ``< c`` and 2 c + 1 for ``<= c``, with c in ticks. Every function keeps matrices canonical (no entry can
be tightened) unless it says otherwise. Compiled by numba.

After J. Bengtsson and W. Yi, "Timed Automata: Semantics, Algorithms and Tools" (2004); extrapolation after
G. Behrmann, P. Bouyer, K. G. Larsen and R. Pelánek, "Lower and upper bounds in zone-based abstractions of
timed automata" (2006), which is exact for reachability with guards that compare single clocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import allocating_kernel, kernel, subroutine

Zone = NDArray[np.int64]

INFINITE = 1 << 50
"""No bound. Sums of two such stay far inside 64 bits."""

AT_MOST_ZERO = 1
"""The bound ``<= 0``."""


def at_most(value: int) -> int:
    """The bound ``<= value``."""
    return 2 * value + 1


def below(value: int) -> int:
    """The bound ``< value``."""
    return 2 * value


@kernel
def through(left: int, right: int) -> int:
    """The sum of two bounds: strict if either is."""
    if left >= INFINITE or right >= INFINITE:
        return INFINITE
    return left + right - ((left | right) & 1)


@allocating_kernel
def close(zone: Zone) -> Zone:
    """Make a matrix canonical, in place (all shortest paths, Floyd and Warshall)."""
    size = len(zone)
    for middle in range(size):
        for row in range(size):
            first = zone[row, middle]
            if first < INFINITE:
                for column in range(size):
                    bound = through(first, zone[middle, column])
                    zone[row, column] = min(zone[row, column], bound)
    return zone


@kernel
def tighten(zone: Zone, row: int, column: int, bound: int) -> bool:
    """Add one bound to a canonical matrix, in place; False when the zone becomes empty."""
    if bound >= zone[row, column]:
        return True
    if through(zone[column, row], bound) < AT_MOST_ZERO:
        return False
    size = len(zone)
    for i in range(size):
        before = through(zone[i, row], bound)
        if before < INFINITE:
            for j in range(size):
                zone[i, j] = min(zone[i, j], through(before, zone[column, j]))
    return True


@allocating_kernel
def narrowed(zone: Zone, bounds: NDArray[np.int64]) -> tuple[bool, Zone]:
    """A copy with further bounds, rows of (row, column, bound); False when the zone becomes empty."""
    result = zone.copy()
    for index in range(len(bounds)):
        if not tighten(result, bounds[index, 0], bounds[index, 1], bounds[index, 2]):
            return False, result
    return True, result


@allocating_kernel
def carry(zone: Zone, sources: NDArray[np.int64], lifetimes: NDArray[np.int64]) -> Zone:
    """The zone after the clock updates of an edge.

    Parameters
    ----------
    zone : (n, n) matrix
        The zone that the guard has narrowed.
    sources : (m,) indices
        For each row of the result the row that it copies; 0 for a clock that is reset or inactive, and for row 0.
    lifetimes : (m,) ticks
        For the row of each inactive clock the lifetime that the clock exceeds, -1 for every other row.

    Returns
    -------
    (m, m) matrix
    """
    size = len(sources)
    result = np.empty((size, size), dtype=np.int64)
    for row in range(size):
        for column in range(size):
            if row == column:
                result[row, column] = AT_MOST_ZERO
            elif lifetimes[row] >= 0:
                result[row, column] = INFINITE
            elif lifetimes[column] >= 0:
                result[row, column] = through(zone[sources[row], 0], -2 * lifetimes[column])
            else:
                result[row, column] = zone[sources[row], sources[column]]
    return result


@allocating_kernel
def settled(zone: Zone, invariant: NDArray[np.int64], lower: NDArray[np.int64], upper: NDArray[np.int64]) -> Zone:
    """Let time pass under an invariant, then extrapolate; in place.

    Parameters
    ----------
    zone : (n, n) matrix
    invariant : (k, 3) whole numbers
        The bounds of the invariant, each as (row, column, bound).
    lower, upper : (n,) ticks
        For each row the largest constant in a lower (``>``, ``>=``, ``==``) and in an upper (``<=``, ``==``) bound on
        its clock; -1 where there is none, 0 in row 0.
    """
    for row in range(1, len(zone)):
        zone[row, 0] = INFINITE
    for index in range(len(invariant)):
        tighten(zone, invariant[index, 0], invariant[index, 1], invariant[index, 2])
    return extrapolate(zone, lower, upper)


@allocating_kernel
def extrapolate(zone: Zone, lower: NDArray[np.int64], upper: NDArray[np.int64]) -> Zone:
    """Extrapolate a zone by lower and upper bounds (Extra+), in place; parameters as in `settled`."""
    size = len(zone)
    least = np.empty(size, dtype=np.int64)
    for row in range(size):
        least[row] = -(zone[0, row] >> 1)
    for row in range(1, size):
        for column in range(size):
            bound = zone[row, column]
            if row == column or bound >= INFINITE:
                continue
            if lower[row] < 0 or (bound >> 1) > lower[row] or least[row] > lower[row] or least[column] > upper[column]:
                zone[row, column] = INFINITE
    for column in range(1, size):
        if least[column] > upper[column]:
            zone[0, column] = AT_MOST_ZERO if upper[column] < 0 else -2 * upper[column]
    return close(zone)


@kernel
def includes(zones: NDArray[np.int64], zone: Zone) -> bool:
    """Whether one of a stack of zones includes a zone."""
    for index in range(len(zones)):  # noqa: SIM110 - numba compiles loops, not generators
        if _inside(zone, zones[index]):
            return True
    return False


@subroutine
def _inside(small: Zone, large: Zone) -> bool:
    for row in range(len(small)):
        for column in range(len(small)):
            if small[row, column] > large[row, column]:
                return False
    return True
