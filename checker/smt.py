"""The SMT engine: an inductive invariant by Spacer, or a violating run by bounded model checking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from timewait.checker import horn
from timewait.checker.bounded import search
from timewait.checker.bounded_process import bounded
from timewait.checker.certificate import InvariantCertificate, Statement, rejection_by_z3
from timewait.checker.engine import DecisionEngine, proof
from timewait.checker.finding import Budget, Finding, Stopped
from timewait.checker.linear import Terms
from timewait.checker.question import Engine, Question
from timewait.checker.symbolic import Symbolic
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Property

MAX_STEPS = 16
"""Steps of the longest run that bounded model checking looks for."""

SHARE_OF_SPACER = 0.5
"""The part of the time that Spacer may use, so that time is left for bounded model checking."""


class SmtEngine(DecisionEngine):
    """A proof where Spacer finds an invariant, else a run or nothing."""

    label = "smt, bounded and inductive"
    kind = "always"
    choices = frozenset({Engine.SMT})

    def supports(self, question: Question) -> bool:
        return question.finite is not None

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        return [self._bounded(question, asked, budget.fresh()) for asked in properties]

    def _bounded(self, question: Question, asked: Property, budget: Budget) -> Finding:
        """The finding about a property, within the budget."""
        question.whole.explore()  # before the process is forked, so that it is explored once for all properties
        try:
            return bounded(lambda: self._decide(question, asked, budget), budget)
        except Stopped as stopped:
            return Finding(asked.name, Verdict.INCONCLUSIVE, self.label, reason=str(stopped), seconds=budget.elapsed)

    def _decide(self, question: Question, asked: Property, budget: Budget) -> Finding:
        symbolic = Symbolic(question.whole, frozenset({asked.name}))
        answer = horn.solve(symbolic, budget.seconds * SHARE_OF_SPACER)
        finding = Finding(asked.name, Verdict.PROVED, self.label, states=len(symbolic.cone))
        if answer.invariant is not None:
            terms: dict[str, Terms] = {name: {"": value} for name, value in question.system.parameters.items()}
            statement = Statement(question.whole.system, frozenset({asked.name}), terms)
            rejection = rejection_by_z3(InvariantCertificate(statement, horn.as_text(symbolic, answer.invariant)))
            finding = replace(finding, seconds=budget.elapsed)
            if rejection:
                return finding.but(Verdict.DISAGREEMENT, f"the invariant was rejected: {rejection}")
            return proof(question, finding, _witnessed(question, asked, budget), question.may_time_lock)
        searched = search(symbolic, MAX_STEPS, budget)
        finding = replace(finding, seconds=budget.elapsed)
        if searched.found is not None:
            return replace(finding, verdict=Verdict.VIOLATED, run=searched.found.run)
        return finding.but(Verdict.INCONCLUSIVE, "; ".join(filter(None, (answer.reason, searched.reason))))


def _witnessed(question: Question, asked: Property, budget: Budget) -> set[str]:
    """The witnesses of a property that some run fulfils, by bounded model checking."""
    return {
        name
        for name in question.witnesses.get(asked.name, ())
        if search(Symbolic(question.whole, frozenset({name})), MAX_STEPS, budget.fresh()).found is not None
    }
