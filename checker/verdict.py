"""The one verdict type, totally ordered: the worst of several is the verdict of all."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Verdict(IntEnum):
    """The verdict about a property, from best to worst."""

    PROVED = 0
    """The property holds on every run."""
    INCONCLUSIVE = 1
    """The budget was used up before the property was decided."""
    VACUOUS = 2
    """Nothing was asked, or a witness of the proof is impossible."""
    VIOLATED = 3
    """A run violates the property."""
    DISAGREEMENT = 4
    """Engines disagree, or a certificate or a replay was rejected."""

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def exit_code(self) -> int:
        """The exit status of a command with this verdict; never one that a crash (1) or bad usage (2) can give."""
        return {
            Verdict.PROVED: 0,
            Verdict.INCONCLUSIVE: 20,
            Verdict.VACUOUS: 30,
            Verdict.VIOLATED: 10,
            Verdict.DISAGREEMENT: 40,
        }[self]


SEVERITY = (0, 20, 30, 4, 3, 2, 1, 10, 40)
"""Exit codes from best to worst, errors included."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of all together; `VACUOUS` when there are none."""
    return max(verdicts, default=Verdict.VACUOUS)


def worst_exit(codes: Iterable[int]) -> int:
    """The worst of several exit codes: 40, 10, 1, 2, 3, 4, 30, 20, 0; 30 when there are none."""
    return max(codes, key=SEVERITY.index, default=Verdict.VACUOUS.exit_code)
