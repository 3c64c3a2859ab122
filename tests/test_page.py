"""The review page: its file, its what-if, its conditions and its small state diagrams."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import run
from review_pages import PROVED, written
from runs import EVERY, long, trace

from timewait import __version__
from timewait.api import check as decided
from timewait.checker.trace import Trace
from timewait.diagrams.minimap import OPENING, POSITIONS, edges, minimap
from timewait.diagrams.page import page
from timewait.narration.guards import guards
from timewait.proofs.longer_time_wait import longer_time_wait
from timewait.spec.graph import close_part, transition_graph
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.settings import Behaviour


class Reader(HTMLParser):
    """The tags of a page, and the text of its JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script" and dict(attrs).get("type") == "application/json"

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.data += data


def read(text: str) -> Reader:
    """A parsed page."""
    reader = Reader()
    reader.feed(text)
    return reader


class TestFile:
    """The content of the file."""

    @pytest.mark.parametrize("name", EVERY)
    def test_the_file_is_self_contained(self, name: str) -> None:
        """Only links have addresses."""
        text = written(name)
        for tag, attributes in read(text).tags:
            for attribute, value in attributes.items():
                if value and re.search(r"(?:https?:)?//", value):
                    assert (tag, attribute) in {("a", "href"), ("svg", "xmlns")}, (tag, attribute, value)
            assert tag not in {"iframe", "object", "embed", "base", "img"}
        style = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
        assert "url(" not in style
        assert "@import" not in style
        assert "default-src 'none'" in text

    def test_its_size(self) -> None:
        """Under a megabyte for a hundred steps."""
        assert len(page(long(100)).encode()) < 1_000_000

    def test_data_cannot_end_the_script(self) -> None:
        """No text of a trace becomes markup."""
        evil = "</script><script>alert(1)</script><!-- & ' \""
        whole = trace("lost-last-ack")
        step = replace(whole.steps[0], event=replace(whole.steps[0].event, text=evil, actor="A"))
        text = page(replace(whole, statement=evil, steps=(step, *whole.steps[1:])))
        reader = read(text)
        assert [tag for tag, _ in reader.tags].count("script") == 2
        assert json.loads(reader.data)["runs"][0]["steps"][1]["title"] == f"A {evil}"
        assert "<script>alert" not in text

    @pytest.mark.parametrize("name", EVERY)
    def test_the_data_are_those_of_the_trace(self, name: str) -> None:
        """States, copies in flight and timers of every step."""
        run = trace(name)
        (data,) = json.loads(read(written(name)).data)["runs"]
        assert len(data["steps"]) == len(run.steps) + 1
        for step, shown in zip(run.steps, data["steps"][1:], strict=True):
            assert shown["states"] == [step.state["A.state"], step.state["B.state"]]
            assert [one[0] for one in shown["flight"]] == [copy.number for copy in step.in_flight]
            assert len(shown["timers"]) == len(step.timers)
            assert {one[0] for one in shown["changed"]} == {*step.changed} - {"in flight"}
            assert [rule["section"] for rule in shown["rules"]] == [section for _, section, _ in step.event.rules]

    def test_a_trace_without_configuration(self) -> None:
        """The page has no section on longer TIME-WAITs."""
        whole = trace("old duplicate")
        bare = Trace(whole.shows, whole.statement, whole.initial, whole.steps)
        text = page(bare)
        assert "What if" not in text
        assert longer_time_wait(bare) == ()

    def test_an_answer_without_violation(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Its verdicts and what they rest on, without a run and without a script."""
        file = tmp_path / "proved.html"
        code, _, notes = run(capsys, *PROVED.split(), "--html", str(file))
        text = unescape(file.read_text(encoding="utf-8"))
        assert (code, notes) == (0, f"wrote {file}\n")
        assert "<h1>verdict: PROVED</h1>" in text
        assert f"timewait {PROVED} --html {file} timewait {__version__}" in re.sub("<[^>]*>", "", text)
        assert "This answer rests on" in text
        assert "<script" not in text
        assert 'id="chart"' not in text

    def test_the_same_each_time(self) -> None:
        """Byte for byte."""
        assert page(trace("endless")) == written("endless")


class TestWhatIf:
    """Longer TIME-WAITs."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("old duplicate", [("59.95", 6, True), ("60", 6, False), ("90", 6, False), ("120", 6, False)]),
            ("chain", [("18.125", 8, True), ("24", 8, False), ("32", 8, False)]),
            ("never restarted", [("630", 45, True), ("1200", 45, False)]),
            ("assassinated", [("1200", None, None)]),
            ("endless", [("3", None, None), ("4", None, None)]),
            ("clean-close", [("60.02", 7, True), ("90", 7, True), ("120", 7, True)]),
        ],
    )
    def test_where_a_run_stops(self, name: str, expected: list[tuple[str, int | None, bool | None]]) -> None:
        """At the step that leaves TIME-WAIT; from 2 MSL on (3 MSL for the chain) no other delays help a violation."""
        found = longer_time_wait(trace(name))
        assert [(stop.time_wait, stop.step, stop.later) for stop in found] == [(Fraction(one), *rest) for one, *rest in expected]
        assert all("cannot fire" in stop.why for stop in found if stop.step)

    def test_an_impossible_run(self) -> None:
        """The specification does not allow its steps, so the page has no such section."""
        whole = trace("clean-close")
        early = replace(whole.steps[1], delay=Fraction(100))
        assert longer_time_wait(replace(whole, steps=(whole.steps[0], early, *whole.steps[2:]))) == ()


class TestWhy:
    """The conditions of steps."""

    def test_guards(self) -> None:
        """As numbers, and as guards of the specification's graph."""
        run = trace("old duplicate")
        graph = transition_graph(configuration_from_data(run.about).behaviour)
        described = [guards(run, step, graph) for step in run.steps]
        assert described[0] == ["B in CLOSE_WAIT: call CLOSE [nothing is outstanding]"]
        assert described[2] == [
            "the retransmission timer of B shows 15s, more than 0 and at most 30s",
            "B in LAST_ACK: timer retransmission [our FIN is outstanding]",
            "the network may lose 1 of the copies of one loss window, and this is number 1",
        ]
        assert described[5] == ["the time-wait timer of A shows 59.95s, more than its 59.9s", "A in TIME_WAIT: timer time-wait"]
        assert described[6] == ["both ends are CLOSED"]
        assert described[7] == ["the copy is 29.95s old, and may arrive until it is 30s old"]

    @pytest.mark.parametrize("name", EVERY)
    def test_every_step_has_one(self, name: str) -> None:
        """Unless only time passes."""
        run = trace(name)
        graph = transition_graph(configuration_from_data(run.about).behaviour)
        for step in run.steps:
            assert guards(run, step, graph)


class TestMinimap:
    """The small state diagrams."""

    def test_edges_are_those_of_the_specification(self) -> None:
        """Between different states of the close, each once."""
        graph = transition_graph(Behaviour())
        close = {(one.value, other.value) for one, other in close_part(graph).edges() if one is not other}
        found = edges(graph)
        assert {(edge.source, edge.target) for edge in found} == close
        assert len(found) == len(close)
        assert {(edge.source, edge.target) for edge in found if edge.orderly} == {
            ("ESTABLISHED", "FIN_WAIT_1"),
            ("ESTABLISHED", "CLOSE_WAIT"),
            ("FIN_WAIT_1", "FIN_WAIT_2"),
            ("FIN_WAIT_1", "CLOSING"),
            ("FIN_WAIT_1", "TIME_WAIT"),
            ("FIN_WAIT_2", "TIME_WAIT"),
            ("CLOSING", "TIME_WAIT"),
            ("CLOSE_WAIT", "LAST_ACK"),
            ("LAST_ACK", "CLOSED"),
            ("TIME_WAIT", "CLOSED"),
        }

    def test_the_states_of_an_opening(self) -> None:
        """They are there where a run opens by a handshake, in the place of the box for the next incarnation."""
        graph = transition_graph(Behaviour())
        drawn = minimap(graph, "A", opening=True)
        assert {*OPENING} == {state.value for state in graph}
        assert all(f'data-state="{name}"' in drawn for name in OPENING)
        assert {(edge.source, edge.target) for edge in edges(graph, opening=True)} == {
            (one.value, other.value) for one, other in graph.edges() if one is not other
        }
        answer = decided(
            msl="1s", rto="1s", time_wait="0", scope="core", closers="a", reopen="handshake", properties=["old-reset"]
        )
        assert answer.trace is not None
        assert 'data-state="SYN_SENT"' in page(answer.trace)
        assert 'data-state="SYN_SENT"' not in written("assassinated")

    def test_every_state_has_a_position(self) -> None:
        """Those of the close, and that of the next incarnation."""
        graph = transition_graph(Behaviour())
        assert {*POSITIONS} == {state.value for state in close_part(graph)} | {"new incarnation"}
        assert all(f'data-state="{name}"' in minimap(graph, "A") for name in POSITIONS)
