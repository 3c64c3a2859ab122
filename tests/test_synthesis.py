"""Thresholds as formulas, of toys whose thresholds are worked out by hand; what is not settled says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from toys import Place, Step, Toy, always, errands, letterbox, names, snoozer, world

from timewait.checker import synthesis
from timewait.checker.certificate import InvariantCertificate, Statement, rejection_by_z3
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.family import ParametricSchedule, ScheduledAction, failed_conditions
from timewait.checker.finding import Budget, Run
from timewait.checker.linear import Terms, as_text, constraint_of
from timewait.checker.projection import delays_in_terms
from timewait.checker.quotient import Quotient
from timewait.checker.ratios import RatioInterval
from timewait.checker.replay import shortened
from timewait.checker.synthesis import (
    MAX_RUNS,
    InconclusiveSynthesis,
    ParameterNames,
    Synthesis,
    ThresholdPiece,
    region_constraints,
)
from timewait.vocabulary.automaton import ZERO

F = Fraction
NAMES = ParameterNames("SCALE", "RATE", "WAIT")
LOW, HIGH = F(1, 4), F(2)
PLAIN: dict[str, Terms] = {ZERO: {}} | {name: {name: F(1)} for name in NAMES}


def search(toy: Toy, *asked: str, budget: Budget | None = None, **more: Terms) -> Synthesis:
    """The search for the thresholds of a toy; more parameters are terms in the three."""

    def shorten(run: Run, broken: str, values: Mapping[str, Fraction]) -> Run:
        return shortened(world(replace(toy, values=values)), run, always(broken))

    return Synthesis(
        (CompiledAutomaton(toy), CompiledAutomaton(Quotient(toy))),
        names(*asked),
        PLAIN | more,
        NAMES,
        shorten,
        budget or Budget(),
    )


def pieces(toy: Toy, *asked: str, low: Fraction = LOW, high: Fraction = HIGH, **more: Terms) -> list[ThresholdPiece]:
    """The pieces of a toy, from the lowest up: each proved from both sides, no ratio left out."""
    found = list(search(toy, *asked, **more).pieces(low, high))[::-1]
    for piece in found:
        believed(toy, piece, asked, PLAIN | more)
    covered(found, low, high)
    return found


def believed(toy: Toy, piece: ThresholdPiece, asked: tuple[str, ...], terms: Mapping[str, Terms]) -> None:
    """What proves a piece is accepted: the invariant from its term on, the run for all that is shorter."""
    if piece.minimum is not None:
        region = tuple(region_constraints(piece, NAMES, safe=True))
        assert (
            rejection_by_z3(InvariantCertificate(Statement(Quotient(toy), names(*asked), terms, region), piece.invariant)) == ""
        )
    if piece.run is not None:
        assert piece.run.broken in asked
        below = region_constraints(piece, NAMES, safe=False)
        if piece.pumped is not None:
            script, below = piece.pumped
        else:
            waits = delays_in_terms(piece.run.path, terms, tuple(below), NAMES)
            assert waits is not None
            script = ParametricSchedule(
                tuple(ScheduledAction(wait, edge.original.action) for wait, (_, edge) in zip(waits, piece.run.path, strict=True))
            )
        assert failed_conditions(CompiledAutomaton(toy), script, piece.run.broken, below, terms) == ""


def covered(found: list[ThresholdPiece], low: Fraction, high: Fraction) -> None:
    """The pieces reach from one ratio to the other, each to where the next one begins; nought is no ratio."""
    left = RatioInterval(low, high, closed_low=low > 0, closed_high=True)
    for piece in reversed(found):
        assert left.above(piece.ratios).empty
        left = left.below(piece.ratios)
    assert left.empty


def told(found: list[ThresholdPiece]) -> list[str]:
    """The terms of some pieces, those of neighbours once."""
    terms = ["none" if piece.minimum is None else as_text(piece.minimum) for piece in found]
    return [term for index, term in enumerate(terms) if index == 0 or term != terms[index - 1]]


class TestThresholds:
    """By hand: how long the longest row of errands takes."""

    def test_one_row(self) -> None:
        found = pieces(errands(["SCALE", "RATE", "SCALE"]), "open")
        assert told(found) == ["RATE + 2*SCALE"]

    def test_the_longer_of_two(self) -> None:
        """Which row is longer changes where RATE = SCALE."""
        found = pieces(errands(["SCALE", "SCALE"], ["SCALE", "RATE"]), "open")
        assert told(found) == ["2*SCALE", "RATE + SCALE"]
        assert found[0].ratios.high == found[-1].ratios.low == 1

    def test_the_longest_of_three(self) -> None:
        """3 RATE beyond SCALE + RATE at 1/2, and 2 SCALE up to that is never the longest."""
        found = pieces(errands(["SCALE", "RATE"], ["RATE", "RATE", "RATE"], ["SCALE"]), "open")
        assert told(found) == ["RATE + SCALE", "3*RATE"]
        assert F(1, 2) in found[-1].ratios

    @pytest.mark.parametrize(("half", "expected"), [({"RATE": F(1, 2)}, "1/2*RATE + SCALE"), ({"SCALE": F(2, 3)}, "5/3*SCALE")])
    def test_parameters_that_are_parts_of_others(self, half: Terms, expected: str) -> None:
        """A half of one, two thirds of the other."""
        found = pieces(errands(["SCALE", "PART"]), "open", PART=half)
        assert set(told(found)) == {expected}

    def test_halves_and_thirds_together(self) -> None:
        """In sixths; as long as the other way at RATE = 2/3 SCALE."""
        parts: dict[str, Terms] = {"HALF": {"RATE": F(1, 2)}, "THIRD": {"SCALE": F(1, 3)}, "THIRDS": {"SCALE": F(2, 3)}}
        found = pieces(errands(["HALF", "THIRD"], ["THIRDS"]), "open", **parts)
        assert told(found) == ["2/3*SCALE", "1/2*RATE + 1/3*SCALE"]
        assert F(2, 3) in found[-1].ratios

    def test_what_dies_in_time(self) -> None:
        """A letter that lives SCALE: folded, and whatever RATE is."""
        toy = letterbox(1, 1)
        life: dict[str, Terms] = {"LIFE": {"SCALE": F(1)}}
        assert told(pieces(toy, "fresh", **life)) == ["SCALE"]

    def test_several_properties(self) -> None:
        """Asked together the stricter one counts; alone each has its own."""
        quick = Step("be quick", "end", ("t > WAIT", "t <= RATE"), violates=names("quick"))
        slow = Step("be slow", "end", ("t > WAIT", "t <= SCALE"), violates=names("slow"))
        toy = Toy("start", {"start": Place(("t",), (), (quick, slow)), "end": Place()}, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        assert told(pieces(toy, "quick")) == ["RATE"]
        assert told(pieces(toy, "slow")) == ["SCALE"]
        assert told(pieces(toy, "quick", "slow")) == ["SCALE", "RATE"]

    def test_nought_is_enough(self) -> None:
        """Nothing bad is ever possible: no run, and an invariant for every wait and ratio."""
        toy = Toy("start", {"start": Place(("t",), ("t <= SCALE",), (Step("go", "start"),))}, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        (piece,) = pieces(toy, "open")
        assert (piece.minimum, piece.run, piece.pumped) == ({}, None, None)
        assert piece.ratios == RatioInterval(F(0), None, closed_low=False, closed_high=False)

    @pytest.mark.parametrize(("guard", "closed"), [("t >= SCALE", True), ("t > SCALE", False)])
    def test_a_run_that_needs_a_ratio(self, guard: str, closed: bool) -> None:
        """Broken from SCALE up to RATE: where RATE is less than SCALE never, though RATE would be enough there too."""
        found = pieces(self.deadlines("t > WAIT", guard, "t <= RATE"), "open")
        assert told(found) == ["0", "RATE"]
        assert (found[-1].ratios.low, found[-1].ratios.closed_low) == (1, closed)

    def test_the_shorter_of_two_deadlines(self) -> None:
        """What comes after either of them is too late to break anything."""
        assert told(pieces(self.deadlines("t > WAIT", "t <= RATE", "t <= SCALE"), "open")) == ["RATE", "SCALE"]

    def deadlines(self, *guard: str) -> Toy:
        """One bad step with a guard of one's choice on the time since the start."""
        bad = Step("break", "end", guard, violates=names("open"))
        return Toy("start", {"start": Place(("t",), (), (bad,)), "end": Place()}, {"SCALE": 1, "RATE": 1, "WAIT": 1})

    def test_none_is_enough(self) -> None:
        """A bad step that asks nothing of the wait."""
        bad = Step("break", "end", ("t >= SCALE",), violates=names("open"))
        toy = Toy("start", {"start": Place(("t",), ("t <= RATE",), (bad,)), "end": Place()}, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        found = pieces(toy, "open")
        assert told(found) == ["0", "none"]
        assert found[-1].ratios == RatioInterval(F(1), None, closed_low=True, closed_high=False)

    def test_longer_and_longer_runs(self) -> None:
        """No wait outlasts who may put it off for ever: one family of runs for every ratio."""
        (piece,) = pieces(snoozer(), "early")
        assert piece.minimum is None
        assert piece.pumped is not None
        assert [str(line.action) for line in piece.pumped[0].repeated] == ["somebody toy snooze 0"]

    def test_unless_the_wait_begins_anew(self) -> None:
        assert told(pieces(snoozer(restarts=True), "early")) == ["RATE"]


class TestRatios:
    """Whatever ratios are asked for, all of them are answered."""

    TOY = errands(["SCALE", "SCALE"], ["SCALE", "RATE"])

    @pytest.mark.parametrize(("ratio", "expected"), [(F(1, 2), F(2)), (F(1), F(2)), (F(3, 2), F(5, 2)), (F(2), F(3))])
    def test_one_alone(self, ratio: Fraction, expected: Fraction) -> None:
        """At a simple ratio bounds cannot be told apart: there all is a multiple of the scale."""
        (piece,) = pieces(self.TOY, "open", low=ratio, high=ratio)
        assert ratio in piece.ratios
        assert piece.minimum == {"SCALE": expected}

    @pytest.mark.parametrize("beyond", [F(1, 10), F(1, 2000), F(1, 100_000)])
    def test_a_change_close_to_the_end(self, beyond: Fraction) -> None:
        """The last piece is not left out, however short."""
        assert told(pieces(self.TOY, "open", high=1 + beyond)) == ["2*SCALE", "RATE + SCALE"]

    def test_a_simple_ratio_is_never_the_one_explored(self) -> None:
        """These ends are such that a ratio of just 1 lies where one of no simple form is looked for."""
        bit = F(1, 2018)
        assert told(pieces(self.TOY, "open", low=F(1, 2) + bit, high=1 + bit)) == ["2*SCALE", "RATE + SCALE"]

    def test_from_nought_on(self) -> None:
        assert told(pieces(self.TOY, "open", low=F(0))) == ["2*SCALE", "RATE + SCALE"]

    def test_the_highest_come_first(self) -> None:
        found = list(search(self.TOY, "open").pieces(LOW, HIGH))
        assert [piece.ratios.low for piece in found] == sorted((piece.ratios.low for piece in found), reverse=True)

    def test_too_close_together(self) -> None:
        """Two ratios between which there is no other one of the size that is looked at."""
        with pytest.raises(InconclusiveSynthesis, match="too close together"):
            list(search(self.TOY, "open").pieces(F(1, 10**9), F(2, 10**9)))


class TestUnsettled:
    """A search that comes to no end says where, and why."""

    def test_a_threshold_that_is_not_reached(self) -> None:
        """Safe for every wait that is longer than SCALE, but not for SCALE: no least one."""
        with pytest.raises(InconclusiveSynthesis, match=rf"^{MAX_RUNS} runs at RATE = 1\.998 SCALE are not enough$"):
            list(search(errands(["SCALE"], relation=">="), "open").pieces(LOW, HIGH))

    def test_rounds_that_cannot_be_told(self) -> None:
        """A way round that is compared with nothing, so that each run just reaches further."""
        with pytest.raises(InconclusiveSynthesis, match=f"^{MAX_RUNS} runs at "):
            list(search(snoozer(unit=None), "early").pieces(LOW, HIGH))

    def test_a_bound_on_the_exploration(self) -> None:
        with pytest.raises(InconclusiveSynthesis, match=r"^stopped at 1 states \(bound 0\), depth 0$"):
            list(search(errands(["SCALE"]), "open", budget=Budget(states=0)).pieces(LOW, HIGH))

    def test_what_was_settled_before_is_kept(self) -> None:
        """The upper ratios are answered before the lower ones turn out to be too many questions."""
        question = search(errands(["SCALE", "SCALE"], ["SCALE", "RATE"]), "open")
        found = question.pieces(LOW, HIGH)
        assert told([next(found)]) == ["RATE + SCALE"]
        question.budget = Budget(states=0)
        with pytest.raises(InconclusiveSynthesis):
            next(found)

    def test_bounds_that_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """More of one parameter than is read."""
        monkeypatch.setattr("timewait.checker.cover.MAX_COEFFICIENT", 1)
        with pytest.raises(InconclusiveSynthesis, match="are not a sum of few SCALE and RATE"):
            list(search(errands(["SCALE", "SCALE"]), "open").pieces(LOW, HIGH))

    def test_runs_without_delays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Zones that lead where no delays do: nothing is concluded from them."""
        monkeypatch.setattr(synthesis.Zones, "run_to", lambda *_: None)
        with pytest.raises(InconclusiveSynthesis, match="no delays make the run that violates open possible"):
            list(search(errands(["SCALE"]), "open").pieces(LOW, HIGH))


class TestRegionOfPiece:
    """The constraints of a piece."""

    PIECE = ThresholdPiece(RatioInterval(F(1, 2), F(2), closed_low=True, closed_high=False), {"SCALE": F(1), "RATE": F(2)}, None)

    @pytest.mark.parametrize("safe", [True, False])
    def test_both_sides(self, safe: bool) -> None:
        """They hold where the ratio lies in the piece and the wait is long enough, or is not."""
        region = region_constraints(self.PIECE, NAMES, safe)
        for rate in (F(1, 4), F(1, 2), F(1), F(2), F(3)):
            for wait in (F(0), 1 + 2 * rate - F(1, 9), 1 + 2 * rate, 1 + 2 * rate + F(1, 9)):
                values = {"SCALE": F(1), "RATE": rate, "WAIT": wait}
                expected = rate in self.PIECE.ratios and (wait >= 1 + 2 * rate) == safe
                assert all(part.holds(values) for part in region) == expected

    def test_where_none_is_enough(self) -> None:
        """Nothing is said of the wait; scale and rate are more than nought."""
        piece = ThresholdPiece(RatioInterval(F(0), None, closed_low=False, closed_high=False), None, None)
        one = F(1)
        expected = [constraint_of({"SCALE": one}, ">"), constraint_of({"RATE": one}, ">")]
        assert region_constraints(piece, NAMES, safe=False) == region_constraints(piece, NAMES, safe=True) == expected
