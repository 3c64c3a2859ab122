"""The state diagram of an endpoint with its differences from another one: edges added, missing or changed.

The diagram is small: equal parts are grey and have no text of their own, and each difference is a number in the box of its
state and on its arrow. The differences stand below the diagram, one for all states that have it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import networkx as nx

from timewait.diagrams.box_sizes import LABEL, NOTE_COLUMN, SECOND_COLUMN
from timewait.diagrams.colours import BLACK, BLUE, GREEN, GREY, RED
from timewait.diagrams.edges import event_name
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, LineStyle, Span, TextLine, bold, line
from timewait.diagrams.states import CLOSED_AGAIN, SHARED, STATES_WIDTH, is_end, states
from timewait.diagrams.widths import width, wrapped
from timewait.narration.prose import citation_url
from timewait.spec.difference import NEVER, Consequence, GraphChange, GraphDifference
from timewait.spec.guards import Circumstances
from timewait.spec.state import MEANING, State, in_rfc_spelling

ADDED = LineStyle("+ added", GREEN, "bold")
MISSING = LineStyle("- missing", RED, "dotted")
CHANGED = LineStyle("~ changed", BLUE, "solid")
SAME = LineStyle("unchanged", GREY, "solid")
CONCERNED = LineStyle("a state with differences", BLACK, "solid")

STYLE_OF = {"added": ADDED, "missing": MISSING, "changed": CHANGED}

MARKS = {"added": "+", "missing": "-", "changed": "~"}
"""The marks of changes, which do not depend on colour."""

MARKS_IN_A_ROW = 3
"""The most marks in a row of a box."""

MARKS_BESIDE = 2
"""The most marks in a line beside an arrow, so that diagrams stay narrow."""


class NumberedChange(NamedTuple):
    """A change with its number; changes of several states that differ in the state alone share it."""

    number: int
    change: GraphChange

    @property
    def mark(self) -> Span:
        """Its mark and number in the colour of its kind."""
        kind = self.change.kind
        return Span(f"{MARKS[kind]}\u2009{self.number}", bold=True, colour=STYLE_OF[kind].colour)


def compared(
    after: nx.MultiDiGraph, difference: GraphDifference, names: tuple[str, str], title: str, remarks: Iterable[str] = ()
) -> Figure:
    """The diagram of an endpoint with its differences from another one.

    Parameters
    ----------
    after : networkx.MultiDiGraph
        The transition graph of the endpoint, or a part of it.
    difference : GraphDifference
        From the other endpoint's graph to this one.
    names : tuple of str
        The names of the other endpoint and of this one.
    title : str
        The title.
    remarks : iterable of str
        Other differences, in lines above the diagram.
    """
    same = states(_unchanged(after, difference), title)
    changes = _numbered(difference, names)
    known = {box.name: box for box in same.boxes if box.name != SHARED}
    moves = list(_moves(changes, names, CLOSED_AGAIN if CLOSED_AGAIN in known else State.CLOSED))
    for state in (*(change.source for change in difference.changes), *difference.lost, *(arrow.target for arrow in moves)):
        if state not in known:
            style = MISSING if state in difference.lost else SAME
            known[state] = Box(state, in_rfc_spelling(state), style, tooltip=MEANING[State(state)])
    boxes = tuple(_box(box, [one for one in changes if one.change.source == box.name], names) for box in known.values())
    arrows = [
        replace(arrow, label=(), style=SAME, emphasis=Emphasis.FAINT)
        for arrow in same.arrows
        if arrow.source != SHARED and not any((arrow.source, arrow.target) == (move.source, move.target) for move in moves)
    ]
    levels = tuple(tuple(name for name in level if name in known and name != SHARED) for level in same.levels)
    kinds = {change.kind for change in difference.changes} | ({"missing"} if difference.lost else set())
    styles = (*(style for kind, style in STYLE_OF.items() if kind in kinds), SAME)
    caption = (
        *(line(bold(text)) for text in wrapped(title, LABEL, STATES_WIDTH, bold=True)),
        *map(line, remarks),
        *_states(difference, names),
    )
    return Figure("difference", title, boxes, (*arrows, *moves), levels, styles, caption, tuple(_in_words(changes, names)))


def _unchanged(graph: nx.MultiDiGraph, difference: GraphDifference) -> nx.MultiDiGraph:
    """The graph without the cases that changed; they count as silent, so that the other guards stay as they are."""
    part = graph.copy()
    for state in {change.source for change in difference.changes}.intersection(graph):
        changed = frozenset[Circumstances]().union(*(change.cases for change in difference.changes if change.source is state))
        part.nodes[state]["silent"] |= changed
        for source, target, key, edge in graph.out_edges(state, keys=True, data=True):
            if edge["cases"] <= changed:
                part.remove_edge(source, target, key)
            else:
                part.edges[source, target, key]["cases"] -= changed
    return part


def _states(difference: GraphDifference, names: tuple[str, str]) -> Iterator[TextLine]:
    """The states that only one of both enters."""
    before, after = names
    yield from (line(f"{after} never enters {in_rfc_spelling(state)}") for state in difference.lost)
    yield from (line(f"{after} enters {in_rfc_spelling(state)}, {before} never does") for state in difference.gained)
    if not difference:
        yield line("no differences")


def _numbered(difference: GraphDifference, names: tuple[str, str]) -> list[NumberedChange]:
    """The changes with their numbers."""
    numbers: dict[tuple[str, ...], int] = {}
    found = []
    for change in difference.changes:
        key = (change.kind, change.event, *_outcomes(change, names))
        found.append(NumberedChange(numbers.setdefault(key, len(numbers) + 1), change))
    return found


def _outcomes(change: GraphChange, names: tuple[str, str]) -> tuple[str, str]:
    """What this endpoint does, and what the other one does."""
    return tuple(  # type: ignore[return-value]  # two names, two outcomes
        f"{name}: {_described(change, outcome)}"
        for name, outcome in zip(reversed(names), (change.after, change.before), strict=True)
    )


def _described(change: GraphChange, outcome: Consequence | None) -> str:
    return NEVER if outcome is None else in_rfc_spelling(outcome.described(change.source))


def _box(box: Box, changes: list[NumberedChange], names: tuple[str, str]) -> Box:
    if not changes:
        if box.style is MISSING:
            return replace(box, rows=(), emphasis=Emphasis.STRONG)
        return replace(box, style=SAME, rows=(), emphasis=Emphasis.FAINT)
    changes = sorted(changes, key=lambda one: one.number)
    rows = []
    for first in range(0, len(changes), MARKS_IN_A_ROW):
        some = changes[first : first + MARKS_IN_A_ROW]
        tooltip = "\n".join(one.change.words(*names) for one in some)
        rows.append(FigureRow((_marks(some),), tooltip, citation_url(some[0].change.section)))
    return replace(box, style=CONCERNED, rows=tuple(rows), emphasis=Emphasis.PLAIN)


def _marks(changes: Iterable[NumberedChange]) -> TextLine:
    spans: list[Span] = []
    for one in changes:
        spans += [Span("   "), one.mark] if spans else [one.mark]
    return tuple(spans)


def _in_words(changes: Iterable[NumberedChange], names: tuple[str, str]) -> Iterator[TextLine]:
    """The differences below the diagram: the event and its states, then what each endpoint does."""
    together: dict[int, list[NumberedChange]] = defaultdict(list)
    for one in changes:
        together[one.number].append(one)
    for same in together.values():
        change, mark = same[0].change, same[0].mark
        where = ", ".join(in_rfc_spelling(one.change.source) for one in same)
        guard = f" [{change.guard}]" if change.guard else ""
        text = f"in {where}: {event_name({'trigger': change.trigger})}{guard}"
        first, *rest = wrapped(text, LABEL, STATES_WIDTH - NOTE_COLUMN)
        yield line(mark, Span(f"{SECOND_COLUMN}{first}"))
        yield from (line(f"{SECOND_COLUMN}{more}") for more in rest)
        yield from (line(Span(f"{SECOND_COLUMN}{text}", colour=mark.colour)) for text in _joined(_outcomes(change, names)))


def _joined(outcomes: tuple[str, str]) -> tuple[str, ...]:
    """Both outcomes in one line, if it is wide enough."""
    together = "; ".join(outcomes)
    return (together,) if width(together, LABEL) <= STATES_WIDTH - NOTE_COLUMN else outcomes


def _moves(changes: Iterable[NumberedChange], names: tuple[str, str], end: str) -> Iterator[Arrow]:
    """The arrows of changes that lead to another state, now or before; changes with the same arrow share it.

    What ends a connection leads to the box `end`.
    """
    together: dict[tuple[State, State, LineStyle], list[NumberedChange]] = defaultdict(list)
    for one in changes:
        for target, style in _targets(one.change):
            together[one.change.source, target, style].append(one)
    for (source, target, style), some in together.items():
        tooltip = "\n".join(one.change.words(*names) for one in some)
        label = tuple(_marks(some[first : first + MARKS_BESIDE]) for first in range(0, len(some), MARKS_BESIDE))
        box = end if is_end(source, target) else target
        yield Arrow(source, box, label, style, tooltip, citation_url(some[0].change.section), Emphasis.STRONG)


def _targets(change: GraphChange) -> Iterator[tuple[State, LineStyle]]:
    """The new target of a change, and the target that it lost."""
    was, now = change.before, change.after
    if now is not None and now.target is not change.source:
        yield now.target, STYLE_OF[change.kind]
    if was is not None and was.target is not change.source and (now is None or now.target is not was.target):
        yield was.target, MISSING
