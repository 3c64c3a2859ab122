"""Charts of safe and unsafe TIME_WAIT: exact boundaries, true heights, labels without overlaps."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, zip_longest
from typing import Any
from xml.etree import ElementTree

import pytest

from timewait.checker.finding import Budget
from timewait.checker.linear import Terms
from timewait.checker.ratios import RatioInterval
from timewait.cli.boundaries import POINTS, UnacceptedProof, against_losses, boundaries, least_at
from timewait.cli.figures import known_stacks
from timewait.diagrams import bars, region, region_chart, region_text
from timewait.diagrams.bars import Bars
from timewait.diagrams.boundary import Boundary, BoundaryPiece, plain_number, sampled
from timewait.diagrams.colours import BLACK, BLUE, COLOURS
from timewait.diagrams.geometry import Point, Rectangle, Size
from timewait.diagrams.label_placement import PlacedLabel, placed
from timewait.diagrams.region import KnownStack, SafetyRegion
from timewait.proofs.claims import close, core
from timewait.proofs.thresholds import ParametricCounterexample, ProvedThreshold
from timewait.spec.configuration import Configuration
from timewait.spec.settings import Behaviour, ResetRule
from timewait.vocabulary.errors import MissingPackage

F = Fraction
SVG = "{http://www.w3.org/2000/svg}"
BOTH = ("graceful", "isolation")


def between(low: Fraction | int, high: Fraction | int) -> RatioInterval:
    """A closed interval of ratios."""
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
    """The boundary as data."""

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

    def test_in_words(self) -> None:
        assert [piece.formula for piece in ISOLATION.pieces] == ["2 MSL", "MSL + RTO"]
        assert NEVER.pieces[0].formula == "no TIME_WAIT is enough"
        assert BoundaryPiece(between(0, 1), {"MSL": F(3, 2), "RTO": F(2)}).formula == "3/2 MSL + 2 RTO"
        assert ISOLATION.sentence == "isolation needs TIME_WAIT >= max(2 MSL, MSL + RTO)"
        assert NEVER.sentence == "graceful: no finite TIME_WAIT is enough"

    def test_nothing_is_known_between_points(self) -> None:
        points = sampled("graceful", [(F(1, 2), F(2)), (F(1), F(2)), (F(2), None)])
        assert points.needs == "as marked, from 2 MSL at RTO = 1/2 MSL to none that was tried at RTO = 2 MSL"
        assert all(piece.is_point for piece in points.pieces)
        assert points.piece_at(F(3, 4)) is None
        assert points.piece_at(F(1)) is not None


class TestBoundaries:
    """The boundary as engines decide it."""

    @pytest.mark.parametrize("scope", [core, close], ids=["core", "close"])
    def test_it_is_the_formula_of_the_claims(self, scope: Callable[..., Configuration]) -> None:
        """C3 for k = 0: M for graceful; 2M for isolation, less in the core where RTO is shorter than MSL."""
        graceful, isolation = boundaries(scope(30, 0, 30, 0), BOTH, F(2), Budget)
        assert [piece.formula for piece in graceful.pieces] == ["MSL"]
        assert graceful.pieces[0].ends == (F(1, 4), F(2))
        expected = ["MSL + RTO", "2 MSL"] if scope is core else ["2 MSL"]
        assert [piece.formula for piece in isolation.pieces] == expected

    def test_points_without_a_formula(self) -> None:
        """Engines decide a network in order in ticks, so there is no formula."""
        (found,) = boundaries(replace(core(2, 0, 2, 0), fifo=True), ["graceful"], F(3), Budget)
        ratios = [piece.ratios.low for piece in found.pieces]
        assert ratios == [*POINTS, *(2 + F(step, 8) for step in range(1, 9))]
        assert all(piece.is_point for piece in found.pieces)

    def test_an_unaccepted_proof_draws_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        doubtful = ProvedThreshold(
            between(0, 1), {}, ParametricCounterexample(None, [], "graceful", None, "cvc5 says no"), None, []
        )
        monkeypatch.setattr("timewait.cli.boundaries.formula", lambda *_: iter((doubtful,)))
        with pytest.raises(UnacceptedProof, match="graceful: a piece of its formula was not accepted: disagreement"):
            boundaries(core(2, 0, 2, 0), ["graceful"], F(1), Budget)

    def test_guesses_do_not_change_the_result(self) -> None:
        """Right and wrong guesses give the same value."""
        asked = core(2, 0, 3, 1)
        known = {name: least_at(asked, [name], Budget, {})[name] for name in BOTH}
        for likely in ([F(9)], [F(2), F(5, 2)], [F(0)], [F(-1)]):
            assert least_at(asked, BOTH, Budget, dict.fromkeys(BOTH, likely)) == known

    def test_no_time_wait_is_enough(self) -> None:
        """C8: a RST ends TIME-WAIT, so no length of it gives isolation."""
        honours = Behaviour(reset=ResetRule.EXACT)
        assert least_at(close(1, 0, 1, 0, honours), ["isolation"], Budget, {}) == {"isolation": None}
        (found,) = boundaries(close(30, 0, 30, 0, honours), ["isolation"], F(2), Budget)
        assert [piece.least for piece in found.pieces] == [None]
        assert found.needs == "no finite TIME_WAIT is enough"

    def test_losses(self) -> None:
        """C3: kR + M."""
        found = against_losses(core(2, 0, 3, 0), range(3), ["graceful"], Budget)
        assert found == {(0, "graceful"): 1, (1, "graceful"): F(5, 2), (2, "graceful"): 4}


def texts(svg: str) -> list[str]:
    """Return every text of a picture, a text of several lines once."""
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def data(chart: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the data of the first layer of some kind of mark; empty without such a layer."""
    return next((layer["data"]["values"] for layer in chart["layer"] if layer["mark"]["type"] == kind), [])


class TestRegion:
    """The chart, and its text."""

    @pytest.fixture
    def shown(self) -> SafetyRegion:
        """Return a region with every stack."""
        return SafetyRegion("How long", ("asked of nobody",), (GRACEFUL, ISOLATION), known_stacks("rto", F(30)))

    def test_the_caption_says_where_harm_is_possible(self, shown: SafetyRegion) -> None:
        """Below the line of a property; at any TIME_WAIT where it has no line."""
        for boundary, said in ((GRACEFUL, "below the line of graceful"), (NEVER, "at any TIME_WAIT, for lack of graceful")):
            chart = region_chart.specification(replace(shown, boundaries=(boundary, ISOLATION)))
            caption = " ".join(chart["title"]["subtitle"])
            assert f"{said}, a RST may cut off the other end; below the line of isolation" in caption

    def test_stacks_with_both_values_are_shown(self) -> None:
        assert KnownStack("Linux 6.18", F(4), F(2)) in known_stacks("rto", F(30))
        assert KnownStack("FreeBSD", F(30), F(60)) in known_stacks("msl", F(30))
        assert "Windows" not in {stack.name for stack in (*known_stacks("rto", F(30)), *known_stacks("msl", F(30)))}
        letter = [stack for stack in known_stacks("rto", F(60)) if stack.name == "RFC 9293 (literal reading)"]
        assert letter == [KnownStack("RFC 9293 (literal reading)", F(2), F(2))]

    def test_every_stack_has_a_point_with_its_number(self, shown: SafetyRegion) -> None:
        svg = region_chart.as_svg(shown)
        for number, stack in enumerate(region.together(shown.stacks), start=1):
            assert str(number) in texts(svg)
            assert f"{number}: {stack.name}" in " ".join(region_chart.specification(shown)["title"]["subtitle"])
            assert region.outcome(shown, stack) in [title.text for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]
        points = {(point["x"], point["y"]) for point in data(region_chart.specification(shown), "point")}
        assert points == {(float(stack.across), float(stack.up)) for stack in shown.stacks}

    def test_labels_do_not_overlap(self, shown: SafetyRegion) -> None:
        """Neither another label nor a boundary, and all lie between the axes."""
        area = Rectangle(0, 0, region_chart.WIDTH, region_chart.HEIGHT)
        lines = list(region_chart.lines_in_pixels(shown))
        boxes = placed(region_chart.labels(shown), area, lines)
        assert not any(box.meets(other) for box, other in combinations(boxes, 2))
        assert not any(box.meets(line) for box in boxes for line in lines)
        assert all(box.within(area) for box in boxes)

    def test_light_colours_have_dark_ones(self, shown: SafetyRegion) -> None:
        root = ElementTree.fromstring(region_chart.as_svg(shown))
        used = {element.get(name) for element in root.iter() for name in ("fill", "stroke")} - {None, "none", "transparent"}
        assert used <= {colour.light for colour in COLOURS}

    def test_which_properties_a_stack_keeps(self, shown: SafetyRegion) -> None:
        assert region.outcome(shown, KnownStack("one", F(1, 2), F(7, 4))) == (
            "one (TIME_WAIT, in MSL: 1.75; longest RTO, in MSL: 0.5): graceful, which needs 1.5; not isolation, which needs 2"
        )
        assert region.outcome(shown, KnownStack("far", F(9), F(7))).endswith("beyond what was computed")

    def test_against_msl_the_same_line_is_in_seconds(self) -> None:
        shown = SafetyRegion("", (), (ISOLATION,), (), "msl", F(30))
        ends: list[tuple[object, object]] = [(stretch.begins, stretch.ends) for stretch in shown.stretches(ISOLATION)]
        assert ends == [((F(15, 2), F(75, 2)), (30, 60)), ((30, 60), (120, 240))]
        assert shown.is_safe(ISOLATION, F(60), F(120)) is True
        assert shown.is_safe(ISOLATION, F(60), F(119)) is False
        assert shown.is_safe(ISOLATION, F(1), F(9)) is shown.is_safe(ISOLATION, F(0), F(9)) is None

    def test_every_piece_has_its_formula(self, shown: SafetyRegion) -> None:
        """Once; a shared piece has a neutral colour."""
        found = region_chart.formulas(shown)
        assert [(one.text, one.colour) for one in found] == [("MSL + RTO", BLACK), ("2 MSL", BLUE)]
        assert found[1].middle == (F(5, 8), F(2))
        assert {"MSL + RTO", "2 MSL"} <= {*texts(region_chart.as_svg(shown))}
        twice = SafetyRegion("", (), (GRACEFUL, replace(GRACEFUL, name="isolation")))
        assert len(region_chart.formulas(twice)) == 1

    def test_everything_is_unsafe_where_no_time_wait_is_enough(self) -> None:
        shown = SafetyRegion("", (), (NEVER,), (KnownStack("one", F(1), F(2)),))
        assert "no finite TIME_WAIT is enough" in "".join(texts(region_chart.as_svg(shown)))
        assert region.outcome(shown, shown.stacks[0]).endswith("not graceful")
        assert "." not in "".join(re.findall(r"\|(.*)", region_text.as_text(shown)))

    def test_only_known_areas_are_shaded(self) -> None:
        """Single points have a mark and no area."""
        for boundary, far in ((HALF, 1.0), (GRACEFUL, 4.0)):
            chart = region_chart.specification(SafetyRegion("", (), (boundary,), (KnownStack("far", F(8), F(8)),)))
            places = [corner["x"] for corner in data(chart, "area")]
            assert (min(places), max(places)) == (0.25, far)
            assert (min(one["x"] for one in data(chart, "rect")), max(one["x2"] for one in data(chart, "rect"))) == (0.25, far)
        points = SafetyRegion("", (), (sampled("graceful", [(F(1), F(2)), (F(2), F(3))]),))
        chart = region_chart.specification(points)
        assert data(chart, "area") == data(chart, "rect") == data(chart, "line") == []
        assert [(one["x"], one["y"]) for one in data(chart, "tick")] == [(1.0, 2.0), (2.0, 3.0)]
        assert points.is_safe(points.boundaries[0], F(3, 2), F(99)) is None
        assert "graceful" in region_chart.as_svg(points)

    def test_without_the_chart_library(self, shown: SafetyRegion, monkeypatch: pytest.MonkeyPatch) -> None:
        """One line names the package to install; the text does not need it."""
        monkeypatch.setitem(sys.modules, "vl_convert", None)
        with pytest.raises(MissingPackage, match=r"vl_convert: pip install 'timewait\[pictures\]'"):
            region_chart.as_svg(shown)
        assert "." in region_text.as_text(shown)

    @pytest.mark.parametrize("columns", [50, 80, None])
    def test_text(self, shown: SafetyRegion, columns: int | None) -> None:
        text = region_text.as_text(shown, columns)
        if columns is not None:
            assert max(map(len, text.splitlines())) <= columns
        rows = [row.split("|")[1] for row in text.splitlines() if "|" in row]
        assert len(rows) == region_text.ROWS
        for column in zip_longest(*rows, fillvalue=" "):
            kinds = "".join(column).lstrip(" 123456789")
            assert re.fullmatch(r"[.\w]*", kinds)
            assert "." not in kinds.lstrip(".").replace("5", "")  # safe above, unsafe below, never the other way round


class TestBars:
    """The bars of losses."""

    @pytest.fixture
    def shown(self) -> Bars:
        """Return some bars, one of them unbounded."""
        least: dict[tuple[int, str], Fraction | None] = {(loss, "isolation"): F(max(2, loss + 1)) for loss in range(3)}
        least |= {(0, "graceful"): F(1), (1, "graceful"): F(2), (2, "graceful"): None}
        return Bars("losses", ("asked of nobody, though at some length, so that it needs a second line",), BOTH, (0, 1, 2), least)

    def test_heights_are_true(self, shown: Bars) -> None:
        root = ElementTree.fromstring(bars.as_svg(shown))
        heights = {}
        for path in root.iter(f"{SVG}path"):
            if path.get("aria-roledescription") == "bar":
                heights[path.findtext(f"{SVG}title")] = float(re.findall(r"v(-?[\d.]+)", path.get("d", ""))[0])
        assert len(heights) == 6
        assert heights["1 lost, graceful: 2 MSL"] == pytest.approx(2 * heights["0 lost, graceful: 1 MSL"], abs=0.2)
        assert heights["2 lost, isolation: 3 MSL"] == pytest.approx(3 * heights["0 lost, graceful: 1 MSL"], abs=0.2)

    def test_an_unbounded_bar_says_so(self, shown: Bars) -> None:
        assert "2 lost   graceful     more than was tried" in bars.as_text(shown)
        assert "none" in texts(bars.as_svg(shown))

    @pytest.mark.parametrize("columns", [50, 80])
    def test_text_is_no_wider_than_the_terminal(self, shown: Bars, columns: int) -> None:
        assert max(map(len, bars.as_text(shown, columns).splitlines())) <= columns


@pytest.mark.parametrize("high", [F(1, 20), F(1), F(33, 8), F(9), F(126), F(1234)])
def test_round_values(high: Fraction) -> None:
    """From 0, and not too many."""
    found = region_text.round_values(high)
    assert found[0] == 0
    assert found[-1] <= high
    assert 2 <= len(found) <= 10 or high < F(1, 10)
    assert all(len(plain_number(value)) <= 6 for value in found)


def test_a_label_without_a_free_place_stands_beside_its_point() -> None:
    """It is not dropped."""
    label = PlacedLabel(Size(40, 10), Point(5, 5))
    assert placed([label], Rectangle(0, 0, 10, 10)) == [Rectangle(14, 0, 54, 10)]
