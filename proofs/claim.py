"""The registry of claims: a claim is a statement and a function that yields the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

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
    file : Path or None
        The file of the user that registers it; None for a claim of the project.
    seconds : int
        About how long new proofs take, by which the longest claims are begun first; 0 where it is not known, or is little.
    """

    name: str
    statement: str
    section: str
    expected: Verdict
    slow: bool
    gather: Gather
    file: Path | None = None
    seconds: int = 0


CLAIMS: dict[str, Claim] = {}
"""Every claim, in order of registration by `claim`."""


def claim(
    name: str, statement: str, section: str, expected: Verdict, slow: bool = False, seconds: int = 0
) -> Callable[[Gather], Gather]:
    """Register a function as the evidence of a claim; for the parameters see `Claim`."""

    def register(gather: Gather) -> Gather:
        CLAIMS[name] = Claim(name, statement, section, expected, slow, gather, seconds=seconds)
        return gather

    return register


def register_file(
    file: Path, run: Callable[[], None], check: Callable[[Mapping[str, Claim], Mapping[str, Claim]], None]
) -> list[str]:
    """Register the claims of a file of the user in the place of those that it registered before.

    Parameters
    ----------
    file : Path
        The file, as a full path.
    run : callable
        Runs it, so that `claim` registers its claims.
    check : callable
        Gets the claims that were added and all that were there before; an error of either function leaves the registry as it was.

    Returns
    -------
    list of str
        The names of the claims that were added.
    """
    earlier = dict(CLAIMS)
    others = {name: entry for name, entry in CLAIMS.items() if entry.file != file}
    _restore(others)
    try:
        run()
        added = {name: entry for name, entry in CLAIMS.items() if others.get(name) is not entry}
        check(added, others)
    except BaseException:
        _restore(earlier)
        raise
    for name, entry in added.items():
        CLAIMS[name] = replace(entry, file=file)
    return list(added)


def _restore(claims: Mapping[str, Claim]) -> None:
    CLAIMS.clear()
    CLAIMS.update(claims)
