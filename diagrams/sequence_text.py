"""The sequence chart of a trace as text: a lane for each end, the wire between them, and the event.

The console shows the same lanes as a table in colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import NamedTuple

from timewait.checker.trace import Step, Trace
from timewait.narration.prose import bracketed, frames_in_words
from timewait.narration.rounds import rounds
from timewait.narration.sentences import headline, repetition, violation_at
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS

HEADS = ("#", "t", "A", "wire", "B", "what")
"""The heads of the columns."""

SIDES = (str.rjust, str.rjust, str.ljust, str.center, str.ljust, str.ljust)
"""The alignment of each column."""

NARROW_HEADS = HEADS[:-1]
"""The heads of the columns where the event stands on the wire."""

NARROWEST = 24
"""The least width of the last column in characters."""


class Lanes(NamedTuple):
    """A row of the chart: the start, a step, the beginning of a loop, or the repetitions of a round.

    Attributes
    ----------
    number, time : str
        Of the step; empty at the beginning of a loop and for repetitions.
    states : tuple of str
        Of A and of B, after the step.
    new : tuple of bool
        Whether each state changed.
    wire : tuple of str
        The segments that arrive or are sent, a line each.
    text : str
        The actor and the event.
    """

    number: str
    time: str
    states: tuple[str, ...]
    new: tuple[bool, ...]
    wire: tuple[str, ...]
    text: str


def lanes(trace: Trace, clock: Callable[[Fraction], str] = format_duration) -> Iterator[Lanes]:
    """The rows of a trace, every step; `clock` formats times."""
    yield _start(trace)
    for step in trace.steps:
        yield from _loop(trace, step)
        yield _row(step, clock)


def folded_lanes(trace: Trace, clock: Callable[[Fraction], str] = format_duration) -> Iterator[Lanes]:
    """The rows of a trace, of rounds that repeat only the first one; `clock` formats times."""
    yield _start(trace)
    for part in rounds(trace):
        steps = trace.steps[part.first - 1 : part.last]
        for step in steps:
            yield from _loop(trace, step)
            yield _row(step, clock)
        if part.count > 1:
            end = clock(trace.steps[part.end - 1].time)
            like = f"step {part.first}" if len(steps) == 1 else f"steps {part.first} to {part.last}"
            wire = (f"{part.count - 1} more times, like {like}", f"the last at {end}, step {part.end}")
            yield Lanes("", "", ("", ""), (False, False), wire, "")


def narrow(row: Lanes, trace: Trace) -> Lanes:
    """A row with its event on the wire: the age of what arrives, or the action of an end."""
    row = row._replace(states=tuple(state.replace(" ", "\n") for state in row.states))  # of a new incarnation
    step = trace.steps[int(row.number) - 1] if row.number not in ("", "0") else None
    if step is None:
        return row._replace(text="")
    if step.event.received is None:
        return row._replace(wire=(row.text, *row.wire), text="")
    age = step.time - step.event.received.sent
    first = f"{row.wire[0]}, {format_duration(age)} old" if age else row.wire[0]
    frames = bracketed(frames_in_words(step.event.frames))
    return row._replace(wire=(f"{first} {frames}".rstrip(), *row.wire[1:]), text="")


def _start(trace: Trace) -> Lanes:
    return Lanes("0", "0", tuple(str(trace.initial[f"{end}.state"]) for end in ENDS), (False, False), (), "")


def _loop(trace: Trace, step: Step) -> Iterator[Lanes]:
    """The row before the first step of a loop."""
    if trace.loop is not None and step.number == trace.loop + 1:
        yield Lanes("", "", ("", ""), (False, False), (f"{repetition(trace)[0]}:",), "")


def _row(step: Step, clock: Callable[[Fraction], str]) -> Lanes:
    states = tuple(str(step.state[f"{end}.state"]) for end in ENDS)
    new = tuple(f"{end}.state" in step.changed for end in ENDS)
    text = " ".join(filter(None, [str(step.event), bracketed(frames_in_words(step.event.frames))]))
    return Lanes(str(step.number), clock(step.time), states, new, tuple(_wire(step)), text)


def _wire(step: Step) -> Iterator[str]:
    if step.event.received:
        yield f"{'<--' if step.event.actor == 'A' else '-->'} {step.event.received}"
    for copy in step.event.sent:
        yield f"({step.event.actor} sends {copy.text}{', lost' if copy.lost else ''})"


def as_text(trace: Trace, width: int | None = None) -> str:
    """The chart as text.

    Parameters
    ----------
    trace : Trace
        The trace.
    width : int or None
        The longest line in characters; None: no limit.
    """
    rows = [*lanes(trace)]
    chart = _chart(HEADS, rows, width)
    if width is not None and max(map(len, chart)) > width:
        chart = _chart(NARROW_HEADS, [narrow(row, trace) for row in rows], width)
    head = [headline(trace), trace.statement, data_in_words(trace.about, behaviour=True)]
    violations = [why for step in trace.steps if (why := violation_at(trace, step))]
    above, below = ([line for text in texts for line in _wrapped(text, width)] for texts in (head, violations))
    return "\n".join([*above, "", *chart, *(["", *below] if below else [])]) + "\n"


def _chart(heads: Sequence[str], rows: Iterable[Lanes], width: int | None) -> list[str]:
    """The lines of the chart in columns; the column that is wrapped is that of the event, or the wire where it has none."""
    cells = [heads, *(_cells(row)[: len(heads)] for row in rows)]
    widths = [max(len(line) for row in cells for line in row[column].split("\n")) for column in range(len(heads))]
    if width is not None:
        wrapped = heads.index(HEADS[-1] if HEADS[-1] in heads else "wire")
        widths[wrapped] = min(widths[wrapped], max(width - sum(widths) + widths[wrapped] - len(widths) + 1, NARROWEST))
    return [line for row in cells for line in _aligned(row, widths)]


def _cells(row: Lanes) -> tuple[str, ...]:
    return row.number, row.time, row.states[0], "\n".join(row.wire), row.states[1], row.text


def _aligned(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """The lines of a row, with its cells in columns, those that are too long wrapped."""
    parts = (cell.split("\n") for cell in row)
    cells = [[part for text in texts for part in _wrapped(text, wide)] for texts, wide in zip(parts, widths, strict=True)]
    for line in zip_longest(*cells, fillvalue=""):
        yield " ".join(side(cell, wide) for side, cell, wide in zip(SIDES, line, widths, strict=False)).rstrip()


def _wrapped(text: str, width: int | None) -> list[str]:
    return [text] if width is None else textwrap.wrap(text, width, break_on_hyphens=False) or [""]
