"""Parametric schedules: one run whose delays are linear terms in the parameters, checked for all their values.

A schedule is a list of actions, each with a delay such as ``MSL/2``; a part of it, the *loop*, may be repeated any number
of times. Z3 and cvc5 check that for *all* values of the parameters in a region every delay is legal, every guard holds,
and the last edge violates the property. The loop must lead back to its first location, reset the clocks that it depends
on, and take time. The other clocks grow by the total time of its iterations, which becomes one more parameter, ``ROUNDS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import z3

from timewait.checker import solvers
from timewait.checker.certificate import failed_refutation_by_cvc5
from timewait.checker.compiled import INACTIVE, CompiledAutomaton, CompiledEdge, CompiledLocation, carried
from timewait.checker.finding import Move, Run
from timewait.checker.linear import Constraint, Terms, as_text, evaluate, term
from timewait.checker.symbolic import added, compare, constraint_formula, linear, numeral
from timewait.vocabulary.automaton import Action

ROUNDS = "ROUNDS"
"""The parameter for the total time of the loop's iterations, in seconds."""


class BrokenSchedule(ValueError):
    """A schedule that the automaton cannot follow; the message names the action."""


@dataclass(frozen=True)
class ScheduledAction:
    """An action of a schedule, itself or as a person writes it, and the delay before it, as a linear term."""

    delay: Terms
    action: Action | str


@dataclass(frozen=True)
class ParametricSchedule:
    """A schedule whose delays are linear terms.

    Attributes
    ----------
    before, repeated, after : tuple of ScheduledAction
        The actions before the loop, of the loop, and after it; `repeated` may be empty. The delays after the loop may
        depend on `ROUNDS`.
    """

    before: tuple[ScheduledAction, ...]
    repeated: tuple[ScheduledAction, ...] = ()
    after: tuple[ScheduledAction, ...] = ()

    def __str__(self) -> str:
        def text(actions: tuple[ScheduledAction, ...]) -> str:
            return "; ".join(f"+{as_text(scheduled.delay)}: {scheduled.action}" for scheduled in actions)

        loop = f"; again and again [{text(self.repeated)}]; {text(self.after)}" if self.repeated else ""
        return text(self.before) + loop


def parse_schedule(text: str) -> ParametricSchedule:
    """Parse a schedule: a line ``delay: action`` for each action; ``repeat`` and ``end`` enclose the loop."""
    parts: list[list[ScheduledAction]] = [[], [], []]
    current = 0
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line in ("repeat", "end"):
            current += 1
            continue
        delay, _, action = line.partition(":")
        parts[current].append(ScheduledAction(term(delay), action.strip()))
    return ParametricSchedule(tuple(parts[0]), tuple(parts[1]), tuple(parts[2]))


@dataclass
class _Execution:
    """A symbolic execution: the value of every clock is a formula, None once the clock is inactive."""

    automaton: CompiledAutomaton
    parameters: Mapping[str, z3.ArithRef]
    location: int
    clocks: list[z3.ArithRef | None]
    conditions: list[z3.BoolRef]
    edges: list[CompiledEdge]

    def follow(self, actions: Sequence[ScheduledAction]) -> None:
        """Take the edges of some actions, and collect the conditions on their delays and guards."""
        for scheduled in actions:
            location = self.automaton.location(self.location)
            edge = _edge_of(location, scheduled.action)
            delay = linear(scheduled.delay, self.parameters)
            self.conditions.append(delay >= 0)
            delayed = [None if clock is None else clock + delay for clock in self.clocks]
            for test in (*location.invariant, *edge.guard):
                value = delayed[test.clock]
                if value is None:
                    raise BrokenSchedule(f"{scheduled.action}: {location.clocks[test.clock]} has passed its lifetime")
                self.conditions.append(compare(value, test.relation, self.parameters[test.parameter]))
            self.clocks = carried(edge.updates, delayed, numeral(Fraction(0)), lambda _: None)
            self.location = edge.target
            self.edges.append(edge)


def follow(
    automaton: CompiledAutomaton, actions: Sequence[Action | str], start: int | None = None
) -> list[tuple[CompiledLocation, CompiledEdge]]:
    """The edges of some actions, in order, each with its source.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    actions : sequence of Action or str
        The actions, or their texts.
    start : int or None
        The number of the first location; the initial one by default.

    Raises
    ------
    BrokenSchedule
        A location has no edge with the action, or a text fits several actions there.
    """
    path, number = [], automaton.start if start is None else start
    for action in actions:
        location = automaton.location(number)
        edge = _edge_of(location, action)
        path.append((location, edge))
        number = edge.target
    return path


def _edge_of(location: CompiledLocation, action: Action | str) -> CompiledEdge:
    if isinstance(action, Action):
        found = [edge for edge in location.edges if edge.original.action.identity == action.identity]
    else:
        found = [edge for edge in location.edges if str(edge.original.action) == action]
    if not found:
        possible = ", ".join(sorted(str(edge.original.action) for edge in location.edges))
        raise BrokenSchedule(f"{str(action)!r} is not possible here; possible: {possible}")
    if len({(edge.original.action.identity, edge.guard, edge.target, edge.updates) for edge in found}) > 1:
        raise BrokenSchedule(f"{str(action)!r} is ambiguous here: it fits {len(found)} edges")
    return found[0]


def failed_conditions(
    automaton: CompiledAutomaton,
    schedule: ParametricSchedule,
    name: str,
    region: Sequence[Constraint],
    terms: Mapping[str, Terms],
) -> str:
    """Why a schedule is not a legal, violating run for all values in a region; empty when it is one.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system.
    schedule : ParametricSchedule
        The schedule.
    name : str
        The ``always`` property that the last edge must violate.
    region : sequence of Constraint
        The assumptions about the symbolic parameters and, after the loop, about `ROUNDS`.
    terms : mapping
        Every parameter of the system as a term in the symbolic ones.

    Raises
    ------
    BrokenSchedule
        The automaton has no such edges, or the loop does not lead back.
    """
    symbols = sorted({name for term in terms.values() for name in term if name})
    symbolic = {name: z3.Real(name) for name in symbols}
    parameters = {**symbolic, **{name: linear(term, symbolic) for name, term in terms.items()}}
    total = z3.Real(ROUNDS)
    start = [None if update == INACTIVE else numeral(Fraction(0)) for update in automaton.start_updates()]
    execution = _Execution(automaton, parameters, automaton.start, start, [], [])
    execution.follow(schedule.before)
    known = {**parameters, ROUNDS: total}
    assumed = [parameters[name] >= 0 for name in symbols]
    assumed += [constraint_formula(part, known) for part in region if not part.terms.get(ROUNDS)]
    on_total = [constraint_formula(part, known) for part in region if part.terms.get(ROUNDS)]
    obligations = [(assumed, execution.conditions)]
    if schedule.repeated:
        execution.conditions = []
        length = _loop(execution, schedule.repeated, total)
        later = {**parameters, ROUNDS: total + length}
        bounded = [constraint_formula(part, later) for part in region if part.terms.get(ROUNDS, Fraction(0)) < 0]
        obligations.append(([*assumed, total >= 0, *bounded], execution.conditions))
        obligations.append(([*assumed, total >= 0], list(_reachable_total(region, length, parameters))))
        execution.conditions = []
        execution.parameters = known
        execution.follow(schedule.after)
        obligations.append(([*assumed, *on_total, total >= 0], execution.conditions))
    if name not in execution.edges[-1].original.violates:
        raise BrokenSchedule(f"the last step does not violate {name}")
    return next(filter(None, (_not_implied(assumptions, conditions) for assumptions, conditions in obligations)), "")


def _not_implied(assumptions: list[z3.BoolRef], conditions: list[z3.BoolRef]) -> str:
    """The solver's answer if the assumptions do not imply the conditions; empty when they do."""
    solver = solvers.solver("QF_LRA")
    solver.add(*assumptions)
    if solver.check() != z3.sat:
        return "the region is empty"
    if not conditions:
        return ""
    negation = z3.Not(z3.And(*conditions))
    solver.add(negation)
    answer = solver.check()
    if answer != z3.unsat:
        return f"not for all values: {answer} (Z3)" + (f" {solver.model()}" if answer == z3.sat else "")
    return failed_refutation_by_cvc5(z3.And(*assumptions, negation))


def _reachable_total(
    region: Sequence[Constraint], length: z3.ArithRef, parameters: Mapping[str, z3.ArithRef]
) -> Iterator[z3.BoolRef]:
    """Some number of iterations satisfies the bounds on their total: each lower bound is an iteration below each upper one."""
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


def _loop(execution: _Execution, actions: Sequence[ScheduledAction], total: z3.ArithRef) -> z3.ArithRef:
    """Execute any one iteration of the loop: clocks that it resets are as before, the others have grown by `total`.

    Returns the time of an iteration.
    """
    entry, first = execution.location, list(execution.clocks)
    untouched = _untouched(execution, actions)
    execution.clocks = [clock + total if clock is not None and index in untouched else clock for index, clock in enumerate(first)]
    grown = list(execution.clocks)
    length = added([linear(scheduled.delay, execution.parameters) for scheduled in actions])
    execution.follow(actions)
    if execution.location != entry:
        raise BrokenSchedule("the loop does not lead back to its first location")
    execution.conditions.append(length > 0)
    for index, (before, after) in enumerate(zip(grown, execution.clocks, strict=True)):
        if before is None or after is None:
            if before is not after:
                raise BrokenSchedule("the loop changes which clocks are active")
        else:
            expected = before + length if index in untouched else before
            execution.conditions.append(after == expected)
    execution.clocks = grown
    return length


def _untouched(execution: _Execution, actions: Sequence[ScheduledAction]) -> set[int]:
    """The clocks that the loop never resets."""
    positions = {index: index for index in range(len(execution.clocks))}
    for _, edge in follow(execution.automaton, [scheduled.action for scheduled in actions], execution.location):
        positions = {first: edge.updates.index(now) for first, now in positions.items() if now in edge.updates}
    return set(positions)


def instance(automaton: CompiledAutomaton, schedule: ParametricSchedule, values: Mapping[str, Fraction], iterations: int) -> Run:
    """The run of a schedule for given values, with a number of iterations of its loop."""
    length = sum((evaluate(scheduled.delay, values) for scheduled in schedule.repeated), Fraction(0))
    values = {**values, ROUNDS: iterations * length}
    actions = (*schedule.before, *schedule.repeated * iterations, *schedule.after)
    edges = (edge for _, edge in follow(automaton, [scheduled.action for scheduled in actions]))
    return Run(
        tuple(
            Move(evaluate(scheduled.delay, values), edge.original.action) for scheduled, edge in zip(actions, edges, strict=True)
        )
    )
