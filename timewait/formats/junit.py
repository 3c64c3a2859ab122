"""Answers as JUnit XML, in the dialect that both the schema of Ant and that of Jenkins accept.

A suite is a command or a claim, a test case one question. What did not come out as it should is a failure. What was not
decided, or says nothing, is an error, and so are engines that disagree: neither is ever a pass, or skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from timewait.formats.case import CaseStatus, ReportedCase
from timewait.narration.sentences import trace_lines


class Suite(NamedTuple):
    """Cases that belong together.

    Attributes
    ----------
    name : str
        What they are about.
    properties : tuple of (str, str)
        What they were asked with.
    cases : tuple of Case
        The cases, in order.
    """

    name: str
    properties: tuple[tuple[str, str], ...]
    cases: tuple[ReportedCase, ...]


def as_junit(suites: Sequence[Suite], started: datetime) -> str:
    """Answers as the text of a file; `started` is when the first was asked."""
    root = Element("testsuites")
    for number, suite in enumerate(suites):
        _suite(root, number, suite, started.astimezone(UTC))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, number: int, suite: Suite, started: datetime) -> None:
    standings = [case.standing for case in suite.cases]
    element = SubElement(
        root,
        "testsuite",
        {
            "name": _legal(suite.name),
            "package": "timewait",
            "id": str(number),
            "timestamp": started.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            "tests": str(len(standings)),
            "failures": str(standings.count(CaseStatus.FAILED)),
            "errors": str(standings.count(CaseStatus.OPEN) + standings.count(CaseStatus.WRONG)),
            "time": _seconds(sum(case.seconds for case in suite.cases)),
        },
    )
    properties = SubElement(element, "properties")
    for name, value in suite.properties or (("program", "timewait"),):
        SubElement(properties, "property", {"name": name, "value": _legal(value)})
    for case in suite.cases:
        _case(element, suite, case)
    SubElement(element, "system-out").text = _legal("\n\n".join(_told(case) for case in suite.cases))
    SubElement(element, "system-err")


def _case(suite_element: Element, suite: Suite, case: ReportedCase) -> None:
    element = SubElement(
        suite_element,
        "testcase",
        {"classname": f"timewait.{suite.name}", "name": _legal(case.label), "time": _seconds(case.seconds)},
    )
    if case.standing is not CaseStatus.PASSED:
        kind = "failure" if case.standing is CaseStatus.FAILED else "error"
        wrong = SubElement(element, kind, {"type": str(case.verdict), "message": _legal(case.reason)})
        wrong.text = _legal(_told(case))


def _told(case: ReportedCase) -> str:
    """A case as plain text, with its trace."""
    head = [case.reason, f"{case.asked.name}: {case.asked.statement}", *([case.asked.section] if case.asked.section else [])]
    return "\n".join([*head, *(trace_lines(case.trace) if case.trace is not None else ())])


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _legal(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(letter if letter in "\n\t" or (letter >= " " and letter not in "\ufffe\uffff") else "�" for letter in text)
