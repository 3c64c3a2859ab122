"""Statements of real arithmetic for all values, decided by Z3."""

from __future__ import annotations

from collections.abc import Sequence

from timewait.checker import solvers
from timewait.checker.verdict import Verdict


def follows(names: Sequence[str], conditions: Sequence[str], conclusion: str) -> Verdict:
    """Whether a conclusion follows from conditions for all real values.

    Parameters
    ----------
    names : sequence of str
        The real variables.
    conditions, conclusion : sequence of str, str
        Terms of SMT-LIB 2 over the variables.
    """
    declared = [f"(declare-const {name} Real)" for name in names]
    stated = [f"(assert {condition})" for condition in conditions]
    text = "\n".join(["(set-logic QF_NRA)", *declared, *stated, f"(assert (not {conclusion}))", "(check-sat)", ""])
    solver = solvers.solver()
    solver.from_string(text)
    verdicts = {"unsat": Verdict.PROVED, "sat": Verdict.VIOLATED}
    return verdicts.get(str(solvers.answer(solver)), Verdict.INCONCLUSIVE)
