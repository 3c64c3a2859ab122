"""Families of counterexamples: one schedule whose delays are terms in the parameters, checked for all values.

A script is a list of moves, each with a delay such as ``MSL/2`` or ``TIME_WAIT/2``; a part of it may be
marked to be repeated any number of times. What is checked, by Z3 and again by cvc5, is that for *all*
values of the parameters in a region every delay is legal, every guard holds, and the last step is bad. A
repeated part must lead back to its first location, start again the clocks it depends on, and take time;
the clocks it leaves alone grow by the total time of its rounds, which becomes one more parameter,
``ROUNDS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import z3

from timewait.checker.certificate import failed_refutation_by_cvc5
from timewait.checker.compiled import EXPIRED, RESET, CompiledAutomaton, CompiledEdge, CompiledLocation
from timewait.checker.finding import Move, Run
from timewait.checker.linear import Constraint, Terms, as_text, evaluate, term
from timewait.checker.symbolic import added, compare, linear, numeral

ROUNDS = "ROUNDS"
"""The total time, in seconds, that the repeated part takes."""


class BrokenSchedule(ValueError):
    """A script that the system cannot follow; the message says where."""


@dataclass(frozen=True)
class ScheduledAction:
    """A move of a script: the wait before it as a term, and the action in words."""

    delay: Terms
    action: str


@dataclass(frozen=True)
class ParametricSchedule:
    """A schedule in terms.

    Attributes
    ----------
    before, repeated, after : tuple of Line
        The moves; `repeated` may be empty.
    """

    before: tuple[ScheduledAction, ...]
    repeated: tuple[ScheduledAction, ...] = ()
    after: tuple[ScheduledAction, ...] = ()

    def __str__(self) -> str:
        def shown(lines: tuple[ScheduledAction, ...]) -> str:
            return "; ".join(f"+{as_text(line.delay)}: {line.action}" for line in lines)

        again = f"; again and again [{shown(self.repeated)}]; {shown(self.after)}" if self.repeated else ""
        return shown(self.before) + again


def parse_schedule(text: str) -> ParametricSchedule:
    """Read a script: a line per move, ``delay: action``; ``repeat`` and ``end`` enclose what is repeated."""
    parts: list[list[ScheduledAction]] = [[], [], []]
    current = 0
    for row in filter(None, (row.strip() for row in text.splitlines())):
        if row in ("repeat", "end"):
            current += 1
            continue
        delay, _, action = row.partition(":")
        parts[current].append(ScheduledAction(term(delay), action.strip()))
    return ParametricSchedule(tuple(parts[0]), tuple(parts[1]), tuple(parts[2]))


@dataclass
class _Execution:
    """The script on the automaton, every clock a formula."""

    automaton: CompiledAutomaton
    parameters: Mapping[str, z3.ArithRef]
    place: int
    clocks: list[z3.ArithRef | None]
    conditions: list[z3.BoolRef]
    edges: list[CompiledEdge]

    def follow(self, lines: Sequence[ScheduledAction]) -> None:
        for line in lines:
            location = self.automaton.location(self.place)
            edge = _named(location, line.action)
            wait = linear(line.delay, self.parameters)
            self.conditions.append(wait >= 0)
            shown = [None if clock is None else clock + wait for clock in self.clocks]
            for test in (*location.invariant, *edge.guard):
                value = shown[test.clock]
                if value is None:
                    raise BrokenSchedule(f"{line.action}: {location.clocks[test.clock]} has passed its lifetime")
                self.conditions.append(compare(value, test.relation, self.parameters[test.parameter]))
            self.clocks = [_carried(origin, shown) for origin in edge.updates]
            self.place = edge.target
            self.edges.append(edge)


def _carried(origin: int, shown: list[z3.ArithRef | None]) -> z3.ArithRef | None:
    if origin == RESET:
        return numeral(Fraction(0))
    return None if origin == EXPIRED else shown[origin]


def follow(automaton: CompiledAutomaton, actions: Sequence[str]) -> list[tuple[CompiledLocation, CompiledEdge]]:
    """The edges of some actions, in order.

    Raises
    ------
    BrokenScript
        One of them cannot happen where it should, whatever the guards.
    """
    path, place = [], automaton.start
    for action in actions:
        location = automaton.location(place)
        edge = _named(location, action)
        path.append((location, edge))
        place = edge.target
    return path


def _named(location: CompiledLocation, action: str) -> CompiledEdge:
    for edge in location.edges:
        if str(edge.original.action) == action:
            return edge
    possible = ", ".join(sorted(str(edge.original.action) for edge in location.edges))
    raise BrokenSchedule(f"{action!r} cannot happen here; what can: {possible}")


def failed_conditions(
    automaton: CompiledAutomaton, told: ParametricSchedule, asked: str, region: Sequence[Constraint], terms: Mapping[str, Terms]
) -> str:
    """What is wrong with a family; empty when it is a legal, violating run for all values in the region.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    told : Script
        The schedule.
    asked : str
        The ``always`` property that its last step must break.
    region : sequence of Constraint
        What is assumed of the symbolic parameters (and of `ROUNDS`, after the repeated part).
    terms : mapping
        Every parameter of the system as a term in the symbolic ones.

    Raises
    ------
    BrokenScript
        The system has no such steps, or the repeated part does not lead back.
    """
    symbols = sorted({name for term in terms.values() for name in term if name})
    named = {name: z3.Real(name) for name in symbols}
    parameters = {**named, **{name: linear(term, named) for name, term in terms.items()}}
    total = z3.Real(ROUNDS)
    start = [None if origin == EXPIRED else numeral(Fraction(0)) for origin in automaton.start_updates()]
    execution = _Execution(automaton, parameters, automaton.start, start, [], [])
    execution.follow(told.before)
    given = {**parameters, ROUNDS: total}
    plain = [parameters[name] >= 0 for name in symbols]
    plain += [_region(part, given) for part in region if not part.terms.get(ROUNDS)]
    last = [_region(part, given) for part in region if part.terms.get(ROUNDS)]
    claims = [(plain, execution.conditions)]
    if told.repeated:
        execution.conditions = []
        length = _repeat(execution, told.repeated, total)
        claims.append(([*plain, total >= 0], [*execution.conditions, *_wide_enough(region, length, parameters)]))
        execution.conditions = []
        execution.follow(told.after)
        claims.append(([*plain, *last, total >= 0], execution.conditions))
    if asked not in execution.edges[-1].original.violates:
        raise BrokenSchedule(f"the last step does not break {asked}")
    return next(filter(None, (_unless(assumed, conditions) for assumed, conditions in claims)), "")


def _unless(assumed: list[z3.BoolRef], conditions: list[z3.BoolRef]) -> str:
    """What keeps some conditions from holding whenever the assumptions do; empty when nothing does."""
    solver = z3.SolverFor("QF_LRA")
    solver.add(*assumed)
    if solver.check() != z3.sat:
        return "the region is empty"
    if not conditions:
        return ""
    broken = z3.Not(z3.And(*conditions))
    solver.add(broken)
    answer = solver.check()
    if answer != z3.unsat:
        return f"not for all values: {answer} (Z3)" + (f" {solver.model()}" if answer == z3.sat else "")
    return failed_refutation_by_cvc5(z3.And(*assumed, broken))


def _wide_enough(
    region: Sequence[Constraint], length: z3.ArithRef, parameters: Mapping[str, z3.ArithRef]
) -> Iterator[z3.BoolRef]:
    """That some number of rounds ends where the rest begins: every lower and upper bound on their time are a round apart."""
    lower: list[tuple[z3.ArithRef, bool]] = []
    upper: list[tuple[z3.ArithRef, bool]] = []
    for part in region:
        factor = part.terms.get(ROUNDS, Fraction(0))
        if factor:
            rest = {name: -value / factor for name, value in part.terms.items() if name != ROUNDS}
            (lower if factor > 0 else upper).append((linear(rest, parameters), part.relation == ">"))
    for low, low_strict in lower:
        for high, high_strict in upper:
            yield high - low > length if low_strict and high_strict else high - low >= length
    for high, _ in upper:
        yield high >= (0 if lower else length)


def _region(part: Constraint, given: Mapping[str, z3.ArithRef]) -> z3.BoolRef:
    return compare(linear(part.terms, given), part.relation, numeral(Fraction(0)))


def _repeat(execution: _Execution, lines: Sequence[ScheduledAction], total: z3.ArithRef) -> z3.ArithRef:
    """The repeated part from any of its rounds: clocks it starts again are as before, the others have grown by `total`.

    Returns the time that one round takes.
    """
    entry, first = execution.place, list(execution.clocks)
    untouched = _untouched(execution, lines)
    execution.clocks = [clock + total if clock is not None and index in untouched else clock for index, clock in enumerate(first)]
    grown = list(execution.clocks)
    length = added([linear(line.delay, execution.parameters) for line in lines])
    execution.follow(lines)
    if execution.place != entry:
        raise BrokenSchedule("the repeated part does not lead back to where it began")
    execution.conditions.append(length > 0)
    for index, (before, after) in enumerate(zip(grown, execution.clocks, strict=True)):
        if before is None or after is None:
            if before is not after:
                raise BrokenSchedule("the repeated part changes which clocks are alive")
        else:
            expected = before + length if index in untouched else before
            execution.conditions.append(after == expected)
    execution.clocks = grown
    return length


def _untouched(execution: _Execution, lines: Sequence[ScheduledAction]) -> set[int]:
    """The clocks that the repeated part never starts again."""
    positions = {index: index for index in range(len(execution.clocks))}
    place = execution.place
    for line in lines:
        edge = _named(execution.automaton.location(place), line.action)
        positions = {first: edge.updates.index(now) for first, now in positions.items() if now in edge.updates}
        place = edge.target
    return set(positions)


def instance(automaton: CompiledAutomaton, told: ParametricSchedule, values: Mapping[str, Fraction], rounds: int) -> Run:
    """The family's run for given values, its repeated part carried out some number of times."""
    moves: list[Move] = []
    place = automaton.start
    for line in (*told.before, *told.repeated * rounds, *told.after):
        edge = _named(automaton.location(place), line.action)
        moves.append(Move(evaluate(line.delay, values), edge.original.action))
        place = edge.target
    return Run(tuple(moves))
