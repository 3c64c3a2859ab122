"""The graph of an exploration in zones: where each edge leads from each node, and how far each node is from a violation."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray

from timewait.checker import zone_kernels as kernels
from timewait.checker.zone_kernels import ZoneArrays

UNREACHABLE = 1 << 30
"""The distance of a node from which nothing is violated."""


class ZoneGraph:
    """The steps between the stored nodes of an exploration.

    Parameters
    ----------
    arrays : ZoneArrays
        The exploration.
    violates : sequence of set of str
        For each kind of edge, by number, the properties that it violates.
    first : int
        The node whose zone includes the first one.
    """

    def __init__(self, arrays: ZoneArrays, violates: Sequence[Set[str]], first: int) -> None:
        self.first = first
        self._violates = violates
        self._located = arrays.nodes[: arrays.counts[kernels.NODES], kernels.LOCATION]
        counts = arrays.places[self._located, kernels.EDGES].astype(np.int64)
        self._begins = np.cumsum(counts) - counts
        self._successors = np.full(int(counts.sum()), -1, dtype=np.int32)
        kernels.link(arrays, self._begins, self._successors)
        self._steps = np.flatnonzero(self._successors >= 0)
        self._sources = np.repeat(np.arange(len(counts)), counts)[self._steps]
        edges = self._steps - self._begins[self._sources] + arrays.places[self._located[self._sources], kernels.FIRST_EDGE]
        self._kinds = arrays.edges[edges, kernels.KIND]

    def location(self, node: int) -> int:
        """The location of a node."""
        return int(self._located[node])

    def successor(self, node: int, edge: int) -> int | None:
        """A node whose zone includes what an edge of a node leads to; None where there is none."""
        found = int(self._successors[self._begins[node] + edge])
        return None if found < 0 else found

    def distances(self, name: str) -> NDArray[np.int64]:
        """For each node the fewest steps to a violation of a property, the violation among them; or `UNREACHABLE`."""
        violating = np.array([name in violates for violates in self._violates])[self._kinds]
        targets = self._successors[self._steps]
        found = np.full(len(self._located), UNREACHABLE, dtype=np.int64)
        found[self._sources[violating]] = 1
        while True:
            nearer = found.copy()
            np.minimum.at(nearer, self._sources, found[targets] + 1)
            if (nearer == found).all():
                return found
            found = nearer
