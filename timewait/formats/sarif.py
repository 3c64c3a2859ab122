"""Answers as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format).

Rules are properties or claims; a trace is a code flow whose positions are the lines of the specification that each step
applies, relative to the root of the sources. What was not decided has the kind ``open``, a proof that says nothing the
kind ``review``: neither is a ``pass``, and each is a warning of the run, too. A counterexample that was expected has the
kind ``informational``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from timewait.checker.trace import Step, Trace, Value, number
from timewait.checker.verdict import Verdict
from timewait.formats.case import CaseStatus, ReportedCase, ReportedProperty
from timewait.formats.source_locations import SourceLocation, rule_location, waiting_location
from timewait.narration.prose import citation_url
from timewait.narration.sentences import step_in_words, violation_reason
from timewait.spec.duration import format_duration

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"


def as_sarif(cases: Sequence[ReportedCase], version: str, exit_code: int | None = None) -> str:
    """Answers as the text of a file; `version` is that of this program, and `exit_code` what it ended with."""
    return json.dumps(log(cases, version, exit_code), indent=1, ensure_ascii=False) + "\n"


def log(cases: Sequence[ReportedCase], version: str, exit_code: int | None = None) -> dict[str, Any]:
    """Answers as plain data."""
    rules = list(dict.fromkeys(case.asked for case in cases))
    invocation: dict[str, Any] = {
        "executionSuccessful": not any(case.standing is CaseStatus.WRONG for case in cases),
        "toolExecutionNotifications": [
            _notification(case, rules) for case in cases if case.standing in (CaseStatus.OPEN, CaseStatus.WRONG)
        ],
    }
    if exit_code is not None:
        invocation["exitCode"] = exit_code
    driver = {
        "name": "timewait",
        "semanticVersion": version,
        "shortDescription": {"text": "A verification suite for the way TCP closes a connection."},
        "rules": [_rule(asked) for asked in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [_result(case, rules) for case in cases],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(asked: ReportedProperty) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": asked.name,
        "shortDescription": {"text": _sentence(asked.statement)},
        "help": {"text": asked.section or "no standard"},
        "defaultConfiguration": {"level": "error"},
    }
    address = citation_url(asked.section)
    return rule | ({"helpUri": address} if address else {})


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _kind(case: ReportedCase) -> str:
    match case.standing:
        case CaseStatus.FAILED | CaseStatus.WRONG:
            return "fail"
        case CaseStatus.PASSED:
            return "pass" if case.verdict is Verdict.PROVED else "informational"
        case CaseStatus.OPEN:
            return "open" if case.verdict is Verdict.INCONCLUSIVE else "review"


def _result(case: ReportedCase, rules: Sequence[ReportedProperty]) -> dict[str, Any]:
    kind = _kind(case)
    result: dict[str, Any] = {
        "ruleId": case.asked.name,
        "ruleIndex": rules.index(case.asked),
        "kind": kind,
        "level": "error" if kind == "fail" else "none",
        "message": {"text": case.reason},
        "partialFingerprints": {"question/v1": _fingerprint(case)},
        "properties": {
            "verdict": str(case.verdict),
            "expected": str(case.expected),
            "engine": case.engine,
            "seconds": round(case.seconds, 3),
        },
    }
    place = _blamed(case)
    if place is not None:
        result["locations"] = [{"physicalLocation": _physical(place)}]
    if case.trace is not None:
        result["codeFlows"] = [_code_flow(case.trace)]
    return result


def _notification(case: ReportedCase, rules: Sequence[ReportedProperty]) -> dict[str, Any]:
    return {
        "level": "error" if case.standing is CaseStatus.WRONG else "warning",
        "message": {"text": case.reason},
        "associatedRule": {"id": case.asked.name, "index": rules.index(case.asked)},
    }


def _fingerprint(case: ReportedCase) -> str:
    """What stays the same as long as the question does."""
    about = {} if case.trace is None else dict(case.trace.about)
    question = json.dumps([case.asked.name, case.label, about], sort_keys=True, default=str)
    return hashlib.sha256(question.encode()).hexdigest()


def _blamed(case: ReportedCase) -> SourceLocation | None:
    """The line of the specification to look at first: that of the last rule that was applied, else the property's own."""
    last = case.trace.steps[-1:] if case.trace is not None else ()
    blamed = [rule_location(name) for step in last for name, _, _ in step.event.rules]
    return next(filter(None, reversed(blamed)), case.asked.place)


def _physical(place: SourceLocation) -> dict[str, Any]:
    return {"artifactLocation": {"uri": place.path, "uriBaseId": ROOT}, "region": {"startLine": place.line}}


def _code_flow(trace: Trace) -> dict[str, Any]:
    why = violation_reason(trace)
    flow = {
        "id": "the run",
        "initialState": _state(trace.initial),
        "locations": [location for step in trace.steps for location in _step(trace, step)],
    }
    return {"message": {"text": f"{trace.shows}: {why or trace.statement}"}, "threadFlows": [flow]}


def _step(trace: Trace, step: Step) -> Iterator[dict[str, Any]]:
    """A position for each rule that a step applies; one where time may pass if it applies none."""
    applied = [(rule_location(name), f" — {text} ({section})") for name, section, text in step.event.rules]
    last = step is trace.steps[-1]
    for index, (place, words) in enumerate(applied or [(waiting_location(), "")]):
        location: dict[str, Any] = {"message": {"text": f"t={format_duration(step.time)}: {step_in_words(step)}{words}"}}
        if place is not None:
            location["physicalLocation"] = _physical(place)
        yield {
            "location": location,
            "executionOrder": step.number,
            "nestingLevel": min(index, 1),
            "importance": "essential" if last else "important",
            "state": _state({name: new for name, (_, new) in step.changed.items()} if index == 0 else {}),
            "properties": {"seconds": number(step.time), "actor": step.event.actor},
        }


def _state(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: {"text": str(value)} for name, value in values.items()}
