"""The variables of Z3 formulas."""

from __future__ import annotations

import z3


def variables_of(formula: z3.ExprRef) -> list[z3.ExprRef]:
    """Every variable of a formula, once, in order of occurrence.

    `z3.z3util.get_vars` returns the same, but prints every subformula on its way.
    """
    found: list[z3.ExprRef] = []
    seen: set[int] = set()
    waiting = [formula]
    while waiting:
        part = waiting.pop()
        if part.get_id() not in seen:
            seen.add(part.get_id())
            if z3.is_const(part) and part.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                found.append(part)
            waiting.extend(reversed(part.children()))
    return found
