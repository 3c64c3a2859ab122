"""Safe and unsafe TIME_WAIT as data: the boundaries, real stacks as points, and how each fares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from timewait.diagrams.axes import plain_number
from timewait.diagrams.boundary import Boundary, BoundaryPiece

Against = Literal["rto", "msl"]
"""What lies along the axis."""


class KnownStack(NamedTuple):
    """A stack as a point: what it is called, its place along the axis, and its TIME_WAIT, in the units of the axes."""

    name: str
    across: Fraction
    up: Fraction


class RegionStretch(NamedTuple):
    """A piece, and where it begins and ends: along the axis, and up it; None is beyond all bounds."""

    piece: BoundaryPiece
    begins: tuple[Fraction, Fraction | None]
    ends: tuple[Fraction, Fraction | None]


@dataclass(frozen=True, slots=True)
class SafetyRegion:
    """What a picture of safe and unsafe TIME_WAIT shows.

    Attributes
    ----------
    title : str
        What it shows, in a line.
    caption : tuple of str
        What was asked, and of what.
    boundaries : tuple of Boundary
        The line of each property.
    stacks : tuple of Known
        Real stacks.
    against : {"rto", "msl"}
        What lies along the axis: RTO, with TIME_WAIT, in units of MSL; or MSL, with TIME_WAIT, in seconds.
    rto : Fraction
        The longest RTO in seconds; of account against MSL alone.
    """

    title: str
    caption: tuple[str, ...]
    boundaries: tuple[Boundary, ...]
    stacks: tuple[KnownStack, ...] = ()
    against: Against = "rto"
    rto: Fraction = Fraction(1)

    def durations(self, across: Fraction) -> tuple[Fraction, Fraction]:
        """MSL and RTO at a place along the axis, in the unit of the axis of TIME_WAIT."""
        return (Fraction(1), across) if self.against == "rto" else (across, self.rto)

    def along(self, ratio: Fraction) -> Fraction:
        """The place along the axis of a value of RTO/MSL."""
        return ratio if self.against == "rto" else self.rto / ratio

    def stretches(self, boundary: Boundary) -> list[RegionStretch]:
        """The pieces of a boundary in the units of the axes, from left to right."""
        found = []
        for piece in boundary.pieces:
            left, right = sorted(map(self.along, piece.ends))
            found.append(RegionStretch(piece, (left, piece.at(*self.durations(left))), (right, piece.at(*self.durations(right)))))
        return sorted(found, key=lambda stretch: stretch.begins[0])

    def piece_at(self, boundary: Boundary, across: Fraction) -> BoundaryPiece | None:
        """What is known of a property at a place along the axis; None where nothing is."""
        msl, rto = self.durations(across)
        return boundary.piece_at(rto / msl) if msl else None

    def is_safe(self, boundary: Boundary, across: Fraction, up: Fraction) -> bool | None:
        """Whether a TIME_WAIT is enough at a place along the axis; None where that is not known."""
        piece = self.piece_at(boundary, across)
        if piece is None:
            return None
        least = piece.at(*self.durations(across))
        return least is not None and up >= least

    @property
    def axes_names(self) -> tuple[str, str]:
        """What the axes measure."""
        if self.against == "rto":
            return "longest RTO, in MSL", "TIME_WAIT, in MSL"
        return "MSL, in seconds", "TIME_WAIT, in seconds"


def together(stacks: Iterable[KnownStack]) -> list[KnownStack]:
    """Stacks at the same place as one, in the order of their places."""
    places: dict[tuple[Fraction, Fraction], list[str]] = defaultdict(list)
    for stack in stacks:
        places[stack.across, stack.up].append(stack.name)
    return [KnownStack(" · ".join(names), *place) for place, names in sorted(places.items())]


# --- words --------------------------------------------------------------------------------------------------------


def facts(region: SafetyRegion) -> Iterator[str]:
    """All that the picture says, a line each."""
    yield from region.caption
    for boundary in region.boundaries:
        yield boundary.told
    yield from (fares(region, stack) for stack in together(region.stacks))


def fares(region: SafetyRegion, stack: KnownStack) -> str:
    """How a stack fares."""
    across, up = region.axes_names
    needed = [_needed(region, boundary, stack) for boundary in region.boundaries]
    told = "; ".join(filter(None, needed)) or "beyond what was computed"
    return f"{stack.name} ({up}: {plain_number(stack.up)}; {across}: {plain_number(stack.across)}): {told}"


def _needed(region: SafetyRegion, boundary: Boundary, stack: KnownStack) -> str:
    """How a stack fares with one property; nothing where that is not known."""
    piece = region.piece_at(boundary, stack.across)
    if piece is None:
        return ""
    least = piece.at(*region.durations(stack.across))
    if least is None:
        return f"not {boundary.name}"
    return f"{'' if stack.up >= least else 'not '}{boundary.name}, which needs {plain_number(least)}"
