"""The line between safe and unsafe TIME_WAIT: as a formula proved from both sides, or where that is beyond reach as points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

from timewait.checker.decide import Answer, decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.ratios import RatioInterval
from timewait.checker.synthesis import InconclusiveSynthesis
from timewait.checker.threshold import FINER, DecideValue, minimum_safe
from timewait.checker.time_unit import unit_of
from timewait.checker.verdict import Verdict, worst
from timewait.diagrams.boundary import Boundary, BoundaryPiece, sampled
from timewait.proofs.question import question
from timewait.proofs.thresholds import RANGE, ProvedThreshold, formula, formula_in_words, rows
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES

POINTS = tuple(Fraction(count, 4) for count in range(1, 9))
"""The values of RTO/MSL at which is asked where there is no formula."""

BEYOND = 8
"""How many more are asked about where stacks lie beyond them."""

FACTOR = 16
"""No TIME_WAIT longer than that many times MSL and RTO is tried."""

BoundaryPoints = Sequence[tuple[Fraction, Fraction | None]]
"""What is known of a property: a place along an axis, and the least safe TIME_WAIT there, in MSL; None where none is safe."""


class NotBelieved(Exception):
    """A piece of a formula whose proofs were not accepted; carries its verdict."""

    def __init__(self, name: str, piece: ProvedThreshold) -> None:
        super().__init__(f"{name}: a piece of its formula was not accepted: {piece.verdict}")
        self.verdict = piece.verdict


def boundaries(
    configuration: Configuration, names: Sequence[str], most: Fraction, budget: Callable[[], Budget]
) -> tuple[Boundary, ...]:
    """The boundary of each property.

    Parameters
    ----------
    configuration : Configuration
        What is asked about, whatever its RTO and TIME_WAIT.
    names : sequence of str
        The properties.
    most : Fraction
        The value of RTO/MSL up to which is asked at least.
    budget : callable
        Bounds for one exploration.

    Raises
    ------
    NotBelieved
        A proof of a formula was not accepted.
    timewait.checker.threshold.InconclusiveAnswer
        There is no formula, and the engine came to no verdict somewhere.
    """
    return tuple(_boundary(configuration, name, most, budget) for name in names)


def _boundary(configuration: Configuration, name: str, most: Fraction, budget: Callable[[], Budget]) -> Boundary:
    low, high = RANGE[0], max(most, RANGE[1])
    try:
        pieces = list(formula(configuration, [name], (low, high), budget()))
    except (InconclusiveSynthesis, ValueError):
        return sampled(name, _points(configuration, name, most, budget))
    for piece in pieces:
        if piece.verdict not in (Verdict.PROVED, Verdict.VIOLATED):
            raise NotBelieved(name, piece)
    needs = formula_in_words(pieces).replace("safe iff ", "").replace("*", " ")
    asked = RatioInterval(low, high, closed_low=True, closed_high=True)
    return Boundary(name, tuple(BoundaryPiece(ratios.meet(asked), minimum) for ratios, minimum in rows(pieces)), needs)


def _points(configuration: Configuration, name: str, most: Fraction, budget: Callable[[], Budget]) -> BoundaryPoints:
    points: list[tuple[Fraction, Fraction | None]] = []
    far = max(most - POINTS[-1], Fraction(0))
    for ratio in (*POINTS, *(POINTS[-1] + far * step / BEYOND for step in range(1, BEYOND + 1) if far)):
        asked = replace(configuration, rto=(ratio * configuration.msl,))
        minimum = least_at(asked, [name], budget, {name: list(_onwards(points, ratio))})[name]
        points.append((ratio, minimum))
    return points


def against_losses(
    configuration: Configuration, losses: Sequence[int], names: Sequence[str], budget: Callable[[], Budget]
) -> dict[tuple[int, str], Fraction | None]:
    """The least safe TIME_WAIT in MSL, by the number of losses and the property; None where none that was tried is safe.

    Raises
    ------
    timewait.checker.threshold.InconclusiveAnswer
        The engine came to no verdict somewhere.
    """
    found: dict[str, list[tuple[Fraction, Fraction | None]]] = {name: [] for name in names}
    for loss in losses:
        likely = {name: list(_onwards(points, Fraction(loss))) for name, points in found.items()}
        for name, value in least_at(replace(configuration, loss=loss), names, budget, likely).items():
            found[name].append((Fraction(loss), value))
    return {(int(loss), name): value for name, points in found.items() for loss, value in points}


def least_at(
    configuration: Configuration, names: Sequence[str], budget: Callable[[], Budget], likely: Mapping[str, Sequence[Fraction]]
) -> dict[str, Fraction | None]:
    """The least safe TIME_WAIT of each property, in MSL; None where none that was tried is safe.

    Parameters
    ----------
    configuration : Configuration
        What is asked about, whatever its TIME_WAIT.
    names : sequence of str
        The properties.
    budget : callable
        Bounds for one exploration.
    likely : mapping of str to sequence of Fraction
        What is tried first, in MSL: where it is right two questions are enough.

    Raises
    ------
    timewait.checker.threshold.InconclusiveAnswer
        The engine came to no verdict somewhere.
    """
    asked = [PROPERTIES[name] for name in names]

    @cache
    def answers(value: Fraction) -> list[Answer]:
        return decide(question(replace(configuration, time_wait=value)), asked, Engine.AUTO, budget())

    def ask(name: str) -> DecideValue:
        return lambda value: [answer for answer in answers(value) if answer.finding.name == name]

    dense = question(configuration).system.dense
    values = {name: value for name, value in configuration.parameters.items() if name != "TIME_WAIT"}
    unit = unit_of(values)
    step = unit / FINER if dense else unit
    limit = FACTOR * (configuration.msl + max(configuration.rto))
    minimum: dict[str, Fraction | None] = {}
    for name in names:
        # What the other properties need has been asked about already; then comes what is likely.
        tried = [*filter(None, minimum.values()), *(one * configuration.msl for one in likely.get(name, ()))]
        guessed = next((value for value in tried if value >= step and _is_least(ask(name), value, step)), None)
        if guessed is None:
            guessed = minimum_safe(ask(name), unit, max(limit // unit, 1) * unit, whole=not dense).minimum
        minimum[name] = guessed
    return {name: None if value is None else value / configuration.msl for name, value in minimum.items()}


def _onwards(points: BoundaryPoints, place: Fraction) -> Iterator[Fraction]:
    """Where a line would be if it went on straight, or level."""
    known = [(along, value) for along, value in points if value is not None]
    if len(known) >= 2:
        (left, one), (right, other) = known[-2:]
        yield other + (other - one) / (right - left) * (place - right)
    if known:
        yield known[-1][1]


def _is_least(ask: DecideValue, value: Fraction, step: Fraction) -> bool:
    above, below = (worst(answer.verdict for answer in ask(one)) for one in (value, value - step))
    return above is Verdict.PROVED and below is Verdict.VIOLATED
