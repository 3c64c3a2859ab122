"""Regions of runs against Z3's quantifier elimination, cones against their rays, delays against every bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
import z3
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from timewait.checker import compiled
from timewait.checker.compiled import INACTIVE, RESET, CompiledEdge, CompiledLocation, CompiledPath
from timewait.checker.linear import Constraint, Terms, constraint, constraint_of, evaluate
from timewait.checker.projection import (
    Polyhedron,
    Vector,
    delays_in_terms,
    irredundant,
    parameters_of_path,
    rays,
)
from timewait.checker.symbolic import constraint_formula
from timewait.vocabulary.automaton import ZERO, Action, Clock, Edge, Relation

F = Fraction

SYMBOLS = ("A", "B", "C")
PARAMETERS = {name: z3.Real(name) for name in SYMBOLS}
NOT_NEGATIVE = [parameter >= 0 for parameter in PARAMETERS.values()]
PLAIN: dict[str, Terms] = {ZERO: {}} | {name: {name: F(1)} for name in SYMBOLS}

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def text(region: Polyhedron) -> str:
    """A region as text."""
    return " and ".join(part.text for part in region) or "always"


# --- paths ---------------------------------------------------------------------------------------------------------


def a_path(*steps: tuple[Sequence[str], Sequence[str], Sequence[int]]) -> CompiledPath:
    """A path of edges, each with its guard, the invariant of its source, and its clock updates.

    Bounds are written ``0 <= A``: the position of a clock, the relation, a parameter.
    """
    path: list[tuple[CompiledLocation, CompiledEdge]] = []
    clocks = max(len(updates) for _, _, updates in steps)
    for number, (guard, limits, updates) in enumerate(steps):
        width = clocks if not path else len(path[-1][1].updates)
        edge = Edge(Action("test", "somebody", f"step {number}"), (), number + 1, ())
        compiled = CompiledEdge(tuple(map(_test, guard)), number + 1, tuple(updates), edge)
        named = tuple(Clock("clock", str(index)) for index in range(width))
        path.append((CompiledLocation(number, named, tuple(map(_test, limits)), (compiled,), frozenset()), compiled))
    return path


def _test(text: str) -> compiled.CompiledBound:
    clock, relation, parameter = text.split()
    assert relation in ("<=", ">=", ">", "==")
    shown: Relation = relation  # type: ignore[assignment]  # narrowed by the assertion above
    return compiled.CompiledBound(int(clock), shown, parameter)


@st.composite
def paths(draw: st.DrawFn) -> CompiledPath:
    """A short path with any guards; its two clocks are kept, reset, exchanged or lost."""
    parameters, clocks = st.sampled_from((*SYMBOLS, ZERO)), st.integers(0, 1)
    bound = st.builds("{} {} {}".format, clocks, st.sampled_from(["<=", ">=", ">", "=="]), parameters)
    upper = st.builds("{} <= {}".format, clocks, st.sampled_from(SYMBOLS))
    origin = st.sampled_from([0, 1, RESET, RESET, INACTIVE])
    step = st.tuples(st.lists(bound, max_size=2), st.lists(upper, max_size=1), st.tuples(origin, origin))
    return a_path(*draw(st.lists(step, min_size=1, max_size=4)))


@st.composite
def terms_(draw: st.DrawFn) -> dict[str, Terms]:
    """Every parameter as a term: itself, or a small linear combination of the symbolic ones."""
    factor = st.sampled_from([F(0), F(1), F(2), F(1, 2)])
    sums = st.fixed_dictionaries(dict.fromkeys(SYMBOLS, factor))
    return PLAIN | {name: draw(st.just(PLAIN[name]) | sums) for name in SYMBOLS}


def possible(path: CompiledPath, terms: Mapping[str, Terms]) -> z3.BoolRef:
    """There are times for the steps of a path."""
    times = [z3.Real(f"time{number}") for number in range(len(path) + 1)]
    return z3.Exists(times[1:], z3.substitute(z3.And(*bounds(path, terms, times)), (times[0], z3.RealVal(0))))


def bounds(path: CompiledPath, terms: Mapping[str, Terms], times: Sequence[z3.ArithRef]) -> list[z3.BoolRef]:
    """The constraints on the times, computed without `timewait.checker.schedule`."""
    parts = [earlier <= later for earlier, later in pairwise(times)]
    started: list[z3.ArithRef | None] = [times[0]] * len(path[0][0].clocks)
    for now, (location, edge) in zip(times[1:], path, strict=True):
        for clock, relation, parameter in (*location.invariant, *edge.guard):
            since, limit = started[clock], as_z3(terms[parameter])
            if since is not None:
                shown = now - since
                parts.append({"<=": shown <= limit, ">=": shown >= limit, ">": shown > limit, "==": shown == limit}[relation])
        started = [now if origin == RESET else None if origin == INACTIVE else started[origin] for origin in edge.updates]
    return parts


def as_z3(term: Terms) -> z3.ArithRef:
    """A term of the symbolic parameters."""
    return z3.Sum(z3.RealVal(0), *(z3.RealVal(str(factor)) * PARAMETERS[name] for name, factor in term.items()))


def inside(region: Sequence[Constraint]) -> z3.BoolRef:
    """The parameters of a region."""
    return z3.And(*NOT_NEGATIVE, *(constraint_formula(part, PARAMETERS) for part in region))


def never(*parts: z3.BoolRef) -> bool:
    """Whether nothing satisfies some formulas together."""
    solver = z3.Solver()
    solver.add(*parts)
    answer = solver.check()
    assert answer in (z3.sat, z3.unsat)
    return bool(answer == z3.unsat)


class TestRegion:
    """The region of a path is exactly where it can be taken."""

    @few
    @given(paths(), terms_())
    def test_equals_the_elimination_by_z3(self, path: CompiledPath, terms: dict[str, Terms]) -> None:
        region = parameters_of_path(path, terms)
        assert never(*NOT_NEGATIVE, z3.Xor(inside(region), possible(path, terms)))

    @few
    @given(paths(), terms_())
    def test_is_irredundant(self, path: CompiledPath, terms: dict[str, Terms]) -> None:
        region = parameters_of_path(path, terms)
        for part in region:
            rest = [other for other in region if other is not part]
            assert not never(inside(rest), z3.Not(constraint_formula(part, PARAMETERS)))

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            (a_path(([], [], [0])), "always"),
            (a_path((["0 > A"], ["0 <= B"], [0])), "B > A"),
            (a_path((["0 >= A", "0 <= B"], [], [0])), "B >= A"),
            (a_path((["0 == A", "0 == B"], [], [0])), "B <= A and B >= A"),
            # Two rests of A at most, and then more than B; each rest has a clock of its own.
            (a_path(([], ["1 <= A"], [0, RESET]), (["0 > B"], ["1 <= A"], [0, RESET])), "B < 2*A"),
            # Of two ways to be late the one that is more says it all.
            (a_path((["0 > A", "0 > B"], ["0 <= C"], [0])), "C > A and C > B"),
            (a_path((["0 > 0"], ["0 <= A"], [0])), "A > 0"),
            # An inactive clock bounds nothing any more.
            (a_path(([], [], [INACTIVE]), (["0 > A"], ["0 <= B"], [0])), "always"),
        ],
    )
    def test_by_hand(self, path: CompiledPath, expected: str) -> None:
        assert text(parameters_of_path(path, PLAIN)) == expected

    def test_by_hand_in_terms(self) -> None:
        """A parameter that is a term in others is replaced by it."""
        terms = PLAIN | {"B": {"A": F(1), "C": F(1, 2)}}
        assert text(parameters_of_path(a_path((["0 > B"], ["0 <= C"], [0])), terms)) == "C > 2*A"

    def test_an_empty_region_stays_empty(self) -> None:
        """More than zero within zero."""
        (part,) = parameters_of_path(a_path((["0 > 0"], ["0 <= 0"], [0])), PLAIN)
        assert not part.holds({name: F(1) for name in SYMBOLS})

    def test_irredundant(self) -> None:
        """Parameters are nonnegative, so a sum is at least each of its terms."""
        parts = [constraint(text) for text in ("A + B >= C", "A >= C", "A >= C - B", "2*A > 0", "A + C >= 0")]
        assert [part.text for part in irredundant(parts)] == ["2*A > 0", "A >= C"]


# --- rays ----------------------------------------------------------------------------------------------------------


@st.composite
def cones(draw: st.DrawFn) -> Polyhedron:
    """A cone given by a few planes through the origin."""
    factors = st.fixed_dictionaries(dict.fromkeys(SYMBOLS, st.integers(-2, 2).map(F)))
    part = st.builds(constraint_of, factors, st.sampled_from([">=", ">"]))
    return irredundant(draw(st.lists(part, min_size=1, max_size=3)))


def generated(corners: Sequence[Vector]) -> z3.BoolRef:
    """The nonnegative combinations of some rays."""
    factors = [z3.Real(f"factor{index}") for index in range(len(corners))]
    parts = [factor >= 0 for factor in factors]
    for axis, parameter in enumerate(PARAMETERS.values()):
        products = (factor * z3.RealVal(str(corner[axis])) for factor, corner in zip(factors, corners, strict=True))
        parts.append(parameter == z3.Sum(z3.RealVal(0), *products))
    return z3.Exists(factors, z3.And(*parts)) if factors else z3.And(*parts)


class TestRays:
    """The rays generate the cone, and each is needed."""

    @few
    @given(cones())
    def test_they_generate_the_closed_cone(self, region: Polyhedron) -> None:
        closed = [constraint_of(part.terms, ">=") for part in region]
        found = rays(region, SYMBOLS)
        assert never(z3.Xor(inside(closed), generated(found)))
        for ray in found:
            assert sum(ray, F(0)) == 1
            point = [parameter == z3.RealVal(str(value)) for parameter, value in zip(PARAMETERS.values(), ray, strict=True)]
            assert never(*point, generated([other for other in found if other != ray]))

    def test_by_hand(self) -> None:
        """The whole octant, one edge of it, and the origin alone."""
        axes = [(F(1), F(0), F(0)), (F(0), F(1), F(0)), (F(0), F(0), F(1))]
        assert sorted(rays((), SYMBOLS)) == sorted(axes)
        assert rays((constraint("A >= 2*B"), constraint("2*B >= A"), constraint("0 >= C")), SYMBOLS) == [(F(2, 3), F(1, 3), F(0))]
        assert rays((constraint("0 >= A + B + C"),), SYMBOLS) == []

    def test_order_of_components(self) -> None:
        region = (constraint("0 >= A"), constraint("0 >= B"))
        assert rays(region, ("C", "A", "B")) == [(F(1), F(0), F(0))]


# --- delays --------------------------------------------------------------------------------------------------------


def legal(path: CompiledPath, terms: Mapping[str, Terms], waits: Sequence[Terms], region: Sequence[Constraint]) -> bool:
    """Whether delays in terms satisfy every bound of a path for all values in a region."""
    times = list(accumulate(map(as_z3, waits), initial=z3.RealVal(0)))
    return never(inside(region), z3.Not(z3.And(*bounds(path, terms, times))))


POSITIVE = [constraint(f"{name} > 0") for name in SYMBOLS]


class TestDelays:
    """Delays in terms are legal for all values in the region."""

    @settings(few, max_examples=25)
    @given(paths())
    def test_are_legal(self, path: CompiledPath) -> None:
        """Every solution is legal; there is none where one term is not enough, as for a maximum."""
        region = irredundant([*parameters_of_path(path, PLAIN), *POSITIVE])
        assume(not never(inside(region)))
        waits = delays_in_terms(path, PLAIN, region, SYMBOLS)
        assume(waits is not None)
        assert waits is not None
        assert len(waits) == len(path)
        assert legal(path, PLAIN, waits, region)

    @pytest.mark.parametrize(
        ("path", "region"),
        [
            # Between A and B, neither of them: half of both.
            (a_path(([], [], [0]), (["0 > A"], ["0 <= B"], [0])), "B > A"),
            # The very first step must wait.
            (a_path((["0 > A"], ["0 <= B"], [0])), "B > A"),
            (a_path((["0 == A"], [], [0]), (["0 == B"], [], [0])), "B >= A"),
            # Because of what comes after it: B since the start, but at most A since the first step.
            (a_path(([], [], [0, RESET]), (["0 >= B"], ["1 <= A"], [0, 1])), "B > A"),
            # A third of the way.
            (a_path(*[([], ["1 <= A"], [0, RESET])] * 3, (["0 > B"], ["1 <= A"], [0, RESET])), "B < 4*A"),
        ],
    )
    def test_by_hand(self, path: CompiledPath, region: str) -> None:
        parts = irredundant([constraint(region), *POSITIVE])
        waits = delays_in_terms(path, PLAIN, parts, SYMBOLS)
        assert waits is not None
        assert legal(path, PLAIN, waits, parts)

    def test_simple_ones_come_first(self) -> None:
        """Whole coefficients are preferred, and no delay before the first step."""
        path = a_path(([], [], [0]), (["0 >= A"], [], [0]), (["0 >= 0"], [], [0]))
        waits = delays_in_terms(path, PLAIN, tuple(POSITIVE), SYMBOLS)
        assert waits is not None
        assert waits[0] == {}
        assert all(factor.denominator == 1 for wait in waits for factor in wait.values())
        assert evaluate(waits[1], {"A": F(7), "B": F(1), "C": F(1)}) >= 7

    def test_none_where_it_is_not_possible_everywhere(self) -> None:
        """For some values of the region the path is impossible."""
        path = a_path((["0 > A"], ["0 <= B"], [0]))
        assert delays_in_terms(path, PLAIN, (constraint("A > 0"), constraint("B >= A")), SYMBOLS) is None

    def test_none_where_one_term_is_not_enough(self) -> None:
        """More than B, then at least A and at least B, within C: no linear term fits everywhere."""
        path = a_path((["0 > B"], [], [0, RESET]), (["1 >= A", "1 >= B", "0 <= C"], [], [0, 1]))
        region = irredundant([*parameters_of_path(path, PLAIN), *POSITIVE])
        assert text(region) == "A > 0 and B > 0 and C > 2*B and C > A + B"
        assert delays_in_terms(path, PLAIN, region, SYMBOLS) is None

    def test_on_an_edge_too(self) -> None:
        """Strict bounds must hold at C = 0 too."""
        path = a_path(([], [], [0]), (["0 > C"], ["0 <= B"], [0]))
        parts = (constraint("B > C"), constraint("A > 0"))
        waits = delays_in_terms(path, PLAIN, parts, SYMBOLS)
        assert waits is not None
        assert legal(path, PLAIN, waits, parts)
