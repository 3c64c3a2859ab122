"""A figure as Graphviz source with text, tooltips and links, for readers who lay it out themselves."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import repeat

import graphviz

from timewait.diagrams.colours import GREY
from timewait.diagrams.figure import Box, Emphasis, Figure, LineStyle, Span, TextLine, faded, line
from timewait.diagrams.widths import FONT

COLOUR = GREY.middle
TITLE, TEXT = "14", "11"
"""Font sizes."""

LEGEND, NOTES = "legend", "notes"

GAP = "&#160;&#160;"
"""Follows each cell of a table and keeps columns apart in every font."""

SAMPLES = {"solid": "────", "bold": "━━━━", "dashed": "- - - ", "dotted": "· · · · · "}
"""The lines in the legend."""

LINE_WIDTHS = {Emphasis.FAINT: "1", Emphasis.PLAIN: "1.8", Emphasis.STRONG: "3.4"}


def as_dot(figure: Figure) -> str:
    """A figure as Graphviz source, in colours for any background."""
    source = graphviz.Digraph(figure.name)
    source.attr("graph", bgcolor="transparent", nodesep="0.6", ranksep="0.55", tooltip=figure.title, fontname=FONT)
    shared = {"fontname": FONT, "color": COLOUR, "fontcolor": COLOUR, "penwidth": "1.8"}
    source.attr("node", shape="box", style="rounded", fontsize=TITLE, **shared)
    source.attr("edge", fontsize=TEXT, arrowsize="0.8", **shared)
    if figure.caption:
        rows = [[text] for text in figure.caption]
        source.attr("graph", label=f"<{_table(rows)}>", labelloc="t", labeljust="l", fontcolor=COLOUR, fontsize=TEXT)
    for box in figure.boxes:
        _node(source, box)
    for level in figure.levels:
        with source.subgraph() as side_by_side:
            side_by_side.attr(rank="same")
            for name in level:
                side_by_side.node(name)
    for arrow in figure.arrows:
        attributes = _line(arrow.style, arrow.emphasis) | _references(arrow.tooltip, arrow.link)
        if arrow.label:
            rows = [[text] for text in _emphasised(arrow.label, arrow.emphasis)]
            attributes |= {"label": f"<{_table(rows)}>", "labeltooltip": arrow.tooltip}
        ends = (arrow.target, arrow.source) if arrow.upwards else (arrow.source, arrow.target)
        source.edge(*ends, weight=str(arrow.weight), **attributes, **({"dir": "back"} if arrow.upwards else {}))
    if figure.notes:
        rows = [[text] for text in figure.notes]
        source.node(NOTES, f"<{_table(rows)}>", shape="plain", fontsize=TEXT, tooltip="Notes")
    if figure.styles:
        entries = [
            [line(Span(text, colour=style.colour)) for text in (SAMPLES[style.dash], style.name)] for style in figure.styles
        ]
        source.node(LEGEND, f"<{_table(entries)}>", shape="plain", fontsize=TEXT, tooltip="Legend")
    return str(source.source)


def _node(source: graphviz.Digraph, box: Box) -> None:
    colour = COLOUR if box.emphasis is Emphasis.FAINT else box.style.colour.middle
    extra = ",dotted" if box.style.dash == "dotted" else ",bold" if box.emphasis is Emphasis.STRONG else ""
    looks = {"color": colour, "fontcolor": colour, "style": f"rounded{extra}", "penwidth": LINE_WIDTHS[box.emphasis]}
    if box.rows or box.note:
        looks["fontsize"] = TEXT
    source.node(box.name, f"<{_content(box)}>", **looks, **_references(box.tooltip, box.link))


def _content(box: Box) -> str:
    """The title of a box, with note and table below it if there are any."""
    title = f"<B>{escape(box.title)}</B>"
    if not box.rows and not box.note:
        return title
    span = max((len(row.cells) for row in box.rows), default=1)
    head = [f'<FONT POINT-SIZE="{TITLE}">{title}</FONT>'] if box.title else []
    whole = "".join(f'<TR><TD ALIGN="LEFT" COLSPAN="{span}">{text}</TD></TR>' for text in (*head, *map(escape, box.note)))
    rows = []
    for row in box.rows:
        attributes = f' HREF="{escape(row.link)}" TITLE="{escape(row.tooltip)}"' if row.link else ""
        cells: Iterable[TextLine] = (*_emphasised(row.cells, row.emphasis), *repeat((), span - len(row.cells)))
        rows.append(_cells(cells, attributes))
    return _framed(whole + "".join(rows))


def _table(rows: Iterable[Iterable[TextLine]]) -> str:
    return _framed("".join(map(_cells, rows)))


def _cells(row: Iterable[TextLine], attributes: str = "") -> str:
    cells = (f'<TD ALIGN="LEFT"{attributes}>{_html(cell)}{GAP}</TD>' for cell in row)
    return f"<TR>{''.join(cells)}</TR>"


def _framed(rows: str) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="2">{rows}</TABLE>'


def _emphasised(lines: Iterable[TextLine], emphasis: Emphasis) -> Iterable[TextLine]:
    if emphasis is not Emphasis.FAINT:
        return lines
    return (tuple(span._replace(colour=GREY) for span in faded(text)) for text in lines)


def _html(text: TextLine) -> str:
    written = []
    for span in text:
        piece = escape(span.text)
        for tag, on in (("B", span.bold), ("I", span.italic)):
            piece = f"<{tag}>{piece}</{tag}>" if on and piece else piece
        written.append(f'<FONT COLOR="{span.colour.middle}">{piece}</FONT>' if span.colour is not None and piece else piece)
    return "".join(written)


def _line(style: LineStyle, emphasis: Emphasis) -> dict[str, str]:
    colour = COLOUR if emphasis is Emphasis.FAINT else style.colour.middle
    return {"color": colour, "style": style.dash, "fontcolor": colour, "penwidth": LINE_WIDTHS[emphasis]}


def _references(tooltip: str, link: str) -> dict[str, str]:
    shown = {"tooltip": tooltip} if tooltip else {}
    return shown | ({"URL": link, "target": "_top"} if link else {})
