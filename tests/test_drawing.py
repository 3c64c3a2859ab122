"""``timewait diagram``, and the committed pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commands import run as run_command

import timewait
from timewait.checker import itf
from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict
from timewait.cli import picture_set
from timewait.cli.claim_runs import CLAIM_RUNS, ClaimRun, counterexample
from timewait.cli.picture_folder import INDEX, DrawnPicture, changes, contents, same_content, update
from timewait.diagrams import composition
from timewait.diagrams.figure import plain_text
from timewait.diagrams.graphviz_layout import laid_out
from timewait.narration.sentences import shows_violation
from timewait.proofs.claim import CLAIMS
from timewait.proofs.evidence import Evidence

COMMITTED = Path(__file__).parent.parent / "docs" / "diagrams"
SVG = "{http://www.w3.org/2000/svg}"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run ``timewait diagram`` with some arguments."""
    return run_command(capsys, "diagram", *arguments)


def exchanged(name: str) -> str:
    """The name of a pair of states with A and B exchanged."""
    found = re.fullmatch(r"A (?P<a>\S+), B (?P<b>\S+)", name)
    return f"A {found['b']}, B {found['a']}" if found else name


class TestStates:
    """``timewait diagram states``."""

    @pytest.mark.parametrize(
        ("end", "begins"),
        [
            ("svg", b"<svg"),
            ("png", b"\x89PNG"),
            ("pdf", b"%PDF"),
            ("dot", b"digraph"),
            ("gv", b"digraph"),
            ("mmd", b"---\ntitle"),
            ("txt", b"CLOSED\n"),
            ("json", b"{"),
        ],
    )
    def test_the_end_of_the_file_name_chooses_the_format(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, end: str, begins: bytes
    ) -> None:
        code, out, err = run(capsys, "states", "--out", str(tmp_path / f"states.{end}"))
        assert (code, out, err) == (0, "", "")
        assert (tmp_path / f"states.{end}").read_bytes().startswith(begins)
        assert [path.name for path in tmp_path.iterdir()] == [f"states.{end}"]

    def test_a_stack_is_compared_with_the_standard(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "states", "--stack", "freebsd")
        assert code == 0
        assert "missing: TIME_WAIT, RST [at RCV.NXT]: freebsd / nothing; rfc9293 -> CLOSED" in out.splitlines()
        _, out, _ = run(capsys, "states", "--stack", "freebsd", "--format", "svg")
        assert "- missing" in "".join(ElementTree.fromstring(out).itertext())

    def test_against_another_stack_or_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, out, _ = run(capsys, "states", "--stack", "linux", "--against", "linux")
        assert out.startswith("CLOSED\n")
        _, out, _ = run(capsys, "states", "--stack", "fstack", "--against", "freebsd")
        assert out.endswith("\n\nno differences\n")
        _, out, _ = run(capsys, "states", "--stack", "rfc9293-intended", "--against", "freebsd", "--format", "json")
        assert all("rfc9293-intended" in text for text in json.loads(out)["differences"])
        _, out, _ = run(capsys, "states", "--stack", "linux", "--against", "none")
        assert out.startswith("CLOSED\n")

    def test_which_graphviz(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The bundled library, unless --graphviz says system."""
        _, out, _ = run(capsys, "states", "--state", "CLOSING", "--format", "svg")
        assert ElementTree.fromstring(out).get("data-laid-out-by", "").startswith("Graphviz ")
        monkeypatch.setenv("PATH", "")
        code, out, err = run(capsys, "states", "--state", "CLOSING", "--format", "svg", "--graphviz", "system")
        assert (code, out) == (2, "")
        assert err == "timewait: the program dot is not installed; leave out --graphviz system, or install it\n"

    def test_one_state(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "states", "--state", "last_ack")
        assert code == 0
        assert "This end closed second; it waits for the acknowledgement of its FIN" in out

    def test_a_claim_and_its_trace_give_the_same_picture(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        _, out, _ = run(capsys, "states", "--claim", "c8", "--format", "svg")
        file = Path("C8.itf.json")
        file.write_text(itf.as_itf_text(counterexample("C8")), encoding="utf-8")
        _, again, _ = run(capsys, "states", "--trace", str(file), "--format", "svg")
        assert again.replace(str(file), "C8") == out
        assert "A: step 8" in out

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            ((), 2, "name a picture (states, sequence, region or composition), or give --all --out FOLDER"),
            (("--all",), 2, "--all needs --out FOLDER"),
            (("--all", "states"), 2, "take no name"),
            (("states", "--format", "png"), 2, "png goes into a file: give --out FILE"),
            (("states", "--out", "states.bmp"), 2, "states.bmp does not say which format"),
            (("states", "--out", "nowhere/states.svg"), 2, "cannot write nowhere/states.svg: No such file or directory"),
            (("states", "--stack", "linus"), 2, "did you mean linux?"),
            (("states", "--stack", "windows"), 2, "profile windows does not say what TIME-WAIT answers"),
            (("states", "--claim", "C99"), 2, "there is no claim 'C99'"),
            (("states", "--claim", "C8", "--state", "CLOSED"), 2, "--state and --claim exclude each other"),
            (("states", "--claim", "C8", "--stack", "linux"), 2, "a run brings its own behaviour"),
            (("states", "--state", "CLOSED", "--format", "json"), 2, "there is no json of this picture"),
            (("region", "--format", "dot"), 2, "there is no dot of this picture; there is svg, png, pdf, text, json"),
            (("region", "--rto", "30s"), 2, "the horizontal axis shows RTO"),
            (("region", "--against", "msl", "--rto", "1s,2s"), 2, "give one RTO"),
            (("composition", "--fifo"), 2, "few enough locations"),
            (("composition", "--property", "graceful"), 2, "No such option"),
        ],
    )
    def test_errors_are_one_line(
        self,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[str, ...],
        code: int,
        said: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("timewait.cli.region.boundaries", lambda *_: ())
        found, out, err = run(capsys, *arguments)
        assert (found, out) == (code, "")
        assert said in err
        assert err.startswith("timewait: ")
        assert err.count("\n") == 1
        assert not list(tmp_path.iterdir())

    def test_a_claim_without_a_run(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        proved = Evidence("proved", Verdict.PROVED, Verdict.PROVED, "nobody")
        monkeypatch.setitem(CLAIMS, "C1", replace(CLAIMS["C1"], gather=lambda: iter((proved,))))
        code, out, err = run(capsys, "states", "--claim", "C1")
        assert (code, out, err) == (2, "", "timewait: claim C1 shows no run\n")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda data: data["#meta"].pop("about"), "'about' is missing"),
            (lambda data: data["#meta"]["about"].pop("behaviour"), "not a configuration"),
            (lambda data: data["#meta"]["about"]["behaviour"].update(reset="ignore"), "is no edge of this graph"),
            (lambda data: data["states"][0].update({"A.state": "ASLEEP"}), "ASLEEP"),
        ],
    )
    def test_a_bad_trace(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, change: Callable[[Any], Any], said: str
    ) -> None:
        data = itf.as_itf(counterexample("C8"))
        change(data)
        file = tmp_path / "bad.itf.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        code, out, err = run(capsys, "states", "--trace", str(file))
        assert (code, out) == (3, "")
        assert said in err
        assert err.startswith(f"timewait: {file}: ")
        assert err.count("\n") == 1


class TestSequence:
    """``timewait diagram sequence``."""

    def test_a_scenario(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        code, out, _ = run(capsys, "sequence", "--scenario", "lost-last-ack")
        assert code == 0
        assert "(A sends ACK seq=2 ack=2, lost)" in out
        _, out, _ = run(capsys, "sequence", "--scenario", "lost-last-ack", "--format", "mermaid")
        assert out.startswith("sequenceDiagram\n")
        code, _, _ = run(capsys, "sequence", "--scenario", "lost-last-ack", "--out", str(tmp_path / "chart.png"))
        assert code == 0
        assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")

    def test_a_claim_and_its_trace_give_the_same_chart(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        _, out, _ = run(capsys, "sequence", "--claim", "c4", "--property", "isolation", "--format", "svg")
        file = tmp_path / "C4.itf.json"
        file.write_text(itf.as_itf_text(counterexample("C4", "isolation")), encoding="utf-8")
        _, again, _ = run(capsys, "sequence", "--trace", str(file), "--format", "svg")
        assert again == out
        assert "isolation is violated" in out

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "say which run: --trace, --claim or --scenario"),
            (("--claim", "C8", "--scenario", "half-close"), "--claim and --scenario exclude each other"),
            (("--scenario", "half-close", "--property", "quiet"), "--property belongs to --claim"),
            (("--claim", "C99"), "there is no claim 'C99'"),
            (("--claim", "C15", "--format", "dot"), "there is no dot of this picture; there is svg, png, pdf, mermaid, text"),
        ],
    )
    def test_errors_are_one_line(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
        code, out, err = run(capsys, "sequence", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith(f"timewait: {said}")
        assert err.count("\n") == 1


class TestRuns:
    """The runs that show claims."""

    @pytest.mark.parametrize("shown", CLAIM_RUNS, ids=[f"{shown.claim} {shown.broken}" for shown in CLAIM_RUNS])
    def test_each_violates_its_property(self, shown: ClaimRun) -> None:
        """In few steps."""
        found = shown.find()
        assert found.shows == shown.broken
        assert shows_violation(found)
        assert len(found.steps) <= 12
        assert shown.claim in CLAIMS

    @pytest.mark.slow
    @pytest.mark.parametrize("claim", dict.fromkeys(shown.claim for shown in CLAIM_RUNS))
    def test_each_claim_has_such_a_run(self, claim: str) -> None:
        """Its evidence has a counterexample of the same property."""
        found = {piece.trace.shows for piece in CLAIMS[claim].gather() if piece.trace is not None}
        assert {shown.broken for shown in CLAIM_RUNS if shown.claim == claim} <= found


class TestOthers:
    """``timewait diagram region`` and ``timewait diagram composition``."""

    def test_region(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """C3: for k = 0 graceful needs MSL."""
        monkeypatch.setattr("timewait.cli.region.farthest", lambda _: Fraction(2))
        asked = ("region", "--scope", "core", "--loss", "0", "--property", "graceful")
        code, out, _ = run(capsys, *asked, "--format", "json")
        assert code == 0
        (found,) = json.loads(out)
        assert (found["property"], found["needs"]) == ("graceful", "TIME_WAIT >= MSL")
        assert found["pieces"] == [{"low": "1/4", "high": "2", "closed": [True, True], "least": {"MSL": "1"}}]
        _, out, _ = run(capsys, *asked, "--against", "msl", "--rto", "30s")
        assert "g  unsafe: graceful needs TIME_WAIT >= MSL" in out
        assert "formulas: proved from RTO = 1/4 MSL to 2 MSL" in out

    def test_points_without_a_formula(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "region", "--scope", "core", "--loss", "0", "--property", "graceful", "--fifo", "--msl", "2s")
        assert code == 0
        assert "points: decided at RTO/MSL = 1/4, 1/2" in out
        assert "nothing is known between them" in out

    def test_losses(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "region", "--scope", "core", "--against", "loss", "--property", "graceful", "--json")
        assert code == 0
        assert [entry["least"] for entry in json.loads(out)["least_time_wait"]] == ["1", "2", "3", "4"]

    def test_inconclusive(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "region", "--max-states", "3", "--against", "loss")
        assert (code, out) == (20, "")
        assert err.startswith("timewait: no verdict at ")

    def test_composition(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        asked = ("composition", "--scope", "core", "--rto", "30s", "--time-wait", "60s", "--loss", "0")
        _, out, _ = run(capsys, *asked)
        assert "8 locations, 8 zones, 13 edges" in out
        _, out, _ = run(capsys, *asked, "--detail", "states", "--format", "mermaid")
        assert out.count("as A_") == 5
        code, _, _ = run(capsys, *asked, "--out", str(tmp_path / "core.svg"))
        assert code == 0
        assert (tmp_path / "core.svg").is_file()

    @pytest.mark.parametrize("loss", [0, 1])
    def test_half_of_a_symmetric_composition(self, loss: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """With A and B exchanged it gives every box and every arrow of the whole, and it fits a page."""
        both = timewait.Options.of(msl="30s", rto="30s", time_wait="60s", closers="both", loss=loss)
        reached = composition.reach(both.configuration(), Budget())
        half = composition.by_states(reached, "half")
        monkeypatch.setattr(composition, "SMALL", 1000)
        full = composition.by_states(reached, "full")
        either = {exchanged(box.name) for box in half.boxes} | {box.name for box in half.boxes}
        assert either == {box.name for box in full.boxes}
        drawn = {(arrow.source, arrow.target, arrow.style.name) for arrow in half.arrows}
        for arrow in full.arrows:
            source, target, style = arrow.source, arrow.target, arrow.style.name
            other = "A acts" if style == "B acts" else "B acts" if style == "A acts" else style
            ends = {(source, style), (exchanged(source), other)}
            assert any((box, end, kind) in drawn for box, kind in ends for end in (target, exchanged(target)))
        assert len(half.boxes) < len(full.boxes)
        assert f"the other {len(full.boxes) - len(half.boxes)} pairs" in " ".join(map(plain_text, half.caption))
        assert laid_out(half).size.width <= 850

    def test_an_asymmetric_composition_is_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where A closes first, no half stands for the other."""
        first = timewait.Options.of(msl="30s", rto="30s", time_wait="60s", closers="a")
        reached = composition.reach(first.configuration(), Budget())
        whole = composition.by_states(reached, "a title")
        monkeypatch.setattr(composition, "SMALL", 1)
        assert composition.by_states(reached, "a title") == whole

    def test_a_composition_that_is_too_large(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(capsys, "composition", "--rto", "30s", "--max-states", "10")
        assert code == 20
        assert "hit a limit" in err


# --- the set ------------------------------------------------------------------------------------------------------

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" data-laid-out-by="Graphviz 1"><text x="1">a</text></svg>'
MOVED = PICTURE.replace('x="1"', 'x="2"').replace("Graphviz 1", "Graphviz 2")
OTHER_TEXT = MOVED.replace(">a<", ">b<")
OWN_LAYOUT = PICTURE.replace(' data-laid-out-by="Graphviz 1"', "")


class TestSameContent:
    """The comparison of pictures."""

    @pytest.mark.parametrize(
        ("text", "other", "expected"),
        [
            (PICTURE, PICTURE, True),
            (PICTURE, MOVED, True),
            (PICTURE, OTHER_TEXT, False),
            (PICTURE, MOVED.replace("<text", '<text fill="#123456"'), False),
            (PICTURE, PICTURE[:-3], False),
            (PICTURE, OWN_LAYOUT, False),
            (OWN_LAYOUT, OWN_LAYOUT.replace('x="1"', 'x="2"'), False),
        ],
    )
    def test_same_content(self, text: str, other: str, expected: bool) -> None:
        assert same_content(text, other) is same_content(other, text) is expected


class TestFolder:
    """The update of a folder of pictures."""

    @pytest.fixture
    def pictures(self) -> list[DrawnPicture]:
        """Return one picture with a layout of another program, and one without."""
        return [
            DrawnPicture("graph", "a graph", "draw it", {"svg": PICTURE, "dot": "digraph {}"}),
            DrawnPicture("chart", "a chart", "draw it", {"svg": OWN_LAYOUT, "txt": "text\n"}),
        ]

    def test_written_files_are_current(self, pictures: list[DrawnPicture], tmp_path: Path) -> None:
        folder = tmp_path / "new"
        update(changes(pictures, folder).stale, folder)
        assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == contents(pictures)
        times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        found = changes(pictures, folder)
        assert (found.stale, found.unknown) == ({}, ())
        update(found.stale, folder)
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times

    @pytest.mark.parametrize(
        ("name", "text", "stale"),
        [
            ("graph.svg", MOVED, set()),
            ("graph.svg", OTHER_TEXT, {"graph.svg"}),
            ("graph.svg", "", {"graph.svg"}),
            ("graph.dot", "digraph { a }", {"graph.dot"}),
            ("chart.svg", MOVED, {"chart.svg"}),
            ("chart.txt", "text", {"chart.txt"}),
            (INDEX, "", {INDEX}),
            ("graph.svg", None, {"graph.svg"}),
        ],
    )
    def test_stale_files(
        self, pictures: list[DrawnPicture], tmp_path: Path, name: str, text: str | None, stale: set[str]
    ) -> None:
        update(changes(pictures, tmp_path).stale, tmp_path)
        if text is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_text(text, encoding="utf-8")
        assert set(changes(pictures, tmp_path).stale) == stale

    def test_unknown_files(self, pictures: list[DrawnPicture], tmp_path: Path) -> None:
        update(changes(pictures, tmp_path).stale, tmp_path)
        (tmp_path / "old.svg").write_text(PICTURE, encoding="utf-8")
        (tmp_path / "notes.html").write_text("mine", encoding="utf-8")
        found = changes(pictures, tmp_path)
        assert (found.stale, found.unknown) == ({}, ("old.svg",))

    def test_the_command(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        pictures: list[DrawnPicture],
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("timewait.cli.diagram.draw_all", lambda *_: iter(pictures))
        folder = tmp_path / "docs"
        everything = ("--all", "--out", str(folder))
        code, _, err = run(capsys, *everything, "--check")
        assert code == 3
        assert err.count(f"timewait: {folder}/") == 5
        assert not folder.exists()
        code, out, _ = run(capsys, *everything)
        assert (code, out.splitlines()[-1]) == (0, f"5 files written to {folder}; README.md lists the pictures")
        code, out, _ = run(capsys, *everything)
        assert (code, out) == (0, "nothing has changed\n")
        assert run(capsys, *everything, "--check")[0] == 0

    def test_many_files_are_counted(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A screen is not filled with names that the list in the folder has too."""
        many = [DrawnPicture(f"chart-{number}", "a chart", "draw it", {"svg": OWN_LAYOUT}) for number in range(30)]
        monkeypatch.setattr("timewait.cli.diagram.draw_all", lambda *_: iter(many))
        code, out, _ = run(capsys, "--all", "--out", str(tmp_path))
        assert (code, out) == (0, f"31 files written to {tmp_path}; README.md lists the pictures\n")
        (tmp_path / "chart-7.svg").unlink()
        code, out, _ = run(capsys, "--all", "--out", str(tmp_path))
        assert out.splitlines()[0] == f"written: {tmp_path / 'chart-7.svg'}"

    def test_a_folder_that_cannot_be_written(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        pictures: list[DrawnPicture],
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("timewait.cli.diagram.draw_all", lambda *_: iter(pictures))
        (tmp_path / "file").write_text("", encoding="utf-8")
        code, _, err = run(capsys, "--all", "--out", str(tmp_path / "file" / "docs"))
        assert code == 2
        assert err.startswith("timewait: cannot write")
        assert err.count("\n") == 1


class TestCommitted:
    """The pictures in the repository, as far as that takes a moment; ``timewait diagram --all --check`` compares all."""

    @pytest.mark.parametrize("group", ["states", "scenarios", "used"])
    def test_is_current(self, group: str) -> None:
        found = changes(picture_set.draw(group, committed=True), COMMITTED)
        assert set(found.stale) == {INDEX}, "run timewait diagram --all --committed --out docs/diagrams"

    @pytest.mark.parametrize("name", sorted(picture_set.COMMITTED))
    def test_texts_are_legible_on_a_telephone(self, name: str) -> None:
        """Where the picture is as wide as a screen of 400 pixels, no letters are smaller than 9 pixels."""
        root = ElementTree.parse(COMMITTED / f"{name}.svg").getroot()
        sizes = [
            float(text.get("font-size", "0").removesuffix("px")) for text in root.iter(f"{SVG}text") if text.get("font-size")
        ]
        assert sizes
        assert min(sizes) * min(1, 400 / float(root.get("width", "0"))) > 8.95

    def test_files_are_the_set(self) -> None:
        names = {name for _, pictures in picture_set.groups().values() for name, _ in pictures()}
        assert names >= picture_set.COMMITTED == {path.stem for path in COMMITTED.iterdir()} - {Path(INDEX).stem}

    def test_embedded_pictures_are_committed(self) -> None:
        pages = [COMMITTED.parent.parent / "README.md", *COMMITTED.parent.rglob("*.md")]
        embedded = {name for page in pages for name in re.findall(r"diagrams/([\w-]+)\.svg", page.read_text(encoding="utf-8"))}
        assert embedded <= picture_set.COMMITTED

    def test_every_command_in_the_list_draws_its_picture(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The quick ones."""
        text = (COMMITTED / INDEX).read_text(encoding="utf-8")
        commands = re.findall(r"\(([\w-]+)\.svg\): `timewait (?:diagram )?(.*)`", text)
        assert {name for name, _ in commands} == picture_set.COMMITTED
        for name, command in commands:
            if name.startswith(("states", "difference", "composition-core")):
                code, out, _ = run(capsys, *command.split(), "--format", "svg")
                assert code == 0
                kinds = [re.findall(r'class="(\w+)"', svg) for svg in (out, (COMMITTED / f"{name}.svg").read_text())]
                assert kinds[0] == kinds[1]

    def test_every_picture_is_well_formed(self) -> None:
        for file in COMMITTED.glob("*.svg"):
            root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
            assert root.findtext(f"{SVG}title")
            assert root.findtext(f"{SVG}desc")

    def test_one_by_its_name(self) -> None:
        picture = picture_set.draw_picture("state-last-ack")
        assert {*picture.files} == {"svg", "dot", "mmd", "txt"}
        assert picture.command == "timewait diagram states --stack rfc9293-intended --state LAST_ACK"
        with pytest.raises(KeyError):
            picture_set.draw_picture("nothing")

    def test_the_slowest_start_first(self) -> None:
        assert set(picture_set.SLOWEST) < set(picture_set.groups())

    @pytest.mark.slow
    def test_all_of_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(capsys, "--all", "--check", "--out", str(COMMITTED))
        assert (code, err) == (0, "")
