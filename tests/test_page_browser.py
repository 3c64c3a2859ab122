"""The review page in a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run, run_json
from review_pages import BROWSERS, CHECKS, FLAGS, PROVED, TWO, Opened, check, serious_problems, written
from runs import long, trace

from timewait.checker.trace import Trace
from timewait.diagrams.page import KernelInWords, Origin, page
from timewait.diagrams.page_data import KernelStep
from timewait.laboratory.isolation import LaboratoryUnavailable
from timewait.laboratory.replaying.outcome import CarriedStep, ReplayOutcome, ReplayVerdict
from timewait.proofs.next_steps import state_graph

# --- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on PATH")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=found, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The page of a run in a browser; its address may name a step."""
    name, address = getattr(request, "param", ("assassinated", ""))
    file = tmp_path / "page.html"
    file.write_text(written(name), encoding="utf-8")
    one = Opened(browser, file, address)
    yield one
    one.close()


class TestBrowser:
    """The page in a browser."""

    def test_keys(self, opened: Opened) -> None:
        """Forward and back; the highlights follow."""
        run = trace("assassinated")
        check(opened, run, 0)
        for step in range(1, len(run.steps) + 1):
            opened.press("j" if step % 2 else "ArrowRight")
            assert opened.step == step
            check(opened, run, step)
        opened.press("j")
        assert opened.step == len(run.steps)
        for key, step in (("k", 9), ("ArrowLeft", 8), ("ArrowUp", 7), ("ArrowDown", 8), ("Home", 0), ("k", 0), ("End", 10)):
            opened.press(key)
            assert opened.step == step
            check(opened, run, step)

    def test_the_edge_taken_is_highlighted(self, opened: Opened) -> None:
        """In the state diagrams, orderly or abortive."""
        opened.press(*"jjjj")
        taken = [
            (one.get_attribute("data-from"), one.get_attribute("data-to"))
            for one in opened.page.locator(".transition.taken").all()
        ]
        assert taken == [("FIN_WAIT_1", "TIME_WAIT")]
        opened.press(*"jjjj")
        (way,) = opened.page.locator(".transition.taken").all()
        assert (way.get_attribute("data-from"), way.get_attribute("data-to")) == ("TIME_WAIT", "CLOSED")

    def test_clicks(self, opened: Opened) -> None:
        """On an arrow, a row, a button, a step of the table, a link."""
        run = trace("assassinated")
        opened.page.locator('.beside .arrow[data-name="copy-3-again-6"] .hit-line').dispatch_event("click")
        check(opened, run, 6)
        opened.page.locator('.beside .step[data-step="2"]').click()
        check(opened, run, 2)
        for button, step in (("forward", 3), ("back", 2), ("last", 10), ("first", 0)):
            opened.page.click(f"#{button}")
            check(opened, run, step)
        opened.page.click('#all a[href="#step=5"]')
        check(opened, run, 5)
        opened.page.click("header .fails a")
        check(opened, run, 10)
        assert opened.page.is_visible("#fails")
        assert "breaks isolation" in opened.page.inner_text("#fails")

    def test_details(self, opened: Opened) -> None:
        """Of one step."""
        opened.press(*"jjjjjj")
        text = opened.page.inner_text("#details")
        assert "copy 3, B to A: FIN+ACK seq=1 ack=2, sent at 0, arrives" in text
        assert "the copy is 30s old, and may arrive until it is 30s old" in text
        assert "A in TIME_WAIT: segment FIN+ACK [duplicate]" in text
        assert "a segment outside the window is dropped" in text
        assert opened.page.get_attribute("#rules a", "href") == "https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4"
        assert opened.page.locator("#changed tbody tr").first.inner_text().split() == [
            "A.time-wait",
            "since",
            "0",
            "since",
            "30s",
        ]
        assert "A: time-wait" in opened.page.inner_text("#timers")
        assert opened.page.locator("#flight tbody tr").count() == len(trace("assassinated").steps[5].in_flight)

    def test_watched_expressions(self, opened: Opened) -> None:
        """Values, comparisons and errors."""
        field = opened.page.locator("#expression")
        for text in ("A.nxt", 'A.state == TIME_WAIT and not (B.state == "CLOSED" or time > 10)', "flight >= 3"):
            field.fill(text)
            field.press("Enter")
        opened.press("j")
        assert opened.step == 0, "keys in the field are letters"
        opened.page.click("#forward")
        lines = opened.page.locator("#watched li > span").all_inner_texts()
        assert lines[0] == "A.nxt 2 (was 1)"
        assert "false" in lines[1]
        assert "true at steps 4" in lines[1]
        for text, complaint in (
            ("A.fnord", "no variable A.fnord"),
            ("A.nxt <", "missing"),
            ("alert(1)", "no variable alert"),
            ("$", "cannot read $"),
        ):
            field.fill(text)
            field.press("Enter")
            assert complaint in opened.page.inner_text("#complaint")
        assert opened.page.locator("#watched li").count() == 3
        opened.page.locator("#watched button").first.click()
        assert opened.page.locator("#watched li").count() == 2
        assert opened.page.url.count("watch=") == 2

    @pytest.mark.parametrize("opened", [("assassinated", "#step=6&watch=A.una%20%3C%20A.nxt")], indirect=True)
    def test_an_address_is_shared(self, opened: Opened) -> None:
        """With its step and its watched expressions; a change is followed."""
        check(opened, trace("assassinated"), 6)
        assert opened.page.locator("#watched li").count() == 1
        opened.page.evaluate("location.hash = '#step=3'")
        opened.page.locator("#place", has_text="step 3 of").wait_for()
        check(opened, trace("assassinated"), 3)

    def test_only_one_actor(self, opened: Opened) -> None:
        """The steps of other actors are skipped and dimmed; the one that breaks the property never is."""
        opened.page.select_option("#actor", "B")
        opened.page.locator("#chart").focus()
        seen = []
        for _ in range(6):
            opened.press("j")
            seen.append(opened.step)
        assert seen == [2, 3, 5, 7, 10, 10]
        assert opened.page.locator('#all tr.dim[data-row="10"]').count() == 0
        assert opened.page.locator('.beside .dim[data-step="10"]').count() == 0
        assert opened.page.locator('#all tr.dim[data-row="4"]').count() == 1
        opened.page.select_option("#actor", "")
        assert opened.page.locator(".dim").count() == 0

    def test_play(self, opened: Opened) -> None:
        """And pause."""
        opened.press("p")
        opened.page.locator("#place", has_text="step 2 of").wait_for(timeout=15_000)
        opened.press("p")
        assert opened.page.get_attribute("#play", "aria-pressed") == "false"

    def test_screen_readers(self, opened: Opened) -> None:
        """A step is announced."""
        opened.press("End")
        said = opened.page.text_content('[role="status"]')
        assert said.startswith(
            "Step 10 of 10, 30s. A receives FIN+ACK seq=1 ack=2 (30s old) in the next incarnation. breaks isolation"
        )
        assert opened.page.locator("[role=img]").first.get_attribute("aria-label")

    def test_the_chart_follows(self, browser: Any, tmp_path: Path) -> None:
        """The current step is visible, on wide and narrow screens."""
        file = tmp_path / "page.html"
        file.write_text(written("never restarted"), encoding="utf-8")
        for width, chart in ((1280, "beside"), (400, "slim")):
            one = Opened(browser, file, viewport={"width": width, "height": 860}, reduced_motion="reduce")
            for key in ("End", "Home", *"j" * 30):
                one.press(key)
            place = one.page.locator(f'.{chart} .step[data-step="30"]').bounding_box()
            pane = one.page.locator("#chart").bounding_box()
            assert pane["y"] < place["y"] < pane["y"] + pane["height"]
            assert one.page.evaluate("document.documentElement.scrollWidth") == width
            one.close()

    def test_a_narrow_screen(self, browser: Any, tmp_path: Path) -> None:
        """The small diagrams are legible, and the line of a loop takes no room from the events."""
        file = tmp_path / "page.html"
        file.write_text(written("endless"), encoding="utf-8")
        one = Opened(browser, file, viewport={"width": 400, "height": 860})
        sizes = one.page.evaluate("""() => [...document.querySelectorAll('.minimap text')].map(text =>
            parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getBoundingClientRect().width
            / text.ownerSVGElement.viewBox.baseVal.width)""")
        assert sizes
        assert min(sizes) >= 9
        assert one.page.locator("#all th.event").bounding_box()["width"] > 200
        one.close()

    def test_several_violations(self, browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each property has its run; a link, the list and the address choose it, and all its parts follow."""
        file = tmp_path / "page.html"
        _, data = run_json(capsys, *TWO.split(), "--html", str(file))
        steps = {answer["property"]: len(answer["trace"]["steps"]) for answer in data["results"] if answer["trace"]}
        assert {*steps} == {"isolation", "graceful"}
        one = Opened(browser, file, "#watch=A.state")
        headings = one.page.locator("h1").inner_text(), one.page.title()
        assert headings == ("isolation and graceful are violated",) * 2
        ways: tuple[tuple[str, Callable[[], object]], ...] = (
            ("graceful", lambda: one.page.click("header .verdicts >> text=graceful")),
            ("isolation", lambda: one.page.select_option("#run", label="isolation")),
            ("graceful", lambda: one.page.evaluate("location.hash = '#run=graceful&step=99'")),
        )
        for name, choose in ways:
            choose()
            last = steps[name]
            one.page.locator("#place", has_text=f"step {last} of {last}").wait_for()
            assert one.page.inner_text("#fails").startswith(f"breaks {name}")
            assert one.page.locator("header .statement:visible").inner_text().startswith(f"{name}: ")
            assert one.page.locator(".beside:visible .step").last.get_attribute("data-step") == str(last)
            assert one.page.locator("#all tr[data-row]:visible").count() == last
            assert one.page.locator(".verdicts tr[aria-current] th").inner_text() == name
            assert one.page.locator("#watched li").count() == 1
        one.page.reload()
        assert one.page.inner_text("#fails").startswith("breaks graceful")
        one.close()

    def test_beside_a_kernel(self, browser: Any, tmp_path: Path) -> None:
        """What a running stack did at each step that it carried out, beside the states of the run."""
        whole = trace("assassinated")
        steps = {step.number: KernelStep(("LISTEN", f"B{step.number}"), "") for step in whole.steps[:-1]}
        file = tmp_path / "page.html"
        kernel = KernelInWords("some stack", "REFUTED at step 10: nothing happens", ["one <remark>"], steps)
        file.write_text(page(whole, kernels={whole.shows: kernel}, origin=Origin("timewait replay x", "9.9")), encoding="utf-8")
        for width in (1280, 400):
            one = Opened(browser, file, "#step=4", viewport={"width": width, "height": 860})
            header = one.page.inner_text("header")
            for shown in ("some stack", "REFUTED at step 10: nothing happens", "one <remark>", "timewait replay x", "9.9"):
                assert shown in header
            assert one.page.locator("#kernel li").all_inner_texts() == ["A LISTEN", "B B4", "nothing is sent"]
            one.press("End")
            assert one.page.locator("#kernel li").all_inner_texts() == ["this step was not carried out"]
            cells = one.page.locator("#all td.kernel").all_inner_texts()
            assert [f"B B{number}" in cell for number, cell in enumerate(cells, 1)] == [True] * 9 + [False]
            assert one.page.evaluate("document.documentElement.scrollWidth") == width
            one.close()

    def test_a_check_beside_the_kernel(
        self, browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each counterexample has what the kernel did with it; where no laboratory runs, the page and a line say why."""

        def carried(trace: Trace) -> ReplayOutcome:
            if trace.shows == "quiet":
                raise LaboratoryUnavailable("no namespaces here")
            return ReplayOutcome(ReplayVerdict.REFUTED, 2, f"no {trace.shows}", (CarriedStep(1, "x", ("A1", trace.shows)),))

        monkeypatch.setattr("timewait.laboratory.replaying.replayer.replay_on_kernel", carried)
        file = tmp_path / "page.html"
        code, out, _ = run(capsys, *TWO.split(), "--on", "linux", "--html", str(file))
        assert code == 10
        assert "graceful on the kernel (linux): REFUTED at step 2: no graceful" in out
        one = Opened(browser, file, "#run=isolation&step=1", viewport={"width": 1280, "height": 860})
        assert one.page.locator(".kernel-verdict h2").all_inner_texts() == [
            "On the kernel (linux): isolation",
            "On the kernel (linux): graceful",
        ]
        assert one.page.locator("#kernel li").all_inner_texts() == ["A A1", "B isolation", "x"]
        one.close()
        quiet = (
            "check",
            "--stack",
            "rfc9293",
            "--msl",
            "1s",
            "--rto",
            "1s",
            "--loss",
            "0",
            "--property",
            "quiet",
            "--on",
            "linux",
        )
        code, out, _ = run(capsys, *quiet, "--html", str(file))
        assert code == 10
        assert "quiet on the kernel (linux): not carried out: no namespaces here" in out
        assert "not carried out: no namespaces here" in file.read_text(encoding="utf-8")

    def test_what_else_could_happen(self, browser: Any, tmp_path: Path) -> None:
        """A step of the run leads along it, another one into the states around it, and back."""
        whole = trace("chain")
        graph = state_graph(whole)
        assert graph is not None
        file = tmp_path / "page.html"
        file.write_text(page(whole, others=True), encoding="utf-8")
        one = Opened(browser, file, "#step=1")
        one.page.click("#count")
        here = graph.steps[1] or ()
        assert one.page.inner_text("#count") == f"{len(here)} steps are possible next"
        assert one.page.locator("#next li").count() == len(here)
        away = next(
            index for index, other in enumerate(here) if other.target > len(whole.steps) and graph.steps[other.target] is not None
        )
        one.page.locator("#next li").nth(away).locator("button").click()
        assert one.page.locator("#next li").count() == len(graph.steps[here[away].target] or ())
        states = [f"{end} {graph.states[here[away].target].state()[f'{end}.state']}" for end in ("A", "B")]
        assert one.page.inner_text("#reached").startswith(", ".join(states))
        assert one.page.locator("#taken li").count() == 1
        assert one.step == 1
        one.page.click("#taken button")
        assert one.page.locator("#taken li").count() == 0
        along = next(index for index, other in enumerate(here) if other.target == 2)
        one.page.locator("#next li").nth(along).locator("button").click()
        assert one.step == 2
        one.close()

    @pytest.mark.parametrize("asked", CHECKS)
    def test_a_checked_configuration_fits_a_phone(
        self, browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str
    ) -> None:
        """The page is as wide as the window, with everything that the answer rests on."""
        file = tmp_path / "page.html"
        code, _, _ = run(capsys, "check", *asked.split(), "--html", str(file))
        assert code == 10
        for width in (1280, 400, 320):
            one = Opened(browser, file, viewport={"width": width, "height": 860})
            assert one.page.evaluate("document.documentElement.scrollWidth") == width
            one.close()

    @pytest.mark.parametrize(("name", "scheme"), [("assassinated", "light"), ("endless", "dark")])
    def test_accessibility(self, browser: Any, tmp_path: Path, name: str, scheme: str) -> None:
        """axe-core finds no serious problem, on wide and narrow screens."""
        file = tmp_path / "page.html"
        file.write_text(
            page(trace(name), others=True, kernels={trace(name).shows: KernelInWords("some stack", "CONFIRMED")}),
            encoding="utf-8",
        )
        for width in (1280, 400):
            one = Opened(browser, file, "#step=4", viewport={"width": width, "height": 860}, color_scheme=scheme)
            one.page.click("#forward")
            assert serious_problems(one) == []
            one.close()

    @pytest.mark.parametrize(("asked", "scheme"), [(TWO, "dark"), (PROVED, "light")])
    def test_accessibility_of_an_answer(
        self, browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str, scheme: str
    ) -> None:
        """With everything that is folded in view."""
        file = tmp_path / "page.html"
        run(capsys, *asked.split(), "--html", str(file))
        for width in (1280, 400):
            one = Opened(browser, file, viewport={"width": width, "height": 860}, color_scheme=scheme)
            one.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
            assert serious_problems(one) == []
            assert one.page.evaluate("document.documentElement.scrollWidth") == width
            one.close()

    def test_print(self, opened: Opened) -> None:
        """The chart and all steps, on white, without controls."""
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.is_hidden(".controls")
        assert opened.page.is_hidden("#details")
        assert opened.page.is_visible(".beside svg")
        assert opened.page.is_visible("#all")
        assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert opened.page.pdf().startswith(b"%PDF")

    def test_without_scripts(self, browser: Any, tmp_path: Path) -> None:
        """The chart and the table of all steps are there."""
        file = tmp_path / "page.html"
        file.write_text(page(long(100)), encoding="utf-8")
        for width, chart in ((1280, "beside"), (400, "slim")):
            one = browser.new_page(java_script_enabled=False, viewport={"width": width, "height": 860})
            one.goto(file.as_uri())
            assert one.locator(f".{chart} .step").count() == 100
            assert one.locator(f".{chart} svg").first.is_visible()
            assert one.locator("#all tbody tr[data-row]").count() == 100
            one.close()

    def test_parts_are_inserted_when_visible(self, browser: Any, tmp_path: Path) -> None:
        """In a long run, with their highlights; all of them in print."""
        file = tmp_path / "page.html"
        file.write_text(page(long(400)), encoding="utf-8")
        one = Opened(browser, file, "#step=300", reduced_motion="reduce")
        assert one.page.locator('.beside .step.highlighted[data-step="300"]').count() == 1
        assert one.page.locator('.beside .step[data-step="100"]').count() == 0
        assert one.page.locator(".slim svg").count() == 0
        one.page.locator("#chart").evaluate("pane => pane.scrollTo({ top: 0 })")
        one.page.locator('.beside .step[data-step="2"]').wait_for()
        one.page.select_option("#actor", "A")
        assert one.page.locator('.beside .row.dim[data-actor="B"]').count() > 0
        one.page.set_viewport_size({"width": 400, "height": 860})
        one.page.locator('.slim .step.highlighted[data-step="300"]').wait_for()
        one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert one.page.locator(".beside .step").count() == 400
        assert one.page.locator("#all tbody tr[data-row]").count() == 400
        assert one.page.locator(".highlighted:is(.step, tr)").count() == 0
        one.close()

    def test_two_thousand_steps(self, browser: Any, tmp_path: Path) -> None:
        """Opened and stepped through in little time of the page's thread."""
        file = tmp_path / "page.html"
        file.write_text(page(long(2000)), encoding="utf-8")
        one = Opened(browser, tmp_path / "page.html", "#step=0")
        session = one.page.context.new_cdp_session(one.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def recurrent() -> float:
            one.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            found = session.send("Performance.getMetrics")["metrics"]
            return next(float(entry["value"]) for entry in found if entry["name"] == "TaskDuration")

        began = recurrent()
        one.page.reload()
        opened = recurrent()
        assert opened - began < 1.5
        for keys, expected in ((["j"] * 100, 100), (["End", *["k"] * 20], 1980), (["Home", *["j"] * 20], 20)):
            before = recurrent()
            for key in keys:
                one.press(key)
            assert (recurrent() - before) / len(keys) < 0.05
            assert one.step == expected
        one.close()
