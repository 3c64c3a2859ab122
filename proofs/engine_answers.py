"""Everybody who can decide a property of a configuration, each by a way of its own.

Five search or prove: ticks (with lassos), zones, bounded SMT, Horn clauses, the graph alone. Two check what the others
give, and do without them: an invariant by plain queries to Z3 and cvc5, a run by carrying it out on the specification.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from timewait.checker.bounded import search
from timewait.checker.decide import Answer, Engine, Question, decide
from timewait.checker.finding import Budget, Finding
from timewait.checker.replay import Rejected, minimal
from timewait.checker.structural import proof_of
from timewait.checker.symbolic import Symbolic
from timewait.checker.verdict import Verdict
from timewait.proofs.certify import CertifiedProof, certify_at_values, certify_at_values_by_horn, certify_liveness
from timewait.proofs.question import applicable, question
from timewait.spec.configuration import Configuration
from timewait.vocabulary.automaton import Property

STEPS = 10
"""Steps up to which SMT looks for a run."""

SEEN_BY_SMT, SEEN_BY_HORN = 500, 60
"""Locations at most for which a solver is asked: with more it takes minutes."""

PROVED, VIOLATED, VACUOUS = Verdict.PROVED, Verdict.VIOLATED, Verdict.VACUOUS


class EngineName(StrEnum):
    """Who is asked."""

    TICKS = "ticks"
    ZONES = "zones"
    SMT = "smt"
    HORN = "horn"
    GRAPH = "graph"
    CERTIFICATE = "certificate"
    REPLAY = "replay"


CHECKS = frozenset({EngineName.CERTIFICATE, EngineName.REPLAY})
"""Those that check what another one gave."""


@dataclass(frozen=True)
class EngineAnswer:
    """What one engine or check says about one property.

    Attributes
    ----------
    who : Who
        Who says so.
    verdict : Verdict or None
        Proved, violated or vacuous where it decides, a disagreement where what it gave was rejected; None where it
        does not decide.
    told : str
        In a word or two; the length of a run in brackets, or in how many steps there is none.
    reason : str
        Why it does not decide, or what is wrong.
    steps : int or None
        The length of the run that it has; None for a run without end, too.
    clear : float
        Up to how many steps it has seen that no run breaks the property.
    seconds : float
        Time spent; where one exploration answers several properties, that of all of them.
    """

    engine: EngineName
    verdict: Verdict | None
    summary: str
    reason: str = ""
    steps: int | None = None
    no_run_up_to: float = 0
    seconds: float = 0.0

    @property
    def decided(self) -> bool:
        """Whether it says that the property holds or does not."""
        return self.verdict in (PROVED, VIOLATED, VACUOUS)


def engine_answers(configuration: Configuration, budget: Budget) -> dict[str, tuple[EngineAnswer, ...]]:
    """What each says about each property that applies to a configuration, in the order of `EngineName`.

    Parameters
    ----------
    configuration : Configuration
        What is asked about.
    budget : Budget
        Bounds on each question to each.
    """
    subject = Subject(configuration, question(configuration), budget)
    asked = applicable(configuration)
    always = [entry for entry in asked if entry.kind == "always"]
    ticks = {answer.finding.name: answer for answer in decide(subject.question, asked, Engine.EXPLICIT, budget.fresh())}
    zones = {answer.finding.name: answer for answer in decide(subject.question, always, Engine.ZONES, budget.fresh())}
    return {entry.name: tuple(_voices(subject, entry, ticks[entry.name], zones.get(entry.name))) for entry in asked}


@dataclass(frozen=True)
class Subject:
    """A configuration that everybody is asked about, as a question, within bounds."""

    configuration: Configuration
    question: Question
    budget: Budget

    @property
    def locations(self) -> int | None:
        """How many locations there are; None where they cannot be seen whole."""
        return None if self.question.finite is None else len(self.question.finite.explore())


def _voices(subject: Subject, asked: Property, ticks: Answer, zones: Answer | None) -> Iterator[EngineAnswer]:
    yield _of_answer(EngineName.TICKS, ticks)
    if zones is None:
        for engine in (EngineName.ZONES, EngineName.SMT, EngineName.HORN):
            yield _not_asked(engine, "it knows nothing of promises")
        graph = _timed(lambda: _by_graph(subject, asked))
        yield graph
        yield _timed(lambda: _promised(subject, asked, graph))
        yield _replayed([ticks])
        return
    yield _of_answer(EngineName.ZONES, zones)
    started = time.monotonic()
    solved, voice = _by_smt(subject, asked)
    yield replace(voice, seconds=time.monotonic() - started)
    yield _timed(lambda: _by_horn(subject, asked))
    yield _not_asked(EngineName.GRAPH, "it knows of promises alone")
    yield _timed(lambda: _certified(subject, asked, zones))
    yield _replayed([answer for answer in (ticks, zones, solved) if answer is not None])


def _timed(say: Callable[[], EngineAnswer]) -> EngineAnswer:
    started = time.monotonic()
    return replace(say(), seconds=time.monotonic() - started)


def _not_asked(engine: EngineName, reason: str) -> EngineAnswer:
    return EngineAnswer(engine, None, "not asked", reason)


def _of_answer(engine: EngineName, answer: Answer) -> EngineAnswer:
    """An engine's answer, whose run was carried out already."""
    finding, trace = answer.finding, answer.trace
    steps = None if trace is None or trace.loop is not None else len(trace.steps)
    match finding.verdict:
        case Verdict.INCONCLUSIVE:
            return EngineAnswer(engine, None, "inconclusive", finding.reason, seconds=finding.seconds)
        case Verdict.DISAGREEMENT:
            return EngineAnswer(engine, Verdict.DISAGREEMENT, "rejected", finding.reason, seconds=finding.seconds)
        case verdict:
            summary = str(verdict) if steps is None else f"{verdict} ({steps})"
            return EngineAnswer(engine, verdict, summary, finding.reason, steps, seconds=finding.seconds)


def _by_smt(subject: Subject, asked: Property) -> tuple[Answer | None, EngineAnswer]:
    """Bounded SMT, with its run if it has one; that it finds none decides nothing."""
    table, locations = subject.question.finite, subject.locations
    if table is None or locations is None:
        return None, _not_asked(EngineName.SMT, "copies are counted, and the locations are too many to be seen whole")
    if locations > SEEN_BY_SMT:
        return None, _not_asked(EngineName.SMT, f"more than {SEEN_BY_SMT} locations")
    searched = search(Symbolic(table, frozenset({asked.name})), STEPS, subject.budget.fresh())
    if searched.found is None:
        summary = f"none in {searched.clear:g}" if searched.clear < float("inf") else "none at all"
        return None, EngineAnswer(EngineName.SMT, None, summary, searched.reason, no_run_up_to=searched.clear)
    run = searched.found.run
    try:
        trace = minimal(subject.question.initial_state, run, asked)
    except Rejected as rejected:
        return None, EngineAnswer(EngineName.SMT, Verdict.DISAGREEMENT, "rejected", f"the replay was rejected: {rejected}")
    answer = Answer(Finding(asked.name, VIOLATED, EngineName.SMT, run), trace)
    return answer, replace(_of_answer(EngineName.SMT, answer), no_run_up_to=searched.clear)


def _by_horn(subject: Subject, asked: Property) -> EngineAnswer:
    """Horn clauses, solved by Spacer; an invariant is believed only by Z3's plain queries and cvc5."""
    if not subject.question.system.dense:
        return _not_asked(EngineName.HORN, "copies are counted")
    if (subject.locations or 0) > SEEN_BY_HORN:
        return _not_asked(EngineName.HORN, f"more than {SEEN_BY_HORN} locations")
    return _of_certified(
        EngineName.HORN, certify_at_values_by_horn(subject.configuration, [asked.name], subject.budget.seconds), "proved"
    )


def _by_graph(subject: Subject, asked: Property) -> EngineAnswer:
    """The graph alone: a proof for every duration, or nothing."""
    if subject.question.finite is None:
        return _not_asked(EngineName.GRAPH, "copies are counted, and the locations are too many to be seen whole")
    if proof_of(subject.question.finite, asked) is None:
        return EngineAnswer(EngineName.GRAPH, None, "open", "the graph alone does not settle it")
    if subject.question.may_time_lock:
        return EngineAnswer(EngineName.GRAPH, VACUOUS, str(VACUOUS), "time can stop with nothing left to happen")
    return EngineAnswer(EngineName.GRAPH, PROVED, str(PROVED))


def _certified(subject: Subject, asked: Property, zones: Answer) -> EngineAnswer:
    """The zones as an invariant, checked by Z3's plain queries and cvc5."""
    if not subject.question.system.dense:
        return _not_asked(EngineName.CERTIFICATE, "copies are counted")
    if zones.verdict not in (PROVED, VACUOUS):
        return _not_asked(EngineName.CERTIFICATE, "zones have no proof of it")
    done = certify_at_values(subject.configuration, [asked.name], subject.budget.fresh())
    return _of_certified(EngineName.CERTIFICATE, done, "accepted")


def _promised(subject: Subject, asked: Property, graph: EngineAnswer) -> EngineAnswer:
    """What the graph shows, checked part by part, and by Z3 and cvc5."""
    if graph.verdict not in (PROVED, VACUOUS):
        return _not_asked(EngineName.CERTIFICATE, "the graph has no proof of it")
    done = certify_liveness(subject.configuration, asked.name, subject.budget.fresh())
    return _of_certified(EngineName.CERTIFICATE, done, "accepted")


def _of_certified(engine: EngineName, done: CertifiedProof, accepted: str) -> EngineAnswer:
    match done.verdict:
        case Verdict.PROVED:
            return EngineAnswer(engine, PROVED, accepted)
        case Verdict.VIOLATED:
            return EngineAnswer(engine, VIOLATED, str(VIOLATED), done.reason)
        case Verdict.DISAGREEMENT:
            return EngineAnswer(engine, Verdict.DISAGREEMENT, "rejected", f"the proof was rejected: {done.reason}")
        case _:
            return EngineAnswer(engine, None, "inconclusive", done.reason)


def _replayed(answers: Iterable[Answer]) -> EngineAnswer:
    """The runs that were found, carried out on the specification."""
    if all(answer.trace is None for answer in answers):
        return _not_asked(EngineName.REPLAY, "nobody has a run")
    return EngineAnswer(EngineName.REPLAY, VIOLATED, "carried out")
