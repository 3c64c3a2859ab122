"""Constrained Horn clauses, solved by Spacer: one predicate for each location, over its live clocks.

A solution is an inductive invariant, which counts only after `timewait.checker.certificate` has checked it. Spacer's
counterexamples are not used: its ground answer may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import z3

from timewait.checker import solvers
from timewait.checker.certificate import conjunction
from timewait.checker.formulas import variables_of
from timewait.checker.symbolic import Symbolic
from timewait.vocabulary.automaton import Location

HornInvariant = dict[int, list[z3.BoolRef]]
"""For each location of the cone its conjuncts on entry, over its live clocks and the symbolic parameters."""


@dataclass(frozen=True)
class HornResult:
    """Spacer's answer.

    Attributes
    ----------
    invariant : HornInvariant or None
        The invariant when no bad step is reachable.
    reachable : bool
        Whether Spacer reports that a bad step is reachable.
    reason : str
        The reason why there is no answer.
    """

    invariant: HornInvariant | None
    reachable: bool
    reason: str


def solve(symbolic: Symbolic, seconds: float) -> HornResult:
    """Find an inductive invariant that excludes every bad step.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    seconds : float
        Time limit.
    """
    if symbolic.automaton.start not in symbolic.cone:
        return HornResult({}, False, "")
    horn = solvers.horn_solver(seconds)
    for inlining in ("xform.inline_eager", "xform.inline_linear", "xform.slice", "xform.coi"):
        horn.set(inlining, False)
    parameters = [symbolic.parameters[name] for name in symbolic.symbols]
    predicates = {number: _predicate(f"at{number}", len(parameters) + len(symbolic.live[number])) for number in symbolic.cone}
    bad = z3.Function("bad", z3.BoolSort())
    for predicate in (*predicates.values(), bad):
        horn.register_relation(predicate)
    values, condition = symbolic.start
    _rule(horn, predicates[symbolic.automaton.start](*parameters, *values), condition)
    for number in sorted(symbolic.cone):
        here = predicates[number](*parameters, *symbolic.clocks(number))
        for step in symbolic.transitions(number):
            head = bad() if step.target is None else predicates[step.target](*parameters, *step.values)
            _rule(horn, head, z3.And(here, step.formula))
    try:
        answer = horn.query(bad())
    except z3.Z3Exception as error:
        return HornResult(None, False, f"Spacer gave up within {seconds:g} s ({error.value!r})")
    if answer == z3.sat:
        return HornResult(None, True, "")
    if answer != z3.unsat:
        return HornResult(None, False, f"Spacer did not decide it in {seconds:g} s ({horn.reason_unknown() or 'unknown'})")
    return HornResult(_read(horn.get_answer(), symbolic, predicates), False, "")


def as_text(symbolic: Symbolic, invariant: HornInvariant) -> dict[Location, list[str]]:
    """An invariant for `timewait.checker.certificate`; it is true of locations that reach no bad edge."""
    return {
        location.original: [conjunction([" ".join(part.sexpr().split()) for part in invariant.get(number, [])])]
        for number, location in enumerate(symbolic.locations)
    }


def _predicate(name: str, arity: int) -> z3.FuncDeclRef:
    return z3.Function(name, *([z3.RealSort()] * arity), z3.BoolSort())


def _rule(horn: z3.Fixedpoint, head: z3.BoolRef, body: z3.BoolRef) -> None:
    clause = z3.Implies(body, head)
    variables = sorted((variable for variable in variables_of(clause) if variable.sort() == z3.RealSort()), key=str)
    horn.add_rule(z3.ForAll(variables, clause) if variables else clause)


def _read(answer: z3.ExprRef, symbolic: Symbolic, predicates: dict[int, z3.FuncDeclRef]) -> HornInvariant:
    """The invariant in Spacer's answer, a conjunction of ``forall x. at(x) == formula``."""
    numbers = {predicate.name(): number for number, predicate in predicates.items()}
    invariant: HornInvariant = {number: [] for number in predicates}
    for part in answer.children() if z3.is_and(answer) else [answer]:
        equation = part.body() if z3.is_quantifier(part) else part
        if not z3.is_eq(equation) or equation.arg(0).decl().name() not in numbers:
            continue
        number = numbers[equation.arg(0).decl().name()]
        actual = [*(symbolic.parameters[name] for name in symbolic.symbols), *symbolic.clocks(number)]
        by_index = {z3.get_var_index(formal): value for formal, value in zip(equation.arg(0).children(), actual, strict=True)}
        formula = z3.substitute_vars(equation.arg(1), *(by_index[index] for index in range(len(by_index))))
        invariant[number] = conjuncts(solvers.simplified(formula))
    return invariant


def conjuncts(formula: z3.BoolRef) -> list[z3.BoolRef]:
    """The conjuncts of a formula, nested ones too; none for true."""
    if z3.is_and(formula):
        return [part for child in formula.children() for part in conjuncts(child)]
    return [] if z3.is_true(formula) else [formula]
