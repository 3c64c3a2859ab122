"""The steps that a run could take instead of its own."""

from __future__ import annotations

from fractions import Fraction

import pytest
from runs import EVERY, long, trace

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.trace import Trace
from timewait.proofs.next_steps import LONGEST, MOST_STATES, state_graph
from timewait.spec.composition import Composition
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.trace_actions import action_of

SHORT = [name for name in EVERY if len(trace(name).steps) <= LONGEST]
"""Runs around which other steps are explored."""
MOST = 60
"""States explored in these tests."""


@pytest.mark.parametrize("name", SHORT)
def test_the_run_is_part_of_the_graph(name: str) -> None:
    """Its states come first; each of its steps is offered where one of the instants tried is that of the run."""
    run = trace(name)
    graph = state_graph(run, MOST)
    assert graph is not None
    assert len(graph.states) <= max(MOST, len(run.steps) + 40)
    assert [dict(state.state()) for state in graph.states[: len(run.steps) + 1]] == [
        run.initial,
        *(step.state for step in run.steps),
    ]
    for number, step in enumerate(run.steps):
        offered = graph.steps[number]
        if offered is not None:
            actions = [action_of(other.event) for other in offered]
            assert action_of(step.event) in actions or step.delay > 0
            if step.delay == 0:
                assert str(step.event) in {str(other.event) for other in offered if other.delay == 0}


@pytest.mark.parametrize("name", SHORT)
def test_every_step_can_be_carried_out(name: str) -> None:
    """By its action alone, recovered from its event, and to the state that it names; a violation is not followed."""
    run = trace(name)
    graph = state_graph(run, MOST)
    assert graph is not None
    for state, offered in zip(graph.states, graph.steps, strict=True):
        if run.shows in state.broken:
            assert offered is None
        for other in offered or ():
            action = action_of(other.event)
            assert action is not None
            reached = [after for after in state.wait(other.delay).act(action) if after.event == other.event]
            target = graph.states[other.target]
            assert (target.broken, target.state()["A.state"], target.state()["B.state"]) in {
                (after.broken, after.state()["A.state"], after.state()["B.state"]) for after in reached
            }


@pytest.mark.parametrize("name", SHORT)
def test_no_step_is_missing(name: str) -> None:
    """At the start, every edge of the composition is offered; beyond them, only the same with other losses.

    Where a packet need not be delivered, the composition has no edge for its loss.
    """
    run = trace(name)
    automaton = CompiledAutomaton(Composition(configuration_from_data(run.about)))
    edges = {edge.original.action.identity for edge in automaton.location(automaton.start).edges}
    graph = state_graph(run, MOST)
    assert graph is not None
    offered = {action.identity for other in graph.steps[0] or () if (action := action_of(other.event)) is not None}
    assert edges <= offered
    assert {edge[:3] for edge in edges} == {step[:3] for step in offered}


def test_there_is_none() -> None:
    """Around a run that is long, and around one without a configuration."""
    whole = trace("lost-last-ack")
    assert state_graph(long(LONGEST + 1)) is None
    assert state_graph(Trace(whole.shows, whole.statement, whole.initial, whole.steps)) is None
    assert MOST_STATES > LONGEST
    explored = state_graph(whole, 1)
    assert explored is not None
    assert all(other.delay >= Fraction(0) for other in explored.steps[0] or ())
