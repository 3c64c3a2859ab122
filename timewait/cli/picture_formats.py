"""Which formats a picture has, and how one is asked for: by name, or by the end of a file's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.diagrams import figure_text
from timewait.diagrams.figure import Figure
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_layout import Graphviz, NoGraphviz
from timewait.diagrams.figure_mermaid import as_mermaid
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.raster import MOST, as_pdf, as_png

SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
    ".json": "json",
}
"""The format that the end of a file's name asks for."""

FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
BINARY = ("png", "pdf")

Content = str | bytes
Writers = Mapping[str, Callable[[], Content]]
"""How each format of a picture is made."""


def output_options(command: Any) -> Any:
    """Add the options that say in which format a picture is wanted, and where."""
    for option in (
        click.option("--scale", type=click.FloatRange(0.1, MOST), default=2.0, show_default=True, help="Of a PNG, to the SVG."),
        click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it; its end says how."),
        click.option("--format", "form", type=click.Choice(FORMATS), help="How it is written. [default: by --out, else text]"),
    ):
        command = option(command)
    return command


def width_of(given: Mapping[str, Any], screen: Screen) -> int | None:
    """Characters in a line of a text: as many as the terminal has, and as many as there are in a file."""
    return None if given["out"] is not None else screen.width


def of_svg(svg: Callable[[], str], scale: float) -> dict[str, Callable[[], Content]]:
    """The formats that are made from SVG, and SVG itself."""
    return {"svg": svg, "png": lambda: as_png(svg(), scale), "pdf": lambda: as_pdf(svg())}


def of_figure(figure: Figure, scale: float, whose: Graphviz, width: int | None) -> dict[str, Callable[[], Content]]:
    """The formats of boxes and arrows; JSON is not among them."""

    def svg() -> str:
        try:
            return as_svg(figure, whose)
        except NoGraphviz as problem:
            raise click.UsageError(str(problem)) from problem

    graph = {
        "dot": partial(as_dot, figure),
        "mermaid": partial(as_mermaid, figure),
        "text": partial(figure_text.as_text, figure, width),
    }
    return of_svg(svg, scale) | graph


def wanted(form: str | None, out: Path | None) -> str:
    """The format that is asked for: by name, else by the file's name, else text.

    Raises
    ------
    click.UsageError
        The file's name says nothing, or something in letters and digits is wanted where a file is needed.
    """
    if form is None and out is not None:
        form = SUFFIXES.get(out.suffix.lower())
        if form is None:
            raise click.UsageError(f"{out.name} does not say which format; end it in {', '.join(SUFFIXES)}, or give --format")
    if form in BINARY and out is None:
        raise click.UsageError(f"{form} goes into a file: give --out FILE")
    return form or "text"


def deliver(writers: Writers, form: str | None, out: Path | None, screen: Screen) -> None:
    """Write a picture into a file, or print it.

    Raises
    ------
    click.UsageError
        The picture has no such format, or the file cannot be written.
    """
    chosen = wanted(form, out)
    if chosen not in writers:
        raise click.UsageError(f"there is no {chosen} of this picture; there is {', '.join(writers)}")
    content = writers[chosen]()
    if out is not None:
        write_whole(out, content)
    else:
        assert isinstance(content, str)
        screen.raw(content)
