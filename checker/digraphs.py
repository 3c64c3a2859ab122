"""Strongly connected components of a directed graph, in the order in which paths pass them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import networkx as nx


def ordered_components(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> Iterator[frozenset[int]]:
    """The strongly connected components; those that no path orders come in the order of their least nodes."""
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(nodes))
    graph.add_edges_from(edges)
    condensed = nx.condensation(graph)
    for index in nx.lexicographical_topological_sort(condensed, key=lambda index: min(condensed.nodes[index]["members"])):
        yield frozenset(condensed.nodes[index]["members"])
