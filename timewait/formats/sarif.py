"""Verdicts as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format).

Rules are properties or claims. A trace is a code flow through the lines of the specification that its steps apply, relative to
the source of this distribution. A result is at a line of the user's file where the case has one, relative to the root of the
repository of the user. An inconclusive verdict has the kind ``open``, a vacuous one ``review``: neither is a
``pass``, and each is also a warning of the run. An expected counterexample has the kind ``informational``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from timewait.checker.trace import Step, Trace, VariableValue, number
from timewait.checker.verdict import Verdict
from timewait.formats.case import CaseStatus, ReportedCase, ReportedProperty
from timewait.formats.source_locations import OURS, USERS, SourceLocation, rule_location, waiting_location
from timewait.narration.prose import capitalised, citation_url
from timewait.narration.sentences import step_in_words, violation_reason
from timewait.spec.duration import format_duration

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_sarif(cases: Sequence[ReportedCase], version: str, exit_code: int | None = None) -> str:
    """The text of a file; `version` is that of timewait, and `exit_code` that of the command."""
    return json.dumps(log(cases, version, exit_code), indent=1, ensure_ascii=False) + "\n"


def log(cases: Sequence[ReportedCase], version: str, exit_code: int | None = None) -> dict[str, Any]:
    """The file as plain data."""
    rules = list(dict.fromkeys(case.subject for case in cases))
    unreliable = (CaseStatus.UNDECIDED, CaseStatus.DISAGREEMENT)
    invocation: dict[str, Any] = {
        "executionSuccessful": not any(case.status is CaseStatus.DISAGREEMENT for case in cases),
        "toolExecutionNotifications": [_notification(case, rules) for case in cases if case.status in unreliable],
    }
    if exit_code is not None:
        invocation["exitCode"] = exit_code
    driver = {
        "name": "timewait",
        "semanticVersion": version,
        "shortDescription": {"text": "A verification suite for the way TCP closes a connection."},
        "rules": [_rule(subject) for subject in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            USERS: {"description": {"text": "The repository in which timewait runs."}},
            OURS: {"description": {"text": f"The source of timewait {version}."}},
        },
        "results": [_result(case, rules) for case in cases],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(subject: ReportedProperty) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": subject.name,
        "shortDescription": {"text": f"{capitalised(subject.statement)}."},
        "help": {"text": subject.section or "no standard"},
        "defaultConfiguration": {"level": "error"},
    }
    address = citation_url(subject.section)
    return rule | ({"helpUri": address} if address else {})


def _kind(case: ReportedCase) -> str:
    match case.status:
        case CaseStatus.FAILED | CaseStatus.DISAGREEMENT:
            return "fail"
        case CaseStatus.PASSED:
            return "pass" if case.verdict is Verdict.PROVED else "informational"
        case CaseStatus.UNDECIDED:
            return "open" if case.verdict is Verdict.INCONCLUSIVE else "review"


def _result(case: ReportedCase, rules: Sequence[ReportedProperty]) -> dict[str, Any]:
    kind = _kind(case)
    result: dict[str, Any] = {
        "ruleId": case.subject.name,
        "ruleIndex": rules.index(case.subject),
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
    location = _main_location(case)
    if location is not None:
        result["locations"] = [{"physicalLocation": _physical(location)}]
    if case.trace is not None:
        result["codeFlows"] = [_code_flow(case.trace)]
    return result


def _notification(case: ReportedCase, rules: Sequence[ReportedProperty]) -> dict[str, Any]:
    return {
        "level": "error" if case.status is CaseStatus.DISAGREEMENT else "warning",
        "message": {"text": case.reason},
        "associatedRule": {"id": case.subject.name, "index": rules.index(case.subject)},
    }


def _fingerprint(case: ReportedCase) -> str:
    """A hash of the question, independent of its answer and of the version."""
    about = {} if case.trace is None else dict(case.trace.about)
    question = json.dumps([case.subject.name, case.label, about], sort_keys=True, default=str)
    return hashlib.sha256(question.encode()).hexdigest()


def _main_location(case: ReportedCase) -> SourceLocation | None:
    """The line of the user's file, else that of the last rule applied, else the definition of the property or claim."""
    if case.location is not None:
        return case.location
    last = case.trace.steps[-1:] if case.trace is not None else ()
    locations = [rule_location(name) for step in last for name, _, _ in step.event.rules]
    return next(filter(None, reversed(locations)), case.subject.location)


def _physical(location: SourceLocation) -> dict[str, Any]:
    region = {"startLine": location.line}
    if location.path.startswith("/"):
        return {"artifactLocation": {"uri": f"file://{quote(location.path)}"}, "region": region}
    return {"artifactLocation": {"uri": quote(location.path), "uriBaseId": location.base}, "region": region}


def _code_flow(trace: Trace) -> dict[str, Any]:
    why = violation_reason(trace)
    flow = {
        "id": "the run",
        "initialState": _state(trace.initial),
        "locations": [location for step in trace.steps for location in _step(trace, step)],
    }
    return {"message": {"text": f"{trace.shows}: {why or trace.statement}"}, "threadFlows": [flow]}


def _step(trace: Trace, step: Step) -> Iterator[dict[str, Any]]:
    """A location for each rule that a step applies; for a step without rules, the line that lets time pass."""
    applied = [(rule_location(name), f" — {text} ({section})") for name, section, text in step.event.rules]
    last = step is trace.steps[-1]
    for index, (source, rule) in enumerate(applied or [(waiting_location(), "")]):
        location: dict[str, Any] = {"message": {"text": f"t={format_duration(step.time)}: {step_in_words(step)}{rule}"}}
        if source is not None:
            location["physicalLocation"] = _physical(source)
        yield {
            "location": location,
            "executionOrder": step.number,
            "nestingLevel": min(index, 1),
            "importance": "essential" if last else "important",
            "state": _state({name: new for name, (_, new) in step.changed.items()} if index == 0 else {}),
            "properties": {"seconds": number(step.time), "actor": step.event.actor},
        }


def _state(values: Mapping[str, VariableValue]) -> dict[str, Any]:
    return {name: {"text": str(value)} for name, value in values.items()}
