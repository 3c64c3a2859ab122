"""Runs without end in dense time along which a property stays pending: a path and a loop, found by a solver.

The graph alone leaves strongly connected components in which a fair run may stay (`timewait.checker.structural`). A path
into such a component and round a loop in it is one query over real-valued clocks: at the end of the loop every clock
has the value that it had at its start, time has passed, and each fairness name is served in the loop or never possible.
Or the path ends where time may pass for ever and fairness forces nothing. The cost does not depend on the number of
ticks of a duration. That no such run of so many steps exists proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product

import z3

from timewait.checker.bounded_process import bounded
from timewait.checker.compiled import CompiledAutomaton, CompiledBound, CompiledEdge, carried
from timewait.checker.engine import DecisionEngine
from timewait.checker.finding import Budget, Finding, Move, Run, Stopped
from timewait.checker.question import Engine, Question
from timewait.checker.structural import GraphEdge, undecided
from timewait.checker.symbolic import compare, numeral
from timewait.checker.unrolling import Unrolling, clocks_before, delay_before, distances, exactly_one, holds, moves
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Property

MAX_STEPS = 14
"""Steps of the longest run that is searched for, its loop included."""

MAX_SECONDS = 60.0
"""Seconds of a search before states in ticks are explored instead."""


def find_dense_lasso(automaton: CompiledAutomaton, asked: Property, depth: int, budget: Budget) -> Run | None:
    """A fair run along which a property stays pending for ever, with exact delays; None when none was found.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, small enough to be compiled whole.
    asked : Property
        An ``eventually`` property.
    depth : int
        Steps at most, loop included.
    budget : Budget
        Its time limits the whole search.
    """
    locations, start = automaton.explore(), automaton.start
    components = [(nodes, edges, distances(locations, nodes)) for nodes, edges in undecided(automaton, asked)]
    resting = frozenset() if asked.recurrent else frozenset(_resting(automaton, [nodes for nodes, _, _ in components]))
    to_rest = distances(locations, resting)
    for length in range(depth + 1):
        resting_here = to_rest.get(start, depth + 1) <= length
        unrollings: list[DenseUnrolling] = [RestUnrolling(automaton, resting, to_rest, length)] if resting_here else []
        for nodes, edges, to_component in components:
            if edges and to_component.get(start, depth) < length:
                unrollings.append(LoopUnrolling(automaton, asked, nodes, edges, to_component, length))
        for unrolling in unrollings:
            answer = unrolling.solve(budget)
            if answer == z3.sat:
                return unrolling.run()
    return None


def _resting(automaton: CompiledAutomaton, components: Sequence[frozenset[int]]) -> Iterator[int]:
    """The locations of some components in which time may pass for ever, and fairness forces nothing in the end."""
    for number in sorted(frozenset().union(*components)):
        location = automaton.location(number)
        late = (edge for edge in location.edges if not any(bound.relation in ("<=", "==") for bound in edge.guard))
        if not location.invariant and not any(edge.original.fair for edge in late):
            yield number


class DenseUnrolling(Unrolling):
    """All paths of one length through a whole system: a condition for each bound and each clock.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    distances, length
        As for `Unrolling`.
    """

    keeps_layers = True

    def __init__(self, automaton: CompiledAutomaton, distances: Mapping[int, int], length: int) -> None:
        self.automaton = automaton
        self.locations = automaton.explore()
        self.values = {name: numeral(value) for name, value in automaton.system.parameters.items()}
        super().__init__(automaton.start, distances, length)

    def run(self) -> Run:
        """The run that the solver found, with simple delays."""
        return Run(self._moves(self.solver.model()))

    def _moves(self, model: z3.ModelRef) -> tuple[Move, ...]:
        """The moves of a model, each after no delay, or after one as long as some parameter, where that is possible."""
        path = self.path(model)
        self.solver.add(*(choice.taken for choice in path))
        simple = sorted({Fraction(0), *self.automaton.system.parameters.values()})
        for step in range(len(path)):
            for value in simple:
                if self.solver.check(delay_before(step) == numeral(value)) == z3.sat:
                    model = self.solver.model()
                    self.solver.add(delay_before(step) == numeral(value))
                    break
        return moves(path, model)

    def _clocks(self, location: int, step: int) -> list[z3.ArithRef]:
        return clocks_before(range(len(self.locations[location].clocks)), step)

    def _start(self) -> Iterator[z3.BoolRef]:
        return self._updated(self.automaton.start, self.automaton.start_updates(), [], 0)

    def _transitions(self, location: int) -> Iterator[tuple[int | None, CompiledEdge]]:
        for edge in self.locations[location].edges:
            yield edge.target, edge

    def _unroll(self, step: int, distances: Mapping[int, int], remaining: int) -> None:
        layer, delay = self.layers[-1], delay_before(step)
        choices = list(self._possible(step, distances, remaining))
        self.choices.append(choices)
        self.solver.add(delay >= 0, exactly_one(choice.taken for choice in choices))
        for choice in choices:
            edge, bounds = choice.edge, (*self.locations[choice.source].invariant, *choice.edge.guard)
            clocks = [clock + delay for clock in self._clocks(choice.source, step)]
            updated = self._updated(edge.target, edge.updates, clocks, step + 1)
            self.solver.add(z3.Implies(choice.taken, z3.And(layer[choice.source], *self._holding(bounds, clocks), *updated)))
        self._add_layer()

    def _holding(self, bounds: Sequence[CompiledBound], clocks: Sequence[z3.ArithRef]) -> list[z3.BoolRef]:
        return [compare(clocks[bound.clock], bound.relation, self.values[bound.parameter]) for bound in bounds]

    def _updated(self, target: int, updates: Sequence[int], values: Sequence[z3.ArithRef], step: int) -> Iterator[z3.BoolRef]:
        """Each clock of a target has its updated value before a step; an inactive clock exceeds its lifetime."""
        variables, lifetimes = self._clocks(target, step), self.automaton.system.lifetimes
        after = carried(updates, values, numeral(Fraction(0)), lambda _: None)
        for clock, variable, value in zip(self.locations[target].clocks, variables, after, strict=True):
            yield variable > self.values[lifetimes[clock.role]] if value is None else variable == value


class RestUnrolling(DenseUnrolling):
    """Paths to a location in which time passes for ever.

    Parameters
    ----------
    automaton, distances, length
        As for `DenseUnrolling`.
    resting : frozenset of int
        Such locations.
    """

    def __init__(self, automaton: CompiledAutomaton, resting: frozenset[int], distances: Mapping[int, int], length: int) -> None:
        super().__init__(automaton, distances, length)
        self.solver.add(z3.Or(*(present for number, present in self.layers[-1].items() if number in resting)))

    def run(self) -> Run:
        """The run that the solver found; at its end every clock exceeds every constant."""
        moves = self._moves(self.solver.model())
        longest = max(self.automaton.system.parameters.values())
        return Run((*moves, Move(2 * longest, None), Move(longest, None)), loop=len(moves) + 1)


class LoopUnrolling(DenseUnrolling):
    """Paths that end with a loop in a component.

    Parameters
    ----------
    automaton, distances, length
        As for `DenseUnrolling`.
    asked : Property
        The pending property.
    nodes, edges : frozenset of int, list of GraphEdge
        The component.
    """

    def __init__(
        self,
        automaton: CompiledAutomaton,
        asked: Property,
        nodes: frozenset[int],
        edges: list[GraphEdge],
        distances: Mapping[int, int],
        length: int,
    ) -> None:
        super().__init__(automaton, distances, length)
        self.nodes = nodes
        self.starts = [z3.Bool(f"loop@{step}") for step in range(length)]
        self.looping = [z3.Or(*self.starts[: step + 1]) for step in range(length)]
        self.solver.add(exactly_one(self.starts))
        self._stay({(edge.source, edge.number) for edge in edges})
        self._close()
        self._serve()
        self._diverge()
        if asked.recurrent:
            self.solver.add(z3.Or(*self._taken(lambda edge: asked.name in edge.original.recurrent)))

    def run(self) -> Run:
        """The run that the solver found, with simple delays."""
        model = self.solver.model()
        loop = next(step for step, start in enumerate(self.starts) if holds(model, start))
        self.solver.add(self.starts[loop])
        return Run(self._moves(model), loop=loop)

    def _stay(self, inner: Set[tuple[int, int]]) -> None:
        """No step of the loop leaves the component."""
        for choices, inside in zip(self.choices, self.looping, strict=True):
            leaving = [choice.taken for choice in choices if (choice.source, choice.number) not in inner]
            self.solver.add(z3.Implies(inside, z3.Not(z3.Or(*leaving, z3.BoolVal(False)))))

    def _close(self) -> None:
        """The path ends where the loop begins, with the same values of the clocks."""
        last = len(self.choices)
        for number, ends in self.layers[last].items():
            for step, start in enumerate(self.starts):
                begins = self.layers[step].get(number)
                same = [z3.BoolVal(False)] if begins is None else [begins, *self._same(number, step, last)]
                self.solver.add(z3.Implies(z3.And(start, ends), z3.And(*same)))

    def _same(self, number: int, step: int, last: int) -> Iterator[z3.BoolRef]:
        """Each clock has the same value before two steps, or exceeds its maximal constant before both."""
        maximal = self.automaton.system.maximal_constants
        before, after = self._clocks(number, step), self._clocks(number, last)
        for clock, first, second in zip(self.locations[number].clocks, before, after, strict=True):
            constant = self.values[maximal[clock.role]]
            yield z3.Or(first == second, z3.And(first > constant, second > constant))

    def _diverge(self) -> None:
        """Time passes in the loop."""
        zero = numeral(Fraction(0))
        delays = [z3.If(inside, delay_before(step), zero) for step, inside in enumerate(self.looping)]
        self.solver.add(z3.Sum(*delays, zero) > 0)

    def _taken(self, wanted: Callable[[CompiledEdge], bool]) -> list[z3.BoolRef]:
        """For each possible step with a wanted edge: it is taken in the loop."""
        return [
            z3.And(choice.taken, inside)
            for choices, inside in zip(self.choices, self.looping, strict=True)
            for choice in choices
            if wanted(choice.edge)
        ]

    def _serve(self) -> None:
        """Each fairness name is served in the loop, or no edge of that name is possible at any instant of the loop."""
        names = sorted({name for number in self.nodes for edge in self.locations[number].edges for name in edge.original.fair})
        for name in names:
            served = self._taken(partial(_serves, name))
            never = [
                z3.Implies(z3.And(inside, self.layers[step][number]), self._impossible(edge, number, step))
                for step, inside in enumerate(self.looping)
                for number in sorted(self.nodes & self.layers[step].keys())
                for edge in self.locations[number].edges
                if name in edge.original.fair
            ]
            self.solver.add(z3.Or(*served, z3.And(*never, z3.BoolVal(True))))

    def _impossible(self, edge: CompiledEdge, number: int, step: int) -> z3.BoolRef:
        """An edge is possible at no instant of a delay: intervals of a line that meet in pairs meet all together."""
        clocks, delay = self._clocks(number, step), delay_before(step)
        lower = [(numeral(Fraction(0)), False)] + [
            (self.values[bound.parameter] - clocks[bound.clock], bound.relation == ">")
            for bound in edge.guard
            if bound.relation != "<="
        ]
        upper = [delay] + [
            self.values[bound.parameter] - clocks[bound.clock] for bound in edge.guard if bound.relation in ("<=", "==")
        ]
        return z3.Or(*(first >= last if strict else first > last for (first, strict), last in product(lower, upper)))


def _serves(name: str, edge: CompiledEdge) -> bool:
    return name in edge.original.fair


class DenseLassoEngine(DecisionEngine):
    """Fair lassos in dense time; that none is found proves nothing."""

    label = "loops, dense time"
    kind = "eventually"
    choices = frozenset({Engine.ZONES, Engine.SMT})

    def supports(self, question: Question) -> bool:
        return question.finite is not None

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        findings, states = [], len(question.whole.explore())  # explored once, before processes are forked
        for asked in properties:
            spent = replace(budget.fresh(), seconds=min(budget.seconds, MAX_SECONDS))
            with suppress(Stopped):  # what is left open is left to others
                run = bounded(partial(find_dense_lasso, question.whole, asked, MAX_STEPS, spent), spent)
                if run is not None:
                    findings.append(Finding(asked.name, Verdict.VIOLATED, self.label, run, "", states, spent.elapsed))
        return findings
