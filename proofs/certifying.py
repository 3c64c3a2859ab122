"""Certificates in files, checked again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timewait.checker import certificate, liveness_certificate
from timewait.checker.certificate import BrokenCertificate, SmtScript
from timewait.checker.finding import Budget, Stopped
from timewait.checker.linear import constraint
from timewait.proofs.certified import ClaimedProperties, meaningless
from timewait.proofs.promised import CertifiedLiveness, fault_of
from timewait.spec.configuration import ConfigurationError
from timewait.spec.plain_data import configuration_of
from timewait.spec.properties import PROPERTIES


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
        properties = said["properties"]
        kinds = {PROPERTIES[name].kind for name in properties} if isinstance(properties, list) else set()
        return _promise(said, text, where) if kinds == {"eventually"} else _invariant(said, text, where)
    except (KeyError, TypeError, ValueError, ConfigurationError) as problem:
        if isinstance(problem, BrokenCertificate):
            raise
        raise BrokenCertificate(f"{where}: {problem}") from problem


def _invariant(said: dict[str, Any], text: str, where: str) -> Checked:
    properties, region = said["properties"], said["region"]
    configuration = configuration_of(said["configuration"])
    parts = None if region is None else [constraint(part) for part in region]
    told = f"{' and '.join(properties)}, " + ("at given values" if region is None else f"for all {' and '.join(region)}")
    fault = meaningless(configuration, properties, parts or [])
    if fault:
        return Checked(told, fault)
    relaxed = said["relaxed"]
    if not isinstance(relaxed, bool):
        raise ValueError(f"relaxed must be true or false, not {relaxed!r}")
    stated = ClaimedProperties(configuration, properties, parts, relaxed).statement
    return Checked(told, certificate.failed_queries(SmtScript(stated, certificate.read(stated, text, where))))


def _promise(said: dict[str, Any], text: str, where: str) -> Checked:
    (name,) = said["properties"]
    told = f"{name}, for all values"
    claimed = CertifiedLiveness(configuration_of(said["configuration"]), name)
    try:
        table = claimed.table(Budget())
    except Stopped as stopped:
        return Checked(told, str(stopped))
    if table is None:
        return Checked(told, "its locations are too many to be seen whole")
    return Checked(told, fault_of(claimed.stated(table, liveness_certificate.read(table.system, text, where))))
