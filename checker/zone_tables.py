"""A quotient in arrays as the tables that the kernels for zones read, at given values of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import dbm, zone_kernels
from timewait.checker.class_kernels import ROW
from timewait.checker.quotient_kernels import ROWS, maximal_constants
from timewait.checker.quotient_table import QuotientTable
from timewait.vocabulary.automaton import Relation


class ZoneTables(NamedTuple):
    """The locations, edges, bounds, sources and maximal constants of `timewait.checker.zone_kernels.ZoneArrays`."""

    places: NDArray[np.int32]
    edges: NDArray[np.int32]
    bounds: NDArray[np.int64]
    sources: NDArray[np.int16]
    constants: NDArray[np.int64]


def forms(relation: Relation, constant: int) -> tuple[int, int]:
    """A comparison of a clock with a constant as bounds on (clock, zero) and on (zero, clock); no bound is infinite."""
    above = dbm.at_most(constant) if relation in ("<=", "==") else dbm.INFINITE
    if relation == ">":
        return above, dbm.below(-constant)
    return above, dbm.at_most(-constant) if relation in (">=", "==") else dbm.INFINITE


def tables_of(quotient: QuotientTable, ticks: Mapping[str, int], kinds: NDArray[np.int32]) -> ZoneTables:
    """The tables of a quotient.

    Parameters
    ----------
    quotient : QuotientTable
        The quotient.
    ticks : mapping
        The parameters in ticks.
    kinds : (rows,) int32
        The kind of the edges of each row of the table.
    """
    arrays = quotient.arrays
    bounds_in_ticks = [(relation, ticks[parameter]) for relation, parameter in quotient.table.bounds]
    by_bound = np.array([forms(*bound) for bound in bounds_in_ticks], dtype=np.int64)
    places = np.zeros((len(quotient), 6), dtype=np.int32)
    edges = np.zeros((len(arrays.edges), 6), dtype=np.int32)
    edges[:, zone_kernels.KIND] = kinds[arrays.edges[:, ROW]]
    at = np.full((len(kinds), 2 + int(arrays.locations[:, ROWS].max())), -1, dtype=np.int32)
    bounds = np.zeros((1 << 12, 3), dtype=np.int64)
    used = zone_kernels.write_bounds(arrays, by_bound, places, edges, bounds, at)
    if used > len(bounds):
        bounds = np.zeros((used, 3), dtype=np.int64)
        at[:] = -1
        zone_kernels.write_bounds(arrays, by_bound, places, edges, bounds, at)
    return ZoneTables(places, edges, bounds, arrays.sources, _constants(quotient, ticks)[arrays.clocks])


def _constants(quotient: QuotientTable, ticks: Mapping[str, int]) -> NDArray[np.int64]:
    """For each clock the maximal constants of its role in lower and in upper bounds, and its lifetime; -1 where there is none."""
    bounds = quotient.table.bounds
    lower = np.array([-1 if relation == "<=" else ticks[name] for relation, name in bounds], dtype=np.int64)
    upper = np.array([ticks[name] if relation in ("<=", "==") else -1 for relation, name in bounds], dtype=np.int64)
    of_clock = np.full((len(quotient.clocks), 2), -1, dtype=np.int64)
    maximal_constants(quotient.arrays, lower, upper, of_clock)
    lifetimes = {role: ticks[name] for role, name in quotient.base.lifetimes.items()}
    roles = ["" if clock is None else clock.role for clock in quotient.clocks]
    of_role: dict[str, tuple[int, int]] = {}
    for role, (least, most) in zip(roles, of_clock.tolist(), strict=True):
        known = of_role.get(role, (-1, -1))
        of_role[role] = max(least, known[0]), max(most, known[1])
    return np.array([(0, 0, -1), *((*of_role[role], lifetimes.get(role, -1)) for role in roles[1:])], dtype=np.int64)
