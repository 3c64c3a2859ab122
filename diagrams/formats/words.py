"""What files for other tools say of a trace in words."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from checker.itf import BrokenTrace
from checker.language import Message
from checker.trace import Step, Trace
from spec.duration import spoken

ENDS = ("A", "B")

MOST_TEXT = 65_495
"""Octets of text in an IPv4 packet at most."""


def configuration_told(about: Mapping[str, Any]) -> str:
    """A configuration in a line, as far as the plain data tell of it."""
    limits = (("MSL", "msl"), ("TIME_WAIT", "time_wait"))
    parts = [f"{name} {spoken(Fraction(str(about[key])))}" for name, key in limits if key in about]
    if "rto" in about:
        gaps = ", ".join(spoken(Fraction(str(gap))) for gap in about["rto"])
        parts.append(f"RTO {'exactly' if about.get('rto_exact') else 'up to'} {gaps}")
    parts += [f"{name} {_any(about[name])}" for name in ("loss", "duplication") if name in about]
    parts += [f"scope {about['scope']}"] if "scope" in about else []
    return ", ".join(parts)


def _any(budget: Any) -> str:
    return "any" if budget is None else str(budget)


def sent_told(step: Step) -> str:
    """What a step sends, or an empty string."""
    return ", ".join(f"{copy.text}{' (lost)' if copy.lost else ''}" for copy in step.event.sent)


def step_told(step: Step) -> str:
    """A step in a line: who did what, and what was sent in consequence."""
    sent = sent_told(step)
    return f"{step.event.actor} {step.event.text}" + (f", sends {sent}" if sent else "")


def changes_told(step: Step) -> str:
    """Which variables of the two ends changed, and how, states first; or an empty string."""
    names = sorted(step.changed, key=lambda name: (not name.endswith(".state"), name))
    return ", ".join(
        f"{name} {step.changed[name][0]} -> {step.changed[name][1]}" for name in names if name.partition(".")[0] in ENDS
    )


def failing(trace: Trace) -> str:
    """What of the property fails in the end, or how a run without end goes on; empty when nothing is broken."""
    if trace.loop is not None:
        return f"from step {trace.loop + 1} on again and again, every {spoken(round_length(trace))}"
    return "; ".join(why for step in trace.steps[-1:] for name, why in step.event.breaks if name == trace.shows)


def round_length(trace: Trace) -> Fraction:
    """How long one turn of the loop of a run without end takes, in seconds."""
    begun = trace.steps[trace.loop - 1].time if trace.loop else Fraction(0)
    return trace.duration - begun


def lines(trace: Trace) -> list[str]:
    """A trace as plain text, a line for each step and one before the loop of a run without end."""
    told = [f"0  t=0: A {trace.initial.get('A.state', '?')}, B {trace.initial.get('B.state', '?')}"]
    for step in trace.steps:
        if trace.loop is not None and step.number == trace.loop + 1:
            told.append("again and again:")
        states = ", ".join(f"{end} {step.state[f'{end}.state']}" for end in ENDS if f"{end}.state" in step.changed)
        told.append(f"{step.number}  t={spoken(step.time)}: {step_told(step)}" + (f"  [{states}]" if states else ""))
    return told


def state_of(trace: Trace, number: int, end: str) -> str:
    """The state of an end after a step; step 0 is the start.

    Raises
    ------
    BrokenTrace
        The trace does not tell of it.
    """
    values = trace.steps[number - 1].state if number else trace.initial
    try:
        return str(values[f"{end}.state"])
    except KeyError as problem:
        raise BrokenTrace(f"step {number}: {problem} is missing") from problem


def numbers_of(copy: Message) -> dict[str, int]:
    """What a copy carries: ``seq``, ``len``, ``ack`` if it acknowledges, and the control bits that are on.

    Raises
    ------
    BrokenTrace
        It is no TCP segment, or not one between A and B.
    """
    fields = dict(copy.fields)
    if {copy.sender, copy.receiver} != set(ENDS):
        raise BrokenTrace(f"copy {copy.number} goes from {copy.sender!r} to {copy.receiver!r}, not between A and B")
    if "seq" not in fields or "len" not in fields:
        raise BrokenTrace(f"copy {copy.number} ({copy.text}) has no sequence number or no length: not a TCP segment")
    if min(fields.values()) < 0 or fields["len"] > MOST_TEXT:
        raise BrokenTrace(f"copy {copy.number} ({copy.text}) has a number that no TCP segment carries")
    return fields
