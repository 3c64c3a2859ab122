"""What the pages of the documentation show: commands with what they print, files, snippets."""

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
"""The time that an answer took: no two runs agree on it."""

REMARK = re.compile(r"%\s*(slow|needs):\s*(.+)")
"""What a comment just above a block says of it: that it takes long, or which programs it needs."""


class Command(NamedTuple):
    """A command with what it prints."""

    line: int
    text: str
    printed: str


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    page : Path
        Where it is.
    line : int
        The line of its first fence, counted from 1.
    language : str
        ``console``, ``toml`` and so on; ``{name}`` for a directive.
    caption : str
        The name of the file that it is, where it is one.
    text : str
        What is in it.
    slow : str
        Why it takes long; empty when it does not.
    needs : tuple of str
        The programs that it needs besides those of the project.
    """

    page: Path
    line: int
    language: str
    caption: str
    text: str
    slow: str = ""
    needs: tuple[str, ...] = field(default=())

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block, each with what is to be printed."""
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
    """Every page that somebody wrote."""
    return sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "diagrams")


def name(page: Path) -> str:
    """A page as the site calls it."""
    return str(page.relative_to(DOCS).with_suffix(""))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in MarkdownIt().parse(text):
        if token.type != "fence" or token.map is None:
            continue
        begins = token.map[0]
        remark = REMARK.match(lines[begins - 1]) if begins else None
        said = {remark[1]: remark[2]} if remark else {}
        language, caption, content = _code(token.info, token.content)
        needs = tuple(said.get("needs", "").split())
        yield Block(page, begins + 1, language, caption, content, said.get("slow", ""), needs)


def _code(info: str, content: str) -> tuple[str, str, str]:
    """The language of a block, its caption, and what is in it."""
    directive = re.fullmatch(r"\{code-block\} (\w+)", info.strip())
    if directive is None:
        return info.strip(), "", content
    caption = re.match(r":caption: (.+)\n\n?", content)
    return directive[1], caption[1].strip() if caption else "", content[caption.end() :] if caption else content


def same(wanted: str, printed: str) -> bool:
    """Whether something was printed as it is shown: ``...`` stands for anything, times and blanks do not count."""
    shown, found = (SECONDS.sub("0.00 s", text) for text in (wanted, printed))
    return OutputChecker().check_output(shown, found, ELLIPSIS | NORMALIZE_WHITESPACE)
