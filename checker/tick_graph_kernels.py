"""The steps among states in ticks, and the strongly connected parts in which a fair run can stay, compiled by numba.

The graph is read from a complete exploration (`timewait.checker.tick_kernels`). A state in which a fairness name is possible
that its component never serves recurs in no fair run, and is removed; what is left after the last removal is where fair runs
without end can be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker.jit import allocating_kernel, subroutine
from timewait.checker.location_kernels import DONE, Arrays, Scratch
from timewait.checker.state_set_kernels import number_of
from timewait.checker.tick_kernels import MOST_STEPS, StateBlock, new_block, successors_by_edge, successors_by_time
from timewait.checker.tick_layout_kernels import STATES, Ticks, location_of, prepare

TIME = -1
"""The row of the step that takes no edge: time passes by one tick."""

REMOVED = -1
"""The component of a state that is not, or no longer, part of the graph."""


class StepGraph(NamedTuple):
    """The steps of some states.

    Attributes
    ----------
    begins : (states + 1,) int64
        For each state its first step; it has none where the next state has the same.
    targets, rows : (steps,) int32
        The state that a step leads to, and the row of the table that it takes, or `TIME`.
    names : (rows + 1,) int32
        For each row its first fairness name.
    fair : (n,) int32
        Fairness names, by row.
    """

    begins: NDArray[np.int64]
    targets: NDArray[np.int32]
    rows: NDArray[np.int32]
    names: NDArray[np.int32]
    fair: NDArray[np.int32]


@allocating_kernel
def add_steps(
    arrays: Arrays,
    ticks: Ticks,
    wanted: NDArray[np.bool_],
    numbers: NDArray[np.uint32],
    steps: NDArray[np.int32],
    begin: int,
    flying: Scratch,
) -> tuple[int, int, int]:
    """Write the steps of states from `begin` on, as far as there is room.

    Parameters
    ----------
    wanted : (controls,) bool
        The controls of the states whose steps are written.
    numbers : (n,) uint32
        The table of the numbers of states (`timewait.checker.state_set_kernels.numbered`).
    steps : (n, 3) int32
        The room: for each step the state, its target, and its row or `TIME`.

    Returns
    -------
    tuple of int
        How it ended, the first state whose steps are not written, and the number of steps.
    """
    block, count = new_block(ticks.states.shape[1], 1, MOST_STEPS), 0
    for state in range(begin, ticks.counts[STATES]):
        location = location_of(ticks, state)
        if not wanted[arrays.place[location, 0]]:
            continue
        if count + MOST_STEPS > len(steps):
            return DONE, state, count
        status = prepare(arrays, ticks, location, flying)
        if status != DONE:
            return status, state, count
        status, count_after = _steps_of(arrays, ticks, block, numbers, steps, state, count, flying)
        if status != DONE:
            return status, state, count
        count = count_after
    return DONE, ticks.counts[STATES], count


@subroutine
def _steps_of(
    arrays: Arrays,
    ticks: Ticks,
    block: StateBlock,
    numbers: NDArray[np.uint32],
    steps: NDArray[np.int32],
    state: int,
    count: int,
    flying: Scratch,
) -> tuple[int, int]:
    """Write the steps of one state after some others; how it ended, and the number of steps written then."""
    location, words, none, one = location_of(ticks, state), len(block.states), int(np.int64(0)), int(np.int64(1))
    for word in range(words):
        block.states[word, 0] = ticks.states[state, word]
    begin = arrays.place[location, 3]
    for edge in range(begin, begin + arrays.place[location, 4]):
        if successors_by_edge(arrays, ticks, block, edge, none, one):
            steps[count, 0], steps[count, 2] = state, arrays.edges[edge, 1]
            steps[count, 1] = number_of(ticks.states, numbers, block.found, 0)
            count += 1
    status, found = successors_by_time(arrays, ticks, block, location, none, one, flying)
    if status == DONE and found:
        steps[count, 0], steps[count, 2] = state, TIME
        steps[count, 1] = number_of(ticks.states, numbers, block.found, 0)
        count += 1
    return status, count


@allocating_kernel
def components(graph: StepGraph, component: NDArray[np.int32]) -> int:
    """Number the strongly connected components of the states that are not `REMOVED`, in place (Tarjan 1972); their number."""
    states = len(component)
    index, low = np.zeros(states, dtype=np.int64), np.zeros(states, dtype=np.int64)
    following = graph.begins[:-1].copy()
    waiting, path = np.empty(states, dtype=np.int64), np.empty(states, dtype=np.int64)
    open_states, depth, met, known = 0, 0, 0, 0
    inside, numbered = component != REMOVED, np.zeros(states, dtype=np.bool_)
    for root in range(states):
        if not inside[root] or index[root]:
            continue
        path[0], depth = root, 1
        while depth:
            state = path[depth - 1]
            if not index[state]:
                met += 1
                index[state] = low[state] = met
                waiting[open_states] = state
                open_states += 1
            descended = False
            while following[state] < graph.begins[state + 1]:
                target = graph.targets[following[state]]
                if inside[target] and not numbered[target]:
                    if not index[target]:
                        path[depth] = target
                        depth += 1
                        descended = True
                        break
                    low[state] = min(low[state], low[target] if low[target] < index[target] else index[target])
                following[state] += 1
            if descended:
                continue
            depth -= 1
            if low[state] == index[state]:
                while True:
                    open_states -= 1
                    member = waiting[open_states]
                    component[member], numbered[member] = known, True
                    if member == state:
                        break
                known += 1
    return known


@allocating_kernel
def remove_starved(graph: StepGraph, component: NDArray[np.int32], known: int, names: int) -> int:
    """Remove the states that recur in no fair run of their component; how many.

    Parameters
    ----------
    component : (states,) int32
        The component of each state; removed ones become `REMOVED`.
    known, names : int
        The numbers of components and of fairness names.
    """
    inner = np.full(known, -1, dtype=np.int64)
    moving = 0
    for state in range(len(component)):
        if component[state] != REMOVED and inner[component[state]] < 0:
            for step in range(graph.begins[state], graph.begins[state + 1]):
                if component[graph.targets[step]] == component[state]:
                    inner[component[state]] = moving
                    moving += 1
                    break
    served = np.zeros((moving, names), dtype=np.bool_)
    for state in range(len(component)):
        for step in range(graph.begins[state], graph.begins[state + 1]):
            row = graph.rows[step]
            if component[state] != REMOVED and row != TIME and component[graph.targets[step]] == component[state]:
                for name in range(graph.names[row], graph.names[row + 1]):
                    served[inner[component[state]], graph.fair[name]] = True
    removed = 0
    starved = np.zeros(len(component), dtype=np.bool_)
    for state in range(len(component)):
        if component[state] == REMOVED:
            continue
        starved[state] = inner[component[state]] < 0
        for step in range(graph.begins[state], graph.begins[state + 1]):
            row = graph.rows[step]
            if row != TIME and not starved[state]:
                for name in range(graph.names[row], graph.names[row + 1]):
                    if not served[inner[component[state]], graph.fair[name]]:
                        starved[state] = True
    for state in range(len(component)):
        if starved[state]:
            component[state] = REMOVED
            removed += 1
    return removed


@allocating_kernel
def recurs(graph: StepGraph, component: NDArray[np.int32], known: int, rows: NDArray[np.bool_], whatever: bool) -> bool:
    """Whether in some component time recurs, and with it a step of one of some rows; or whatever steps.

    Parameters
    ----------
    rows : (rows,) bool
        The rows of which one must recur.
    whatever : bool
        Whether none must.
    """
    time, event = np.zeros(known, dtype=np.bool_), np.full(known, whatever)
    for state in range(len(component)):
        if component[state] == REMOVED:
            continue
        for step in range(graph.begins[state], graph.begins[state + 1]):
            if component[graph.targets[step]] == component[state]:
                if graph.rows[step] == TIME:
                    time[component[state]] = True
                elif rows[graph.rows[step]]:
                    event[component[state]] = True
    return bool(np.any(time & event))
