"""The output of the commands: answers on standard output, notes on standard error."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TextIO

import click

from timewait.checker.verdict import Verdict
from timewait.cli.errors import answering, terminal_columns
from timewait.cli.table import BOLD, DIM, ITALIC, PLAIN, Cell, Style, centred, fits, records, table
from timewait.diagrams.sequence_text import HEADS, NARROW_HEADS, Lanes, folded_lanes, narrow
from timewait.narration.prose import counted, short_duration
from timewait.narration.sentences import answer_facts, deciding_rules, violation_reason
from timewait.narration.story import conclusion, story
from timewait.spec.duration import format_duration
from timewait.spec.properties import PROPERTIES

if TYPE_CHECKING:
    from timewait.checker.decide import Answer
    from timewait.checker.finding import Progress
    from timewait.checker.trace import Trace

STYLES = {
    Verdict.PROVED: Style(fg="green"),
    Verdict.VIOLATED: Style(fg="red", bold=True),
    Verdict.INCONCLUSIVE: Style(fg="yellow"),
    Verdict.VACUOUS: Style(fg="yellow"),
    Verdict.DISAGREEMENT: Style(fg="magenta", bold=True),
}

PAGE = 132
"""Characters in a line where standard output is not a terminal."""

COLUMNS = "TIMEWAIT_COLUMNS"
"""The environment variable that states the characters in a line, for output into a pager or a file."""

FEWEST_COLUMNS = 40
"""The fewest characters in a line that are accepted."""

PROSE = 100
"""The most characters in a line of prose."""

MEANINGS = {
    Verdict.PROVED: "This property holds on every run that the network and the users can bring about within these limits.",
    Verdict.VIOLATED: "This property does not hold: the network and the users can break it, for instance by the following run.",
    Verdict.INCONCLUSIVE: "This property was not decided: the search reached a bound first. The property may hold or not.",
    Verdict.VACUOUS: "This proof says nothing: the situation that the property is about never occurs here.",
    Verdict.DISAGREEMENT: "Two ways of deciding this property differ, so neither can be believed. Please report it.",
}
"""Each verdict, explained."""


_SIDES = (str.rjust, str.rjust, str.ljust, centred, str.ljust, str.ljust)
"""The side to which each column of a run leans."""


_UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|MB)\b)")
"""The space between a number and its unit."""

_TOGETHER = "\u00a0"
"""A space at which no line ends."""


SELDOM = 0.09
"""The part of the time since the first note of progress that passes between two, which are a second apart at least."""


class Screen:
    """Standard output for answers and standard error for notes; with styles on a terminal alone."""

    def __init__(self) -> None:
        self._first_progress: float | None = None
        self._last_progress = -math.inf

    @property
    def for_people(self) -> bool:
        """Whether standard output is a terminal."""
        return sys.stdout.isatty()

    @property
    def width(self) -> int | None:
        """Characters in a line: of the terminal, or those of `COLUMNS` in the environment; None where there is neither."""
        stated = os.environ.get(COLUMNS, "")
        if re.fullmatch("[0-9]{1,4}", stated) and int(stated) >= FEWEST_COLUMNS:
            return int(stated)
        return shutil.get_terminal_size().columns if self.for_people else None

    def line(self, text: str = "", style: Style = PLAIN) -> None:
        """A line of text, continued with a larger indent where the terminal is too narrow for it."""
        width = self.width
        for line in [text] if width is None or len(text) <= width else _lines(text, width):
            self.row(style.apply(line))

    def row(self, text: str) -> None:
        """A line that fits as it is, such as a row of a table."""
        _print(sys.stdout, text)

    def heading(self, text: str) -> None:
        """One line of text, set off from the next ones."""
        self.line(text, BOLD)

    def raw(self, text: str) -> None:
        """Text without wrapping."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def octets(self, data: bytes) -> None:
        """Binary data as it is."""
        with answering():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def as_json(self, data: Any) -> None:
        """One JSON object."""
        self.raw(json.dumps(data, indent=2, ensure_ascii=False))

    def progress(self, progress: Progress) -> None:
        """The progress of a long exploration that has begun, on standard error and for people alone."""
        if progress.states > 1 and sys.stderr.isatty() and self.progress_is_due():
            depth = f"depth {progress.depth}, " if progress.depth else ""
            self.note(
                f"  {counted(progress.states, 'state')}, {depth}{progress.rate:,.0f} a second, {progress.megabytes:,.0f} MB"
            )

    def progress_is_due(self) -> bool:
        """Whether the last note of progress is long ago: however many explorations report, an hour takes a few dozen lines."""
        now = time.monotonic()
        if self._first_progress is None:
            self._first_progress = now
        if now - self._last_progress < max(0.9, SELDOM * (now - self._first_progress)):
            return False
        self._last_progress = now
        return True

    def progress_note(self, text: str) -> None:
        """What long work does now, on standard error and for people alone."""
        if sys.stderr.isatty():
            self.note(f"  {text} ...")

    def note_compilation(self, *, kept: bool) -> None:
        """That the engines are compiled first, unless their code was kept."""
        if not kept:
            self.progress_note("compiling the engines: about half a minute, once for each version and user")

    def note(self, text: str) -> None:
        """A remark beside the answer, on standard error; on a terminal in as many lines as it needs."""
        wide = terminal_columns(sys.stderr)
        with suppress(OSError):  # a remark that nobody can read ends no work
            for line in _lines(text, wide) if wide and len(text) > wide else [text]:
                _print(sys.stderr, DIM.apply(line))

    def remark(self, text: str) -> None:
        """A long remark beside the answer, on standard error, in lines that are not too long."""
        for line in text.splitlines():
            for part in textwrap.wrap(line, min(self.width or PAGE, PROSE), subsequent_indent="  ", break_on_hyphens=False):
                self.note(part)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> None:
        """A table with these headings; where the terminal is too narrow even for its words, its rows one below the other."""
        cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        width = self.width or PAGE
        for line in (table if fits(columns, cells, width) else records)(columns, cells, width):
            self.row(line)

    def verdict(self, verdict: Verdict) -> Cell:
        """A verdict in its colour."""
        return Cell(str(verdict).upper(), STYLES[verdict])

    def answer(self, answer: Answer) -> None:
        """A verdict in a line, its reason, and its trace."""
        finding, trace = answer.finding, answer.trace
        verdict = self.verdict(finding.verdict)
        head = f"{BOLD.apply(f'{finding.name:<15}')} {verdict.style.apply(verdict.text)}"
        for number, line in enumerate(self._joined(answer_facts(answer), len(finding.name.ljust(15)) + len(verdict.text) + 4)):
            self.row(f"{head}   {line}".rstrip() if number == 0 else f"  {line}")
        self.line(f"  {PROPERTIES[finding.name].statement}")
        if finding.reason:
            self.line(f"  {finding.reason}")
        if trace is not None:
            if why := violation_reason(trace):
                self.line(f"  fails: {why}")
            self.trace(trace)
            for rule in deciding_rules(trace):
                self.line(f"  rule: {rule}")
            self.line(f"  property: {PROPERTIES[trace.shows].section}")
        self.line()

    def _joined(self, facts: Sequence[str], taken: int) -> list[str]:
        """Facts with three spaces between them, in as many lines as the terminal needs; the first has less room."""
        lines: list[str] = [""]
        for fact in facts:
            joined = f"{lines[-1]}   {fact}" if lines[-1] else fact
            room = self.width and self.width - (taken if len(lines) == 1 else 2)
            if room is not None and len(joined) > room and lines[-1]:
                lines.append(fact)
            else:
                lines[-1] = joined
        if self.width and len(lines[0]) + taken > self.width:  # even the first fact is too long for the rest of the line
            lines.insert(0, "")
        return lines

    def meaning(self, answer: Answer) -> None:
        """A verdict and its run, explained in sentences."""
        self.paragraphs([MEANINGS[answer.verdict]], indent=2)
        if answer.trace is not None:
            self.story(answer.trace)
        self.line()

    def story(self, trace: Trace) -> None:
        """A run in sentences, with the meaning of each state where it is first entered."""
        lines = story(trace)
        clock = short_duration if any(step.event.frames for step in trace.steps) else format_duration
        margin = max(len(clock(line.time)) for line in lines) + 2
        for line in lines:
            self._wrapped(line.text_with_frames, margin, head=clock(line.time).rjust(margin - 2))
            for name, meaning in line.meanings:
                self._wrapped(f"{name}: {meaning}", margin, ITALIC)
            if line.why:
                self._wrapped(f"the rule: {line.why}", margin, DIM)
        self.paragraphs(conclusion(trace))

    def paragraphs(self, texts: Iterable[str], indent: int = 0, hanging: int = 0) -> None:
        """Texts, each wrapped to the width; every line but the first is `hanging` spaces further in."""
        for text in texts:
            self._wrapped(text, indent, hanging=hanging)

    def _wrapped(self, text: str, indent: int, style: Style = PLAIN, head: str = "", hanging: int = 0) -> None:
        """Prose in lines that are not too long, with a head in the margin of the first."""
        most = max(min(self.width or PAGE, PROSE) - indent, 20)
        for line in textwrap.wrap(text, most, subsequent_indent=" " * hanging, break_on_hyphens=False):
            self.row(head.ljust(indent) + style.apply(line))
            head = ""

    def trace(self, trace: Trace, clock: Callable[[Fraction], str] = format_duration) -> None:
        """A run as a table: a lane for each end, the wire between them, and the event, on the wire where a column is too much.

        Rounds that repeat are shown once.

        Parameters
        ----------
        trace : Trace
            The run.
        clock : callable
            Writes a time.
        """
        rows, width = [*folded_lanes(trace, clock)], self.width or PAGE
        lines = [*table(HEADS, map(_cells, rows), sys.maxsize, gap=1, sides=_SIDES)]
        if max(len(click.unstyle(line)) for line in lines) > width:
            # Sentences on the wire are long; nothing else is folded.
            narrowed = (_cells(narrow(row, trace))[:-1] for row in rows)
            lines = [*table(NARROW_HEADS, narrowed, width, gap=1, sides=_SIDES[:-1], fixed=("#", "t"))]
        for line in lines:
            self.row(line)


def _cells(row: Lanes) -> list[Cell]:
    """A row of a run in styles: what an end has just become is bold."""
    style = PLAIN if row.number else ITALIC
    a, b = (Cell(state, BOLD if new else DIM) for state, new in zip(row.states, row.new, strict=True))
    return [Cell(row.number, style), Cell(row.time, style), a, Cell("\n".join(row.wire), style), b, Cell(row.text, style)]


def _lines(text: str, width: int) -> list[str]:
    """Text in lines, each with the indent of the first, and those that follow with two spaces more; a number keeps its unit."""
    indent = text[: len(text) - len(text.lstrip())]
    kept = _UNIT.sub(_TOGETHER, text.strip())
    lines = textwrap.wrap(kept, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
    return [line.replace(_TOGETHER, " ") for line in lines]


def _print(stream: TextIO, text: str) -> None:
    """Write a line; its styles only on a terminal."""
    styled = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    stream.write((text if styled else click.unstyle(text).rstrip()) + "\n")
    stream.flush()
