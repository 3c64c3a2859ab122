"""Safe and unsafe TIME_WAIT as a picture, with real stacks as points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import hypot
from typing import NamedTuple

from timewait.diagrams.axes import BELOW, LEFT, MARGIN, RIGHT, SERIES, Axes, Scale, hatching, heading
from timewait.diagrams.boundary import Boundary, BoundaryPiece
from timewait.diagrams.colours import BLACK, PAPER, Colour
from timewait.diagrams.figure import TextLine, bold, line
from timewait.diagrams.geometry import Point, Rectangle
from timewait.diagrams.label_placement import PlacedLabel, placed
from timewait.diagrams.region import SafetyRegion, facts, fares, together
from timewait.diagrams.sizes import LEADING, TEXT, Size, line_width
from timewait.diagrams.vector import document, group, haloed, lettered, number, path, tag
from timewait.diagrams.widths import wrapped

WIDTH, HEIGHT = 760.0, 400.0
"""Of the whole, less what is above the axes and below them; and of the room between them."""

DOT = 4.5

BITS = 40
"""Into how many parts a straight piece is cut to see what lies over it."""

DASHES = ("", "9 4", "2 4")
LEANS = (45, -45, 0)
"""How the lines of the boundaries are broken, and how far the hatching below them leans, in degrees."""

BELOW_IT = {
    "graceful": "below it a retransmitted FIN may meet no TIME_WAIT any more, and a RST ends the other end",
    "isolation": "below it an old copy may reach the next connection on the same addresses and ports",
}
"""What becomes of a shorter TIME_WAIT, by property."""


def as_svg(region: SafetyRegion) -> str:
    """The picture."""
    head, top = heading(region.title, region.caption, WIDTH)
    axes = axes_of(region, top)
    legend = [entry for place in range(len(region.boundaries)) for entry in _legend(region, place)]
    parts = [
        tag("defs", *(_hatching(region, place) for place in range(len(region.boundaries)))),
        *head,
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


def axes_of(region: SafetyRegion, top: float) -> Axes:
    """The axes of a region, long enough for all that it has; `top` is where the upper end is, in pixels."""
    lines = [end for boundary in region.boundaries for one in region.stretches(boundary) for end in (one.begins, one.ends)]
    points = [*lines, *((stack.across, stack.up) for stack in region.stacks)]
    far = max((x for x, _ in points), default=Fraction(1))
    high = max((y for _, y in points if y is not None), default=Fraction(1)) * Fraction(11, 10)
    across = Scale(far * Fraction(103, 100), LEFT, WIDTH - RIGHT)
    return Axes(across, Scale(high, top + HEIGHT, top), *region.axes_names)


def _pattern(region: SafetyRegion, place: int) -> str:
    return f"hatching-{region.against}-{place}"


def _hatching(region: SafetyRegion, place: int) -> str:
    return hatching(_pattern(region, place), SERIES[place], LEANS[place], apart=10, thick=1.3)


def _below(region: SafetyRegion, place: int, axes: Axes) -> str:
    """The unsafe room under a boundary; all of it where no TIME_WAIT is enough; a line under what is known at a point alone."""
    boundary = region.boundaries[place]
    shapes = []
    for stretch in region.stretches(boundary):
        ends = [(x, axes.up.high if y is None else y) for x, y in (stretch.begins, stretch.ends)]
        outline = [(ends[0][0], Fraction(0)), *ends, (ends[1][0], Fraction(0))]
        if stretch.piece.is_point:
            shapes.append(path(_path(axes, outline[:2]), SERIES[place], 1.6, DASHES[place]))
        else:
            shapes.append(tag("path", d=_path(axes, outline) + " Z", fill=f"url(#{_pattern(region, place)})", stroke="none"))
    return group(shapes, "unsafe", f"unsafe: {boundary.told}")


def _path(axes: Axes, points: Iterable[tuple[Fraction, Fraction]]) -> str:
    return "M" + " L".join(axes.corner(*point) for point in points)


def _line(region: SafetyRegion, place: int, axes: Axes) -> str:
    boundary = region.boundaries[place]
    drawn = []
    for (left, one), (right, other) in _drawn(region, boundary):
        if left < right:
            drawn.append(path(_path(axes, [(left, one), (right, other)]), SERIES[place], 2.6, DASHES[place]))
        else:
            x, y = axes.across.at(left), axes.up.at(one)
            drawn.append(path(f"M{number(x - 5)},{number(y)} h10", SERIES[place], 2.6))
    return group(drawn, "boundary", boundary.told) if drawn else ""


def _drawn(region: SafetyRegion, boundary: Boundary) -> Iterator[tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]]:
    """The pieces that have an upper end, each from one of its ends to the other."""
    for stretch in region.stretches(boundary):
        (left, one), (right, other) = stretch.begins, stretch.ends
        if one is not None and other is not None:
            yield (left, one), (right, other)


class Formula(NamedTuple):
    """What is written beside a piece: its formula, its ink, and the middle of the piece, in the units of the axes."""

    text: str
    ink: Colour
    middle: tuple[Fraction, Fraction]


def formulas(region: SafetyRegion) -> list[Formula]:
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
        found.append(Formula(piece.formula, BLACK if both else SERIES[place], (middle, (one + other) / 2)))
    return found


def _within(piece: BoundaryPiece, other: BoundaryPiece) -> bool:
    return piece.ratios.meet(other.ratios) == piece.ratios


def _beside(region: SafetyRegion, axes: Axes) -> Iterator[str]:
    """The formulas along the lines, and the stacks: none over another."""
    safe = Rectangle.around(Point(axes.room.left + 36, axes.room.top + 15), Size(60, 24))
    written, stacks = formulas(region), together(region.stacks)
    rooms = placed([*labels(region, axes)], axes.room, [safe, *along(region, axes)])
    for formula, room in zip(written, rooms[: len(written)], strict=True):
        yield group([haloed(line(formula.text), room.left + 4, room.top + 12.6, TEXT, formula.ink)], "formula", formula.text)
    for stack, room in zip(stacks, rooms[len(written) :], strict=True):
        point = Point(axes.across.at(stack.across), axes.up.at(stack.up))
        yield group(_stack(stack.name, point, room), "stack", fares(region, stack))


def labels(region: SafetyRegion, axes: Axes) -> Iterator[PlacedLabel]:
    """What is to be placed: the formulas beside their pieces, then the names of the stacks beside their points."""
    for formula in formulas(region):
        x, y = formula.middle
        yield PlacedLabel(Size(line_width(line(formula.text), TEXT) + 8, 17), Point(axes.across.at(x), axes.up.at(y)), False)
    for stack in together(region.stacks):
        size = Size(line_width(line(bold(stack.name)), TEXT) + 8, 17)
        yield PlacedLabel(size, Point(axes.across.at(stack.across), axes.up.at(stack.up)))


def along(region: SafetyRegion, axes: Axes) -> Iterator[Rectangle]:
    """The room that the boundaries take, bit by bit."""
    for boundary in region.boundaries:
        for (left, one), (right, other) in _drawn(region, boundary):
            for share in (Fraction(bit, BITS) for bit in range(BITS + 1)):
                x, y = left + (right - left) * share, one + (other - one) * share
                yield Rectangle.around(Point(axes.across.at(x), axes.up.at(y)), Size(9, 9))


def _stack(name: str, point: Point, room: Rectangle) -> Iterator[str]:
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

    text: TextLine
    ink: Colour
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


def _legend(region: SafetyRegion, place: int) -> Iterator[_Entry]:
    boundary = region.boundaries[place]
    said = f"{boundary.told}; {BELOW_IT.get(boundary.name, 'below it the property is broken')}"
    marks = all(piece.is_point for piece in boundary.pieces)
    for row, text in enumerate(wrapped(said, TEXT, WIDTH - 90)):
        yield _Entry(line(text), SERIES[place], DASHES[place], _pattern(region, place), row == 0, marks)
