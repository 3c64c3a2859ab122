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

from checker.language import Bound, Clock, Edge, Location, Origin
from spec.composition import Composition, Situation
from spec.configuration import Configuration
from spec.exchange import ENDS

Obligations = Callable[[Composition, Situation, frozenset[int]], Iterator[frozenset[int]]]
"""Which copies must still arrive, as positions in the network, given those that must and among them those just sent."""


def one_of_a_kind(composition: Composition, situation: Situation, fresh: frozenset[int]) -> Iterator[frozenset[int]]:
    """Of the copies that would do the same to their receiver one, sent before the others; none that would do nothing."""
    kept: dict[object, int] = {}
    owed = [index for index, copy in enumerate(situation.network) if copy.owed]
    for index in sorted(owed, key=lambda index: (index in fresh, index)):
        copy = situation.network[index]
        side = 1 - ENDS.index(copy.sender)
        outcome = composition.received(situation.ends[side], side, copy.segment)
        if outcome.block != situation.ends[side] or outcome.started:
            kept.setdefault((side, outcome.block, outcome.started), index)
    yield frozenset(kept.values())


def each_alone(composition: Composition, situation: Situation, fresh: frozenset[int]) -> Iterator[frozenset[int]]:
    """Every copy by itself, and none: all that is needed where obligations do not depend on each other."""
    del composition, fresh
    yield frozenset()
    yield from (frozenset({index}) for index, copy in enumerate(situation.network) if copy.owed)


class Relaxed:
    """A relaxed composition (a `checker.language.TimedSystem`).

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
        exact = self.exact.clocks(location)
        others = [clock for clock in exact if clock.role != "age"]
        return (*others, *dict.fromkeys(_youngest(clock) for clock in exact if clock.role == "age"))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return self.exact.invariant(location)

    def edges(self, location: Location) -> Iterable[Edge]:
        for edge in self.exact.edges(location):
            guard = tuple(bound._replace(clock=_youngest(bound.clock)) for bound in edge.guard)
            origins = dict(zip(self.exact.clocks(edge.target), edge.origins, strict=True))
            for target in self._targets(edge, origins):
                yield replace(edge, guard=guard, target=target, origins=self._origins(target, origins))

    def _targets(self, edge: Edge, origins: Mapping[Clock, Origin]) -> Iterator[Situation]:
        situation = edge.target
        assert isinstance(situation, Situation)
        network = situation.network
        owed = [index for index, copy in enumerate(network) if copy.owed]
        fresh = frozenset(index for index in owed if origins[self.exact.channel.due(network, index)] is None)
        for kept in self.obligations(self.exact, situation, fresh):
            copies = (copy._replace(owed=index in kept) for index, copy in enumerate(network))
            yield situation._replace(network=tuple(copies))

    def _origins(self, target: Situation, origins: Mapping[Clock, Origin]) -> tuple[Origin, ...]:
        """Where the clocks come from: the youngest age of an end is new if one of its copies is."""
        new = {_youngest(clock) for clock, origin in origins.items() if clock.role == "age" and origin is None}
        return tuple(
            (None if clock in new else clock) if clock.role == "age" else origins[clock] for clock in self.clocks(target)
        )

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


def _youngest(clock: Clock) -> Clock:
    """The clock that stands for the age of a copy: that of the youngest copy of its sender. Any other clock is itself."""
    return Clock("age", clock.owner.partition(" ")[0]) if clock.role == "age" else clock


def _situation(location: Location) -> Situation:
    assert isinstance(location, Situation)
    return location
