"""Proofs for all values: one predicate per location over its live clocks, solved as Horn clauses by Spacer.

The answer is an inductive invariant; it is never believed before `timewait.checker.certificate` has checked it by
plain queries. Spacer's counterexamples are not used at all: its ground answer may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import z3

from timewait.checker.certificate import conjunction
from timewait.checker.symbolic import Symbolic
from timewait.vocabulary.automaton import Location

HornInvariant = dict[int, list[z3.BoolRef]]
"""For each location of the cone the conjuncts that hold on entry, over its live clocks and the symbolic parameters."""


@dataclass(frozen=True)
class HornResult:
    """What Spacer said.

    Attributes
    ----------
    invariant : Invariant or None
        The invariant when the bad steps are out of reach.
    reachable : bool
        Whether Spacer says that one is within reach.
    reason : str
        Why there is no answer.
    """

    invariant: HornInvariant | None
    reachable: bool
    reason: str


def solve(symbolic: Symbolic, seconds: float) -> HornResult:
    """Look for an inductive invariant that keeps every bad step out of reach.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    seconds : float
        Time at most.
    """
    if symbolic.automaton.start not in symbolic.cone:
        return HornResult({}, False, "")
    horn = z3.Fixedpoint()
    horn.set(engine="spacer", timeout=max(int(seconds * 1000), 1))
    for inlining in ("xform.inline_eager", "xform.inline_linear", "xform.slice", "xform.coi"):
        horn.set(inlining, False)
    parameters = [symbolic.parameters[name] for name in symbolic.symbols]
    predicates = {place: _predicate(f"at{place}", len(parameters) + len(symbolic.live[place])) for place in symbolic.cone}
    bad = z3.Function("bad", z3.BoolSort())
    for predicate in (*predicates.values(), bad):
        horn.register_relation(predicate)
    values, condition = symbolic.start
    _rule(horn, predicates[symbolic.automaton.start](*parameters, *values), condition)
    for place in sorted(symbolic.cone):
        here = predicates[place](*parameters, *symbolic.clocks(place))
        for step in symbolic.transitions(place):
            head = bad() if step.target is None else predicates[step.target](*parameters, *step.values)
            _rule(horn, head, z3.And(here, step.formula))
    try:
        answer = horn.query(bad())
    except z3.Z3Exception as error:
        return HornResult(None, False, f"Spacer gave up within {seconds:g} s ({error.value!r})")
    if answer == z3.sat:
        return HornResult(None, True, "")
    if answer != z3.unsat:
        return HornResult(None, False, f"Spacer did not settle it in {seconds:g} s ({horn.reason_unknown() or 'unknown'})")
    return HornResult(_read(horn.get_answer(), symbolic, predicates), False, "")


def as_text(symbolic: Symbolic, invariant: HornInvariant) -> dict[Location, list[str]]:
    """An invariant for `timewait.checker.certificate`; it claims nothing of locations that reach no bad edge."""
    return {
        location.original: [conjunction([" ".join(part.sexpr().split()) for part in invariant.get(place, [])])]
        for place, location in enumerate(symbolic.locations)
    }


def _predicate(name: str, arity: int) -> z3.FuncDeclRef:
    return z3.Function(name, *([z3.RealSort()] * arity), z3.BoolSort())


def _rule(horn: z3.Fixedpoint, head: z3.BoolRef, body: z3.BoolRef) -> None:
    variables = sorted(_variables(z3.Implies(body, head)), key=str)
    clause = z3.Implies(body, head)
    horn.add_rule(z3.ForAll(variables, clause) if variables else clause)


def _variables(formula: z3.ExprRef) -> set[z3.ExprRef]:
    """The free real constants of a formula."""
    found: set[z3.ExprRef] = set()
    waiting, seen = [formula], set()
    while waiting:
        part = waiting.pop()
        if part.get_id() in seen:
            continue
        seen.add(part.get_id())
        if z3.is_const(part) and part.decl().kind() == z3.Z3_OP_UNINTERPRETED and part.sort() == z3.RealSort():
            found.add(part)
        waiting.extend(part.children())
    return found


def _read(answer: z3.ExprRef, symbolic: Symbolic, predicates: dict[int, z3.FuncDeclRef]) -> HornInvariant:
    """The invariant in Spacer's answer, a conjunction of ``forall x. at(x) == formula``."""
    places = {predicate.name(): place for place, predicate in predicates.items()}
    invariant: HornInvariant = {place: [] for place in predicates}
    for part in answer.children() if z3.is_and(answer) else [answer]:
        equation = part.body() if z3.is_quantifier(part) else part
        if not z3.is_eq(equation) or equation.arg(0).decl().name() not in places:
            continue
        place = places[equation.arg(0).decl().name()]
        actual = [*(symbolic.parameters[name] for name in symbolic.symbols), *symbolic.clocks(place)]
        by_index = {z3.get_var_index(formal): value for formal, value in zip(equation.arg(0).children(), actual, strict=True)}
        formula = z3.substitute_vars(equation.arg(1), *(by_index[index] for index in range(len(by_index))))
        invariant[place] = conjuncts(z3.simplify(formula))
    return invariant


def conjuncts(formula: z3.BoolRef) -> list[z3.BoolRef]:
    """The parts of a conjunction, nested ones too; none for plain truth."""
    if z3.is_and(formula):
        return [part for child in formula.children() for part in conjuncts(child)]
    return [] if z3.is_true(formula) else [formula]
