"""Review pages of runs, and their parts in a browser."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from runs import trace

from timewait.checker.trace import Trace
from timewait.diagrams.page import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PROVED = "check --msl 1s --rto 1s --time-wait 2s --scope core --property graceful"
"""A check that proves a property."""
TWO = "check --msl 1s --rto 1s --time-wait 1s --scope core --property isolation --property graceful --property quiet"
"""A check with a violation of two properties of three."""
CHECKS = (
    "--msl 30s --rto 30s --time-wait 59s --closers a --property graceful",
    "--stack linux --msl 30s --rto 30s --closers a --property isolation",
    "--stack linux --msl 30s --rto 30s --time-wait 10s --scope core --closers a --property isolation --assumptions",
    "--stack rfc9293 --msl 30s --rto 30s --time-wait 59s --closers a --property graceful",
)
"""Checks with violations whose configurations have long names, values and sources."""


@cache
def written(name: str) -> str:
    """The page of a run."""
    return page(trace(name))


class Opened:
    """A page in a browser, with its errors and requests."""

    def __init__(self, browser: Any, file: Path, address: str = "", **options: Any) -> None:
        self.page = browser.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda problem: self.complaints.append(str(problem)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(f"{file.as_uri()}{address}")
        self.file = file

    def close(self) -> None:
        """Assert that there were no errors and no requests except the file."""
        assert self.complaints == []
        assert {address.partition("#")[0] for address in self.requests if not address.startswith("data:")} == {self.file.as_uri()}
        self.page.close()

    def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def step(self) -> int:
        """The step in the address, asked of the page: what the driver knows of it may be late."""
        found = re.search(r"#step=(\d+)", self.page.evaluate("location.hash"))
        return int(found[1]) if found else 0

    def highlighted(self, selector: str) -> list[str]:
        """A ``data-`` attribute of the visible highlighted elements."""
        kind, _, attribute = selector.partition(" ")
        every = self.page.locator(f".beside {kind}.highlighted, .minimap {kind}.highlighted").all()
        return [one.get_attribute(attribute) for one in every]


def check(opened: Opened, run: Trace, step: int) -> None:
    """Assert that the whole page shows one step, once the browser has followed the link."""
    place = f"step {step} of" if step else "start"
    opened.page.wait_for_function("place => document.querySelector('#place').innerText.startsWith(place)", arg=place)
    values = run.steps[step - 1].state if step else run.initial
    assert opened.highlighted(".state data-state") == [values["A.state"], values["B.state"]]
    assert opened.highlighted(".step data-step") == ([str(step)] if step else [])
    arrows = opened.page.locator(".beside .arrow.highlighted").all()
    event = run.steps[step - 1].event if step else None
    involved = [copy.number for copy in event.sent] if event else []
    if event and event.received:
        involved.append(event.received.number)
    assert {int(arrow.get_attribute("data-copy")) for arrow in arrows} == {*involved}


def serious_problems(opened: Opened) -> list[str]:
    """What axe-core finds on a page and calls serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(opened.page).response["violations"]
    return [
        f"{entry['id']}: {node['html'][:200]}"
        for entry in found
        for node in entry["nodes"]
        if entry["impact"] in ("serious", "critical")
    ]
