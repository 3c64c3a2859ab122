"""Why a step was possible: what had to hold when it was taken, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import networkx as nx

from timewait.checker.trace import Step, Trace, Value
from timewait.narration.graph_use import flags, matching_edges, reply
from timewait.narration.timeline import reopens, state
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.state import State
from timewait.vocabulary.replay import RunningTimer


def guards(trace: Trace, step: Step, graph: nx.MultiDiGraph) -> list[str]:
    """What had to hold for a step to be taken.

    Parameters
    ----------
    trace : Trace
        The run.
    step : Step
        One of its steps.
    graph : networkx.MultiDiGraph
        The graph of `timewait.spec.graph.transition_graph` whose behaviour the ends have.
    """
    before = trace.steps[step.number - 2] if step.number > 1 else None
    values = trace.initial if before is None else before.state
    timers = trace.initial_timers if before is None else before.timers
    names = [name for name, _, _ in step.event.rules]
    if reopens(step):
        return ["both ends are CLOSED"]
    found = [*_in_time(trace, step, timers)]
    if not any(name.startswith("incarnation") for name in names):
        found += _in_state(step, values, timers, graph)
    return [*found, *_lost(trace, step)]


def _in_time(trace: Trace, step: Step, timers: tuple[RunningTimer, ...]) -> Iterator[str]:
    copy = step.event.received
    if copy is not None:
        age, life = format_duration(step.time - copy.sent), format_duration(copy.expires - copy.sent)
        yield f"the copy is {age} old, and may arrive until it is {life} old"
        return
    for timer in timers:
        if timer.owner == step.event.actor and f"timer.{timer.name}" in {name for name, _, _ in step.event.rules}:
            shown = format_duration(step.time - timer.since)
            if timer.strict:
                yield f"the {timer.name} timer of {timer.owner} shows {shown}, more than its {format_duration(timer.limit)}"
            elif trace.about.get("rto_exact"):
                yield f"the {timer.name} timer of {timer.owner} shows {shown}, exactly its {format_duration(timer.limit)}"
            else:
                most = format_duration(timer.limit)
                yield f"the {timer.name} timer of {timer.owner} shows {shown}, more than 0 and at most {most}"


def _in_state(step: Step, values: Mapping[str, Value], before: tuple[RunningTimer, ...], graph: nx.MultiDiGraph) -> Iterator[str]:
    """The state, the event and its guard, as the specification's graph has them; no guard where several would do."""
    actor = step.event.actor
    here, there = state(values, actor), state(step.state, actor)
    if actor not in ENDS or here not in set(State):
        return
    sure, possible = _started(step, before)
    edges = [
        edge
        for edge in (matching_edges(graph, step, State(here), State(there)) if there in set(State) else ())
        if edge["reply"] == reply(step) and sure <= set(edge["timers"]) <= possible
    ]
    words = {(edge["trigger"], edge["guard"]) for edge in edges}
    if len(words) == 1:
        trigger, guard = words.pop()
        yield f"{actor} in {here}: {trigger}" + (f" [{guard}]" if guard else "")
    else:
        copy = step.event.received
        yield f"{actor} in {here}" + (f": segment {flags(copy)}" if copy is not None else "")


def _started(step: Step, before: tuple[RunningTimer, ...]) -> tuple[set[str], set[str]]:
    """The timers that a step surely started, and those that it may have, as the graph names them.

    Of a timer that started at this very instant before the step nobody can tell whether it started again.
    """
    actor = step.event.actor
    ran = {timer.name: timer.since for timer in before if timer.owner == actor}
    possible = {timer.name for timer in step.timers if timer.owner == actor and timer.since == step.time}
    sure = {name for name in possible if ran.get(name) != step.time}
    named = {name: f"{'restart' if name in ran else 'start'} {name}" for name in possible}
    return {named[name] for name in sure}, set(named.values())


def _lost(trace: Trace, step: Step) -> Iterator[str]:
    if not any(copy.lost for copy in step.event.sent):
        return
    budget = trace.about.get("loss")
    if budget is None:
        yield "the network may lose any number of copies"
        return
    counts = [int(step.state.get(f"lost.{end}", 0)) for end in ENDS]
    yield f"the network may lose {budget} of the copies of one round, and this is number {max(counts)}"
