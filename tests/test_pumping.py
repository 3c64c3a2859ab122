"""Pumpable loops: found where they exist, replayed for waits of any length, and found only there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from toys import Place, Step, Toy, always, names, snoozer, world

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.family import ROUNDS, BrokenSchedule, ParametricSchedule, ScheduledAction, follow, instance
from timewait.checker.linear import Constraint, Terms
from timewait.checker.pumping import MAX_LOOP, pumpable_schedule
from timewait.checker.replay import replay
from timewait.vocabulary.automaton import ZERO

F = Fraction
PLAIN: dict[str, Terms] = {ZERO: {}} | {name: {name: F(1)} for name in ("SCALE", "RATE", "WAIT")}
UNITS = ("SCALE", "RATE")

Pumped = tuple[ParametricSchedule, list[Constraint]]


def pumped(toy: Toy, *actions: str, name: str = "early", **more: Terms) -> Pumped | None:
    """The schedule found along a run with some actions."""
    automaton = CompiledAutomaton(toy)
    path = follow(automaton, [f"somebody toy {action}" for action in actions])
    return pumpable_schedule(automaton, path, name, PLAIN | more, UNITS, "WAIT")


def outlast(toy: Toy, found: Pumped, name: str, **values: Fraction) -> None:
    """Replay a schedule on the toy, with as many iterations as the wait needs."""
    (length,) = (parameter for action in found[0].repeated for parameter in action.delay)
    iterations = int(values["WAIT"] // values[length]) + 1
    timed = replace(toy, values={**toy.values, **values})
    run = instance(CompiledAutomaton(timed), found[0], timed.parameters, iterations)
    trace = replay(world(timed), run, always(name))
    assert len(trace.steps) == len(run.moves) == len(found[0].before) + iterations * len(found[0].repeated) + len(found[0].after)
    assert values["WAIT"] < trace.steps[-1].time <= values["WAIT"] + values[length]
    assert all(part.holds({**values, ROUNDS: iterations * values[length]}) for part in found[1])


def names_of(actions: Sequence[ScheduledAction]) -> list[str]:
    """The names of some actions."""
    return [str(one.action).removeprefix("somebody toy ") for one in actions]


class TestFound:
    """A loop is found, and iterated as often as needed."""

    @pytest.mark.parametrize("steps", range(1, MAX_LOOP + 1))
    def test_any_length_up_to_the_maximum(self, steps: int) -> None:
        toy = snoozer(steps)
        found = pumped(toy, "ring", *(f"snooze {step}" for step in range(steps)), "get up late")
        assert found is not None
        schedule, _ = found
        assert (names_of(schedule.before), names_of(schedule.after)) == (["ring"], ["get up late"])
        assert names_of(schedule.repeated) == [f"snooze {step}" for step in range(steps)]
        assert [one.delay for one in schedule.repeated if one.delay] == [{"RATE": 1}]
        assert all(not one.delay for one in (*schedule.before, *schedule.after))
        for rate, wait in ((F(1), F(0)), (F(1), F(7)), (F(3), F(2)), (F(2, 3), F(29, 4))):
            outlast(toy, found, "early", SCALE=F(1), RATE=rate, WAIT=wait)

    def test_by_a_run_that_does_not_repeat_itself(self) -> None:
        """The run gets up at once, and passes the location of the loop."""
        assert pumped(snoozer(), "ring", "get up late") is not None

    def test_repetitions_of_the_run_are_left_out(self) -> None:
        """The schedule holds the loop once."""
        found = pumped(snoozer(2), "ring", *["snooze 0", "snooze 1"] * 3, "get up late")
        assert found is not None
        assert (names_of(found[0].before), names_of(found[0].after)) == (["ring"], ["get up late"])

    def test_the_unit_is_a_parameter_of_the_guard(self) -> None:
        """An iteration takes SCALE where the invariant mentions SCALE."""
        toy = snoozer(unit="SCALE")
        places = {**toy.places, 0: replace(toy.places[0], invariant=("x <= SCALE",))}
        toy = replace(toy, places=places)
        found = pumped(toy, "ring", "get up late")
        assert found is not None
        assert found[0].repeated[0].delay == {"SCALE": 1}
        outlast(toy, found, "early", SCALE=F(2), RATE=F(1), WAIT=F(9))


class TestNone:
    """No schedule is found where no loop can be pumped."""

    @pytest.mark.parametrize(
        "toy",
        [
            snoozer(restarts=True),  # the loop resets the clock of the wait
            snoozer(unit=None),  # no guard mentions a unit of time
            snoozer(unit="WAIT"),  # nor one that may be the length of an iteration
        ],
        ids=["begins anew", "not compared", "compared with the wait itself"],
    )
    def test_no_schedule(self, toy: Toy) -> None:
        assert pumped(toy, "ring", "snooze 0", "get up late") is None

    def test_too_long_a_loop(self) -> None:
        steps = MAX_LOOP + 1
        assert pumped(snoozer(steps), "ring", *(f"snooze {step}" for step in range(steps)), "get up late") is None

    def test_another_property(self) -> None:
        """The last edge violates another property."""
        assert pumped(snoozer(), "ring", "get up late", name="tidy") is None

    def test_a_loop_that_violates_the_property(self) -> None:
        """The run would have ended in the loop."""
        toy = snoozer()
        bad = replace(toy.places[0].steps[0], violates=names("tidy"))
        places = {**toy.places, 0: replace(toy.places[0], steps=(bad, toy.places[0].steps[1]))}
        assert pumped(replace(toy, places=places), "ring", "get up late") is None

    def test_a_deadline_ends_it(self) -> None:
        """An invariant ends the loop SCALE after the alarm."""
        toy = snoozer()
        place = toy.places[0]
        places = {**toy.places, 0: replace(place, invariant=(*place.invariant, "t <= SCALE"))}
        assert pumped(replace(toy, places=places), "ring", "get up late") is None

    def test_not_at_the_start_and_not_where_no_wait_is_under_way(self) -> None:
        """Turning over before the alarm rings puts nothing off."""
        late = Step("get up late", "up", ("t > WAIT", "t <= RATE"), violates=names("early"))
        turn = Step("turn over", "night", ("t <= RATE",))
        places = {"night": Place(("t",), (), (turn, Step("ring", 0))), 0: Place(("t",), (), (late,)), "up": Place()}
        toy = Toy("night", places, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        assert pumped(toy, "turn over", "ring", "get up late") is None


def test_an_ambiguous_text_is_refused() -> None:
    """Two actions with the same text differ in their identity; the text alone does not choose one."""
    automaton = CompiledAutomaton(snoozer())
    location = automaton.location(automaton.start)
    edge = location.edges[0]
    twins = [replace(edge.original.action, lost=lost) for lost in ((True, False), (False, True))]
    edges = tuple(edge._replace(original=replace(edge.original, action=action)) for action in twins)
    automaton._compiled[automaton.start] = location._replace(edges=edges)
    assert str(twins[0]) == str(twins[1])
    for action, expected in zip(twins, edges, strict=True):
        assert follow(automaton, [action])[0][1] is expected
    with pytest.raises(BrokenSchedule, match="ambiguous"):
        follow(automaton, [str(twins[0])])
