"""Answers as plain data, for ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timewait.checker.decide import Answer
from timewait.checker.verdict import worst
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import verdict_parameters


def result(answer: Answer) -> dict[str, Any]:
    """One property's answer."""
    finding = answer.finding
    return {
        "property": finding.name,
        "verdict": str(finding.verdict),
        "engine": finding.engine,
        "states": finding.states,
        "seconds": round(finding.seconds, 3),
        "reason": finding.reason,
        "trace": None if answer.trace is None else answer.trace.as_json(),
    }


def whole(answers: Sequence[Answer], configuration: Configuration) -> dict[str, Any]:
    """All answers: the worst one's fields, the parameters, and every result."""
    results = [result(answer) for answer in answers]
    decisive = max(zip(answers, results, strict=True), key=lambda pair: pair[0].verdict, default=(None, {}))[1]
    return {
        **decisive,
        "verdict": str(worst(answer.verdict for answer in answers)),
        "parameters": verdict_parameters(configuration),
        "results": results,
    }
