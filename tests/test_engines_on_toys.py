"""Every engine on systems of a handful of locations, against answers worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import get_args

import pytest
from explored_toys import HALF, INCONCLUSIVE, PROVED, VACUOUS, VIOLATED, as_formulas, as_script, ask, in_ticks, in_zones
from toys import Place, Step, Toy, always, counter, courier, eventually, fischer, hurry, lamp, letterbox, window, world

from timewait.checker import certificate, horn
from timewait.checker.bounded import search
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.cover import constants, cover_of, invariant, trimmed
from timewait.checker.decide import decide
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget
from timewait.checker.question import MAX_COUNTED_LOCATIONS, Engine, Question
from timewait.checker.replay import replay
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Location, Relation

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
