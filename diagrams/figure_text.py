"""A figure as text, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from timewait.diagrams.figure import Arrow, Box, Figure, plain_text

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
        lines = [
            titles[box.name],
            *(_wrapped(text, width, "  ", hanging="") for text in _paragraphs(box, width)),
            *_table(box, width),
        ]
        lines += [_wrapped(_arrow(arrow, titles), width, "    ") for arrow in figure.arrows if arrow.source == box.name]
        blocks += ["\n".join(lines)] if len(lines) > 1 else []
    if figure.notes:
        blocks.append("\n".join(_wrapped(plain_text(text), width, "") for text in figure.notes))
    return "\n\n".join(blocks) + "\n"


def _arrow(arrow: Arrow, titles: dict[str, str]) -> str:
    text = ", ".join(map(plain_text, arrow.label)).replace(", /", " /")
    target = "(stays)" if arrow.source == arrow.target else titles[arrow.target]
    return f"{text} -> {target}" if text else f"-> {target}"


def _paragraphs(box: Box, width: int | None) -> Iterable[str]:
    """The note of a box in the lines of the picture; in lines of a terminal, its tooltip where both are the same."""
    return [box.tooltip] if width is not None and box.note and " ".join(box.note) == box.tooltip else box.note


def _table(box: Box, width: int | None) -> Iterator[str]:
    rows = [[plain_text(cell) for cell in row.cells] for row in box.rows]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    if width is None or 4 + sum(widths) + 2 * len(widths) <= max(width, NARROWEST):
        for row in rows:
            yield _wrapped("  ".join(f"{cell:{wide}}" for cell, wide in zip(row, widths, strict=False)).rstrip(), width, "    ")
        return
    for row in _whole_rows(rows):  # too wide for columns
        yield _wrapped(" | ".join(filter(None, row)), width, "    ")


def _whole_rows(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Rows, each with those that go on with its cells."""
    whole: list[str] = []
    for row in rows:
        if whole and (not row[0] or row[0][0].isspace()):
            whole = [f"{cell} {more}".strip() for cell, more in zip_longest(whole, map(str.strip, row), fillvalue="")]
        else:
            yield from [whole] if whole else []
            whole = row
    yield from [whole] if whole else []


def _wrapped(text: str, width: int | None, indent: str, hanging: str = "    ") -> str:
    if width is None or len(indent + text) <= max(width, NARROWEST):
        return indent + text
    words, most = " ".join(text.split()), max(width, NARROWEST)
    return textwrap.fill(words, most, initial_indent=indent, subsequent_indent=indent + hanging, break_on_hyphens=False)


def wrapped_lines(text: str, width: int | None) -> str:
    """A text with its long lines wrapped."""
    return "\n".join(_wrapped(row, width, "") if row else "" for row in text.splitlines()) + "\n"
