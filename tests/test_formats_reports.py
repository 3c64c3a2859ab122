"""Verdicts as SARIF, JUnit XML, GitHub's annotations and summaries, and lines of JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from counterexamples import NAMES, QUESTIONS, SCHEDULES, counterexample
from node_packages import JUNIT_SCHEMAS, SARIF_SCHEMA, mermaid_results, needs_junit_schemas, needs_mermaid, needs_sarif_schema

from timewait.checker.finding import Progress
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.reports import Reports
from timewait.formats import github, junit, sarif
from timewait.formats.case import CaseStatus, ReportedCase, ReportedProperty, ReportedSuite, case_of_trace, reported_property
from timewait.formats.source_locations import property_location, rule_location, waiting_location
from timewait.spec.incarnation import INCARNATION_RULES
from timewait.spec.properties import PROPERTIES
from timewait.spec.rules import RULES

ROOT = Path(__file__).parent.parent
STARTED = datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC)


def case(verdict: Verdict, expected: Verdict = Verdict.PROVED, trace: str = "", detail: str = "") -> ReportedCase:
    """A case about graceful."""
    shown = counterexample(trace) if trace else None
    return ReportedCase(reported_property("graceful"), "graceful", verdict, expected, "zones", 1.25, detail, shown)


ALL = (
    case(Verdict.PROVED),
    case(Verdict.VIOLATED, trace="C2 close"),
    case(Verdict.VIOLATED, Verdict.VIOLATED, trace="C7", detail="10 steps"),
    case(Verdict.PROVED, Verdict.VIOLATED, detail="nothing was found"),
    case(Verdict.INCONCLUSIVE, detail="stopped at 10 states | bound 10"),
    case(Verdict.INCONCLUSIVE, Verdict.VIOLATED),
    case(Verdict.VACUOUS, detail="never happens: <reopen> & \x00"),
    case(Verdict.DISAGREEMENT, detail="ticks say proved, zones say violated"),
)
"""One case of each kind."""


class TestStatus:
    """The status of a case."""

    def test_only_the_expected_verdict_passes(self) -> None:
        """An undecided case never passes."""
        passed, failed, unknown, wrong = CaseStatus.PASSED, CaseStatus.FAILED, CaseStatus.UNDECIDED, CaseStatus.DISAGREEMENT
        assert [reported.status for reported in ALL] == [passed, failed, passed, failed, unknown, unknown, unknown, wrong]

    @pytest.mark.parametrize("name", NAMES)
    def test_of_traces(self, name: str) -> None:
        """A trace that violates its property is a violation; a scenario is not."""
        expected = Verdict.PROVED if name in SCHEDULES else Verdict.VIOLATED
        assert case_of_trace(counterexample(name)).verdict is expected

    def test_reason(self) -> None:
        """In a sentence or two."""
        assert ALL[1].reason == "graceful: violated. B was closing in order, in LAST_ACK, and a RST ended it"
        assert ALL[2].reason == "graceful: violated (expected: violated). 10 steps"


class TestSourceLocations:
    """Lines of the source."""

    @pytest.mark.parametrize("name", [*RULES, *INCARNATION_RULES])
    def test_of_rules(self, name: str) -> None:
        """The line contains the name of the rule."""
        location = rule_location(name)
        assert location is not None
        assert location.path.startswith("spec/")
        assert f'"{name}"' in (ROOT / location.path).read_text(encoding="utf-8").splitlines()[location.line - 1]

    @pytest.mark.parametrize("name", PROPERTIES)
    def test_of_properties(self, name: str) -> None:
        """The line contains the name of the property."""
        location = property_location(name)
        assert location is not None
        lines = (ROOT / location.path).read_text(encoding="utf-8").splitlines()
        assert lines[location.line - 2].strip() == "Property("
        assert lines[location.line - 1].strip() == f'"{name}",'

    def test_of_waiting(self) -> None:
        """The line defines the function that lets time pass."""
        location = waiting_location()
        assert location is not None
        assert "def wait" in (ROOT / location.path).read_text(encoding="utf-8").splitlines()[location.line - 1]

    def test_of_unknown_names(self) -> None:
        """An unknown name has no location."""
        assert rule_location("no.such") is property_location("no such") is None


def sarif_schema() -> dict[str, Any]:
    """The official schema, as a package of the npm registry ships it."""
    data = json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


class TestSarif:
    """SARIF 2.1.0."""

    @needs_sarif_schema
    def test_schema(self) -> None:
        """All kinds of cases satisfy the official schema, with and without an exit code; a corrupted file does not."""
        validator = jsonschema.Draft4Validator(sarif_schema())
        for log in (sarif.log(ALL, "1.2.3", 40), sarif.log(ALL, "1.2.3"), sarif.log((), "1.2.3", 30)):
            validator.validate(log)
        spoiled = sarif.log(ALL, "1.2.3")
        spoiled["runs"][0]["results"][0]["kind"] = "passed"
        assert not validator.is_valid(spoiled)

    @needs_sarif_schema
    @pytest.mark.parametrize("name", NAMES)
    def test_traces(self, name: str) -> None:
        """Every trace satisfies the schema."""
        text = sarif.as_sarif([case_of_trace(counterexample(name))], "1.2.3")
        jsonschema.Draft4Validator(sarif_schema()).validate(json.loads(text))

    def test_kinds(self) -> None:
        """An undecided case is no pass but a warning of the run; only a failure has a level."""
        (run,) = sarif.log(ALL, "1.2.3", 40)["runs"]
        kinds = [(result["kind"], result["level"]) for result in run["results"]]
        assert kinds == [
            ("pass", "none"),
            ("fail", "error"),
            ("informational", "none"),
            ("fail", "error"),
            ("open", "none"),
            ("open", "none"),
            ("review", "none"),
            ("fail", "error"),
        ]
        (invocation,) = run["invocations"]
        assert invocation["exitCode"] == 40
        assert not invocation["executionSuccessful"]
        levels = [notification["level"] for notification in invocation["toolExecutionNotifications"]]
        assert levels == ["warning", "warning", "warning", "error"]
        assert sarif.log(ALL[:-1], "1.2.3")["runs"][0]["invocations"][0]["executionSuccessful"]

    def test_rules(self) -> None:
        """One rule for each property, referenced by its index."""
        cases = [*ALL, replace(ALL[0], subject=reported_property("isolation"), label="isolation")]
        (run,) = sarif.log(cases, "1.2.3")["runs"]
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == ["graceful", "isolation"]
        for reported, result in zip(cases, run["results"], strict=True):
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == reported.subject.name
        assert rules[0]["helpUri"].endswith("rfc9293#section-3.6.1")

    @pytest.mark.parametrize("name", NAMES)
    def test_a_trace_is_a_code_flow(self, name: str) -> None:
        """Each step in order, at the lines of the rules that it applies; paths are relative to the repository and exist."""
        trace = counterexample(name)
        (result,) = sarif.log([case_of_trace(trace)], "1.2.3")["runs"][0]["results"]
        (flow,) = result["codeFlows"][0]["threadFlows"]
        assert [location["executionOrder"] for location in flow["locations"]] == [
            step.number for step in trace.steps for _ in (step.event.rules or ("waiting",))
        ]
        locations = iter(flow["locations"])
        for step in trace.steps:
            for rule in step.event.rules or (None,):
                physical = next(locations)["location"]["physicalLocation"]
                assert physical["artifactLocation"]["uriBaseId"] == "TIMEWAIT"
                source = ROOT / physical["artifactLocation"]["uri"]
                line = source.read_text(encoding="utf-8").splitlines()[physical["region"]["startLine"] - 1]
                assert (f'"{rule[0]}"' if rule else "def wait") in line
        assert flow["initialState"]["A.state"] == {"text": str(trace.initial["A.state"])}

    def test_fingerprints(self) -> None:
        """The fingerprint depends on the question alone."""
        results = [
            sarif.log([case_of_trace(counterexample(name))], version)["runs"][0]["results"][0]["partialFingerprints"]
            for name, version in (("C7", "1"), ("C7", "2"), ("C8", "1"))
        ]
        assert results[0] == results[1] != results[2]


SUITES = (ReportedSuite("check", (("msl", "30"), ("rto", "[30]")), ALL), ReportedSuite("C99", (), ()))


class TestJunit:
    """JUnit XML."""

    @needs_junit_schemas
    @pytest.mark.parametrize("path", JUNIT_SCHEMAS, ids=lambda path: path.name)
    def test_schemas(self, path: Path) -> None:
        """The schemas of Ant and Jenkins accept it, and reject a corrupted file."""
        schema = xmlschema.XMLSchema(path)
        text = junit.as_junit(SUITES, STARTED)
        schema.validate(text)
        assert not schema.is_valid(text.replace("<testcase ", "<testcase nonsense='1' ", 1))

    def test_undecided_cases_are_errors(self) -> None:
        """So are disagreements; nothing is skipped."""
        root = ElementTree.fromstring(junit.as_junit(SUITES, STARTED))
        suite = root[0]
        assert {name: suite.get(name) for name in ("tests", "failures", "errors", "timestamp", "time")} == {
            "tests": "8",
            "failures": "2",
            "errors": "4",
            "timestamp": "2024-02-29T12:00:01",
            "time": "10.000",
        }
        children = [[child.tag for child in element] for element in suite.iter("testcase")]
        assert children == [[], ["failure"], [], ["failure"], ["error"], ["error"], ["error"], ["error"]]
        assert not list(root.iter("skipped"))

    def test_a_failure_shows_its_trace(self) -> None:
        """Step by step, in plain text."""
        failure = next(ElementTree.fromstring(junit.as_junit(SUITES, STARTED)).iter("failure"))
        assert failure.text is not None
        assert "\n8  t=59.9991s: B receives RST seq=2 (0 old)  [B CLOSED]" in failure.text
        assert failure.get("message") == ALL[1].reason

    def test_characters_that_xml_forbids(self) -> None:
        """They are replaced."""
        assert "Never happens: &lt;reopen&gt; &amp; �" in junit.as_junit(SUITES, STARTED)


class TestGithub:
    """Annotations and step summaries."""

    def test_annotations(self) -> None:
        """One line for each case that did not pass."""
        lines = github.workflow_commands(ALL)
        assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::warning", "::warning", "::error"]
        assert not any("\n" in line for line in lines)
        assert lines[0].startswith("::error title=timewait%3A graceful violated::graceful: violated. B was closing")

    def test_escapes(self) -> None:
        """Special characters of workflow commands are escaped."""
        (line,) = github.workflow_commands([replace(ALL[4], label="a,b:c%\r\nd", detail="50%")])
        title, message = line.removeprefix("::warning title=").split("::", 1)
        assert title == "timewait%3A a%2Cb%3Ac%25%0D%0Ad inconclusive"
        assert "50%25" in message

    def test_summary(self) -> None:
        """A table of all cases, and a diagram for each failure."""
        text = github.summary("timewait check", "MSL 30s", "violated", ALL)
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert [row[2] for row in rows[1:]] == ["✅", "❌", "✅", "❌", "❔", "❔", "❔", "❌"]
        assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
        assert r"stopped at 10 states \| bound 10" in text
        assert text.count("```mermaid") == 1
        assert text.startswith("## timewait check: violated\n")

    def test_a_summary_is_limited(self) -> None:
        """It shows ten traces at most, one run once, and long ones only as text."""
        runs = [replace(ALL[1], trace=counterexample(name)) for name in QUESTIONS]
        text = github.summary("t", "", "violated", [*runs, *runs[:2]])
        assert text.count("```mermaid") == len(runs) == 10
        assert "… and 2 more traces" in text
        twice = github.summary("t", "", "violated", [ALL[1]] * 2)
        assert (twice.count("```mermaid"), twice.count("The same run as for")) == (1, 1)
        trace = counterexample("C2 close")
        long = replace(trace, steps=trace.steps[:-1] * 9 + trace.steps[-1:])
        assert "```mermaid" not in github.summary("t", "", "violated", [replace(ALL[1], trace=long)])

    @needs_mermaid
    def test_mermaid_accepts_the_diagrams(self, tmp_path: Path) -> None:
        """Mermaid's parser accepts the diagrams of a summary."""
        text = github.summary("t", "", "violated", [case_of_trace(counterexample(name)) for name in QUESTIONS][:10])
        charts = re.findall("```mermaid\n(.*?)```", text, re.DOTALL)
        assert len(charts) == 10
        assert mermaid_results(charts, tmp_path) == ["sequence"] * 10


def test_events(tmp_path: Path) -> None:
    """Each event is one line of JSON with its kind and time."""
    file = tmp_path / "events.jsonl"
    with Reports(events=file) as reports:
        reports.start("check", ["graceful"], {"msl": 30})
        reports.listening(lambda _: None)(Progress(1_000, 5, 499.6, 80.2))
        reports.decided(ReportedSuite("check", (), (ALL[1], ALL[0])))
        reports.finish("check", "", Verdict.VIOLATED, 10, Screen())
    start, progress, first, second, end = map(json.loads, file.read_text().splitlines())
    assert [event["event"] for event in (start, progress, first, second, end)] == [
        "start",
        "progress",
        "verdict",
        "verdict",
        "end",
    ]
    reached = {name: value for name, value in progress.items() if name not in ("event", "seconds")}
    assert reached == {"states": 1000, "depth": 5, "states_a_second": 500, "megabytes": 80}
    assert (first["standing"], first["steps"], second["steps"]) == ("failed", 8, None)
    assert (end["verdict"], end["exit_code"]) == ("violated", 10)
    assert progress["seconds"] >= start["seconds"] >= 0


def test_an_unknown_property() -> None:
    """A name that is no property has no location, and can be reported all the same."""
    odd = replace(ALL[0], subject=ReportedProperty("odd", "something odd", "", None))
    (result,) = sarif.log([odd], "1")["runs"][0]["results"]
    assert "locations" not in result
    assert reported_property("odd").location is None
