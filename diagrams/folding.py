"""Figures that fit a narrow page: where a figure is too wide, the second column of each table stands below the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from timewait.diagrams.figure import Box, Figure, FigureRow, Span, TextLine, line, plain_text
from timewait.diagrams.graphviz_layout import Graphviz, best_spaced, stretched
from timewait.diagrams.layout import Layout

INDENT = Span("\u2003")
"""An em space, before what stood in the second column."""


def fitted(figure: Figure, installation: Graphviz = Graphviz.BUNDLED) -> tuple[Figure, Layout]:
    """A figure and its layout; a figure that is wider than a page is folded, if that makes it narrower.

    Parameters
    ----------
    figure : Figure
        The figure.
    installation : Graphviz
        The Graphviz that lays it out.

    Raises
    ------
    timewait.diagrams.graphviz_layout.MissingGraphviz, timewait.vocabulary.errors.MissingPackage
        The Graphviz that is asked for is not installed.
    """
    best, narrow = best_spaced(figure, installation), folded(figure)
    if not best.fits and narrow != figure:
        other = best_spaced(narrow, installation)
        if other.layout.size.width < best.layout.size.width:
            figure, best = narrow, other
    return figure, stretched(figure, best, installation).layout


def folded(figure: Figure) -> Figure:
    """The figure with each table of two columns as one column: the second cells of an entry below its first ones."""
    return replace(figure, boxes=tuple(map(_folded, figure.boxes)))


def _folded(box: Box) -> Box:
    if max((len(row.cells) for row in box.rows), default=0) != 2:
        return box
    entries = groupby(box.rows, lambda row: (row.tooltip, row.link, row.emphasis))
    return replace(box, rows=tuple(row for _, rows in entries for row in _below(list(rows))))


def _below(rows: list[FigureRow]) -> Iterator[FigureRow]:
    """The rows of an entry: the first column, then the second, indented."""
    firsts: list[TextLine] = [row.cells[0] for row in rows]
    seconds: list[TextLine] = [line(INDENT, *row.cells[1]) for row in rows if len(row.cells) > 1]
    for cell in (*firsts, *seconds):
        if plain_text(cell).strip():
            yield rows[0]._replace(cells=(cell,))
