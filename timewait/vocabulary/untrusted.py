"""Text, numbers and plain data from files that anybody may have written: bounded, printable, or refused.

A file must not steer a terminal, forge a line of a report, or make a reader compute with numbers of a billion digits.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

MAX_DEPTH = 40
"""Nested lists and tables."""

MAX_TEXT = 100_000
"""Characters of one text."""

MAX_NUMBER = 10**15
"""The size of a number; as seconds, thirty million years."""

MAX_FILE = 65_536
"""Characters of a file in TOML."""

MAX_DOTS = 200
"""Full stops in a line of TOML: its reader takes time in the square of the parts of a name."""

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:/[0-9]{1,30}|\.[0-9]{1,30})?")

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\uffff]"
)
"""Control characters, line separators, changes of the direction of writing, half characters, and what XML forbids."""


def exact_number(value: object) -> Fraction:
    """A number from plain data: an integer, a decimal, or a fraction as text.

    Raises
    ------
    ValueError
        It is none, or larger than `MAX_NUMBER`.
    """
    found: Fraction | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        found = Fraction(value)
    elif isinstance(value, float) and math.isfinite(value):
        found = Fraction(str(value))
    elif isinstance(value, str) and _NUMBER.fullmatch(value) and not re.search("/0+$", value):
        found = Fraction(value)
    if found is None:
        raise ValueError(f"{shown(value)} is no number")
    if abs(found) > MAX_NUMBER:
        raise ValueError(f"{shown(value)} is too large a number")
    return found


def shown(value: object) -> str:
    """A value in a message: printable and short."""
    if isinstance(value, int) and value.bit_length() > 100:
        return "an integer of many digits"
    text = visible(repr(value))
    return text if len(text) <= 40 else f"{text[:37]}..."


def visible(text: str) -> str:
    """The text with every character that does not print written as its code."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def unprintable(text: str, keep: str = "") -> str:
    """The reason why a text cannot be shown; empty when there is none. `keep` names characters that are allowed."""
    if len(text) > MAX_TEXT:
        return f"a text of {len(text):,} characters"
    if _UNPRINTABLE.search(text) is None:
        return ""
    found = next((part[0] for part in _UNPRINTABLE.finditer(text) if part[0] not in keep), None)
    return "" if found is None else f"a text with the control character U+{ord(found):04X}"


def check_plain_data(data: object, keep: str = "") -> None:
    """Check plain data of lists and mappings: depth, texts, and numbers.

    Raises
    ------
    ValueError
        The data are nested too deeply, hold a text that cannot be shown, or a number that is too large.
    """
    level: list[object] = [data]
    for _ in range(MAX_DEPTH + 1):
        inner: list[object] = []
        for value in level:
            if isinstance(value, str):  # most values are texts
                if problem := unprintable(value, keep):
                    raise ValueError(problem)
            elif isinstance(value, int | float):
                if not abs(value) <= MAX_NUMBER**2:
                    raise ValueError(f"{shown(value)} is {'no' if value != value else 'too large a'} number")
            elif isinstance(value, list | tuple):
                inner += value
            elif isinstance(value, Mapping):
                inner += value
                inner += value.values()
        if not inner:
            return
        level = inner
    raise ValueError(f"more than {MAX_DEPTH} lists or tables inside one another")


def parse_json(octets: bytes) -> Any:
    """JSON whose data pass `check_plain_data`; a byte order mark may come first.

    Raises
    ------
    ValueError
        The octets are not UTF-8, are no JSON, or hold such data; the message is one line.
    """
    try:
        data = json.loads(octets.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=_table)
    except UnicodeDecodeError as problem:
        raise ValueError("not a text file") from problem
    except json.JSONDecodeError as problem:
        raise ValueError(f"line {problem.lineno}: {problem.msg}") from problem
    except RecursionError as problem:
        raise ValueError(f"more than {MAX_DEPTH} lists or tables inside one another") from problem
    except ValueError as problem:
        raise ValueError("an integer of too many digits" if "digits" in str(problem) else str(problem)) from problem
    check_plain_data(data)
    return data


def parse_toml(octets: bytes) -> dict[str, Any]:
    """TOML whose data pass `check_plain_data`, and whose texts may have several lines; a byte order mark may come first.

    Raises
    ------
    ValueError
        The octets are not UTF-8, are no TOML, are too many, or hold such data; the message is one line.
    """
    try:
        text = octets.decode("utf-8-sig")
        if len(text) > MAX_FILE or any(line.count(".") > MAX_DOTS for line in text.splitlines()):
            raise ValueError("too long, or a name of too many parts")
        table = tomllib.loads(text)
        check_plain_data(table, keep="\n\t")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    except RecursionError:
        raise ValueError("too many lists or tables inside one another") from None
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(chr(10)) + 1}, the end of the document"
        raise ValueError(str(error).replace("at end of document", end)) from None
    except ValueError as error:
        raise ValueError("an integer of too many digits" if "digits" in str(error) else str(error)) from None
    return table


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are different: of two values one would be read, and a person may see the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{shown(next(name for name in names if names.count(name) > 1))} is there twice in one object")
    return found
