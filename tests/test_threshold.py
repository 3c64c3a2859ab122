"""The minimum safe value of functions whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewait.checker.decide import Answer
from timewait.checker.finding import Finding
from timewait.checker.threshold import FINER, InconclusiveAnswer, Threshold, minimum_safe
from timewait.checker.verdict import Verdict


class Oracle:
    """A function that decides values, and records which."""

    def __init__(self, safe: Callable[[Fraction], bool], undecided: Callable[[Fraction], bool] = lambda _: False) -> None:
        self.safe = safe
        self.undecided = undecided
        self.asked: list[Fraction] = []

    def __call__(self, value: Fraction) -> list[Answer]:
        self.asked.append(value)
        verdict = Verdict.PROVED if self.safe(value) else Verdict.VIOLATED
        if self.undecided(value):
            verdict = Verdict.INCONCLUSIVE
        return [Answer(Finding("easy", Verdict.PROVED, "test")), Answer(Finding("hard", verdict, "test"))]


def find(oracle: Oracle, unit: Fraction | int = 1, limit: int = 64, whole: bool = False) -> Threshold:
    """The minimum safe value; every value is decided only once."""
    found = minimum_safe(oracle, Fraction(unit), Fraction(limit), whole)
    assert len(oracle.asked) == len(set(oracle.asked)) == found.queries
    return found


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("minimum", range(1, 65))
def test_at_a_unit(minimum: int, whole: bool) -> None:
    """The exact minimum, with the answers on both sides."""
    oracle = Oracle(lambda value: value >= minimum)
    found = find(oracle, whole=whole)
    assert found.minimum == minimum
    assert found.verdict is Verdict.PROVED
    assert found.value_below == minimum - (1 if whole else Fraction(1, FINER))
    assert [answer.verdict for answer in found.answers] == [Verdict.PROVED, Verdict.PROVED]
    assert [answer.verdict for answer in found.answers_below] == [Verdict.PROVED, Verdict.VIOLATED]
    assert found.largest_tried == minimum
    assert not whole or all(value.denominator == 1 for value in oracle.asked)


@pytest.mark.parametrize("whole", [True, False])
def test_at_zero(whole: bool) -> None:
    """One query, and no answers below."""
    found = find(Oracle(lambda _: True), whole=whole)
    assert found.minimum == 0
    assert (found.answers_below, found.queries, found.verdict) == ([], 1, Verdict.PROVED)


def test_between_zero_and_the_first_unit() -> None:
    """The finer step finds it."""
    assert find(Oracle(lambda value: value > 0)).minimum == Fraction(1, FINER)
    assert find(Oracle(lambda value: value > 0), whole=True).minimum == 1


@pytest.mark.parametrize(
    "minimum", [Fraction(1, 2), Fraction(5, 2), Fraction(7001, 1000), Fraction(6999, 1000), Fraction(127, 2)]
)
def test_between_two_units(minimum: Fraction) -> None:
    """The minimum in thousandths of a unit; in ticks the next unit."""
    found = find(Oracle(lambda value: value >= minimum))
    assert found.minimum == minimum
    assert found.value_below == minimum - Fraction(1, FINER)
    whole = find(Oracle(lambda value: value >= minimum), whole=True)
    assert whole.minimum == minimum.__ceil__()
    assert whole.value_below == minimum.__ceil__() - 1


def test_between_two_of_the_finer_steps() -> None:
    """The next finer step; the value just below is unsafe."""
    found = find(Oracle(lambda value: value > Fraction(5, 2)))
    assert found.minimum == Fraction(5, 2) + Fraction(1, FINER)
    assert found.value_below == Fraction(5, 2)


@pytest.mark.parametrize("unit", [Fraction(1, 7), Fraction(30), Fraction(1, 10)])
def test_the_unit_does_not_matter(unit: Fraction) -> None:
    """The same values, scaled."""
    plain, scaled = Oracle(lambda value: value >= Fraction(27, 2)), Oracle(lambda value: value >= unit * 27 / 2)
    found, same = minimum_safe(plain, Fraction(1), Fraction(64), False), minimum_safe(scaled, unit, 64 * unit, False)
    assert same.minimum == unit * 27 / 2
    assert scaled.asked == [unit * value for value in plain.asked]
    assert same.queries == found.queries


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 17, 64])
def test_none_up_to_the_limit(limit: int, whole: bool) -> None:
    """No value beyond the limit is decided."""
    oracle = Oracle(lambda value: value > limit)
    found = find(oracle, limit=limit, whole=whole)
    assert found.minimum is None
    assert found.largest_tried == found.value_below == limit
    assert found.verdict is Verdict.VIOLATED
    assert found.answers == found.answers_below
    assert max(oracle.asked) == limit


def test_exactly_at_the_limit() -> None:
    """Found although doubling would exceed the limit."""
    assert find(Oracle(lambda value: value >= 17), limit=17).minimum == 17


@pytest.mark.parametrize("where", [0, 1, 8, 16, 12, Fraction(12999, 1000)])
def test_undecided(where: Fraction | int) -> None:
    """A value without a verdict is reported with its answers."""
    with pytest.raises(InconclusiveAnswer, match=rf"^no verdict at {float(where):g} s$") as caught:
        find(Oracle(lambda value: value >= 13, lambda value: value == where))
    assert caught.value.value == where
    assert [answer.verdict for answer in caught.value.answers] == [Verdict.PROVED, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize("verdict", [Verdict.VACUOUS, Verdict.DISAGREEMENT, Verdict.INCONCLUSIVE])
def test_only_a_proof_and_a_violation_decide(verdict: Verdict) -> None:
    """Any other verdict is inconclusive."""
    with pytest.raises(InconclusiveAnswer):
        minimum_safe(lambda _: [Answer(Finding("x", verdict, "test"))], Fraction(1), Fraction(8), True)
    with pytest.raises(InconclusiveAnswer):
        minimum_safe(lambda _: [], Fraction(1), Fraction(8), True)


@given(st.integers(1, 64 * FINER))
def test_few_queries(thousandths: int) -> None:
    """No more queries than doubling and bisection need."""
    found = find(Oracle(lambda value: value >= Fraction(thousandths, FINER)))
    assert found.minimum == Fraction(thousandths, FINER)
    assert found.queries <= 1 + 7 + 5 + 1 + 10
