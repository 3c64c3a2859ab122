"""Covers: they include all reachable states, are minimal, and are inductive for the stated ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from toys import Place, Step, Toy, fischer, lamp, letterbox, names, relay, soiled, window

from timewait.checker import dbm
from timewait.checker.certificate import Invariant, InvariantCertificate, Statement, rejection_by_z3
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.cover import (
    Cover,
    NotGeneric,
    SideCondition,
    SumReading,
    TickReading,
    constants,
    cover_of,
    invariant,
    minimal_bounds,
    multiples,
    ratio_interval,
    side_conditions,
    trimmed,
)
from timewait.checker.dbm import Zone
from timewait.checker.finding import Budget
from timewait.checker.linear import Terms, constraint
from timewait.checker.quotient import Quotient
from timewait.checker.ratios import EVERY_RATIO, NO_RATIO, RatioInterval
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Location

F = Fraction


def explored(toy: Toy) -> Zones:
    """The finished zones of a toy."""
    zones = Zones(CompiledAutomaton(Quotient(toy)))
    zones.explore(Budget())
    assert not zones.stopped
    return zones


def rejected(toy: Toy, found: Invariant, bad: str, terms: Mapping[str, Terms] | None = None, *region: str) -> str:
    """The reason why Z3 rejects an invariant, for a toy's own values or for all values in a region."""
    given_terms = {name: {"": value} if value else {} for name, value in toy.parameters.items()} if terms is None else terms
    return rejection_by_z3(
        InvariantCertificate(Statement(Quotient(toy), names(bad), given_terms, tuple(map(constraint, region))), found)
    )


def invariant_of(zones: Zones, cover: Cover) -> Invariant:
    """The invariant of a cover at the explored values."""
    return invariant(zones, cover, constants(zones.unit))


SAFE = {
    "a bad step that comes too late": (window(">", 3, 3), "safe"),
    "a bad step that comes too early": (window("==", 4, 3), "safe"),
    "Fischer": (fischer(2, 2), "exclusion"),
    "Fischer, halves": (fischer(F(1, 2), F(3, 2), ">="), "exclusion"),
    "a letter that dies in time": (letterbox(2, 2), "fresh"),
    "clocks under two names": (relay(), "never"),
    "a lamp": (lamp(), "never"),
}
"""Toys with a property that they keep, decided by hand."""

every_safe_toy = pytest.mark.parametrize(("toy", "bad"), SAFE.values(), ids=SAFE)


# --- minimal bounds -------------------------------------------------------------------------------------------


@st.composite
def zones_(draw: st.DrawFn) -> Zone:
    """A canonical, nonempty zone."""
    size = draw(st.integers(2, 4))
    bound = st.integers(-5, 12) | st.just(dbm.INFINITE)
    zone = np.array(draw(st.lists(bound, min_size=size * size, max_size=size * size)), dtype=np.int64).reshape(size, size)
    zone[0] = np.minimum(zone[0], dbm.AT_MOST_ZERO)
    np.fill_diagonal(zone, dbm.AT_MOST_ZERO)
    zone = dbm.close(zone)
    assume((np.diag(zone) == dbm.AT_MOST_ZERO).all())
    return zone


def of_entries(zone: Zone, entries: list[tuple[int, int]]) -> Zone:
    """The zone with only some entries of a zone."""
    result = np.full_like(zone, dbm.INFINITE)
    np.fill_diagonal(result, dbm.AT_MOST_ZERO)
    for row, column in entries:
        result[row, column] = zone[row, column]
    return dbm.close(result)


class TestMinimal:
    """The entries from which all others follow."""

    @given(zones_())
    def test_sufficient_and_minimal(self, zone: Zone) -> None:
        entries = minimal_bounds(zone)
        assert len(set(entries)) == len(entries)
        assert (of_entries(zone, entries) == zone).all()
        for entry in entries:
            assert (of_entries(zone, [other for other in entries if other != entry]) != zone).any()

    def test_by_hand(self) -> None:
        """With x = y <= 2, a cycle of differences and one bound remain."""
        zone = dbm.close(np.array([[1, 1, 1], [5, 1, 1], [5, 1, 1]], dtype=np.int64))
        assert sorted(minimal_bounds(zone)) == [(0, 1), (1, 0), (1, 2), (2, 1)]

    def test_two_cycles_by_hand(self) -> None:
        """With x = y and u = v, two cycles and the bounds of zero remain."""
        far = dbm.INFINITE
        rows = [[1, 1, 1, 1, 1], [far, 1, 1, far, far], [far, 1, 1, far, far], [far, far, far, 1, 1], [far, far, far, 1, 1]]
        zone = dbm.close(np.array(rows, dtype=np.int64))
        assert sorted(minimal_bounds(zone)) == [(0, 1), (0, 3), (1, 2), (2, 1), (3, 4), (4, 3)]


# --- covers --------------------------------------------------------------------------------------------------------


class TestCover:
    """The zones of a finished exploration are an invariant."""

    @every_safe_toy
    def test_is_an_invariant(self, toy: Toy, bad: str) -> None:
        zones = explored(toy)
        assert bad not in zones.broken
        cover = cover_of(zones)
        assert {place: len(regions) for place, regions in cover.items()} == {
            place: len(stack) for place, stack in zones.cover().items()
        }
        assert rejected(toy, invariant_of(zones, cover), bad) == ""

    @every_safe_toy
    def test_every_zone_is_needed(self, toy: Toy, bad: str) -> None:
        """No zone includes another one, and its states are reachable."""
        zones = explored(toy)
        cover = cover_of(zones)
        for place, regions in cover.items():
            for region in regions:
                fewer = {**cover, place: [other for other in regions if other is not region]}
                assert "sat (Z3)" in rejected(toy, invariant_of(zones, fewer), bad)

    @pytest.mark.parametrize(
        ("toy", "bad"),
        [(window(">", 2, 3), "safe"), (fischer(2, 1), "exclusion"), (letterbox(2, 1), "fresh"), (soiled(), "shut")],
    )
    def test_none_where_the_property_is_violated(self, toy: Toy, bad: str) -> None:
        zones = explored(toy)
        assert bad in zones.broken
        assert rejected(toy, invariant_of(zones, cover_of(zones)), bad).startswith("safe query")

    def test_text(self) -> None:
        """The lamp has a bound of three seconds; no clock is active in the dark."""
        zones = explored(lamp())
        found = invariant_of(zones, cover_of(zones))
        assert found == {"dark": ["true"], "lit": ["(and (<= (- 0.0 x0) 0.0) (<= x0 3.0))"]}


class TestTrimmed:
    """Covers without redundant bounds."""

    @every_safe_toy
    def test_is_a_minimal_invariant(self, toy: Toy, bad: str) -> None:
        zones = explored(toy)
        whole = cover_of(zones)
        cover = trimmed(zones, whole, names(bad))
        assert rejected(toy, invariant_of(zones, cover), bad) == ""
        for place, regions in cover.items():
            assert len(regions) <= len(whole[place])
            for index, region in enumerate(regions):
                for entry in region.entries:
                    fewer = region._replace(entries=[other for other in region.entries if other != entry])
                    wider = {**cover, place: [*regions[:index], fewer, *regions[index + 1 :]]}
                    assert "sat (Z3)" in rejected(toy, invariant_of(zones, wider), bad), (place, entry)

    def test_does_not_change_its_argument(self) -> None:
        zones = explored(fischer(2, 2))
        cover = cover_of(zones)
        before = {place: list(regions) for place, regions in cover.items()}
        trimmed(zones, cover, names("exclusion"))
        assert cover == before

    def test_the_invariant_may_bound_another_clock(self) -> None:
        """Both clocks show the same, and it is y that must not pass LIMIT; without that x may show more, after a wait.

        By hand: of all bounds on x and y only ``x - y <= 0`` is needed.
        """
        bad = Step("break", "end", ("x > MORE",), violates=names("safe"))
        steps = (bad, Step("leave", "end", ("y >= LIMIT",)), Step("glance", "end", ("x <= MORE",)))
        toy = Toy("start", {"start": Place(("x", "y"), ("y <= LIMIT",), steps), "end": Place()}, {"LIMIT": 2, "MORE": 3})
        zones = explored(toy)
        cover = cover_of(zones)
        assert cover[zones.automaton.start][0].entries == [(1, 2), (2, 1), (0, 1), (1, 0)]
        cover = trimmed(zones, cover, names("safe"))
        assert rejected(toy, invariant_of(zones, cover), "safe") == ""
        (region,) = cover[zones.automaton.start]
        assert region.entries == [(1, 2)]

    def test_an_included_zone_is_dropped(self) -> None:
        """Without bad edges no bound is needed: of two unbounded zones one remains."""
        first = (Step("start u again", "end", keeps=("t",)), Step("start t again", "end", keeps=("u",)))
        guards = [(f"{name} {relation} LIMIT",) for name in "tu" for relation in ("<=", ">")]
        end = Place(("t", "u"), (), [Step("look", "out", guard) for guard in guards])
        toy = Toy("start", {"start": Place(("t", "u"), (), first), "end": end, "out": Place()}, {"LIMIT": 1})
        zones = explored(toy)
        assert [len(regions) for regions in cover_of(zones).values()] == [1, 2, 1]
        cover = trimmed(zones, cover_of(zones), names("safe"))
        assert [[region.entries for region in regions] for regions in cover.values()] == [[[]], [[]], [[]]]
        assert rejected(toy, invariant_of(zones, cover), "safe") == ""


# --- ticks as linear terms ------------------------------------------------------------------------------------------------


class TestReadings:
    """The linear term that a number of ticks stands for."""

    def test_constants(self) -> None:
        reading = constants(F(1, 4))
        assert reading(6) == {"": F(3, 2)}
        assert reading(-1) == {"": F(-1, 4)}
        assert reading(0) == {}

    def test_multiples(self) -> None:
        reading = multiples("MSL", 4)
        assert reading(8) == {"MSL": 2}
        assert reading(-3) == {"MSL": F(-3, 4)}
        assert reading(0) == {}

    @given(st.integers(-4096, 4096), st.integers(-4096, 4096), st.integers(2, 2_000_000))
    def test_pair(self, one: int, other: int, ticks: int) -> None:
        """Every sum with small coefficients is found."""
        prime = 16_777_213
        expected = {name: F(factor) for name, factor in (("A", one), ("B", other)) if factor}
        assert SumReading("A", "B", prime, ticks)(one * prime + other * ticks) == expected

    @pytest.mark.parametrize(("parts", "tick"), [(2, F(1, 2)), (6, F(1, 6)), (6, F(1, 3)), (2, F(1)), (3, F(7, 3))])
    def test_pair_in_parts(self, parts: int, tick: Fraction) -> None:
        """Sums of halves or thirds, for any length of a tick."""
        reading = SumReading("A", "B", 1009, 210, tick, parts)
        found = 0
        for one in range(-6, 7):
            for other in range(-6, 7):
                ticks = (one * 1009 + other * 210) / (tick * parts)
                if ticks.denominator == 1:
                    assert reading(int(ticks)) == {
                        name: F(factor, parts) for name, factor in (("A", one), ("B", other)) if factor
                    }
                    found += 1
        assert found > 1

    @pytest.mark.parametrize(
        "reading", [SumReading("A", "B", 16_777_213, 8_388_607), SumReading("A", "B", 16_777_213, 10_000, F(1, 2))]
    )
    def test_no_sum_of_few(self, reading: TickReading) -> None:
        """A quarter of A, and half a tick more than a sum."""
        with pytest.raises(NotGeneric, match=r"^4194303 ticks are not a sum of few A and B$"):
            reading(4_194_303)


# --- side conditions -------------------------------------------------------------------------------------------

PRIME = 1_000_003
"""Ticks of the reference parameter."""


def where(toy: Toy, low: str, high: str, ratio: Fraction) -> tuple[RatioInterval, Invariant]:
    """The ratios ``high / low`` for which the cover found at one of them is inductive, and its invariant."""
    ticks = int(ratio * PRIME)
    zones = explored(replace(toy, values={low: PRIME, high: ticks}))
    cover, reading = cover_of(zones), SumReading(low, high, PRIME, ticks)
    return ratio_interval(side_conditions(zones, cover, reading), high, low), invariant(zones, cover, reading)


def late() -> Toy:
    """A window that is open up to SHUT, and an arrival at LATE or later."""
    come = Step("come", "door", ("x >= LATE",), ("x",))
    bad = Step("find it open", "door", ("x <= SHUT",), violates=names("shut"))
    again = Step("come again", "door", ("x > SHUT",), ("x",))
    places: dict[Location, Place] = {"home": Place(("x",), (), (come, again)), "door": Place(("x",), (), (bad,))}
    return Toy("home", places, {"LATE": 2, "SHUT": 1})


class TestSideConditions:
    """A cover is inductive for the ratios of its side conditions, which are those of the theory."""

    @pytest.mark.parametrize(
        ("toy", "bad", "low", "high", "closed"),
        [
            (fischer(1, 2, ">"), "exclusion", "WITHIN", "AFTER", True),
            (fischer(1, 2, ">="), "exclusion", "WITHIN", "AFTER", False),
            (letterbox(1, 2), "fresh", "LIFE", "WAIT", True),
            (window(">", 2, 1), "safe", "DEADLINE", "LIMIT", True),
            (window(">=", 2, 1), "safe", "DEADLINE", "LIMIT", False),
            (window("==", 2, 1), "safe", "DEADLINE", "LIMIT", False),
            (late(), "shut", "SHUT", "LATE", False),
        ],
    )
    def test_safe_from_one_on(self, toy: Toy, bad: str, low: str, high: str, closed: bool) -> None:
        ratios, found = where(toy, low, high, F(17, 10))
        assert ratios == RatioInterval(F(1), None, closed, closed_high=False)
        terms = {low: {low: F(1)}, high: {high: F(1)}, "0": {}}
        relation = ">=" if closed else ">"
        assert rejected(toy, found, bad, terms, f"{low} > 0", f"{high} {relation} {low}") == ""
        assert "sat (Z3)" in rejected(toy, found, bad, terms, f"{low} > 0", f"{high} >= 99/100*{low}")

    def test_only_below(self) -> None:
        """The bad edge must come before DEADLINE, which needs a small ratio; no ratio is zero."""
        ratios, found = where(window("==", 2, 1), "LIMIT", "DEADLINE", F(1, 3))
        assert ratios == RatioInterval(F(0), F(1), closed_low=False, closed_high=False)
        terms = {name: {name: F(1)} for name in ("LIMIT", "DEADLINE")} | {"0": {}}
        assert rejected(window("==", 2, 1), found, "safe", terms, "LIMIT > DEADLINE") == ""

    def test_interval_of_comparisons(self) -> None:
        """Each comparison requires a sum to be at most zero, or less."""

        def given_by(*comparisons: tuple[int, int, bool]) -> RatioInterval:
            terms = [SideCondition({"B": F(constant), "A": F(slope)}, strict) for constant, slope, strict in comparisons]
            return ratio_interval(iter(terms), "A", "B")

        assert given_by() == EVERY_RATIO
        assert given_by((-3, 2, False)) == RatioInterval(F(0), F(3, 2), closed_low=False, closed_high=True)
        assert given_by((-3, 2, False), (-3, 2, True)) == RatioInterval(F(0), F(3, 2), closed_low=False, closed_high=False)
        assert given_by((3, -2, True)) == RatioInterval(F(3, 2), None, closed_low=False, closed_high=False)
        assert given_by((1, -2, False), (-9, 3, True), (-8, 2, False)) == RatioInterval(
            F(1, 2), F(3), closed_low=True, closed_high=False
        )
        assert given_by((-1, 0, True), (-1, -1, False)) == EVERY_RATIO


# --- intervals -----------------------------------------------------------------------------------------------------

ratios = st.integers(0, 12).map(lambda number: F(number, 2))


@st.composite
def intervals(draw: st.DrawFn) -> RatioInterval:
    """Any interval, possibly empty."""
    high = draw(st.none() | ratios)
    return RatioInterval(draw(ratios), high, draw(st.booleans()), high is not None and draw(st.booleans()))


EVERYWHERE = [F(number, 4) for number in range(28)]


class TestInterval:
    """Intervals are compared by their members; ends are halves, and quarters lie between them."""

    @given(intervals(), intervals())
    def test_meet(self, one: RatioInterval, other: RatioInterval) -> None:
        assert all((ratio in one.meet(other)) == (ratio in one and ratio in other) for ratio in EVERYWHERE)

    @given(intervals(), intervals())
    def test_below_and_above(self, one: RatioInterval, other: RatioInterval) -> None:
        """An interval splits into the parts below another one, within it, and above it."""
        assume(not other.empty)
        below, above = one.below(other), one.above(other)
        for ratio in EVERYWHERE:
            assert (ratio in below) == (ratio in one and ratio not in other and ratio <= other.low)
            assert (ratio in above) == (ratio in one and ratio not in other and ratio > other.low)

    @given(intervals())
    def test_empty(self, one: RatioInterval) -> None:
        assert one.empty == (not any(ratio in one for ratio in EVERYWHERE))
        assert NO_RATIO.empty
        assert not EVERY_RATIO.empty

    @given(intervals(), ratios, st.booleans())
    def test_up_to_and_down_to(self, one: RatioInterval, end: Fraction, closed: bool) -> None:
        for ratio in EVERYWHERE:
            assert (ratio in one.up_to(end, closed)) == (ratio in one and (ratio < end or (ratio == end and closed)))
            assert (ratio in one.down_to(end, closed)) == (ratio in one and (ratio > end or (ratio == end and closed)))
