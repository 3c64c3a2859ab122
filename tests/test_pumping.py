"""Runs that outlast every wait: found where there are some, carried out for waits of any length, and only those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from toys import Place, Step, Toy, always, names, snoozer, world

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.family import ROUNDS, ParametricSchedule, ScheduledAction, follow, instance
from timewait.checker.linear import Constraint, Terms
from timewait.checker.pumping import MAX_LOOP, pumpable_schedule
from timewait.checker.replay import replay
from timewait.vocabulary.automaton import ZERO

F = Fraction
PLAIN: dict[str, Terms] = {ZERO: {}} | {name: {name: F(1)} for name in ("SCALE", "RATE", "WAIT")}
UNITS = ("SCALE", "RATE")

Family = tuple[ParametricSchedule, list[Constraint]]


def family(toy: Toy, *does: str, asked: str = "early", **more: Terms) -> Family | None:
    """The family found along a run, which is given by what is done in it."""
    automaton = CompiledAutomaton(toy)
    path = follow(automaton, [f"somebody toy {what}" for what in does])
    return pumpable_schedule(automaton, path, asked, PLAIN | more, UNITS, "WAIT")


def outlast(toy: Toy, found: Family, asked: str, **values: Fraction) -> None:
    """Carry a family out on the toy, with as many rounds as the wait needs; a replay that breaks nothing is rejected."""
    (length,) = (name for line in found[0].repeated for name in line.delay)
    rounds = int(values["WAIT"] // values[length]) + 1
    timed = replace(toy, values={**toy.values, **values})
    run = instance(CompiledAutomaton(timed), found[0], timed.parameters, rounds)
    trace = replay(world(timed), run, always(asked))
    assert len(trace.steps) == len(run.moves) == len(found[0].before) + rounds * len(found[0].repeated) + len(found[0].after)
    assert values["WAIT"] < trace.steps[-1].time <= values["WAIT"] + values[length]
    assert all(part.holds({**values, ROUNDS: rounds * values[length]}) for part in found[1])


def does(lines: Sequence[ScheduledAction]) -> list[str]:
    """What some lines do."""
    return [line.action.removeprefix("somebody toy ") for line in lines]


class TestFound:
    """A part that can be repeated is found, and goes on for as long as it must."""

    @pytest.mark.parametrize("steps", range(1, MAX_LOOP + 1))
    def test_however_many_steps_it_has(self, steps: int) -> None:
        toy = snoozer(steps)
        found = family(toy, "ring", *(f"snooze {step}" for step in range(steps)), "get up late")
        assert found is not None
        script, _ = found
        assert (does(script.before), does(script.after)) == (["ring"], ["get up late"])
        assert does(script.repeated) == [f"snooze {step}" for step in range(steps)]
        assert [line.delay for line in script.repeated if line.delay] == [{"RATE": 1}]
        assert all(not line.delay for line in (*script.before, *script.after))
        for rate, wait in ((F(1), F(0)), (F(1), F(7)), (F(3), F(2)), (F(2, 3), F(29, 4))):
            outlast(toy, found, "early", SCALE=F(1), RATE=rate, WAIT=wait)

    def test_by_a_run_that_does_not_repeat_itself(self) -> None:
        """The run gets up at once; that it might be put off is seen at the place where it might be."""
        assert family(snoozer(), "ring", "get up late") is not None

    def test_what_a_run_repeats_already_is_left_out(self) -> None:
        """The family says it once."""
        found = family(snoozer(2), "ring", *["snooze 0", "snooze 1"] * 3, "get up late")
        assert found is not None
        assert (does(found[0].before), does(found[0].after)) == (["ring"], ["get up late"])

    def test_the_unit_is_what_is_compared(self) -> None:
        """By SCALE at a time, where that is what a step is compared with."""
        toy = snoozer(unit="SCALE")
        places = {**toy.places, 0: replace(toy.places[0], limits=("x <= SCALE",))}
        toy = replace(toy, places=places)
        found = family(toy, "ring", "get up late")
        assert found is not None
        assert found[0].repeated[0].delay == {"SCALE": 1}
        outlast(toy, found, "early", SCALE=F(2), RATE=F(1), WAIT=F(9))


class TestNone:
    """Nothing is made up."""

    @pytest.mark.parametrize(
        "toy",
        [
            snoozer(restarts=True),  # the way round starts the wait anew
            snoozer(unit=None),  # no unit of time is told
            snoozer(unit="WAIT"),  # nor one that may be the length of a round
        ],
        ids=["begins anew", "not compared", "compared with the wait itself"],
    )
    def test_no_family(self, toy: Toy) -> None:
        assert family(toy, "ring", "snooze 0", "get up late") is None

    def test_too_long_a_way_round(self) -> None:
        steps = MAX_LOOP + 1
        assert family(snoozer(steps), "ring", *(f"snooze {step}" for step in range(steps)), "get up late") is None

    def test_another_property(self) -> None:
        """The last step breaks something else."""
        assert family(snoozer(), "ring", "get up late", asked="tidy") is None

    def test_a_way_round_that_is_bad_itself(self) -> None:
        """Then the run would have ended there."""
        toy = snoozer()
        bad = replace(toy.places[0].steps[0], violates=names("tidy"))
        places = {**toy.places, 0: replace(toy.places[0], steps=(bad, toy.places[0].steps[1]))}
        assert family(replace(toy, places=places), "ring", "get up late") is None

    def test_a_deadline_ends_it(self) -> None:
        """He must be up SCALE after the alarm: no round without end."""
        toy = snoozer()
        place = toy.places[0]
        places = {**toy.places, 0: replace(place, limits=(*place.limits, "t <= SCALE"))}
        assert family(replace(toy, places=places), "ring", "get up late") is None

    def test_not_at_the_start_and_not_where_no_wait_is_under_way(self) -> None:
        """Turning over before the alarm rings puts nothing off."""
        late = Step("get up late", "up", ("t > WAIT", "t <= RATE"), violates=names("early"))
        turn = Step("turn over", "night", ("t <= RATE",))
        places = {"night": Place(("t",), (), (turn, Step("ring", 0))), 0: Place(("t",), (), (late,)), "up": Place()}
        toy = Toy("night", places, {"SCALE": 1, "RATE": 1, "WAIT": 1})
        assert family(toy, "turn over", "ring", "get up late") is None
