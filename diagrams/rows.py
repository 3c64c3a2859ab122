"""The rows of a sequence chart: their texts, and the space that these take.

Labels cannot overlap, since each has a slot of its own. The state of an end and notes on it stand outside its lifeline,
beside the step; the copies that a step sends stand between the lifelines, below the step, a slot for each copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from timewait.checker.trace import Step, Trace
from timewait.diagrams.chart import BAR, ChartFormat
from timewait.diagrams.widths import mono_width, wrapped
from timewait.narration.sentences import violating_steps, violation_at
from timewait.narration.timeline import DeliveryOutcome, Transit, Wait, reopens, state, transits, waits
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.state import in_rfc_spelling

SHORT = 0.3
"""How receiver_x, of the way between the lifelines, an arrow is drawn that arrives nowhere."""

TAGS = {
    "close.first": "CLOSE",
    "close.second": "CLOSE",
    "close.linger-zero": "CLOSE",
    "abort": "ABORT",
    "send": "SEND",
    "timer.retransmission": "retransmits",
    "timer.retries": "gives up",
    "timer.time-wait": "timer expires",
    "timer.fin-wait-2": "timer expires",
}
"""The event of a step in a word or two, by its rule."""


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A step of a chart; the first row is the start.

    Attributes
    ----------
    states, notes : mapping of str to tuple of str
        The lines beside each lifeline: the state if it changed, and notes.
    middle : str
        The text between the lifelines, for a step of neither end.
    violation : tuple of str
        The violation of the property, in lines.
    slots : dict of int to int
        The slot of the arrow of each copy sent, by its number.
    used : int
        The number of slots in use.
    """

    states: dict[str, tuple[str, ...]]
    notes: dict[str, tuple[str, ...]]
    middle: str = ""
    violation: tuple[str, ...] = ()
    slots: dict[int, int] = field(default_factory=dict)
    used: int = 0

    def below(self, form: ChartFormat) -> float:
        """The space below the event, in pixels."""
        size = form.font_size
        lines = max(len(self.states[end]) + len(self.notes[end]) for end in ENDS)
        needs = [form.below, (size + 3) * lines + 2]
        if self.used:
            needs.append(form.above + form.slot * self.used - 2)
        return max(needs) + self.framed(size)

    def framed(self, size: float) -> float:
        """The part of this space for the violation."""
        return (size + 5) * len(self.violation) + 18 if self.violation else 0.0


class ChartRows:
    """The rows of a trace.

    Parameters
    ----------
    trace : Trace
        The trace.
    form : ChartFormat
        The size of the chart.
    violation_width : float
        The width of the text of a violation, in pixels.
    """

    def __init__(self, trace: Trace, form: ChartFormat, violation_width: float) -> None:
        self.trace = trace
        self.form = form
        self.violation_width = violation_width
        self.msl = seconds(trace.about.get("msl"))
        self.transits = transits(trace)
        self.waits = waits(trace)
        self.violating = violating_steps(trace)
        received = (step.event.received for step in trace.steps if step.number in self.violating)
        self.violators = {copy.number for copy in received if copy is not None}
        self._duplicates = {transit.arrives for transit in self.transits if transit.outcome is DeliveryOutcome.DUPLICATE}
        self._sent: dict[int, list[Transit]] = defaultdict(list)
        for transit in self.transits:
            if transit.sent is not None and transit.outcome is not DeliveryOutcome.DUPLICATE:
                self._sent[transit.sent].append(transit)

    def all(self) -> list[ChartRow]:
        """Every row, that of the start first."""
        return [self._row(number) for number in range(len(self.trace.steps) + 1)]

    def _row(self, number: int) -> ChartRow:
        step = self.trace.steps[number - 1] if number else None
        now = self.trace.initial if step is None else step.state
        new = {end: step is None or f"{end}.state" in step.changed for end in ENDS}
        names = {end: in_rfc_spelling(state(now, end)) for end in ENDS}
        states = {end: tuple(names[end].split(" ")) if new[end] else () for end in ENDS}
        entered = [wait for wait in self.waits if wait.first == number]
        notes = {end: tuple(line for wait in entered if wait.end == end for line in self._durations(wait)) for end in ENDS}
        if step is None:
            return ChartRow(states, notes)
        actor = step.event.actor
        if actor in ENDS:
            notes[actor] += tuple(self._event_notes(step))
        slots: dict[int, int] = {}
        used = 0
        for transit in self._sent[number]:
            slots[transit.copy.number] = used
            used += len(self.lines(transit)) + self.below_arrow(transit)
        return ChartRow(
            states,
            notes,
            "" if actor in ENDS else self._middle(step),
            self._violation(step),
            slots,
            used + (actor not in ENDS),
        )

    def below_arrow(self, transit: Transit) -> bool:
        """Whether the label of a copy that does not arrive stands below its arrow, for lack of space beside it."""
        if transit.outcome not in (DeliveryOutcome.LOST, DeliveryOutcome.OPEN):
            return False
        return any(mono_width(line, self.form.font_size) > self.form.distance * (1 - SHORT) - 24 for line in self.lines(transit))

    def lines(self, transit: Transit) -> list[str]:
        """The label of a copy; where one line is too wide, its frame and the control bits stand in lines of their own."""
        text = transit.copy.text
        parts = [f"frame {transit.frame}", text] if transit.frame else [text]
        if self._fits(": ".join(parts)):
            return [": ".join(parts)]
        return [*parts[:-1], *([text] if self._fits(text) else text.split(" ", 1))]

    def _fits(self, text: str) -> bool:
        return mono_width(text, self.form.font_size) <= self.form.distance - 2 * self.form.radius - 8

    def _durations(self, wait: Wait) -> Iterator[str]:
        if wait.restarted:
            yield "timer restarts"
        elif wait.limit and wait.limit == 2 * self.msl:
            yield f"2 MSL = {format_duration(wait.limit)}"
        elif wait.limit:
            yield f"for {format_duration(wait.limit)}"
        if self.msl and not wait.restarted and wait.limit != 2 * self.msl:
            yield f"2 MSL: {format_duration(2 * self.msl)}"

    def _event_notes(self, step: Step) -> Iterator[str]:
        """The age of a copy that arrives late or again, or the event of the end itself."""
        copy = step.event.received
        if copy is None:
            tags = [TAGS[name] for name, _, _ in step.event.rules if name in TAGS]
            yield from tags or wrapped(step.event.text, self.form.font_size, self.form.margin - BAR - 14)
            return
        age = step.time - copy.sent
        if step.number in self._duplicates:
            yield f"again, {format_duration(age)} old" if age else "again"
        elif age and self.msl and age * 10 >= self.msl:
            yield f"{format_duration(age)} old"

    def _middle(self, step: Step) -> str:
        text = "reopened" if reopens(step) else step.event.text
        return wrapped(text, self.form.font_size, self.form.distance - 60)[0]

    def _violation(self, step: Step) -> tuple[str, ...]:
        """The violation of the property; at the end of a lasso, the return to its loop."""
        return tuple(
            wrapped(in_rfc_spelling(violation_at(self.trace, step)), self.form.font_size + 1, self.violation_width, bold=True)
        )


def seconds(value: object) -> Fraction:
    """A duration of a configuration in plain data, in seconds; 0 if it is missing."""
    try:
        return Fraction(str(value))
    except ValueError:
        return Fraction(0)
