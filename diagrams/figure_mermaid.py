"""A figure as a Mermaid state diagram, for Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from timewait.diagrams.colours import GREY
from timewait.diagrams.figure import Arrow, Box, Emphasis, Figure, LineStyle, plain_text

_UNFIT = re.compile(r"[^A-Za-z0-9_]+")

DASHES = {"solid": "", "bold": "", "dashed": ",stroke-dasharray:7 4", "dotted": ",stroke-dasharray:2 4"}
LINE_WIDTHS = {Emphasis.FAINT: "1px", Emphasis.PLAIN: "2px", Emphasis.STRONG: "4px"}


def as_mermaid(figure: Figure) -> str:
    """A figure as a ``stateDiagram-v2``; tables become notes."""
    looks = dict.fromkeys((box.style, box.emphasis) for box in figure.boxes)
    classes = {look: f"look{number}" for number, look in enumerate(looks)}
    lines = [f"classDef {name} {_style(*look)}" for look, name in classes.items()]
    for box in figure.boxes:
        lines.append(f'state "{_fit(box.title or box.tooltip)}" as {_name(box.name)}')
        lines += _note(box)
    if figure.notes:
        lines += [
            f"note left of {_name(figure.boxes[0].name)}",
            *(f"    {_fit(plain_text(text))}" for text in figure.notes),
            "end note",
        ]
    lines += map(_transition, figure.arrows)
    lines += [f"class {_name(box.name)} {classes[box.style, box.emphasis]}" for box in figure.boxes]
    head = ["---", f"title: {json.dumps(figure.title)}", "---", "stateDiagram-v2"]
    return "\n".join([*head, *(f"    {text}" for text in lines)]) + "\n"


def _style(style: LineStyle, emphasis: Emphasis) -> str:
    colour = GREY if emphasis is Emphasis.FAINT else style.colour
    return f"stroke:{colour.middle},stroke-width:{LINE_WIDTHS[emphasis]}{DASHES[style.dash]}"


def _name(name: str) -> str:
    return _UNFIT.sub("_", name)


def _note(box: Box) -> Iterator[str]:
    if box.note or box.rows:
        yield f"note right of {_name(box.name)}"
        yield from (f"    {_fit(text)}" for text in _note_lines(box))
        yield "end note"


def _note_lines(box: Box) -> Iterator[str]:
    yield from box.note
    for row in box.rows:
        text = ", ".join(filter(None, map(plain_text, row.cells))).replace(", /", " /").replace(" in, ", " in ")
        # A row that continues the one above has no first cell; a hyphen would begin a list.
        yield f"\u00b7 {text}" if row.cells and plain_text(row.cells[0])[:1].strip() else text


def _transition(arrow: Arrow) -> str:
    text = _fit(", ".join(map(plain_text, arrow.label))).replace(", /", " /").replace(":", "")
    text = f"missing {text.removeprefix('- ')}" if text.startswith("- ") else text
    return f"{_name(arrow.source)} --> {_name(arrow.target)}{text and f' : {text}'}"


def _fit(text: str) -> str:
    """A text without the characters that Mermaid interprets; colons matter in transitions only."""
    return text.replace('"', "'").replace(";", ",").replace("#", "no. ").replace("-->", "->").replace("--", "-")
