"""An over-approximation of the composition with fewer clocks, for proofs of safety.

It drops some limits. Of all packets of one end only the *youngest* has an age: while that packet may arrive, so may every older
one. Some packets that must be delivered in the composition need not be. A packet of the next incarnation may arrive as soon
as it could have been sent on some way to the same states. All this only removes limits, so every run of the composition is a run
here (`tests/test_relaxation.py` checks that step by step), and a property that holds here holds in the
composition. A violation found here counts only if the composition has the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache

from timewait.spec.composition import Composition, CompositionState, state_of
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.spec.handshake import compose
from timewait.vocabulary.automaton import Bound, Clock, ClockUpdate, Edge, Location

DeliveryChoice = Callable[[Composition, CompositionState], Iterator[frozenset[int]]]
"""The packets that must still be delivered, as positions in the network, among those that must be in the composition."""


def one_per_effect(composition: Composition, state: CompositionState) -> Iterator[frozenset[int]]:
    """One of the packets that have the same effect on their receiver, and none without an effect."""
    kept: dict[object, int] = {}
    for index, packet in enumerate(state.network):
        side = 1 - ENDS.index(packet.sender)
        outcome = composition.received(state.ends[side], side, packet.segment)
        if packet.must_be_delivered and (outcome.block != state.ends[side] or outcome.started):
            kept.setdefault((side, outcome.block, outcome.started), index)
    yield frozenset(kept.values())


def one_at_a_time(composition: Composition, state: CompositionState) -> Iterator[frozenset[int]]:
    """Each packet alone, and none: sufficient where the obligations are independent of each other."""
    del composition
    yield frozenset()
    yield from (frozenset({index}) for index, packet in enumerate(state.network) if packet.must_be_delivered)


class OverApproximation:
    """An over-approximation of the composition (a `timewait.vocabulary.automaton.TimedAutomaton`).

    Parameters
    ----------
    configuration : Configuration
        A configuration with unlimited duplication, in any order.
    obligations : callable
        The packets that must still be delivered.
    exact : Composition, optional
        The composition to approximate; by default that of the configuration.

    Raises
    ------
    ValueError
        Duplication is limited, or order is kept.
    """

    def __init__(self, configuration: Configuration, obligations: DeliveryChoice, exact: Composition | None = None) -> None:
        self.exact = compose(configuration) if exact is None else exact
        self.obligations = obligations
        if not self.exact.dense:
            raise ValueError("an over-approximation needs unlimited duplication, in any order")

    def identity(self) -> Hashable:
        return type(self), self.obligations, self.exact.identity()

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
        state = state_of(location)
        network = state.network
        dues = (self.exact.channel.due(network, index) for index, packet in enumerate(network) if packet.must_be_delivered)
        return (*self.exact.timers(state), *dues, *(_youngest(sender) for sender in _senders(state)))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return self.exact.invariant(location)

    def edges(self, location: Location) -> Iterable[Edge]:
        for edge in self.exact.edges(location):
            guard = tuple(
                bound._replace(clock=_youngest(bound.clock.owner.partition(" ")[0])) if bound.clock.role == "age" else bound
                for bound in edge.guard
            )
            for target, updates in self._targets(state_of(edge.target), edge.updates):
                yield replace(edge, guard=guard, target=target, updates=updates)

    def _targets(
        self, state: CompositionState, updates: tuple[ClockUpdate, ...]
    ) -> Iterator[tuple[CompositionState, tuple[ClockUpdate, ...]]]:
        """The locations that stand for a location of the composition, with the updates of their clocks."""
        remaining = iter(updates)
        timers = tuple(next(remaining) for _ in self.exact.timers(state))
        ages: dict[str, ClockUpdate] = {sender: _youngest(sender) for sender in _senders(state)}
        dues: dict[int, ClockUpdate] = {}
        for index, packet in enumerate(state.network):
            if packet.segment.incarnation:
                continue
            if next(remaining) is None:
                ages[packet.sender] = None
            if packet.must_be_delivered:
                dues[index] = next(remaining)
        for kept in self.obligations(self.exact, state):
            packets = (
                packet._replace(must_be_delivered=False) if packet.must_be_delivered and index not in kept else packet
                for index, packet in enumerate(state.network)
            )
            target = state._replace(network=tuple(packets))
            yield target, (*timers, *(dues[index] for index in sorted(kept)), *ages.values())

    def kept_obligations(self, location: Location) -> Iterable[frozenset[int]]:
        return self.obligations(self.exact, state_of(location))

    def expired(self, location: Location, clock: Clock) -> CompositionState:
        """Every packet of the end has expired, since none is younger than the youngest; so none must be delivered."""
        state = state_of(location)
        kept = (packet for packet in state.network if packet.sender != clock.owner or packet.segment.incarnation)
        return state._replace(network=tuple(kept))

    def equivalence_class(self, location: Location) -> CompositionState:
        """The class in the composition, but for the packets of the next incarnation: whichever were sent, all may arrive."""
        state = state_of(location)
        return state._replace(network=tuple(packet for packet in state.network if packet.must_be_delivered))

    def join(self, location: Location, other: Location) -> CompositionState:
        return self.exact.join(location, other)

    def pending(self, location: Location) -> frozenset[str]:
        return self.exact.pending(location)


@cache
def _youngest(sender: str) -> Clock:
    """The age of the youngest packet of an end."""
    return Clock("age", sender)


def _senders(state: CompositionState) -> Iterable[str]:
    """The senders of the packets in flight that have an age, in order."""
    return dict.fromkeys(packet.sender for packet in state.network if not packet.segment.incarnation)
