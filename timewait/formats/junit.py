"""Verdicts as JUnit XML, in the dialect that the schemas of Ant and of Jenkins both accept.

A suite is a command or a claim, and a test case one question. An unexpected verdict is a failure; an inconclusive or vacuous
one, and a disagreement of engines, is an error. None of these is a pass or skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from timewait.formats.case import CaseStatus, ReportedCase, ReportedSuite
from timewait.narration.sentences import trace_lines


def as_junit(suites: Sequence[ReportedSuite], started: datetime) -> str:
    """The text of a file; `started` is the start of the command."""
    root = Element("testsuites")
    for number, suite in enumerate(suites):
        _suite(root, number, suite, started.astimezone(UTC))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, number: int, suite: ReportedSuite, started: datetime) -> None:
    statuses = [case.status for case in suite.cases]
    element = SubElement(
        root,
        "testsuite",
        {
            "name": _legal(suite.name),
            "package": "timewait",
            "id": str(number),
            "timestamp": started.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            "tests": str(len(statuses)),
            "failures": str(statuses.count(CaseStatus.FAILED)),
            "errors": str(statuses.count(CaseStatus.UNDECIDED) + statuses.count(CaseStatus.DISAGREEMENT)),
            "time": _seconds(sum(case.seconds for case in suite.cases)),
        },
    )
    properties = SubElement(element, "properties")
    for name, value in suite.properties or (("program", "timewait"),):
        SubElement(properties, "property", {"name": name, "value": _legal(value)})
    for case in suite.cases:
        _case(element, suite, case)
    SubElement(element, "system-out").text = _legal("\n\n".join(map(_text, suite.cases)))
    SubElement(element, "system-err")


def _case(suite_element: Element, suite: ReportedSuite, case: ReportedCase) -> None:
    element = SubElement(
        suite_element,
        "testcase",
        {"classname": f"timewait.{suite.name}", "name": _legal(case.label), "time": _seconds(case.seconds)},
    )
    if case.status is not CaseStatus.PASSED:
        kind = "failure" if case.status is CaseStatus.FAILED else "error"
        problem = SubElement(element, kind, {"type": str(case.verdict), "message": _legal(case.reason)})
        problem.text = _legal(_text(case))


def _text(case: ReportedCase) -> str:
    """A case as plain text, with its trace."""
    subject = case.subject
    head = [case.reason, f"{subject.name}: {subject.statement}", *([subject.section] if subject.section else [])]
    return "\n".join([*head, *(trace_lines(case.trace) if case.trace is not None else ())])


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _legal(text: str) -> str:
    """The text with characters that XML forbids replaced."""
    return "".join(letter if letter in "\n\t" or (letter >= " " and letter not in "\ufffe\uffff") else "�" for letter in text)
