"""The state diagram as a table to read, and as JSON."""

from __future__ import annotations

import json
import textwrap

import networkx as nx

from timewait.diagrams.edges import GraphEdgeData, answer, authority, event, sort_of
from timewait.narration.graph_use import GraphUse
from timewait.spec.graph import condense
from timewait.spec.state import State

WIDTH = 100
"""Characters before the column of the sections."""

NARROWEST = 40


def as_text(graph: nx.MultiDiGraph, width: int | None = None, use: GraphUse | None = None) -> str:
    """One block per state: what it means, the edges that leave it, and those that answer without leaving.

    An edge reads ``event [guard] / reply, timers -> STATE``, then where the standard says so, then the settings.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As `timewait.spec.graph.transition_graph` makes it, or a part of it.
    width : int or None
        Characters in a line at most, so that long edges are broken; None: each edge in one line, sections in a column.
    use : Use or None
        A run whose steps are marked.
    """
    condensed = condense(graph)
    blocks = []
    for state, about in condensed.nodes(data=True):
        most = max(min(width or WIDTH, WIDTH), NARROWEST)
        meaning = textwrap.fill(about["meaning"], most, initial_indent="  ", subsequent_indent="  ")
        edges = sorted(condensed.out_edges(state, data=True), key=lambda edge: (edge[0] is edge[1], sort_of(edge[2])))
        blocks.append("\n".join([state.value, meaning, *(_row(one, other, edge, width, use) for one, other, edge in edges)]))
    return "\n\n".join(blocks) + "\n"


def _row(source: State, target: State, edge: GraphEdgeData, width: int | None, use: GraphUse | None) -> str:
    done = answer(edge) or ("nothing" if source is target else "")
    steps = use.takers(source, target, edge["cases"]) if use is not None else ""
    line = f"{event(edge)}{done and ' / '}{done} -> {'(stays)' if source is target else target}{steps and f'   <== {steps}'}"
    mark = "  > " if steps else "    "
    if width is None:
        return f"{mark + line:{WIDTH}}  {authority(edge)}"
    most = max(width, NARROWEST)
    broken = textwrap.fill(line, most, initial_indent=mark, subsequent_indent=" " * 10, break_on_hyphens=False)
    if "\n" not in broken and len(broken) + 2 + len(authority(edge)) <= most:
        return f"{broken}{authority(edge):>{most - len(broken)}}"
    return "\n".join([broken, textwrap.fill(authority(edge), most, initial_indent=" " * 10, subsequent_indent=" " * 10)])


def as_json(graph: nx.MultiDiGraph) -> str:
    """The graph as node-link JSON, every edge, in a fixed order."""
    nodes = [{"id": state.value, "meaning": about["meaning"]} for state, about in graph.nodes(data=True)]
    edges = [
        {
            "source": source.value,
            "target": target.value,
            "key": key,
            **{JSON_NAMES.get(name, name): edge[name] for name in SHOWN},
        }
        for source, target, key, edge in graph.edges(keys=True, data=True)
    ]
    return json.dumps({"directed": True, "multigraph": True, "graph": {}, "nodes": nodes, "edges": edges}, indent=1) + "\n"


SHOWN = ("trigger", "guard", "reply", "timers", "rules", "section", "settings", "effects")
"""The attributes of an edge that the JSON has."""

JSON_NAMES = {"settings": "knobs"}
"""The attributes whose name in the JSON is another one, kept for the readers of earlier files."""
