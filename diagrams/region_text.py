"""Safe and unsafe TIME_WAIT as a chart of characters, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from timewait.diagrams.axes import Axes, plain_number
from timewait.diagrams.region import KnownStack, SafetyRegion, fares, together
from timewait.diagrams.region_picture import axes_of

COLUMNS, ROWS = 60, 18
"""Characters of the text chart, without its axes."""

DIGITS = "123456789abcdefhjklmnopqrstuvwxyz"
"""The marks of stacks; no property begins with one of them that is asked about here."""


def as_text(region: SafetyRegion, width: int | None = None) -> str:
    """The picture as text: ``.`` is safe, a blank was not computed, a letter names a property broken, digits are stacks."""
    columns = min(COLUMNS, max((width or 2 * COLUMNS) - 10, 20))
    axes = axes_of(region, 0.0)
    stacks = together(region.stacks)
    marks = {_cell(axes, stack, columns): digit for digit, stack in zip(DIGITS, stacks, strict=False)}
    rows = []
    for row in range(ROWS, 0, -1):
        up = axes.up.high * row / ROWS
        cells = [
            marks.get((column, row)) or _mark(region, axes.across.high * (column + 1) / columns, up) for column in range(columns)
        ]
        round_value = [value for value in axes.up.ticks() if up - axes.up.high / ROWS < value <= up]
        rows.append(f"{plain_number(round_value[0]) if round_value else '':>7} |{''.join(cells)}")
    across, up_name = region.axes_names
    far = plain_number(axes.across.high)
    foot = [f"{'':8}+{'-' * columns}", f"{'':8} 0{far:>{columns - 1}}", f"{'':9}{across:>{columns}}"]
    told = [".  safe", *(f"{boundary.name[0]}  unsafe: {boundary.told}" for boundary in region.boundaries)]
    told += [f"{digit}  {fares(region, stack)}" for digit, stack in zip(DIGITS, stacks, strict=False)]
    head = _broken([region.title, *region.caption], width)
    return "\n".join([*head, "", up_name, *rows, *foot, "", *_broken(told, width)]) + "\n"


def _cell(axes: Axes, stack: KnownStack, columns: int) -> tuple[int, int]:
    """Where a stack stands in the text chart."""
    column = min(int(stack.across / axes.across.high * columns), columns - 1)
    return column, max(ceil(stack.up * ROWS / axes.up.high), 1)


def _mark(region: SafetyRegion, across: Fraction, up: Fraction) -> str:
    found = [(boundary, region.is_safe(boundary, across, up)) for boundary in region.boundaries]
    broken = next((boundary.name[0] for boundary, safe in found if safe is False), "")
    return broken or ("." if any(safe for _, safe in found) else " ")


def _broken(texts: Iterable[str], width: int | None) -> list[str]:
    return [row for text in texts for row in (textwrap.wrap(text, width, subsequent_indent="   ") if width else [text])]
