"""How the committed set of pictures is kept up to date.

A picture has files in several formats. Whatever is written without a layout (DOT, Mermaid, text, and the SVG of charts
with axes) is the same on every machine and compared letter by letter. The SVG of boxes and arrows is laid out by
Graphviz, whose versions differ in where they put things: one laid out by another version is kept as long as its DOT is
unchanged and it says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from timewait.cli.files import write_whole
from timewait.diagrams.comparison import same_content

INDEX = "README.md"


@dataclass(frozen=True, slots=True)
class CommittedPicture:
    """A picture of the set.

    Attributes
    ----------
    name : str
        Of its files, without an end.
    title : str
        What it shows.
    command : str
        What draws it by itself.
    files : mapping of str to str
        What is in each file, by its end: ``svg``, ``dot``, ``mmd``, ``txt``.
    section : str
        The heading under which it is listed.
    """

    name: str
    title: str
    command: str
    files: Mapping[str, str]
    section: str = ""

    @property
    def laid_out(self) -> bool:
        """Whether its SVG depends on a layout."""
        return "dot" in self.files


def contents(pictures: Sequence[CommittedPicture]) -> dict[str, str]:
    """What is in every file of the set, by name, the list of all pictures included."""
    files = {f"{picture.name}.{end}": text for picture in pictures for end, text in picture.files.items()}
    return files | {INDEX: index(pictures)}


def index(pictures: Sequence[CommittedPicture]) -> str:
    """The list of all pictures, as Markdown."""
    parts = ["# Pictures", "Drawn from the specification by `timewait diagram --all --out docs/diagrams`; not to be edited."]
    section = ""
    for picture in pictures:
        parts += [f"## {picture.section}"] if picture.section not in ("", section) else []
        section = picture.section
        others = ", ".join(f"[{end}]({picture.name}.{end})" for end in picture.files if end != "svg")
        parts += [
            f"### {picture.title}",
            f"![{picture.title}]({picture.name}.svg)",
            f"Also as {others}. Drawn by",
            f"    {picture.command}",
        ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Changes:
    """How a folder differs from the set.

    Attributes
    ----------
    stale : dict of str to str
        The files that are missing or not as they should be, with what should be in them.
    odd : tuple of str
        Files of pictures that are not in the set.
    """

    stale: dict[str, str]
    odd: tuple[str, ...]


def changes(pictures: Sequence[CommittedPicture], folder: Path) -> Changes:
    """How a folder differs from the set."""
    wanted = contents(pictures)
    here = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*") if path.is_file()}
    laid_out = {picture.name for picture in pictures if picture.laid_out}
    stale = {name: text for name, text in wanted.items() if not _same(name, here, wanted, laid_out)}
    ends = {Path(name).suffix for name in wanted}
    return Changes(stale, tuple(sorted(name for name in here if name not in wanted and Path(name).suffix in ends)))


def _same(name: str, here: Mapping[str, str], wanted: Mapping[str, str], laid_out: set[str]) -> bool:
    if name not in here or here[name] == wanted[name]:
        return name in here
    stem, _, end = name.rpartition(".")
    source = f"{stem}.dot"
    kept = end == "svg" and stem in laid_out and here.get(source) == wanted[source]
    return kept and same_content(here[name], wanted[name])


def update(found: Changes, folder: Path) -> None:
    """Write what is stale.

    Raises
    ------
    click.UsageError
        It cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise click.UsageError(f"cannot write into {folder}: {problem.strerror}") from problem
    for name, text in found.stale.items():
        write_whole(folder / name, text)
