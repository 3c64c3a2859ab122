"""The cases that reports list: a question, its verdict, and the run that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from timewait.checker.decide import Answer
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.formats.source_locations import SourceLocation, property_location
from timewait.narration.prose import capitalised
from timewait.narration.sentences import shows_violation, violation_reason
from timewait.spec.properties import PROPERTIES


class CaseStatus(StrEnum):
    """The status of a case."""

    PASSED = "passed"
    """The verdict is the expected one."""
    FAILED = "failed"
    """The verdict is another one."""
    UNDECIDED = "open"
    """The verdict is inconclusive or vacuous: never a pass."""
    DISAGREEMENT = "wrong"
    """Two engines give different answers: neither can be trusted."""


@dataclass(frozen=True, slots=True)
class ReportedProperty:
    """The subject of a case: a property or a claim.

    Attributes
    ----------
    name, statement : str
        Its name, and what it says.
    section : str
        The section of the standard.
    location : SourceLocation or None
        Where it is defined.
    """

    name: str
    statement: str
    section: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class ReportedCase:
    """One question and its answer.

    Attributes
    ----------
    subject : ReportedProperty
        The property or claim in question.
    label : str
        The name of the question.
    verdict, expected : Verdict
        The verdict, and the expected one.
    engine : str
        The engine that decided it.
    seconds : float
        Time spent.
    detail : str
        The reason, or a measured value; may be empty.
    trace : Trace or None
        A run that shows it.
    location : SourceLocation or None
        The line of the user's file on which the verdict depends.
    advice : str
        What that line has to do with the verdict; may be empty.
    """

    subject: ReportedProperty
    label: str
    verdict: Verdict
    expected: Verdict
    engine: str
    seconds: float
    detail: str = ""
    trace: Trace | None = None
    location: SourceLocation | None = None
    advice: str = ""

    @property
    def status(self) -> CaseStatus:
        """Its status."""
        if self.verdict is Verdict.DISAGREEMENT:
            return CaseStatus.DISAGREEMENT
        if self.verdict in (Verdict.INCONCLUSIVE, Verdict.VACUOUS):
            return CaseStatus.UNDECIDED
        return CaseStatus.PASSED if self.verdict is self.expected else CaseStatus.FAILED

    @property
    def reason(self) -> str:
        """The verdict and its reason, in a sentence or two."""
        why = self.detail or (violation_reason(self.trace) if self.trace is not None else "")
        expected = "" if self.expected is Verdict.PROVED else f" (expected: {self.expected})"
        where = "" if self.location is None else f"{self.location.path}:{self.location.line}: {self.advice}"
        return ". ".join(filter(None, (f"{self.label}: {self.verdict}{expected}", capitalised(why) if why else "", where)))


def same_run(case: ReportedCase, earlier: Sequence[ReportedCase]) -> ReportedCase | None:
    """The first of some earlier cases that has the same run as a case, at the same times; None where there is none."""
    if case.trace is None:
        return None
    run = _events(case.trace)
    return next((each for each in earlier if each.trace is not None and _events(each.trace) == run), None)


def _events(trace: Trace) -> tuple[object, ...]:
    """What happens in a run, as it is shown: not the property that it violates."""
    return (trace.loop, *((step.time, step.event.actor, step.event.text, step.event.sent, step.state) for step in trace.steps))


class ReportedSuite(NamedTuple):
    """Cases that belong together.

    Attributes
    ----------
    name : str
        The command or claim.
    properties : tuple of (str, str)
        The parameters, by name.
    cases : tuple of ReportedCase
        The cases, in order.
    """

    name: str
    properties: tuple[tuple[str, str], ...]
    cases: tuple[ReportedCase, ...]


def reported_property(name: str) -> ReportedProperty:
    """A property of the specification; an unknown name becomes a property without section and location."""
    entry = PROPERTIES.get(name)
    if entry is None:
        return ReportedProperty(name, name, "", None)
    return ReportedProperty(name, entry.statement, entry.section, property_location(name))


def case_of_answer(answer: Answer) -> ReportedCase:
    """The answer for one property of a configuration."""
    finding = answer.finding
    return ReportedCase(
        reported_property(finding.name),
        finding.name,
        finding.verdict,
        Verdict.PROVED,
        finding.engine if answer.confirmation is None else f"{finding.engine}; {answer.confirmation}",
        finding.seconds,
        finding.reason or (violation_reason(answer.trace) if answer.trace is not None else ""),
        answer.trace,
    )


def case_of_trace(trace: Trace) -> ReportedCase:
    """A trace alone: the violation, or the scenario that it shows."""
    subject = reported_property(trace.shows)
    if trace.shows not in PROPERTIES:
        subject = ReportedProperty(trace.shows, trace.statement, "", None)
    verdict = Verdict.VIOLATED if shows_violation(trace) else Verdict.PROVED
    return ReportedCase(subject, trace.shows, verdict, Verdict.PROVED, "", 0.0, violation_reason(trace), trace)
