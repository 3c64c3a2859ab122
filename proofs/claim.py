"""The registry of claims: a claim is a statement and a function that yields the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from timewait.checker.verdict import Verdict
from timewait.proofs.evidence import Evidence

Gather = Callable[[], Iterator[Evidence]]


@dataclass(frozen=True)
class Claim:
    """A claim.

    Attributes
    ----------
    name, statement, section : str
        The name, the statement, and the section of the standard.
    expected : Verdict
        The headline: proved for a proof, violated for a counterexample.
    slow : bool
        Whether it takes minutes.
    gather : callable
        Yields the evidence.
    """

    name: str
    statement: str
    section: str
    expected: Verdict
    slow: bool
    gather: Gather


CLAIMS: dict[str, Claim] = {}
"""Every claim, in order of registration by `claim`."""


def claim(name: str, statement: str, section: str, expected: Verdict, slow: bool = False) -> Callable[[Gather], Gather]:
    """Register a function as the evidence of a claim; for the parameters see `Claim`."""

    def register(gather: Gather) -> Gather:
        CLAIMS[name] = Claim(name, statement, section, expected, slow, gather)
        return gather

    return register
