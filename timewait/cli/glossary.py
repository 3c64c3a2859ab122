"""The command ``glossary``: explains a term of this project."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

import click

from timewait.cli.console import Screen
from timewait.vocabulary.errors import RequestError

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_HEADING = "## "


@click.command("glossary")
@click.argument("word", nargs=-1)
def glossary_command(word: tuple[str, ...]) -> int:
    """Explain a term, or list all terms."""
    screen, terms = Screen(), glossary()
    if not word:
        screen.paragraphs([", ".join(terms)])
        return 0
    name, paragraphs = explained(" ".join(word))
    screen.heading(name)
    screen.paragraphs(paragraphs, indent=2)
    return 0


def explained(word: str) -> tuple[str, list[str]]:
    """A term and its paragraphs.

    Raises
    ------
    RequestError
        The glossary has no such term; the message names similar ones.
    """
    terms = glossary()
    name = _found(word, terms)
    return name, terms[name]


@cache
def glossary() -> Mapping[str, list[str]]:
    """Every term with its paragraphs, as plain text; read from the page of the documentation."""
    page = (resources.files("timewait.reference") / "glossary.md").read_text(encoding="utf-8")
    terms: dict[str, list[str]] = {}
    for section in page.split(f"\n{_HEADING}")[1:]:
        name, _, text = section.partition("\n")
        paragraphs = [plain(paragraph) for paragraph in text.strip().split("\n\n")]
        terms[plain(name)] = [paragraph for paragraph in paragraphs if paragraph]
    return terms


def plain(markdown: str) -> str:
    """Text without links and marks of code."""
    return " ".join(_LINK.sub(r"\1", markdown).replace("`", "").split())


def _found(word: str, terms: Mapping[str, list[str]]) -> str:
    """The term that a word names, in upper or lower case, with hyphens or spaces."""
    known = {_key(name): name for name in terms}
    if _key(word) in known:
        return known[_key(word)]
    near = [known[key] for key in difflib.get_close_matches(_key(word), known, n=3)]
    near += [name for name in terms if _key(word) in _key(name) and name not in near]
    advice = f"did you mean {', '.join(near)}?" if near else "'timewait glossary' lists its terms"
    raise RequestError(f"the glossary has no term {word!r}; {advice}")


def _key(name: str) -> str:
    return name.lower().replace("-", " ").replace("_", " ")
