"""The documentation: whatever it shows is what happens, and nothing is left out."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from site_pages import DOCS, Block, blocks, name, pages, same

import timewait.proofs.claims
from timewait.cli.main import cli
from timewait.proofs.claims import CLAIMS
from timewait.spec.graph import CLOSE_PART
from timewait.spec.scenarios import SCENARIOS

SHOWN = {page: list(blocks(page)) for page in pages()}
EVERY = [block for found in SHOWN.values() for block in found]

KINDS = {"console", "sh", "toml", "python", "yaml"}
"""The languages in which a page may show something; whatever has no test here may not be shown."""


def run(command: str, folder: Path) -> str:
    """What a command prints, to both of its outputs."""
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "GITHUB_STEP_SUMMARY")}
    environment["PYTHONUNBUFFERED"] = "1"  # what goes to the two outputs comes in the order in which a reader sees it
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


def carried_out(page: Path, folder: Path, *, slow: bool) -> int:
    """Carry out all that a page shows, in order; how many commands that were.

    What takes long is carried out only if `slow`: the rest of its page is then left to the quick test.
    """
    count = 0
    for block in SHOWN[page]:
        if block.caption:
            target = folder / block.caption
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        if block.language != "console" or bool(block.slow) != slow:
            continue
        if missing := [program for program in block.needs if shutil.which(program) is None]:
            pytest.skip(f"no {' and no '.join(missing)}; {count} commands were carried out before")
        for command in block.commands:
            printed = run(command.text, folder)
            shown = f"{name(page)}, line {command.line}: $ {command.text}\nis to print\n{command.printed}\nbut prints\n{printed}"
            assert same(command.printed, printed), shown
            count += 1
    return count


def with_console(*, slow: bool) -> list[Path]:
    """The pages that show commands."""
    return [page for page, found in SHOWN.items() if any(one.language == "console" and bool(one.slow) == slow for one in found)]


class TestCommands:
    """Every command that is shown is carried out."""

    @pytest.mark.slow
    @pytest.mark.parametrize("page", with_console(slow=False), ids=name)
    def test_it_prints_what_is_shown(self, page: Path, tmp_path: Path) -> None:
        """In order, in a folder of its own."""
        assert carried_out(page, tmp_path, slow=False)

    @pytest.mark.slow
    @pytest.mark.parametrize("page", with_console(slow=True), ids=name)
    def test_it_prints_what_is_shown_slowly(self, page: Path, tmp_path: Path) -> None:
        """What takes long."""
        assert carried_out(page, tmp_path, slow=True)

    def test_there_are_many(self) -> None:
        """None of this is true of nothing."""
        assert len([command for block in EVERY if block.language == "console" for command in block.commands]) > 60

    @pytest.mark.parametrize("wrong", ["verdict: PROVED\n", "verdict: VIOLATED\nexit code 10\n", ""])
    def test_another_answer_is_noticed(self, wrong: str) -> None:
        """A verdict, an exit code or a line that is not shown."""
        assert not same("verdict: VIOLATED\n", wrong)

    def test_times_and_what_is_left_out_do_not_count(self) -> None:
        """Everything else does."""
        assert same("a   0.04 s\n...\nb\n", "a   12.30 s\nmore\nmore\nb  \n")
        assert not same("a   4 steps\n", "a   5 steps\n")


class TestSnippets:
    """What is shown and is no command."""

    def test_each_has_a_kind_that_is_looked_at(self) -> None:
        """Directives apart."""
        odd = [one for one in EVERY if not one.language.startswith("{") and one.language not in KINDS]
        assert not [f"{name(one.page)}, line {one.line}: {one.language!r}" for one in odd]

    @pytest.mark.parametrize("block", [one for one in EVERY if one.language == "python"], ids=lambda one: name(one.page))
    def test_python_is_python(self, block: Block) -> None:
        """What is a file is carried out by the commands of its page besides."""
        compile(block.text, str(block.page), "exec")

    @pytest.mark.parametrize("block", [one for one in EVERY if one.language == "sh"], ids=lambda one: name(one.page))
    def test_shell_is_understood(self, block: Block) -> None:
        """What sets up a machine or takes minutes is not carried out; of this project it asks for what there is."""
        for line in block.text.splitlines():
            words = line.split("#")[0].split()
            assert words
            if words[0] == "timewait":
                understood(words[1:])

    @pytest.mark.parametrize("block", [one for one in EVERY if one.language == "yaml"], ids=lambda one: name(one.page))
    def test_the_steps_of_a_workflow_do_what_they_say(self, block: Block, tmp_path: Path) -> None:
        """Each of our own is carried out, and passes."""
        found = [line for line in re.findall(r"- run: (.+)", block.text) if line.startswith("timewait ")]
        assert found
        for line in found:
            assert "exit code 0" in run(f'{line}; echo "exit code $?"', tmp_path)

    def test_the_kinds_of_evidence_are_there(self) -> None:
        """The table of the page that tells how to add a claim names functions that exist."""
        text = (DOCS / "how-to" / "claim.md").read_text(encoding="utf-8")
        named = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        assert len(named) > 5
        assert not [one for one in named if not hasattr(timewait.proofs.claims, one)]


def understood(words: list[str]) -> None:
    """A command line that can be parsed."""
    found = cli.commands[words[0]]
    found.make_context(words[0], words[1:])


class TestWhole:
    """Nothing is left out."""

    def test_each_claim_has_a_page(self) -> None:
        """And no page is about a claim that is gone."""
        written = {page.stem.upper() for page in (DOCS / "claims").glob("c[0-9]*.md")}
        assert written == set(CLAIMS)

    @pytest.mark.parametrize("claim", CLAIMS)
    def test_the_page_of_a_claim_takes_it_from_the_registry(self, claim: str) -> None:
        """Its statement, its verdict and its evidence."""
        directives = {(one.language, one.text) for one in SHOWN[DOCS / "claims" / f"{claim.lower()}.md"]}
        assert {f"{{generated}} {part} {claim}" for part in ("claim", "evidence")} <= {language for language, _ in directives}

    def test_each_state_has_a_page(self) -> None:
        """Those in which a connection closes."""
        written = {page.stem.replace("-", "_").upper() for page in (DOCS / "states").glob("*.md")} - {"INDEX"}
        assert written == {state.value for state in CLOSE_PART}

    def test_each_command_is_shown_at_work(self) -> None:
        """Of the command line all commands."""
        shown = {words[1] for one in EVERY for line in one.text.splitlines() if len(words := line.removeprefix("$ ").split()) > 1}
        aside = {"prove", "graph", "diagram"}  # minutes; a table for programs; `diagram --all --check` of .ci/run
        assert set(cli.commands) - aside <= shown

    def test_each_scenario_is_shown(self) -> None:
        """As a picture."""
        pictures = {one.language for one in EVERY}
        assert {f"{{picture}} run-{scenario}" for scenario in SCENARIOS} <= pictures

    @pytest.mark.parametrize("page", SHOWN, ids=name)
    def test_links_out_are_few_and_safe(self, page: Path) -> None:
        """To places that last."""
        hosts = set(re.findall(r"\bhttps?://([^/)\s>]+)", page.read_text(encoding="utf-8")))
        assert hosts <= {"spinroot.com", "github.com", "www.imitator.fr", "apalache-mc.org"}


class TestEvidence:
    """Whether evidence that is there may be used."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """As `timewait prove --events` leaves it."""
        answers = [{"event": "verdict", "asked": claim} for claim in CLAIMS]
        self.write(tmp_path, [*answers, {"event": "end", "exit_code": 0}])
        (tmp_path / "C1.1.smt2").write_text("")
        return tmp_path

    def write(self, folder: Path, events: list[dict[str, object]]) -> None:
        """Write the record."""
        (folder / "verdicts.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))

    def test_it_is_used_when_nothing_changed(self, folder: Path) -> None:
        """Written after the code."""
        assert not evidence().stale(folder)

    def test_not_when_the_code_is_newer(self, folder: Path) -> None:
        """A certificate that was left behind counts too."""
        os.utime(folder / "C1.1.smt2", (0, 0))
        assert "newer than" in evidence().stale(folder)

    def test_not_when_a_claim_is_missing(self, folder: Path) -> None:
        """It names the claim."""
        self.write(folder, [{"event": "verdict", "asked": claim} for claim in CLAIMS if claim != "C5"] + [END])
        assert "C5" in evidence().stale(folder)

    @pytest.mark.parametrize("last", [{"event": "end", "exit_code": 10}, {"event": "verdict", "asked": "C1"}])
    def test_not_when_it_went_wrong_or_broke_off(self, folder: Path, last: dict[str, object]) -> None:
        """Only an end as expected counts."""
        self.write(folder, [*({"event": "verdict", "asked": claim} for claim in CLAIMS), last])
        assert "as expected" in evidence().stale(folder)

    def test_not_when_there_is_none(self, tmp_path: Path) -> None:
        """It says what is missing."""
        assert "there is no" in evidence().stale(tmp_path)


END: dict[str, object] = {"event": "end", "exit_code": 0}


def evidence() -> ModuleType:
    """The module of the site that looks at evidence."""
    pytest.importorskip("sphinx", reason="the group docs is not installed")
    if str(DOCS / "code") not in sys.path:
        sys.path.append(str(DOCS / "code"))
    return importlib.import_module("live.evidence")


# --- the site, once it is built -------------------------------------------------------------------------------------

SITE = Path(os.environ.get("TIMEWAIT_SITE", ""))
built = pytest.mark.skipif(not os.environ.get("TIMEWAIT_SITE"), reason="TIMEWAIT_SITE does not say where a built site is")

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
"""What a browser fetches by itself."""


class Page(HTMLParser):
    """What a page of the site refers to, and what may be referred to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str, str]] = []
        self.anchors: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("id", "name") and value:
                self.anchors.add(value)
            if key in ("href", "src") and value:
                self.links.append((tag, key, value))


def parsed() -> dict[Path, Page]:
    """Every page of the site."""
    found = {}
    for path in sorted(SITE.resolve().rglob("*.html")):
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        found[path] = page
    return found


@built
class TestSite:
    """What was built; .ci/run builds it and says where."""

    def test_it_loads_nothing_from_elsewhere(self) -> None:
        """No fonts, no scripts, no pictures."""
        found = parsed()
        assert len(found) > 60
        loaded = [(path, link) for path, page in found.items() for tag, key, link in page.links if (tag, key) in LOADED]
        assert not [(path, link) for path, link in loaded if urlsplit(link).netloc]
        styles = "".join(path.read_text(encoding="utf-8") for path in SITE.rglob("*.css"))
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*", styles)

    def test_every_link_leads_somewhere(self) -> None:
        """Within the site, to an anchor too."""
        found = parsed()
        dead = []
        for path, page in found.items():
            if "review" in path.parts:
                continue  # its anchors are steps, which its script makes
            for _, _, link in page.links:
                parts = urlsplit(link)
                if parts.scheme or parts.netloc:
                    continue
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                known = found.get(target)
                if not target.exists() or (parts.fragment and known and unquote(parts.fragment) not in known.anchors):
                    dead.append(f"{path.relative_to(SITE.resolve())}: {link}")
        assert not dead

    def test_every_claim_shows_a_review_page_if_it_has_a_run(self) -> None:
        """And that is a page of its own."""
        shown = {path.stem.split(".")[0] for path in (SITE / "review").glob("C*.html")}
        assert {"C2", "C5", "C6", "C7", "C8", "C9", "C10", "C12", "C15", "C16", "C17"} <= shown


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-quic"])
        yield started
        started.close()


def opened(browser: Any, page: Path, width: int, scheme: str) -> Any:
    """A page in a window of some width; whatever it asks of a network is refused."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.route(re.compile("^https?:"), lambda route: route.abort())
    tab = context.new_page()
    tab.goto(page.resolve().as_uri())
    return tab


@built
class TestBrowser:
    """What a browser makes of it."""

    def test_no_page_is_wider_than_a_phone(self, browser: Any) -> None:
        """What is wide has a scroll bar of its own."""
        wide = {}
        for page in sorted(SITE.rglob("*.html")):
            tab = opened(browser, page, 400, "light")
            measured = tab.evaluate("document.documentElement.scrollWidth")
            if measured > 400:
                wide[str(page.relative_to(SITE))] = measured
            tab.context.close()
        assert not wide

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("page", ["index", "tutorial/first-counterexample", "states/time-wait", "claims/c2", "stacks/index"])
    def test_everybody_can_read_it(self, browser: Any, page: str, scheme: str) -> None:
        """axe-core finds nothing serious."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
        tab = opened(browser, SITE / f"{page}.html", 1280, scheme)
        found = axe.Axe().run(tab).response["violations"]
        assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]
        tab.context.close()

    @pytest.mark.parametrize(("scheme", "chosen"), [("light", "dark"), ("dark", "light")])
    def test_pictures_follow_what_the_reader_chose(self, browser: Any, scheme: str, chosen: str) -> None:
        """Whatever the machine prefers: the paper of a picture has the colour of the page that was chosen."""
        tab = opened(browser, SITE / "states" / "time-wait.html", 1280, scheme)
        tab.evaluate(f"document.body.dataset.theme = {chosen!r}")
        picture = tab.locator("figure.drawn img").first
        picture.scroll_into_view_if_needed()
        place = picture.bounding_box()
        dot = tab.screenshot(clip={"x": place["x"] + 3, "y": place["y"] + 3, "width": 1, "height": 1})
        assert (max(colour(dot)) < 128) == (chosen == "dark")
        tab.context.close()


def colour(png: bytes) -> bytes:
    """The red, green and blue of a picture of one dot."""
    place, data = 8, b""
    while place < len(png):
        length, kind = int.from_bytes(png[place : place + 4]), png[place + 4 : place + 8]
        data += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    return zlib.decompress(data)[1:4]
