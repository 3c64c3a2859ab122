"""The state diagram of an endpoint in plain text, in the manner of figure 5 of RFC 9293.

The states stand where the RFC has them. Each transition is a line of ``-``, ``|`` and ``+`` with a head; beside it stand the
event, a line, and the reaction. A transition without a place beside its line has a number there and stands below the
diagram, as do the events that a state answers without leaving it.
"""

from __future__ import annotations

import heapq
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from timewait.diagrams.figure import Arrow, Box, Figure, plain_text
from timewait.diagrams.states import CLOSED_AGAIN, SHARED
from timewait.spec.state import State

WIDTH = 79
"""The width of the diagram in characters."""

HALF = 8
"""Half the width of a box, without its middle."""

COLUMNS = (8, 39, 70)
"""The middles of the three columns of boxes."""

CLOSING: Mapping[str, tuple[int, int]] = {
    State.ESTABLISHED: (1, 0),
    State.FIN_WAIT_1: (0, 1),
    State.CLOSE_WAIT: (2, 1),
    State.FIN_WAIT_2: (0, 2),
    State.CLOSING: (1, 2),
    State.LAST_ACK: (2, 2),
    State.TIME_WAIT: (1, 3),
}
"""The column and the level of each state of the close."""

OPENING: Mapping[str, tuple[int, int]] = {
    State.CLOSED: (1, 0),
    State.LISTEN: (1, 1),
    State.SYN_RECEIVED: (0, 2),
    State.SYN_SENT: (2, 2),
}
"""The same for the states that open a connection, above those of the close."""

LEVEL = 10
"""Lines from one level to the next."""

FLAGS = frozenset({"SYN", "FIN", "ACK", "RST", "DATA"})

LABEL_WIDTH = 16
"""The width at which a label is wrapped, in characters."""

SHORT = {"does not acknowledge our": "not of our", "acknowledges our": "of our"}
"""Guards as the RFC has them: ``rcv ACK of FIN``."""

BEND, CROSSING, BESIDE = 5, 14, 1
"""The cost of a bend, of a crossing, and of a place next to another line, in characters of length."""

CharacterPlace = tuple[int, int]
"""The column and the line of a character."""

MOVES: tuple[CharacterPlace, ...] = ((0, 1), (1, 0), (0, -1), (-1, 0))
HEADS = {(0, 1): "V", (0, -1): "^", (1, 0): ">", (-1, 0): "<"}


class Route(NamedTuple):
    """The cells of a transition from box to box, in order."""

    cells: tuple[CharacterPlace, ...]


def as_ascii(figure: Figure) -> str:
    """A state diagram as plain text.

    Parameters
    ----------
    figure : Figure
        A figure of `timewait.diagrams.states.states`.
    """
    drawing = _Drawing(figure)
    lines = drawing.lines()
    below = "\n".join(_below(figure, drawing.numbered)).strip("\n")
    return "\n".join([figure.title, "", *lines, *(["", below] if below else [])]) + "\n"


def label(arrow: Arrow) -> list[str]:
    """The label of a transition as the RFC writes it: the event, a line, the reaction."""
    texts = [plain_text(text) for text in arrow.label]
    timers = {plain_text(text) for text in arrow.label if any(span.italic for span in text)}
    event = [text for text in texts if not text.startswith("/ ") and text not in timers]
    reaction = [f"snd {text.removeprefix('/ ')}" if text.startswith("/ ") else text for text in texts if text not in event]
    if event and (event[0].startswith("any") or FLAGS.issuperset(event[0].split("+"))):
        event[0] = f"rcv {event[0]}"
    for phrase, short in SHORT.items():
        event = [text.replace(phrase, short) for text in event]
    above = [row for text in event for row in textwrap.wrap(text, LABEL_WIDTH)]
    below = [row for text in reaction or ["x"] for row in textwrap.wrap(text, LABEL_WIDTH)]
    return [*above, "-" * max(map(len, [*above, *below])), *below]


def _below(figure: Figure, numbered: Iterable[Arrow]) -> Iterator[str]:
    """The transitions without a place, the rows of the boxes, and the events that end several states alike."""
    titles = {box.name: box.title for box in figure.boxes}
    for number, arrow in enumerate(numbered, start=1):
        words = ", ".join(plain_text(text) for text in arrow.label).replace(", /", " /")
        yield from _wrapped(f"({number}) {titles[arrow.source]} to {titles[arrow.target]}: {words}", 4)
    for box in figure.boxes:
        if box.rows:
            yield ""
            yield "Out of order, to CLOSED:" if box.name == SHARED else f"In {box.title}:"
            yield from (line for row in _rows(box) for line in _wrapped(f"  {row}", 4))


def _rows(box: Box) -> list[str]:
    """The rows of a box; lines that continue a cell are joined."""
    rows: list[list[str]] = []
    for row in box.rows:
        cells = [plain_text(cell) for cell in row.cells]
        if rows and not cells[0]:
            rows[-1][-1] += f" {' '.join(cells[1:])}"
        elif rows and not cells[0][0].strip():
            rows[-1][0] += f" {cells[0].strip()}"
        else:
            rows.append(cells)
    return [" ".join(filter(None, cells)) for cells in rows]


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


class _Drawing:
    """The construction of one diagram."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.grid: dict[CharacterPlace, str] = {}
        self.lines_at: dict[CharacterPlace, set[bool]] = {}
        """The directions of the lines through a cell: True for vertical."""
        self.bends: set[CharacterPlace] = set()
        self.numbered: list[Arrow] = []
        self.areas: dict[str, tuple[int, int, int, int]] = {}
        self.taken: set[CharacterPlace] = set()
        """The cells of boxes and labels."""

    def lines(self) -> list[str]:
        boxes = [box for box in self.figure.boxes if box.name != SHARED]
        for box in boxes:
            self._box(box, self._place(box, {box.name for box in boxes}))
        arrows = [arrow for arrow in self.figure.arrows if arrow.source != SHARED and arrow.source != arrow.target]
        routes = [(arrow, self._route(arrow)) for arrow in sorted(arrows, key=self._distance)]
        for arrow, route in routes:
            self._label(arrow, route)
        bottom = max(line for _, line in self.grid) + 1
        return ["".join(self.grid.get((column, line), " ") for column in range(WIDTH)).rstrip() for line in range(bottom)]

    def _place(self, box: Box, names: set[str]) -> CharacterPlace:
        """The middle of a box."""
        opens = not names.isdisjoint({State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED})
        levels = dict(OPENING) if opens else {}
        first = 3 if opens else 0
        levels |= {name: (column, level + first) for name, (column, level) in CLOSING.items()}
        levels[CLOSED_AGAIN if opens else State.CLOSED] = (2, 3 + first)
        column, level = levels[box.name]
        return COLUMNS[column], 1 + level * LEVEL

    def _box(self, box: Box, middle: CharacterPlace) -> None:
        column, line = middle
        left, right = column - HALF, column + HALF
        border = f"+{'-' * (2 * HALF - 1)}+"
        for offset, text in ((-1, border), (0, f"|{box.title:^{2 * HALF - 1}}|"), (1, border)):
            for place, character in enumerate(text, start=left):
                self._put((place, line + offset), character)
        self.areas[box.name] = (left, line - 1, right, line + 1)

    def _put(self, cell: CharacterPlace, character: str) -> None:
        self.grid[cell] = character
        self.taken.add(cell)

    def _distance(self, arrow: Arrow) -> int:
        (a, b, _, _), (c, d, _, _) = self.areas[arrow.source], self.areas[arrow.target]
        return abs(a - c) + 2 * abs(b - d)

    # --- lines ----------------------------------------------------------------------------------------------------

    def _ports(self, name: str) -> Iterator[tuple[CharacterPlace, CharacterPlace]]:
        """The free cells next to a box, each with the direction away from it."""
        left, top, right, bottom = self.areas[name]
        for column in range(left + 2, right - 1, 2):
            yield (column, top - 1), (0, -1)
            yield (column, bottom + 1), (0, 1)
        yield (left - 1, top + 1), (-1, 0)
        yield (right + 1, top + 1), (1, 0)

    def _is_open(self, cell: CharacterPlace) -> bool:
        column, line = cell
        return 0 <= column < WIDTH and 0 <= line < 80 and cell not in self.taken

    def _route(self, arrow: Arrow) -> Route:
        """The cheapest line between two boxes: short, with few bends and crossings, and away from other lines."""
        goals = {
            cell: (-dx, -dy) for cell, (dx, dy) in self._ports(arrow.target) if self._is_open(cell) and cell not in self.lines_at
        }
        queue: list[tuple[int, int, CharacterPlace, CharacterPlace]] = []
        came: dict[tuple[CharacterPlace, CharacterPlace], tuple[CharacterPlace, CharacterPlace] | None] = {}
        best: dict[tuple[CharacterPlace, CharacterPlace], int] = {}
        for cell, away in self._ports(arrow.source):
            if self._is_open(cell) and cell not in self.lines_at:
                best[cell, away] = 0
                came[cell, away] = None
                heapq.heappush(queue, (0, len(came), cell, away))
        while queue:
            cost, _, cell, way = heapq.heappop(queue)
            if cost > best[cell, way]:
                continue
            if goals.get(cell) == way:
                return self._drawn(came, (cell, way))
            for turn in MOVES:
                if turn == (-way[0], -way[1]):
                    continue
                if turn != way and not self._may_bend(cell):
                    continue
                after = (cell[0] + turn[0], cell[1] + turn[1])
                extra = self._cost(after, turn)
                if extra is None:
                    continue
                total = cost + extra + (BEND if turn != way else 0)
                if total < best.get((after, turn), 1 << 30):
                    best[after, turn] = total
                    came[after, turn] = (cell, way)
                    heapq.heappush(queue, (total, len(came), after, turn))
        self.numbered.append(arrow)
        return Route(())

    def _may_bend(self, cell: CharacterPlace) -> bool:
        """Whether a bend has one reading: it touches no other line and no box."""
        around = (cell, *((cell[0] + dx, cell[1] + dy) for dx, dy in MOVES))
        return not any(place in self.lines_at or place in self.taken for place in around)

    def _cost(self, cell: CharacterPlace, way: CharacterPlace) -> int | None:
        """The cost of a step into a cell; None where it is not possible."""
        if not self._is_open(cell) or any((cell[0] + dx, cell[1] + dy) in self.bends for dx, dy in MOVES):
            return None
        vertical = way[0] == 0
        through = self.lines_at.get(cell)
        if through is not None:
            return None if vertical in through or len(through) > 1 or self.grid[cell] not in "|-" else CROSSING
        sides = ((1, 0), (-1, 0)) if vertical else ((0, 1), (0, -1))
        near = any(
            (cell[0] + dx, cell[1] + dy) in self.lines_at or (cell[0] + dx, cell[1] + dy) in self.taken for dx, dy in sides
        )
        return (2 if vertical else 1) + (BESIDE if near else 0)

    def _drawn(
        self,
        came: Mapping[tuple[CharacterPlace, CharacterPlace], tuple[CharacterPlace, CharacterPlace] | None],
        last: tuple[CharacterPlace, CharacterPlace],
    ) -> Route:
        """Enter a line into the grid, from its last cell back to the first."""
        path = [last]
        while (before := came[path[-1]]) is not None:
            path.append(before)
        path.reverse()
        for index, (cell, way) in enumerate(path):
            turned = index + 1 < len(path) and path[index + 1][1] != way
            crossing = cell in self.lines_at
            character = "|" if way[0] == 0 else "-"
            if index == len(path) - 1:
                character = HEADS[way]
            elif turned or crossing:
                character = "+"
            if turned:
                self.bends.add(cell)
            self.grid[cell] = character
            self.lines_at.setdefault(cell, set()).add(way[0] == 0)
        return Route(tuple(cell for cell, _ in path))

    # --- labels ---------------------------------------------------------------------------------------------------

    def _label(self, arrow: Arrow, route: Route) -> None:
        """Write a label beside the line, or a number, if there is a place."""
        if not route.cells:
            return
        if not self._write(label(arrow), route):
            self.numbered.append(arrow)
            self._write([f"({len(self.numbered)})"], route)

    def _write(self, text: list[str], route: Route) -> bool:
        wide, high = max(map(len, text)), len(text)
        for column, line in self._middle_first(route):
            candidates = (
                (column + 2, line - high // 2),
                (column - 1 - wide, line - high // 2),
                (column - wide // 2, line - high),
                (column - wide // 2, line + 1),
            )
            for left, top in candidates:
                if self._is_free(left, top, wide, high):
                    for offset, row in enumerate(text):
                        for place, character in enumerate(row.ljust(wide), start=left):
                            self._put((place, top + offset), character)
                    return True
        return False

    def _middle_first(self, route: Route) -> list[CharacterPlace]:
        middle = len(route.cells) // 2
        return sorted(route.cells, key=lambda cell: abs(route.cells.index(cell) - middle))

    def _is_free(self, left: int, top: int, wide: int, high: int) -> bool:
        """Whether a label fits, with a blank on either side."""
        if left < 0 or top < 0 or left + wide > WIDTH:
            return False
        cells = ((column, line) for column in range(left - 1, left + wide + 1) for line in range(top, top + high))
        inner = range(left, left + wide)
        return not any(
            cell in self.taken or (cell in self.lines_at and (cell[0] in inner or self.grid[cell] not in "|")) for cell in cells
        )
