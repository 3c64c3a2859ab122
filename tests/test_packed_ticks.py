"""The compiled exploration in ticks against the one that reads the specification: edges, counts, and runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from random_configurations import random_configuration

from timewait.checker import explicit, packed_ticks
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.explicit import Explicit, TickEngine, packed
from timewait.checker.finding import Budget
from timewait.checker.location_kernels import MAX_FLYING
from timewait.checker.locations import Locations
from timewait.checker.mealy import Mealy, Unsupported
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.question import Engine, Question
from timewait.checker.replay import replay
from timewait.checker.tick_kernels import BATCH, BLOCK, MOST_STEPS
from timewait.checker.tick_layout_kernels import DEPTH, EXPIRIES, LEVEL_END, TOO_WIDE, WIDTH
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.automaton import Location
from timewait.vocabulary.message_passing import MessagePassing, NetworkRules

STATES = 1_500
"""States up to which a random configuration is explored."""

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),), both_close=True)
"""A configuration with copies that are merged."""

FEW = replace(SOME, both_close=False)
"""A configuration with fewer states."""

NETWORKS = [(None, False), (0, False), (1, False), (2, False), (None, True), (0, True), (1, True)]
"""Duplication, and whether order is kept: every kind of network."""


def in_any_order(system: MessagePassing, location: Location) -> Hashable:
    """A location, whatever the order of merged messages."""
    rules = system.network_rules()
    assert rules is not None
    return (system.control(location), frozenset(system.in_flight(location))) if rules.merged else location


def compiled_edges(locations: Locations, number: int) -> Iterator[Hashable]:
    """The edges of a location in the terms of the automaton."""
    system, clocks = locations.table.system, locations.clocks(number)
    for row, _, target, limits, updates in locations.edges(number):
        guard = frozenset((clocks[clock], *locations.table.bounds[bound]) for clock, bound in limits)
        sources = (clocks[source] if source >= 0 else None for source in updates)
        carried = frozenset(zip(locations.clocks(target), sources, strict=True))
        edge = row.edge
        marks = (edge.violates, edge.witnesses, edge.fair, edge.recurrent)
        yield edge.action, guard, in_any_order(system, locations.location(target)), carried, marks


def specified_edges(system: MessagePassing, location: Location) -> Iterator[Hashable]:
    """The edges of a location that the specification gives."""
    for edge in system.edges(location):
        guard = frozenset((bound.clock, bound.relation, bound.parameter) for bound in edge.guard)
        carried = frozenset(zip(system.clocks(edge.target), edge.updates, strict=True))
        marks = (edge.violates, edge.witnesses, edge.fair, edge.recurrent)
        yield edge.action, guard, in_any_order(system, edge.target), carried, marks


def compare_edges(system: Composition, limit: int) -> int:
    """Compare the edges of up to `limit` locations; the number that was compared."""
    locations = Locations(Mealy(system))
    number = 0
    while number < min(limit, len(locations)):
        location = locations.location(number)
        found = Counter(compiled_edges(locations, number))
        assert found == Counter(specified_edges(system, system.join(location, location) if system.dense else location))
        number += 1
    return number


def compare_states(configuration: Configuration) -> bool:
    """Compare both explorations; False if the states are too many."""
    asked = question(configuration)
    slow = Explicit(asked.compiled)
    slow.explore(Budget(states=STATES))
    if slow.stopped:
        return False
    fast = packed(asked, Budget())
    assert fast is not None
    assert (len(fast), fast.transitions, fast.depth) == (len(slow), slow.transitions, slow.depth)
    assert fast.dead_ends == len(slow.dead_ends)
    assert fast.broken.keys() == slow.broken.keys()
    assert fast.witnessed.keys() == slow.witnessed.keys()
    for name, where in fast.broken.items():
        run, shortest = fast.run_to(*where), slow.run_to(*slow.broken[name])
        assert steps(run.moves, fast.unit) == steps(shortest.moves, slow.unit)
        replay(asked.initial_state, run, PROPERTIES[name])
    return True


def steps(moves: Sequence[Any], unit: Fraction) -> int:
    """Ticks and actions of a run."""
    return sum(int(move.delay / unit) + (move.action is not None) for move in moves)


@pytest.mark.parametrize(("duplication", "fifo"), NETWORKS)
def test_edges(duplication: int | None, fifo: bool) -> None:
    """Each edge of each location is that of the specification, in every kind of network."""
    for text, both_close in (((0, 0), True), ((1, 1), False)):
        configuration = replace(SOME, duplication=duplication, fifo=fifo, text=text, both_close=both_close)
        assert compare_edges(Composition(configuration), 30) == 30


def test_random_configurations() -> None:
    """States, steps, depth, verdicts and shortest runs are the same."""
    compared = sum(compare_states(random_configuration(random.Random(number))) for number in range(12))
    assert compared >= 4


@pytest.mark.slow
def test_many_random_configurations() -> None:
    """Edges and explorations of several hundred configurations."""
    compared = 0
    for number in range(600):
        configuration = random_configuration(random.Random(number))
        compare_edges(Composition(configuration), 40)
        compared += compare_states(configuration)
    assert compared >= 400


def test_wide_states() -> None:
    """States of several words, level by level: copies that are counted, each with an age of many bits."""
    configuration = replace(SOME, msl=Fraction(1000), time_wait=Fraction(1), rto=(Fraction(1),), duplication=0)
    asked = question(replace(configuration, rto_exact=True, scope=Scope.CORE, both_close=False))
    fast, slow = packed(asked, Budget(states=4_000)), Explicit(asked.compiled)
    slow.explore(Budget(states=4_000))
    assert fast is not None
    assert fast.arrays.states.shape[1] > 1
    expected = [len(slow.trail(number)) for number in range(len(slow))]
    levels = [*fast.arrays.levels[: fast.arrays.counts[DEPTH]], fast.arrays.counts[LEVEL_END]]
    assert [expected.count(depth) for depth in range(slow.depth)] == np.diff(levels).tolist()[: slow.depth]
    for number in range(0, len(fast), 97):
        run = fast.run_to(number)
        assert steps(run.moves, fast.unit) == np.searchsorted(levels, number, side="right") - 1


def test_states() -> None:
    """Each state has a location and the values of its clocks; the first is the initial one."""
    fast = packed(question(SOME), Budget())
    assert fast is not None
    assert fast.state(0) == (fast.locations.start, ())
    assert len({fast.state(number) for number in range(len(fast))}) == len(fast)
    assert fast.bytes > 16 * len(fast)


@pytest.mark.parametrize(
    "budget", [Budget(states=100), Budget(seconds=0.0), Budget(interrupted=lambda: True)], ids=["states", "time", "interrupted"]
)
def test_budget(budget: Budget) -> None:
    """A search that reaches a bound says so, and its verdict is inconclusive."""
    (answer,) = decide(question(SOME), [PROPERTIES["isolation"]], Engine.EXPLICIT, budget)
    assert answer.verdict is Verdict.INCONCLUSIVE


class Unknown(Composition):
    """A composition whose network no table describes."""

    def network_rules(self) -> NetworkRules | None:
        return None


class Surprising(Composition):
    """A composition that turns out, while it is explored, to be one that no table describes."""

    def must_be_delivered(self, control: Location, message: object) -> bool:
        del control, message
        raise Unsupported("for a test")


@pytest.mark.parametrize("kind", [Unknown, Surprising])
def test_fallback(kind: type[Composition], monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that the table does not describe is explored by reading the specification, with the same answer."""
    asked: Question = replace(question(FEW), system=kind(FEW))
    assert packed(asked, Budget()) is None
    (expected,) = TickEngine().decide(question(FEW), [PROPERTIES["isolation"]], Budget())
    explored: list[CompiledAutomaton] = []

    def recorded(automaton: CompiledAutomaton) -> Explicit:
        explored.append(automaton)
        return Explicit(automaton)

    monkeypatch.setattr(explicit, "Explicit", recorded)
    (found,) = TickEngine().decide(asked, [PROPERTIES["isolation"]], Budget())
    assert replace(found, seconds=0.0) == replace(expected, seconds=0.0)
    assert explored == [asked.compiled]


def test_compiled_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine reads the compiled form where there is one."""
    monkeypatch.setattr(explicit, "Explicit", None)
    (found,) = TickEngine().decide(question(FEW), [PROPERTIES["isolation"]], Budget())
    assert found.verdict is Verdict.PROVED


def test_many_bounds() -> None:
    """A back-off schedule of 70 gaps has more bounds on clocks than the arrays expect at first; the states are the same."""
    gaps = (Fraction(1), *(Fraction(2) for _ in range(69)))
    behaviour = replace(SOME.behaviour, backoff=len(gaps))
    sparse = Configuration(Fraction(1), Fraction(1), gaps, rto_exact=True, scope=Scope.CORE, loss=None, behaviour=behaviour)
    asked = question(sparse)
    fast, slow = packed(asked, Budget()), Explicit(asked.compiled)
    slow.explore(Budget())
    assert fast is not None
    assert len(fast.locations.table.bounds) > 128
    assert (len(fast), fast.transitions, fast.depth) == (len(slow), slow.transitions, slow.depth)


def test_many_in_flight() -> None:
    """A location with more copies in flight than the arrays can express is refused at once, so that another engine goes on."""
    locations = Locations(Mealy(Composition(replace(FEW, duplication=0))))

    def fullest(number: int) -> int:
        while len(locations.codes(number)) < MAX_FLYING:
            targets = [target for _, _, target, _, _ in locations.edges(number)]
            number = max(targets, key=lambda target: len(locations.codes(target)))
        return number

    full = fullest(locations.start)
    with pytest.raises(Unsupported, match="in flight"):
        locations.build(full)


@pytest.mark.parametrize("count", [127, 128])
def test_many_roles(count: int) -> None:
    """The number of a role of clocks is a byte; where there are more roles, another engine goes on."""
    table = Mealy(Composition(FEW))
    table.roles += [f"role {number}" for number in range(count - len(table.roles))]
    with pytest.raises(Unsupported) if count > 127 else nullcontext():
        Locations(table)


def test_state_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exploration ends before its states need numbers of more than 32 bits, and says so."""
    assert packed_ticks.MOST_STATES + (packed_ticks.CHUNK + BLOCK) * MOST_STEPS + BATCH < 1 << 32
    monkeypatch.setattr(packed_ticks, "MOST_STATES", 0)
    (answer,) = decide(question(SOME), [PROPERTIES["isolation"]], Engine.EXPLICIT, Budget())
    assert (answer.verdict, "32 bits" in answer.reason) == (Verdict.INCONCLUSIVE, True)


def test_restarted_with_wider_states() -> None:
    """Rows that were noted before the exploration began anew with wider states are noted again."""
    fast = packed(question(FEW), Budget())
    assert fast is not None
    found = dict(fast.witnessed)
    fast._noted = np.ones(2 * len(fast.arrays.taken), dtype=np.bool_)
    fast.supply(TOO_WIDE)
    fast.explore(Budget())
    assert fast.arrays.states.shape[1] == 2
    assert fast.witnessed == found


def test_many_locations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the numbers of locations need more bits than at first, the exploration begins anew, and ends the same."""
    expected = packed(question(FEW), Budget())
    monkeypatch.setattr(packed_ticks, "FIRST_WIDTH", 2)
    found = packed(question(FEW), Budget())
    assert expected is not None
    assert found is not None
    assert int(found.arrays.counts[WIDTH]) > 2
    assert (len(found), found.transitions, found.dead_ends) == (len(expected), expected.transitions, expected.dead_ends)


def test_many_expiries() -> None:
    """A small table of expiries grows, and the states are the same."""
    expected = packed(question(FEW), Budget())
    found = PackedTicks(Locations(Mealy(Composition(FEW))))
    found.arrays = found.arrays._replace(expiries=np.zeros((2, 5), dtype=np.int64))
    found.explore(Budget())
    assert expected is not None
    assert len(found.arrays.expiries) > 2
    assert (len(found), found.transitions) == (len(expected), expected.transitions)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_run_is_found_without_the_expiries(network: tuple[int | None, bool]) -> None:
    """A run needs expiries that were found during the exploration and are dropped when their table is full."""
    duplication, fifo = network
    states = packed(question(replace(FEW, duplication=duplication, fifo=fifo)), Budget(states=4_000))
    assert states is not None
    some = range(0, len(states), 149)
    known = [states.run_to(number) for number in some]
    assert len(known) >= 10
    states.arrays.expiries[:] = 0
    states.arrays.counts[EXPIRIES] = len(states.arrays.expiries) // 2
    assert [states.run_to(number) for number in some] == known


def test_run_to_unvisited() -> None:
    """A run leads to a state whose level is not visited yet, in as many steps as to the states around it."""
    found = packed(question(SOME), Budget(states=100))
    assert found is not None
    assert found.stopped
    last = found.run_to(len(found) - 1)
    assert steps(last.moves, found.unit) == found.depth + 1


def test_unit() -> None:
    """A finer tick has more states."""
    locations = Locations(Mealy(Composition(SOME)))
    coarse, fine = PackedTicks(locations), PackedTicks(locations, Fraction(1))
    for explored in (coarse, fine):
        explored.explore(Budget())
    assert len(fine) > len(coarse)


def test_what_was_taken_before_a_bound_counts() -> None:
    """An exploration that stops at a bound reports what its last visits witnessed and violated."""
    fast = packed(question(replace(FEW, duplication=0)), Budget(states=2_000))
    assert fast is not None
    assert fast.stopped
    assert {"reaches LAST_ACK", "reaches CLOSED"} <= fast.witnessed.keys()
