"""Vega-Lite charts as SVG, and SVG as PNG and PDF, by vl-convert: an optional package that needs no network and no browser."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from xml.etree import ElementTree

from timewait.diagrams.colours import BACKGROUND, BLACK, GREY, dark_rules
from timewait.diagrams.svg import XMLNS
from timewait.diagrams.widths import FONT
from timewait.vocabulary.errors import optional_package

LARGEST_SCALE = 10
"""The largest scale of a PNG: viewers fail to open larger pictures."""

VEGA_LITE = "6.4"
"""The version of Vega-Lite that specifications are written for."""

CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": BACKGROUND.light,
    "padding": 14,
    "view": {"stroke": None},
    "title": {"anchor": "start", "frame": "group", "color": BLACK.light, "subtitleColor": BLACK.light, "subtitleFontSize": 12}
    | {"fontSize": 14, "subtitlePadding": 6, "subtitleLineHeight": 16, "offset": 16},
    "axis": {"labelColor": BLACK.light, "titleColor": BLACK.light, "domainColor": GREY.light, "tickColor": GREY.light}
    | {"labelFontSize": 12, "titleFontSize": 12, "gridColor": GREY.light, "gridOpacity": 0.2, "tickCount": 6, "format": "~f"},
    "legend": {
        "orient": "bottom",
        "title": None,
        "labelColor": BLACK.light,
        "labelFontSize": 12,
        "labelLimit": 0,
        "columnPadding": 28,
        "symbolOpacity": 1,
    },
}
"""Fonts, sizes and colours of every chart."""


def chart_as_svg(chart: dict[str, Any], description: str) -> str:
    """Render a chart, with colours for dark pages and a tooltip for each mark that has a description.

    Parameters
    ----------
    chart : dict
        A Vega-Lite specification with its data and a title.
    description : str
        The content of the picture in words.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    library = _vl_convert()
    svg = library.vegalite_to_svg(chart, vl_version=VEGA_LITE, config=CONFIG)
    ElementTree.register_namespace("", XMLNS)
    root = ElementTree.fromstring(svg)
    for mark in root.iter():
        if mark.get("role") == "graphics-symbol" and "aria-label" in mark.attrib:
            _insert(mark, "title", mark.attrib["aria-label"])
    for tag, text in (
        ("style", dark_rules()),
        ("desc", description),
        ("title", chart["title"]["text"] or description.split("\n", 1)[0]),
    ):
        _insert(root, tag, text)
    root.set("role", "graphics-document")
    root.set("data-laid-out-by", f"vl-convert {library.__version__}")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def as_png(svg: str, scale: float = 2) -> bytes:
    """A picture in pixels, on a light background.

    Parameters
    ----------
    svg : str
        The picture.
    scale : float
        Pixels for each pixel of the SVG, up to `LARGEST_SCALE`.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    return bytes(_vl_convert().svg_to_png(svg, scale=min(scale, LARGEST_SCALE)))


def as_pdf(svg: str) -> bytes:
    """A picture for print, with scalable lines and letters.

    Raises
    ------
    timewait.vocabulary.errors.MissingPackage
        vl-convert is not installed.
    """
    return bytes(_vl_convert().svg_to_pdf(svg))


def _insert(element: ElementTree.Element, tag: str, text: str) -> None:
    child = ElementTree.Element(f"{{{XMLNS}}}{tag}")
    child.text = text
    element.insert(0, child)


def _vl_convert() -> ModuleType:
    return optional_package("vl_convert", "pictures")
