"""Concrete delays for a path of edges.

A clock shows the time since the step that reset it, so the guards and invariants along a path bound differences between
the times of steps. The earliest times are longest paths in the graph of these bounds. Strict bounds are met with a
margin, the largest of `MARGINS` that the path allows; `legible_delays` meets them with the smallest that reads well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import NamedTuple

from timewait.checker.compiled import CompiledPath, carried
from timewait.vocabulary.automaton import ZERO

MARGINS = (1, 2, 4, 5, 10, 100, 1000, 10**6)
"""The divisors of the unit that give the margins to try for strict bounds."""

LEGIBLE = Fraction(1, 1000)
"""The margin that a reader is shown, in seconds, where durations are not shorter than some of them."""

SHORTER = 6
"""How often a margin that a path does not allow is divided by ten."""


class TimeDifference(NamedTuple):
    """A lower bound on the time between two steps.

    Attributes
    ----------
    earlier, later : int
        The steps; 0 is the start.
    factor : int
        The bound as a multiple, 0, 1 or -1, of the parameter.
    parameter : str
        The parameter.
    strict : bool
        Whether the time must exceed the bound.
    """

    earlier: int
    later: int
    factor: int
    parameter: str
    strict: bool


def differences(path: CompiledPath) -> list[TimeDifference]:
    """Every bound along a path as a difference between the times of steps; step 0 is the start."""
    bounds: list[TimeDifference] = []
    reset_at: list[int | None] = [0] * len(path[0][0].clocks) if path else []
    for now, (location, edge) in enumerate(path, start=1):
        bounds.append(TimeDifference(now - 1, now, 0, ZERO, False))
        for test in (*edge.guard, *location.invariant):
            since = reset_at[test.clock]
            if since is None:
                continue
            if test.relation in (">", ">=", "=="):
                bounds.append(TimeDifference(since, now, 1, test.parameter, test.relation == ">"))
            if test.relation in ("<=", "=="):
                bounds.append(TimeDifference(now, since, -1, test.parameter, False))
        reset_at = carried(edge.updates, reset_at, now, lambda _: None)
    return bounds


def delays(path: CompiledPath, values: Mapping[str, Fraction], unit: Fraction) -> tuple[Fraction, ...] | None:
    """The delay before each step of a path, in seconds; None when the path is impossible.

    Parameters
    ----------
    path : sequence of (CompiledLocation, CompiledEdge)
        The path from the initial location; none of its clocks is inactive at the start.
    values : mapping
        The parameters, in seconds.
    unit : Fraction
        The first margin to try for strict bounds, in seconds; smaller ones follow.
    """
    bounds = _valued(path, values)
    # If the smallest margin is infeasible, so is every larger one; most paths are impossible.
    margins = [unit / divisor for divisor in MARGINS] if any(strict for *_, strict in bounds) else [unit]
    if len(margins) > 1 and _earliest(len(path), bounds, margins[-1]) is None:
        return None
    return _first_possible(len(path), bounds, margins)


def legible_delays(path: CompiledPath, values: Mapping[str, Fraction], unit: Fraction) -> tuple[Fraction, ...] | None:
    """The delays with which every timer of a path expires as early as possible, in seconds; None when there are none.

    The earliest times of all steps are one solution, so no step waits for anything but a bound that it must meet. A strict
    bound is exceeded by `LEGIBLE`, or by the power of ten that is at most a tenth of a shorter unit; by less where the path
    leaves no room for that.

    Parameters
    ----------
    path, values
        As for `delays`.
    unit : Fraction
        The unit of which every duration is a multiple, in seconds.
    """
    margin = LEGIBLE
    while margin * 10 > unit:
        margin /= 10
    return _first_possible(len(path), _valued(path, values), [margin / 10**shorter for shorter in range(SHORTER)])


def _valued(path: CompiledPath, values: Mapping[str, Fraction]) -> list[tuple[int, int, Fraction, bool]]:
    """The bounds along a path: the earlier and the later step, the least time between them, and whether it must be exceeded."""
    return [
        (bound.earlier, bound.later, bound.factor * values.get(bound.parameter, Fraction(0)), bound.strict)
        for bound in differences(path)
    ]


def _first_possible(
    steps: int, bounds: list[tuple[int, int, Fraction, bool]], margins: Sequence[Fraction]
) -> tuple[Fraction, ...] | None:
    """The least delays with the first margin that allows any."""
    for margin in margins:
        times = _earliest(steps, bounds, margin)
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
