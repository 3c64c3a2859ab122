"""A configuration from plain data that anybody may have written: read as it was stated, or refused in one line."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from fractions import Fraction
from typing import Any

import pytest

from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.plain_data import configuration_as_data, configuration_from_data
from timewait.spec.reopening import NextIncarnation, Numbers, Reopen

CLOCK = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, data_rate=Fraction(1000), idle=Fraction(1))
STATED = Configuration(Fraction(1), Fraction(2), (Fraction(1),), reopening=CLOCK)


def refusal(**changed: Any) -> str:
    """The message with which the data of a configuration with other values for the next incarnation are refused."""
    data = configuration_as_data(STATED)
    data["reopening"] |= changed
    return _refusal(data)


def _refusal(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        configuration_from_data(data)
    return str(refused.value)


NUMBERS = [entry.name for entry in fields(NextIncarnation) if entry.default is None or isinstance(entry.default, Fraction)]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["1/0", "1e400000000", "1e9", "nan", 10**400, 1e300, True, [], {}, "\n", "\x1b[2J"])
def test_numbers_of_the_next_incarnation(name: str, value: object) -> None:
    """Neither a division by zero, nor a thousand million digits."""
    said = refusal(**{name: value})
    assert name in said
    assert "\n" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", [entry.name for entry in fields(NextIncarnation)])
@pytest.mark.parametrize("value", ["yes", 2, 1.5, [1], [0, 1, 1], ["a", "b"], [None, None], {"a": 1}, "ab"])
def test_types_of_the_next_incarnation(name: str, value: object) -> None:
    """Each field is of its type: no text for true, no list for a pair; a number of seconds may be any."""
    if name in NUMBERS and isinstance(value, int | float):
        return
    assert name in refusal(**{name: value})


@pytest.mark.parametrize("value", [[0, 1], [1, 0], [1, 1], ["", "x"]])
def test_timestamps_are_true_or_false(value: list[object]) -> None:
    """A number is neither."""
    assert "timestamps" in refusal(timestamps=value)


@pytest.mark.parametrize("value", [[True, False], [-1, 0], [0, 10**9], [0.5, 0]])
def test_text_is_counted(value: list[object]) -> None:
    """Neither true nor less than nothing."""
    assert "text" in refusal(text=value)


def test_unknown_keys() -> None:
    """Wherever they are; the capture that a trace follows is known."""
    data = configuration_as_data(STATED)
    assert configuration_from_data(data | {"capture": {}}) == STATED
    assert _refusal(data | {"los": 3}) == "not a configuration: a configuration has no 'los'"
    assert "the behaviour has no 'anwsers'" in _refusal(data | {"behaviour": data["behaviour"] | {"anwsers": []}})
    assert "the next incarnation has no 'erly'" in refusal(erly=True)
    assert "\n" not in _refusal(data | {"a\nb": 3})


@pytest.mark.parametrize("name", ["msl", "behaviour", "text", "scope"])
def test_missing_keys(name: str) -> None:
    """Named."""
    data = configuration_as_data(STATED)
    del data[name]
    assert f"it lacks '{name}'" in _refusal(data)


@pytest.mark.parametrize("value", [None, [], "x", 3])
@pytest.mark.parametrize("name", ["behaviour", "reopening", "text"])
def test_parts_of_another_form(name: str, value: object) -> None:
    """A part that is no table, or no pair."""
    assert "not a configuration: " in _refusal(configuration_as_data(STATED) | {name: value})


def test_every_choice_is_read_back() -> None:
    """The data of an opening name each of its values."""
    for entry in fields(NextIncarnation):
        if isinstance(entry.default, StrEnum):
            assert refusal(**{entry.name: "no such choice"})
    assert configuration_from_data(configuration_as_data(STATED)) == STATED
