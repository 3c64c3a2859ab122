"""The line of a value in a TOML file, which the reader of TOML does not tell, and the same file with another value."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Key = str | int
"""A part of the way to a value: the name of a key, or the number of an entry of a list, counted from 0."""


def line_of(text: str, path: Sequence[Key]) -> int:
    """The line on which the statement begins that first gives a value, counted from 1.

    A file read up to some line either holds the value or does not, and keeps it once it does; so the line is found by halving.

    Parameters
    ----------
    text : str
        TOML without errors.
    path : sequence of str and int
        The way to the value: ``("time_wait", "value")`` for ``value`` in the table ``time_wait``.

    Raises
    ------
    KeyError
        There is no such value.
    """
    lines = text.split("\n")
    ends = _ends(lines)
    if not _holds(lines[: ends[-1]], path):
        raise KeyError(path)
    low, high = 0, len(ends) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _holds(lines[: ends[middle]], path) else (middle, high)
    return ends[low] + 1


def with_text(text: str, path: Sequence[Key], value: str) -> str:
    """The same file with another text as one of its values; every other character stays, comments too.

    Each text in quotes in the statement that gives the value is replaced in turn; the right one is that with which the file
    says the same as before, but for the value.

    Parameters
    ----------
    text : str
        TOML without errors.
    path : sequence of str and int
        The way to the value, which is a text on one line.
    value : str
        The new text.

    Raises
    ------
    KeyError
        There is no such value, or it is not a text in quotes on one line.
    """
    wanted = copy.deepcopy(tomllib.loads(text))
    holder: Any = wanted
    start = sum(map(len, text.split("\n")[: line_of(text, path) - 1])) + line_of(text, path) - 1
    for part in path[:-1]:
        holder = holder[part]
    if holder[path[-1]] == value:
        return text
    holder[path[-1]] = value
    for quoted in _QUOTED.finditer(text, start):
        changed = text[: quoted.start()] + json.dumps(value) + text[quoted.end() :]
        try:
            if tomllib.loads(changed) == wanted:
                return changed
        except tomllib.TOMLDecodeError:
            continue
    raise KeyError(path)


_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
"""A text in quotes on one line."""


def _ends(lines: Sequence[str]) -> list[int]:
    """The numbers of lines after which a statement is complete, with 0; a text or a list may go over several lines."""
    ends = [0]
    for number in range(1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[ends[-1] : number]))
        except tomllib.TOMLDecodeError:
            continue
        ends.append(number)
    return ends


def _holds(lines: Sequence[str], path: Sequence[Key]) -> bool:
    found: Any = tomllib.loads("\n".join(lines))
    for part in path:
        known: Collection[Key] = range(len(found)) if isinstance(found, list) else found if isinstance(found, Mapping) else ()
        if part not in known:
            return False
        found = found[part]
    return True
