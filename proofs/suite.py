"""Decide claims, in parallel, each from its pieces of evidence."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timewait.checker import itf
from timewait.checker.ray_cluster import spread
from timewait.checker.verdict import Verdict, worst
from timewait.checker.worker_pool import WorkerEnded
from timewait.proofs.claim import Claim
from timewait.proofs.claim_files import load_claims, with_checked_evidence
from timewait.proofs.claims import CLAIMS
from timewait.proofs.evidence import Evidence
from timewait.proofs.memory import current, remembering, version_of_code
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.output_files import CannotWrite, write_whole


@dataclass(frozen=True)
class ClaimResult:
    """A decided claim.

    Attributes
    ----------
    name, statement : str
        The claim.
    expected : Verdict
        The headline.
    seconds : float
        Time spent.
    pieces : tuple of Evidence
        The evidence.
    remembered : int
        How many proofs and violations of an earlier run were checked again instead of being found anew.
    """

    name: str
    statement: str
    expected: Verdict
    seconds: float
    pieces: tuple[Evidence, ...]
    remembered: int = 0

    @property
    def unexpected(self) -> list[str]:
        """Every piece of evidence with an unexpected verdict, in a sentence."""
        return [
            f"{piece.label}: {piece.verdict} by {piece.engine}, expected {piece.expected}. {piece.detail}"
            for piece in self.pieces
            if piece.verdict is not piece.expected
        ]

    @property
    def verdict(self) -> Verdict:
        """The headline if all verdicts are expected, else the worst unexpected one; vacuous without evidence."""
        if not self.pieces:
            return Verdict.VACUOUS
        if not self.unexpected:
            return self.expected
        return worst(piece.verdict for piece in self.pieces if piece.verdict is not piece.expected)

    @property
    def exit_verdict(self) -> Verdict:
        """Proved if all verdicts are expected; an unexpected one never passes, not even a proof instead of a counterexample."""
        if self.pieces and not self.unexpected:
            return Verdict.PROVED
        return max(self.verdict, Verdict.INCONCLUSIVE) if self.verdict is not Verdict.PROVED else Verdict.VIOLATED

    @property
    def expectation(self) -> str:
        """Whether the claim is confirmed, for a table."""
        return "yes" if self.exit_verdict is Verdict.PROVED else f"NO, {self.expected}"

    @property
    def engines(self) -> str:
        """The engines that decided it."""
        return ", ".join(dict.fromkeys(piece.engine for piece in self.pieces))

    @property
    def evidence(self) -> str:
        """The number of certificates and traces, in a line."""
        certificates = [piece for piece in self.pieces if piece.certificate]
        traces = [piece.trace for piece in self.pieces if piece.trace is not None]
        parts = []
        if certificates:
            checked = "Z3, cvc5; kept ones: shortest paths" if self.remembered else "Z3, cvc5"
            parts.append(f"{len(certificates)} certificate{'s' * (len(certificates) > 1)} ({checked})")
        if traces:
            parts.append(
                f"{len(traces)} trace{'s' * (len(traces) > 1)}, shortest {min(len(trace.steps) for trace in traces)} steps"
            )
        return "; ".join(parts) or f"{len(self.pieces)} answers"

    def as_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            "claim": self.name,
            "statement": self.statement,
            "verdict": str(self.verdict),
            "as_expected": self.exit_verdict is Verdict.PROVED,
            "engine": self.engines,
            "seconds": round(self.seconds, 2),
            "remembered": self.remembered,
            "evidence": [
                {
                    "label": piece.label,
                    "verdict": str(piece.verdict),
                    "expected": str(piece.expected),
                    "engine": piece.engine,
                    "detail": piece.detail,
                    "certified": bool(piece.certificate),
                    "trace": None if piece.trace is None else piece.trace.as_json(),
                }
                for piece in self.pieces
            ],
        }


def decide_claim(name: str) -> ClaimResult:
    """Decide one claim."""
    return _decided(CLAIMS[name])


def _decided(chosen: Claim) -> ClaimResult:
    started, before = time.monotonic(), current().recalled
    pieces = tuple(_timed(chosen.gather()))
    recalled = current().recalled - before
    return ClaimResult(chosen.name, chosen.statement, chosen.expected, time.monotonic() - started, pieces, recalled)


def _decide_in_process(name: str, file: Path | None, memory: Path | None, for_others: bool) -> ClaimResult:
    """Decide one claim in a process that has to load the file of the claim first."""
    with remembering(memory, for_others=for_others):
        if file is None:
            return decide_claim(name)
        load_claims(file)
        return _decided(with_checked_evidence(CLAIMS[name]))


def _timed(pieces: Iterator[Evidence]) -> Iterator[Evidence]:
    """Each piece of evidence with the time spent on it."""
    while True:
        started = time.monotonic()
        piece = next(pieces, None)
        if piece is None:
            return
        yield replace(piece, seconds=time.monotonic() - started)


def prove(
    chosen: Sequence[str], jobs: int, out: Path | None, memory: Path | None = None, cluster: str = ""
) -> Iterator[ClaimResult]:
    """Decide claims in parallel processes; yields the results in the given order.

    Parameters
    ----------
    chosen : sequence of str
        The names of the claims.
    jobs : int
        Processes at most.
    out : Path or None
        A folder for certificates and traces.
    memory : Path or None
        A folder for proofs of earlier runs, which are checked again (`timewait.proofs.remembered`); None finds each anew.
    cluster : str
        The Ray cluster of the processes; empty for this machine without one.

    Raises
    ------
    InputError
        A claim is one of a user's file, which makes no sense or ends its process.
    CannotWrite
        The folder or a file in it cannot be written.
    """
    files = [CLAIMS[name].file for name in chosen]
    if out is not None:
        _make(out)
    try:
        yield from _decided_side_by_side(chosen, files, jobs, out, memory, cluster)
    except WorkerEnded:
        own = next(filter(None, files), None)
        if own is None:
            raise
        raise InputError(f"{own}: a process that decided a claim ended without an answer") from None


def _decided_side_by_side(
    chosen: Sequence[str], files: Sequence[Path | None], jobs: int, out: Path | None, memory: Path | None, cluster: str
) -> Iterator[ClaimResult]:
    early: dict[int, ClaimResult] = {}
    expected = 0
    order = sorted(range(len(chosen)), key=lambda number: -CLAIMS[chosen[number]].seconds)  # the end waits for the longest
    calls = ((chosen[number], files[number], memory, out is not None) for number in order)
    for place, found in spread(cluster, _decide_in_process, calls, jobs, version_of_code):
        if out is not None:
            _write(found, out)  # also if those before it are never decided
        early[order[place]] = found
        while expected in early:
            yield early.pop(expected)
            expected += 1


def _make(folder: Path) -> None:
    """Make a folder before a long computation begins, unless there is one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CannotWrite(folder, problem) from problem


def _write(result: ClaimResult, out: Path) -> None:
    for number, piece in enumerate(result.pieces, start=1):
        stem = f"{result.name}.{number}"
        if piece.certificate:
            write_whole(out / f"{stem}.smt2", piece.certificate.encode())
        if piece.trace is not None:
            write_whole(out / f"{stem}.itf.json", itf.as_itf_text(piece.trace).encode())
