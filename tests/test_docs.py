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
import zlib
from collections.abc import Iterator, Mapping, Sequence
from doctest import DocTestParser, DocTestRunner
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from click import Context
from site_pages import DOCS, PageBlock, blocks, name, pages, same
from test_questions import QUESTIONS

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


# --- the site, once it is built -------------------------------------------------------------------------------------

SITE = Path(os.environ.get("TIMEWAIT_SITE", ""))
built = pytest.mark.skipif(not os.environ.get("TIMEWAIT_SITE"), reason="TIMEWAIT_SITE does not say where a built site is")

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
"""The references that a browser loads without a click."""


class Page(HTMLParser):
    """The links and the anchors of a page of the site."""

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
    """The built site; .ci/run builds it and sets TIMEWAIT_SITE."""

    def test_it_loads_nothing_from_elsewhere(self) -> None:
        """Neither fonts nor scripts nor pictures."""
        found = parsed()
        assert len(found) > 30
        loaded = [(path, link) for path, page in found.items() for tag, key, link in page.links if (tag, key) in LOADED]
        assert not [(path, link) for path, link in loaded if urlsplit(link).netloc]
        styles = "".join(path.read_text(encoding="utf-8") for path in SITE.rglob("*.css"))
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*", styles)

    def test_every_link_leads_somewhere(self) -> None:
        """Links within the site, with their anchors."""
        found = parsed()
        dead = []
        for path, page in found.items():
            if "review" in path.parts:
                continue  # a script creates its anchors, the steps
            for _, _, link in page.links:
                parts = urlsplit(link)
                if parts.scheme or parts.netloc:
                    continue
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                known = found.get(target)
                if not target.exists() or (parts.fragment and known and unquote(parts.fragment) not in known.anchors):
                    dead.append(f"{path.relative_to(SITE.resolve())}: {link}")
        assert not dead

    def test_options_begin_with_two_hyphens(self) -> None:
        """No dash stands in their place, so that they can be copied."""
        dashed = {
            path.name: re.findall(r"[ (>]\u2013[a-z][\w-]*", path.read_text(encoding="utf-8")) for path in SITE.rglob("*.html")
        }
        assert not {name: found for name, found in dashed.items() if found}

    def test_every_claim_with_a_counterexample_has_a_review_page(self) -> None:
        """The page of the shortest counterexample."""
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
    """A page in a window of some width, without a network."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.route(re.compile("^https?:"), lambda route: route.abort())
    tab = context.new_page()
    tab.goto(page.resolve().as_uri())
    return tab


@built
class TestBrowser:
    """The site in a browser."""

    @pytest.mark.parametrize("width", [400, 850])
    def test_no_page_is_wider_than_the_screen(self, browser: Any, width: int) -> None:
        """Wide content has a scroll bar of its own."""
        wide = {}
        for page in sorted(SITE.rglob("*.html")):
            tab = opened(browser, page, width, "light")
            measured = tab.evaluate("document.documentElement.scrollWidth")
            if measured > width:
                wide[str(page.relative_to(SITE))] = measured
            tab.context.close()
        assert not wide

    @pytest.mark.parametrize(
        "page",
        [
            "claims/index",
            "claims/stacks",
            "questions/netstat-counters",
            "questions/index",
            "how-to/conformance",
            "reference/trace",
        ],
    )
    def test_tables_are_legible_on_a_phone(self, browser: Any, page: str) -> None:
        """No cell is cut off or a tower of short lines; where a table is read row by row, a cell says of which column it is."""
        tab = opened(browser, SITE / f"{page}.html", 400, "light")
        for fold in tab.locator("article details > summary").all():
            fold.click()
        tab.wait_for_timeout(100)  # until the tables below them are laid out
        places = tab.evaluate("[...document.querySelectorAll('article tbody td')].map(td => td.getBoundingClientRect().toJSON())")
        assert places
        towers = [(place["width"], place["height"]) for place in places if place["width"] < 130 and place["height"] > 220]
        assert not towers
        assert not [place for place in places if place["left"] < 0 or place["right"] > 400 or place["height"] > 700]
        if page in ("claims/index", "how-to/conformance"):
            cell = tab.locator("article table.row-by-row td").nth(1)
            assert cell.get_attribute("data-head") in ("statement", "stacks")
        tab.set_viewport_size({"width": 1280, "height": 900})
        assert tab.locator("article table.row-by-row").count() == 0
        tab.context.close()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("page", ["index", "tutorial/first-counterexample", "states/time-wait", "claims/stacks", "stacks"])
    def test_it_is_accessible(self, browser: Any, page: str, scheme: str) -> None:
        """axe-core finds no serious fault."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
        tab = opened(browser, SITE / f"{page}.html", 1280, scheme)
        found = axe.Axe().run(tab).response["violations"]
        assert not [(item["id"], item["nodes"][0]["html"][:200]) for item in found if item["impact"] in ("serious", "critical")]
        tab.context.close()

    @pytest.mark.parametrize("page", QUESTIONS)
    def test_a_search_for_an_error_text_finds_its_page(self, browser: Any, page: str) -> None:
        """Among the first five pages that the site's own search lists."""
        for words in QUESTIONS[page]:
            tab = opened(browser, SITE / "search.html", 1280, "light")
            tab.goto(f"{(SITE / 'search.html').resolve().as_uri()}?q={quote(words)}")
            tab.locator(".search-summary", has_text=re.compile("found|did not match")).wait_for()
            links = [link.get_attribute("href") for link in tab.locator("ul.search > li > a").all()]
            tab.context.close()
            listed = list(dict.fromkeys(urlsplit(link).path for link in links))
            assert f"questions/{page}.html" in listed[:5], words

    @pytest.mark.parametrize(
        ("words", "first"),
        [
            ("connection reset by peer", "questions/who-sent-the-rst.html"),
            ("TIME_WAIT", "states/time-wait.html"),
            ("what is TIME_WAIT", "tutorial/what-is-time-wait.html"),
            ("MSL", "reference/glossary.html"),
            ("lost last ACK picture", "diagrams/README.html"),
            ("my CLOSE_WAIT sockets pile up unboundedly", "questions/close-wait.html"),
            ("zzyzx unboundedly qwxyz", None),
        ],
    )
    def test_the_first_page_that_a_search_lists(self, browser: Any, words: str, first: str | None) -> None:
        """The one whose title has the words; where no page has all words, one that has most, and a line says so."""
        tab = opened(browser, SITE / "search.html", 1280, "light")
        tab.goto(f"{(SITE / 'search.html').resolve().as_uri()}?q={quote(words)}")
        tab.locator(".search-summary", has_text=re.compile("found|did not match")).wait_for()
        links = [urlsplit(link.get_attribute("href")).path for link in tab.locator("ul.search > li > a").all()]
        said = "No page has all of these words" in tab.locator("#search-results").inner_text()
        tab.context.close()
        assert (links[0] if links else None) == first
        assert said == ("unboundedly" in words and first is not None)

    @pytest.mark.parametrize(("scheme", "chosen"), [("light", "dark"), ("dark", "light")])
    def test_pictures_follow_the_colour_scheme_of_the_page(self, browser: Any, scheme: str, chosen: str) -> None:
        """The background of a picture has the scheme that the reader chose, not that of the machine."""
        tab = opened(browser, SITE / "states" / "time-wait.html", 1280, scheme)
        tab.evaluate(f"document.body.dataset.theme = {chosen!r}")
        picture = tab.locator("img[src*=_images]").first
        picture.scroll_into_view_if_needed()
        place = picture.bounding_box()
        dot = tab.screenshot(clip={"x": place["x"] + 3, "y": place["y"] + 3, "width": 1, "height": 1})
        assert (max(colour(dot)) < 128) == (chosen == "dark")
        tab.context.close()


def colour(png: bytes) -> bytes:
    """The red, green and blue of a PNG with one pixel."""
    place, data = 8, b""
    while place < len(png):
        length, kind = int.from_bytes(png[place : place + 4]), png[place + 4 : place + 8]
        data += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    return zlib.decompress(data)[1:4]
