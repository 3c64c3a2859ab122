"""What pictures, pages and files for other tools say of a trace in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from timewait.checker.trace import Step, Trace
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS


def configuration_in_words(about: Mapping[str, Any]) -> str:
    """A configuration in a line, as far as the plain data tell it."""
    parts = []
    if "msl" in about:
        parts.append(f"MSL {_time(about['msl'])}")
    if "time_wait" in about:
        behaviour = about.get("behaviour", {})
        parts.append(f"TIME_WAIT {_time(about['time_wait'])}" if behaviour.get("time_wait", True) else "no TIME_WAIT")
    if "rto" in about:
        word = "RTO exactly" if about.get("rto_exact") else "RTO up to"
        parts.append(f"{word} {', '.join(map(_time, about['rto']))}")
    for name in ("loss", "duplication"):
        if name in about:
            parts.append(f"{name} {'any' if about[name] is None else about[name]}")
    if about.get("fifo"):
        parts.append("in order")
    if about.get("scope") == "core":
        parts.append("the last exchange alone")
    return ", ".join(parts)


def _time(value: Any) -> str:
    return format_duration(Fraction(str(value)))


# --- what is broken -------------------------------------------------------------------------------------------------


def shows_violation(trace: Trace) -> bool:
    """Whether a trace shows a property broken, not a run that goes well."""
    return trace.loop is not None or bool(violating_steps(trace))


def violating_steps(trace: Trace) -> frozenset[int]:
    """The steps that break the property that a trace shows; none in a run without end, which breaks it as a whole."""
    return frozenset(step.number for step in trace.steps if any(name == trace.shows for name, _ in step.event.breaks))


def headline(trace: Trace) -> str:
    """What a trace shows, in a few words."""
    return f"{trace.shows} is broken" if shows_violation(trace) else trace.shows


def violation_at(trace: Trace, step: Step) -> str:
    """What a step breaks of the property that a trace shows; at the end of a run without end, what never comes; or nothing."""
    why = next((why for name, why in step.event.breaks if name == trace.shows), "")
    if why:
        return f"breaks {trace.shows}: {why}"
    if trace.loop is None or step.number < len(trace.steps):
        return ""
    return f"breaks {trace.shows}: step {trace.loop + 1} comes next, and so for ever. Promised was: {trace.statement}"


def violation_reason(trace: Trace) -> str:
    """What of the property fails in the end, or how a run without end goes on; empty when nothing is broken."""
    if trace.loop is not None:
        return f"from step {trace.loop + 1} on {repetition(trace)[0]}"
    return "; ".join(why for step in trace.steps[-1:] for name, why in step.event.breaks if name == trace.shows)


def repetition(trace: Trace) -> tuple[str, ...]:
    """How a run without end goes on, in more words and in fewer."""
    begun = trace.steps[trace.loop - 1].time if trace.loop else Fraction(0)
    every = f"every {format_duration(trace.duration - begun)}"
    return f"again and again, {every}", f"again, {every}", "for ever"


# --- step by step ---------------------------------------------------------------------------------------------------


def sent_in_words(step: Step) -> str:
    """What a step sends, or an empty string."""
    return ", ".join(f"{copy.text}{' (lost)' if copy.lost else ''}" for copy in step.event.sent)


def step_in_words(step: Step) -> str:
    """A step in a line: who did what, and what was sent in consequence."""
    sent = sent_in_words(step)
    return f"{step.event.actor} {step.event.text}" + (f", sends {sent}" if sent else "")


def changes_in_words(step: Step) -> str:
    """Which variables of the two ends changed, and how, states first; or an empty string."""
    names = sorted(step.changed, key=lambda name: (not name.endswith(".state"), name))
    return ", ".join(
        f"{name} {step.changed[name][0]} -> {step.changed[name][1]}" for name in names if name.partition(".")[0] in ENDS
    )


def trace_lines(trace: Trace) -> Iterator[str]:
    """A trace as plain text that may be set in any font: a line for each step, and one before what repeats for ever."""
    yield f"0  t=0: A {trace.initial.get('A.state', '?')}, B {trace.initial.get('B.state', '?')}"
    for step in trace.steps:
        if trace.loop is not None and step.number == trace.loop + 1:
            yield f"{repetition(trace)[0]}:"
        states = ", ".join(f"{end} {step.state[f'{end}.state']}" for end in ENDS if f"{end}.state" in step.changed)
        yield f"{step.number}  t={format_duration(step.time)}: {step_in_words(step)}" + (f"  [{states}]" if states else "")
