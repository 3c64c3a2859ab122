"""Systems with less text: every step of one is a step of those with more, and its violations are theirs."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine, Question
from timewait.checker.unlimited_engines import NarrowerEngine
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import close
from timewait.proofs.question import less_text, question
from timewait.spec.handshake import compose
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.automaton import Location, TimedAutomaton

SAFETY = (PROPERTIES["graceful"], PROPERTIES["isolation"])
LARGE = replace(close(2, 4, 2, 1), text=(1, 1), both_close=True)
"""Violated: late acknowledgements of text put off the FIN."""


@pytest.mark.parametrize(
    ("text", "less"),
    [
        ((0, 0), []),
        ((0, 1), [(0, 0)]),
        ((1, 1), [(0, 0), (0, 1), (1, 0)]),
        ((3, 3), [(0, 0), (0, 1), (1, 0)]),
        ((2, 0), [(0, 0), (1, 0)]),
    ],
)
def test_less_text(text: tuple[int, int], less: list[tuple[int, int]]) -> None:
    """None, and an octet from one end alone, where that is less."""
    assert [each.text for each in less_text(replace(LARGE, text=text))] == less


def test_a_proof_for_an_octet_is_none_for_two() -> None:
    """One more octet may put off the FIN once more (C17): what docs/theory/semantics.md says of the number of octets."""
    graceful = PROPERTIES["graceful"]
    verdicts = []
    for octets in (1, 2):
        asked = question(replace(close(4, Fraction(13, 2), 1, 1), text=(0, octets)))
        verdicts += [answer.verdict for answer in decide(asked, [graceful], Engine.AUTO, Budget())]
    assert verdicts == [Verdict.PROVED, Verdict.VIOLATED]


@pytest.mark.parametrize("fifo", [False, True])
def test_every_step_is_one_with_more_text(fifo: bool) -> None:
    """Wherever the composition with less text is, the one with more has the same edges, and perhaps more."""
    whole, rng, steps = replace(LARGE, text=(2, 2), fifo=fifo), random.Random(9293), 0
    for less in less_text(whole):
        small, large = compose(less), compose(whole)
        assert small.initial() == large.initial()
        for _ in range(15):
            place: Location = small.initial()
            for _ in range(30):
                edges = [*small.edges(place)]
                more = [*large.edges(place)]
                assert all(edge in more for edge in edges)
                assert (small.invariant(place), small.clocks(place)) == (large.invariant(place), large.clocks(place))
                if not edges:
                    break
                place, steps = rng.choice(edges).target, steps + 1
    assert steps > 300


def test_a_violation_with_less_text_is_one() -> None:
    """The run of a violation that less text suffices for is replayed with all the text."""
    asked = question(LARGE)
    assert {found.verdict for found in NarrowerEngine().decide(asked, SAFETY, Budget())} == {Verdict.VIOLATED}
    for answer in decide(asked, SAFETY, Engine.AUTO, Budget()):
        assert answer.verdict is Verdict.VIOLATED
        assert answer.trace is not None


def test_less_text_proves_nothing() -> None:
    """Where less text violates nothing, the engine leaves the properties to others."""
    safe = replace(LARGE, time_wait=20 * LARGE.msl)
    assert NarrowerEngine().decide(question(safe), SAFETY, Budget()) == []


@pytest.mark.parametrize("budget", [Budget(seconds=1e-9), Budget(interrupted=lambda: True)], ids=["time", "interrupted"])
def test_bounds_of_the_systems_with_less_text(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that is reached in one of them leaves the properties to others, and their quotients have the bounds asked for."""
    bounds: list[Budget | None] = []
    quotient_of = Question.quotient_of

    def noted(asked: Question, system: TimedAutomaton) -> CompiledAutomaton:
        bounds.append(asked.quotient_budget)
        return quotient_of(asked, system)

    monkeypatch.setattr(Question, "quotient_of", noted)
    assert NarrowerEngine().decide(replace(question(LARGE), quotient_budget=budget), SAFETY, budget) == []
    assert bounds
    assert all(bound is not None and bound.seconds <= budget.seconds for bound in bounds)
