"""The line between safe and unsafe values of TIME_WAIT, in pieces that are exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from timewait.checker.linear import Terms, as_text
from timewait.checker.ratios import RatioInterval


@dataclass(frozen=True, slots=True)
class BoundaryPiece:
    """A straight piece, or one point.

    Attributes
    ----------
    ratios : Interval
        The values of RTO/MSL for which it holds; bounded above.
    least : Terms or None
        The least safe TIME_WAIT there, as a sum of multiples of ``MSL`` and ``RTO``; None where none is safe.
    """

    ratios: RatioInterval
    least: Terms | None

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """Where it begins and ends."""
        assert self.ratios.high is not None, "an axis has an end"
        return self.ratios.low, self.ratios.high

    @property
    def is_point(self) -> bool:
        """Whether it says something of one value of RTO/MSL alone."""
        return self.ratios.low == self.ratios.high

    def at(self, msl: Fraction, rto: Fraction) -> Fraction | None:
        """The least safe TIME_WAIT, in the unit of the two."""
        if self.least is None:
            return None
        return self.least.get("MSL", Fraction(0)) * msl + self.least.get("RTO", Fraction(0)) * rto

    @property
    def formula(self) -> str:
        """The sum in words, for instance ``MSL + 2 RTO``."""
        return "no TIME_WAIT is enough" if self.least is None else as_text(self.least).replace("*", " ")


@dataclass(frozen=True, slots=True)
class Boundary:
    """All that one property needs.

    Attributes
    ----------
    name : str
        The property.
    pieces : tuple of Piece
        From small values of RTO/MSL to large ones.
    needs : str
        What it needs, for instance ``TIME_WAIT >= max(2 MSL, MSL + RTO)``.
    """

    name: str
    pieces: tuple[BoundaryPiece, ...]
    needs: str

    def piece_at(self, ratio: Fraction) -> BoundaryPiece | None:
        """What is known at a value of RTO/MSL; None where nothing is."""
        return next((piece for piece in self.pieces if ratio in piece.ratios), None)

    @property
    def told(self) -> str:
        """What it needs, in a sentence."""
        return f"{self.name} needs {self.needs}" if self.needs.startswith("TIME_WAIT") else f"{self.name}: {self.needs}"


def sampled(name: str, points: Sequence[tuple[Fraction, Fraction | None]]) -> Boundary:
    """A boundary of which some points are known, and nothing between them.

    Parameters
    ----------
    name : str
        The property.
    points : sequence of (Fraction, Fraction or None)
        RTO/MSL, rising, and the least safe TIME_WAIT there, in MSL; None where none that was tried is safe.
    """
    pieces = tuple(
        BoundaryPiece(RatioInterval(ratio, ratio, closed_low=True, closed_high=True), None if least is None else {"MSL": least})
        for ratio, least in points
    )
    first, last = (_told(*points[end]) for end in (0, -1))
    return Boundary(name, pieces, f"as marked, from {first} to {last}")


def _told(ratio: Fraction, least: Fraction | None) -> str:
    return f"{'none that was tried' if least is None else f'{least} MSL'} at RTO = {ratio} MSL"
