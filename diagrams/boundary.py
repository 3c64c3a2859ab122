"""The boundary between safe and unsafe values of TIME_WAIT, in exact pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from timewait.checker.linear import Terms, as_text
from timewait.checker.ratios import RatioInterval


@dataclass(frozen=True, slots=True)
class BoundaryPiece:
    """A straight piece of a boundary, or a single point.

    Attributes
    ----------
    ratios : RatioInterval
        The values of RTO/MSL for which it holds; bounded above.
    least : Terms or None
        The least safe TIME_WAIT there, as a sum of multiples of ``MSL`` and ``RTO``; None where none is safe.
    """

    ratios: RatioInterval
    least: Terms | None

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The values of RTO/MSL at which it begins and ends."""
        assert self.ratios.high is not None, "the axis is bounded"
        return self.ratios.low, self.ratios.high

    @property
    def is_point(self) -> bool:
        """Whether it holds for one value of RTO/MSL alone."""
        return self.ratios.low == self.ratios.high

    def at(self, msl: Fraction, rto: Fraction) -> Fraction | None:
        """The least safe TIME_WAIT, in the unit of `msl` and `rto`; None where none is safe."""
        if self.least is None:
            return None
        return self.least.get("MSL", Fraction(0)) * msl + self.least.get("RTO", Fraction(0)) * rto

    @property
    def formula(self) -> str:
        """The least safe TIME_WAIT as a formula, for instance ``MSL + 2 RTO``."""
        return "no TIME_WAIT is enough" if self.least is None else as_text(self.least).replace("*", " ")


@dataclass(frozen=True, slots=True)
class Boundary:
    """The least safe TIME_WAIT of one property.

    Attributes
    ----------
    name : str
        The property.
    pieces : tuple of BoundaryPiece
        In the order of RTO/MSL.
    needs : str
        The condition, for instance ``TIME_WAIT >= max(2 MSL, MSL + RTO)``.
    """

    name: str
    pieces: tuple[BoundaryPiece, ...]
    needs: str

    def piece_at(self, ratio: Fraction) -> BoundaryPiece | None:
        """What is known at a value of RTO/MSL; None where nothing is."""
        return next((piece for piece in self.pieces if ratio in piece.ratios), None)

    @property
    def sentence(self) -> str:
        """The condition as a sentence."""
        return f"{self.name} needs {self.needs}" if self.needs.startswith("TIME_WAIT") else f"{self.name}: {self.needs}"


def sampled(name: str, points: Sequence[tuple[Fraction, Fraction | None]]) -> Boundary:
    """A boundary that is known at some points only.

    Parameters
    ----------
    name : str
        The property.
    points : sequence of (Fraction, Fraction or None)
        Rising values of RTO/MSL, each with the least safe TIME_WAIT in MSL; None where no value that was tried is safe.
    """
    pieces = tuple(
        BoundaryPiece(RatioInterval(ratio, ratio, closed_low=True, closed_high=True), None if least is None else {"MSL": least})
        for ratio, least in points
    )
    first, last = (_point_in_words(*points[end]) for end in (0, -1))
    return Boundary(name, pieces, f"as marked, from {first} to {last}")


def _point_in_words(ratio: Fraction, least: Fraction | None) -> str:
    return f"{'none that was tried' if least is None else f'{least} MSL'} at RTO = {ratio} MSL"


def plain_number(value: Fraction) -> str:
    """A number in decimals, to a hundredth."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
