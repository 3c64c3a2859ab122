"""What differs between two endpoints, in one picture: the later one, with all that is added, missing or changed in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import networkx as nx

from timewait.diagrams.colours import BLACK, BLUE, GREEN, GREY, RED
from timewait.diagrams.edges import name
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, Pen, Span, TextLine, bold, line
from timewait.diagrams.states import states
from timewait.narration.prose import citation_url
from timewait.spec.difference import Consequence, GraphChange, GraphDifference
from timewait.spec.graph import Circumstances
from timewait.spec.state import MEANING, State

ADDED = Pen("+ added", GREEN, "bold")
MISSING = Pen("- missing", RED, "dotted")
CHANGED = Pen("~ changed", BLUE, "solid")
SAME = Pen("the same", GREY, "solid")
CONCERNED = Pen("a state in which they differ", BLACK, "solid")

PENS = {"added": ADDED, "missing": MISSING, "changed": CHANGED}
FEW = 2
"""Up to so many changes of one state that lead elsewhere are arrows with words; more are told in its box."""

MARKS = {"added": "+", "missing": "-", "changed": "~"}
"""What stands before the words, for those who see no colours."""


def compared(after: nx.MultiDiGraph, difference: GraphDifference, names: tuple[str, str], title: str) -> Figure:
    """The diagram of an endpoint with what differs from another one.

    Parameters
    ----------
    after : networkx.MultiDiGraph
        The transition graph of the endpoint, or a part of it.
    difference : Difference
        What differs, from the other endpoint's graph to this one.
    names : tuple of str
        What the other endpoint and this one are called.
    title : str
        The title of the picture.
    """
    same = states(_unchanged(after, difference), title)
    moves = list(_moves(difference, names))
    boxes = {box.name: _box(box, difference, names) for box in same.boxes}
    for state in (*(change.source for change in difference.changes), *difference.lost, *(arrow.target for arrow in moves)):
        if state not in boxes:
            pen = MISSING if state in difference.lost else SAME
            boxes[state] = _box(Box(state, state, pen, tooltip=MEANING[State(state)]), difference, names)
    arrows = [replace(arrow, pen=SAME, emphasis=Emphasis.FAINT) for arrow in same.arrows]
    levels = tuple(tuple(one for one in level if one in boxes) for level in same.levels)
    caption = _caption(difference, names, title)
    kinds = {change.kind for change in difference.changes} | ({"missing"} if difference.lost else set())
    pens = (*(pen for kind, pen in PENS.items() if kind in kinds), SAME)
    return Figure("difference", title, tuple(boxes.values()), (*arrows, *moves), levels, pens, caption)


def _unchanged(graph: nx.MultiDiGraph, difference: GraphDifference) -> nx.MultiDiGraph:
    """The graph without the circumstances in which something else happens; those count as silent, for the sake of guards."""
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


def _caption(difference: GraphDifference, names: tuple[str, str], title: str) -> tuple[TextLine, ...]:
    before, after = names
    unlike = [line(f"{after} never enters {state}") for state in difference.lost]
    unlike += [line(f"{after} enters {state}, {before} never does") for state in difference.gained]
    return (line(bold(title)), *unlike, *([] if difference else [line("nothing differs")]))


def _box(box: Box, difference: GraphDifference, names: tuple[str, str]) -> Box:
    leaving = _leaving(difference, box.name)
    own = [change for change in difference.changes if change.source == box.name]
    rows = tuple(_row(change, names) for change in own if change not in leaving or len(leaving) > FEW)
    faint = tuple(row._replace(emphasis=Emphasis.FAINT) for row in box.rows)
    if rows:
        return replace(box, pen=CONCERNED, rows=(*rows, *faint), emphasis=Emphasis.PLAIN)
    if box.pen is MISSING:
        return replace(box, emphasis=Emphasis.LIT)
    return replace(box, pen=SAME, rows=faint, emphasis=Emphasis.FAINT)


def _leaves(change: GraphChange) -> bool:
    return any(one is not None and one.target is not change.source for one in (change.before, change.after))


def _head(change: GraphChange) -> Span:
    return Span(f"{MARKS[change.kind]} {name({'trigger': change.trigger})}", bold=True, ink=PENS[change.kind].ink)


def _told(change: GraphChange, consequence: Consequence | None) -> str:
    return "never meets it" if consequence is None else consequence.told(change.source)


def _row(change: GraphChange, names: tuple[str, str]) -> FigureRow:
    ink = PENS[change.kind].ink
    does = [
        line(Span(f"{whose}: {_told(change, one)}", ink=ink))
        for whose, one in ((names[1], change.after), (names[0], change.before))
    ]
    cells = (line(_head(change)), line(Span(change.guard, ink=ink)), *does)
    return FigureRow(cells, change.words(*names), citation_url(change.section))


class _Move(NamedTuple):
    """Whereto a change leads, and how that is drawn: whereto it leads now, or whereto it no longer does."""

    target: State
    pen: Pen
    words: tuple[str, ...]


def _leaving(difference: GraphDifference, state: str) -> list[GraphChange]:
    """The changes of a state that lead elsewhere, now or before."""
    return [change for change in difference.changes if change.source == state and _leaves(change)]


def _moves(difference: GraphDifference, names: tuple[str, str]) -> Iterator[Arrow]:
    """The arrows of what leads elsewhere: one for each change, or where a state has many of them one for each target."""
    for state in dict.fromkeys(change.source for change in difference.changes):
        leaving = _leaving(difference, state)
        together: dict[tuple[State, Pen], list[GraphChange]] = defaultdict(list)
        for change in leaving:
            for move in _targets(change, names):
                together[move.target, move.pen].append(change)
                if len(leaving) <= FEW:
                    guard = [line(phrase) for phrase in change.guard.split(", ") if phrase]
                    label = (line(_head(change)), *guard, *map(line, move.words))
                    tooltip, where = change.words(*names), citation_url(change.section)
                    yield Arrow(state, move.target, label, move.pen, tooltip, where, Emphasis.LIT)
        for (target, pen), changes in together.items() if len(leaving) > FEW else ():
            told = f"{len(changes)} of the changes in the box" if len(changes) > 1 else "one of the changes in the box"
            tooltip = "\n".join(change.words(*names) for change in changes)
            yield Arrow(state, target, (line(bold(pen.name)), line(told)), pen, tooltip, "", Emphasis.LIT)


def _targets(change: GraphChange, names: tuple[str, str]) -> Iterator[_Move]:
    before, after = names
    one, other = change.before, change.after
    if other is not None and other.target is not change.source:
        sent = [f"/ {other.reply}"] if other.reply else []
        yield _Move(other.target, PENS[change.kind], (*sent, f"{before}: {_told(change, one)}"))
    if one is not None and one.target is not change.source and (other is None or other.target is not one.target):
        sent = [f"/ {one.reply}"] if one.reply else []
        yield _Move(one.target, MISSING, (*sent, f"{after}: {_told(change, other)}"))
