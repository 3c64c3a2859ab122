"""A figure as Graphviz source that people may lay out themselves: text, tooltips and links are all in it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import repeat

import graphviz

from timewait.diagrams.colours import GREY
from timewait.diagrams.figure import Box, Emphasis, Figure, Pen, Span, TextLine, faded, line
from timewait.diagrams.widths import FONT

INK = GREY.middle
TITLE, TEXT, LABEL = "14", "11", "11"
"""Sizes of fonts, as in `timewait.diagrams.sizes`."""

LEGEND = "legend"

GAP = "&#160;&#160;"
"""After each cell of a table, so that columns stay apart whatever the font."""

STROKES = {"solid": "────", "bold": "━━━━", "dashed": "- - - ", "dotted": "· · · · · "}
"""How the legend shows a line."""

WIDTHS = {Emphasis.FAINT: "1", Emphasis.PLAIN: "1.8", Emphasis.LIT: "3.4"}


def as_dot(figure: Figure) -> str:
    """A figure as Graphviz source, in mid-tones on a transparent ground."""
    source = graphviz.Digraph(figure.name)
    source.attr("graph", bgcolor="transparent", nodesep="0.6", ranksep="0.55", tooltip=figure.title, fontname=FONT)
    source.attr("node", shape="box", style="rounded", fontname=FONT, fontsize=TITLE, color=INK, fontcolor=INK, penwidth="1.8")
    source.attr("edge", fontname=FONT, fontsize=LABEL, color=INK, fontcolor=INK, penwidth="1.8", arrowsize="0.8")
    if figure.caption:
        rows = [[text] for text in figure.caption]
        source.attr("graph", label=f"<{_table(rows)}>", labelloc="t", labeljust="l", fontcolor=INK, fontsize=TEXT)
    for box in figure.boxes:
        _node(source, box)
    for level in figure.levels:
        with source.subgraph() as side_by_side:
            side_by_side.attr(rank="same")
            for name in level:
                side_by_side.node(name)
    for arrow in figure.arrows:
        attributes = _stroke(arrow.pen, arrow.emphasis) | _leads(arrow.tooltip, arrow.link)
        if arrow.label:
            attributes |= {
                "label": f"<{_table([text] for text in _seen(arrow.label, arrow.emphasis))}>",
                "labeltooltip": arrow.tooltip,
            }
        source.edge(arrow.source, arrow.target, weight=str(arrow.weight), **attributes)
    if figure.pens:
        samples = [[line(Span(text, ink=pen.ink)) for text in (STROKES[pen.style], pen.name)] for pen in figure.pens]
        source.node(LEGEND, f"<{_table(samples)}>", shape="plain", fontsize=TEXT, tooltip="What the lines mean")
    return str(source.source)


def _node(source: graphviz.Digraph, box: Box) -> None:
    ink = INK if box.emphasis is Emphasis.FAINT else box.pen.ink.middle
    style = "rounded,dotted" if box.pen.style == "dotted" else "rounded,bold" if box.emphasis is Emphasis.LIT else "rounded"
    looks = {"color": ink, "fontcolor": ink, "style": style, "penwidth": WIDTHS[box.emphasis]}
    if box.rows or box.note:
        looks["fontsize"] = TEXT
    source.node(box.name, f"<{_inside(box)}>", **looks, **_leads(box.tooltip, box.link))


def _inside(box: Box) -> str:
    """What is written in a box: its title alone, or title, note and table below each other."""
    title = f"<B>{escape(box.title)}</B>"
    if not box.rows and not box.note:
        return title
    span = max((len(row.cells) for row in box.rows), default=1)
    head = [f'<FONT POINT-SIZE="{TITLE}">{title}</FONT>'] if box.title else []
    whole = "".join(f'<TR><TD ALIGN="LEFT" COLSPAN="{span}">{text}</TD></TR>' for text in (*head, *map(escape, box.note)))
    rows = []
    for row in box.rows:
        leads = f' HREF="{escape(row.link)}" TITLE="{escape(row.tooltip)}"' if row.link else ""
        cells: Iterable[TextLine] = (*_seen(row.cells, row.emphasis), *repeat((), span - len(row.cells)))
        rows.append(_cells(cells, leads))
    return _framed(whole + "".join(rows))


def _table(rows: Iterable[Iterable[TextLine]]) -> str:
    return _framed("".join(map(_cells, rows)))


def _cells(row: Iterable[TextLine], attributes: str = "") -> str:
    cells = (f'<TD ALIGN="LEFT"{attributes}>{_text(cell)}{GAP}</TD>' for cell in row)
    return f"<TR>{''.join(cells)}</TR>"


def _framed(rows: str) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="2">{rows}</TABLE>'


def _seen(lines: Iterable[TextLine], emphasis: Emphasis) -> Iterable[TextLine]:
    if emphasis is not Emphasis.FAINT:
        return lines
    return (tuple(span._replace(ink=GREY) for span in faded(text)) for text in lines)


def _text(text: TextLine) -> str:
    written = []
    for span in text:
        piece = escape(span.text)
        for mark, on in (("B", span.bold), ("I", span.italic)):
            piece = f"<{mark}>{piece}</{mark}>" if on and piece else piece
        written.append(f'<FONT COLOR="{span.ink.middle}">{piece}</FONT>' if span.ink is not None and piece else piece)
    return "".join(written)


def _stroke(pen: Pen, emphasis: Emphasis) -> dict[str, str]:
    ink = INK if emphasis is Emphasis.FAINT else pen.ink.middle
    return {"color": ink, "style": pen.style, "fontcolor": ink, "penwidth": WIDTHS[emphasis]}


def _leads(tooltip: str, link: str) -> dict[str, str]:
    shown = {"tooltip": tooltip} if tooltip else {}
    return shown | ({"URL": link, "target": "_top"} if link else {})
