"""The formats of a picture, chosen by name or by the end of a file's name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from timewait.checker.trace import Trace
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.value_types import Command, FilePath, FiniteRange, Parsed, WordChoice, printable
from timewait.diagrams import figure_text, sequence_text
from timewait.diagrams.chart import WHOLE
from timewait.diagrams.figure import Figure, with_title
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_mermaid import as_mermaid
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.graphviz_layout import Graphviz
from timewait.diagrams.ladder import as_ladder
from timewait.diagrams.rendering import LARGEST_SCALE, as_pdf, as_png
from timewait.diagrams.sequence import sequence
from timewait.diagrams.theme import Theme, with_theme, without_background
from timewait.diagrams.tikz import figure_as_tikz, trace_as_tikz
from timewait.formats.mermaid import as_mermaid_text

SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
    ".ascii": "ascii",
    ".tex": "tikz",
    ".tikz": "tikz",
    ".json": "json",
}
"""The format that the end of a file's name asks for."""

FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
BINARY = ("png", "pdf")
THEMED = ("svg", "png", "pdf")
"""The formats that have a light and a dark variant, and a background."""
TITLED = (*THEMED, "tikz")
"""The formats in which a title can be chosen."""

Content = str | bytes
Writers = Mapping[str, Callable[[], Content]]
"""The function that makes each format of a picture."""


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """The format and the destination of a picture.

    Attributes
    ----------
    form : str or None
        The format; None for the one that the name of the file says, or text.
    out : Path or None
        The file; None for standard output.
    scale : float
        Pixels of a PNG for each pixel of the SVG.
    theme : Theme or None
        The colours; None where no colours were asked for.
    graphviz : Graphviz
        The Graphviz that lays out boxes and arrows.
    title : str or None
        The title in place of that of the picture; None: its own.
    transparent : bool
        Whether it has no background.
    """

    form: str | None = None
    out: Path | None = None
    scale: float = 2.0
    theme: Theme | None = None
    graphviz: Graphviz = Graphviz.BUNDLED
    title: str | None = None
    transparent: bool = False

    @property
    def asked(self) -> bool:
        """Whether a picture was asked for: a format, a file, or how it looks."""
        return self.transparent or not all(asked is None for asked in (self.form, self.out, self.theme, self.title))

    def title_or(self, own: str) -> str:
        """The title that was asked for, else that of the picture."""
        return own if self.title is None else self.title

    def width(self, screen: Screen) -> int | None:
        """Characters in a line of text: as many as the terminal has; no limit in a file."""
        return None if self.out is not None else screen.width


_OUTPUT = (
    click.option("--format", "form", type=WordChoice(FORMATS), help="The format. [default: by --out, else text]"),
    click.option("--out", type=FilePath(dir_okay=False), help="The file; the end of its name says the format."),
    click.option(
        "--scale",
        type=FiniteRange(0.1, LARGEST_SCALE),
        default=2.0,
        show_default=True,
        help="Size of a PNG, relative to the SVG.",
    ),
    click.option(
        "--theme",
        type=WordChoice([theme.value for theme in Theme]),
        callback=lambda _, __, value: None if value is None else Theme(value),
        help="The colours of SVG, PNG and PDF; auto: in SVG those that the reader prefers, else light.  [default: auto]",
    ),
    click.option(
        "--title",
        type=Parsed("title", printable),
        metavar="TEXT",
        help="The title in place of the picture's own; empty for none.",
    ),
    click.option("--transparent", is_flag=True, help="SVG, PNG and PDF without a background, for slides."),
)
_NAMES = ("form", "out", "scale", "theme", "title", "transparent", "graphviz")
_LAYOUT = click.option(
    "--graphviz",
    type=WordChoice([choice.value for choice in Graphviz]),
    default=Graphviz.BUNDLED.value,
    show_default=True,
    callback=lambda _, __, value: Graphviz(value),
    help="The Graphviz that lays out boxes and arrows: the bundled library, or this machine's dot.",
)


def output_options(*, layout: bool) -> Callable[[Command], Command]:
    """Add the options that say how a picture is written; the command gets them as ``picture``, a `PictureOptions`.

    Parameters
    ----------
    layout : bool
        Whether the picture is laid out by Graphviz.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_picture(*arguments: Any, **values: Any) -> Any:
            chosen = {name: values.pop(name) for name in _NAMES if name in values}
            return command(*arguments, picture=_checked(PictureOptions(**chosen)), **values)

        wrapped: Any = with_picture
        for option in reversed((*_OUTPUT, *((_LAYOUT,) if layout else ()))):
            wrapped = option(wrapped)
        return wrapped  # type: ignore[no-any-return]  # a command with more options

    return decorate


def of_svg(svg: Callable[[], str], picture: PictureOptions) -> dict[str, Callable[[], Content]]:
    """The formats that are made from SVG, and SVG itself."""

    def coloured() -> str:
        drawn = without_background(svg()) if picture.transparent else svg()
        return with_theme(drawn, picture.theme or Theme.AUTO)

    return {"svg": coloured, "png": lambda: as_png(coloured(), picture.scale), "pdf": lambda: as_pdf(coloured())}


def of_trace(trace: Trace, picture: PictureOptions, width: int | None) -> dict[str, Callable[[], Content]]:
    """The pictures of a run."""
    form = replace(WHOLE, title=picture.title)
    return of_svg(partial(sequence, trace, form), picture) | {
        "mermaid": partial(as_mermaid_text, trace),
        "text": partial(sequence_text.as_text, trace, width),
        "ascii": partial(as_ladder, trace),
        "tikz": partial(trace_as_tikz, trace, form),
    }


def of_figure(figure: Figure, picture: PictureOptions, width: int | None) -> dict[str, Callable[[], Content]]:
    """The formats of a figure of boxes and arrows, except JSON."""
    figure = figure if picture.title is None else with_title(figure, picture.title)
    graph = {
        "dot": partial(as_dot, figure),
        "mermaid": partial(as_mermaid, figure),
        "text": partial(figure_text.as_text, figure, width),
        "tikz": partial(figure_as_tikz, figure, picture.graphviz),
    }
    return of_svg(partial(as_svg, figure, picture.graphviz), picture) | graph


def _format(form: str | None, out: Path | None) -> str:
    """The chosen format: by name, else by the name of the file, else text.

    Raises
    ------
    click.UsageError
        The name of the file has no known end, or a binary format has no file.
    """
    if form is None and out is not None:
        form = SUFFIXES.get(out.suffix.lower())
        if form is None:
            raise click.UsageError(f"{out.name} does not say which format; end it in {', '.join(SUFFIXES)}, or give --format")
    if form in BINARY and out is None:
        raise click.UsageError(f"{form} goes into a file: give --out FILE")
    return form or "text"


def _checked(picture: PictureOptions) -> PictureOptions:
    """The options themselves, if the format has all that they ask for; so that no long work precedes the message.

    Raises
    ------
    click.UsageError
        The format has no theme, no background or no title.
    """
    form = _format(picture.form, picture.out)
    looks: dict[str, tuple[bool, tuple[str, ...]]] = {
        "--theme": (picture.theme is not None, THEMED),
        "--transparent": (picture.transparent, THEMED),
        "--title": (picture.title is not None, TITLED),
    }
    for option, (asked, forms) in looks.items():
        if asked and form not in forms:
            raise click.UsageError(f"{option} goes with {', '.join(forms)}, not with {form}")
    return picture


def deliver(writers: Writers, picture: PictureOptions, screen: Screen) -> None:
    """Write a picture into a file, or print it.

    Raises
    ------
    click.UsageError
        The picture has no such format, or the file cannot be written.
    """
    form = _format(picture.form, picture.out)
    if form not in writers:
        raise click.UsageError(f"there is no {form} of this picture; there is {', '.join(writers)}")
    content = writers[form]()
    if picture.out is not None:
        write_whole(picture.out, content)
    else:
        assert isinstance(content, str)
        screen.raw(content)
