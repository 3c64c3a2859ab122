"""The pictures of safe and unsafe TIME_WAIT: exact pieces, and labels that do not lie over one another."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import combinations
from xml.etree import ElementTree

import pytest

from checker.finding import Budget
from diagrams import bars, region, region_text
from diagrams.axes import Axes, Scale, plain_number
from diagrams.bars import Bars
from diagrams.boundary import Boundary, Piece, corners, joined
from diagrams.places import Point, Room
from diagrams.placing import Label, placed
from diagrams.region import Known, Region
from diagrams.sizes import Size
from proofs.claims import close, core
from spec.behaviour import Behaviour, ResetRule
from timewait.boundaries import QUARTERS, boundaries, least_at, ratios_up_to
from timewait.depicted import known_stacks

F = Fraction
SVG = "{http://www.w3.org/2000/svg}"
BOTH = ("graceful", "isolation")

GRACEFUL = Boundary("graceful", (Piece(F(1, 4), F(4), {"MSL": F(1), "RTO": F(1)}),))
ISOLATION = Boundary(
    "isolation", (Piece(F(1, 4), F(1), {"MSL": F(2), "RTO": F(0)}), Piece(F(1), F(4), {"MSL": F(1), "RTO": F(1)}))
)
NEVER = Boundary("graceful", ())


class TestBoundary:
    """Points become pieces, exactly."""

    def test_points_in_a_line_are_one_piece(self) -> None:
        points = [(ratio, max(F(2), 1 + ratio)) for ratio in (*QUARTERS, F(3), F(4))]
        assert joined(points) == ISOLATION.pieces
        assert joined([(ratio, 1 + ratio) for ratio, _ in points]) == GRACEFUL.pieces

    def test_thirds_are_exact(self) -> None:
        (piece,) = joined([(F(1, 3), F(1, 7)), (F(2, 3), F(2, 7)), (F(1), F(3, 7))])
        assert piece.terms == {"MSL": 0, "RTO": F(3, 7)}
        assert piece.least(F(7), F(5)) == F(15, 7)

    def test_few_points_are_no_piece(self) -> None:
        assert joined([]) == joined([(F(1), F(2))]) == ()

    def test_formulas(self) -> None:
        assert GRACEFUL.formula == "MSL + RTO"
        assert ISOLATION.formula == "2 MSL up to RTO = MSL, then MSL + RTO"
        assert NEVER.formula == "no TIME_WAIT is enough"
        assert Piece(F(0), F(1), {"MSL": F(3, 2), "RTO": F(2)}).formula == "3/2 MSL + 2 RTO"

    def test_corners(self) -> None:
        assert corners(ISOLATION.pieces) == [(F(1, 4), 2), (1, 2), (1, 2), (4, 5)]


class TestAsked:
    """The boundary is what an engine says, wherever it is asked."""

    def test_it_is_the_threshold_of_the_claims(self) -> None:
        """C3: M + R for graceful; 2M, and M + R beyond R = M, for isolation."""
        found = boundaries(close(2, 0, 1, 1), BOTH, (F(1, 2), F(1), F(3, 2), F(2)), Budget)
        assert [boundary.formula for boundary in found] == [GRACEFUL.formula, ISOLATION.formula]

    def test_a_guess_changes_no_answer(self) -> None:
        """Whatever is said to be known before, true or not, the least value is the same."""
        asked = core(2, 0, 3, 1)
        known = {name: least_at(asked, [name], Budget, {name: ()})[name] for name in BOTH}
        for before in ([(F(1), F(9)), (F(5, 4), F(9))], [(F(1), F(2)), (F(5, 4), F(9, 4))], [(F(1), None)]):
            assert least_at(asked, BOTH, Budget, dict.fromkeys(BOTH, before)) == known

    def test_none_is_enough(self) -> None:
        """C8: a RST ends TIME_WAIT, so no length of it gives isolation."""
        honours = Behaviour(reset=ResetRule.EXACT)
        assert least_at(close(1, 0, 1, 0, honours), ["isolation"], Budget, {"isolation": ()}) == {"isolation": None}

    def test_ratios(self) -> None:
        assert ratios_up_to(F(32, 15))[-2:] == (F(2), F(3))
        assert ratios_up_to(F(2)) == QUARTERS
        assert ratios_up_to(F(4))[-1] == 4


def texts(svg: str) -> list[ElementTree.Element]:
    """Return every text of a picture."""
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))


class TestRegion:
    """The picture, and its text."""

    @pytest.fixture
    def shown(self) -> Region:
        """Give a region with every stack."""
        return Region("How long", ("asked of nobody",), (GRACEFUL, ISOLATION), known_stacks("rto", F(30)))

    def test_stacks_are_those_that_state_both(self) -> None:
        assert Known("Linux 6.18", F(4), F(2)) in known_stacks("rto", F(30))
        assert Known("FreeBSD", F(30), F(60)) in known_stacks("msl", F(30))
        assert "Windows" not in {stack.name for stack in (*known_stacks("rto", F(30)), *known_stacks("msl", F(30)))}
        letter = [stack for stack in known_stacks("rto", F(60)) if stack.name == "RFC 9293, to the letter"]
        assert letter == [Known("RFC 9293, to the letter", F(2), F(2))]

    def test_every_stack_is_named_once(self, shown: Region) -> None:
        said = " ".join("".join(text.itertext()) for text in texts(region.as_svg(shown)))
        for stack in shown.stacks:
            assert said.count(stack.name) == 1

    def test_labels_do_not_overlap(self, shown: Region) -> None:
        """Each place found is free, and within the axes."""
        axes = region.axes_of(shown, 100.0)
        labels = list(region.labels(shown, axes))
        rooms = placed(labels, axes.room, list(region.along(shown, axes)))
        assert not any(one.meets(other) for one, other in combinations(rooms, 2))
        assert all(axes.room.left <= room.left and room.right <= axes.room.right for room in rooms)
        assert not any(room.meets(bit) for room in rooms for bit in region.along(shown, axes))

    def test_nothing_is_cut(self, shown: Region) -> None:
        svg = region.as_svg(shown)
        root = ElementTree.fromstring(svg)
        wide, high = (float(root.get(name, "0")) for name in ("width", "height"))
        for text in texts(svg):
            assert 0 <= float(text.get("x", "-1")) <= wide
            assert 12 <= float(text.get("y", "-1")) <= high - 6

    def test_how_a_stack_fares(self, shown: Region) -> None:
        assert region.fares(shown, Known("one", F(1, 2), F(7, 4))) == (
            "one (TIME_WAIT, in MSL: 1.75; longest RTO, in MSL: 0.5): graceful, which needs 1.5; not isolation, which needs 2"
        )
        assert region.fares(shown, Known("far", F(9), F(7))).endswith("beyond what was computed")

    def test_against_msl_the_same_line_is_in_seconds(self) -> None:
        shown = Region("", (), (ISOLATION,), (), "msl", F(30))
        assert shown.line_of(ISOLATION) == [(F(15, 2), F(75, 2)), (30, 60), (30, 60), (120, 240)]
        assert shown.least(ISOLATION, F(60)) == 120
        assert shown.least(ISOLATION, F(1)) is None

    def test_where_nothing_is_enough_all_is_unsafe(self) -> None:
        shown = Region("", (), (NEVER,), (Known("one", F(1), F(2)),))
        assert "no TIME_WAIT is enough" in "".join(ElementTree.fromstring(region.as_svg(shown)).itertext())
        assert region.fares(shown, shown.stacks[0]).endswith("not graceful")
        assert "." not in "".join(re.findall(r"\|(.*)", region_text.as_text(shown)))

    @pytest.mark.parametrize("columns", [50, 80, None])
    def test_text(self, shown: Region, columns: int | None) -> None:
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
        assert axes.room == Room(50, 100, 250, 300)


def test_a_label_without_a_free_place_stands_beside_its_point() -> None:
    """Rather than nowhere."""
    label = Label(Size(40, 10), Point(5, 5))
    (room,) = placed([label], Room(0, 0, 10, 10))
    assert room == Room(14, 0, 54, 10)
