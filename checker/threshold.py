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

    def largest_below(self, value: Fraction) -> Fraction:
        return max(known for known in self._known if known < value)

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
    if bracket.safe(Fraction(0)):
        return Threshold(Fraction(0), Fraction(0), bracket.at(Fraction(0)), [], Fraction(0), bracket.queries)
    high = min(unit, limit)
    while not bracket.safe(high):
        if high >= limit:
            return Threshold(None, high, bracket.at(high), bracket.at(high), high, bracket.queries)
        high = min(2 * high, limit)
    high = _bisected(bracket, bracket.largest_below(high), high, unit)
    value_below = high - unit
    if not whole:
        step = unit / FINER
        if bracket.safe(high - step):
            high = _bisected(bracket, high - unit, high - step, step)
        value_below = high - step
    return Threshold(high, high, bracket.at(high), bracket.at(value_below), value_below, bracket.queries)


def _bisected(bracket: _Bracket, low: Fraction, high: Fraction, step: Fraction) -> Fraction:
    """The minimum safe value, in steps, between an unsafe and a safe one."""
    while high - low > step:
        middle = low + step * ((high - low) / step // 2)
        if bracket.safe(middle):
            high = middle
        else:
            low = middle
    return high
