"""Linear terms and constraints as text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewait.checker.linear import Constraint, as_text, constraint, evaluate, term

VALUES = {"MSL": Fraction(30), "RTO": Fraction(1, 3), "TIME_WAIT": Fraction(60)}

fractions = st.fractions(-1000, 1000, max_denominator=60)
terms = st.dictionaries(st.sampled_from(["", "MSL", "RTO", "TIME_WAIT", "RTO_1"]), fractions, max_size=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MSL", {"MSL": 1}),
        ("2*MSL", {"MSL": 2}),
        ("2 MSL", {"MSL": 2}),
        ("2MSL", {"MSL": 2}),
        ("3/2*MSL", {"MSL": Fraction(3, 2)}),
        ("MSL/2", {"MSL": Fraction(1, 2)}),
        ("3*MSL/2", {"MSL": Fraction(3, 2)}),
        ("- MSL", {"MSL": -1}),
        ("-MSL + RTO", {"MSL": -1, "RTO": 1}),
        ("2*MSL - TIME_WAIT/2 + 1", {"MSL": 2, "TIME_WAIT": Fraction(-1, 2), "": 1}),
        ("MSL + MSL - 2*MSL", {"MSL": 0}),
        ("  RTO_1-7/3  ", {"RTO_1": 1, "": Fraction(-7, 3)}),
        ("0", {"": 0}),
    ],
)
def test_terms(text: str, expected: dict[str, Fraction | int]) -> None:
    """Terms are parsed."""
    assert term(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "msl",
        "MSL +",
        "+",
        "MSL*2",
        "2**MSL",
        "--MSL",
        "MSL/2/2",
        "MSL/RTO",
        "MSL*RTO",
        "1.5*MSL",
        "_MSL",
        "(MSL)",
        "2*MSL;",
        "MSL/",
    ],
)
def test_not_a_term(text: str) -> None:
    """The message shows the text."""
    with pytest.raises(ValueError, match="is not a linear term") as caught:
        term(text)
    assert text.strip() in str(caught.value)


@pytest.mark.parametrize("text", ["MSL RTO", "2 3", "MSL 2", "2*", "1/2/3", ""])
def test_ambiguous_terms(text: str) -> None:
    """A text without a clear meaning is refused."""
    with pytest.raises(ValueError, match="is not a linear term"):
        term(text)


@pytest.mark.parametrize("text", ["MSL/0", "1/0", "1/0*MSL"])
def test_division_by_zero(text: str) -> None:
    """A division by zero is refused."""
    with pytest.raises(ValueError, match="is not a linear term"):
        term(text)


@pytest.mark.parametrize(
    ("text", "relation", "expected"),
    [
        ("TIME_WAIT >= 2*MSL", ">=", {"TIME_WAIT": 1, "MSL": -2}),
        ("2*MSL <= TIME_WAIT", ">=", {"TIME_WAIT": 1, "MSL": -2}),
        ("MSL > 0", ">", {"MSL": 1, "": 0}),
        ("0 < MSL", ">", {"MSL": 1, "": 0}),
        ("RTO == MSL + 1/2", "==", {"RTO": 1, "MSL": -1, "": Fraction(-1, 2)}),
        ("MSL > MSL", ">", {"MSL": 0}),
    ],
)
def test_constraints(text: str, relation: str, expected: dict[str, Fraction | int]) -> None:
    """All terms are on one side, and the relation is normalised."""
    read = constraint(text)
    assert (read.relation, read.terms, read.text) == (relation, expected, text)


@pytest.mark.parametrize(
    "text", ["", "MSL", "MSL = RTO", "MSL => RTO", "MSL <> RTO", "0 < MSL < RTO", "MSL >= rto", "MSL != RTO", "MSL >= 1 or RTO"]
)
def test_not_a_constraint(text: str) -> None:
    """A text without exactly one relation is refused."""
    with pytest.raises(ValueError, match="is not a "):
        constraint(text)


@pytest.mark.parametrize("text", ["> 1", "MSL >", ">="])
def test_an_empty_side(text: str) -> None:
    """A comparison with an empty side is refused."""
    with pytest.raises(ValueError, match="is not a "):
        constraint(text)


@pytest.mark.parametrize(
    ("text", "below", "at", "above"),
    [
        ("MSL >= 30", False, True, True),
        ("MSL > 30", False, False, True),
        ("MSL <= 30", True, True, False),
        ("MSL < 30", True, False, False),
        ("MSL == 30", False, True, False),
    ],
)
def test_holds(text: str, below: bool, at: bool, above: bool) -> None:
    """At the limit, just below and just above it."""
    read, hair = constraint(text), Fraction(1, 10**30)
    assert [read.holds({"MSL": 30 + part}) for part in (-hair, Fraction(0), hair)] == [below, at, above]


def test_evaluate() -> None:
    """Values are exact."""
    assert evaluate(term("2*MSL - TIME_WAIT/2 + RTO + 1/7"), VALUES) == 30 + Fraction(1, 3) + Fraction(1, 7)
    assert evaluate({}, VALUES) == 0
    with pytest.raises(KeyError):
        evaluate(term("FOO"), VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*MSL - TIME_WAIT", "2*MSL - TIME_WAIT"),
        ("- TIME_WAIT + MSL/2", "1/2*MSL - TIME_WAIT"),
        ("-MSL", "- MSL"),
        ("MSL - MSL", "0"),
        ("MSL + 1", "1 + MSL"),
        ("3/2 - RTO", "3/2 - RTO"),
    ],
)
def test_written(text: str, expected: str) -> None:
    """Positive coefficients come first."""
    assert as_text(term(text)) == expected


@given(terms)
def test_round_trip(terms: dict[str, Fraction]) -> None:
    """A printed term is parsed to the same term, without zero coefficients."""
    again = term(as_text(terms))
    assert {name: factor for name, factor in again.items() if factor} == {
        name: factor for name, factor in terms.items() if factor
    }


@given(terms, terms, st.sampled_from([">=", ">", "==", "<=", "<"]))
def test_a_constraint_compares_its_sides(left: dict[str, Fraction], right: dict[str, Fraction], relation: str) -> None:
    """It holds exactly if the values of its sides compare so."""
    values = {**VALUES, "RTO_1": Fraction(-2)}
    one, other = evaluate(left, values), evaluate(right, values)
    expected = {">=": one >= other, ">": one > other, "==": one == other, "<=": one <= other, "<": one < other}[relation]
    read: Constraint = constraint(f"{as_text(left)} {relation} {as_text(right)}")
    assert read.holds(values) is expected
