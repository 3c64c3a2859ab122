"""Strongly connected components in order, against those of a library of graphs."""

from __future__ import annotations

import random

import networkx as nx

from timewait.checker.digraphs import ordered_components


def reference(nodes: list[int], edges: list[tuple[int, int]]) -> list[frozenset[int]]:
    """The components by networkx, in the order that `ordered_components` promises."""
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    condensed = nx.condensation(graph)
    order = nx.lexicographical_topological_sort(condensed, key=lambda index: min(condensed.nodes[index]["members"]))
    return [frozenset(condensed.nodes[index]["members"]) for index in order]


def test_random_graphs() -> None:
    """The same components in the same order, of graphs with loops, double edges, lone nodes and nothing at all."""
    several = 0
    for seed in range(500):
        drawn = random.Random(seed)
        nodes = drawn.sample(range(40), drawn.randint(0, 14))
        edges = [(drawn.choice(nodes), drawn.choice(nodes)) for _ in range(drawn.randint(0, 30))] if nodes else []
        found = [*ordered_components(nodes, edges)]
        assert found == reference(nodes, edges)
        several += any(len(part) > 1 for part in found) and len(found) > 1
    assert several > 100


def test_a_long_path() -> None:
    """A path longer than Python's recursion goes has a component for each node; closed to a ring it is one."""
    edges = [(number, number + 1) for number in range(20_000)]
    assert [*ordered_components(range(20_001), edges)] == [frozenset({number}) for number in range(20_001)]
    assert [*ordered_components(range(20_001), [*edges, (20_000, 0)])] == [frozenset(range(20_001))]
