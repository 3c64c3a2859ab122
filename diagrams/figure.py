"""What a picture of boxes and arrows says, before anybody knows where anything lies.

A `Figure` is made from the specification and then written as DOT, as Mermaid, as text, or laid out and drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from timewait.diagrams.colours import Colour


class Pen(NamedTuple):
    """How the lines of one sort are drawn.

    Attributes
    ----------
    name : str
        What the legend calls it.
    ink : Ink
        Its colour.
    style : str
        Of the line: ``solid``, ``dashed``, ``dotted`` or ``bold``.
    """

    name: str
    ink: Colour
    style: Literal["solid", "dashed", "dotted", "bold"]


class Emphasis(Enum):
    """How much something stands out."""

    FAINT = "faint"
    PLAIN = "plain"
    LIT = "lit"


class Span(NamedTuple):
    """A piece of text in one hand; without a colour of its own it has that of what it belongs to."""

    text: str
    bold: bool = False
    italic: bool = False
    ink: Colour | None = None


TextLine = tuple[Span, ...]


def line(*spans: str | Span) -> TextLine:
    """A line of text; plain strings are plain spans."""
    return tuple(span if isinstance(span, Span) else Span(span) for span in spans)


def bold(text: str) -> Span:
    """A span in bold."""
    return Span(text, bold=True)


def words(text: TextLine) -> str:
    """A line without its looks."""
    return "".join(span.text for span in text)


def faded(text: TextLine) -> TextLine:
    """A line without bold and without inks of its own, for what should not stand out."""
    return tuple(Span(span.text, italic=span.italic) for span in text)


class FigureRow(NamedTuple):
    """A row of the table inside a box.

    Attributes
    ----------
    cells : tuple of Line
        One for each column; missing ones are empty.
    tooltip : str
        What is said when it is pointed at.
    link : str
        Where it leads; empty for nowhere.
    emphasis : Emphasis
        How much it stands out.
    """

    cells: tuple[TextLine, ...]
    tooltip: str = ""
    link: str = ""
    emphasis: Emphasis = Emphasis.PLAIN


@dataclass(frozen=True, slots=True)
class Box:
    """A box.

    Attributes
    ----------
    name : str
        By which arrows find it.
    title : str
        What is written in it, in bold; empty for none.
    pen : Pen
        How it is drawn.
    note : tuple of str
        Lines below the title.
    rows : tuple of Row
        A table below that.
    tooltip, link : str
        As for `FigureRow`.
    emphasis : Emphasis
        How much it stands out.
    """

    name: str
    title: str
    pen: Pen
    note: tuple[str, ...] = ()
    rows: tuple[FigureRow, ...] = ()
    tooltip: str = ""
    link: str = ""
    emphasis: Emphasis = Emphasis.PLAIN


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow.

    Attributes
    ----------
    source, target : str
        The names of two boxes, or twice the same.
    label : tuple of Line
        What is written beside it.
    pen : Pen
        How it is drawn.
    tooltip, link : str
        As for `FigureRow`.
    emphasis : Emphasis
        How much it stands out.
    weight : int
        How much it should be short and straight, compared with others.
    """

    source: str
    target: str
    label: tuple[TextLine, ...]
    pen: Pen
    tooltip: str = ""
    link: str = ""
    emphasis: Emphasis = Emphasis.PLAIN
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of boxes and arrows.

    Attributes
    ----------
    name : str
        A word for it.
    title : str
        What it shows, in a line; those who cannot see it hear this first.
    boxes : tuple of Box
        Every box.
    arrows : tuple of Arrow
        Every arrow.
    levels : tuple of tuple of str
        Boxes, by name, that stand side by side.
    pens : tuple of Pen
        What the legend explains, in its order.
    caption : tuple of Line
        What is said of the whole, above it.
    """

    name: str
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    levels: tuple[tuple[str, ...], ...] = ()
    pens: tuple[Pen, ...] = ()
    caption: tuple[TextLine, ...] = ()
