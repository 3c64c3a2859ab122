"""The commands that explain: help, glossary, diff; completion in a shell; the samples in the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from commands import run, run_json

from timewait.cli.glossary import glossary
from timewait.cli.help import EXIT_CODES, QUESTION_PAGES
from timewait.cli.main import COMMANDS, cli
from timewait.cli.questions import asked, questions
from timewait.proofs.claims import CLAIMS
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import SETTINGS
from timewait.spec.stacks import stack_names
from timewait.spec.state import MEANING

ROOT = Path(__file__).parent.parent


class TestHelp:
    """Every topic."""

    @pytest.mark.parametrize(
        ("topic", "text"),
        [
            ("check", "Usage: timewait check"),
            ("graceful", PROPERTIES["graceful"].statement),
            ("c9", CLAIMS["C9"].statement),
            ("time-wait", next(text for state, text in MEANING.items() if state.value == "TIME_WAIT")),
            ("loss window", "loss window"),
        ],
    )
    def test_topics(self, topic: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A command, a property, a claim, a state, a term."""
        code, out, _ = run(capsys, "help", *topic.split())
        assert code == 0
        assert " ".join(text.split()) in " ".join(out.split())

    @pytest.mark.parametrize("name", SETTINGS)
    def test_settings(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        """By its key in a profile, and by its option."""
        entry = SETTINGS[name]
        for topic in (name, *filter(None, [entry.option])):
            code, out, _ = run(capsys, "help", topic)
            assert code == 0
            assert f"setting {name}\n" in out
            assert entry.meaning[1:] in " ".join(out.split())

    def test_options(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each option of each command, with the commands that have it; but those of help itself are carried out."""
        having: dict[str, set[str]] = {}
        for name in set(COMMANDS) - {"help"}:
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
            for option in (option for each in shown for option in each.opts if option.startswith("--")):
                having.setdefault(option, set()).add(name)
        for option, names in having.items():
            code, out, _ = run(capsys, "help", option)
            assert code == 0
            listed = " ".join(re.findall(r"An option of: ([^.]*)\.", " ".join(out.split()))).replace(",", "").split()
            assert names <= set(listed), option

    def test_an_unknown_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        """One line, with similar options."""
        code, _, problem = run(capsys, "help", "--time-wiat")
        assert code == 2
        assert re.fullmatch(r"timewait: no command has an option '--time-wiat'; did you mean --time-wait, [^\n]*\?\n", problem)

    def test_an_unknown_topic(self, capsys: pytest.CaptureFixture[str]) -> None:
        """One line, with similar terms."""
        code, _, problem = run(capsys, "help", "loss windo")
        assert code == 2
        assert problem == "timewait: there is no topic 'loss windo'; did you mean loss window?\n"

    def test_without_a_topic(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The list of commands."""
        assert run(capsys, "help")[1] == run(capsys, "--help")[1]

    def test_the_man_page(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Every command and exit code; man formats it without a warning."""
        _, page, _ = run(capsys, "help", "--man")
        for name in COMMANDS:
            assert f"\n.SS {name}\n" in page
        for code in EXIT_CODES:
            assert f"\n.B {code}\n" in page
        if shutil.which("groff") is None:
            pytest.skip("no groff")
        file = tmp_path / "timewait.1"
        file.write_text(page, encoding="utf-8")
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", str(file)], capture_output=True, text=True, check=True)
        assert not done.stderr
        assert "--time-wait" in re.sub(r"\x1b\[[0-9]*m|.\x08", "", done.stdout)


class TestGlossary:
    """Terms of the page."""

    def test_every_term_is_plain_text(self) -> None:
        """Without links and marks, and none is empty."""
        terms = glossary()
        assert len(terms) > 50
        for name, paragraphs in terms.items():
            assert paragraphs, name
            assert not any("](" in text or "`" in text for text in (name, *paragraphs)), name

    def test_spelling_does_not_matter(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Upper case, hyphens, spaces."""
        assert run(capsys, "glossary", "Loss-Window") == run(capsys, "glossary", "loss", "window")

    def test_the_list(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Of all terms."""
        _, out, _ = run(capsys, "glossary")
        assert set(glossary()) == set(re.sub(r"-\s+", "-", " ".join(out.split())).split(", "))


class TestDiff:
    """Two stacks."""

    def test_settings_and_events(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Those that differ, and no other."""
        code, data = run_json(capsys, "diff", "linux", "freebsd")
        assert code == 0
        assert data["settings"]["reset"] == {"linux": "exact", "freebsd": "ignore"}
        assert all(len(set(values.values())) == 2 for values in data["settings"].values())
        assert any("TIME_WAIT, RST [at RCV.NXT]" in line for line in data["events"])
        _, out, _ = run(capsys, "diff", "linux", "freebsd")
        assert re.search(r"^reset +exact +ignore$", out, re.MULTILINE)

    def test_a_stack_and_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing differs, and that is said."""
        _, out, _ = run(capsys, "diff", "linux", "linux")
        assert out.splitlines() == [
            "linux and linux have the same settings",
            "",
            "linux and linux do the same on every event of a close",
        ]

    def test_a_profile_that_leaves_something_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Its settings are compared; its events are not, and the reason is said."""
        _, data = run_json(capsys, "diff", "linux", "macos")
        assert data["events"] is None
        assert "does not say" in data["reason"]
        assert data["settings"]


@pytest.mark.parametrize("arguments", [["check", "--stack"], ["diff"], ["diff", "linux"], ["export", "--stack"]])
def test_a_shell_completes_the_names_of_stacks(arguments: list[str]) -> None:
    """Where a profile is expected."""
    offered = ShellComplete(cli, {}, "timewait", "_TIMEWAIT_COMPLETE").get_completions(arguments, "f")
    assert [item.value for item in offered] == [name for name in stack_names() if name.startswith("f")]


def test_the_samples_of_the_readme(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that its commands read are in the repository, and the commands work as typed."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^timewait ((?:explain|convert|view) .*?)(?:  +#.*)?$", readme, re.MULTILINE)
    assert len(commands) >= 2
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    for command in commands:
        assert run(capsys, *command.split())[0] == 0, command


@pytest.mark.parametrize("topic", QUESTION_PAGES)
def test_a_setting_or_an_error_leads_to_its_page(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The page is there, names the topic, and is named; in capital letters too, and with the prefix of sysctl."""
    page = ROOT / "docs" / "questions" / f"{QUESTION_PAGES[topic]}.md"
    assert topic in page.read_text(encoding="utf-8").lower()
    for text in (topic, topic.upper(), f"net.ipv4.{topic}"):
        code, out, _ = run(capsys, "help", text)
        assert code == 0
        assert f"docs/questions/{page.name}" in "".join(out.split())


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("dial tcp 10.0.0.1:80: connect: cannot assign requested address", "cannot-assign-requested-address"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "address-already-in-use"),
        ("connection reset by peer", "who-sent-the-rst"),
        ("TCP: time wait bucket table overflow", "time-wait-bucket-table-overflow"),
        ("nf_conntrack: table full, dropping packet", "conntrack"),
        ("ErrorPortAllocation", "cloud-nat"),
        ("which side should close first", "which-side-closes-first"),
        ("FIN_WAIT2 forever", "fin-wait-2"),
        ("last ACK is lost", "last-ack"),
        ("SYN hits TIME_WAIT, old ACK, client RST", "syn-meets-time-wait"),
    ],
)
def test_an_error_text_is_answered(text: str, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the answer of its page, in any case of letters, and the name of the page; that of the best page comes first."""
    for each in (text, text.upper()):
        code, out, _ = run(capsys, "help", *each.split())
        assert code == 0
        first = re.search(r"docs/questions/([\w-]+)\.md", out)
        assert first is not None
        assert first.group(1) == page
        assert " ".join(questions()[page].answer.split()) in " ".join(out.split())


def test_a_state_leads_to_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the meaning of the state."""
    out = run(capsys, "help", "CLOSE-WAIT")[1]
    assert "whose bug is it?" in out
    assert "The peer has closed" in out


@pytest.mark.parametrize("text", ["no such thing", "the of and", "10.0.0.1:80", "sequence nmber"])
def test_a_text_that_no_page_has_is_an_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A few common words, or numbers alone, are no question."""
    assert run(capsys, "help", *text.split())[0] == 2


def test_every_question_is_found_by_its_title() -> None:
    """First of all pages, and its answer is plain text."""
    for page, question in questions().items():
        assert asked(question.title)[0].page == page
        assert not re.search(r"[`*\[\]]", question.answer), page
