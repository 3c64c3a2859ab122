"""The solvers of Z3, which leave interrupts to Python.

By itself Z3 takes an interrupt that arrives while it checks, and answers ``unknown``. Python does not hear of it: the work
goes on, with an answer that says nothing about the problem. Every solver of this package is made here, without that; a check
that may take long runs in a thread, so that Python hears an interrupt meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import z3

from timewait.checker.finding import never

LEAVES_INTERRUPTS: dict[str, Any] = {"ctrl_c": False}
"""The parameter of Z3 with which it takes no interrupt."""

POLL = 0.05
"""Seconds between two looks at a check that runs in a thread."""

AT_ONCE = 20
"""Commands in one call of Z3, which hears nothing meanwhile."""


class Abandoned(Exception):
    """A solver was asked to stop."""


def solver(logic: str = "") -> z3.Solver:
    """A solver for all formulas, or for those of a logic of SMT-LIB 2."""
    made = z3.SolverFor(logic) if logic else z3.Solver()
    made.set(**LEAVES_INTERRUPTS)
    return made


def horn_solver(seconds: float) -> z3.Fixedpoint:
    """Spacer, with a limit on its time."""
    made = z3.Fixedpoint()
    made.set(engine="spacer", timeout=max(int(seconds * 1000), 1), **LEAVES_INTERRUPTS)
    return made


def simplified(formula: z3.BoolRef) -> z3.BoolRef:
    """A formula as Z3 simplifies it."""
    shorter = z3.simplify(formula, **LEAVES_INTERRUPTS)
    assert isinstance(shorter, z3.BoolRef), "a formula stays one"
    return shorter


def answer(asked: z3.Solver, interrupted: Callable[[], bool] = never) -> z3.CheckSatResult:
    """The answer of a solver to a question that may take long.

    Parameters
    ----------
    asked : z3.Solver
        The solver with its formulas.
    interrupted : callable
        Polled: whether to stop; the answer is then ``unknown``.
    """
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(asked.check)
        try:
            while not wait([check], POLL).done:
                if interrupted():
                    asked.interrupt()
        finally:
            while not check.done():  # an exception, such as an interrupt, ends the check too
                asked.interrupt()
                wait([check], POLL)
    return check.result()


class Script:
    """Commands of SMT-LIB 2, carried out by Z3 in a context of their own.

    Parameters
    ----------
    milliseconds : int
        Limit on the time of each check.
    stop : callable
        Polled between commands: whether to carry out no more of them.
    """

    def __init__(self, milliseconds: int, stop: Callable[[], bool] = never) -> None:
        self._context, self._stop = z3.Context(), stop
        self.printed([f"(set-option :{name} {str(value).lower()})" for name, value in LEAVES_INTERRUPTS.items()])
        self.printed([f"(set-option :timeout {milliseconds})"])

    def printed(self, commands: Sequence[str]) -> list[str]:
        """The lines that Z3 prints for some commands.

        Raises
        ------
        Abandoned
            It was asked to stop.
        """
        lines: list[str] = []
        for first in range(0, len(commands), AT_ONCE):
            if self._stop():
                raise Abandoned
            text = "\n".join(commands[first : first + AT_ONCE])
            lines += str(z3.Z3_eval_smtlib2_string(self._context.ref(), text)).split("\n")[:-1]
        return lines
