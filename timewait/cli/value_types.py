"""Types of option values that a function reads; to import them takes none of the engines."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from timewait.spec.duration import parse_duration
from timewait.spec.stacks import stack_names
from timewait.spec.state import state_named
from timewait.vocabulary.suggestions import advice
from timewait.vocabulary.untrusted import shown, unprintable

Value = TypeVar("Value")
Command = TypeVar("Command", bound=Callable[..., Any])
"""The function of a command."""


class Parsed(click.ParamType[Value]):
    """The type of an option whose text a function reads.

    Parameters
    ----------
    name : str
        What the help text calls a value.
    parse : callable
        Reads the text; raises ValueError where it makes no sense.
    """

    def __init__(self, name: str, parse: Callable[[str], Value]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # converted before
        try:
            return self._parse(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class FilePath(click.Path):
    """The type of the name of a file or folder: one that prints, since reports, pages and pictures show it.

    Parameters
    ----------
    exists, file_okay, dir_okay, allow_dash : bool
        As of `click.Path`.
    """

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True, allow_dash: bool = False) -> None:
        super().__init__(exists, file_okay, dir_okay, allow_dash=allow_dash, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if problem := unprintable(os.fspath(value)):
            self.fail(f"{shown(os.fspath(value))} is {problem}; rename it, since reports show the name", param, ctx)
        return super().convert(value, param, ctx)


class WordChoice(click.Choice[str]):
    """The type of an option whose value is one of several words; a wrong one gets the nearest, not a long list."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            command = ctx.command_path if ctx else "timewait"
            self.fail(f"there is no {value!r}; {advice(str(value), self.choices, f'{command} --help lists them')}", param, ctx)


class FiniteRange(click.FloatRange):
    """The type of an option whose value is a number; ``nan`` is within every range of click, and ``inf`` bounds nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not math.isfinite(number := super().convert(value, param, ctx)):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


DURATION = Parsed("time", parse_duration)
STATE = Parsed("state", state_named)


def printable(text: str) -> str:
    """A text in one line of characters that print.

    Raises
    ------
    ValueError
        It holds another character, or too many.
    """
    if problem := unprintable(text):
        raise ValueError(f"{shown(text)} is {problem}; give one line of characters that print")
    return text


def complete_stack(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of profiles that a shell offers."""
    del ctx, param
    return [name for name in stack_names() if name.startswith(incomplete)]
