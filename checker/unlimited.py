"""Proofs about a system whose network has limits, from the same system on a network without limits.

The unlimited system loses nothing, delivers every message any number of times and in any order, and obliges none to arrive. It
has every run of the system: controls and their clocks are the same, step by step; a message that the system loses is sent and
never arrives; an arrival that changes nothing but the network is no step. So an ``always`` property that holds in it holds in
the system.

For ``eventually`` properties its fairness is of no use: what arrived once may arrive again there, so more is possible, and the
companion of a fair run of the system need not be fair. What such a companion does for ever is bounded all the same. Take the
part of the graph in which it stays for ever. The system is strongly fair: a run takes an edge of a name again and
again if one is possible again and again. The companion's edges have all the names of those of the run.

1. It passes an upper bound on a clock that nothing in the part resets, for it has the clocks of the run.
2. An edge that is no arrival depends on the control and its clocks alone. Where the companion has it, the run has it too, or
   has one with these names that loses nothing. So if its guard holds in the end in a location of the part, the run takes each
   of its names again and again, and then the companion does.
3. The same if the companion takes one edge again and again that stands beside such an edge and has no weaker guard. An
   arrival beside it counts only if it is that of the same message: it differs in what is lost, and the run could lose nothing.
4. If the companion sends a message again and again, so does the run, for it could do so as often, and sending has a
   name of its own. Each time the message can arrive at once, or in a queue as soon as what must be delivered before it has
   arrived, which an older deadline forces. Arriving has a name of its own, so it arrives again and again in the run. The
   companion then has its arrival, or visits a location in which that changes nothing. So a part without this arrival, in every
   location of which it is an edge, sends the message finitely often.

Time cannot stop in the system if every bound on a clock of a control has an edge in time, and each message that must be
delivered in a control has an arrival there: the oldest deadline is never blocked, and no age exceeds its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from timewait.checker import digraphs, timelock
from timewait.checker.class_kernels import MESSAGE, ROW, TARGET
from timewait.checker.mealy import AGE, Limit
from timewait.checker.quotient_kernels import (
    AGE_ROW,
    CONTROL,
    EDGES,
    FIRST_EDGE,
    FIRST_ROW,
    list_started,
)
from timewait.checker.quotient_table import PossibleArrival, QuotientTable
from timewait.vocabulary.automaton import Property, Relation

GraphPart = tuple[frozenset[int], list[int]]
"""Locations, and the numbers of the edges among them."""


class ClockTest(NamedTuple):
    """A bound of a guard: the number of its clock, its relation and its parameter."""

    clock: int
    relation: Relation
    parameter: str


def awaited_in(offered: Iterable[frozenset[int]], taken: Iterable[int]) -> frozenset[int]:
    """The messages that arrive in no run that stays in a part of the graph, though each of its locations has their arrival.

    Parameters
    ----------
    offered : iterable of frozenset of int
        For each location of the part the messages whose arrival is an edge. Where it is none, the arrival changes nothing,
        and a run may take it there and stay in the part.
    taken : iterable of int
        The messages that arrive by the edges of the part.
    """
    return frozenset.intersection(*offered) - {*taken}


class UnlimitedGraph:
    """The graph of an unlimited system.

    Parameters
    ----------
    quotient : QuotientTable
        The quotient of the unlimited system, in which no message must be delivered.
    """

    def __init__(self, quotient: QuotientTable) -> None:
        self.quotient = quotient
        self._tests: dict[tuple[int, int, int], tuple[ClockTest, ...]] = {}
        self._found: dict[Property, bool] = {}

    def __len__(self) -> int:
        return len(self.quotient)

    # --- the arrays as lists ----------------------------------------------------------------------------------------

    @cached_property
    def _locations(self) -> list[list[int]]:
        locations: list[list[int]] = self.quotient.arrays.locations.tolist()
        return locations

    @cached_property
    def _edges(self) -> list[list[int]]:
        edges: list[list[int]] = self.quotient.arrays.edges.tolist()
        return edges

    @cached_property
    def _clocks(self) -> list[int]:
        clocks: list[int] = self.quotient.arrays.clocks.tolist()
        return clocks

    @cached_property
    def _limits(self) -> list[list[int]]:
        limits: list[list[int]] = self.quotient.arrays.limits.tolist()
        return limits

    @cached_property
    def _source_of(self) -> list[int]:
        return [number for number, place in enumerate(self._locations) for _ in range(place[EDGES])]

    @cached_property
    def _fair(self) -> list[frozenset[str]]:
        """For each row of the table the fairness names of its edges."""
        fair = [reaction.edge.fair for reaction in self.quotient.reactions]
        return [fair[reaction] for reaction in self.quotient.reaction_of.tolist()]

    # --- what edges say ---------------------------------------------------------------------------------------------

    def _out(self, location: int) -> range:
        """The edges out of a location."""
        first = self._locations[location][FIRST_EDGE]
        return range(first, first + self._locations[location][EDGES])

    def _names(self, edge: int) -> frozenset[str]:
        """The fairness names of an edge."""
        return self._fair[self._edges[edge][ROW]]

    def _guard(self, edge: int) -> tuple[ClockTest, ...]:
        """The guard of an edge."""
        row, age, begin = self._edges[edge][ROW], self._edges[edge][AGE_ROW], self._locations[self._source_of[edge]][FIRST_ROW]
        known = self._tests.get((row, age, begin))
        if known is None:
            limits = self.quotient.guard(row)
            bounds = self.quotient.table.bounds
            known = tuple(
                ClockTest(self._clocks[begin + (age if clock == AGE else clock)], *bounds[bound]) for clock, bound in limits
            )
            self._tests[row, age, begin] = known
        return known

    def _started(self, edge: int) -> list[int]:
        """The clocks that an edge resets, or copies from others."""
        begins, started = self._all_started
        return started[begins[edge] : begins[edge + 1]]

    @cached_property
    def _all_started(self) -> tuple[list[int], list[int]]:
        """For each edge the begin of its clocks in a list, then the end; and that list."""
        arrays = self.quotient.arrays
        begins, started = np.zeros(len(arrays.edges) + 1, dtype=np.int32), np.zeros(0, dtype=np.int16)
        begins[-1] = list_started(arrays, begins, started)
        started = np.zeros(begins[-1], dtype=np.int16)
        list_started(arrays, begins, started)
        return begins.tolist(), started.tolist()

    @cached_property
    def _sent(self) -> list[frozenset[int]]:
        """For each row of the table the messages that it sends with the fairness name for that."""
        table = self.quotient.table
        names = [*map(table.system.sending_name, table.messages)]
        of_reactions = [
            frozenset(message for message, _ in reaction.sent if names[message] in reaction.edge.fair)
            for reaction in self.quotient.reactions
        ]
        return [of_reactions[number] for number in self.quotient.reaction_of.tolist()]

    @cached_property
    def _offered(self) -> list[frozenset[int]]:
        """For each location the messages whose arrival is an edge with the fairness name for that."""
        table = self.quotient.table
        names = [*map(table.system.arrival_name, table.messages)]

        def offers(edge: int) -> bool:
            message = self._edges[edge][MESSAGE]
            return message >= 0 and names[message] in self._names(edge)

        return [
            frozenset(self._edges[edge][MESSAGE] for edge in self._out(number) if offers(edge))
            for number in range(len(self._locations))
        ]

    # --- liveness ---------------------------------------------------------------------------------------------------

    def may_stay_pending(self, asked: Property) -> bool:
        """Whether, by this graph, a fair run of the system may keep an ``eventually`` property pending for ever.

        Slow and plain; `timewait.checker.quotient_graph.may_stay_pending_unlimited` is compiled.
        """
        if asked not in self._found:
            self._found[asked] = self._may_stay_pending(asked)
        return self._found[asked]

    def _may_stay_pending(self, asked: Property) -> bool:
        pending, original = self.quotient.pending, self.quotient.original
        inside = frozenset(number for number, place in enumerate(self._locations) if asked.name in pending[place[CONTROL]])
        waiting = [(inside, self._among(inside, chain.from_iterable(map(self._out, sorted(inside)))))]
        while waiting:
            for part, edges in self._components(*waiting.pop()):
                if asked.recurrent and not any(asked.name in original(self._edges[edge][ROW]).recurrent for edge in edges):
                    continue
                left = self._left(part, edges)
                if left is None:
                    return True
                waiting.append(left)
        return False

    def _among(self, locations: frozenset[int], edges: Iterator[int] | Sequence[int]) -> list[int]:
        """The edges between some locations."""
        return [edge for edge in edges if self._source_of[edge] in locations and self._edges[edge][TARGET] in locations]

    def _components(self, locations: frozenset[int], edges: list[int]) -> Iterator[GraphPart]:
        """The strongly connected components; a lone location is one too, for time may pass there."""
        pairs = {(self._source_of[edge], self._edges[edge][TARGET]) for edge in edges}
        found = [*digraphs.ordered_components(locations, pairs)]
        home = {location: index for index, part in enumerate(found) for location in part}
        inner: dict[int, list[int]] = {}
        for edge in edges:
            if home[self._source_of[edge]] == home[self._edges[edge][TARGET]]:
                inner.setdefault(home[self._source_of[edge]], []).append(edge)
        for index, part in enumerate(found):
            yield part, inner.get(index, [])

    def _left(self, part: frozenset[int], edges: list[int]) -> GraphPart | None:
        """What is left of a component without that which cannot recur in it; None if that is all of it."""
        started = frozenset(chain.from_iterable(map(self._started, edges)))
        served = frozenset(chain.from_iterable(map(self._names, edges)))
        awaited = awaited_in((self._offered[location] for location in part), (self._edges[edge][MESSAGE] for edge in edges))
        left = frozenset(location for location in part if not self._leaves(location, started, served))
        kept = [edge for edge in self._among(left, edges) if not self._ceases(edge, started, served, awaited)]
        return None if len(left) == len(part) and len(kept) == len(edges) else (left, kept)

    def _leaves(self, location: int, started: frozenset[int], served: frozenset[str]) -> bool:
        """Whether a location cannot recur: a bound is passed, or an edge that is no arrival is due and never taken."""
        _, _, _, begin, _, _, first, limits = self._locations[location]
        if any(self._clocks[begin + row] not in started for row, _ in self._limits[first : first + limits]):
            return True
        return any(
            self._edges[edge][MESSAGE] < 0
            and not self._names(edge) <= served
            and all(test.relation == ">" and test.clock not in started for test in self._guard(edge))
            for edge in self._out(location)
        )

    def _ceases(self, edge: int, started: frozenset[int], served: frozenset[str], awaited: frozenset[int]) -> bool:
        """Whether an edge cannot recur: a bound is passed, it stands beside one that is never taken, or what it sends arrives."""
        guard, message = self._guard(edge), self._edges[edge][MESSAGE]
        if any(test.relation in ("<=", "==") and test.clock not in started for test in guard):
            return True
        if self._sent[self._edges[edge][ROW]] & awaited:
            return True
        return any(
            self._edges[other][MESSAGE] in (-1, message)
            and not self._names(other) <= served
            and set(self._guard(other)) <= set(guard)
            for other in self._out(self._source_of[edge])
        )

    # --- time-locks -------------------------------------------------------------------------------------------------

    def may_lock(self) -> bool:
        """Whether time may stop in the system with nothing left to happen."""
        return self._may_lock

    @cached_property
    def _may_lock(self) -> bool:
        return timelock.may_lock(self.quotient) or any(map(self._lacks_arrival, self.quotient.possible_arrivals()))

    def _lacks_arrival(self, arrival: PossibleArrival) -> bool:
        """Whether a message that must be delivered in a control cannot arrive there whenever its age allows."""
        table = self.quotient.table
        deadline, _ = table.deadline(arrival.message)
        if any(reaction.guard == (Limit(AGE, deadline),) for reaction in arrival.reactions):
            return False
        return table.must_be_delivered(arrival.control, arrival.message)
