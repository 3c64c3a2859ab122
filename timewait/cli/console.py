"""The one place that prints."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from timewait.checker.decide import Answer
from timewait.checker.finding import Progress
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.diagrams.sequence_text import HEADS, lanes
from timewait.narration.prose import short_duration
from timewait.narration.sentences import deciding_rules, violation_reason
from timewait.narration.story import conclusion, story
from timewait.spec.duration import format_duration
from timewait.spec.properties import PROPERTIES

STYLES = {
    Verdict.PROVED: "green",
    Verdict.VIOLATED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.VACUOUS: "yellow",
    Verdict.DISAGREEMENT: "bold magenta",
}

PROSE = 100
"""Columns of a line of prose at most."""

MEANINGS = {
    Verdict.PROVED: "That holds on every run: whatever the network and the users do within these limits.",
    Verdict.VIOLATED: "That does not hold: the network and the users can make it go wrong, for instance like this.",
    Verdict.INCONCLUSIVE: "That was not decided: a bound was reached first. It may hold or not.",
    Verdict.VACUOUS: "That says nothing: what it speaks of cannot happen here at all.",
    Verdict.DISAGREEMENT: "Two ways of deciding it differ, so neither is to be believed: please report it.",
}
"""What a verdict means."""


class Screen:
    """Where answers go: standard output, colours only on a terminal, as wide as that is."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else 132
        self._out = Console(width=width, highlight=False, soft_wrap=False)
        self._err = Console(stderr=True, highlight=False)

    @property
    def width(self) -> int | None:
        """Characters in a line of the terminal; None where there is none, and lines may be as long as they come."""
        return self._out.width if sys.stdout.isatty() else None

    def line(self, text: str = "") -> None:
        """One line of plain text."""
        self._out.print(escape(text), soft_wrap=True)

    def raw(self, text: str) -> None:
        """Text as it stands, whatever the width."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    @property
    def for_people(self) -> bool:
        """Whether standard output is a terminal."""
        return sys.stdout.isatty()

    def octets(self, data: bytes) -> None:
        """What is not text, as it stands."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def as_json(self, data: Any) -> None:
        """One JSON object."""
        self.raw(json.dumps(data, indent=2, ensure_ascii=False))

    def progress(self, progress: Progress) -> None:
        """How far a long exploration has come, on standard error and only for people."""
        if sys.stderr.isatty():
            self._err.print(
                f"  {progress.states:,} states, depth {progress.depth}, {progress.rate:,.0f}/s, {progress.megabytes:,.0f} MB",
                style="dim",
            )

    def note(self, text: str) -> None:
        """A remark beside the answer, on standard error."""
        self._err.print(escape(text), style="dim", soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """A plain table."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) if isinstance(cell, str) else cell for cell in row))
        self._out.print(table)

    def verdict(self, verdict: Verdict) -> Text:
        """A verdict in its colour."""
        return Text(str(verdict).upper(), style=STYLES[verdict])

    def answer(self, answer: Answer) -> None:
        """A verdict in a line, its reason, and its trace."""
        finding, trace = answer.finding, answer.trace
        head = Text.assemble((f"{finding.name:<15} ", "bold"), self.verdict(finding.verdict))
        facts = [finding.engine, f"{finding.states:,} covered", f"{finding.seconds:.2f} s"]
        if trace is not None:
            minimised = f" (minimised from {len(trace.steps) + trace.dropped})" if trace.dropped else ""
            facts = [f"{len(trace.steps)} steps{minimised}", *facts, "replay: confirmed"]
        head.append("   " + "   ".join(facts))
        self._out.print(head, soft_wrap=True)
        self.line(f"  {PROPERTIES[finding.name].statement}")
        if finding.reason:
            self.line(f"  {finding.reason}")
        if trace is not None:
            if why := violation_reason(trace):
                self.line(f"  fails: {why}")
            self.trace(trace)
            for line in deciding_rules(trace):
                self.line(f"  to blame: {line}")
        self.line()

    def story(self, trace: Trace) -> None:
        """A trace in words, with what each state is for where it is first entered."""
        told = story(trace)
        margin = max(len(short_duration(one.time)) for one in told) + 2
        for one in told:
            self._wrapped(one.text, margin, head=short_duration(one.time).rjust(margin - 2))
            for name, meaning in one.meanings:
                self._wrapped(f"{name}: {meaning}", margin, "italic")
            if one.why:
                self._wrapped(f"the rule: {one.why}", margin, "dim")
        self.paragraphs(conclusion(trace))

    def paragraphs(self, texts: Iterable[str], indent: int = 0) -> None:
        """Texts, each wrapped to the width."""
        for text in texts:
            self._wrapped(text, indent)

    def _wrapped(self, text: str, indent: int, style: str = "", head: str = "") -> None:
        """Prose, in lines that are not too long to read, with something in the margin of the first."""
        lines = textwrap.wrap(text, max(min(self._out.width, PROSE) - indent, 20))
        for number, line in enumerate(lines):
            margin = head if number == 0 else ""
            self._out.print(Text(margin.ljust(indent)) + Text(line, style=style), soft_wrap=True)

    def heading(self, text: str) -> None:
        """What the next lines are about."""
        self._out.print(Text(text, style="bold"), soft_wrap=True)

    def meaning(self, answer: Answer) -> None:
        """What a verdict means, for somebody who reads the first of their life."""
        self.paragraphs([MEANINGS[answer.verdict]], indent=2)
        if answer.trace is not None:
            self.story(answer.trace)
        self.line()

    def trace(self, trace: Trace, clock: Callable[[Fraction], str] = format_duration) -> None:
        """A trace as a table: one lane per end, the wire between them, and what changed.

        Parameters
        ----------
        trace : Trace
            What is shown.
        clock : callable
            How times are written.
        """
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        for column, justify in zip(HEADS, ("right", "right", "left", "center", "left", "left"), strict=True):
            table.add_column(column, justify=justify, overflow="fold", no_wrap=column != HEADS[-1])  # type: ignore[arg-type]  # literals
        for row in lanes(trace, clock):
            a, b = (Text(state, style="bold" if new else "dim") for state, new in zip(row.states, row.new, strict=True))
            remark = None if row.number else "italic"
            table.add_row(row.number, row.time, a, "\n".join(map(escape, row.wire)), b, escape(row.text), style=remark)
        self._out.print(table)
