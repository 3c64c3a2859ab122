"""SVG elements: numbers to a tenth, escaped text, links and tooltips."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from timewait.diagrams.colours import BACKGROUND, BLACK, Colour, dark_rules
from timewait.diagrams.figure import Span, TextLine
from timewait.diagrams.widths import FONT

XMLNS = "http://www.w3.org/2000/svg"

Number = float | int
Attribute = str | Number


def element(name: str, /, *content: str, **attributes: Attribute) -> str:
    """An element around content that is already SVG; ``_`` in the name of an attribute stands for ``-``."""
    written = "".join(f" {key.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}" for key, value in attributes.items())
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def _value(value: Attribute) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: Number) -> str:
    """A number to a tenth, as short as possible."""
    return f"{value:.1f}".removesuffix(".0").replace("-0.0", "0").removeprefix("+")


def text_element(line: TextLine, x: Number, y: Number, size: Number, colour: Colour, anchor: str = "start") -> str:
    """A line of text with its baseline at `y`; spans keep their own font and colour."""
    attributes: dict[str, Attribute] = {"x": x, "y": y, "font_size": size, "fill": colour.light}
    if anchor != "start":
        attributes["text_anchor"] = anchor
    if len(line) == 1:
        return element("text", escape(line[0].text), **attributes | _font(line[0]))
    parts = [element("tspan", escape(span.text), **_font(span)) if _font(span) else escape(span.text) for span in line]
    return element("text", *parts, **attributes)


def _font(span: Span) -> dict[str, Attribute]:
    font: dict[str, Attribute] = {}
    if span.bold:
        font["font_weight"] = "bold"
    if span.italic:
        font["font_style"] = "italic"
    if span.colour is not None:
        font["fill"] = span.colour.light
    return font


def group(content: Iterable[str], kind: str, tooltip: str = "", link: str = "") -> str:
    """A group of elements with a class, a tooltip and a link."""
    title = element("title", escape(tooltip)) if tooltip else ""
    inner = element("g", title, "\n", "\n".join(content), "\n", class_=kind)
    return element("a", inner, href=link, target="_top") if link else inner


def line_element(kind: str, x1: Number, y1: Number, x2: Number, y2: Number) -> str:
    """A straight line with a class."""
    return element("line", class_=kind, x1=x1, y1=y1, x2=x2, y2=y2)


def path(data: str, colour: Colour, width: Number = 1.5, dashes: str = "") -> str:
    """A line along a path."""
    attributes: dict[str, Attribute] = {"d": data, "fill": "none", "stroke": colour.light, "stroke_width": width}
    if dashes:
        attributes["stroke_dasharray"] = dashes
    return element("path", **attributes)


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
    """A whole picture with its own background.

    Parameters
    ----------
    width, height : float
        Its size in pixels.
    title, description : str
        The subject and the content in words, for screen readers.
    content : iterable of str
        Elements, from the back to the front.
    kind, style : str
        A class of the root, and a style sheet for the classes of its elements.
    laid_out_by : str
        The program that made the layout; empty if no other program did.
    """
    attributes: dict[str, Attribute] = {"class_": kind} if kind else {}
    attributes |= {"data_laid_out_by": laid_out_by} if laid_out_by else {}
    parts = [
        element("title", escape(title)),
        element("desc", escape(description)),
        element("style", f"{dark_rules()}{style}"),
        element("rect", width=width, height=height, fill=BACKGROUND.light),
        *content,
    ]
    root = element(
        "svg",
        "\n",
        *(f"{part}\n" for part in parts),
        xmlns=XMLNS,
        width=width,
        height=height,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="graphics-document",
        font_family=FONT,
        fill=BLACK.light,
        **attributes,
    )
    return f"{root}\n"
