"""Safe and unsafe TIME_WAIT as data: the boundaries, and real stacks as points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from timewait.diagrams.boundary import Boundary, BoundaryPiece, plain_number

Against = Literal["rto", "msl"]
"""The quantity along the horizontal axis."""


class KnownStack(NamedTuple):
    """A stack as a point: its name, its place along the axis, and its TIME_WAIT, in the units of the axes."""

    name: str
    across: Fraction
    up: Fraction


class RegionStretch(NamedTuple):
    """A piece with its ends in the units of the axes; an upper end of None means that no TIME_WAIT is enough."""

    piece: BoundaryPiece
    begins: tuple[Fraction, Fraction | None]
    ends: tuple[Fraction, Fraction | None]


@dataclass(frozen=True, slots=True)
class SafetyRegion:
    """The content of a chart of safe and unsafe TIME_WAIT.

    Attributes
    ----------
    title : str
        One line.
    caption : tuple of str
        The configuration, and the source of the boundaries and points.
    boundaries : tuple of Boundary
        One for each property.
    stacks : tuple of KnownStack
        Real stacks.
    against : {"rto", "msl"}
        The horizontal axis: RTO, in units of MSL as is TIME_WAIT; or MSL, in seconds as is TIME_WAIT.
    rto : Fraction
        The longest RTO in seconds; used against MSL only.
    """

    title: str
    caption: tuple[str, ...]
    boundaries: tuple[Boundary, ...]
    stacks: tuple[KnownStack, ...] = ()
    against: Against = "rto"
    rto: Fraction = Fraction(1)

    def durations(self, across: Fraction) -> tuple[Fraction, Fraction]:
        """MSL and RTO at a place along the axis, in the unit of the vertical axis."""
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
        """The piece of a boundary at a place along the axis; None where the boundary is not known."""
        msl, rto = self.durations(across)
        return boundary.piece_at(rto / msl) if msl else None

    def is_safe(self, boundary: Boundary, across: Fraction, up: Fraction) -> bool | None:
        """Whether a TIME_WAIT is enough at a place along the axis; None where the boundary is not known."""
        piece = self.piece_at(boundary, across)
        if piece is None:
            return None
        least = piece.at(*self.durations(across))
        return least is not None and up >= least

    @property
    def axes_names(self) -> tuple[str, str]:
        """The titles of the axes."""
        if self.against == "rto":
            return "longest RTO, in MSL", "TIME_WAIT, in MSL"
        return "MSL, in seconds", "TIME_WAIT, in seconds"


def together(stacks: Iterable[KnownStack]) -> list[KnownStack]:
    """Stacks at the same place joined into one, in the order of their places."""
    places: dict[tuple[Fraction, Fraction], list[str]] = defaultdict(list)
    for stack in stacks:
        places[stack.across, stack.up].append(stack.name)
    return [KnownStack(" · ".join(names), *place) for place, names in sorted(places.items())]


def extent(region: SafetyRegion) -> tuple[Fraction, Fraction]:
    """The upper ends of both axes: a little beyond all boundaries and stacks."""
    points: list[tuple[Fraction, Fraction | None]] = [(stack.across, stack.up) for stack in region.stacks]
    for boundary in region.boundaries:
        points += [end for stretch in region.stretches(boundary) for end in (stretch.begins, stretch.ends)]
    far = max((x for x, _ in points), default=Fraction(1))
    high = max((y for _, y in points if y is not None), default=Fraction(1))
    return far * Fraction(103, 100), high * Fraction(11, 10)


# --- in words -----------------------------------------------------------------------------------------------------


def facts(region: SafetyRegion) -> Iterator[str]:
    """The content of the chart, one sentence a line."""
    yield from region.caption
    for boundary in region.boundaries:
        yield boundary.sentence
    yield from (outcome(region, stack) for stack in together(region.stacks))


def outcome(region: SafetyRegion, stack: KnownStack) -> str:
    """Which properties the TIME_WAIT of a stack keeps, in a sentence."""
    across, up = region.axes_names
    verdicts = [_verdict(region, boundary, stack) for boundary in region.boundaries]
    text = "; ".join(filter(None, verdicts)) or "beyond what was computed"
    return f"{stack.name} ({up}: {plain_number(stack.up)}; {across}: {plain_number(stack.across)}): {text}"


def _verdict(region: SafetyRegion, boundary: Boundary, stack: KnownStack) -> str:
    """Whether a stack keeps one property; empty where the boundary is not known."""
    piece = region.piece_at(boundary, stack.across)
    if piece is None:
        return ""
    least = piece.at(*region.durations(stack.across))
    if least is None:
        return f"not {boundary.name}"
    return f"{'' if stack.up >= least else 'not '}{boundary.name}, which needs {plain_number(least)}"
