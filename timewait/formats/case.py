"""What reports list: one thing that was asked, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from timewait.checker.decide import Answer
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.formats.source_locations import SourceLocation, property_location
from timewait.narration.sentences import shows_violation, violation_reason
from timewait.spec.properties import PROPERTIES


class CaseStatus(StrEnum):
    """How a case stands."""

    PASSED = "passed"
    """It came out as it should."""
    FAILED = "failed"
    """It was decided, and not as it should."""
    OPEN = "open"
    """It was not decided, or its proof says nothing: never a pass."""
    WRONG = "wrong"
    """Two ways of deciding it differ: the tool cannot be believed."""


@dataclass(frozen=True, slots=True)
class ReportedProperty:
    """What is asked about: a property, or a claim.

    Attributes
    ----------
    name, statement : str
        How people call it, and what it says.
    section : str
        Where the standard says so.
    place : Place or None
        Where it is written down.
    """

    name: str
    statement: str
    section: str
    place: SourceLocation | None


@dataclass(frozen=True, slots=True)
class ReportedCase:
    """One question and its answer.

    Attributes
    ----------
    asked : Asked
        What it is about.
    label : str
        Which question about it.
    verdict, expected : Verdict
        What came out, and what should have.
    engine : str
        Who decided it.
    seconds : float
        Time spent.
    detail : str
        Why, or by how much; may be empty.
    trace : Trace or None
        A run that shows it.
    """

    asked: ReportedProperty
    label: str
    verdict: Verdict
    expected: Verdict
    engine: str
    seconds: float
    detail: str = ""
    trace: Trace | None = None

    @property
    def standing(self) -> CaseStatus:
        """How it stands."""
        if self.verdict is Verdict.DISAGREEMENT:
            return CaseStatus.WRONG
        if self.verdict in (Verdict.INCONCLUSIVE, Verdict.VACUOUS):
            return CaseStatus.OPEN
        return CaseStatus.PASSED if self.verdict is self.expected else CaseStatus.FAILED

    @property
    def reason(self) -> str:
        """What came out, and why, in a sentence."""
        why = self.detail or (violation_reason(self.trace) if self.trace is not None else "")
        expected = "" if self.expected is Verdict.PROVED else f" (expected: {self.expected})"
        return f"{self.label}: {self.verdict}{expected}" + (f". {why[:1].upper()}{why[1:]}" if why else "")


def property_asked(name: str) -> ReportedProperty:
    """A property, as something that is asked about."""
    entry = PROPERTIES.get(name)
    if entry is None:
        return ReportedProperty(name, name, "", None)
    return ReportedProperty(name, entry.statement, entry.section, property_location(name))


def case_of_answer(answer: Answer) -> ReportedCase:
    """The answer about one property of a configuration."""
    finding = answer.finding
    detail = finding.reason or (violation_reason(answer.trace) if answer.trace is not None else "")
    return ReportedCase(
        property_asked(finding.name),
        finding.name,
        finding.verdict,
        Verdict.PROVED,
        finding.engine,
        finding.seconds,
        detail,
        answer.trace,
    )


def case_of_trace(trace: Trace) -> ReportedCase:
    """A trace alone, read from a file: the violation that it shows, or what else it shows at work."""
    asked = property_asked(trace.shows)
    if trace.shows not in PROPERTIES:
        asked = ReportedProperty(trace.shows, trace.statement, "", None)
    verdict = Verdict.VIOLATED if shows_violation(trace) else Verdict.PROVED
    return ReportedCase(asked, trace.shows, verdict, Verdict.PROVED, "", 0.0, violation_reason(trace), trace)
