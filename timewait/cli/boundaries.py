"""The boundary of safe TIME_WAIT: a formula proved from both sides, or single points where no formula is found."""

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
"""The values of RTO/MSL that are decided where there is no formula."""

FURTHER_POINTS = 8
"""The number of further values up to the stack with the longest RTO."""

LIMIT_FACTOR = 16
"""The longest TIME_WAIT that is tried, as a multiple of MSL + RTO."""

BoundaryPoints = Sequence[tuple[Fraction, Fraction | None]]
"""Places along an axis, each with the least safe TIME_WAIT in MSL; None where none is safe."""


class UnacceptedProof(Exception):
    """A proof of a piece of a formula was not accepted; carries its verdict."""

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
        Its RTO and TIME_WAIT do not matter.
    names : sequence of str
        The properties.
    most : Fraction
        The least upper end of RTO/MSL.
    budget : callable
        Makes the bounds of one exploration.

    Raises
    ------
    UnacceptedProof
        A proof of a formula was not accepted.
    timewait.checker.threshold.InconclusiveAnswer
        There is no formula, and an answer of the engine is inconclusive.
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
            raise UnacceptedProof(name, piece)
    needs = formula_in_words(pieces).replace("safe iff ", "").replace("*", " ")
    asked = RatioInterval(low, high, closed_low=True, closed_high=True)
    return Boundary(name, tuple(BoundaryPiece(ratios.meet(asked), minimum) for ratios, minimum in rows(pieces)), needs)


def _points(configuration: Configuration, name: str, most: Fraction, budget: Callable[[], Budget]) -> BoundaryPoints:
    points: list[tuple[Fraction, Fraction | None]] = []
    far = max(most - POINTS[-1], Fraction(0))
    for ratio in (*POINTS, *(POINTS[-1] + far * step / FURTHER_POINTS for step in range(1, FURTHER_POINTS + 1) if far)):
        asked = replace(configuration, rto=(ratio * configuration.msl,))
        minimum = least_at(asked, [name], budget, {name: list(_extrapolated(points, ratio))})[name]
        points.append((ratio, minimum))
    return points


def against_losses(
    configuration: Configuration, losses: Sequence[int], names: Sequence[str], budget: Callable[[], Budget]
) -> dict[tuple[int, str], Fraction | None]:
    """The least safe TIME_WAIT in MSL, by the number of losses and the property; None where no value that was tried is safe.

    Raises
    ------
    timewait.checker.threshold.InconclusiveAnswer
        An answer of the engine is inconclusive.
    """
    found: dict[str, list[tuple[Fraction, Fraction | None]]] = {name: [] for name in names}
    for loss in losses:
        likely = {name: list(_extrapolated(points, Fraction(loss))) for name, points in found.items()}
        for name, value in least_at(replace(configuration, loss=loss), names, budget, likely).items():
            found[name].append((Fraction(loss), value))
    return {(int(loss), name): value for name, points in found.items() for loss, value in points}


def least_at(
    configuration: Configuration, names: Sequence[str], budget: Callable[[], Budget], likely: Mapping[str, Sequence[Fraction]]
) -> dict[str, Fraction | None]:
    """The least safe TIME_WAIT of each property, in MSL; None where no value that was tried is safe.

    Parameters
    ----------
    configuration : Configuration
        Its TIME_WAIT does not matter.
    names : sequence of str
        The properties.
    budget : callable
        Makes the bounds of one exploration.
    likely : mapping of str to sequence of Fraction
        Values that are tried first, in MSL; a right one takes two questions.

    Raises
    ------
    timewait.checker.threshold.InconclusiveAnswer
        An answer of the engine is inconclusive.
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
    limit = LIMIT_FACTOR * (configuration.msl + max(configuration.rto))
    minimum: dict[str, Fraction | None] = {}
    for name in names:
        # The minima of the other properties first: the questions about them have been answered already.
        tried = [*filter(None, minimum.values()), *(value * configuration.msl for value in likely.get(name, ()))]
        guessed = next((value for value in tried if value >= step and _is_least(ask(name), value, step)), None)
        if guessed is None:
            guessed = minimum_safe(ask(name), unit, max(limit // unit, 1) * unit, whole=not dense).minimum
        minimum[name] = guessed
    return {name: None if value is None else value / configuration.msl for name, value in minimum.items()}


def _extrapolated(points: BoundaryPoints, place: Fraction) -> Iterator[Fraction]:
    """The continuation of the known points, straight and level."""
    known = [(along, value) for along, value in points if value is not None]
    if len(known) >= 2:
        (x1, y1), (x2, y2) = known[-2:]
        yield y2 + (y2 - y1) / (x2 - x1) * (place - x2)
    if known:
        yield known[-1][1]


def _is_least(ask: DecideValue, value: Fraction, step: Fraction) -> bool:
    above, below = (worst(answer.verdict for answer in ask(tried)) for tried in (value, value - step))
    return above is Verdict.PROVED and below is Verdict.VIOLATED
