"""Questions to the graph of a quotient in arrays: whether a property may stay pending for ever, and whether time may stop."""

from __future__ import annotations

import numpy as np

from timewait.checker import graph_kernels as kernels
from timewait.checker.compiled import RESET
from timewait.checker.quotient_kernels import ROWS
from timewait.checker.quotient_table import QuotientTable, joined
from timewait.vocabulary.automaton import Property

RELATIONS = ("<=", "==", ">=", ">")
"""The relations of bounds, by the numbers that kernels use."""


def may_stay_pending(quotient: QuotientTable, asked: Property) -> bool:
    """Whether, by the graph alone, a fair run may keep an ``eventually`` property pending for ever.

    As `timewait.checker.structural.proof_of` is None.
    """
    names = dict[str, int]()
    fair = [[names.setdefault(name, len(names)) for name in sorted(row.edge.fair)] for row in quotient.rows]
    fair_of, fair_names = joined(fair)
    marks = kernels.Marks(
        pending=np.array([asked.name in pending for pending in quotient.pending]),
        recurrent=np.array([asked.name in row.edge.recurrent for row in quotient.rows]),
        fair_of=fair_of,
        fair=fair_names,
        names=len(names),
        by_events=asked.recurrent,
    )
    return bool(kernels.may_stay(quotient.arrays, _bounds(quotient), marks, len(quotient.clocks)))


def is_narrow(quotient: QuotientTable) -> bool:
    """Whether no location has more clocks than the search for time-locks can order."""
    return int(quotient.arrays.locations[:, ROWS].max()) <= kernels.MAX_ROWS


def may_lock(quotient: QuotientTable) -> bool:
    """Whether time may stop while no edge is possible; as `timewait.checker.timelock.time_locks` is not empty.

    The quotient must be `is_narrow`.
    """
    roles = dict[str, int]()
    of_clock = [roles.setdefault("" if clock is None else clock.role, len(roles)) for clock in quotient.clocks]
    fresh = np.array([True, *(update == RESET for update in quotient.start_updates())])
    return int(kernels.first_lock(quotient.arrays, _bounds(quotient), np.array(of_clock, dtype=np.int32), fresh)) >= 0


def _bounds(quotient: QuotientTable) -> kernels.BoundArrays:
    """What the bounds of a quotient say."""
    values, bounds = quotient.base.parameters, quotient.table.bounds
    names = sorted({name for _, name in bounds})
    order = sorted({values[name] for name in names})
    return kernels.BoundArrays(
        np.array([RELATIONS.index(relation) for relation, _ in bounds], dtype=np.int8),
        np.array([names.index(name) for _, name in bounds], dtype=np.int32),
        np.array([order.index(values[name]) for _, name in bounds], dtype=np.int32),
    )
