"""Runs without end that never keep a promise: fair lassos in an explored state space.

A run counts when time diverges along it (some tick recurs) and it is strongly fair: of the steps that
share a fairness name one is taken again and again if one can be taken again and again. Components are
split by the usual recursion for strong fairness: a state in which a name could be served that the whole
component never serves can recur in no fair run, and is taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import networkx as nx

from timewait.checker.explicit import TICK, Explicit
from timewait.checker.finding import Run
from timewait.vocabulary.automaton import Property


def find_lasso(explored: Explicit, asked: Property) -> Run | None:
    """A fair run along which the promise of an ``eventually`` property stays open for ever, if there is one.

    Parameters
    ----------
    explored : Explicit
        A complete exploration.
    asked : Property
        The property; if it is noisy, a step that is `recurrent` for it must recur.
    """
    graph = _open_part(explored, asked.name)
    for component in fair_components(graph):
        if any(step == TICK for _, _, step in component.edges(keys=True)):
            recurrent = [] if not asked.recurrent else _busy(explored, component, asked.name)
            if recurrent or not asked.recurrent:
                return _run(explored, component, recurrent[:1])
    return None


def _open_part(explored: Explicit, name: str) -> nx.MultiDiGraph:
    """The states in which the promise is open, and the steps among them; each state knows the names it can serve."""
    graph = nx.MultiDiGraph()
    inside = [number for number, (place, _) in enumerate(explored.states) if name in explored.location(place).pending]
    graph.add_nodes_from(inside)
    for number in inside:
        edges = explored.location(explored.states[number][0]).edges
        could: set[str] = set()
        for step, target in explored.successors(number):
            fair: frozenset[str] = frozenset() if step == TICK else edges[step].original.fair
            could |= fair
            arrival = explored.number(target)
            assert arrival is not None, "the exploration is complete"
            if arrival in graph:
                graph.add_edge(number, arrival, key=step, fair=fair)
        graph.nodes[number]["could"] = frozenset(could)
    return graph


def fair_components(graph: nx.MultiDiGraph) -> Iterator[nx.MultiDiGraph]:
    """The parts of a graph in which a strongly fair run can stay for ever, moving."""
    waiting = [graph]
    while waiting:
        whole = waiting.pop()
        for nodes in nx.strongly_connected_components(whole):
            part = whole.subgraph(nodes)
            if part.number_of_edges() == 0:
                continue
            served = frozenset().union(*(fair for _, _, fair in part.edges(data="fair")))
            starved = [node for node, could in part.nodes(data="could") if could - served]
            if starved:
                waiting.append(part.subgraph(nodes - set(starved)).copy())
            else:
                yield part


def _busy(explored: Explicit, component: nx.MultiDiGraph, name: str) -> list[tuple[int, int, int]]:
    return [
        (source, target, step)
        for source, target, step in sorted(component.edges(keys=True))
        if step != TICK and name in explored.location(explored.states[source][0]).edges[step].original.recurrent
    ]


def _run(explored: Explicit, component: nx.MultiDiGraph, must: list[tuple[int, int, int]]) -> Run:
    """A run into the component and once round it, through a tick, what must recur, and every fairness name."""
    entry = min(component.nodes)
    wanted = [*must, *_one_each(component)]
    path: list[tuple[int, int]] = []
    here = entry
    for source, target, step in wanted:
        path += _walk(component, here, source)
        path.append((source, step))
        here = target
    path += _walk(component, here, entry)
    stem = explored.run_to(entry)
    round_trip = tuple(explored.moves(path))
    return Run((*stem.moves, *round_trip), loop=len(stem.moves))


def _one_each(component: nx.MultiDiGraph) -> list[tuple[int, int, int]]:
    """A tick, and for each fairness name a step that serves it."""
    chosen: dict[str, tuple[int, int, int]] = {}
    for source, target, step, fair in sorted(component.edges(keys=True, data="fair"), key=lambda edge: edge[:3]):
        for name in fair if step != TICK else ("time passes",):
            chosen.setdefault(name, (source, target, step))
    return list(dict.fromkeys(chosen.values()))


def _walk(component: nx.MultiDiGraph, source: int, target: int) -> list[tuple[int, int]]:
    nodes = nx.shortest_path(component, source, target)
    return [(here, min(component[here][there])) for here, there in pairwise(nodes)]
