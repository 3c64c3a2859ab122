"""The state diagram of an endpoint, derived from the functions of `timewait.spec.endpoint`.

The edges are the outcomes of all events (`timewait.spec.graph_events`); no rule of TCP is stated here. The guard of an edge
is found from the circumstances of its events (`timewait.spec.guards`), and the settings on which it depends by applying the
same events with each setting varied (`timewait.spec.setting_dependence`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache
from itertools import takewhile
from typing import Any

import networkx as nx

from timewait.spec.graph_events import EdgeClass, classified_events
from timewait.spec.guards import Circumstances, guard, joint_trigger
from timewait.spec.outcome import Timer
from timewait.spec.rules import RULES
from timewait.spec.setting_dependence import SettingDependence
from timewait.spec.settings import BEHAVIOUR, Behaviour
from timewait.spec.state import MEANING, State

CLOSE_PART = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
    State.CLOSED,
)
"""The states from ESTABLISHED to CLOSED."""

Graph = nx.MultiDiGraph
"""The type of `transition_graph`."""


@cache
def transition_graph(behaviour: Behaviour) -> nx.MultiDiGraph:
    """The state diagram of an endpoint, with every event.

    A node is a `State` with its ``meaning`` and, under ``silent``, the circumstances of the events that have no effect. An
    edge that stays in its state is kept only if it replies, starts a timer, or depends on a setting.

    Parameters
    ----------
    behaviour : Behaviour
        The settings of the endpoint.

    Returns
    -------
    networkx.MultiDiGraph
        Frozen and cached, since its derivation takes half a second. Nodes and edges have a fixed order. Each edge stands
        for the events of one trigger that have the same outcome and rules. Its attributes are ``trigger``, ``guard``,
        ``reply``, ``timers``, ``rules``, ``section``, ``settings``, ``effects``, and ``cases``: the circumstances in which
        it is taken.
    """
    events = classified_events(behaviour)
    dependence = SettingDependence(behaviour)
    settings = {
        edge: _in_order(set().union(*(dependence.of(*event) for event in samples.values()))) for edge, samples in events.items()
    }
    silent = {edge for edge in events if edge.silent and not settings[edge]}
    graph = nx.MultiDiGraph()
    for state in State:
        cases = {case for edge in silent if edge.source is state for case in events[edge]}
        graph.add_node(state, meaning=MEANING[state], silent=frozenset(cases))
    for edge in sorted(events.keys() - silent, key=lambda edge: edge.rank):
        _add(graph, edge, frozenset(events[edge]), settings[edge])
    return nx.freeze(_guarded(graph))


def _in_order(settings: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in BEHAVIOUR if name in settings)


def _add(graph: nx.MultiDiGraph, edge: EdgeClass, cases: frozenset[Circumstances], settings: tuple[str, ...]) -> None:
    attributes = {name: getattr(edge, name) for name in ("trigger", "reply", "timers", "rules", "effects")}
    graph.add_edge(edge.source, edge.target, **attributes, section=section(edge.rules), settings=settings, cases=cases)


def _guarded(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph with the guard of every edge."""
    for state, about in graph.nodes(data=True):
        edges = [edge for _, _, edge in graph.out_edges(state, data=True)]
        for edge in edges:
            others = about["silent"].union(*(other["cases"] for other in edges if other is not edge))
            edge["guard"] = guard(edge["cases"], others)
    return graph


def section(rules: Iterable[str]) -> str:
    """The sections of the rules, each once; words that a section shares with the one before are not repeated."""
    cited: list[str] = []
    before: list[str] = []
    for cited_section in dict.fromkeys(RULES[rule].section for rule in rules):
        words = cited_section.split()
        same = takewhile(lambda pair: pair[0] == pair[1], zip(words, before, strict=False))
        cited.append(" ".join(words[len(list(same)) :]))
        before = words
    return ", ".join(cited)


def close_part(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The part from ESTABLISHED to CLOSED."""
    part = graph.copy()
    part.remove_nodes_from([state for state in State if state not in CLOSE_PART])
    return part


def condense(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph with like edges joined.

    Like edges have source, target, reply, effects, the last rule and that of the first step in common, and start the same
    timers, the retransmission timer apart. A joined edge has the rules and sections that all of them share, and the triggers
    and settings of each.
    """
    joined: dict[EdgeClass, list[dict[str, Any]]] = defaultdict(list)
    # Where the ACK field of a segment outside the window counts, a SYN is the exception.
    apart = any("sequence.dropped-ack" in edge["rules"] for _, _, edge in graph.edges(data=True))
    for source, target, edge in graph.edges(data=True):
        timers = tuple(timer for timer in edge["timers"] if not timer.endswith(Timer.RETRANSMISSION))
        syn = "SYN" if apart and edge["trigger"].startswith("segment SYN") else ""
        joined[EdgeClass(source, target, syn, edge["reply"], timers, _telling(edge["rules"]), edge["effects"])].append(edge)
    condensed = nx.MultiDiGraph()
    condensed.add_nodes_from(graph.nodes(data=True))
    for edge_class, edges in joined.items():
        joint = edge_class._replace(
            trigger=joint_trigger({case.trigger for edge in edges for case in edge["cases"]}),
            timers=_shared(edge["timers"] for edge in edges),
            rules=_shared(edge["rules"] for edge in edges),
        )
        cases = frozenset[Circumstances]().union(*(edge["cases"] for edge in edges))
        _add(condensed, joint, cases, _in_order({name for edge in edges for name in edge["settings"]}))
    return _guarded(condensed)


def _telling(rules: tuple[str, ...]) -> tuple[str, ...]:
    """The last rule, and that of the first step."""
    return tuple(rule for rule in rules if rule == rules[-1] or rule.startswith("sequence."))


def _shared(tuples: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The items that all tuples share, in the order of the first."""
    first, *rest = tuples
    return tuple(item for item in first if all(item in other for other in rest))
