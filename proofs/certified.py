"""Proofs of ``always`` properties with certificates that can be written down, for all values or for given ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from timewait.checker import certificate, horn
from timewait.checker.certificate import Invariant, SmtScript, Statement
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.cover import constants, cover_of, invariant, multiples, trimmed
from timewait.checker.decide import Question, possible
from timewait.checker.finding import Budget
from timewait.checker.linear import Constraint, Terms, constraint
from timewait.checker.symbolic import Symbolic
from timewait.checker.synthesis import ParameterNames
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import plain
from timewait.spec.properties import PROPERTIES

NAMES = ParameterNames("MSL", "RTO", "TIME_WAIT")
"""The parameters that stay symbolic in a proof for all values."""

SMALL = 400
"""Zones of a cover that is worth trimming: a larger one is left as it is."""

ZONES, HORN = "zones, all values", "horn, all values"


@dataclass(frozen=True)
class CertifiedProof:
    """A proof, or why there is none.

    Attributes
    ----------
    verdict : Verdict
        Proved only when plain queries to Z3 and cvc5 both accept the invariant.
    text : str
        The certificate, as SMT-LIB 2.
    cases, locations : int
        The size of the invariant.
    reason : str
        Why it is not proved.
    """

    verdict: Verdict
    text: str = ""
    cases: int = 0
    locations: int = 0
    reason: str = ""


def terms_of(configuration: Configuration, *, symbolic: bool) -> dict[str, Terms]:
    """Every duration of a configuration as a term.

    Parameters
    ----------
    configuration : Configuration
        Its durations.
    symbolic : bool
        Whether MSL, RTO and TIME_WAIT stay symbolic: the gaps of a back-off schedule are then multiples of the first
        one, which is RTO, and a FIN-WAIT-2 timeout one of MSL. Otherwise each is a number of seconds.
    """
    values = configuration.parameters
    if not symbolic:
        return {name: {"": value} if value else {} for name, value in values.items()}
    terms: dict[str, Terms] = {"0": {}, NAMES.scale: {NAMES.scale: Fraction(1)}, NAMES.wait: {NAMES.wait: Fraction(1)}}
    for name in configuration.rto_names:
        terms[name] = {NAMES.rate: values[name] / configuration.rto[0]}
    if "FIN_WAIT_2" in values:
        terms["FIN_WAIT_2"] = {NAMES.scale: values["FIN_WAIT_2"] / configuration.msl}
    return terms


@dataclass(frozen=True)
class ClaimedProperties:
    """What a certificate is about.

    Attributes
    ----------
    configuration : Configuration
        The configuration.
    properties : sequence of str
        The ``always`` properties proved, together.
    region : sequence of Constraint or None
        The values that it is proved for; None: the configuration's own values alone.
    relaxed : bool
        Whether the invariant is one of the relaxed system, which does all that the system does.
    """

    configuration: Configuration
    properties: Sequence[str]
    region: Sequence[Constraint] | None
    relaxed: bool = False

    @cached_property
    def table(self) -> CompiledAutomaton:
        """The system that the invariant is of."""
        asked = question(self.configuration)
        return asked.coarse if self.relaxed else asked.quotient

    @property
    def statement(self) -> Statement:
        """What its invariant must show."""
        terms = terms_of(self.configuration, symbolic=self.region is not None)
        return Statement(self.table.system, frozenset(self.properties), terms, tuple(self.region or ()))

    @property
    def about(self) -> dict[str, Any]:
        """It as plain data."""
        return {
            "configuration": plain(self.configuration),
            "properties": list(self.properties),
            "region": None if self.region is None else [part.text for part in self.region],
            "relaxed": self.relaxed,
        }


def prove_for_all(configuration: Configuration, properties: Sequence[str], region: Sequence[str]) -> CertifiedProof:
    """Prove ``always`` properties for all values of the durations in a region.

    Zones are explored at the configuration's own values, and every bound is read as a multiple of MSL: where longer
    RTO and shorter TIME_WAIT can only make things worse, the worst corner of the region speaks for all of it. Whether
    that is so is for the certificate to show.

    Parameters
    ----------
    configuration : Configuration
        Everything but the symbolic durations; their values in it must lie in the region.
    properties : sequence of str
        What is proved, together.
    region : sequence of str
        Linear constraints on MSL, RTO and TIME_WAIT, for instance ``TIME_WAIT >= 2*MSL``.

    Raises
    ------
    ValueError
        A constraint cannot be read, or speaks of a duration that there is not.
    """
    claimed = ClaimedProperties(configuration, properties, [constraint(text) for text in region])
    return _first_kept(claimed, lambda _, zones: _multiples(zones, frozenset(properties)), Budget())


def _multiples(zones: Zones, properties: frozenset[str]) -> Invariant:
    cover = cover_of(zones)
    if sum(map(len, cover.values())) <= SMALL:
        cover = trimmed(zones, cover, properties)
    return invariant(zones, cover, multiples(NAMES.scale, zones.ticks(NAMES.scale)))


def prove_by_horn(
    configuration: Configuration, properties: Sequence[str], region: Sequence[str], seconds: float
) -> CertifiedProof:
    """The same by another way: an invariant that Spacer finds for Horn clauses; parameters as in `prove_for_all`."""
    claimed = ClaimedProperties(configuration, properties, [constraint(text) for text in region])
    return _first_kept(claimed, lambda attempt, _: _by_spacer(attempt, seconds), Budget())


def _by_spacer(claimed: ClaimedProperties, seconds: float) -> Invariant | CertifiedProof:
    stated = claimed.statement
    symbolic = Symbolic(claimed.table, stated.bad, tuple(NAMES), stated.region, stated.terms)
    answer = horn.solve(symbolic, seconds)
    if answer.invariant is not None:
        return horn.as_text(symbolic, answer.invariant)
    return _no_invariant(answer)


def _first_kept(
    claimed: ClaimedProperties, read: Callable[[ClaimedProperties, Zones], Invariant | CertifiedProof], budget: Budget
) -> CertifiedProof:
    """A certificate: about the relaxed system where that will do, else about the system itself."""
    for attempt in (replace(claimed, relaxed=True), claimed):
        zones, refused = _explored(attempt, budget.fresh())
        if zones is None:
            if attempt.relaxed and refused.verdict is Verdict.VACUOUS:
                continue
            return refused
        if frozenset(claimed.properties) & zones.broken.keys():
            continue
        found = read(attempt, zones)
        if not isinstance(found, CertifiedProof):
            return certified(attempt, found)
        if not (attempt.relaxed and found.verdict is Verdict.VIOLATED):
            return found
    return CertifiedProof(Verdict.VIOLATED, reason="a run breaks it at the configuration's own values")


def _explored(claimed: ClaimedProperties, budget: Budget) -> tuple[Zones | None, CertifiedProof]:
    """All zones at the configuration's own values, or why nothing can be proved from them."""
    fault = meaningless(claimed.configuration, claimed.properties, claimed.region or []) or _outside(claimed)
    if fault:
        return None, CertifiedProof(Verdict.VACUOUS, reason=fault)
    zones = Zones(claimed.table)
    zones.explore(budget)
    if zones.stopped:
        return None, CertifiedProof(Verdict.INCONCLUSIVE, reason=zones.stopped)
    fault = vacuous(question(claimed.configuration), claimed.properties, zones)
    return (None if fault else zones), CertifiedProof(Verdict.VACUOUS, reason=fault)


def certified(claimed: ClaimedProperties, found: Invariant) -> CertifiedProof:
    """An invariant as a certificate, if Z3 and cvc5 accept it."""
    script = SmtScript(claimed.statement, found)
    fault = certificate.failed_queries(script)
    text = certificate.as_smt2(script, claimed.about)
    cases = sum(map(len, found.values()))
    return CertifiedProof(Verdict.DISAGREEMENT if fault else Verdict.PROVED, text, cases, len(found), fault)


def certificate_at(configuration: Configuration, properties: Sequence[str], budget: Budget) -> CertifiedProof:
    """A certificate for a configuration's own values, from zones; checked by Z3 and cvc5.

    Whatever engine gave the verdict, the zones are explored here once more: a system that zones cannot explore has none.
    """
    return _first_kept(
        ClaimedProperties(configuration, properties, None),
        lambda _, zones: invariant(zones, cover_of(zones), constants(zones.unit)),
        budget,
    )


def horn_at(configuration: Configuration, properties: Sequence[str], seconds: float) -> CertifiedProof:
    """The same from Spacer, which knows nothing of zones; violated when it says that a bad step can be reached.

    Whether what must be possible is possible is not asked.
    """
    fault = meaningless(configuration, properties, [])
    if fault:
        return CertifiedProof(Verdict.VACUOUS, reason=fault)
    claimed = ClaimedProperties(configuration, properties, None)
    symbolic = Symbolic(claimed.table, frozenset(properties))
    answer = horn.solve(symbolic, seconds)
    if answer.invariant is None:
        return _no_invariant(answer)
    return certified(claimed, horn.as_text(symbolic, answer.invariant))


def _no_invariant(answer: horn.HornResult) -> CertifiedProof:
    verdict = Verdict.VIOLATED if answer.reachable else Verdict.INCONCLUSIVE
    return CertifiedProof(verdict, reason=answer.reason or "Spacer says that a bad step can be reached")


# --- what makes a proof worth having --------------------------------------------------------------------------------


def meaningless(configuration: Configuration, properties: Sequence[str], region: Sequence[Constraint]) -> str:
    """Why a proof would say nothing, or could not be looked for; empty when it would.

    Raises
    ------
    ValueError
        The region speaks of a duration that there is not.
    """
    unknown = sorted({name for part in region for name in part.terms if name} - set(NAMES))
    if unknown:
        raise ValueError(f"there is no duration {unknown[0]}")
    always = [name for name, entry in PROPERTIES.items() if entry.kind == "always"]
    if not properties or isinstance(properties, str) or any(name not in always for name in properties):
        return f"some of {', '.join(always)} must be asked, not {properties!r}"
    if not question(configuration).system.dense:
        return "a proof for all values needs unlimited duplication and any order"
    if not certificate.possible(tuple(NAMES), region):
        return f"nothing satisfies {' and '.join(part.text for part in region)}"
    return ""


def _outside(claimed: ClaimedProperties) -> str:
    """Which constraint the configuration's own values break, if any."""
    configuration = claimed.configuration
    values: Mapping[str, Fraction] = configuration.parameters | {NAMES.rate: configuration.rto[0]}
    outside = [part.text for part in claimed.region or () if not part.holds(values)]
    return f"the configuration that witnesses are looked for in breaks {outside[0]}" if outside else ""


def vacuous(asked: Question, properties: Sequence[str], zones: Zones) -> str:
    """Why a proof says nothing: what should be possible was not met by a complete exploration, or time can stop."""
    wanted = {witness for name in properties for witness in asked.witnesses.get(name, ())}
    missing = wanted - possible(asked, wanted, zones)
    if missing:
        return f"never happens: {', '.join(sorted(missing))}"
    return "time can stop with nothing left to happen" if asked.may_time_lock else ""
