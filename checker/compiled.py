"""A timed system as tables of small integers: what the engines actually read.

Locations are numbered in the order in which they are first asked for, and turned into a `CompiledLocation` once.
A table does not depend on the values of the parameters, so one table serves every value.
"""

from __future__ import annotations

from typing import NamedTuple

from timewait.vocabulary.automaton import Bound, Clock, ClockUpdate, Edge, Location, Relation, TimedAutomaton

RESET = -1
"""The position of a clock that starts from nought."""

EXPIRED = -2
"""The position of a clock that is beyond its lifetime."""


class CompiledBound(NamedTuple):
    """A bound whose clock is given by its position in the room."""

    clock: int
    relation: Relation
    parameter: str


class CompiledEdge(NamedTuple):
    """An edge by numbers.

    Attributes
    ----------
    tests : tuple of Test
        The guard.
    target : int
        The number of the location it leads to.
    origins : tuple of int
        For each clock of the target, the position of its source; `RESET` and `EXPIRED` otherwise.
    edge : Edge
        The edge itself.
    """

    tests: tuple[CompiledBound, ...]
    target: int
    updates: tuple[int, ...]
    edge: Edge


class CompiledLocation(NamedTuple):
    """A location by numbers.

    Attributes
    ----------
    location : Location
        The location itself.
    clocks : tuple of Clock
        Its clocks, in order.
    limits : tuple of Test
        The upper bounds under which time may pass.
    doors : tuple of Door
        Its edges.
    owes : frozenset of str
        The ``eventually`` properties whose promise is open here.
    """

    location: Location
    clocks: tuple[Clock, ...]
    limits: tuple[CompiledBound, ...]
    edges: tuple[CompiledEdge, ...]
    pending: frozenset[str]


class CompiledAutomaton:
    """The rooms of a timed system, made when they are first entered.

    Parameters
    ----------
    system : TimedSystem
        What is tabulated.
    """

    def __init__(self, system: TimedAutomaton) -> None:
        self.system = system
        self._numbers: dict[Location, int] = {}
        self._locations: list[Location] = []
        self._rooms: list[CompiledLocation | None] = []
        self._expiries: dict[tuple[int, int], int] = {}
        self.start = self.number(system.initial())

    def __len__(self) -> int:
        """The locations met so far."""
        return len(self._locations)

    def number(self, location: Location) -> int:
        """The number of a location; a new one if it was never met."""
        known = self._numbers.get(location)
        if known is None:
            known = len(self._locations)
            self._numbers[location] = known
            self._locations.append(location)
            self._rooms.append(None)
        return known

    def room(self, number: int) -> CompiledLocation:
        """The room of a numbered location."""
        room = self._rooms[number]
        if room is None:
            room = self._furnish(self._locations[number])
            self._rooms[number] = room
        return room

    def start_updates(self) -> tuple[int, ...]:
        """How the clocks of the first room start: each `RESET` or `EXPIRED`."""
        return tuple(RESET if origin is None else EXPIRED for origin in self.system.initial_updates())

    def expiry(self, number: int, clock: int) -> int:
        """The location left when a clock of a room has passed its lifetime; the other clocks keep their order."""
        known = self._expiries.get((number, clock))
        if known is None:
            room = self.room(number)
            known = self.number(self.system.expired(room.location, room.clocks[clock]))
            self._expiries[number, clock] = known
        return known

    def explore(self) -> tuple[CompiledLocation, ...]:
        """Every location that edges lead to, whatever the guards say."""
        number = 0
        while number < len(self._locations):
            self.room(number)
            number += 1
        return tuple(room for room in self._rooms if room is not None)

    def within(self, most: int) -> bool:
        """Whether edges lead to no more than so many locations, whatever the guards say."""
        number = 0
        while number < len(self._locations) <= most:
            self.room(number)
            number += 1
        return len(self._locations) <= most

    def _furnish(self, location: Location) -> CompiledLocation:
        system = self.system
        clocks = system.clocks(location)
        positions = {clock: index for index, clock in enumerate(clocks)}

        def tests(bounds: tuple[Bound, ...]) -> tuple[CompiledBound, ...]:
            return tuple(CompiledBound(positions[bound.clock], bound.relation, bound.parameter) for bound in bounds)

        def place(origin: ClockUpdate) -> int:
            if origin is None:
                return RESET
            return positions[origin] if isinstance(origin, Clock) else EXPIRED

        edges = tuple(
            CompiledEdge(
                tests(edge.guard),
                self.number(edge.target),
                tuple(place(origin) for origin in edge.updates),
                edge,
            )
            for edge in system.edges(location)
        )
        return CompiledLocation(location, clocks, tests(system.invariant(location)), edges, system.pending(location))
