"""Loops walked with exact clocks: what the search for lassos calls fair is fair, and what leaves something out is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from toys import Place, Step, Toy, bounds, chatter, counter, courier, eventually, lamp, names, relay, sleeper, world

from timewait.checker import lasso
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.explicit import Explicit
from timewait.checker.fairness import unfair
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.lasso import find_lasso
from timewait.checker.question import Engine, Question
from timewait.checker.verdict import Verdict
from timewait.proofs.claims import LITERAL, close
from timewait.proofs.question import question
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.automaton import Action, Property


def go(*does: str | None, delay: Fraction | int = 0) -> list[Move]:
    """Moves of a toy, the same wait before each."""
    return [Move(Fraction(delay), Action("toy", "somebody", what) if what else None) for what in does]


class TestFound:
    """Every lasso that is found is fair."""

    @pytest.mark.parametrize(
        ("toy", "asked", "unit"),
        [
            (courier(False, True), eventually("delivered"), None),
            (lamp(3), eventually("dark"), 1),
            (sleeper(True), eventually("risen"), None),
            (chatter(True), eventually("quiet", recurrent=True), None),
            (chatter(False), eventually("quiet"), None),
            (relay(), eventually("done"), None),
        ],
    )
    def test_on_toys(self, toy: Toy, asked: Property, unit: int | None) -> None:
        explored = Explicit(CompiledAutomaton(toy), None if unit is None else Fraction(unit))
        explored.explore(Budget())
        run = find_lasso(explored, asked)
        assert run is not None
        assert unfair(CompiledAutomaton(toy), run) == ""

    def test_on_the_letter_of_the_standard(self) -> None:
        """Two ends in TIME_WAIT that acknowledge each other for ever."""
        asked = question(replace(close(1, 2, 1, 0, LITERAL), both_close=True))
        for answer in decide(asked, [PROPERTIES["quiet"], PROPERTIES["closes"]], Engine.EXPLICIT, Budget()):
            assert answer.verdict is Verdict.VIOLATED
            run = answer.finding.run
            assert run is not None
            assert run.loop is not None
            assert unfair(asked.compiled, run) == ""


class TestLeftOut:
    """A loop that could do something again and again, and never does."""

    @pytest.mark.parametrize(
        ("toy", "moves", "loop", "left_out"),
        [
            (courier(True, True), [*go("go"), *go("come back", "go", delay=1)], 1, "delivery"),
            (courier(True, False), [*go("go"), *go("come back", "go", delay=1)], 1, "delivery"),
            (sleeper(True), go("start it again", delay=3), 0, "getting up"),
            (sleeper(False), [*go("turn round", delay=3), *go("turn round", delay=1)], 1, "getting up"),
        ],
    )
    def test_is_named(self, toy: Toy, moves: list[Move], loop: int, left_out: str) -> None:
        fault = unfair(CompiledAutomaton(toy), Run(tuple(moves), loop))
        assert fault == f"its loop could do again and again, and never does: {left_out}"

    def test_also_what_is_open_only_while_time_passes(self) -> None:
        """Open at one second of a wait of two."""
        assert "knock" in unfair(CompiledAutomaton(door("t == ONE")), Run(tuple(go("ring", delay=2)), 0))
        assert unfair(CompiledAutomaton(door("t == ONE")), Run(tuple(go("ring", delay=Fraction(1, 2))), 0)) == ""

    @pytest.mark.parametrize(
        ("guard", "delay", "open_"),
        [
            (("t <= ONE",), 0, True),
            (("t > ONE",), 1, False),
            (("t > ONE",), Fraction(11, 10), True),
            (("t >= ONE",), 1, True),
            (("t >= ONE",), Fraction(9, 10), False),
            (("t > ONE", "t <= TWO"), 2, True),
            (("t > ONE", "t <= ONE"), 2, False),
            (("t >= ONE", "t <= ONE"), 2, True),
            (("t > ONE", "t >= ONE", "t <= ONE"), 2, False),
            (("t >= ONE", "t > ONE", "t <= ONE"), 2, False),
            (("t > ONE", "t == TWO"), 2, True),
            (("t == ONE", "t == TWO"), 2, False),
        ],
    )
    def test_guards_during_a_wait(self, guard: Sequence[str], delay: Fraction | int, open_: bool) -> None:
        """Open at some instant of it or not."""
        fault = unfair(CompiledAutomaton(door(*guard)), Run(tuple(go("ring", delay=delay)), 0))
        assert fault == ("its loop could do again and again, and never does: knock" if open_ else "")


class TestNoLoop:
    """What is no loop of the tables."""

    @pytest.mark.parametrize(
        ("toy", "moves", "loop", "said"),
        [
            (courier(False, True), go("go"), None, "does not lead back"),
            (courier(False, True), go("go"), 0, "does not lead back"),
            (courier(False, True), go("come back"), 0, "does not lead back"),
            (courier(False, True), [*go("come back"), *go("go")], 1, "no run"),
            (courier(False, True), [*go("go", delay=2), *go("come back", "go")], 1, "no run"),
            (counter(9, 1), go("count", delay=1), 0, "does not lead back"),
        ],
    )
    def test_is_told(self, toy: Toy, moves: list[Move], loop: int | None, said: str) -> None:
        assert said in unfair(CompiledAutomaton(toy), Run(tuple(moves), loop))

    def test_clocks_must_come_back_too(self) -> None:
        """Unless they are beyond all that they are compared with."""
        toy = door("t == TWO")
        keeping = replace(toy, places={"door": replace(toy.places["door"], steps=(kept(toy.places["door"].steps[0]),))})
        assert "does not lead back" in unfair(CompiledAutomaton(keeping), Run(tuple(go("ring", delay=1)), 0))
        beyond = [*go(None, delay=3), *go("ring", delay=1)]
        assert unfair(CompiledAutomaton(keeping), Run(tuple(beyond), 1)) == ""


def door(*guard: str) -> Toy:
    """Somebody rings again and again, and might knock."""
    ring, knock = Step("ring", "door"), Step("knock", "door", guard, fair=names("knock"))
    assert bounds(*guard)
    return Toy("door", {"door": Place(("t",), (), (ring, knock), names("opened"))}, {"ONE": 1, "TWO": 2})


def kept(step: Step) -> Step:
    """A step that leaves the clock alone."""
    return replace(step, keeps=("t",))


def test_an_unfair_lasso_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that forgets about fairness is not believed."""
    toy = courier(True, True)
    asked = Question(toy, world(toy))
    (answer,) = decide(asked, [eventually("delivered")], Engine.EXPLICIT, Budget())
    assert answer.verdict is Verdict.PROVED
    real = lasso.fair_components

    def careless(graph):  # type: ignore[no-untyped-def]  # a graph of networkx, which has no types
        for node in graph.nodes:
            graph.nodes[node]["possible"] = frozenset()
        return real(graph)

    monkeypatch.setattr(lasso, "fair_components", careless)
    (answer,) = decide(Question(toy, world(toy)), [eventually("delivered")], Engine.EXPLICIT, Budget())
    assert answer.verdict is Verdict.DISAGREEMENT
    assert answer.finding.reason == "the run is not fair: its loop could do again and again, and never does: delivery"
