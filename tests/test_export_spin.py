"""SPIN agrees on the verdicts and on the exact number of states."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from exports import CASES, Explored, toy_plan
from spin import needs_spin, spin
from toys import counter, fischer, lamp, letterbox, relay, trap, window

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.export.plan import plan_of
from timewait.checker.export.promela import as_promela
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.proofs.question import question
from timewait.spec.composition import Composition
from timewait.vocabulary.automaton import Edge, Location

pytestmark = needs_spin

NAMES = list(CASES)


@pytest.mark.parametrize("name", NAMES)
def test_spin_agrees(name: str, tmp_path: Path) -> None:
    """The same verdict, which is that of the theory, and exactly as many states."""
    explored = Explored(CASES[name])
    answer = spin(as_promela(explored.plan()), tmp_path)
    assert answer.violated == explored.broken == CASES[name].broken
    assert answer.states == len(explored.engine.nodes)
    assert answer.time_locked == bool(explored.engine.time_locked)
    assert ("this violates" in answer.trail) == answer.violated


def test_there_are_enough_of_each_kind() -> None:
    """At least twenty, of both scopes, safe and unsafe."""
    assert len(CASES) >= 20
    for scope in ("core", "close"):
        for broken in (False, True):
            kind = [one for one in CASES.values() if one.configuration.scope == scope and one.broken == broken]
            assert len(kind) >= 4


TOYS = {
    "a lamp": (lamp(), "never"),
    "an overflow": (counter(3), "overflow"),
    "a window that is missed": (window(">", 2, 2), "safe"),
    "a window that is met": (window(">=", 2, 2), "safe"),
    "Fischer, enough": (fischer(1, 1), "exclusion"),
    "Fischer, too little": (fischer(1, 1, ">="), "exclusion"),
    "a clock under two names": (relay(), "never"),
    "a letter dead in time": (letterbox(2, 2), "fresh"),
    "a letter still alive": (letterbox(2, 1), "fresh"),
    "a trap": (trap("t > MORE"), "never"),
}


@pytest.mark.parametrize("name", TOYS)
def test_spin_agrees_on_toys(name: str, tmp_path: Path) -> None:
    """An export knows no TCP: clocks change names and expire, and time-locks occur."""
    toy, asked = TOYS[name]
    engine = Explicit(CompiledAutomaton(toy))
    engine.explore(Budget())
    answer = spin(as_promela(toy_plan(toy, asked)), tmp_path)
    assert answer.violated == (asked in engine.broken)
    assert answer.states == len(engine.nodes)
    assert answer.time_locked == bool(engine.time_locked)


class Lacking(Composition):
    """A composition that lacks the first edge of a kind out of every location."""

    lacks = ""

    def edges(self, location: Location) -> Iterable[Edge]:
        """All edges but one."""
        edges = list(super().edges(location))
        missing = next((edge for edge in edges if str(edge.action).startswith(self.lacks)), None)
        return [edge for edge in edges if edge is not missing]


class NoTimeWaitTimer(Lacking):
    """TIME_WAIT never ends."""

    lacks = "A timer time-wait"


class NoRetransmission(Lacking):
    """B retransmits only what is then lost."""

    lacks = "B timer retransmission"


@pytest.mark.parametrize("lacking", [NoTimeWaitTimer, NoRetransmission])
def test_a_missing_edge_is_noticed(lacking: type[Lacking], tmp_path: Path) -> None:
    """An export that lacks an edge has another number of states."""
    explored = Explored(CASES["less than 2 MSL"])
    plan = plan_of(CompiledAutomaton(Quotient(lacking(explored.case.configuration))), explored.case.labels)
    answer = spin(as_promela(plan), tmp_path)
    assert answer.states != len(explored.engine.nodes)
    assert not answer.violated or lacking is NoRetransmission


def test_a_changed_bound_is_noticed(tmp_path: Path) -> None:
    """Copies that expire a tick early, in the text alone."""
    explored = Explored(CASES["2 MSL"])
    model = as_promela(explored.plan())
    assert "#define MSL 1\n" in model
    answer = spin(model.replace("age_B_FIN_ACK_seq_1_ack_2 <= MSL ->", "age_B_FIN_ACK_seq_1_ack_2 < MSL ->"), tmp_path)
    assert answer.states != len(explored.engine.nodes)


def test_an_unexplored_location_is_an_error(tmp_path: Path) -> None:
    """Where an exploration gave the locations, to reach another one is a violation."""
    case = CASES["no duplication"]
    explored = Explored(case)
    model = as_promela(explored.plan())
    assert not spin(model, tmp_path).violated
    assert spin(model.replace("#define MSL 1\n", "#define MSL 2\n"), tmp_path).violated
    assert not question(case.configuration).system.dense
