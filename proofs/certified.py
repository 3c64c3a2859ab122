"""Proofs with certificates that can be written down and checked again, for all values or for given ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from checker import certificate, horn
from checker.certificate import BrokenCertificate, Invariant, Script, Statement
from checker.cover import constants, cover_of, invariant, multiples, trimmed
from checker.decide import Question
from checker.finding import Budget
from checker.linear import Constraint, Terms, constraint
from checker.symbolic import Symbolic
from checker.synthesis import Names
from checker.verdict import Verdict
from checker.zones import Zones
from proofs.question import question
from spec.configuration import Configuration, ConfigurationError
from spec.plain import configuration_of, plain
from spec.properties import PROPERTIES

NAMES = Names("MSL", "RTO", "TIME_WAIT")
"""The parameters that stay symbolic in a proof for all values."""

SMALL = 400
"""Zones of a cover that is worth trimming: a larger one is left as it is."""

ZONES, HORN = "zones, all values", "horn, all values"


@dataclass(frozen=True)
class Certified:
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


def statement(configuration: Configuration, properties: Sequence[str], region: Sequence[Constraint] | None) -> Statement:
    """What a proof of ``always`` properties must show; the region is None for the configuration's own values alone."""
    terms = terms_of(configuration, symbolic=region is not None)
    return Statement(question(configuration).folded.system, frozenset(properties), terms, tuple(region or ()))


def prove_for_all(configuration: Configuration, properties: Sequence[str], region: Sequence[str]) -> Certified:
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
    parts = [constraint(text) for text in region]

    def find(zones: Zones) -> tuple[Invariant | None, Verdict, str]:
        if frozenset(properties) & zones.broken.keys():
            return None, Verdict.VIOLATED, "a run breaks it at the configuration's own values"
        cover = cover_of(zones)
        if sum(map(len, cover.values())) <= SMALL:
            cover = trimmed(zones, cover, frozenset(properties))
        return invariant(zones, cover, multiples(NAMES.scale, zones.ticks(NAMES.scale))), Verdict.PROVED, ""

    return _certified(configuration, properties, parts, find)


def prove_by_horn(configuration: Configuration, properties: Sequence[str], region: Sequence[str], seconds: float) -> Certified:
    """The same by another way: an invariant that Spacer finds for Horn clauses; parameters as in `prove_for_all`."""
    parts = [constraint(text) for text in region]

    def find(zones: Zones) -> tuple[Invariant | None, Verdict, str]:
        del zones
        terms = terms_of(configuration, symbolic=True)
        symbolic = Symbolic(question(configuration).folded, frozenset(properties), tuple(NAMES), parts, terms)
        answer = horn.solve(symbolic, seconds)
        if answer.invariant is None:
            none = _no_invariant(answer)
            return None, none.verdict, none.reason
        return horn.spelled(symbolic, answer.invariant), Verdict.PROVED, ""

    return _certified(configuration, properties, parts, find)


Find = Callable[[Zones], tuple[Invariant | None, Verdict, str]]
"""Looks for an invariant, given zones explored at the configuration's own values: it, else a verdict and why there is none."""


def _certified(configuration: Configuration, properties: Sequence[str], region: Sequence[Constraint], find: Find) -> Certified:
    fault = meaningless(configuration, properties, region) or _outside(configuration, region)
    if fault:
        return Certified(Verdict.VACUOUS, reason=fault)
    asked = question(configuration)
    zones = Zones(asked.folded)
    zones.explore(Budget())
    if zones.stopped:
        return Certified(Verdict.INCONCLUSIVE, reason=zones.stopped)
    fault = vacuous(asked, properties, zones)
    if fault:
        return Certified(Verdict.VACUOUS, reason=fault)
    found, verdict, reason = find(zones)
    if found is None:
        return Certified(verdict, reason=reason)
    return certified(configuration, properties, region, found)


def certified(
    configuration: Configuration, properties: Sequence[str], region: Sequence[Constraint] | None, found: Invariant
) -> Certified:
    """An invariant as a certificate, if Z3 and cvc5 accept it; `region` as in `statement`."""
    script = Script(statement(configuration, properties, region), found)
    fault = certificate.faults(script)
    text = certificate.written(script, about(configuration, properties, region))
    cases = sum(map(len, found.values()))
    return Certified(Verdict.DISAGREEMENT if fault else Verdict.PROVED, text, cases, len(found), fault)


def about(configuration: Configuration, properties: Sequence[str], region: Sequence[Constraint] | None) -> dict[str, Any]:
    """What a certificate is about, as plain data."""
    return {
        "configuration": plain(configuration),
        "properties": list(properties),
        "region": None if region is None else [part.text for part in region],
    }


def certificate_at(configuration: Configuration, properties: Sequence[str], budget: Budget) -> Certified:
    """A certificate for a configuration's own values, from zones; checked by Z3 and cvc5.

    Whatever engine gave the verdict, the zones are explored here once more: a system that zones cannot explore has none.
    """
    fault = meaningless(configuration, properties, [])
    if fault:
        return Certified(Verdict.VACUOUS, reason=fault)
    zones = Zones(question(configuration).folded)
    zones.explore(budget)
    if zones.stopped or frozenset(properties) & zones.broken.keys():
        return Certified(Verdict.INCONCLUSIVE, reason=zones.stopped or "a run breaks it")
    return certified(configuration, properties, None, invariant(zones, cover_of(zones), constants(zones.unit)))


def horn_at(configuration: Configuration, properties: Sequence[str], seconds: float) -> Certified:
    """The same from Spacer, which knows nothing of zones; violated when it says that a bad step can be reached.

    Whether what must be possible is possible is not asked.
    """
    fault = meaningless(configuration, properties, [])
    if fault:
        return Certified(Verdict.VACUOUS, reason=fault)
    symbolic = Symbolic(question(configuration).folded, frozenset(properties))
    answer = horn.solve(symbolic, seconds)
    if answer.invariant is None:
        return _no_invariant(answer)
    return certified(configuration, properties, None, horn.spelled(symbolic, answer.invariant))


def _no_invariant(answer: horn.Answer) -> Certified:
    verdict = Verdict.VIOLATED if answer.reachable else Verdict.INCONCLUSIVE
    return Certified(verdict, reason=answer.reason or "Spacer says that a bad step can be reached")


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


def _outside(configuration: Configuration, region: Sequence[Constraint]) -> str:
    """Which constraint the configuration's own values break, if any."""
    values: Mapping[str, Fraction] = configuration.parameters | {NAMES.rate: configuration.rto[0]}
    outside = [part.text for part in region if not part.holds(values)]
    return f"the configuration that witnesses are looked for in breaks {outside[0]}" if outside else ""


def vacuous(asked: Question, properties: Sequence[str], zones: Zones) -> str:
    """Why a proof says nothing: what should be possible was not met by a complete exploration, or time can stop."""
    missing = {witness for name in properties for witness in asked.witnesses.get(name, ())} - zones.witnessed.keys()
    if missing:
        return f"never happens: {', '.join(sorted(missing))}"
    return "time can stop with nothing left to happen" if asked.stuck else ""


# --- checking a file ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checked:
    """A certificate checked again.

    Attributes
    ----------
    said : str
        What it says it proves.
    fault : str
        What is wrong with it; empty when Z3 and cvc5 accept it.
    """

    said: str
    fault: str


def certify_file(path: Path) -> list[Checked]:
    """Check the certificates in a file again.

    Each statement is built anew from the specification; of the file only its first lines and the invariants are read.

    Raises
    ------
    BrokenCertificate
        The file is no certificate.
    """
    return [_checked(text, where) for where, text in certificate.sections(path)]


def _checked(text: str, where: str) -> Checked:
    said = certificate.about(text, where)
    try:
        properties, region = said["properties"], said["region"]
        configuration = configuration_of(said["configuration"])
        parts = None if region is None else [constraint(part) for part in region]
        told = f"{' and '.join(properties)}, " + ("at given values" if region is None else f"for all {' and '.join(region)}")
        fault = meaningless(configuration, properties, parts or [])
        if fault:
            return Checked(told, fault)
        stated = statement(configuration, properties, parts)
    except (KeyError, TypeError, ValueError, ConfigurationError) as problem:
        raise BrokenCertificate(f"{where}: {problem}") from problem
    return Checked(told, certificate.faults(Script(stated, certificate.read(stated, text, where))))
