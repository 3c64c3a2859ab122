"""``timewait convert``, and the reports of ``check`` and ``prove``."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commands import run
from counterexamples import counterexample

from timewait.checker import itf
from timewait.checker.finding import Progress
from timewait.checker.verdict import Verdict
from timewait.cli.main import main
from timewait.cli.reports import Reports, suite_of_claim
from timewait.formats import mermaid, pcapng
from timewait.formats.case import CaseStatus
from timewait.formats.trace_formats import TRACE_FORMATS
from timewait.proofs.claim import CLAIMS, Claim
from timewait.proofs.evidence import Evidence
from timewait.proofs.suite import ClaimResult, decide_claim

SHORT = ("check", "--msl", "30s", "--rto", "30s", "--time-wait", "59.9s", "--closers", "a", "--property", "graceful")


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    """A trace as a file."""
    file = tmp_path / "trace.itf.json"
    file.write_text(itf.as_itf_text(counterexample("C2 core")), encoding="utf-8")
    return file


class TestConvert:
    """``timewait convert``."""

    def test_text(self, capsys: pytest.CaptureFixture[str], trace_file: Path) -> None:
        """Text goes to standard output."""
        assert run(capsys, "convert", str(trace_file), "--to", "mermaid") == (
            0,
            mermaid.as_mermaid_text(counterexample("C2 core")),
            "",
        )
        assert json.loads(run(capsys, "convert", str(trace_file), "--to", "json")[1])["property"] == "isolation"
        assert json.loads(run(capsys, "convert", str(trace_file), "--to", "sarif")[1])["version"] == "2.1.0"

    @pytest.mark.parametrize("name", TRACE_FORMATS)
    def test_every_format(self, capsys: pytest.CaptureFixture[str], trace_file: Path, tmp_path: Path, name: str) -> None:
        """A file with the format's content, for each end that can be chosen, and nothing beside it."""
        form = TRACE_FORMATS[name]
        target = tmp_path / f"out{form.suffix}"
        for end in form.ends or ("",):
            options = ("--end", end) if end else ()
            assert run(capsys, "convert", str(trace_file), "--to", name, *options, "--out", str(target)) == (0, "", "")
            content = form.write(itf.read(trace_file), end or "a")
            assert target.read_bytes() == (content if isinstance(content, bytes) else content.encode())
        assert sorted(tmp_path.iterdir()) == sorted([trace_file, target])

    def test_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The help lists every format."""
        out = run(capsys, "convert", "--help")[1]
        assert all(f"{name} (" in " ".join(out.split()) for name in TRACE_FORMATS)

    def test_binary_output_through_a_pipe(self, monkeypatch: pytest.MonkeyPatch, trace_file: Path) -> None:
        """A capture goes to standard output if that is not a terminal."""
        out = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as left:
            main(["convert", str(trace_file), "--to", "pcapng"])
        assert left.value.code == 0
        assert out.buffer.getvalue() == pcapng.as_pcapng(counterexample("C2 core"))

    def test_no_binary_output_on_a_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trace_file: Path
    ) -> None:
        """A terminal gets an error message instead."""
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        code, out, err = run(capsys, "convert", str(trace_file), "--to", "pcapng")
        assert (code, out) == (2, "")
        assert "give --out FILE" in err

    def test_schema(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The JSON Schema of traces, without a trace."""
        code, out, _ = run(capsys, "convert", "--schema")
        assert code == 0
        assert json.loads(out)["$id"] == "urn:timewait:trace"

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("--to", "mermaid", "--end", "a"), 2, "--end a does not go with --to mermaid"),
            (("--to", "packetdrill", "--end", "both"), 2, "--end both does not go with --to packetdrill"),
            (("--to", "pcap"), 2, "'pcap'"),
            ((), 2, "--to"),
            (("--to", "itf", "--out", "/nowhere/at/all"), 2, "cannot write /nowhere/at/all"),
        ],
    )
    def test_usage(
        self, capsys: pytest.CaptureFixture[str], trace_file: Path, arguments: tuple[str, ...], code: int, message: str
    ) -> None:
        """One line on standard error."""
        left, out, err = run(capsys, "convert", str(trace_file), *arguments)
        assert (left, out, err.count("\n")) == (code, "", 1)
        assert message in err

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda data: data.clear(), "not a trace"),
            (lambda data: data["states"][1]["#meta"]["sent"][0].update(sender="C"), "state 1|copy 1 goes from 'C'"),
            (lambda data: data["states"][1]["#meta"]["sent"][0]["fields"].pop("seq"), "copy 1 .* has no sequence number"),
        ],
    )
    def test_bad_files(
        self, capsys: pytest.CaptureFixture[str], trace_file: Path, tmp_path: Path, spoil: Any, message: str
    ) -> None:
        """One line with the name of the file, exit code 3, and no output."""
        data = json.loads(trace_file.read_text())
        spoil(data)
        trace_file.write_text(json.dumps(data))
        target = tmp_path / "out.pcapng"
        code, out, err = run(capsys, "convert", str(trace_file), "--to", "pcapng", "--end", "b", "--out", str(target))
        assert (code, out, err.count("\n")) == (3, "", 1)
        assert err.startswith(f"timewait: {trace_file}: ")
        assert re.search(message, err)
        assert not target.exists()


class TestReports:
    """The reports of ``check`` and ``prove``."""

    def test_check(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """All reports at once agree with the verdict on standard output."""
        summary = tmp_path / "summary.md"
        summary.write_text("before\n")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        files = {name: tmp_path / f"report.{name}" for name in ("sarif", "junit", "events")}
        options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
        code, out, _ = run(capsys, *SHORT, "--github", *options)
        assert code == 10
        assert "verdict: VIOLATED" in out
        assert out.count("\n::error title=timewait%3A graceful violated::") == 1
        (result,) = json.loads(files["sarif"].read_text())["runs"][0]["results"]
        assert (result["ruleId"], result["kind"]) == ("graceful", "fail")
        (case,) = ElementTree.parse(files["junit"]).iter("testcase")
        assert (case.get("classname"), case.get("name"), case[0].tag) == ("timewait.check", "graceful", "failure")
        lines = [json.loads(line) for line in files["events"].read_text().splitlines()]
        assert [line["event"] for line in lines] == ["start", "verdict", "end"]
        assert lines[0]["parameters"]["time_wait"] == 59.9
        assert (lines[-1]["verdict"], lines[-1]["exit_code"]) == ("violated", 10)
        assert summary.read_text().startswith("before\n## timewait check, RFC 9293")
        assert set(tmp_path.iterdir()) == {summary, *files.values()}

    def test_inconclusive(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A search that hits a limit never passes."""
        sarif, junit = tmp_path / "x.sarif", tmp_path / "x.xml"
        arguments = (*SHORT, "--time-wait", "60s", "--max-states", "10", "--sarif", str(sarif), "--junit", str(junit))
        assert run(capsys, *arguments)[0] == 20
        (only,) = json.loads(sarif.read_text())["runs"]
        assert only["results"][0]["kind"] == "open"
        assert only["invocations"][0]["toolExecutionNotifications"][0]["level"] == "warning"
        assert ElementTree.parse(junit).getroot()[0].get("errors") == "1"

    def test_no_summary_without_github(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without GITHUB_STEP_SUMMARY a note says so; a file that cannot be written is an error."""
        monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        code, _, err = run(capsys, *SHORT, "--github")
        assert code == 10
        assert "GITHUB_STEP_SUMMARY is not set" in err
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
        code, _, err = run(capsys, *SHORT, "--github")
        assert code == 2
        assert f"cannot write {tmp_path}" in err

    @pytest.mark.parametrize("option", ["--sarif", "--junit", "--events"])
    def test_files_are_checked_first(self, capsys: pytest.CaptureFixture[str], option: str) -> None:
        """A file that cannot be written is an error before any work."""
        code, out, err = run(capsys, *SHORT, option, "/nowhere/at/all")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "cannot write /nowhere/at/all" in err

    def test_github_and_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Both need standard output, so together they are a usage error."""
        for command in (SHORT, ("prove", "C15")):
            code, out, err = run(capsys, *command, "--github", "--json")
            assert (code, out) == (2, "")
            assert "exclude each other" in err

    def test_json_beside_files(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Reports in files do not change standard output."""
        code, out, _ = run(capsys, *SHORT, "--json", "--junit", str(tmp_path / "x.xml"))
        assert code == 10
        assert json.loads(out)["verdict"] == "violated"

    def test_an_error_ends_the_events(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """After an error or an interrupt the last event says so."""
        file = tmp_path / "events.jsonl"
        assert run(capsys, *SHORT, "--events", str(file), "--msl", "0")[0] == 2
        (only,) = map(json.loads, file.read_text().splitlines())
        assert only["event"] == "end"
        assert "MSL must be more than" in only["verdict"]
        interrupted(file)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert (lines[-1]["verdict"], lines[-1]["exit_code"]) == ("interrupted", 20)

    def test_progress_is_forwarded(self, tmp_path: Path) -> None:
        """Progress goes to the file and to the screen."""
        file = tmp_path / "events.jsonl"
        forwarded: list[Progress] = []
        with Reports(events=file) as reports:
            reports.listening(forwarded.append)(Progress(1_000, 5, 500.0, 80.0))
            assert json.loads(file.read_text())["states"] == 1_000
        assert forwarded == [Progress(1_000, 5, 500.0, 80.0)]

    def test_prove(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A claim is a rule and a suite, and each piece of its evidence a case with its time."""
        sarif, junit, events = (tmp_path / name for name in ("x.sarif", "x.xml", "x.jsonl"))
        code, _, _ = run(capsys, "prove", "C15", "--sarif", str(sarif), "--junit", str(junit), "--events", str(events))
        assert code == 0
        (only,) = json.loads(sarif.read_text())["runs"]
        assert [rule["id"] for rule in only["tool"]["driver"]["rules"]] == ["C15"]
        assert [result["kind"] for result in only["results"]] == ["pass", "informational"]
        place = only["results"][0]["locations"][0]["physicalLocation"]
        source = (Path(__file__).parent.parent / place["artifactLocation"]["uri"]).read_text().splitlines()
        assert source[place["region"]["startLine"] - 1].startswith('@claim("C15"')
        (suite,) = ElementTree.parse(junit).getroot()
        assert (suite.get("name"), suite.get("failures"), suite.get("errors")) == ("C15", "0", "0")
        assert all(float(case.get("time") or 0) > 0 for case in suite.iter("testcase"))
        lines = [json.loads(line) for line in events.read_text().splitlines()]
        assert [line["event"] for line in lines] == ["start", "verdict", "verdict", "end"]


def interrupted(events: Path) -> None:
    """Run a command that is interrupted."""

    def command() -> None:
        with Reports(events=events) as reports:
            reports.start("check", [], {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command()


def test_a_claim_without_evidence() -> None:
    """A claim without evidence is undecided, not passed."""
    outcome = ClaimResult("C15", "s", Verdict.VIOLATED, 0.0, ())
    (case,) = suite_of_claim(outcome).cases
    assert case.status is CaseStatus.UNDECIDED


def test_an_unexpected_proof() -> None:
    """A proof in place of an expected counterexample fails."""
    piece = Evidence("x", Verdict.PROVED, Verdict.VIOLATED, "zones")
    (case,) = suite_of_claim(ClaimResult("C15", "s", Verdict.VIOLATED, 0.0, (piece,))).cases
    assert case.status is CaseStatus.FAILED


def test_evidence_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece of evidence has its own time; together they take no longer than the claim."""

    def gather() -> Iterator[Evidence]:
        for pause in (0.02, 0.0):
            time.sleep(pause)
            yield Evidence("x", Verdict.PROVED, Verdict.PROVED, "nobody")

    monkeypatch.setitem(CLAIMS, "C0", Claim("C0", "s", "", Verdict.PROVED, False, gather))
    outcome = decide_claim("C0")
    first, second = (piece.seconds for piece in outcome.pieces)
    assert first >= 0.02 > second
    assert first + second <= outcome.seconds
