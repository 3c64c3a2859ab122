"""Intervals of the ratio of two durations, such as RTO / MSL."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class RatioInterval(NamedTuple):
    """The values of a ratio from `low` to `high`, each end included if it is closed; without an upper end if `high` is None."""

    low: Fraction
    high: Fraction | None
    closed_low: bool
    closed_high: bool

    def __contains__(self, ratio: object) -> bool:
        assert isinstance(ratio, Fraction)
        above = ratio > self.low or (ratio == self.low and self.closed_low)
        return above and (self.high is None or ratio < self.high or (ratio == self.high and self.closed_high))

    @property
    def empty(self) -> bool:
        """Whether it contains no value."""
        if self.high is None or self.low < self.high:
            return False
        return self.low > self.high or not (self.closed_low and self.closed_high)

    def meet(self, other: RatioInterval) -> RatioInterval:
        """The intersection with another interval."""
        shared = self.down_to(other.low, other.closed_low)
        return shared if other.high is None else shared.up_to(other.high, other.closed_high)

    def below(self, other: RatioInterval) -> RatioInterval:
        """The part below the lower end of another interval."""
        return self.up_to(other.low, not other.closed_low)

    def above(self, other: RatioInterval) -> RatioInterval:
        """The part above the upper end of another interval."""
        return NO_RATIO if other.high is None else self.down_to(other.high, not other.closed_high)

    def up_to(self, high: Fraction, closed: bool) -> RatioInterval:
        """The part up to a ratio."""
        if self.high is None or high < self.high:
            return self._replace(high=high, closed_high=closed)
        return self._replace(closed_high=self.closed_high and closed) if high == self.high else self

    def down_to(self, low: Fraction, closed: bool) -> RatioInterval:
        """The part down to a ratio."""
        if low > self.low:
            return self._replace(low=low, closed_low=closed)
        return self._replace(closed_low=self.closed_low and closed) if low == self.low else self


EVERY_RATIO = RatioInterval(Fraction(0), None, closed_low=False, closed_high=False)
NO_RATIO = RatioInterval(Fraction(0), Fraction(0), closed_low=False, closed_high=False)
