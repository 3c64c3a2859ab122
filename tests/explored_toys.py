"""Toys explored by each engine, and as formulas."""

from __future__ import annotations

from fractions import Fraction

from toys import Toy, world

from timewait.checker import certificate
from timewait.checker.certificate import InvariantCertificate, Statement
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import Answer, decide
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget
from timewait.checker.linear import constraint
from timewait.checker.question import Engine, Question
from timewait.checker.quotient import Quotient
from timewait.checker.symbolic import Symbolic
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Property

HALF = Fraction(1, 2)
PROVED, INCONCLUSIVE, VACUOUS, VIOLATED = Verdict.PROVED, Verdict.INCONCLUSIVE, Verdict.VACUOUS, Verdict.VIOLATED


def in_ticks(toy: Toy, unit: Fraction | None = None) -> Explicit:
    """A toy explored in ticks."""
    explored = Explicit(CompiledAutomaton(toy), unit)
    explored.explore(Budget())
    assert explored.stopped == ""
    return explored


def in_zones(toy: Toy) -> Zones:
    """A toy explored in dense time."""
    explored = Zones(CompiledAutomaton(Quotient(toy)))
    explored.explore(Budget())
    assert explored.stopped == ""
    return explored


def as_formulas(toy: Toy, name: str, *region: str, symbols: tuple[str, ...] = ()) -> Symbolic:
    """The question whether a property can be broken."""
    return Symbolic(CompiledAutomaton(Quotient(toy)), frozenset({name}), symbols, [constraint(part) for part in region])


def as_script(
    toy: Toy, name: str, invariant: certificate.Invariant, *region: str, symbols: tuple[str, ...] = ()
) -> InvariantCertificate:
    """The queries of an invariant; parameters that are not symbolic are numbers."""
    terms = {
        parameter: {parameter: Fraction(1)} if parameter in symbols else {"": value}
        for parameter, value in toy.parameters.items()
    }
    return InvariantCertificate(Statement(Quotient(toy), frozenset({name}), terms, tuple(map(constraint, region))), invariant)


# --- decisions -----------------------------------------------------------------------------------------------------


def ask(toy: Toy, engine: Engine, *asked: Property, witnesses: tuple[str, ...] = ()) -> list[Answer]:
    """Decide properties of a toy, all with the same witnesses."""
    question = Question(toy, world(toy), {entry.name: witnesses for entry in asked})
    return decide(question, asked, engine, Budget())
