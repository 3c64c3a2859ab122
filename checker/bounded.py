"""Bounded model checking: a shortest run that ends in a bad step, one query for each length.

A run comes with exact delays. That there is none up to a length proves nothing beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import z3

from timewait.checker.compiled import CompiledPath
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.linear import Terms
from timewait.checker.symbolic import Symbolic
from timewait.checker.unrolling import StepFormulas, Unrolling, distances, fraction


@dataclass(frozen=True)
class Found:
    """A run that ends in a bad step.

    Attributes
    ----------
    run : Run
        Its moves, with the delays of the solver's model.
    path : list of (CompiledLocation, CompiledEdge)
        Its edges, each with its source.
    parameters : mapping
        The values of all parameters in the model, in seconds.
    """

    run: Run
    path: CompiledPath
    parameters: Terms


class Searched(NamedTuple):
    """How a search ended.

    Attributes
    ----------
    found : Found or None
        A shortest run.
    reason : str
        How far the search went where there is none.
    clear : float
        The largest length up to which no run exists; infinite where there is none at all.
    """

    found: Found | None
    reason: str
    clear: float


def search(symbolic: Symbolic, depth: int, budget: Budget) -> Searched:
    """Search for a shortest run to a bad step.

    Parameters
    ----------
    symbolic : Symbolic
        The system and its bad steps.
    depth : int
        Steps at most.
    budget : Budget
        Its time limits the whole search.
    """
    steps = StepFormulas(symbolic)
    bad = frozenset(number for number in symbolic.cone if any(map(symbolic.is_bad, symbolic.locations[number].edges)))
    to_bad = {number: distance + 1 for number, distance in distances(symbolic.locations, bad).items()}
    shortest = to_bad.get(symbolic.automaton.start)
    if shortest is None:
        return Searched(None, "no bad step can be reached, whatever the durations", inf)
    for length in range(shortest, depth + 1):
        unrolling = Unrolling(steps, to_bad, length)
        answer = unrolling.solve(budget)
        if answer == z3.sat:
            return Searched(_found(unrolling), "", length - 1)
        if answer == z3.unknown:
            return Searched(None, f"no run of fewer than {length} steps; stopped after {budget.seconds:g} s", length - 1)
    return Searched(None, f"no run of up to {depth} steps", max(depth, shortest - 1))


def _found(unrolling: Unrolling) -> Found:
    """The run of the solver's model."""
    model, steps = unrolling.solver.model(), unrolling.steps
    path, moves = [], []
    for step, (_, transition) in enumerate(unrolling.path(model)):
        path.append((steps.symbolic.locations[transition.source], transition.edge))
        moves.append(Move(fraction(model, steps.delay(step)), transition.edge.original.action))
    parameters = {name: fraction(model, value) for name, value in steps.symbolic.parameters.items()}
    return Found(Run(tuple(moves)), path, parameters)
