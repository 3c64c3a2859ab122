"""All paths of one length as one SMT query: the unrolling under bounded model checking and under dense lassos.

The clocks along a path are real variables, one set for each step. A path stays in locations from which the goal can
still be reached in the steps that are left, which keeps the queries small.

The model that Z3 finds depends on the order in which terms are created, asserted and freed. Reordering the statements of
an unrolling can change the runs that are reported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from fractions import Fraction
from typing import ClassVar, NamedTuple

import z3

from timewait.checker import solvers
from timewait.checker.compiled import CompiledEdge, CompiledLocation
from timewait.checker.finding import Budget, Move


class Choice(NamedTuple):
    """A transition that may be one step of a path.

    Attributes
    ----------
    source : int
        The location that it leaves.
    number : int
        Its position among the transitions out of the source.
    target : int or None
        The location that it enters; None for a bad step.
    edge : CompiledEdge
        Its edge.
    taken : BoolRef
        The variable that is true if the path takes it.
    """

    source: int
    number: int
    target: int | None
    edge: CompiledEdge
    taken: z3.BoolRef


def delay_before(step: int) -> z3.ArithRef:
    """The delay before a step."""
    return z3.Real(f"wait@{step}")


def clocks_before(clocks: Iterable[int], step: int) -> list[z3.ArithRef]:
    """Some clocks, by position, of the location that is entered before a step."""
    return [z3.Real(f"x{clock}@{step}") for clock in clocks]


class Unrolling(ABC):
    """All paths of one length, as one query.

    Parameters
    ----------
    start : int
        The initial location.
    distances : mapping
        For each location the fewest steps to the goal; a transition without a target reaches it.
    length : int
        The number of steps.

    Attributes
    ----------
    layers : list of dict
        For each location that a path may be in before a step, the condition that it is; the last layer, or all.
    choices : list of list of Choice
        For each step the transitions that may be taken.
    """

    keeps_layers: ClassVar[bool] = False
    """Whether the layers before the last are kept."""

    def __init__(self, start: int, distances: Mapping[int, int], length: int) -> None:
        self.solver = solvers.solver("QF_LRA")
        self.solver.add(*self._start())
        self.layers: list[dict[int, z3.BoolRef]] = [{start: z3.BoolVal(True)}]
        self.choices: list[list[Choice]] = []
        for step in range(length):
            self._unroll(step, distances, length - step)

    @abstractmethod
    def _start(self) -> Iterable[z3.BoolRef]:
        """The conditions on the clocks of the initial location."""

    @abstractmethod
    def _transitions(self, location: int) -> Iterable[tuple[int | None, CompiledEdge]]:
        """The targets and edges of the transitions out of a location."""

    @abstractmethod
    def _unroll(self, step: int, distances: Mapping[int, int], remaining: int) -> None:
        """Add the choices of a step, assert that exactly one is taken, under its conditions, and add the next layer."""

    def _possible(self, step: int, distances: Mapping[int, int], remaining: int) -> Iterator[Choice]:
        """The transitions from which the goal can be reached in the steps that are left."""
        for source in sorted(self.layers[-1]):
            for number, (target, edge) in enumerate(self._transitions(source)):
                if remaining == 1 if target is None else distances.get(target, remaining) < remaining:
                    yield Choice(source, number, target, edge, z3.Bool(f"take{source}.{number}@{step}"))

    def _add_layer(self) -> None:
        """Add the layer after the last choices."""
        following: dict[int, list[z3.BoolRef]] = {}
        for choice in self.choices[-1]:
            if choice.target is not None:
                following.setdefault(choice.target, []).append(choice.taken)
        self.layers.append({location: z3.Or(*ways) for location, ways in following.items()})
        if not self.keeps_layers:
            del self.layers[:-1]

    def solve(self, budget: Budget) -> z3.CheckSatResult:
        """Whether there is such a path, within the time that is left of a budget."""
        left = budget.seconds - budget.elapsed
        if left <= 0 or budget.interrupted():
            return z3.unknown
        self.solver.set("timeout", max(int(left * 1000), 1))
        return solvers.answer(self.solver, budget.interrupted)

    def path(self, model: z3.ModelRef) -> list[Choice]:
        """The choices that a model takes, in order."""
        return [next(choice for choice in choices if holds(model, choice.taken)) for choices in self.choices]


def exactly_one(variables: Iterable[z3.BoolRef]) -> z3.BoolRef:
    """Exactly one of some variables is true."""
    return z3.PbEq([(variable, 1) for variable in variables], 1)


def moves(path: Sequence[Choice], model: z3.ModelRef) -> tuple[Move, ...]:
    """The moves along a path, with the delays of a model."""
    return tuple(Move(fraction(model, delay_before(step)), choice.edge.original.action) for step, choice in enumerate(path))


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
