"""A figure as a Mermaid state diagram, for Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from timewait.diagrams.colours import GREY, Colour
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, Pen, words

_UNFIT = re.compile(r"[^A-Za-z0-9_]+")

DASHES = {"solid": "", "bold": "", "dashed": ",stroke-dasharray:7 4", "dotted": ",stroke-dasharray:2 4"}
WIDTHS = {Emphasis.FAINT: "1px", Emphasis.PLAIN: "2px", Emphasis.LIT: "4px"}


def as_mermaid(figure: Figure) -> str:
    """A figure as the text of a ``stateDiagram-v2``; tables become notes."""
    lines = ["---", f"title: {json.dumps(figure.title)}", "---", "stateDiagram-v2"]
    classes = dict.fromkeys((box.pen, box.emphasis) for box in figure.boxes)
    for place, looks in enumerate(classes):
        lines.append(f"classDef look{place} {_style(*looks)}")
        classes[looks] = None
    names = {looks: f"look{place}" for place, looks in enumerate(classes)}
    for box in figure.boxes:
        lines.append(f'state "{_fit(box.title or box.tooltip)}" as {_name(box.name)}')
        lines += _note(box)
    lines += map(_transition, figure.arrows)
    lines += [f"class {_name(box.name)} {names[box.pen, box.emphasis]}" for box in figure.boxes]
    return "\n".join([*lines[:4], *(f"    {text}" for text in lines[4:])]) + "\n"


def _style(pen: Pen, emphasis: Emphasis) -> str:
    ink: Colour = GREY if emphasis is Emphasis.FAINT else pen.ink
    return f"stroke:{ink.middle},stroke-width:{WIDTHS[emphasis]}{DASHES[pen.style]}"


def _name(name: str) -> str:
    return _UNFIT.sub("_", name)


def _note(box: Box) -> Iterator[str]:
    if box.note or box.rows:
        yield f"note right of {_name(box.name)}"
        yield from (f"    {_fit(text)}" for text in _told(box))
        yield "end note"


def _told(box: Box) -> Iterable[str]:
    yield from box.note
    for row in box.rows:
        told = ", ".join(filter(None, map(words, row.cells))).replace(", /", " /").replace(" in, ", " in ")
        # A row continued below another has no first cell; a hyphen would begin a list.
        yield f"\u00b7 {told}" if row.cells and words(row.cells[0]) else told


def _transition(arrow: Arrow) -> str:
    text = _fit(", ".join(map(words, arrow.label))).replace(", /", " /")
    text = text.replace(":", "")
    text = f"missing {text.removeprefix('- ')}" if text.startswith("- ") else text
    return f"{_name(arrow.source)} --> {_name(arrow.target)}{text and f' : {text}'}"


def _fit(text: str) -> str:
    """A text without what means something to Mermaid, but for colons, which mean something in one line alone."""
    return text.replace('"', "'").replace(";", ",").replace("#", "no. ").replace("-->", "->").replace("--", "-")
