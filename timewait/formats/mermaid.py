"""A trace as a Mermaid sequence diagram, for Markdown.

A solid arrow is a copy that arrives, a dashed arrow a duplicate of it made by the network, and a dashed arrow with a cross a
lost copy. An arrow stands at the arrival or the loss of its copy; a copy that takes time is also noted where it is sent. A
bar on a lifeline marks TIME-WAIT.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from timewait.checker.trace import Step, Trace
from timewait.formats.trace_segments import fields_of, state_of
from timewait.narration.sentences import repetition, violation_reason
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Packet

SIDES = {"A": "left of A", "B": "right of B"}
DELIVERED, DUPLICATE, LOST = "->>", "-->>", "--x"
VIOLATION = "rect rgba(220, 50, 47, 0.2)"
"""The background of the violating step: a red that is legible on light and dark pages."""

WIDTH = 36
"""Characters of a line of a note at most."""

REPLACED = str.maketrans({";": ",", "#": "no. ", "\n": " ", "<": "(", ">": ")"})
"""Characters with a meaning of their own in a message."""


def as_mermaid_text(trace: Trace) -> str:
    """A trace as the text of a diagram.

    Raises
    ------
    BrokenTrace
        The trace contains something other than TCP segments between A and B.
    """
    return "\n".join(_Diagram(trace).lines()) + "\n"


@dataclass
class _Diagram:
    """The state of a walk along a trace.

    Attributes
    ----------
    trace : Trace
        The trace.
    arrived : set of int
        The copies that have arrived.
    waiting : set of str
        The ends with a bar on their lifeline.
    """

    trace: Trace
    arrived: set[int] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)

    def lines(self) -> list[str]:
        """The whole diagram."""
        head = [
            "sequenceDiagram",
            f"    accTitle: {_plain(self.trace.shows)}",
            f"    accDescr: {_plain('. '.join(filter(None, (self.trace.statement, violation_reason(self.trace)))))}",
            *(f"    participant {end}" for end in ENDS),
        ]
        return head + [f"    {line}" for line in self._body()]

    def _body(self) -> Iterator[str]:
        configuration = data_in_words(self.trace.about)
        yield f"Note over A,B: {_wrapped(self.trace.shows)}" + (f"<br/>{_wrapped(configuration)}" if configuration else "")
        yield "Note over A,B: t = 0"
        for end in ENDS:
            yield f"Note {SIDES[end]}: {state_of(self.trace, 0, end)}"
            yield from self._bar(end, 0)
        for step in self.trace.steps:
            if self.trace.loop is not None and step.number == self.trace.loop + 1:
                yield f"loop {repetition(self.trace)[0]}"
            yield from self._step(step)
        yield from (f"deactivate {end}" for end in ENDS if end in self.waiting)
        if self.trace.loop is not None:
            yield "end"

    def _step(self, step: Step) -> Iterator[str]:
        why = violation_reason(self.trace) if step is self.trace.steps[-1] and self.trace.loop is None else ""
        if why:
            yield VIOLATION
        if step.delay:
            yield f"Note over A,B: t = {format_duration(step.time)}"
        if step.event.received is not None:
            yield self._arrival(step, step.event.received)
        if note := "<br/>".join(map(_wrapped, self._notes(step))):
            yield f"Note {SIDES.get(step.event.actor, 'over A,B')}: {note}"
        for end in ENDS:
            yield from self._bar(end, step.number)
        yield from (_loss(copy) for copy in step.event.sent if copy.lost)
        if why:
            yield f"Note over A,B: {_wrapped(f'breaks {self.trace.shows}: {why}')}"
            yield "end"

    def _arrival(self, step: Step, copy: Packet) -> str:
        fields_of(copy)
        duplicate = copy.number in self.arrived
        self.arrived.add(copy.number)
        age = f"{format_duration(step.time - copy.sent)} old" if step.time > copy.sent else ""
        remarks = ", ".join(filter(None, ("duplicate" if duplicate else "", age)))
        arrow = DUPLICATE if duplicate else DELIVERED
        return f"{copy.sender}{arrow}{copy.receiver}: {_plain(copy.text)}" + (f" ({remarks})" if remarks else "")

    def _notes(self, step: Step) -> Iterator[str]:
        """Everything about a step that its arrow does not show."""
        if step.event.received is None and step.event.actor != "network":
            yield step.event.text if step.event.actor in ENDS else str(step.event)
        for copy in step.event.sent:
            if not copy.lost and not self._arrives_at_once(step, copy):
                yield step.event.text if step.event.actor == "network" else f"sends {copy.text}"
        change = step.changed.get(f"{step.event.actor}.state")
        if change is not None:
            yield str(change[1])
        for timer in step.timers:
            started = timer.owner == step.event.actor and timer.name == "time-wait" and timer.since == step.time
            if started and f"{timer.owner}.{timer.name}" in step.changed:
                again = "again " if change is None else ""
                yield f"timer starts {again}({format_duration(timer.limit)})"

    def _arrives_at_once(self, step: Step, copy: Packet) -> bool:
        """Whether a copy first arrives at the instant at which it is sent."""
        return any(
            later.event.received is not None and later.event.received.number == copy.number and later.time == step.time
            for later in self.trace.steps[step.number :]
        )

    def _bar(self, end: str, number: int) -> Iterator[str]:
        """The beginning or end of a bar after a step."""
        inside = state_of(self.trace, number, end) == "TIME_WAIT"
        if inside and end not in self.waiting:
            self.waiting.add(end)
            yield f"activate {end}"
        elif not inside and end in self.waiting:
            self.waiting.remove(end)
            yield f"deactivate {end}"


def _loss(copy: Packet) -> str:
    fields_of(copy)
    return f"{copy.sender}{LOST}{copy.receiver}: {_plain(copy.text)} (lost)"


def _plain(text: str) -> str:
    """Text without special characters."""
    return text.translate(REPLACED)


def _wrapped(text: str) -> str:
    """Text without special characters, in lines that fit between the lifelines and beside them."""
    return "<br/>".join(textwrap.wrap(_plain(text), WIDTH, break_on_hyphens=False))
