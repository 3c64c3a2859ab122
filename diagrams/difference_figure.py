"""The state diagram of an endpoint with its differences from another one: edges added, missing or changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import networkx as nx

from timewait.diagrams.colours import BLACK, BLUE, GREEN, GREY, RED
from timewait.diagrams.edges import event_name
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, FigureRow, LineStyle, Span, TextLine, bold, line
from timewait.diagrams.states import states
from timewait.narration.prose import citation_url
from timewait.spec.difference import Consequence, GraphChange, GraphDifference
from timewait.spec.guards import Circumstances
from timewait.spec.state import MEANING, State

ADDED = LineStyle("+ added", GREEN, "bold")
MISSING = LineStyle("- missing", RED, "dotted")
CHANGED = LineStyle("~ changed", BLUE, "solid")
SAME = LineStyle("unchanged", GREY, "solid")
CONCERNED = LineStyle("a state with differences", BLACK, "solid")

STYLE_OF = {"added": ADDED, "missing": MISSING, "changed": CHANGED}
FEW = 2
"""A state with more changes than this that lead to another state lists them in its box, not on arrows."""

MARKS = {"added": "+", "missing": "-", "changed": "~"}
"""The marks of changes, which do not depend on colour."""


def compared(after: nx.MultiDiGraph, difference: GraphDifference, names: tuple[str, str], title: str) -> Figure:
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
    """
    same = states(_unchanged(after, difference), title)
    moves = list(_moves(difference, names))
    boxes = {box.name: _box(box, difference, names) for box in same.boxes}
    for state in (*(change.source for change in difference.changes), *difference.lost, *(arrow.target for arrow in moves)):
        if state not in boxes:
            style = MISSING if state in difference.lost else SAME
            boxes[state] = _box(Box(state, state, style, tooltip=MEANING[State(state)]), difference, names)
    arrows = [replace(arrow, style=SAME, emphasis=Emphasis.FAINT) for arrow in same.arrows]
    levels = tuple(tuple(name for name in level if name in boxes) for level in same.levels)
    caption = _caption(difference, names, title)
    kinds = {change.kind for change in difference.changes} | ({"missing"} if difference.lost else set())
    styles = (*(style for kind, style in STYLE_OF.items() if kind in kinds), SAME)
    return Figure("difference", title, tuple(boxes.values()), (*arrows, *moves), levels, styles, caption)


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


def _caption(difference: GraphDifference, names: tuple[str, str], title: str) -> tuple[TextLine, ...]:
    before, after = names
    lines = [line(f"{after} never enters {state}") for state in difference.lost]
    lines += [line(f"{after} enters {state}, {before} never does") for state in difference.gained]
    return (line(bold(title)), *lines, *([] if difference else [line("no differences")]))


def _box(box: Box, difference: GraphDifference, names: tuple[str, str]) -> Box:
    leaving = _leaving(difference, box.name)
    own = [change for change in difference.changes if change.source == box.name]
    rows = tuple(_row(change, names) for change in own if change not in leaving or len(leaving) > FEW)
    faint = tuple(row._replace(emphasis=Emphasis.FAINT) for row in box.rows)
    if rows:
        return replace(box, style=CONCERNED, rows=(*rows, *faint), emphasis=Emphasis.PLAIN)
    if box.style is MISSING:
        return replace(box, emphasis=Emphasis.STRONG)
    return replace(box, style=SAME, rows=faint, emphasis=Emphasis.FAINT)


def _leaves(change: GraphChange) -> bool:
    return any(result is not None and result.target is not change.source for result in (change.before, change.after))


def _head(change: GraphChange) -> Span:
    return Span(f"{MARKS[change.kind]} {event_name({'trigger': change.trigger})}", bold=True, colour=STYLE_OF[change.kind].colour)


def _in_words(change: GraphChange, consequence: Consequence | None) -> str:
    return "never receives it" if consequence is None else consequence.described(change.source)


def _row(change: GraphChange, names: tuple[str, str]) -> FigureRow:
    colour = STYLE_OF[change.kind].colour
    does = [
        line(Span(f"{name}: {_in_words(change, result)}", colour=colour))
        for name, result in ((names[1], change.after), (names[0], change.before))
    ]
    cells = (line(_head(change)), line(Span(change.guard, colour=colour)), *does)
    return FigureRow(cells, change.words(*names), citation_url(change.section))


class _Move(NamedTuple):
    """An arrow of a change: to its new target, or to the target that it lost."""

    target: State
    style: LineStyle
    words: tuple[str, ...]


def _leaving(difference: GraphDifference, state: str) -> list[GraphChange]:
    """The changes of a state that lead to another state, now or before."""
    return [change for change in difference.changes if change.source == state and _leaves(change)]


def _moves(difference: GraphDifference, names: tuple[str, str]) -> Iterator[Arrow]:
    """The arrows of changes that lead to another state: one for each change, or one for each target where there are many."""
    for state in dict.fromkeys(change.source for change in difference.changes):
        leaving = _leaving(difference, state)
        together: dict[tuple[State, LineStyle], list[GraphChange]] = defaultdict(list)
        for change in leaving:
            for move in _targets(change, names):
                together[move.target, move.style].append(change)
                if len(leaving) <= FEW:
                    guard = [line(phrase) for phrase in change.guard.split(", ") if phrase]
                    label = (line(_head(change)), *guard, *map(line, move.words))
                    tooltip, where = change.words(*names), citation_url(change.section)
                    yield Arrow(state, move.target, label, move.style, tooltip, where, Emphasis.STRONG)
        for (target, style), changes in together.items() if len(leaving) > FEW else ():
            text = f"{len(changes)} of the changes in the box" if len(changes) > 1 else "one of the changes in the box"
            tooltip = "\n".join(change.words(*names) for change in changes)
            yield Arrow(state, target, (line(bold(style.name)), line(text)), style, tooltip, "", Emphasis.STRONG)


def _targets(change: GraphChange, names: tuple[str, str]) -> Iterator[_Move]:
    before, after = names
    was, now = change.before, change.after
    if now is not None and now.target is not change.source:
        sent = [f"/ {now.reply}"] if now.reply else []
        yield _Move(now.target, STYLE_OF[change.kind], (*sent, f"{before}: {_in_words(change, was)}"))
    if was is not None and was.target is not change.source and (now is None or now.target is not was.target):
        sent = [f"/ {was.reply}"] if was.reply else []
        yield _Move(was.target, MISSING, (*sent, f"{after}: {_in_words(change, now)}"))
