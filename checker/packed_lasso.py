"""Whether a fair run exists along which an ``eventually`` property stays pending, decided on the compiled states in ticks.

The answer is that of `timewait.checker.lasso.find_lasso`, without the run. The kernels are in
`timewait.checker.tick_graph_kernels`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timewait.checker import tick_graph_kernels as kernels
from timewait.checker.finding import Budget, Stopped
from timewait.checker.location_kernels import DONE
from timewait.checker.mealy import Row
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.state_set_kernels import numbered
from timewait.checker.tick_graph_kernels import REMOVED, StepGraph
from timewait.checker.tick_layout_kernels import TOO_WIDE
from timewait.vocabulary.automaton import Property

ROOM = 1 << 18
"""Steps for which there is room at first."""

MOST_STATES = (1 << 31) - 1
"""States that the graph can number."""


def has_fair_lasso(explored: PackedTicks, asked: Property, budget: Budget | None = None) -> bool:
    """Whether a fair run exists along which an ``eventually`` property stays pending for ever.

    Parameters
    ----------
    explored : PackedTicks
        A complete exploration.
    asked : Property
        The property; if it has recurrent edges, one of them must recur.
    budget : Budget or None
        Its bounds on time and memory, looked at between the passes over the graph.

    Raises
    ------
    Stopped
        The budget is used up.
    ValueError
        The exploration is not complete, or has more states than the graph can number.
    """
    if explored.stopped or len(explored) > MOST_STATES:
        raise ValueError("a graph of steps needs a complete exploration of fewer than 2^31 states")
    bounds = Budget() if budget is None else budget
    steps = _steps(explored, asked.name, bounds)
    rows = explored.locations.rows
    names, begins, fair = _fairness(rows)
    graph = StepGraph(
        np.searchsorted(steps[:, 0], np.arange(len(explored) + 1)).astype(np.int64),
        np.ascontiguousarray(steps[:, 1]),
        np.ascontiguousarray(steps[:, 2]),
        begins,
        fair,
    )
    inside = _pending(explored, asked.name)[explored.controls()]
    component = np.where(inside, 0, REMOVED).astype(np.int32)
    known = kernels.components(graph, component)
    while kernels.remove_starved(graph, component, known, names):
        _stop_at(explored, bounds)
        known = kernels.components(graph, component)
    recurrent = np.array([asked.name in row.edge.recurrent for row in rows], dtype=np.bool_)
    return bool(kernels.recurs(graph, component, known, recurrent, not asked.recurrent))


def _pending(explored: PackedTicks, name: str) -> NDArray[np.bool_]:
    """For each control whether a property is pending there."""
    return np.array([name in explored.system.pending(control) for control in explored.locations.table.controls], dtype=np.bool_)


def _stop_at(explored: PackedTicks, budget: Budget) -> None:
    """Stop where a budget is used up."""
    if stopped := budget.exceeded(len(explored), explored.depth):
        raise Stopped(stopped)


def _steps(explored: PackedTicks, name: str, budget: Budget) -> NDArray[np.int32]:
    """The steps of all states in which a property is pending, of shape (n, 3): state, target, row."""
    numbers = numbered(explored.arrays.states, len(explored))
    parts: list[NDArray[np.int32]] = []
    room, begin = np.empty((ROOM, 3), dtype=np.int32), 0
    while begin < len(explored):
        _stop_at(explored, budget)
        wanted, locations = _pending(explored, name), explored.locations
        status, begin, count = kernels.add_steps(
            locations.arrays, explored.arrays, wanted, numbers, room, begin, locations.scratch
        )
        parts.append(room[:count].copy())
        assert status != TOO_WIDE, "every location has its bits since the exploration"
        if status != DONE:
            explored.supply(status)
    steps = np.concatenate(parts)
    assert bool(np.all(steps[:, 1] >= 0)), "the exploration is complete"
    return steps


def _fairness(rows: list[Row]) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """The number of fairness names, and those of each row: the first of each, and all."""
    numbers: dict[str, int] = {}
    fair = [[numbers.setdefault(name, len(numbers)) for name in sorted(row.edge.fair)] for row in rows]
    begins = np.cumsum([0, *map(len, fair)]).astype(np.int32)
    return len(numbers), begins, np.array([name for names in fair for name in names], dtype=np.int32)
