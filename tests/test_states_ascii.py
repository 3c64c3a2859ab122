"""State diagrams in plain text: a reader who follows the lines finds the transitions of the graph."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from commands import run

from timewait.cli.figures import can_be_drawn, states_of
from timewait.diagrams.figure import Figure
from timewait.diagrams.states import SHARED
from timewait.diagrams.states_ascii import WIDTH, as_ascii, label
from timewait.spec.stacks import load_stack, stack_names

HEADS = {"V": (0, -1), "^": (0, 1), "<": (1, 0), ">": (-1, 0)}
"""The way back from each head."""


class Reader:
    """A reader of a diagram, who knows the characters alone."""

    def __init__(self, text: str) -> None:
        self.rows = text.split("\n\n", 1)[1].splitlines()
        self.boxes: dict[tuple[int, int], str] = {}
        for line, row in enumerate(self.rows):
            for found in re.finditer(r"\|( *[A-Z][A-Z0-9-]+ *)\|", row):
                if found.end() - found.start() == 17 and self.at(found.start(), line - 1) == "+":
                    for column in range(found.start(), found.end()):
                        self.boxes |= {(column, line + offset): found[1].strip() for offset in (-1, 0, 1)}

    def at(self, column: int, line: int) -> str:
        """The character at a place."""
        return self.rows[line][column] if 0 <= line < len(self.rows) and 0 <= column < len(self.rows[line]) else " "

    def transitions(self) -> Counter[tuple[str, str]]:
        """The states at both ends of every line."""
        found: Counter[tuple[str, str]] = Counter()
        for line, row in enumerate(self.rows):
            for column, character in enumerate(row):
                if character in HEADS and (column, line) not in self.boxes:
                    back = HEADS[character]
                    target = self.boxes.get((column - back[0], line - back[1]))
                    if target is not None and self.at(column + back[0], line + back[1]) in "|-+":
                        found[self.source((column, line), back), target] += 1
        return found

    def source(self, cell: tuple[int, int], way: tuple[int, int]) -> str:
        """Follow a line back to its box."""
        for _ in range(1000):
            cell = (cell[0] + way[0], cell[1] + way[1])
            if cell in self.boxes:
                return self.boxes[cell]
            if self.at(*cell) == "+" and not self.goes_on(cell, way):
                turns = ((way[1], way[0]), (-way[1], -way[0]))
                (way,) = [turn for turn in turns if self.goes_on(cell, turn)]
        raise AssertionError("a line without an end")

    def goes_on(self, cell: tuple[int, int], way: tuple[int, int]) -> bool:
        """Whether a line continues from a cell."""
        after = (cell[0] + way[0], cell[1] + way[1])
        return after in self.boxes or self.at(*after) in ("|+" if way[0] == 0 else "-+")


def wanted(figure: Figure) -> Counter[tuple[str, str]]:
    """The transitions of a figure, by the titles of its boxes."""
    titles = {box.name: box.title for box in figure.boxes}
    return Counter((titles[arrow.source], titles[arrow.target]) for arrow in figure.arrows if arrow.source != SHARED)


def check(figure: Figure) -> str:
    """Fail where the text does not show the figure; return the text."""
    text = as_ascii(figure)
    assert Reader(text).transitions() == wanted(figure)
    assert max(map(len, text.splitlines())) <= WIDTH
    numbers = [int(number) for number in re.findall(r"^\((\d+)\) ", text, re.MULTILINE)]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert all(len(re.findall(rf"(?<!\w)\({number}\)", text)) == 2 for number in numbers)
    return text


def test_the_close() -> None:
    """Of RFC 9293: every transition has its label, and TIME-WAIT its length."""
    figure = states_of("rfc9293", whole=False)
    text = check(figure)
    assert "(1)" not in text
    for arrow in figure.arrows:
        if arrow.source != SHARED:
            assert all(row in text for row in label(arrow))
    assert "after 2 MSL" in text


@pytest.mark.slow
def test_every_stack() -> None:
    """The close, and the opening too."""
    for name in stack_names():
        if can_be_drawn(load_stack(name)):
            check(states_of(name, whole=False))
            check(states_of(name, whole=True))


def test_labels_are_those_of_figure_5() -> None:
    """Event, line, reaction."""
    said = {(arrow.source, arrow.target): label(arrow) for arrow in states_of("rfc9293", whole=False).arrows}
    assert said["FIN_WAIT_1", "FIN_WAIT_2"] == ["rcv ACK", "of our FIN", "----------", "x"]
    assert said["ESTABLISHED", "CLOSE_WAIT"] == ["rcv FIN+ACK", "-----------", "snd ACK"]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """``diagram states --format ascii``; a difference has no such format, which one line says."""
    code, out, _ = run(capsys, "diagram", "states", "--stack", "rfc9293", "--against", "none", "--format", "ascii")
    assert (code, out) == (0, as_ascii(states_of("rfc9293", whole=False)))
    code, _, said = run(capsys, "diagram", "states", "--stack", "linux", "--format", "ascii")
    assert code == 2
    assert "there is no ascii of this picture" in said
