"""The network without limits includes the networks that count copies or keep order: step by step, and verdict by verdict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from random_configurations import random_configuration

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.quotient import Quotient
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import close, core
from timewait.proofs.question import applicable, question
from timewait.spec.composition import Composition, CompositionState, Phase
from timewait.spec.configuration import Configuration
from timewait.spec.handshake import compose
from timewait.spec.over_approximation import DeliveryChoice, OverApproximation, one_at_a_time, one_per_effect
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import NextIncarnation, Reopen
from timewait.vocabulary.automaton import INACTIVE, Clock, ClockUpdate, Edge

LIMITED = {
    "one copy": replace(close(1, 2, 1, 1), duplication=0),
    "one copy, either first": replace(close(1, 2, 1, 1), duplication=0, both_close=True),
    "two copies, any loss": replace(close(1, 2, 1, None), duplication=1),
    "queue": replace(close(1, 2, 1, 1), fifo=True),
    "queue of single copies, text": replace(close(1, 2, 1, 1), fifo=True, duplication=0, text=(0, 1)),
    "core": replace(core(1, 2, 1, 2), duplication=0),
    "handshake": replace(core(1, 1, 1, 1), duplication=0, reopening=NextIncarnation(Reopen.HANDSHAKE, text=(0, 1))),
}
SAFETY = (PROPERTIES["graceful"], PROPERTIES["isolation"])


def without_position(clock: Clock) -> Clock:
    """The clock of a packet without its position in the network, which is part of the name where copies are counted."""
    first, _, rest = clock.owner.partition(": ")
    return Clock(clock.role, rest) if first.isdigit() else clock


def young(clock: Clock) -> Clock:
    """The clock of the over-approximation that is never above a given clock of the composition."""
    plain = without_position(clock)
    return Clock("age", plain.owner.split()[0]) if plain.role == "age" else plain


class Walk:
    """A random walk of a composition, and the locations of the over-approximation that follow it.

    Guards are compared as sentences, and values of clocks by where they come from, so the walk stands for every timing.
    """

    def __init__(self, configuration: Configuration, obligations: DeliveryChoice, *, any_loss: bool = False) -> None:
        self.exact = compose(configuration)
        unlimited = replace(configuration, duplication=None, fifo=False)
        if any_loss:
            unlimited = replace(unlimited, loss=None)
        self.relaxed = CompiledAutomaton(Quotient(OverApproximation(unlimited, obligations)))

    def go(self, rng: random.Random, length: int) -> int:
        """Walk; return the number of steps that were followed.

        Raises
        ------
        AssertionError
            The over-approximation does not follow a step.
        """
        place, others = self.exact.initial(), {self.relaxed.start}
        for step in range(length):
            edges = [edge for edge in self.exact.edges(place) if len(self.state(edge.target).network) <= 6]
            if not edges:
                return step
            edge = rng.choice(edges)
            others = {target for other in others for target in self._followed(place, edge, other)}
            place = self.state(edge.target)
        return length

    @staticmethod
    def state(location: object) -> CompositionState:
        """The location of a composition."""
        assert isinstance(location, CompositionState)
        return location

    def _followed(self, place: CompositionState, edge: Edge, other: int) -> set[int]:
        location = self.relaxed.location(other)
        found = {one.target for one in location.edges if self._follows(one.original, place, edge)}
        if not found and edge.action.kind == "deliver" and self._covers(self.state(location.original), self.state(edge.target)):
            return {other}  # the arrival changes nothing but the number of copies
        assert found, f"{edge.action} from {place} is not followed from {location.original}"
        return found

    def _follows(self, answer: Edge, place: CompositionState, edge: Edge) -> bool:
        guard = {bound._replace(clock=young(bound.clock)) for bound in edge.guard}
        mine, theirs = answer.action, edge.action
        return (
            mine.identity[:3] == theirs.identity[:3]
            and len(mine.lost) == len(theirs.lost)
            and all(not lost or other for lost, other in zip(mine.lost, theirs.lost, strict=True))
            and set(answer.guard) <= guard
            and answer.violates >= edge.violates
            and answer.fair >= edge.fair
            and self._covers(self.state(answer.target), self.state(edge.target))
            and self._no_older(answer, place, edge)
        )

    def _covers(self, relaxed: CompositionState, exact: CompositionState) -> bool:
        """Whether every limit of the location of the over-approximation is a limit of the exact location.

        A run in which nothing can go wrong any more has no further step, so that any location covers its end.
        """
        if exact.phase is Phase.OVER:
            return True
        plain: dict[str, Any] = {"network": (), "lost": (0, 0)}
        must = {copy[:2] for copy in exact.network if copy.must_be_delivered}
        return (
            relaxed._replace(**plain) == exact._replace(**plain)
            and all(mine <= other for mine, other in zip(relaxed.lost, exact.lost, strict=True))
            and {copy[:2] for copy in relaxed.network if copy.must_be_delivered} <= must
            and {copy[:2] for copy in exact.network} <= {copy[:2] for copy in relaxed.network}
        )

    def _no_older(self, answer: Edge, place: CompositionState, edge: Edge) -> bool:
        """Whether no clock of the over-approximation runs ahead of those that it stands for."""
        mine = dict(zip(self.relaxed.system.clocks(answer.target), answer.updates, strict=True))
        target = self.state(edge.target)
        theirs: dict[Clock, ClockUpdate] = dict(zip(self.exact.clocks(target), edge.updates, strict=True))
        for clock, origin in theirs.items():
            if clock.role == "age" and not self._younger(mine[young(clock)], origin):
                return False
            if clock.role not in ("age", "due") and mine[clock] != origin:
                return False
        return all(
            source is None or (clock == source and self._kept_oldest(clock, place, target, theirs))
            for clock, source in mine.items()
            if clock.role == "due"
        )

    @staticmethod
    def _younger(mine: ClockUpdate, origin: ClockUpdate) -> bool:
        return mine != INACTIVE and (origin is not None or mine is None)

    def _kept_oldest(
        self, due: Clock, place: CompositionState, target: CompositionState, theirs: dict[Clock, ClockUpdate]
    ) -> bool:
        """Whether the oldest copy that must be delivered is that of before: a deadline that goes on is then no earlier."""
        before, after = self._oldest(due, place), self._oldest(due, target)
        return before is not None and after is not None and theirs[after] == before

    def _oldest(self, due: Clock, state: CompositionState) -> Clock | None:
        """The clock of the oldest copy of a packet that must be delivered."""
        channel = self.exact.channel
        clocks = (channel.due(state.network, index) for index, copy in enumerate(state.network) if copy.must_be_delivered)
        return next((clock for clock in clocks if without_position(clock).owner == due.owner), None)


@pytest.mark.parametrize("configuration", LIMITED.values(), ids=LIMITED.keys())
@pytest.mark.parametrize("obligations", [one_per_effect, one_at_a_time])
def test_every_step_is_followed(configuration: Configuration, obligations: DeliveryChoice) -> None:
    """Whatever a network with limits does, the network without them does with no stricter guards and no later deadlines."""
    walk, rng = Walk(configuration, obligations), random.Random(9293)
    assert sum(walk.go(rng, 60) for _ in range(40)) > 200


def test_an_age_that_is_not_that_of_the_youngest_copy_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of every step can fail."""
    whole = OverApproximation._targets

    def stale(
        self: OverApproximation, state: CompositionState, updates: tuple[ClockUpdate, ...]
    ) -> Iterator[tuple[CompositionState, tuple[ClockUpdate, ...]]]:
        for target, kept in whole(self, state, updates):
            shown = zip(self.clocks(target), kept, strict=True)
            yield target, tuple(clock if clock == Clock("age", "A") else origin for clock, origin in shown)

    monkeypatch.setattr(OverApproximation, "_targets", stale)
    with pytest.raises((AssertionError, KeyError)):
        test_every_step_is_followed(LIMITED["one copy"], one_per_effect)


def limited(number: int) -> Configuration:
    """A random configuration in which copies are counted, or order is kept."""
    rng = random.Random(number)
    drawn = random_configuration(rng)
    if drawn.duplication is None and not drawn.fifo:
        return replace(drawn, **rng.choice(({"duplication": 0}, {"duplication": 1}, {"fifo": True})))
    return drawn


@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(4, 200, 4))])
def test_zones_agree_with_ticks(start: int) -> None:
    """What is proved or violated in dense time is so in ticks, where the constants are whole ticks and few."""
    decided = 0
    for number in range(start, start + 4):
        configuration = limited(number)
        asked = [entry for entry in applicable(configuration) if entry.kind == "always"]
        budget = Budget(seconds=20, states=20_000)
        dense = decide(question(configuration), asked, Engine.ZONES, budget)
        ticks = decide(question(configuration), asked, Engine.EXPLICIT, budget)
        for first, second in zip(dense, ticks, strict=True):
            both = {first.verdict, second.verdict}
            assert both != {Verdict.PROVED, Verdict.VIOLATED}, f"{number}: {first.name}"
            assert Verdict.DISAGREEMENT not in both, f"{number}: {first.name}: {first.reason}{second.reason}"
            decided += len(both) == 1 and first.verdict is not Verdict.INCONCLUSIVE
    assert decided


@pytest.mark.parametrize("limits", [{"duplication": 0}, {"duplication": 1}, {"fifo": True}, {"fifo": True, "duplication": 0}])
def test_the_threshold_holds_with_limits(limits: dict[str, Any]) -> None:
    """With TIME_WAIT of 2 MSL the default question is proved in dense time; with less, zones find a run."""
    safe = replace(close(1, 2, 1, 1), both_close=True, **limits)
    for answer in decide(question(safe), SAFETY, Engine.AUTO, Budget()):
        assert (answer.verdict, answer.engine) == (Verdict.PROVED, "zones, dense time, over-approximated")
    short = replace(safe, time_wait=Fraction(1))
    (broken,) = decide(question(short), [PROPERTIES["graceful"]], Engine.AUTO, Budget())
    assert (broken.verdict, broken.engine) == (Verdict.VIOLATED, "zones, dense time")


def test_a_run_counts_only_with_the_limits() -> None:
    """A violation that needs a copy to overtake is none in a queue: zones leave it open, and ticks decide."""
    configuration = replace(core(2, 1, 1, 0), duplication=0, fifo=True)
    (open_question,) = decide(question(configuration), [PROPERTIES["graceful"]], Engine.ZONES, Budget())
    (decided,) = decide(question(configuration), [PROPERTIES["graceful"]], Engine.AUTO, Budget())
    unlimited = replace(configuration, duplication=None, fifo=False)
    (without,) = decide(question(unlimited), [PROPERTIES["graceful"]], Engine.AUTO, Budget())
    assert without.verdict is Verdict.VIOLATED
    assert open_question.verdict is Verdict.INCONCLUSIVE
    assert "use explicit" in open_question.reason
    assert (decided.verdict, decided.engine) == (Verdict.PROVED, "explicit, breadth first")


def test_composition_is_that_of_the_limits() -> None:
    """The system of the question keeps its limits; only the over-approximation drops them."""
    asked = question(LIMITED["queue of single copies, text"])
    assert isinstance(asked.system, Composition)
    assert not asked.system.dense
    assert isinstance(asked.over_approximation, OverApproximation)
    assert asked.over_approximation.dense


def test_witnesses_are_looked_for_in_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every witness of the unlimited network needs a second copy, the first states in ticks have another one."""
    single = replace(close(3, 6, 1, 1), duplication=0)
    (answer,) = decide(question(single), [PROPERTIES["graceful"]], Engine.ZONES, Budget())
    assert answer.verdict is Verdict.PROVED
    monkeypatch.setattr("timewait.checker.explicit.WITNESS_STATES", 0)
    (answer,) = decide(question(single), [PROPERTIES["graceful"]], Engine.ZONES, Budget())
    assert answer.verdict is Verdict.INCONCLUSIVE
