"""Plain tables: columns as wide as they need, the widest ones folded where the page is too narrow."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import click

NARROWEST = 8
"""Characters that a folded column keeps at least."""

Side = Callable[[str, int], str]


class Style(NamedTuple):
    """How text looks on a terminal; see `click.style`."""

    fg: str | None = None
    bold: bool | None = None
    dim: bool | None = None
    italic: bool | None = None

    def apply(self, text: str) -> str:
        """The text with the escape sequences of the style."""
        return click.style(text, **self._asdict()) if any(self) and text.strip() else text


BOLD, DIM, ITALIC, PLAIN = Style(bold=True), Style(dim=True), Style(italic=True), Style()


class Cell(NamedTuple):
    """Text in a style; a cell may hold several lines."""

    text: str
    style: Style = PLAIN


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    width: int,
    *,
    gap: int = 2,
    sides: Sequence[Side] = (),
    fixed: Collection[str] = (),
) -> Iterator[str]:
    """The lines of a table.

    Parameters
    ----------
    heads : sequence of str
        The headings of the columns.
    rows : iterable of sequence of Cell
        The rows; one cell for each column.
    width : int
        Characters in a line.
    gap : int
        Spaces between two columns.
    sides : sequence of callable
        The side to which each column leans, such as `str.ljust`; to the left where none is given.
    fixed : collection of str
        The headings of columns that are never folded.
    """
    lean = sides or [str.ljust] * len(heads)
    cells = [[Cell(head, BOLD) for head in heads], *rows]
    widths = [max(len(line) for cell in column for line in cell.text.split("\n")) for column in zip(*cells, strict=True)]
    widths = _folded(widths, [head not in fixed for head in heads], width - gap * (len(heads) - 1))
    for row in cells:
        columns = [
            [part for line in cell.text.split("\n") for part in _wrapped(line, most)]
            for cell, most in zip(row, widths, strict=True)
        ]
        for parts in zip_longest(*columns, fillvalue=""):
            padded = [side(part, most) for side, part, most in zip(lean, parts, widths, strict=True)]
            padded[-1] = padded[-1].rstrip()
            styled = [cell.style.apply(part) for cell, part in zip(row, padded, strict=True)]
            yield (" " * gap).join(styled).rstrip()


def centred(text: str, width: int) -> str:
    """Text in the middle; where that cannot be, nearer to the left."""
    return (" " * ((width - len(text)) // 2) + text).ljust(width)


def _folded(widths: Sequence[int], foldable: Sequence[bool], width: int) -> list[int]:
    """The widths of columns once the widest foldable ones have lost what is too much."""
    narrowed = list(widths)
    while sum(narrowed) > width:
        widest = max((number for number, may in enumerate(foldable) if may), key=lambda number: narrowed[number], default=None)
        if widest is None or narrowed[widest] <= NARROWEST:
            break
        narrowed[widest] -= 1
    return narrowed


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, break_on_hyphens=False) or [""]
