"""What a sequence chart consists of, everything in its place, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from timewait.checker.trace import Step
from timewait.diagrams.time_axis import Axis
from timewait.diagrams.widths import mono_width, width
from timewait.narration.timeline import Lifetime, Transit, Wait

Anchor = Literal["start", "middle", "end"]
ChartBox = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

MARGIN = 12.0
RADIUS = 8.0
"""Of the mark of a step on a lifeline."""
BAR = 12.0
"""The width of a lifeline in TIME-WAIT."""


@dataclass(frozen=True, slots=True)
class ChartFormat:
    """How large a chart is, and what it has beside arrows; all in pixels.

    Attributes
    ----------
    side : float
        The room outside each lifeline.
    reach : float
        The distance between the lifelines.
    words : float
        The width of the column that says in words what each step does; 0 for none.
    titled : bool
        Whether the property and the configuration stand above it.
    size : float
        The font size of labels.
    """

    side: float
    reach: float
    words: float
    titled: bool
    size: float


WHOLE = ChartFormat(side=112, reach=290, words=372, titled=True, size=11)
"""A picture by itself, for documentation."""
BESIDE = ChartFormat(side=116, reach=290, words=0, titled=False, size=11)
"""Beside a text that tells the rest."""
SLIM = ChartFormat(side=84, reach=134, words=0, titled=False, size=9.5)
"""On a screen as narrow as a telephone's."""


@dataclass(frozen=True, slots=True)
class ChartLabel:
    """A text in its place.

    Attributes
    ----------
    x, y : float
        Where its anchor and its base line are, in pixels.
    text, kind : str
        What it says, and the class by which it is drawn.
    size : float
        The font size in pixels.
    anchor : {"start", "middle", "end"}
        Which part of it stands at `x`.
    mono, bold : bool
        Its font.
    """

    x: float
    y: float
    text: str
    kind: str
    size: float
    anchor: Anchor = "start"
    mono: bool = False
    bold: bool = False

    @property
    def width(self) -> float:
        """How wide it is at most, in pixels."""
        return mono_width(self.text, self.size) if self.mono else width(self.text, self.size, self.bold)

    @property
    def box(self) -> ChartBox:
        """What it covers at most."""
        left = self.x - self.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return left, self.y - 0.78 * self.size, left + self.width, self.y + 0.22 * self.size


@dataclass(frozen=True, slots=True)
class ChartArrow:
    """A passage in its place.

    Attributes
    ----------
    passage : Passage
        What travels.
    x1, y1, x2, y2 : float
        Where it begins and ends, in pixels.
    far : float
        Where the receiver's lifeline is, whether or not it ends there.
    labels : tuple of Label
        What the copy is, in lines; none where another arrow of the same copy says it.
    window : tuple of float or None
        From where to where, along the receiver's lifeline, the copy may arrive; None where another arrow shows it.
    """

    passage: Transit
    x1: float
    y1: float
    x2: float
    y2: float
    far: float
    labels: tuple[ChartLabel, ...]
    window: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A wait in its place, from top to bottom; `full` is where 2 MSL end, None where that is not shown."""

    wait: Wait
    x: float
    top: float
    bottom: float
    full: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """A whole chart; all in pixels.

    Attributes
    ----------
    width, height : float
        Of the picture.
    ends : tuple of float
        Where the lifelines of A and of B are.
    rule : float
        Where the time axis is.
    axis : Axis
        Where rows and instants are.
    steps : tuple of Step
        The steps; the first has the second row.
    arrows, bars, lines, labels : tuple
        What is drawn.
    frames : tuple of Box
        Around what is said of the steps that break the property.
    broken : frozenset of int
        Those steps.
    loop : tuple of float or None
        Where the part that repeats begins and ends.
    """

    width: float
    height: float
    ends: tuple[float, float]
    rule: float
    axis: Axis
    steps: tuple[Step, ...]
    arrows: tuple[ChartArrow, ...]
    bars: tuple[ChartBar, ...]
    lines: tuple[tuple[Lifetime, float, float], ...]
    labels: tuple[ChartLabel, ...]
    frames: tuple[ChartBox, ...]
    broken: frozenset[int]
    loop: tuple[float, float] | None
