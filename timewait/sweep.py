"""Grids of questions: every combination of some durations, losses and stacks, decided side by side, one row for each."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from timewait.api import check
from timewait.checker.ray_cluster import spread
from timewait.checker.verdict import Verdict
from timewait.options import Options
from timewait.proofs.memory import version_of_code
from timewait.spec.plain_data import exact
from timewait.vocabulary.errors import RequestError

GridRow = Mapping[str, str]
"""A row of a table: every cell as text; durations are exact numbers of seconds."""

POINT = ("stack", "msl", "time_wait", "rto", "loss")
"""The columns that tell one question of a grid from another; an empty cell stands for what the stack does."""

FIXED = ("closers", "scope", "data", "duplication", "fifo", "engine", "max_states", "max_seconds", "version")
"""The columns that every question of a grid has in common."""

MOST_POINTS = 1_000_000
"""Questions of one grid, at most."""


@dataclass(frozen=True)
class Grid:
    """A grid of questions.

    Attributes
    ----------
    axes : mapping
        For each column of `POINT` its values as keywords of `timewait.options.Options.of`; None is what the stack does.
    fixed : mapping
        The keywords that all questions have in common.
    properties : tuple of str
        The properties asked for; each has a column.
    version : str
        The version of this program and of the profiles; a row of another version answers another question.
    """

    axes: Mapping[str, Sequence[Any]]
    fixed: Mapping[str, Any]
    properties: tuple[str, ...]
    version: str

    def __len__(self) -> int:
        """The number of questions."""
        size = 1
        for values in self.axes.values():
            size *= len(values)
        return size

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table."""
        return (*POINT, *FIXED, "verdict", *self.properties, "reason", "seconds")

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell which question a row answers, in which version."""
        return (*POINT, *FIXED)

    def points(self) -> Iterator[dict[str, str]]:
        """The cells of `key` for every question, in order."""
        common = {name: _cell(self.fixed.get(name)) for name in FIXED} | {"version": self.version}
        for values in product(*(self.axes[name] for name in POINT)):
            yield {name: _cell(value) for name, value in zip(POINT, values, strict=True)} | common

    def key_of(self, row: GridRow) -> tuple[str, ...]:
        """The question that a row answers."""
        return tuple(row[name] for name in self.key)


def rows(grid: Grid, done: Collection[tuple[str, ...]], jobs: int, cluster: str = "") -> Iterator[GridRow]:
    """A row for each question of a grid that is not done, in the order in which they are answered.

    Parameters
    ----------
    grid : Grid
        The questions.
    done : collection
        The keys of rows that there are already.
    jobs : int
        Processes that decide questions side by side; each has one question at a time.
    cluster : str
        The Ray cluster of the processes; empty for this machine without one.
    """
    left = (point for point in grid.points() if grid.key_of(point) not in done)
    keywords = dict(grid.fixed) | {"properties": grid.properties}
    for _, row in spread(cluster, answer, ((point, keywords) for point in left), jobs, version_of_code):
        yield row


def answer(point: GridRow, fixed: Mapping[str, Any]) -> dict[str, str]:
    """The row of one question; a value that neither the question nor the stack states makes it inconclusive, with the reason.

    Parameters
    ----------
    point : mapping
        The cells that tell which question it is.
    fixed : mapping
        The keywords of `timewait.options.Options.of` that every question has, the properties among them.
    """
    started = time.monotonic()
    asked = {name: point[name] for name in ("stack", "loss")}
    lengths = {name: Fraction(point[name]) for name in ("msl", "time_wait", "rto") if point[name]}
    try:
        result = check(Options.of(**{**fixed, **asked, **lengths}))
        verdicts = {found.name: str(found.verdict) for found in result.answers}
        reasons = [f"{found.name}: {found.reason}" for found in result.answers if found.reason]
        verdict = str(result.verdict)
    except RequestError as problem:
        verdict, reasons = str(Verdict.INCONCLUSIVE), [str(problem)]
        verdicts = dict.fromkeys(fixed["properties"], verdict)
    cells = {**point, "verdict": verdict, **verdicts, "reason": "; ".join(reasons)}
    return cells | {"seconds": f"{time.monotonic() - started:.2f}"}


def _cell(value: Any) -> str:
    """A value as a cell."""
    if isinstance(value, Fraction | float):
        return str(exact(Fraction(str(value))))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(_cell, value))
    return "" if value is None else str(value)
