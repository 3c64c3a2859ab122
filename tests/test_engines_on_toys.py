"""Every engine on systems of a handful of locations, against answers worked out by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Hashable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import get_args

import pytest
from toys import (
    Place,
    Step,
    Toy,
    always,
    chatter,
    counter,
    courier,
    eventually,
    fischer,
    hurry,
    lamp,
    letterbox,
    relay,
    sleeper,
    trap,
    whirl,
    window,
    world,
)

from timewait.checker import certificate, horn, timelock
from timewait.checker.bounded import search
from timewait.checker.certificate import InvariantCertificate, Statement
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.cover import constants, cover_of, invariant, trimmed
from timewait.checker.decide import Answer, decide
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget
from timewait.checker.lasso import find_lasso
from timewait.checker.linear import constraint
from timewait.checker.question import MAX_COUNTED_LOCATIONS, Engine, Question
from timewait.checker.quotient import Quotient
from timewait.checker.replay import replay
from timewait.checker.structural import proof_of
from timewait.checker.symbolic import Symbolic
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import INACTIVE, Location, Property, Relation

HALF = Fraction(1, 2)
PROVED, INCONCLUSIVE, VACUOUS, VIOLATED = Verdict.PROVED, Verdict.INCONCLUSIVE, Verdict.VACUOUS, Verdict.VIOLATED


def in_ticks(toy: Toy, unit: Fraction | None = None) -> Explicit:
    """A toy explored in ticks."""
    explored = Explicit(CompiledAutomaton(toy), unit)
    explored.explore(Budget())
    assert explored.stopped == ""
    return explored


def in_zones(toy: Toy) -> Zones:
    """A toy explored in dense time."""
    explored = Zones(CompiledAutomaton(Quotient(toy)))
    explored.explore(Budget())
    assert explored.stopped == ""
    return explored


def as_formulas(toy: Toy, name: str, *region: str, symbols: tuple[str, ...] = ()) -> Symbolic:
    """The question whether a property can be broken."""
    return Symbolic(CompiledAutomaton(Quotient(toy)), frozenset({name}), symbols, [constraint(part) for part in region])


def as_script(
    toy: Toy, name: str, invariant: certificate.Invariant, *region: str, symbols: tuple[str, ...] = ()
) -> InvariantCertificate:
    """The queries of an invariant; parameters that are not symbolic are numbers."""
    terms = {
        parameter: {parameter: Fraction(1)} if parameter in symbols else {"": value}
        for parameter, value in toy.parameters.items()
    }
    return InvariantCertificate(Statement(Quotient(toy), frozenset({name}), terms, tuple(map(constraint, region))), invariant)


# --- what is reachable ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A toy, what may be broken in it, and after how many steps it is broken first: never if None."""

    label: str
    toy: Toy
    name: str
    steps: int | None
    unit: Fraction | None = None


def relations() -> list[Case]:
    """Each relation with its constant below, at and above the instant up to which time may pass."""
    deadline = 2
    possible = {"<=": (1, 2, 3), ">=": (1, 2), ">": (1,), "==": (1, 2)}
    return [
        Case(
            f"t {relation} {limit}, t <= 2", window(relation, limit, deadline), "safe", 1 if limit in possible[relation] else None
        )
        for relation in get_args(Relation)
        for limit in (1, 2, 3)
    ]


CASES = [
    *relations(),
    Case("t > 3/2, t <= 2", window(">", Fraction(3, 2), 2), "safe", 1),
    Case("counter", counter(3), "overflow", 3),
    Case("hurry", hurry(), "safe", 2, HALF),
    Case("fischer, > and equal", fischer(1, 1), "exclusion", None),
    Case("fischer, > and a bit less", fischer(1, Fraction(3, 4)), "exclusion", 6),
    Case("fischer, >= and equal", fischer(1, 1, ">="), "exclusion", 6),
    Case("fischer, >= and a bit more", fischer(1, Fraction(5, 4), ">="), "exclusion", None),
    Case("letterbox, equal", letterbox(2, 2), "fresh", None),
    Case("letterbox, too short", letterbox(2, 1), "fresh", 4),
    Case("letterbox, a bit too short", letterbox(1, Fraction(3, 4)), "fresh", 4),
    Case("letterbox, longer", letterbox(1, 2), "fresh", None),
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)


class TestReachability:
    """Four engines, one answer: the one worked out by hand; every run they find is carried out by the toy itself."""

    @each_case
    def test_ticks(self, case: Case) -> None:
        explored = in_ticks(case.toy, case.unit)
        assert (case.name in explored.broken) is (case.steps is not None)
        if case.steps is not None:
            run = explored.run_to(*explored.broken[case.name])
            assert len(replay(world(case.toy), run, always(case.name)).steps) >= case.steps

    @each_case
    def test_zones(self, case: Case) -> None:
        explored = in_zones(case.toy)
        assert (case.name in explored.broken) is (case.steps is not None)
        if case.steps is not None:
            run = explored.run_to(*explored.broken[case.name])
            assert run is not None
            assert len(replay(world(case.toy), run, always(case.name)).steps) == case.steps

    @each_case
    def test_horn(self, case: Case) -> None:
        symbolic = as_formulas(case.toy, case.name, "1 > 0", "2 > 1")
        answer = horn.solve(symbolic, 30)
        assert answer.reachable is (case.steps is not None)
        assert (answer.invariant is None) is (case.steps is not None)
        if answer.invariant is not None:
            script = as_script(case.toy, case.name, horn.as_text(symbolic, answer.invariant), "1 > 0", "2 > 1")
            assert certificate.rejection_by_z3(script) == certificate.rejection_by_cvc5(script) == ""

    @each_case
    def test_a_finished_cover_is_an_invariant(self, case: Case) -> None:
        """Where the property holds; where it does not, the same zones are rejected."""
        explored = in_zones(case.toy)
        for cover in (cover_of(explored), trimmed(explored, cover_of(explored), frozenset({case.name}))):
            script = as_script(case.toy, case.name, invariant(explored, cover, constants(explored.unit)))
            faults = certificate.rejection_by_z3(script), certificate.rejection_by_cvc5(script)
            if case.steps is None:
                assert faults == ("", "")
            else:
                assert [fault.startswith("safe query, ") for fault in faults] == [True, True]

    @pytest.mark.parametrize(
        "case",
        [pytest.param(case, id=case.label) for case in CASES],
    )
    def test_bounded(self, case: Case) -> None:
        symbolic = as_formulas(case.toy, case.name)
        found, reason, clear = search(symbolic, 7, Budget())
        if case.steps is None:
            assert found is None
            assert (reason, clear) == ("no run of up to 7 steps", 7)
        else:
            assert found is not None
            assert (len(found.path), reason, clear) == (case.steps, "", case.steps - 1)
            assert len(replay(world(case.toy), found.run, always(case.name)).steps) == case.steps
            none, reason, clear = search(symbolic, case.steps - 1, Budget())
            assert none is None
            assert (reason, clear) == (f"no run of up to {case.steps - 1} steps", case.steps - 1)

    def test_whole_seconds_are_too_coarse_for_two_strict_waits_in_one(self) -> None:
        assert not in_ticks(hurry()).broken
        assert in_ticks(hurry(), HALF).broken

    def test_the_counter_overflows_at_the_earliest_instant(self) -> None:
        for explored in (in_ticks(counter(4, 5)), in_zones(counter(4, 5))):
            run = explored.run_to(*explored.broken["overflow"])
            assert run is not None
            assert [move.delay for move in run.moves] == [5, 5, 5, 5]

    @pytest.mark.parametrize(
        ("relation", "region", "holds"),
        [
            (">", "AFTER >= WITHIN", True),
            (">", "2*AFTER >= WITHIN", False),
            (">=", "AFTER >= WITHIN", False),
            (">=", "AFTER > WITHIN", True),
        ],
    )
    def test_for_all_values(self, relation: str, region: str, holds: bool) -> None:
        toy = fischer(1, 1, ">=" if relation == ">=" else ">")
        symbolic = as_formulas(toy, "exclusion", region, symbols=("WITHIN", "AFTER"))
        answer = horn.solve(symbolic, 30)
        assert answer.reachable is not holds
        if answer.invariant is not None:
            found = horn.as_text(symbolic, answer.invariant)
            assert certificate.rejection_by_z3(as_script(toy, "exclusion", found, region, symbols=("WITHIN", "AFTER"))) == ""
            assert certificate.rejection_by_z3(as_script(toy, "exclusion", found, symbols=("WITHIN", "AFTER"))) != ""


# --- how much there is ---------------------------------------------------------------------------------------------


def by_brute_force(toy: Toy, unit: Fraction) -> tuple[int, int, set[str]]:
    """The states and transitions of a toy whose clocks have no lifetimes in ticks, and what they break, with no table at all."""
    limits = {bound for place in toy.places for bound in toy.invariant(place)}
    guards = {bound for place in toy.places for edge in toy.edges(place) for bound in edge.guard}
    cap = {
        role: 1 + max(toy.parameters[bound.parameter] / unit for bound in limits | guards if bound.clock.role == role)
        for role in {bound.clock.role for bound in limits | guards}
    }
    compare = {"<=": Fraction.__le__, ">=": Fraction.__ge__, ">": Fraction.__gt__, "==": Fraction.__eq__}
    start: tuple[Hashable, tuple[Fraction, ...]] = (toy.start, tuple(Fraction(0) for _ in toy.clocks(toy.start)))
    seen, waiting = {start}, [start]
    transitions = 0
    broken: set[str] = set()
    while waiting:
        place, values = waiting.pop()
        shown = dict(zip(toy.clocks(place), values, strict=True))
        following = []
        for edge in toy.edges(place):
            if all(compare[test.relation](shown[test.clock] * unit, toy.parameters[test.parameter]) for test in edge.guard):
                updates = [Fraction(0) if origin is None else shown[origin] for origin in edge.updates if origin != INACTIVE]
                following.append((edge.target, tuple(updates)))
                broken |= edge.violates
        later = {clock: min(value + 1, cap.get(clock.role, Fraction(1))) for clock, value in shown.items()}
        if all((shown[test.clock] + 1) * unit <= toy.parameters[test.parameter] for test in toy.invariant(place)):
            following.append((place, tuple(later.values())))
        transitions += len(following)
        for state in following:
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return len(seen), transitions, broken


class TestCounts:
    """Exact numbers of states, zones and transitions."""

    @pytest.mark.parametrize(
        ("toy", "unit", "states", "transitions", "depth"),
        [
            (lamp(3), 1, 5, 10, 4),
            (lamp(3), 3, 3, 6, 2),
            (lamp(3, again=False), 1, 5, 6, 4),
            (counter(3), 2, 9, 15, 8),
            (counter(3), 1, 13, 22, 12),
            (letterbox(1, 1), 1, 10, 17, 4),
            (whirl(), 1, 3, 6, 1),
            (trap("t >= LIMIT"), 1, 4, 4, 3),
        ],
        ids=str,
    )
    def test_in_ticks_by_hand(self, toy: Toy, unit: int, states: int, transitions: int, depth: int) -> None:
        explored = in_ticks(toy, Fraction(unit))
        assert (len(explored.nodes), explored.transitions, explored.depth) == (states, transitions, depth)

    @pytest.mark.parametrize(
        ("toy", "unit"),
        [
            (lamp(7), 1),
            (counter(5, 3), 1),
            (hurry(), HALF),
            (fischer(2, 2), HALF),
            (fischer(2, 1), 1),
            (fischer(2, 3, ">="), 1),
            (courier(True, False), HALF),
            (window(">", 1, 4), 1),
        ],
    )
    def test_in_ticks_by_brute_force(self, toy: Toy, unit: Fraction | int) -> None:
        explored = in_ticks(toy, Fraction(unit))
        assert (len(explored.nodes), explored.transitions, set(explored.broken)) == by_brute_force(toy, Fraction(unit))

    @pytest.mark.parametrize(
        ("toy", "zones", "transitions"),
        [
            (lamp(3), 2, 3),
            (lamp(3, again=False), 2, 2),
            (counter(3), 4, 6),
            (window(">=", 3, 2), 2, 1),
            (hurry(), 3, 2),
            (courier(True, True), 3, 4),
            (whirl(), 2, 2),
        ],
    )
    def test_in_zones_by_hand(self, toy: Toy, zones: int, transitions: int) -> None:
        explored = in_zones(toy)
        assert (len(explored), explored.transitions) == (zones, transitions)

    @pytest.mark.parametrize("factor", [Fraction(1, 7), Fraction(30), Fraction(1000003)], ids=str)
    def test_zones_do_not_care_how_long_a_second_is(self, factor: Fraction) -> None:
        explored, same = in_zones(fischer(2, 1)), in_zones(fischer(2 * factor, factor))
        assert (len(same), same.transitions) == (len(explored), explored.transitions)
        assert same.broken == explored.broken

    def test_the_same_in_every_run(self) -> None:
        """Whatever the hash seed: states, zones and runs, in the same order."""
        program = """
from toys import *
from test_engines_on_toys import in_ticks, in_zones
for toy in (fischer(2, 1), letterbox(2, 1)):
    for explored in (in_ticks(toy), in_zones(toy)):
        (where,) = explored.broken.values()
        print(explored.transitions, explored.run_to(*where))
    print(in_ticks(toy).nodes, [(place, zones.tolist()) for place, zones in in_zones(toy).cover().items()])
"""
        described = set()
        for seed in ("1", "2"):
            environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
            here = Path(__file__).parent
            done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=here, capture_output=True, check=True)
            described.add(done.stdout)
        assert len(described) == 1
        assert next(iter(described)).count(b"\n") == 6


# --- time stops ----------------------------------------------------------------------------------------------------


class TestStuck:
    """Where neither time can pass nor anything happen."""

    @pytest.mark.parametrize(
        ("guard", "stops"),
        [
            ("t > LIMIT", True),
            ("t >= MORE", True),
            ("t > MORE", True),
            ("t == MORE", True),
            ("t >= LIMIT", False),
            ("t == LIMIT", False),
            ("t <= LIMIT", False),
            ("t > 0", False),
        ],
    )
    def test_found_in_ticks_and_on_the_graph(self, guard: str, stops: bool) -> None:
        explored = in_ticks(trap(guard))
        at_the_limit = {(0, (0, 2))} if stops else set()
        assert {explored.nodes[number] for number in explored.time_locked} == at_the_limit
        locations = timelock.time_locks(CompiledAutomaton(trap(guard)))
        assert [location.original for location in locations] == (["trap"] if stops else [])

    def test_the_graph_says_nothing_of_two_different_limits(self) -> None:
        """Where it cannot tell it says that time might stop: here it does not."""
        assert [location.original for location in timelock.time_locks(CompiledAutomaton(trap("t <= MORE")))] == ["trap"]
        assert not in_ticks(trap("t <= MORE")).time_locked

    @pytest.mark.parametrize(("limited", "stops"), [(True, False), (False, True)])
    def test_what_the_place_itself_keeps_to_is_no_obstacle(self, limited: bool, stops: bool) -> None:
        """Two in a queue, of which the first may leave: its own limit keeps it in time, if it has one."""
        limits = ("a <= LIMIT", "b <= LIMIT") if limited else ("b <= LIMIT",)
        queue = Place(("a", "b"), limits, (Step("leave", "free", ("a <= LIMIT",)),))
        toy = Toy(
            "empty",
            {"empty": Place(("a",), (), (Step("come", "queue", ("a <= LIMIT",), ("a",)),)), "queue": queue, "free": Place()},
            {"LIMIT": 2},
        )
        assert bool(timelock.time_locks(CompiledAutomaton(toy))) is stops
        assert bool(in_ticks(toy).time_locked) is stops

    @pytest.mark.parametrize("toy", [lamp(), counter(3), fischer(1, 1), letterbox(2, 1), courier(True, True), whirl(), relay()])
    def test_not_found_where_there_is_none(self, toy: Toy) -> None:
        assert timelock.time_locks(CompiledAutomaton(Quotient(toy))) == []
        assert in_ticks(toy).time_locked == []

    def test_a_limit_of_zero(self) -> None:
        toy = replace(trap("t > 0"), values={"LIMIT": 0, "MORE": 1})
        assert in_ticks(toy).time_locked == [0]
        assert [location.original for location in timelock.time_locks(CompiledAutomaton(toy))] == ["trap"]

    @pytest.mark.parametrize("engine", list(Engine))
    def test_a_proof_is_vacuous_where_time_stops(self, engine: Engine) -> None:
        (answer,) = ask(trap("t > LIMIT"), engine, always("anything"))
        assert answer.verdict is VACUOUS
        assert answer.finding.reason == "time can stop with nothing left to happen"


# --- for ever ------------------------------------------------------------------------------------------------------


class TestLassos:
    """Promises that a run without end may leave open."""

    @pytest.mark.parametrize("always_ready", [True, False])
    def test_strong_fairness(self, always_ready: bool) -> None:
        """It is enough that a step can be taken again and again; it need not be possible all the time."""
        asked = eventually("delivered")
        assert find_lasso(in_ticks(courier(True, always_ready)), asked) is None
        assert proof_of(CompiledAutomaton(courier(True, always_ready)), asked) is not None

    @pytest.mark.parametrize("always_ready", [True, False])
    def test_without_fairness(self, always_ready: bool) -> None:
        toy, asked = courier(False, always_ready), eventually("delivered")
        lasso = find_lasso(in_ticks(toy), asked)
        assert lasso is not None
        assert lasso.loop is not None
        assert sum(move.delay for move in lasso.moves[lasso.loop :]) > 0
        trace = replay(world(toy), lasso, asked)
        assert trace.loop == lasso.loop
        assert {step.state["place"] for step in trace.steps[trace.loop or 0 :]} == {"here", "there"}
        assert proof_of(CompiledAutomaton(toy), asked) is None

    def test_a_loop_serves_every_name_that_it_can(self) -> None:
        """What is fair and does not help is done on the way round."""
        toy = lamp(3)
        toy = replace(toy, places={**toy.places, "dark": replace(toy.places["dark"], pending=frozenset({"dark"}))})
        lasso = find_lasso(in_ticks(toy, Fraction(1)), eventually("dark"))
        assert lasso is not None
        round_trip = [move.action.subject for move in lasso.moves[lasso.loop :] if move.action is not None]
        assert "go out" in round_trip

    def test_time_must_diverge(self) -> None:
        """Infinitely many steps in no time are no run that counts."""
        asked = eventually("still")
        assert find_lasso(in_ticks(whirl()), asked) is None
        assert proof_of(CompiledAutomaton(whirl()), asked) is not None

    def test_a_lamp_pressed_again_and_again_stays_lit(self) -> None:
        """Its going out is fair, but never possible if it is pressed each second; with ticks of three seconds it is."""
        asked = eventually("dark")
        lasso = find_lasso(in_ticks(lamp(3), Fraction(1)), asked)
        assert lasso is not None
        assert replay(world(lamp(3)), lasso, asked).loop is not None
        assert find_lasso(in_ticks(lamp(3), Fraction(3)), asked) is None
        assert proof_of(CompiledAutomaton(lamp(3)), asked) is None

    @pytest.mark.parametrize("again", [True, False])
    def test_a_way_out_that_opens_late(self, again: bool) -> None:
        """It opens for certain only if nothing starts its clock again."""
        asked = eventually("risen")
        lasso = find_lasso(in_ticks(sleeper(again)), asked)
        assert (lasso is not None) is again
        assert (proof_of(CompiledAutomaton(sleeper(again)), asked) is None) is again
        if lasso is not None:
            assert replay(world(sleeper(again)), lasso, asked).loop is not None

    def test_a_lamp_that_cannot_be_pressed_again_goes_out(self) -> None:
        asked = eventually("dark")
        assert find_lasso(in_ticks(lamp(3, again=False), Fraction(1)), asked) is None
        assert proof_of(CompiledAutomaton(lamp(3, again=False)), asked) is not None

    @pytest.mark.parametrize(
        ("endless", "recurrent", "kept"), [(True, False, False), (True, True, False), (False, False, False), (False, True, True)]
    )
    def test_waiting_breaks_no_promise_of_silence(self, endless: bool, recurrent: bool, kept: bool) -> None:
        asked = eventually("quiet", recurrent)
        lasso = find_lasso(in_ticks(chatter(endless)), asked)
        assert (lasso is None) is kept
        assert (proof_of(CompiledAutomaton(chatter(endless)), asked) is not None) is kept
        if lasso is not None and recurrent:
            assert any(move.action is not None for move in lasso.moves[lasso.loop :])

    def test_a_clock_that_takes_over_from_another(self) -> None:
        asked = eventually("done")
        lasso = find_lasso(in_ticks(relay()), asked)
        assert lasso is not None
        assert replay(world(relay()), lasso, asked).loop is not None
        assert proof_of(CompiledAutomaton(relay()), asked) is None


# --- bounds --------------------------------------------------------------------------------------------------------


class TestBounds:
    """What is not finished is said to be so, and how far it came."""

    def test_ticks_stop_at_a_number_of_states(self) -> None:
        explored = Explicit(CompiledAutomaton(counter(3000, 1)))
        explored.explore(Budget(states=1000))
        assert explored.stopped == "stopped at 1,025 states (bound 1,000), depth 1024"
        assert len(explored.nodes) == 1025
        assert not explored.broken

    def test_zones_stop_at_a_number_of_zones(self) -> None:
        explored = Zones(CompiledAutomaton(counter(300, 1)))
        explored.explore(Budget(states=100))
        assert explored.stopped.startswith("stopped at ")
        assert "(bound 100)" in explored.stopped
        assert 100 < len(explored) < 300

    def test_zones_tell_their_depth(self) -> None:
        places: dict[Location, Place] = {number: Place() for number in range(200)}
        places["start"] = Place(steps=[Step(f"to {number}", number) for number in range(200)])
        wide = Zones(CompiledAutomaton(Toy("start", places, {"SECOND": 1})))
        wide.explore(Budget(states=100))
        assert wide.stopped.endswith("depth 1")

    def test_time_and_memory(self) -> None:
        for make in (lambda: Explicit(CompiledAutomaton(lamp())), lambda: Zones(CompiledAutomaton(lamp()))):
            explored = make()
            explored.explore(Budget(seconds=-1.0))
            assert explored.stopped == "stopped after -1 s with 1 states, depth 0"
            explored = make()
            explored.explore(Budget(megabytes=1.0))
            assert explored.stopped.startswith("stopped at ")
            assert explored.stopped.endswith(" MB (bound 1) with 1 states, depth 0")

    def test_bounded_model_checking_says_how_deep_it_went(self) -> None:
        symbolic = as_formulas(counter(4), "overflow")
        assert search(symbolic, 3, Budget()) == (None, "no run of up to 3 steps", 3)
        assert search(symbolic, 2, Budget()) == (None, "no run of up to 2 steps", 3)
        assert search(symbolic, 8, Budget(seconds=0.0)) == (None, "no run of fewer than 4 steps; stopped after 0 s", 3)
        assert search(as_formulas(counter(4), "unheard of"), 8, Budget()) == (
            None,
            "no bad step can be reached, whatever the durations",
            inf,
        )

    def test_until_everything_asked_for_is_broken(self) -> None:
        for explored in (Explicit(CompiledAutomaton(fischer(2, 1))), Zones(CompiledAutomaton(fischer(2, 1)))):
            explored.explore(Budget(), frozenset({"exclusion"}))
            assert explored.stopped == "every property asked for is broken"
            assert list(explored.broken) == ["exclusion"]

    @pytest.mark.parametrize("engine", [Engine.EXPLICIT, Engine.ZONES])
    def test_inconclusive(self, engine: Engine) -> None:
        question = Question(fischer(1, 1), world(fischer(1, 1)))
        (answer,) = decide(question, [always("exclusion")], engine, Budget(states=0))
        assert answer.verdict is INCONCLUSIVE
        where = ", while locations were merged" if engine is Engine.ZONES else ""
        assert answer.finding.reason == f"stopped at 1 states (bound 0), depth 0{where}"

    def test_inconclusive_promise(self) -> None:
        question = Question(courier(False, True), world(courier(False, True)))
        (answer,) = decide(question, [eventually("delivered")], Engine.EXPLICIT, Budget(states=0))
        assert answer.verdict is INCONCLUSIVE
        assert answer.finding.reason == "in ticks of 1 s: stopped at 1 states (bound 0), depth 0"

    def test_too_many_locations_are_refused_to_all_but_ticks(self) -> None:
        """Where a system does not say that they are finitely many, they are counted."""
        toy = replace(counter(MAX_COUNTED_LOCATIONS, 1), dense=False)
        for engine in (Engine.ZONES, Engine.SMT):
            (answer,) = ask(toy, engine, always("overflow"))
            assert answer.verdict is INCONCLUSIVE
            assert answer.finding.reason.startswith(f"engine {engine} needs")
        assert CompiledAutomaton(toy).within(MAX_COUNTED_LOCATIONS + 1)
        assert not CompiledAutomaton(toy).within(MAX_COUNTED_LOCATIONS)

    @pytest.mark.parametrize("after", [1, Fraction(3, 4)])
    def test_few_locations_are_seen_whole(self, after: int | Fraction) -> None:
        """Whoever is asked; ticks where nobody says whom to ask."""
        toy = replace(fischer(1, after), dense=False)
        expected = PROVED if after == 1 else VIOLATED
        for engine in (Engine.EXPLICIT, Engine.ZONES, Engine.SMT):
            (answer,) = ask(toy, engine, always("exclusion"))
            assert answer.verdict is expected
        (answer,) = ask(toy, Engine.AUTO, always("exclusion"))
        assert (answer.verdict, answer.finding.engine) == (expected, "explicit, breadth first")


# --- decisions -----------------------------------------------------------------------------------------------------


def ask(toy: Toy, engine: Engine, *asked: Property, witnesses: tuple[str, ...] = ()) -> list[Answer]:
    """Decide properties of a toy, all with the same witnesses."""
    question = Question(toy, world(toy), {entry.name: witnesses for entry in asked})
    return decide(question, asked, engine, Budget())


class TestDecisions:
    """From a toy to a verdict, whichever engine is asked."""

    @pytest.mark.parametrize("engine", list(Engine))
    def test_safe(self, engine: Engine) -> None:
        (answer,) = ask(fischer(1, 1), engine, always("exclusion"), witnesses=("enters",))
        assert (answer.verdict, answer.trace, answer.finding.reason) == (PROVED, None, "")

    @pytest.mark.parametrize("engine", list(Engine))
    def test_unsafe(self, engine: Engine) -> None:
        (answer,) = ask(fischer(2, 1), engine, always("exclusion"), witnesses=("enters",))
        assert answer.verdict is VIOLATED
        assert answer.trace is not None
        assert len(answer.trace.steps) == 6
        assert answer.trace.shows == "exclusion"

    @pytest.mark.parametrize("engine", list(Engine))
    def test_vacuous(self, engine: Engine) -> None:
        (answer,) = ask(fischer(1, 1), engine, always("exclusion"), witnesses=("enters", "flies", "aches"))
        assert (answer.verdict, answer.finding.reason) == (VACUOUS, "never happens: aches, flies")

    @pytest.mark.parametrize(
        ("fair", "engine", "verdict", "by"),
        [
            (True, Engine.AUTO, PROVED, "graph, every duration"),
            (True, Engine.EXPLICIT, PROVED, "explicit, breadth first"),
            (False, Engine.AUTO, VIOLATED, "loops, dense time"),
            (False, Engine.EXPLICIT, VIOLATED, "explicit, breadth first"),
        ],
    )
    def test_promises(self, fair: bool, engine: Engine, verdict: Verdict, by: str) -> None:
        (answer,) = ask(courier(fair, True), engine, eventually("delivered"))
        assert (answer.verdict, answer.finding.engine) == (verdict, by)
        assert (answer.trace is None) is (verdict is PROVED)

    def test_answers_come_in_the_order_asked(self) -> None:
        asked = [eventually("delivered"), always("anything"), eventually("more")]
        assert [answer.finding.name for answer in ask(courier(True, True), Engine.AUTO, *asked)] == [
            "delivered",
            "anything",
            "more",
        ]

    def test_a_run_that_the_world_refuses_is_a_disagreement(self) -> None:
        question = Question(fischer(2, 1), world(fischer(1, 1)))
        (answer,) = decide(question, [always("exclusion")], Engine.ZONES, Budget())
        assert answer.verdict is Verdict.DISAGREEMENT
        assert answer.finding.reason.startswith("the replay was rejected: step ")
