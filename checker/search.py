"""Breadth-first search in Python, of states in ticks; zones and packed states have compiled searches of the same form.

An engine supplies the first node, the successors of a node, and the store, which says whether a node is new. Each node
remembers the node from which it was first reached, so a shortest run is read off without a second search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar, Generic, TypeVar

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget, Run
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.vocabulary.automaton import Edge

TICK = -1
"""The step that takes no edge: time passes by one tick."""

Node = TypeVar("Node")


class Search(ABC, Generic[Node]):
    """A breadth-first search through the state space of an automaton.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    values : mapping or None
        The parameters in seconds; by default those of the system.
    unit : Fraction or None
        The length of a tick in seconds; by default the greatest one of which every parameter is a multiple.

    Attributes
    ----------
    ticks : mapping
        The parameters in ticks.
    nodes : list
        Every stored node, in order.
    transitions : int
        The number of steps between nodes.
    broken : dict
        For each violated ``always`` property the (node, step) that first violates it.
    witnessed : dict
        For each witnessed ``sometimes`` property the (node, step) that first witnesses it.
    dead_ends : list of int
        The nodes without a step.
    stopped : str
        Why the search ended early; empty when it is complete.
    """

    poll: ClassVar[int]
    """Nodes between two looks at the budget."""

    def __init__(
        self, automaton: CompiledAutomaton, values: Mapping[str, Fraction] | None = None, unit: Fraction | None = None
    ) -> None:
        self.automaton = automaton
        self.values = automaton.system.parameters if values is None else values
        self.unit = unit_of(self.values) if unit is None else unit
        self.ticks = in_ticks(self.values, self.unit)
        self.nodes: list[Node] = []
        self._parents = array("q")
        self._steps = array("i")
        self._depths = array("i")
        self._superseded: set[int] = set()
        self.transitions = 0
        self.broken: dict[str, tuple[int, int]] = {}
        self.witnessed: dict[str, tuple[int, int]] = {}
        self.dead_ends: list[int] = []
        self.stopped = ""

    @abstractmethod
    def first(self) -> Node:
        """The node in which every run begins."""

    @abstractmethod
    def after(self, node: Node) -> Iterator[tuple[int, Node]]:
        """Every step out of a node, stored or not: the number of its edge, or `TICK`, and the node that it leads to."""

    @abstractmethod
    def edges_of(self, node: Node) -> Sequence[Edge]:
        """The edges of the location of a node, by number."""

    @abstractmethod
    def _is_new(self, node: Node) -> bool:
        """Remember a node under the next number, unless it was visited or is covered; whether it is new."""

    def explore(self, budget: Budget, until: frozenset[str] = frozenset()) -> None:
        """Visit every reachable node; stop early when the budget is used up, or when all of `until` are violated."""
        nodes, is_new = self.nodes, self._is_new
        if is_new(first := self.first()):
            self._add(first, -1, TICK, 0)
        number = 0
        while number < len(nodes):
            depth = self._depths[number]
            if number % self.poll == 0 and (stopped := budget.exceeded(len(nodes), depth)):
                self.stopped = stopped
                return
            if number not in self._superseded:
                steps, edges = 0, self.edges_of(nodes[number])
                for step, target in self.after(nodes[number]):
                    steps += 1
                    if step != TICK and ((edge := edges[step]).violates or edge.witnesses):
                        self._record(edge, number, step)
                    if is_new(target):
                        self._add(target, number, step, depth + 1)
                self.transitions += steps
                if not steps:
                    self.dead_ends.append(number)
                if until and until <= self.broken.keys():
                    self.stopped = "every property asked for is broken"
                    return
            number += 1

    def _add(self, node: Node, parent: int, step: int, depth: int) -> None:
        self.nodes.append(node)
        self._parents.append(parent)
        self._steps.append(step)
        self._depths.append(depth)

    def _record(self, edge: Edge, number: int, step: int) -> None:
        for name in edge.violates:
            self.broken.setdefault(name, (number, step))
        for name in edge.witnesses:
            self.witnessed.setdefault(name, (number, step))

    def __len__(self) -> int:
        """The number of stored nodes."""
        return len(self.nodes)

    @property
    def depth(self) -> int:
        """The largest number of steps from the first node to any other."""
        return self._depths[-1] if self._depths else 0

    def trail(self, number: int, step: int | None = None) -> list[tuple[int, int]]:
        """A shortest path to a node as pairs of node and step, then one further step out of that node."""
        trail = [] if step is None else [(number, step)]
        while (parent := self._parents[number]) >= 0:
            trail.append((parent, self._steps[number]))
            number = parent
        return trail[::-1]

    @abstractmethod
    def run_to(self, number: int, step: int | None = None) -> Run | None:
        """A run along `trail`; None when no delays are possible along it."""
