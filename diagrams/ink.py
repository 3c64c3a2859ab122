"""The strokes of a sequence chart: elements of SVG with a class, at places in pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from diagrams.chart import Label


def pixels(value: float) -> str:
    """A number of pixels, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def element(parent: ET.Element, tag: str, kind: str, **attributes: float | str) -> ET.Element:
    """An element of a class; of an attribute's name ``_`` stands for ``-``."""
    written = {name.replace("_", "-"): value if isinstance(value, str) else pixels(value) for name, value in attributes.items()}
    return ET.SubElement(parent, tag, {"class": kind, **written})


def line(parent: ET.Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> ET.Element:
    """A straight line."""
    return element(parent, "line", kind, x1=x1, y1=y1, x2=x2, y2=y2)


def lettered(parent: ET.Element, label: Label) -> None:
    """A label, written."""
    kind = " ".join(filter(None, (label.kind, "mono" if label.mono else "", "bold" if label.bold else "")))
    placed = element(parent, "text", kind, x=label.x, y=label.y, font_size=label.size, text_anchor=label.anchor)
    placed.text = label.text


def plate(parent: ET.Element, label: Label) -> None:
    """What keeps lines from running through a label."""
    left, top, right, bottom = label.box
    element(parent, "rect", "plate", x=left - 2, y=top, width=right - left + 4, height=bottom - top, rx=2)


def diamond(x: float, y: float, half: float, high: float) -> str:
    """The path of a diamond around a point, by half its width and half its height."""
    corners = ((x - half, y), (x, y - high), (x + half, y), (x, y + high))
    return "M" + "L".join(f"{pixels(across)} {pixels(down)}" for across, down in corners) + "Z"


def head(tip: tuple[float, float], angle: float) -> Iterator[str]:
    """The corners of an arrow head that points in a direction, in radians."""
    yield f"{pixels(tip[0])},{pixels(tip[1])}"
    for turn in (math.pi - 0.38, math.pi + 0.38):
        yield f"{pixels(tip[0] + 11 * math.cos(angle + turn))},{pixels(tip[1] + 11 * math.sin(angle + turn))}"
