"""The engine that explores the zones of an over-approximation, and concretises its runs in the system itself.

An over-approximation has every run of the system, and perhaps more. A proof in it holds for the system. A violation
counts only once it is concretised: the system has a run with the same actions, perhaps with other delays. Such a violation
carries the label of the engine for zones, since its run is a run of the system.

The same holds for the witnesses of a proof, which are carried out on the specification too. The shortest run of an
over-approximation often leaves out a message that must be delivered, and the system cannot take it. Then the actions are those of
a run of a small system, whose states in ticks are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge, CompiledLocation, CompiledPath
from timewait.checker.engine import DecisionEngine, proof
from timewait.checker.explicit import packed_until_witnessed
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.question import Engine, Question
from timewait.checker.replay import is_possible
from timewait.checker.schedule import delays
from timewait.checker.time_unit import unit_of
from timewait.checker.verdict import Verdict
from timewait.checker.zones import ZoneEngine, Zones
from timewait.vocabulary.automaton import Action, Property

MAX_PATHS = 100
"""Paths of the system that are tried for one run, at most."""


def concretised(exact: CompiledAutomaton, zones: Zones, where: tuple[int, int], name: str) -> Run | None:
    """A run of the system that takes the same actions as a run of its over-approximation; None when none was found.

    Parameters
    ----------
    exact : CompiledAutomaton
        The system.
    zones : Zones
        An exploration of its over-approximation, whose edges have the actions of the system.
    where : (int, int)
        The node, and the edge out of it, that violate or witness a property.
    name : str
        That property; the last edge of the run must violate or witness it too.
    """
    choices = [_indistinguishable(*step) for step in zones.path_to(*where)]
    return _taken(islice(paths(exact, choices, exact.start), MAX_PATHS), zones.values, name)


def run_with(system: CompiledAutomaton, actions: Sequence[Action]) -> Run | None:
    """A run of a system with these actions and any delays, at the system's own values; None when there is none."""
    return _taken(paths(system, [[action] for action in actions], system.start), system.system.parameters, "")


def _taken(candidates: Iterable[CompiledPath], values: Mapping[str, Fraction], name: str) -> Run | None:
    """The first path that is possible, as a run; with a name, its last edge violates or witnesses that property."""
    for path in candidates:
        if name and name not in path[-1][1].original.violates | path[-1][1].original.witnesses:
            continue
        if (waits := delays(path, values, unit_of(values))) is not None:
            return Run(tuple(Move(wait, edge.original.action) for wait, (_, edge) in zip(waits, path, strict=True)))
    return None


def concretised_witnesses(question: Question, zones: Zones, names: Iterable[str]) -> set[str]:
    """The ``sometimes`` properties that an over-approximation witnesses by runs that the system can take."""
    met = {name: concretised(question.compiled, zones, zones.witnessed[name], name) for name in names if name in zones.witnessed}
    return {name for name, run in met.items() if run is not None and is_possible(question.initial_state, run)}


def witnessed_as_in_small_systems(question: Question, names: Set[str], budget: Budget) -> set[str]:
    """The ``sometimes`` properties that the system witnesses by the actions of a shortest run of a small system.

    Parameters
    ----------
    question : Question
        The system, and the small systems.
    names : set of str
        The properties that are looked for.
    budget : Budget
        What is left for all of it.
    """
    exact, found = question.compiled, set[str]()
    for small in question.small:
        if (left := names - found) and (explored := packed_until_witnessed(small, budget, left)) is not None:
            for name in left & explored.witnessed.keys():
                choices = [[action] for action in explored.run_to(*explored.witnessed[name]).actions]
                tried = islice(paths(exact, choices, exact.start), MAX_PATHS)
                run = _taken(tried, question.system.parameters, name)
                if run is not None and is_possible(question.initial_state, run):
                    found.add(name)
    return found


def _indistinguishable(location: CompiledLocation, edge: CompiledEdge) -> list[Action]:
    """The actions of an edge and of the edges with the same guard, target and updates, its own first."""
    same = [other for other in location.edges if other[:3] == edge[:3] and other is not edge]
    return [other.original.action for other in (edge, *same)]


def paths(automaton: CompiledAutomaton, choices: Sequence[Sequence[Action]], number: int) -> Iterator[CompiledPath]:
    """The paths from a location that take at each step one of some actions; several where an action fits several packets."""
    if not choices:
        yield []
        return
    location = automaton.location(number)
    for action in choices[0]:
        for edge in location.edges:
            if edge.original.action.identity == action.identity:
                for rest in paths(automaton, choices[1:], edge.target):
                    yield [(location, edge), *rest]


class OverApproximationEngine(DecisionEngine):
    """The zones of the over-approximation; it proves properties, and reports violations that can be concretised."""

    label = "zones, dense time, over-approximated"
    kind = "always"
    choices = frozenset({Engine.AUTO, Engine.ZONES})

    def supports(self, question: Question) -> bool:
        return question.over_approximation is not None

    def coarse(self, question: Question) -> CompiledAutomaton:
        """The quotient to explore."""
        return question.coarse

    def zones(self, question: Question) -> Zones:
        """The exploration, which may have begun already."""
        return question.shared.once(self.coarse(question), Zones)

    def may_time_lock(self, question: Question) -> bool:
        """Whether time may stop in the system with nothing left to happen."""
        return question.may_time_lock

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent, zones = budget.fresh(), self.zones(question)
        zones.explore(spent, frozenset(asked.name for asked in properties))
        required = {name for asked in properties for name in question.witnesses.get(asked.name, ())}
        witnessed = concretised_witnesses(question, zones, required)
        witnessed |= witnessed_as_in_small_systems(question, zones.witnessed.keys() & required - witnessed, spent)
        findings = []
        for asked in properties:
            finding = Finding(asked.name, Verdict.PROVED, self.label, states=len(zones))
            unconfirmed = zones.witnessed.keys() & set(question.witnesses.get(asked.name, ())) - witnessed
            if (where := zones.broken.get(asked.name)) is not None:
                run = concretised(question.compiled, zones, where, asked.name)
                if run is None:
                    continue
                finding = replace(finding, verdict=Verdict.VIOLATED, engine=ZoneEngine.label, run=run)
            elif unconfirmed:
                continue
            elif zones.stopped:
                finding = finding.but(Verdict.INCONCLUSIVE, zones.stopped)
            else:
                finding = proof(question, finding, witnessed, self.may_time_lock(question))
            findings.append(replace(finding, seconds=spent.elapsed))
        return findings
