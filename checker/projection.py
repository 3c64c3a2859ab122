"""The parameters for which a path can be taken, as a convex polyhedron; and its delays as linear terms.

Every bound along a path compares the difference between the times of two steps with a linear term. Fourier-Motzkin
elimination removes the times one by one: it joins each bound into a step with each bound out of it. The sums along
cycles remain, and must not be positive. Bounds that follow from others for all nonnegative parameters are dropped
on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import NamedTuple

import z3

from timewait.checker import solvers
from timewait.checker.compiled import CompiledPath
from timewait.checker.linear import Constraint, Terms, constraint_of, evaluate, plus, times
from timewait.checker.schedule import TimeDifference, differences
from timewait.checker.symbolic import constraint_formula

Polyhedron = tuple[Constraint, ...]
"""Irredundant constraints, in conjunction; no parameter is negative."""

Vector = tuple[Fraction, ...]
ParameterPoint = dict[str, Fraction]

MAX_COEFFICIENT = 4
"""The largest absolute value of a coefficient in a time: a run takes a few MSL."""


class _LowerBound(NamedTuple):
    """A lower bound on a difference between two times."""

    term: Terms
    strict: bool

    def implies(self, other: _LowerBound) -> bool:
        """Whether it is at least as strong, for all nonnegative parameters."""
        more = plus(self.term, times(Fraction(-1), other.term))
        return all(factor >= 0 for factor in more.values()) and (self.strict or not other.strict)


def parameters_of_path(path: CompiledPath, terms: Mapping[str, Terms]) -> Polyhedron:
    """The parameters for which a path can be taken.

    Parameters
    ----------
    path : sequence of (CompiledLocation, CompiledEdge)
        The path, from the initial location.
    terms : mapping
        Every parameter of the system as a term in the symbolic ones.
    """
    bounds: dict[tuple[int, int], list[_LowerBound]] = {}
    conditions: list[_LowerBound] = []
    for difference in differences(path):
        bound = _LowerBound(_in_terms(difference, terms), difference.strict)
        _add(bounds, conditions, difference.earlier, difference.later, bound)
    for time in range(len(path), -1, -1):
        into = [(first, bound) for (first, last), found in bounds.items() if last == time for bound in found]
        out = [(last, bound) for (first, last), found in bounds.items() if first == time for bound in found]
        bounds = {pair: found for pair, found in bounds.items() if time not in pair}
        for first, before in into:
            for last, after in out:
                joined = _LowerBound(plus(before.term, after.term), before.strict or after.strict)
                _add(bounds, conditions, first, last, joined)
    return irredundant([constraint_of(times(Fraction(-1), bound.term), ">" if bound.strict else ">=") for bound in conditions])


def _in_terms(difference: TimeDifference, terms: Mapping[str, Terms]) -> Terms:
    return times(Fraction(difference.factor), terms.get(difference.parameter, {}))


def _add(
    bounds: dict[tuple[int, int], list[_LowerBound]], conditions: list[_LowerBound], first: int, last: int, bound: _LowerBound
) -> None:
    """Keep a bound unless another implies it, and drop those that it implies; on a cycle it is a condition."""
    known = conditions if first == last else bounds.setdefault((first, last), [])
    if not any(other.implies(bound) for other in known):
        known[:] = [*(other for other in known if not bound.implies(other)), bound]


def irredundant(parts: Sequence[Constraint]) -> Polyhedron:
    """The constraints that do not follow from the others, sorted by text."""
    names = sorted({name for part in parts for name in part.terms if name})
    parameters = {name: z3.Real(name) for name in names}
    solver = solvers.solver("QF_LRA")
    solver.add(*(parameters[name] >= 0 for name in names))
    kept = sorted({part.text: part for part in parts}.values(), key=lambda part: (len(part.terms), part.text))
    for part in list(kept):
        rest = [other for other in kept if other is not part]
        solver.push()
        solver.add(*(constraint_formula(other, parameters) for other in rest), z3.Not(constraint_formula(part, parameters)))
        if solver.check() == z3.unsat:
            kept = rest
        solver.pop()
    return tuple(kept)


# --- rays ----------------------------------------------------------------------------------------------------------


def rays(region: Polyhedron, symbols: tuple[str, str, str]) -> list[Vector]:
    """The extreme rays of a cone in three nonnegative parameters.

    Parameters
    ----------
    region : Polyhedron
        Constraints without constants.
    symbols : tuple of str
        The parameters, in the order of the rays' components.
    """
    normals = [tuple(part.terms.get(name, Fraction(0)) for name in symbols) for part in region]
    normals += [tuple(Fraction(int(index == axis)) for index in range(3)) for axis in range(3)]
    found: list[Vector] = []
    for one, other in combinations(normals, 2):
        across = _cross(one, other)
        for ray in (across, tuple(-value for value in across)):
            if any(ray) and all(_dot(normal, ray) >= 0 for normal in normals):
                scale = sum(map(abs, ray), Fraction(0))
                unit = tuple(value / scale for value in ray)
                if unit not in found:
                    found.append(unit)
    return found


def _cross(left: Vector, right: Vector) -> Vector:
    return (
        left[1] * right[2] - left[2] * right[1],
        left[2] * right[0] - left[0] * right[2],
        left[0] * right[1] - left[1] * right[0],
    )


def _dot(left: Vector, right: Vector) -> Fraction:
    return sum((x * y for x, y in zip(left, right, strict=True)), Fraction(0))


# --- delays as linear terms ------------------------------------------------------------------------------------------------


def delays_in_terms(
    path: CompiledPath,
    terms: Mapping[str, Terms],
    region: Polyhedron,
    symbols: tuple[str, str, str],
) -> tuple[Terms, ...] | None:
    """The delays before the steps of a path as linear terms, legal for all values in a region; None when none are found.

    A linear bound holds on a cone if it holds on the cone's rays, so the coefficients solve finitely many inequalities.
    Readable solutions are tried first: the first step without delay, whole coefficients, then halves, quarters, twelfths.
    """
    bounds = [
        (difference.earlier, difference.later, _in_terms(difference, terms), difference.strict)
        for difference in differences(path)
    ]
    corners = [dict(zip(symbols, ray, strict=True)) for ray in rays(region, symbols)]
    inner = _inner_points(region, corners, symbols)
    for fixed, parts in product((2, 1), (1, 2, 3, 4, 12)):
        found = _coefficients(len(path), bounds, corners, inner, parts, fixed)
        if found is not None:
            return tuple(plus(later, times(Fraction(-1), earlier)) for earlier, later in pairwise(found))
    return None


def _inner_points(region: Polyhedron, corners: list[ParameterPoint], symbols: tuple[str, str, str]) -> list[ParameterPoint]:
    """An inner point of the region, of each face and of each edge, if the region contains it: strict bounds are checked there."""
    axes = [constraint_of({name: Fraction(1)}, ">=") for name in symbols]
    faces = [
        [corner for corner in corners if not evaluate(part.terms, corner)] for part in (*region, *axes) if part.relation == ">="
    ]
    edges = [[corner] for corner in corners]
    open_parts = [part for part in region if part.relation == ">"]
    points = [
        {name: sum((corner[name] for corner in face), Fraction(0)) for name in symbols} for face in (corners, *faces, *edges)
    ]
    return [point for point in points if all(part.holds(point) for part in open_parts)]


def _coefficients(
    steps: int,
    bounds: Sequence[tuple[int, int, Terms, bool]],
    corners: list[ParameterPoint],
    inner: list[ParameterPoint],
    parts: int,
    fixed: int,
) -> list[Terms] | None:
    """The time of each step as a term whose coefficients are multiples of 1 / `parts`; the first `fixed` times are zero."""
    solver = solvers.solver()
    solver.set("timeout", 5000)
    unknown = [{name: z3.Int(f"{name}@{step}") for name in corners[0]} for step in range(steps + 1)]
    most = parts * MAX_COEFFICIENT
    solver.add(*(z3.And(-most <= factor, factor <= most) for factors in unknown for factor in factors.values()))
    solver.add(*(factor == 0 for factors in unknown[:fixed] for factor in factors.values()))
    for earlier, later, term, strict in bounds:
        for corner in corners:
            solver.add(_later_by(unknown[earlier], unknown[later], corner) >= parts * evaluate(term, corner))
        for point in inner if strict else ():
            solver.add(_later_by(unknown[earlier], unknown[later], point) > parts * evaluate(term, point))
    if solvers.answer(solver) != z3.sat:
        return None
    model = solver.model()
    return [
        {
            name: Fraction(model.eval(coefficient, model_completion=True).as_long(), parts)
            for name, coefficient in coefficients.items()
        }
        for coefficients in unknown
    ]


def _later_by(earlier: Mapping[str, z3.ArithRef], later: Mapping[str, z3.ArithRef], at: Mapping[str, Fraction]) -> z3.ArithRef:
    """The difference between the times of two steps at a point, times `parts`."""
    return z3.Sum(*(z3.RealVal(str(value)) * (later[name] - earlier[name]) for name, value in at.items()))
