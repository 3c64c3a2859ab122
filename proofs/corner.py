"""The worst corner of a region of durations: the values at which the explored zones are most likely an invariant of all of it.

A longer TIME_WAIT and a shorter RTO take runs away, so zones that were explored with the shortest TIME_WAIT and the longest RTO
of a region include those of its other values. This is a guess: the proof obligations decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from timewait.checker.linear import Constraint, evaluate
from timewait.spec.configuration import Configuration


def at_corner(configuration: Configuration, region: Sequence[Constraint]) -> Configuration | None:
    """The configuration at the worst corner of a region, with its own MSL.

    Parameters
    ----------
    configuration : Configuration
        The configuration; its gaps of a back-off schedule keep their proportions.
    region : sequence of Constraint
        Constraints on MSL, RTO and TIME_WAIT.

    Returns
    -------
    Configuration or None
        None where the region has no such corner, since it is unbounded or open there, or where the configuration lies at it.
    """
    values = {"MSL": configuration.msl, "RTO": configuration.rto[0], "TIME_WAIT": configuration.time_wait}
    without_wait = [part for part in region if not part.terms.get("TIME_WAIT")]
    if limits := _bounds(without_wait, values, "RTO", -1):
        values["RTO"] = min(limits)
    values["TIME_WAIT"] = max([Fraction(0), *_bounds(region, values, "TIME_WAIT", 1)])
    if any(not part.holds(values) for part in region):
        return None
    scaled = tuple(gap * values["RTO"] / configuration.rto[0] for gap in configuration.rto)
    found = replace(configuration, time_wait=values["TIME_WAIT"], rto=scaled)
    return None if found == configuration else found


def _bounds(region: Sequence[Constraint], values: Mapping[str, Fraction], name: str, sign: int) -> list[Fraction]:
    """The bounds of one duration where the others have some values: lower ones if `sign` is 1, upper ones if it is -1."""
    found = []
    for part in region:
        factor = part.terms.get(name, Fraction(0))
        if factor * sign > 0 or (factor and part.relation == "=="):
            rest = {other: value for other, value in part.terms.items() if other != name}
            found.append(-evaluate(rest, values) / factor)
    return found
