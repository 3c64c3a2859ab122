"""The content of pictures from the names that commands take: stacks, claims, traces, properties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import click

from timewait.checker.finding import Budget
from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.cli.boundaries import against_losses
from timewait.diagrams.bars import Bars
from timewait.diagrams.boundary import Boundary
from timewait.diagrams.difference_figure import compared
from timewait.diagrams.figure import Figure
from timewait.diagrams.region import Against, KnownStack, SafetyRegion
from timewait.diagrams.states import states
from timewait.narration.graph_use import GraphUse, NotInGraph, graph_use
from timewait.narration.prose import counted
from timewait.spec.assemble import Overrides, assumed
from timewait.spec.assemble import behaviour_of as assembled_behaviour
from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.description import configuration_in_words
from timewait.spec.difference import GraphDifference, difference
from timewait.spec.duration import format_duration
from timewait.spec.graph import Graph, close_part, transition_graph
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.settings import Behaviour
from timewait.spec.stacks import MissingValue, Stack, load_stack, stack_names

LOSSES = range(4)
"""The loss budgets of the bar chart."""

DRAWN_AGAINST = "rfc9293"
"""The stack that others are compared with."""


def behaviour_of(stack: Stack, orphan: bool = False) -> Behaviour:
    """The behaviour of an endpoint that runs a stack.

    Raises
    ------
    click.UsageError
        The profile does not state a setting of TIME-WAIT.
    """
    try:
        return assembled_behaviour(stack, Overrides(behaviour={"abandons": orphan}))
    except MissingValue as problem:
        reason = str(problem).partition(";")[0]
        raise click.UsageError(
            f"{reason}, so its states cannot be drawn; write that into a .toml file of your own, and give its path"
        ) from problem


def can_be_drawn(stack: Stack) -> bool:
    """Whether the profile states every setting of TIME-WAIT."""
    try:
        behaviour_of(stack)
    except click.UsageError:
        return False
    return True


def graph_of(name: str, whole: bool, orphan: bool = False) -> Graph:
    """The transition graph of a stack, or the part of it in which a connection closes."""
    graph = transition_graph(behaviour_of(load_stack(name), orphan))
    return graph if whole else close_part(graph)


def states_of(name: str, whole: bool, orphan: bool = False) -> Figure:
    """The state diagram of a stack."""
    stack = load_stack(name)
    return states(graph_of(name, whole, orphan), _title(stack, whole, orphan), time_wait=_time_wait(stack))


def difference_of(name: str, against: str, whole: bool, orphan: bool = False) -> GraphDifference:
    """The differences of a stack from another one."""
    return difference(graph_of(against, whole, orphan), graph_of(name, whole, orphan))


def difference_picture(name: str, against: str, whole: bool, orphan: bool = False) -> Figure:
    """The state diagram of a stack with its differences from another one."""
    title = f"{_title(load_stack(name), whole, orphan)}, where it differs from {load_stack(against).title}"
    differences = difference_of(name, against, whole, orphan)
    one, other = load_stack(against), load_stack(name)
    waits = _time_wait(other), _time_wait(one)
    remarks = (
        []
        if waits[0] == waits[1]
        else [f"TIME_WAIT: {other.name} {waits[0] or 'not known'}, {one.name} {waits[1] or 'not known'}"]
    )
    if unknown := assumed(other, Overrides(behaviour={"abandons": orphan})):
        settings = counted(len(unknown), "setting")
        remarks.append(f"{settings} that {other.name} leaves out: drawn as RFC 9293 has {'it' if len(unknown) == 1 else 'them'}")
    return compared(graph_of(name, whole, orphan), differences, (one.name, other.name), title, remarks)


def _time_wait(stack: Stack) -> str:
    """The length of TIME-WAIT in words: in MSL where the profile states it so; empty if it is not known."""
    if "time_wait" in stack.multiples:
        return f"{stack.multiples['time_wait']} MSL"
    return "" if stack.time_wait is None else format_duration(stack.time_wait)


def _title(stack: Stack, whole: bool, orphan: bool) -> str:
    part = "opening and closing" if whole else "the close"
    return f"{stack.title}: {part}{', the user reads no more' if orphan else ''}"


# --- runs ---------------------------------------------------------------------------------------------------------


def run_picture(trace: Trace, whole: bool, name: str) -> tuple[Graph, Figure, GraphUse]:
    """The transition graph of the behaviour of a trace, its diagram with the edges that the trace takes, and these edges.

    Raises
    ------
    timewait.checker.itf.BrokenTrace
        The trace lacks its configuration, or takes a step that is no edge of the graph.
    """
    try:
        configuration = configuration_from_data(trace.about)
        graph = transition_graph(configuration.behaviour)
        part = graph if whole else close_part(graph)
        use = graph_use(trace, part)
        title = f"{name}: a run of {len(trace.steps)} steps"
        return part, states(part, title, use, format_duration(configuration.time_wait)), use
    except (ConfigurationError, NotInGraph, KeyError, ValueError) as problem:
        raise BrokenTrace(f"{name}: {problem}") from problem


# --- regions ------------------------------------------------------------------------------------------------------


def known_stacks(against: str, msl: Fraction) -> tuple[KnownStack, ...]:
    """The stacks as points: against ``rto`` at the given MSL in seconds, against ``msl`` at the MSL of each stack."""
    points = []
    for name in stack_names():
        stack = load_stack(name)
        if against == "msl" and stack.msl is not None and stack.time_wait is not None:
            points.append(KnownStack(stack.title, stack.msl, stack.time_wait))
        scaled = stack.with_msl(msl)
        if against == "rto" and scaled.rto_max is not None and scaled.time_wait is not None:
            points.append(KnownStack(stack.title, scaled.rto_max / msl, scaled.time_wait / msl))
    return tuple(points)


def farthest(msl: Fraction) -> Fraction:
    """The longest RTO of any stack, as a multiple of an MSL in seconds."""
    return max(stack.across for stack in known_stacks("rto", msl))


def region_of(
    configuration: Configuration, title: str, found: Sequence[Boundary], against: Against, profile: str
) -> SafetyRegion:
    """The chart of safe and unsafe TIME_WAIT, with the stacks; `profile` names the behaviour that decides which is which."""
    words = configuration_in_words(configuration, durations=False, behaviour=True)
    behaviour = f"behaviour of {profile}: {words}"
    stacks = known_stacks(against, configuration.msl)
    if against == "rto":
        msl = format_duration(configuration.msl)
        source = f"stacks: their TIME_WAIT and longest RTO at an MSL of {msl}, judged as if they behaved as {profile}"
        return SafetyRegion(title, (behaviour, _how(found), source), tuple(found), stacks)
    rto = max(configuration.rto)
    source = f"RTO up to {format_duration(rto)}; stacks: their TIME_WAIT and MSL, judged as if they behaved as {profile}"
    region = SafetyRegion(title, (behaviour, _how(found), source), tuple(found), (), "msl", rto)
    shown = [stack for stack in stacks if any(region.piece_at(boundary, stack.across) for boundary in found)]
    return replace(region, stacks=tuple(shown))


def _how(found: Sequence[Boundary]) -> str:
    """How the boundaries were found."""
    pieces = [piece for boundary in found for piece in boundary.pieces]
    points = sorted({piece.ratios.low for piece in pieces if piece.is_point})
    ends = [end for piece in pieces if not piece.is_point for end in piece.ends]
    parts = []
    if ends:
        parts.append(f"formulas: proved from RTO = {min(ends)} MSL to {max(ends)} MSL, above and below the lines")
    if points:
        parts.append(f"points: decided at RTO/MSL = {', '.join(map(str, points))}; nothing is known between them")
    return "; ".join(parts)


def bars_of(
    configuration: Configuration, losses: Sequence[int], title: str, asked: Sequence[str], budget: Callable[[], Budget]
) -> Bars:
    """The chart of the least safe TIME_WAIT against losses."""
    ratio = max(configuration.rto) / configuration.msl
    words = configuration_in_words(configuration, durations=False, loss=False, behaviour=True)
    caption = f"{words}; RTO up to {'' if ratio == 1 else f'{ratio} '}MSL"
    least = against_losses(configuration, losses, asked, budget)
    return Bars(title, (caption,), tuple(asked), tuple(losses), least)
