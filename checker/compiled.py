"""A timed automaton compiled to small integers: the form that engines read.

Locations are numbered in the order in which they are first asked for, and compiled once, when they are first entered.
The compiled form does not depend on the values of the parameters, so one serves every value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from timewait.vocabulary.automaton import Bound, Clock, ClockUpdate, Edge, Location, Relation, TimedAutomaton

RESET = -1
"""The update of a clock that starts from zero."""

INACTIVE = -2
"""The update that makes a clock inactive: its value exceeds its lifetime and no longer matters."""

ROWS = range(1, 1 << 30)
"""The row of each clock in a vector or matrix that begins with the constant zero."""

Copied = TypeVar("Copied")


def carried(
    updates: Sequence[int], values: Sequence[Copied] | Mapping[int, Copied], zero: Copied, inactive: Callable[[int], Copied]
) -> list[Copied]:
    """The values of the clocks of a location after the updates of an edge.

    Parameters
    ----------
    updates : sequence of int
        For each clock of the target the position of its source clock, `RESET` or `INACTIVE`.
    values : sequence or mapping
        The values of the clocks of the source, by position: numbers, formulas, rows.
    zero : Copied
        The value of a clock that is reset.
    inactive : callable
        The value of an inactive clock of the target, by its position.
    """
    return [
        zero if update == RESET else inactive(clock) if update == INACTIVE else values[update]
        for clock, update in enumerate(updates)
    ]


class CompiledBound(NamedTuple):
    """A bound whose clock is given by its position in the location."""

    clock: int
    relation: Relation
    parameter: str


class CompiledEdge(NamedTuple):
    """A compiled edge.

    Attributes
    ----------
    guard : tuple of CompiledBound
        Its guard.
    target : int
        The number of its target location.
    updates : tuple of int
        For each clock of the target, the position of its source clock; `RESET` and `INACTIVE` otherwise.
    original : Edge
        The edge that was compiled.
    """

    guard: tuple[CompiledBound, ...]
    target: int
    updates: tuple[int, ...]
    original: Edge


class CompiledLocation(NamedTuple):
    """A compiled location.

    Attributes
    ----------
    original : Location
        The location that was compiled.
    clocks : tuple of Clock
        Its clocks, in order.
    invariant : tuple of CompiledBound
        The upper bounds under which time may pass.
    edges : tuple of CompiledEdge
        Its edges.
    pending : frozenset of str
        The ``eventually`` properties that are pending here.
    """

    original: Location
    clocks: tuple[Clock, ...]
    invariant: tuple[CompiledBound, ...]
    edges: tuple[CompiledEdge, ...]
    pending: frozenset[str]


CompiledPath = Sequence[tuple[CompiledLocation, CompiledEdge]]
"""A path through an automaton: each edge with the location that it leaves."""


class CompiledAutomaton:
    """A timed automaton whose locations are compiled when they are first entered.

    Parameters
    ----------
    system : TimedAutomaton
        The automaton to compile.
    """

    def __init__(self, system: TimedAutomaton) -> None:
        self.system = system
        self._numbers: dict[Location, int] = {}
        self._originals: list[Location] = []
        self._compiled: list[CompiledLocation | None] = []
        self._after_expiry: dict[tuple[int, int], int] = {}
        self.start = self.number(system.initial())

    def __len__(self) -> int:
        """The number of locations met so far."""
        return len(self._originals)

    def number(self, location: Location) -> int:
        """The number of a location; a new one if it was never met."""
        known = self._numbers.get(location)
        if known is None:
            known = len(self._originals)
            self._numbers[location] = known
            self._originals.append(location)
            self._compiled.append(None)
        return known

    def location(self, number: int) -> CompiledLocation:
        """The compiled location of a number."""
        location = self._compiled[number]
        if location is None:
            location = self._compile(self._originals[number])
            self._compiled[number] = location
        return location

    def start_updates(self) -> tuple[int, ...]:
        """The updates of the clocks of the initial location: each `RESET` or `INACTIVE`."""
        return tuple(RESET if update is None else INACTIVE for update in self.system.initial_updates())

    def after_expiry(self, number: int, clock: int) -> int:
        """The location that is left when a clock has passed its lifetime; the other clocks keep their order."""
        known = self._after_expiry.get((number, clock))
        if known is None:
            location = self.location(number)
            known = self.number(self.system.expired(location.original, location.clocks[clock]))
            self._after_expiry[number, clock] = known
        return known

    def explore(self) -> tuple[CompiledLocation, ...]:
        """Every location that edges lead to, whatever the guards say."""
        self.within(None)
        return tuple(location for location in self._compiled if location is not None)

    def within(self, limit: int | None) -> bool:
        """Whether edges lead to no more than `limit` locations, whatever the guards say; None is no limit."""
        number = 0
        while number < len(self) and (limit is None or len(self) <= limit):
            self.location(number)
            number += 1
        return limit is None or len(self) <= limit

    def _compile(self, original: Location) -> CompiledLocation:
        clocks = self.system.clocks(original)
        positions = {clock: index for index, clock in enumerate(clocks)}

        def compiled(bounds: tuple[Bound, ...]) -> tuple[CompiledBound, ...]:
            return tuple(CompiledBound(positions[bound.clock], bound.relation, bound.parameter) for bound in bounds)

        def position(update: ClockUpdate) -> int:
            if update is None:
                return RESET
            return positions[update] if isinstance(update, Clock) else INACTIVE

        edges = tuple(
            CompiledEdge(compiled(edge.guard), self.number(edge.target), tuple(map(position, edge.updates)), edge)
            for edge in self.system.edges(original)
        )
        invariant = compiled(self.system.invariant(original))
        return CompiledLocation(original, clocks, invariant, edges, self.system.pending(original))
