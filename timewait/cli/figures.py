"""What the pictures show, from the names by which people ask for it: stacks, claims, traces, properties."""

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
from timewait.spec.assemble import Overrides
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
"""How many losses a round the bars are for."""

STANDARD = "rfc9293"
"""What stacks are compared with."""


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
    return states(graph_of(name, whole, orphan), _title(load_stack(name), whole, orphan))


def difference_of(name: str, against: str, whole: bool, orphan: bool = False) -> GraphDifference:
    """What a stack does otherwise than another one."""
    return difference(graph_of(against, whole, orphan), graph_of(name, whole, orphan))


def difference_picture(name: str, against: str, whole: bool, orphan: bool = False) -> Figure:
    """The state diagram of a stack, with what it does otherwise than another one."""
    title = f"{_title(load_stack(name), whole, orphan)}, where it differs from {load_stack(against).title}"
    unlike = difference_of(name, against, whole, orphan)
    return compared(graph_of(name, whole, orphan), unlike, (_called(against), _called(name)), title)


def _called(name: str) -> str:
    return load_stack(name).name


def _title(stack: Stack, whole: bool, orphan: bool) -> str:
    part = "opening and closing" if whole else "the close"
    return f"{stack.title}: {part}{', its user reads no more' if orphan else ''}"


# --- runs ---------------------------------------------------------------------------------------------------------


def run_picture(trace: Trace, whole: bool, what: str) -> tuple[Graph, Figure, GraphUse]:
    """The graph of what ran, its state diagram with what the run uses, and what that is.

    Raises
    ------
    timewait.checker.itf.BrokenTrace
        The trace does not say what ran, or does what that cannot do.
    """
    try:
        graph = transition_graph(configuration_from_data(trace.about).behaviour)
        part = graph if whole else close_part(graph)
        use = graph_use(trace, part)
        return part, states(part, f"{what}: a run of {len(trace.steps)} steps", use), use
    except (ConfigurationError, NotInGraph, KeyError, ValueError) as problem:
        raise BrokenTrace(f"{what}: {problem}") from problem


# --- regions ------------------------------------------------------------------------------------------------------


def known_stacks(against: str, msl: Fraction) -> tuple[KnownStack, ...]:
    """The stacks as points: against ``rto`` at a stated MSL in seconds, against ``msl`` at their own."""
    points = []
    for name in stack_names():
        stack = load_stack(name)
        if against == "msl" and stack.msl is not None and stack.time_wait is not None:
            points.append(KnownStack(stack.title, stack.msl, stack.time_wait))
        there = stack.with_msl(msl)
        if against == "rto" and there.rto_max is not None and there.time_wait is not None:
            points.append(KnownStack(stack.title, there.rto_max / msl, there.time_wait / msl))
    return tuple(points)


def farthest(msl: Fraction) -> Fraction:
    """The longest RTO of a stack at an MSL, in seconds, as a multiple of it."""
    return max(stack.across for stack in known_stacks("rto", msl))


def region_of(configuration: Configuration, title: str, found: Sequence[Boundary], against: Against) -> SafetyRegion:
    """The picture of safe and unsafe TIME_WAIT, with the stacks."""
    words = configuration_in_words(configuration, durations=False, behaviour=True)
    where = _how(found)
    if against == "rto":
        msl = format_duration(configuration.msl)
        at = f"stacks: their TIME_WAIT and their longest RTO at an MSL of {msl}, whatever else they do"
        return SafetyRegion(
            title,
            (words, where, at),
            tuple(found),
            known_stacks("rto", configuration.msl),
        )
    rto = max(configuration.rto)
    at = f"RTO up to {format_duration(rto)}; stacks: their TIME_WAIT and their MSL, whatever else they do"
    shown = SafetyRegion(title, (words, where, at), tuple(found), (), "msl", rto)
    stacks = known_stacks("msl", configuration.msl)
    return replace(shown, stacks=tuple(one for one in stacks if any(shown.piece_at(boundary, one.across) for boundary in found)))


def _how(found: Sequence[Boundary]) -> str:
    """How the boundaries were found, in a line."""
    pieces = [piece for boundary in found for piece in boundary.pieces]
    points = sorted({piece.ratios.low for piece in pieces if piece.is_point})
    ends = [end for piece in pieces if not piece.is_point for end in piece.ends]
    parts = []
    if ends:
        parts.append(f"formulas: proved from RTO = {min(ends)} MSL to {max(ends)} MSL, above the lines and below them")
    if points:
        parts.append(f"points: asked at RTO/MSL = {', '.join(map(str, points))}, and nothing is known between them")
    return "; ".join(parts)


def bars_of(
    configuration: Configuration, losses: Sequence[int], title: str, asked: Sequence[str], budget: Callable[[], Budget]
) -> Bars:
    """The picture of the least safe TIME_WAIT against losses."""
    ratio = max(configuration.rto) / configuration.msl
    words = configuration_in_words(configuration, durations=False, loss=False, behaviour=True)
    caption = f"{words}; RTO up to {'' if ratio == 1 else f'{ratio} '}MSL"
    least = against_losses(configuration, losses, asked, budget)
    return Bars(title, (caption,), tuple(asked), tuple(losses), least)
