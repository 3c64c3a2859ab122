"""Evidence for claims: its record, and a function for each kind of evidence.

Labels state what was decided. In them M stands for MSL, R for RTO, and k for the number of losses in a loss window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import Answer, decide
from timewait.checker.family import failed_conditions, instance, parse_schedule
from timewait.checker.finding import Budget
from timewait.checker.linear import constraint
from timewait.checker.question import Engine
from timewait.checker.replay import Rejected, replay
from timewait.checker.structural import GraphEngine
from timewait.checker.synthesis import InconclusiveSynthesis
from timewait.checker.threshold import InconclusiveAnswer, minimum_safe
from timewait.checker.time_unit import unit_of
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict, worst
from timewait.proofs.certify import HORN, ZONES, CertifiedProof, terms_of
from timewait.proofs.question import question
from timewait.proofs.remembered import certify_liveness, formula, prove_for_all, prove_for_all_by_horn, safe_with_any_text
from timewait.proofs.remembered_runs import decided
from timewait.proofs.thresholds import RANGE, formula_in_words, interval_in_words
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.handshake import compose
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state

PROVED, VIOLATED = Verdict.PROVED, Verdict.VIOLATED
BOTH = ("graceful", "isolation")
ZONES_AT_VALUES, SCHEDULE = "zones, dense time", "family, all values"

SOLVER_SECONDS = 240.0
"""Time limit for Spacer."""


@dataclass(frozen=True)
class Evidence:
    """A piece of evidence for a claim.

    Attributes
    ----------
    label : str
        The question.
    verdict, expected : Verdict
        The verdict, and the verdict that the claim expects.
    engine : str
        The engine that decided it.
    detail : str
        The size of a certificate, a threshold, the length of a trace, or a problem.
    trace : Trace or None
        A replayed counterexample.
    certificate : str
        A certificate, as SMT-LIB 2.
    seconds : float
        Time spent.
    """

    label: str
    verdict: Verdict
    expected: Verdict
    engine: str
    detail: str = ""
    trace: Trace | None = None
    certificate: str = ""
    seconds: float = 0.0


def for_all(label: str, configuration: Configuration, region: Sequence[str], properties: Sequence[str] = BOTH) -> Evidence:
    """A proof for all values in a region, with its certificate."""
    return _for_all(label, region, ZONES, prove_for_all(configuration, properties, region))


def by_horn(label: str, configuration: Configuration, region: Sequence[str], properties: Sequence[str] = BOTH) -> Evidence:
    """A proof for all values in a region with an invariant from Spacer, independently of zones."""
    return _for_all(label, region, HORN, prove_for_all_by_horn(configuration, properties, region, SOLVER_SECONDS))


def _for_all(label: str, region: Sequence[str], engine: str, proof: CertifiedProof) -> Evidence:
    detail = proof.reason or f"{proof.cases} cases over {proof.locations} locations"
    return Evidence(f"{label}, for all {' and '.join(region)}", proof.verdict, PROVED, engine, detail, None, proof.text)


def for_every_duration(label: str, configuration: Configuration, name: str) -> Evidence:
    """A proof of a liveness property for every value of every duration, with its certificate."""
    proof = certify_liveness(configuration, name, Budget())
    detail = proof.reason or f"{proof.cases} reasons over {proof.locations} locations"
    return Evidence(f"{label}, for every duration: {name}", proof.verdict, PROVED, GraphEngine.label, detail, None, proof.text)


def at(label: str, configuration: Configuration, name: str, expected: Verdict, engine: Engine = Engine.AUTO) -> Evidence:
    """One property of one configuration, by one engine."""
    (evidence,) = all_at(label, configuration, [name], expected, engine)
    return evidence


def all_at(
    label: str, configuration: Configuration, names: Sequence[str], expected: Verdict, engine: Engine = Engine.AUTO
) -> Iterator[Evidence]:
    """Some properties of one configuration, from one exploration."""
    for name, answer in zip(names, decided(configuration, names, engine, expected), strict=True):
        yield _evidence(f"{label}: {name}", answer, expected)


def agreed(label: str, configuration: Configuration, name: str, expected: Verdict) -> Evidence:
    """One property by two engines, in ticks and in dense time, which must both decide it, and agree."""
    by_ticks, dense = (decided(configuration, [name], engine, expected)[0] for engine in (Engine.EXPLICIT, Engine.ZONES))
    if by_ticks.verdict is not dense.verdict:
        detail = f"ticks: {by_ticks.verdict}, zones: {dense.verdict}"
        undecided = Verdict.INCONCLUSIVE in (by_ticks.verdict, dense.verdict)
        verdict = Verdict.INCONCLUSIVE if undecided else Verdict.DISAGREEMENT
        return Evidence(f"{label}: {name}", verdict, expected, "explicit and zones", detail)
    engine = "zones" if PROPERTIES[name].kind == "always" else "loops in dense time"
    return replace(_evidence(f"{label}: {name}", dense, expected), engine=f"explicit and {engine}")


def _evidence(label: str, answer: Answer, expected: Verdict) -> Evidence:
    steps = f"{len(answer.trace.steps)} steps" if answer.trace is not None else ""
    finding = answer.finding
    return Evidence(label, finding.verdict, expected, finding.engine, finding.reason or steps, answer.trace)


def least(label: str, configuration: Configuration, properties: Sequence[str], expected: Fraction | int) -> Evidence:
    """The least safe TIME_WAIT of a configuration, by zones, compared with the claimed one in seconds."""
    unit = unit_of({name: value for name, value in configuration.parameters.items() if name != "TIME_WAIT"})

    def decide_value(value: Fraction) -> list[Answer]:
        asked = question(replace(configuration, time_wait=value))
        return decide(asked, [PROPERTIES[name] for name in properties], Engine.ZONES, Budget())

    label = f"{label}: least TIME_WAIT for {' and '.join(properties)}"
    limit = 2 * (configuration.msl + max(configuration.rto)) * (2 + (configuration.loss or 0))
    try:
        found = minimum_safe(decide_value, unit, limit // unit * unit, whole=False)
    except InconclusiveAnswer as problem:
        verdict = worst(answer.verdict for answer in problem.answers)
        return Evidence(label, verdict, PROVED, ZONES_AT_VALUES, str(problem))
    trace = next((answer.trace for answer in found.answers_below if answer.trace is not None), None)
    if found.minimum is None:
        return Evidence(label, VIOLATED, PROVED, ZONES_AT_VALUES, f"none up to {format_duration(found.largest_tried)}", trace)
    detail = f"{format_duration(found.minimum)}, claimed {format_duration(Fraction(expected))}"
    return Evidence(label, PROVED if found.minimum == expected else VIOLATED, PROVED, ZONES_AT_VALUES, detail, trace)


def for_all_by_schedule(
    label: str, configuration: Configuration, name: str, text: str, region: Sequence[str], iterations: int = 0
) -> Evidence:
    """A counterexample for all values in a region: a parametric schedule, an instance of which is replayed."""
    automaton = CompiledAutomaton(compose(configuration))
    schedule = parse_schedule(text)
    terms = terms_of(configuration, symbolic=True)
    problem = failed_conditions(automaton, schedule, name, [constraint(part) for part in region], terms)
    run = instance(automaton, schedule, configuration.parameters, iterations)
    label = f"{label}: {name}, for all {' and '.join(region)}"
    try:
        trace = replay(initial_state(configuration), run, PROPERTIES[name])
    except Rejected as rejected:
        problem = problem or f"the instance is not a run: {rejected}"
        trace = None
    verdict = Verdict.DISAGREEMENT if problem else VIOLATED
    return Evidence(label, verdict, VIOLATED, SCHEDULE, problem or f"schedule {schedule}", trace)


def as_formula(
    label: str,
    configuration: Configuration,
    properties: Sequence[str],
    expected: str,
    ratios: tuple[Fraction, Fraction] = RANGE,
) -> Iterator[Evidence]:
    """The least safe TIME_WAIT as a formula, compared with the claimed one; and both proofs of each of its pieces."""
    label = f"{label}: least TIME_WAIT for {' and '.join(properties)}"
    try:
        pieces = formula(configuration, properties, ratios, expected, Budget())
    except InconclusiveSynthesis as problem:
        yield Evidence(label, Verdict.INCONCLUSIVE, PROVED, ZONES, str(problem))
        return
    found = formula_in_words(pieces)
    yield Evidence(label, PROVED if found == expected else VIOLATED, PROVED, ZONES, f"{found}, claimed {expected}")
    for piece in pieces:
        where = f"{label}, {interval_in_words(piece.ratios)}"
        if (run := piece.counterexample) is not None:
            verdict = Verdict.DISAGREEMENT if run.rejection else VIOLATED
            detail = run.rejection or f"schedule {run.schedule}"
            yield Evidence(f"{where}, below it", verdict, VIOLATED, SCHEDULE, detail, run.trace)
        if piece.proof is not None:
            yield _for_all(where, [part.text for part in piece.region], ZONES, piece.proof)


def for_any_text(label: str, configuration: Configuration, properties: Sequence[str], wait: str) -> Iterator[Evidence]:
    """Proofs that a TIME_WAIT, as a term, and every longer one is safe for any amount of text of B, for every MSL and RTO."""
    label = f"{label}, any amount of text from B: {' and '.join(properties)}"
    reached = Fraction(0)
    try:
        for piece in safe_with_any_text(configuration, properties, wait, RANGE[1], Budget()):
            assert piece.proof is not None
            yield _for_all(label, [part.text for part in piece.region], ZONES, piece.proof)
            reached = piece.ratios.low
    except InconclusiveSynthesis as problem:
        yield Evidence(f"{label}, for every RTO up to {float(reached):g} MSL", Verdict.INCONCLUSIVE, PROVED, ZONES, str(problem))
