"""State diagrams: colours, widths, laid out without overlaps, and the same in every format."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pygraphviz
import pytest
from state_diagrams import SVG, S, graphs

from timewait.cli.picture_set import draw
from timewait.diagrams import chart_elements, figure_text, minimap
from timewait.diagrams.box_sizes import LABEL, box_size
from timewait.diagrams.colours import BACKGROUND, COLOURS, DARK, NAMED, SAFE, Colour
from timewait.diagrams.difference_figure import compared
from timewait.diagrams.edges import ACTIVE, STYLES
from timewait.diagrams.figure import Arrow, Box, Figure, line, plain_text
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_mermaid import as_mermaid
from timewait.diagrams.figure_svg import as_svg, description, drawn
from timewait.diagrams.folding import fitted
from timewait.diagrams.geometry import Point, Size
from timewait.diagrams.graphviz_layout import Graphviz, MissingGraphviz, laid_out
from timewait.diagrams.layout import ArrowPath, Layout, overlaps
from timewait.diagrams.rendering import as_pdf, as_png
from timewait.diagrams.states import one_state, states
from timewait.diagrams.tables import as_text
from timewait.diagrams.widths import BOLD, REGULAR, width, wrapped
from timewait.spec.difference import difference
from timewait.spec.graph import close_part
from timewait.spec.state import State


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    """Make every kind of state diagram for several behaviours."""
    found = {}
    for name, graph in graphs().items():
        part = close_part(graph)
        found[f"{name}, whole"] = states(graph, name)
        found[f"{name}, close"] = states(part, name)
        found[f"{name}, compared"] = compared(part, difference(close_part(graphs()["letter"]), part), ("letter", name), name)
    return found | {state.value: one_state(graphs()["letter"], state) for state in State}


@pytest.fixture(scope="module")
def layouts(figures: dict[str, Figure]) -> dict[str, tuple[Figure, Layout]]:
    """Lay each picture out once, with the figure as it is drawn."""
    return {name: fitted(figure) for name, figure in figures.items()}


@pytest.fixture(scope="module")
def pictures(layouts: dict[str, tuple[Figure, Layout]]) -> dict[str, str]:
    """Draw each picture once."""
    return {name: drawn(figure, layout) for name, (figure, layout) in layouts.items()}


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

    @pytest.mark.parametrize("style", [minimap.STYLE, chart_elements.STYLE], ids=["minimap", "sequence"])
    def test_contrast_of_lines(self, style: str) -> None:
        """WCAG 2 for graphics, in both themes."""
        names = set(re.findall(r"[{;] stroke: \$(\w+)", style)) - {"background"}
        assert names
        for name in names:
            assert contrast(NAMED[name].light, BACKGROUND.light) >= 3, name
            assert contrast(NAMED[name].dark, BACKGROUND.dark) >= 3, name

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

    WIDE = frozenset({"orphan, whole", "orphan, close", "orphan, compared", "abortive, whole", "CLOSED"})
    """Pictures with too many arrows for a page of 400 pixels; no diagram of a known stack has as many."""

    def test_nothing_overlaps(self, layouts: dict[str, tuple[Figure, Layout]]) -> None:
        for name, (figure, layout) in layouts.items():
            assert overlaps(figure, layout) == [], name

    def test_letters_on_a_telephone(self, pictures: dict[str, str]) -> None:
        """Where a picture is as wide as a screen of 400 pixels, no letters are smaller than 9 pixels; 7 in `WIDE`."""
        for name, picture in pictures.items():
            least = 7 if name in self.WIDE else 8.95
            assert LABEL * min(1, 400 / float(ElementTree.fromstring(picture).get("width", "inf"))) > least, name

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

    def test_boxes_are_inside_the_picture(self, layouts: dict[str, tuple[Figure, Layout]], pictures: dict[str, str]) -> None:
        for name, (_, layout) in layouts.items():
            root = ElementTree.fromstring(pictures[name])
            wide, high = (float(root.get(name, "0")) for name in ("width", "height"))
            assert wide > layout.size.width
            assert high > layout.size.height
            assert all(
                0 <= point.x <= layout.size.width and 0 <= point.y <= layout.size.height for point in layout.boxes.values()
            )

    def test_both_installations_draw_the_same_text(self) -> None:
        if shutil.which("dot") is None:
            pytest.skip("Graphviz (the program dot) is not installed")
        figure = states(close_part(graphs()["default"]), "")
        bundled, system = (as_svg(figure, whose) for whose in Graphviz)
        texts = [[element.text for element in ElementTree.fromstring(svg).iter() if element.text] for svg in (bundled, system)]
        assert texts[0] == texts[1]

    def test_without_a_system_graphviz(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(MissingGraphviz, match="the program dot is not installed"):
            laid_out(one_state(graphs()["default"], S.LAST_ACK), Graphviz.SYSTEM)

    def test_fonts_do_not_matter(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The picture is the same without fonts."""
        figure = states(close_part(graphs()["default"]), "")
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
    def test_text_is_no_wider_than_the_terminal(self, columns: int) -> None:
        for text in (
            as_text(graphs()["letter"], columns),
            figure_text.as_text(one_state(graphs()["letter"], S.TIME_WAIT), columns),
        ):
            assert max(map(len, text.splitlines())) <= columns

    @pytest.mark.parametrize("columns", [40, 80])
    def test_narrow_text_has_the_same_words(self, columns: int) -> None:
        wide, narrow = (re.sub(r"\s+", " ", as_text(graphs()["letter"], given)) for given in (None, columns))
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
