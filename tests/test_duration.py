"""Durations: reading, writing, errors."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timewait.spec.duration import LONGEST_DURATION, SECONDS, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", Fraction(0)),
        ("0s", Fraction(0)),
        ("250ms", Fraction(1, 4)),
        ("30s", Fraction(30)),
        ("2m", Fraction(120)),
        ("1h", Fraction(3600)),
        ("1.5s", Fraction(3, 2)),
        ("59.9s", Fraction(599, 10)),
        ("0.1s", Fraction(1, 10)),
        ("20us", Fraction(1, 50_000)),
        ("0.5m", Fraction(30)),
        ("1m30s", Fraction(90)),
        ("1h0.5s", Fraction(7201, 2)),
        ("1h1m1s", Fraction(3661)),
        (" 30s\n", Fraction(30)),
    ],
)
def test_reads_exactly(text: str, seconds: Fraction) -> None:
    """Decimal numbers are read as exact fractions."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1s", "a length of time must not be negative: '-1s'"),
        ("30", "'30' has no unit; write 30s for seconds, 30ms for milliseconds"),
        ("1.5", "'1.5' has no unit; write 1.5s for seconds, 1.5ms for milliseconds"),
        ("", "'' is not a length of time; write for instance 250ms, 30s, 1.5s, 2m or 1h"),
    ],
)
def test_an_error_names_the_problem(text: str, message: str) -> None:
    """The error names the text and a correct one."""
    with pytest.raises(ValueError, match=r"^.*$") as caught:
        parse_duration(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "s",
        "30 s",
        "1e3s",
        ".5s",
        "5.s",
        "1,5s",
        "+5s",
        "30S",
        "3d",
        "30s1m",
        "1m30",
        "1.5m30s",
        "1m1m",
        "m",
        "inf",
        "nan",
        "٣s",
        "30s\n30s",
        "9" * 5000,
        "9" * 5000 + "s",
    ],
)
def test_refuses_nonsense_in_one_line(text: str) -> None:
    """Any other text is an error with a short message."""
    with pytest.raises(ValueError, match="write for instance 250ms") as caught:
        parse_duration(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(1, 4), "250ms"),
        (Fraction(1, 5), "200ms"),
        (Fraction(1), "1s"),
        (Fraction(3, 2), "1.5s"),
        (Fraction(599, 10), "59.9s"),
        (Fraction(30), "30s"),
        (Fraction(60), "60s"),
        (Fraction(64), "64s"),
        (Fraction(90), "90s"),
        (Fraction(240), "4m"),
        (Fraction(3600), "1h"),
        (Fraction(5400), "1h30m"),
        (Fraction(1, 50_000), "20us"),
        (Fraction(9995, 10_000), "999.5ms"),
        (Fraction(60_001, 1000), "60.001s"),
        (Fraction(150), "2m30s"),
        (Fraction(35_988, 100), "5m59.88s"),
        (Fraction(7201, 2), "1h0.5s"),
        (Fraction(1, 3), "333.333ms"),
        (Fraction(540 * 10**9 - 1, 3 * 10**9), "3m"),
        (Fraction(5, 3), "1.666667s"),
        (Fraction(-3, 2), "-1.5s"),
        (Fraction(1, 16_000_000), "0.0625us"),
    ],
)
def test_writes_as_a_person_would(seconds: Fraction, text: str) -> None:
    """The size chooses the unit."""
    assert format_duration(seconds) == text


@given(
    number=st.integers(min_value=0, max_value=10**9),
    places=st.integers(min_value=0, max_value=12),
    unit=st.sampled_from(sorted(SECONDS)),
)
def test_a_written_duration_reads_back(number: int, places: int, unit: str) -> None:
    """Every decimal duration is the same after writing and reading."""
    seconds = min(Fraction(number, 10**places) * SECONDS[unit], Fraction(LONGEST_DURATION))
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.fractions(min_value=0, max_value=10**6))
def test_no_part_is_a_whole_larger_unit(seconds: Fraction) -> None:
    """No text says 60 seconds within minutes, 60 minutes within hours, or 1000 of a unit below a second."""
    text = format_duration(seconds)
    if seconds >= SECONDS["ms"] and text.endswith("ms"):
        assert Fraction(text[:-2]) < 1000
    if "m" in text.replace("ms", ""):
        assert not re.search(r"m60(\.0*)?s|h60m", text)
