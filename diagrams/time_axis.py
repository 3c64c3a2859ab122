"""A time axis that is true to scale and has room for many steps at one instant.

Time runs downwards. Steps at the same instant stand in successive rows. From the last row of an instant to the first row
of the next the distance is proportional to the time, with one scale for the whole picture, chosen so that most gaps are
true to scale. A longer gap is shortened, a gap without room for its text is stretched; both are marked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

HEIGHTS = (80.0, 64.0, 50.0)
"""The heights in pixels that are tried for the gap that sets the scale, in order of preference."""
MANY = 60
"""With more gaps than this, only the last of these heights is tried."""
LONGEST = 160.0
"""The largest height of a gap that is true to scale, in pixels."""
SHORTENED_HEIGHT = 72.0
"""The height of a shortened gap, in pixels."""
LINE = 14.0
"""The space that an instant without rows needs above it, in pixels."""
MOST_SCALES = 64
"""The most scales that are tried."""


BAND_MARGIN = 10.0
"""How far the band of an instant reaches above its first row and below its last one, in pixels."""


class GapScale(StrEnum):
    """How the time between two instants is drawn."""

    TRUE = "true"
    SHORTENED = "shortened"
    STRETCHED = "stretched"


@dataclass(frozen=True, slots=True)
class Gap:
    """The time between two instants.

    Attributes
    ----------
    begins, ends : Fraction
        In seconds.
    top, bottom : float
        In pixels.
    scale : GapScale
        How it is drawn.
    """

    begins: Fraction
    ends: Fraction
    top: float
    bottom: float
    scale: GapScale


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant, at which several steps may happen.

    Attributes
    ----------
    time : Fraction
        In seconds.
    first, last : int
        Its rows; the last is before the first if it has none.
    top, bottom : float
        The positions of its first and its last row, in pixels.
    """

    time: Fraction
    first: int
    last: int
    top: float
    bottom: float

    @property
    def band(self) -> tuple[float, float] | None:
        """The top and bottom of its band, in pixels; None if it has at most one row."""
        return (self.top - BAND_MARGIN, self.bottom + BAND_MARGIN) if self.last > self.first else None


@dataclass(frozen=True, slots=True)
class Axis:
    """The positions of rows and instants.

    Attributes
    ----------
    rows : tuple of float
        The position of the event of each row, in pixels from the top.
    instants : tuple of Instant
        In order.
    gaps : tuple of Gap
        Between the instants; one fewer.
    scale : float
        Pixels for a second in gaps that are true to scale; 0 if there is none.
    bottom : float
        The end of the chart, below the text of the last row, in pixels.
    """

    rows: tuple[float, ...]
    instants: tuple[Instant, ...]
    gaps: tuple[Gap, ...]
    scale: float
    bottom: float

    def at(self, time: Fraction) -> float:
        """The position of a time, in pixels: at an instant, its last row; after the last instant, the bottom."""
        number = bisect_left(self.instants, time, key=lambda instant: instant.time)
        if number == len(self.instants):
            return self.bottom
        instant = self.instants[number]
        if instant.time == time or number == 0:
            return instant.bottom
        gap = self.gaps[number - 1]
        return gap.top + (gap.bottom - gap.top) * float((time - gap.begins) / (gap.ends - gap.begins))


def axis(
    times: Sequence[Fraction], above: Sequence[float], below: Sequence[float], top: float, until: Fraction, stretch: float = 1.0
) -> Axis:
    """Lay rows out along time.

    Parameters
    ----------
    times : sequence of Fraction
        The time of the event of each row, in seconds, in order.
    above, below : sequence of float
        The space that each row needs above and below its event, in pixels.
    top : float
        The beginning of the chart, in pixels.
    until : Fraction
        The earliest end of the axis, in seconds, with or without a row.
    stretch : float
        The factor of the heights of gaps.
    """
    moments = sorted({*times, max(until, times[-1])})
    firsts = [bisect_left(times, moment) for moment in moments]
    ends = [*firsts[1:], len(times)]
    needs = [below[end - 1] + (above[end] if end < len(times) else LINE) for end in ends[:-1]]
    durations = [float(later - earlier) for earlier, later in pairwise(moments)]
    scale = _scale(durations, needs, stretch)
    rows: list[float] = []
    instants: list[Instant] = []
    gaps: list[Gap] = []
    y = top + above[0]
    for index, (moment, first, end) in enumerate(zip(moments, firsts, ends, strict=True)):
        if index:
            height, kind = _height(durations[index - 1], needs[index - 1], scale, stretch)
            gaps.append(Gap(moments[index - 1], moment, y, y + height, kind))
            y += height
        start = y
        for number in range(first, end):
            y += below[number - 1] + above[number] if number > first else 0.0
            rows.append(y)
        instants.append(Instant(moment, first, end - 1, start, y))
    bottom = max(rows[-1] + below[-1], y + 8)
    true = any(gap.scale is GapScale.TRUE for gap in gaps)
    return Axis(tuple(rows), tuple(instants), tuple(gaps), scale if true else 0.0, bottom)


def _scale(durations: Sequence[float], needs: Sequence[float], stretch: float) -> float:
    """Pixels for a second: the scale with the most true gaps; of several, the one set by the longest gap."""
    heights = HEIGHTS if len(durations) <= MANY else HEIGHTS[-1:]
    lengths = sorted(set(durations))
    tried = lengths[:: max(1, len(lengths) // MOST_SCALES)]

    def true_gaps(scale: float) -> int:
        kinds = (_height(duration, need, scale, stretch)[1] for duration, need in zip(durations, needs, strict=True))
        return sum(kind is GapScale.TRUE for kind in kinds)

    best = [(true_gaps(height / length), length, height) for length in tried for height in (stretch * one for one in heights)]
    _, length, height = max(best, default=(0, 1.0, 0.0))
    return height / length


def _height(duration: float, need: float, scale: float, stretch: float) -> tuple[float, GapScale]:
    height = duration * scale
    if height < need:
        return need, GapScale.STRETCHED
    if height > max(stretch * LONGEST, need):
        return max(SHORTENED_HEIGHT, need), GapScale.SHORTENED
    return height, GapScale.TRUE
