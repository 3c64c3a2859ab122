"""Runs of a relaxed system, taken by the system itself.

A relaxed system does whatever the system does, and perhaps more. What it cannot break is kept; what it does break
counts only once the system has been led along, edge by edge, and delays have been found.
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
    exact : CompiledAutomaton
        The system.
    zones : Zones
        An exploration of the same, relaxed, whose actions have the same words.
    where : (int, int)
        The node and the step that show something.
    name : str
        The property that the last step breaks, or fulfils.
    """
    path = zones.path_to(*where)
    choices = [_alike(location, edge) for location, edge in path]
    for attempt, found in enumerate(_ways(exact, choices, exact.start)):
        last = found[-1][1].original
        if name in last.violates | last.witnesses:
            waits = delays(found, zones.values, zones.unit)
            if waits is not None:
                return Run(tuple(Move(wait, edge.original.action) for wait, (_, edge) in zip(waits, found, strict=True)))
        if attempt >= ATTEMPTS:
            break
    return None


def _alike(location: CompiledLocation, edge: CompiledEdge) -> list[str]:
    """The actions that the relaxed system cannot tell from one of its own, itself first."""
    same = [other for other in location.edges if other[:3] == edge[:3] and other is not edge]
    return [str(other.original.action) for other in (edge, *same)]


def _ways(automaton: CompiledAutomaton, choices: Sequence[Sequence[str]], place: int) -> Iterator[Path]:
    """The paths from a location that take one of some actions at each step."""
    if not choices:
        yield []
        return
    location = automaton.location(place)
    edges = {str(edge.original.action): edge for edge in location.edges}
    for action in choices[0]:
        if action in edges:
            for rest in _ways(automaton, choices[1:], edges[action].target):
                yield [(location, edges[action]), *rest]
