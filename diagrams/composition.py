"""What can be reached of two endpoints and a network: small graphs whole, large ones by the states of the two ends."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.checker.zones import Zones
from timewait.diagrams.colours import BLACK, BLUE, GREEN, GREY, RED
from timewait.diagrams.figure import Arrow, Box, Figure, Pen, TextLine, bold, line
from timewait.spec.composition import Composition, CompositionState, Phase
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.spec.segment import PacketInFlight, Segment
from timewait.vocabulary.automaton import Action, Edge

A_ACTS = Pen("A acts", BLUE, "solid")
B_ACTS = Pen("B acts", RED, "dashed")
REOPENS = Pen("the users open the same addresses and ports again", GREEN, "bold")
BREAKS = Pen("a property is broken", BLACK, "dotted")
PLACE = Pen("a location", GREY, "solid")
PENS = (A_ACTS, B_ACTS, REOPENS, BREAKS)

SMALL = 12
"""Up to so many locations a graph is drawn whole."""

MOST_LINES = 4
"""Beside an arrow; what is more stands in the tooltip."""


MOST_TOLD = 12
"""Edges in a tooltip."""


class TooManyToDraw(Exception):
    """The graph was not explored to its end; the message says why."""


class ReachedEdge(NamedTuple):
    """An edge that can be taken: from which location, whereto, and the edge itself."""

    source: int
    target: int
    edge: Edge


@dataclass(frozen=True, slots=True)
class ReachedGraph:
    """What can be reached.

    Attributes
    ----------
    situations : dict of int to Situation
        The locations of the folded automaton, by number, in the order in which they are met.
    zones : dict of int to int
        How many zones cover each.
    steps : tuple of Step
        Every edge that can be taken.
    """

    situations: dict[int, CompositionState]
    zones: dict[int, int]
    steps: tuple[ReachedEdge, ...]

    @property
    def told(self) -> str:
        """How much there is."""
        return f"{len(self.situations)} locations, {sum(self.zones.values())} zones, {len(self.steps)} edges"


def reach(configuration: Configuration, budget: Budget) -> ReachedGraph:
    """Everything that can be reached, in dense time.

    Raises
    ------
    TooLarge
        The budget does not last.
    """
    automaton = CompiledAutomaton(Quotient(Composition(configuration)))
    explored = Zones(automaton)
    explored.explore(budget)
    if explored.stopped:
        raise TooManyToDraw(f"the composition is not explored to its end: {explored.stopped}")
    zones = {place: len(found) for place, found in explored.cover().items()}
    situations = {}
    for place in sorted(zones):
        situation = automaton.location(place).original
        assert isinstance(situation, CompositionState)
        situations[place] = situation
    steps = []
    for place, number in sorted(explored.taken()):
        edge = automaton.location(place).edges[number]
        steps.append(ReachedEdge(place, edge.target, edge.original))
    return ReachedGraph(situations, zones, tuple(steps))


def composition(reached: ReachedGraph, title: str) -> Figure:
    """The graph, whole where it is small."""
    if len(reached.situations) <= SMALL:
        return whole(reached, title)
    return by_states(reached, title)


# --- whole --------------------------------------------------------------------------------------------------------


def whole(reached: ReachedGraph, title: str) -> Figure:
    """A box for each location, and an arrow for the edges of one actor from one to another."""
    boxes = tuple(
        Box(f"location_{place}", _ends(situation), PLACE, note=tuple(_contents(situation, reached.zones[place])))
        for place, situation in reached.situations.items()
    )
    between: dict[tuple[int, int, Pen], list[ReachedEdge]] = defaultdict(list)
    for step in reached.steps:
        between[step.source, step.target, _pen(step.edge)].append(step)
    arrows = tuple(
        Arrow(f"location_{source}", f"location_{target}", tuple(_lines(_words(steps))), pen, _tooltip(steps))
        for (source, target, pen), steps in between.items()
    )
    return Figure("composition", title, boxes, arrows, (), _used(arrows), _caption(title, reached))


def _ends(situation: CompositionState) -> str:
    if situation.phase is not Phase.FIRST:
        return "the next connection" if situation.phase is Phase.REOPENED else "an old segment has reached the next connection"
    return ", ".join(f"{end} {block.state}" for end, block in zip(ENDS, situation.ends, strict=True))


def _contents(situation: CompositionState, zones: int) -> Iterator[str]:
    flying = [f"{copy.sender}'s {copy.segment.flags}{_still(copy)}" for copy in situation.network]
    yield f"in flight: {', '.join(flying) or 'nothing'}"
    lost = [f"{count} lost for {end}" for end, count in zip(ENDS, situation.lost, strict=True) if count]
    yield ", ".join([*lost, f"{zones} zone{'s' * (zones > 1)}"])


def _still(copy: PacketInFlight) -> str:
    """A copy that must arrive is told from one that may."""
    return " (must arrive)" if copy.must_be_delivered else ""


# --- by states ----------------------------------------------------------------------------------------------------


def by_states(reached: ReachedGraph, title: str) -> Figure:
    """A box for each pair of states of the two ends, with counts of what it stands for."""
    names = {place: _ends(situation) for place, situation in reached.situations.items()}
    places = Counter(names.values())
    zones: Counter[str] = Counter()
    for place, name in names.items():
        zones[name] += reached.zones[place]
    between: dict[tuple[str, str, Pen], list[ReachedEdge]] = defaultdict(list)
    inside: dict[str, list[ReachedEdge]] = defaultdict(list)
    for step in reached.steps:
        source, target = names[step.source], names[step.target]
        if source == target:
            inside[source].append(step)
        else:
            between[source, target, _pen(step.edge)].append(step)
    boxes = tuple(
        Box(name, name, PLACE, note=tuple(_counts(count, zones[name], inside[name])), tooltip=_tooltip(inside[name]))
        for name, count in places.items()
    )
    arrows = tuple(
        Arrow(source, target, (*_lines(_words(steps)), line(_edges(len(steps)))), pen, _tooltip(steps))
        for (source, target, pen), steps in between.items()
    )
    return Figure("composition", title, boxes, arrows, (), _used(arrows), _caption(title, reached))


def _counts(places: int, zones: int, inside: list[ReachedEdge]) -> Iterator[str]:
    yield f"{places} location{'s' * (places > 1)}, {zones} zone{'s' * (zones > 1)}"
    if inside:
        yield f"{_edges(len(inside))} inside"


def _edges(count: int) -> str:
    return f"{count} edge{'s' * (count > 1)}"


# --- words --------------------------------------------------------------------------------------------------------


def _pen(edge: Edge) -> Pen:
    if edge.violates:
        return BREAKS
    return {"A": A_ACTS, "B": B_ACTS}.get(edge.action.actor, REOPENS)


def _used(arrows: Iterable[Arrow]) -> tuple[Pen, ...]:
    drawn = {arrow.pen for arrow in arrows}
    return tuple(pen for pen in PENS if pen in drawn)


def _words(steps: Iterable[ReachedEdge]) -> list[str]:
    """What edges do, each kind once."""
    return list(dict.fromkeys(_what(step.edge) for step in steps))


def _what(edge: Edge) -> str:
    lost = ", answer lost" if edge.action.kind == "deliver" and any(edge.action.lost) else ", lost" * any(edge.action.lost)
    broken = "".join(f", breaks {name}" for name in sorted(edge.violates))
    return f"{_done(edge.action)}{lost}{broken}"


def _done(action: Action) -> str:
    match action.kind, action.subject:
        case "deliver", (_, Segment() as segment):
            return f"{action.actor} receives {segment.flags}"
        case "timer", "retransmission":
            return f"{action.actor} sends again"
        case "timer", timer:
            return f"{action.actor}: {timer} runs out"
        case "call", call:
            return f"{action.actor}: {call}"
        case _:
            return "opened again"


def _lines(words: list[str]) -> Iterator[TextLine]:
    shown = words if len(words) <= MOST_LINES else words[: MOST_LINES - 1]
    yield from (line(bold(words[0])) if place == 0 else line(text) for place, text in enumerate(shown))
    if len(shown) < len(words):
        yield line(f"and {len(words) - len(shown)} more")


def _tooltip(steps: Iterable[ReachedEdge]) -> str:
    """Edges with their guards."""
    told = []
    for step in steps:
        guard = " and ".join(map(str, step.edge.guard))
        told.append(f"{step.source} to {step.target}: {step.edge.action}{f' when {guard}' if guard else ''}")
    more = [f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
    return "\n".join([*told[:MOST_TOLD], *more])


def _caption(title: str, reached: ReachedGraph) -> tuple[TextLine, ...]:
    return (
        line(bold(title)),
        line(reached.told),
        line("location: the states, and what is in flight, whether or not it is still alive; zone: times explored as one"),
    )
