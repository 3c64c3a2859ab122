"""Difference-bound matrices: sets of clock values given by bounds on clocks and their differences.

Row and column 0 stand for the constant nought, row and column i + 1 for clock i. An entry (i, j) bounds
x_i - x_j; it is a whole number of units doubled, plus one when the bound itself is included. Every
function keeps matrices canonical (no entry can be tightened) unless it says otherwise.

After J. Bengtsson and W. Yi, "Timed Automata: Semantics, Algorithms and Tools" (2004); extrapolation after
G. Behrmann, P. Bouyer, K. G. Larsen and R. Pelánek, "Lower and upper bounds in zone-based abstractions of
timed automata" (2006), which is exact for reachability with guards that compare single clocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Zone = NDArray[np.int64]

INFINITE = 1 << 50
"""No bound. Sums of two such stay far inside 64 bits."""

NOUGHT = 1
"""The bound ``<= 0``."""


def at_most(value: int) -> int:
    """The bound ``<= value``."""
    return 2 * value + 1


def below(value: int) -> int:
    """The bound ``< value``."""
    return 2 * value


def _through(left: Zone, right: Zone) -> Zone:
    """The sums of bounds: strict when either is."""
    total: Zone = left + right - ((left | right) & 1)
    total[(left >= INFINITE) | (right >= INFINITE)] = INFINITE
    return total


def close(zone: Zone) -> Zone:
    """Make a matrix canonical, in place (all shortest paths, Floyd and Warshall)."""
    for middle in range(len(zone)):
        np.minimum(zone, _through(zone[:, middle, None], zone[None, middle, :]), out=zone)
    return zone


def tighten(zone: Zone, row: int, column: int, bound: int) -> bool:
    """Add one bound to a canonical matrix, in place; False when nothing is left."""
    if bound >= zone[row, column]:
        return True
    back = int(zone[column, row])
    if back < INFINITE and back + bound - ((back | bound) & 1) < NOUGHT:
        return False
    through = np.asarray(bound, dtype=np.int64)
    before = _through(zone[:, row], np.broadcast_to(through, zone[:, row].shape))
    np.minimum(zone, _through(before[:, None], zone[None, column, :]), out=zone)
    return True


def elapse(zone: Zone) -> None:
    """Let any time pass, in place."""
    zone[1:, 0] = INFINITE


def carry(zone: Zone, sources: NDArray[np.int64], dead: NDArray[np.int64]) -> Zone:
    """The zone after a step.

    Parameters
    ----------
    zone : (n, n) matrix
        Before the step.
    sources : (m,) indices
        For each row of the result its row before; 0 for rows that are fresh or dead, and for row 0.
    dead : (m,) bounds
        For each dead row the limit that its clock has passed, -1 for every other row.

    Returns
    -------
    (m, m) matrix
    """
    result: Zone = zone[np.ix_(sources, sources)]
    gone = np.flatnonzero(dead >= 0)
    for row in gone:
        result[row, :] = INFINITE
        result[:, row] = _through(result[:, 0], np.full(len(result), below(-int(dead[row])), dtype=np.int64))
        result[row, row] = NOUGHT
    for row in gone:
        for column in gone:
            if row != column:
                result[row, column] = INFINITE
    return result


def extrapolate(zone: Zone, lower: NDArray[np.int64], upper: NDArray[np.int64]) -> Zone:
    """Forget what no guard can tell apart (Extra+ by lower and upper bounds), in place.

    Parameters
    ----------
    zone : (n, n) matrix
    lower, upper : (n,) whole numbers
        For each row the largest constant in a lower (``>``) and in an upper (``<=``) bound on its clock;
        -1 where there is none, 0 in row 0.
    """
    least = -(zone[0] >> 1)
    original = zone.copy()
    finite = original < INFINITE
    value = original >> 1
    wide = (value > lower[:, None]) | (lower[:, None] < 0) | (least[:, None] > lower[:, None]) | (least[None, :] > upper[None, :])
    wide[0, :] = False
    np.fill_diagonal(wide, False)
    zone[wide & finite] = INFINITE
    far = np.flatnonzero(least > upper)
    far = far[far > 0]
    zone[0, far] = np.where(upper[far] < 0, NOUGHT, 2 * -upper[far])
    return close(zone)


def includes(zones: NDArray[np.int64], zone: Zone) -> bool:
    """Whether one of a stack of zones includes a zone."""
    return bool(np.any(np.all(zone <= zones, axis=(1, 2))))
