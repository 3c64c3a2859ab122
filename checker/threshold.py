"""The minimum safe value of one duration, by bisection with an engine.

The search assumes that a longer duration is never less safe. It brackets the minimum by doubling, bisects down to the
unit of the other durations, and then to a fraction of it, so that it also finds a minimum between two units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from timewait.checker.decide import Answer
from timewait.checker.verdict import Verdict, worst

FINER = 1000
"""The parts of a unit: the value just below a threshold differs from it by one part."""

DecideValue = Callable[[Fraction], list[Answer]]
"""Decides the properties for one value, in seconds."""


@dataclass(frozen=True)
class Threshold:
    """The minimum safe value.

    Attributes
    ----------
    minimum : Fraction or None
        The minimum safe value, in seconds; None when no value up to `largest_tried` is safe.
    largest_tried : Fraction
        The largest value tried, in seconds.
    answers : list of Answer
        The engine's answers for the minimum, or for the largest value tried.
    answers_below : list of Answer
        Its answers just below; empty when zero is safe.
    value_below : Fraction
        The value just below, in seconds.
    queries : int
        The number of values that the engine decided.
    """

    minimum: Fraction | None
    largest_tried: Fraction
    answers: list[Answer]
    answers_below: list[Answer]
    value_below: Fraction
    queries: int

    @property
    def verdict(self) -> Verdict:
        """Proved when there is a minimum safe value, violated when there is none."""
        return worst(answer.verdict for answer in self.answers)


class InconclusiveAnswer(Exception):
    """The engine reached no verdict for a value; carries its answers."""

    def __init__(self, value: Fraction, answers: list[Answer]) -> None:
        super().__init__(f"no verdict at {float(value):g} s")
        self.value = value
        self.answers = answers


class _Bracket:
    def __init__(self, decide: DecideValue) -> None:
        self._decide = decide
        self._known: dict[Fraction, list[Answer]] = {}

    def at(self, value: Fraction) -> list[Answer]:
        if value not in self._known:
            self._known[value] = self._decide(value)
        return self._known[value]

    def safe(self, value: Fraction) -> bool:
        verdict = worst(answer.verdict for answer in self.at(value))
        if verdict not in (Verdict.PROVED, Verdict.VIOLATED):
            raise InconclusiveAnswer(value, self.at(value))
        return verdict is Verdict.PROVED

    @property
    def queries(self) -> int:
        return len(self._known)


def minimum_safe(decide: DecideValue, unit: Fraction, limit: Fraction, whole: bool) -> Threshold:
    """The minimum value for which all properties are proved.

    Parameters
    ----------
    decide : callable
        Decides the properties for a value in seconds.
    unit : Fraction
        The unit of all other durations, in seconds.
    limit : Fraction
        The largest value to try, in seconds, a multiple of the unit.
    whole : bool
        Whether the engine can decide multiples of the unit only (ticks).

    Raises
    ------
    InconclusiveAnswer
        The engine reached no verdict for some value.
    """
    bracket = _Bracket(decide)
    least = least_holding(bracket.safe, unit, limit, whole)
    if least is None:
        return Threshold(None, limit, bracket.at(limit), bracket.at(limit), limit, bracket.queries)
    if least == 0:
        return Threshold(least, least, bracket.at(least), [], least, bracket.queries)
    value_below = least - (unit if whole else unit / FINER)
    return Threshold(least, least, bracket.at(least), bracket.at(value_below), value_below, bracket.queries)


def least_holding(holds: Callable[[Fraction], bool], unit: Fraction, limit: Fraction, whole: bool = False) -> Fraction | None:
    """The least value, from zero on, for which something holds that holds for every longer value too.

    Parameters
    ----------
    holds : callable
        Decides one value, in seconds.
    unit : Fraction
        The step of the search, in seconds.
    limit : Fraction
        The largest value to try, in seconds, a multiple of the unit.
    whole : bool
        Whether only multiples of the unit are tried; otherwise the value is exact to one part in `FINER` of a unit.

    Returns
    -------
    Fraction or None
        The value in seconds; None where it holds for no value up to the limit.
    """
    if holds(Fraction(0)):
        return Fraction(0)
    low, high = Fraction(0), min(unit, limit)
    while not holds(high):
        if high >= limit:
            return None
        low, high = high, min(2 * high, limit)
    high = _bisected(holds, low, high, unit)
    step = unit / FINER
    if not whole and holds(high - step):
        high = _bisected(holds, high - unit, high - step, step)
    return high


def _bisected(holds: Callable[[Fraction], bool], low: Fraction, high: Fraction, step: Fraction) -> Fraction:
    """The least value, in steps, between one for which it does not hold and one for which it does."""
    while high - low > step:
        middle = low + step * ((high - low) / step // 2)
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
