"""A figure as text, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from timewait.diagrams.figure import Arrow, Box, Figure, FigureRow, words

NARROWEST = 40


def as_text(figure: Figure, width: int | None = None) -> str:
    """One block per box: its title, what is said of it, its table, and the arrows that leave it.

    Parameters
    ----------
    figure : Figure
        What is written.
    width : int or None
        Characters in a line at most; None: as long as they come.
    """
    titles = {box.name: box.title or box.tooltip for box in figure.boxes}
    caption = "\n".join(_broken(words(text), width, "") for text in (figure.caption or ()))
    blocks = [caption or _broken(figure.title, width, "")]
    for box in figure.boxes:
        lines = [titles[box.name], *(_broken(text, width, "  ") for text in box.note), *_table(box, width)]
        lines += [_broken(_arrow(arrow, titles), width, "    ") for arrow in figure.arrows if arrow.source == box.name]
        blocks += ["\n".join(lines)] if len(lines) > 1 else []
    return "\n\n".join(blocks) + "\n"


def _arrow(arrow: Arrow, titles: dict[str, str]) -> str:
    text = ", ".join(map(words, arrow.label)).replace(", /", " /")
    there = "(stays)" if arrow.source == arrow.target else titles[arrow.target]
    return f"{text} -> {there}" if text else f"-> {there}"


def _table(box: Box, width: int | None) -> Iterator[str]:
    columns = zip_longest(*([words(cell) for cell in row.cells] for row in box.rows), fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    for row in box.rows:
        yield _broken(_aligned(row, widths, width), width, "    ")


def _aligned(row: FigureRow, widths: list[int], width: int | None) -> str:
    """A row with its cells in columns, if the whole table is narrow enough for that."""
    if width is None or 4 + sum(widths) + 2 * len(widths) <= max(width, NARROWEST):
        return "  ".join(f"{words(cell):{wide}}" for cell, wide in zip(row.cells, widths, strict=False)).rstrip()
    return " | ".join(filter(None, map(words, row.cells)))


def _broken(text: str, width: int | None, indent: str) -> str:
    if width is None or len(indent + text) <= max(width, NARROWEST):
        return indent + text
    most = max(width, NARROWEST)
    return textwrap.fill(
        " ".join(text.split()), most, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False
    )


def quotient(text: str, width: int | None) -> str:
    """A text with its long lines broken."""
    return "\n".join(_broken(row, width, "") if row else "" for row in text.splitlines()) + "\n"
