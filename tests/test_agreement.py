"""Independent ways agree: brute force, ticks, zones and SMT, on configurations drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from four_ways import Bounds, Tally, drawn, tally
from oracle import JUDGED

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES

SMALL = Bounds(worlds=1_500, states=4_000, locations=100, depth=6)
"""What is looked at in the default run."""

STATES = 600
"""States or zones within which violations are looked for that are carried out and minimised."""


def compared(first: int, wanted: int, bounds: Bounds) -> Tally:
    """Compare draws until so many were judged four ways; every disagreement is told with its draw's number."""
    found = tally(count(first), wanted, bounds)
    assert len(found.judged) == wanted
    assert found.faults == [], "\n".join(found.lines())
    return found


@pytest.mark.parametrize("first", range(20, 60, 20))
def test_four_ways_agree(first: int) -> None:
    """Five draws each in the default run: verdict by verdict, and the length of the shortest run."""
    found = compared(first, 5, SMALL)
    assert all(one.ways == ("brute force", "ticks", "zones", "SMT") for one in found.judged)


@pytest.mark.parametrize("number", [191, 373, 1287, 1696])
def test_draws_that_differed_once(number: int) -> None:
    """In order: copies of one segment arrive one right after the other; what is sent to an end that is done is owed too."""
    found = tally([number], 1, Bounds())
    assert found.faults == [], "\n".join(found.lines())


def test_draws_are_of_every_kind() -> None:
    """Something is broken in some draws and nothing in others; copies are merged in some, and counted in others."""
    found = compared(20_300, 8, SMALL)
    assert {bool(one.broken) for one in found.judged} == {True, False}
    assert found.partly
    assert sum(one.runs for one in found.judged) >= 20
    assert drawn(7) == drawn(7) != drawn(8)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 5_000, 100))
def test_four_ways_agree_on_a_thousand(first: int, record_property: Callable[[str, object], None]) -> None:
    """Twenty draws each, fifty times; ``python tests/four_ways.py 0 1000`` tells how it goes."""
    found = compared(first, 20, Bounds())
    record_property("tally", "\n".join(found.lines()))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_every_violation_is_carried_out(first: int) -> None:
    """What either engine finds broken can be carried out on the specification, copy by copy, and minimised."""
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
