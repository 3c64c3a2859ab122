"""The built site: its links, and its pages in a browser."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from test_questions import QUESTIONS

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
        tab.wait_for_function("!document.querySelector('article table.row-by-row')")  # when the change of width is heard
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
