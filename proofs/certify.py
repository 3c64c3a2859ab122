"""Certified proofs: prove properties, write the proof down as SMT-LIB 2, and check such files.

======================================  ==========================================================================
function                                use
======================================  ==========================================================================
`prove_for_all`                         ``always`` properties, for all values of the durations in a region
`prove_for_all_by_horn`                 the same, with an invariant from Spacer
`certify_at_values`                     ``always`` properties, for the configuration's own durations
`certify_at_values_by_horn`             the same, with an invariant from Spacer
`certify_liveness`                      one ``eventually`` property, for every value of every duration
======================================  ==========================================================================

A proof counts only after Z3 and cvc5 have both answered every proof obligation with ``unsat``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from timewait.checker import certificate, horn
from timewait.checker.certificate import Certificate, Invariant, InvariantCertificate, Statement
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.cover import constants, cover_of, invariant, multiples, trimmed
from timewait.checker.engine import TIME_LOCK
from timewait.checker.finding import Budget, Stopped
from timewait.checker.linear import Constraint, Terms, constraint
from timewait.checker.liveness_certificate import Component, LivenessCertificate
from timewait.checker.over_approximated import concretised_witnesses
from timewait.checker.quotient import Quotient
from timewait.checker.rendered_certificate import RenderedCertificate
from timewait.checker.replay import Rejected, replay
from timewait.checker.structural import proof_of
from timewait.checker.symbolic import Symbolic
from timewait.checker.synthesis import ParameterNames
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.proofs.any_text import AnyText
from timewait.proofs.corner import at_corner
from timewait.proofs.question import copies_told_apart, question
from timewait.spec.configuration import Configuration
from timewait.spec.handshake import compose
from timewait.spec.plain_data import configuration_as_data, configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.reopening import NextIncarnationError
from timewait.vocabulary.automaton import TimedAutomaton

SYMBOLS = ParameterNames("MSL", "RTO", "TIME_WAIT")
"""The parameters that stay symbolic in a proof for all values."""

MAX_TRIMMED_ZONES = 400
"""A cover with more zones keeps its redundant bounds: to remove them would take minutes."""

MAX_TOLD_APART = 100
"""Copies of one segment that a certificate may tell apart."""

ZONES, HORN = "zones, all values", "horn, all values"


@dataclass(frozen=True)
class CertifiedProof:
    """The result of a proof attempt.

    Attributes
    ----------
    verdict : Verdict
        Proved only when Z3 and cvc5 both accept the certificate; a disagreement when one of them rejects it.
    text : str
        The certificate, as SMT-LIB 2; empty when there is none.
    cases, locations : int
        The size of the proof: its cases (or, for liveness, exclusions), and the locations that they cover.
    reason : str
        The reason why the property is not proved.
    """

    verdict: Verdict
    text: str = ""
    cases: int = 0
    locations: int = 0
    reason: str = ""


@dataclass(frozen=True)
class ClaimedProperties:
    """The subject of a certificate for ``always`` properties.

    Attributes
    ----------
    configuration : Configuration
        The configuration.
    properties : sequence of str
        The ``always`` properties, proved together.
    region : sequence of Constraint or None
        The values of `SYMBOLS` that the proof covers; None for the configuration's own values alone.
    over_approximated : bool
        Whether the invariant is one of the over-approximation: a proof for it is a proof for the system.
    told_apart : int
        The copies of one segment that the composition tells apart (`timewait.spec.composition.Composition`).
    any_text : bool
        Whether B sends any amount of text, and the invariant is one of `timewait.proofs.any_text.AnyText`.
    quotient_budget : Budget or None
        The budget for the quotient; using it up raises `Stopped`.
    """

    configuration: Configuration
    properties: Sequence[str]
    region: Sequence[Constraint] | None
    over_approximated: bool = False
    told_apart: int = 1
    any_text: bool = False
    quotient_budget: Budget | None = field(default=None, compare=False)

    @cached_property
    def automaton(self) -> CompiledAutomaton:
        """The compiled automaton that the invariant belongs to."""
        if self.any_text or self.told_apart > 1:
            return CompiledAutomaton(self.system)
        asked = replace(question(self.configuration), quotient_budget=self.quotient_budget)
        return asked.coarse if self.over_approximated else asked.quotient

    @cached_property
    def system(self) -> TimedAutomaton:
        """The system that the invariant belongs to, as the specification has it: nothing is compiled."""
        if self.any_text:
            return AnyText(self.configuration)
        if self.told_apart > 1:
            return Quotient(compose(self.configuration, self.told_apart), self.quotient_budget)
        asked = question(self.configuration)
        coarse = asked.over_approximation if self.over_approximated else None
        return Quotient(asked.system if coarse is None else coarse)

    @property
    def statement(self) -> Statement:
        """What the invariant must prove."""
        terms = terms_of(self.configuration, symbolic=self.region is not None)
        return Statement(self.system, frozenset(self.properties), terms, tuple(self.region or ()))

    @property
    def header(self) -> dict[str, Any]:
        """The subject as plain data, for the first line of the file."""
        return {
            "configuration": configuration_as_data(self.configuration),
            "properties": list(self.properties),
            "region": None if self.region is None else [part.text for part in self.region],
            "relaxed": self.over_approximated,
            **({"told apart": self.told_apart} if self.told_apart > 1 else {}),
            **({"any text": True} if self.any_text else {}),
        }


@dataclass(frozen=True)
class ClaimedLiveness:
    """The subject of a certificate for an ``eventually`` property; it holds for every value of every duration.

    Attributes
    ----------
    configuration : Configuration
        The configuration; its durations do not matter.
    name : str
        The ``eventually`` property.
    """

    configuration: Configuration
    name: str

    def automaton(self, budget: Budget) -> CompiledAutomaton | None:
        """The compiled automaton; None when it has too many locations.

        Raises
        ------
        timewait.checker.finding.Stopped
            The budget was used up.
        """
        return replace(question(self.configuration), quotient_budget=budget).finite

    def certificate(self, automaton: CompiledAutomaton, proof: Component) -> LivenessCertificate:
        """The certificate for a proof."""
        return LivenessCertificate(automaton.system, self.name, PROPERTIES[self.name].recurrent, proof)

    @property
    def header(self) -> dict[str, Any]:
        """The subject as plain data, for the first line of the file."""
        return {"configuration": configuration_as_data(self.configuration), "properties": [self.name], "region": []}


def terms_of(configuration: Configuration, *, symbolic: bool) -> dict[str, Terms]:
    """Every duration of a configuration as a linear term.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    symbolic : bool
        Whether MSL, RTO and TIME_WAIT stay symbolic. The gaps of a back-off schedule are then multiples of the first
        one, RTO, and every other length is a multiple of MSL. Otherwise each term is a number of seconds.

    Raises
    ------
    timewait.spec.reopening.NextIncarnationError
        MSL is symbolic, and the place of old sequence numbers depends on it.
    """
    values = configuration.parameters
    if symbolic and configuration.reopening.depends_on_msl:
        raise NextIncarnationError(
            "with a lifetime, the place of numbers by the clock depends on MSL; for all values leave out the lifetime, or state"
            " numbers above or worst"
        )
    if not symbolic:
        return {name: {"": value} if value else {} for name, value in values.items()}
    terms: dict[str, Terms] = {"0": {}} | {name: {name: Fraction(1)} for name in (SYMBOLS.scale, SYMBOLS.wait)}
    for name in {name for names in configuration.gap_names for name in names} - {"0"}:
        terms[name] = {SYMBOLS.rate: values[name] / configuration.rto[0]}
    for name in values.keys() - terms.keys():
        terms[name] = {SYMBOLS.scale: values[name] / configuration.msl} if values[name] else {}
    if terms.get("TIME_WAIT_LEFT") and configuration.idle_before_close is not None:
        terms["TIME_WAIT_LEFT"] = {SYMBOLS.wait: Fraction(1), SYMBOLS.scale: -configuration.idle_before_close / configuration.msl}
    return terms


# --- always properties ---------------------------------------------------------------------------------------------


def prove_for_all(configuration: Configuration, properties: Sequence[str], region: Sequence[str]) -> CertifiedProof:
    """Prove ``always`` properties for all values of the durations in a region.

    The zones are explored at the configuration's own values, and every bound is read as a multiple of MSL. That is an
    invariant of the whole region if those values are its worst corner (longest RTO, shortest TIME_WAIT); the proof
    obligations decide whether it is. If they do not accept it, the worst corner itself is explored.

    Parameters
    ----------
    configuration : Configuration
        Everything but the symbolic durations; their values in it must lie in the region.
    properties : sequence of str
        The properties to prove together.
    region : sequence of str
        Linear constraints on MSL, RTO and TIME_WAIT, for instance ``TIME_WAIT >= 2*MSL``.

    Raises
    ------
    ValueError
        A constraint cannot be read, or names an unknown duration.
    """

    def of_zones(_: ClaimedProperties, zones: Zones) -> Invariant:
        cover = cover_of(zones)
        if sum(map(len, cover.values())) <= MAX_TRIMMED_ZONES:
            cover = trimmed(zones, cover, frozenset(properties))
        return invariant(zones, cover, multiples(SYMBOLS.scale, zones.ticks[SYMBOLS.scale]))

    claimed = ClaimedProperties(configuration, properties, [constraint(text) for text in region])
    found = _proved(claimed, of_zones, Budget())
    if found.verdict is Verdict.DISAGREEMENT and (corner := at_corner(configuration, claimed.region or ())) is not None:
        found = _proved(replace(claimed, configuration=corner), of_zones, Budget())
    return found


def prove_for_all_by_horn(
    configuration: Configuration, properties: Sequence[str], region: Sequence[str], seconds: float
) -> CertifiedProof:
    """Prove ``always`` properties for all values with an invariant that Spacer finds; parameters as in `prove_for_all`."""
    claimed = ClaimedProperties(configuration, properties, [constraint(text) for text in region])
    return _proved(claimed, lambda attempt, _: _by_spacer(attempt, seconds), Budget())


def certifiable(configuration: Configuration) -> bool:
    """Whether there are certificates for ``always`` properties: not where copies are counted or arrive in order."""
    return question(configuration).system.dense


def certify_at_values(configuration: Configuration, properties: Sequence[str], budget: Budget) -> CertifiedProof:
    """Prove ``always`` properties for a configuration's own durations, by zones.

    The zones are explored anew, whichever engine gave the verdict; a system that zones cannot explore has no certificate.
    """
    claimed = ClaimedProperties(configuration, properties, None, quotient_budget=budget)
    return _proved(claimed, lambda _, zones: invariant(zones, cover_of(zones), constants(zones.unit)), budget)


def certify_at_values_by_horn(configuration: Configuration, properties: Sequence[str], seconds: float) -> CertifiedProof:
    """The same with an invariant that Spacer finds; violated when Spacer reports that a bad step is reachable.

    Witnesses and time-locks are not checked.
    """
    if problem := ill_posed(configuration, properties, []):
        return CertifiedProof(Verdict.VACUOUS, reason=problem)
    claimed = ClaimedProperties(configuration, properties, None)
    found = _by_spacer(claimed, seconds)
    return found if isinstance(found, CertifiedProof) else certified_proof(claimed, found)


def _by_spacer(claimed: ClaimedProperties, seconds: float) -> Invariant | CertifiedProof:
    """The invariant that Spacer finds, or the result without one."""
    statement = claimed.statement
    symbolic = Symbolic(claimed.automaton, statement.bad)
    if claimed.region is not None:
        symbolic = Symbolic(claimed.automaton, statement.bad, tuple(SYMBOLS), statement.region, statement.terms)
    answer = horn.solve(symbolic, seconds)
    if answer.invariant is not None:
        return horn.as_text(symbolic, answer.invariant)
    verdict = Verdict.VIOLATED if answer.reachable else Verdict.INCONCLUSIVE
    return CertifiedProof(verdict, reason=answer.reason or "Spacer reports that a bad step is reachable")


def _proved(
    claimed: ClaimedProperties, read: Callable[[ClaimedProperties, Zones], Invariant | CertifiedProof], budget: Budget
) -> CertifiedProof:
    """The first proof that is accepted: of the over-approximation if possible, else of the system itself, else of a refinement.

    A refinement is needed where the system has a violating run that the specification cannot carry out.
    """
    refinements = (replace(claimed, told_apart=most) for most in copies_told_apart(claimed.configuration))
    for attempt in (replace(claimed, over_approximated=True), claimed, *refinements):
        zones, refused = _explored(attempt, budget.fresh())
        if zones is None:
            if attempt.over_approximated and refused.verdict is Verdict.VACUOUS:
                continue
            return refused
        if broken := frozenset(claimed.properties) & zones.broken.keys():
            if attempt.over_approximated or not _confirmed(attempt, zones, broken):
                continue
            break
        found = read(attempt, zones)
        if not isinstance(found, CertifiedProof):
            return certified_proof(attempt, found)
        if not (attempt.over_approximated and found.verdict is Verdict.VIOLATED):
            return found
    return CertifiedProof(Verdict.VIOLATED, reason="a run violates it at the configuration's own values")


def _confirmed(claimed: ClaimedProperties, zones: Zones, broken: frozenset[str]) -> bool:
    """Whether the specification carries out the run to some property that zones report as violated."""
    for name in broken:
        run = zones.run_to(*zones.broken[name])
        with suppress(Rejected):
            if run is not None and replay(initial_state(claimed.configuration), run, PROPERTIES[name]):
                return True
    return False


def _explored(claimed: ClaimedProperties, budget: Budget) -> tuple[Zones | None, CertifiedProof]:
    """All zones at the configuration's own values, or the reason why they prove nothing."""
    if problem := ill_posed(claimed.configuration, claimed.properties, claimed.region or []) or _outside(claimed):
        return None, CertifiedProof(Verdict.VACUOUS, reason=problem)
    try:
        zones = Zones(claimed.automaton)
        zones.explore(budget)
        problem = "" if zones.stopped else _vacuous(claimed, zones)
    except Stopped as stopped:
        return None, CertifiedProof(Verdict.INCONCLUSIVE, reason=str(stopped))
    if zones.stopped:
        return None, CertifiedProof(Verdict.INCONCLUSIVE, reason=zones.stopped)
    return (None if problem else zones), CertifiedProof(Verdict.VACUOUS, reason=problem)


def certified_proof(claimed: ClaimedProperties, found: Invariant) -> CertifiedProof:
    """An invariant as a certificate, proved if Z3 and cvc5 accept it."""
    cases = sum(map(len, found.values()))
    return _certified(InvariantCertificate(claimed.statement, found), claimed.header, cases, len(found))


def _certified(proof: Certificate, header: Mapping[str, Any], cases: int, locations: int) -> CertifiedProof:
    proof = RenderedCertificate(proof)
    rejection = certificate.rejection(proof)
    verdict = Verdict.DISAGREEMENT if rejection else Verdict.PROVED
    return CertifiedProof(verdict, certificate.as_smt2(proof, header), cases, locations, rejection)


# --- vacuous proofs ------------------------------------------------------------------------------------------------


def ill_posed(configuration: Configuration, properties: Sequence[str], region: Sequence[Constraint]) -> str:
    """The reason why a proof would be meaningless or cannot be attempted; empty when there is none.

    Raises
    ------
    ValueError
        The region names an unknown duration.
    """
    unknown = sorted({name for part in region for name in part.terms if name} - set(SYMBOLS))
    if unknown:
        raise ValueError(f"there is no duration {unknown[0]}")
    always = [name for name, entry in PROPERTIES.items() if entry.kind == "always"]
    if not properties or isinstance(properties, str) or any(name not in always for name in properties):
        return f"the properties must be some of {', '.join(always)}, not {properties!r}"
    if not question(configuration).system.dense:
        return "a proof for all values needs unlimited duplication and any order"
    if not certificate.satisfiable(tuple(SYMBOLS), region):
        return f"no values satisfy {' and '.join(part.text for part in region)}"
    return ""


def _outside(claimed: ClaimedProperties) -> str:
    """The constraint that the configuration's own values do not satisfy, if any."""
    configuration = claimed.configuration
    values: Mapping[str, Fraction] = configuration.parameters | {SYMBOLS.rate: configuration.rto[0]}
    outside = [part.text for part in claimed.region or () if not part.holds(values)]
    return f"the configuration's own values, at which witnesses are checked, do not satisfy {outside[0]}" if outside else ""


def _vacuous(claimed: ClaimedProperties, zones: Zones) -> str:
    """The reason why a proof from a complete exploration is vacuous: a missing witness or a time-lock."""
    asked = replace(question(claimed.configuration), quotient_budget=claimed.quotient_budget)
    wanted = {witness for name in claimed.properties for witness in asked.witnesses.get(name, ())}
    missing = wanted - concretised_witnesses(asked, zones, wanted)
    if missing:
        return f"never happens: {', '.join(sorted(missing))}"
    return TIME_LOCK if asked.may_time_lock else ""


# --- eventually properties -----------------------------------------------------------------------------------------


def certify_liveness(configuration: Configuration, name: str, budget: Budget) -> CertifiedProof:
    """Prove an ``eventually`` property for every value of every duration.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    name : str
        The ``eventually`` property.
    budget : Budget
        Bounds on the construction of the graph.
    """
    claimed = ClaimedLiveness(configuration, name)
    try:
        automaton = claimed.automaton(budget)
        proof = None if automaton is None else proof_of(automaton, PROPERTIES[name])
        if automaton is not None and proof is not None:
            return certified_liveness(claimed, automaton, proof)
    except Stopped as stopped:  # by the automaton, or by its classes, which the certificate finds anew
        return CertifiedProof(Verdict.INCONCLUSIVE, reason=str(stopped))
    return CertifiedProof(Verdict.INCONCLUSIVE, reason="the graph alone does not decide it")


def certified_liveness(claimed: ClaimedLiveness, automaton: CompiledAutomaton, proof: Component) -> CertifiedProof:
    """A proof of an ``eventually`` property as a certificate, proved if Z3 and cvc5 accept it."""
    found = claimed.certificate(automaton, proof)
    return _certified(found, claimed.header, found.size, len(proof.locations))


# --- certificates in files -----------------------------------------------------------------------------------------


def claimed_properties(header: Mapping[str, Any]) -> ClaimedProperties:
    """The subject of a certificate for ``always`` properties, from the first line of its file.

    Raises
    ------
    KeyError, TypeError, ValueError
        The line is not that of such a certificate.
    """
    properties, region, over_approximated = header["properties"], header["region"], header["relaxed"]
    if not isinstance(properties, list) or not (region is None or isinstance(region, list)):
        raise TypeError("the properties and the region must be lists")
    if not isinstance(over_approximated, bool):
        raise TypeError(f"relaxed must be true or false, not {over_approximated!r}")
    parts = None if region is None else [constraint(str(part)) for part in region]
    told_apart, any_text = header.get("told apart", 1), header.get("any text", False)
    if not (type(told_apart) is int and 1 <= told_apart <= MAX_TOLD_APART and isinstance(any_text, bool)):
        raise TypeError(f"told apart must be a number from 1 to {MAX_TOLD_APART}, and any text true or false")
    configuration = configuration_from_data(header["configuration"])
    return ClaimedProperties(configuration, properties, parts, over_approximated, told_apart, any_text)


def vacuous(claimed: ClaimedProperties, budget: Budget) -> CertifiedProof:
    """Whether the properties could be violated at all, at the configuration's own values.

    The verdict is vacuous where a witness is missing or time cannot pass, inconclusive where the budget did not suffice,
    and proved otherwise. What happens with one octet happens with any amount of text.
    """
    if claimed.any_text:
        one_octet = replace(claimed.configuration, text=(claimed.configuration.text[0], 1))
        claimed = replace(claimed, configuration=one_octet, any_text=False)
    zones, refused = _explored(replace(claimed, quotient_budget=budget), budget)
    return refused if zones is None else CertifiedProof(Verdict.PROVED)
