"""Thresholds as formulas, of toys whose thresholds are known; a search that fails reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from toys import Place, Step, Toy, always, errands, letterbox, names, snoozer, world

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
    """The search for the thresholds of a toy; further parameters are terms in the three symbolic ones."""

    def shorten(run: Run, violated: str, values: Mapping[str, Fraction]) -> Run:
        return shortened(world(replace(toy, values=values)), run, always(violated))

    return Synthesis(
        (CompiledAutomaton(toy), CompiledAutomaton(Quotient(toy))),
        names(*asked),
        PLAIN | more,
        NAMES,
        shorten,
        budget or Budget(),
    )


def pieces(toy: Toy, *asked: str, low: Fraction = LOW, high: Fraction = HIGH, **more: Terms) -> list[ThresholdPiece]:
    """The pieces of a toy, from the smallest ratio up, each proved from both sides, without gaps."""
    found = list(search(toy, *asked, budget=None, **more).pieces(low, high))[::-1]
    for piece in found:
        accepted(toy, piece, asked, PLAIN | more)
    covered(found, low, high)
    return found


def accepted(toy: Toy, piece: ThresholdPiece, asked: tuple[str, ...], terms: Mapping[str, Terms]) -> None:
    """The proofs of a piece are accepted: the invariant for its term and above, the run below."""
    if piece.minimum is not None:
        region = tuple(region_constraints(piece, NAMES, safe=True))
        assert (
            rejection_by_z3(InvariantCertificate(Statement(Quotient(toy), names(*asked), terms, region), piece.invariant)) == ""
        )
    if piece.run is not None:
        assert piece.run.violated in asked
        below = region_constraints(piece, NAMES, safe=False)
        if piece.pumped is not None:
            schedule, below = piece.pumped
        else:
            waits = delays_in_terms(piece.run.path, terms, tuple(below), NAMES)
            assert waits is not None
            schedule = ParametricSchedule(
                tuple(ScheduledAction(wait, edge.original.action) for wait, (_, edge) in zip(waits, piece.run.path, strict=True))
            )
        assert failed_conditions(CompiledAutomaton(toy), schedule, piece.run.violated, below, terms) == ""


def covered(found: list[ThresholdPiece], low: Fraction, high: Fraction) -> None:
    """The pieces cover the interval without gaps and overlaps; zero is not a ratio."""
    left = RatioInterval(low, high, closed_low=low > 0, closed_high=True)
    for piece in reversed(found):
        assert left.above(piece.ratios).empty
        left = left.below(piece.ratios)
    assert left.empty


def terms_of(found: list[ThresholdPiece]) -> list[str]:
    """The terms of some pieces, with equal neighbours joined."""
    terms = ["none" if piece.minimum is None else as_text(piece.minimum) for piece in found]
    return [term for index, term in enumerate(terms) if index == 0 or term != terms[index - 1]]


class TestThresholds:
    """The longest sequence of errands, worked out by hand."""

    def test_one_sequence(self) -> None:
        found = pieces(errands(["SCALE", "RATE", "SCALE"]), "open")
        assert terms_of(found) == ["RATE + 2*SCALE"]

    def test_the_longer_of_two(self) -> None:
        """The longer sequence changes at RATE = SCALE."""
        found = pieces(errands(["SCALE", "SCALE"], ["SCALE", "RATE"]), "open")
        assert terms_of(found) == ["2*SCALE", "RATE + SCALE"]
        assert found[0].ratios.high == found[-1].ratios.low == 1

    def test_the_longest_of_three(self) -> None:
        """3 RATE exceeds SCALE + RATE from 1/2 on; 2 SCALE is never the longest."""
        found = pieces(errands(["SCALE", "RATE"], ["RATE", "RATE", "RATE"], ["SCALE"]), "open")
        assert terms_of(found) == ["RATE + SCALE", "3*RATE"]
        assert F(1, 2) in found[-1].ratios

    @pytest.mark.parametrize(("half", "expected"), [({"RATE": F(1, 2)}, "1/2*RATE + SCALE"), ({"SCALE": F(2, 3)}, "5/3*SCALE")])
    def test_fractions_of_parameters(self, half: Terms, expected: str) -> None:
        """Half of one parameter, two thirds of the other."""
        found = pieces(errands(["SCALE", "PART"]), "open", PART=half)
        assert set(terms_of(found)) == {expected}

    def test_halves_and_thirds_together(self) -> None:
        """Sums of sixths; the sequences are equal at RATE = 2/3 SCALE."""
        parts: dict[str, Terms] = {"HALF": {"RATE": F(1, 2)}, "THIRD": {"SCALE": F(1, 3)}, "THIRDS": {"SCALE": F(2, 3)}}
        found = pieces(errands(["HALF", "THIRD"], ["THIRDS"]), "open", low=LOW, high=HIGH, **parts)
        assert terms_of(found) == ["2/3*SCALE", "1/2*RATE + 1/3*SCALE"]
        assert F(2, 3) in found[-1].ratios

    def test_lifetimes(self) -> None:
        """A letter with lifetime SCALE, in the quotient, for every RATE."""
        toy = letterbox(1, 1)
        life: dict[str, Terms] = {"LIFE": {"SCALE": F(1)}}
        assert terms_of(pieces(toy, "fresh", low=LOW, high=HIGH, **life)) == ["SCALE"]

    def test_several_properties(self) -> None:
        """Together the stricter property decides; alone each has its own threshold."""
        quick = Step("be quick", "end", ("t > WAIT", "t <= RATE"), violates=names("quick"))
        slow = Step("be slow", "end", ("t > WAIT", "t <= SCALE"), violates=names("slow"))
        toy = Toy("start", {"start": Place(("t",), (), (quick, slow)), "end": Place()}, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        assert terms_of(pieces(toy, "quick")) == ["RATE"]
        assert terms_of(pieces(toy, "slow")) == ["SCALE"]
        assert terms_of(pieces(toy, "quick", "slow")) == ["SCALE", "RATE"]

    def test_zero_is_safe(self) -> None:
        """No bad edge is possible: no run, and an invariant for every wait and ratio."""
        toy = Toy("start", {"start": Place(("t",), ("t <= SCALE",), (Step("go", "start"),))}, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        (piece,) = pieces(toy, "open")
        assert (piece.minimum, piece.run, piece.pumped) == ({}, None, None)
        assert piece.ratios == RatioInterval(F(0), None, closed_low=False, closed_high=False)

    @pytest.mark.parametrize(("guard", "closed"), [("t >= SCALE", True), ("t > SCALE", False)])
    def test_a_run_that_needs_a_ratio(self, guard: str, closed: bool) -> None:
        """Violated between SCALE and RATE: never where RATE is less than SCALE."""
        found = pieces(self.deadlines("t > WAIT", guard, "t <= RATE"), "open")
        assert terms_of(found) == ["0", "RATE"]
        assert (found[-1].ratios.low, found[-1].ratios.closed_low) == (F(1), closed)

    def test_the_shorter_of_two_deadlines(self) -> None:
        """After either deadline nothing is violated."""
        assert terms_of(pieces(self.deadlines("t > WAIT", "t <= RATE", "t <= SCALE"), "open")) == ["RATE", "SCALE"]

    def deadlines(self, *guard: str) -> Toy:
        """One bad edge with a guard on the time since the start."""
        bad = Step("break", "end", guard, violates=names("open"))
        return Toy("start", {"start": Place(("t",), (), (bad,)), "end": Place()}, {"SCALE": 1, "RATE": 1, "WAIT": 1})

    def test_none_is_safe(self) -> None:
        """A bad edge that does not depend on the wait."""
        bad = Step("break", "end", ("t >= SCALE",), violates=names("open"))
        toy = Toy("start", {"start": Place(("t",), ("t <= RATE",), (bad,)), "end": Place()}, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        found = pieces(toy, "open")
        assert terms_of(found) == ["0", "none"]
        assert found[-1].ratios == RatioInterval(F(1), None, closed_low=True, closed_high=False)

    def test_longer_and_longer_runs(self) -> None:
        """A loop outlasts every wait: one schedule for every ratio."""
        (piece,) = pieces(snoozer(), "early")
        assert piece.minimum is None
        assert piece.pumped is not None
        assert [str(line.action) for line in piece.pumped[0].repeated] == ["somebody toy snooze 0"]

    def test_unless_the_loop_resets_the_wait(self) -> None:
        assert terms_of(pieces(snoozer(restarts=True), "early")) == ["RATE"]


class TestRatios:
    """Every ratio of an interval is covered."""

    TOY = errands(["SCALE", "SCALE"], ["SCALE", "RATE"])

    @pytest.mark.parametrize(("ratio", "expected"), [(F(1, 2), F(2)), (F(1), F(2)), (F(3, 2), F(5, 2)), (F(2), F(3))])
    def test_one_alone(self, ratio: Fraction, expected: Fraction) -> None:
        """At one ratio bounds are multiples of the scale."""
        (piece,) = pieces(self.TOY, "open", low=ratio, high=ratio)
        assert ratio in piece.ratios
        assert piece.minimum == {"SCALE": expected}

    @pytest.mark.parametrize("beyond", [F(1, 10), F(1, 2000), F(1, 100_000)])
    def test_a_change_close_to_the_end(self, beyond: Fraction) -> None:
        """A short last piece is found."""
        assert terms_of(pieces(self.TOY, "open", high=1 + beyond)) == ["2*SCALE", "RATE + SCALE"]

    def test_a_simple_ratio_is_never_the_one_explored(self) -> None:
        """The generic ratio of this interval would be 1, which is not generic."""
        bit = F(1, 2018)
        assert terms_of(pieces(self.TOY, "open", low=F(1, 2) + bit, high=1 + bit)) == ["2*SCALE", "RATE + SCALE"]

    def test_from_zero(self) -> None:
        assert terms_of(pieces(self.TOY, "open", low=F(0))) == ["2*SCALE", "RATE + SCALE"]

    def test_the_highest_come_first(self) -> None:
        found = list(search(self.TOY, "open").pieces(LOW, HIGH))
        assert [piece.ratios.low for piece in found] == sorted((piece.ratios.low for piece in found), reverse=True)

    def test_too_close_together(self) -> None:
        """No generic ratio lies between the ends."""
        with pytest.raises(InconclusiveSynthesis, match="too close together"):
            list(search(self.TOY, "open").pieces(F(1, 10**9), F(2, 10**9)))


class TestInconclusive:
    """A search that fails reports the ratio and the reason."""

    def test_a_threshold_that_is_not_reached(self) -> None:
        """Safe for every wait longer than SCALE but not for SCALE: there is no minimum."""
        with pytest.raises(InconclusiveSynthesis, match=rf"^{MAX_RUNS} runs at RATE = 1\.998 SCALE are not enough$"):
            list(search(errands(["SCALE"], relation=">="), "open").pieces(LOW, HIGH))

    def test_a_loop_without_a_unit(self) -> None:
        """No guard of the loop mentions a unit of time, so each run only reaches further."""
        with pytest.raises(InconclusiveSynthesis, match=f"^{MAX_RUNS} runs at "):
            list(search(snoozer(unit=None), "early").pieces(LOW, HIGH))

    def test_a_bound_on_the_exploration(self) -> None:
        with pytest.raises(InconclusiveSynthesis, match=r"^stopped at 1 states \(bound 0\), depth 0$"):
            list(search(errands(["SCALE"]), "open", budget=Budget(states=0)).pieces(LOW, HIGH))

    def test_pieces_found_before_are_kept(self) -> None:
        """The upper ratios are covered before the search fails at the lower ones."""
        question = search(errands(["SCALE", "SCALE"], ["SCALE", "RATE"]), "open")
        found = question.pieces(LOW, HIGH)
        assert terms_of([next(found)]) == ["RATE + SCALE"]
        question.budget = Budget(states=0)
        with pytest.raises(InconclusiveSynthesis):
            next(found)

    def test_bounds_that_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A coefficient is too large."""
        monkeypatch.setattr("timewait.checker.cover.MAX_COEFFICIENT", 1)
        with pytest.raises(InconclusiveSynthesis, match="are not a sum of few SCALE and RATE"):
            list(search(errands(["SCALE", "SCALE"]), "open").pieces(LOW, HIGH))

    def test_runs_without_delays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run of the zones without delays is not used."""
        monkeypatch.setattr("timewait.checker.synthesis.Zones.run_to", lambda *_: None)
        with pytest.raises(InconclusiveSynthesis, match="no delays make the run that violates open possible"):
            list(search(errands(["SCALE"]), "open").pieces(LOW, HIGH))


class TestRegionOfPiece:
    """The constraints of a piece."""

    PIECE = ThresholdPiece(RatioInterval(F(1, 2), F(2), closed_low=True, closed_high=False), {"SCALE": F(1), "RATE": F(2)}, None)

    @pytest.mark.parametrize("safe", [True, False])
    def test_both_sides(self, safe: bool) -> None:
        """They hold where the ratio lies in the piece and the wait is safe, or unsafe."""
        region = region_constraints(self.PIECE, NAMES, safe)
        for rate in (F(1, 4), F(1, 2), F(1), F(2), F(3)):
            for wait in (F(0), 1 + 2 * rate - F(1, 9), 1 + 2 * rate, 1 + 2 * rate + F(1, 9)):
                values = {"SCALE": F(1), "RATE": rate, "WAIT": wait}
                expected = rate in self.PIECE.ratios and (wait >= 1 + 2 * rate) == safe
                assert all(part.holds(values) for part in region) == expected

    def test_where_none_is_safe(self) -> None:
        """No constraint on the wait; scale and rate are positive."""
        piece = ThresholdPiece(RatioInterval(F(0), None, closed_low=False, closed_high=False), None, None)
        one = F(1)
        expected = [constraint_of({"SCALE": one}, ">"), constraint_of({"RATE": one}, ">")]
        assert region_constraints(piece, NAMES, safe=False) == region_constraints(piece, NAMES, safe=True) == expected
