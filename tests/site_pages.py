"""The fenced blocks of the documentation: commands with their output, files, snippets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

DOCS = Path(__file__).parent.parent / "docs"

SECONDS = re.compile(r"\b\d+\.\d+ s\b")
"""The time that an answer took, which differs between runs."""

REMARK = re.compile(r"<!-- (slow|needs): (.+) -->")
"""A comment just above a block: its commands are slow, or need further programs."""


class Command(NamedTuple):
    """A command with its output."""

    line: int
    text: str
    printed: str


@dataclass(frozen=True)
class PageBlock:
    """A fenced block of a page.

    Attributes
    ----------
    page : Path
        Its page.
    line : int
        The line of its first fence, counted from 1.
    language : str
        ``console``, ``toml`` and so on; ``{name}`` for a directive.
    argument : str
        The rest of the first line: the name of the file that the block is, or the argument of a directive.
    text : str
        Its content.
    slow : str
        The reason why its commands are slow; empty if they are not.
    needs : tuple of str
        The programs that it needs besides those of the project.
    """

    page: Path
    line: int
    language: str
    argument: str
    text: str
    slow: str = ""
    needs: tuple[str, ...] = field(default=())

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block with their expected output."""
        found: list[Command] = []
        for number, line in enumerate(self.text.splitlines(), start=self.line + 1):
            if line.startswith("$ "):
                found.append(Command(number, line[2:], ""))
            elif line.startswith("> ") and found and not found[-1].printed:
                found[-1] = found[-1]._replace(text=found[-1].text + "\n" + line[2:])
            else:
                found[-1] = found[-1]._replace(printed=found[-1].printed + line + "\n")
        return found


def pages() -> list[Path]:
    """The README and every page except the list of pictures."""
    return [DOCS.parent / "README.md", *sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "diagrams")]


def name(page: Path) -> str:
    """The name of a page, as in its address on the site."""
    return str(page.relative_to(DOCS if page.is_relative_to(DOCS) else DOCS.parent).with_suffix(""))


def blocks(page: Path) -> Iterator[PageBlock]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in MarkdownIt().parse(text):
        if token.type != "fence" or token.map is None:
            continue
        begins = token.map[0]
        remark = REMARK.match(lines[begins - 1]) if begins else None
        said = {remark[1]: remark[2]} if remark else {}
        language, _, argument = token.info.strip().partition(" ")
        needs = tuple(said.get("needs", "").split())
        yield PageBlock(page, begins + 1, language, argument, token.content, said.get("slow", ""), needs)


def same(wanted: str, printed: str) -> bool:
    """Whether output is as expected; ``...`` stands for any text, and times and blanks do not count."""
    shown, found = (SECONDS.sub("0.00 s", text) for text in (wanted, printed))
    return OutputChecker().check_output(shown, found, ELLIPSIS | NORMALIZE_WHITESPACE)
