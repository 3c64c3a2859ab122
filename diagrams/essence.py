"""What a picture says, apart from where everything lies.

A picture that Graphviz laid out is the same picture when another version, or another machine, lays it out a little
otherwise; it is another one as soon as it says something else, or says it in another colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

PLACES = frozenset({"d", "points", "x", "y", "cx", "cy", "width", "height", "viewBox", "transform"})
"""The attributes that say where something lies."""


def alike(one: str, other: str) -> bool:
    """Whether two pictures, as SVG, say the same; what is not well-formed is like nothing."""
    try:
        return list(_said(ElementTree.fromstring(one))) == list(_said(ElementTree.fromstring(other)))
    except ElementTree.ParseError:
        return False


def _said(element: ElementTree.Element) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    looks = tuple(sorted((name, value) for name, value in element.attrib.items() if name not in PLACES))
    yield element.tag, (element.text or "").strip() + (element.tail or "").strip(), looks
    for child in element:
        yield from _said(child)
