"""A time axis that is true to scale, and yet has room for many steps at one instant.

Time runs downwards. Steps at one instant stand in a band, a row each, in their order: within a band no time passes.
From the last row of an instant to the first of the next the distance is proportional to the time, with one scale for the
whole picture, chosen so that as many pauses as possible are true. A pause that would be too long is shortened, and one
that would leave no room for what is written is stretched; both are marked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

HEIGHTS = (92.0, 72.0, 54.0)
"""The heights in pixels that the pause which sets the scale may have, the best first."""
MANY = 60
"""With more pauses than this it has the least of them."""
LONGEST = 220.0
"""The height of a pause at most, in pixels."""
CUT = 96.0
"""The height of a pause that was shortened, in pixels."""
LINE = 14.0
"""The pixels that an instant without rows needs above it."""
TRIED = 64
"""How many scales are tried at most."""


class Pause(StrEnum):
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
    pause : Pause
        How it is drawn.
    """

    begins: Fraction
    ends: Fraction
    top: float
    bottom: float
    pause: Pause


@dataclass(frozen=True, slots=True)
class Band:
    """An instant: the pixels in which no time passes.

    Attributes
    ----------
    time : Fraction
        In seconds.
    first, last : int
        Its rows; the last is before the first when it has none.
    top, bottom : float
        Where its first and its last row are, in pixels.
    """

    time: Fraction
    first: int
    last: int
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Where every row and every instant is.

    Attributes
    ----------
    rows : tuple of float
        The height at which each row's event is, in pixels from the top.
    bands : tuple of Band
        The instants, in order.
    gaps : tuple of Gap
        What lies between them; one fewer.
    scale : float
        Pixels a second, where a pause is true to scale; 0 when there is none.
    bottom : float
        Where the picture of time ends, with room for what the last row says, in pixels.
    """

    rows: tuple[float, ...]
    bands: tuple[Band, ...]
    gaps: tuple[Gap, ...]
    scale: float
    bottom: float

    def at(self, time: Fraction) -> float:
        """Where an instant ends: at the last of its rows. What is later than all is at the bottom."""
        place = bisect_left(self.bands, time, key=lambda band: band.time)
        if place == len(self.bands):
            return self.bottom
        band = self.bands[place]
        if band.time == time or place == 0:
            return band.bottom
        gap = self.gaps[place - 1]
        return gap.top + (gap.bottom - gap.top) * float((time - gap.begins) / (gap.ends - gap.begins))


def axis(times: Sequence[Fraction], above: Sequence[float], below: Sequence[float], top: float, until: Fraction) -> Axis:
    """Lay rows out along time.

    Parameters
    ----------
    times : sequence of Fraction
        When the event of each row is, in seconds, in order.
    above, below : sequence of float
        The pixels that each row needs above and below its event.
    top : float
        Where the picture of time begins, in pixels.
    until : Fraction
        The instant, in seconds, at which it ends at the soonest, with or without a row.
    """
    instants = sorted({*times, max(until, times[-1])})
    firsts = [bisect_left(times, instant) for instant in instants]
    ends = [*firsts[1:], len(times)]
    needs = [below[end - 1] + (above[end] if end < len(times) else LINE) for end in ends[:-1]]
    pauses = [float(later - earlier) for earlier, later in pairwise(instants)]
    scale = _scale(pauses, needs)
    rows: list[float] = []
    bands: list[Band] = []
    gaps: list[Gap] = []
    height = top + above[0]
    for index, (instant, first, end) in enumerate(zip(instants, firsts, ends, strict=True)):
        if index:
            drawn, pause = _drawn(pauses[index - 1], needs[index - 1], scale)
            gaps.append(Gap(instants[index - 1], instant, height, height + drawn, pause))
            height += drawn
        begun = height
        for number in range(first, end):
            height += below[number - 1] + above[number] if number > first else 0.0
            rows.append(height)
        bands.append(Band(instant, first, end - 1, begun, height))
    bottom = max(rows[-1] + below[-1], height + 8)
    true = any(gap.pause is Pause.TRUE for gap in gaps)
    return Axis(tuple(rows), tuple(bands), tuple(gaps), scale if true else 0.0, bottom)


def _scale(pauses: Sequence[float], needs: Sequence[float]) -> float:
    """Pixels a second: that by which most pauses are true; of several the one in which the longest of them sets the scale."""
    heights = HEIGHTS if len(pauses) <= MANY else HEIGHTS[-1:]
    lengths = sorted(set(pauses))
    tried = lengths[:: max(1, len(lengths) // TRIED)]

    def true(scale: float) -> int:
        return sum(_drawn(pause, need, scale)[1] is Pause.TRUE for pause, need in zip(pauses, needs, strict=True))

    best = [(true(height / length), length, height) for length in tried for height in heights]
    _, length, height = max(best, default=(0, 1.0, 0.0))
    return height / length


def _drawn(pause: float, need: float, scale: float) -> tuple[float, Pause]:
    height = pause * scale
    if height < need:
        return need, Pause.STRETCHED
    if height > max(LONGEST, need):
        return max(CUT, need), Pause.SHORTENED
    return height, Pause.TRUE
