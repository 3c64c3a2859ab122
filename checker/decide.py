"""From a question to answers: the engines in order, and the checks that make their findings credible.

A violation counts once its run was replayed on the specification; it is shown without the steps that it does not need.
A run that the replay rejects and that a refinement of the system does not have either leaves the property to the engines
after it, and at last to the refined question; any other run that the replay rejects is a disagreement.
A proof counts only if its witnesses are possible and time cannot stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from timewait.checker import zone_kernels
from timewait.checker.dense_lasso import DenseLassoEngine
from timewait.checker.engine import DecisionEngine
from timewait.checker.explicit import TickEngine
from timewait.checker.fairness import unfair
from timewait.checker.finding import Budget, Confirmation, Finding, Move, Run, Stopped
from timewait.checker.guided import GuidedEngine
from timewait.checker.jit import is_kept
from timewait.checker.lasso import LassoEngine
from timewait.checker.made_once import forget
from timewait.checker.over_approximated import OverApproximationEngine, paths, run_with
from timewait.checker.question import Engine, Question
from timewait.checker.replay import ROUNDS, Rejected, minimal
from timewait.checker.schedule import legible_delays
from timewait.checker.smt import SmtEngine
from timewait.checker.structural import GraphEngine
from timewait.checker.time_unit import MOST, in_ticks, unit_of
from timewait.checker.trace import Trace
from timewait.checker.unlimited_engines import NarrowerEngine, UnlimitedGraphEngine, UnlimitedZoneEngine
from timewait.checker.verdict import Verdict
from timewait.checker.zones import ZoneEngine
from timewait.vocabulary.automaton import Action, Property

ENGINES: tuple[DecisionEngine, ...] = (
    UnlimitedZoneEngine(),
    NarrowerEngine(),
    OverApproximationEngine(),
    GuidedEngine(),
    TickEngine(),
    ZoneEngine(),
    SmtEngine(),
    UnlimitedGraphEngine(),
    GraphEngine(),
    DenseLassoEngine(),
    LassoEngine(),
)
"""Every engine. Those that a choice includes are asked in this order, each about the properties still undecided."""

OPEN = "the over-approximation leaves it open, and the system has too many locations; use explicit"
"""Why zones leave a property of a system open that is not `dense`."""

MOST_PATHS = 64
"""Paths that are tried for the earliest times of a run."""


def engines_are_kept() -> bool:
    """Whether the machine code of the compiled engines is kept, so that they start at once."""
    return is_kept(zone_kernels.explore)


@dataclass(frozen=True)
class Answer:
    """A finding with its trace.

    Attributes
    ----------
    finding : Finding
        The verdict and how it was reached.
    trace : Trace or None
        The replayed, minimised run of a violation.
    confirmation : Confirmation or None
        What a second way says of a proof (`timewait.checker.confirmation`); None where none was asked.
    """

    finding: Finding
    trace: Trace | None = None
    confirmation: Confirmation | None = None

    @property
    def name(self) -> str:
        """The property."""
        return self.finding.name

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.finding.verdict

    @property
    def engine(self) -> str:
        """The engine, in words."""
        return self.finding.engine

    @property
    def reason(self) -> str:
        """Why the verdict is neither a plain proof nor a violation; empty otherwise."""
        return self.finding.reason


def decide(question: Question, asked: Sequence[Property], engine: Engine, budget: Budget) -> list[Answer]:
    """Decide some properties of a question.

    Parameters
    ----------
    question : Question
        The system and its witnesses.
    asked : sequence of Property
        ``always`` and ``eventually`` properties.
    engine : Engine
        The choice of engines. `Engine.AUTO` takes zones where the system is dense; else zones of the over-approximation,
        and ticks for what these leave open. Zones of the system itself and SMT are possible wherever the locations are
        few, for instance because retries are.
    budget : Budget
        The budget of each exploration.
    """
    narrower = tuple(replace(narrow, quotient_budget=budget) for narrow in question.narrower)
    question = replace(question, quotient_budget=budget, narrower=narrower)
    if engine is Engine.AUTO and question.system.dense:
        engine = Engine.ZONES
    if reason := _unsupported(question, engine):
        return [Answer(Finding(entry.name, Verdict.INCONCLUSIVE, str(engine), reason=reason)) for entry in asked]
    try:
        return [_refined(question, entry, answer, engine, budget) for entry, answer in _ask(question, asked, engine, budget)]
    except BaseException:
        forget()
        raise


def violations_with_less_text(question: Question, asked: Sequence[Property], budget: Budget) -> list[Answer]:
    """The violations of ``always`` properties that systems with less text have, replayed on this one."""
    narrower = tuple(replace(narrow, quotient_budget=budget) for narrow in question.narrower)
    by_name = {entry.name: entry for entry in asked}
    found = NarrowerEngine().decide(replace(question, narrower=narrower), asked, budget) if narrower and asked else []
    answers = [_confirmed(question, by_name[finding.name], finding) for finding in found]
    return [answer for answer in answers if answer.verdict is Verdict.VIOLATED]


def _ask(question: Question, asked: Sequence[Property], engine: Engine, budget: Budget) -> list[tuple[Property, Answer]]:
    """Each property with the first answer that counts; a run that no refinement has leaves it to the engines after."""
    answers: dict[str, Answer] = {}
    for procedure in ENGINES:
        left = [entry for entry in asked if entry.kind == procedure.kind and not _settled(question, answers.get(entry.name))]
        if left and engine in procedure.choices:
            try:
                found = procedure.decide(question, left, budget) if procedure.supports(question) else []
            except Stopped as stopped:
                found = [Finding(entry.name, Verdict.INCONCLUSIVE, str(engine), reason=str(stopped)) for entry in left]
            by_name = {entry.name: entry for entry in left}
            answers |= {finding.name: _confirmed(question, by_name[finding.name], finding) for finding in found}
    return [(entry, answers.get(entry.name) or _undecided(question, entry, engine)) for entry in asked]


def _undecided(question: Question, asked: Property, engine: Engine) -> Answer:
    """The answer where no engine gives one."""
    reason = "no engine decides it" if question.system.dense or engine is Engine.EXPLICIT else OPEN
    return Answer(Finding(asked.name, Verdict.INCONCLUSIVE, str(engine), reason=reason))


def _settled(question: Question, answer: Answer | None) -> bool:
    """Whether no other engine needs to be asked: there is an answer, and not one whose run a refinement excludes."""
    return answer is not None and not _spurious(question, answer)


def _spurious(question: Question, answer: Answer) -> bool:
    """Whether the replay rejected a run that a refinement of the question does not have either."""
    run = answer.finding.run
    if answer.verdict is not Verdict.DISAGREEMENT or run is None or question.refined is None:
        return False
    return run_with(question.refined.compiled, _actions(run)) is None


def _actions(run: Run) -> list[Action]:
    """The actions of a run, those of its loop as often as the replay repeats it."""
    repeated = () if run.loop is None else run.moves[run.loop :] * (ROUNDS - 1)
    return [move.action for move in (*run.moves, *repeated) if move.action is not None]


def _refined(question: Question, asked: Property, answer: Answer, engine: Engine, budget: Budget) -> Answer:
    """The answer, or that of the refined question if the run is spurious."""
    if question.refined is None or not _spurious(question, answer):
        return answer
    return decide(question.refined, [asked], engine, budget)[0]


def _unsupported(question: Question, engine: Engine) -> str:
    """Why a choice of engines cannot decide a question; empty when it can."""
    approximated = engine is Engine.ZONES and question.over_approximation is not None
    whole = engine in (Engine.AUTO, Engine.EXPLICIT) or question.system.dense
    if not (whole or approximated) and question.finite is None:
        return f"engine {engine} needs unlimited duplication and any order, or few retries; use explicit"
    unit = unit_of(question.system.parameters)
    name, count = max(in_ticks(question.system.parameters, unit).items(), key=lambda entry: entry[1])
    if count > MOST:
        return f"{name} is {count:,} times the unit of {float(unit):.3g} s in which all durations are whole"
    return ""


def _confirmed(question: Question, asked: Property, finding: Finding) -> Answer:
    """The answer of a finding: a violation is replayed and minimised, a loop checked for fairness; else a disagreement."""
    if finding.verdict is not Verdict.VIOLATED:
        return Answer(finding)
    if finding.run is None:
        return Answer(finding.but(Verdict.DISAGREEMENT, "no delays make the run possible"))
    if asked.kind == "eventually" and (reason := unfair(question.compiled, finding.run)):
        return Answer(finding.but(Verdict.DISAGREEMENT, f"the run is not fair: {reason}"))
    try:
        return Answer(finding, _replayed(question, finding.run, asked))
    except Rejected as rejected:
        refusal = Answer(finding.but(Verdict.DISAGREEMENT, f"the replay was rejected: {rejected}"))
    if question.refined is not None and finding.run.loop is None:
        with suppress(Rejected):
            if (run := run_with(question.refined.compiled, _actions(finding.run))) is not None:
                return Answer(replace(finding, run=run), _replayed(question.refined, run, asked))
    return refusal


def _replayed(question: Question, run: Run, asked: Property) -> Trace:
    return minimal(question.initial_state, run, asked, partial(_earliest, question))


def _earliest(question: Question, run: Run) -> Iterator[Run]:
    """The same moves at the earliest instants, once for each path of the automaton that has these actions.

    The automaton merges packets that a replay tells apart, so a replay may reject some of these times.
    """
    values = question.system.parameters
    choices = [[move.action] for move in run.moves if move.action is not None]
    for path in islice(paths(question.compiled, choices, question.compiled.start), MOST_PATHS):
        waits = legible_delays(path, values, unit_of(values))
        if waits is not None:
            yield Run(tuple(Move(wait, move.action) for wait, move in zip(waits, run.moves, strict=True)))
