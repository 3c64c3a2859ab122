"""Answers as GitHub shows them: annotations on a workflow run, and a summary of its step in Markdown.

A violation, and engines that disagree, is an error; what was not decided, or says nothing, a warning. The summary has a
table of all answers and, for each that did not come out as it should and has a trace, a sequence chart.
"""

from __future__ import annotations

from collections.abc import Sequence

from timewait.formats import mermaid
from timewait.formats.case import CaseStatus, ReportedCase
from timewait.narration.sentences import trace_lines

COMMANDS = {CaseStatus.FAILED: "error", CaseStatus.WRONG: "error", CaseStatus.OPEN: "warning"}
SIGNS = {CaseStatus.PASSED: "✅", CaseStatus.FAILED: "❌", CaseStatus.WRONG: "❌", CaseStatus.OPEN: "❔"}

MOST_TRACES = 10
"""A step summary may have a megabyte."""

MOST_STEPS = 60
"""Mermaid draws no diagram of more than 50,000 characters."""


def workflow_commands(cases: Sequence[ReportedCase]) -> list[str]:
    """A workflow command for each case that did not come out as it should."""
    told = []
    for case in cases:
        command = COMMANDS.get(case.standing)
        if command is not None:
            title = _property(f"timewait: {case.label} {case.verdict}")
            steps = "\n".join(trace_lines(case.trace)) if case.trace is not None else ""
            message = _data("\n".join(filter(None, [case.reason, case.asked.statement, case.asked.section, steps])))
            told.append(f"::{command} title={title}::{message}")
    return told


def summary(title: str, about: str, verdict: str, cases: Sequence[ReportedCase]) -> str:
    """A step summary.

    Parameters
    ----------
    title, about : str
        The headline, and what was asked with.
    verdict : str
        The verdict of all together.
    cases : sequence of Case
        The answers.
    """
    rows = [
        f"| {SIGNS[case.standing]} {_cell(case.label)} | {case.verdict} | {_cell(case.engine)} | {case.seconds:.2f} s |"
        f" {_cell(case.detail)} |"
        for case in cases
    ]
    shown = [case for case in cases if case.standing is not CaseStatus.PASSED and case.trace is not None]
    told = [f"## {_inline(title)}: {verdict}", "", *([_inline(about), ""] if about else [])]
    told += ["| asked | verdict | engine | time | why |", "|---|---|---|---|---|", *rows, ""]
    for case in shown[:MOST_TRACES]:
        told += [*_trace(case), ""]
    if len(shown) > MOST_TRACES:
        told += [f"… and {len(shown) - MOST_TRACES} more traces, not shown here.", ""]
    return "\n".join(told)


def _trace(case: ReportedCase) -> list[str]:
    assert case.trace is not None
    head = [f"### {_inline(case.reason)}", "", f"{_inline(case.asked.statement)} ({_inline(case.asked.section)})", ""]
    chart = ["```mermaid", mermaid.as_mermaid_text(case.trace).rstrip(), "```"] if len(case.trace.steps) <= MOST_STEPS else []
    steps = ["<details><summary>step by step</summary>", "", "```text", *trace_lines(case.trace), "```", "", "</details>"]
    return [*head, *chart, "", *steps]


def _data(text: str) -> str:
    """The message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property of a workflow command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _inline(text: str) -> str:
    """Text as it stands, in Markdown."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)
    return " ".join(escaped.split())


def _cell(text: str) -> str:
    """A cell of a table; what is long is cut."""
    return _inline(text if len(text) <= 160 else text[:160] + "…")
