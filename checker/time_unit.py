"""Durations in ticks: a tick is the largest unit of which every duration is a whole multiple."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm

MOST = 1 << 44
"""The most ticks of a duration: sums of bounds must stay far below `timewait.checker.dbm.INFINITE`."""


def unit_of(values: Mapping[str, Fraction]) -> Fraction:
    """The greatest common divisor of some durations, in seconds; one second when all are zero."""
    durations = [value for value in values.values() if value]
    if not durations:
        return Fraction(1)
    scale = lcm(*(value.denominator for value in durations))
    return Fraction(gcd(*(int(value * scale) for value in durations)), scale)


def in_ticks(values: Mapping[str, Fraction], unit: Fraction) -> dict[str, int]:
    """Each duration in units, as a whole number.

    Raises
    ------
    ValueError
        A duration is not a multiple of the unit.
    """
    ticks = {}
    for name, value in values.items():
        count = value / unit
        if count.denominator != 1:
            raise ValueError(f"{name} = {value}s is no multiple of {unit}s")
        ticks[name] = count.numerator
    return ticks
