"""Proofs for all values, with certificates that can be written down and checked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checker import certificate, horn
from checker.certificate import BrokenCertificate
from checker.finding import Budget
from checker.linear import constraint
from checker.symbolic import Symbolic
from checker.verdict import Verdict
from checker.zones import Zones
from proofs.question import question
from spec.configuration import Configuration, ConfigurationError
from spec.plain import configuration_of, plain
from spec.properties import PROPERTIES

SYMBOLS = ("MSL", "RTO", "TIME_WAIT")
"""The parameters that stay symbolic in a proof for all values."""


@dataclass(frozen=True)
class Certified:
    """A proof for all values, or why there is none.

    Attributes
    ----------
    verdict : Verdict
        Proved only when Z3's plain queries and cvc5 both accept the invariant.
    text : str
        The certificate, as SMT-LIB 2.
    conjuncts, locations : int
        The size of the invariant.
    reason : str
        Why it is not proved.
    """

    verdict: Verdict
    text: str = ""
    conjuncts: int = 0
    locations: int = 0
    reason: str = ""


def prove_for_all(
    configuration: Configuration,
    properties: Sequence[str],
    region: Sequence[str],
    seconds: float,
    symbols: Sequence[str] = SYMBOLS,
) -> Certified:
    """Prove ``always`` properties for all values of the durations in a region.

    Parameters
    ----------
    configuration : Configuration
        Everything but the symbolic durations; their values in it must lie in the region, for witnesses to be found there.
    properties : sequence of str
        What is proved, together.
    region : sequence of str
        Linear constraints on the symbolic durations, for instance ``TIME_WAIT >= 2*MSL``.
    seconds : float
        Time at most for the solver.

    Raises
    ------
    ValueError
        A constraint cannot be read, or speaks of a duration that there is not.
    """
    fault = _meaningless(configuration, properties, region, symbols)
    if fault:
        return Certified(Verdict.VACUOUS, reason=fault)
    symbolic = _symbolic(configuration, properties, region, symbols)
    answer = horn.solve(symbolic, seconds)
    if answer.invariant is None:
        if answer.reachable:
            return Certified(Verdict.VIOLATED, reason="Spacer says that a bad step can be reached")
        return Certified(Verdict.INCONCLUSIVE, reason=answer.reason)
    fault = certificate.faults_by_z3(symbolic, answer.invariant)
    if fault:
        return Certified(Verdict.DISAGREEMENT, reason=fault)
    fault = _vacuous(configuration, properties, region)
    if fault:
        return Certified(Verdict.VACUOUS, reason=fault)
    invariant = certificate.trimmed(symbolic, answer.invariant)
    about = {
        "configuration": plain(configuration),
        "properties": list(properties),
        "region": list(region),
        "symbols": list(symbols),
    }
    text = certificate.written(symbolic, invariant, about)
    fault = certificate.faults_by_z3(symbolic, invariant) or certificate.faults_by_cvc5(text)
    size = sum(map(len, invariant.values()))
    return Certified(Verdict.DISAGREEMENT if fault else Verdict.PROVED, text, size, len(invariant), fault)


def _meaningless(configuration: Configuration, properties: Sequence[str], region: Sequence[str], symbols: Sequence[str]) -> str:
    """Why a proof would say nothing, or could not be looked for; empty when it would; ValueError for unknown durations."""
    _check_names(configuration, region, symbols)
    always = [name for name, entry in PROPERTIES.items() if entry.kind == "always"]
    unknown = [name for name in properties if name not in always]
    if not properties or isinstance(properties, str) or unknown:
        return f"some of {', '.join(always)} must be asked, not {properties!r}"
    if not question(configuration).system.dense:
        return "a proof for all values needs unlimited duplication and any order"
    possible = _symbolic(configuration, properties, region, symbols).possible
    return "" if possible else f"nothing satisfies {' and '.join(region)}"


def _vacuous(configuration: Configuration, properties: Sequence[str], region: Sequence[str]) -> str:
    """Why the proof says nothing: what should be possible is not at the configuration's own values, or time can stop."""
    outside = [text for text in region if not constraint(text).holds(configuration.parameters)]
    if outside:
        return f"the configuration that witnesses are looked for in breaks {outside[0]}"
    asked = question(configuration)
    explored = Zones(asked.folded)
    explored.explore(Budget())
    missing = {witness for name in properties for witness in asked.witnesses.get(name, ())} - explored.witnessed.keys()
    if missing:
        return f"never happens: {', '.join(sorted(missing))}"
    return "time can stop with nothing left to happen" if asked.stuck else ""


def _check_names(configuration: Configuration, region: Sequence[str], symbols: Sequence[str]) -> None:
    """Raise ValueError when something is said of a duration that there is not."""
    named = {name for text in region for name in constraint(text).terms if name}
    unknown = sorted((named | set(symbols)) - configuration.parameters.keys())
    if unknown:
        raise ValueError(f"there is no duration {unknown[0]}")


def _symbolic(configuration: Configuration, properties: Sequence[str], region: Sequence[str], symbols: Sequence[str]) -> Symbolic:
    return Symbolic(question(configuration).folded, frozenset(properties), symbols, [constraint(part) for part in region])


def certify_file(path: Path) -> str:
    """Check a certificate again: what is wrong with it, or an empty string.

    The question is built anew from the specification; of the file only its first line and the invariant are read.

    Raises
    ------
    BrokenCertificate
        The file is no certificate.
    """
    about = certificate.about(path)
    try:
        parts: list[Any] = [about[key] for key in ("properties", "region", "symbols")]
        configuration = configuration_of(about["configuration"])
        fault = _meaningless(configuration, parts[0], parts[1], parts[2])
        if fault:
            return fault
        symbolic = _symbolic(configuration, parts[0], parts[1], parts[2])
    except (KeyError, TypeError, ValueError, ConfigurationError) as problem:
        raise BrokenCertificate(f"{path}: line 1: {problem}") from problem
    invariant = certificate.read(symbolic, path)
    return certificate.faults_by_z3(symbolic, invariant) or certificate.faults_by_cvc5(
        certificate.written(symbolic, invariant, about)
    )
