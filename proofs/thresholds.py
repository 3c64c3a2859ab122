"""Thresholds as formulas, each piece proved from both sides: by an invariant from it on, by a run in terms below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.family import BrokenSchedule, ParametricSchedule, ScheduledAction, failed_conditions, instance
from timewait.checker.finding import Budget, Run
from timewait.checker.linear import Constraint, Terms, as_text, evaluate
from timewait.checker.projection import delays_in_terms
from timewait.checker.ratios import RatioInterval
from timewait.checker.replay import Rejected, replay, shortened
from timewait.checker.synthesis import Counterexample, Synthesis, ThresholdPiece, region_constraints
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.proofs.certify import SYMBOLS, CertifiedProof, ClaimedProperties, certified_proof, ill_posed, terms_of
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state

RANGE = (Fraction(1, 4), Fraction(2))
"""The ratios RTO / MSL that are looked at unless somebody says otherwise."""

JUST_BELOW = Fraction(999, 1000)
"""The part of the least safe TIME_WAIT at which a run is shown with numbers."""


@dataclass(frozen=True)
class ParametricCounterexample:
    """A run for every TIME_WAIT below a piece's.

    Attributes
    ----------
    script : Script or None
        Its moves, with delays as terms; None when no such terms were found.
    region : list of Constraint
        For which values it is legal and breaks a property.
    broken : str
        Which property.
    trace : Trace or None
        It at some values, replayed.
    fault : str
        Why it is not believed; empty when it is, by Z3 and by cvc5.
    """

    schedule: ParametricSchedule | None
    region: list[Constraint]
    broken: str
    trace: Trace | None
    rejection: str


@dataclass(frozen=True)
class ProvedThreshold:
    """A piece with its two proofs.

    Attributes
    ----------
    ratios : Interval
        The ratios RTO / MSL that it is about.
    least : Terms or None
        The least safe TIME_WAIT; None where none is safe.
    below : Below or None
        The run for every shorter one; None when nought is safe.
    safe : Certified or None
        The certificate from it on; None where none is safe.
    region : list of Constraint
        What the certificate is for.
    """

    ratios: RatioInterval
    minimum: Terms | None
    counterexample: ParametricCounterexample | None
    proof: CertifiedProof | None
    region: list[Constraint]

    @property
    def verdict(self) -> Verdict:
        """Proved when both sides are believed; violated where no TIME_WAIT is safe and the run for that is believed."""
        if self.counterexample is not None and self.counterexample.rejection:
            return Verdict.DISAGREEMENT
        return Verdict.VIOLATED if self.proof is None else self.proof.verdict


def formula(
    configuration: Configuration, properties: Sequence[str], ratios: tuple[Fraction, Fraction], budget: Budget
) -> Iterator[ProvedThreshold]:
    """The pieces of the least safe TIME_WAIT, from the largest ratio RTO / MSL down.

    Parameters
    ----------
    configuration : Configuration
        Everything but MSL, RTO and TIME_WAIT; the gaps of a back-off schedule keep their proportions.
    properties : sequence of str
        The ``always`` properties asked for together.
    ratios : pair of Fraction
        The least and the largest ratio to be covered.
    budget : Budget
        Bounds on each exploration.

    Raises
    ------
    ValueError
        Nothing can be said: not ``always`` properties, or not unlimited duplication in any order.
    timewait.checker.synthesis.InconclusiveSynthesis
        The search came to no end.
    """
    rejection = ill_posed(configuration, properties, [])
    if rejection:
        raise ValueError(rejection)
    asked = question(configuration)
    terms = terms_of(configuration, symbolic=True)
    plain = CompiledAutomaton(asked.system)

    def shorten(run: Run, broken: str, values: Mapping[str, Fraction]) -> Run:
        chosen = at_values(configuration, values["MSL"], values[configuration.rto_names[0]], values["TIME_WAIT"])
        return shortened(initial_state(chosen), run, PROPERTIES[broken])

    search = Synthesis((plain, asked.quotient), frozenset(properties), terms, SYMBOLS, shorten, budget)
    for piece in search.pieces(*ratios):
        below = None if piece.run is None else _below(configuration, plain, piece, piece.run)
        region = region_constraints(piece, SYMBOLS, safe=True)
        safe = (
            None
            if piece.minimum is None
            else certified_proof(ClaimedProperties(configuration, properties, region), piece.invariant)
        )
        yield ProvedThreshold(piece.ratios, piece.minimum, below, safe, region)


def _below(
    configuration: Configuration, plain: CompiledAutomaton, piece: ThresholdPiece, run: Counterexample
) -> ParametricCounterexample:
    terms = terms_of(configuration, symbolic=True)
    region = region_constraints(piece, SYMBOLS, safe=False)
    if piece.pumped is not None:
        schedule, region = piece.pumped
    else:
        delays = delays_in_terms(run.path, terms, tuple(region), SYMBOLS)
        if delays is None:
            return ParametricCounterexample(None, region, run.broken, None, "no delays in terms were found")
        schedule = ParametricSchedule(
            tuple(ScheduledAction(wait, edge.original.action) for wait, (_, edge) in zip(delays, run.path, strict=True))
        )
    try:
        rejection = failed_conditions(plain, schedule, run.broken, region, terms)
        trace = _shown(configuration, plain, piece, schedule, run.broken)
    except BrokenSchedule as problem:
        return ParametricCounterexample(schedule, region, run.broken, None, str(problem))
    except Rejected as problem:
        return ParametricCounterexample(schedule, region, run.broken, None, f"the replay was rejected: {problem}")
    return ParametricCounterexample(schedule, region, run.broken, trace, rejection)


def _shown(
    configuration: Configuration, plain: CompiledAutomaton, piece: ThresholdPiece, schedule: ParametricSchedule, broken: str
) -> Trace:
    """The run at an MSL of the configuration's and a ratio inside the piece, with a TIME_WAIT just below the least safe one."""
    at = {SYMBOLS.scale: configuration.msl, SYMBOLS.rate: configuration.msl * _inside(piece.ratios)}
    wait = 4 * (at[SYMBOLS.scale] + at[SYMBOLS.rate]) if piece.minimum is None else evaluate(piece.minimum, at) * JUST_BELOW
    chosen = at_values(configuration, at[SYMBOLS.scale], at[SYMBOLS.rate], wait)
    rounds = int(wait / min(at.values())) + 1 if schedule.repeated else 0
    run = instance(plain, schedule, chosen.parameters | at | {SYMBOLS.wait: wait}, rounds)
    return replay(initial_state(chosen), run, PROPERTIES[broken])


def at_values(configuration: Configuration, msl: Fraction, rto: Fraction, time_wait: Fraction) -> Configuration:
    """A configuration at other durations, its proportions kept."""
    return replace(
        configuration,
        msl=msl,
        rto=tuple(gap / configuration.rto[0] * rto for gap in configuration.rto),
        time_wait=time_wait,
        fin_wait_2=configuration.fin_wait_2 / configuration.msl * msl,
    )


def _inside(ratios: RatioInterval) -> Fraction:
    """A plain ratio inside an interval, not at its ends if that can be helped."""
    high = 2 * ratios.low + 1 if ratios.high is None else ratios.high
    if ratios.low < 1 < high:
        return Fraction(1)
    return (ratios.low + high) / 2


# --- in words -------------------------------------------------------------------------------------------------------


def rows(pieces: Sequence[ProvedThreshold]) -> list[tuple[RatioInterval, Terms | None]]:
    """The formula alone, from the lowest ratio up: neighbours with the same term as one."""
    found: list[tuple[RatioInterval, Terms | None]] = []
    for piece in reversed(pieces):
        if found and found[-1][1] == piece.minimum:
            last = found[-1][0]
            found[-1] = (last._replace(high=piece.ratios.high, closed_high=piece.ratios.closed_high), piece.minimum)
        else:
            found.append((piece.ratios, piece.minimum))
    return found


def formula_in_words(pieces: Sequence[ProvedThreshold]) -> str:
    """The least safe TIME_WAIT as a person would write it."""
    parts = rows(pieces)
    known = [(ratios, minimum) for ratios, minimum in parts if minimum is not None]
    if not known:
        return f"no finite {SYMBOLS.wait} is enough"
    if len(known) == len(parts):
        together = [minimum for _, minimum in known]
        shown = list(dict.fromkeys(as_text(minimum) for minimum in together))
        if len(shown) == 1:
            return f"safe iff {SYMBOLS.wait} >= {shown[0]}"
        if all(_largest(minimum, ratios, together) for ratios, minimum in known):
            return f"safe iff {SYMBOLS.wait} >= max({', '.join(shown)})"
    return "; ".join(f"{interval_in_words(ratios)}: {_rule(minimum)}" for ratios, minimum in parts)


def _rule(minimum: Terms | None) -> str:
    return "no finite one is enough" if minimum is None else f"safe iff {SYMBOLS.wait} >= {as_text(minimum)}"


def _largest(minimum: Terms, ratios: RatioInterval, others: Sequence[Terms]) -> bool:
    """Whether a term is nowhere on an interval less than any of some others: at its ends, which is enough for linear ones."""
    ends = [ratios.low, ratios.high if ratios.high is not None else ratios.low + 1000]
    places = [{SYMBOLS.scale: Fraction(1), SYMBOLS.rate: end} for end in ends]
    return all(evaluate(minimum, place) >= evaluate(other, place) for other in others for place in places)


def interval_in_words(ratios: RatioInterval) -> str:
    """An interval of ratios as bounds on RTO."""
    low = f"{_times(ratios.low)} {'<=' if ratios.closed_low else '<'} " if ratios.low else ""
    high = "" if ratios.high is None else f" {'<=' if ratios.closed_high else '<'} {_times(ratios.high)}"
    if ratios.low == ratios.high:
        return f"{SYMBOLS.rate} = {_times(ratios.low)}"
    return f"{low}{SYMBOLS.rate}{high}" if low or high else f"every {SYMBOLS.rate}"


def _times(ratio: Fraction) -> str:
    return as_text({SYMBOLS.scale: ratio})
