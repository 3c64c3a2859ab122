"""Solvers of Z3 leave interrupts to Python, whatever they are asked, and an interrupt ends a check that takes long."""

from __future__ import annotations

import ast
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations, count
from pathlib import Path
from typing import Any

import pytest
import z3

from timewait.checker import solvers
from timewait.checker.certificate import rejection
from timewait.checker.queries import Query

ROOT = Path(__file__).parent.parent

MANY, SOME, ENDLESS = 9, 7, 15
"""Pigeons for one hole less. Z3 takes a part of a second to refute the first, Spacer the second, nobody waits for the last."""


def pigeons(birds: int) -> list[str]:
    """Commands of SMT-LIB 2 that place pigeons in one hole less, each alone."""
    holes = range(birds - 1)
    name = "p{}_{}".format
    declared = [f"(declare-const {name(bird, hole)} Bool)" for bird in range(birds) for hole in holes]
    placed = [f"(assert (or {' '.join(name(bird, hole) for hole in holes)}))" for bird in range(birds)]
    pairs = [(name(one, hole), name(other, hole)) for hole in holes for one, other in combinations(range(birds), 2)]
    alone = [f"(assert (not (and {one} {other})))" for one, other in pairs]
    return [*declared, *placed, *alone]


def asked(logic: str, birds: int) -> z3.Solver:
    """A solver of a logic, with the question."""
    made = solvers.solver(logic)
    made.from_string("\n".join(pigeons(birds)))
    return made


def spacer(birds: int) -> z3.CheckSatResult:
    """The same question to Spacer: whether a bad state is reached where all are placed."""
    horn, bad = solvers.horn_solver(600), z3.Function("bad", z3.BoolSort())
    horn.register_relation(bad)
    parts = list(z3.parse_smt2_string("\n".join(pigeons(birds))))
    names = (f"p{bird}_{hole}" for bird in range(birds) for hole in range(birds - 1))
    horn.declare_var(*map(z3.Bool, names))
    horn.rule(bad(), parts)
    return horn.query(bad())


CHECKS: dict[str, Callable[[], object]] = {
    "all formulas": lambda: asked("", MANY).check(),
    "QF_LRA": lambda: asked("QF_LRA", MANY).check(),
    "in a thread": lambda: solvers.answer(asked("", MANY)),
    "Spacer": lambda: spacer(SOME),
    "SMT-LIB 2": lambda: solvers.Script(600_000).printed([*pigeons(MANY), "(check-sat)"])[0],
}
"""Each way to ask Z3."""


@contextmanager
def interrupted_after(seconds: float, handler: Any) -> Iterator[None]:
    """Handle interrupts in a way, and send one after some seconds of the body."""
    before = signal.signal(signal.SIGINT, handler)
    timer = threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        yield
    finally:
        timer.join()
        time.sleep(0)  # where Python calls the handler
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("way", CHECKS)
def test_python_hears_an_interrupt_while_z3_works(way: str) -> None:
    """At several moments of a check, whose answer is that of one without an interrupt."""
    begun = time.monotonic()
    assert str(CHECKS[way]()) == "unsat"
    lasts = time.monotonic() - begun
    for part in range(1, 5):
        heard: list[int] = []
        with interrupted_after(lasts * part / 6, lambda number, _, heard=heard: heard.append(number)):
            assert str(CHECKS[way]()) == "unsat"
        assert heard == [signal.SIGINT], f"at {part} / 6 of {lasts:.2f} s"


def test_an_interrupt_ends_a_long_check() -> None:
    """The exception of Python passes, and the check does not go on in its thread."""
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.3, signal.default_int_handler):
        solvers.answer(asked("", ENDLESS))
    assert solvers.answer(asked("", ENDLESS), lambda: True) == z3.unknown


def test_an_interrupt_ends_the_check_of_a_certificate() -> None:
    """Both solvers stop between two queries, though there are always more."""
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.3, signal.default_int_handler):
        rejection(Endless())
    assert rejection(Endless(wrong=True)) == "step query, somewhere: sat (Z3)"


class Endless:
    """A certificate with queries without end, the first of which may be refuted."""

    def __init__(self, wrong: bool = False) -> None:
        self._wrong = wrong

    intro: tuple[str, ...] = ()

    def mismatch(self) -> str:
        """There is none."""
        return ""

    def head(self) -> list[str]:
        """The logic alone."""
        return ["(set-logic QF_LRA)"]

    def definitions(self) -> Iterator[str]:
        """None."""
        yield from ()

    def queries(self) -> Iterator[Query]:
        """Queries that are refuted, of which the first is not if that is asked for."""
        if self._wrong:
            yield Query("step", "somewhere", ["true", "true"])
        for number in count():
            yield Query("step", f"place {number}", [f"(= {number}.0 {number}.0)", "false"])


def test_every_solver_is_made_in_one_place() -> None:
    """No other module asks Z3 in a way in which it takes interrupts."""
    asking = {"Solver", "SolverFor", "SimpleSolver", "Fixedpoint", "Optimize", "Tactic", "simplify", "solve", "prove"}
    asking.add("Z3_eval_smtlib2_string")
    found = {
        path.name
        for folder in ("checker", "proofs", "spec", "diagrams", "timewait")
        for path in (ROOT / folder).rglob("*.py")
        for part in ast.walk(ast.parse(path.read_text()))
        if isinstance(part, ast.Call) and ast.unparse(part.func).removeprefix("z3.") in asking
        if ast.unparse(part.func).startswith("z3.")
    }
    assert found == {"solvers.py"}
