"""A timed system as tables of small integers: what the engines actually read.

Locations are numbered in the order in which they are first asked for, and turned into a `Room` once.
A table does not depend on the values of the parameters, so one table serves every value.
"""

from __future__ import annotations

from typing import NamedTuple

from timewait.vocabulary.automaton import Bound, Clock, Edge, Location, Origin, Relation, TimedSystem

FRESH = -1
"""The position of a clock that starts from nought."""

EXPIRED = -2
"""The position of a clock that is beyond its lifetime."""


class Test(NamedTuple):
    """A bound whose clock is given by its position in the room."""

    clock: int
    relation: Relation
    parameter: str


class Door(NamedTuple):
    """An edge by numbers.

    Attributes
    ----------
    tests : tuple of Test
        The guard.
    target : int
        The number of the location it leads to.
    origins : tuple of int
        For each clock of the target, the position of its source; `FRESH` and `EXPIRED` otherwise.
    edge : Edge
        The edge itself.
    """

    tests: tuple[Test, ...]
    target: int
    origins: tuple[int, ...]
    edge: Edge


class Room(NamedTuple):
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
    limits: tuple[Test, ...]
    doors: tuple[Door, ...]
    owes: frozenset[str]


class Table:
    """The rooms of a timed system, made when they are first entered.

    Parameters
    ----------
    system : TimedSystem
        What is tabulated.
    """

    def __init__(self, system: TimedSystem) -> None:
        self.system = system
        self._numbers: dict[Location, int] = {}
        self._locations: list[Location] = []
        self._rooms: list[Room | None] = []
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

    def room(self, number: int) -> Room:
        """The room of a numbered location."""
        room = self._rooms[number]
        if room is None:
            room = self._furnish(self._locations[number])
            self._rooms[number] = room
        return room

    def start_origins(self) -> tuple[int, ...]:
        """How the clocks of the first room start: each `FRESH` or `EXPIRED`."""
        return tuple(FRESH if origin is None else EXPIRED for origin in self.system.initial_origins())

    def expiry(self, number: int, clock: int) -> int:
        """The location left when a clock of a room has passed its lifetime; the other clocks keep their order."""
        known = self._expiries.get((number, clock))
        if known is None:
            room = self.room(number)
            known = self.number(self.system.expired(room.location, room.clocks[clock]))
            self._expiries[number, clock] = known
        return known

    def explore(self) -> tuple[Room, ...]:
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

    def _furnish(self, location: Location) -> Room:
        system = self.system
        clocks = system.clocks(location)
        positions = {clock: index for index, clock in enumerate(clocks)}

        def tests(bounds: tuple[Bound, ...]) -> tuple[Test, ...]:
            return tuple(Test(positions[bound.clock], bound.relation, bound.parameter) for bound in bounds)

        def place(origin: Origin) -> int:
            if origin is None:
                return FRESH
            return positions[origin] if isinstance(origin, Clock) else EXPIRED

        doors = tuple(
            Door(
                tests(edge.guard),
                self.number(edge.target),
                tuple(place(origin) for origin in edge.origins),
                edge,
            )
            for edge in system.edges(location)
        )
        return Room(location, clocks, tests(system.invariant(location)), doors, system.owes(location))
