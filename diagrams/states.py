"""The state diagram as a table to read, as Graphviz source and as JSON.

All three show a graph of `spec.graph.transition_graph`, or a part of it. The table and the picture join what a
reader takes for one edge; the JSON has every edge.
"""

from __future__ import annotations

import json
import textwrap
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

import graphviz
import networkx as nx

from spec.endpoint import Effect, Timer
from spec.graph import condense
from spec.state import State

Edge = Mapping[str, Any]

ABRUPT = frozenset({Effect.RESET.value, Effect.GAVE_UP.value, Effect.ASSASSINATED.value})
"""The effects of an edge that ends a connection otherwise than in order."""

# --- the table ----------------------------------------------------------------------------------------------------

SORTS = ("call", "segment", "timer")
WIDTH = 100
"""Characters before the column of the sections."""


def as_text(graph: nx.MultiDiGraph) -> str:
    """One block per state: what it means, the edges that leave it, and those that answer without leaving.

    An edge reads ``event [guard] / reply, timers -> STATE``, then where the standard says so, then the knobs.
    """
    condensed = condense(graph)
    blocks = []
    for state, about in condensed.nodes(data=True):
        meaning = textwrap.fill(about["meaning"], WIDTH, initial_indent="  ", subsequent_indent="  ")
        edges = sorted(condensed.out_edges(state, data=True), key=lambda edge: (edge[0] is edge[1], _sort(edge[2])))
        blocks.append("\n".join([state.value, meaning, *(_row(source, target, edge) for source, target, edge in edges)]))
    return "\n\n".join(blocks) + "\n"


def _sort(edge: Edge) -> int:
    return SORTS.index(edge["trigger"].split()[0])


def _row(source: State, target: State, edge: Edge) -> str:
    answer = _answer(edge) or ("nothing" if source is target else "")
    line = f"    {_event(edge)}{answer and ' / '}{answer} -> {'(stays)' if source is target else target}"
    return f"{line:{WIDTH}}  {_authority(edge)}"


def _event(edge: Edge) -> str:
    return str(edge["trigger"]).removeprefix("segment ") + (f" [{edge['guard']}]" if edge["guard"] else "")


def _answer(edge: Edge) -> str:
    return ", ".join((*filter(None, [edge["reply"]]), *edge["timers"]))


def _authority(edge: Edge) -> str:
    """Where the standard says so, and the knobs."""
    return str(edge["section"]) + (f"   knobs: {', '.join(edge['knobs'])}" if edge["knobs"] else "")


# --- the picture --------------------------------------------------------------------------------------------------


class Pen(NamedTuple):
    """How the edges of one sort are drawn; every colour is a mid-tone, legible on white and on black."""

    name: str
    colour: str
    style: str


INK = "#7a7a7a"
ACTIVE = Pen("the end that closes first", "#2a7cbb", "solid")
PASSIVE = Pen("the end that closes second", "#b5651d", "dashed")
TIMED = Pen("a timer runs out", "#9d5ec2", "bold")
BROKEN = Pen("not in order", INK, "dotted")
OPENING = Pen("the connection opens", INK, "solid")
PENS = (ACTIVE, PASSIVE, TIMED, BROKEN, OPENING)

PATHS = {
    State.FIN_WAIT_1: ACTIVE,
    State.FIN_WAIT_2: ACTIVE,
    State.CLOSING: ACTIVE,
    State.TIME_WAIT: ACTIVE,
    State.CLOSE_WAIT: PASSIVE,
    State.LAST_ACK: PASSIVE,
}
"""The states that only one of the two ends passes through."""

LEVELS = (
    (State.FIN_WAIT_1, State.CLOSE_WAIT),
    (State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK),
)
"""The states that stand side by side."""

UNSAID = frozenset({"at RCV.NXT", "in the window", "acknowledges nothing unsent", "acknowledges nothing new"})
"""What the picture leaves to tooltip and table: that a segment has the numbers it should have."""

PLACES = frozenset({"in the window", "outside the window"})
"""Between them, everywhere."""

FONT = "Helvetica,Arial,sans-serif"


def as_dot(graph: nx.MultiDiGraph) -> str:
    """Graphviz source: who closes first and who closes second by colour and line, timers marked, sections as tooltips.

    Of several edges between the same states the plainest gives the label. Edges that stay are drawn for the TIME-WAIT
    timer and for the knobs of TIME-WAIT only. What ends several states alike, a RST or an ABORT, is said once, in a box.
    """
    condensed = condense(graph)
    condensed.remove_nodes_from([state for state, degree in list(condensed.degree) if degree == 0])
    picture = graphviz.Digraph("states")
    picture.attr("graph", bgcolor="transparent", nodesep="0.6", ranksep="0.55", tooltip=" ")
    picture.attr("node", shape="box", style="rounded", fontname=FONT, fontsize="14", color=INK, fontcolor=INK, penwidth="1.8")
    picture.attr("edge", fontname=FONT, fontsize="11", color=INK, fontcolor=INK, penwidth="1.8", arrowsize="0.8")
    for state, about in condensed.nodes(data=True):
        colour = PATHS.get(state, OPENING).colour
        stays = [edge for _, target, edge in condensed.out_edges(state, data=True) if target is state and _of_time_wait(edge)]
        size = "11" if stays else "14"
        picture.node(state, f"<{_inside(state, stays)}>", color=colour, fontcolor=colour, fontsize=size, tooltip=about["meaning"])
    for level in LEVELS:
        _side_by_side(picture, [state for state in level if state in condensed])
    alike = _alike(condensed)
    used = _draw(picture, condensed, {id(edge) for ends in alike.values() for _, edge in ends})
    if alike:
        picture.node(
            "alike", f"<{_box(alike)}>", style="rounded,dotted", fontsize="11", tooltip="What ends these states out of order"
        )
        _side_by_side(picture, ["alike", State.CLOSED])
        picture.edge("alike", State.CLOSED, tooltip="out of order", **_stroke(BROKEN))
        used.add(BROKEN)
    picture.node(
        "legend", f"<{_legend(pen for pen in PENS if pen in used)}>", shape="plain", fontsize="11", tooltip="What the lines mean"
    )
    return str(picture.source)


def _side_by_side(picture: Any, names: Iterable[str]) -> None:
    with picture.subgraph() as level:
        level.attr(rank="same")
        for name in names:
            level.node(name)


def _draw(picture: Any, graph: nx.MultiDiGraph, elsewhere: Collection[int]) -> set[Pen]:
    """Draw the edges that are not said elsewhere; return the pens used."""
    drawn: dict[tuple[State, State, Pen], list[Edge]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        if id(edge) not in elsewhere and source is not target:
            drawn[source, target, _pen(source, target, edge)].append(edge)
    for (source, target, pen), edges in drawn.items():
        label = _label(min(edges, key=lambda edge: len(edge["trigger"])))
        tips = {"tooltip": _tooltip(edges), "labeltooltip": _tooltip(edges)}
        picture.edge(source, target, f"<{label}>", **tips, **_stroke(pen))
    return {pen for _, _, pen in drawn}


def _of_time_wait(edge: Edge) -> bool:
    restarts = any(timer.endswith(Timer.TIME_WAIT) for timer in edge["timers"])
    return restarts or not {"answers", "restarts", "reset"}.isdisjoint(edge["knobs"])


def _pen(source: State, target: State, edge: Edge) -> Pen:
    if edge["trigger"].startswith("timer"):
        return TIMED
    if not ABRUPT.isdisjoint(edge["effects"]):
        return BROKEN
    return PATHS.get(target) or PATHS.get(source) or OPENING


def _stroke(pen: Pen) -> dict[str, str]:
    return {"color": pen.colour, "style": pen.style, "fontcolor": pen.colour}


def _alike(graph: nx.MultiDiGraph) -> dict[tuple[str, str, str], list[tuple[State, Edge]]]:
    """The edges to CLOSED that several states have alike, by event, guard and reply."""
    alike: dict[tuple[str, str, str], list[tuple[State, Edge]]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        if target is State.CLOSED and not ABRUPT.isdisjoint(edge["effects"]):
            alike[edge["trigger"], edge["guard"], edge["reply"]].append((source, edge))
    return {event: ends for event, ends in alike.items() if len(ends) > 1}


def _label(edge: Edge) -> str:
    """The plainest event, the guard and the answer, a line each."""
    name = _name(edge)
    lines = [f"<B>{name if name.startswith('any') else name.split(', ')[0]}</B>"]
    lines += [escape(phrase) for phrase in edge["guard"].split(", ") if phrase and phrase not in UNSAID]
    lines += [f"/ {edge['reply']}"] if edge["reply"] else []
    lines += _timers(edge)
    return _table([line] for line in lines)


def _inside(state: State, stays: Iterable[Edge]) -> str:
    """The name of a state and what it does without being left, answers first, a row each."""
    name = f"<B>{state}</B>"
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in sorted(stays, key=lambda edge: not edge["reply"]):
        answer = ", ".join([*filter(None, [edge["reply"]]), *_timers(edge)]) or "nothing"
        told = [phrase for phrase in edge["guard"].split(", ") if phrase in PLACES or phrase not in UNSAID]
        places[_name(edge), answer].append(", ".join(told))
    if not places:
        return name
    rows = [
        [f"<B>{event}</B>", "" if PLACES.issubset(where) else " or ".join(where), f"/ {answer}"]
        for (event, answer), where in places.items()
    ]
    return _table([[f'<FONT POINT-SIZE="14">{name}</FONT>', "", ""], *rows])


def _timers(edge: Edge) -> list[str]:
    """The timers started, marked; the retransmission timer goes without saying."""
    started = [timer for timer in edge["timers"] if not timer.endswith(Timer.RETRANSMISSION)]
    return [f'<FONT COLOR="{TIMED.colour}"><I>{timer}</I></FONT>' for timer in started]


def _name(edge: Edge) -> str:
    sort, _, name = edge["trigger"].partition(" ")
    return escape(f"{name} runs out" if sort == "timer" else name)


def _tooltip(edges: Iterable[Edge]) -> str:
    """Every edge in full."""
    return "\n".join(f"{_event(edge)} / {_answer(edge) or 'nothing'}   {_authority(edge)}" for edge in edges)


def _box(alike: Mapping[tuple[str, str, str], list[tuple[State, Edge]]]) -> str:
    rows = []
    for (_, phrases, reply), ends in alike.items():
        event = " ".join(filter(None, [f"<B>{_name(ends[0][1])}</B>", escape(phrases), reply and f"/ {reply}", "in"]))
        names = [state.value for state, _ in ends]
        rows.append([event, ",<BR/>".join(", ".join(names[first : first + 4]) for first in range(0, len(names), 4))])
    return _table(rows)


def _legend(pens: Iterable[Pen]) -> str:
    marks = {"solid": "&#9472;" * 4, "bold": "&#9473;" * 4, "dashed": "&#8211; " * 3, "dotted": "&#183; " * 5}
    return _table([f'<FONT COLOR="{pen.colour}">{text}</FONT>' for text in (marks[pen.style], pen.name)] for pen in pens)


def _table(rows: Iterable[Iterable[str]]) -> str:
    cells = ("".join(f'<TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD>' for cell in row) for row in rows)
    lines = "".join(f"<TR>{row}</TR>" for row in cells)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="2">{lines}</TABLE>'


# --- for machines -------------------------------------------------------------------------------------------------


def as_json(graph: nx.MultiDiGraph) -> str:
    """The graph as node-link JSON, every edge, in a fixed order."""
    nodes = [{"id": state.value, "meaning": about["meaning"]} for state, about in graph.nodes(data=True)]
    edges = [
        {"source": source.value, "target": target.value, "key": key, **{name: edge[name] for name in SHOWN}}
        for source, target, key, edge in graph.edges(keys=True, data=True)
    ]
    return json.dumps({"directed": True, "multigraph": True, "graph": {}, "nodes": nodes, "edges": edges}, indent=1) + "\n"


SHOWN = ("trigger", "guard", "reply", "timers", "rules", "section", "knobs", "effects")
"""The attributes of an edge that the JSON has."""
