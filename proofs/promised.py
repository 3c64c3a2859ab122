"""Proofs of ``eventually`` properties, for every duration, with certificates that can be written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from timewait.checker import certificate
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget, Stopped
from timewait.checker.liveness_certificate import Component, LivenessCertificate
from timewait.checker.structural import proof_of
from timewait.checker.verdict import Verdict
from timewait.proofs.certified import CertifiedProof
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import plain
from timewait.spec.properties import PROPERTIES


@dataclass(frozen=True)
class CertifiedLiveness:
    """What such a certificate is about.

    Attributes
    ----------
    configuration : Configuration
        The configuration; its durations do not matter.
    name : str
        The ``eventually`` property.
    """

    configuration: Configuration
    name: str

    def table(self, budget: Budget) -> CompiledAutomaton | None:
        """The system that is read; None when its locations are too many.

        Raises
        ------
        timewait.checker.finding.Stopped
            The budget was used up.
        """
        return replace(question(self.configuration), patience=budget).finite

    def stated(self, table: CompiledAutomaton, proof: Component) -> LivenessCertificate:
        """A proof of it."""
        return LivenessCertificate(table.system, self.name, PROPERTIES[self.name].recurrent, proof)

    @property
    def about(self) -> dict[str, Any]:
        """It as plain data."""
        return {"configuration": plain(self.configuration), "properties": [self.name], "region": []}


def certify_liveness(configuration: Configuration, name: str, budget: Budget) -> CertifiedProof:
    """A certificate that a promise is kept, whatever the durations are; checked by Z3 and cvc5.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    name : str
        An ``eventually`` property.
    budget : Budget
        Bounds on the making of the graph.
    """
    claimed = CertifiedLiveness(configuration, name)
    try:
        table = claimed.table(budget)
    except Stopped as stopped:
        return CertifiedProof(Verdict.INCONCLUSIVE, reason=str(stopped))
    proof = None if table is None else proof_of(table, PROPERTIES[name])
    if table is None or proof is None:
        return CertifiedProof(Verdict.INCONCLUSIVE, reason="the graph alone does not settle it")
    stated = claimed.stated(table, proof)
    fault = fault_of(stated)
    verdict = Verdict.DISAGREEMENT if fault else Verdict.PROVED
    return CertifiedProof(verdict, certificate.as_smt2(stated, claimed.about), stated.size, len(proof.locations), fault)


def fault_of(stated: LivenessCertificate) -> str:
    """What is wrong with a proof: in how its parts fit together, or in a reason by what Z3 or cvc5 says."""
    return stated.gap() or certificate.failed_queries(stated)
