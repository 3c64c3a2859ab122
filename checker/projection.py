"""The region of parameters in which a path can be taken: a convex polyhedron.

All bounds along a path are differences between the times of its steps and a term in the parameters. The
times are eliminated one by one (Fourier and Motzkin; on differences that joins each bound into a step
with each bound out of it), and what is left are sums along cycles, which must not be positive. Bounds that
follow from others are dropped on the way, whatever the parameters, as long as none of these is negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import NamedTuple

import z3

from timewait.checker.compiled import CompiledEdge, CompiledLocation
from timewait.checker.linear import Constraint, Terms, constraint_of, evaluate, plus, times
from timewait.checker.schedule import TimeDifference, differences
from timewait.checker.symbolic import linear

Polyhedron = tuple[Constraint, ...]
"""Constraints that hold together, none of which follows from the others; no parameter is negative."""

Vector = tuple[Fraction, ...]
Point = dict[str, Fraction]

MAX_COEFFICIENT = 4
"""The largest coefficient, more or less, of a time in terms: a run takes a few MSL."""


class _Gap(NamedTuple):
    """A lower bound on a difference between two times."""

    term: Terms
    strict: bool

    def implies(self, other: _Gap) -> bool:
        """Whether it is no weaker, whatever the parameters, none of which is negative."""
        more = plus(self.term, times(Fraction(-1), other.term))
        return all(factor >= 0 for factor in more.values()) and (self.strict or not other.strict)


def parameters_of_path(path: Sequence[tuple[CompiledLocation, CompiledEdge]], terms: Mapping[str, Terms]) -> Polyhedron:
    """The parameters for which a path can be taken.

    Parameters
    ----------
    path : sequence of (CompiledLocation, CompiledEdge)
        The path, from the initial location.
    terms : mapping
        Every parameter of the system as a term in the symbolic ones.
    """
    gaps: dict[tuple[int, int], list[_Gap]] = {}
    conditions: list[_Gap] = []
    for bound in differences(path):
        gap = _Gap(_in_terms(bound, terms), bound.strict)
        _add(gaps, conditions, bound.earlier, bound.later, gap)
    for time in range(len(path), -1, -1):
        into = [(first, gap) for (first, last), found in gaps.items() if last == time for gap in found]
        out = [(last, gap) for (first, last), found in gaps.items() if first == time for gap in found]
        gaps = {pair: found for pair, found in gaps.items() if time not in pair}
        for first, before in into:
            for last, after in out:
                joined = _Gap(plus(before.term, after.term), before.strict or after.strict)
                _add(gaps, conditions, first, last, joined)
    return irredundant([constraint_of(times(Fraction(-1), gap.term), ">" if gap.strict else ">=") for gap in conditions])


def _in_terms(bound: TimeDifference, terms: Mapping[str, Terms]) -> Terms:
    return times(Fraction(bound.factor), terms.get(bound.parameter, {}))


def _add(gaps: dict[tuple[int, int], list[_Gap]], conditions: list[_Gap], first: int, last: int, gap: _Gap) -> None:
    """Keep a bound unless another implies it, and drop those that it implies; on a cycle it is a condition."""
    known = conditions if first == last else gaps.setdefault((first, last), [])
    if not any(other.implies(gap) for other in known):
        known[:] = [*(other for other in known if not gap.implies(other)), gap]


def irredundant(parts: Sequence[Constraint]) -> Polyhedron:
    """The constraints that do not follow from the others, in the order of their texts."""
    names = sorted({name for part in parts for name in part.terms if name})
    parameters = {name: z3.Real(name) for name in names}
    solver = z3.SolverFor("QF_LRA")
    solver.add(*(parameters[name] >= 0 for name in names))
    kept = sorted({part.text: part for part in parts}.values(), key=lambda part: (len(part.terms), part.text))
    for part in list(kept):
        rest = [other for other in kept if other is not part]
        solver.push()
        solver.add(*(formula(other, parameters) for other in rest), z3.Not(formula(part, parameters)))
        if solver.check() == z3.unsat:
            kept = rest
        solver.pop()
    return tuple(kept)


def formula(part: Constraint, parameters: Mapping[str, z3.ArithRef]) -> z3.BoolRef:
    """A constraint as a formula."""
    term = linear(part.terms, parameters)
    return term == 0 if part.relation == "==" else term > 0 if part.relation == ">" else term >= 0


# --- rays ----------------------------------------------------------------------------------------------------------


def rays(region: Polyhedron, symbols: tuple[str, str, str]) -> list[Vector]:
    """The extreme rays of a region that is a cone in three parameters, none of them negative.

    Parameters
    ----------
    region : Polyhedron
        Constraints without constants.
    symbols : tuple of str
        The parameters, in the order in which the rays give them.
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


def _cross(one: Vector, other: Vector) -> Vector:
    return (
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )


def _dot(one: Vector, other: Vector) -> Fraction:
    return sum((left * right for left, right in zip(one, other, strict=True)), Fraction(0))


# --- delays as terms ------------------------------------------------------------------------------------------------


def delays_in_terms(
    path: Sequence[tuple[CompiledLocation, CompiledEdge]],
    terms: Mapping[str, Terms],
    region: Polyhedron,
    symbols: tuple[str, str, str],
) -> tuple[Terms, ...] | None:
    """The waits before each step of a path as terms that are legal for all values in a region; None when none are found.

    A linear bound holds on a cone if it holds on its rays, so the coefficients are a solution of finitely many
    inequalities; the first step is taken at once if it can be, and halves and then quarters are tried before anything
    finer, for the sake of the reader.
    """
    bounds = [(bound.earlier, bound.later, _in_terms(bound, terms), bound.strict) for bound in differences(path)]
    corners = [dict(zip(symbols, ray, strict=True)) for ray in rays(region, symbols)]
    inner = _inner_points(region, corners, symbols)
    for fixed, parts in product((2, 1), (1, 2, 3, 4, 12)):
        found = _coefficients(len(path), bounds, corners, inner, parts, fixed)
        if found is not None:
            return tuple(plus(later, times(Fraction(-1), earlier)) for earlier, later in pairwise(found))
    return None


def _inner_points(region: Polyhedron, corners: list[Point], symbols: tuple[str, str, str]) -> list[Point]:
    """A point inside a region and inside each face, edges too, that belongs to it: where strict bounds must be strict."""
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
    steps: int, bounds: Sequence[tuple[int, int, Terms, bool]], corners: list[Point], inner: list[Point], parts: int, fixed: int
) -> list[Terms] | None:
    """The time of each step as a term whose coefficients are whole numbers of parts; the first ones are taken at once."""
    solver = z3.Solver()
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
    if solver.check() != z3.sat:
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
    """How much later one step is than another for given parameters, in parts."""
    return z3.Sum(*(z3.RealVal(str(value)) * (later[name] - earlier[name]) for name, value in at.items()))


def region_as_text(region: Polyhedron) -> str:
    """A region as people write it."""
    return " and ".join(part.text for part in region) or "always"
