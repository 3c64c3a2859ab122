"""Bounded model checking: a shortest run that ends in a bad step, one query for each length.

A run comes with exact delays. That there is none up to a length proves nothing beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import z3

from timewait.checker.compiled import INACTIVE, CompiledEdge, CompiledPath
from timewait.checker.finding import Budget, Run
from timewait.checker.linear import Terms
from timewait.checker.symbolic import Symbolic, Transition
from timewait.checker.unrolling import Unrolling, clocks_before, delay_before, distances, exactly_one, fraction, moves


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
        unrolling = BoundedUnrolling(steps, to_bad, length)
        answer = unrolling.solve(budget)
        if answer == z3.sat:
            return Searched(unrolling.found(), "", length - 1)
        if answer == z3.unknown:
            return Searched(None, f"no run of fewer than {length} steps; stopped after {budget.seconds:g} s", length - 1)
    return Searched(None, f"no run of up to {depth} steps", max(depth, shortest - 1))


class StepFormulas:
    """The transitions of a system over the variables of each step of a path; each formula is built once.

    Parameters
    ----------
    symbolic : Symbolic
        The system as formulas.
    """

    def __init__(self, symbolic: Symbolic) -> None:
        self.symbolic = symbolic
        self._transitions: dict[int, tuple[Transition, ...]] = {}
        self._formulas: dict[tuple[int, int, int], z3.BoolRef] = {}

    def clocks(self, location: int, step: int) -> list[z3.ArithRef]:
        """The live clocks of a location that is entered before a step."""
        return clocks_before(self.symbolic.live[location], step)

    def transitions(self, location: int) -> tuple[Transition, ...]:
        """The transitions out of a location."""
        if location not in self._transitions:
            self._transitions[location] = tuple(self.symbolic.transitions(location))
        return self._transitions[location]

    def formula(self, location: int, number: int, step: int) -> z3.BoolRef:
        """The condition on a step that takes a transition out of a location, with the values of the clocks after it."""
        known = self._formulas.get((location, number, step))
        if known is None:
            transition = self.transitions(location)[number]
            clocks = [] if transition.target is None else self.clocks(transition.target, step + 1)
            after = [clock == value for clock, value in zip(clocks, transition.values, strict=True)]
            formula = z3.And(transition.formula, *after)
            known = z3.substitute(formula, *self._variables(transition, step))
            self._formulas[location, number, step] = known
        return known

    def _variables(self, transition: Transition, step: int) -> list[tuple[z3.ArithRef, z3.ArithRef]]:
        """The variables of a transition, each with the variable of the step that replaces it."""
        source = transition.source
        pairs = [(self.symbolic.wait, delay_before(step))]
        pairs += zip(self.symbolic.clocks(source), self.clocks(source, step), strict=True)
        inactive = [clock for clock, update in enumerate(transition.edge.updates) if update == INACTIVE]
        return pairs + [(z3.Real(f"dead{clock}"), z3.Real(f"dead{clock}@{step}")) for clock in inactive]


class BoundedUnrolling(Unrolling):
    """Paths that end in a bad step.

    Parameters
    ----------
    steps : StepFormulas
        The system.
    distances, length
        As for `Unrolling`.
    """

    def __init__(self, steps: StepFormulas, distances: Mapping[int, int], length: int) -> None:
        self.steps = steps
        super().__init__(steps.symbolic.automaton.start, distances, length)

    def _start(self) -> Iterable[z3.BoolRef]:
        symbolic, assumption = self.steps.symbolic, self.steps.symbolic.assumption
        values, condition = symbolic.start
        clocks = self.steps.clocks(symbolic.automaton.start, 0)
        equal = z3.And(condition, *(clock == value for clock, value in zip(clocks, values, strict=True)))
        return assumption, equal

    def _transitions(self, location: int) -> Iterator[tuple[int | None, CompiledEdge]]:
        for transition in self.steps.transitions(location):
            yield transition.target, transition.edge

    def _unroll(self, step: int, distances: Mapping[int, int], remaining: int) -> None:
        possible = [
            (choice, self.steps.formula(choice.source, choice.number, step))
            for choice in self._possible(step, distances, remaining)
        ]
        self.choices.append([choice for choice, _ in possible])
        self.solver.add(exactly_one(choice.taken for choice, _ in possible))
        for choice, formula in possible:
            self.solver.add(z3.Implies(choice.taken, z3.And(self.layers[-1][choice.source], formula)))
        self._add_layer()

    def found(self) -> Found:
        """The run of the solver's model."""
        model, symbolic = self.solver.model(), self.steps.symbolic
        path = self.path(model)
        parameters = {name: fraction(model, value) for name, value in symbolic.parameters.items()}
        edges = [(symbolic.locations[choice.source], choice.edge) for choice in path]
        return Found(Run(moves(path, model)), edges, parameters)
