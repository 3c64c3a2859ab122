"""Strongly connected components of a directed graph, in the order in which paths pass them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush


def ordered_components(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> Iterator[frozenset[int]]:
    """The strongly connected components; those that no path orders come in the order of their least nodes."""
    after: dict[int, list[int]] = {node: [] for node in nodes}
    for source, target in edges:
        after[source].append(target)
    found = {min(part): part for part in components(after)}
    home = {node: least for least, part in found.items() for node in part}
    beyond = {least: {home[target] for node in part for target in after[node]} - {least} for least, part in found.items()}
    missing = dict.fromkeys(found, 0)
    for targets in beyond.values():
        for least in targets:
            missing[least] += 1
    ready = [least for least, count in missing.items() if not count]
    heapify(ready)
    while ready:
        least = heappop(ready)
        yield found[least]
        for target in beyond[least]:
            missing[target] -= 1
            if not missing[target]:
                heappush(ready, target)


def components(after: dict[int, list[int]]) -> Iterator[frozenset[int]]:
    """The strongly connected components, each after all that edges lead to from it (Tarjan's algorithm, without recursion).

    Parameters
    ----------
    after : dict
        For each node the nodes to which edges lead.
    """
    met: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    for root in after:
        if root in met:
            continue
        calls = [(root, iter(after[root]))]
        met[root] = lowest[root] = len(met)
        path.append(root)
        on_path.add(root)
        while calls:
            node, targets = calls[-1]
            for target in targets:
                if target not in met:
                    met[target] = lowest[target] = len(met)
                    path.append(target)
                    on_path.add(target)
                    calls.append((target, iter(after[target])))
                    break
                if target in on_path:
                    lowest[node] = min(lowest[node], met[target])
            else:
                calls.pop()
                if calls:
                    lowest[calls[-1][0]] = min(lowest[calls[-1][0]], lowest[node])
                if lowest[node] == met[node]:
                    part = {node}
                    while (member := path.pop()) != node:
                        part.add(member)
                    on_path -= part
                    yield frozenset(part)
