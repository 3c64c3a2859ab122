"""What a picture says, apart from where everything lies.

A picture that Graphviz laid out is the same picture when another version, or another machine, lays it out a little
otherwise; it is another one as soon as it says something else, or says it in another colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

BY = "data-laid-out-by"
"""The attribute of a picture that says who laid it out."""

PLACES = frozenset({"d", "points", "x", "y", "cx", "cy", "width", "height", "viewBox", "transform", BY})
"""The attributes that say where something lies, and who says so."""


def same_content(one: str, other: str) -> bool:
    """Whether two pictures, as SVG, are the same.

    They are if they are the same letter by letter; and also if they were laid out by different programs and say the
    same. What is not well-formed is like nothing.
    """
    if one == other:
        return True
    try:
        roots = [ElementTree.fromstring(text) for text in (one, other)]
    except ElementTree.ParseError:
        return False
    makers = {root.get(BY) for root in roots}
    return len(makers) == 2 and None not in makers and list(_said(roots[0])) == list(_said(roots[1]))


def _said(element: ElementTree.Element) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    looks = tuple(sorted((name, value) for name, value in element.attrib.items() if name not in PLACES))
    yield element.tag, (element.text or "").strip() + (element.tail or "").strip(), looks
    for child in element:
        yield from _said(child)
