"""The directive ``picture``: one of docs/diagrams, with the same in words and the command that draws it."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FOLDER = "diagrams"
NARROW = 560
"""Pixels below which a picture is not made smaller, but may be scrolled."""


def commands(index: str) -> dict[str, str]:
    """What draws each picture, by name, as the list of all pictures says."""
    found = re.findall(r"^!\[.*\]\((?P<name>[^)]+)\.svg\)\n\n.*Drawn by\n\n    (?P<command>.+)$", index, re.MULTILINE)
    return dict(found)


def width(svg: str) -> float:
    """How wide a picture is, in pixels."""
    found = re.search(r'<svg[^>]* width="([0-9.]+)"', svg)
    return float(found[1]) if found else NARROW


def title(svg: str) -> str:
    """What a picture shows."""
    found = re.search(r"<title>([^<]+)</title>", svg)
    return found[1] if found else ""


class Picture(SphinxDirective):
    """Show a picture by its name; what stands in it is its caption, in place of its title."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """A figure."""
        name = self.arguments[0]
        folder = Path(self.env.srcdir, FOLDER)
        files = [folder / f"{name}.svg", folder / f"{name}.txt", folder / "README.md"]
        missing = [path.name for path in files if not path.exists()]
        if missing:
            raise self.error(f"there is no {FOLDER}/{missing[0]}")
        for path in files:
            self.env.note_dependency(str(path))
        svg, words, index = (path.read_text(encoding="utf-8") for path in files)
        drawn_by = commands(index).get(name)
        if drawn_by is None:
            raise self.error(f"{FOLDER}/README.md does not say what draws {name}")
        return [self._figure(name, svg, words, drawn_by)]

    def _figure(self, name: str, svg: str, words: str, drawn_by: str) -> nodes.Node:
        image = nodes.image(uri=f"/{FOLDER}/{name}.svg", alt=title(svg))
        image["classes"].append("picture")
        scroller = nodes.container("", image, classes=["scroller", "narrow" if width(svg) < NARROW else "wide"])
        above = "../" * self.env.docname.count("/")
        whole = f"{above}_images/{name}.svg"
        caption = nodes.caption("", "", *self._caption(svg))
        told = (
            f'<details class="in-words"><summary>In words</summary><pre>{escape(words.strip())}</pre></details>'
            f'<p class="drawn-by"><a href="{whole}">The picture by itself</a>; drawn by <code>{escape(drawn_by)}</code></p>'
        )
        figure = nodes.figure("", scroller, caption, nodes.legend("", nodes.raw("", told, format="html")))
        figure["classes"].append("drawn")
        return figure

    def _caption(self, svg: str) -> list[nodes.Node]:
        if not self.content:
            return [nodes.Text(title(svg))]
        children, messages = self.parse_inline(" ".join(self.content))
        return [*children, *messages]
