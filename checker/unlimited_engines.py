"""The engines for large systems: a network without limits (see `timewait.checker.unlimited`), and narrower systems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.engine import TIME_LOCK, DecisionEngine
from timewait.checker.finding import Budget, Finding, Stopped
from timewait.checker.guided import GuidedEngine
from timewait.checker.over_approximated import OverApproximationEngine
from timewait.checker.question import Engine, Question
from timewait.checker.quotient_graph import may_stay_pending_unlimited
from timewait.checker.unlimited import UnlimitedGraph
from timewait.checker.verdict import Verdict
from timewait.checker.zones import ZoneEngine
from timewait.vocabulary.automaton import Property

MAX_NARROW_ZONES = 50_000
"""Zones of a narrower system that are explored, at most."""


class UnlimitedGraphEngine(DecisionEngine):
    """Proofs of liveness from the graph of the unlimited system, for every value of every duration."""

    label = "graph, every duration, network without limits"
    kind = "eventually"
    choices = frozenset({Engine.AUTO, Engine.ZONES, Engine.SMT})

    def supports(self, question: Question) -> bool:
        return question.takes_unlimited

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        spent, graph, findings = budget.fresh(), question.unlimited_graph, list[Finding]()
        assert graph is not None, "the engine does not support this question"
        if stopped := spent.exceeded(len(graph), 0):
            raise Stopped(stopped)
        for asked in properties:
            if question.shared.once((graph, asked), _may_stay_pending):
                continue
            finding = Finding(asked.name, Verdict.PROVED, self.label, states=len(graph))
            if graph.may_lock():
                finding = finding.but(Verdict.VACUOUS, TIME_LOCK)
            findings.append(replace(finding, seconds=spent.elapsed))
        return findings


def _may_stay_pending(asked: tuple[UnlimitedGraph, Property]) -> bool:
    """Whether a property may stay pending in a graph."""
    graph, entry = asked
    return may_stay_pending_unlimited(graph.quotient, entry)


class NarrowerEngine(DecisionEngine):
    """Violations of a large system that narrower systems have too; that they have none proves nothing."""

    label = ZoneEngine.label
    kind = "always"
    choices = frozenset({Engine.AUTO, Engine.ZONES})

    def supports(self, question: Question) -> bool:
        return bool(question.narrower) and question.takes_unlimited

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        violated: dict[str, Finding] = {}
        with suppress(Stopped):  # what is left open is left to others
            for finding in self._violations(question, properties, budget.fresh()):
                violated.setdefault(finding.name, finding)
        return [violated[asked.name] for asked in properties if asked.name in violated]

    def _violations(self, question: Question, properties: Sequence[Property], whole: Budget) -> Iterator[Finding]:
        """The violations in narrower systems, within one budget for all of them."""
        met: set[str] = set()
        for narrow in question.narrower:
            left = [asked for asked in properties if asked.name not in met]
            procedures = (OverApproximationEngine(), ZoneEngine() if narrow.system.dense else GuidedEngine())
            states = min(whole.states, MAX_NARROW_ZONES)
            narrow = replace(narrow, quotient_budget=replace(whole, states=states, seconds=whole.seconds - whole.elapsed))
            for procedure in procedures:
                if not left:
                    break
                rest = replace(whole, states=states, seconds=whole.seconds - whole.elapsed)
                found = {finding.name: finding for finding in procedure.decide(narrow, left, rest)}
                left = [asked for asked in left if asked.name not in found]  # runs that the narrow system could not take
                violated = [finding for finding in found.values() if finding.verdict is Verdict.VIOLATED]
                met |= {finding.name for finding in violated}
                yield from violated


class UnlimitedZoneEngine(OverApproximationEngine):
    """The zones of an over-approximation without limits on the network; what it leaves open is left to others."""

    label = "zones, dense time, network without limits"

    def supports(self, question: Question) -> bool:
        return question.unlimited_approximation is not None and question.takes_unlimited

    def coarse(self, question: Question) -> CompiledAutomaton:
        assert question.unlimited_approximation is not None, "the engine does not support this question"
        return question.quotient_of(question.unlimited_approximation)

    def may_time_lock(self, question: Question) -> bool:
        assert question.unlimited_graph is not None, "the engine does not support this question"
        return question.unlimited_graph.may_lock()
