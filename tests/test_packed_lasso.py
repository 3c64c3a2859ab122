"""Fair lassos by compiled functions, against the search that reads the specification.

``python tests/test_packed_lasso.py`` prints the processor time of both on one configuration, in seconds, and the ratio.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
import pytest
from random_configurations import random_configuration

from timewait.checker import lasso
from timewait.checker.decide import decide
from timewait.checker.explicit import packed, unpacked
from timewait.checker.finding import Budget, Stopped
from timewait.checker.lasso import LassoEngine, fair_components, find_lasso
from timewait.checker.packed_lasso import has_fair_lasso
from timewait.checker.question import Engine, Question
from timewait.checker.state_set_kernels import number_of, numbered
from timewait.checker.tick_graph_kernels import REMOVED, TIME, StepGraph, components, recurs, remove_starved
from timewait.checker.tick_kernels import MOST_STEPS
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import LITERAL, close
from timewait.proofs.question import question
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.automaton import Property

LIVENESS = [entry for entry in PROPERTIES.values() if entry.kind == "eventually"]
BUDGET = Budget(states=6_000)

ANSWERING = replace(close(1, 2, 1, 0, LITERAL), both_close=True)
"""By the letter of the standard, in which two ends in TIME-WAIT may acknowledge each other for ever."""


def compared(numbers: range) -> set[tuple[bool, bool]]:
    """Compare both searches on random configurations; which kinds of answers they agreed on, by recurrence and existence."""
    met = set()
    for number in numbers:
        asked = question(random_configuration(random.Random(number)))
        fast = packed(asked, BUDGET.fresh())
        if fast is None or fast.stopped:
            continue
        slow = unpacked(asked, BUDGET.fresh())
        for entry in LIVENESS:
            found = find_lasso(slow, entry) is not None
            assert has_fair_lasso(fast, entry) == found, f"draw {number}: {entry.name}"
            met.add((entry.recurrent, found))
    return met


def test_the_answers_of_both_searches_agree() -> None:
    """Lassos are found and ruled out alike."""
    assert compared(range(20)) == {(False, False), (False, True), (True, False)}


def test_a_recurrent_step_must_recur() -> None:
    """A property with recurrent steps is violated only where one of them recurs."""
    fast = packed(question(ANSWERING), Budget())
    assert fast is not None
    assert has_fair_lasso(fast, PROPERTIES["quiet"])
    assert not has_fair_lasso(fast, replace(PROPERTIES["quiet"], name="closes"))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(40, 400, 60))
def test_the_answers_agree_on_more_configurations(start: int) -> None:
    """The same on hundreds of configurations."""
    assert len(compared(range(start, start + 60))) > 2


def random_graph(rng: random.Random) -> tuple[StepGraph, nx.MultiDiGraph, int]:
    """A random graph of steps, as arrays and as a graph of networkx, and its number of fairness names."""
    states, names = rng.randint(1, 12), rng.randint(1, 4)
    rows = [sorted(rng.sample(range(names), rng.randint(0, min(2, names)))) for _ in range(rng.randint(1, 6))]
    steps = sorted((rng.randrange(states), rng.randrange(states), rng.randint(-1, len(rows) - 1)) for _ in range(2 * states))
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(states))
    possible: dict[int, set[int]] = {state: set() for state in range(states)}
    for number, (source, target, row) in enumerate(steps):
        fair = frozenset(() if row == TIME else rows[row])
        possible[source] |= fair
        graph.add_edge(source, target, key=number, fair=fair)
    nx.set_node_attributes(graph, {state: frozenset(found) for state, found in possible.items()}, "possible")
    begins = np.searchsorted([source for source, _, _ in steps], np.arange(states + 1)).astype(np.int64)
    arrays = StepGraph(
        begins,
        np.array([target for _, target, _ in steps], dtype=np.int32),
        np.array([row for _, _, row in steps], dtype=np.int32),
        np.cumsum([0, *map(len, rows)]).astype(np.int32),
        np.array([name for row in rows for name in row], dtype=np.int32),
    )
    return arrays, graph, names


def test_components_of_random_graphs() -> None:
    """The kernels give the strongly connected components and the fair ones of networkx and of the recursion on it."""
    rng, left = random.Random(793), 0
    for _ in range(400):
        arrays, graph, names = random_graph(rng)
        component = np.zeros(len(arrays.begins) - 1, dtype=np.int32)
        known = components(arrays, component)
        assert partition(component) == {frozenset(found) for found in nx.strongly_connected_components(graph)}
        while remove_starved(arrays, component, known, names):
            known = components(arrays, component)
        fair = {frozenset(found.nodes) for found in fair_components(graph)}
        assert partition(component) == fair
        rows = np.zeros(8, dtype=np.bool_)
        waits = any(arrays.rows[step] == TIME for part in fair for _, _, step in graph.subgraph(part).edges(keys=True))
        assert recurs(arrays, component, known, rows, True) == waits
        assert not recurs(arrays, component, known, rows, False)
        left += len(fair)
    assert left > 40


def partition(component: Any) -> set[frozenset[int]]:
    """The sets of states with the same component."""
    known = {int(number) for number in component} - {REMOVED}
    return {frozenset(int(state) for state in np.flatnonzero(component == number)) for number in known}


@pytest.mark.parametrize("words", [1, 2, 5])
def test_states_are_found_by_number(words: int) -> None:
    """Every state has its number, and no other has one."""
    rng = np.random.default_rng(words)
    states = np.unique(rng.integers(0, 1 << 20, (3_000, words)).astype(np.uint64), axis=0)
    table, found = numbered(states, len(states)), np.ascontiguousarray(states.T)
    assert [number_of(states, table, found, index) for index in range(len(states))] == list(range(len(states)))
    absent = np.full((words, 1), 1 << 21, dtype=np.uint64)
    assert number_of(states, table, absent, 0) == -1


def test_an_incomplete_exploration_has_no_graph() -> None:
    """A graph of some of the states would miss lassos."""
    fast = packed(question(replace(close(1, 2, 1, 1), fifo=True)), Budget(states=10))
    assert fast is not None
    with pytest.raises(ValueError, match="complete"):
        has_fair_lasso(fast, PROPERTIES["closes"])


def test_a_violation_has_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run comes from the search that reads the specification; without one there is no proof either."""
    letter = question(ANSWERING)
    (answer,) = decide(letter, [PROPERTIES["quiet"]], Engine.EXPLICIT, Budget())
    assert answer.verdict is Verdict.VIOLATED
    assert answer.trace is not None
    monkeypatch.setattr(lasso, "find_lasso", lambda *_: None)
    (answer,) = decide(letter, [PROPERTIES["quiet"]], Engine.EXPLICIT, Budget())
    assert answer.verdict is Verdict.DISAGREEMENT


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search for lassos that reaches a bound after a complete exploration is inconclusive."""
    asked = question(replace(close(1, 1, 1, 0), duplication=0))
    states = packed(asked, Budget())
    assert states is not None
    with pytest.raises(Stopped, match="stopped after 0 s"):
        has_fair_lasso(states, PROPERTIES["closes"], Budget(seconds=0.0))
    monkeypatch.setattr(lasso, "has_fair_lasso", lambda *_: True)
    monkeypatch.setattr(lasso, "find_lasso", lambda *_: bytearray(1 << 40))
    (found,) = LassoEngine().decide(asked, [PROPERTIES["closes"]], Budget())
    assert (found.verdict, "memory bound" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_steps_are_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for the steps of one state at a time gives the same answer."""
    fast = packed(question(replace(close(1, 2, 1, 1), duplication=0)), Budget())
    assert fast is not None
    answers = [has_fair_lasso(fast, entry) for entry in LIVENESS]
    monkeypatch.setattr("timewait.checker.packed_lasso.ROOM", MOST_STEPS)
    assert [has_fair_lasso(fast, entry) for entry in LIVENESS] == answers


def seconds(explore: Callable[[Question, Budget], Any], search: Callable[[Any, Property], object]) -> float:
    """The processor time of a search for lassos of every liveness property of a queue, once it is compiled."""
    asked, spent = question(replace(close(1, 2, 1, 1), fifo=True, both_close=True)), 0.0
    for _ in range(2):
        begin = time.process_time()
        explored = explore(asked, Budget())
        for entry in LIVENESS:
            search(explored, entry)
        spent = time.process_time() - begin
    return spent


if __name__ == "__main__":
    fast, slow = seconds(packed, has_fair_lasso), seconds(unpacked, find_lasso)
    print(f"compiled {fast:.2f} s, by the specification {slow:.2f} s, ratio {slow / fast:.0f}")
