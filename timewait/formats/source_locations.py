"""Lines of source files, for reports that point at them: those that define rules and properties, and those of a user."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from timewait.spec import incarnation, properties, reference, rules

TOP_FOLDERS = ("spec", "checker", "proofs", "diagrams")
"""Packages of ``timewait`` whose folders lie at the root of the repository."""


USERS, OURS = "%SRCROOT%", "TIMEWAIT"
"""The base of a path in SARIF: the repository of the user, or the source of this distribution."""

WORKSPACE = "GITHUB_WORKSPACE"
"""The environment variable with the folder into which GitHub checks out a repository."""


class SourceLocation(NamedTuple):
    """A line of a source file.

    Attributes
    ----------
    path : str
        The file, relative to the root of the repository, with ``/`` between folders.
    line : int
        Counted from 1.
    base : str
        `OURS` for a file of this distribution, `USERS` for one of the repository at hand.
    """

    path: str
    line: int
    base: str = OURS


def users_location(file: Path, line: int) -> SourceLocation:
    """A line of a file of the user, relative to the root of the repository that holds the file.

    The root is `WORKSPACE`, else the nearest folder with ``.git``, else the current folder; a file outside keeps its full path.
    """
    full = Path(os.path.realpath(file))  # which raises nothing, unlike `Path.resolve`
    stated = os.environ.get(WORKSPACE)
    roots = [Path(os.path.realpath(stated))] if stated else []
    roots += [folder for folder in full.parents if os.path.exists(folder / ".git")][:1]  # noqa: PTH110 # as above
    for root in (*roots, Path.cwd().resolve()):
        if full.is_relative_to(root):
            return SourceLocation(full.relative_to(root).as_posix(), line, USERS)
    return SourceLocation(full.as_posix(), line, USERS)


def rule_location(name: str) -> SourceLocation | None:
    """The entry of a rule in the specification's tables of rules."""
    return _keys(rules).get(name) or _keys(incarnation).get(name)


def property_location(name: str) -> SourceLocation | None:
    """The definition of a property."""
    return _properties().get(name)


def waiting_location() -> SourceLocation | None:
    """The function that decides how much time may pass."""
    path, tree = _parsed(reference)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return next((SourceLocation(path, node.lineno) for node in functions if node.name == "wait"), None)


def source_path(module: str) -> str:
    """The file of a module, relative to the root of the repository: ``spec/endpoint.py`` for ``timewait.spec.endpoint``."""
    path = module.replace(".", "/") + ".py"
    inner = path.removeprefix("timewait/")
    return inner if inner.partition("/")[0] in TOP_FOLDERS else path


@cache
def _keys(module: ModuleType) -> dict[str, SourceLocation]:
    """The lines of all keys in the dict displays of a module."""
    path, tree = _parsed(module)
    keys = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    return {text: SourceLocation(path, line) for text, line in _strings(keys)}


@cache
def _properties() -> dict[str, SourceLocation]:
    path, tree = _parsed(properties)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Property")
    return {text: SourceLocation(path, line) for text, line in _strings(call.args[0] for call in calls)}


def _strings(nodes: Iterable[ast.expr | None]) -> Iterator[tuple[str, int]]:
    """The string literals among some expressions, with their lines."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def _parsed(module: ModuleType) -> tuple[str, ast.Module]:
    assert module.__file__ is not None
    return source_path(module.__name__), ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
