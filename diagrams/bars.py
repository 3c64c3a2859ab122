"""The least safe TIME_WAIT against the number of losses, as bars, one for each property."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from timewait.diagrams.axes import BELOW, LEFT, MARGIN, RIGHT, SERIES, Axes, Scale, hatching, heading, plain_number
from timewait.diagrams.colours import BLACK
from timewait.diagrams.figure import bold, line
from timewait.diagrams.geometry import Rectangle
from timewait.diagrams.sizes import LEADING, TEXT, line_width
from timewait.diagrams.vector import Attribute, document, group, lettered, number, path, tag

WIDTH, HEIGHT = 620.0, 300.0
BAR, GAP = 44.0, 8.0

HATCHED = "hatching-bars"
PATTERNS = ("solid", "hatched", "dotted")
"""How the bars of the first property are filled, and those of the second, and of the third."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What the picture shows.

    Attributes
    ----------
    title : str
        What it shows, in a line.
    caption : tuple of str
        What was asked, and of what.
    properties : tuple of str
        The properties, up to three.
    losses : tuple of int
        How many copies may be lost in a round.
    least : dict of (int, str) to (Fraction or None)
        The least safe TIME_WAIT in MSL, by losses and property; None where none that was tried is safe.
    """

    title: str
    caption: tuple[str, ...]
    properties: tuple[str, ...]
    losses: tuple[int, ...]
    least: dict[tuple[int, str], Fraction | None]

    def told(self) -> Iterator[str]:
        """All that the picture says, a line each."""
        yield from self.caption
        for loss in self.losses:
            yield f"{loss} lost: {', '.join(f'{name} needs {_value(self.least[loss, name])}' for name in self.properties)}"


def _value(value: Fraction | None) -> str:
    return "more than was tried" if value is None else f"{plain_number(value)} MSL"


def as_svg(bars: Bars) -> str:
    """The picture."""
    head, top = heading(bars.title, bars.caption, WIDTH)
    highest = max((value for value in bars.least.values() if value is not None), default=Fraction(1))
    across = Scale(len(bars.losses) + Fraction(2, 5), LEFT, WIDTH - RIGHT)
    axes = Axes(
        across, Scale(highest * Fraction(115, 100), top + HEIGHT, top), "copies lost in a round, at most", "TIME_WAIT, in MSL"
    )
    parts = [
        tag("defs", hatching(HATCHED, SERIES[1], -45, apart=7, thick=2.4)),
        *head,
        *axes.grid(),
        *(bar for place, loss in enumerate(bars.losses) for bar in _cluster(bars, place, loss, axes)),
        *axes.frame(numbered=False),
        *_standard(axes),
        *_legend(bars, axes.room.bottom + BELOW),
    ]
    return document(WIDTH, axes.room.bottom + BELOW + LEADING + MARGIN, bars.title, "\n".join(bars.told()), parts)


def _fill(place: int) -> dict[str, Attribute]:
    ink = SERIES[place]
    outline: dict[str, Attribute] = {"stroke": ink.light, "stroke_width": 1.6}
    if PATTERNS[place] == "hatched":
        return outline | {"fill": f"url(#{HATCHED})"}
    return outline | {"fill": ink.light, "fill_opacity": "0.75" if PATTERNS[place] == "solid" else "0.2"}


def _cluster(bars: Bars, place: int, loss: int, axes: Axes) -> Iterator[str]:
    """The bars of one number of losses, each with its value above, and the number below."""
    middle = axes.across.at(Fraction(2 * place + 1, 2))
    left = middle - (len(bars.properties) * (BAR + GAP) - GAP) / 2
    for index, name in enumerate(bars.properties):
        value = bars.least[loss, name]
        high = axes.up.high if value is None else value
        room = Rectangle(left + index * (BAR + GAP), axes.up.at(high), left + index * (BAR + GAP) + BAR, axes.room.bottom)
        shape = tag("rect", x=room.left, y=room.top, width=BAR, height=room.bottom - room.top, **_fill(index))
        text = "none" if value is None else plain_number(value)
        yield group(
            [shape, lettered(line(bold(text)), room.left + BAR / 2, room.top - 6, TEXT, SERIES[index], "middle")],
            "bar",
            f"{loss} lost, {name}: {_value(value)}",
        )
    yield lettered(line(str(loss)), middle, axes.room.bottom + 19, TEXT, BLACK, "middle")


def _standard(axes: Axes) -> Iterator[str]:
    """The standard's 2 MSL, across everything."""
    if axes.up.high > 2:
        y = axes.up.at(Fraction(2))
        yield path(f"M{number(axes.room.left)},{number(y)} H{number(axes.room.right)}", BLACK, 1.2, "2 3")
        yield lettered(line("2 MSL"), axes.room.right, y - 6, TEXT, BLACK, "end")


def _legend(bars: Bars, y: float) -> Iterator[str]:
    x = MARGIN
    for place, name in enumerate(bars.properties):
        text = line(f"least TIME_WAIT for {name}")
        yield tag("rect", x=x, y=y - 7, width=24, height=12, **_fill(place))
        yield lettered(text, x + 32, y + 4, TEXT, SERIES[place])
        x += 32 + line_width(text, TEXT) + 24


def as_text(bars: Bars, width: int | None = None) -> str:
    """The picture as text."""
    most = max((width or 80) - 30, 10)
    highest = max((value for value in bars.least.values() if value is not None), default=Fraction(1))
    rows = []
    for loss in bars.losses:
        for index, name in enumerate(bars.properties):
            value = bars.least[loss, name]
            bar = "" if value is None else f"{'#' * round(most * value / highest)} "
            rows.append(f"{f'{loss} lost' if index == 0 else '':8} {name:12} {bar}{_value(value)}")
    head = [row for text in (bars.title, *bars.caption) for row in textwrap.wrap(text, width or len(text))]
    return "\n".join([*head, "", *rows]) + "\n"
