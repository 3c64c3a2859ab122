"""What a claim is: a statement, and a function that yields the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence for a claim.

    Attributes
    ----------
    label : str
        What was asked.
    verdict, expected : Verdict
        What came out, and what the claim says comes out.
    engine : str
        Who decided it.
    detail : str
        A certificate's size, a threshold, a trace's length, or what went wrong.
    trace : Trace or None
        A replayed counterexample.
    certificate : str
        A certificate, as SMT-LIB 2.
    seconds : float
        Time spent.
    """

    label: str
    verdict: Verdict
    expected: Verdict
    engine: str
    detail: str = ""
    trace: Trace | None = None
    certificate: str = ""
    seconds: float = 0.0


Gather = Callable[[], Iterator[Evidence]]


@dataclass(frozen=True)
class Claim:
    """A claim.

    Attributes
    ----------
    name, statement, section : str
        Its name, what it says, and where the standard is concerned.
    expected : Verdict
        The headline: whether it tells of a proof or of a counterexample.
    slow : bool
        Whether it takes minutes.
    gather : callable
        Yields its evidence.
    """

    name: str
    statement: str
    section: str
    expected: Verdict
    slow: bool
    gather: Gather


CLAIMS: dict[str, Claim] = {}
"""Every claim, in order; `claim` registers them."""


def claim(name: str, statement: str, section: str, expected: Verdict, slow: bool = False) -> Callable[[Gather], Gather]:
    """Register a function that yields the evidence of a claim."""

    def register(gather: Gather) -> Gather:
        CLAIMS[name] = Claim(name, statement, section, expected, slow, gather)
        return gather

    return register
