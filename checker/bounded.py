"""Bounded model checking: is there a run of so many steps that ends in a bad one?

Each depth is one query over the locations and real-valued clocks along a path. A path of depth n stays in
locations from which a bad step can still be reached in time, which keeps the queries small. An answer
comes with exact delays; that there is none up to a depth proves nothing beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import z3

from checker.finding import Budget, Move, Run
from checker.formulas import variables_of
from checker.linear import Terms
from checker.symbolic import Symbolic, Transition
from checker.table import Door, Room


@dataclass(frozen=True)
class Found:
    """A run that ends in a bad step.

    Attributes
    ----------
    run : Run
        Its moves, with the delays of the solver's model.
    path : list of (Room, Door)
        Its steps.
    parameters : mapping
        The values of all parameters in the model, in seconds.
    """

    run: Run
    path: list[tuple[Room, Door]]
    parameters: Terms


def search(symbolic: Symbolic, depth: int, budget: Budget) -> tuple[Found | None, str]:
    """Look for a shortest run to a bad step.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    depth : int
        Steps at most.
    budget : Budget
        Its time is a bound on the whole search.

    Returns
    -------
    found : Found or None
    reason : str
        How far the search went.
    """
    distances = _distances(symbolic)
    first = distances.get(symbolic.table.start)
    if first is None:
        return None, "no bad step can be reached, whatever the durations"
    for length in range(first, depth + 1):
        left = budget.seconds - budget.elapsed
        if left <= 0:
            return None, f"no run of fewer than {length} steps; stopped after {budget.seconds:g} s"
        unrolling = Unrolling(symbolic, distances, length)
        unrolling.solver.set("timeout", int(left * 1000))
        answer = unrolling.solver.check()
        if answer == z3.sat:
            return unrolling.found(), ""
        if answer == z3.unknown:
            return None, f"no run of fewer than {length} steps; stopped after {budget.seconds:g} s"
    return None, f"no run of up to {depth} steps"


def _distances(symbolic: Symbolic) -> dict[int, int]:
    """For each location the fewest steps to a bad one, itself counted."""
    distances = {place: 1 for place in symbolic.cone if any(map(symbolic.is_bad, symbolic.rooms[place].doors))}
    frontier = sorted(distances)
    while frontier:
        reached = set(frontier)
        frontier = []
        for place in sorted(symbolic.cone):
            if place not in distances and any(door.target in reached for door in symbolic.rooms[place].doors):
                distances[place] = 1 + min(
                    distances[door.target] for door in symbolic.rooms[place].doors if door.target in reached
                )
                frontier.append(place)
    return distances


class Unrolling:
    """All paths of one length, as one query.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    distances : dict
        For each location the fewest steps to a bad one.
    length : int
        The number of steps.
    """

    def __init__(self, symbolic: Symbolic, distances: dict[int, int], length: int) -> None:
        self.symbolic = symbolic
        self.length = length
        self.solver = z3.SolverFor("QF_LRA")
        self.solver.add(symbolic.assumption)
        self.waits = [z3.Real(f"wait@{step}") for step in range(length)]
        self.choices: list[list[tuple[z3.BoolRef, Transition]]] = []
        layer = {symbolic.table.start: z3.BoolVal(True)}
        values, condition = symbolic.start
        here = [self._at(value, 0) for value in values]
        self._enter(symbolic.table.start, 0, here, condition, z3.BoolVal(True))
        for step in range(length):
            layer = self._step(step, layer, distances)

    def _clocks(self, place: int, step: int) -> list[z3.ArithRef]:
        return [z3.Real(f"x{clock}@{step}") for clock in self.symbolic.live[place]]

    def _enter(self, place: int, step: int, values: list[z3.ArithRef], condition: z3.BoolRef, when: z3.BoolRef) -> None:
        equations = [clock == value for clock, value in zip(self._clocks(place, step), values, strict=True)]
        self.solver.add(z3.Implies(when, z3.And(self._at(condition, step), *equations)))

    def _at(self, formula: z3.ExprRef, step: int) -> z3.ExprRef:
        """A formula of `Symbolic`, its variables those of one step."""
        pairs = [
            (variable, z3.Real(f"{variable}@{step}"))
            for variable in variables_of(formula)
            if str(variable) not in self.symbolic.symbols
        ]
        return z3.substitute(formula, *pairs) if pairs else formula

    def _step(self, step: int, layer: dict[int, z3.BoolRef], distances: dict[int, int]) -> dict[int, z3.BoolRef]:
        remaining = self.length - step
        here = list(self._choices(step, layer, distances, remaining))
        self.choices.append(here)
        self.solver.add(z3.PbEq([(chosen, 1) for chosen, _ in here], 1))
        following: dict[int, list[z3.BoolRef]] = {}
        for chosen, transition in here:
            self.solver.add(z3.Implies(chosen, z3.And(layer[transition.source], self._at(transition.formula, step))))
            if transition.target is not None:
                values = [self._at(value, step) for value in transition.values]
                self._enter(transition.target, step + 1, values, z3.BoolVal(True), chosen)
                following.setdefault(transition.target, []).append(chosen)
        return {place: z3.Or(*ways) for place, ways in following.items()}

    def _choices(
        self, step: int, layer: dict[int, z3.BoolRef], distances: dict[int, int], remaining: int
    ) -> Iterator[tuple[z3.BoolRef, Transition]]:
        for place in sorted(layer):
            for number, transition in enumerate(self.symbolic.transitions(place)):
                last = transition.target is None
                if last == (remaining == 1) and (last or distances.get(transition.target or 0, remaining) <= remaining - 1):
                    yield z3.Bool(f"take{place}.{number}@{step}"), transition

    def found(self) -> Found:
        """The run of the solver's model."""
        model = self.solver.model()
        path, moves = [], []
        for step, here in enumerate(self.choices):
            transition = next(transition for chosen, transition in here if z3.is_true(model.eval(chosen, model_completion=True)))
            path.append((self.symbolic.rooms[transition.source], transition.door))
            moves.append(Move(_fraction(model, self.waits[step]), transition.door.edge.action))
        parameters = {name: _fraction(model, value) for name, value in self.symbolic.parameters.items()}
        return Found(Run(tuple(moves)), path, parameters)


def _fraction(model: z3.ModelRef, term: z3.ArithRef) -> Fraction:
    value = model.eval(term, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())
