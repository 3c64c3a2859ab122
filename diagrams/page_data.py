"""What the script of a review page reads: the steps of each run, its packets, and what else may follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import networkx as nx

from timewait.checker.trace import Step, Trace
from timewait.narration.guards import guards
from timewait.narration.prose import bracketed, citation_url, frames_in_words
from timewait.narration.sentences import event_in_words, violation_at
from timewait.narration.timeline import state
from timewait.proofs.next_steps import OtherStep, StateGraph
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Packet, RunningTimer

NETWORK = "in flight"
"""The variable of the packets in flight, which the page lists one by one."""


class KernelStep(NamedTuple):
    """A step as a running stack carried it out: the states of A and B afterwards, and what they sent, in words."""

    states: tuple[str, str]
    sent: str


def run_data(trace: Trace, graph: nx.MultiDiGraph, kernel: Mapping[int, KernelStep]) -> dict[str, Any]:
    """The data of a run: each step, of which the start is step 0, and its packets.

    Parameters
    ----------
    trace : Trace
        The run.
    graph : MultiDiGraph
        The transitions of an end, for the reasons of each step.
    kernel : mapping of int to KernelStep
        The steps that a running stack carried out, by number; empty where none did.
    """
    before: tuple[int, ...] = ()
    steps = [_start(trace)]
    for step in trace.steps:
        steps.append(_shown(trace, step, before, graph) | _on_kernel(kernel.get(step.number)))
        before = tuple(copy.number for copy in step.in_flight)
    copies = {copy.number: copy for step in trace.steps for copy in _mentioned(step)}
    return {
        "name": trace.shows,
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
        "rules": rules_data(step),
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


def _on_kernel(step: KernelStep | None) -> dict[str, Any]:
    """What a running stack did at a step, where it carried the step out."""
    return {} if step is None else {"kernel": {"states": step.states, "sent": step.sent}}


def graph_data(graph: StateGraph | None, shows: str) -> dict[str, Any] | None:
    """The states around a run, and the steps between them.

    Returns
    -------
    dict or None
        ``states``: of each state, the states of A and B and the packets in flight. ``steps``: of each state that was
        explored, the steps, each with its delay, its words, its target, the violation of the property of the run, and others.
    """
    if graph is None:
        return None
    states = [
        {"states": [state(each.state(), end) for end in ENDS], "flight": [_flying(copy) for copy in each.in_flight()]}
        for each in graph.states
    ]
    steps = [None if found is None else [_other(step, shows) for step in found] for found in graph.steps]
    return {"states": states, "steps": steps}


def _flying(copy: Packet) -> str:
    return f"{copy.sender} to {copy.receiver}: {copy.text}"


def _other(step: OtherStep, shows: str) -> list[Any]:
    """A possible step: its delay, its words, its target, and what it violates."""
    breaks = dict(step.event.breaks)
    own = f"breaks {shows}: {breaks.pop(shows)}" if shows in breaks else ""
    others = [f"also violates {name}: {why}" if own else f"violates {name}: {why}" for name, why in breaks.items()]
    after = f"after {format_duration(step.delay)}" if step.delay else "at once"
    return [after, event_in_words(step.event), step.target, own, others]


def rules_data(step: Step) -> list[dict[str, str]]:
    """The rules applied at a step, each with its section and the address of the section."""
    return [{"name": name, "text": text, **citation(section)} for name, section, text in step.event.rules]


def citation(section: str) -> dict[str, str]:
    """A section and its address."""
    return {"section": section, "link": citation_url(section)}
