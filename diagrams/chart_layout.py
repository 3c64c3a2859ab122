"""The layout of a sequence chart: the positions of the rows, arrows, bars and labels of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise

from timewait.checker.trace import Trace
from timewait.diagrams.arrow_labels import ArrowLabels, StraightLine
from timewait.diagrams.chart import (
    BAR,
    MARGIN,
    Anchor,
    Chart,
    ChartArrow,
    ChartBar,
    ChartBox,
    ChartFormat,
    ChartLabel,
    Lifetimes,
)
from timewait.diagrams.geometry import Point, Rectangle, Size
from timewait.diagrams.rows import SHORT, ChartRow, ChartRows
from timewait.diagrams.time_axis import Axis, Gap, GapScale, Instant
from timewait.diagrams.time_axis import axis as time_axis
from timewait.diagrams.widths import mono_width, width, wrapped
from timewait.narration.sentences import headline, repetition
from timewait.narration.timeline import DeliveryOutcome, Lifetime, Transit, Wait, lifetimes
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS

DIAMOND = 4.0
"""How much further from its lifeline a text stands beside the mark of a violation, which is wider, in pixels."""

MARK_SHARES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73)
"""The places of the mark of a step of no end, as shares of the distance of the lifelines, in order of preference."""


def chart_of(trace: Trace, form: ChartFormat) -> Chart:
    """Lay a trace out.

    Parameters
    ----------
    trace : Trace
        The trace.
    form : ChartFormat
        The size of the chart.
    """
    return ChartLayout(trace, form).chart()


class ChartLayout:
    """The construction of one chart."""

    def __init__(self, trace: Trace, form: ChartFormat) -> None:
        self.trace = trace
        self.form = form
        self.times = [Fraction(0), *(step.time for step in trace.steps)]
        across = 8 + form.margin + form.distance + form.margin
        self.rows = ChartRows(trace, form, across - 26)
        instants = [*self.times, self._until()]
        waited = {f"+{format_duration(later - earlier)}" for earlier, later in pairwise(instants)}
        longest = max({*map(format_duration, instants), *waited}, key=len)
        self.axis_x = MARGIN + mono_width(longest, form.font_size) + 8
        self.left = self.axis_x + 8 + form.margin
        self.right = self.left + form.distance
        self.edge = self.axis_x + across
        self.labels: list[ChartLabel] = []

    def chart(self) -> Chart:
        top = self._title() + 26
        rows = self.rows.all()
        first = None if self.trace.loop is None else self.trace.loop + 1
        repeated = self._repeated()
        above = [self.form.above + (self._heading(repeated) if number == first else 0) for number in range(len(rows))]
        below = [row.below(self.form) for row in rows]
        axis = time_axis(self.times, above, below, top, self._until(), self.form.stretch)
        bare = [self._arrow(transit, axis, rows) for transit in self.rows.transits]
        common = self._common(bare, axis, rows)
        for number, (y, row) in enumerate(zip(axis.rows, rows, strict=True)):
            self._row(number, y, row, common.get(number, 0.0))
        frames = tuple(
            self._frame(y + height, row) for y, height, row in zip(axis.rows, below, rows, strict=True) if row.violation
        )
        self._names(top - 12)
        self._instants(axis)
        loop = None if first is None else self._loop(axis, first, below[-1] - rows[-1].framed(self.form.font_size), repeated)
        arrows = self._named(bare, axis, frames, loop, common)
        return Chart(
            self.form,
            self.edge + MARGIN,
            axis.bottom + MARGIN,
            (self.left, self.right),
            self.axis_x,
            axis,
            self.trace.steps,
            tuple(common[step.number] if step.number in common else self._x(step.event.actor) for step in self.trace.steps),
            arrows,
            tuple(self._bars(axis)),
            tuple(self._line(lifetime, axis) for lifetime in lifetimes(self.trace)),
            (*self.labels, *(label for arrow in arrows for label in arrow.labels)),
            frames,
            self.rows.violating,
            loop,
        )

    # --- around it --------------------------------------------------------------------------------------------------

    def _title(self) -> float:
        """Add the title; return its lower end."""
        if not self.form.titled:
            return MARGIN
        y = MARGIN + 4
        title = self.form.title
        texts = (
            (headline(self.trace) if title is None else title, "title", 16.0, True),
            (self.trace.statement if title is None else "", "words", 14.0, False),
            (data_in_words(self.trace.about, behaviour=True), "muted", 13.5, False),
        )
        for text, kind, size, bold in texts:
            for line in wrapped(text, size, self.edge - MARGIN, bold=bold):
                y += size + 5
                self.labels.append(ChartLabel(MARGIN, y, line, kind, size, bold=bold))
        return y + MARGIN

    def _names(self, y: float) -> None:
        for end, x in zip(ENDS, (self.left, self.right), strict=True):
            self.labels.append(ChartLabel(x, y, end, "name", 15, "middle", bold=True))

    def _instants(self, axis: Axis) -> None:
        """Label each instant with its time, and each gap that is not true to scale with its duration."""
        size = self.form.font_size
        for instant in axis.instants:
            self.labels.append(
                ChartLabel(self.axis_x - 6, instant.top + 4, format_duration(instant.time), "time", size, "end", mono=True)
            )
            if instant.last < instant.first:
                self._end_of_two_msl(instant)
        for gap in axis.gaps:
            if gap.scale is not GapScale.TRUE:
                self.labels.append(self._duration(gap))

    def _end_of_two_msl(self, instant: Instant) -> None:
        """Label an instant without steps: the end of 2 MSL."""
        ended = {wait.end for wait in self.rows.waits if wait.ended and wait.since + 2 * self.rows.msl == instant.time}
        for end in sorted(ended):
            x, anchor = self._outside(end)
            self.labels.append(ChartLabel(x, instant.top + 4, "end of 2 MSL", "note", self.form.font_size, anchor))

    def _duration(self, gap: Gap) -> ChartLabel:
        text = f"+{format_duration(gap.ends - gap.begins)}"
        return ChartLabel(self.axis_x - 8, (gap.top + gap.bottom) / 2 + 4, text, "muted", self.form.font_size, "end", mono=True)

    def _until(self) -> Fraction:
        """The end of the time axis: the last step, or the end of 2 MSL of an end that left TIME-WAIT sooner."""
        ends = [self.times[-1]]
        if self.rows.msl:
            ends += [wait.since + 2 * self.rows.msl for wait in self.rows.waits if wait.ended]
        return max(ends)

    def _repeated(self) -> list[str]:
        """The heading of the part that repeats, in lines that fit beside a lifeline."""
        if self.trace.loop is None:
            return []
        return wrapped(f"loop: {repetition(self.trace)[0]}", self.form.font_size, self.form.margin - BAR - 16, bold=True)

    def _heading(self, lines: list[str]) -> float:
        """The height of this heading."""
        return (self.form.font_size + 3) * len(lines) + 12

    def _loop(self, axis: Axis, first: int, below: float, heading: list[str]) -> ChartBox:
        """The frame around the part that repeats, with a heading in its upper right corner, outside the lifelines."""
        size = self.form.font_size
        top = axis.rows[first] - self.form.above - self._heading(heading) + 2
        for index, text in enumerate(heading, start=1):
            self.labels.append(ChartLabel(self.edge - 6, top + (size + 3) * index, text, "loop", size, "end", bold=True))
        return self.axis_x + 8, top, self.edge, axis.rows[-1] + below + 2

    # --- rows -------------------------------------------------------------------------------------------------------

    def _row(self, number: int, y: float, row: ChartRow, common: float) -> None:
        """Add the texts beside the lifelines, and the one at the mark of a step of no end, whose place is `common`."""
        size, line = self.form.font_size, self.form.font_size + 3
        for end in ENDS:
            x, anchor = self._outside(end, DIAMOND if number in self.rows.violating else 0.0)
            base = y + 4
            for text in row.states[end]:
                self.labels.append(ChartLabel(x, base, text, "state", size, anchor, mono=True, bold=True))
                base += line
            for text in row.notes[end]:
                self.labels.append(ChartLabel(x, base, text, "note", size, anchor))
                base += line
        if row.middle:
            self.labels.append(ChartLabel(common, y + self.form.above + 7, row.middle, "common", size, "middle"))

    def _common(self, arrows: list[ChartArrow], axis: Axis, rows: list[ChartRow]) -> dict[int, float]:
        """The place of the mark of each step of no end: between the lifelines, on no arrow where there is room."""
        lines = [StraightLine(Point(arrow.x1, arrow.y1), Point(arrow.x2, arrow.y2)) for arrow in arrows]
        found = {}
        for number, (y, row) in enumerate(zip(axis.rows, rows, strict=True)):
            if row.middle:
                places = (self.left + (self.right - self.left) * share for share in MARK_SHARES)
                free = (x for x in places if not any(line.meets(area) for area in self._marked(x, y, row) for line in lines))
                found[number] = next(free, (self.left + self.right) / 2)
        return found

    def _marked(self, x: float, y: float, row: ChartRow) -> tuple[Rectangle, Rectangle]:
        """The areas of the mark of a step of no end and of the text below it."""
        half, radius = width(row.middle, self.form.font_size) / 2 + 2, self.form.radius + 3
        text = Rectangle(x - half, y + radius, x + half, y + self.form.above + 11)
        return Rectangle.around(Point(x, y), Size(2 * radius, 2 * radius)), text

    def _outside(self, end: str, further: float = 0.0) -> tuple[float, Anchor]:
        """The place of a text beside a lifeline."""
        away = BAR + 10 + further
        return (self.left - away, "end") if end == "A" else (self.right + away, "start")

    def _frame(self, bottom: float, row: ChartRow) -> ChartBox:
        """The frame of the text of a violation, at the bottom of its row."""
        size, line = self.form.font_size + 1, self.form.font_size + 5
        left, top = self.axis_x + 8, bottom - row.framed(self.form.font_size) + 4
        for index, text in enumerate(row.violation):
            self.labels.append(ChartLabel(left + 8, top + 5 + line * (index + 0.75), text, "verdict", size, bold=True))
        return left, top, self.edge, top + line * len(row.violation) + 10

    # --- arrows and bars ----------------------------------------------------------------------------------------------

    def _x(self, end: str) -> float:
        return self.left if end == "A" else self.right

    def _arrow(self, transit: Transit, axis: Axis, rows: list[ChartRow]) -> ChartArrow:
        copy = transit.copy
        x1, receiver_x = self._x(copy.sender), self._x(copy.receiver)
        if transit.sent is None:
            y1, slot = axis.at(copy.sent), axis.at(copy.sent) + self.form.slot
        else:
            y1 = axis.rows[transit.sent]
            slot = y1 + self.form.above + 3 + self.form.slot * rows[transit.sent].slots[copy.number]
        x2, y2 = (x1 + (receiver_x - x1) * SHORT, slot) if transit.arrives is None else (receiver_x, axis.rows[transit.arrives])
        window = (y1, max(y1, axis.at(copy.expires))) if self._shows_lifetime(transit) else None
        labels = () if transit.outcome is DeliveryOutcome.DUPLICATE else self._labels(transit, (x1, y1), (x2, y2), slot)
        return ChartArrow(transit, x1, y1, x2, y2, receiver_x, labels, window)

    def _labels(
        self, transit: Transit, begin: tuple[float, float], end: tuple[float, float], slot: float
    ) -> tuple[ChartLabel, ...]:
        """The reserved place of the label of a copy: on its arrow; beside a short arrow, or below it for lack of space."""
        size, lines = self.form.font_size, self.rows.lines(transit)
        half = max(mono_width(line, size) for line in lines) / 2
        low, high = self.left + self.form.radius + 4 + half, self.right - self.form.radius - 4 - half
        (x1, y1), (x2, y2) = begin, end
        if transit.arrives is not None:
            x = x1 + (x2 - x1) * ((slot - y1) / (y2 - y1) if y2 != y1 else 0.5)
        elif self.rows.below_arrow(transit):
            x, slot = (low + high) / 2, slot + self.form.slot
        else:
            x = x2 + (12 + half) * (1 if x2 > x1 else -1)
        x, y = min(max(x, low), high), slot + 0.28 * size
        return tuple(
            ChartLabel(x, y + index * (size + 3), line, "copy", size, "middle", mono=True) for index, line in enumerate(lines)
        )

    def _shows_lifetime(self, transit: Transit) -> bool:
        if transit.outcome in (DeliveryOutcome.LOST, DeliveryOutcome.DUPLICATE):
            return False
        if self.form.lifetimes is Lifetimes.VIOLATION:
            return transit.copy.number in self.rows.violators
        return self.form.lifetimes is Lifetimes.ALL

    def _named(
        self,
        arrows: list[ChartArrow],
        axis: Axis,
        frames: tuple[ChartBox, ...],
        loop: ChartBox | None,
        common: Mapping[int, float],
    ) -> tuple[ChartArrow, ...]:
        """The arrows with their labels moved off the lines, where there is room."""
        lines = [StraightLine(Point(arrow.x1, arrow.y1), Point(arrow.x2, arrow.y2)) for arrow in arrows]
        if loop is not None:
            lines.append(StraightLine(Point(loop[0], loop[1]), Point(loop[2], loop[1])))
        reserved = [_around(arrow.labels) for arrow in arrows]
        taken = [*map(Rectangle._make, frames), *(Rectangle(*label.box) for label in self.labels)]
        taken += [Rectangle.around(Point(arrow.x2, arrow.y2), Size(10, 10)) for arrow in arrows if arrow.transit.arrives is None]
        for step, y in zip(self.trace.steps, axis.rows[1:], strict=True):
            if step.event.actor not in ENDS:
                lines.append(StraightLine(Point(self.left, y), Point(self.right, y)))
                taken.append(Rectangle.around(Point(common[step.number], y), Size(4 * self.form.radius, 2 * self.form.radius)))
        places = ArrowLabels(
            lines,
            [*taken, *(area for area in reserved if area)],
            self.left + self.form.radius + 4,
            self.right - self.form.radius - 4,
        )
        named = list(arrows)
        for number in sorted(range(len(arrows)), key=lambda number: arrows[number].transit.arrives is not None):
            area = reserved[number]  # short arrows choose first: there are few places beside them
            if area is not None:
                moved = _moved(arrows[number].labels, area, *places.place(_size(area), area, lines[number]), axis)
                named[number] = replace(arrows[number], labels=moved)
        return tuple(named)

    def _bars(self, axis: Axis) -> list[ChartBar]:
        """The stays in TIME-WAIT; 2 MSL are shown from the last start of the timer."""
        bars = []
        for _, group in groupby(self.rows.waits, key=lambda wait: wait.end):
            waits = list(group)
            for wait, later in zip(waits, [*waits[1:], None], strict=True):
                bars.append(self._bar(wait, axis, last=later is None or not later.restarted))
        return bars

    def _bar(self, wait: Wait, axis: Axis, *, last: bool) -> ChartBar:
        top = axis.rows[wait.first]
        bottom = axis.rows[wait.last] if wait.ended or not last else axis.bottom
        two_msl = max(top, axis.at(wait.since + 2 * self.rows.msl)) if self.rows.msl and last else None
        return ChartBar(wait, self._x(wait.end), top, bottom, two_msl)

    def _line(self, lifetime: Lifetime, axis: Axis) -> tuple[Lifetime, float, float]:
        last = lifetime.last == len(self.times) - 1
        return lifetime, axis.rows[lifetime.first], axis.bottom if last else axis.rows[lifetime.last]


def _moved(
    labels: tuple[ChartLabel, ...], reserved: Rectangle, place: Rectangle, crossed: bool, axis: Axis
) -> tuple[ChartLabel, ...]:
    """The lines of a label at another place; where an arrow crosses it, they hide the arrow."""
    right, down = place.left - reserved.left, place.top - reserved.top
    bands = [instant.band for instant in axis.instants if instant.band is not None]
    banded = any(top <= place.top and place.bottom <= bottom for top, bottom in bands)
    return tuple(
        replace(label, x=label.x + right, y=label.y + down, backed=crossed, banded=crossed and banded) for label in labels
    )


def _around(labels: tuple[ChartLabel, ...]) -> Rectangle | None:
    """The area of the lines of a label; None if there are none."""
    boxes = [label.box for label in labels]
    return (
        Rectangle(
            *map(min, zip(*(box[:2] for box in boxes), strict=True)), *map(max, zip(*(box[2:] for box in boxes), strict=True))
        )
        if boxes
        else None
    )


def _size(area: Rectangle) -> Size:
    return Size(area.right - area.left, area.bottom - area.top)
