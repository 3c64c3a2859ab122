"""Plain tables: columns as wide as they need, the widest ones folded where the page is too narrow, between words if it can be."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import click

NARROWEST = 8
"""Characters that a folded column keeps at least."""

NOTHING = ("", "-")
"""The texts of cells that say nothing."""

TALLEST = 9
"""The most lines of a cell; where one would have more, the rows of the table are no columns."""

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
        Spaces between two columns; one where the words of the table need the room.
    sides : sequence of callable
        The side to which each column leans, such as `str.ljust`; to the left where none is given.
    fixed : collection of str
        The headings of columns that are never folded.
    """
    lean = sides or [str.ljust] * len(heads)
    cells = [[Cell(head, BOLD) for head in heads], *rows]
    gap, widths = _layout(cells, width, gap, [head not in fixed for head in heads])
    for row in cells:
        columns = [_cell_lines(cell, most) for cell, most in zip(row, widths, strict=True)]
        for parts in zip_longest(*columns, fillvalue=""):
            padded = [side(part, most) for side, part, most in zip(lean, parts, widths, strict=True)]
            last = max((place for place, part in enumerate(padded) if part.strip()), default=0)
            padded[last:] = [padded[last].rstrip()]
            yield (" " * gap).join(cell.style.apply(part) for cell, part in zip(row, padded, strict=False))


def fits(heads: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> bool:
    """Whether a table keeps its words whole in lines of `width` characters, and no cell becomes a tower of lines."""
    cells = [[Cell(head) for head in heads], *rows]
    words = [max(len(word) for cell in column for word in (*cell.text.split(), "")) for column in zip(*cells, strict=True)]
    if sum(words) + len(heads) - 1 > width:
        return False
    _, widths = _layout(cells, width, 2, [True] * len(heads))
    return all(len(_cell_lines(cell, most)) <= TALLEST for row in cells for cell, most in zip(row, widths, strict=True))


def _layout(cells: Sequence[Sequence[Cell]], width: int, gap: int, foldable: Sequence[bool]) -> tuple[int, list[int]]:
    """The spaces between two columns, and the widths of the columns."""
    widths = [max(len(line) for cell in column for line in cell.text.split("\n")) for column in zip(*cells, strict=True)]
    longest = [max(len(word) for cell in column for word in (*cell.text.split(), "")) for column in zip(*cells, strict=True)]
    if sum(max(word, min(NARROWEST, wide)) for word, wide in zip(longest, widths, strict=True)) > width - gap * (len(widths) - 1):
        gap = 1  # rather than to break words
    return gap, _folded(widths, longest, foldable, width - gap * (len(widths) - 1))


def _cell_lines(cell: Cell, width: int) -> list[str]:
    return [part for line in cell.text.split("\n") for part in _wrapped(line, width)]


def records(heads: Sequence[str], rows: Iterable[Sequence[Cell]], width: int) -> Iterator[str]:
    """A table that is too wide, row by row: the first cell in a line, below it those others that say something."""
    for row in rows:
        style = BOLD if row[0].style == PLAIN else row[0].style  # as the heads of a table
        yield from (style.apply(line) for line in _wrapped(f"{heads[0].strip()} {row[0].text}".strip(), width))
        others = [
            f"{head.strip()}: {cell.text}" for head, cell in zip(heads[1:], row[1:], strict=True) if cell.text not in NOTHING
        ]
        yield from textwrap.wrap("; ".join(others), width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def centred(text: str, width: int) -> str:
    """Text in the middle; where that cannot be, nearer to the left."""
    return (" " * ((width - len(text)) // 2) + text).ljust(width)


def _folded(widths: Sequence[int], longest: Sequence[int], foldable: Sequence[bool], width: int) -> list[int]:
    """The widths of columns once the widest foldable ones have lost what is too much; words are broken as a last resort."""
    narrowed = list(widths)
    for least in ([max(word, NARROWEST) for word in longest], [NARROWEST] * len(widths)):
        while sum(narrowed) > width:
            able = [number for number, may in enumerate(foldable) if may and narrowed[number] > least[number]]
            if not able:
                break
            narrowed[max(able, key=lambda number: narrowed[number])] -= 1
    return narrowed


def _wrapped(line: str, width: int) -> list[str]:
    whole = all(len(word) <= width for word in line.split())
    return textwrap.wrap(line, width, break_on_hyphens=not whole) or [""]
