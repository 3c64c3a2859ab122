"""The same close with fewer clocks, for proofs: it does all that the composition does, and perhaps more.

Two things are given up. Of all copies that one end sent only the age of the *youngest* is kept: while it may still
arrive, so may every older one. And of the copies that must arrive some are let off. Either takes limits away
and adds none, so what never happens here never happens in the composition (`tests/test_relaxation.py` checks that
step by step). What does happen here may be impossible there; a run counts only once the composition has taken it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache

from timewait.spec.composition import Composition, CompositionState
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.vocabulary.automaton import Bound, Clock, ClockUpdate, Edge, Location

DeliveryChoice = Callable[[Composition, CompositionState], Iterator[frozenset[int]]]
"""Which copies must still arrive, as positions in the network, of those that must in a location of the composition."""


def one_per_effect(composition: Composition, situation: CompositionState) -> Iterator[frozenset[int]]:
    """Of the copies that would do the same to their receiver one; none that would do nothing."""
    kept: dict[object, int] = {}
    for index, copy in enumerate(situation.network):
        side = 1 - ENDS.index(copy.sender)
        outcome = composition.received(situation.ends[side], side, copy.segment)
        if copy.must_be_delivered and (outcome.block != situation.ends[side] or outcome.started):
            kept.setdefault((side, outcome.block, outcome.started), index)
    yield frozenset(kept.values())


def one_at_a_time(composition: Composition, situation: CompositionState) -> Iterator[frozenset[int]]:
    """Every copy by itself, and none: all that is needed where obligations do not depend on each other."""
    del composition
    yield frozenset()
    yield from (frozenset({index}) for index, copy in enumerate(situation.network) if copy.must_be_delivered)


class OverApproximation:
    """A relaxed composition (a `timewait.vocabulary.automaton.TimedAutomaton`).

    Parameters
    ----------
    configuration : Configuration
        With unlimited duplication and any order.
    obligations : callable
        Which copies must still arrive.

    Raises
    ------
    ValueError
        Duplication is limited, or order kept.
    """

    def __init__(self, configuration: Configuration, obligations: DeliveryChoice) -> None:
        self.exact = Composition(configuration)
        self.obligations = obligations
        if not self.exact.dense:
            raise ValueError("only unlimited duplication in any order can be relaxed")

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        return self.exact.parameters

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        return self.exact.maximal_constants

    @property
    def dense(self) -> bool:
        return self.exact.dense

    @property
    def lifetimes(self) -> Mapping[str, str]:
        return self.exact.lifetimes

    def initial(self) -> CompositionState:
        return self.exact.initial()

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        return (None,) * len(self.clocks(self.initial()))

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        situation = _situation(location)
        network = situation.network
        dues = (self.exact.channel.due(network, index) for index, copy in enumerate(network) if copy.must_be_delivered)
        return (*self.exact.timers(situation), *dues, *(_youngest(sender) for sender in _senders(situation)))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return self.exact.invariant(location)

    def edges(self, location: Location) -> Iterable[Edge]:
        for edge in self.exact.edges(location):
            guard = tuple(
                bound._replace(clock=_youngest(bound.clock.owner.partition(" ")[0])) if bound.clock.role == "age" else bound
                for bound in edge.guard
            )
            for target, updates in self._targets(_situation(edge.target), edge.updates):
                yield replace(edge, guard=guard, target=target, updates=updates)

    def _targets(
        self, situation: CompositionState, updates: tuple[ClockUpdate, ...]
    ) -> Iterator[tuple[CompositionState, tuple[ClockUpdate, ...]]]:
        """The relaxed locations that stand for one of the composition, and where their clocks come from."""
        left = iter(updates)
        timers = tuple(next(left) for _ in self.exact.timers(situation))
        ages: dict[str, ClockUpdate] = {sender: _youngest(sender) for sender in _senders(situation)}
        dues: dict[int, ClockUpdate] = {}
        for index, copy in enumerate(situation.network):
            if next(left) is None:
                ages[copy.sender] = None
            if copy.must_be_delivered:
                dues[index] = next(left)
        for kept in self.obligations(self.exact, situation):
            copies = (copy._replace(must_be_delivered=index in kept) for index, copy in enumerate(situation.network))
            relaxed = situation._replace(network=tuple(copies))
            yield relaxed, (*timers, *(dues[index] for index in sorted(kept)), *ages.values())

    def expired(self, location: Location, clock: Clock) -> CompositionState:
        """Nothing that the end sent is alive: what must arrive would be no older than the youngest, so nothing must."""
        situation = _situation(location)
        return situation._replace(network=tuple(copy for copy in situation.network if copy.sender != clock.owner))

    def equivalence_class(self, location: Location) -> CompositionState:
        return self.exact.equivalence_class(location)

    def join(self, location: Location, other: Location) -> CompositionState:
        return self.exact.join(location, other)

    def pending(self, location: Location) -> frozenset[str]:
        return self.exact.pending(location)


@cache
def _youngest(sender: str) -> Clock:
    """The age of the youngest copy that an end sent."""
    return Clock("age", sender)


def _senders(situation: CompositionState) -> Iterable[str]:
    """Whose copies are in flight, in order."""
    return dict.fromkeys(copy.sender for copy in situation.network)


def _situation(location: Location) -> CompositionState:
    assert isinstance(location, CompositionState)
    return location
