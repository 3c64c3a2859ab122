"""Certificate files, checked: what each certificate proves, and whether it proves it.

The proof obligations are built anew from the specification. Of a file only the first line of each certificate and its
invariant (or, for liveness, its components) are believed to be what they are; the queries in the file are compared with
those built here. A certificate counts only if the property could be violated at all: its witnesses are possible, and time
can pass at every value of its region.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timewait.checker import certificate, liveness_certificate
from timewait.checker.certificate import BrokenCertificate, Certificate, InvariantCertificate
from timewait.checker.engine import TIME_LOCK
from timewait.checker.finding import Budget, Stopped
from timewait.checker.linear import Constraint, constraint
from timewait.checker.rendered_certificate import RenderedCertificate
from timewait.checker.verdict import Verdict
from timewait.proofs.certify import SYMBOLS, ClaimedLiveness, claimed_properties, ill_posed, vacuous
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.description import configuration_in_words
from timewait.spec.plain_data import configuration_as_data, configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.untrusted import shown

ALL_VALUES = "for all values"


@dataclass(frozen=True)
class ProvedStatement:
    """What a certificate states.

    Attributes
    ----------
    configuration : Configuration
        The configuration.
    properties : tuple of str
        The properties.
    region : tuple of Constraint or None
        The values of MSL, RTO and TIME_WAIT for which they are proved: all that satisfy the constraints; None for the
        configuration's own values alone.
    any_text : bool
        Whether B may send any amount of text.
    """

    configuration: Configuration
    properties: tuple[str, ...]
    region: tuple[Constraint, ...] | None
    any_text: bool = False

    @property
    def values(self) -> str:
        """The values of the durations, in words."""
        if self.region is None:
            return "at given values"
        return f"for all {' and '.join(part.text for part in self.region)}" if self.region else ALL_VALUES

    def __str__(self) -> str:
        return f"{' and '.join(self.properties)}, {self.values}"

    @property
    def settings(self) -> str:
        """The configuration in words: durations (unless the statement is about all), network, users, and every setting."""
        configuration = self.configuration
        words = configuration_in_words(configuration, durations=self.region is None)
        behaviour = configuration_as_data(configuration)["behaviour"]
        text = "of B, any amount" if self.any_text else ",".join(map(str, configuration.text))
        named = ", ".join(f"{name} {value_in_words(value)}" for name, value in behaviour.items())
        return f"{words}, text {text}; {named}"

    def as_json(self) -> dict[str, Any]:
        """The statement as plain data."""
        return {
            "properties": list(self.properties),
            "region": None if self.region is None else [part.text for part in self.region],
            "configuration": configuration_as_data(self.configuration),
            "any_text": self.any_text,
        }


def value_in_words(value: object) -> str:
    """The value of a setting, in words."""
    if isinstance(value, list | tuple):
        return "+".join(map(str, value)) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unlimited" if value is None else str(value)


@dataclass(frozen=True)
class CheckedCertificate:
    """The result of checking a certificate.

    Attributes
    ----------
    proves : ProvedStatement
        What the certificate claims to prove.
    verdict : Verdict
        Proved where Z3 and cvc5 accept it; a disagreement where it is rejected; vacuous where the properties could not be
        violated anyway, or time cannot pass; inconclusive where a bound was reached.
    rejection : str
        The reason of every verdict but proved.
    """

    proves: ProvedStatement
    verdict: Verdict
    rejection: str = ""

    @property
    def statement(self) -> str:
        """What the certificate claims to prove, in words."""
        return str(self.proves)


def check_file(path: Path, budget: Budget | None = None) -> list[CheckedCertificate]:
    """Check the certificates in a file.

    Parameters
    ----------
    path : Path
        The file.
    budget : Budget, optional
        Bounds on the exploration that looks for the witnesses of each certificate.

    Raises
    ------
    BrokenCertificate
        The file holds no certificate, or a malformed one.
    """
    return list(checked_one_by_one(certificate.sections(path), budget or Budget()))


def checked_one_by_one(sections: Sequence[tuple[str, str]], budget: Budget) -> Iterator[CheckedCertificate]:
    """The same for sections of a file, each certificate when it is checked."""
    found = [(text, where, certificate.header(text, where)) for where, text in sections]
    for text, where, header in found:
        yield _checked(header, text, where, budget.fresh())


def statements_in(path: Path) -> list[ProvedStatement]:
    """What the certificates in a file state, without checking any; errors as of `check_file`."""
    return statements_of(certificate.sections(path))


def statements_of(sections: Sequence[tuple[str, str]]) -> list[ProvedStatement]:
    """What sections of a file state; errors as of `check_file`."""
    found = []
    for where, text in sections:
        header = certificate.header(text, where)
        try:
            found.append(stated(header))
        except (KeyError, TypeError, ValueError) as problem:
            raise BrokenCertificate(f"{where}: {problem}") from problem
    return found


SUBJECT = frozenset({"configuration", "properties", "region"})
"""What the first line of every certificate says."""

OF_INVARIANTS = frozenset({"relaxed", "told apart", "any text"})
"""What that of an invariant says beside; ``relaxed`` always, the others where they matter."""


def _is_liveness(header: Mapping[str, Any]) -> bool:
    properties = header["properties"]
    if not isinstance(properties, list):
        raise TypeError("the properties must be a list")
    if unknown := [name for name in properties if not isinstance(name, str) or name not in PROPERTIES]:
        raise ValueError(f"there is no property {shown(unknown[0])}")
    return {PROPERTIES[name].kind for name in properties} == {"eventually"}


def _check_words(header: Mapping[str, Any]) -> None:
    """Refuse a first line that says less than it must, or something else beside: that would go unchecked."""
    if missing := sorted(SUBJECT - header.keys()):
        raise ValueError(f"the first line lacks {missing[0]!r}: it is damaged, or of another version")
    liveness = _is_liveness(header)
    if not liveness and "relaxed" not in header:
        raise ValueError("the first line lacks 'relaxed': it is damaged, or of another version")
    if unknown := sorted(header.keys() - SUBJECT - (frozenset() if liveness else OF_INVARIANTS)):
        raise ValueError(f"the first line says {shown(unknown[0])}, which no certificate of this version says")
    if liveness and header["region"] != []:
        raise ValueError("a certificate of a liveness property is about every duration, so its region is []")


def stated(header: Mapping[str, Any]) -> ProvedStatement:
    """What a certificate states, by its first line.

    Raises
    ------
    KeyError, TypeError, ValueError
        The line is not that of a certificate.
    """
    _check_words(header)
    configuration = configuration_from_data(header["configuration"])
    if _is_liveness(header):
        (name,) = header["properties"]
        return ProvedStatement(configuration, (name,), ())
    claimed = claimed_properties(header)
    region = None if claimed.region is None else tuple(claimed.region)
    return ProvedStatement(configuration, tuple(claimed.properties), region, claimed.any_text)


def _checked(header: dict[str, Any], text: str, where: str, budget: Budget) -> CheckedCertificate:
    try:
        proves = stated(header)
        check = _checked_liveness if _is_liveness(header) else _checked_invariant
        verdict, reason = check(header, text, where, budget)
    except BrokenCertificate:
        raise
    except Stopped as stopped:
        verdict, reason = Verdict.INCONCLUSIVE, str(stopped)
    except (KeyError, TypeError, ValueError) as problem:
        raise BrokenCertificate(f"{where}: {problem}") from problem
    return CheckedCertificate(proves, verdict, reason)


def _checked_invariant(header: dict[str, Any], text: str, where: str, budget: Budget) -> tuple[Verdict, str]:
    claimed = claimed_properties(header)
    region = claimed.region or []
    if problem := ill_posed(claimed.configuration, claimed.properties, region):
        return Verdict.VACUOUS, problem
    if problem := "" if claimed.region is None else _time_stops(region):
        return Verdict.VACUOUS, problem
    statement = claimed.statement
    verdict, reason = _accepted(InvariantCertificate(statement, certificate.read(statement, text, where)), header, text)
    if verdict is not Verdict.PROVED:
        return verdict, reason
    witnessed = vacuous(claimed, budget)
    return witnessed.verdict, witnessed.reason


def _time_stops(region: Sequence[Constraint]) -> str:
    """The reason why time cannot pass at some values of a region; empty if it can at all of them."""
    for name in (SYMBOLS.scale, SYMBOLS.rate):
        if certificate.satisfiable(tuple(SYMBOLS), [*region, constraint(f"{name} <= 0")]):
            return f"the region has values with {name} = 0, at which time cannot pass: it must say {name} > 0"
    return ""


def _checked_liveness(header: dict[str, Any], text: str, where: str, budget: Budget) -> tuple[Verdict, str]:
    (name,) = header["properties"]
    claimed = ClaimedLiveness(configuration_from_data(header["configuration"]), name)
    automaton = claimed.automaton(budget)
    if automaton is None:
        return Verdict.INCONCLUSIVE, "the system has too many locations"
    proof = claimed.certificate(automaton, liveness_certificate.read(automaton.system, text, where))
    verdict, reason = _accepted(proof, header, text)
    if verdict is not Verdict.PROVED:
        return verdict, reason
    if not proof.ever_pending:
        return Verdict.VACUOUS, f"{name} is never pending"
    return (Verdict.VACUOUS, TIME_LOCK) if question(claimed.configuration).may_time_lock else (Verdict.PROVED, "")


UNDECIDED = ("unknown", "timeout", "canceled")
"""Words in the answer of a solver that gave up."""


def _accepted(proof: Certificate, header: dict[str, Any], text: str) -> tuple[Verdict, str]:
    """The answer of both solvers about the proof obligations, and of a comparison with those in the file."""
    proof = RenderedCertificate(proof)
    if rejection := certificate.rejection(proof):
        undecided = any(f": {word}" in rejection for word in UNDECIDED)
        return (Verdict.INCONCLUSIVE if undecided else Verdict.DISAGREEMENT), rejection
    if difference := certificate.difference(proof, header, text):
        return Verdict.DISAGREEMENT, difference
    return Verdict.PROVED, ""
