"""The one trace type: a run as people read it, carried out on the specification step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from checker.language import Event

Value = str | int


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
        Who did what, by which rules.
    changed : mapping
        Variables that changed: name to (before, after).
    state : mapping
        Every variable after the step.
    """

    number: int
    time: Fraction
    delay: Fraction
    event: Event
    changed: Mapping[str, tuple[Value, Value]]
    state: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run, replayed.

    Attributes
    ----------
    shows : str
        What it shows broken, or fulfilled.
    statement : str
        The property in words.
    initial : mapping
        Every variable at the start.
    steps : tuple of Step
        The steps, in order.
    loop : int or None
        For a run without end: after the steps up to this number, the rest repeats for ever.
    dropped : int
        Steps that minimisation found unnecessary.
    """

    shows: str
    statement: str
    initial: Mapping[str, Value]
    steps: tuple[Step, ...]
    loop: int | None = None
    dropped: int = 0

    @property
    def duration(self) -> Fraction:
        """Seconds from the start to the last step."""
        return self.steps[-1].time if self.steps else Fraction(0)

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
                    "received": step.event.received,
                    "sent": [{"segment": segment, "lost": lost} for segment, lost in step.event.sent],
                    "rules": [{"name": name, "section": section, "text": text} for name, section, text in step.event.rules],
                    "changed": {name: {"from": old, "to": new} for name, (old, new) in step.changed.items()},
                }
                for step in self.steps
            ],
        }

    def as_itf(self) -> dict[str, Any]:
        """The trace in the Informal Trace Format of Apalache (ADR-015)."""
        names = sorted(self.initial)
        states: list[dict[str, Any]] = [
            {"#meta": {"index": 0, "action": "initial", "delay": "0"}} | {name: _itf(self.initial[name]) for name in names}
        ]
        for step in self.steps:
            meta = {
                "index": step.number,
                "action": f"{step.event.actor} {step.event.text}",
                "rules": [name for name, _, _ in step.event.rules],
                "delay": str(step.delay),
                "time": str(step.time),
            }
            states.append({"#meta": meta} | {name: _itf(step.state[name]) for name in names})
        whole: dict[str, Any] = {
            "#meta": {"format": "ITF", "description": f"{self.shows}: {self.statement}"},
            "vars": names,
            "states": states,
        }
        if self.loop is not None:
            whole["loop"] = self.loop
        return whole


def number(value: Fraction) -> float | str:
    """A number as JSON: a float when that is exact to the microsecond, else the fraction as text."""
    rounded = float(value)
    return rounded if Fraction(str(rounded)) == value else str(value)


def _itf(value: Value) -> Any:
    return {"#bigint": str(value)} if isinstance(value, int) else value
