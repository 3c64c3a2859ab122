"""Verdicts as GitHub shows them: annotations of a workflow run, and a summary of its step in Markdown.

A violation or a disagreement of engines is an error; an inconclusive or vacuous verdict is a warning. The summary has a table
of all cases, and a sequence diagram for each that did not pass and has a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

from timewait.formats import mermaid
from timewait.formats.case import CaseStatus, ReportedCase, same_run
from timewait.narration.sentences import trace_lines

COMMANDS = {CaseStatus.FAILED: "error", CaseStatus.DISAGREEMENT: "error", CaseStatus.UNDECIDED: "warning"}
SIGNS = {CaseStatus.PASSED: "✅", CaseStatus.FAILED: "❌", CaseStatus.DISAGREEMENT: "❌", CaseStatus.UNDECIDED: "❔"}

MAX_TRACES = 10
"""Traces in a summary, which GitHub limits to a megabyte."""

MAX_STEPS = 60
"""Steps of a diagram, which Mermaid limits to 50,000 characters."""

MAX_CELL = 2_000
"""Characters of a table cell."""


def workflow_commands(cases: Sequence[ReportedCase]) -> list[str]:
    """A workflow command for each case that did not pass."""
    found = []
    for case in cases:
        command = COMMANDS.get(case.status)
        if command is not None:
            title = _property(f"timewait: {case.label} {case.verdict}")
            steps = "\n".join(trace_lines(case.trace)) if case.trace is not None else ""
            message = _data("\n".join(filter(None, [case.reason, case.subject.statement, case.subject.section, steps])))
            found.append(f"::{command} {_at(case)}title={title}::{message}")
    return found


def _at(case: ReportedCase) -> str:
    """The file and line of the user, as properties of a workflow command; empty where the case has none."""
    return "" if case.location is None else f"file={_property(case.location.path)},line={case.location.line},"


def summary(title: str, about: str, verdict: str, cases: Sequence[ReportedCase]) -> str:
    """A step summary.

    Parameters
    ----------
    title, about : str
        The headline, and the configuration.
    verdict : str
        The combined verdict.
    cases : sequence of ReportedCase
        The cases.
    """
    rows = [
        f"| {SIGNS[case.status]} {_cell(case.label)} | {case.verdict} | {_cell(case.engine)} | {case.seconds:.2f} s |"
        f" {_cell(_why(case))} |"
        for case in cases
    ]
    lines = [f"## {_inline(title)}: {verdict}", "", *([_inline(about), ""] if about else [])]
    lines += ["| question | verdict | engine | time | why |", "|---|---|---|---|---|", *rows, ""]
    with_trace = [case for case in cases if case.status is not CaseStatus.PASSED and case.trace is not None]
    for number, case in enumerate(with_trace[:MAX_TRACES]):
        earlier = same_run(case, with_trace[:number])
        lines += [*(_trace(case) if earlier is None else _pointer(case, earlier)), ""]
    if len(with_trace) > MAX_TRACES:
        lines += [f"… and {len(with_trace) - MAX_TRACES} more traces, not shown here.", ""]
    return "\n".join(lines)


def _why(case: ReportedCase) -> str:
    where = "" if case.location is None else f"{case.location.path}:{case.location.line}"
    return "; ".join(filter(None, (where, case.advice, case.detail)))


def _trace(case: ReportedCase) -> list[str]:
    assert case.trace is not None
    head = [f"### {_inline(case.reason)}", "", f"{_inline(case.subject.statement)} ({_inline(case.subject.section)})", ""]
    diagram = ["```mermaid", mermaid.as_mermaid_text(case.trace).rstrip(), "```"] if len(case.trace.steps) <= MAX_STEPS else []
    steps = ["<details><summary>step by step</summary>", "", "```text", *trace_lines(case.trace), "```", "", "</details>"]
    return [*head, *diagram, "", *steps]


def _pointer(case: ReportedCase, earlier: ReportedCase) -> list[str]:
    """The heading of a case whose run is shown for an earlier one."""
    return [f"### {_inline(case.reason)}", "", f"The same run as for {_inline(earlier.label)}."]


def _data(text: str) -> str:
    """The message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property of a workflow command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _inline(text: str) -> str:
    """Text escaped for Markdown."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)
    return " ".join(escaped.split())


def _cell(text: str) -> str:
    """Text of a table cell, truncated."""
    return _inline(text if len(text) <= MAX_CELL else text[:MAX_CELL] + "…")
