"""When the steps of a path happen: concrete delays for a path of edges.

The guards and invariants along a path compare clocks, and a clock's value is the time since the step at
which it started; so all of them bound differences between the times of steps. The earliest times are
longest paths in the graph of these bounds; strict bounds are met with a margin, as large a round one as
the path allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import NamedTuple

from timewait.checker.compiled import EXPIRED, RESET, CompiledEdge, CompiledLocation
from timewait.vocabulary.automaton import ZERO

MARGINS = (1, 2, 4, 5, 10, 100, 1000, 10**6)
"""What the unit is divided by to get the margins that are tried for strict bounds."""


class TimeDifference(NamedTuple):
    """A bound on the times of two steps: the later one happens at least so much after the earlier one.

    Attributes
    ----------
    earlier, later : int
        The steps; 0 is the start.
    factor : int
        The bound is this multiple, 0, 1 or -1, of a parameter.
    parameter : str
        The parameter.
    strict : bool
        Whether it is strictly more.
    """

    earlier: int
    later: int
    factor: int
    parameter: str
    strict: bool


def differences(path: Sequence[tuple[CompiledLocation, CompiledEdge]]) -> list[TimeDifference]:
    """Every bound along a path as a difference between the times of steps; time 0 is the start, step i ends at time i."""
    bounds: list[TimeDifference] = []
    born: list[int | None] = [0] * len(path[0][0].clocks) if path else []
    for now, (location, edge) in enumerate(path, start=1):
        bounds.append(TimeDifference(now - 1, now, 0, ZERO, False))
        for test in (*edge.guard, *location.invariant):
            since = born[test.clock]
            if since is None:
                continue
            if test.relation in (">", ">=", "=="):
                bounds.append(TimeDifference(since, now, 1, test.parameter, test.relation == ">"))
            if test.relation in ("<=", "=="):
                bounds.append(TimeDifference(now, since, -1, test.parameter, False))
        born = [now if origin == RESET else None if origin == EXPIRED else born[origin] for origin in edge.updates]
    return bounds


def delays(
    path: Sequence[tuple[CompiledLocation, CompiledEdge]], values: Mapping[str, Fraction], unit: Fraction
) -> tuple[Fraction, ...] | None:
    """The waits before each step of a path, in seconds; None when the path cannot be taken.

    Parameters
    ----------
    path : sequence of (CompiledLocation, CompiledEdge)
        The path, from the initial location, none of its clocks dead at the start.
    values : mapping
        The parameters, in seconds.
    unit : Fraction
        The first margin to try for strict bounds, in seconds; smaller ones follow.
    """
    bounds = [
        (bound.earlier, bound.later, bound.factor * values.get(bound.parameter, Fraction(0)), bound.strict)
        for bound in differences(path)
    ]
    # Who cannot meet the least margin meets no larger one; most paths that are asked about cannot be taken.
    margins = [unit / divisor for divisor in MARGINS] if any(strict for *_, strict in bounds) else [unit]
    if len(margins) > 1 and _earliest(len(path), bounds, margins[-1]) is None:
        return None
    for margin in margins:
        times = _earliest(len(path), bounds, margin)
        if times is not None:
            return tuple(later - earlier for earlier, later in pairwise(times))
    return None


def _earliest(steps: int, bounds: list[tuple[int, int, Fraction, bool]], margin: Fraction) -> list[Fraction] | None:
    """The least times that meet every bound, by relaxation; None when there are none."""
    grain = lcm(margin.denominator, *(gap.denominator for _, _, gap, _ in bounds))
    wide = int(margin * grain)
    whole = [(earlier, later, int(gap * grain) + (wide if strict else 0)) for earlier, later, gap, strict in bounds]
    times = [0] * (steps + 1)
    for _ in range(steps + 2):
        changed = False
        for earlier, later, gap in whole:
            least = times[earlier] + gap
            if least > times[later]:
                times[later] = least
                changed = True
        if times[0] > 0:
            return None
        if not changed:
            return [Fraction(time, grain) for time in times]
    return None
