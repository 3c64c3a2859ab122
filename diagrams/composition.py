"""The reachable locations of two endpoints and a network: small graphs in full, large ones by the states of the two ends."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.checker.zones import Zones
from timewait.diagrams.box_sizes import LABEL, TEXT
from timewait.diagrams.colours import BLACK, BLUE, GREEN, GREY, RED
from timewait.diagrams.figure import Arrow, Box, Figure, LineStyle, TextLine, bold, line
from timewait.diagrams.widths import joined, wrapped
from timewait.spec.composition import CompositionState, Phase
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.spec.handshake import compose
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.state import in_rfc_spelling
from timewait.vocabulary.automaton import Action, Edge

A_ACTS = LineStyle("A acts", BLUE, "solid")
B_ACTS = LineStyle("B acts", RED, "dashed")
REOPENS = LineStyle("the users reopen the connection", GREEN, "bold")
VIOLATES = LineStyle("a property is violated", BLACK, "dotted")
MIRRORED = {A_ACTS: B_ACTS, B_ACTS: A_ACTS}
LOCATION = LineStyle("a location", GREY, "solid")
STYLES = (A_ACTS, B_ACTS, REOPENS, VIOLATES)

SMALL = 12
"""The largest number of locations of a graph that is drawn in full."""

LABEL_LINES = 4
"""The most lines in the label of an arrow; the tooltip has more."""

NOTE_WIDTH, COUNT_WIDTH, CAPTION_WIDTH = 200.0, 130.0, 460.0
"""The widths at which the contents and the counts in boxes and the text above the figure are wrapped, in pixels."""

TOOLTIP_LINES = 12
"""The most edges in a tooltip."""


class TooManyToDraw(Exception):
    """The exploration hit a limit; the message says which."""


class ReachedEdge(NamedTuple):
    """An edge that a run can take, with the numbers of its locations."""

    source: int
    target: int
    edge: Edge


@dataclass(frozen=True, slots=True)
class ReachedGraph:
    """The reachable part of a composition.

    Attributes
    ----------
    locations : dict of int to CompositionState
        The locations of the quotient, by number, in the order of exploration.
    zones : dict of int to int
        The number of zones that cover each location.
    edges : tuple of ReachedEdge
        Every edge that a run can take.
    """

    locations: dict[int, CompositionState]
    zones: dict[int, int]
    edges: tuple[ReachedEdge, ...]

    @property
    def counts(self) -> str:
        """The size of the graph in words."""
        return f"{len(self.locations)} locations, {sum(self.zones.values())} zones, {len(self.edges)} edges"


ArrowsBetween = defaultdict[tuple[str, str, LineStyle], list[ReachedEdge]]
"""The edges between two boxes, by the names of the boxes and the style of their arrow."""


def reach(configuration: Configuration, budget: Budget) -> ReachedGraph:
    """The reachable part of a composition, in dense time.

    Raises
    ------
    TooManyToDraw
        The exploration exceeds the budget.
    """
    automaton = CompiledAutomaton(Quotient(compose(configuration)))
    explored = Zones(automaton)
    explored.explore(budget)
    if explored.stopped:
        raise TooManyToDraw(f"the exploration of the composition hit a limit: {explored.stopped}")
    zones = {number: len(found) for number, found in explored.cover().items()}
    locations = {}
    for number in sorted(zones):
        location = automaton.location(number).original
        assert isinstance(location, CompositionState)
        locations[number] = location
    edges = []
    for source, place in sorted(explored.taken()):
        edge = automaton.location(source).edges[place]
        edges.append(ReachedEdge(source, edge.target, edge.original))
    return ReachedGraph(locations, zones, tuple(edges))


def composition(reached: ReachedGraph, title: str) -> Figure:
    """The graph: in full if it is small, else by states."""
    if len(reached.locations) <= SMALL:
        return whole(reached, title)
    return by_states(reached, title)


# --- in full ------------------------------------------------------------------------------------------------------


def whole(reached: ReachedGraph, title: str) -> Figure:
    """A box for each location, and an arrow for the edges of one actor between two locations."""
    boxes = tuple(
        Box(f"location_{number}", _ends(location), LOCATION, note=tuple(_contents(location, reached.zones[number])))
        for number, location in reached.locations.items()
    )
    between: dict[tuple[int, int, LineStyle], list[ReachedEdge]] = defaultdict(list)
    for step in reached.edges:
        between[step.source, step.target, _style(step.edge)].append(step)
    arrows = tuple(
        Arrow(f"location_{source}", f"location_{target}", tuple(_lines(_words(steps))), style, _tooltip(steps))
        for (source, target, style), steps in between.items()
    )
    return Figure("composition", title, boxes, arrows, (), _used(arrows), _caption(title, reached))


def _ends(location: CompositionState) -> str:
    if location.phase is not Phase.FIRST:
        return "the next connection" if location.phase is Phase.REOPENED else "an old segment has reached the next connection"
    return ", ".join(f"{end} {in_rfc_spelling(block.state)}" for end, block in zip(ENDS, location.ends, strict=True))


def _contents(location: CompositionState, zones: int) -> Iterator[str]:
    packets = [f"{packet.sender}'s {packet.segment.flags}{_obligation(packet)}" for packet in location.network]
    yield from joined(["in flight: " + (packets[0] if packets else "nothing"), *packets[1:]], TEXT, NOTE_WIDTH)
    lost = [f"{count} lost for {end}" for end, count in zip(ENDS, location.lost, strict=True) if count]
    yield ", ".join([*lost, f"{zones} zone{'s' * (zones > 1)}"])


def _obligation(packet: PacketInFlight) -> str:
    return " (must arrive)" if packet.must_be_delivered else ""


# --- by states ----------------------------------------------------------------------------------------------------


def by_states(reached: ReachedGraph, title: str) -> Figure:
    """A box for each pair of states of the two ends, with the numbers of its locations, zones and edges.

    Of a graph with more than `SMALL` pairs that is the same with A and B exchanged, one half is drawn: each pair or its mirror.
    """
    names = {number: _ends(location) for number, location in reached.locations.items()}
    locations = Counter(names.values())
    zones: Counter[str] = Counter()
    for number, name in names.items():
        zones[name] += reached.zones[number]
    between: ArrowsBetween = defaultdict(list)
    inside: dict[str, list[ReachedEdge]] = defaultdict(list)
    for step in reached.edges:
        source, target = names[step.source], names[step.target]
        if source == target:
            inside[source].append(step)
        else:
            between[source, target, _style(step.edge)].append(step)
    caption = _caption(title, reached)
    drawn = [*locations]
    if len(locations) > SMALL and _is_symmetric(between):
        drawn, between = _half(drawn[0], between)
        rest = f"the other {len(locations) - len(drawn)} pairs of states are the same with A and B exchanged"
        caption = (*caption, *map(line, wrapped(rest, LABEL, CAPTION_WIDTH)))
    boxes = tuple(
        Box(name, name, LOCATION, note=tuple(_counts(locations[name], zones[name], inside[name])), tooltip=_tooltip(inside[name]))
        for name in drawn
    )
    arrows = tuple(
        Arrow(source, target, (*_lines(_words(steps)), line(_edges(len(steps)))), style, _tooltip(steps))
        for (source, target, style), steps in between.items()
    )
    return Figure("composition", title, boxes, arrows, (), _used(arrows), caption)


def _is_symmetric(between: ArrowsBetween) -> bool:
    """Whether the arrows between boxes are the same with A and B exchanged, in their words too."""
    labels = {key: sorted(_words(steps)) for key, steps in between.items()}
    mirrored = {
        (_mirrored(source), _mirrored(target), MIRRORED.get(style, style)): sorted(map(_mirrored, words))
        for (source, target, style), words in labels.items()
    }
    return labels == mirrored


def _mirrored(text: str) -> str:
    """A name or a label with A and B exchanged; a name has A first."""
    swapped = re.sub(r"\b[AB]\b", lambda end: "BA"["AB".index(end[0])], text)
    return ", ".join(sorted(swapped.split(", "))) if swapped.startswith("B ") and ", A " in swapped else swapped


def _half(first: str, between: ArrowsBetween) -> tuple[list[str], ArrowsBetween]:
    """The boxes that are reached from the first one up to exchanging A and B, and the arrows from them.

    Where a box is its own mirror, the arrows of A stand for those of B.
    """
    names, half = [first], ArrowsBetween(list)
    for name in names:  # which grows
        for (source, target, style), steps in between.items():
            if source != name or (name == _mirrored(name) and style is B_ACTS):
                continue
            kept = _mirrored(target) if _mirrored(target) in names else target
            if kept not in names:
                names.append(kept)
            half[source, kept, style] += steps
    return names, half


def _counts(locations: int, zones: int, inside: list[ReachedEdge]) -> Iterator[str]:
    size = f"{locations} location{'s' * (locations > 1)}, {zones} zone{'s' * (zones > 1)}"
    yield from wrapped(size, TEXT, COUNT_WIDTH)
    if inside:
        yield f"{_edges(len(inside))} inside"


def _edges(count: int) -> str:
    return f"{count} edge{'s' * (count > 1)}"


# --- in words -----------------------------------------------------------------------------------------------------


def _style(edge: Edge) -> LineStyle:
    if edge.violates:
        return VIOLATES
    return {"A": A_ACTS, "B": B_ACTS}.get(edge.action.actor, REOPENS)


def _used(arrows: Iterable[Arrow]) -> tuple[LineStyle, ...]:
    drawn = {arrow.style for arrow in arrows}
    return tuple(style for style in STYLES if style in drawn)


def _words(steps: Iterable[ReachedEdge]) -> list[str]:
    """The descriptions of edges, each kind once."""
    return list(dict.fromkeys(_in_words(step.edge) for step in steps))


def _in_words(edge: Edge) -> str:
    lost = ", answer lost" if edge.action.kind == "deliver" and any(edge.action.lost) else ", lost" * any(edge.action.lost)
    broken = "".join(f", violates {name}" for name in sorted(edge.violates))
    return f"{_done(edge.action)}{lost}{broken}"


def _done(action: Action) -> str:
    match action.kind, action.subject:
        case "deliver", (_, Segment() as segment):
            return f"{action.actor} receives {segment.flags}"
        case "timer", "retransmission":
            return f"{action.actor} retransmits"
        case "timer", timer:
            return f"{action.actor}: {timer} expires"
        case "call", call:
            return f"{action.actor}: {call}"
        case _:
            return "reopened"


def _lines(words: list[str]) -> Iterator[TextLine]:
    shown = words if len(words) <= LABEL_LINES else words[: LABEL_LINES - 1]
    yield from (line(bold(words[0])) if place == 0 else line(text) for place, text in enumerate(shown))
    if len(shown) < len(words):
        yield line(f"and {len(words) - len(shown)} more")


def _tooltip(steps: Iterable[ReachedEdge]) -> str:
    """Edges with their guards."""
    lines = []
    for step in steps:
        guard = " and ".join(map(str, step.edge.guard))
        lines.append(f"{step.source} to {step.target}: {step.edge.action}{f' when {guard}' if guard else ''}")
    more = [f"and {len(lines) - TOOLTIP_LINES} more"] if len(lines) > TOOLTIP_LINES else []
    return "\n".join([*lines[:TOOLTIP_LINES], *more])


def _caption(title: str, reached: ReachedGraph) -> tuple[TextLine, ...]:
    meaning = "a location has the states of the ends and the packets in flight, expired or not; a zone is a set of clock values"
    first = wrapped(title, LABEL, CAPTION_WIDTH, bold=True)
    return (*(line(bold(row)) for row in first), line(reached.counts), *map(line, wrapped(meaning, LABEL, CAPTION_WIDTH)))
