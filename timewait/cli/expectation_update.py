"""The file of expectations with the verdicts that were found in the place of those that were expected."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.verdict import Verdict
from timewait.cli.expectations import NO_TIME_WAIT, VERDICTS, ExpectationFile, StackQuestion
from timewait.cli.files import write_whole
from timewait.formats.case import CaseStatus, ReportedCase
from timewait.formats.toml_lines import Key, with_text
from timewait.spec.duration import format_duration, parse_duration
from timewait.vocabulary.errors import InputError


class DecidedCase(NamedTuple):
    """A decided case: its question, its answer, the way to its expectation in the file, and the value that would be right.

    The value is empty where there is none: the answer is missing, or a length has no finite decimal form.
    """

    question: StackQuestion
    case: ReportedCase
    path: tuple[Key, ...]
    found: str


def verdict_as_expected(verdict: Verdict) -> str:
    """A verdict as the file states it; empty for one that it cannot expect."""
    return str(verdict) if str(verdict) in VERDICTS else ""


def least_as_expected(least: Fraction | None) -> str:
    """A least safe TIME_WAIT as the file states it; empty for one that has no finite decimal form."""
    text = NO_TIME_WAIT if least is None else format_duration(least)
    return text if least is None or parse_duration(text) == least else ""


def write_found(file: ExpectationFile, cases: Iterable[DecidedCase]) -> list[str]:
    """Write the values that were found into the file, whole or not at all; comments stay.

    Parameters
    ----------
    file : ExpectationFile
        The file, as it was read.
    cases : iterable of DecidedCase
        The decided cases; those without a value are left as they are.

    Returns
    -------
    list of str
        Each change in a line, at its line of the file; empty where nothing is to change, and then nothing is written.

    Raises
    ------
    InputError
        One expectation has two answers, for several stacks or properties, or cannot be replaced; nothing is written.
    click.UsageError
        The file cannot be written.
    """
    text, changes = file.text, []
    for path, of_path in _by_path(cases).items():
        if all(each.case.status is CaseStatus.PASSED or not each.found for each in of_path):
            continue
        line = file.line(path)
        found = {each.found for each in of_path}
        if len(found) > 1:
            answers = ", ".join(f"{each.case.label}: {each.found or each.case.verdict}" for each in of_path)
            raise InputError(
                f"{file.file}: line {line}: one expectation has several answers ({answers}); state one for each stack and"
                " property; nothing was written"
            )
        (value,) = found
        try:
            text = with_text(text, path, value)
        except KeyError:
            raise InputError(
                f"{file.file}: line {line}: cannot be replaced; write {value} yourself; nothing was written"
            ) from None
        changes.append(f"{file.file}:{line}: {of_path[0].case.label} = {value}")
    if changes:
        write_whole(file.file, text)
    return changes


def _by_path(cases: Iterable[DecidedCase]) -> dict[tuple[Key, ...], list[DecidedCase]]:
    found: dict[tuple[Key, ...], list[DecidedCase]] = {}
    for each in cases:
        found.setdefault(each.path, []).append(each)
    return found
