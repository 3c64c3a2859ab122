"""Figures of boxes and arrows, as data without positions.

A `Figure` is made from the specification, then written as DOT, Mermaid or text, or laid out and drawn as SVG.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import dropwhile
from typing import Literal, NamedTuple

from timewait.diagrams.colours import Colour


class LineStyle(NamedTuple):
    """A kind of lines.

    Attributes
    ----------
    name : str
        Its entry in the legend.
    colour : Colour
        Its colour.
    dash : str
        ``solid``, ``dashed``, ``dotted`` or ``bold``.
    """

    name: str
    colour: Colour
    dash: Literal["solid", "dashed", "dotted", "bold"]


class Emphasis(Enum):
    """How much a part of a figure stands out."""

    FAINT = "faint"
    PLAIN = "plain"
    STRONG = "strong"


class Span(NamedTuple):
    """A piece of text in one font; without a colour it takes that of the part that contains it."""

    text: str
    bold: bool = False
    italic: bool = False
    colour: Colour | None = None


TextLine = tuple[Span, ...]


def line(*spans: str | Span) -> TextLine:
    """A line of text."""
    return tuple(span if isinstance(span, Span) else Span(span) for span in spans)


def bold(text: str) -> Span:
    """A span in bold."""
    return Span(text, bold=True)


def plain_text(text: TextLine) -> str:
    """A line without fonts and colours."""
    return "".join(span.text for span in text)


def faded(text: TextLine) -> TextLine:
    """A line without bold and without colours of its own."""
    return tuple(Span(span.text, italic=span.italic) for span in text)


class FigureRow(NamedTuple):
    """A row of the table inside a box.

    Attributes
    ----------
    cells : tuple of TextLine
        One for each column; missing cells are empty.
    tooltip : str
        Shown under the pointer.
    link : str
        An address; empty for none.
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
        The name that arrows refer to.
    title : str
        Written in bold; empty for none.
    style : LineStyle
        Of its border and text.
    note : tuple of str
        Lines below the title.
    rows : tuple of FigureRow
        A table below the note.
    tooltip, link, emphasis
        As in `FigureRow`.
    """

    name: str
    title: str
    style: LineStyle
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
        The names of two boxes, possibly the same.
    label : tuple of TextLine
        Written beside it.
    style : LineStyle
        Of the line and its label.
    tooltip, link, emphasis
        As in `FigureRow`.
    weight : int
        Graphviz makes heavier arrows shorter and straighter.
    upwards : bool
        Whether the source stands below the target.
    """

    source: str
    target: str
    label: tuple[TextLine, ...]
    style: LineStyle
    tooltip: str = ""
    link: str = ""
    emphasis: Emphasis = Emphasis.PLAIN
    weight: int = 1
    upwards: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of boxes and arrows.

    Attributes
    ----------
    name : str
        An identifier.
    title : str
        The subject in one line; the first thing a screen reader says.
    boxes : tuple of Box
        Every box.
    arrows : tuple of Arrow
        Every arrow.
    levels : tuple of tuple of str
        Names of boxes that stand side by side.
    styles : tuple of LineStyle
        The entries of the legend, in order.
    caption : tuple of TextLine
        Written above the figure.
    notes : tuple of TextLine
        Written below the figure.
    """

    name: str
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    levels: tuple[tuple[str, ...], ...] = ()
    styles: tuple[LineStyle, ...] = ()
    caption: tuple[TextLine, ...] = ()
    notes: tuple[TextLine, ...] = ()


def with_title(figure: Figure, title: str) -> Figure:
    """The figure with another title; the lines of its caption that are bold throughout are its own.

    Parameters
    ----------
    figure : Figure
        The figure.
    title : str
        The title in one line; empty for none.
    """
    rest = dropwhile(lambda text: all(span.bold for span in text), figure.caption)
    caption = (*([line(bold(title))] if title else []), *rest)
    return replace(figure, title=title or figure.title, caption=caption)
