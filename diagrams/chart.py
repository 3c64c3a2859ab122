"""The parts of a sequence chart with their positions in pixels, before they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from timewait.checker.trace import Step
from timewait.diagrams.time_axis import Axis
from timewait.diagrams.widths import mono_width, width
from timewait.narration.timeline import Lifetime, Transit, Wait

Anchor = Literal["start", "middle", "end"]
ChartBox = tuple[float, float, float, float]
"""Left, top, right and bottom."""

MARGIN = 12.0
BAR = 12.0
"""The width of a lifeline in TIME-WAIT."""


class Lifetimes(StrEnum):
    """The copies whose lifetimes are drawn: the times at which each may arrive."""

    NONE = "none"
    VIOLATION = "violation"
    """Those that arrive at a step that violates the property."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ChartFormat:
    """The size of a chart, and whether it has a title.

    Attributes
    ----------
    margin : float
        The space outside each lifeline, in pixels.
    distance : float
        Between the lifelines, in pixels.
    titled : bool
        Whether the property and the configuration stand above it.
    font_size : float
        Of labels, in pixels.
    lifetimes : Lifetimes
        The copies whose lifetimes are drawn.
    radius : float
        Of the mark of a step on a lifeline, in pixels.
    number_size : float
        The font size of the number in this mark, in pixels.
    legend_size : float
        The font size of the legend, in pixels.
    stretch : float
        The factor of the vertical distances between rows and copies.
    title : str or None
        A title in place of the property or scenario and its statement; None: these. Empty for none.
    """

    margin: float
    distance: float
    titled: bool
    font_size: float
    lifetimes: Lifetimes = Lifetimes.ALL
    radius: float = 8.0
    number_size: float = 9.0
    legend_size: float = 11.0
    stretch: float = 1.0
    title: str | None = None

    @property
    def above(self) -> float:
        """The space above the event of every row, in pixels."""
        return 14 * self.stretch

    @property
    def below(self) -> float:
        """The least space below it, in pixels."""
        return 20 * self.stretch

    @property
    def slot(self) -> float:
        """The space for each copy that a row sends, in pixels."""
        return 16 * self.stretch


WHOLE = ChartFormat(
    margin=116,
    distance=260,
    titled=True,
    font_size=13.5,
    lifetimes=Lifetimes.VIOLATION,
    radius=11,
    number_size=13.5,
    legend_size=13.5,
    stretch=1.3,
)
"""A chart that stands alone: every text is about 9 pixels high where the picture is shrunk to 400."""
BESIDE = ChartFormat(margin=116, distance=290, titled=False, font_size=11)
"""A chart beside a text that describes the steps."""
SLIM = ChartFormat(margin=84, distance=134, titled=False, font_size=9.5)
"""A chart for the screen of a telephone."""


@dataclass(frozen=True, slots=True)
class ChartLabel:
    """A text with its position.

    Attributes
    ----------
    x, y : float
        The position of its anchor and of its baseline.
    text, kind : str
        The text and its class in the style sheet.
    size : float
        The font size in pixels.
    anchor : {"start", "middle", "end"}
        The part of the text at `x`.
    mono, bold : bool
        Its font.
    backed : bool
        Whether it hides a line behind it.
    banded : bool
        Whether it does so on the band of an instant.
    """

    x: float
    y: float
    text: str
    kind: str
    size: float
    anchor: Anchor = "start"
    mono: bool = False
    bold: bool = False
    backed: bool = False
    banded: bool = False

    @property
    def width(self) -> float:
        """An upper bound of its width."""
        return mono_width(self.text, self.size) if self.mono else width(self.text, self.size, self.bold)

    @property
    def box(self) -> ChartBox:
        """A box that contains it."""
        left = self.x - self.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return left, self.y - 0.78 * self.size, left + self.width, self.y + 0.22 * self.size


@dataclass(frozen=True, slots=True)
class ChartArrow:
    """The transit of a copy with its position.

    Attributes
    ----------
    transit : Transit
        The transit.
    x1, y1, x2, y2 : float
        The ends of the arrow.
    receiver_x : float
        The position of the receiver's lifeline, whether or not the arrow ends there.
    labels : tuple of ChartLabel
        The segment, in lines; empty where another arrow of the same copy has the label.
    window : tuple of float or None
        The part of the receiver's lifeline at which the copy may arrive; None where it is not drawn.
    """

    transit: Transit
    x1: float
    y1: float
    x2: float
    y2: float
    receiver_x: float
    labels: tuple[ChartLabel, ...]
    window: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A stay in TIME-WAIT from top to bottom; `two_msl` is the end of 2 MSL, None where that is not shown."""

    wait: Wait
    x: float
    top: float
    bottom: float
    two_msl: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """A whole chart.

    Attributes
    ----------
    form : ChartFormat
        The size that was asked for.
    width, height : float
        Of the picture.
    end_x : tuple of float
        The positions of the lifelines of A and of B.
    axis_x : float
        The position of the time axis.
    axis : Axis
        The positions of rows and instants.
    steps : tuple of Step
        The steps; the first step has the second row.
    mark_x : tuple of float
        The position of the mark of each step.
    arrows, bars, lifelines, labels : tuple
        The parts.
    frames : tuple of ChartBox
        The frames around the texts of violations.
    violating : frozenset of int
        The steps that violate the property.
    loop : ChartBox or None
        The frame around the part that repeats.
    """

    form: ChartFormat
    width: float
    height: float
    end_x: tuple[float, float]
    axis_x: float
    axis: Axis
    steps: tuple[Step, ...]
    mark_x: tuple[float, ...]
    arrows: tuple[ChartArrow, ...]
    bars: tuple[ChartBar, ...]
    lifelines: tuple[tuple[Lifetime, float, float], ...]
    labels: tuple[ChartLabel, ...]
    frames: tuple[ChartBox, ...]
    violating: frozenset[int]
    loop: ChartBox | None
