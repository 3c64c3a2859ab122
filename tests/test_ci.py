"""The commands ``ci`` and ``init``: expected verdicts, runs and updates of a file of expectations."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from ci_folders import SAMPLE, ask, change, folder_with_profile, question
from commands import run, run_json

from timewait.checker.decide import Answer
from timewait.checker.verdict import Verdict
from timewait.cli import ci
from timewait.cli.ci import exit_verdict
from timewait.cli.console import COLUMNS
from timewait.formats.case import ReportedCase, case_of_answer, reported_property
from timewait.spec.settings import PROFILE_KEYS
from timewait.spec.stacks import load_stack


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample's profile in the current folder."""
    return folder_with_profile(tmp_path, monkeypatch)


class TestExpectations:
    """Only the expected verdict passes."""

    def test_as_expected(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A proof and a violation; each case carries the name of the stack, and the last line counts."""
        ask(folder, question('expect = { graceful = "proved" }') + '[[question]]\nloss = 3\nexpect = { graceful = "violated" }')
        code, out, _ = run(capsys, "ci")
        lines = out.splitlines()
        assert code == 0
        assert [line.partition("   ")[0] for line in lines[:2]] == ["tiny: q: graceful", "tiny: question 2: graceful"]
        assert lines[2] == "2 of 2 answers as expected"

    @pytest.mark.parametrize(
        ("expect", "more", "code"),
        [
            ('expect = { graceful = "violated" }', (), 10),
            ('expect = { graceful = "proved" }', ("loss = 3", 'time_wait = "4s"'), 10),
            ('expect = { graceful = "proved" }', ("max_states = 1", 'engine = "zones"'), 20),
            ('expect = { graceful = "violated" }', ("max_states = 1", 'engine = "zones"'), 20),
            ('least_time_wait = "5s"', (), 10),
            ('least_time_wait = "3s"', (), 10),
            ('least_time_wait = "none"', (), 10),
            ('least_time_wait = "4s"', (), 0),
            ('least_time_wait = { graceful = "3s" }', (), 0),
            ('least_time_wait = { graceful = "none" }', ('loss = "any"',), 0),
            ('least_time_wait = "4s"', ("max-states = 1", 'engine = "zones"'), 20),
            ('expect = "proved"', (), 0),
            ('expect = "violated"', (), 10),
        ],
    )
    def test_a_surprise_of_either_kind_fails(
        self, expect: str, more: tuple[str, ...], code: int, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """So does an answer that is missing; the expectation's line is named where no value of the profile is to blame."""
        ask(folder, question(expect, *more))
        found, data = run_json(capsys, "ci")
        assert found == code
        failed = [case for case in data["cases"] if not case["as_expected"]]
        assert bool(failed) == bool(code)
        assert data["as_expected"] == len(data["cases"]) - len(failed)
        line = (folder / "timewait.toml").read_text(encoding="utf-8").splitlines().index(expect) + 1
        for case in failed:
            assert case["location"]["file"] == "timewait.toml"
            assert case["location"]["line"] == line

    @pytest.mark.parametrize("verdict", [*Verdict])
    @pytest.mark.parametrize("expected", [Verdict.PROVED, Verdict.VIOLATED])
    def test_exit_verdicts(self, verdict: Verdict, expected: Verdict) -> None:
        """The verdict alone passes that is expected, and a missing one never."""
        case = ReportedCase(reported_property("graceful"), "q", verdict, expected, "zones", 0.1)
        assert (exit_verdict(case) is Verdict.PROVED) == (verdict is expected)
        assert exit_verdict(case).exit_code in (0, 10, 20, 30, 40)

    def test_a_disagreement_fails(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With its own exit code, whatever is expected."""
        ask(folder, question('expect = { graceful = "violated" }'))

        def disagreeing(answer: Answer) -> ReportedCase:
            case = case_of_answer(answer)
            return ReportedCase(case.subject, case.label, Verdict.DISAGREEMENT, case.expected, "zones", 0.0, "ticks differ")

        monkeypatch.setattr(ci, "case_of_answer", disagreeing)
        assert run(capsys, "ci")[0] == 40

    def test_options_of_a_question_replace_the_shared_ones(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """In either spelling, and switches can be switched off."""
        text = question('expect = { graceful = "violated" }', 'time-wait = "1s"', "orphan = false")
        ask(folder, 'time_wait = "4s"\n' + text)
        assert run(capsys, "ci")[0] == 0

    def test_a_selection(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Of stacks and questions; one that selects nothing is an error."""
        ask(folder, question('expect = { graceful = "proved" }') + '[[question]]\nname = "r"\nexpect = { graceful = "violated" }')
        assert run(capsys, "ci", "--question", "q", "--stack", "tiny")[0] == 0
        for wrong in (("--question", "z"), ("--stack", "linux")):
            code, out, err = run(capsys, "ci", *wrong)
            assert (code, out) == (2, "")
            assert "has no" in err

    def test_each_stack_has_a_suite(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """With its name, in JUnit; stacks are files or names."""
        text = (
            '[[question]]\nstacks = ["tiny.toml", "rfc9293-intended"]\nmsl = "2s"\nrto = "1s"\nexpect = { graceful = "proved" }\n'
        )
        ask(folder, text)
        assert run(capsys, "ci", "--junit", "a.xml")[0] == 0
        suites = ElementTree.parse(folder / "a.xml").getroot()
        assert [suite.get("name") for suite in suites] == ["tiny", "rfc9293-intended"]
        for suite in suites:
            assert [str(case.get("name")).partition(":")[0] for case in suite.iter("testcase")] == [suite.get("name")]

    @pytest.mark.parametrize("width", [60, 80])
    def test_no_line_is_too_long(
        self, width: int, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An unexpected verdict with its run."""
        monkeypatch.setenv(COLUMNS, str(width))
        change(folder, "time_wait", '"3s"')
        ask(folder, question('expect = { isolation = "proved" }'))
        code, out, _ = run(capsys, "ci")
        assert code == 10
        assert not [line for line in out.splitlines() if len(line) > width]


WRONG = {
    "": "names no stack|asks nothing",
    'stacks = ["tiny.toml"]': "asks nothing",
    'stacks = ["tiny.toml"]\nquestion = 3': r"line 2: must be written \[\[question\]\]",
    'stacks = ["tiny.toml"]\n[[question]]': "line 2: question 1 expects nothing",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect = {}': "line 3: expect must be",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect = "vacuous"': "line 3: expect must be",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect = { graceful = "inconclusive" }': "line 3: graceful must be proved or violated",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect = { gracefull = "proved" }': "line 3: gracefull .*did you mean graceful",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nlos = 2': r"line 4: los .*did you mean loss",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nloss = true': "line 4: loss takes a value",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nfifo = "yes"': "line 4: fifo must be true or false",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nloss = -1': "line 2: .*loss",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nmsl = "soon"': "line 2: .*--msl",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nloss = { a = 1 }': "line 4: loss must be",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nstack = "linux"': "line 4: stack is no option",
    'stacks = ["tiny.toml"]\n[[question]]\nexpect.graceful = "proved"\nhelp = true': "line 4: help is no option",
    'stacks = ["tiny.toml"]\n[[question]]\nleast_time_wait = 60': "line 3: least_time_wait: must be a length of time",
    'stacks = ["tiny.toml"]\n[[question]]\nleast_time_wait = {}': "line 3: least_time_wait names no property",
    'stacks = ["nowhere.toml"]\n[[question]]\nexpect = "proved"': "no profile file",
    'stacks = ["Linux"]\n[[question]]\nexpect = "proved"': "did you mean linux",
    'stacks = ["linux"]\n[[question]]\nexpect = "proved"': "--msl",
    "stacks = []\n[[question]]\nexpect = 'proved'": "line 1: stacks must be",
    'stacks = ["tiny.toml", "./tiny.toml"]\n[[question]]\nexpect = "proved"': "names the stack tiny twice",
    'stacks = ["tiny.toml"]\n[[question]]\nname = "a"\nexpect = "proved"\n[[question]]\nname = "a"': "line 5: a second",
    'stacks = ["tiny.toml"]\n[[question]]\nname = "\\u001b[2J"\nexpect = "proved"': "U\\+001B",
    'stack = ["tiny.toml"]': "line 1: stack is not known here; did you mean stacks",
    "stacks = [": "line",
}


class TestBadFiles:
    """Each is one clear line, before any engine is asked."""

    @pytest.mark.parametrize("text", WRONG)
    def test_one_line(self, text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It names the file, and the line of the problem where there is one."""
        (folder / "timewait.toml").write_text(text, encoding="utf-8")
        code, out, err = run(capsys, "ci", "--junit", "a.xml")
        assert (code, out) == (3, "")
        assert re.search(WRONG[text], err)
        assert err.startswith("timewait: timewait.toml: ")
        assert err.count("\n") == 1
        assert not (folder / "a.xml").exists()

    @pytest.mark.parametrize("octets", [b"\xff\xfe", b"a" * 70_000, b"[" * 5_000, b"a." * 500 + b"b = 1"])
    def test_octets(self, octets: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """That are no TOML of a moderate size."""
        (folder / "timewait.toml").write_bytes(octets)
        code, _, err = run(capsys, "ci")
        assert (code, err.count("\n")) == (3, 1)

    def test_no_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The message says how to write one."""
        assert folder
        code, _, err = run(capsys, "ci")
        assert code == 3
        assert "timewait init" in err

    @pytest.mark.slow
    def test_any_damage(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Of any octet: a verdict or one line, never a traceback."""
        rng = Random(1)
        whole = (SAMPLE / "timewait.toml").read_bytes()
        for _ in range(300):
            octets = bytearray(whole)
            for _ in range(rng.randint(1, 4)):
                octets[rng.randrange(len(octets))] = rng.randrange(256)
            (folder / "timewait.toml").write_bytes(bytes(octets) + b"\nmax_states = 1\n")
            code, _, err = run(capsys, "ci", "--question", "no such question")
            assert code in (2, 3)
            assert err.count("\n") == 1


class TestLeastTimeWait:
    """A least safe TIME_WAIT that is as expected is not enough: that of the profile must not be shorter."""

    @pytest.mark.parametrize(
        ("expect", "code"),
        [
            ('least_time_wait = "4s"', 10),
            ('least_time_wait = { graceful = "3s" }', 0),
            ('least_time_wait = "4s"\nexpect.isolation = "violated"', 0),
            ('least_time_wait = { isolation = "4s" }\nexpect.graceful = "proved"', 10),
            ('least_time_wait = "none"\nloss = "any"', 0),
        ],
    )
    def test_a_shorter_one_fails(self, expect: str, code: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """At its line, unless a verdict of one of the properties is expected or none is safe; an update changes nothing."""
        line = change(folder, "time_wait", '"3s"')
        ask(folder, question(expect))
        found, out, _ = run(capsys, "ci")
        assert found == code
        assert (f"tiny.toml:{line}: time_wait = 3s; the least that is safe is 4s" in out) == bool(code)
        before = (folder / "timewait.toml").read_bytes()
        assert "changed" not in run(capsys, "ci", "--update")[2]
        assert (folder / "timewait.toml").read_bytes() == before

    def test_an_option_counts_before_the_profile(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A question that states a TIME_WAIT is about that one."""
        change(folder, "time_wait", '"3s"')
        ask(folder, question('least_time_wait = "4s"', 'time_wait = "4s"'))
        assert run(capsys, "ci")[0] == 0


class TestRuns:
    """A run is shown once."""

    def test_the_same_run_again(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """For a further question; another run is shown."""
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
        change(folder, "time_wait", '"2.5s"')
        lost = 'expect = { graceful = "proved" }\n'
        ask(folder, question(lost) + f'[[question]]\nname = "r"\n{lost}[[question]]\nexpect.isolation = "proved"')
        code, out, _ = run(capsys, "ci", "--github")
        assert code == 10
        assert out.count("A leaves TIME_WAIT") - sum(row.count("A leaves") for row in out.splitlines() if row[:2] == "::") == 2
        assert out.count("  the same run as for tiny: q: graceful") == 1
        summary = (folder / "summary.md").read_text(encoding="utf-8")
        assert (summary.count("```mermaid"), summary.count("The same run as for tiny: q: graceful.")) == (2, 1)
        assert "…" not in summary


class TestUpdate:
    """``--update`` writes what is found into the file, and nothing else."""

    TEXT = (
        "# above\n"
        + question(
            'expect = { graceful = "violated", isolation = \'proved\' } # "violated" as a comment',
            'least_time_wait = { graceful = "9s", isolation = "4s" }',
        )
        + '[[question]]\nname = "r" # below\nloss = "any"\nleast_time_wait = "4s"\nexpect.graceful = "proved"\n'
    )

    def test_what_it_writes_passes(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Comments and right values stay; each change is printed with its line; the run itself still fails."""
        ask(folder, self.TEXT)
        before = (folder / "timewait.toml").read_text(encoding="utf-8")
        code, _, err = run(capsys, "ci", "--update")
        after = (folder / "timewait.toml").read_text(encoding="utf-8")
        assert code == 10
        changed = (
            ('graceful = "violated"', 'graceful = "proved"'),
            ('"9s"', '"3s"'),
            ('least_time_wait = "4s"', 'least_time_wait = "none"'),
        )
        for old, new in changed:
            before = before.replace(old, new)
        assert after == before.replace('expect.graceful = "proved"', 'expect.graceful = "violated"')
        lines = [line for line in err.splitlines() if line.startswith("changed ")]
        assert lines[0] == "changed timewait.toml:8: tiny: q: graceful = proved"
        assert len(lines) == 4
        assert run(capsys, "ci")[0] == 0
        assert "changed" not in run(capsys, "ci", "--update")[2]

    @pytest.mark.parametrize(
        ("text", "code", "message"),
        [
            (question('expect = "violated"', "loss = 3"), 3, "one expectation has several answers"),
            (question('expect.graceful = """\nproved"""', "loss = 3"), 3, "cannot be replaced; write violated yourself"),
            (question('expect.graceful = "violated"', "max_states = 1", 'engine = "zones"'), 20, ""),
        ],
    )
    def test_what_it_does_not_write(
        self, text: str, code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Two answers to one expectation, a text that it cannot replace, and an answer that is missing."""
        ask(folder, text)
        before = (folder / "timewait.toml").read_bytes()
        found, _, err = run(capsys, "ci", "--update")
        assert (found, (folder / "timewait.toml").read_bytes()) == (code, before)
        assert message in err


class TestInit:
    """The command ``init``."""

    def test_what_it_writes_passes(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """As it is."""
        assert run(capsys, "init")[0] == 0
        assert run(capsys, "ci")[0] == 0
        assert sorted(path.name for path in folder.iterdir()) == ["my-stack.toml", "timewait.toml", "tiny.toml"]

    def test_nothing_is_assumed(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """What it writes states every setting that the questions rest on; without one of them a note of short lines says so."""
        run(capsys, "init")
        assert run(capsys, "ci", "--question", "two losses")[2] == ""
        text = (folder / "my-stack.toml").read_text(encoding="utf-8")
        shorter = re.sub(r"\n\[(fin_wait_1|close_wait|dropped_ack|half_close)\]\n(?:.+\n)+", "\n", text)
        (folder / "my-stack.toml").write_text(shorter, encoding="utf-8")
        note = run(capsys, "ci", "--question", "two losses")[2]
        assert "how long FIN-WAIT-1 lasts" in note
        assert max(map(len, note.splitlines())) <= 100

    def test_every_key_is_explained(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """And a profile with each of them stated is one."""
        run(capsys, "init", "--name", "full")
        text = (folder / "full.toml").read_text(encoding="utf-8")
        (folder / "full.toml").write_text(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
        assert set(load_stack(str(folder / "full.toml")).sources) == set(PROFILE_KEYS)

    @pytest.mark.parametrize("existing", ["my-stack.toml", "timewait.toml"])
    def test_it_overwrites_nothing(self, existing: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Where one of the files exists, the other one is not written either."""
        (folder / existing).write_text("mine", encoding="utf-8")
        before = sorted(folder.iterdir())
        code, out, err = run(capsys, "init")
        assert (code, out) == (2, "")
        assert f"{existing}: it exists" in err
        assert sorted(folder.iterdir()) == before
        assert (folder / existing).read_text(encoding="utf-8") == "mine"

    @pytest.mark.parametrize("name", ["timewait", "../x", "", "A", "a b", "a\nb"])
    def test_names(self, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A name that is no name of a stack is an error."""
        assert run(capsys, "init", "--name", name)[0] == 2
        assert [path.name for path in folder.iterdir()] == ["tiny.toml"]

    def test_it_makes_the_folder(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """And those above it."""
        assert run(capsys, "init", str(folder / "new" / "stack"))[0] == 0
        assert sorted(path.name for path in (folder / "new" / "stack").iterdir()) == ["my-stack.toml", "timewait.toml"]

    def test_no_folder(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """One line, where there is a file in its place."""
        (folder / "file").write_text("mine", encoding="utf-8")
        code, _, err = run(capsys, "init", str(folder / "file" / "nowhere"))
        assert (code, err.count("\n")) == (2, 1)
        assert "cannot make the folder" in err
