"""The quotient of an automaton that passes messages, compiled from the table of its edges.

The result is that of `CompiledAutomaton(Quotient(system))`, number by number: the same locations, clocks, edges and updates.
There the specification builds every edge of every location, often several times. Here it builds each reaction of a small table
(`timewait.checker.mealy`); compiled functions combine reactions to rows of controls, and rows and sets of messages to edges.
Engines read the arrays (`QuotientTable.arrays`); a location is made from them when one is asked for. Certificates are rebuilt
from `Quotient` all the same: it is the `system` here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timewait.checker import quotient_kernels as kernels
from timewait.checker.class_kernels import ALL_ROWS, CONTROL_AFTER, REACTION, ROW, TARGET
from timewait.checker.compiled import INACTIVE, RESET, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.checker.equivalence_classes import EquivalenceClasses
from timewait.checker.finding import Budget
from timewait.checker.mealy import AGE, Limit, Mealy, PartReaction, Unsupported
from timewait.checker.quotient import Quotient
from timewait.checker.quotient_kernels import (
    AGE_ROW,
    CLASS,
    CONTROL,
    FIRST_LIMIT,
    FIRST_ROW,
    LIMITS,
    ROWS,
    ClockNumbers,
    QuotientArrays,
    ReactionParts,
    RowParts,
)
from timewait.vocabulary.automaton import Clock, Edge, TimedAutomaton
from timewait.vocabulary.message_passing import MessagePassing, ObligationDropping


def message_passing(system: TimedAutomaton) -> MessagePassing | None:
    """The automaton that passes messages whose edges a system has, up to obligations; None if there is none."""
    exact = system.exact if isinstance(system, ObligationDropping) else system
    return exact if isinstance(exact, MessagePassing) else None


class PossibleArrival(NamedTuple):
    """What happens where a control meets a message in flight.

    Attributes
    ----------
    control, message : int
        A control and a message that may be in flight there.
    reactions : sequence of PartReaction
        The edges for its arrival.
    """

    control: int
    message: int
    reactions: Sequence[PartReaction]


class QuotientTable(CompiledAutomaton):
    """The compiled quotient of an automaton that passes messages, or of an over-approximation of one.

    Parameters
    ----------
    system : TimedAutomaton
        The automaton; its messages are merged.
    table : Mealy
        The table of `message_passing` of it.
    budget : Budget
        The budget for finding the classes.

    Attributes
    ----------
    arrays : QuotientArrays
        The locations and edges as numbers.
    reactions : list of PartReaction
        The reactions of the table.
    reaction_of : (rows,) int32
        The reaction of each row, by the numbers of rows that edges have.
    clocks : tuple of (Clock or None)
        Every clock, by the numbers that rows of locations have; None for the constant zero.

    Raises
    ------
    Unsupported
        The table cannot express the automaton.
    Stopped
        The budget is used up.
    """

    def __init__(self, system: TimedAutomaton, table: Mealy, budget: Budget) -> None:
        self.base = system
        self.table = table
        if not table.rules.merged:
            raise Unsupported("only automata whose messages are merged have a quotient")
        self._classes = EquivalenceClasses(system, table, budget)
        self.reactions = self._classes.reactions
        self._rows = self._classes.arrays.rows[: int(self._classes.arrays.counts[ALL_ROWS])]
        self.reaction_of = self._rows[:, REACTION]
        self.clocks: tuple[Clock | None, ...] = ()
        self.arrays = self._arrays(*self._clock_numbers())
        self.system = Quotient(system, budget)
        self._locations: dict[int, CompiledLocation] = {}
        self._bounds: dict[tuple[int, int], CompiledBound] = {}
        self.start = 0

    def at_values_of(self, system: TimedAutomaton, table: Mealy, budget: Budget) -> QuotientTable:
        """The same locations and edges with the values of a system of the same identity, and of its table."""
        other = copy(self)
        other.base, other.table, other.system = system, table, Quotient(system, budget)
        return other

    # --- the interface of a compiled automaton ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.arrays.locations)

    def location(self, number: int) -> CompiledLocation:
        known = self._locations.get(number)
        if known is None:
            known = self._locations[number] = self._location(number)
        return known

    def start_updates(self) -> tuple[int, ...]:
        alive = self.base.clocks(self.base.initial())
        return tuple(RESET if clock in alive else INACTIVE for clock in self._clocks(self.start))

    def after_expiry(self, number: int, clock: int) -> int:
        del clock
        return number

    def explore(self) -> tuple[CompiledLocation, ...]:
        return tuple(map(self.location, range(len(self))))

    def within(self, limit: int | None) -> bool:
        return limit is None or len(self) <= limit

    # --- numbers ----------------------------------------------------------------------------------------------------

    def _clock_numbers(self) -> tuple[ClockNumbers, dict[Clock, int]]:
        """The numbers of the clocks: 0, the clocks of controls, then those of messages."""
        classes, numbered = self._classes, dict[Clock, int]()

        def numbers(clocks: list[Clock]) -> NDArray[np.int32]:
            return np.array([numbered.setdefault(clock, len(numbered) + 1) for clock in clocks], dtype=np.int32)

        own = [clock for clocks in self.table.clocks for clock in clocks]
        begins = np.cumsum([0, *map(len, self.table.clocks)]).astype(np.int32)
        parts = numbers(own), numbers(classes.ages), numbers(classes.dues)
        if len(set(own) | set(classes.ages)) + len(classes.dues) != len(numbered) or set(own) & set(classes.ages):
            raise Unsupported("messages share a deadline, or a clock with a control")
        if len(numbered) > np.iinfo(np.int16).max:
            raise Unsupported(f"{len(numbered)} clocks are more than the arrays can express")
        return ClockNumbers(begins, *parts, classes.dropping is not None, len(numbered) + 1), numbered

    def _arrays(self, numbers: ClockNumbers, numbered: dict[Clock, int]) -> QuotientArrays:
        """The locations in their order, with their edges and clocks."""
        classes, ranks = self._classes, self._classes.ranks
        self.clocks = (None, *numbered)
        by_rank = np.argsort(ranks).astype(np.int32)
        locations = np.zeros((len(classes), 8), dtype=np.int32)
        edges = np.zeros((classes.steps, 5), dtype=np.int32)
        of_classes, keys = np.full(len(classes), -1, dtype=np.int32), np.zeros(classes.steps, dtype=np.int32)
        count = kernels.number(classes.arrays, ranks, locations, edges, of_classes, keys)
        locations = locations[:count].copy()
        parts = self._row_parts()
        room = np.zeros(numbers.total + 1, dtype=np.int16)
        rows, sources, limits = kernels.measure(classes.arrays, numbers, by_rank, parts, locations, edges, room)
        arrays = QuotientArrays(
            locations,
            edges,
            np.zeros(rows, dtype=np.int16),
            np.zeros(sources, dtype=np.int16),
            np.zeros((limits, 2), dtype=np.int32),
            parts.guards_of,
            parts.guards,
        )
        at, resets = np.full(numbers.total, -1, dtype=np.int16), np.full(numbers.total, -1, dtype=np.int32)
        kernels.lay_out(classes.arrays, numbers, by_rank, parts, arrays, at, resets)
        return arrays

    def _row_parts(self) -> RowParts:
        """What the rows of the table and its controls say of clocks."""
        rows, table = self._rows, self.table
        updates_of, updates = joined([[update - RESET for update in reaction.updates] for reaction in self.reactions])
        guards_of, guards = joined([[_on_row(limit) for limit in reaction.guard] for reaction in self.reactions])
        limits_of, limits = joined([[_on_row(limit) for limit in control] for control in table.invariants])
        begins = np.array(table.begins, dtype=np.int32)
        reactions = ReactionParts(
            np.array([reaction.place for reaction in self.reactions], dtype=np.int32),
            updates_of,
            updates.astype(np.int16),
            guards_of,
            guards.reshape(-1, 2),
            begins,
        )
        updates_of = begins_of(begins[rows[:, CONTROL_AFTER], -1])
        guards_of = begins_of(np.diff(guards_of)[self.reaction_of])
        parts = RowParts(
            updates_of,
            np.zeros(updates_of[-1], dtype=np.int16),
            guards_of,
            np.zeros((guards_of[-1], 2), dtype=np.int32),
            limits_of,
            limits.reshape(-1, 2),
            self._classes.due_bound,
        )
        kernels.write_rows(rows, reactions, parts)
        return parts

    # --- locations --------------------------------------------------------------------------------------------------

    def _clocks(self, number: int) -> tuple[Clock, ...]:
        place = self.arrays.locations[number]
        rows = self.arrays.clocks[place[FIRST_ROW] + 1 : place[FIRST_ROW] + place[ROWS]].tolist()
        return tuple(clock for row in rows if (clock := self.clocks[row]) is not None)

    def _location(self, number: int) -> CompiledLocation:
        arrays, place = self.arrays, self.arrays.locations[number]
        control = self.table.controls[place[CONTROL]]
        original = self.table.system.with_in_flight(control, self._classes.in_flight(int(place[CLASS])))
        limits = arrays.limits[place[FIRST_LIMIT] : place[FIRST_LIMIT] + place[LIMITS]].tolist()
        invariant = tuple(self._bound(row - 1, bound) for row, bound in limits)
        first, count = place[kernels.FIRST_EDGE], place[kernels.EDGES]
        edges = tuple(self._edge(edge) for edge in arrays.edges[first : first + count].tolist())
        return CompiledLocation(original, self._clocks(number), invariant, edges, self.base.pending(original))

    def _edge(self, edge: list[int]) -> CompiledEdge:
        guard = tuple(self._bound((edge[AGE_ROW] if row == AGE else row) - 1, bound) for row, bound in self.guard(edge[ROW]))
        target, first = edge[TARGET], edge[kernels.FIRST_SOURCE]
        sources = self.arrays.sources[first + 1 : first + self.arrays.locations[target, ROWS]]
        return CompiledEdge(guard, target, tuple((sources + RESET).tolist()), self.original(edge[ROW]))

    def _bound(self, position: int, bound: int) -> CompiledBound:
        known = self._bounds.get((position, bound))
        if known is None:
            known = self._bounds[position, bound] = CompiledBound(position, *self.table.bounds[bound])
        return known

    def original(self, row: int) -> Edge:
        """An edge of the specification that a row of the table stands for, with nothing else in flight."""
        return self.reactions[int(self.reaction_of[row])].edge

    def guard(self, row: int) -> list[tuple[int, int]]:
        """The guard of a row of the table: each bound as the row of its clock (`AGE`: that of the arrival) and its number."""
        first, end = self.arrays.guards_of[row : row + 2]
        return [(clock, bound) for clock, bound in self.arrays.guards[first:end].tolist()]

    def possible_arrivals(self) -> Iterator[PossibleArrival]:
        """What happens where a control meets a message that may be in flight, once for all controls that it meets alike."""
        yield from map(PossibleArrival._make, self._classes.arrivals())

    @cached_property
    def pending(self) -> tuple[frozenset[str], ...]:
        """The ``eventually`` properties that are pending in the locations of each control."""
        return tuple(map(self.base.pending, self.table.controls))


def _on_row(limit: Limit) -> tuple[int, int]:
    """A bound as the row of its clock, -1 for the age of the arriving message, and its number."""
    return AGE if limit.clock == AGE else limit.clock + 1, limit.bound


def joined(parts: Sequence[Sequence[object]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Parts one behind another, with their begins and the end."""
    return begins_of([*map(len, parts)]), np.array([entry for part in parts for entry in part], dtype=np.int32)


def begins_of(lengths: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int32]:
    """The begins of parts of some lengths one behind another, and the end."""
    begins = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=begins[1:])
    return begins
