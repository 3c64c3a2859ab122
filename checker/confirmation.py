"""The second way to an answer: each proof is confirmed by another engine, or by a check of what the first one found.

A violation has its second way already: the replay on the specification. A proof gets one here. The ways in `WAYS` are asked in
order, each about the proofs that it is independent of, until one has an answer:

- The zones that a search stored are checked as an inductive invariant, by shortest paths (`timewait.checker.zone_invariant`).
- Liveness by the graph of a system is proved by the graph of the network without limits, too; where that graph was the first
  way, a plain search repeats it, which shares no compiled function with the first.
- What ticks or a solver proved is proved by zones.
- Every state in ticks is explored, where they are few.

Two ways that contradict each other are a disagreement. Where no second way has an answer, the first one stands, and the
confirmation says why it is missing: it never counts as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

from timewait.checker.decide import Answer, decide
from timewait.checker.explicit import TickEngine
from timewait.checker.finding import Budget, Confirmation, Finding, Stopped
from timewait.checker.lasso import LassoEngine
from timewait.checker.over_approximated import OverApproximationEngine
from timewait.checker.question import Engine, Question
from timewait.checker.quotient_table import QuotientTable
from timewait.checker.structural import GraphEngine
from timewait.checker.unlimited_engines import UnlimitedGraphEngine, UnlimitedZoneEngine
from timewait.checker.verdict import Verdict
from timewait.checker.zone_invariant import leads_out
from timewait.checker.zones import ZoneEngine, Zones
from timewait.vocabulary.automaton import Property

MOST_STATES = 300_000
"""States in ticks of a second way, at most."""

MOST_SECONDS = 10.0
"""Time of a second way, at most, in seconds."""

NONE = Confirmation("", Verdict.INCONCLUSIVE, "there is no second way")
"""No way is independent of the first."""

Proof = tuple[Property, Finding]
"""A property, and the finding that proves it."""


class SecondWay(Protocol):
    """A way to confirm proofs."""

    def applies(self, question: Question, asked: Property, finding: Finding) -> bool:
        """Whether it is independent of the engine of a finding, and decides properties of this kind."""

    def confirm(self, question: Question, proofs: Sequence[Proof], budget: Budget) -> list[Confirmation]:
        """What it says of each of some proofs that it applies to.

        Raises
        ------
        Stopped
            The budget is used up.
        """


class InvariantCheck(SecondWay):
    """The stored zones as an inductive invariant."""

    way: ClassVar[str] = "invariant by shortest paths"
    engines: ClassVar = {engine.label: engine for engine in (ZoneEngine(), OverApproximationEngine(), UnlimitedZoneEngine())}

    def applies(self, question: Question, asked: Property, finding: Finding) -> bool:
        del asked  # the engines decide one kind
        return self._zones(question, finding) is not None

    def confirm(self, question: Question, proofs: Sequence[Proof], budget: Budget) -> list[Confirmation]:
        del budget  # linear in what is stored already
        return [self._confirmed(question, finding) for _, finding in proofs]

    def _confirmed(self, question: Question, finding: Finding) -> Confirmation:
        zones = self._zones(question, finding)
        assert zones is not None, "the way does not apply"
        out = question.shared.once(zones, leads_out)
        return Confirmation(self.way, Verdict.VIOLATED if out else Verdict.PROVED, out and f"the zones do not cover {out}")

    def _zones(self, question: Question, finding: Finding) -> Zones | None:
        """The finished exploration that proves a property: that of the question, or of its refinements."""
        engine, asked = self.engines.get(finding.engine), question
        while engine is not None and engine.supports(asked):
            zones = engine.zones(asked)
            if len(zones) and not zones.stopped and finding.name not in zones.broken:
                return zones if isinstance(zones.automaton, QuotientTable) else None
            if asked.refined is None:
                break
            asked = asked.refined
        return None


class PlainGraph(SecondWay):
    """The graph of the network without limits, searched by functions that are not compiled."""

    def applies(self, question: Question, asked: Property, finding: Finding) -> bool:
        first = finding.engine in (GraphEngine.label, UnlimitedGraphEngine.label, LassoEngine.label)
        return asked.kind == "eventually" and first and question.unlimited_graph is not None

    def confirm(self, question: Question, proofs: Sequence[Proof], budget: Budget) -> list[Confirmation]:
        del budget  # linear in a graph that is built already
        return [self._confirmed(question, asked, finding) for asked, finding in proofs]

    @staticmethod
    def _confirmed(question: Question, asked: Property, finding: Finding) -> Confirmation:
        graph, same = question.unlimited_graph, finding.engine == UnlimitedGraphEngine.label
        assert graph is not None, "the way does not apply"
        way = "plain search of the graph" if same else UnlimitedGraphEngine.label
        if not graph.may_stay_pending(asked):
            return Confirmation(way, Verdict.PROVED)
        if same:
            return Confirmation(way, Verdict.VIOLATED, "a run may stay in a part of the graph")
        return Confirmation(way, Verdict.INCONCLUSIVE, "the network without limits leaves it open")


class ZoneSearch(SecondWay):
    """The zones, where another engine was the first way."""

    def applies(self, question: Question, asked: Property, finding: Finding) -> bool:
        del question
        return asked.kind == "always" and finding.engine not in InvariantCheck.engines

    def confirm(self, question: Question, proofs: Sequence[Proof], budget: Budget) -> list[Confirmation]:
        return [_said(answer.finding) for answer in decide(question, [asked for asked, _ in proofs], Engine.ZONES, budget)]


class TickSearch(SecondWay):
    """Every state in ticks, where they are few and were not the first way."""

    def applies(self, question: Question, asked: Property, finding: Finding) -> bool:
        del question, asked
        return finding.engine != TickEngine.label

    def confirm(self, question: Question, proofs: Sequence[Proof], budget: Budget) -> list[Confirmation]:
        bounds = replace(budget.fresh(), states=min(budget.states, MOST_STATES))
        found = decide(question, [asked for asked, _ in proofs], Engine.EXPLICIT, bounds)
        return [_said(answer.finding) for answer in found]


WAYS: tuple[SecondWay, ...] = (InvariantCheck(), PlainGraph(), ZoneSearch(), TickSearch())
"""Every second way, in the order in which they are asked."""


def confirmed(question: Question, asked: Sequence[Property], answers: Sequence[Answer], budget: Budget) -> list[Answer]:
    """The answers, each proof with what a second way says of it; a contradiction is a disagreement.

    Parameters
    ----------
    question : Question
        The question.
    asked : sequence of Property
        The properties.
    answers : sequence of Answer
        The answer about each.
    budget : Budget
        The budget of the first way; a second way gets no more of it, and at most `MOST_SECONDS`.
    """
    bounds = replace(budget, seconds=min(budget.seconds, MOST_SECONDS))
    proofs = [(entry, answer.finding) for entry, answer in zip(asked, answers, strict=True) if answer.verdict is Verdict.PROVED]
    said = dict.fromkeys((finding.name for _, finding in proofs), NONE)
    for way in WAYS:
        open_proofs = [proof for proof in proofs if not said[proof[0].name].decides]
        if left := _independent(way, question, open_proofs):
            said |= {entry.name: one for (entry, _), one in zip(left, _asked(way, question, left, bounds), strict=True)}
    return [_with_confirmation(answer, said.get(answer.name)) for answer in answers]


def _independent(way: SecondWay, question: Question, proofs: Sequence[Proof]) -> list[Proof]:
    """The proofs that a way is independent of; none where a bound keeps the question from saying so."""
    try:
        return [proof for proof in proofs if way.applies(question, *proof)]
    except Stopped:
        return []


def _asked(way: SecondWay, question: Question, proofs: Sequence[Proof], budget: Budget) -> list[Confirmation]:
    """What a way says of some proofs."""
    try:
        return way.confirm(question, proofs, budget.fresh())
    except Stopped as stopped:
        return [Confirmation("", Verdict.INCONCLUSIVE, str(stopped))] * len(proofs)


def _said(finding: Finding) -> Confirmation:
    """The finding of another engine as what a second way says; one that is vacuous says nothing."""
    verdict = finding.verdict if finding.verdict in (Verdict.PROVED, Verdict.VIOLATED) else Verdict.INCONCLUSIVE
    return Confirmation(finding.engine, verdict, finding.reason or ("" if verdict is Verdict.PROVED else str(finding.verdict)))


def _with_confirmation(answer: Answer, said: Confirmation | None) -> Answer:
    if said is None:
        return answer
    if said.verdict is Verdict.VIOLATED:
        finding = answer.finding.but(Verdict.DISAGREEMENT, f"{said.way} contradicts it: {said.reason}")
        return replace(answer, finding=finding, confirmation=said)
    return replace(answer, confirmation=said)


def together(answers: Iterable[Answer]) -> Confirmation | None:
    """The confirmation of several answers about one property: that of the first unless another one is not confirmed."""
    said = [answer.confirmation for answer in answers if answer.confirmation is not None]
    return max(said, key=lambda one: one.verdict, default=None)
