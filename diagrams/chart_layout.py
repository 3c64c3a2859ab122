"""The layout of a sequence chart: every row, arrow, bar and label of a trace gets its place."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby, pairwise

from timewait.checker.trace import Trace
from timewait.diagrams.chart import BAR, MARGIN, RADIUS, Anchor, Chart, ChartArrow, ChartBar, ChartBox, ChartFormat, ChartLabel
from timewait.diagrams.rows import ABOVE, SLOT, STUB, ChartRow, ChartRows
from timewait.diagrams.time_axis import Axis, Band, Gap, Pause, axis
from timewait.diagrams.widths import mono_width, wrapped
from timewait.narration.sentences import headline, repetition
from timewait.narration.timeline import DeliveryOutcome, Lifetime, Transit, Wait, lifetimes
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS


def chart(trace: Trace, form: ChartFormat) -> Chart:
    """Lay a trace out.

    Parameters
    ----------
    trace : Trace
        What is shown.
    form : Format
        How large.
    """
    return _Layout(trace, form).chart()


class _Layout:
    """A chart in the making."""

    def __init__(self, trace: Trace, form: ChartFormat) -> None:
        self.trace = trace
        self.form = form
        self.times = [Fraction(0), *(step.time for step in trace.steps)]
        waited = {f"+{format_duration(later - earlier)}" for earlier, later in pairwise(self.times)}
        longest = max({*map(format_duration, self.times), *waited}, key=len)
        self.rule = MARGIN + mono_width(longest, form.size) + 8
        self.left = self.rule + 8 + form.side
        self.right = self.left + form.reach
        self.edge = self.right + form.side + (form.words + 12 if form.words else 0)
        self.rows = ChartRows(trace, form, self.edge - self.rule - 26)
        self.labels: list[ChartLabel] = []

    def chart(self) -> Chart:
        top = self._title() + 26
        rows = self.rows.all()
        first = None if self.trace.loop is None else self.trace.loop + 1
        above = [ABOVE + (SLOT + 8 if number == first else 0) for number in range(len(rows))]
        below = [row.below(self.form.size) for row in rows]
        found = axis(self.times, above, below, top, self._until())
        for place, row in zip(found.rows, rows, strict=True):
            self._row(place, row)
        frames = tuple(
            self._frame(place + room, row) for place, room, row in zip(found.rows, below, rows, strict=True) if row.verdict
        )
        arrows = tuple(self._arrow(passage, found, rows) for passage in self.rows.passages)
        self._heads(top - 12)
        self._instants(found)
        loop = None if first is None else self._loop(found, first)
        return Chart(
            self.edge + MARGIN + (16 if first is not None else 0),
            found.bottom + MARGIN,
            (self.left, self.right),
            self.rule,
            found,
            self.trace.steps,
            arrows,
            tuple(self._bars(found)),
            tuple(self._line(stretch, found) for stretch in lifetimes(self.trace)),
            (*self.labels, *(label for arrow in arrows for label in arrow.labels)),
            frames,
            self.rows.broken,
            loop,
        )

    # --- around it --------------------------------------------------------------------------------------------------

    def _title(self) -> float:
        """Say above the chart what it shows; return where that ends."""
        if not self.form.titled:
            return MARGIN
        place = MARGIN + 4
        texts = (
            (headline(self.trace), "title", 16.0, True),
            (self.trace.statement, "words", 12.5, False),
            (data_in_words(self.trace.about), "muted", 11.5, False),
        )
        for text, kind, size, bold in texts:
            for line in wrapped(text, size, self.edge - MARGIN, bold=bold):
                place += size + 5
                self.labels.append(ChartLabel(MARGIN, place, line, kind, size, bold=bold))
        return place + MARGIN

    def _heads(self, place: float) -> None:
        for end, x in zip(ENDS, (self.left, self.right), strict=True):
            self.labels.append(ChartLabel(x, place, end, "name", 15, "middle", bold=True))

    def _instants(self, found: Axis) -> None:
        """The time of each instant, once; and how long a pause is that is not true to scale."""
        size = self.form.size
        for band in found.bands:
            self.labels.append(
                ChartLabel(self.rule - 6, band.top + 4, format_duration(band.time), "time", size, "end", mono=True)
            )
            if band.last < band.first:
                self._over(band)
        for gap in found.gaps:
            if gap.pause is not Pause.TRUE:
                self.labels.append(self._length(gap))

    def _over(self, band: Band) -> None:
        """At an instant without steps: whose 2 MSL are over."""
        over = {wait.end for wait in self.rows.waits if wait.ended and wait.since + 2 * self.rows.msl == band.time}
        for end in sorted(over):
            x, anchor = self._outside(end)
            self.labels.append(ChartLabel(x, band.top + 4, "2 MSL over", "note", self.form.size - 0.5, anchor))

    def _length(self, gap: Gap) -> ChartLabel:
        text = f"+{format_duration(gap.ends - gap.begins)}"
        return ChartLabel(self.rule - 8, (gap.top + gap.bottom) / 2 + 4, text, "muted", self.form.size - 1, "end", mono=True)

    def _until(self) -> Fraction:
        """How far the time axis reaches: to the end of 2 MSL of an end that left TIME-WAIT sooner."""
        ends = [self.times[-1]]
        if self.rows.msl:
            ends += [wait.since + 2 * self.rows.msl for wait in self.rows.waits if wait.ended]
        return max(ends)

    def _loop(self, found: Axis, first: int) -> tuple[float, float]:
        top = found.rows[first] - ABOVE - SLOT
        middle, size = (self.left + self.right) / 2, self.form.size
        labels = [ChartLabel(middle, top + 12, text, "loop", size, "middle", bold=True) for text in repetition(self.trace)]
        self.labels.append(next((one for one in labels if one.width < self.form.reach - 2 * RADIUS), labels[-1]))
        return top, found.rows[-1] + ABOVE

    # --- rows -------------------------------------------------------------------------------------------------------

    def _row(self, place: float, row: ChartRow) -> None:
        size, line = self.form.size, self.form.size + 3
        for end in ENDS:
            x, anchor = self._outside(end)
            base = place + 4
            for text in row.states[end]:
                self.labels.append(ChartLabel(x, base, text, "state", size, anchor, mono=True, bold=True))
                base += line
            for text in row.notes[end]:
                self.labels.append(ChartLabel(x, base, text, "note", size - 0.5, anchor))
                base += line
        for index, text in enumerate(row.words):
            x = self.right + self.form.side + 12
            self.labels.append(ChartLabel(x, place + 4 + index * (size + 4.5), text, "words", size + 0.5))
        if row.common:
            self.labels.append(ChartLabel((self.left + self.right) / 2, place + ABOVE + 7, row.common, "common", size, "middle"))

    def _outside(self, end: str) -> tuple[float, Anchor]:
        return (self.left - BAR - 10, "end") if end == "A" else (self.right + BAR + 10, "start")

    def _frame(self, bottom: float, row: ChartRow) -> ChartBox:
        """Where a verdict stands, at the bottom of its row."""
        size, line = self.form.size + 1, self.form.size + 5
        left, top = self.rule + 8, bottom - row.framed(self.form.size) + 4
        for index, text in enumerate(row.verdict):
            self.labels.append(ChartLabel(left + 8, top + 5 + line * (index + 0.75), text, "verdict", size, bold=True))
        return left, top, self.edge, top + line * len(row.verdict) + 10

    # --- what takes time ----------------------------------------------------------------------------------------------

    def _x(self, end: str) -> float:
        return self.left if end == "A" else self.right

    def _arrow(self, passage: Transit, found: Axis, rows: list[ChartRow]) -> ChartArrow:
        copy = passage.copy
        x1, far = self._x(copy.sender), self._x(copy.receiver)
        if passage.sent is None:
            y1, slot = found.at(copy.sent), found.at(copy.sent) + SLOT
        else:
            y1 = found.rows[passage.sent]
            slot = y1 + ABOVE + 3 + SLOT * rows[passage.sent].slots[copy.number]
        x2, y2 = (x1 + (far - x1) * STUB, slot) if passage.arrives is None else (far, found.rows[passage.arrives])
        window = (
            None
            if passage.outcome in (DeliveryOutcome.LOST, DeliveryOutcome.DUPLICATE)
            else (y1, max(y1, found.at(copy.expires)))
        )
        labels = () if passage.outcome is DeliveryOutcome.DUPLICATE else self._labels(passage, (x1, y1), (x2, y2), slot)
        return ChartArrow(passage, x1, y1, x2, y2, far, labels, window)

    def _labels(
        self, passage: Transit, begin: tuple[float, float], end: tuple[float, float], slot: float
    ) -> tuple[ChartLabel, ...]:
        """What the copy is: on the arrow; beside a stub, or below it where there is no room."""
        size, lines = self.form.size, self.rows.lines(passage)
        half = max(mono_width(line, size) for line in lines) / 2
        low, high = self.left + RADIUS + 4 + half, self.right - RADIUS - 4 - half
        (x1, y1), (x2, y2) = begin, end
        if passage.arrives is not None:
            x = x1 + (x2 - x1) * (slot - y1) / (y2 - y1)
        elif self.rows.below_stub(passage):
            x, slot = (low + high) / 2, slot + SLOT
        else:
            x = x2 + (12 + half) * (1 if x2 > x1 else -1)
        x, y = min(max(x, low), high), slot + 0.28 * size
        return tuple(
            ChartLabel(x, y + index * (size + 3), line, "copy", size, "middle", mono=True) for index, line in enumerate(lines)
        )

    def _bars(self, found: Axis) -> list[ChartBar]:
        """The waits; 2 MSL are shown from where the timer last started."""
        bars = []
        for _, group in groupby(self.rows.waits, key=lambda wait: wait.end):
            waits = list(group)
            for wait, later in zip(waits, [*waits[1:], None], strict=True):
                bars.append(self._bar(wait, found, last=later is None or not later.restarted))
        return bars

    def _bar(self, wait: Wait, found: Axis, *, last: bool) -> ChartBar:
        top = found.rows[wait.first]
        bottom = found.rows[wait.last] if wait.ended or not last else found.bottom
        full = max(top, found.at(wait.since + 2 * self.rows.msl)) if self.rows.msl and last else None
        return ChartBar(wait, self._x(wait.end), top, bottom, full)

    def _line(self, stretch: Lifetime, found: Axis) -> tuple[Lifetime, float, float]:
        last = stretch.last == len(self.times) - 1
        return stretch, found.rows[stretch.first], found.bottom if last else found.rows[stretch.last]
