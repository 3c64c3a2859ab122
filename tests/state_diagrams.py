"""Transition graphs of several behaviours, for the tests of their diagrams."""

from __future__ import annotations

from functools import cache

import networkx as nx

from timewait.spec.graph import transition_graph
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.spec.state import State

S = State
SVG = "{http://www.w3.org/2000/svg}"

BEHAVIOURS = {
    "default": Behaviour(),
    "letter": Behaviour(answers=EVERY_ARRIVAL, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT),
    "orphan": Behaviour(reset=ResetRule.WINDOW, retries=2, backoff=3, fin_wait_2=True, late_data_reset=True, abandons=True),
    "forgetful": Behaviour(time_wait=False),
    "abortive": Behaviour(linger_zero=True),
}


@cache
def graphs() -> dict[str, nx.MultiDiGraph]:
    """Derive each graph, once."""
    return {name: transition_graph(behaviour) for name, behaviour in BEHAVIOURS.items()}
