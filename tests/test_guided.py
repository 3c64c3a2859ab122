"""Violations in dense time where copies are counted or packets queue: the search that an over-approximation guides."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from four_ways import fewest_steps, in_parts
from random_configurations import random_configuration
from test_compiled_zones import random_toy

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.explicit import Explicit, packed
from timewait.checker.finding import Budget
from timewait.checker.guided import Guide, GuidedEngine, guided_search
from timewait.checker.question import Engine
from timewait.checker.replay import replay
from timewait.checker.schedule import delays
from timewait.checker.verdict import Verdict
from timewait.checker.zone_graph import UNREACHABLE
from timewait.checker.zones import Zones
from timewait.proofs.claims import close
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES

SAFETY = (PROPERTIES["graceful"], PROPERTIES["isolation"])
LARGE = replace(close(30, 60, 30, 1), both_close=True, text=(1, 1))
"""Violated: late acknowledgements of text put off the FIN."""


def limited(number: int) -> Configuration:
    """A random configuration with few losses, in which copies are counted, or order is kept."""
    rng = random.Random(number)
    drawn = random_configuration(rng)
    drawn = replace(drawn, loss=min(drawn.loss or 0, 1), msl=Fraction(1))
    if drawn.duplication is None and not drawn.fifo:
        return replace(drawn, **rng.choice(({"duplication": 0}, {"duplication": 1}, {"fifo": True})))
    return drawn


def compared(number: int) -> Counter[str]:
    """Compare one draw with ticks, whole ones and parts of them; how many properties were decided, and how.

    Raises
    ------
    AssertionError
        The answers differ, or a run cannot be replayed.
    """
    asked = question(limited(number))
    found = {finding.name: finding for finding in GuidedEngine().decide(asked, SAFETY, Budget())}
    tally: Counter[str] = Counter()
    for entry in SAFETY:
        run = found[entry.name].run if entry.name in found else None
        if run is not None:
            replay(asked.initial_state, run, entry)
        ticks = packed(asked, Budget(states=20_000), frozenset({entry.name}))
        assert ticks is not None
        if entry.name in ticks.broken:
            assert run is not None, (number, entry.name)
            fewest = fewest_steps(Explicit(asked.compiled), frozenset({entry.name}))[entry.name]
            assert len(run.moves) <= fewest, (number, entry.name, len(run.moves), fewest)
            tally["violated"] += 1
        elif not ticks.stopped and run is not None:
            assert in_parts(asked, {entry.name}), (number, entry.name)
            tally["violated between ticks"] += 1
        else:
            tally["larger" if ticks.stopped else "not violated"] += 1
    return tally


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in range(10, 200, 10))])
def test_agreement_with_ticks(first: int) -> None:
    """It finds what ticks find, in no more steps, and nothing that parts of a tick do not show."""
    tally = sum((compared(number) for number in range(first, first + 10)), Counter[str]())
    assert tally["violated"] >= 1
    assert tally["violated"] + tally["violated between ticks"] + tally["not violated"] >= 8, tally


@pytest.mark.parametrize(
    "limits", [{"fifo": True, "duplication": 0}, {"fifo": True}, {"duplication": 0}, {"duplication": 1}], ids=str
)
def test_violations_of_large_systems(limits: dict[str, Any]) -> None:
    """With text both ways, either end first, the runs are found in dense time and replayed."""
    asked = question(replace(LARGE, **limits))
    for answer in decide(asked, SAFETY, Engine.AUTO, Budget(seconds=60)):
        assert (answer.verdict, answer.engine) == (Verdict.VIOLATED, "zones, dense time")
        assert answer.trace is not None
        assert len(answer.trace.steps) <= {"graceful": 11, "isolation": 14}[answer.name]


def test_toys_that_guide_themselves() -> None:
    """Toys drawn at random: what a system's own zones know of distances leads to a violation in no more steps than in ticks."""
    found = 0
    for seed in range(80):
        automaton = CompiledAutomaton(random_toy(random.Random(seed)))
        zones = Zones(automaton, keeps_included=True)
        zones.explore(Budget(states=3_000))
        if zones.stopped:
            continue
        guide, ticks = Guide(zones), Explicit(automaton)
        ticks.explore(Budget(states=20_000))
        for name in sorted({"p", "q"}):
            least = int(guide.graph.distances(name)[guide.graph.first])
            path = guided_search(automaton, guide, name, Budget(states=3_000)).path
            assert (path is None) == (least >= UNREACHABLE) == (name not in zones.broken), (seed, name)
            if path is not None:
                found += 1
                assert least <= len(path)
                assert delays(path, automaton.system.parameters, ticks.unit) is not None
            if name in ticks.broken:
                assert path is not None
                assert len(path) <= fewest_steps(ticks, frozenset({name}))[name]
    assert found >= 40


@pytest.mark.parametrize(
    "bound",
    [{"states": 5}, {"seconds": 0.0}, {"megabytes": 1.0}, {"interrupted": lambda: True}],
    ids=lambda bound: next(iter(bound)),
)
def test_a_search_says_that_it_reached_a_bound(bound: dict[str, Any]) -> None:
    """A search that a bound ends has no path and says so; only one that ends by itself shows that there is no violation."""
    asked = question(replace(close(1, 2, 1, 1), duplication=0))
    zones = Zones(asked.coarse, keeps_included=True)
    zones.explore(Budget())
    found = guided_search(asked.compiled, Guide(zones), "no-stray-reset", Budget(**bound))
    assert found.path is None
    assert found.stopped
    assert guided_search(asked.compiled, Guide(zones), "no-stray-reset", Budget()).path is not None
    assert guided_search(asked.compiled, Guide(zones), "isolation", Budget()) == (None, "")


def test_bounds_of_the_search() -> None:
    """A search that reaches its bound, or has no over-approximation, leaves the property open."""
    asked = question(replace(LARGE, fifo=True))
    assert GuidedEngine().decide(asked, SAFETY, Budget(states=5)) == []
    assert not GuidedEngine().supports(question(replace(LARGE, loss=0, duplication=0, lossless=True)))
    assert not GuidedEngine().supports(question(LARGE))
