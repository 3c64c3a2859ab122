"""Figures for narrow pages: titles in several lines, tables in one column, arrows that span several levels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from timewait.cli.figures import difference_picture, graph_of, states_of
from timewait.diagrams.box_sizes import (
    LABEL,
    NOTE_COLUMN,
    SECOND_COLUMN,
    TITLE_WIDTH,
    box_size,
    line_width,
    note_columns,
    note_width,
    title_lines,
)
from timewait.diagrams.edges import ACTIVE
from timewait.diagrams.figure import Arrow, Box, Figure, FigureRow, line, plain_text
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.folding import fitted, folded
from timewait.diagrams.graphviz_layout import PAGE, Graphviz, best_spaced, laid_out, stretched
from timewait.diagrams.layout import overlaps
from timewait.diagrams.states import CONTINUED, one_state
from timewait.diagrams.widths import joined, width
from timewait.spec.state import State, in_rfc_spelling

SVG = "{http://www.w3.org/2000/svg}"


def fan(count: int) -> Figure:
    """A box, a number of boxes side by side below it, and a box below those."""
    names = [f"box {number}" for number in range(count)]
    boxes = [Box(name, f"A LAST-ACK, B {name}", ACTIVE, note=("one line",)) for name in ("first", *names, "last")]
    arrows = [Arrow(*ends, (line("one"),), ACTIVE) for name in names for ends in (("first", name), (name, "last"))]
    return Figure("fan", "fan", tuple(boxes), tuple(arrows))


@pytest.mark.parametrize("count", range(4, 9))
def test_arrows_are_stretched(count: int) -> None:
    """Boxes that are too many for one level stand on several, and nothing overlaps."""
    figure = fan(count)
    before = best_spaced(figure, Graphviz.BUNDLED)
    after = stretched(figure, before, Graphviz.BUNDLED)
    assert before.layout.size.width > PAGE > before.layout.size.width / 3
    assert after.layout.size.width < before.layout.size.width
    assert overlaps(figure, after.layout) == []
    assert laid_out(figure) == after.layout


def test_what_fits_is_not_stretched() -> None:
    """Two boxes side by side fit a page."""
    figure = fan(2)
    best = best_spaced(figure, Graphviz.BUNDLED)
    assert stretched(figure, best, Graphviz.BUNDLED) is best


def test_tables_are_folded() -> None:
    """The second column stands below the first one of its entry, in the order of the entries, and no text is lost."""
    for figure in (states_of("rfc9293", whole=True), states_of("linux", whole=False)):
        for before, after in zip(figure.boxes, folded(figure).boxes, strict=True):
            cells = [plain_text(cell).strip() for row in before.rows for cell in row.cells]
            assert Counter(filter(None, cells)) == Counter(plain_text(row.cells[0]).strip() for row in after.rows)
            assert all(len(row.cells) == 1 for row in after.rows)
            assert list(dict.fromkeys(row.tooltip for row in before.rows)) == list(
                dict.fromkeys(row.tooltip for row in after.rows)
            )
            assert box_size(after).width <= box_size(before).width


def test_an_entry_in_two_lines() -> None:
    """What happens follows the whole event, not its first line."""
    rows = (
        FigureRow((line("FIN+ACK,"), line("/ ACK")), "one"),
        FigureRow((line(f"{CONTINUED}outside"),), "one"),
        FigureRow((line("RST"), line("/ nothing")), "two"),
    )
    (box,) = folded(Figure("f", "f", (Box("a", "a", ACTIVE, rows=rows),), ())).boxes
    assert [plain_text(row.cells[0]).strip() for row in box.rows] == ["FIN+ACK,", "outside", "/ ACK", "RST", "/ nothing"]


def test_only_what_is_too_wide_is_folded() -> None:
    """A figure that fits stays as it is."""
    narrow, wide = one_state(graph_of("linux", whole=True), State.LAST_ACK), states_of("linux", whole=True)
    assert fitted(narrow)[0] is narrow
    assert fitted(wide)[0] == folded(wide)
    assert fitted(wide)[1].size.width <= PAGE < best_spaced(wide, Graphviz.BUNDLED).layout.size.width


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("", []),
        ("TIME-WAIT", ["TIME-WAIT"]),
        ("A CLOSING, B CLOSING", ["A CLOSING,", "B CLOSING"]),
        ("the next connection", ["the next", "connection"]),
        ("LISTEN, SYN-SENT, LAST-ACK", ["LISTEN,", "SYN-SENT,", "LAST-ACK"]),
    ],
)
def test_titles(title: str, lines: list[str]) -> None:
    """A wide title breaks after its commas."""
    box = Box("a", title, ACTIVE, note=("one line",))
    assert title_lines(box) == lines
    assert box_size(box).height > box_size(replace(box, title="")).height or not title
    assert all(width(text, 14, bold=True) <= TITLE_WIDTH for text in lines)


def test_parts_are_not_broken() -> None:
    """Lines break between parts only, and no part is lost."""
    parts = ["A's ACK (must arrive)", "B's FIN+ACK", "A's RST", "B's FIN+ACK (must arrive)"]
    for most in range(20, 500, 20):
        lines = joined(parts, 12, most)
        assert " ".join(lines) == ", ".join(parts)
        assert all(text.removesuffix(",") in parts or width(text, 12) <= most for text in lines)
    assert joined([], 12, 100) == []


@pytest.mark.parametrize("state", State)
def test_the_neighbours_of_a_state(state: State) -> None:
    """Each has a box, of its own or with others that have the same arrow; the title names the stack."""
    graph = graph_of("rfc9293", whole=True)
    figure = one_state(graph, state, "RFC 9293 (literal reading)")
    titles = [name for box in figure.boxes for name in box.title.split(", ")]
    around = {*graph.predecessors(state), *graph.successors(state)} - {state}
    assert {*titles} == {in_rfc_spelling(name) for name in (state, *around)}
    assert plain_text(figure.caption[0]).startswith(f"RFC 9293 (literal reading): {in_rfc_spelling(state)}")
    assert len({box.name for box in figure.boxes}) == len(figure.boxes) <= 11


@pytest.mark.parametrize("name", ["linux", "freertos", "lwip", "vpp"])
def test_columns_of_notes(name: str) -> None:
    """The texts of differences begin at one place, right of every mark, and end inside the picture."""
    figure = difference_picture(name, "rfc9293", whole=False)
    for text in figure.notes:
        first, second = note_columns(text)
        thin = tuple(span._replace(text=span.text.replace("\u2009", " ")) for span in first)
        assert line_width(thin, LABEL) + 2 <= NOTE_COLUMN
        assert plain_text(first) + plain_text(second) == plain_text(text).replace(SECOND_COLUMN, "")
    root = ElementTree.fromstring(as_svg(figure))
    assert max(map(note_width, figure.notes)) + 20 <= float(root.get("width", "0")) + 0.1
    places = {element.get("x") for element in root.findall(f"{SVG}text") if "rfc9293: " in "".join(element.itertext())}
    assert len(places) == 1
