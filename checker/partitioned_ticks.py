"""Exploration in ticks whose states are divided into parts, which are visited side by side.

States, steps and levels are those of `timewait.checker.packed_ticks.PackedTicks`, and so is the run that shows a violation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from timewait.checker import ray_cluster
from timewait.checker.finding import Budget, Run
from timewait.checker.locations import Locations
from timewait.checker.packed_ticks import MOST_STATES, PackedTicks
from timewait.checker.partition import Advance, Gone, Level, Parcel, StatePart, Widened, complete
from timewait.checker.shortest_run import StateStep, run_along
from timewait.checker.tick_layout_kernels import DEPTH

FEW = 1 << 16
"""States that are visited by one core before they are divided: what follows would take it some hundredths of a second."""

FEW_AT_ONCE = 1 << 14
"""States of a level that one core visits sooner than several threads agree on them."""


class Crew(Protocol):
    """The parts, wherever they are."""

    def begin(self) -> Sequence[Level]:
        """Let every part begin the next level."""

    def advance(self, lacking: Sequence[int], missing: Sequence[Gone], parcels: Sequence[Sequence[Parcel]]) -> Sequence[Advance]:
        """Complete the table everywhere, then let each part store its parcels and go on.

        Raises
        ------
        Widened
            A state needs more words.
        """

    def parents(self, level: int, words: Sequence[int]) -> Sequence[StateStep | None]:
        """What `StatePart.parent` says in each part."""

    def violations(self, level: int, name: str) -> Sequence[StateStep | None]:
        """What `StatePart.violation` says in each part."""

    @property
    def bytes(self) -> int:
        """The memory of all parts, in bytes."""

    @property
    def locations(self) -> Locations:
        """The locations as the parts number them."""


class Threads:
    """Parts in threads of this process, which use one table.

    Parameters
    ----------
    explored : PackedTicks
        An exploration that ended with a level.
    workers : int
        The number of threads.
    """

    def __init__(self, explored: PackedTicks, workers: int) -> None:
        self._explored = explored
        self._pool = ThreadPoolExecutor(workers)
        self._size = len(explored)
        self._parts = list(self._pool.map(lambda number: StatePart(number, workers, explored), range(workers)))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def begin(self) -> list[Level]:
        """Let every part begin the next level."""
        side_by_side = map if self._size < FEW_AT_ONCE else self._pool.map
        levels = list(side_by_side(StatePart.begin, self._parts))
        self._size = sum(level.size for level in levels)
        return levels

    def advance(self, lacking: Sequence[int], missing: Sequence[Gone], parcels: Sequence[Sequence[Parcel]]) -> list[Advance]:
        """Complete the table, then let each part store its parcels and go on."""
        complete(self._explored, lacking, missing)
        side_by_side = map if self._size < FEW_AT_ONCE else self._pool.map
        return list(side_by_side(StatePart.advance, self._parts, parcels))

    def parents(self, level: int, words: Sequence[int]) -> list[StateStep | None]:
        """What `StatePart.parent` says in each part; the table may change, so one after another."""
        return [part.parent(level, words) for part in self._parts]

    def violations(self, level: int, name: str) -> list[StateStep | None]:
        """What `StatePart.violation` says in each part."""
        return [part.violation(level, name) for part in self._parts]

    @property
    def bytes(self) -> int:
        """The memory of all parts and of the table, in bytes."""
        return self._explored.bytes + sum(part.bytes for part in self._parts)

    @property
    def locations(self) -> Locations:
        """The locations."""
        return self._explored.locations


class PartitionedTicks:
    """An exploration in ticks in several parts, after the first levels were explored by one core.

    Parameters
    ----------
    explored : PackedTicks
        The exploration of the first levels: complete, stopped, or ended with a level.
    crew : Crew
        The parts, each of which has taken over its states.

    Attributes
    ----------
    broken, witnessed : dict
        For each violated ``always`` property, and for each witnessed ``sometimes`` property, a number of `run_to` and an edge.
    stopped : str
        Why the search ended early; empty when it is complete.
    depth, transitions, dead_ends : int
        As those of `PackedTicks`.
    """

    def __init__(self, explored: PackedTicks, crew: Crew) -> None:
        self._crew = crew
        self.unit = explored.unit
        self.broken: dict[str, tuple[int, int]] = {}
        self.witnessed: dict[str, tuple[int, int]] = dict(explored.witnessed)
        self.stopped = ""
        self.depth = int(explored.arrays.counts[DEPTH]) - 1  # of the last level that was begun
        self._states, self.transitions, self.dead_ends = len(explored), explored.transitions, explored.dead_ends
        self._megabytes = 0.0
        self._before = explored.transitions, explored.dead_ends
        self._levels = {name: explored.level_of(state) for name, (state, _) in explored.broken.items()}
        self._violations: list[tuple[int, StateStep]] = []

    def explore(self, budget: Budget, until: frozenset[str] = frozenset()) -> None:
        """Visit every state; stop early when the budget is used up, or with the level in which all of `until` are violated.

        Raises
        ------
        Widened
            A state needs more words than before: everything has to begin anew.
        """
        while not self.stopped:
            levels = self._crew.begin()
            if not any(level.size for level in levels):
                break
            self.depth += 1
            self._visit(levels, budget)
            if until and until <= self._levels.keys():
                self.stopped = self.stopped or "every property asked for is broken"
        for name, level in self._levels.items():
            found = min(filter(None, self._crew.violations(level, name)))
            self.broken[name] = len(self._violations), found.step
            self._violations.append((level, found))

    def _visit(self, levels: Sequence[Level], budget: Budget) -> None:
        """Visit a level."""
        lacking: Sequence[int] = [location for level in levels for location in level.lacking]
        missing: Sequence[Gone] = []
        parcels: list[list[Parcel]] = [[] for _ in levels]
        while not self.stopped:
            self.stopped = self._stopped(budget)
            if self.stopped:
                return
            sent = self._crew.advance(lacking, missing, parcels)
            self._note(sent)
            lacking, missing = [], [expiry for each in sent for expiry in each.missing]
            parcels = [[each.parcels[part] for each in sent if each.parcels[part][1]] for part in range(len(sent))]
            if all(each.finished for each in sent) and not any(parcels):
                return

    def _stopped(self, budget: Budget) -> str:
        if self._states > MOST_STATES:
            return f"stopped at {self._states:,} states, as many as numbers of 32 bits express"
        if self._megabytes > budget.megabytes:
            return (
                f"stopped at {self._megabytes:,.0f} MB of a worker (bound {budget.megabytes:,.0f}) with {self._states:,} states"
            )
        return budget.exceeded(self._states, self.depth)

    def _note(self, sent: Sequence[Advance]) -> None:
        """Note what the parts counted, and what the rows that they took violate and witness."""
        self._states = sum(each.states for each in sent)
        self._megabytes = max(each.megabytes for each in sent)
        self.transitions = self._before[0] + sum(each.transitions for each in sent)
        self.dead_ends = self._before[1] + sum(each.dead_ends for each in sent)
        for row in (row for each in sent for row in each.rows):
            edge = self._crew.locations.rows[row].edge
            for name in edge.violates:
                self._levels.setdefault(name, self.depth)
            for name in edge.witnesses:
                self.witnessed.setdefault(name, (self.depth, row))

    def __len__(self) -> int:
        """The number of states reached."""
        return self._states

    @property
    def bytes(self) -> int:
        """The memory of all parts, in bytes."""
        return self._crew.bytes

    def run_to(self, number: int, step: int | None = None) -> Run:
        """The least shortest run to the state of a violation, by its number in `broken`, then along an edge out of it."""
        level, found = self._violations[number]
        steps = [] if step is None else [step]
        for before in range(level - 1, -1, -1):
            found = min(filter(None, self._crew.parents(before, found.words)))
            steps.append(found.step)
        return run_along(self._crew.locations, steps[::-1], self.unit)


@contextmanager
def explored(
    locations: Locations, budget: Budget, until: frozenset[str] = frozenset(), few: int | None = None
) -> Iterator[PackedTicks | PartitionedTicks]:
    """The states in ticks of an automaton, explored by the workers of the budget once they are more than a few.

    Parameters
    ----------
    locations : Locations
        The automaton, compiled.
    budget : Budget
        The bounds, and the number of workers.
    until : frozenset of str
        The search ends when all of these properties are violated.
    few : int, optional
        The number of states up to which one core explores; by default `FEW`.

    Raises
    ------
    Unsupported
        A state exceeds what the compiled functions support.
    """
    first, few = PackedTicks(locations), FEW if few is None else few
    while True:
        first.explore(budget, until, few if budget.workers > 1 else None)
        if budget.workers == 1 or first.stopped or first.complete:
            yield first
            return
        with _crew(first, budget) as crew:
            partitioned = PartitionedTicks(first, crew)
            try:
                partitioned.explore(budget, until)
            except Widened:
                few = max(few, len(first))  # the first exploration has only its first state again, with more words
                continue
            yield partitioned
        return


@contextmanager
def _crew(first: PackedTicks, budget: Budget) -> Iterator[Crew]:
    """As many parts as there are workers, in threads of this process or on the cluster that the budget names."""
    if budget.cluster:
        with ray_cluster.actors(budget.cluster, first, budget.workers) as crew:
            yield crew
        return
    threads = Threads(first, budget.workers)
    try:
        yield threads
    finally:
        threads.close()
