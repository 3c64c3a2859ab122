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

from timewait.spec.composition import Composition, Situation
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.vocabulary.automaton import Bound, Clock, Edge, Location, Origin

Obligations = Callable[[Composition, Situation], Iterator[frozenset[int]]]
"""Which copies must still arrive, as positions in the network, of those that must in a location of the composition."""


def one_of_a_kind(composition: Composition, situation: Situation) -> Iterator[frozenset[int]]:
    """Of the copies that would do the same to their receiver one; none that would do nothing."""
    kept: dict[object, int] = {}
    for index, copy in enumerate(situation.network):
        side = 1 - ENDS.index(copy.sender)
        outcome = composition.received(situation.ends[side], side, copy.segment)
        if copy.owed and (outcome.block != situation.ends[side] or outcome.started):
            kept.setdefault((side, outcome.block, outcome.started), index)
    yield frozenset(kept.values())


def each_alone(composition: Composition, situation: Situation) -> Iterator[frozenset[int]]:
    """Every copy by itself, and none: all that is needed where obligations do not depend on each other."""
    del composition
    yield frozenset()
    yield from (frozenset({index}) for index, copy in enumerate(situation.network) if copy.owed)


class Relaxed:
    """A relaxed composition (a `timewait.vocabulary.automaton.TimedSystem`).

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

    def __init__(self, configuration: Configuration, obligations: Obligations) -> None:
        self.exact = Composition(configuration)
        self.obligations = obligations
        if not self.exact.dense:
            raise ValueError("only unlimited duplication in any order can be relaxed")

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        return self.exact.parameters

    @property
    def ceilings(self) -> Mapping[str, str]:
        return self.exact.ceilings

    @property
    def dense(self) -> bool:
        return self.exact.dense

    @property
    def lifetimes(self) -> Mapping[str, str]:
        return self.exact.lifetimes

    def initial(self) -> Situation:
        return self.exact.initial()

    def initial_origins(self) -> tuple[Origin, ...]:
        return (None,) * len(self.clocks(self.initial()))

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        situation = _situation(location)
        network = situation.network
        dues = (self.exact.channel.due(network, index) for index, copy in enumerate(network) if copy.owed)
        return (*self.exact.timers(situation), *dues, *(_youngest(sender) for sender in _senders(situation)))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return self.exact.invariant(location)

    def edges(self, location: Location) -> Iterable[Edge]:
        for edge in self.exact.edges(location):
            guard = tuple(
                bound._replace(clock=_youngest(bound.clock.owner.partition(" ")[0])) if bound.clock.role == "age" else bound
                for bound in edge.guard
            )
            for target, origins in self._targets(_situation(edge.target), edge.origins):
                yield replace(edge, guard=guard, target=target, origins=origins)

    def _targets(self, situation: Situation, origins: tuple[Origin, ...]) -> Iterator[tuple[Situation, tuple[Origin, ...]]]:
        """The relaxed locations that stand for one of the composition, and where their clocks come from."""
        left = iter(origins)
        timers = tuple(next(left) for _ in self.exact.timers(situation))
        ages: dict[str, Origin] = {sender: _youngest(sender) for sender in _senders(situation)}
        dues: dict[int, Origin] = {}
        for index, copy in enumerate(situation.network):
            if next(left) is None:
                ages[copy.sender] = None
            if copy.owed:
                dues[index] = next(left)
        for kept in self.obligations(self.exact, situation):
            copies = (copy._replace(owed=index in kept) for index, copy in enumerate(situation.network))
            relaxed = situation._replace(network=tuple(copies))
            yield relaxed, (*timers, *(dues[index] for index in sorted(kept)), *ages.values())

    def expired(self, location: Location, clock: Clock) -> Situation:
        """Nothing that the end sent is alive: what must arrive would be no older than the youngest, so nothing must."""
        situation = _situation(location)
        return situation._replace(network=tuple(copy for copy in situation.network if copy.sender != clock.owner))

    def family(self, location: Location) -> Situation:
        return self.exact.family(location)

    def join(self, location: Location, other: Location) -> Situation:
        return self.exact.join(location, other)

    def owes(self, location: Location) -> frozenset[str]:
        return self.exact.owes(location)


@cache
def _youngest(sender: str) -> Clock:
    """The age of the youngest copy that an end sent."""
    return Clock("age", sender)


def _senders(situation: Situation) -> Iterable[str]:
    """Whose copies are in flight, in order."""
    return dict.fromkeys(copy.sender for copy in situation.network)


def _situation(location: Location) -> Situation:
    assert isinstance(location, Situation)
    return location
