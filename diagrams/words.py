"""What pictures and pages say of a trace in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from checker.trace import Step, Trace
from spec.duration import spoken


def about_in_words(about: Mapping[str, Any]) -> str:
    """A configuration in a line, as far as the plain data tell it."""
    parts = []
    if "msl" in about:
        parts.append(f"MSL {_time(about['msl'])}")
    if "time_wait" in about:
        behaviour = about.get("behaviour", {})
        parts.append(f"TIME_WAIT {_time(about['time_wait'])}" if behaviour.get("time_wait", True) else "no TIME_WAIT")
    if "rto" in about:
        word = "RTO" if about.get("rto_exact") else "RTO up to"
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
    return spoken(Fraction(str(value)))


def failing(trace: Trace, step: Step) -> str:
    """What a step breaks of the property that a trace shows; of a run without end, what never comes."""
    why = next((why for name, why in step.event.breaks if name == trace.shows), "")
    if why:
        return f"breaks {trace.shows}: {why}"
    return f"breaks {trace.shows}: step {_first(trace)} comes next, and so for ever. Promised was: {trace.statement}"


def again_and_again(trace: Trace) -> tuple[str, ...]:
    """How a run without end goes on, in more words and in fewer."""
    begun = trace.steps[trace.loop - 1].time if trace.loop else Fraction(0)
    every = f"every {spoken(trace.duration - begun)}"
    return f"again and again, {every}", f"again, {every}", "for ever"


def _first(trace: Trace) -> int:
    return (trace.loop or 0) + 1


class Place(NamedTuple):
    """A place in a standard: the words, and where they lead, or an empty string."""

    text: str
    link: str


_PLACE = re.compile(r"RFC (?P<number>\d+)(?: (?P<section>\d+(?:\.\d+)+))?")


def place(section: str) -> Place:
    """Where to read a section, for instance ``RFC 9293 3.10.7.4 fifth step``."""
    found = _PLACE.match(section)
    if found is None:
        return Place(section, "")
    anchor = f"#section-{found['section']}" if found["section"] else ""
    return Place(section, f"https://www.rfc-editor.org/rfc/rfc{found['number']}{anchor}")
