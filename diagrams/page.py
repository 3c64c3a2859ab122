"""The review page of a trace: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib.resources import files
from itertools import groupby
from typing import Any, NamedTuple

import networkx as nx
from jinja2 import Environment, PackageLoader, StrictUndefined

from timewait.checker.trace import Step, Trace
from timewait.diagrams.chart import BESIDE, SLIM
from timewait.diagrams.chart_elements import STYLE
from timewait.diagrams.colours import NAMED, themed
from timewait.diagrams.minimap import minimap
from timewait.diagrams.sequence import parts
from timewait.narration.guards import guards
from timewait.narration.prose import bracketed, citation_url, frames_in_words
from timewait.narration.sentences import repetition, shows_violation, violation_at
from timewait.narration.timeline import state
from timewait.proofs.longer_time_wait import Obstacle, longer_time_wait
from timewait.spec.configuration import ConfigurationError
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.graph import transition_graph
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Behaviour
from timewait.vocabulary.replay import Packet, RunningTimer

PART_SIZE = 40
"""The most steps in a part of the chart or of the table."""

NETWORK = "in flight"
"""The variable of the packets in flight, which the page lists one by one."""


class BasisRow(NamedTuple):
    """A line of what an answer rests on: its name, value and source, and what other values change, in words."""

    name: str
    value: str
    source: str
    otherwise: Sequence[str] = ()


def page(trace: Trace, basis: Sequence[BasisRow] = ()) -> str:
    """The review page of a trace as HTML.

    Parameters
    ----------
    trace : Trace
        A counterexample or a scenario.
    basis : sequence of BasisRow
        What the answer rests on; empty for a trace without an answer.
    """
    graph = transition_graph(_behaviour(trace))
    environment = Environment(loader=PackageLoader("timewait.diagrams", "review"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html").render(
        trace=trace,
        basis=basis,
        broken=shows_violation(trace),
        about=data_in_words(trace.about),
        section=_citation(PROPERTIES[trace.shows].section) if trace.shows in PROPERTIES else None,
        fails=[(step.number, why) for step in trace.steps if (why := violation_at(trace, step))],
        again=repetition(trace)[0] if trace.loop is not None else "",
        actors=sorted({step.event.actor for step in trace.steps}),
        tables=list(_tables(trace)),
        charts={"beside": list(parts(trace, BESIDE, PART_SIZE)), "slim": list(parts(trace, SLIM, PART_SIZE))},
        maps={end: minimap(graph, end) for end in ENDS},
        longer=list(_longer_time_waits(trace)),
        variables=sorted(name for name in trace.initial if name != NETWORK),
        data=_data(trace, graph),
        style=themed(f"{_colours()}\n{STYLE}") + _asset("style.css"),
        script=_asset("script.js"),
    )


def _colours() -> str:
    """The colours as custom properties of the style sheet."""
    return f":root {{ {' '.join(f'--{name}: ${name};' for name in NAMED)} }}"


def _tables(trace: Trace) -> Iterator[list[dict[str, Any]]]:
    """The steps in tables of at most `PART_SIZE` rows, which browsers draw faster."""
    for first in range(0, len(trace.steps), PART_SIZE):
        yield [_row(trace, step) for step in trace.steps[first : first + PART_SIZE]]


def _asset(name: str) -> str:
    return files("timewait.diagrams").joinpath("review", name).read_text(encoding="utf-8")


def _behaviour(trace: Trace) -> Behaviour:
    """The behaviour of the ends; RFC 9293 (intended reading) where the trace does not state it."""
    try:
        return configuration_from_data(trace.about).behaviour
    except ConfigurationError:
        return Behaviour()


def _longer_time_waits(trace: Trace) -> Iterator[dict[str, Any]]:
    """Longer TIME-WAITs with the step at which each stops the run; equal outcomes are joined."""
    for (step, why, later), group in groupby(longer_time_wait(trace), key=lambda stop: (stop.step, stop.why, stop.later)):
        lengths = [_length(trace, stop) for stop in group]
        yield {"lengths": lengths, "step": step, "why": why, "later": later}


def _length(trace: Trace, stop: Obstacle) -> str:
    times = stop.time_wait / Fraction(str(trace.about["msl"]))
    return format_duration(stop.time_wait) + (f" ({times} MSL)" if times.denominator == 1 else "")


def _row(trace: Trace, step: Step) -> dict[str, Any]:
    """A row of the table of all steps."""
    return {
        "number": step.number,
        "time": format_duration(step.time),
        "actor": step.event.actor,
        "event": " ".join(filter(None, [step.event.text, bracketed(frames_in_words(step.event.frames))])),
        "sent": [f"{copy.text}{', lost' if copy.lost else ''}" for copy in step.event.sent],
        "states": [state(step.state, end) for end in ENDS],
        "new": [f"{end}.state" in step.changed for end in ENDS],
        "rules": _rules(step),
        "fails": violation_at(trace, step),
        "loops": trace.loop is not None and step.number == trace.loop + 1,
    }


def _rules(step: Step) -> list[dict[str, str]]:
    return [{"name": name, "text": text, **_citation(section)} for name, section, text in step.event.rules]


def _citation(section: str) -> dict[str, str]:
    return {"section": section, "link": citation_url(section)}


# --- data of the script ---------------------------------------------------------------------------------------------


def _data(trace: Trace, graph: nx.MultiDiGraph) -> dict[str, Any]:
    """The data of each step; the start is step 0."""
    before: tuple[int, ...] = ()
    steps = [_start(trace)]
    for step in trace.steps:
        steps.append(_shown(trace, step, before, graph))
        before = tuple(copy.number for copy in step.in_flight)
    copies = {copy.number: copy for step in trace.steps for copy in _mentioned(step)}
    return {
        "initial": {name: value for name, value in trace.initial.items() if name != NETWORK},
        "copies": {number: _copy(copy) for number, copy in copies.items()},
        "loop": trace.loop,
        "steps": steps,
    }


def _mentioned(step: Step) -> Iterator[Packet]:
    yield from step.in_flight
    yield from step.event.sent
    if step.event.received is not None:
        yield step.event.received


def _copy(copy: Packet) -> dict[str, Any]:
    return {"text": copy.text, "from": copy.sender, "to": copy.receiver, "sent": format_duration(copy.sent), "lost": copy.lost}


def _start(trace: Trace) -> dict[str, Any]:
    return {
        "time": "0",
        "seconds": 0,
        "actor": "",
        "title": "the start",
        "states": [state(trace.initial, end) for end in ENDS],
        "timers": [_timer(timer, Fraction(0)) for timer in trace.initial_timers],
    }


def _shown(trace: Trace, step: Step, before: tuple[int, ...], graph: nx.MultiDiGraph) -> dict[str, Any]:
    now = tuple(copy.number for copy in step.in_flight)
    return {
        "time": format_duration(step.time),
        "seconds": float(step.time),
        "delay": format_duration(step.delay),
        "actor": step.event.actor,
        "title": " ".join(filter(None, [str(step.event), bracketed(frames_in_words(step.event.frames))])),
        "states": [state(step.state, end) for end in ENDS],
        "received": None if step.event.received is None else step.event.received.number,
        "sent": [copy.number for copy in step.event.sent],
        "rules": _rules(step),
        "guards": guards(trace, step, graph),
        "changed": [[name, *step.changed[name]] for name in sorted(step.changed) if name != NETWORK],
        "came": [number for number in now if number not in before],
        "gone": [number for number in before if number not in now],
        "flight": [_left(copy, step) for copy in step.in_flight],
        "timers": [_timer(timer, step.time) for timer in step.timers],
        "fails": violation_at(trace, step),
        "others": [f"also violates {name}: {why}" for name, why in step.event.breaks if name != trace.shows],
    }


def _left(copy: Packet, step: Step) -> list[Any]:
    """A packet in flight: its number, its remaining lifetime, and that as a share of its lifetime."""
    life, left = copy.expires - copy.sent, copy.expires - step.time
    return [copy.number, format_duration(left), round(float(left / life), 3) if life else 0]


def _timer(timer: RunningTimer, now: Fraction) -> dict[str, Any]:
    """A timer: its value, its limit, and its value as a share of the limit."""
    shown = now - timer.since
    share = float(min(shown / timer.limit, Fraction(1))) if timer.limit else 1.0
    return {
        "name": timer.name,
        "owner": timer.owner,
        "shows": format_duration(shown),
        "limit": format_duration(timer.limit),
        "share": round(share, 3),
    }
