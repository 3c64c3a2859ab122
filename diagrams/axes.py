"""The frame of a chart with two axes: where values lie, round numbers along the axes, and what the axes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from timewait.diagrams.colours import BLACK, BLUE, GREY, RED, Colour
from timewait.diagrams.figure import bold, line
from timewait.diagrams.geometry import Rectangle
from timewait.diagrams.sizes import LABEL_LEADING, TEXT
from timewait.diagrams.vector import lettered, number, path, tag
from timewait.diagrams.widths import wrapped

STEPS = (Fraction(1, 2), 1, 2, 5)
"""By what axes are divided, times a power of ten."""

LEFT, RIGHT, BELOW, MARGIN = 58.0, 22.0, 52.0, 14.0
"""The room beside the axes, below them, and around the picture, in pixels."""

SERIES = (RED, BLUE, GREY)
"""The inks of what is asked for, in order."""

MOST_TICKS = 9
TICK = 5.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values lie along an axis.

    Attributes
    ----------
    high : Fraction
        The value at the far end; nought is at the near one.
    start, end : float
        The pixels of nought and of the far end.
    """

    high: Fraction
    start: float
    end: float

    def at(self, value: Fraction) -> float:
        """The pixel of a value."""
        return self.start + (self.end - self.start) * float(value / self.high)

    def ticks(self) -> list[Fraction]:
        """Round values along the axis, nought included, `MOST_TICKS` steps at most."""
        power = Fraction(1, 10)
        while True:
            for step in STEPS:
                if self.high / (step * power) <= MOST_TICKS:
                    each = Fraction(step * power)
                    return [each * count for count in range(int(self.high / each) + 1)]
            power *= 10


@dataclass(frozen=True, slots=True)
class Axes:
    """Two axes, and what they measure.

    Attributes
    ----------
    across, up : Scale
        The axis from left to right, and that from below.
    across_name, up_name : str
        What they measure, the unit included.
    """

    across: Scale
    up: Scale
    across_name: str
    up_name: str

    @property
    def room(self) -> Rectangle:
        """The room between them."""
        return Rectangle(self.across.start, self.up.end, self.across.end, self.up.start)

    def corner(self, x: Fraction, y: Fraction) -> str:
        """A place as it stands in a path."""
        return f"{number(self.across.at(x))},{number(self.up.at(y))}"

    def grid(self) -> Iterator[str]:
        """Thin lines at round values, behind everything."""
        for value in self.up.ticks()[1:]:
            y = number(self.up.at(value))
            data = f"M{number(self.across.start)},{y} H{number(self.across.end)}"
            yield tag("path", d=data, fill="none", stroke=GREY.light, stroke_width=0.5, stroke_opacity="0.45")

    def frame(self, numbered: bool = True) -> Iterator[str]:
        """The axes themselves, with numbers and names; `numbered` says whether the axis across has numbers."""
        room = self.room
        yield path(f"M{number(room.left)},{number(room.top)} V{number(room.bottom)} H{number(room.right)}", GREY, 1.4)
        for value in self.across.ticks() if numbered else ():
            x = self.across.at(value)
            yield path(f"M{number(x)},{number(room.bottom)} v{number(TICK)}", GREY, 1.4)
            yield lettered(line(plain_number(value)), x, room.bottom + 19, TEXT, BLACK, "middle")
        for value in self.up.ticks():
            y = self.up.at(value)
            yield path(f"M{number(room.left)},{number(y)} h{number(-TICK)}", GREY, 1.4)
            yield lettered(line(plain_number(value)), room.left - 9, y + 4.2, TEXT, BLACK, "end")
        yield lettered(line(bold(self.across_name)), room.right, room.bottom + 38, TEXT, BLACK, "end")
        yield lettered(line(bold(self.up_name)), room.left - 30, room.top - 12, TEXT, BLACK)


def heading(title: str, caption: Iterable[str], wide: float) -> tuple[list[str], float]:
    """What stands above a chart of some width, written; and where the upper end of its axes may be, in pixels."""
    said = [line(bold(title)), *(line(text) for one in caption for text in wrapped(one, TEXT, wide - 2 * MARGIN))]
    drawn = [lettered(text, MARGIN, MARGIN + LABEL_LEADING * (place + 0.75), TEXT, BLACK) for place, text in enumerate(said)]
    return drawn, MARGIN + LABEL_LEADING * len(said) + 34


def hatching(name: str, ink: Colour, lean: int, apart: float, thick: float) -> str:
    """A pattern of strokes that lean by some degrees."""
    stroke = tag("path", d=f"M0,0 V{number(apart)}", stroke=ink.light, stroke_width=thick)
    turned = f"rotate({lean})"
    return tag("pattern", stroke, id=name, width=apart, height=apart, patternUnits="userSpaceOnUse", patternTransform=turned)


def plain_number(value: Fraction) -> str:
    """A number as people write it, to a hundredth."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
