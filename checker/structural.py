"""Proofs of ``eventually`` properties that hold whatever the durations are.

Only the graph of locations is read. Take the locations in which a promise is open; a run that stays among
them for ever ends up in one strongly connected part and repeats all that it does there, while time
diverges. What cannot recur under these circumstances is taken out, the rest is split again, and when
nothing is left the promise is kept by every fair run, for every value of every parameter:

1. a step bounded from above by a clock that nothing in the part sets anew: that clock only grows;
2. a location whose invariant bounds such a clock;
3. a location that offers, without conditions or behind lower bounds on such clocks, a step of a fairness
   name that the part never serves;
4. a step that starts the very clocks on which the way out of its target depends, where that way out is of
   a name never served: on arrival it is open;
5. a step beside a sister step with no stricter guard and of a name never served: a network that loses one
   copy could have delivered it.

Nothing follows when something is left: the question is then put to an engine that knows the durations.
"""

from __future__ import annotations

from typing import NamedTuple

import networkx as nx

from checker.language import Property
from checker.table import FRESH, Door, Room, Table


class Hop(NamedTuple):
    """A door between two numbered rooms."""

    source: int
    target: int
    door: Door


def always_kept(table: Table, asked: Property) -> bool:
    """Whether every fair run keeps the promise of an ``eventually`` property, for every value of every parameter."""
    rooms = dict(enumerate(table.explore()))
    inside = {number for number, room in rooms.items() if asked.name in room.owes}
    hops = [Hop(number, door.target, door) for number in sorted(inside) for door in rooms[number].doors if door.target in inside]
    waiting = [(frozenset(inside), hops)]
    while waiting:
        nodes, edges = waiting.pop()
        for part, within in _parts(nodes, edges):
            if asked.noisy and not any(asked.name in hop.door.edge.busy for hop in within):
                continue
            left = _prune(rooms, part, within)
            if left == (part, within):
                return False
            waiting.append(left)
    return True


Part = tuple[frozenset[int], list[Hop]]


def _parts(nodes: frozenset[int], hops: list[Hop]) -> list[Part]:
    """The strongly connected parts, each with the hops inside it; a lone location is one too: time may pass there."""
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from((hop.source, hop.target) for hop in hops)
    home = {node: index for index, part in enumerate(nx.strongly_connected_components(graph)) for node in part}
    members: dict[int, set[int]] = {}
    inner: dict[int, list[Hop]] = {}
    for node, index in home.items():
        members.setdefault(index, set()).add(node)
    for hop in hops:
        if home[hop.source] == home[hop.target]:
            inner.setdefault(home[hop.source], []).append(hop)
    return [(frozenset(part), inner.get(index, [])) for index, part in members.items()]


def _prune(rooms: dict[int, Room], part: frozenset[int], hops: list[Hop]) -> Part:
    """Take out what cannot recur for ever; the part itself when everything can."""
    started = {
        clock
        for hop in hops
        for clock, origin in zip(rooms[hop.target].clocks, hop.door.origins, strict=True)
        if origin == FRESH or (origin >= 0 and rooms[hop.source].clocks[origin] != clock)
    }
    served = frozenset().union(*(hop.door.edge.fair for hop in hops))

    def grows(room: Room, clock: int) -> bool:
        return room.clocks[clock] not in started

    def bounded(room: Room) -> bool:
        return any(grows(room, test.clock) for test in room.limits)

    def starving(room: Room) -> bool:
        return any(
            door.edge.fair - served and all(test.relation == ">" and grows(room, test.clock) for test in door.tests)
            for door in room.doors
        )

    def recurs(hop: Hop) -> bool:
        room = rooms[hop.source]
        if any(test.relation in ("<=", "==") and grows(room, test.clock) for test in hop.door.tests):
            return False
        if any(sister.edge.fair - served and set(sister.tests) <= set(hop.door.tests) for sister in room.doors):
            return False
        return not any(
            out.edge.fair - served
            and out.tests
            and all(test.relation == "<=" and hop.door.origins[test.clock] == FRESH for test in out.tests)
            for out in rooms[hop.target].doors
        )

    kept = frozenset(node for node in part if not bounded(rooms[node]) and not starving(rooms[node]))
    return kept, [hop for hop in hops if hop.source in kept and hop.target in kept and recurs(hop)]
