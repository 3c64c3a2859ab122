"""Time-locks and runs without end of systems of a handful of locations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from explored_toys import VACUOUS, ask, in_ticks
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
    lamp,
    letterbox,
    relay,
    sleeper,
    trap,
    whirl,
    world,
)

from timewait.checker import timelock
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.lasso import find_lasso
from timewait.checker.question import Engine
from timewait.checker.quotient import Quotient
from timewait.checker.replay import replay
from timewait.checker.structural import proof_of

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
