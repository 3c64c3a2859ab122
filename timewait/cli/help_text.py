"""How the help of a command is written: words with hyphens stay whole, and narrow terminals give the text its room."""

from __future__ import annotations

from collections.abc import Iterable

import click

HYPHEN = "-"
_WHOLE = "\u2011"
"""A hyphen at which no line ends."""

WIDEST_TERM, NARROW = 30, 72
"""The most characters of the column with the options, and those of a line below which that column is half as wide."""


class HelpText(click.HelpFormatter):
    """The formatter of click, which breaks names such as ``time-wait-kept`` at their hyphens."""

    def write_text(self, text: str) -> None:
        super().write_text(_whole(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = WIDEST_TERM, col_spacing: int = 2) -> None:
        most = col_max if self.width >= NARROW else col_max // 2
        super().write_dl([(term, _whole(text)) for term, text in rows], most, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(_WHOLE, HYPHEN)


def _whole(text: str) -> str:
    return text.replace(HYPHEN, _WHOLE)


class HelpContext(click.Context):
    """A context whose help is a `HelpText`."""

    formatter_class = HelpText


def with_whole_words(command: click.Command) -> click.Command:
    """A command, and those below it, with help that is a `HelpText`."""
    command.context_class = HelpContext
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        with_whole_words(inner)
    return command
