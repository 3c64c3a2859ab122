"""Runs without end that leave a promise open, in dense time: a path and a loop, looked for by a solver.

What the graph alone cannot exclude is a strongly connected part in which a fair run may stay (`timewait.checker.structural`).
Here paths into such a part and round a loop in it are one query over real-valued clocks: at the end of the loop the clocks
show what they showed where it began, time has passed, and what fairness forces is done or is never possible on the
way. Or the path ends where time may pass for ever and nothing is forced. The cost does not depend on how many units a
duration has. That there is no such run of so many steps proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product
from typing import NamedTuple

import z3

from timewait.checker.bounded import fraction
from timewait.checker.compiled import EXPIRED, RESET, CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation
from timewait.checker.engine import DecisionEngine
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.question import Engine, Question
from timewait.checker.structural import GraphEdge, undecided
from timewait.checker.symbolic import compare, numeral
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Property

MAX_STEPS = 14
"""Steps of the longest run that is looked for, its loop included."""

MAX_SECONDS = 60.0
"""Seconds after which the search is given up for an exploration in ticks."""


class Choice(NamedTuple):
    """A step that may be taken: the location, the number of the edge, the edge, and the variable that says that it is."""

    location: int
    number: int
    edge: CompiledEdge
    taken: z3.BoolRef


def find_dense_lasso(automaton: CompiledAutomaton, asked: Property, depth: int, budget: Budget) -> Run | None:
    """A fair run along which a promise stays open for ever, with exact delays; None where none of so many steps was found.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, small enough to be seen whole.
    asked : Property
        An ``eventually`` property.
    depth : int
        Steps at most, loop included.
    budget : Budget
        Its time is a bound on the whole search.
    """
    parts = [(nodes, hops, _distances(automaton, nodes)) for nodes, hops in undecided(automaton, asked)]
    resting = frozenset() if asked.recurrent else frozenset(_resting(automaton, [nodes for nodes, _, _ in parts]))
    near = _distances(automaton, resting)
    for length in range(depth + 1):
        tried: list[PathUnrolling] = (
            [RestUnrolling(automaton, resting, near, length)] if near.get(automaton.start, depth + 1) <= length else []
        )
        for nodes, hops, distances in parts:
            if hops and distances.get(automaton.start, depth) < length:
                tried.append(LoopUnrolling(automaton, asked, nodes, hops, distances, length))
        for paths in tried:
            left = budget.seconds - budget.elapsed
            if left <= 0:
                return None
            paths.solver.set("timeout", max(int(left * 1000), 1))
            if paths.solver.check() == z3.sat:
                return paths.run()
    return None


def _resting(automaton: CompiledAutomaton, parts: Sequence[frozenset[int]]) -> Iterator[int]:
    """The locations of some parts in which time may pass for ever, with nothing left in the end that fairness forces."""
    for number in sorted(frozenset().union(*parts)):
        location = automaton.location(number)
        late = (edge for edge in location.edges if not any(test.relation in ("<=", "==") for test in edge.guard))
        if not location.invariant and not any(edge.original.fair for edge in late):
            yield number


def _distances(automaton: CompiledAutomaton, nodes: frozenset[int]) -> dict[int, int]:
    """For each location the fewest steps to one of a part."""
    distances = dict.fromkeys(nodes, 0)
    frontier = set(nodes)
    nearest = 0
    locations = automaton.explore()
    while frontier:
        frontier = {
            number
            for number, location in enumerate(locations)
            if number not in distances and any(edge.target in frontier for edge in location.edges)
        }
        nearest += 1
        distances |= dict.fromkeys(frontier, nearest)
    return distances


class PathUnrolling:
    """All paths of one length towards some locations, as one query.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    distances : mapping
        For each location the fewest steps to one of those.
    length : int
        The number of steps.
    """

    def __init__(self, automaton: CompiledAutomaton, distances: Mapping[int, int], length: int) -> None:
        self.automaton = automaton
        self.locations = automaton.explore()
        self.values = {name: numeral(value) for name, value in automaton.system.parameters.items()}
        self.solver = z3.SolverFor("QF_LRA")
        self.layers: list[dict[int, z3.BoolRef]] = [{automaton.start: z3.BoolVal(True)}]
        self.choices: list[list[Choice]] = []
        self.solver.add(*self._carried(automaton.start, automaton.start_updates(), [], 0))
        for step in range(length):
            self._step(step, distances, length - step - 1)

    def run(self) -> Run:
        """The run that the solver found, with waits that are simple."""
        return Run(self._moves(self.solver.model()))

    def _moves(self, model: z3.ModelRef) -> tuple[Move, ...]:
        """The steps that the solver took, each after no wait or one as long as some duration, where that is possible."""
        taken = [next(one for one in here if _true(model, one.taken)) for here in self.choices]
        self.solver.add(*(one.taken for one in taken))
        simple = sorted({Fraction(0), *self.automaton.system.parameters.values()})
        for step in range(len(taken)):
            for value in simple:
                if self.solver.check(self._wait(step) == numeral(value)) == z3.sat:
                    model = self.solver.model()
                    self.solver.add(self._wait(step) == numeral(value))
                    break
        return tuple(Move(fraction(model, self._wait(step)), one.edge.original.action) for step, one in enumerate(taken))

    def _wait(self, step: int) -> z3.ArithRef:
        return z3.Real(f"wait@{step}")

    def _clocks(self, number: int, step: int) -> list[z3.ArithRef]:
        """What the clocks of a location show when it is entered."""
        return [z3.Real(f"x{clock}@{step}") for clock in range(len(self.locations[number].clocks))]

    def _holds(self, tests: Sequence[CompiledBound], shown: Sequence[z3.ArithRef]) -> list[z3.BoolRef]:
        return [compare(shown[test.clock], test.relation, self.values[test.parameter]) for test in tests]

    def _carried(self, target: int, updates: Sequence[int], shown: Sequence[z3.ArithRef], step: int) -> Iterator[z3.BoolRef]:
        """What the clocks of a location show when it is entered: nought, what another showed, or more than a lifetime."""
        clocks = zip(self.locations[target].clocks, self._clocks(target, step), updates, strict=True)
        for clock, value, origin in clocks:
            if origin == EXPIRED:
                yield value > self.values[self.automaton.system.lifetimes[clock.role]]
            else:
                yield value == (numeral(Fraction(0)) if origin == RESET else shown[origin])

    def _step(self, step: int, distances: Mapping[int, int], after: int) -> None:
        """One step: just one choice is taken."""
        layer, wait = self.layers[step], self._wait(step)
        here = [
            Choice(number, index, edge, z3.Bool(f"take{number}.{index}@{step}"))
            for number in sorted(layer)
            for index, edge in enumerate(self.locations[number].edges)
            if distances.get(edge.target, after + 1) <= after
        ]
        self.choices.append(here)
        self.solver.add(wait >= 0, z3.PbEq([(one.taken, 1) for one in here], 1))
        following: dict[int, list[z3.BoolRef]] = {}
        for one in here:
            location = self.locations[one.location]
            shown = [value + wait for value in self._clocks(one.location, step)]
            tests = (*location.invariant, *one.edge.guard)
            carried = self._carried(one.edge.target, one.edge.updates, shown, step + 1)
            self.solver.add(z3.Implies(one.taken, z3.And(layer[one.location], *self._holds(tests, shown), *carried)))
            following.setdefault(one.edge.target, []).append(one.taken)
        self.layers.append({number: z3.Or(*ways) for number, ways in following.items()})


class RestUnrolling(PathUnrolling):
    """Paths to a location in which time passes for ever.

    Parameters
    ----------
    automaton, distances, length
        As for `PathUnrolling`.
    resting : frozenset of int
        Such locations.
    """

    def __init__(self, automaton: CompiledAutomaton, resting: frozenset[int], distances: Mapping[int, int], length: int) -> None:
        super().__init__(automaton, distances, length)
        self.solver.add(z3.Or(*(here for number, here in self.layers[length].items() if number in resting)))

    def run(self) -> Run:
        """The run that the solver found: in the end everything is later than all that it is compared with."""
        moves = self._moves(self.solver.model())
        longest = max(self.automaton.system.parameters.values())
        return Run((*moves, Move(2 * longest, None), Move(longest, None)), loop=len(moves) + 1)


class LoopUnrolling(PathUnrolling):
    """Paths that end with a loop in a part.

    Parameters
    ----------
    automaton, distances, length
        As for `PathUnrolling`.
    asked : Property
        The promise.
    nodes, hops : frozenset of int, list of GraphEdge
        The part.
    """

    def __init__(
        self,
        automaton: CompiledAutomaton,
        asked: Property,
        nodes: frozenset[int],
        hops: list[GraphEdge],
        distances: Mapping[int, int],
        length: int,
    ) -> None:
        super().__init__(automaton, distances, length)
        self.nodes = nodes
        self.starts = [z3.Bool(f"loop@{step}") for step in range(length)]
        self.looping = [z3.Or(*self.starts[: step + 1]) for step in range(length)]
        self.solver.add(z3.PbEq([(one, 1) for one in self.starts], 1))
        self._staying({(hop.source, hop.number) for hop in hops})
        self._closed()
        self._fair()
        self._diverging()
        if asked.recurrent:
            self.solver.add(z3.Or(*self._done(lambda edge: asked.name in edge.original.recurrent)))

    def run(self) -> Run:
        """The run that the solver found, with waits that are simple."""
        model = self.solver.model()
        loop = next(step for step, one in enumerate(self.starts) if _true(model, one))
        self.solver.add(self.starts[loop])
        return Run(self._moves(model), loop=loop)

    def _staying(self, inner: Collection[tuple[int, int]]) -> None:
        """Once in the loop no step leads out of the part."""
        for here, inside in zip(self.choices, self.looping, strict=True):
            leaving = [one.taken for one in here if (one.location, one.number) not in inner]
            self.solver.add(z3.Implies(inside, z3.Not(z3.Or(*leaving, z3.BoolVal(False)))))

    def _closed(self) -> None:
        """The path ends where the loop begins, and the clocks show what they showed there."""
        last = len(self.choices)
        for number, ends in self.layers[last].items():
            for step, start in enumerate(self.starts):
                begins = self.layers[step].get(number)
                same = (
                    [z3.BoolVal(False)] if begins is None else [begins, *self._same(self.locations[number], number, step, last)]
                )
                self.solver.add(z3.Implies(z3.And(start, ends), z3.And(*same)))

    def _same(self, location: CompiledLocation, number: int, step: int, last: int) -> Iterator[z3.BoolRef]:
        for clock, before, after in zip(location.clocks, self._clocks(number, step), self._clocks(number, last), strict=True):
            ceiling = self.values[self.automaton.system.maximal_constants[clock.role]]
            yield z3.Or(before == after, z3.And(before > ceiling, after > ceiling))

    def _diverging(self) -> None:
        """Time passes in the loop."""
        waits = [z3.If(inside, self._wait(step), numeral(Fraction(0))) for step, inside in enumerate(self.looping)]
        self.solver.add(z3.Sum(*waits, numeral(Fraction(0))) > 0)

    def _done(self, wanted: Callable[[CompiledEdge], bool]) -> list[z3.BoolRef]:
        """That a step of some kind is taken in the loop."""
        return [
            z3.And(one.taken, inside)
            for here, inside in zip(self.choices, self.looping, strict=True)
            for one in here
            if wanted(one.edge)
        ]

    def _fair(self) -> None:
        """Each fairness name is served in the loop, or at no instant of it a step of that name is possible."""
        names = sorted({name for number in self.nodes for edge in self.locations[number].edges for name in edge.original.fair})
        for name in names:
            served = self._done(partial(_serves, name))
            never = [
                z3.Implies(z3.And(inside, self.layers[step][number]), self._shut(edge, number, step))
                for step, inside in enumerate(self.looping)
                for number in sorted(self.nodes & self.layers[step].keys())
                for edge in self.locations[number].edges
                if name in edge.original.fair
            ]
            self.solver.add(z3.Or(*served, z3.And(*never, z3.BoolVal(True))))

    def _shut(self, edge: CompiledEdge, number: int, step: int) -> z3.BoolRef:
        """That an edge is open at no instant of a stay: on a line, intervals that meet in pairs meet all together."""
        shown, wait = self._clocks(number, step), self._wait(step)
        nought = numeral(Fraction(0))
        opens = [(nought, False)] + [
            (self.values[test.parameter] - shown[test.clock], test.relation == ">")
            for test in edge.guard
            if test.relation != "<="
        ]
        shuts = [wait] + [self.values[test.parameter] - shown[test.clock] for test in edge.guard if test.relation in ("<=", "==")]
        return z3.Or(*(first >= last if strict else first > last for (first, strict), last in product(opens, shuts)))


def _true(model: z3.ModelRef, part: z3.BoolRef) -> bool:
    return bool(z3.is_true(model.eval(part, model_completion=True)))


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
        findings = []
        for asked in properties:
            spent = replace(budget.fresh(), seconds=min(budget.seconds, MAX_SECONDS))
            run = find_dense_lasso(question.whole, asked, MAX_STEPS, spent)
            if run is not None:
                states = len(question.whole.explore())
                findings.append(Finding(asked.name, Verdict.VIOLATED, self.label, run, "", states, spent.elapsed))
        return findings
