"""Independent methods agree: brute force, ticks, zones and SMT, on random configurations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import four_ways
import pytest
from draws import KINDS, SPREAD, Tally, first_draw, tally
from four_ways import Bounds, drawn
from oracle import JUDGED

from timewait.checker.bounded import Searched
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES

SMALL = Bounds(worlds=1_500, states=10_000, zones=3_000, followed=500, locations=500, depth=6)
"""The bounds of the default run."""

WANTED = 20
"""Draws that each chunk of the slow test decides in four ways."""

STATES = 600
"""States or zones at most of a search for violations to replay and minimise."""


def compared(first: int, wanted: int, bounds: Bounds) -> Tally:
    """Decide draws until enough were decided in four ways; each disagreement names its draw."""
    found = tally(range(first, first + SPREAD * wanted), wanted, bounds)
    assert found.faults == [], "\n".join(found.lines())
    assert len(found.judged) == wanted, "\n".join(found.lines())
    return found


@pytest.mark.parametrize(("first", "count"), [(26, 2), (20, 2), (40, 5)])
def test_four_ways_agree(first: int, count: int) -> None:
    """The verdicts and the lengths of the shortest runs agree, on two draws in the default run and on nine in the long one."""
    compared(first, count, SMALL)


@pytest.mark.parametrize("number", [191, 373, 1287, 1696, 279])
def test_draws_that_once_differed(number: int) -> None:
    """Copies of a segment arrive in immediate succession; a segment to an end that is done must be delivered too.

    In the last draw two timers run out within a tick, each a strict delay after the one before: parts of a tick show it.
    """
    found = compared(number, 1, Bounds())
    assert [judged.number for judged in found.judged] == [number]
    assert bool(found.judged[0].between) == (number == 279)


def test_draws_are_of_every_kind() -> None:
    """Draws of each kind are decided in four ways; some violate a property and others none."""
    found = compared(20_300, 70, SMALL)
    assert [kind for kind in KINDS if not found.kinds[kind]] == []
    assert {bool(one.broken) for one in found.judged} == {True, False}
    assert sum(one.runs for one in found.judged) >= 200
    assert drawn(7) == drawn(7) != drawn(8)


@pytest.mark.parametrize(
    ("number", "bounds", "way"),
    [
        (4, Bounds(worlds=5), "brute force"),
        (4, Bounds(states=5), "ticks"),
        (4, Bounds(zones=5), "zones"),
        (14, Bounds(zones=5), "zones"),
        (14, Bounds(followed=5), "zones"),
        (14, Bounds(locations=5), "SMT"),
        (4, Bounds(seconds=0.0), "SMT"),
    ],
)
def test_a_bound_leaves_a_draw_undecided(number: int, bounds: Bounds, way: str) -> None:
    """A draw that one way cannot decide within its bounds does not count as decided, and is named with the way."""
    found = tally([number], 1, bounds)
    assert (len(found.judged), len(found.undecided)) == (0, 1)
    assert found.undecided[0].undecided.startswith(f"{way}: ")
    assert f"not decided, a bound of {way}: draws {number}" in found.lines()


def unsafe(configuration: Configuration) -> Configuration:
    """The configuration without TIME-WAIT."""
    return replace(configuration, behaviour=replace(configuration.behaviour, time_wait=False))


def by_brute_force(patch: pytest.MonkeyPatch) -> None:
    """The brute force takes everything to be safe."""
    patch.setattr(four_ways, "judge", lambda *_: dict.fromkeys(JUDGED, False))


def by_ticks(patch: pytest.MonkeyPatch) -> None:
    """The search in ticks skips each state but the first."""
    patch.setattr(PackedTicks, "explore", lambda *_: None)


def by_zones(patch: pytest.MonkeyPatch) -> None:
    """Zones, and SMT, are those of another system."""
    whole = four_ways.Draw._whole
    patch.setattr(four_ways.Draw, "_whole", lambda draw, _: whole(draw, question(unsafe(draw.configuration))))


def by_solver(patch: pytest.MonkeyPatch) -> None:
    """SMT finds nothing."""
    patch.setattr(four_ways, "search", lambda *_: Searched(None, "nothing", math.inf))


@pytest.mark.parametrize("wrong", [by_brute_force, by_ticks, by_zones, by_solver])
def test_a_wrong_way_disagrees(wrong: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way is wrong, the draw is a disagreement."""
    assert tally([7], 1, SMALL).faults == []
    wrong(monkeypatch)
    assert len(tally([7], 1, SMALL).faults) == 1


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(50))
def test_four_ways_agree_on_a_thousand(chunk: int, record_property: Callable[[str, object], None]) -> None:
    """Twenty draws in each chunk are decided in four ways, and all ways agree.

    ``TIMEWAIT_FIRST_DRAW=5000`` in the environment goes on with other draws.
    """
    first = first_draw() + chunk * SPREAD * WANTED
    found = tally(range(first, first + SPREAD * WANTED), WANTED, Bounds())
    record_property("draws", (len(found.judged), len(found.undecided), len(found.faults)))
    assert found.faults == [], "\n".join(found.lines())
    assert len(found.judged) == WANTED, "\n".join(found.lines())


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_every_violation_is_replayed(first: int) -> None:
    """Every violation that an engine finds is replayed on the specification, copy by copy, and minimised."""
    asked = [PROPERTIES[name] for name in JUDGED]
    shown = 0
    for number in range(first, first + 50):
        configuration = drawn(number)
        for engine in (Engine.EXPLICIT, Engine.ZONES):
            for answer in decide(question(configuration), asked, engine, Budget(states=STATES)):
                assert answer.verdict is not Verdict.DISAGREEMENT, (
                    number,
                    answer.finding.reason,
                    configuration_as_data(configuration),
                )
                assert (answer.trace is not None) == (answer.verdict is Verdict.VIOLATED)
                shown += answer.trace is not None
    assert shown >= 50
