"""The answers of every engine about a configuration, side by side.

Five engines search or prove: ticks (with lassos), zones, bounded SMT, Horn clauses, the location graph. Two checks confirm
their results independently: proof obligations put to Z3 and cvc5, and a replay of runs on the specification.

To add an engine, add its name to `EngineName` and a line to `ENGINES`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Literal, NamedTuple

from timewait.checker.bounded import search
from timewait.checker.decide import Answer, decide
from timewait.checker.engine import TIME_LOCK
from timewait.checker.finding import Budget, Finding
from timewait.checker.question import Engine, Question
from timewait.checker.replay import Rejected, minimal
from timewait.checker.structural import proof_of
from timewait.checker.symbolic import Symbolic
from timewait.checker.verdict import Verdict
from timewait.proofs.certify import CertifiedProof, certify_at_values, certify_at_values_by_horn, certify_liveness
from timewait.proofs.question import applicable, question
from timewait.spec.configuration import Configuration
from timewait.vocabulary.automaton import Property

SMT_STEPS = 10
"""Steps up to which bounded SMT searches for a run."""

MAX_SMT_LOCATIONS, MAX_HORN_LOCATIONS = 500, 60
"""Locations at most for which a solver is asked: with more it takes minutes."""

COUNTED = "copies are counted"
TOO_MANY = "copies are counted, and there are too many locations"

PROVED, VIOLATED, VACUOUS = Verdict.PROVED, Verdict.VIOLATED, Verdict.VACUOUS


class EngineName(StrEnum):
    """The engines and checks, in the order of their answers."""

    TICKS = "ticks"
    ZONES = "zones"
    SMT = "smt"
    HORN = "horn"
    GRAPH = "graph"
    CERTIFICATE = "certificate"
    REPLAY = "replay"


CHECKS = frozenset({EngineName.CERTIFICATE, EngineName.REPLAY})
"""The checks of other engines' results."""


@dataclass(frozen=True)
class EngineAnswer:
    """The answer of one engine or check about one property.

    Attributes
    ----------
    engine : EngineName
        The engine.
    verdict : Verdict or None
        Proved, violated or vacuous; a disagreement if its result was rejected; None if it does not decide.
    summary : str
        The answer in a word or two, with the length of its run, or the length up to which there is none.
    reason : str
        Why it does not decide, or why its result was rejected.
    steps : int or None
        The length of its run; None if it has no run, or an infinite one.
    no_run_up_to : float
        The number of steps up to which the engine has excluded a violating run.
    seconds : float
        Time spent; where one exploration answers several properties, the time for all of them.
    has_run : bool
        Whether the answer comes with a replayed run.
    """

    engine: EngineName
    verdict: Verdict | None
    summary: str
    reason: str = ""
    steps: int | None = None
    no_run_up_to: float = 0
    seconds: float = 0.0
    has_run: bool = False

    @property
    def decided(self) -> bool:
        """Whether the engine decides the property."""
        return self.verdict in (PROVED, VIOLATED, VACUOUS)


Kind = Literal["always", "eventually"]


@dataclass(frozen=True)
class Subject:
    """A configuration, as a question, with bounds on each engine's effort."""

    configuration: Configuration
    question: Question
    budget: Budget
    _decided: dict[tuple[Engine, Kind | None], dict[str, Answer]] = field(default_factory=dict)

    @cached_property
    def properties(self) -> tuple[Property, ...]:
        """The properties that apply to the configuration."""
        return applicable(self.configuration)

    def decided(self, engine: Engine, kind: Kind | None) -> dict[str, Answer]:
        """An engine's answer about each property of a kind, from one exploration."""
        if (engine, kind) not in self._decided:
            asked = [entry for entry in self.properties if kind in (None, entry.kind)]
            answers = decide(self.question, asked, engine, self.budget.fresh())
            self._decided[engine, kind] = {answer.finding.name: answer for answer in answers}
        return self._decided[engine, kind]

    @cached_property
    def locations(self) -> int | None:
        """The number of locations; None if there are too many to enumerate."""
        return None if self.question.finite is None else len(self.question.finite.explore())


Answers = Mapping[EngineName, EngineAnswer]


class EngineEntry(NamedTuple):
    """A line of the table of engines.

    Attributes
    ----------
    name : EngineName
        The engine.
    ask : callable
        Asks it about a property of a subject, given the answers of the engines before it.
    kind : {"always", "eventually"} or None
        The only kind of property that it decides; None for every kind.
    """

    name: EngineName
    ask: Callable[[Subject, Property, Answers], EngineAnswer]
    kind: Kind | None = None


def engine_answers(configuration: Configuration, budget: Budget) -> dict[str, tuple[EngineAnswer, ...]]:
    """The answers of all engines about each property that applies to a configuration, in the order of `EngineName`.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    budget : Budget
        Bounds on each question to each engine.
    """
    subject = Subject(configuration, question(configuration), budget)
    return {asked.name: tuple(_answers(subject, asked)) for asked in subject.properties}


def _answers(subject: Subject, asked: Property) -> Iterator[EngineAnswer]:
    found: dict[EngineName, EngineAnswer] = {}
    for name, ask, kind in ENGINES:
        started = time.monotonic()
        if kind in (None, asked.kind):
            answer = ask(subject, asked, found)
        else:
            answer = _not_asked(name, f"it decides {kind!r} properties only")
        found[name] = replace(answer, seconds=answer.seconds or time.monotonic() - started)
        yield found[name]


def _not_asked(engine: EngineName, reason: str) -> EngineAnswer:
    return EngineAnswer(engine, None, "not asked", reason)


def _from(engine: EngineName, answer: Answer) -> EngineAnswer:
    """An answer whose run, if any, was replayed already."""
    finding, trace = answer.finding, answer.trace
    steps = None if trace is None or trace.loop is not None else len(trace.steps)
    match finding.verdict:
        case Verdict.INCONCLUSIVE:
            verdict, summary, steps = None, "inconclusive", None
        case Verdict.DISAGREEMENT:
            verdict, summary, steps = finding.verdict, "rejected", None
        case verdict:
            summary = str(verdict) if steps is None else f"{verdict} ({steps})"
    has_run = trace is not None
    return EngineAnswer(engine, verdict, summary, finding.reason, steps, seconds=finding.seconds, has_run=has_run)


def _deciding(name: EngineName, engine: Engine, kind: Kind | None = None) -> EngineEntry:
    """The entry of an engine that `timewait.checker.decide` asks."""
    return EngineEntry(name, lambda subject, asked, _: _from(name, subject.decided(engine, kind)[asked.name]), kind)


def _by_smt(subject: Subject, asked: Property, _: Answers) -> EngineAnswer:
    """Bounded SMT; it decides nothing if it finds no run."""
    automaton, locations = subject.question.finite, subject.locations
    if automaton is None or locations is None:
        return _not_asked(EngineName.SMT, TOO_MANY)
    if locations > MAX_SMT_LOCATIONS:
        return _not_asked(EngineName.SMT, f"more than {MAX_SMT_LOCATIONS} locations")
    searched = search(Symbolic(automaton, frozenset({asked.name})), SMT_STEPS, subject.budget.fresh())
    if searched.found is None:
        summary = f"none in {searched.clear:g}" if searched.clear < float("inf") else "none at all"
        return EngineAnswer(EngineName.SMT, None, summary, searched.reason, no_run_up_to=searched.clear)
    run = searched.found.run
    try:
        trace = minimal(subject.question.initial_state, run, asked)
    except Rejected as rejected:
        return EngineAnswer(EngineName.SMT, Verdict.DISAGREEMENT, "rejected", f"the replay was rejected: {rejected}")
    answer = Answer(Finding(asked.name, VIOLATED, EngineName.SMT, run), trace)
    return replace(_from(EngineName.SMT, answer), no_run_up_to=searched.clear)


def _by_horn(subject: Subject, asked: Property, _: Answers) -> EngineAnswer:
    """Horn clauses, solved by Spacer; the invariant counts only if Z3 and cvc5 accept it."""
    if not subject.question.system.dense:
        return _not_asked(EngineName.HORN, COUNTED)
    if (subject.locations or 0) > MAX_HORN_LOCATIONS:
        return _not_asked(EngineName.HORN, f"more than {MAX_HORN_LOCATIONS} locations")
    proof = certify_at_values_by_horn(subject.configuration, [asked.name], subject.budget.seconds)
    return _from_proof(EngineName.HORN, proof, "proved")


def _by_graph(subject: Subject, asked: Property, _: Answers) -> EngineAnswer:
    """The location graph: a proof for every duration, or nothing."""
    if subject.question.finite is None:
        return _not_asked(EngineName.GRAPH, TOO_MANY)
    if proof_of(subject.question.finite, asked) is None:
        return EngineAnswer(EngineName.GRAPH, None, "open", "the graph alone does not decide it")
    if subject.question.may_time_lock:
        return EngineAnswer(EngineName.GRAPH, VACUOUS, str(VACUOUS), TIME_LOCK)
    return EngineAnswer(EngineName.GRAPH, PROVED, str(PROVED))


def _by_certificate(subject: Subject, asked: Property, answers: Answers) -> EngineAnswer:
    """The proof by zones, or by the graph, as a certificate that Z3 and cvc5 check."""
    liveness = asked.kind == "eventually"
    if not liveness and not subject.question.system.dense:
        return _not_asked(EngineName.CERTIFICATE, COUNTED)
    prover = EngineName.GRAPH if liveness else EngineName.ZONES
    if answers[prover].verdict not in (PROVED, VACUOUS):
        return _not_asked(EngineName.CERTIFICATE, f"no proof by {prover}")
    budget = subject.budget.fresh()
    if liveness:
        proof = certify_liveness(subject.configuration, asked.name, budget)
    else:
        proof = certify_at_values(subject.configuration, [asked.name], budget)
    return _from_proof(EngineName.CERTIFICATE, proof, "accepted")


def _from_proof(engine: EngineName, proof: CertifiedProof, accepted: str) -> EngineAnswer:
    match proof.verdict:
        case Verdict.PROVED:
            return EngineAnswer(engine, PROVED, accepted)
        case Verdict.VIOLATED:
            return EngineAnswer(engine, VIOLATED, str(VIOLATED), proof.reason)
        case Verdict.DISAGREEMENT:
            return EngineAnswer(engine, Verdict.DISAGREEMENT, "rejected", f"the proof was rejected: {proof.reason}")
        case _:
            return EngineAnswer(engine, None, "inconclusive", proof.reason)


def _by_replay(_: Subject, __: Property, answers: Answers) -> EngineAnswer:
    """The runs that engines found, replayed on the specification."""
    if not any(answer.has_run for answer in answers.values()):
        return _not_asked(EngineName.REPLAY, "no engine found a run")
    return EngineAnswer(EngineName.REPLAY, VIOLATED, "replayed")


ENGINES: tuple[EngineEntry, ...] = (
    _deciding(EngineName.TICKS, Engine.EXPLICIT),
    _deciding(EngineName.ZONES, Engine.ZONES, "always"),
    EngineEntry(EngineName.SMT, _by_smt, "always"),
    EngineEntry(EngineName.HORN, _by_horn, "always"),
    EngineEntry(EngineName.GRAPH, _by_graph, "eventually"),
    EngineEntry(EngineName.CERTIFICATE, _by_certificate),
    EngineEntry(EngineName.REPLAY, _by_replay),
)
"""Every engine and check, in the order of `EngineName`; a check comes after the engines whose results it uses."""
