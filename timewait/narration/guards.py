"""The conditions that held when a step was taken, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import networkx as nx

from timewait.checker.trace import Step, Trace, VariableValue
from timewait.narration.graph_use import flags, matching_edges, reply
from timewait.narration.timeline import reopens, state
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.state import State
from timewait.vocabulary.replay import RunningTimer


def guards(trace: Trace, step: Step, graph: nx.MultiDiGraph) -> list[str]:
    """The conditions under which a step was possible.

    Parameters
    ----------
    trace : Trace
        The run.
    step : Step
        One of its steps.
    graph : networkx.MultiDiGraph
        The graph of `timewait.spec.graph.transition_graph` for the behaviour of both ends.
    """
    before = trace.steps[step.number - 2] if step.number > 1 else None
    values = trace.initial if before is None else before.state
    timers = trace.initial_timers if before is None else before.timers
    if reopens(step):
        return ["both ends are CLOSED"]
    found = [*_time_guards(trace, step, timers)]
    if not any(name.startswith("incarnation") for name, _, _ in step.event.rules):
        found += _state_guards(step, values, timers, graph)
    return [*found, *_loss_guards(trace, step)]


def _time_guards(trace: Trace, step: Step, timers: tuple[RunningTimer, ...]) -> Iterator[str]:
    copy = step.event.received
    if copy is not None:
        age, life = format_duration(step.time - copy.sent), format_duration(copy.expires - copy.sent)
        yield f"the copy is {age} old, and may arrive until it is {life} old"
        return
    rules = {name for name, _, _ in step.event.rules}
    for timer in timers:
        if timer.owner == step.event.actor and f"timer.{timer.name}" in rules:
            limit = format_duration(timer.limit)
            bound = f"more than its {limit}" if timer.strict else _gap(timer.limit, trace)
            yield f"the {timer.name} timer of {timer.owner} shows {format_duration(step.time - timer.since)}, {bound}"


def _gap(limit: Fraction, trace: Trace) -> str:
    """The bounds on a gap between two transmissions, of which the upper one is given."""
    if not trace.about.get("rto_exact"):
        return f"more than 0 and at most {format_duration(limit)}"
    slack = Fraction(str(trace.about.get("rto_slack", 0)))
    least = format_duration(limit - slack)
    return f"at least {least} and at most {format_duration(limit)}" if slack else f"exactly its {least}"


def _state_guards(
    step: Step, values: Mapping[str, VariableValue], before: tuple[RunningTimer, ...], graph: nx.MultiDiGraph
) -> Iterator[str]:
    """The state, trigger and guard of the step's edge in the graph; no guard where several edges fit."""
    actor = step.event.actor
    source, target = state(values, actor), state(step.state, actor)
    if actor not in ENDS or source not in set(State):
        return
    certain, possible = _started(step, before)
    edges = [
        edge
        for edge in (matching_edges(graph, step, State(source), State(target)) if target in set(State) else ())
        if edge["reply"] == reply(step) and certain <= set(edge["timers"]) <= possible
    ]
    labels = {(edge["trigger"], edge["guard"]) for edge in edges}
    if len(labels) == 1:
        trigger, guard = labels.pop()
        yield f"{actor} in {source}: {trigger}" + (f" [{guard}]" if guard else "")
    else:
        copy = step.event.received
        yield f"{actor} in {source}" + (f": segment {flags(copy)}" if copy is not None else "")


def _started(step: Step, before: tuple[RunningTimer, ...]) -> tuple[set[str], set[str]]:
    """The timers that a step certainly started, and those that it may have started, as the graph names them.

    A timer that started at the same instant before the step may or may not have been restarted.
    """
    actor = step.event.actor
    ran = {timer.name: timer.since for timer in before if timer.owner == actor}
    possible = {timer.name for timer in step.timers if timer.owner == actor and timer.since == step.time}
    labels = {name: f"{'restart' if name in ran else 'start'} {name}" for name in possible}
    certain = {labels[name] for name in possible if ran.get(name) != step.time}
    return certain, set(labels.values())


def _loss_guards(trace: Trace, step: Step) -> Iterator[str]:
    if not any(copy.lost for copy in step.event.sent):
        return
    budget = trace.about.get("loss")
    if budget is None:
        yield "the network may lose any number of copies"
        return
    count = max(int(step.state.get(f"lost.{end}", 0)) for end in ENDS)
    yield f"the network may lose {budget} of the copies of one loss window, and this is number {count}"
