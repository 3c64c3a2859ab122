"""Safe and unsafe TIME_WAIT as a chart of characters, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from timewait.diagrams.boundary import plain_number
from timewait.diagrams.region import KnownStack, SafetyRegion, extent, outcome, together

COLUMNS, ROWS = 60, 18
"""The size of the chart in characters, without its axes."""

DIGITS = "123456789abcdefhjklmnopqrstuvwxyz"
"""The marks of stacks; none of them is the first letter of a property that has a boundary."""


def as_text(region: SafetyRegion, width: int | None = None) -> str:
    """The chart as text: ``.`` is safe, a blank is not known, a letter names a violated property, digits are stacks.

    Parameters
    ----------
    region : SafetyRegion
        The content.
    width : int or None
        The longest line in characters; None: no limit.
    """
    columns = min(COLUMNS, max((width or 2 * COLUMNS) - 10, 20))
    far, high = extent(region)
    stacks = together(region.stacks)
    marks = {_cell(stack, far, high, columns): digit for digit, stack in zip(DIGITS, stacks, strict=False)}
    ticks = round_values(high)
    rows = []
    for row in range(ROWS, 0, -1):
        up = high * row / ROWS
        cells = [marks.get((column, row)) or _mark(region, far * (column + 1) / columns, up) for column in range(columns)]
        label = next((plain_number(value) for value in ticks if up - high / ROWS < value <= up), "")
        rows.append(f"{label:>7} |{''.join(cells)}".rstrip())
    across, up_name = region.axes_names
    foot = [f"{'':8}+{'-' * columns}", f"{'':8} 0{plain_number(far):>{columns - 1}}", f"{'':9}{across:>{columns}}"]
    legend = [".  safe", *(f"{boundary.name[0]}  unsafe: {boundary.sentence}" for boundary in region.boundaries)]
    legend += [f"{digit}  {outcome(region, stack)}" for digit, stack in zip(DIGITS, stacks, strict=False)]
    head = _wrapped([region.title, *region.caption], width)
    return "\n".join([*head, "", up_name, *rows, *foot, "", *_wrapped(legend, width)]) + "\n"


def round_values(high: Fraction, most: int = 9) -> list[Fraction]:
    """Round values from 0 to `high`, at most `most` steps apart."""
    power = Fraction(1, 10)
    while True:
        for step in (power / 2, power, 2 * power, 5 * power):
            if high / step <= most:
                return [step * count for count in range(int(high / step) + 1)]
        power *= 10


def _cell(stack: KnownStack, far: Fraction, high: Fraction, columns: int) -> tuple[int, int]:
    """The column and the row of a stack."""
    return min(int(stack.across / far * columns), columns - 1), max(ceil(stack.up * ROWS / high), 1)


def _mark(region: SafetyRegion, across: Fraction, up: Fraction) -> str:
    verdicts = [(boundary, region.is_safe(boundary, across, up)) for boundary in region.boundaries]
    violated = next((boundary.name[0] for boundary, safe in verdicts if safe is False), "")
    return violated or ("." if any(safe for _, safe in verdicts) else " ")


def _wrapped(texts: Iterable[str], width: int | None) -> list[str]:
    return [
        row
        for text in texts
        for row in (textwrap.wrap(text, width, subsequent_indent="   ", break_on_hyphens=False) if width else [text])
    ]
