"""All paths of one length as one SMT query: the unrolling under bounded model checking and under dense lassos.

The clocks along a path are real variables, one set for each step. A path stays in locations from which the goal can
still be reached in the steps that are left, which keeps the queries small.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from fractions import Fraction
from typing import ClassVar, NamedTuple

import z3

from timewait.checker.compiled import EXPIRED, CompiledLocation
from timewait.checker.finding import Budget
from timewait.checker.symbolic import Symbolic, Transition


class Choice(NamedTuple):
    """A transition that may be one step of a path.

    Attributes
    ----------
    taken : BoolRef
        The variable that says that it is.
    transition : Transition
        The transition.
    """

    taken: z3.BoolRef
    transition: Transition


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

    def delay(self, step: int) -> z3.ArithRef:
        """The delay before a step."""
        return z3.Real(f"wait@{step}")

    def clocks(self, location: int, step: int) -> list[z3.ArithRef]:
        """The live clocks of a location that is entered before a step."""
        return [z3.Real(f"x{clock}@{step}") for clock in self.symbolic.live[location]]

    def start(self) -> list[z3.BoolRef]:
        """The assumptions, and the values of the live clocks of the initial location."""
        values, condition = self.symbolic.start
        clocks = self.clocks(self.symbolic.automaton.start, 0)
        equal = z3.And(condition, *(clock == value for clock, value in zip(clocks, values, strict=True)))
        return [self.symbolic.assumption, equal]

    def transitions(self, location: int) -> tuple[Transition, ...]:
        """The transitions out of a location."""
        if location not in self._transitions:
            self._transitions[location] = tuple(self.symbolic.transitions(location))
        return self._transitions[location]

    def of_step(self, step: int) -> list[z3.BoolRef]:
        """The conditions on a step, whichever transition it takes."""
        del step
        return []

    def conditions(self, location: int, number: int, step: int) -> Iterable[z3.BoolRef]:
        """The conditions on a step that takes a transition out of a location, with the values of the clocks after it."""
        known = self._formulas.get((location, number, step))
        if known is None:
            transition = self.transitions(location)[number]
            clocks = [] if transition.target is None else self.clocks(transition.target, step + 1)
            after = [clock == value for clock, value in zip(clocks, transition.values, strict=True)]
            formula = z3.And(transition.formula, *after)
            known = z3.substitute(formula, *self._variables(transition, step))
            self._formulas[location, number, step] = known
        return [known]

    def _variables(self, transition: Transition, step: int) -> list[tuple[z3.ArithRef, z3.ArithRef]]:
        """The variables of a transition, each with the variable of the step that replaces it."""
        source = transition.source
        pairs = [(self.symbolic.wait, self.delay(step))]
        pairs += zip(self.symbolic.clocks(source), self.clocks(source, step), strict=True)
        expired = [clock for clock, update in enumerate(transition.edge.updates) if update == EXPIRED]
        return pairs + [(z3.Real(f"dead{clock}"), z3.Real(f"dead{clock}@{step}")) for clock in expired]


class Unrolling:
    """All paths of one length, as one query.

    Parameters
    ----------
    steps : StepFormulas
        The system.
    distances : mapping
        For each location the fewest steps to the goal; a transition without a target reaches it.
    length : int
        The number of steps.
    """

    kept_layers: ClassVar[int | None] = 1
    """The number of layers kept, the last ones: each says which locations a path may be in before a step; None for all."""

    def __init__(self, steps: StepFormulas, distances: Mapping[int, int], length: int) -> None:
        self.layers: deque[dict[int, z3.BoolRef]] = deque(maxlen=self.kept_layers)
        self.steps = steps
        self.solver = z3.SolverFor("QF_LRA")
        self.solver.add(*steps.start())
        self.layers.append({steps.symbolic.automaton.start: z3.BoolVal(True)})
        self.choices: list[list[Choice]] = []
        for step in range(length):
            self._unroll(step, list(self._possible(step, distances, length - step)))

    def _unroll(self, step: int, possible: list[tuple[Choice, Iterable[z3.BoolRef]]]) -> None:
        layer = self.layers[-1]
        self.choices.append([choice for choice, _ in possible])
        self.solver.add(*self.steps.of_step(step), z3.PbEq([(choice.taken, 1) for choice, _ in possible], 1))
        following: dict[int, list[z3.BoolRef]] = {}
        for (taken, transition), conditions in possible:
            self.solver.add(z3.Implies(taken, z3.And(layer[transition.source], *conditions)))
            if transition.target is not None:
                following.setdefault(transition.target, []).append(taken)
        self.layers.append({location: z3.Or(*ways) for location, ways in following.items()})

    def _possible(self, step: int, distances: Mapping[int, int], remaining: int) -> Iterator[tuple[Choice, Iterable[z3.BoolRef]]]:
        """The transitions from which the goal can be reached in the steps that are left, each with its conditions."""
        for location in sorted(self.layers[-1]):
            for number, transition in enumerate(self.steps.transitions(location)):
                target = transition.target
                if remaining == 1 if target is None else distances.get(target, remaining) < remaining:
                    taken = z3.Bool(f"take{location}.{number}@{step}")
                    yield Choice(taken, transition), self.steps.conditions(location, number, step)

    def solve(self, budget: Budget) -> z3.CheckSatResult:
        """Whether there is such a path, within the time that is left of a budget."""
        left = budget.seconds - budget.elapsed
        if left <= 0:
            return z3.unknown
        self.solver.set("timeout", max(int(left * 1000), 1))
        return self.solver.check()

    def path(self, model: z3.ModelRef) -> Iterator[Choice]:
        """The choices that a model takes, in order."""
        for choices in self.choices:
            yield next(choice for choice in choices if holds(model, choice.taken))


def distances(locations: tuple[CompiledLocation, ...], goal: Set[int]) -> dict[int, int]:
    """For each location from which edges lead to the goal, the fewest edges to it."""
    found = dict.fromkeys(goal, 0)
    frontier, distance = set(goal), 0
    while frontier:
        frontier = {
            number
            for number, location in enumerate(locations)
            if number not in found and any(edge.target in frontier for edge in location.edges)
        }
        distance += 1
        found |= dict.fromkeys(frontier, distance)
    return found


def fraction(model: z3.ModelRef, term: z3.ArithRef) -> Fraction:
    """The value of a term in a model."""
    value = model.eval(term, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def holds(model: z3.ModelRef, formula: z3.BoolRef) -> bool:
    """Whether a formula is true in a model."""
    return bool(z3.is_true(model.eval(formula, model_completion=True)))
