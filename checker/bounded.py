"""Bounded model checking: is there a run of so many steps that ends in a bad one?

Each depth is one query over the locations and real-valued clocks along a path. A path of depth n stays in
locations from which a bad step can still be reached in time, which keeps the queries small. An answer
comes with exact delays; that there is none up to a depth proves nothing beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import NamedTuple

import z3

from timewait.checker.compiled import EXPIRED, CompiledEdge, CompiledLocation
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.linear import Terms
from timewait.checker.symbolic import Symbolic, Transition


@dataclass(frozen=True)
class Found:
    """A run that ends in a bad step.

    Attributes
    ----------
    run : Run
        Its moves, with the delays of the solver's model.
    path : list of (CompiledLocation, CompiledEdge)
        Its steps.
    parameters : mapping
        The values of all parameters in the model, in seconds.
    """

    run: Run
    path: list[tuple[CompiledLocation, CompiledEdge]]
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
        There is no run of so many steps or fewer; infinite where there is none at all.
    """

    found: Found | None
    reason: str
    clear: float


def search(symbolic: Symbolic, depth: int, budget: Budget) -> Searched:
    """Look for a shortest run to a bad step.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    depth : int
        Steps at most.
    budget : Budget
        Its time is a bound on the whole search.
    """
    steps = Steps(symbolic)
    distances = _distances(symbolic)
    first = distances.get(symbolic.automaton.start)
    if first is None:
        return Searched(None, "no bad step can be reached, whatever the durations", inf)
    for length in range(first, depth + 1):
        left = budget.seconds - budget.elapsed
        if left <= 0:
            return Searched(None, f"no run of fewer than {length} steps; stopped after {budget.seconds:g} s", length - 1)
        unrolling = Unrolling(steps, distances, length)
        unrolling.solver.set("timeout", max(int(left * 1000), 1))
        answer = unrolling.solver.check()
        if answer == z3.sat:
            return Searched(unrolling.found(), "", length - 1)
        if answer == z3.unknown:
            return Searched(None, f"no run of fewer than {length} steps; stopped after {budget.seconds:g} s", length - 1)
    return Searched(None, f"no run of up to {depth} steps", max(depth, first - 1))


def _distances(symbolic: Symbolic) -> dict[int, int]:
    """For each location the fewest steps to a bad one, itself counted."""
    distances = {place: 1 for place in symbolic.cone if any(map(symbolic.is_bad, symbolic.locations[place].edges))}
    frontier = sorted(distances)
    while frontier:
        reached = set(frontier)
        frontier = []
        for place in sorted(symbolic.cone):
            if place not in distances and any(edge.target in reached for edge in symbolic.locations[place].edges):
                distances[place] = 1 + min(
                    distances[edge.target] for edge in symbolic.locations[place].edges if edge.target in reached
                )
                frontier.append(place)
    return distances


class Steps:
    """The transitions of a question, written in the variables of each step of a path; each is written once.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    """

    def __init__(self, symbolic: Symbolic) -> None:
        self.symbolic = symbolic
        self._transitions: dict[int, tuple[Transition, ...]] = {}
        self._written: dict[tuple[int, int, int], z3.BoolRef] = {}

    def wait(self, step: int) -> z3.ArithRef:
        """The wait before a step."""
        return z3.Real(f"wait@{step}")

    def start(self) -> z3.BoolRef:
        """What holds of the live clocks of the initial location at the start."""
        values, condition = self.symbolic.start
        clocks = self._clocks(self.symbolic.automaton.start, 0)
        return z3.And(condition, *(clock == value for clock, value in zip(clocks, values, strict=True)))

    def out_of(self, place: int) -> tuple[Transition, ...]:
        """The transitions out of a location."""
        if place not in self._transitions:
            self._transitions[place] = tuple(self.symbolic.transitions(place))
        return self._transitions[place]

    def written(self, place: int, number: int, step: int) -> z3.BoolRef:
        """One of the transitions out of a location as one step of a path, with what the clocks show after it."""
        known = self._written.get((place, number, step))
        if known is None:
            transition = self.out_of(place)[number]
            clocks = [] if transition.target is None else self._clocks(transition.target, step + 1)
            after = [clock == value for clock, value in zip(clocks, transition.values, strict=True)]
            whole = z3.And(transition.formula, *after)
            known = z3.substitute(whole, *self._variables(transition, step))
            self._written[place, number, step] = known
        return known

    def _clocks(self, place: int, step: int) -> list[z3.ArithRef]:
        return [z3.Real(f"x{clock}@{step}") for clock in self.symbolic.live[place]]

    def _variables(self, transition: Transition, step: int) -> list[tuple[z3.ArithRef, z3.ArithRef]]:
        """The variables of a transition, each with that of a step: nothing but the next clocks has those already."""
        place = transition.source
        pairs = [(self.symbolic.wait, self.wait(step))]
        pairs += zip(self.symbolic.clocks(place), self._clocks(place, step), strict=True)
        dead = [clock for clock, origin in enumerate(transition.edge.updates) if origin == EXPIRED]
        return pairs + [(z3.Real(f"dead{clock}"), z3.Real(f"dead{clock}@{step}")) for clock in dead]


class Unrolling:
    """All paths of one length, as one query.

    Parameters
    ----------
    steps : Steps
        The question.
    distances : dict
        For each location the fewest steps to a bad one.
    length : int
        The number of steps.
    """

    def __init__(self, steps: Steps, distances: dict[int, int], length: int) -> None:
        self.steps = steps
        self.length = length
        self.solver = z3.SolverFor("QF_LRA")
        self.solver.add(steps.symbolic.assumption, steps.start())
        self.choices: list[list[tuple[z3.BoolRef, Transition]]] = []
        layer = {steps.symbolic.automaton.start: z3.BoolVal(True)}
        for step in range(length):
            layer = self._step(step, layer, distances)

    def _step(self, step: int, layer: dict[int, z3.BoolRef], distances: dict[int, int]) -> dict[int, z3.BoolRef]:
        remaining = self.length - step
        here = list(self._choices(step, layer, distances, remaining))
        self.choices.append([(chosen, transition) for chosen, transition, _ in here])
        self.solver.add(z3.PbEq([(chosen, 1) for chosen, _, _ in here], 1))
        following: dict[int, list[z3.BoolRef]] = {}
        for chosen, transition, written in here:
            self.solver.add(z3.Implies(chosen, z3.And(layer[transition.source], written)))
            if transition.target is not None:
                following.setdefault(transition.target, []).append(chosen)
        return {place: z3.Or(*ways) for place, ways in following.items()}

    def _choices(
        self, step: int, layer: dict[int, z3.BoolRef], distances: dict[int, int], remaining: int
    ) -> Iterator[tuple[z3.BoolRef, Transition, z3.BoolRef]]:
        for place in sorted(layer):
            for number, transition in enumerate(self.steps.out_of(place)):
                last = transition.target is None
                if last == (remaining == 1) and (last or distances.get(transition.target or 0, remaining) <= remaining - 1):
                    yield z3.Bool(f"take{place}.{number}@{step}"), transition, self.steps.written(place, number, step)

    def found(self) -> Found:
        """The run of the solver's model."""
        model, symbolic = self.solver.model(), self.steps.symbolic
        path, moves = [], []
        for step, here in enumerate(self.choices):
            transition = next(transition for chosen, transition in here if z3.is_true(model.eval(chosen, model_completion=True)))
            path.append((symbolic.locations[transition.source], transition.edge))
            moves.append(Move(fraction(model, self.steps.wait(step)), transition.edge.original.action))
        parameters = {name: fraction(model, value) for name, value in symbolic.parameters.items()}
        return Found(Run(tuple(moves)), path, parameters)


def fraction(model: z3.ModelRef, term: z3.ArithRef) -> Fraction:
    """What a term is in a model."""
    value = model.eval(term, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())
