"""An answer in the words of its review page, which are those of the output in text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timewait.assumptions import Basis, effect_in_words, effects_in_words
from timewait.cli.command_line import in_words, with_changes, without
from timewait.cli.session import header_in_words, verdict_in_words
from timewait.diagrams import page
from timewait.narration.sentences import answer_facts
from timewait.options import Options
from timewait.results import CheckResult
from timewait.spec.configuration import Configuration
from timewait.spec.description import BASELINE, baseline, other_settings
from timewait.spec.stacks import load_stack


def answer_in_words(options: Options, result: CheckResult, basis: Basis, words: Sequence[str], asked: bool) -> page.AnswerInWords:
    """An answer for its review page.

    Parameters
    ----------
    options : Options
        The question.
    result : CheckResult
        Its answer.
    basis : Basis
        What the answer rests on.
    words : sequence of str
        The command line, without the name of the program; empty where there was none.
    asked : bool
        Whether engines were asked about other values.
    """
    return page.AnswerInWords(
        question=header_in_words(options, result.configuration),
        differs=_differs(result.configuration),
        verdict=verdict_in_words(options, result),
        asks_others="" if asked or not words else in_words([*without(words, (), ("--assumptions",)), "--assumptions"]),
        properties=[
            page.VerdictRow(answer.name, str(answer.verdict), answer_facts(answer), answer.reason) for answer in result.answers
        ],
        basis=[*_rows(basis)],
        others=[*_others(basis, words)] if words else [],
    )


def _differs(configuration: Configuration) -> str:
    """The settings that are not those of RFC 9293, as options."""
    found = other_settings(configuration, baseline())
    return f"Other than {load_stack(BASELINE).title}: {', '.join(found)}" if found else ""


def _rows(basis: Basis) -> Iterator[page.BasisRow]:
    """What an answer rests on: the assumptions, then what the model leaves out."""
    for entry in basis.assumptions:
        yield page.BasisRow(entry.name, entry.value, entry.source, effects_in_words(entry))
    for left_out in basis.abstractions:
        yield page.BasisRow(left_out.left_out, "left out", left_out.source, [left_out.otherwise])


def _others(basis: Basis, words: Sequence[str]) -> Iterator[page.OtherValue]:
    """The values with which a verdict is another, each with the command that asks about it."""
    for entry in basis.assumptions:
        for other in entry.otherwise:
            if other.changed:
                yield page.OtherValue(entry.name, entry.value, effect_in_words(other), with_changes(words, other.overrides))
