"""Exploration in dense time: sets of clock values (zones) instead of single ones.

A node is a location with a zone: every clock valuation that it may have after any delay. A node whose zone is included
in a stored one is not explored again. Zones are widened by lower and upper bounds (LU extrapolation), which keeps
them few whatever the size of the constants, and changes no answer about reachability.

The loop is compiled (`timewait.checker.zone_kernels`). It reads the arrays of a quotient that was made from a table
(`timewait.checker.quotient_table`); of any other automaton it asks for the edges of a location when it first meets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timewait.checker import dbm, zone_tables
from timewait.checker import zone_kernels as kernels
from timewait.checker.compiled import INACTIVE, RESET, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.checker.engine import DecisionEngine, finding_of
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.growing import grown
from timewait.checker.question import Engine, Question
from timewait.checker.quotient_table import QuotientTable
from timewait.checker.schedule import delays
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.checker.zone_graph import ZoneGraph
from timewait.checker.zone_kernels import KEEPS, NEXT, NODES, NOTED, POOL, TRANSITIONS, UNKNOWN, WANTED, ZoneArrays
from timewait.vocabulary.automaton import Property

CHUNK = 256
"""Nodes visited between two looks at the budget."""

BoundedEdge = tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""An edge: its target, bounds of shape (n, 3), and the arguments `sources` and `lifetimes` of `timewait.checker.dbm.carry`."""

assert RESET - 1 == INACTIVE, "sources of rows are positions of clocks above `RESET`"

EdgeKind = tuple[frozenset[str], frozenset[str]]
"""What an edge violates, and what it witnesses."""


class Zones:
    """An exploration of an automaton in dense time.

    The automaton is best a quotient: zones decide what may still be in flight.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    values : mapping or None
        The parameters in seconds; by default those of the system.
    keeps_included : bool
        Whether a node whose zone a later one includes is visited all the same. Then every node keeps its zone, and no node is
        nearer to a violation than the steps to it allow.

    Attributes
    ----------
    unit : Fraction
        The length of a tick in seconds, the greatest one of which every parameter is a multiple.
    ticks : mapping
        The parameters in ticks.
    broken, witnessed : dict
        For each violated ``always`` property, and for each witnessed ``sometimes`` property, the first (node, step).
    stopped : str
        Why the exploration ended early; empty when it is complete.
    """

    def __init__(
        self, automaton: CompiledAutomaton, values: Mapping[str, Fraction] | None = None, *, keeps_included: bool = False
    ) -> None:
        self.automaton = automaton
        self.values = automaton.system.parameters if values is None else values
        self.unit = unit_of(self.values)
        self.ticks = in_ticks(self.values, self.unit)
        self.broken: dict[str, tuple[int, int]] = {}
        self.witnessed: dict[str, tuple[int, int]] = {}
        self.stopped = ""
        self._kinds: dict[EdgeKind, int] = {(frozenset(), frozenset()): 0}
        self._bounded: dict[int, list[BoundedEdge]] = {}
        self._known_bounds: dict[tuple[CompiledBound, ...], list[tuple[int, int, int]]] = {}
        self._used = dict.fromkeys(("edges", "bounds", "sources", "constants"), 0)
        self._arrays = ZoneArrays(
            counts=np.zeros(6, dtype=np.int64),
            places=np.zeros((64, 6), dtype=np.int32),
            heads=np.full(64, -1, dtype=np.int32),
            edges=np.zeros((256, 6), dtype=np.int32),
            bounds=np.zeros((256, 3), dtype=np.int64),
            sources=np.zeros(1024, dtype=np.int16),
            constants=np.zeros((256, 3), dtype=np.int64),
            nodes=np.zeros((256, 5), dtype=np.int32),
            slots=np.zeros(256, dtype=np.int64),
            pool=np.zeros(1 << 14, dtype=np.int64),
            free=np.full(2, -1, dtype=np.int64),
            first_taken=np.full((16, 2), -1, dtype=np.int64),
            scratch=np.zeros((3, 1), dtype=np.int64),
            least=np.zeros(1, dtype=np.int64),
        )
        self._arrays.counts[KEEPS] = keeps_included
        if isinstance(automaton, QuotientTable):
            self._describe_all(automaton)
        else:
            self._lower, self._upper = self._maximal_constants()

    def _describe_all(self, quotient: QuotientTable) -> None:
        """Describe every location of a quotient that is in arrays."""
        kinds = [(reaction.edge.violates, reaction.edge.witnesses) for reaction in quotient.reactions]
        numbers = [self._kinds.setdefault(kind, len(self._kinds)) for kind in kinds]
        tables = zone_tables.tables_of(quotient, self.ticks, np.array(numbers, dtype=np.int32)[quotient.reaction_of])
        size = int(tables.places[:, kernels.SIZE].max())
        self._arrays = self._arrays._replace(
            **tables._asdict(),
            heads=np.full(len(quotient), -1, dtype=np.int32),
            free=np.full(size + 1, -1, dtype=np.int64),
            first_taken=np.full((len(self._kinds), 2), -1, dtype=np.int64),
            scratch=np.zeros((3, size * size), dtype=np.int64),
            least=np.zeros(size, dtype=np.int64),
        )

    def _maximal_constants(self) -> tuple[dict[str, int], dict[str, int]]:
        """For each clock role the maximal constants in lower and in upper bounds, over every location."""
        lower: dict[str, int] = {}
        upper: dict[str, int] = {}
        for location in self.automaton.explore():
            for bound in (*location.invariant, *(bound for edge in location.edges for bound in edge.guard)):
                role, constant = location.clocks[bound.clock].role, self.ticks[bound.parameter]
                if bound.relation != "<=":
                    lower[role] = max(constant, lower.get(role, -1))
                if bound.relation in ("<=", "=="):
                    upper[role] = max(constant, upper.get(role, -1))
        return lower, upper

    # --- exploration ------------------------------------------------------------------------------------------------

    def explore(self, budget: Budget, until: frozenset[str] = frozenset()) -> None:
        """Visit every reachable node; stop early when the budget is used up, or when all of `until` are violated.

        Called again, it goes on where it stopped.
        """
        counts, self.stopped = self._arrays.counts, ""
        if not len(self):
            self._begin()
        visited = True
        while counts[NEXT] < len(self):
            if until and until <= self.broken.keys():
                self.stopped = "every property asked for is broken"
                return
            if visited and (stopped := budget.exceeded(len(self), self._depth_of(int(counts[NEXT])))):
                self.stopped = stopped
                return
            status = kernels.explore(self._arrays, CHUNK, budget.states)
            visited = status == kernels.DONE
            if status == UNKNOWN:
                self._describe_targets(int(counts[WANTED]))
            elif status == kernels.NO_ROOM:
                self._reserve("nodes", 2 * len(self._arrays.nodes))
                self._reserve("slots", len(self._arrays.nodes))
                self._reserve("pool", 2 * len(self._arrays.pool))
            elif status == NOTED:
                self._note()

    def _begin(self) -> None:
        """Store the first node."""
        start = self.automaton.start
        if not self._arrays.places[start, kernels.SIZE]:
            self._describe(start)
        kernels.begin(self._arrays, start, self._first_sources())

    def _first_sources(self) -> NDArray[np.int16]:
        """For each row of the first zone the row that it copies, as in `ZoneArrays`."""
        return np.array([RESET, *self.automaton.start_updates()], dtype=np.int16) - np.int16(RESET)

    def _note(self) -> None:
        """Note which properties are violated and witnessed by kinds of edges that were taken since the last time."""
        taken = [(tuple(map(int, self._arrays.first_taken[number])), kind) for kind, number in self._kinds.items()]
        for (node, step), (violates, witnesses) in sorted((entry for entry in taken if entry[0] >= (0, 0)), key=itemgetter(0)):
            for name in violates:
                self.broken.setdefault(name, (node, step))
            for name in witnesses:
                self.witnessed.setdefault(name, (node, step))

    # --- the locations, for the kernels -----------------------------------------------------------------------------

    def _describe_targets(self, number: int) -> None:
        """Describe each location that an edge of a location leads to."""
        for edge in self.automaton.location(number).edges:
            if edge.target >= len(self._arrays.places) or not self._arrays.places[edge.target, kernels.SIZE]:
                self._describe(edge.target)

    def _describe(self, number: int) -> None:
        """Describe a location with its edges."""
        location, used = self.automaton.location(number), self._used
        bounds = list(self._bounds(location.invariant))
        place = [len(location.clocks) + 1, used["edges"], len(location.edges), used["bounds"], len(bounds), used["constants"]]
        edges, sources = [], list[int]()
        for edge in location.edges:
            guard, original = self._bounds(edge.guard), edge.original
            kind = self._kinds.setdefault((original.violates, original.witnesses), len(self._kinds))
            edges.append((edge.target, used["bounds"] + len(bounds), len(guard), used["sources"] + len(sources), kind, 0))
            bounds += guard
            sources.append(RESET)
            sources += edge.updates
        constants = [(0, 0, -1), *(self._constants(clock.role) for clock in location.clocks)]
        self._reserve("places", max(len(self.automaton), number + 1))
        self._reserve("heads", len(self._arrays.places), -1)
        self._reserve("free", place[0] + 1, -1)
        self._reserve("first_taken", len(self._kinds), -1)
        self._reserve("least", place[0])
        if self._arrays.scratch.shape[1] < place[0] ** 2:
            self._arrays = self._arrays._replace(scratch=np.zeros((3, place[0] ** 2), dtype=np.int64))
        self._append("edges", edges)
        self._append("bounds", bounds)
        self._append("sources", np.array(sources, dtype=np.int16) - RESET)
        self._append("constants", constants)
        self._arrays.places[number] = place

    def _append(self, name: str, entries: Sequence[Any] | NDArray[Any]) -> None:
        """Add entries to an array, behind those in use."""
        begin = self._used[name]
        self._used[name] += len(entries)
        self._reserve(name, self._used[name])
        if len(entries):
            getattr(self._arrays, name)[begin : self._used[name]] = entries

    def _reserve(self, name: str, length: int, empty: int = 0) -> None:
        """Make room for a number of entries of an array."""
        self._arrays = self._arrays._replace(**{name: grown(getattr(self._arrays, name), length, empty)})

    def _constants(self, role: str) -> tuple[int, int, int]:
        """The maximal constants of a role in lower and in upper bounds, and its lifetime, in ticks; -1 where there is none."""
        lifetime = self.automaton.system.lifetimes.get(role)
        return self._lower.get(role, -1), self._upper.get(role, -1), -1 if lifetime is None else self.ticks[lifetime]

    def _bounds(self, bounds: tuple[CompiledBound, ...]) -> list[tuple[int, int, int]]:
        """Bounds, each as (row, column, bound)."""
        known = self._known_bounds.get(bounds)
        if known is None:
            known = self._known_bounds[bounds] = [entry for bound in bounds for entry in self._bound(bound)]
        return known

    def _bound(self, bound: CompiledBound) -> Iterator[tuple[int, int, int]]:
        constant, row = self.ticks[bound.parameter], bound.clock + 1
        above, below = zone_tables.forms(bound.relation, constant)
        if above < dbm.INFINITE:
            yield row, 0, above
        if below < dbm.INFINITE:
            yield 0, row, below

    def _updates(self, target: int, sources: NDArray[np.int16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The arguments `sources` and `lifetimes` of `timewait.checker.dbm.carry` for the sources of the rows of a target."""
        lifetimes = self._arrays.constants[self._arrays.places[target, kernels.FIRST_CONSTANT] :][: len(sources), 2]
        return np.maximum(sources, 0).astype(np.int64), np.where(sources < 0, lifetimes, -1)

    # --- results ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of nodes stored, those included."""
        return int(self._arrays.counts[NODES])

    @property
    def transitions(self) -> int:
        """The number of steps between nodes."""
        return int(self._arrays.counts[TRANSITIONS])

    @property
    def depth(self) -> int:
        """The largest number of steps from the first node to any other."""
        return self._depth_of(len(self) - 1) if len(self) else 0

    @property
    def bytes(self) -> int:
        """The memory of the nodes and their zones, as far as it is used, in bytes."""
        arrays = self._arrays
        return int(arrays.counts[POOL]) * arrays.pool.itemsize + len(self) * (arrays.nodes.strides[0] + arrays.slots.itemsize)

    def _depth_of(self, node: int) -> int:
        return int(self._arrays.nodes[node, kernels.DEPTH])

    def node(self, number: int) -> tuple[int, int, int]:
        """A node: its location, the node that it was reached from, or -1, and the number of the edge there."""
        location, parent, step = self._arrays.nodes[number, :3]
        return int(location), int(parent), int(step)

    def trail(self, number: int, step: int | None = None) -> list[tuple[int, int]]:
        """A shortest path to a node as pairs of node and step, then one further step out of that node."""
        trail = [] if step is None else [(number, step)]
        while (known := self.node(number))[1] >= 0:
            trail.append(known[1:])
            number = known[1]
        return trail[::-1]

    def path_to(self, number: int, step: int | None = None) -> list[tuple[CompiledLocation, CompiledEdge]]:
        """The edges along `trail`, each with its source."""
        locations = [(self.automaton.location(self.node(node)[0]), taken) for node, taken in self.trail(number, step)]
        return [(location, location.edges[taken]) for location, taken in locations]

    def run_to(self, number: int, step: int | None = None) -> Run | None:
        """A run along `trail`; None when no delays are possible along it."""
        path = self.path_to(number, step)
        waits = delays(path, self.values, self.unit)
        if waits is None:
            return None
        return Run(tuple(Move(wait, edge.original.action) for wait, (_, edge) in zip(waits, path, strict=True)))

    def _invariant(self, number: int) -> NDArray[np.int64]:
        place = self._arrays.places[number]
        return self._arrays.bounds[place[kernels.FIRST_BOUND] :][: place[kernels.BOUNDS]]

    def edges(self, number: int) -> Iterator[BoundedEdge]:
        """For each edge of a location its target, its guard with the invariant, and its clock updates."""
        if number not in self._bounded:
            self._bounded[number] = list(self._bounded_edges(number))
        yield from self._bounded[number]

    def _bounded_edges(self, number: int) -> Iterator[BoundedEdge]:
        arrays, place = self._arrays, self._arrays.places[number]
        for target, guard, guards, update, *_ in arrays.edges[place[kernels.FIRST_EDGE] :][: place[kernels.EDGES]].tolist():
            bounds = np.concatenate([self._invariant(number), arrays.bounds[guard : guard + guards]])
            sources = arrays.sources[update : update + len(self.automaton.location(target).clocks) + 1]
            yield target, bounds, *self._updates(target, sources)

    def stored(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The stored zones: for each its location and the begin of its matrix in the pool, and the pool."""
        locations, begins = self._arrays.nodes[: len(self), 0], self._arrays.slots[: len(self)]
        kept = begins >= 0
        return locations[kept].astype(np.int64), begins[kept], self._arrays.pool

    def cover(self) -> dict[int, NDArray[np.int64]]:
        """For each location reached, the zones that cover everything reachable there, shape (count, n, n)."""
        arrays = self._arrays
        stored: dict[int, list[NDArray[np.int64]]] = {}
        for number in range(len(self)):
            location, slot = int(arrays.nodes[number, 0]), int(arrays.slots[number])
            zones, size = stored.setdefault(location, []), int(arrays.places[location, kernels.SIZE])
            if slot >= 0:
                zones.append(arrays.pool[slot : slot + size * size].reshape(size, size))
        return {location: np.stack(zones) for location, zones in stored.items()}

    def graph(self) -> ZoneGraph:
        """The steps between the stored nodes; some are missing where the exploration is not complete."""
        first = kernels.first_stored(self._arrays, self.automaton.start, self._first_sources())
        return ZoneGraph(self._arrays, [violates for violates, _ in self._kinds], first)

    def taken(self) -> set[tuple[int, int]]:
        """Every edge that can be taken, as the number of its location and its own."""
        places, edges = self._arrays.places, self._arrays.edges[:, kernels.TAKEN]
        return {
            (int(number), step)
            for number in np.flatnonzero(places[:, kernels.SIZE])
            for step in range(places[number, kernels.EDGES])
            if edges[places[number, kernels.FIRST_EDGE] + step]
        }


class ZoneEngine(DecisionEngine):
    """The zones of the system itself, where its locations are few."""

    label = "zones, dense time"
    kind = "always"
    choices = frozenset({Engine.ZONES})

    def supports(self, question: Question) -> bool:
        return question.finite is not None

    def zones(self, question: Question) -> Zones:
        """The exploration, which may have begun already."""
        return question.shared.once(question.whole, Zones)

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent = budget.fresh()
        explored = self.zones(question)
        explored.explore(spent, frozenset(asked.name for asked in properties))
        return [
            finding_of(question, asked, explored, self.label, spent.elapsed, lambda: question.may_time_lock)
            for asked in properties
        ]
