"""An automaton as formulas, for the solver engines and the certificates.

Only the locations from which a bad step can be reached (the *cone*) are kept, and in each of them the clocks that
are read before they are reset (the *live* clocks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import z3

from timewait.checker.compiled import CompiledAutomaton, CompiledBound, CompiledEdge, CompiledLocation, carried
from timewait.checker.linear import Constraint, Terms


def numeral(value: Fraction) -> z3.ArithRef:
    """An exact real number."""
    return z3.RealVal(str(value))


def compare(clock: z3.ArithRef, relation: str, limit: z3.ArithRef) -> z3.BoolRef:
    """A comparison as a formula."""
    match relation:
        case "<=":
            return clock <= limit
        case ">=":
            return clock >= limit
        case ">":
            return clock > limit
        case _:
            return clock == limit


@dataclass(frozen=True)
class Transition:
    """An edge with the delay before it, as a formula.

    Attributes
    ----------
    source, target : int
        Locations; the target is None for a bad step.
    formula : BoolRef
        The delay, the invariant and the guard, over the source's clocks at entry, the delay, and a fresh value for each
        inactive clock.
    values : list of ArithRef
        The target's live clocks after the edge.
    number : int
        The number of the edge among those of the source.
    edge : CompiledEdge
        The edge.
    """

    source: int
    target: int | None
    formula: z3.BoolRef
    values: list[z3.ArithRef]
    number: int
    edge: CompiledEdge


class Symbolic:
    """The question whether a bad step can be reached, as formulas.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, usually a quotient.
    bad : frozenset of str
        The ``always`` properties whose violation is searched for, or the ``sometimes`` ones whose witness is.
    symbols : sequence of str
        The parameters that stay symbolic; every other one has its value.
    region : sequence of Constraint
        Assumptions about the symbolic parameters; that none is negative is always assumed.
    terms : mapping or None
        The parameters that are terms in symbolic ones.
    """

    def __init__(
        self,
        automaton: CompiledAutomaton,
        bad: frozenset[str],
        symbols: Sequence[str] = (),
        region: Sequence[Constraint] = (),
        terms: Mapping[str, Terms] | None = None,
    ) -> None:
        self.automaton = automaton
        self.locations = automaton.explore()
        self.bad = bad
        self.symbols = tuple(symbols)
        values = automaton.system.parameters
        self.parameters = {name: z3.Real(name) if name in self.symbols else numeral(value) for name, value in values.items()}
        named = {name: z3.Real(name) for name in self.symbols}
        self.parameters |= named | {name: linear(term, named) for name, term in (terms or {}).items()}
        self.region = tuple(region)
        self.wait = z3.Real("wait")

    @cached_property
    def assumption(self) -> z3.BoolRef:
        """The assumptions about the parameters."""
        positive = [self.parameters[name] >= 0 for name in self.symbols]
        parts = [*positive, *(constraint_formula(part, self.parameters) for part in self.region)]
        return z3.And(*parts) if parts else z3.BoolVal(True)

    def is_bad(self, edge: CompiledEdge) -> bool:
        """Whether an edge is a bad step."""
        return bool((edge.original.violates | edge.original.witnesses) & self.bad)

    @cached_property
    def cone(self) -> frozenset[int]:
        """The locations from which a bad step can be reached, whatever the guards say."""
        inside: set[int] = {number for number, location in enumerate(self.locations) if any(map(self.is_bad, location.edges))}
        sources: dict[int, set[int]] = {}
        for number, location in enumerate(self.locations):
            for edge in location.edges:
                sources.setdefault(edge.target, set()).add(number)
        waiting = list(inside)
        while waiting:
            for source in sources.get(waiting.pop(), set()) - inside:
                inside.add(source)
                waiting.append(source)
        return frozenset(inside)

    @cached_property
    def live(self) -> Mapping[int, tuple[int, ...]]:
        """For each location of the cone its live clocks, by position."""
        live: dict[int, set[int]] = {number: set() for number in self.cone}
        changed = True
        while changed:
            changed = False
            for number in self.cone:
                location, before = self.locations[number], len(live[number])
                live[number] |= {bound.clock for bound in location.invariant}
                for _, edge in self._edges(location):
                    live[number] |= {bound.clock for bound in edge.guard}
                    targets = live.get(edge.target, set())
                    live[number] |= {edge.updates[clock] for clock in targets if edge.updates[clock] >= 0}
                changed |= len(live[number]) > before
        return {number: tuple(sorted(clocks)) for number, clocks in live.items()}

    def _edges(self, location: CompiledLocation) -> Iterator[tuple[int, CompiledEdge]]:
        for number, edge in enumerate(location.edges):
            if self.is_bad(edge) or edge.target in self.cone:
                yield number, edge

    def clocks(self, number: int) -> list[z3.ArithRef]:
        """Variables for the live clocks of a location, named after them."""
        return [z3.Real(f"x{clock}") for clock in self.live[number]]

    def _holds(self, bound: CompiledBound, values: Mapping[int, z3.ArithRef]) -> z3.BoolRef:
        return compare(values[bound.clock], bound.relation, self.parameters[bound.parameter])

    def _updated(
        self, target: int, updates: Sequence[int], values: Mapping[int, z3.ArithRef]
    ) -> tuple[list[z3.ArithRef], list[z3.BoolRef]]:
        """The live clocks of a target after an edge; the conditions say that inactive clocks exceed their lifetimes."""
        clocks, live, conditions = self.locations[target].clocks, self.live[target], []

        def inactive(index: int) -> z3.ArithRef:
            value = z3.Real(f"dead{live[index]}")
            conditions.append(value > self.parameters[self.automaton.system.lifetimes[clocks[live[index]].role]])
            return value

        return carried([updates[clock] for clock in live], values, z3.RealVal(0), inactive), conditions

    @property
    def start(self) -> tuple[list[z3.ArithRef], z3.BoolRef]:
        """The live clocks of the initial location at the start, and the conditions on them."""
        values, conditions = self._updated(self.automaton.start, self.automaton.start_updates(), {})
        return values, z3.And(self.assumption, *conditions)

    def transitions(self, source: int) -> Iterator[Transition]:
        """The transitions out of a location that matter."""
        location = self.locations[source]
        entry = dict(zip(self.live[source], self.clocks(source), strict=True))
        values = {clock: value + self.wait for clock, value in entry.items()}
        invariant = [self.wait >= 0, *(self._holds(bound, values) for bound in location.invariant)]
        for number, edge in self._edges(location):
            guard = [*invariant, *(self._holds(bound, values) for bound in edge.guard)]
            if self.is_bad(edge):
                yield Transition(source, None, z3.And(*guard), [], number, edge)
            if edge.target in self.cone:
                after, conditions = self._updated(edge.target, edge.updates, values)
                yield Transition(source, edge.target, z3.And(*guard, *conditions), after, number, edge)


def linear(terms: Mapping[str, Fraction], parameters: Mapping[str, z3.ArithRef]) -> z3.ArithRef:
    """A linear term as a formula."""
    parts = [numeral(factor) * parameters[name] if name else numeral(factor) for name, factor in terms.items()]
    return added(parts)


def constraint_formula(part: Constraint, parameters: Mapping[str, z3.ArithRef]) -> z3.BoolRef:
    """A constraint as a formula."""
    return compare(linear(part.terms, parameters), part.relation, numeral(Fraction(0)))


def added(parts: Sequence[z3.ArithRef]) -> z3.ArithRef:
    """A sum that other solvers accept: never one of fewer than two parts."""
    if len(parts) > 1:
        return z3.Sum(*parts)
    return parts[0] if parts else numeral(Fraction(0))
