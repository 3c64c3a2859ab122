"""From a question to findings: which engine decides what, and what makes an answer worth believing.

A violation counts once its run was replayed on the specification, and is shown without the steps it can do
without. A proof counts only if what should be possible is possible (witnesses) and time cannot stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from timewait.checker import horn, timelock
from timewait.checker.bounded import search
from timewait.checker.certificate import InvariantCertificate, Statement, rejection_by_z3
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.concretise import concretised
from timewait.checker.dense_lasso import find_dense_lasso
from timewait.checker.explicit import Explicit
from timewait.checker.fairness import unfair
from timewait.checker.finding import Budget, Finding, Run, Stopped
from timewait.checker.lasso import find_lasso
from timewait.checker.linear import Terms
from timewait.checker.quotient import Quotient
from timewait.checker.replay import Rejected, minimal
from timewait.checker.structural import proof_of
from timewait.checker.symbolic import Symbolic
from timewait.checker.time_unit import MOST, in_ticks, unit_of
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.vocabulary.automaton import Property, TimedAutomaton
from timewait.vocabulary.replay import ReplayState


class Engine(StrEnum):
    """How a question is decided."""

    AUTO = "auto"
    EXPLICIT = "explicit"
    ZONES = "zones"
    SMT = "smt"


EXPLICIT = "explicit, breadth first"
ZONES = "zones, dense time"
RELAXED = "zones, dense time, relaxed"
STRUCTURAL = "graph, every duration"
LOOPS = "loops, dense time"
SMT = "smt, bounded and inductive"

MANY = 3_000
"""Locations that a system may have, where copies are counted, for engines that must see all of them."""

DEPTH = 16
"""Steps to which bounded model checking looks before a proof is tried."""

ROUND = 14
"""Steps, those round the loop included, to which a run without end is looked for in dense time."""

SEARCHING = 60.0
"""Seconds that such a search may take before ticks are counted."""


@dataclass(frozen=True)
class Question:
    """A system, where its replays begin, and what must be possible in it.

    Attributes
    ----------
    system : TimedAutomaton
        What is asked about.
    beginning : ReplayState
        The same system, to be carried out step by step.
    witnesses : mapping
        For each property the ``sometimes`` properties without which its proof would be vacuous.
    relaxed : TimedAutomaton or None
        One that does all that the system does, and perhaps more, with actions of the same words: it is asked first.
    obliged : TimedAutomaton or None
        Likewise, and each limit on time that may be met in the system is met in it, with the same ways out.
    patience : Budget or None
        Bounds on the making of each folded automaton; reaching one raises `Stopped`.
    """

    system: TimedAutomaton
    initial_state: ReplayState
    witnesses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relaxed: TimedAutomaton | None = None
    obliged_approximation: TimedAutomaton | None = None
    patience: Budget | None = None

    @cached_property
    def compiled(self) -> CompiledAutomaton:
        """The system as automata."""
        return CompiledAutomaton(self.system)

    @cached_property
    def may_time_lock(self) -> bool:
        """Whether time may stop with nothing left to happen."""
        automaton = self.finite if self.obliged_approximation is None else self._tabulated(self.obliged_approximation)
        return automaton is not None and bool(timelock.time_locks(automaton))

    @cached_property
    def quotient(self) -> CompiledAutomaton:
        """The folded system as automata."""
        return self._tabulated(self.system)

    @cached_property
    def finite(self) -> CompiledAutomaton | None:
        """The system as automata that can be seen whole: folded, or as it stands; None when its locations are too many."""
        if self.system.dense:
            return self.quotient
        automaton = CompiledAutomaton(self.system)
        return automaton if automaton.within(MANY) else None

    @cached_property
    def coarse(self) -> CompiledAutomaton:
        """The relaxed system, folded, as automata; where there is none, the folded system."""
        return self.quotient if self.relaxed is None else self._tabulated(self.relaxed)

    def _tabulated(self, system: TimedAutomaton) -> CompiledAutomaton:
        return CompiledAutomaton(Quotient(system, None if self.patience is None else self.patience.fresh()))


@dataclass(frozen=True)
class Answer:
    """A finding with its trace.

    Attributes
    ----------
    finding : Finding
        The verdict and how it was reached.
    trace : Trace or None
        The replayed, minimised run of a violation.
    """

    finding: Finding
    trace: Trace | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.finding.verdict


def decide(question: Question, asked: Sequence[Property], engine: Engine, budget: Budget) -> list[Answer]:
    """Decide some properties of a question.

    Parameters
    ----------
    question : Question
        What is asked about.
    asked : sequence of Property
        ``always`` and ``eventually`` properties.
    engine : Engine
        With `AUTO`: dense time for ``always`` where copies are merged, else ticks; for ``eventually`` the graph first,
        then ticks. Dense time can be asked for wherever the locations are few, for instance because retries are.
    budget : Budget
        Bounds on each exploration.
    """
    always = [entry for entry in asked if entry.kind == "always"]
    eventually = [entry for entry in asked if entry.kind == "eventually"]
    if engine is Engine.AUTO:
        engine = Engine.ZONES if question.system.dense else Engine.EXPLICIT
    if engine is not Engine.EXPLICIT and not question.system.dense and question.finite is None:
        reason = f"engine {engine} needs unlimited duplication and any order, or few retries; use explicit"
        return [Answer(Finding(entry.name, Verdict.INCONCLUSIVE, str(engine), reason=reason)) for entry in asked]
    unit = unit_of(question.system.parameters)
    name, count = max(in_ticks(question.system.parameters, unit).items(), key=lambda entry: entry[1])
    if count > MOST:
        reason = f"{name} is {count:,} times the unit of {float(unit):.3g} s in which all durations are whole"
        return [Answer(Finding(entry.name, Verdict.INCONCLUSIVE, str(engine), reason=reason)) for entry in asked]
    question = replace(question, patience=budget)
    runner = {Engine.EXPLICIT: _by_ticks, Engine.ZONES: _by_zones, Engine.SMT: _by_solver}[engine]
    found = _unless_stopped(always, engine, lambda: runner(question, always, budget))
    found |= _unless_stopped(eventually, engine, lambda: _promises(question, eventually, engine, budget))
    return [_believed(question, entry, found[entry.name]) for entry in asked]


def _unless_stopped(asked: Sequence[Property], engine: Engine, find: Callable[[], list[Finding]]) -> dict[str, Finding]:
    """What is found, by name; where a bound is reached before there is a graph to explore, nothing is known."""
    try:
        return {finding.name: finding for finding in (find() if asked else ())}
    except Stopped as stopped:
        return {entry.name: Finding(entry.name, Verdict.INCONCLUSIVE, str(engine), reason=str(stopped)) for entry in asked}


def _believed(question: Question, asked: Property, finding: Finding) -> Answer:
    """A violation is replayed and minimised, a loop walked to see that it is fair; if that fails it is a disagreement."""
    if finding.verdict is not Verdict.VIOLATED:
        return Answer(finding)
    if finding.run is None:
        return Answer(finding.but(Verdict.DISAGREEMENT, "no delays make the run possible"))
    if asked.kind == "eventually" and (fault := unfair(question.compiled, finding.run)):
        return Answer(finding.but(Verdict.DISAGREEMENT, f"the run is not fair: {fault}"))
    try:
        return Answer(finding, minimal(question.initial_state, finding.run, asked))
    except Rejected as rejected:
        return Answer(finding.but(Verdict.DISAGREEMENT, f"the replay was rejected: {rejected}"))


def _proof(question: Question, finding: Finding, witnessed: Iterable[str], stuck: bool) -> Finding:
    """A proof, unless what it says is vacuous."""
    missing = sorted(set(question.witnesses.get(finding.name, ())) - set(witnessed))
    if missing:
        return finding.but(Verdict.VACUOUS, f"never happens: {', '.join(missing)}")
    if stuck:
        return finding.but(Verdict.VACUOUS, "time can stop with nothing left to happen")
    return finding


# --- always --------------------------------------------------------------------------------------------------------


def _by_ticks(question: Question, asked: list[Property], budget: Budget) -> list[Finding]:
    explored = Explicit(question.compiled)
    clock = budget.fresh()
    explored.explore(clock, frozenset(entry.name for entry in asked))
    return [_from_exploration(question, entry, explored, EXPLICIT, len(explored.nodes), clock) for entry in asked]


def _by_zones(question: Question, asked: list[Property], budget: Budget) -> list[Finding]:
    """The relaxed system first, if there is one; what that leaves open is asked of the system itself."""
    findings = [] if question.relaxed is None else _by_relaxation(question, asked, budget.fresh())
    settled = {finding.name for finding in findings}
    left = [entry for entry in asked if entry.name not in settled]
    return findings + list(_unless_stopped(left, Engine.ZONES, lambda: _by_exact_zones(question, left, budget.fresh())).values())


def _by_exact_zones(question: Question, asked: list[Property], clock: Budget) -> list[Finding]:
    explored = Zones(_whole(question))
    explored.explore(clock, frozenset(entry.name for entry in asked))
    return [_from_exploration(question, entry, explored, ZONES, len(explored.nodes), clock) for entry in asked]


def _whole(question: Question) -> CompiledAutomaton:
    """The automata of a question that was seen to have them."""
    assert question.finite is not None, "decided before an engine is chosen"
    return question.finite


def _by_relaxation(question: Question, asked: list[Property], clock: Budget) -> list[Finding]:
    """What the relaxed system settles: what it cannot break, and what it breaks by a run that the system can take."""
    explored = Zones(question.coarse)
    explored.explore(clock, frozenset(entry.name for entry in asked))
    witnessed = possible(question, {name for entry in asked for name in question.witnesses.get(entry.name, ())}, explored)
    findings = []
    for entry in asked:
        finding = Finding(entry.name, Verdict.PROVED, RELAXED, states=len(explored.nodes))
        where = explored.broken.get(entry.name)
        run = None if where is None else concretised(question.compiled, explored, where, entry.name)
        if run is not None:
            finding = replace(finding, verdict=Verdict.VIOLATED, engine=ZONES, run=run)
        elif where is not None or explored.witnessed.keys() & set(question.witnesses.get(entry.name, ())) - witnessed:
            continue
        elif explored.stopped:
            finding = finding.but(Verdict.INCONCLUSIVE, explored.stopped)
        else:
            finding = _proof(question, finding, witnessed, question.may_time_lock)
        findings.append(replace(finding, seconds=clock.elapsed))
    return findings


def possible(question: Question, names: Iterable[str], explored: Zones) -> set[str]:
    """The ``sometimes`` properties that a relaxed exploration fulfils by runs that the system can take."""
    met = {name: explored.witnessed[name] for name in names if name in explored.witnessed}
    return {name for name, where in met.items() if concretised(question.compiled, explored, where, name) is not None}


def _from_exploration(
    question: Question, asked: Property, explored: Explicit | Zones, engine: str, states: int, clock: Budget
) -> Finding:
    finding = Finding(asked.name, Verdict.PROVED, engine, states=states, seconds=clock.elapsed)
    where = explored.broken.get(asked.name)
    if where is not None:
        return replace(finding, verdict=Verdict.VIOLATED, run=explored.run_to(*where))
    if explored.stopped:
        return finding.but(Verdict.INCONCLUSIVE, explored.stopped)
    stuck = bool(explored.time_locked) if isinstance(explored, Explicit) else question.may_time_lock
    return _proof(question, finding, explored.witnessed, stuck)


def _by_solver(question: Question, asked: list[Property], budget: Budget) -> list[Finding]:
    return [_solved(question, entry, budget.fresh()) for entry in asked]


def _solved(question: Question, asked: Property, budget: Budget) -> Finding:
    """A proof by an inductive invariant where Spacer finds one, else a run by bounded model checking."""
    symbolic = Symbolic(_whole(question), frozenset({asked.name}))
    answer = horn.solve(symbolic, budget.seconds)
    finding = Finding(asked.name, Verdict.PROVED, SMT, states=len(symbolic.cone))
    if answer.invariant is not None:
        terms: dict[str, Terms] = {name: {"": value} for name, value in question.system.parameters.items()}
        stated = Statement(_whole(question).system, frozenset({asked.name}), terms)
        fault = rejection_by_z3(InvariantCertificate(stated, horn.as_text(symbolic, answer.invariant)))
        finding = replace(finding, seconds=budget.elapsed)
        if fault:
            return finding.but(Verdict.DISAGREEMENT, f"the invariant was rejected: {fault}")
        return _proof(question, finding, _possible(question, asked, budget), question.may_time_lock)
    searched = search(symbolic, DEPTH, budget.fresh())
    finding = replace(finding, seconds=budget.elapsed)
    if searched.found is not None:
        return replace(finding, verdict=Verdict.VIOLATED, run=searched.found.run)
    return finding.but(Verdict.INCONCLUSIVE, "; ".join(filter(None, (answer.reason, searched.reason))))


def _possible(question: Question, asked: Property, budget: Budget) -> set[str]:
    """The witnesses of a property that some run fulfils, by bounded model checking."""
    possible = set()
    for name in question.witnesses.get(asked.name, ()):
        witness = Symbolic(_whole(question), frozenset({name}))
        if search(witness, DEPTH, budget.fresh()).found is not None:
            possible.add(name)
    return possible


# --- eventually ----------------------------------------------------------------------------------------------------


def _promises(question: Question, asked: list[Property], engine: Engine, budget: Budget) -> list[Finding]:
    findings = []
    open_ones = []
    automaton = None if engine is Engine.EXPLICIT else question.finite
    for entry in asked:
        settled = None if automaton is None else _by_graph(question, automaton, entry, budget)
        if settled is None:
            open_ones.append(entry)
        else:
            findings.append(settled)
    if open_ones:
        clock = budget.fresh()
        explored = Explicit(question.compiled)
        explored.explore(clock)
        findings += [_promise_in_ticks(question, entry, explored, clock) for entry in open_ones]
    return findings


def _by_graph(question: Question, automaton: CompiledAutomaton, asked: Property, budget: Budget) -> Finding | None:
    """What the graph shows for every duration, or else a loop in dense time; None where there is neither."""
    started = time.monotonic()
    finding = Finding(asked.name, Verdict.PROVED, STRUCTURAL, states=len(automaton.explore()))
    if proof_of(automaton, asked) is not None:
        if question.may_time_lock:
            finding = finding.but(Verdict.VACUOUS, "time can stop with nothing left to happen")
    else:
        run = find_dense_lasso(automaton, asked, ROUND, replace(budget.fresh(), seconds=min(budget.seconds, SEARCHING)))
        if run is None:
            return None
        finding = replace(finding, verdict=Verdict.VIOLATED, engine=LOOPS, run=run)
    return replace(finding, seconds=time.monotonic() - started)


def _promise_in_ticks(question: Question, asked: Property, explored: Explicit, clock: Budget) -> Finding:
    finding = Finding(asked.name, Verdict.INCONCLUSIVE, EXPLICIT, states=len(explored.nodes))
    if explored.stopped:
        return replace(finding, reason=f"in ticks of {_seconds(explored.unit)}: {explored.stopped}", seconds=clock.elapsed)
    lasso: Run | None = find_lasso(explored, asked)
    finding = replace(finding, seconds=clock.elapsed)
    if lasso is not None:
        return replace(finding, verdict=Verdict.VIOLATED, run=lasso)
    kept = replace(finding, verdict=Verdict.PROVED, reason=f"in whole ticks of {_seconds(explored.unit)}")
    return _proof(question, kept, explored.witnessed, bool(explored.time_locked))


def _seconds(value: Fraction) -> str:
    return f"{float(value):g} s"
