"""The quotient from the table of edges against the one that the specification builds edge by edge."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from random_configurations import random_configuration
from toys import letterbox, world

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge
from timewait.checker.finding import Budget, Stopped
from timewait.checker.question import Question
from timewait.checker.quotient import Quotient
from timewait.checker.quotient_table import QuotientTable
from timewait.proofs.question import question
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration
from timewait.vocabulary.automaton import TimedAutomaton
from timewait.vocabulary.message_passing import NetworkRules

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),))
"""A configuration with few locations."""

LOCATIONS = 120
"""Locations up to which quotients are compared."""


def described(edge: CompiledEdge) -> object:
    """Everything about an edge that engines read."""
    original = edge.original
    marks = (original.violates, original.witnesses, original.fair, original.recurrent)
    return edge.guard, edge.target, edge.updates, original.action, marks


def compare(asked: Question, system: TimedAutomaton, limit: int) -> bool:
    """Compare both quotients, number by number; False if there are too many locations."""
    tabled = replace(asked, system=system).quotient
    assert isinstance(tabled, QuotientTable)
    if not tabled.within(limit):
        return False
    plain = CompiledAutomaton(Quotient(system))
    assert (tabled.start, tabled.start_updates()) == (plain.start, plain.start_updates())
    for found, expected in zip(tabled.explore(), plain.explore(), strict=True):
        assert found[:3] == expected[:3]
        assert found.pending == expected.pending
        assert list(map(described, found.edges)) == list(map(described, expected.edges))
    return True


def compare_all(configuration: Configuration, limit: int) -> int:
    """Compare the quotients of a configuration and its over-approximations; how many were compared."""
    asked = question(configuration)
    systems = (asked.system, asked.over_approximation, asked.obliged_approximation)
    return sum(compare(asked, system, limit) for system in systems if system is not None)


def test_quotients() -> None:
    """The same locations, edges and updates, in the same order, of the system and of what approximates it."""
    assert compare_all(SOME, LOCATIONS) == 3
    assert compare_all(replace(SOME, text=(0, 1)), LOCATIONS) == 3


def test_random_configurations() -> None:
    """The same for configurations drawn at random."""
    drawn = [random_configuration(random.Random(number)) for number in range(16)]
    assert sum(compare_all(each, 40) for each in drawn if each.duplication is None and not each.fifo) >= 8


@pytest.mark.slow
def test_many_random_configurations() -> None:
    """The same for several hundred, with more locations."""
    drawn = [random_configuration(random.Random(number)) for number in range(1000, 1600)]
    assert sum(compare_all(each, 600) for each in drawn if each.duplication is None and not each.fifo) >= 400


def test_the_specification_is_asked_for_certificates() -> None:
    """The system of the quotient is made from the specification, not from the table."""
    tabled = question(SOME).quotient
    assert isinstance(tabled.system, Quotient)
    assert tabled.system.initial() == tabled.location(tabled.start).original


def test_one_table() -> None:
    """A system and its over-approximations share one table, so that each row is built once."""
    asked = question(SOME)
    tables = {id(quotient.table.lists) for quotient in (asked.quotient, asked.coarse) if isinstance(quotient, QuotientTable)}
    assert asked.locations is not None
    assert tables == {id(asked.locations.table.lists)}


def test_budget() -> None:
    """A budget that is used up stops the search for locations."""
    asked = replace(question(SOME), quotient_budget=Budget(states=1))
    with pytest.raises(Stopped, match="while locations were merged"):
        _ = asked.quotient


class Unknown(Composition):
    """A composition whose network no table describes."""

    def network_rules(self) -> NetworkRules | None:
        return None


def test_fallback() -> None:
    """A system that no table describes has its quotient built edge by edge."""
    unknown = replace(question(SOME), system=Unknown(SOME), over_approximation=None)
    assert type(unknown.quotient) is CompiledAutomaton
    assert len(unknown.quotient.explore()) == len(question(SOME).quotient.explore())
    toy = letterbox(2, 2)
    assert type(Question(toy, world(toy)).quotient) is CompiledAutomaton


def test_copies_told_apart() -> None:
    """Copies with deadlines of their own are beyond the table."""
    asked = replace(question(SOME), system=Composition(SOME, told_apart=2))
    assert type(asked.quotient) is CompiledAutomaton
    assert asked.locations is None
