"""The rows of a sequence chart: what is said in each, and how much room that takes.

Labels cannot overlap, since each has a slot of its own. What happens at an end is told outside its lifeline, beside the
step; what a step sends is told between the lifelines, below the step, a slot for each copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from timewait.checker.trace import Step, Trace
from timewait.diagrams.chart import RADIUS, ChartFormat
from timewait.diagrams.widths import mono_width, wrapped
from timewait.narration.sentences import violating_steps, violation_at
from timewait.narration.timeline import DeliveryOutcome, Transit, Wait, reopens, state, transits, waits
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS

ABOVE, BELOW, SLOT = 14.0, 20.0, 16.0
"""What every row has above and below its event, and what each copy that it sends takes below it, in pixels."""
STUB = 0.3
"""How far, of the way between the lifelines, an arrow is drawn that arrives nowhere."""

TAGS = {
    "close.first": "CLOSE",
    "close.second": "CLOSE",
    "close.linger-zero": "CLOSE",
    "abort": "ABORT",
    "send": "SEND",
    "timer.retransmission": "sends again",
    "timer.retries": "gives up",
    "timer.time-wait": "timer ends",
    "timer.fin-wait-2": "timer ends",
}
"""What a step was, in a word or two, by its rule; for charts without a column of words."""


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A step of a chart; the first row is the start.

    Attributes
    ----------
    states, notes : mapping of str to tuple of str
        What stands beside each lifeline, a line each: the state if it is a new one, and remarks.
    words : tuple of str
        The lines in the column of words.
    common : str
        What stands between the lifelines, for a step of neither end.
    verdict : tuple of str
        What it breaks, in lines.
    sent : tuple of Passage
        The copies that have their labels here.
    """

    states: dict[str, tuple[str, ...]]
    notes: dict[str, tuple[str, ...]]
    words: tuple[str, ...] = ()
    common: str = ""
    verdict: tuple[str, ...] = ()
    sent: tuple[Transit, ...] = ()
    slots: dict[int, int] = field(default_factory=dict)
    """For each copy sent, by its number, which slot its arrow leaves by."""
    used: int = 0
    """How many slots are taken."""

    def below(self, size: float) -> float:
        """The room below the event, in pixels, with labels of some font size."""
        lines = max(len(self.states[end]) + len(self.notes[end]) for end in ENDS)
        needs = [BELOW, (size + 3) * lines + 2, (size + 4.5) * len(self.words) + 2]
        if self.used:
            needs.append(ABOVE + SLOT * self.used - 2)
        return max(needs) + self.framed(size)

    def framed(self, size: float) -> float:
        """The part of it that the verdict takes."""
        return (size + 5) * len(self.verdict) + 18 if self.verdict else 0.0


class ChartRows:
    """The rows of a trace.

    Parameters
    ----------
    trace : Trace
        What is shown.
    form : Format
        How large.
    room : float
        How wide a verdict may be, in pixels.
    """

    def __init__(self, trace: Trace, form: ChartFormat, room: float) -> None:
        self.trace = trace
        self.form = form
        self.room = room
        self.msl = seconds(trace.about.get("msl"))
        self.passages = transits(trace)
        self.waits = waits(trace)
        self.broken = violating_steps(trace)
        self._again = {passage.arrives for passage in self.passages if passage.outcome is DeliveryOutcome.DUPLICATE}
        self._entered: dict[int, list[Wait]] = {}
        for wait in self.waits:
            self._entered.setdefault(wait.first, []).append(wait)
        self._sent: dict[int, list[Transit]] = {}
        for passage in self.passages:
            if passage.sent is not None and passage.outcome is not DeliveryOutcome.DUPLICATE:
                self._sent.setdefault(passage.sent, []).append(passage)

    def all(self) -> list[ChartRow]:
        """Every row, the start first."""
        return [self._row(number) for number in range(len(self.trace.steps) + 1)]

    def _row(self, number: int) -> ChartRow:
        step = self.trace.steps[number - 1] if number else None
        now = self.trace.initial if step is None else step.state
        new = {end: step is None or f"{end}.state" in step.changed for end in ENDS}
        states = {end: tuple(state(now, end).split(" ")) if new[end] else () for end in ENDS}
        entered = self._entered.get(number, ())
        notes = {end: tuple(line for wait in entered if wait.end == end for line in self._lasting(wait)) for end in ENDS}
        if step is None:
            return ChartRow(states, notes)
        actor = step.event.actor
        if actor in ENDS:
            notes[actor] += tuple(self._happening(step))
        sent = tuple(self._sent.get(number, ()))
        slots: dict[int, int] = {}
        used = 0
        for passage in sent:
            slots[passage.copy.number] = used
            used += len(self.lines(passage)) + self.below_stub(passage)
        return ChartRow(
            states,
            notes,
            self._told(step),
            "" if actor in ENDS else self._common(step),
            self._verdict(step),
            sent,
            slots,
            used + (actor not in ENDS),
        )

    def below_stub(self, passage: Transit) -> bool:
        """Whether the label of an arrow that arrives nowhere has no room beside it, and stands below it."""
        if passage.outcome not in (DeliveryOutcome.LOST, DeliveryOutcome.OPEN):
            return False
        return any(mono_width(line, self.form.size) > self.form.reach * (1 - STUB) - 24 for line in self.lines(passage))

    def lines(self, passage: Transit) -> list[str]:
        """The label of a copy: in two lines, the control bits first, where one is too wide."""
        text = passage.copy.text
        if mono_width(text, self.form.size) <= self.form.reach - 2 * RADIUS - 8:
            return [text]
        return text.split(" ", 1)

    def _lasting(self, wait: Wait) -> Iterator[str]:
        if wait.restarted:
            yield "timer restarts"
        elif wait.limit:
            yield f"for {format_duration(wait.limit)}"
        if self.msl and not wait.restarted:
            yield f"2 MSL: {format_duration(2 * self.msl)}"

    def _happening(self, step: Step) -> Iterator[str]:
        """How late or how often a copy arrives; what an end does of itself."""
        copy = step.event.received
        if copy is None:
            if not self.form.words:
                yield from (TAGS[name] for name, _, _ in step.event.rules if name in TAGS)
            return
        age = step.time - copy.sent
        if step.number in self._again:
            yield f"again, {format_duration(age)} old" if age else "again"
        elif age and self.msl and age * 10 >= self.msl:
            yield f"{format_duration(age)} old"

    def _told(self, step: Step) -> tuple[str, ...]:
        if not self.form.words:
            return ()
        return tuple(wrapped(f"{step.event.actor} {step.event.text}", self.form.size + 0.5, self.form.words))

    def _common(self, step: Step) -> str:
        text = "opened again" if reopens(step) else step.event.text
        return wrapped(text, self.form.size, self.form.reach - 60)[0]

    def _verdict(self, step: Step) -> tuple[str, ...]:
        """What a step breaks; at the end of a run without end, what never comes."""
        return tuple(wrapped(violation_at(self.trace, step), self.form.size + 1, self.room, bold=True))


def seconds(value: object) -> Fraction:
    """A duration of a configuration in plain data; 0 where there is none."""
    try:
        return Fraction(str(value))
    except ValueError:
        return Fraction(0)
