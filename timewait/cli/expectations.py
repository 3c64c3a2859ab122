"""The file of expectations, ``timewait.toml``: questions about stacks, and the verdict that each is expected to have.

::

    stacks = ["tiny.toml"]          # profiles: names, or files beside this one

    [options]                       # of every question: options of `timewait check`
    closers = "a"

    [[question]]
    name = "two losses"
    loss = 2                        # an option of this question alone
    least_time_wait = "4s"          # what `timewait threshold` finds; "none" where no TIME_WAIT is safe
    [question.expect]
    graceful = "violated"           # a violation that is known passes; a proof in its place does not
    isolation = "proved"
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.api import SAFE
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.cli.options import question_options
from timewait.formats.toml_lines import Key, line_of
from timewait.options import Options
from timewait.spec.duration import parse_duration
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.errors import InputError, RequestError
from timewait.vocabulary.input_files import SMALL, read_octets
from timewait.vocabulary.suggestions import advice
from timewait.vocabulary.untrusted import parse_toml, shown, unprintable, visible

VERDICTS = {str(verdict): verdict for verdict in (Verdict.PROVED, Verdict.VIOLATED)}
"""The verdicts that a file may expect; an answer that is missing is none."""

NO_TIME_WAIT = "none"
"""The word for a least safe TIME_WAIT where none is safe."""

NOT_HERE = ("property", "json", "stack", "host", "help")
"""Options of ``check`` that the file states in another way, or that make no sense in it."""

_FILE = ("stacks", "options", "question")
_QUESTION = ("name", "stacks", "expect", "least_time_wait")


@dataclass(frozen=True)
class ExpectedVerdict:
    """The verdict that a property is expected to have, and the way to it in the file."""

    name: str
    verdict: Verdict
    path: tuple[Key, ...]


@dataclass(frozen=True)
class ExpectedThreshold:
    """The least TIME_WAIT, in seconds, that is expected to be safe for some properties; None where none is."""

    properties: tuple[str, ...]
    least: Fraction | None
    path: tuple[Key, ...]


@dataclass(frozen=True)
class StackQuestion:
    """A question about one stack.

    Attributes
    ----------
    stack, name : str
        The name of the stack, and that of the question.
    options : Options
        The question; its properties are those with an expected verdict.
    verdicts : tuple of ExpectedVerdict
        What is expected of each property.
    thresholds : tuple of ExpectedThreshold
        What is expected of the least safe TIME_WAIT.
    """

    stack: str
    name: str
    options: Options
    verdicts: tuple[ExpectedVerdict, ...]
    thresholds: tuple[ExpectedThreshold, ...]


@dataclass(frozen=True)
class ExpectationFile:
    """A file of expectations.

    Attributes
    ----------
    file : Path
        The file.
    text : str
        Its text.
    questions : tuple of StackQuestion
        Its questions, by stack; there is at least one.
    """

    file: Path
    text: str
    questions: tuple[StackQuestion, ...]

    def line(self, path: tuple[Key, ...]) -> int:
        """The line of a value, counted from 1."""
        return line_of(self.text, path)

    def about(self, stacks: Collection[str], names: Collection[str]) -> tuple[StackQuestion, ...]:
        """The questions about some stacks and of some names; no names stand for all.

        Raises
        ------
        RequestError
            There is no such stack or question in the file, or none of both.
        """
        for chosen, known in ((stacks, {each.stack for each in self.questions}), (names, {each.name for each in self.questions})):
            for name in chosen:
                if name not in known:
                    raise RequestError(f"{self.file} has no {name!r}; it has {', '.join(sorted(known))}")
        found = tuple(
            each for each in self.questions if each.stack in (stacks or [each.stack]) and each.name in (names or [each.name])
        )
        if not found:
            raise RequestError(f"{self.file} has none of these questions about these stacks")
        return found


def read_expectations(file: Path) -> ExpectationFile:
    """Read a file of expectations; stacks that are files lie relative to it.

    Raises
    ------
    InputError
        It cannot be read, makes no sense, or asks nothing; the message names the file, the line and the problem.
    """
    try:
        octets = read_octets(file, SMALL)
    except OSError as problem:
        raise InputError(f"{file}: cannot be read: {problem.strerror}; 'timewait init' writes one") from None
    try:
        table = parse_toml(octets)
    except ValueError as problem:
        raise InputError(f"{file}: {problem}") from None
    text = octets.decode("utf-8-sig")
    return ExpectationFile(file, text, tuple(_Reader(file, text, table).questions()))


class _Reader:
    """A parsed file, read key by key; errors name the file and the line.

    Parameters
    ----------
    file : Path
        The file.
    text : str
        Its text.
    table : mapping
        Its content.
    """

    def __init__(self, file: Path, text: str, table: Mapping[str, Any]) -> None:
        self._file = file
        self._text = text
        self._table = table

    def questions(self) -> list[StackQuestion]:
        """Every question about every stack, in the order of the stacks."""
        self._known((), self._table, _FILE)
        shared = self._dict(("options",), self._table.get("options", {}))
        listed = self._table.get("question", [])
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise self._broken(("question",), "must be written [[question]], once for each question")
        if not listed:
            raise InputError(f"{self._file}: asks nothing; add a [[question]]")
        names = [self._name(number, entry) for number, entry in enumerate(listed)]
        for number, name in enumerate(names):
            if names.index(name) != number:
                raise self._broken(("question", number), f"a second question is called {name!r}")
        questions = [
            question
            for number, entry in enumerate(listed)
            for question in self._of(("question", number), names[number], {**shared}, entry)
        ]
        self._tell_apart(questions)
        order = list(dict.fromkeys(question.stack for question in questions))
        return sorted(questions, key=lambda question: order.index(question.stack))

    def _broken(self, path: tuple[Key, ...], problem: str) -> InputError:
        try:
            where = f"line {line_of(self._text, path)}: "
        except KeyError:
            where = ""
        return InputError(f"{self._file}: {where}{visible(problem)}")

    def _known(self, path: tuple[Key, ...], table: Mapping[str, Any], known: Collection[str]) -> None:
        for key in table:
            if key not in known:
                raise self._broken((*path, key), f"{key} is not known here; {advice(key, known)}")

    def _dict(self, path: tuple[Key, ...], value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._broken(path, f"{path[-1]} must be a table, not {shown(value)}")
        return value

    def _name(self, number: int, entry: Mapping[str, Any]) -> str:
        name = entry.get("name", f"question {number + 1}")
        if not isinstance(name, str) or not name.strip() or unprintable(name):
            raise self._broken(("question", number, "name"), f"name must be a text that prints, not {shown(name)}")
        return " ".join(name.split())

    def _of(self, path: tuple[Key, ...], name: str, shared: dict[str, Any], entry: Mapping[str, Any]) -> Iterator[StackQuestion]:
        own = {key: value for key, value in entry.items() if key not in _QUESTION}
        for key in own:
            if key.replace("-", "_") in (other.replace("-", "_") for other in shared):
                shared = {other: value for other, value in shared.items() if other.replace("-", "_") != key.replace("-", "_")}
        arguments = [
            *(self._argument(("options", key), key, value) for key, value in shared.items()),
            *(self._argument((*path, key), key, value) for key, value in own.items()),
        ]
        verdicts = self._verdicts(path, entry)
        thresholds = tuple(self._thresholds(path, entry))
        of_all = entry["expect"] if isinstance(entry.get("expect"), str) else ""
        if not verdicts and not thresholds and not of_all:
            raise self._broken(path, f"{name} expects nothing; add expect or least_time_wait")
        for stack in self._stacks(path, entry):
            options = self._options(path, name, stack, [part for part in arguments if part], verdicts)
            if of_all:
                expected = tuple(ExpectedVerdict(each.name, VERDICTS[of_all], (*path, "expect")) for each in options.asked())
                options = replace(options, properties=tuple(each.name for each in expected))
            else:
                expected = verdicts
            yield StackQuestion(options.stack.name, name, options, expected, thresholds)

    def _stacks(self, path: tuple[Key, ...], entry: Mapping[str, Any]) -> list[str]:
        place = (*path, "stacks") if "stacks" in entry else ("stacks",)
        stated = entry.get("stacks", self._table.get("stacks"))
        if stated is None:
            raise InputError(f'{self._file}: names no stack; add stacks = ["NAME or FILE.toml"] as the first line')
        if not isinstance(stated, list) or not stated or not all(isinstance(stack, str) and stack for stack in stated):
            raise self._broken(place, f"stacks must be a list of names and files, not {shown(stated)}")
        return [str(self._file.parent / stack) if "/" in stack or stack.endswith(".toml") else stack for stack in stated]

    def _argument(self, path: tuple[Key, ...], key: str, value: object) -> str:
        """An option of ``check``, as a command line has it; empty for a switch that is off."""
        name = f"--{key.replace('_', '-')}"
        options = {option: each for each in _ask.params for option in each.opts}
        taken = [option.removeprefix("--") for option in options if option.removeprefix("--") not in NOT_HERE]
        if name.removeprefix("--") not in taken or not re.fullmatch("[a-z0-9_-]+", key):
            known = (*_QUESTION, *taken) if path[0] == "question" else taken
            others = advice(key, known, "'timewait check --help' lists them")
            raise self._broken(path, f"{key} is no option of 'timewait check'; {others}")
        option = options[name]
        assert isinstance(option, click.Option)
        if isinstance(value, bool):
            if not option.is_flag:
                raise self._broken(path, f"{key} takes a value, not {str(value).lower()}")
            off = option.secondary_opts[0] if option.secondary_opts else ""
            return name if value else off
        if option.is_flag:
            raise self._broken(path, f"{key} must be true or false, not {shown(value)}")
        if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
            return f"{name}={','.join(map(str, value))}"
        if not isinstance(value, str | int | float):
            raise self._broken(path, f"{key} must be a text, a number or a list of them, not {shown(value)}")
        return f"{name}={value}"

    def _options(
        self, path: tuple[Key, ...], name: str, stack: str, arguments: list[str], verdicts: tuple[ExpectedVerdict, ...]
    ) -> Options:
        """The question that the arguments state, checked; no engine is asked."""
        asked = [f"--property={each.name}" for each in verdicts]
        try:
            options = _ask.main([f"--stack={stack}", *arguments, *asked], standalone_mode=False)
            assert isinstance(options, Options)
            (options.of_stack() or options).configuration()
        except click.ClickException as problem:
            raise self._broken(path, f"{name}: {problem.format_message()}") from None
        except (InputError, RequestError) as problem:
            raise self._broken(path, f"{name}: {problem}") from None
        return options

    def _verdicts(self, path: tuple[Key, ...], entry: Mapping[str, Any]) -> tuple[ExpectedVerdict, ...]:
        stated, place = entry.get("expect", {}), (*path, "expect")
        if isinstance(stated, str) and stated in VERDICTS:
            return ()
        if not isinstance(stated, dict) or ("expect" in entry and not stated):
            raise self._broken(place, f"expect must be a table of properties, or {' or '.join(VERDICTS)}, not {shown(stated)}")
        self._known(place, stated, PROPERTIES)
        for name, word in stated.items():
            if not isinstance(word, str) or word not in VERDICTS:
                raise self._broken((*place, name), f"{name} must be {' or '.join(VERDICTS)}, not {shown(word)}")
        return tuple(ExpectedVerdict(name, VERDICTS[word], (*place, name)) for name, word in stated.items())

    def _thresholds(self, path: tuple[Key, ...], entry: Mapping[str, Any]) -> Iterator[ExpectedThreshold]:
        if "least_time_wait" not in entry:
            return
        stated, place = entry["least_time_wait"], (*path, "least_time_wait")
        if not isinstance(stated, dict):
            yield ExpectedThreshold(SAFE, self._least(place, stated), place)
            return
        self._known(place, stated, PROPERTIES)
        if not stated:
            raise self._broken(place, "least_time_wait names no property")
        for name, value in stated.items():
            yield ExpectedThreshold((name,), self._least((*place, name), value), (*place, name))

    def _least(self, path: tuple[Key, ...], value: object) -> Fraction | None:
        if value == NO_TIME_WAIT:
            return None
        try:
            if not isinstance(value, str):
                raise ValueError(f'must be a length of time in quotes, such as "60s", or "none", not {shown(value)}')
            return parse_duration(value)
        except ValueError as problem:
            raise self._broken(path, f"least_time_wait: {problem}") from None

    def _tell_apart(self, questions: list[StackQuestion]) -> None:
        twice = [key for key, count in Counter((each.stack, each.name) for each in questions).items() if count > 1]
        if twice:
            raise InputError(
                f"{self._file}: {twice[0][1]} names the stack {twice[0][0]} twice; each stack needs a name of its own"
            )


@click.command("check", add_help_option=False)
@question_options(closers="both", engines=[*Engine], stacks="both", schedules=True, notes=False)
def _ask(options: Options, as_json: bool) -> Options:
    """The options of ``timewait check``, read and returned."""
    del as_json
    return options
