"""The line between safe and unsafe TIME_WAIT, found by asking an engine at some values of RTO/MSL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

from checker.decide import Answer, Engine, decide
from checker.finding import Budget
from checker.threshold import FINER, Ask, least_safe
from checker.ticks import unit_of
from checker.verdict import Verdict, worst
from diagrams.boundary import Boundary, joined
from proofs.question import question
from spec.configuration import Configuration
from spec.properties import PROPERTIES

QUARTERS = tuple(Fraction(count, 4) for count in range(1, 9))
"""The values of RTO/MSL at which is asked, and beyond them every whole number that is needed."""

FACTOR = 16
"""No TIME_WAIT longer than that many times MSL and RTO is tried."""


def ratios_up_to(most: Fraction) -> tuple[Fraction, ...]:
    """The values of RTO/MSL at which to ask, so that the last one is no less than some value."""
    return (*QUARTERS, *map(Fraction, range(3, -(-most.numerator // most.denominator) + 1)))


def boundaries(
    configuration: Configuration, names: Sequence[str], ratios: Sequence[Fraction], budget: Callable[[], Budget]
) -> tuple[Boundary, ...]:
    """The boundary of each property.

    Parameters
    ----------
    configuration : Configuration
        What is asked about, whatever its RTO and TIME_WAIT.
    names : sequence of str
        The properties.
    ratios : sequence of Fraction
        Values of RTO/MSL, rising.
    budget : callable
        Bounds for one exploration.

    Raises
    ------
    checker.threshold.Undecided
        The engine came to no verdict somewhere.
    """
    points: dict[str, list[tuple[Fraction, Fraction | None]]] = {name: [] for name in names}
    for ratio in ratios:
        least = least_at(replace(configuration, rto=(ratio * configuration.msl,)), names, budget, points)
        for name, value in least.items():
            points[name].append((ratio, None if value is None else value / configuration.msl))
    return tuple(Boundary(name, joined(_known(found))) for name, found in points.items())


def _known(points: Sequence[tuple[Fraction, Fraction | None]]) -> list[tuple[Fraction, Fraction]]:
    return [(ratio, value) for ratio, value in points if value is not None]


def least_at(
    configuration: Configuration,
    names: Sequence[str],
    budget: Callable[[], Budget],
    before: Mapping[str, Sequence[tuple[Fraction, Fraction | None]]],
) -> dict[str, Fraction | None]:
    """The least safe TIME_WAIT of each property, in seconds; None where none that was tried is safe.

    Parameters
    ----------
    configuration : Configuration
        What is asked about, whatever its TIME_WAIT.
    names : sequence of str
        The properties.
    budget : callable
        Bounds for one exploration.
    before : mapping of str to sequence of (Fraction, Fraction or None)
        What is known already: RTO/MSL, and the least TIME_WAIT in MSL. Where that goes on in a straight line two
        questions are enough.

    Raises
    ------
    checker.threshold.Undecided
        The engine came to no verdict somewhere.
    """
    asked = [PROPERTIES[name] for name in names]

    @cache
    def answers(value: Fraction) -> list[Answer]:
        return decide(question(replace(configuration, time_wait=value)), asked, Engine.AUTO, budget())

    def ask(name: str) -> Ask:
        return lambda value: [answer for answer in answers(value) if answer.finding.name == name]

    dense = question(configuration).system.dense
    values = {name: value for name, value in configuration.parameters.items() if name != "TIME_WAIT"}
    unit = unit_of(values)
    step = unit / FINER if dense else unit
    ratio = max(configuration.rto) / configuration.msl
    limit = FACTOR * (configuration.msl + max(configuration.rto))
    least: dict[str, Fraction | None] = {}
    for name in names:
        # What the other properties need has been asked about already; then comes what is likely.
        likely = [*filter(None, least.values()), *(one * configuration.msl for one in _onwards(before[name], ratio))]
        guessed = next((value for value in likely if value >= step and _is_least(ask(name), value, step)), None)
        if guessed is None:
            guessed = least_safe(ask(name), unit, max(limit // unit, 1) * unit, whole=not dense).least
        least[name] = guessed
    return least


def _onwards(points: Sequence[tuple[Fraction, Fraction | None]], ratio: Fraction) -> Iterator[Fraction]:
    """Where a boundary would be if it went on straight, or level."""
    known = _known(points)
    if len(known) >= 2:
        (left, one), (right, other) = known[-2:]
        yield other + (other - one) / (right - left) * (ratio - right)
    if known:
        yield known[-1][1]


def _is_least(ask: Ask, value: Fraction, step: Fraction) -> bool:
    above, below = (worst(answer.verdict for answer in ask(one)) for one in (value, value - step))
    return above is Verdict.PROVED and below is Verdict.VIOLATED
