"""Command lines as text, with one value changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from timewait.assumptions import CONDITIONS, other_values
from timewait.cli.check import check_command
from timewait.cli.command_line import PROGRAM, in_words, with_changes, without
from timewait.options import KEYWORDS, Options
from timewait.spec.configuration import Configuration
from timewait.spec.durations import DURATIONS
from timewait.spec.settings import BEHAVIOUR
from timewait.vocabulary.errors import RequestError

COMMANDS = (
    "check --msl 1s --rto 1s --time-wait 2s",
    "check --stack linux --msl=30s --rto 30s --closers a --property isolation --html x.html --trace=y.json --assumptions --json",
    "check --stack linux --msl 30s --rto 30s --retries 3 --retries-reset --orphan --unread --no-half-close --fifo --loss any",
    "check --stack rfc9293 --msl 30s --closers a --data 1,0 --reopen handshake --numbers repeated --early --timestamps b",
)


def options_of(words: list[str]) -> Options:
    """The options that a command line states."""
    values = check_command.make_context("check", words).params
    return Options.of(**{name: values[name] for name in KEYWORDS & values.keys()})


def changes_of(configuration: Configuration) -> Iterator[dict[str, Any]]:
    """Every other value that engines are asked about: of each condition, and of each setting."""
    yield {"time_wait": Fraction(12345, 100)}
    yield {"rto": (Fraction(5),)}
    yield {"msl": Fraction(7), "rto": (Fraction(3), Fraction(6)), "time_wait": Fraction(9)}
    for condition in CONDITIONS:
        yield from (changes for _, changes in condition.others(configuration))
    for name, entry in BEHAVIOUR.items():
        if not entry.follows and entry.option:
            yield from ({name: other} for other in other_values(entry, getattr(configuration.behaviour, name)))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_changed_command_asks_the_changed_question(command: str) -> None:
    """For every other value of every setting and condition; it writes no file."""
    words = command.split()
    options = options_of(words[1:])
    seen = 0
    for changes in changes_of(options.configuration()):
        stated = {name: value for name, value in changes.items() if name in BEHAVIOUR and name not in DURATIONS}
        others = {name: value for name, value in changes.items() if name not in stated}
        overrides = replace(options.overrides, behaviour={**options.overrides.behaviour} | stated, **others)
        try:
            expected = replace(options, overrides=overrides).configuration()
        except RequestError:
            continue
        program, name, *rest = shlex.split(with_changes(words, changes))
        assert (program, name) == (PROGRAM, "check")
        assert options_of(rest).configuration() == expected, (changes, rest)
        assert not {"x.html", "--trace=y.json", "--assumptions", "--json"} & {*rest}
        seen += 1
    assert seen > len(CONDITIONS)


def test_words() -> None:
    """As a shell reads them, with and without values in the same word."""
    assert in_words(()) == ""
    assert in_words(("check", "--html", "a b.html")) == "timewait check --html 'a b.html'"
    assert without(("check", "--html", "x", "--msl=1s", "--html=y", "--json"), ("--html",), ("--json",)) == ["check", "--msl=1s"]
