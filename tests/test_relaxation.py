"""The over-approximation includes the composition: edge by edge, and verdict by verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import pytest

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.over_approximated import concretised
from timewait.checker.question import Engine, Question
from timewait.checker.quotient import Quotient
from timewait.checker.timelock import time_locks
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.proofs.claims import FIN, INTENDED, LITERAL, close, core
from timewait.proofs.question import question
from timewait.spec.composition import Composition, CompositionState
from timewait.spec.configuration import Configuration
from timewait.spec.handshake import compose
from timewait.spec.over_approximation import DeliveryChoice, OverApproximation, one_at_a_time, one_per_effect
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import NextIncarnation, Reopen
from timewait.spec.settings import Behaviour
from timewait.vocabulary.automaton import INACTIVE, Bound, Clock, ClockUpdate, Edge

Reached = tuple[CompositionState, tuple[ClockUpdate, ...]]
BOTH = (PROPERTIES["graceful"], PROPERTIES["isolation"])
EITHER = replace(close(1, 2, 1, 0), both_close=True)
RUNS_ON = replace(INTENDED, acks_restart_rto=False)

CONFIGURATIONS = {
    "core": core(1, 2, 1, 1),
    "core, letter": core(1, 2, 1, 2, LITERAL),
    "A first": close(1, 2, 1, 1),
    "A first, two losses": close(1, 2, 1, 2),
    "A first, letter": close(1, 2, 1, 1, LITERAL),
    "A first, FIN only": close(1, 2, 1, 1, Behaviour(answers=FIN, restarts=FIN)),
    "A first, any loss": close(1, 2, 1, None),
    "either first": EITHER,
    "handshake": replace(core(1, 1, 1, 1), reopening=NextIncarnation(Reopen.HANDSHAKE, text=(0, 1))),
}
LARGE = {
    "A first, text of B": replace(close(1, 2, 1, 0), text=(0, 1)),
    "A first, FIN-WAIT-2 timeout": replace(
        close(1, 2, 1, 1, replace(INTENDED, fin_wait_2=True)), fin_wait_2=Fraction(1), text=(0, 1)
    ),
}
named = pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
kinds = pytest.mark.parametrize("obligations", [one_per_effect, one_at_a_time])


def young(clock: Clock) -> Clock:
    """The clock of the over-approximation that is never above a given clock of the composition."""
    return Clock("age", clock.owner.split()[0]) if clock.role == "age" else clock


def covers(relaxed: CompositionState, exact: CompositionState) -> bool:
    """Whether every limit of the location of the over-approximation is a limit of the exact location."""
    alike = relaxed._replace(network=()) == exact._replace(network=())
    must_be_delivered = {copy for copy in exact.network if copy.must_be_delivered}
    alive = {copy[:2] for copy in relaxed.network}
    return (
        alike
        and {copy for copy in relaxed.network if copy.must_be_delivered} <= must_be_delivered
        and {copy[:2] for copy in exact.network} <= alive
    )


def place_of(edge: Edge) -> CompositionState:
    """The location that an edge of a composition leads to."""
    return cast(CompositionState, edge.target)


class Simulation:
    """The composition, with exactly the packets that are alive, beside the quotient of the over-approximation.

    Raises
    ------
    AssertionError
        The composition takes a step that the relaxed one cannot follow.
    """

    def __init__(self, configuration: Configuration, obligations: DeliveryChoice) -> None:
        self.exact = compose(configuration)
        self.relaxed = CompiledAutomaton(Quotient(OverApproximation(configuration, obligations)))
        self.pairs: set[tuple[CompositionState, int]] = {(self.exact.initial(), self.relaxed.start)}
        waiting = list(self.pairs)
        self.steps = 0
        while waiting:
            place, other = waiting.pop()
            for pair in self._followed(place, other):
                if pair not in self.pairs:
                    self.pairs.add(pair)
                    waiting.append(pair)

    def _followed(self, place: CompositionState, other: int) -> Iterator[tuple[CompositionState, int]]:
        location = self.relaxed.location(other)
        for edge in self.exact.edges(place):
            self.steps += 1
            guard = {bound._replace(clock=young(bound.clock)) for bound in edge.guard}
            updates = dict(zip(self.exact.clocks(edge.target), edge.updates, strict=True))
            found = [one.target for one in location.edges if self._follows(one.original, edge, guard, updates)]
            assert found, f"{edge.action} from {place} is not followed from {location.original}"
            yield from ((place_of(edge), target) for target in found)

    def _follows(self, answer: Edge, edge: Edge, guard: set[Bound], updates: dict[Clock, ClockUpdate]) -> bool:
        return (
            answer.action == edge.action
            and set(answer.guard) <= guard
            and answer.violates >= edge.violates
            and covers(place_of(answer), place_of(edge))
            and self._no_older(dict(zip(self.relaxed.system.clocks(answer.target), answer.updates, strict=True)), updates)
        )

    def _no_older(self, relaxed: dict[Clock, ClockUpdate], exact: dict[Clock, ClockUpdate]) -> bool:
        """Each active clock of the composition has one in the over-approximation with at most its value, or the same one."""
        for clock, origin in exact.items():
            mine = young(clock)
            if clock.role == "age":
                if relaxed[mine] == INACTIVE or (origin is None and relaxed[mine] is not None):
                    return False
            elif clock.role == "due" and clock in relaxed:
                if relaxed[clock] not in (None, origin):
                    return False
            elif clock.role not in ("age", "due") and relaxed[clock] != origin:
                return False
        return True


@named
@kinds
def test_every_step_is_followed(configuration: Configuration, obligations: DeliveryChoice) -> None:
    """Guards are no stricter, there are no more limits, and bounded clocks are no higher: so safety here is safety there."""
    simulation = Simulation(configuration, obligations)
    assert simulation.steps >= 50
    assert len(simulation.pairs) > 10


@pytest.mark.slow
@pytest.mark.parametrize("configuration", LARGE.values(), ids=LARGE.keys())
@kinds
def test_every_step_of_a_larger_one_is_followed(configuration: Configuration, obligations: DeliveryChoice) -> None:
    """Text, and a FIN-WAIT-2 timeout."""
    assert Simulation(configuration, obligations).steps > 10_000


def test_a_relaxation_that_forgets_copies_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of every step can fail."""
    whole = OverApproximation._targets

    def forgetful(self: OverApproximation, situation: CompositionState, updates: tuple[ClockUpdate, ...]) -> Iterator[Reached]:
        for target, kept in whole(self, situation, updates):
            lost = [copy for copy in target.network if copy.segment.fin and not copy.must_be_delivered]
            yield target._replace(network=tuple(copy for copy in target.network if copy not in lost[1:])), kept

    monkeypatch.setattr(OverApproximation, "_targets", forgetful)
    with pytest.raises(AssertionError, match="is not followed"):
        Simulation(EITHER, one_per_effect)


def test_a_relaxation_that_keeps_ages_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It also fails if the age is not that of the youngest packet."""
    whole = OverApproximation._targets

    def stale(self: OverApproximation, situation: CompositionState, updates: tuple[ClockUpdate, ...]) -> Iterator[Reached]:
        for target, kept in whole(self, situation, updates):
            shown = zip(self.clocks(target), kept, strict=True)
            yield target, tuple(clock if clock == Clock("age", "B") else origin for clock, origin in shown)

    monkeypatch.setattr(OverApproximation, "_targets", stale)
    with pytest.raises((AssertionError, KeyError)):
        Simulation(EITHER, one_per_effect)


@named
def test_time_stops_in_neither(configuration: Configuration) -> None:
    """There is no time-lock, with every obligation alone and in the composition."""
    asked = question(configuration)
    assert asked.obliged_approximation is not None
    assert not time_locks(asked.quotient)
    assert not asked.may_time_lock


def representatives(system: Composition | OverApproximation) -> list[Any]:
    """The location of each class that is reachable whatever the guards say."""
    return [location.original for location in CompiledAutomaton(Quotient(system)).explore()]


def test_each_obligation_is_met_alone() -> None:
    """Every obligation of the composition occurs in the automaton that is checked for time-locks."""
    exact = {
        (place.ends, copy) for place in representatives(Composition(EITHER)) for copy in place.network if copy.must_be_delivered
    }
    assert exact
    alone = representatives(OverApproximation(EITHER, one_at_a_time))
    assert exact <= {(place.ends, copy) for place in alone for copy in place.network if copy.must_be_delivered}


@named
def test_zones_say_the_same_without_it(configuration: Configuration) -> None:
    """The verdicts of the over-approximation and of the composition."""
    asked = question(configuration)
    plain = Question(asked.system, asked.initial_state, asked.witnesses)
    for first, second in zip(*(decide(one, BOTH, Engine.ZONES, Budget()) for one in (asked, plain)), strict=True):
        assert first.verdict is second.verdict
        if first.verdict is Verdict.VIOLATED:
            assert first.trace is not None


def test_it_is_smaller() -> None:
    """It has a fifth of the zones if either end may close first."""
    asked = question(EITHER)
    explored = [Zones(automaton) for automaton in (asked.coarse, asked.quotient)]
    for zones in explored:
        zones.explore(Budget())
    assert 5 * len(explored[0]) < len(explored[1])


def test_a_run_of_the_relaxed_system_alone_does_not_count() -> None:
    """A guard that only an expired packet could pass is passed in the over-approximation, and gives no confirmed run."""
    silent = replace(close(2, 4, 1, 1), time_wait=Fraction(4))
    asked = question(silent)
    zones = Zones(asked.coarse)
    zones.explore(Budget())
    for name, where in zones.witnessed.items():
        run = concretised(asked.compiled, zones, where, name)
        if run is not None:
            assert run.moves
    assert "isolation" not in zones.broken


def test_only_any_order_can_be_relaxed() -> None:
    """A queue, or a bound on duplicates, needs each packet as an entry; the network without these limits stands for both."""
    for kept in (replace(EITHER, fifo=True), replace(EITHER, duplication=1)):
        with pytest.raises(ValueError, match="unlimited duplication"):
            OverApproximation(kept, one_per_effect)


def test_a_bound_on_time_holds_while_locations_are_folded() -> None:
    """A search of a close with text in both directions stops at its bound and is inconclusive."""
    large = replace(close(1, 2, 1, 1, RUNS_ON), both_close=True, text=(5, 5))
    answers = decide(question(large), (*BOTH, PROPERTIES["closes"]), Engine.ZONES, Budget(seconds=1.0))
    assert [answer.verdict for answer in answers] == [Verdict.INCONCLUSIVE] * 3
    assert all("while locations were merged" in answer.finding.reason for answer in answers)
