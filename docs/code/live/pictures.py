"""The directive ``picture``: a picture that is drawn while the site is built, its text, and the command that draws it."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from timewait.cli.picture_folder import DrawnPicture
from timewait.cli.picture_set import draw_picture

FOLDER = "pictures"
"""The folder of the pictures, in the static folder of the site."""

NARROW = 600
"""The width in pixels up to which a picture shrinks with the page; a wider one scrolls, as its letters would be too small."""


def width(svg: str) -> float:
    """The width of a picture in pixels."""
    found = re.search(r'<svg[^>]* width="([0-9.]+)"', svg)
    return float(found[1]) if found else NARROW


class Picture(SphinxDirective):
    """Show a picture by its name; the content is the command that draws it, for readers of the plain Markdown."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw the picture into the static folder of the site; return a figure."""
        name = self.arguments[0]
        try:
            picture = draw_picture(name)
        except KeyError:
            raise self.error(f"there is no picture {name}; timewait diagram --all --out FOLDER lists all") from None
        self.env.note_reread()  # the picture follows the code, not this page
        folder = Path(self.env.app.outdir, "_static", FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.svg").write_text(picture.files["svg"], encoding="utf-8")
        return [self._figure(picture)]

    def _figure(self, picture: DrawnPicture) -> nodes.Node:
        address = f"{'../' * self.env.docname.count('/')}_static/{FOLDER}/{picture.name}.svg"
        image = f'<img class="picture" src="{address}" alt="{escape(picture.title)}" loading="lazy">'
        size = "narrow" if width(picture.files["svg"]) <= NARROW else "wide"
        scroller = nodes.container("", nodes.raw("", image, format="html"), classes=["scroller", size])
        command = f"<code>{escape(picture.command)}</code>"
        below = (
            f'<details class="in-words"><summary>In words</summary><pre>{escape(picture.files["txt"].strip())}</pre></details>'
            f'<p class="drawn-by"><a href="{address}">The picture by itself</a>; drawn by {command}</p>'
        )
        caption = nodes.caption("", picture.title)
        figure = nodes.figure("", scroller, caption, nodes.legend("", nodes.raw("", below, format="html")))
        figure["classes"].append("drawn")
        return figure
