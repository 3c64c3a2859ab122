"""The pictures of safe and unsafe TIME_WAIT: exact pieces, and labels that do not lie over one another."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from xml.etree import ElementTree

import pytest

from timewait.checker.finding import Budget
from timewait.checker.linear import Terms
from timewait.checker.ratios import RatioInterval
from timewait.cli.boundaries import POINTS, NotBelieved, against_losses, boundaries, least_at
from timewait.cli.figures import known_stacks
from timewait.diagrams import bars, region, region_picture, region_text
from timewait.diagrams.axes import Axes, Scale, plain_number
from timewait.diagrams.bars import Bars
from timewait.diagrams.boundary import Boundary, BoundaryPiece, sampled
from timewait.diagrams.colours import BLACK, BLUE
from timewait.diagrams.geometry import Point, Rectangle
from timewait.diagrams.label_placement import PlacedLabel, placed
from timewait.diagrams.region import KnownStack, SafetyRegion
from timewait.diagrams.sizes import Size
from timewait.proofs.claims import close, core
from timewait.proofs.thresholds import ParametricCounterexample, ProvedThreshold
from timewait.spec.configuration import Configuration
from timewait.spec.settings import Behaviour, ResetRule

F = Fraction
SVG = "{http://www.w3.org/2000/svg}"
BOTH = ("graceful", "isolation")


def between(low: Fraction | int, high: Fraction | int) -> RatioInterval:
    """Ratios, the ends included."""
    return RatioInterval(F(low), F(high), closed_low=True, closed_high=True)


SUM: Terms = {"MSL": F(1), "RTO": F(1)}
GRACEFUL = Boundary("graceful", (BoundaryPiece(between(F(1, 4), 4), SUM),), "TIME_WAIT >= MSL + RTO")
ISOLATION = Boundary(
    "isolation",
    (BoundaryPiece(between(F(1, 4), 1), {"MSL": F(2)}), BoundaryPiece(between(1, 4), SUM)),
    "TIME_WAIT >= max(2 MSL, MSL + RTO)",
)
NEVER = Boundary("graceful", (BoundaryPiece(between(F(1, 4), 4), None),), "no finite TIME_WAIT is enough")
HALF = Boundary("isolation", (BoundaryPiece(between(F(1, 4), 1), {"MSL": F(2)}),), "TIME_WAIT >= 2 MSL")


class TestBoundary:
    """What a boundary says, and where it says nothing."""

    def test_pieces(self) -> None:
        first, second = ISOLATION.pieces
        assert ISOLATION.piece_at(F(1, 2)) is first
        assert ISOLATION.piece_at(F(3)) is second
        assert ISOLATION.piece_at(F(5)) is ISOLATION.piece_at(F(0)) is None
        assert first.at(F(30), F(15)) == 60
        assert second.at(F(30), F(45)) == 75
        assert NEVER.pieces[0].at(F(1), F(1)) is None

    def test_an_open_end_belongs_to_the_neighbour(self) -> None:
        below = BoundaryPiece(RatioInterval(F(0), F(1), closed_low=False, closed_high=False), {"MSL": F(2)})
        above = BoundaryPiece(RatioInterval(F(1), F(2), closed_low=True, closed_high=True), {"MSL": F(3)})
        assert Boundary("isolation", (below, above), "").piece_at(F(1)) is above

    def test_words(self) -> None:
        assert [piece.formula for piece in ISOLATION.pieces] == ["2 MSL", "MSL + RTO"]
        assert NEVER.pieces[0].formula == "no TIME_WAIT is enough"
        assert BoundaryPiece(between(0, 1), {"MSL": F(3, 2), "RTO": F(2)}).formula == "3/2 MSL + 2 RTO"
        assert ISOLATION.told == "isolation needs TIME_WAIT >= max(2 MSL, MSL + RTO)"
        assert NEVER.told == "graceful: no finite TIME_WAIT is enough"

    def test_points_say_nothing_of_what_lies_between(self) -> None:
        points = sampled("graceful", [(F(1, 2), F(2)), (F(1), F(2)), (F(2), None)])
        assert points.needs == "as marked, from 2 MSL at RTO = 1/2 MSL to none that was tried at RTO = 2 MSL"
        assert all(piece.is_point for piece in points.pieces)
        assert points.piece_at(F(3, 4)) is None
        assert points.piece_at(F(1)) is not None


class TestAsked:
    """The boundary is what the engines say."""

    @pytest.mark.parametrize("scope", [core, close], ids=["core", "close"])
    def test_it_is_the_formula_of_the_claims(self, scope: Callable[..., Configuration]) -> None:
        """C3 for k = 0: M for graceful; 2M for isolation, less in the core where RTO is shorter than MSL."""
        graceful, isolation = boundaries(scope(30, 0, 30, 0), BOTH, F(2), Budget)
        assert [piece.formula for piece in graceful.pieces] == ["MSL"]
        assert graceful.pieces[0].ends == (F(1, 4), F(2))
        expected = ["MSL + RTO", "2 MSL"] if scope is core else ["2 MSL"]
        assert [piece.formula for piece in isolation.pieces] == expected

    def test_where_there_is_no_formula_there_are_points(self) -> None:
        """A network that keeps copies in order is not asked about in dense time."""
        (found,) = boundaries(replace(core(2, 0, 2, 0), fifo=True), ["graceful"], F(3), Budget)
        ratios = [piece.ratios.low for piece in found.pieces]
        assert ratios == [*POINTS, *(2 + F(step, 8) for step in range(1, 9))]
        assert all(piece.is_point for piece in found.pieces)

    def test_a_proof_that_is_not_accepted_draws_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        doubtful = ProvedThreshold(
            between(0, 1), {}, ParametricCounterexample(None, [], "graceful", None, "cvc5 says no"), None, []
        )
        monkeypatch.setattr("timewait.cli.boundaries.formula", lambda *_: iter((doubtful,)))
        with pytest.raises(NotBelieved, match="graceful: a piece of its formula was not accepted: disagreement"):
            boundaries(core(2, 0, 2, 0), ["graceful"], F(1), Budget)

    def test_a_guess_changes_no_answer(self) -> None:
        """Whatever is said to be likely, true or not, the least value is the same."""
        asked = core(2, 0, 3, 1)
        known = {name: least_at(asked, [name], Budget, {})[name] for name in BOTH}
        for likely in ([F(9)], [F(2), F(5, 2)], [F(0)], [F(-1)]):
            assert least_at(asked, BOTH, Budget, dict.fromkeys(BOTH, likely)) == known

    def test_none_is_enough(self) -> None:
        """C8: a RST ends TIME_WAIT, so no length of it gives isolation."""
        honours = Behaviour(reset=ResetRule.EXACT)
        assert least_at(close(1, 0, 1, 0, honours), ["isolation"], Budget, {}) == {"isolation": None}
        (found,) = boundaries(close(30, 0, 30, 0, honours), ["isolation"], F(2), Budget)
        assert [piece.least for piece in found.pieces] == [None]
        assert found.needs == "no finite TIME_WAIT is enough"

    def test_losses(self) -> None:
        """C3: kR + M."""
        found = against_losses(core(2, 0, 3, 0), range(3), ["graceful"], Budget)
        assert found == {(0, "graceful"): 1, (1, "graceful"): F(5, 2), (2, "graceful"): 4}


def hatched(shown: SafetyRegion) -> list[str]:
    """The paths that are filled with hatching, but for those of the legend."""
    root = ElementTree.fromstring(region_picture.as_svg(shown))
    return [one.get("d", "") for one in root.iter(f"{SVG}path") if one.get("fill", "").startswith("url(")]


def texts(svg: str) -> list[ElementTree.Element]:
    """Return every text of a picture."""
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))


class TestRegion:
    """The picture, and its text."""

    @pytest.fixture
    def shown(self) -> SafetyRegion:
        """Give a region with every stack."""
        return SafetyRegion("How long", ("asked of nobody",), (GRACEFUL, ISOLATION), known_stacks("rto", F(30)))

    def test_stacks_are_those_that_state_both(self) -> None:
        assert KnownStack("Linux 6.18", F(4), F(2)) in known_stacks("rto", F(30))
        assert KnownStack("FreeBSD", F(30), F(60)) in known_stacks("msl", F(30))
        assert "Windows" not in {stack.name for stack in (*known_stacks("rto", F(30)), *known_stacks("msl", F(30)))}
        letter = [stack for stack in known_stacks("rto", F(60)) if stack.name == "RFC 9293, to the letter"]
        assert letter == [KnownStack("RFC 9293, to the letter", F(2), F(2))]

    def test_every_stack_is_named_once(self, shown: SafetyRegion) -> None:
        said = " ".join("".join(text.itertext()) for text in texts(region_picture.as_svg(shown)))
        for stack in shown.stacks:
            assert said.count(stack.name) == 1

    def test_labels_do_not_overlap(self, shown: SafetyRegion) -> None:
        """Each place found is free, and within the axes."""
        axes = region_picture.axes_of(shown, 100.0)
        labels = list(region_picture.labels(shown, axes))
        rooms = placed(labels, axes.room, list(region_picture.along(shown, axes)))
        assert not any(one.meets(other) for one, other in combinations(rooms, 2))
        assert all(axes.room.left <= room.left and room.right <= axes.room.right for room in rooms)
        assert not any(room.meets(bit) for room in rooms for bit in region_picture.along(shown, axes))

    def test_nothing_is_cut(self, shown: SafetyRegion) -> None:
        svg = region_picture.as_svg(shown)
        root = ElementTree.fromstring(svg)
        wide, high = (float(root.get(name, "0")) for name in ("width", "height"))
        for text in texts(svg):
            assert 0 <= float(text.get("x", "-1")) <= wide
            assert 12 <= float(text.get("y", "-1")) <= high - 6

    def test_how_a_stack_fares(self, shown: SafetyRegion) -> None:
        assert region.fares(shown, KnownStack("one", F(1, 2), F(7, 4))) == (
            "one (TIME_WAIT, in MSL: 1.75; longest RTO, in MSL: 0.5): graceful, which needs 1.5; not isolation, which needs 2"
        )
        assert region.fares(shown, KnownStack("far", F(9), F(7))).endswith("beyond what was computed")

    def test_against_msl_the_same_line_is_in_seconds(self) -> None:
        shown = SafetyRegion("", (), (ISOLATION,), (), "msl", F(30))
        ends = [(stretch.begins, stretch.ends) for stretch in shown.stretches(ISOLATION)]
        assert ends == [((F(15, 2), F(75, 2)), (30, 60)), ((30, 60), (120, 240))]
        assert shown.is_safe(ISOLATION, F(60), F(120)) is True
        assert shown.is_safe(ISOLATION, F(60), F(119)) is False
        assert shown.is_safe(ISOLATION, F(1), F(9)) is shown.is_safe(ISOLATION, F(0), F(9)) is None

    def test_every_piece_has_its_formula(self, shown: SafetyRegion) -> None:
        """Once; where two boundaries are one, in the ink of neither."""
        found = region_picture.formulas(shown)
        assert [(one.text, one.ink) for one in found] == [("MSL + RTO", BLACK), ("2 MSL", BLUE)]
        assert found[1].middle == (F(5, 8), 2)
        said = ["".join(text.itertext()) for text in texts(region_picture.as_svg(shown))]
        assert {"MSL + RTO", "2 MSL"} <= {*said}
        twice = SafetyRegion("", (), (GRACEFUL, replace(GRACEFUL, name="isolation")))
        assert len(region_picture.formulas(twice)) == 1

    def test_where_nothing_is_enough_all_is_unsafe(self) -> None:
        shown = SafetyRegion("", (), (NEVER,), (KnownStack("one", F(1), F(2)),))
        assert "no finite TIME_WAIT is enough" in "".join(ElementTree.fromstring(region_picture.as_svg(shown)).itertext())
        assert region.fares(shown, shown.stacks[0]).endswith("not graceful")
        assert "." not in "".join(re.findall(r"\|(.*)", region_text.as_text(shown)))

    def test_no_more_is_hatched_than_is_known(self) -> None:
        """Beyond the pieces, and between points, there is nothing; under a point there is a line."""
        for boundary, far in ((HALF, F(1)), (GRACEFUL, F(4))):
            shown = SafetyRegion("", (), (boundary,), (KnownStack("far", F(8), F(8)),))
            axes = region_picture.axes_of(shown, 0.0)
            corners = [float(x) for data in hatched(shown) for x in re.findall(r"([\d.]+),", data)]
            high = axes.across.at(far)
            assert min(corners) == pytest.approx(axes.across.at(F(1, 4)), abs=0.1)
            assert max(corners) == pytest.approx(high, abs=0.1)
        points = SafetyRegion("", (), (sampled("graceful", [(F(1), F(2)), (F(2), F(3))]),))
        assert hatched(points) == []
        assert points.is_safe(points.boundaries[0], F(3, 2), F(99)) is None
        assert region_picture.as_svg(points).count("h10") == 3, "two marks, and one in the legend"

    @pytest.mark.parametrize("columns", [50, 80, None])
    def test_text(self, shown: SafetyRegion, columns: int | None) -> None:
        text = region_text.as_text(shown, columns)
        if columns is not None:
            assert max(map(len, text.splitlines())) <= columns
        rows = [row.split("|")[1] for row in text.splitlines() if "|" in row]
        assert len(rows) == region_text.ROWS
        for column in zip(*rows, strict=True):
            kinds = "".join(column).lstrip(" 123456789")
            assert re.fullmatch(r"[.\w]*", kinds)
            assert "." not in kinds.lstrip(".").replace("5", "")  # safe above, unsafe below, never the other way round


class TestBars:
    """Losses."""

    @pytest.fixture
    def shown(self) -> Bars:
        """Give some bars, one of which has no end."""
        least: dict[tuple[int, str], Fraction | None] = {(loss, "isolation"): F(max(2, loss + 1)) for loss in range(3)}
        least |= {(0, "graceful"): F(1), (1, "graceful"): F(2), (2, "graceful"): None}
        return Bars("losses", ("asked of nobody, though at some length, so that it needs a second line",), BOTH, (0, 1, 2), least)

    def test_heights_are_true(self, shown: Bars) -> None:
        root = ElementTree.fromstring(bars.as_svg(shown))
        heights = {}
        for group in root.iter(f"{SVG}g"):
            if group.get("class") == "bar":
                heights[group.findtext(f"{SVG}title")] = float(group.find(f"{SVG}rect").get("height"))  # type: ignore[union-attr, arg-type]
        assert len(heights) == 6
        assert heights["1 lost, graceful: 2 MSL"] == pytest.approx(2 * heights["0 lost, graceful: 1 MSL"], abs=0.2)
        assert heights["2 lost, isolation: 3 MSL"] == pytest.approx(3 * heights["0 lost, graceful: 1 MSL"], abs=0.2)

    def test_what_has_no_end_says_so(self, shown: Bars) -> None:
        assert "2 lost   graceful     more than was tried" in bars.as_text(shown)
        assert "none" in ["".join(text.itertext()) for text in texts(bars.as_svg(shown))]

    @pytest.mark.parametrize("columns", [50, 80])
    def test_text_is_no_wider_than_the_terminal(self, shown: Bars, columns: int) -> None:
        assert max(map(len, bars.as_text(shown, columns).splitlines())) <= columns


class TestAxes:
    """Round numbers, and not too many."""

    @pytest.mark.parametrize("high", [F(1, 20), F(1), F(33, 8), F(9), F(126), F(1234)])
    def test_ticks(self, high: Fraction) -> None:
        found = Scale(high, 0.0, 100.0).ticks()
        assert found[0] == 0
        assert found[-1] <= high
        assert 2 <= len(found) <= 10 or high < F(1, 10)
        assert all(len(plain_number(value)) <= 6 for value in found)

    def test_places(self) -> None:
        axes = Axes(Scale(F(4), 50.0, 250.0), Scale(F(2), 300.0, 100.0), "x", "y")
        assert axes.corner(F(1), F(1)) == "100,200"
        assert axes.room == Rectangle(50, 100, 250, 300)


def test_a_label_without_a_free_place_stands_beside_its_point() -> None:
    """Rather than nowhere."""
    label = PlacedLabel(Size(40, 10), Point(5, 5))
    (room,) = placed([label], Rectangle(0, 0, 10, 10))
    assert room == Rectangle(14, 0, 54, 10)
