"""Fair lassos in an explored state space: runs without end along which an ``eventually`` property stays pending.

A run counts when time diverges along it (some tick recurs) and it is strongly fair: an edge of a fairness name is
taken infinitely often if one is possible infinitely often. Strongly connected components are split by the usual
recursion for strong fairness: a state in which a name is possible that the component never serves recurs in no fair run,
and is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise

import networkx as nx

from timewait.checker.bounded_process import bounded
from timewait.checker.engine import DecisionEngine, Exploration, proof
from timewait.checker.explicit import Explicit, TickEngine, packed
from timewait.checker.finding import Budget, Finding, Run, Stopped
from timewait.checker.packed_lasso import has_fair_lasso
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.question import Engine, Question
from timewait.checker.search import TICK
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Property


def find_lasso(explored: Explicit, asked: Property) -> Run | None:
    """A fair run along which an ``eventually`` property stays pending for ever, if there is one.

    Parameters
    ----------
    explored : Explicit
        A complete exploration.
    asked : Property
        The property; if it has recurrent edges, one of them must recur.
    """
    for component in fair_components(_pending_part(explored, asked.name)):
        if any(step == TICK for _, _, step in component.edges(keys=True)):
            recurrent = _recurrent(explored, component, asked.name) if asked.recurrent else []
            if recurrent or not asked.recurrent:
                return _run(explored, component, recurrent[:1])
    return None


def _pending_part(explored: Explicit, name: str) -> nx.MultiDiGraph:
    """The states in which a property is pending, with the steps among them and the fairness names possible in each."""
    graph = nx.MultiDiGraph()
    inside = [number for number, (place, _) in enumerate(explored.nodes) if name in explored.location(place).pending]
    graph.add_nodes_from(inside)
    for number in inside:
        state = explored.nodes[number]
        edges = explored.edges_of(state)
        possible: set[str] = set()
        for step, target in explored.after(state):
            fair: frozenset[str] = frozenset() if step == TICK else edges[step].fair
            possible |= fair
            arrival = explored.number(target)
            assert arrival is not None, "the exploration is complete"
            if arrival in graph:
                graph.add_edge(number, arrival, key=step, fair=fair)
        graph.nodes[number]["possible"] = frozenset(possible)
    return graph


def fair_components(graph: nx.MultiDiGraph) -> Iterator[nx.MultiDiGraph]:
    """The parts of a graph in which a strongly fair run can stay for ever, moving."""
    waiting = [graph]
    while waiting:
        whole = waiting.pop()
        for nodes in nx.strongly_connected_components(whole):
            component = whole.subgraph(nodes)
            if component.number_of_edges() == 0:
                continue
            served = frozenset().union(*(fair for _, _, fair in component.edges(data="fair")))
            starved = [node for node, possible in component.nodes(data="possible") if possible - served]
            if starved:
                waiting.append(component.subgraph(nodes - set(starved)).copy())
            else:
                yield component


def _recurrent(explored: Explicit, component: nx.MultiDiGraph, name: str) -> list[tuple[int, int, int]]:
    return [
        (source, target, step)
        for source, target, step in sorted(component.edges(keys=True))
        if step != TICK and name in explored.edges_of(explored.nodes[source])[step].recurrent
    ]


def _run(explored: Explicit, component: nx.MultiDiGraph, required: list[tuple[int, int, int]]) -> Run:
    """A run into the component and once round it, through the required steps, a tick, and every fairness name."""
    entry = min(component.nodes)
    path: list[tuple[int, int]] = []
    here = entry
    for source, target, step in [*required, *_one_each(component)]:
        path += [*_shortest(component, here, source), (source, step)]
        here = target
    path += _shortest(component, here, entry)
    stem = explored.run_to(entry)
    return Run((*stem.moves, *explored.moves(path)), loop=len(stem.moves))


def _one_each(component: nx.MultiDiGraph) -> list[tuple[int, int, int]]:
    """A tick, and for each fairness name a step that serves it."""
    chosen: dict[str, tuple[int, int, int]] = {}
    for source, target, step, fair in sorted(component.edges(keys=True, data="fair"), key=lambda edge: edge[:3]):
        for name in fair if step != TICK else ("time passes",):
            chosen.setdefault(name, (source, target, step))
    return list(dict.fromkeys(chosen.values()))


def _shortest(component: nx.MultiDiGraph, source: int, target: int) -> list[tuple[int, int]]:
    nodes = nx.shortest_path(component, source, target)
    return [(here, min(component[here][there])) for here, there in pairwise(nodes)]


def _stopped(finding: Finding, unit: Fraction, reason: str) -> Finding:
    """The finding where a bound was reached: the reason names the ticks."""
    return replace(finding, reason=f"in ticks of {float(unit):g} s: {reason}")


class LassoEngine(DecisionEngine):
    """Fair lassos among all states in ticks; a proof holds for whole ticks only."""

    label = TickEngine.label
    kind = "eventually"
    choices = frozenset({Engine.AUTO, Engine.EXPLICIT, Engine.ZONES, Engine.SMT})

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent = replace(budget.fresh(), seconds=min(budget.seconds, budget.seconds_in_ticks))
        states = packed(question, spent)
        if states is None:
            return self._by_specification(question, properties, spent)
        findings = [self._proof(question, asked, states, spent) for asked in properties]
        broken = [asked for asked, found in zip(properties, findings, strict=True) if found is None]
        runs = {found.name: found for found in self._by_specification(question, broken, spent)} if broken else {}
        for name, found in runs.items():
            if found.verdict is Verdict.PROVED:
                runs[name] = found.but(Verdict.DISAGREEMENT, "the states have a fair lasso, and the specification has none")
        return [runs[asked.name] if found is None else found for asked, found in zip(properties, findings, strict=True)]

    def _proof(self, question: Question, asked: Property, states: PackedTicks, spent: Budget) -> Finding | None:
        """The finding by compiled functions; None where they say that there is a lasso, so that a run is wanted."""
        finding = Finding(asked.name, Verdict.INCONCLUSIVE, self.label, states=len(states))
        try:
            if not states.stopped and has_fair_lasso(states, asked, spent):
                return None
        except Stopped as stopped:
            return _stopped(replace(finding, seconds=spent.elapsed), states.unit, str(stopped))
        finding = replace(finding, seconds=spent.elapsed)
        return self._proved(question, finding, states, states.unit, bool(states.dead_ends))

    def _by_specification(self, question: Question, properties: Sequence[Property], spent: Budget) -> list[Finding]:
        """The findings by the exploration that reads the specification, with the runs."""
        explored = Explicit(question.compiled)
        explored.explore(spent)
        return [self._decide(question, asked, explored, spent) for asked in properties]

    def _decide(self, question: Question, asked: Property, explored: Explicit, spent: Budget) -> Finding:
        finding = Finding(asked.name, Verdict.INCONCLUSIVE, self.label, states=len(explored.nodes))
        try:
            lasso = None if explored.stopped else bounded(partial(find_lasso, explored, asked), spent)
        except Stopped as stopped:
            return _stopped(replace(finding, seconds=spent.elapsed), explored.unit, str(stopped))
        finding = replace(finding, seconds=spent.elapsed)
        if lasso is not None:
            return replace(finding, verdict=Verdict.VIOLATED, run=lasso)
        return self._proved(question, finding, explored, explored.unit, bool(explored.time_locked))

    @staticmethod
    def _proved(question: Question, finding: Finding, explored: Exploration, unit: Fraction, time_locked: bool) -> Finding:
        """The finding where no lasso was found: a proof for whole ticks if the exploration is complete."""
        if explored.stopped:
            return _stopped(finding, unit, explored.stopped)
        proved = replace(finding, verdict=Verdict.PROVED, reason=f"in whole ticks of {float(unit):g} s")
        return proof(question, proved, explored.witnessed, time_locked)
