"""Themes: pictures in light colours, in dark ones, or in those that the reader prefers."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import run
from runs import EVERY, trace

from timewait.cli.figures import difference_picture, states_of
from timewait.diagrams.colours import COLOURS, DARK, NAMED
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.sequence import sequence
from timewait.diagrams.theme import DARK_OF, Theme, with_theme, without_background

CAPTURE = str(Path(__file__).parent.parent / "examples" / "capture.pcapng")
SVG = "{http://www.w3.org/2000/svg}"

LIGHT_ONLY = {*DARK_OF} - {*DARK_OF.values()}


def painted(svg: str) -> set[str]:
    """Every colour of a picture."""
    return {found.lower() for found in re.findall(r"#[0-9a-fA-F]{6}\b", svg)}


def pictures() -> dict[str, str]:
    """A picture of each kind."""
    found = {name: sequence(trace(name)) for name in EVERY}
    return found | {
        "states": as_svg(states_of("linux", whole=False)),
        "difference": as_svg(difference_picture("linux", "rfc9293", False)),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    """Draw each once."""
    return pictures()


class TestThemes:
    """Of every picture."""

    def test_each_colour_has_one_dark_colour(self) -> None:
        """However it is named."""
        assert all(DARK_OF[colour.light] == colour.dark for colour in (*COLOURS, *NAMED.values()))

    def test_auto_is_the_picture_itself(self, drawn: dict[str, str]) -> None:
        """With a style sheet for readers who prefer dark pages."""
        for svg in drawn.values():
            assert DARK in svg
            assert with_theme(svg, Theme.AUTO) == svg

    def test_light_and_dark_follow_no_preference(self, drawn: dict[str, str]) -> None:
        """Each has the colours of its theme alone, and the same elements and texts."""
        for name, svg in drawn.items():
            light, dark = (with_theme(svg, theme) for theme in (Theme.LIGHT, Theme.DARK))
            assert DARK not in light + dark
            assert painted(light) <= {*DARK_OF}, name
            assert painted(dark) <= {*DARK_OF.values()}, name
            assert not painted(dark) & LIGHT_ONLY
            shapes = [
                [(part.tag, part.text) for part in ElementTree.fromstring(one).iter() if not part.tag.endswith("style")]
                for one in (svg, light, dark)
            ]
            assert shapes[0] == shapes[1] == shapes[2]


class TestCommand:
    """``--theme``."""

    @pytest.mark.parametrize("theme", Theme)
    def test_a_file(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, theme: Theme) -> None:
        """In the colours that were asked for."""
        file = tmp_path / "close.svg"
        options = ("diagram", "sequence", "--scenario", "clean-close", "--out", str(file), "--theme", theme.value)
        assert run(capsys, *options)[0] == 0
        assert file.read_text(encoding="utf-8") == with_theme(sequence(trace("clean-close")), theme)

    def test_pixels(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A dark PNG differs from a light one; one without a theme is light."""
        contents = {}
        for theme in ("light", "dark", "auto"):
            file = tmp_path / f"{theme}.png"
            options = ("diagram", "sequence", "--scenario", "clean-close", "--out", str(file), "--theme", theme, "--scale", "0.2")
            assert run(capsys, *options)[0] == 0
            contents[theme] = file.read_bytes()
        assert contents["light"] == contents["auto"] != contents["dark"]

    def test_text_has_no_theme(self, capsys: pytest.CaptureFixture[str]) -> None:
        """One line says so."""
        code, _, said = run(capsys, "diagram", "sequence", "--scenario", "clean-close", "--format", "text", "--theme", "dark")
        assert code == 2
        assert "--theme goes with svg, png, pdf, not with text" in said


class TestLooks:
    """``--title`` and ``--transparent``."""

    @pytest.mark.parametrize(
        "command",
        [
            ("run", "--scenario", "lost-last-ack"),
            ("diagram", "states", "--stack", "linux"),
            ("diagram", "states", "--state", "CLOSING"),
            ("diagram", "composition", "--scope", "core", "--loss", "0"),
            ("diagram", "region", "--against", "loss", "--scope", "core", "--property", "graceful"),
            pytest.param(("risk", "--loss-rate", "1%", "--rtt", "50ms"), marks=pytest.mark.slow),
            ("capacity", "--rate", "100/s"),
            ("explain", CAPTURE, "--connection", "1"),
        ],
        ids=lambda command: "-".join(command[:3]).replace("/", "_"),
    )
    def test_title_and_background(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]) -> None:
        """A title replaces that of the picture; an empty one leaves none; without a background no rectangle fills the picture."""
        texts = {}
        for name, more in (("own", ()), ("other", ("--title", "In <class> & lab", "--transparent")), ("none", ("--title", ""))):
            file = tmp_path / f"{name}.svg"
            assert run(capsys, *command, "--out", str(file), *more)[0] == 0
            root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
            texts[name] = ["".join(part.itertext()) for part in root.iter(f"{SVG}text")]
            filling = [part for part in root.findall(f"{SVG}rect") if part.get("width") == root.get("width")]
            assert bool(filling) == (name != "other")
        assert texts["other"].count("In <class> & lab") == 1
        assert {*texts["own"]} - {*texts["other"]} or "--state" in command, "its own title is gone"
        assert len(texts["none"]) < len(texts["other"])

    def test_a_background_is_removed_once(self) -> None:
        """A second removal would take a part of the picture."""
        with pytest.raises(ValueError, match="without a background"):
            without_background(without_background(sequence(trace("clean-close"))))

    def test_latex(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A title has its LaTeX spelling, and the statement of the scenario is gone."""
        file = tmp_path / "close.tex"
        assert run(capsys, "run", "--scenario", "clean-close", "--out", str(file), "--title", "A & B")[0] == 0
        written = file.read_text(encoding="utf-8")
        assert r"{A \& B}" in written
        assert "nothing is lost" not in written

    @pytest.mark.parametrize("option", [("--title", "x"), ("--transparent",)])
    def test_text_has_neither(self, capsys: pytest.CaptureFixture[str], option: tuple[str, ...]) -> None:
        """One line says so, before any work."""
        for command in (
            ("learn", "--on", "linux"),
            ("capacity", "--rate", "1/s"),
            ("risk", "--loss-rate", "1%", "--rtt", "50ms"),
        ):
            code, _, said = run(capsys, *command, *option)
            assert code == 2
            assert f"{option[0]} goes with svg, png, pdf" in said


COMMITTED = sorted((Path(__file__).parent.parent / "docs" / "diagrams").glob("*.svg"))
"""The pictures that the repository keeps."""

NARROW, LEAST = 400, 9.0
"""The width of a narrow page, and the least height of letters there, in pixels."""


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.stem)
class TestCommittedPictures:
    """The pictures of the documentation, which forges show on pages of any width and colour."""

    def test_every_colour_has_a_dark_one(self, file: Path) -> None:
        """No attribute names a colour that dark pages do not replace, such as black."""
        values = set(re.findall(r'(?:fill|stroke)="([^"]*)"', file.read_text(encoding="utf-8")))
        assert values <= {*DARK_OF, "none"}

    def test_letters_are_legible_on_a_narrow_page(self, file: Path) -> None:
        """Shrunk to the width of the page, the smallest letters are still large enough."""
        picture = ElementTree.fromstring(file.read_text(encoding="utf-8"))
        sizes = [float(one.get("font-size", "").removesuffix("px")) for one in picture.iter() if one.get("font-size")]
        assert sizes
        assert min(sizes) * min(NARROW / float(picture.get("width", "")), 1) >= LEAST
