"""Runs of a relaxed system, taken by the system itself.

A relaxed system does whatever the system does, and perhaps more. What it cannot break is kept; what it does break
counts only once the system has been led along, door by door, and delays have been found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge, CompiledLocation
from timewait.checker.finding import Move, Run
from timewait.checker.schedule import delays
from timewait.checker.zones import Zones

Path = list[tuple[CompiledLocation, CompiledEdge]]

ATTEMPTS = 100
"""Ways to go along that are tried for one run."""


def concretised(exact: CompiledAutomaton, zones: Zones, where: tuple[int, int], name: str) -> Run | None:
    """A run of the system itself like one that zones found in the relaxed one; None when none was found.

    Parameters
    ----------
    exact : Table
        The system.
    zones : Zones
        An exploration of the same, relaxed, whose actions have the same words.
    where : (int, int)
        The node and the step that show something.
    name : str
        The property that the last step breaks, or fulfils.
    """
    path = zones.path_to(*where)
    choices = [_alike(room, door) for room, door in path]
    for attempt, found in enumerate(_ways(exact, choices, exact.start)):
        last = found[-1][1].edge
        if name in last.violates | last.witnesses:
            waits = delays(found, zones.values, zones.unit)
            if waits is not None:
                return Run(tuple(Move(wait, door.edge.action) for wait, (_, door) in zip(waits, found, strict=True)))
        if attempt >= ATTEMPTS:
            break
    return None


def _alike(room: CompiledLocation, door: CompiledEdge) -> list[str]:
    """The actions that the relaxed system cannot tell from one of its own, itself first."""
    same = [other for other in room.edges if other[:3] == door[:3] and other is not door]
    return [str(other.edge.action) for other in (door, *same)]


def _ways(table: CompiledAutomaton, choices: Sequence[Sequence[str]], place: int) -> Iterator[Path]:
    """The paths from a location that take one of some actions at each step."""
    if not choices:
        yield []
        return
    room = table.room(place)
    edges = {str(door.edge.action): door for door in room.edges}
    for action in choices[0]:
        if action in edges:
            for rest in _ways(table, choices[1:], edges[action].target):
                yield [(room, edges[action]), *rest]
