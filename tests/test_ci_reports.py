"""The line to blame for a surprise of ``ci``, and reports about a user's repository."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from ci_folders import ask, change, folder_with_profile, question
from commands import run, run_json
from node_packages import JUNIT_SCHEMAS, SARIF_SCHEMA, needs_junit_schemas, needs_sarif_schema

from timewait.formats.source_locations import WORKSPACE, users_location
from timewait.formats.toml_lines import line_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample's profile in the current folder."""
    return folder_with_profile(tmp_path, monkeypatch)


BLAMED = {
    ("time_wait", '"3s"'): 'expect = { isolation = "proved" }',
    ("time_wait", '"none"'): 'expect = { isolation = "proved" }',
    ("reset", '"exact"'): 'expect = { isolation = "proved" }',
    ("reset", '"window"'): 'expect = { isolation = "proved" }',
    ("answers", "[]"): 'expect = { graceful = "proved", closes = "proved" }',
    ("restarts", "[]"): 'expect = { fin-restarts = "proved" }',
    ("rto_max", '"3s"'): 'expect = { graceful = "proved" }',
}
"""For a changed value, what it breaks."""


class TestBlame:
    """A changed value of the profile turns the run red, with the annotation on the line of that value."""

    @pytest.mark.parametrize(("key", "value"), BLAMED)
    def test_the_line_of_the_changed_value(self, key: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """In annotations, SARIF and the output; before the change there is none."""
        ask(folder, question(BLAMED[key, value]))
        text = (folder / "timewait.toml").read_text(encoding="utf-8").replace("core", "close")
        (folder / "timewait.toml").write_text(text, encoding="utf-8")
        line = change(folder, key, value)
        code, out, _ = run(capsys, "ci", "--github", "--sarif", "a.sarif")
        assert code == 10
        annotations = [row for row in out.splitlines() if row.startswith("::")]
        assert annotations
        assert all(row.startswith(f"::error file=tiny.toml,line={line},title=") for row in annotations)
        assert f"  tiny.toml:{line}: {key} = " in out
        (found,) = json.loads((folder / "a.sarif").read_text(encoding="utf-8"))["runs"]
        for result in found["results"]:
            if result["kind"] == "fail":
                (location,) = result["locations"]
                assert location["physicalLocation"] == {
                    "artifactLocation": {"uri": "tiny.toml", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": line},
                }

    def test_two_values_together(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Both are named where neither alone is enough."""
        line = change(folder, "time_wait", '"2s"')
        change(folder, "reset", '"exact"')
        ask(folder, question('expect = { isolation = "proved" }'))
        text = (folder / "timewait.toml").read_text(encoding="utf-8").replace("core", "close")
        (folder / "timewait.toml").write_text(text, encoding="utf-8")
        _, data = run_json(capsys, "ci")
        (case,) = data["cases"]
        assert case["location"]["line"] == line
        assert case["location"]["advice"].startswith("time_wait = 2s and reset = exact; with ")

    @pytest.mark.parametrize(
        ("time_wait", "rto_max", "asked", "advice"),
        [
            # The formulas of C3, with MSL 2 s: graceful needs kR + M. The first RTO is 2/3 s, less than a step of 50 us.
            ("4s", "1s", ("loss = 3",), "time_wait = 4s and rto_max = 1s; with time_wait = 5s, or with rto_max = 666.65ms"),
            ("4s", "3s", ("loss = 1",), "rto_max = 3s and time_wait = 4s; with rto_max = 2s, or with time_wait = 5s"),
            ("5s", "3s", ("loss = 3",), "rto_max = 3s and time_wait = 5s; with rto_max = 1s, or with time_wait = 11s"),
            ("3s", "2s", ("loss = 1",), "time_wait = 3s and rto_max = 2s; with time_wait = 4s, or with rto_max = 1s"),
        ],
    )
    def test_the_least_time_wait_and_the_greatest_rto(
        self, time_wait: str, rto_max: str, asked: tuple[str, ...], advice: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each by the formula of C3, with the line of the second one; what exceeds the standard comes first."""
        lines = {"time_wait": change(folder, "time_wait", f'"{time_wait}"'), "rto_max": change(folder, "rto_max", f'"{rto_max}"')}
        ask(folder, question('expect = { graceful = "proved" }', *asked))
        _, data = run_json(capsys, "ci")
        (case,) = data["cases"]
        first, second = re.findall("(time_wait|rto_max) = [0-9.]+s ?a?n?d?", advice)[:2]
        assert case["location"]["advice"] == f"{advice} (line {lines[second]}), the verdict is proved"
        assert case["location"]["line"] == lines[first]

    def test_a_proof_where_a_violation_is_expected(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The standard's shorter TIME_WAIT gives it: it is stated as it is, since no least one is meant."""
        line = change(folder, "time_wait", '"10s"')
        ask(folder, question('expect = { graceful = "violated" }', "loss = 3"))
        _, data = run_json(capsys, "ci")
        (case,) = data["cases"]
        assert (case["location"]["line"], case["location"]["advice"]) == (
            line,
            "time_wait = 10s; with time_wait = 4s the verdict is violated",
        )

    @pytest.mark.slow
    def test_a_changed_threshold(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The value that gives the expected one back."""
        line = change(folder, "restarts", "[]")
        ask(folder, question('least_time_wait = { graceful = "3s" }', "loss = 1"))
        _, data = run_json(capsys, "ci")
        (case,) = data["cases"]
        assert (case["location"]["file"], case["location"]["line"]) == ("tiny.toml", line)
        assert case["reason"] == "no TIME_WAIT is the least, expected 3s"

    def test_check(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The same for a check of a profile that is a file."""
        line = change(folder, "time_wait", '"3s"')
        arguments = ("--stack", "tiny.toml", "--scope", "core", "--property", "isolation", "--github")
        _, out, _ = run(capsys, "check", *arguments)
        assert f"::error file=tiny.toml,line={line}," in out


class TestReports:
    """What the reports of a run hold."""

    @pytest.fixture
    def written(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
        """All reports about a run with an expected verdict, and unexpected ones of each kind."""
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
        change(folder, "time_wait", '"3s"')
        ask(folder, question('expect = { isolation = "proved", graceful = "violated" }') + '[[question]]\nleast_time_wait = "9s"')
        assert run(capsys, "ci", "--github", "--sarif", "a.sarif", "--junit", "a.xml", "--events", "a.jsonl")[0] == 10
        return folder

    def test_they_agree(self, written: Path) -> None:
        """Events, the step summary and the suite count the same cases."""
        events = [json.loads(line) for line in (written / "a.jsonl").read_text(encoding="utf-8").splitlines()]
        verdicts = [event for event in events if event["event"] == "verdict"]
        assert [event["standing"] for event in verdicts] == ["failed", "failed", "failed"]
        assert events[-1]["exit_code"] == 10
        (suite,) = ElementTree.parse(written / "a.xml").getroot()
        assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("tiny", "3", "3")
        summary = (written / "summary.md").read_text(encoding="utf-8")
        assert summary.count("| ❌ tiny: ") == 3
        line = line_of((written / "tiny.toml").read_text(encoding="utf-8"), ("time_wait", "value"))
        assert f"tiny.toml:{line}; time\\_wait = 3s and rto\\_max = 1s; with time\\_wait = 4s, or with rto" in summary

    def test_every_result_has_a_place(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Code scanning refuses a file with a result that has none; an expected threshold is at the line that expects it."""
        ask(folder, '[[question]]\nname = "least"\nleast_time_wait = "4s"')
        assert run(capsys, "ci", "--sarif", "a.sarif")[0] == 0
        (result,) = json.loads((folder / "a.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
        place = result["locations"][0]["physicalLocation"]
        text = (folder / "timewait.toml").read_text(encoding="utf-8").splitlines()
        assert place["artifactLocation"]["uri"] == "timewait.toml"
        assert "least_time_wait" in text[place["region"]["startLine"] - 1]

    @needs_sarif_schema
    def test_sarif(self, written: Path) -> None:
        """Is valid."""
        schema = json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
        jsonschema.Draft4Validator(schema).validate(json.loads((written / "a.sarif").read_text(encoding="utf-8")))

    @needs_junit_schemas
    @pytest.mark.parametrize("path", JUNIT_SCHEMAS, ids=lambda path: path.name)
    def test_junit(self, path: Path, written: Path) -> None:
        """Is valid."""
        xmlschema.XMLSchema(path).validate(written / "a.xml")


def test_paths_are_those_of_the_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workspace of GitHub, else the nearest folder with ``.git``, else the current folder."""
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    file = inner / "tiny.toml"
    assert users_location(file, 1).path == "a/b/tiny.toml"
    (folder / "a" / ".git").mkdir()
    assert users_location(file, 1).path == "b/tiny.toml"
    monkeypatch.setenv(WORKSPACE, str(inner))
    assert users_location(file, 1).path == "tiny.toml"
