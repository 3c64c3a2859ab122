"""One network without limits serves the question where A closes first and that where either end may close first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from random_configurations import random_configuration
from test_unlimited_losses import EVENTUALLY
from test_unlimited_network import Walk, limited

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget
from timewait.checker.lasso import LassoEngine
from timewait.checker.question import Question
from timewait.checker.quotient import Quotient
from timewait.checker.unlimited import UnlimitedGraph
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import close
from timewait.proofs.question import question, questions_of_both
from timewait.spec.composition import Composition, CompositionState, UnrelievedComposition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.outcome import Call
from timewait.spec.over_approximation import OverApproximation, one_per_effect
from timewait.spec.properties import PROPERTIES
from timewait.spec.state import State
from timewait.spec.unlimited_network import MayCloseFirst, unlimited_for_either, without_limits
from timewait.vocabulary.automaton import Edge

SEED = 3312
CLOSES = PROPERTIES["closes"]
WALKED = {
    "no text": close(1, 2, 1, 1),
    "text": replace(close(1, 2, 1, 1), text=(1, 1)),
    "queue of single copies, text": replace(close(1, 2, 1, 1), fifo=True, duplication=0, text=(0, 1)),
}


def closes_first(edge: Edge, place: CompositionState) -> bool:
    """Whether an edge is the CLOSE with which B closes first."""
    return (edge.action.actor, edge.action.subject) == ("B", Call.CLOSE) and place.ends[1].state is State.ESTABLISHED


class WalkForEither(Walk):
    """A walk that is followed on the network without limits that both questions share."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration, one_per_effect, any_loss=True)
        unlimited = unlimited_for_either(configuration)
        self.relaxed = CompiledAutomaton(Quotient(OverApproximation(unlimited.configuration, one_per_effect, unlimited)))

    def _follows(self, answer: Edge, place: CompositionState, edge: Edge) -> bool:
        named = replace(edge, fair=frozenset()) if closes_first(edge, place) else edge
        return super()._follows(answer, place, named)


def graph_of(asked: Question) -> UnlimitedGraph:
    """The graph of the network without limits."""
    graph = asked.unlimited_graph
    assert graph is not None
    return graph


def of_both(number: int) -> Iterator[Configuration]:
    """Random configurations of a whole close, either of which has a question where A closes first too."""
    for drawn in (limited(number), random_configuration(random.Random(number))):
        if drawn.scope is Scope.CLOSE and not drawn.reopening.handshake and not drawn.lossless:
            yield replace(drawn, both_close=True)


@pytest.mark.parametrize("either", [False, True])
@pytest.mark.parametrize("configuration", WALKED.values(), ids=WALKED.keys())
def test_every_step_is_followed(configuration: Configuration, either: bool) -> None:
    """Whoever may close first, every step is one of the shared network, with all fairness names but that of one CLOSE."""
    walk, rng = WalkForEither(replace(configuration, both_close=either)), random.Random(SEED)
    assert sum(walk.go(rng, 60) for _ in range(10)) > 100


def test_only_the_first_close_of_the_second_end_loses_its_names() -> None:
    """Every other edge of the shared network is one of the composition."""
    shared = unlimited_for_either(WALKED["text"])
    own, waiting, met = Composition(shared.configuration), [shared.initial()], set[CompositionState]()
    unnamed = 0
    while waiting and len(met) < 300:
        place = waiting.pop(0)
        if place in met or len(place.network) > 3:
            continue
        met.add(place)
        for edge, other in zip(shared.edges(place), own.edges(place), strict=True):
            first = closes_first(edge, place)
            assert edge == (replace(other, fair=frozenset()) if first else other)
            unnamed += first
            assert isinstance(edge.target, CompositionState)
            waiting.append(edge.target)
    assert len(met) > 50
    assert unnamed > 0


@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(4, 100, 4))])
def test_what_is_proved_for_both_holds_in_ticks(start: int) -> None:
    """What the shared graph proves is violated by no fair lasso in ticks, whoever may close first."""
    agreed = 0
    for number in range(start, start + 4):
        for configuration in of_both(number):
            for asked in questions_of_both(configuration):
                ticks = LassoEngine().decide(asked, EVENTUALLY, Budget(seconds=20, states=10_000))
                for entry, found in zip(EVENTUALLY, ticks, strict=True):
                    if not graph_of(asked).may_stay_pending(entry):
                        assert found.verdict is not Verdict.VIOLATED, f"{number}: {entry.name}"
                        agreed += found.verdict is Verdict.PROVED
    assert agreed


@pytest.mark.parametrize("number", range(6))
def test_time_passes_as_where_only_one_may_close_first(number: int) -> None:
    """The CLOSE of B hides no time-lock of the system in which A closes first."""
    for configuration in of_both(number):
        own = question(replace(configuration, both_close=False))
        of_first, of_either = questions_of_both(configuration)
        assert graph_of(of_first) is graph_of(of_either)
        assert graph_of(of_first).may_lock() or not graph_of(own).may_lock()
        assert graph_of(own).may_lock() == graph_of(of_first).may_lock()


class Unforced(Composition):
    """A composition in which nothing obliges A to close first."""

    def calls_of(self, state: CompositionState, side: int) -> Iterator[Edge]:
        first = side == 0 and state.ends[0].state is State.ESTABLISHED
        for edge in super().calls_of(state, side):
            yield replace(edge, fair=frozenset()) if first else edge

    def unrelieved_kind(self) -> type[UnrelievedComposition]:
        return UnrelievedUnforced


class UnrelievedUnforced(Unforced, UnrelievedComposition):
    """The same with every obligation."""


class UnforcedForEither(Unforced, MayCloseFirst):
    """The same where nothing obliges B to close first either."""

    def unrelieved_kind(self) -> type[UnrelievedComposition]:
        return UnrelievedUnforcedForEither


class UnrelievedUnforcedForEither(UnforcedForEither, UnrelievedComposition):
    """The same with every obligation."""


@pytest.mark.parametrize(("kind", "pending"), [(Unforced, False), (UnforcedForEither, True)])
def test_no_proof_rests_on_the_first_close_of_the_second_end(kind: type[Composition], pending: bool) -> None:
    """If A need not close first, a connection closes only because B must; where B need not close first, nothing proves it."""
    configuration = replace(close(1, 2, 1, 1), both_close=True)
    asked = replace(question(configuration), unlimited=kind(without_limits(configuration)))
    assert graph_of(asked).may_stay_pending(CLOSES) is pending
