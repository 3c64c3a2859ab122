"""Durations as whole ticks."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewait.checker.time_unit import in_ticks, unit_of

durations = st.dictionaries(st.sampled_from("abcde"), st.fractions(0, 10**6, max_denominator=10**6), min_size=1)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([30, 60], 30),
        ([30, 0, 20], 10),
        ([7, 3], 1),
        ([Fraction(1, 2), Fraction(1, 3)], Fraction(1, 6)),
        ([Fraction(599, 10), 30], Fraction(1, 10)),
        ([Fraction(3, 4), Fraction(9, 8)], Fraction(3, 8)),
        ([Fraction(1, 10**9), 10**9], Fraction(1, 10**9)),
        ([5], 5),
        ([0, 0], 1),
        ([], 1),
    ],
)
def test_unit(values: list[int | Fraction], unit: int | Fraction) -> None:
    """The greatest common divisor; a second where there is nothing to divide."""
    assert unit_of({str(place): Fraction(value) for place, value in enumerate(values)}) == unit


@given(durations)
def test_the_unit_is_the_largest(values: dict[str, Fraction]) -> None:
    """Every duration is a multiple of it, and the multiples have nothing in common."""
    unit = unit_of(values)
    counts = in_ticks(values, unit)
    assert {name: count * unit for name, count in counts.items()} == values
    for factor in (2, 3, 5, 7, 11):
        assert not any(counts.values()) or any(count % factor for count in counts.values())


def test_in_ticks() -> None:
    """Whole numbers, of the type of whole numbers."""
    counts = in_ticks({"MSL": Fraction(30), "RTO": Fraction(3, 2), "0": Fraction(0)}, Fraction(1, 2))
    assert counts == {"MSL": 60, "RTO": 3, "0": 0}
    assert {type(count) for count in counts.values()} == {int}


def test_what_is_no_multiple() -> None:
    """Said by name."""
    with pytest.raises(ValueError, match=r"^RTO = 3/2s is no multiple of 1s$"):
        in_ticks({"MSL": Fraction(30), "RTO": Fraction(3, 2)}, Fraction(1))
