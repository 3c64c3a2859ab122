"""State diagrams: complete, laid out without overlaps, and the same in every format."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pygraphviz
import pytest

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.trace import Trace
from timewait.cli.figures import difference_picture, states_of
from timewait.cli.picture_set import draw
from timewait.diagrams import figure_text
from timewait.diagrams.box_sizes import LABEL, box_size, box_sizes
from timewait.diagrams.colours import BACKGROUND, COLOURS, DARK, SAFE, Colour
from timewait.diagrams.difference_figure import compared
from timewait.diagrams.edges import ACTIVE, PASSIVE, STYLES, TIMED, in_full
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, line, plain_text
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_mermaid import as_mermaid
from timewait.diagrams.figure_svg import as_svg, description
from timewait.diagrams.geometry import Point, Size
from timewait.diagrams.graphviz_layout import Graphviz, MissingGraphviz, laid_out
from timewait.diagrams.layout import ArrowPath, Layout, overlaps
from timewait.diagrams.rendering import as_pdf, as_png
from timewait.diagrams.states import SHARED, one_state, states
from timewait.diagrams.tables import as_text
from timewait.diagrams.widths import BOLD, REGULAR, width, wrapped
from timewait.narration.graph_use import GraphUse, NotInGraph, graph_use
from timewait.narration.prose import citation_url
from timewait.proofs.claims import LITERAL, close
from timewait.proofs.question import question
from timewait.spec.difference import difference
from timewait.spec.graph import close_part, condense, transition_graph
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.spec.state import State, in_rfc_spelling

S = State
SVG = "{http://www.w3.org/2000/svg}"

BEHAVIOURS = {
    "default": Behaviour(),
    "letter": Behaviour(answers=EVERY_ARRIVAL, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT),
    "orphan": Behaviour(reset=ResetRule.WINDOW, retries=2, backoff=3, fin_wait_2=True, late_data_reset=True, abandons=True),
    "forgetful": Behaviour(time_wait=False),
    "abortive": Behaviour(linger_zero=True),
}
every_behaviour = pytest.mark.parametrize("name", BEHAVIOURS)
whole_or_part = pytest.mark.parametrize("part", [False, True], ids=["whole", "close"])


@pytest.fixture(scope="module")
def graphs() -> dict[str, nx.MultiDiGraph]:
    """Derive each graph once."""
    return {name: transition_graph(behaviour) for name, behaviour in BEHAVIOURS.items()}


@pytest.fixture(scope="module")
def figures(graphs: dict[str, nx.MultiDiGraph]) -> dict[str, Figure]:
    """Make every kind of state diagram for several behaviours."""
    found = {}
    for name, graph in graphs.items():
        part = close_part(graph)
        found[f"{name}, whole"] = states(graph, name)
        found[f"{name}, close"] = states(part, name)
        found[f"{name}, compared"] = compared(part, difference(close_part(graphs["letter"]), part), ("letter", name), name)
    return found | {state.value: one_state(graphs["letter"], state) for state in State}


@pytest.fixture(scope="module")
def layouts(figures: dict[str, Figure]) -> dict[str, Layout]:
    """Lay each picture out once."""
    return {name: laid_out(figure) for name, figure in figures.items()}


@pytest.fixture(scope="module")
def pictures(figures: dict[str, Figure]) -> dict[str, str]:
    """Draw each picture once."""
    return {name: as_svg(figure) for name, figure in figures.items()}


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
    def test_every_edge_to_another_state_is_shown(self, graphs: dict[str, nx.MultiDiGraph], name: str, part: bool) -> None:
        """As an arrow between its states, or in the box of shared events."""
        graph = close_part(graphs[name]) if part else graphs[name]
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
    def test_every_arrow_is_an_edge(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        figure = states(graphs[name], name)
        titles = {box.name: box.title for box in figure.boxes}
        condensed = condense(graphs[name])
        for arrow in figure.arrows:
            if arrow.source != SHARED:
                between = condensed.get_edge_data(S(arrow.source), S(titles[arrow.target].replace("-", "_")))
                assert set(arrow.tooltip.splitlines()) <= {in_full([edge]) for edge in between.values()}

    @every_behaviour
    @pytest.mark.parametrize("state", State)
    def test_the_diagram_of_a_state_has_all_its_edges(self, graphs: dict[str, nx.MultiDiGraph], name: str, state: State) -> None:
        """Including those that stay, each in a row."""
        said = tooltips(one_state(graphs[name], state))
        for source, target, edge in condense(graphs[name]).edges(data=True):
            if state in (source, target):
                assert in_full([edge]) in said

    @every_behaviour
    @pytest.mark.parametrize("state", [s for s in State if s not in (S.CLOSED, S.LISTEN, S.SYN_SENT, S.SYN_RECEIVED)])
    def test_the_diagram_of_a_state_is_narrow(self, graphs: dict[str, nx.MultiDiGraph], name: str, state: State) -> None:
        """Its table folds events and guards, so that letters are 8 pixels high where the picture is 400 pixels wide."""
        boxes = box_sizes(one_state(graphs[name], state))
        assert boxes[state].width <= LABEL * 400 / 8 - 40, "with the margins of the picture"

    def test_the_rows_of_time_wait(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        (box,) = [box for box in states(graphs["default"], "").boxes if box.name == S.TIME_WAIT]
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

    def test_labels_are_event_and_reply(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        figure = states(close_part(graphs["default"]), "")
        said = {(arrow.source, arrow.target): [plain_text(text) for text in arrow.label] for arrow in figure.arrows}
        assert said[S.ESTABLISHED, S.FIN_WAIT_1] == ["CLOSE", "/ FIN+ACK"]
        assert said[S.FIN_WAIT_1, S.TIME_WAIT] == ["FIN+ACK", "acknowledges our FIN", "/ ACK", "start time-wait"]
        assert said[S.TIME_WAIT, S.CLOSED] == ["time-wait expires"]

    @pytest.mark.parametrize(("name", "length"), [("rfc9293", "2 MSL"), ("linux", "60s")])
    def test_the_way_out_of_time_wait_has_its_length(self, name: str, length: str) -> None:
        """In MSL where the profile states it so."""
        (out,) = [arrow for arrow in states_of(name, whole=False).arrows if arrow.style is TIMED and arrow.source == S.TIME_WAIT]
        assert [plain_text(text) for text in out.label] == ["time-wait expires", f"after {length}"]

    def test_paths_and_timers_have_different_styles(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        styles = {(arrow.source, arrow.target): arrow.style for arrow in states(close_part(graphs["default"]), "").arrows}
        assert styles[S.ESTABLISHED, S.FIN_WAIT_1] is ACTIVE
        assert styles[S.ESTABLISHED, S.CLOSE_WAIT] is PASSIVE
        assert styles[S.TIME_WAIT, S.CLOSED] is TIMED
        assert (
            len({style.colour for style in (ACTIVE, PASSIVE, TIMED)})
            == len({style.dash for style in (ACTIVE, PASSIVE, TIMED)})
            == 3
        )

    def test_closed_is_drawn_twice_where_it_is_beginning_and_end(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        for graph, times in ((graphs["default"], 2), (close_part(graphs["default"]), 1)):
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
    def test_every_arrow_cites_and_links(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        for arrow in states(graphs[name], name).arrows:
            if arrow.source != SHARED:
                assert re.search(r"RFC|SO_LINGER|no standard", arrow.tooltip)
                assert arrow.link.startswith("https://www.rfc-editor.org/rfc/rfc") or "RFC" not in arrow.tooltip.split("\n")[0]

    def test_svg_and_dot_have_tooltips_and_links(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        figure = states(close_part(graphs["letter"]), "")
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
    def test_every_change_is_shown(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        before, after = (close_part(graphs[one]) for one in ("letter", name))
        found = difference(before, after)
        said = tooltips(compared(after, found, ("letter", name), ""))
        assert {change.words("letter", name) for change in found.changes} == {
            text for text in said if text.startswith(("added:", "missing:", "changed:"))
        }

    @every_behaviour
    def test_unchanged_parts_are_faint(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        before, after = (close_part(graphs[one]) for one in ("letter", name))
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
    def test_the_list_explains_every_mark(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        """Each number of the diagram stands once below it, with the states and both outcomes."""
        before, after = (close_part(graphs[one]) for one in ("letter", name))
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

    def test_a_stack_does_not_differ_from_itself(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        graph = close_part(graphs["letter"])
        figure = compared(graph, difference(graph, graph), ("letter", "letter"), "the same")
        assert all(arrow.emphasis is Emphasis.FAINT for arrow in figure.arrows)
        assert all(box.emphasis is Emphasis.FAINT for box in figure.boxes)
        assert [plain_text(text) for text in figure.caption] == ["the same", "no differences"]

    def test_a_state_that_is_never_entered_is_missing(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        before, after = (close_part(graphs[one]) for one in ("letter", "forgetful"))
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


# --- looks --------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2."""
    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


class TestColours:
    """Legible on light, dark and unknown backgrounds."""

    @pytest.mark.parametrize(
        "colour", [colour for colour in COLOURS if colour not in (BACKGROUND, SAFE)], ids=lambda colour: str(colour.light)
    )
    def test_contrast(self, colour: Colour) -> None:
        """WCAG 2 AA for small text on the picture's background, and for graphics and large text on any page."""
        assert contrast(colour.light, BACKGROUND.light) >= 4.5
        assert contrast(colour.dark, BACKGROUND.dark) >= 4.5
        for ground in ("#ffffff", "#0d1117"):
            assert contrast(colour.middle, ground) >= 4

    def test_styles_do_not_depend_on_colour(self) -> None:
        assert len({(style.colour, style.dash) for style in STYLES}) == len(STYLES)
        assert len({style.dash for style in STYLES[:4]}) == 4

    def test_every_colour_of_a_picture_has_a_dark_one(self, pictures: dict[str, str]) -> None:
        lights = {colour.light for colour in COLOURS}
        for picture in pictures.values():
            root = ElementTree.fromstring(picture)
            used = {element.get(name) for element in root.iter() for name in ("fill", "stroke")} - {None, "none"}
            assert used <= lights
            (style,) = root.iter(f"{SVG}style")
            assert style.text is not None
            assert DARK in style.text


class TestWidths:
    """Widths estimated from the text."""

    def test_widths(self) -> None:
        assert len(REGULAR) == len(BOLD) == 95
        assert width("FIN_WAIT_1", 10) == pytest.approx(sum(REGULAR[ord(letter) - 32] for letter in "FIN_WAIT_1") / 100)
        assert width("W", 10, bold=True) > width("W", 10) > width("i", 10)
        assert width("\u2192", 10) == 10

    def test_wrapping(self) -> None:
        """No line is too wide, and no word is lost; a word that is too long is broken."""
        lines = wrapped("to let old copies of segments die", 12, 100)
        assert " ".join(lines) == "to let old copies of segments die"
        assert all(width(text, 12) <= 100 for text in lines)
        broken = wrapped("x" * 40, 12, 100)
        assert "".join(broken) == "x" * 40
        assert all(width(text, 12) <= 100 for text in broken)
        assert wrapped("", 12, 100) == []
        assert len(wrapped("one two", 12, 50, bold=True)) > len(wrapped("one two", 12, 50))

    def test_text_fits_its_box(self, figures: dict[str, Figure]) -> None:
        for figure in figures.values():
            for box in figure.boxes:
                size = box_size(box)
                assert all(width(text, 12) <= size.width for text in box.note)
                assert all(sum(width(plain_text(cell), 12) for cell in row.cells) <= size.width for row in box.rows)


class TestLayout:
    """Parts of a figure do not overlap."""

    CROWDED = frozenset({"orphan, compared", "forgetful, compared"})
    """Differences with too many arrows to CLOSED; no known stack has as many."""

    def test_nothing_overlaps(self, figures: dict[str, Figure], layouts: dict[str, Layout]) -> None:
        for name, figure in figures.items():
            if name not in self.CROWDED:
                assert overlaps(figure, layouts[name]) == [], name

    def test_overlaps_are_detected(self) -> None:
        """Two overlapping boxes, an arrow across a third, and two arrows that end in the same place."""
        boxes = tuple(Box(name, name, ACTIVE) for name in "abc")
        figure = Figure("f", "f", boxes, (Arrow("a", "b", (line("x"),), ACTIVE), Arrow("b", "a", (), ACTIVE)))
        points = tuple(Point(float(x), 0.0) for x in (0, 30, 60, 90))
        course = ArrowPath(points, Point(100, 0), Point(50, 0))
        back = ArrowPath(points[::-1], Point(-10, 0), None)
        places = {"a": Point(0, 0), "b": Point(100, 0), "c": Point(110, 0)}
        found = overlaps(figure, Layout(Size(200, 100), places, (course, back), "nobody"))
        assert "box b and box c" in found
        assert "arrow 0 of a to b over box c" in found
        assert "arrow 1 of b to a over label 0 of a to b" in found
        assert not any("two arrows at one place" in text for text in found)
        crowded = overlaps(figure, Layout(Size(200, 100), places, (course, ArrowPath(points, Point(0, 0), None)), "nobody"))
        assert "two arrows at one place of box a" in crowded

    def test_boxes_are_inside_the_picture(self, layouts: dict[str, Layout], pictures: dict[str, str]) -> None:
        for name, layout in layouts.items():
            root = ElementTree.fromstring(pictures[name])
            wide, high = (float(root.get(name, "0")) for name in ("width", "height"))
            assert wide > layout.size.width
            assert high > layout.size.height
            assert all(
                0 <= point.x <= layout.size.width and 0 <= point.y <= layout.size.height for point in layout.boxes.values()
            )

    def test_both_installations_draw_the_same_text(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        if shutil.which("dot") is None:
            pytest.skip("Graphviz (the program dot) is not installed")
        figure = states(close_part(graphs["default"]), "")
        bundled, system = (as_svg(figure, whose) for whose in Graphviz)
        texts = [[element.text for element in ElementTree.fromstring(svg).iter() if element.text] for svg in (bundled, system)]
        assert texts[0] == texts[1]

    def test_without_a_system_graphviz(self, graphs: dict[str, nx.MultiDiGraph], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(MissingGraphviz, match="the program dot is not installed"):
            laid_out(one_state(graphs["default"], S.LAST_ACK), Graphviz.SYSTEM)

    def test_fonts_do_not_matter(
        self, graphs: dict[str, nx.MultiDiGraph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The picture is the same without fonts."""
        figure = states(close_part(graphs["default"]), "")
        before = as_svg(figure)
        monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "nothing"))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert as_svg(figure) == before


# --- formats ------------------------------------------------------------------------------------------------------


class TestFormats:
    """Every format has the same content."""

    def test_dot_is_read_by_graphviz(self, figures: dict[str, Figure]) -> None:
        for figure in figures.values():
            read = pygraphviz.AGraph(string=as_dot(figure))
            assert {box.name for box in figure.boxes} <= {str(node) for node in read.nodes()}
            assert len(read.edges()) == len(figure.arrows)

    def test_dot_renders_in_full(self, figures: dict[str, Figure]) -> None:
        """The picture by Graphviz has the text of every label."""
        figure = figures["letter, close"]
        drawn = pygraphviz.AGraph(string=as_dot(figure)).draw(format="svg", prog="dot").decode()
        shown = "".join(ElementTree.fromstring(drawn).itertext()).replace("\u00a0", " ")
        for arrow in figure.arrows:
            for text in arrow.label:
                assert all(span.text in shown for span in text)

    def test_the_description_is_complete(self, figures: dict[str, Figure]) -> None:
        """It has every arrow with its states and its label, for screen readers."""
        figure = figures["letter, close"]
        said = description(figure)
        assert "ESTABLISHED to FIN-WAIT-1: CLOSE / FIN+ACK" in said
        root = ElementTree.fromstring(as_svg(figure))
        assert root.findtext(f"{SVG}desc") == said
        assert root.findtext(f"{SVG}title") == figure.title

    def test_mermaid_has_every_arrow(self, figures: dict[str, Figure]) -> None:
        for figure in figures.values():
            text = as_mermaid(figure)
            assert text.count(" --> ") == len(figure.arrows)
            assert text.count("end note") == sum(bool(box.rows or box.note) for box in figure.boxes) + bool(figure.notes)
            assert not re.search(r"[;#](?![0-9a-f]{6})", text.split("stateDiagram-v2")[1])

    def test_mermaid_accepts_it(self, figures: dict[str, Figure], tmp_path: Path, mermaid: Mermaid) -> None:
        files = []
        for place, figure in enumerate(figures.values()):
            files.append(tmp_path / f"{place}.mmd")
            files[-1].write_text(as_mermaid(figure), encoding="utf-8")
        done = mermaid(*files)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("stateDiagram") == len(files)

    def test_mermaid_accepts_the_set(self, tmp_path: Path, mermaid: Mermaid) -> None:
        """State diagrams and sequence diagrams."""
        pictures = [picture for group in ("scenarios", "each state") for picture in draw(group)]
        files = [tmp_path / f"{picture.name}.mmd" for picture in pictures]
        for file, picture in zip(files, pictures, strict=True):
            file.write_text(picture.files["mmd"], encoding="utf-8")
        done = mermaid(*files)
        assert done.returncode == 0, done.stderr
        kinds = [line.rpartition(" ")[2] for line in done.stdout.splitlines()]
        assert len(kinds) == len(files)
        assert {*kinds} == {"stateDiagram", "sequence"}

    def test_mermaid_rejects_errors(self, tmp_path: Path, mermaid: Mermaid) -> None:
        """So its silence means something."""
        file = tmp_path / "wrong.mmd"
        file.write_text("stateDiagram-v2\n    a --> : b\n", encoding="utf-8")
        done = mermaid(file)
        assert done.returncode == 1
        assert "Parse error" in done.stderr

    def test_png_and_pdf(self, figures: dict[str, Figure]) -> None:
        svg = as_svg(figures["LAST_ACK"])
        root = ElementTree.fromstring(svg)
        for scale in (1, 2):
            png = as_png(svg, scale)
            assert png.startswith(b"\x89PNG")
            assert int.from_bytes(png[16:20], "big") == pytest.approx(float(root.get("width", "0")) * scale, abs=2)
        assert as_pdf(svg).startswith(b"%PDF")

    @pytest.mark.parametrize("columns", [40, 60, 80, 120])
    def test_text_is_no_wider_than_the_terminal(self, graphs: dict[str, nx.MultiDiGraph], columns: int) -> None:
        for text in (as_text(graphs["letter"], columns), figure_text.as_text(one_state(graphs["letter"], S.TIME_WAIT), columns)):
            assert max(map(len, text.splitlines())) <= columns

    @pytest.mark.parametrize("columns", [40, 80])
    def test_narrow_text_has_the_same_words(self, graphs: dict[str, nx.MultiDiGraph], columns: int) -> None:
        wide, narrow = (re.sub(r"\s+", " ", as_text(graphs["letter"], given)) for given in (None, columns))
        assert wide == narrow


class Mermaid:
    """Mermaid's own parser, on some files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *files: Path) -> subprocess.CompletedProcess[str]:
        script = Path(__file__).with_name("mermaid_parse.mjs")
        command = ["node", str(script), str(self._folder), *map(str, files)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def mermaid() -> Mermaid:
    """Return Mermaid, which `.ci/run` installs."""
    folder = Path(__file__).parent.parent / "build" / "mermaid"
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (folder / "node_modules" / "mermaid").is_dir():
        pytest.skip("Mermaid is not there; npm install --prefix build/mermaid mermaid puts it there")
    return Mermaid(folder)
