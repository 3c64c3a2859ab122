"""The line between safe and unsafe values of TIME_WAIT, in pieces that are exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Piece:
    """A straight piece.

    Attributes
    ----------
    low, high : Fraction
        Between which values of RTO/MSL it holds, both included.
    terms : mapping of str to Fraction
        The least safe TIME_WAIT is the sum of these multiples of ``MSL`` and ``RTO``.
    """

    low: Fraction
    high: Fraction
    terms: Mapping[str, Fraction]

    def least(self, msl: Fraction, rto: Fraction) -> Fraction:
        """The least safe TIME_WAIT, in the unit of the two."""
        return self.terms.get("MSL", Fraction(0)) * msl + self.terms.get("RTO", Fraction(0)) * rto

    @property
    def formula(self) -> str:
        """The sum in words, for instance ``MSL + 2 RTO``."""
        parts = [f"{_times(count)}{name}" for name in ("MSL", "RTO") if (count := self.terms.get(name))]
        return " + ".join(parts) or "0"


def _times(count: Fraction) -> str:
    return "" if count == 1 else f"{count} "


@dataclass(frozen=True, slots=True)
class Boundary:
    """All that one property needs.

    Attributes
    ----------
    name : str
        The property.
    pieces : tuple of Piece
        From small values of RTO/MSL to large ones; none when no TIME_WAIT that was tried is safe.
    """

    name: str
    pieces: tuple[Piece, ...]

    @property
    def formula(self) -> str:
        """The pieces in words, from left to right."""
        formulas = [piece.formula for piece in self.pieces]
        if len(formulas) < 2:
            return formulas[0] if formulas else "no TIME_WAIT is enough"
        told = [f"{piece.formula} up to RTO = {_times(piece.high)}MSL" for piece in self.pieces[:-1]]
        return f"{', '.join(told)}, then {formulas[-1]}"


def joined(points: Sequence[tuple[Fraction, Fraction]]) -> tuple[Piece, ...]:
    """The pieces through some points, those in a line made one.

    Parameters
    ----------
    points : sequence of (Fraction, Fraction)
        RTO/MSL, rising, and the least safe TIME_WAIT there, in MSL.
    """
    pieces: list[Piece] = []
    for (left, one), (right, other) in pairwise(points):
        slope = (other - one) / (right - left)
        terms = {"MSL": one - slope * left, "RTO": slope}
        if pieces and pieces[-1].terms == terms:
            pieces[-1] = Piece(pieces[-1].low, right, terms)
        else:
            pieces.append(Piece(left, right, terms))
    return tuple(pieces)


def corners(pieces: Iterable[Piece]) -> list[tuple[Fraction, Fraction]]:
    """The points at which pieces begin and end: RTO/MSL, and TIME_WAIT in MSL."""
    one = Fraction(1)
    return [(ratio, piece.least(one, ratio)) for piece in pieces for ratio in (piece.low, piece.high)]
