"""The transition graph as a table to read, and as JSON."""

from __future__ import annotations

import json
import textwrap

import networkx as nx

from timewait.diagrams.edges import GraphEdgeData, citation, event, kind_order, response
from timewait.narration.graph_use import GraphUse
from timewait.spec.graph import condense
from timewait.spec.state import State

WIDTH = 100
"""Characters before the column of the sections."""

NARROWEST = 40

ATTRIBUTES = ("trigger", "guard", "reply", "timers", "rules", "section", "settings", "effects")
"""The attributes of an edge in JSON, where ``settings`` is called ``knobs``."""


def as_text(graph: nx.MultiDiGraph, width: int | None = None, use: GraphUse | None = None) -> str:
    """One block for each state: its meaning, the edges that leave it, and the edges that stay.

    An edge reads ``event [guard] / reply, timers -> STATE``, then the section of the standard and the settings.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        A graph of `timewait.spec.graph.transition_graph`, or a part of one.
    width : int or None
        The longest line in characters; None: no limit, sections in a column.
    use : GraphUse or None
        A run whose steps are marked.
    """
    condensed = condense(graph)
    blocks = []
    for state, attributes in condensed.nodes(data=True):
        most = max(min(width or WIDTH, WIDTH), NARROWEST)
        meaning = textwrap.fill(attributes["meaning"], most, initial_indent="  ", subsequent_indent="  ")
        edges = sorted(condensed.out_edges(state, data=True), key=lambda edge: (edge[0] is edge[1], kind_order(edge[2])))
        rows = [_row(source, target, edge, width, use) for source, target, edge in edges]
        blocks.append("\n".join([state.value, meaning, *rows]))
    return "\n\n".join(blocks) + "\n"


def _row(source: State, target: State, edge: GraphEdgeData, width: int | None, use: GraphUse | None) -> str:
    done = response(edge) or ("nothing" if source is target else "")
    steps = use.takers(source, target, edge["cases"]) if use is not None else ""
    line = f"{event(edge)}{done and ' / '}{done} -> {'(stays)' if source is target else target}{steps and f'   <== {steps}'}"
    mark = "  > " if steps else "    "
    if width is None:
        return f"{mark + line:{WIDTH}}  {citation(edge)}"
    most = max(width, NARROWEST)
    text = textwrap.fill(line, most, initial_indent=mark, subsequent_indent=" " * 10, break_on_hyphens=False)
    if "\n" not in text and len(text) + 2 + len(citation(edge)) <= most:
        return f"{text}{citation(edge):>{most - len(text)}}"
    return "\n".join([text, textwrap.fill(citation(edge), most, initial_indent=" " * 10, subsequent_indent=" " * 10)])


def as_json(graph: nx.MultiDiGraph) -> str:
    """The graph as node-link JSON, every edge, in a fixed order."""
    nodes = [{"id": state.value, "meaning": attributes["meaning"]} for state, attributes in graph.nodes(data=True)]
    edges = [
        {"source": source.value, "target": target.value, "key": key}
        | {"knobs" if name == "settings" else name: edge[name] for name in ATTRIBUTES}
        for source, target, key, edge in graph.edges(keys=True, data=True)
    ]
    return json.dumps({"directed": True, "multigraph": True, "graph": {}, "nodes": nodes, "edges": edges}, indent=1) + "\n"
