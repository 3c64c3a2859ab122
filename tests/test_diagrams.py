"""State diagrams: complete, with the sections of the standard, compared, and highlighted for a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
from state_diagrams import BEHAVIOURS, SVG, S, graphs

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.trace import Trace
from timewait.cli.figures import difference_picture, states_of
from timewait.diagrams.box_sizes import LABEL, box_sizes
from timewait.diagrams.difference_figure import compared
from timewait.diagrams.edges import ACTIVE, PASSIVE, TIMED, in_full
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, plain_text
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.states import SHARED, one_state, states
from timewait.diagrams.tables import as_text
from timewait.narration.graph_use import GraphUse, NotInGraph, graph_use
from timewait.narration.prose import citation_url
from timewait.proofs.claims import LITERAL, close
from timewait.proofs.question import question
from timewait.spec.difference import difference
from timewait.spec.graph import close_part, condense, transition_graph
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.state import State, in_rfc_spelling

every_behaviour = pytest.mark.parametrize("name", BEHAVIOURS)
whole_or_part = pytest.mark.parametrize("part", [False, True], ids=["whole", "close"])


def tooltips(figure: Figure) -> list[str]:
    """Return every line of every tooltip."""
    parts: tuple[Arrow | Box | FigureRow, ...] = (
        *figure.arrows,
        *figure.boxes,
        *(row for box in figure.boxes for row in box.rows),
    )
    return [text for part in parts for text in part.tooltip.splitlines()]


# --- what is said -------------------------------------------------------------------------------------------------


class TestCompleteness:
    """A diagram shows the whole graph."""

    @every_behaviour
    @whole_or_part
    def test_every_edge_to_another_state_is_shown(self, name: str, part: bool) -> None:
        """As an arrow between its states, or in the box of shared events."""
        graph = close_part(graphs()[name]) if part else graphs()[name]
        figure = states(graph, name)
        titles = {box.name: box.title for box in figure.boxes}
        alike = [row for box in figure.boxes if box.name == SHARED for row in box.rows]
        for source, target, edge in condense(graph).edges(data=True):
            if source is not target:
                ends = (source, in_rfc_spelling(target))
                drawn = [arrow for arrow in figure.arrows if (arrow.source, titles[arrow.target]) == ends]
                said = in_full([edge])
                there = any(said in arrow.tooltip.splitlines() for arrow in drawn)
                elsewhere = target is S.CLOSED and any(
                    same_event(said, row.tooltip) and in_rfc_spelling(source) in names(alike) for row in alike
                )
                assert there or elsewhere, said

    @every_behaviour
    def test_every_arrow_is_an_edge(self, name: str) -> None:
        figure = states(graphs()[name], name)
        titles = {box.name: box.title for box in figure.boxes}
        condensed = condense(graphs()[name])
        for arrow in figure.arrows:
            if arrow.source != SHARED:
                between = condensed.get_edge_data(S(arrow.source), S(titles[arrow.target].replace("-", "_")))
                assert set(arrow.tooltip.splitlines()) <= {in_full([edge]) for edge in between.values()}

    @every_behaviour
    @pytest.mark.parametrize("state", State)
    def test_the_diagram_of_a_state_has_all_its_edges(self, name: str, state: State) -> None:
        """Including those that stay, each in a row."""
        said = tooltips(one_state(graphs()[name], state))
        for source, target, edge in condense(graphs()[name]).edges(data=True):
            if state in (source, target):
                assert in_full([edge]) in said

    @every_behaviour
    @pytest.mark.parametrize("state", [s for s in State if s not in (S.CLOSED, S.LISTEN, S.SYN_SENT, S.SYN_RECEIVED)])
    def test_the_diagram_of_a_state_is_narrow(self, name: str, state: State) -> None:
        """Its table folds events and guards, so that letters are 8 pixels high where the picture is 400 pixels wide."""
        boxes = box_sizes(one_state(graphs()[name], state))
        assert boxes[state].width <= LABEL * 400 / 8 - 40, "with the margins of the picture"

    def test_the_rows_of_time_wait(self) -> None:
        (box,) = [box for box in states(graphs()["default"], "").boxes if box.name == S.TIME_WAIT]
        assert ["; ".join(map(plain_text, row.cells)) for row in box.rows] == [
            "SYN+ACK, ACK,; / ACK, restart time-wait",
            "\u2003DATA+ACK",
            "\u2003outside the window",
            "FIN+ACK,; / ACK, restart time-wait",
            "\u2003FIN+DATA+ACK",
            "\u2003duplicate",
            "ACK; / nothing",
            "\u2003at RCV.NXT or beyond",
            "\u2003RCV.NXT",
            "RST; / nothing",
            "SYN outside the window; / nothing",
            "SYN, SYN+ACK; / nothing",
            "\u2003in the window",
        ]

    def test_labels_are_event_and_reply(self) -> None:
        figure = states(close_part(graphs()["default"]), "")
        said = {(arrow.source, arrow.target): [plain_text(text) for text in arrow.label] for arrow in figure.arrows}
        assert said[S.ESTABLISHED, S.FIN_WAIT_1] == ["CLOSE", "/ FIN+ACK"]
        assert said[S.FIN_WAIT_1, S.TIME_WAIT] == ["FIN+ACK", "acknowledges our FIN", "/ ACK", "start time-wait"]
        assert said[S.TIME_WAIT, S.CLOSED] == ["time-wait expires"]

    @pytest.mark.parametrize(("name", "length"), [("rfc9293", "2 MSL"), ("linux", "60s")])
    def test_the_way_out_of_time_wait_has_its_length(self, name: str, length: str) -> None:
        """In MSL where the profile states it so."""
        (out,) = [arrow for arrow in states_of(name, whole=False).arrows if arrow.style is TIMED and arrow.source == S.TIME_WAIT]
        assert [plain_text(text) for text in out.label] == ["time-wait expires", f"after {length}"]

    def test_paths_and_timers_have_different_styles(self) -> None:
        styles = {(arrow.source, arrow.target): arrow.style for arrow in states(close_part(graphs()["default"]), "").arrows}
        assert styles[S.ESTABLISHED, S.FIN_WAIT_1] is ACTIVE
        assert styles[S.ESTABLISHED, S.CLOSE_WAIT] is PASSIVE
        assert styles[S.TIME_WAIT, S.CLOSED] is TIMED
        assert (
            len({style.colour for style in (ACTIVE, PASSIVE, TIMED)})
            == len({style.dash for style in (ACTIVE, PASSIVE, TIMED)})
            == 3
        )

    def test_closed_is_drawn_twice_where_it_is_beginning_and_end(self) -> None:
        for graph, times in ((graphs()["default"], 2), (close_part(graphs()["default"]), 1)):
            assert [box.title for box in states(graph, "").boxes].count(S.CLOSED) == times


def same_event(one: str, other: str) -> bool:
    """Return whether two tooltips have the same event and response; sections and settings may differ."""
    return one.split("   ")[0] == other.split("   ")[0]


def names(rows: list[Any]) -> str:
    """Return the states that rows name."""
    return ", ".join(plain_text(cell) for row in rows for cell in row.cells[1:])


class TestSections:
    """Tooltips cite the standard, and links lead to its sections."""

    @pytest.mark.parametrize(
        ("cited", "address"),
        [
            ("RFC 9293 3.10.7.4 fifth step", "https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4"),
            ("RFC 9293 3.6.1 SHLD-3", "https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1"),
            ("RFC 1337 F1", "https://www.rfc-editor.org/rfc/rfc1337"),
            ("SO_LINGER {1,0}", ""),
            ("no standard: tcp_fin_timeout and its kin", ""),
        ],
    )
    def test_addresses(self, cited: str, address: str) -> None:
        assert citation_url(cited) == address

    @every_behaviour
    def test_every_arrow_cites_and_links(self, name: str) -> None:
        for arrow in states(graphs()[name], name).arrows:
            if arrow.source != SHARED:
                assert re.search(r"RFC|SO_LINGER|no standard", arrow.tooltip)
                assert arrow.link.startswith("https://www.rfc-editor.org/rfc/rfc") or "RFC" not in arrow.tooltip.split("\n")[0]

    def test_svg_and_dot_have_tooltips_and_links(self) -> None:
        figure = states(close_part(graphs()["letter"]), "")
        root = ElementTree.fromstring(as_svg(figure))
        links = {anchor.get("href") for anchor in root.iter(f"{SVG}a")}
        titles = {title.text for title in root.iter(f"{SVG}title")}
        for arrow in figure.arrows:
            assert arrow.tooltip in titles
            assert not arrow.link or arrow.link in links
            assert not arrow.link or f'URL="{arrow.link}"' in as_dot(figure)


class TestCompared:
    """The diagram of a difference highlights every change and nothing else."""

    @every_behaviour
    def test_every_change_is_shown(self, name: str) -> None:
        before, after = (close_part(graphs()[one]) for one in ("letter", name))
        found = difference(before, after)
        said = tooltips(compared(after, found, ("letter", name), ""))
        assert {change.words("letter", name) for change in found.changes} == {
            text for text in said if text.startswith(("added:", "missing:", "changed:"))
        }

    @every_behaviour
    def test_unchanged_parts_are_faint(self, name: str) -> None:
        before, after = (close_part(graphs()[one]) for one in ("letter", name))
        found = difference(before, after)
        figure = compared(after, found, ("letter", name), "")
        for arrow in figure.arrows:
            assert (arrow.emphasis is Emphasis.STRONG) is arrow.tooltip.startswith(("added:", "missing:", "changed:"))
        for box in figure.boxes:
            concerned = box.name in {*found.lost, *(change.source for change in found.changes)}
            assert (box.emphasis is Emphasis.FAINT) is not any((concerned and box.rows, box.name in found.lost))
            assert concerned or not box.rows
        assert not [arrow for arrow in figure.arrows if arrow.emphasis is Emphasis.FAINT and arrow.label]

    @every_behaviour
    def test_the_list_explains_every_mark(self, name: str) -> None:
        """Each number of the diagram stands once below it, with the states and both outcomes."""
        before, after = (close_part(graphs()[one]) for one in ("letter", name))
        found = difference(before, after)
        figure = compared(after, found, ("letter", name), "")
        cells = [cell for box in figure.boxes for row in box.rows for cell in row.cells]
        drawn = {span.text for text in (*cells, *(text for arrow in figure.arrows for text in arrow.label)) for span in text}
        listed = [text[0].text for text in figure.notes if text[0].bold]
        assert len(listed) == len({*listed})
        assert {*listed} == {text for text in drawn if text.strip()}
        below = re.sub(r"\s+", " ", " ".join(plain_text(text) for text in figure.notes))
        for change in found.changes:
            assert in_rfc_spelling(change.source) in below
            for outcome in (change.before, change.after):
                if outcome is not None:
                    assert in_rfc_spelling(outcome.described(change.source)) in below

    def test_lengths_of_time_wait_differ(self) -> None:
        """A line of the diagram, where the profiles state other lengths."""
        figure = difference_picture("linux", "rfc9293", whole=False)
        assert "TIME_WAIT: linux 60s, rfc9293 2 MSL" in [plain_text(text) for text in figure.caption]
        alike = difference_picture("rfc9293-intended", "rfc9293", whole=False)
        assert not any("TIME_WAIT:" in plain_text(text) for text in alike.caption)

    def test_a_stack_does_not_differ_from_itself(self) -> None:
        graph = close_part(graphs()["letter"])
        figure = compared(graph, difference(graph, graph), ("letter", "letter"), "the same")
        assert all(arrow.emphasis is Emphasis.FAINT for arrow in figure.arrows)
        assert all(box.emphasis is Emphasis.FAINT for box in figure.boxes)
        assert [plain_text(text) for text in figure.caption] == ["the same", "no differences"]

    def test_a_state_that_is_never_entered_is_missing(self) -> None:
        before, after = (close_part(graphs()[one]) for one in ("letter", "forgetful"))
        figure = compared(after, difference(before, after), ("letter", "forgetful"), "")
        (box,) = [box for box in figure.boxes if box.name == S.TIME_WAIT]
        assert (box.style.name, box.emphasis) == ("- missing", Emphasis.STRONG)
        assert "forgetful never enters TIME-WAIT" in [plain_text(text) for text in figure.caption]


# --- runs ---------------------------------------------------------------------------------------------------------


def violation(configuration: Any, name: str) -> Trace:
    """Return a counterexample of a property."""
    (answer,) = decide(question(configuration), [PROPERTIES[name]], Engine.AUTO, Budget())
    assert answer.trace is not None
    return answer.trace


@pytest.fixture(scope="module")
def run() -> Trace:
    """Find the assassination of C8."""
    return violation(close(1, 2, 1, 0, Behaviour(reset=ResetRule.EXACT)), "time-wait-kept")


@pytest.fixture(scope="module")
def graph() -> nx.MultiDiGraph:
    """Derive the transition graph of its behaviour."""
    return transition_graph(Behaviour(reset=ResetRule.EXACT))


@pytest.fixture(scope="module")
def use(run: Trace, graph: nx.MultiDiGraph) -> GraphUse:
    """Find the edges that it takes."""
    return graph_use(run, graph)


class TestUse:
    """The edges that a run takes are highlighted."""

    def test_every_step_of_an_end_is_an_edge(self, run: Trace, use: GraphUse) -> None:
        assert [one.step for one in use.taken] == [step.number for step in run.steps if step.event.actor in ("A", "B")]
        before: Mapping[str, Any] = run.initial
        for step, one in zip(run.steps, use.taken, strict=True):
            assert one.end == step.event.actor
            assert (one.source, one.target) == (before[f"{one.end}.state"], step.state[f"{one.end}.state"])
            before = step.state

    def test_edges_taken_have_the_rules_of_the_steps(self, run: Trace, use: GraphUse, graph: nx.MultiDiGraph) -> None:
        for step, one in zip(run.steps, use.taken, strict=True):
            between = graph.get_edge_data(one.source, one.target).values()
            rules = {edge["rules"] for edge in between if not edge["cases"].isdisjoint(one.cases)}
            assert rules == {tuple(name for name, _, _ in step.event.rules)}

    def test_states_are_those_of_the_run(self, run: Trace, use: GraphUse) -> None:
        seen = {str(state[f"{end}.state"]) for state in (run.initial, *(step.state for step in run.steps)) for end in "AB"}
        assert {state.value for state in use.states} == seen

    def test_the_diagram_highlights_them(self, use: GraphUse, graph: nx.MultiDiGraph) -> None:
        figure = states(close_part(graph), "", use)
        lit = {box.name for box in figure.boxes if box.emphasis is Emphasis.STRONG}
        assert lit == {state.value for state in use.states}
        moved = {(one.source, one.target) for one in use.taken if one.source is not one.target}
        assert {(arrow.source, arrow.target) for arrow in figure.arrows if arrow.emphasis is Emphasis.STRONG} == moved
        assert all(arrow.emphasis is not Emphasis.PLAIN for arrow in figure.arrows)

    def test_every_step_is_named_once(self, run: Trace, use: GraphUse, graph: nx.MultiDiGraph) -> None:
        figure = states(close_part(graph), "", use)
        said = [plain_text(text) for arrow in figure.arrows for text in arrow.label]
        said += [plain_text(cell) for box in figure.boxes for row in box.rows for cell in row.cells]
        said += [plain_text(text) for text in figure.caption]
        numbers = [int(number) for text in said if "step" in text for number in re.findall(r"\d+", text)]
        assert sorted(numbers) == [step.number for step in run.steps]

    def test_the_table_marks_them(self, use: GraphUse, graph: nx.MultiDiGraph) -> None:
        marked = [row for row in as_text(graph, use=use).splitlines() if row.startswith("  > ")]
        assert sum(len(re.findall(r"\d+", row.split("<==")[1].split("  ")[0])) for row in marked) == len(use.taken)

    def test_the_literal_reading(self) -> None:
        """C9: the answer to a retransmitted FIN does not restart TIME-WAIT."""
        run = violation(close(1, 2, 1, 1, LITERAL), "fin-restarts")
        use = graph_use(run, transition_graph(LITERAL))
        assert use.takers(S.TIME_WAIT, S.TIME_WAIT, use.taken[-1].cases) == f"A: step {len(run.steps)}"

    def test_a_run_of_another_behaviour_is_refused(self, run: Trace) -> None:
        with pytest.raises(NotInGraph, match=r"step \d+ .* is no edge of this graph"):
            graph_use(run, transition_graph(Behaviour()))
