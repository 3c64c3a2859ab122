"""SVG, element by element: numbers to a tenth, text escaped, links and tooltips that every browser knows."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from timewait.diagrams.colours import BLACK, PAPER, Colour, dark_rules
from timewait.diagrams.figure import Span, TextLine
from timewait.diagrams.widths import FONT

XMLNS = "http://www.w3.org/2000/svg"

Number = float | int
Attribute = str | Number


def tag(name: str, /, *content: str, **attributes: Attribute) -> str:
    """An element with what is in it, already written; ``_`` in the name of an attribute stands for ``-``."""
    written = "".join(f" {key.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}" for key, value in attributes.items())
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def _value(value: Attribute) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: Number) -> str:
    """A number to a tenth, as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0").replace("-0.0", "0").removeprefix("+")


def lettered(line: TextLine, x: Number, y: Number, size: Number, ink: Colour, anchor: str = "start") -> str:
    """A line of text with its baseline at a height; spans keep their own hand and ink."""
    where: dict[str, Attribute] = {"x": x, "y": y, "font_size": size, "fill": ink.light}
    if anchor != "start":
        where["text_anchor"] = anchor
    if len(line) == 1:
        span = line[0]
        return tag("text", escape(span.text), **where | _hand(span))
    parts = [tag("tspan", escape(span.text), **_hand(span)) if _hand(span) else escape(span.text) for span in line]
    return tag("text", *parts, **where)


def haloed(line: TextLine, x: Number, y: Number, size: Number, ink: Colour, anchor: str = "start") -> str:
    """A line of text that stays legible over lines and hatching: the paper shows around its letters."""
    text = lettered(line, x, y, size, ink, anchor)
    return tag("g", text, stroke=PAPER.light, stroke_width=4, stroke_linejoin="round", paint_order="stroke")


def _hand(span: Span) -> dict[str, Attribute]:
    hand: dict[str, Attribute] = {}
    if span.bold:
        hand["font_weight"] = "bold"
    if span.italic:
        hand["font_style"] = "italic"
    if span.ink is not None:
        hand["fill"] = span.ink.light
    return hand


def group(content: Iterable[str], kind: str, tooltip: str = "", link: str = "") -> str:
    """Things that belong together: of one kind (a class for style sheets), with a tooltip, and leading somewhere."""
    inner = "\n".join(content)
    told = tag("title", escape(tooltip)) if tooltip else ""
    held = tag("g", told, "\n", inner, "\n", class_=kind)
    return tag("a", held, href=link, target="_top") if link else held


def line_between(kind: str, x1: Number, y1: Number, x2: Number, y2: Number) -> str:
    """A straight line of a class."""
    return tag("line", class_=kind, x1=x1, y1=y1, x2=x2, y2=y2)


def path(data: str, ink: Colour, width: Number = 1.5, dashes: str = "") -> str:
    """A line along a path."""
    looks: dict[str, Attribute] = {"d": data, "fill": "none", "stroke": ink.light, "stroke_width": width}
    if dashes:
        looks["stroke_dasharray"] = dashes
    return tag("path", **looks)


def document(
    width: Number,
    height: Number,
    title: str,
    description: str,
    content: Iterable[str],
    *,
    kind: str = "",
    style: str = "",
    laid_out_by: str = "",
) -> str:
    """A whole picture.

    Parameters
    ----------
    width, height : float
        Its size in pixels.
    title, description : str
        What it is, and what there is to see, for those who cannot see it.
    content : iterable of str
        Elements, from the back to the front.
    kind, style : str
        A class of the whole, and the style sheet for it, if its elements have classes.
    laid_out_by : str
        Who decided where everything lies, if it was not the picture itself.
    """
    told: dict[str, Attribute] = {"class_": kind} if kind else {}
    told |= {"data_laid_out_by": laid_out_by} if laid_out_by else {}
    root = tag(
        "svg",
        "\n",
        *(f"{part}\n" for part in (*_frame(width, height, title, description, style), *content)),
        xmlns=XMLNS,
        width=width,
        height=height,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="graphics-document",
        font_family=FONT,
        fill=BLACK.light,
        **told,
    )
    return f"{root}\n"


def _frame(width: Number, height: Number, title: str, description: str, style: str) -> Iterable[str]:
    """Words for those who cannot see it, the colours for dark pages, and the paper: its own, so that any page may be around."""
    yield tag("title", escape(title))
    yield tag("desc", escape(description))
    yield tag("style", f"{dark_rules()}{style}")
    yield tag("rect", width=width, height=height, fill=PAPER.light)
