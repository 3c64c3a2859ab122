"""The documentation: its commands print what the pages show, its links lead somewhere, and its tables are current."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from doctest import DocTestParser, DocTestRunner
from pathlib import Path
from runpy import run_path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from click import Context
from site_pages import DOCS, PageBlock, blocks, name, pages, same

import timewait.proofs.evidence
from timewait.cli.main import COMMANDS, cli
from timewait.proofs.claims import CLAIMS
from timewait.spec.graph import CLOSE_PART
from timewait.spec.scenarios import SCENARIOS

ROOT = DOCS.parent
SHOWN = {page: list(blocks(page)) for page in pages()}
EVERY = [block for found in SHOWN.values() for block in found]
TEXTS = {path: path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))}

CHECKED = {"console", "pycon", "python", "sh", "toml", "yaml"}
"""The languages of blocks that some test here checks."""
SOURCES = ("spec", "checker", "proofs", "diagrams", "timewait", "tests")
DIRECTIVES = {"{engines}", "{evidence}", "{eval-rst}", "{picture}", "{review}", "{stacks}", "{toctree}"}


def run(command: str, folder: Path) -> str:
    """The output of a command, errors included."""
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "GITHUB_STEP_SUMMARY")}
    environment["PYTHONUNBUFFERED"] = "1"  # both streams arrive in the order in which a reader sees them
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def run_page(page: Path, folder: Path, *, slow: bool) -> int:
    """Run the commands of a page in order, either the slow ones or the others; return their number."""
    count = 0
    for block in SHOWN[page]:
        if block.language in ("toml", "python") and block.argument:
            (folder / block.argument).write_text(block.text, encoding="utf-8")
        if block.language != "console" or bool(block.slow) != slow:
            continue
        if missing := [program for program in block.needs if shutil.which(program) is None]:
            pytest.skip(f"no {' and no '.join(missing)}; {count} commands ran before")
        for command in block.commands:
            printed = run(command.text, folder)
            difference = f"expected\n{command.printed}\nbut it prints\n{printed}"
            assert same(command.printed, printed), f"{name(page)}, line {command.line}: $ {command.text}\n{difference}"
            count += 1
    return count


def with_console(*, slow: bool) -> list[Path]:
    """The pages with commands."""
    return [
        page for page, found in SHOWN.items() if any(block.language == "console" and bool(block.slow) == slow for block in found)
    ]


class TestCommands:
    """Every command on a page prints the output on the page."""

    @pytest.mark.slow
    @pytest.mark.parametrize("page", with_console(slow=False), ids=name)
    def test_commands_print_the_output_on_the_page(self, page: Path, tmp_path: Path) -> None:
        """The commands of a page run in order in a folder of their own."""
        assert run_page(page, tmp_path, slow=False)

    @pytest.mark.slow
    @pytest.mark.parametrize("page", with_console(slow=True), ids=name)
    def test_slow_commands_print_the_output_on_the_page(self, page: Path, tmp_path: Path) -> None:
        """The same for commands marked as slow."""
        assert run_page(page, tmp_path, slow=True)

    def test_pages_show_many_commands(self) -> None:
        """The tests above select something."""
        assert len([command for block in EVERY if block.language == "console" for command in block.commands]) > 50

    @pytest.mark.parametrize("wrong", ["verdict: PROVED\n", "verdict: VIOLATED\nexit code 10\n", ""])
    def test_another_answer_is_noticed(self, wrong: str) -> None:
        """A verdict, an exit code or a line that is not on the page."""
        assert not same("verdict: VIOLATED\n", wrong)

    def test_times_and_elided_text_do_not_count(self) -> None:
        """Everything else does."""
        assert same("a   0.04 s\n...\nb\n", "a   12.30 s\nmore\nmore\nb  \n")
        assert not same("a   4 steps\n", "a   5 steps\n")


class TestSnippets:
    """Blocks that are not commands with output."""

    def test_every_block_has_a_checked_language(self) -> None:
        """Or it is one of the few directives."""
        odd = [block for block in EVERY if block.language not in CHECKED | DIRECTIVES]
        assert not [f"{name(block.page)}, line {block.line}: {block.language!r}" for block in odd]

    @pytest.mark.parametrize(
        "block", [block for block in EVERY if block.language == "python"], ids=lambda block: name(block.page)
    )
    def test_python_compiles(self, block: PageBlock) -> None:
        """The commands of the page run the files besides."""
        compile(block.text, str(block.page), "exec")

    @pytest.mark.parametrize(
        "block",
        [block for block in EVERY if block.language in ("sh", "{engines}", "{evidence}", "{picture}", "{review}", "{stacks}")],
        ids=lambda block: f"{name(block.page)} {block.argument}",
    )
    def test_commands_without_output_parse(self, block: PageBlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They take minutes, or a directive replaces them on the site."""
        monkeypatch.chdir(tmp_path)
        assert block.text.strip()
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            for file in re.findall(r"\s([\w./]+\.(?:pcapng|json|smt2))", line):
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / file).touch()
            if words[0] == "timewait":
                command = cli.get_command(Context(cli), words[1])
                assert command is not None, line
                command.make_context(words[1], words[2:])

    @pytest.mark.slow
    @pytest.mark.parametrize("page", [page for page, found in SHOWN.items() if any(block.language == "pycon" for block in found)])
    def test_python_sessions_print_the_output_on_the_page(self, page: Path) -> None:
        """The examples of the library."""
        session = "".join(block.text for block in SHOWN[page] if block.language == "pycon")
        test = DocTestParser().get_doctest(session, {}, name(page), str(page), 0)
        assert DocTestRunner().run(test).failed == 0

    @pytest.mark.parametrize("block", [block for block in EVERY if block.language == "yaml"], ids=lambda block: name(block.page))
    def test_the_steps_of_a_workflow_pass(self, block: PageBlock, tmp_path: Path) -> None:
        """Each step that runs `timewait`; the steps of the action have tests of their own."""
        found = [line for line in re.findall(r"- run: (.+)", block.text) if line.startswith("timewait ")]
        assert found or "- uses: OWNER/timewait@" in block.text
        for line in found:
            assert "exit code 0" in run(f'{line}; echo "exit code $?"', tmp_path)


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


class TestWhole:
    """The pages cover the project and refer to things that exist."""

    def test_generated_tables_are_current(self) -> None:
        """The tables that the code determines."""
        refreshed = run_path(str(DOCS / "code" / "live" / "tables.py"))["refreshed"]
        outdated = [str(path) for path, text in TEXTS.items() if refreshed(text) != text]
        assert not outdated, "run python docs/code/live/tables.py"

    @pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_links_lead_somewhere(self, path: Path) -> None:
        """Links between pages, to their headings too; links out lead to a few hosts that last."""
        allowed = {"spinroot.com", "github.com", "www.imitator.fr", "apalache-mc.org", "www.rfc-editor.org"}
        for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[path]):
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.netloc in allowed
                continue
            target = (path.parent / parts.path).resolve() if parts.path else path
            assert target.exists(), link
            assert not parts.fragment or parts.fragment in anchors(target.read_text(encoding="utf-8")), link

    def test_functions_that_yield_evidence_exist(self) -> None:
        """The table of the page about claims."""
        named = re.findall(r"^\| `(\w+)` \|", TEXTS[DOCS / "tutorial" / "your-own-claim.md"], re.MULTILINE)
        assert named
        assert not [function for function in named if not hasattr(timewait.proofs.evidence, function)]

    def test_the_glossary_is_in_alphabetical_order(self) -> None:
        """Case apart."""
        terms = re.findall(r"^## (.+)$", TEXTS[DOCS / "reference" / "glossary.md"], re.MULTILINE)
        assert terms == sorted(terms, key=str.lower)

    def test_each_claim_is_explained_with_its_evidence(self) -> None:
        """In a section of its own."""
        assert {block.argument for block in EVERY if block.language == "{evidence}"} == set(CLAIMS)

    def test_each_state_is_explained(self) -> None:
        """The states of a close, with all of their events."""
        found = [state for page in DOCS.glob("states/*.md") for state in re.findall(r"generated: events (\w+)", TEXTS[page])]
        assert set(found) == {state.value for state in CLOSE_PART}

    def test_each_command_is_shown(self) -> None:
        """On some page."""
        shown = {
            words[1] for block in EVERY for line in block.text.splitlines() if len(words := line.removeprefix("$ ").split()) > 1
        }
        assert set(COMMANDS) <= shown

    def test_each_scenario_is_shown(self) -> None:
        """As a picture."""
        assert set(SCENARIOS) <= set(re.findall(r"diagrams/run-([\w-]+)\.svg", "".join(TEXTS.values())))

    @pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
    def test_paths_and_names_exist(self, page: str) -> None:
        """Every file in backticks, and every name of the library."""
        written = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|json))`", TEXTS[ROOT / page])
        assert not [path for path in written if path != "build/site" and not (ROOT / path).exists()]
        for found in re.findall(r"`(timewait(?:\.\w+)+)`", TEXTS[ROOT / page]):
            resolve(found)
        sources = "".join(path.read_text(encoding="utf-8") for folder in SOURCES for path in (ROOT / folder).rglob("*.py"))
        names = set(re.findall(r"`_?([A-Za-z]\w+(?:\.\w+)?)`", TEXTS[ROOT / page])) - {"README.md"}
        words = {word for name in names for word in name.split(".")}
        assert not [word for word in sorted(words) if not re.search(rf"\b{word}\b", sources)]
        modules = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", TEXTS[ROOT / page], re.MULTILINE)
        assert not [module for module in modules if not (ROOT / "checker" / f"{module}.py").exists()]


def resolve(dotted: str) -> object:
    """The module or attribute with a dotted name."""
    owner, _, last = dotted.rpartition(".")
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        return getattr(resolve(owner), last)


class TestEvidence:
    """The site uses existing evidence only if it is newer than the code."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """As `timewait prove --events` leaves it."""
        answers: list[dict[str, object]] = [{"event": "verdict", "asked": claim} for claim in CLAIMS]
        self.write(tmp_path, [*answers, {"event": "end", "exit_code": 0}])
        (tmp_path / "C1.1.smt2").write_text("")
        return tmp_path

    def write(self, folder: Path, events: Sequence[Mapping[str, object]]) -> None:
        """Write the record."""
        (folder / "verdicts.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))

    def test_it_is_used_when_nothing_changed(self, folder: Path) -> None:
        """The files are newer than the code."""
        assert not evidence().stale(folder)

    def test_not_when_the_code_is_newer(self, folder: Path) -> None:
        """An old certificate in the folder counts too."""
        os.utime(folder / "C1.1.smt2", (0, 0))
        assert "newer than" in evidence().stale(folder)

    def test_not_when_a_claim_is_missing(self, folder: Path) -> None:
        """It names the claim."""
        self.write(folder, [{"event": "verdict", "asked": claim} for claim in CLAIMS if claim != "C5"] + [END])
        assert "C5" in evidence().stale(folder)

    @pytest.mark.parametrize("last", [{"event": "end", "exit_code": 10}, {"event": "verdict", "asked": "C1"}])
    def test_not_when_the_run_failed_or_was_interrupted(self, folder: Path, last: dict[str, object]) -> None:
        """Only a regular end counts."""
        self.write(folder, [*({"event": "verdict", "asked": claim} for claim in CLAIMS), last])
        assert "as expected" in evidence().stale(folder)

    def test_not_when_its_record_is_torn(self, folder: Path) -> None:
        """By a build that was interrupted: the claims are decided again."""
        record = folder / "verdicts.jsonl"
        record.write_text(record.read_text()[:-7])
        assert "is damaged" in evidence().stale(folder)

    def test_not_when_there_is_none(self, tmp_path: Path) -> None:
        """The reason names the missing file."""
        assert "there is no" in evidence().stale(tmp_path)


END: dict[str, object] = {"event": "end", "exit_code": 0}


def evidence() -> ModuleType:
    """The module of the site that reads evidence."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    if str(DOCS / "code") not in sys.path:
        sys.path.append(str(DOCS / "code"))
    return importlib.import_module("live.evidence")
