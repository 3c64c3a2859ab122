"""The network without limits, losses among them: it follows every step, and what its graph proves holds in ticks."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from random_configurations import random_configuration
from test_unlimited_network import LIMITED, Walk, limited

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.lasso import LassoEngine
from timewait.checker.made_once import kept_for
from timewait.checker.question import Engine, Question
from timewait.checker.unlimited import UnlimitedGraph, awaited_in
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import close
from timewait.proofs.question import applicable, question
from timewait.spec.configuration import Configuration
from timewait.spec.over_approximation import one_per_effect
from timewait.spec.properties import PROPERTIES

WALKED = {name: one for name, one in LIMITED.items() if name != "handshake"} | {
    "merged copies, text": replace(close(1, 2, 1, 1), text=(1, 1), both_close=True),
    "merged copies, two losses, retries": replace(close(1, 2, 1, 2), behaviour=replace(close(1, 2, 1, 1).behaviour, retries=2)),
}
EVENTUALLY = tuple(entry for entry in PROPERTIES.values() if entry.kind == "eventually")
CLOSES = PROPERTIES["closes"]
QUEUE = replace(close(1, 2, 1, 1), fifo=True)


def graph_of(asked: Question) -> UnlimitedGraph:
    """The graph of the network without limits."""
    graph = asked.unlimited_graph
    assert graph is not None
    return graph


@pytest.mark.parametrize("configuration", WALKED.values(), ids=WALKED.keys())
def test_every_step_is_followed(configuration: Configuration) -> None:
    """Whatever a network with limits does, the network without them does, with all fairness names."""
    walk, rng = Walk(configuration, one_per_effect, any_loss=True), random.Random(793)
    assert sum(walk.go(rng, 60) for _ in range(25)) > 150


@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(4, 300, 4))])
def test_liveness_agrees_with_ticks(start: int) -> None:
    """What the graph proves is violated by no fair lasso in ticks, whether copies are counted, queue or are merged."""
    agreed = 0
    for number in range(start, start + 4):
        for configuration in (limited(number), random_configuration(random.Random(number))):
            asked = question(configuration)
            if asked.unlimited_graph is None:
                continue
            ticks = LassoEngine().decide(asked, EVENTUALLY, Budget(seconds=20, states=10_000))
            for entry, found in zip(EVENTUALLY, ticks, strict=True):
                if not asked.unlimited_graph.may_stay_pending(entry):
                    assert found.verdict is not Verdict.VIOLATED, f"{number}: {entry.name}"
                    agreed += found.verdict is Verdict.PROVED
    assert agreed


@pytest.mark.parametrize(("duplication", "fifo"), [(0, False), (1, False), (None, True), (0, True)])
def test_liveness_with_limits_is_proved(duplication: int | None, fifo: bool) -> None:
    """Where copies are counted, or order is kept, liveness is proved whatever the durations."""
    configuration = replace(close(1, 2, 1, 1), both_close=True, duplication=duplication, fifo=fifo)
    for answer in decide(question(configuration), EVENTUALLY, Engine.AUTO, Budget()):
        assert (answer.verdict, answer.engine) == (Verdict.PROVED, "graph, every duration, network without limits")


def test_large_systems_take_it_first() -> None:
    """A system with text each way is decided on the network without limits, one with few locations by its own graph."""
    large = replace(close(2, 4, 2, 1), text=(1, 1), both_close=True)
    asked = [entry for entry in applicable(large) if entry.name in ("integrity", "closes", "quiet")]
    for answer in decide(question(large), asked, Engine.AUTO, Budget()):
        assert (answer.verdict, answer.engine.rpartition(", ")[2]) == (Verdict.PROVED, "network without limits")
    (answer,) = decide(question(close(2, 4, 2, 1)), [CLOSES], Engine.AUTO, Budget())
    assert answer.engine == "graph, every duration"


def test_no_proof_of_what_fails() -> None:
    """An end that gives up leaves its peer waiting for ever: no proof, and ticks have the lasso."""
    limited_retries = replace(QUEUE, behaviour=replace(QUEUE.behaviour, retries=1))
    asked = question(limited_retries)
    assert graph_of(asked).may_stay_pending(CLOSES)
    (answer,) = decide(asked, [CLOSES], Engine.AUTO, Budget())
    assert answer.verdict is Verdict.VIOLATED


@pytest.mark.parametrize("name", ["arrival_name", "sending_name"])
def test_a_message_that_no_fairness_makes_arrive_is_not_awaited(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without the name of arrivals, or of sending, nothing follows from what is sent again and again."""
    graph = graph_of(question(QUEUE))
    monkeypatch.setattr(graph.quotient.table.system, name, lambda message: f"another name of {message}")
    assert graph.may_stay_pending(CLOSES)
    kept_for.cache_clear()
    assert not graph_of(question(QUEUE)).may_stay_pending(CLOSES)


def test_an_obligation_without_an_arrival_may_stop_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time may stop where a message must be delivered that has no arrival; as it is, none lacks one."""
    graph = graph_of(question(QUEUE))
    assert not graph.may_lock()
    kept_for.cache_clear()
    graph = graph_of(question(QUEUE))
    monkeypatch.setattr(graph.quotient.table, "must_be_delivered", lambda *_: True)
    assert graph.may_lock()


def test_the_check_for_time_locks_is_that_of_obligations() -> None:
    """The answer about time-locks is that of the over-approximation that keeps each obligation."""
    for configuration in WALKED.values():
        asked = question(configuration)
        assert graph_of(asked).may_lock() is asked.may_time_lock


def test_a_network_that_loses_nothing_has_none() -> None:
    """A network that loses nothing has no network without limits in its place."""
    assert question(replace(close(1, 2, 1, 0), lossless=True, duplication=0)).unlimited is None
    assert question(replace(QUEUE, time_wait=Fraction(1))).unlimited is not None


def test_an_arrival_that_changes_nothing_somewhere() -> None:
    """It may recur there without an edge; only a message that every location has an edge for cannot be sent again and again."""
    one, two = 1, 2
    assert awaited_in([frozenset({one, two}), frozenset({two})], []) == {two}
    assert awaited_in([frozenset({one, two}), frozenset({one, two})], [two]) == {one}
