"""What the library returns, and how a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING

from timewait.captures import report
from timewait.checker.decide import Answer
from timewait.checker.threshold import Threshold
from timewait.checker.trace import Trace, register_renderer
from timewait.checker.verdict import Verdict, worst
from timewait.diagrams import sequence as ladder
from timewait.narration.story import conclusion, story
from timewait.proofs.thresholds import ProvedThreshold, formula_in_words
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration

if TYPE_CHECKING:
    from timewait.captures.facts import ObservedClose

register_renderer("svg", lambda trace: ladder.sequence(trace))


@dataclass(frozen=True)
class CheckResult:
    """The answers to a check.

    Attributes
    ----------
    configuration : Configuration
        The configuration that was checked.
    answers : tuple of Answer
        An answer for each property: its `name`, `verdict`, `engine`, `reason` and, of a violation, its `trace`.
    any_gap : CheckResult or None
        Where the configuration has the retransmission schedule of a stack: the answers with any gap up to its greatest RTO.
    """

    configuration: Configuration
    answers: tuple[Answer, ...]
    any_gap: CheckResult | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all properties."""
        return worst(answer.verdict for answer in self.answers)

    @property
    def trace(self) -> Trace | None:
        """The run of the first violation."""
        return next((answer.trace for answer in self.answers if answer.trace is not None), None)

    def __getitem__(self, name: str) -> Answer:
        """The answer for one property, by its name."""
        return {answer.name: answer for answer in self.answers}[name]

    def __str__(self) -> str:
        lines = [f"{name:<15} {verdict.upper()}  {reason}".rstrip() for name, verdict, _, reason in self._rows()]
        return "\n".join(lines)

    def _rows(self) -> Iterable[tuple[str, str, str, str]]:
        for answer in self.answers:
            yield answer.name, str(answer.verdict), answer.engine, answer.reason

    def _repr_html_(self) -> str:
        return _table(("property", "verdict", "engine", "reason"), self._rows())


@dataclass(frozen=True)
class ThresholdResult:
    """The least safe TIME_WAIT at given durations.

    Attributes
    ----------
    configuration : Configuration
        The configuration that was checked, at a TIME_WAIT of zero.
    found : Threshold
        The value, with the answers of the engine at it and just below it.
    """

    configuration: Configuration
    found: Threshold

    @property
    def least(self) -> Fraction | None:
        """The least safe TIME_WAIT in seconds; None where none is safe."""
        return self.found.minimum

    @property
    def verdict(self) -> Verdict:
        """Proved where a TIME_WAIT is safe, violated where none is."""
        return self.found.verdict

    @property
    def trace(self) -> Trace | None:
        """A run that violates a property just below the least safe TIME_WAIT."""
        return next((answer.trace for answer in self.found.answers_below if answer.trace is not None), None)

    def __str__(self) -> str:
        return "no TIME_WAIT is safe" if self.least is None else f"least safe TIME_WAIT: {format_duration(self.least)}"

    def _repr_html_(self) -> str:
        answers = [("at it", answer) for answer in self.found.answers] + [
            ("just below", answer) for answer in self.found.answers_below
        ]
        rows = [(where, answer.name, str(answer.verdict)) for where, answer in answers]
        return f"<p>{escape(str(self))}</p>" + _table(("TIME_WAIT", "property", "verdict"), rows)


@dataclass(frozen=True)
class FormulaResult:
    """The least safe TIME_WAIT as a formula in MSL and RTO.

    Attributes
    ----------
    configuration : Configuration
        Everything but the durations.
    pieces : tuple of ProvedThreshold
        The pieces of the formula, each with its two proofs, from the largest RTO / MSL down.
    unsettled : str
        Why the search ended early; empty where it covered the whole range.
    """

    configuration: Configuration
    pieces: tuple[ProvedThreshold, ...]
    unsettled: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all pieces; inconclusive at best where the range is not covered."""
        return worst([*(piece.verdict for piece in self.pieces), *([Verdict.INCONCLUSIVE] if self.unsettled else [])])

    def __str__(self) -> str:
        return formula_in_words(self.pieces) if self.pieces else f"not settled: {self.unsettled}"


@dataclass(frozen=True)
class Explanation:
    """A run in words.

    Attributes
    ----------
    trace : Trace
        The run.
    observed : ObservedClose or None
        Of a captured connection: what was observed beside the run.
    """

    trace: Trace
    observed: ObservedClose | None = None

    @property
    def lines(self) -> list[str]:
        """The sentences, in order: what happened, then what failed or how the capture deviates from RFC 9293."""
        sentences = [f"{format_duration(line.time)}: {line.text}" for line in story(self.trace)]
        if self.observed is None:
            return sentences + conclusion(self.trace)
        return [report.summary(self.observed), *sentences, *report.deviations(self.observed)]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_svg_(self) -> str:
        return ladder.sequence(self.trace)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in HTML."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
