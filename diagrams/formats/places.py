"""Where in the source a rule or a property is written down, so that a report can point at it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from spec import endpoint, properties, reference


class Place(NamedTuple):
    """A line of a source file.

    Attributes
    ----------
    path : str
        The file, relative to the root of the sources, with ``/`` between folders.
    line : int
        Counted from 1.
    """

    path: str
    line: int


def place_of_rule(name: str) -> Place | None:
    """Where a rule of the specification is written down, by the name by which traces refer to it."""
    return _entries(endpoint).get(name) or _entries(reference).get(name)


def place_of_property(name: str) -> Place | None:
    """Where a property is written down."""
    return _entries(properties).get(name)


def place_of_waiting() -> Place | None:
    """Where it is written down what must happen before time may pass."""
    return next((place for name, place in _functions(reference) if name == "wait"), None)


@cache
def _entries(module: ModuleType) -> dict[str, Place]:
    """Every entry of a table of the module, by its key or by the name that it is made with, where it first stands."""
    path, tree = _parsed(module)
    found: dict[str, Place] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Call):
            keys = node.args[:1]
        else:
            continue
        for key in keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                found.setdefault(key.value, Place(path, key.lineno))
    return found


def _functions(module: ModuleType) -> Iterator[tuple[str, Place]]:
    path, tree = _parsed(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name, Place(path, node.lineno)


def _parsed(module: ModuleType) -> tuple[str, ast.Module]:
    assert module.__file__ is not None
    return module.__name__.replace(".", "/") + ".py", ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


_SECTION = re.compile(r"RFC (?P<number>[0-9]+)(?: (?P<section>[0-9]+(?:\.[0-9]+)+))?")


def link(section: str) -> str | None:
    """The address of a section of a standard, for instance of ``RFC 9293 3.10.7.4 fifth step``; None where there is none."""
    found = _SECTION.search(section)
    if found is None:
        return None
    anchor = f"#section-{found['section']}" if found["section"] else ""
    return f"https://www.rfc-editor.org/rfc/rfc{found['number']}{anchor}"
