"""Safe and unsafe TIME_WAIT as a picture, with real stacks as points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import hypot
from typing import Literal, NamedTuple

from diagrams.axes import Axes, Scale, plain_number
from diagrams.boundary import Boundary, Piece
from diagrams.figure import Line, bold, line
from diagrams.inks import BLACK, BLUE, GREY, PAPER, RED, Ink
from diagrams.places import Point, Room
from diagrams.placing import Label, placed
from diagrams.sizes import LABEL_LEADING, LEADING, TEXT, Size, line_width
from diagrams.vector import document, group, haloed, lettered, number, path, tag
from diagrams.widths import wrapped

WIDTH, HEIGHT = 760.0, 400.0
"""The room between the axes is this, less what is beside them."""

LEFT, RIGHT, BELOW, MARGIN = 58.0, 22.0, 52.0, 14.0
DOT = 4.5

BITS = 40
"""Into how many parts a straight piece is cut to see what lies over it."""

INKS = (RED, BLUE, GREY)
"""For the boundaries, in order; the lines are solid, dashed and dotted, and the hatching leans either way."""

DASHES = ("", "9 4", "2 4")
LEANS = (45, -45, 0)

BELOW_IT = {
    "graceful": "below it a retransmitted FIN may meet no TIME_WAIT any more, and a RST ends the other end",
    "isolation": "below it an old copy may reach the next connection on the same addresses and ports",
}
"""What becomes of a shorter TIME_WAIT, by property."""


Against = Literal["rto", "msl"]
"""What lies along the axis."""


class Known(NamedTuple):
    """A stack as a point: what it is called, its place along the axis, and its TIME_WAIT, in the units of the axes."""

    name: str
    across: Fraction
    up: Fraction


class Stretch(NamedTuple):
    """A piece, and where it begins and ends: along the axis, and up it; None is beyond all bounds."""

    piece: Piece
    begins: tuple[Fraction, Fraction | None]
    ends: tuple[Fraction, Fraction | None]


@dataclass(frozen=True, slots=True)
class Region:
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
    stacks: tuple[Known, ...] = ()
    against: Against = "rto"
    rto: Fraction = Fraction(1)

    def durations(self, across: Fraction) -> tuple[Fraction, Fraction]:
        """MSL and RTO at a place along the axis, in the unit of the axis of TIME_WAIT."""
        return (Fraction(1), across) if self.against == "rto" else (across, self.rto)

    def along(self, ratio: Fraction) -> Fraction:
        """The place along the axis of a value of RTO/MSL."""
        return ratio if self.against == "rto" else self.rto / ratio

    def stretches(self, boundary: Boundary) -> list[Stretch]:
        """The pieces of a boundary in the units of the axes, from left to right."""
        found = []
        for piece in boundary.pieces:
            left, right = sorted(map(self.along, piece.ends))
            found.append(Stretch(piece, (left, piece.at(*self.durations(left))), (right, piece.at(*self.durations(right)))))
        return sorted(found, key=lambda stretch: stretch.begins[0])

    def piece_at(self, boundary: Boundary, across: Fraction) -> Piece | None:
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


def together(stacks: Iterable[Known]) -> list[Known]:
    """Stacks at the same place as one, in the order of their places."""
    places: dict[tuple[Fraction, Fraction], list[str]] = defaultdict(list)
    for stack in stacks:
        places[stack.across, stack.up].append(stack.name)
    return [Known(" · ".join(names), *place) for place, names in sorted(places.items())]


# --- the picture --------------------------------------------------------------------------------------------------


def as_svg(region: Region) -> str:
    """The picture."""
    head = [
        line(bold(region.title)),
        *(line(text) for said in region.caption for text in wrapped(said, TEXT, WIDTH - 2 * MARGIN)),
    ]
    top = MARGIN + LABEL_LEADING * len(head) + 34
    axes = axes_of(region, top)
    legend = [entry for place in range(len(region.boundaries)) for entry in _legend(region, place)]
    parts = [
        tag("defs", *(_hatching(region, place) for place in range(len(region.boundaries)))),
        *(lettered(text, MARGIN, MARGIN + LABEL_LEADING * (place + 0.75), TEXT, BLACK) for place, text in enumerate(head)),
        *axes.grid(),
        *(_below(region, place, axes) for place in range(len(region.boundaries))),
        *axes.frame(),
        *(_line(region, place, axes) for place in range(len(region.boundaries))),
        haloed(line(bold("safe")), axes.room.left + 16, axes.room.top + 20, 15, BLACK),
        *_beside(region, axes),
    ]
    y = axes.room.bottom + BELOW
    for entry in legend:
        parts.append(entry(y))
        y += LEADING
    return document(WIDTH, y + MARGIN - 6, region.title, "\n".join(facts(region)), parts)


def axes_of(region: Region, top: float) -> Axes:
    """The axes of a region, long enough for all that it has; `top` is where the upper end is, in pixels."""
    lines = [end for boundary in region.boundaries for one in region.stretches(boundary) for end in (one.begins, one.ends)]
    points = [*lines, *((stack.across, stack.up) for stack in region.stacks)]
    far = max((x for x, _ in points), default=Fraction(1))
    high = max((y for _, y in points if y is not None), default=Fraction(1)) * Fraction(11, 10)
    across = Scale(far * Fraction(103, 100), LEFT, WIDTH - RIGHT)
    return Axes(across, Scale(high, top + HEIGHT, top), *region.axes_names)


def _pattern(region: Region, place: int) -> str:
    return f"hatching-{region.against}-{place}"


def _hatching(region: Region, place: int) -> str:
    ink = INKS[place]
    stroke = tag("path", d="M0,0 V10", stroke=ink.light, stroke_width=1.3, stroke_opacity="0.8")
    turned = f"rotate({LEANS[place]})"
    name = _pattern(region, place)
    return tag("pattern", stroke, id=name, width=10, height=10, patternUnits="userSpaceOnUse", patternTransform=turned)


def _below(region: Region, place: int, axes: Axes) -> str:
    """The unsafe room under a boundary; all of it where no TIME_WAIT is enough; a line under what is known at a point alone."""
    boundary = region.boundaries[place]
    shapes = []
    for stretch in region.stretches(boundary):
        ends = [(x, axes.up.high if y is None else y) for x, y in (stretch.begins, stretch.ends)]
        outline = [(ends[0][0], Fraction(0)), *ends, (ends[1][0], Fraction(0))]
        if stretch.piece.is_point:
            shapes.append(path(_path(axes, outline[:2]), INKS[place], 1.6, DASHES[place]))
        else:
            shapes.append(tag("path", d=_path(axes, outline) + " Z", fill=f"url(#{_pattern(region, place)})", stroke="none"))
    return group(shapes, "unsafe", f"unsafe: {boundary.told}")


def _path(axes: Axes, points: Iterable[tuple[Fraction, Fraction]]) -> str:
    return "M" + " L".join(axes.corner(*point) for point in points)


def _line(region: Region, place: int, axes: Axes) -> str:
    boundary = region.boundaries[place]
    drawn = []
    for (left, one), (right, other) in _drawn(region, boundary):
        if left < right:
            drawn.append(path(_path(axes, [(left, one), (right, other)]), INKS[place], 2.6, DASHES[place]))
        else:
            x, y = axes.across.at(left), axes.up.at(one)
            drawn.append(path(f"M{number(x - 5)},{number(y)} h10", INKS[place], 2.6))
    return group(drawn, "boundary", boundary.told) if drawn else ""


def _drawn(region: Region, boundary: Boundary) -> Iterator[tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]]:
    """The pieces that have an upper end, each from one of its ends to the other."""
    for stretch in region.stretches(boundary):
        (left, one), (right, other) = stretch.begins, stretch.ends
        if one is not None and other is not None:
            yield (left, one), (right, other)


class Formula(NamedTuple):
    """What is written beside a piece: its formula, its ink, and the middle of the piece, in the units of the axes."""

    text: str
    ink: Ink
    middle: tuple[Fraction, Fraction]


def formulas(region: Region) -> list[Formula]:
    """What is written beside the pieces; where one lies within another boundary's and says the same, beside that alone."""
    stretches = [(place, one) for place, boundary in enumerate(region.boundaries) for one in region.stretches(boundary)]
    found = []
    for place, stretch in stretches:
        piece, (left, one), (right, other) = stretch
        if piece.is_point or one is None or other is None:
            continue
        alike = [(at, twin.piece) for at, twin in stretches if at != place and twin.piece.least == piece.least]
        if any(_within(piece, twin) and (at < place or not _within(twin, piece)) for at, twin in alike):
            continue
        middle = (left + right) / 2
        msl, rto = region.durations(middle)
        both = any(rto / msl in twin.ratios for _, twin in alike)
        found.append(Formula(piece.formula, BLACK if both else INKS[place], (middle, (one + other) / 2)))
    return found


def _within(piece: Piece, other: Piece) -> bool:
    return piece.ratios.meet(other.ratios) == piece.ratios


def _beside(region: Region, axes: Axes) -> Iterator[str]:
    """The formulas along the lines, and the stacks: none over another."""
    safe = Room.around(Point(axes.room.left + 36, axes.room.top + 15), Size(60, 24))
    written, stacks = formulas(region), together(region.stacks)
    rooms = placed([*labels(region, axes)], axes.room, [safe, *along(region, axes)])
    for formula, room in zip(written, rooms[: len(written)], strict=True):
        yield group([haloed(line(formula.text), room.left + 4, room.top + 12.6, TEXT, formula.ink)], "formula", formula.text)
    for stack, room in zip(stacks, rooms[len(written) :], strict=True):
        point = Point(axes.across.at(stack.across), axes.up.at(stack.up))
        yield group(_stack(stack.name, point, room), "stack", fares(region, stack))


def labels(region: Region, axes: Axes) -> Iterator[Label]:
    """What is to be placed: the formulas beside their pieces, then the names of the stacks beside their points."""
    for formula in formulas(region):
        x, y = formula.middle
        yield Label(Size(line_width(line(formula.text), TEXT) + 8, 17), Point(axes.across.at(x), axes.up.at(y)), False)
    for stack in together(region.stacks):
        size = Size(line_width(line(bold(stack.name)), TEXT) + 8, 17)
        yield Label(size, Point(axes.across.at(stack.across), axes.up.at(stack.up)))


def along(region: Region, axes: Axes) -> Iterator[Room]:
    """The room that the boundaries take, bit by bit."""
    for boundary in region.boundaries:
        for (left, one), (right, other) in _drawn(region, boundary):
            for share in (Fraction(bit, BITS) for bit in range(BITS + 1)):
                x, y = left + (right - left) * share, one + (other - one) * share
                yield Room.around(Point(axes.across.at(x), axes.up.at(y)), Size(9, 9))


def _stack(name: str, point: Point, room: Room) -> Iterator[str]:
    near = Point(min(max(point.x, room.left), room.right), min(max(point.y, room.top), room.bottom))
    if hypot(near.x - point.x, near.y - point.y) > 3 * DOT:
        yield path(f"M{number(point.x)},{number(point.y)} L{number(near.x)},{number(near.y)}", BLACK, 0.9)
    yield tag("circle", cx=point.x, cy=point.y, r=DOT, fill=BLACK.light, stroke=PAPER.light, stroke_width=1.2)
    left = near.x == room.right  # the label stands on the left of its point and should end there
    yield haloed(
        line(bold(name)), room.right - 4 if left else room.left + 4, room.top + 12.6, TEXT, BLACK, "end" if left else "start"
    )


class _Entry(NamedTuple):
    """A line of the legend, wherever it will stand."""

    text: Line
    ink: Ink
    dashes: str
    pattern: str
    first: bool
    marks: bool

    def __call__(self, y: float) -> str:
        words = lettered(self.text, MARGIN + 46, y + 4.2, TEXT, self.ink)
        if not self.first:
            return words
        if self.marks:
            post = path(f"M{number(MARGIN + 18)},{number(y - 5)} v16", self.ink, 1.6, self.dashes)
            return "\n".join([post, path(f"M{number(MARGIN + 13)},{number(y - 5)} h10", self.ink, 2.6), words])
        swatch = tag("rect", x=MARGIN, y=y - 3, width=36, height=13, fill=f"url(#{self.pattern})")
        return "\n".join([swatch, path(f"M{number(MARGIN)},{number(y - 3)} h36", self.ink, 2.6, self.dashes), words])


def _legend(region: Region, place: int) -> Iterator[_Entry]:
    boundary = region.boundaries[place]
    said = f"{boundary.told}; {BELOW_IT.get(boundary.name, 'below it the property is broken')}"
    marks = all(piece.is_point for piece in boundary.pieces)
    for row, text in enumerate(wrapped(said, TEXT, WIDTH - 90)):
        yield _Entry(line(text), INKS[place], DASHES[place], _pattern(region, place), row == 0, marks)


# --- words --------------------------------------------------------------------------------------------------------


def facts(region: Region) -> Iterator[str]:
    """All that the picture says, a line each."""
    yield from region.caption
    for boundary in region.boundaries:
        yield boundary.told
    yield from (fares(region, stack) for stack in together(region.stacks))


def fares(region: Region, stack: Known) -> str:
    """How a stack fares."""
    across, up = region.axes_names
    needed = [_needed(region, boundary, stack) for boundary in region.boundaries]
    told = "; ".join(filter(None, needed)) or "beyond what was computed"
    return f"{stack.name} ({up}: {plain_number(stack.up)}; {across}: {plain_number(stack.across)}): {told}"


def _needed(region: Region, boundary: Boundary, stack: Known) -> str:
    """How a stack fares with one property; nothing where that is not known."""
    piece = region.piece_at(boundary, stack.across)
    if piece is None:
        return ""
    least = piece.at(*region.durations(stack.across))
    if least is None:
        return f"not {boundary.name}"
    return f"{'' if stack.up >= least else 'not '}{boundary.name}, which needs {plain_number(least)}"
