"""A figure as text, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from timewait.diagrams.figure import Arrow, Box, Figure, FigureRow, plain_text

NARROWEST = 40
"""The least width in characters to which lines are wrapped."""


def as_text(figure: Figure, width: int | None = None) -> str:
    """One block for each box: its title, note and table, and the arrows that leave it.

    Parameters
    ----------
    figure : Figure
        The figure.
    width : int or None
        The longest line in characters; None: no limit.
    """
    titles = {box.name: box.title or box.tooltip for box in figure.boxes}
    caption = "\n".join(_wrapped(plain_text(text), width, "") for text in figure.caption)
    blocks = [caption or _wrapped(figure.title, width, "")]
    for box in figure.boxes:
        lines = [titles[box.name], *(_wrapped(text, width, "  ") for text in box.note), *_table(box, width)]
        lines += [_wrapped(_arrow(arrow, titles), width, "    ") for arrow in figure.arrows if arrow.source == box.name]
        blocks += ["\n".join(lines)] if len(lines) > 1 else []
    if figure.notes:
        blocks.append("\n".join(_wrapped(plain_text(text), width, "") for text in figure.notes))
    return "\n\n".join(blocks) + "\n"


def _arrow(arrow: Arrow, titles: dict[str, str]) -> str:
    text = ", ".join(map(plain_text, arrow.label)).replace(", /", " /")
    target = "(stays)" if arrow.source == arrow.target else titles[arrow.target]
    return f"{text} -> {target}" if text else f"-> {target}"


def _table(box: Box, width: int | None) -> Iterator[str]:
    columns = zip_longest(*([plain_text(cell) for cell in row.cells] for row in box.rows), fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    for row in box.rows:
        yield _wrapped(_aligned(row, widths, width), width, "    ")


def _aligned(row: FigureRow, widths: list[int], width: int | None) -> str:
    """A row with its cells in columns, or separated by bars where the table is too wide for columns."""
    if width is None or 4 + sum(widths) + 2 * len(widths) <= max(width, NARROWEST):
        return "  ".join(f"{plain_text(cell):{wide}}" for cell, wide in zip(row.cells, widths, strict=False)).rstrip()
    return " | ".join(filter(None, map(plain_text, row.cells)))


def _wrapped(text: str, width: int | None, indent: str) -> str:
    if width is None or len(indent + text) <= max(width, NARROWEST):
        return indent + text
    words, most = " ".join(text.split()), max(width, NARROWEST)
    return textwrap.fill(words, most, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False)


def wrapped_lines(text: str, width: int | None) -> str:
    """A text with its long lines wrapped."""
    return "\n".join(_wrapped(row, width, "") if row else "" for row in text.splitlines()) + "\n"
