"""A folder of pictures: its list, the files that are out of date, and their update.

Text files are the same on every machine and compared byte by byte, as is an SVG whose positions this project computes.
The SVG of boxes and arrows is laid out by Graphviz and that of a chart by vl-convert, whose versions differ in positions:
such a file counts as current as long as its content is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import click

from timewait.cli.files import write_whole

INDEX = "README.md"

LAID_OUT_BY = "data-laid-out-by"
"""The attribute of an SVG with the program that made its layout; absent where no other program did."""

POSITIONS = frozenset(
    {"d", "points", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "viewBox", "transform", LAID_OUT_BY}
)
"""The attributes with positions and sizes."""


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture of the set.

    Attributes
    ----------
    name : str
        Of its files, without an end.
    title : str
        The subject in one line.
    command : str
        The command that draws it.
    files : mapping of str to str
        The content of each file, by its end: ``svg``, ``dot``, ``mmd``, ``txt``.
    section : str
        Its heading in the list of pictures.
    """

    name: str
    title: str
    command: str
    files: Mapping[str, str]
    section: str = ""

    @property
    def contents(self) -> dict[str, str]:
        """The content of each file, by its name."""
        return {f"{self.name}.{end}": text for end, text in self.files.items()}


def contents(pictures: Sequence[DrawnPicture]) -> dict[str, str]:
    """The content of every file, by name, including the list of pictures."""
    return {name: text for picture in pictures for name, text in picture.contents.items()} | {INDEX: index(pictures)}


def index(pictures: Sequence[DrawnPicture]) -> str:
    """The list of pictures, as Markdown."""
    lines = ["# Pictures", "", *_ABOUT]
    section = ""
    for picture in pictures:
        if picture.section != section:
            lines += ["", f"## {picture.section}", "", *_NOTES.get(picture.section, ())]
        section = picture.section
        lines.append(f"- [{picture.title}]({picture.name}.svg){_other_files(picture)}: `{picture.command}`")
    return "\n".join(lines) + "\n"


_ABOUT = (
    "The commands draw these pictures from the specification; do not edit them. For a file of your own, for slides or a",
    "lecture, append `--out FILE.svg`, `--out FILE.png` or `--out FILE.pdf`, and `--theme light` or `--theme dark`; or",
    "`--out FILE.tex` for LaTeX (TikZ). `--title TEXT` replaces the title, `--transparent` leaves the background out.",
    "[More formats](../how-to/review.md#for-slides-a-lecture-or-another-document).",
)
"""The beginning of the list of pictures."""

_NOTES = {
    "The states of an endpoint": (
        "Show the intended reading, in which a retransmitted FIN restarts TIME-WAIT. In the literal reading, the text of",
        "RFC 9293 as it stands, it does not; show that one only where you explain this defect (claim C9).",
        "",
    ),
    "Without TIME-WAIT": (
        "Each is the run that TIME-WAIT prevents. Show lost-last-ack above before lost-last-ack-without: up to the last",
        "acknowledgement they are the same.",
        "",
    ),
}
"""What stands under the heading of a section."""


def _other_files(picture: DrawnPicture) -> str:
    others = [f"[{end}]({picture.name}.{end})" for end in picture.files if end != "svg"]
    return f" ({', '.join(others)})" if others else ""


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """The differences of a folder from a set of pictures.

    Attributes
    ----------
    stale : dict of str to str
        The new content of files that are missing or out of date, by name.
    unknown : tuple of str
        Files with the end of a picture that do not belong to the set.
    """

    stale: dict[str, str]
    unknown: tuple[str, ...]


def changes(pictures: Sequence[DrawnPicture], folder: Path) -> FolderChanges:
    """The differences of a folder from a set of pictures."""
    wanted = contents(pictures)
    present = [path.name for path in folder.glob("*") if path.is_file() and not path.name.startswith(".")]
    ends = {Path(name).suffix for name in wanted}
    unknown = sorted(name for name in present if name not in wanted and Path(name).suffix in ends)
    return FolderChanges(stale(wanted, folder), tuple(unknown))


def stale(wanted: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The contents, by name, of which a folder has no file or one that is out of date."""
    return {name: text for name, text in wanted.items() if not _up_to_date(folder / name, text)}


def _up_to_date(path: Path, text: str) -> bool:
    return path.is_file() and same_content(path.read_text(encoding="utf-8", errors="replace"), text)


def update(contents: Mapping[str, str], folder: Path) -> list[str]:
    """Write files, each whole or not at all; returns their names.

    Raises
    ------
    click.UsageError
        The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise click.UsageError(f"cannot write into {folder}: {problem.strerror}") from problem
    for name, text in contents.items():
        write_whole(folder / name, text)
    return [*contents]


def same_content(text: str, other: str) -> bool:
    """Whether two files are equal, or two SVG pictures whose layout another program made and that differ in positions alone."""
    if text == other:
        return True
    try:
        roots = [ElementTree.fromstring(picture) for picture in (text, other)]
    except ElementTree.ParseError:
        return False
    return all(LAID_OUT_BY in root.attrib for root in roots) and list(_content(roots[0])) == list(_content(roots[1]))


def _content(element: ElementTree.Element) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """The tag, the text and the attributes of every element, without positions."""
    attributes = tuple(sorted((name, value) for name, value in element.attrib.items() if name not in POSITIONS))
    yield element.tag, (element.text or "").strip() + (element.tail or "").strip(), attributes
    for child in element:
        yield from _content(child)
