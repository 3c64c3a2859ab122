"""Independent methods agree: brute force, ticks, zones and SMT, on random configurations."""

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
"""The bounds of the default run."""

STATES = 600
"""States or zones at most of a search for violations to replay and minimise."""


def compared(first: int, wanted: int, bounds: Bounds) -> Tally:
    """Compare draws until enough were decided by all four methods; each disagreement names its draw."""
    found = tally(count(first), wanted, bounds)
    assert len(found.judged) == wanted
    assert found.faults == [], "\n".join(found.lines())
    return found


@pytest.mark.parametrize(("first", "count"), [(22, 2), (20, 2), (40, 5)])
def test_four_ways_agree(first: int, count: int) -> None:
    """The verdicts and the lengths of the shortest runs agree, on two draws in the default run and on eight in the long one."""
    found = compared(first, count, SMALL)
    assert all(one.ways == ("brute force", "ticks", "zones", "SMT") for one in found.judged)


@pytest.mark.parametrize("number", [191, 373, 1287, 1696, 279])
def test_draws_that_once_differed(number: int) -> None:
    """Copies of a segment arrive in immediate succession; a segment to an end that is done must be delivered too.

    In the last draw two timers run out within a tick, each a strict delay after the one before: parts of a tick show it.
    """
    found = tally([number], 1, Bounds())
    assert found.faults == [], "\n".join(found.lines())


def test_draws_are_of_every_kind() -> None:
    """Some draws violate a property and others none; some merge copies and others count them."""
    found = compared(20_300, 8, SMALL)
    assert {bool(one.broken) for one in found.judged} == {True, False}
    assert found.partly
    assert sum(one.runs for one in found.judged) >= 20
    assert drawn(7) == drawn(7) != drawn(8)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 5_000, 100))
def test_four_ways_agree_on_a_thousand(first: int, record_property: Callable[[str, object], None]) -> None:
    """Twenty draws each, fifty times; ``python tests/four_ways.py 0 1000`` shows the progress."""
    found = compared(first, 20, Bounds())
    record_property("tally", "\n".join(found.lines()))


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
