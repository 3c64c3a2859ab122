"""Command lines as text: the one that runs, and the same one with one value changed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from timewait.options import TIMESTAMPS
from timewait.spec.description import value_in_words
from timewait.spec.duration import format_duration
from timewait.spec.reopening import NextIncarnation, Numbers
from timewait.spec.setting import Setting
from timewait.spec.settings import SETTINGS

PROGRAM = "timewait"
"""The name of the program in a command line."""

WRITES = ("--trace", "--html", "--certificate", "--sarif", "--junit", "--events")
"""The options of ``check`` that name a file to write."""

OPENING = ("--reopen", "--numbers", "--timestamps", "--crash", "--quiet", "--new-data", "--data-rate", "--idle", "--lifetime")
"""The options with a value that say how the next incarnation opens."""


def current_words() -> tuple[str, ...]:
    """The words of the command line that runs, without the name of the program; empty where a library call runs."""
    context = click.get_current_context(silent=True)
    return () if context is None or context.find_root().obj is None else tuple(context.find_root().obj)


def in_words(words: Sequence[str]) -> str:
    """A command line as a shell reads it; empty for no words."""
    return shlex.join((PROGRAM, *words)) if words else ""


def without(words: Sequence[str], options: Sequence[str], flags: Sequence[str] = ()) -> list[str]:
    """The words without some options and their values, and without some flags."""
    kept, rest = [], iter(words)
    for word in rest:
        if word in options:
            next(rest, None)
        elif word not in flags and word.partition("=")[0] not in options:
            kept.append(word)
    return kept


def with_changes(words: Sequence[str], changes: Mapping[str, Any]) -> str:
    """The command line that asks the same question with other values, and writes no file.

    Parameters
    ----------
    words : sequence of str
        A command line, without the name of the program.
    changes : mapping
        Fields of `timewait.spec.assemble.Overrides` and settings of its behaviour, by name, with their other values.
    """
    changed = without(words, (*WRITES, "--on"), ("--assumptions", "--json"))
    for name, value in changes.items():
        if name in SETTINGS:
            changed = _with_setting(changed, SETTINGS[name], value)
        else:
            options, flags, stated = CONDITIONS[name]
            changed = [*without(changed, options, flags), *stated(value)]
    return in_words(changed)


def _with_setting(words: Sequence[str], entry: Setting, value: Any) -> list[str]:
    """The words with another value of a setting; a switch is stated where its value is not the default."""
    if entry.kind is not bool:
        kept = without(words, (entry.option,))
        return kept if value is None else [*kept, entry.option, value_in_words(value)]
    kept = without(words, (), (entry.option, entry.negative))
    if entry.switch:
        return [*kept, entry.option] if value != entry.default else kept
    return [*kept, entry.option if value else entry.negative]


def _count(value: int | None) -> str:
    return "any" if value is None else str(value)


def _opening(value: NextIncarnation) -> Iterator[str]:
    """The words for the opening of the next incarnation."""
    yield from ("--reopen", str(value.kind))
    if value.handshake and value.numbers is not Numbers.WORST:
        yield from ("--numbers", str(value.numbers))
    if any(value.timestamps):
        yield from ("--timestamps", next(word for word, ends in TIMESTAMPS.items() if ends == value.timestamps))


Condition = tuple[Sequence[str], Sequence[str], Callable[[Any], Iterator[str] | Sequence[str]]]
"""The options with a value and the flags that state a condition, and the words for a value of it."""

CONDITIONS: Mapping[str, Condition] = {
    "rto": (("--rto",), (), lambda value: ["--rto", ",".join(map(format_duration, value))]),
    "loss": (("--loss",), (), lambda value: ["--loss", _count(value)]),
    "duplication": (("--duplication",), (), lambda value: ["--duplication", _count(value)]),
    "fifo": ((), ("--fifo",), lambda value: ["--fifo"] if value else []),
    "both_close": (("--closers",), (), lambda value: ["--closers", "both" if value else "a"]),
    "text": (("--data",), (), lambda value: ["--data", f"{value[0]},{value[1]}"]),
    "reopening": (OPENING, ("--early",), _opening),
    "scope": (("--scope",), (), lambda value: ["--scope", str(value)]),
}
"""The conditions of the network and the users, by their names in overrides."""
