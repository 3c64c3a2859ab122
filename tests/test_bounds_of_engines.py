"""Every engine keeps to a bound on states, time or memory, and hears an interruption: it is inconclusive, never a proof."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from engine_in_bounds import BOUNDS as OWN_BOUNDS
from engine_in_bounds import USES

from timewait.checker.decide import ENGINES
from timewait.checker.dense_lasso import DenseLassoEngine
from timewait.checker.engine import DecisionEngine
from timewait.checker.finding import Budget, Finding, Stopped
from timewait.checker.smt import SmtEngine
from timewait.checker.unlimited_engines import NarrowerEngine
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),), both_close=True)
"""A configuration whose properties are proved when there is time for it."""

MUCH_TEXT = replace(SOME, text=(2, 2))
"""A configuration of which there are narrower ones."""

SLACK = {"seconds": 20.0, "megabytes": 250.0}
"""What a process may use beyond its bounds: a solver has a little more time to end, and loads code of its own."""

BOUNDS = {
    "states": Budget(states=3),
    "time": Budget(seconds=0.0),
    "memory": Budget(megabytes=1.0),
    "interruption": Budget(interrupted=lambda: True),
}


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
def test_bound(engine: DecisionEngine, bound: str) -> None:
    """The engine stops at once with the reason."""
    if bound == "states" and isinstance(engine, (SmtEngine, DenseLassoEngine)):
        pytest.skip("a solver stores no states")
    asked = next(entry for entry in PROPERTIES.values() if entry.kind == engine.kind)
    budget = BOUNDS[bound].fresh()
    whole = replace(question(MUCH_TEXT if isinstance(engine, NarrowerEngine) else SOME), quotient_budget=budget)
    left_open = Finding(asked.name, Verdict.INCONCLUSIVE, "", reason="left to the engines after it")
    try:
        (found,) = engine.decide(whole, [asked], budget) or [left_open]
    except Stopped as stopped:
        found = Finding(asked.name, Verdict.INCONCLUSIVE, "", reason=str(stopped))
    assert (found.verdict, bool(found.reason)) == (Verdict.INCONCLUSIVE, True)
    assert budget.elapsed < 30


@pytest.mark.slow
@pytest.mark.parametrize("bound", OWN_BOUNDS)
@pytest.mark.parametrize("name", USES)
def test_a_large_question(name: str, bound: str) -> None:
    """On a question that is too large, the process of an engine stays near its bounds, and no answer looks like a proof."""
    command = [sys.executable, str(Path(__file__).with_name("engine_in_bounds.py")), name, bound]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    used = json.loads(done.stdout)
    assert used["answer"].startswith("inconclusive: "), used
    assert used["answer"] != "inconclusive: ", used
    assert used[bound] <= OWN_BOUNDS[bound] + SLACK[bound], used
