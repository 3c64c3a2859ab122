"""Questions to the graph of a quotient in arrays, compared with the answers that are found edge by edge."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from random_configurations import random_configuration

from timewait.checker import quotient_graph
from timewait.checker.made_once import kept_for
from timewait.checker.quotient_table import QuotientTable
from timewait.checker.structural import is_proved, proof_of
from timewait.checker.timelock import may_lock, time_locks
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Arrival, Behaviour

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),))
"""A configuration with few locations."""

EVENTUALLY = tuple(entry for entry in PROPERTIES.values() if entry.kind == "eventually")


def quotients(configuration: Configuration, limit: int) -> Iterator[QuotientTable]:
    """The quotients of a configuration and its over-approximations that have at most so many locations."""
    asked = question(configuration)
    for system in (asked.system, asked.over_approximation, asked.obliged_approximation):
        if system is not None:
            quotient = replace(asked, system=system).quotient
            assert isinstance(quotient, QuotientTable)
            if len(quotient) <= limit:
                yield quotient


def compare(configuration: Configuration, limit: int) -> tuple[set[bool], set[bool]]:
    """The answers about proofs and about time-locks, once both ways agree on them."""
    proved, locks = set[bool](), set[bool]()
    for quotient in quotients(configuration, limit):
        for asked in EVENTUALLY:
            expected = proof_of(quotient, asked) is not None
            assert is_proved(quotient, asked) is expected, asked.name
            proved.add(expected)
        assert quotient_graph.is_narrow(quotient)
        assert may_lock(quotient) is bool(time_locks(quotient))
        locks.add(may_lock(quotient))
    return proved, locks


def test_answers() -> None:
    """The same answers, proved and not, with time-locks and without."""
    compared = [compare(SOME, 600), compare(replace(SOME, behaviour=Behaviour(answers=frozenset(Arrival))), 600)]
    proved, locks = (set().union(*answers) for answers in zip(*compared, strict=True))
    assert proved == {True, False}
    assert False in locks


def test_random_configurations() -> None:
    """The same for configurations drawn at random."""
    drawn = [random_configuration(random.Random(number)) for number in range(40)]
    compared = [compare(each, 60) for each in drawn if each.duplication is None and not each.fifo]
    assert sum(bool(proved) for proved, _ in compared) >= 4


def test_time_locks() -> None:
    """The same where the bounds of invariants are exchanged at random, so that time may stop."""
    found = set[bool]()
    for number in range(12):
        kept_for.cache_clear()  # the bounds are exchanged in a quotient of its own
        quotient, rng = question(SOME).quotient, random.Random(number)
        assert isinstance(quotient, QuotientTable)
        upper = [bound for bound, (relation, _) in enumerate(quotient.table.bounds) if relation == "<="]
        limits = quotient.arrays.limits
        for entry in rng.sample(range(len(limits)), rng.choice((1, 2, len(limits) // 2))):
            limits[entry, 1] = rng.choice(upper)
        assert may_lock(quotient) is bool(time_locks(quotient))
        found.add(may_lock(quotient))
    assert found == {True, False}


@pytest.mark.slow
def test_many_random_configurations() -> None:
    """The same for several hundred, with more locations."""
    drawn = [random_configuration(random.Random(number)) for number in range(2000, 2400)]
    compared = [compare(each, 400) for each in drawn if each.duplication is None and not each.fifo]
    proved, locks = (set().union(*answers) for answers in zip(*compared, strict=True))
    assert proved == {True, False}
    assert False in locks
