"""Thresholds as formulas; each piece has a certificate for the threshold and above, and a counterexample below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.family import BrokenSchedule, ParametricSchedule, ScheduledAction, failed_conditions, instance
from timewait.checker.finding import Budget, Run, Stopped
from timewait.checker.linear import Constraint, Terms, as_text, evaluate
from timewait.checker.projection import delays_in_terms
from timewait.checker.ratios import RatioInterval
from timewait.checker.replay import Rejected, replay, shortened
from timewait.checker.synthesis import Counterexample, InconclusiveSynthesis, Synthesis, ThresholdPiece, region_constraints
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.proofs.certify import SYMBOLS, CertifiedProof, ClaimedProperties, certified_proof, ill_posed, terms_of
from timewait.proofs.question import copies_told_apart
from timewait.spec.configuration import Configuration
from timewait.spec.handshake import compose
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.vocabulary.errors import RequestError

RANGE = (Fraction(1, 4), Fraction(2))
"""The default range of RTO / MSL."""

JUST_BELOW = Fraction(999, 1000)
"""The fraction of the threshold at which a counterexample is shown with numbers."""


@dataclass(frozen=True)
class ParametricCounterexample:
    """A counterexample for every TIME_WAIT below a threshold.

    Attributes
    ----------
    schedule : ParametricSchedule or None
        The schedule, with delays as linear terms; None when no such terms were found.
    region : list of Constraint
        The values for which it is legal and violates the property.
    violated : str
        The property that it violates.
    trace : Trace or None
        An instance, replayed.
    rejection : str
        The reason why it is rejected; empty when Z3 and cvc5 accept it.
    """

    schedule: ParametricSchedule | None
    region: list[Constraint]
    violated: str
    trace: Trace | None
    rejection: str


@dataclass(frozen=True)
class ProvedThreshold:
    """A piece of a threshold with its two proofs.

    Attributes
    ----------
    ratios : RatioInterval
        The ratios RTO / MSL of the piece.
    minimum : Terms or None
        The minimum safe TIME_WAIT; None where none is safe.
    counterexample : ParametricCounterexample or None
        The counterexample for every shorter TIME_WAIT; None when zero is safe.
    proof : CertifiedProof or None
        The certificate for the minimum and above; None where none is safe.
    region : list of Constraint
        The values that the certificate covers.
    """

    ratios: RatioInterval
    minimum: Terms | None
    counterexample: ParametricCounterexample | None
    proof: CertifiedProof | None
    region: list[Constraint]

    @property
    def verdict(self) -> Verdict:
        """Proved when both proofs are accepted; violated where no TIME_WAIT is safe and the counterexample is accepted."""
        if self.counterexample is not None and self.counterexample.rejection:
            return Verdict.DISAGREEMENT
        return Verdict.VIOLATED if self.proof is None else self.proof.verdict


def formula(
    configuration: Configuration, properties: Sequence[str], ratios: tuple[Fraction, Fraction], budget: Budget
) -> Iterator[ProvedThreshold]:
    """The pieces of the minimum safe TIME_WAIT, from the largest ratio RTO / MSL down.

    Parameters
    ----------
    configuration : Configuration
        Everything but MSL, RTO and TIME_WAIT; the gaps of a back-off schedule keep their proportions.
    properties : sequence of str
        The ``always`` properties that a safe TIME_WAIT keeps.
    ratios : pair of Fraction
        The smallest and the largest ratio.
    budget : Budget
        Bounds on each exploration.

    Raises
    ------
    timewait.vocabulary.errors.RequestError
        The properties are not ``always`` properties, or duplication or order is limited.
    timewait.checker.synthesis.InconclusiveSynthesis
        The search failed.
    """
    if problem := ill_posed(configuration, properties, []):
        raise RequestError(problem)
    remaining = ratios
    for told_apart in (1, *copies_told_apart(configuration)):
        try:
            for piece in _pieces(configuration, properties, remaining, budget, told_apart):
                yield piece
                remaining = (ratios[0], piece.ratios.low)
            return
        except Rejected as rejected:
            impossible = rejected
        except Stopped as stopped:
            raise InconclusiveSynthesis(str(stopped)) from stopped
    raise InconclusiveSynthesis(f"the replay was rejected: {impossible}")


def _pieces(
    configuration: Configuration, properties: Sequence[str], ratios: tuple[Fraction, Fraction], budget: Budget, told_apart: int
) -> Iterator[ProvedThreshold]:
    """The pieces as `formula` yields them, with some copies of a segment told apart.

    Raises
    ------
    timewait.checker.replay.Rejected
        A run cannot be carried out by the specification.
    """
    claimed = ClaimedProperties(configuration, properties, None, told_apart=told_apart, quotient_budget=budget)
    terms = terms_of(configuration, symbolic=True)
    plain = CompiledAutomaton(compose(configuration, told_apart))

    def shorten(run: Run, violated: str, values: Mapping[str, Fraction]) -> Run:
        chosen = at_values(configuration, values["MSL"], values[configuration.rto_names[0]], values["TIME_WAIT"])
        return shortened(initial_state(chosen), run, PROPERTIES[violated])

    search = Synthesis((plain, claimed.automaton), frozenset(properties), terms, SYMBOLS, shorten, budget)
    for piece in search.pieces(*ratios):
        counterexample = None if piece.run is None else _counterexample(configuration, plain, piece, piece.run)
        yield _proved(claimed, piece, counterexample)


def safe_with_any_text(
    configuration: Configuration, properties: Sequence[str], wait: Terms, highest: Fraction, budget: Budget
) -> Iterator[ProvedThreshold]:
    """The proofs that a TIME_WAIT and every longer one is safe for any amount of text of B, for every ratio RTO / MSL.

    Parameters
    ----------
    configuration : Configuration
        Everything but MSL, RTO, TIME_WAIT and the text.
    properties : sequence of str
        The ``always`` properties to prove together.
    wait : mapping
        TIME_WAIT as a term in MSL and RTO.
    highest : Fraction
        The largest ratio tried; the first proof must hold for every larger one too.
    budget : Budget
        Bounds on each exploration.

    Raises
    ------
    ValueError
        `timewait.proofs.any_text.fault` names what the configuration lacks.
    timewait.checker.synthesis.InconclusiveSynthesis
        The search failed, or a run of the abstraction violates a property.
    """
    claimed = ClaimedProperties(configuration, properties, None, any_text=True)
    terms = terms_of(configuration, symbolic=True)
    automata = (claimed.automaton, claimed.automaton)
    search = Synthesis(automata, frozenset(properties), terms, SYMBOLS, lambda run, _, __: run, budget)
    for piece in search.safe_pieces(wait, Fraction(0), highest):
        yield _proved(claimed, piece, None)


def _proved(
    claimed: ClaimedProperties, piece: ThresholdPiece, counterexample: ParametricCounterexample | None
) -> ProvedThreshold:
    """A piece with its certificate, whose own values lie inside the piece."""
    configuration, region = subject_of(claimed, piece)
    proof = None
    if piece.minimum is not None:
        proof = certified_proof(replace(claimed, configuration=configuration, region=region), piece.invariant)
    return ProvedThreshold(piece.ratios, piece.minimum, counterexample, proof, region)


def subject_of(claimed: ClaimedProperties, piece: ThresholdPiece) -> tuple[Configuration, list[Constraint]]:
    """The configuration of the certificate of a piece, whose own values lie inside the piece, and the region that it covers."""
    region = region_constraints(piece, SYMBOLS, safe=True)
    if piece.minimum is None:
        return claimed.configuration, region
    msl, rto = claimed.configuration.msl, claimed.configuration.msl * _inside(piece.ratios)
    least = evaluate(piece.minimum, {SYMBOLS.scale: msl, SYMBOLS.rate: rto})
    return at_values(claimed.configuration, msl, rto, least), region


def _counterexample(
    configuration: Configuration, plain: CompiledAutomaton, piece: ThresholdPiece, run: Counterexample
) -> ParametricCounterexample:
    region = region_constraints(piece, SYMBOLS, safe=False)
    if piece.pumped is not None:
        schedule, region = piece.pumped
    else:
        terms = terms_of(configuration, symbolic=True)
        delays = delays_in_terms(run.path, terms, tuple(region), SYMBOLS)
        if delays is None:
            return ParametricCounterexample(None, region, run.violated, None, "no delays in terms were found")
        schedule = ParametricSchedule(
            tuple(ScheduledAction(delay, edge.original.action) for delay, (_, edge) in zip(delays, run.path, strict=True))
        )
    return _checked(configuration, plain, piece, ParametricCounterexample(schedule, region, run.violated, None, ""))


def _checked(
    configuration: Configuration, plain: CompiledAutomaton, piece: ThresholdPiece, found: ParametricCounterexample
) -> ParametricCounterexample:
    """A counterexample with an instance of its schedule, and the reason why it is rejected."""
    schedule, violated, trace = found.schedule, found.violated, None
    assert schedule is not None, "there is nothing to check"
    try:
        rejection = failed_conditions(plain, schedule, violated, found.region, terms_of(configuration, symbolic=True))
        trace = _instance(configuration, plain, piece, schedule, violated)
    except BrokenSchedule as problem:
        rejection = str(problem)
    except Rejected as problem:
        rejection = f"the replay was rejected: {problem}"
    return replace(found, trace=trace, rejection=rejection)


def checked_again(
    claimed: ClaimedProperties,
    piece: ThresholdPiece,
    counterexample: ParametricCounterexample | None,
    proof: CertifiedProof | None,
) -> ProvedThreshold:
    """A piece of a threshold that was found earlier, with its counterexample checked again.

    Parameters
    ----------
    claimed : ClaimedProperties
        The subject, without a region, with the number of copies that were told apart.
    piece : ThresholdPiece
        The ratios and the minimum.
    counterexample : ParametricCounterexample or None
        A counterexample, of which the schedule and the violated property are read.
    proof : CertifiedProof or None
        The certificate for the minimum and above (see `subject_of`), which is not checked here.
    """
    if counterexample is not None:
        plain = CompiledAutomaton(compose(claimed.configuration, claimed.told_apart))
        counterexample = replace(counterexample, region=region_constraints(piece, SYMBOLS, safe=False))
        counterexample = _checked(claimed.configuration, plain, piece, counterexample)
    return ProvedThreshold(piece.ratios, piece.minimum, counterexample, proof, subject_of(claimed, piece)[1])


def _instance(
    configuration: Configuration, plain: CompiledAutomaton, piece: ThresholdPiece, schedule: ParametricSchedule, violated: str
) -> Trace:
    """The schedule at the configuration's MSL, an RTO inside the piece, and a TIME_WAIT just below the threshold."""
    msl, rto = configuration.msl, configuration.msl * _inside(piece.ratios)
    at = {SYMBOLS.scale: msl, SYMBOLS.rate: rto}
    wait = 4 * (msl + rto) if piece.minimum is None else evaluate(piece.minimum, at) * JUST_BELOW
    chosen = at_values(configuration, msl, rto, wait)
    iterations = int(wait / min(msl, rto)) + 1 if schedule.repeated else 0
    run = instance(plain, schedule, chosen.parameters | at | {SYMBOLS.wait: wait}, iterations)
    return replay(initial_state(chosen), run, PROPERTIES[violated])


def at_values(configuration: Configuration, msl: Fraction, rto: Fraction, time_wait: Fraction) -> Configuration:
    """A configuration at other durations, with the same proportions."""
    lengths: dict[str, Any] = {name: length / configuration.msl * msl for name, length in configuration.further_lengths.items()}
    return replace(
        configuration,
        msl=msl,
        rto=tuple(gap / configuration.rto[0] * rto for gap in configuration.rto),
        time_wait=time_wait,
        **lengths,
    )


def _inside(ratios: RatioInterval) -> Fraction:
    """A simple ratio in the interior of an interval, or the only ratio in it."""
    high = 2 * ratios.low + 1 if ratios.high is None else ratios.high
    if ratios.low < 1 < high:
        return Fraction(1)
    return (ratios.low + high) / 2


# --- in words -------------------------------------------------------------------------------------------------------


def rows(pieces: Sequence[ProvedThreshold]) -> list[tuple[RatioInterval, Terms | None]]:
    """The formula alone, from the smallest ratio up, with neighbours of the same term joined."""
    found: list[tuple[RatioInterval, Terms | None]] = []
    for piece in reversed(pieces):
        if found and found[-1][1] == piece.minimum:
            last = found[-1][0]
            found[-1] = (last._replace(high=piece.ratios.high, closed_high=piece.ratios.closed_high), piece.minimum)
        else:
            found.append((piece.ratios, piece.minimum))
    return found


def formula_in_words(pieces: Sequence[ProvedThreshold]) -> str:
    """The minimum safe TIME_WAIT as a formula."""
    parts = rows(pieces)
    known = [(ratios, minimum) for ratios, minimum in parts if minimum is not None]
    if not known:
        return f"no finite {SYMBOLS.wait} is enough"
    if len(known) == len(parts):
        terms = [minimum for _, minimum in known]
        texts = list(dict.fromkeys(map(as_text, terms)))
        if len(texts) == 1:
            return f"safe iff {SYMBOLS.wait} >= {texts[0]}"
        if all(_largest(minimum, ratios, terms) for ratios, minimum in known):
            return f"safe iff {SYMBOLS.wait} >= max({', '.join(texts)})"
    return "; ".join(f"{interval_in_words(ratios)}: {_rule(minimum)}" for ratios, minimum in parts)


def _rule(minimum: Terms | None) -> str:
    return "no finite one is enough" if minimum is None else f"safe iff {SYMBOLS.wait} >= {as_text(minimum)}"


def _largest(minimum: Terms, ratios: RatioInterval, others: Sequence[Terms]) -> bool:
    """Whether a term is the maximum of some terms on an interval: at its ends, which is enough for linear terms."""
    ends = [ratios.low, ratios.high if ratios.high is not None else ratios.low + 1000]
    points = [{SYMBOLS.scale: Fraction(1), SYMBOLS.rate: end} for end in ends]
    return all(evaluate(minimum, point) >= evaluate(other, point) for other in others for point in points)


def interval_in_words(ratios: RatioInterval) -> str:
    """An interval of ratios as bounds on RTO."""
    low = f"{_times(ratios.low)} {'<=' if ratios.closed_low else '<'} " if ratios.low else ""
    high = "" if ratios.high is None else f" {'<=' if ratios.closed_high else '<'} {_times(ratios.high)}"
    if ratios.low == ratios.high:
        return f"{SYMBOLS.rate} = {_times(ratios.low)}"
    return f"{low}{SYMBOLS.rate}{high}" if low or high else f"every {SYMBOLS.rate}"


def _times(ratio: Fraction) -> str:
    return as_text({SYMBOLS.scale: ratio})
