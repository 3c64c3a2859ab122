"""Traces: runs carried out on the specification step by step. Every report and picture is made from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from timewait.vocabulary.replay import Event, Packet, RunningTimer

VariableValue = str | int

RENDERERS: dict[str, Callable[[Trace], str]] = {}
"""How a notebook shows a trace, by format."""


def register_renderer(form: str, render: Callable[[Trace], str]) -> None:
    """Say how a notebook shows traces; the library does so for ``svg``, since the checker does not draw."""
    RENDERERS[form] = render


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trace.

    Attributes
    ----------
    number : int
        Counted from 1; the initial state is 0.
    time : Fraction
        Seconds since the start.
    delay : Fraction
        Seconds since the step before.
    event : Event
        The event, with the rules applied.
    changed : mapping
        Variables that changed: name to (before, after).
    state : mapping
        Every variable after the step.
    in_flight : tuple of Packet
        The copies that may still arrive after the step.
    timers : tuple of RunningTimer
        The timers that run after the step.
    """

    number: int
    time: Fraction
    delay: Fraction
    event: Event
    changed: Mapping[str, tuple[VariableValue, VariableValue]]
    state: Mapping[str, VariableValue]
    in_flight: tuple[Packet, ...] = ()
    timers: tuple[RunningTimer, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A run, replayed.

    Attributes
    ----------
    shows : str
        The property that it shows broken, or the name of a scenario that it shows at work.
    statement : str
        The property in words.
    about : mapping
        What was carried out, as plain data.
    initial : mapping
        Every variable at the start.
    initial_timers : tuple of RunningTimer
        The timers that run at the start.
    steps : tuple of Step
        The steps, in order.
    loop : int or None
        For a run without end: after the steps up to this number, the rest repeats for ever.
    dropped : int
        Steps that minimisation found unnecessary.
    """

    shows: str
    statement: str
    initial: Mapping[str, VariableValue]
    steps: tuple[Step, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    initial_timers: tuple[RunningTimer, ...] = ()
    loop: int | None = None
    dropped: int = 0

    @property
    def duration(self) -> Fraction:
        """Seconds from the start to the last step."""
        return self.steps[-1].time if self.steps else Fraction(0)

    def _repr_svg_(self) -> str | None:
        """The sequence chart, for a notebook; None unless a renderer is registered."""
        return RENDERERS["svg"](self) if "svg" in RENDERERS else None

    def as_json(self) -> dict[str, Any]:
        """The trace as plain data; every time is in seconds, exact as a fraction where no decimal is."""
        return {
            "property": self.shows,
            "statement": self.statement,
            "initial": dict(self.initial),
            "loop": self.loop,
            "dropped": self.dropped,
            "steps": [
                {
                    "number": step.number,
                    "time": number(step.time),
                    "delay": number(step.delay),
                    "actor": step.event.actor,
                    "event": step.event.text,
                    "received": None if step.event.received is None else step.event.received.text,
                    "sent": [{"segment": copy.text, "lost": copy.lost} for copy in step.event.sent],
                    "rules": [{"name": name, "section": section, "text": text} for name, section, text in step.event.rules],
                    **({"frames": list(step.event.frames)} if step.event.frames else {}),
                    "changed": {name: {"from": old, "to": new} for name, (old, new) in step.changed.items()},
                }
                for step in self.steps
            ],
        }


def number(value: Fraction) -> float | str:
    """A number as JSON: a float when that is exact to the microsecond, else the fraction as text."""
    rounded = float(value)
    return rounded if Fraction(str(rounded)) == value else str(value)
