"""Answers as plain data, for ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timewait.checker.decide import Answer
from timewait.checker.trace import number
from timewait.checker.verdict import worst
from timewait.spec.configuration import Configuration


def parameters(configuration: Configuration) -> dict[str, Any]:
    """Everything that a verdict depends on; durations in seconds."""
    behaviour = configuration.behaviour
    return {
        "msl": number(configuration.msl),
        "time_wait": number(configuration.time_wait),
        "rto": [number(gap) for gap in configuration.rto],
        "rto_exact": configuration.rto_exact,
        "loss": "any" if configuration.loss is None else configuration.loss,
        "duplication": "any" if configuration.duplication is None else configuration.duplication,
        "fifo": configuration.fifo,
        "scope": str(configuration.scope),
        "closers": "both" if configuration.both_close else "a",
        "data": list(configuration.text),
        "answers": sorted(behaviour.answers),
        "restarts": sorted(behaviour.restarts),
        "rst": str(behaviour.reset),
        "time_wait_state": behaviour.time_wait,
        "fin_wait_2": number(configuration.fin_wait_2) if behaviour.fin_wait_2 else None,
        "linger_zero": behaviour.linger_zero,
        "retries": behaviour.retries,
        "acks_restart_rto": behaviour.acks_restart_rto,
    }


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
        "parameters": parameters(configuration),
        "results": results,
    }
