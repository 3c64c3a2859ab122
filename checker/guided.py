"""A search for a violation in dense time in a system of any size, guided by its over-approximation.

Where copies are counted, or packets queue, locations may be without number: each retransmission adds a packet. Yet a violation
is short. The zones of the over-approximation, which are finite, say for each of their nodes how many steps it is from a
violation at least. A run of the system is followed there step by step, so a search in the system knows at each node how far
the violation is at least, takes the nearest node first (the algorithm A*), and never visits those from which there is none.

The guide decides what is looked at first, and nothing else: a run counts because the bounds of the system itself allow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import dbm, zone_tables
from timewait.checker.compiled import ROWS, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledPath, carried
from timewait.checker.dbm import Zone
from timewait.checker.engine import DecisionEngine
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.question import Engine, Question
from timewait.checker.schedule import delays
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.checker.verdict import Verdict
from timewait.checker.zone_graph import UNREACHABLE, ZoneGraph
from timewait.checker.zones import ZoneEngine, Zones
from timewait.vocabulary.automaton import Action, Property

MAX_GUIDE_ZONES = 100_000
"""Zones of the over-approximation that are explored, at most."""

MAX_ZONES = 20_000
"""Zones of the system that are stored, at most."""


class SystemNode(NamedTuple):
    """A node of the search.

    Attributes
    ----------
    location : int
        Its location.
    zone : Zone
        Its zone.
    companion : int
        The node of the over-approximation that follows it.
    steps : int
        Steps from the first node.
    parent, edge : int
        The node that it was reached from, -1 for the first one, and the number of the edge there.
    """

    location: int
    zone: Zone
    companion: int
    steps: int
    parent: int
    edge: int


class SystemZones:
    """The zones of a system whose locations are met one by one.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    """

    def __init__(self, automaton: CompiledAutomaton) -> None:
        self.automaton = automaton
        self.ticks = in_ticks(automaton.system.parameters, unit_of(automaton.system.parameters))
        self._lifetimes = {role: self.ticks[name] for role, name in automaton.system.lifetimes.items()}
        self._constants = {role: self.ticks[name] for role, name in automaton.system.maximal_constants.items()}
        self._stored: dict[int, list[tuple[Zone, int]]] = {}

    def first(self) -> Zone:
        """The zone in which every run begins; no clock is inactive."""
        size = 1 + len(self.automaton.location(self.automaton.start).clocks)
        return self._settled(self.automaton.start, np.full((size, size), dbm.AT_MOST_ZERO, dtype=np.int64))

    def after(self, zone: Zone, edge: CompiledEdge) -> Zone | None:
        """The zone that an edge leads to; None where its guard does not hold."""
        possible, narrowed = dbm.narrowed(zone, self._bounds(edge.guard))
        if not possible:
            return None
        sources = np.array([0, *carried(edge.updates, ROWS, 0, _inactive)], dtype=np.int64)
        return self._settled(edge.target, dbm.carry(narrowed, sources, np.full(len(sources), -1, dtype=np.int64)))

    def _settled(self, location: int, zone: Zone) -> Zone:
        compiled = self.automaton.location(location)
        constants = np.array([0, *(self._constants[clock.role] for clock in compiled.clocks)], dtype=np.int64)
        return dbm.settled(zone, self._bounds(compiled.invariant), constants, constants)

    def _bounds(self, bounds: Sequence[CompiledBound]) -> NDArray[np.int64]:
        """Bounds, each as (row, column, bound)."""
        entries = []
        for bound in bounds:
            above, below = zone_tables.forms(bound.relation, self.ticks[bound.parameter])
            entries += [(bound.clock + 1, 0, above)] * (above < dbm.INFINITE)
            entries += [(0, bound.clock + 1, below)] * (below < dbm.INFINITE)
        return np.array(entries, dtype=np.int64).reshape(-1, 3)

    def is_new(self, location: int, zone: Zone, steps: int) -> bool:
        """Remember a zone that takes some steps, unless a stored one includes it and takes no more; whether it is new."""
        location, zone = self._without_expired(location, zone)
        stored = self._stored.setdefault(location, [])
        if any(fewer <= steps and (zone <= other).all() for other, fewer in stored):
            return False
        stored.append((zone, steps))
        return True

    def _without_expired(self, location: int, zone: Zone) -> tuple[int, Zone]:
        """A location and a zone without the clocks that have passed their lifetime."""
        clocks = self.automaton.location(location).clocks
        for clock in reversed(range(len(clocks))):
            lifetime = self._lifetimes.get(clocks[clock].role)
            if lifetime is not None and zone[0, clock + 1] <= dbm.below(-lifetime):
                location = self.automaton.after_expiry(location, clock)
                zone = np.delete(np.delete(zone, clock + 1, axis=0), clock + 1, axis=1)
        return location, zone


def _inactive(clock: int) -> int:
    raise ValueError(f"clock {clock} is inactive; search the system, not its quotient")


class Guide:
    """The zones of an over-approximation, as what follows the runs of a system.

    Parameters
    ----------
    zones : Zones
        An exploration of the over-approximation.
    """

    def __init__(self, zones: Zones) -> None:
        self.automaton = zones.automaton
        self.graph: ZoneGraph = zones.graph()
        self._alike: dict[tuple[int, Action], list[int]] = {}

    def companions(self, node: int, action: Action) -> list[int]:
        """The nodes that may follow a node where the system does an action; where that changes only what is in flight, itself."""
        location = self.graph.location(node)
        known = self._alike.get((location, action))
        if known is None:
            known = self._alike[location, action] = self._edges(location, action)
        if not known:
            return [node]
        return [target for edge in known if (target := self.graph.successor(node, edge)) is not None]

    def _edges(self, location: int, action: Action) -> list[int]:
        """The edges of a location with an action that loses nothing else; those that lose the most, if there are several."""
        found = {
            number: sum(edge.original.action.lost)
            for number, edge in enumerate(self.automaton.location(location).edges)
            if _follows(edge.original.action, action)
        }
        return [number for number, lost in found.items() if lost == max(found.values())]


def _follows(mine: Action, other: Action) -> bool:
    """Whether an action of the over-approximation is one of the system that loses the same, or more."""
    if mine.identity[:3] != other.identity[:3] or len(mine.lost) != len(other.lost):
        return False
    return all(not lost or also for lost, also in zip(mine.lost, other.lost, strict=True))


class GuidedSearch(NamedTuple):
    """How a search ended.

    Attributes
    ----------
    path : list of (CompiledLocation, CompiledEdge) or None
        A path that violates the property, in no more steps than any other.
    stopped : str
        Why the search ended early; empty where there is a path, and where there is none at all.
    """

    path: CompiledPath | None
    stopped: str = ""


def guided_search(automaton: CompiledAutomaton, guide: Guide, name: str, budget: Budget) -> GuidedSearch:
    """Search for a shortest path of a system that violates a property.

    If the guide is complete and the search ends without a path and without a bound, the system has no violation.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    guide : Guide
        Its over-approximation.
    name : str
        The property.
    budget : Budget
        Its states are zones of the system.
    """
    distances, zones = guide.graph.distances(name), SystemZones(automaton)
    nodes = [SystemNode(automaton.start, zones.first(), guide.graph.first, 0, -1, -1)]
    waiting = [(0, 0, 0)]
    while waiting:
        if stopped := budget.exceeded(len(nodes), nodes[-1].steps):
            return GuidedSearch(None, stopped)
        number = -heappop(waiting)[2]
        node = nodes[number]
        if node.edge >= 0 and name in _edge_to(automaton, nodes, node).original.violates:
            return GuidedSearch(_path(automaton, nodes, node))
        for index, edge in enumerate(automaton.location(node.location).edges):
            companions = guide.companions(node.companion, edge.original.action)
            companion = max(companions, key=distances.__getitem__, default=None)
            violates = name in edge.original.violates
            if companion is None or (distances[companion] >= UNREACHABLE and not violates):
                continue
            zone = zones.after(node.zone, edge)
            if zone is not None and (violates or zones.is_new(edge.target, zone, node.steps + 1)):
                left = 0 if violates else int(distances[companion])
                heappush(waiting, (node.steps + 1 + left, -node.steps, -len(nodes)))
                nodes.append(SystemNode(edge.target, zone, companion, node.steps + 1, number, index))
    return GuidedSearch(None)


def _edge_to(automaton: CompiledAutomaton, nodes: Sequence[SystemNode], node: SystemNode) -> CompiledEdge:
    """The edge by which a node was reached."""
    return automaton.location(nodes[node.parent].location).edges[node.edge]


def _path(automaton: CompiledAutomaton, nodes: Sequence[SystemNode], node: SystemNode) -> CompiledPath:
    """The path to a node."""
    path = []
    while node.parent >= 0:
        path.append((automaton.location(nodes[node.parent].location), _edge_to(automaton, nodes, node)))
        node = nodes[node.parent]
    return path[::-1]


class GuidedEngine(DecisionEngine):
    """Violations of a system that is not `dense`, in dense time; that none is found proves nothing."""

    label = ZoneEngine.label
    kind = "always"
    choices = frozenset({Engine.AUTO, Engine.ZONES})

    def supports(self, question: Question) -> bool:
        return not question.system.dense and question.over_approximation is not None

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent, zones = budget.fresh(), Zones(question.coarse, keeps_included=True)
        zones.explore(replace(spent, states=min(budget.states, MAX_GUIDE_ZONES)))
        asked = [entry for entry in properties if entry.name in zones.broken]
        if not asked:
            return []
        guide, values, findings = Guide(zones), question.system.parameters, []
        for entry in asked:
            bounds = replace(spent, states=min(budget.states, MAX_ZONES))
            path = guided_search(question.compiled, guide, entry.name, bounds).path
            if path is not None:
                waits = delays(path, values, unit_of(values))
                moves = zip(waits or (), (edge.original.action for _, edge in path), strict=waits is not None)
                run = None if waits is None else Run(tuple(Move(wait, action) for wait, action in moves))
                findings.append(Finding(entry.name, Verdict.VIOLATED, self.label, run, "", len(zones), spent.elapsed))
        return findings
