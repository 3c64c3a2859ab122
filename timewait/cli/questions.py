"""The questions of operators: pages of the documentation, found by the words of an error text."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import resources

from timewait.cli.glossary import plain

_SAYS_NOTHING = frozenset(
    re.findall(
        r"[a-z]+",
        "a an and are as at be by can do does for from has have how i if in into is it its me my of on or our so that the their"
        " they this to too very was what when where which who why with you your",
    )
)
"""Words that no question is recognised by."""
_WORD = re.compile(r"[a-z]+|[0-9]+")
_STRESS = re.compile(r"\*{1,2}(?=\S)(.+?)(?<=\S)\*{1,2}")
_ASKED = "**Also asked as:**"
SHORT = 3
"""A word with as many letters or fewer has no plural."""
ENOUGH = 0.7
"""The share of a text that a page must contain, each word weighted by its rarity."""


@dataclass(frozen=True)
class QuestionPage:
    """A page of docs/questions.

    Attributes
    ----------
    page : str
        The name of its file, without the suffix.
    title : str
    answer : str
        Its first paragraph.
    words : frozenset of str
        The words of its title, answer, symptoms and other spellings.
    """

    page: str
    title: str
    answer: str
    words: frozenset[str]

    @property
    def paragraphs(self) -> list[str]:
        """The answer, and where more of it stands."""
        return [self.answer, f"The page docs/questions/{self.page}.md of the documentation has the commands and the evidence."]


@cache
def questions() -> dict[str, QuestionPage]:
    """Every page that answers a question, by its name; read from the pages of the documentation."""
    files = sorted((each for each in resources.files("timewait.questions").iterdir()), key=lambda each: each.name)
    pages = [(each.name.removesuffix(".md"), each.read_text(encoding="utf-8")) for each in files if each.name.endswith(".md")]
    return {name: _read(name, text) for name, text in pages if name != "index"}


def asked(text: str) -> list[QuestionPage]:
    """The questions that a text asks, the nearest first; none where no page has most of its words.

    Parameters
    ----------
    text : str
        An error text, a line of a log, or a question in the words of an operator. Numbers that no page has do not count:
        they are addresses and ports.
    """
    pages = questions().values()
    words = {word for word in _words(text) if not word.isdigit() or any(word in each.words for each in pages)}
    weights = {word: _weight(word, pages) for word in words}
    total = sum(weights.values()) if any(word.isalpha() for word in words) else 0
    near = {each.page: sum(weights[word] for word in words & each.words) for each in pages}
    found = [each for each in pages if total and near[each.page] >= ENOUGH * total]

    def nearness(each: QuestionPage) -> tuple[float, float]:
        title = _words(each.title)
        return near[each.page] + sum(weights[word] for word in words & title), len(words & title) / len(title)

    return sorted(found, key=nearness, reverse=True)


def _weight(word: str, pages: Collection[QuestionPage]) -> float:
    """The rarity of a word; a word that every page has still counts a little, and one that none has counts most."""
    having = sum(word in each.words for each in pages)
    return math.log((len(pages) + 1) / (having + 0.5))


def _read(name: str, text: str) -> QuestionPage:
    """A page as a question: what stands above its first command, and the other spellings below."""
    head = text.partition("\n```")[0]
    paragraphs = text.split("\n\n")
    spellings = [paragraph for paragraph in paragraphs if paragraph.startswith(_ASKED)]
    return QuestionPage(
        name, plain(paragraphs[0].removeprefix("# ")), _STRESS.sub(r"\1", plain(paragraphs[1])), _words(f"{head} {spellings}")
    )


def _words(text: str) -> frozenset[str]:
    """The words that say something, in small letters, without the s of a plural.

    FIN_WAIT2, FIN-WAIT-2 and "fin wait 2" have the same ones.
    """
    words = frozenset(_WORD.findall(text.lower())) - _SAYS_NOTHING
    return frozenset(word.removesuffix("s") if len(word) > SHORT else word for word in words)
