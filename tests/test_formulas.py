"""Variables of Z3 formulas."""

from __future__ import annotations

import z3

from timewait.checker.formulas import variables_of


def test_variables_are_those_of_the_library() -> None:
    """Each variable once, at any depth; no numbers, no names of sorts."""
    x, y, p = z3.Real("x"), z3.Real("y"), z3.Bool("p")
    formula = z3.And(z3.Or(p, x + 2 * y > 3), z3.Implies(z3.Not(p), z3.If(p, x, y) == x), z3.BoolVal(True))
    assert [str(one) for one in variables_of(formula)] == ["p", "x", "y"]
    assert {str(one) for one in variables_of(formula)} == {str(one) for one in z3.z3util.get_vars(formula)}
    assert variables_of(z3.BoolVal(False)) == []
    assert variables_of(x) == [x]
