"""Answers as plain data, for ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timewait.assumptions import Basis
from timewait.checker.decide import Answer
from timewait.checker.finding import Confirmation
from timewait.checker.verdict import worst
from timewait.results import CheckResult
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import verdict_parameters


def answer_data(answer: Answer) -> dict[str, Any]:
    """The answer for one property."""
    finding = answer.finding
    return {
        "property": finding.name,
        "verdict": str(finding.verdict),
        "engine": finding.engine,
        "states": finding.states,
        "seconds": round(finding.seconds, 3),
        "reason": finding.reason,
        "confirmation": _confirmation_data(answer.confirmation),
        "trace": None if answer.trace is None else answer.trace.as_json(),
    }


def _confirmation_data(said: Confirmation | None) -> dict[str, str] | None:
    """What a second way says of a proof; None where none was asked."""
    return None if said is None else {"way": said.way, "verdict": str(said.verdict), "reason": said.reason}


def answers_data(answers: Sequence[Answer], configuration: Configuration) -> dict[str, Any]:
    """All answers: the fields of the worst one, the combined verdict, the parameters, and every answer."""
    decisive = max(answers, key=lambda answer: answer.verdict, default=None)
    return {
        **({} if decisive is None else answer_data(decisive)),
        "verdict": str(worst(answer.verdict for answer in answers)),
        "parameters": verdict_parameters(configuration),
        "results": [answer_data(answer) for answer in answers],
    }


def check_data(result: CheckResult, basis: Basis) -> dict[str, Any]:
    """The answers to a check, and what they rest on; where they are about the schedule of a stack, those with any gap too."""
    any_gap = None if result.any_gap is None else answers_data(result.any_gap.answers, result.any_gap.configuration)
    return answers_data(result.answers, result.configuration) | {"any_gap": any_gap} | {"basis": basis.as_json()}
