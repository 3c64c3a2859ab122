"""The command ``ci``: decides the questions of a file, and compares each answer with the expected one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from timewait.api import check, threshold
from timewait.blame import BlamedValue, blamed
from timewait.checker.finding import Budget
from timewait.checker.threshold import InconclusiveAnswer, Threshold
from timewait.checker.verdict import Verdict, worst, worst_exit
from timewait.cli.blamed_line import location_of_value, with_blame
from timewait.cli.console import STYLES, Screen
from timewait.cli.expectation_update import DecidedCase, least_as_expected, verdict_as_expected, write_found
from timewait.cli.expectations import ExpectationFile, ExpectedThreshold, StackQuestion, read_expectations
from timewait.cli.files import ensure_writable
from timewait.cli.reports import Reports, report_options
from timewait.cli.session import budget_of
from timewait.cli.value_types import FilePath
from timewait.formats.case import CaseStatus, ReportedCase, ReportedProperty, ReportedSuite, case_of_answer, same_run
from timewait.formats.source_locations import users_location
from timewait.narration.prose import counted
from timewait.options import Options
from timewait.spec.assemble import assumptions
from timewait.spec.duration import format_duration
from timewait.spec.plain_data import verdict_parameters

FILE = "timewait.toml"
"""The file that is read unless another one is named."""

LEAST = "least_time_wait"
"""The subject of a case about the least safe TIME_WAIT."""


@dataclass(frozen=True)
class Session:
    """What the questions of a run share: the file, the bounds of an exploration, the screen, and whether the file is updated."""

    file: ExpectationFile
    budget: Budget
    screen: Screen
    update: bool = False

    def bounds(self, options: Options) -> Budget:
        """The bounds on the exploration of one question."""
        return replace(options.budget(), listener=self.budget.listener, interrupted=self.budget.interrupted)


@click.command("ci")
@click.argument("file", type=FilePath(dir_okay=False), default=FILE)
@click.option("--stack", "stacks", multiple=True, help="Only the questions about this stack; may be repeated.")
@click.option("--question", "names", multiple=True, help="Only the question of this name; may be repeated.")
@click.option("--update", is_flag=True, help="Write the verdicts that are found into FILE, in the place of the expected ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@report_options
def ci_command(file: Path, stacks: tuple[str, ...], names: tuple[str, ...], update: bool, as_json: bool, reports: Reports) -> int:
    """Decide the questions of FILE (timewait.toml); exits 0 if every verdict is the expected one, before --update."""
    if update:
        ensure_writable(file)
    screen = Screen()
    expectations = read_expectations(file)
    questions = expectations.about(stacks, names)
    for assumption in dict.fromkeys(
        note for each in questions for note in assumptions(each.options.stack, each.options.overrides)
    ):
        screen.remark(assumption)
    session = Session(expectations, budget_of(questions[0].options, screen), screen, update)
    session = replace(session, budget=replace(session.budget, listener=reports.listening(session.budget.listener)))
    reports.start("ci", [f"{question.stack}: {question.name}" for question in questions], {"file": str(file)})
    cases: list[DecidedCase] = []
    for _, about in groupby(questions, key=lambda question: question.stack):
        for suite, decided in _suites(session, list(about), as_json):
            reports.decided(suite)
            cases += decided
    changes = write_found(expectations, cases) if update else []
    found = [each.case for each in cases]
    verdict, code = worst(map(exit_verdict, found)), worst_exit(exit_verdict(case).exit_code for case in found)
    passed = sum(case.status is CaseStatus.PASSED for case in found)
    if as_json:
        listed = [_data(each.question, each.case) for each in cases]
        screen.as_json({"verdict": str(verdict), "file": str(file), "as_expected": passed, "cases": listed})
    else:
        screen.line(f"{passed} of {counted(len(found), 'answer')} as expected")
    for change in changes:
        screen.note(f"changed {change}")
    reports.finish("timewait ci", f"{passed} of {len(found)} as expected: {file}", verdict, code, screen)
    return code


def exit_verdict(case: ReportedCase) -> Verdict:
    """Proved if the verdict is the expected one; a proof in the place of a violation counts as a violation."""
    if case.status is CaseStatus.PASSED:
        return Verdict.PROVED
    return max(case.verdict, Verdict.INCONCLUSIVE) if case.verdict is not Verdict.PROVED else Verdict.VIOLATED


def _suites(
    session: Session, questions: Sequence[StackQuestion], silent: bool
) -> Iterator[tuple[ReportedSuite, list[DecidedCase]]]:
    """The suite of one stack, decided question by question."""
    decided: list[DecidedCase] = []
    properties: list[tuple[str, str]] = []
    for question in questions:
        session.screen.progress_note(f"{question.stack}: {question.name}")
        parameters = verdict_parameters((question.options.of_stack() or question.options).configuration())
        properties.append((question.name, json.dumps(parameters)))
        for each in _cases(session, question):
            if not silent:
                show(each.case, [earlier.case for earlier in decided], session.screen)
            decided.append(each)
    yield ReportedSuite(questions[0].stack, tuple(properties), tuple(each.case for each in decided)), decided


def show(case: ReportedCase, earlier: Sequence[ReportedCase], screen: Screen) -> None:
    """One line for an expected verdict; for another one its reason, the line to look at, and its run unless that was shown."""
    passed = case.status is CaseStatus.PASSED
    expected = "as expected" if passed else f"expected {case.expected}"
    style = STYLES[Verdict.PROVED if passed else max(case.verdict, Verdict.INCONCLUSIVE)]
    screen.line(f"{case.label}   {str(case.verdict).upper()}, {expected}   {case.seconds:.2f} s", style)
    if passed:
        return
    if case.location is not None:
        screen.line(f"  {case.location.path}:{case.location.line}: {case.advice}")
    if case.detail:
        screen.line(f"  {case.detail}")
    shown = same_run(case, [each for each in earlier if each.status is not CaseStatus.PASSED])
    if shown is not None:
        screen.line(f"  the same run as for {shown.label}")
    elif case.trace is not None:
        screen.trace(case.trace)


def _cases(session: Session, question: StackQuestion) -> Iterator[DecidedCase]:
    """The cases of one question: its properties, then its thresholds."""
    if question.verdicts:
        answers = check(question.options, budget=session.bounds(question.options)).answers
        for expected, answer in zip(question.verdicts, answers, strict=True):
            case = case_of_answer(answer)
            label = f"{question.stack}: {question.name}: {case.subject.name}"
            case = replace(case, label=label, expected=expected.verdict)
            wished = _verdict_is(session, case.subject.name, expected.verdict)
            explained = _explained(session, question, case, expected.path, wished)
            yield DecidedCase(question, explained, expected.path, verdict_as_expected(case.verdict))
    for least in question.thresholds:
        yield _threshold_case(session, question, least)


def _verdict_is(session: Session, name: str, wished: Verdict) -> Callable[[Options], bool]:
    def holds(options: Options) -> bool:
        asked = replace(options, properties=(name,))
        return check(asked, budget=session.bounds(asked)).verdict is wished

    return holds


def _threshold_case(session: Session, question: StackQuestion, expected: ExpectedThreshold) -> DecidedCase:
    options = replace(question.options, properties=expected.properties)
    names = " and ".join(expected.properties)
    place = users_location(session.file.file, session.file.line(expected.path))  # code scanning refuses results without one
    subject = ReportedProperty(LEAST, f"the least TIME_WAIT that is safe for {names}", "RFC 9293 3.6.1 MUST-13", place)
    label = f"{question.stack}: {question.name}: the least TIME_WAIT for {names}"
    asked = options.override(time_wait=Fraction(0))  # so that no TIME_WAIT of the profile is to blame
    verdict, detail, seconds = Verdict.PROVED, "", 0.0
    try:
        found = threshold(asked, budget=session.bounds(asked)).found
    except InconclusiveAnswer as problem:
        verdict, detail = worst(answer.verdict for answer in problem.answers), str(problem)
        case = ReportedCase(subject, label, max(verdict, Verdict.INCONCLUSIVE), Verdict.PROVED, "", seconds, detail)
        return DecidedCase(question, _explained(session, question, case, expected.path, lambda _: False), expected.path, "")
    answers = (*found.answers, *found.answers_below)
    verdict = Verdict.PROVED if found.minimum == expected.least else Verdict.VIOLATED
    trace = next((answer.trace for answer in found.answers_below if answer.trace is not None), None)
    trace = trace if verdict is Verdict.VIOLATED else None
    engine = "; ".join(dict.fromkeys(answer.finding.engine for answer in answers))
    seconds = sum(answer.finding.seconds for answer in answers)
    detail = f"{_in_words(found.minimum)} is the least, expected {_in_words(expected.least)}"
    case = ReportedCase(subject, label, verdict, Verdict.PROVED, engine, seconds, detail, trace)
    if verdict is Verdict.PROVED and (shorter := _too_short(question, expected, case, found)) is not None:
        return DecidedCase(question, shorter, expected.path, "")

    def holds(changed: Options) -> bool:
        try:
            return threshold(changed, budget=session.bounds(changed)).found.minimum == expected.least
        except InconclusiveAnswer:
            return False

    explained = _explained(session, replace(question, options=asked), case, expected.path, holds, monotone=False)
    return DecidedCase(question, explained, expected.path, least_as_expected(found.minimum))


def _too_short(question: StackQuestion, expected: ExpectedThreshold, case: ReportedCase, found: Threshold) -> ReportedCase | None:
    """The case as a violation where TIME_WAIT is below the least safe one, and the question expects no verdict about that.

    None where TIME_WAIT is long enough, where none is, and where `expect` names one of the properties.
    """
    time_wait = question.options.configuration().time_wait
    stated = {each.name for each in question.verdicts} & {*expected.properties}
    if found.minimum is None or time_wait >= found.minimum or stated:
        return None
    now, least = format_duration(time_wait), format_duration(found.minimum)
    trace = next((answer.trace for answer in found.answers_below if answer.trace is not None), None)
    detail = f"{least} is the least, as expected, but TIME_WAIT is {now}; to accept that, state in expect what is violated"
    location = location_of_value(question.options.stack, "time_wait")
    return replace(
        case,
        verdict=Verdict.VIOLATED,
        detail=detail,
        trace=trace,
        location=location,
        advice=f"time_wait = {now}; the least that is safe is {least}" if location else "",
    )


def _in_words(least: Fraction | None) -> str:
    return "no TIME_WAIT" if least is None else format_duration(least)


def _explained(
    session: Session,
    question: StackQuestion,
    case: ReportedCase,
    path: tuple[str | int, ...],
    holds: Callable[[Options], bool],
    monotone: bool = True,
) -> ReportedCase:
    """The case with the line on which it depends: that of a value of the profile, else that of the expectation."""
    if case.status is CaseStatus.PASSED or session.update:
        return case
    ways: tuple[tuple[BlamedValue, ...], ...] = ()
    if case.status is CaseStatus.FAILED and question.options.stack.file and not session.budget.interrupted():
        session.screen.progress_note(f"{case.label}: which value of the profile is to blame")
        ways = blamed(question.options, lambda options: not session.budget.interrupted() and holds(options), monotone)
    if ways and location_of_value(question.options.stack, ways[0][0].setting) is not None:
        return with_blame(case, question.options.stack, ways, str(case.expected))
    line = session.file.line(path)
    return replace(case, location=users_location(session.file.file, line), advice="the expected verdict is stated here")


def _data(question: StackQuestion, case: ReportedCase) -> dict[str, Any]:
    place = case.location
    return {
        "stack": question.stack,
        "question": question.name,
        "property": case.subject.name,
        "verdict": str(case.verdict),
        "expected": str(case.expected),
        "as_expected": case.status is CaseStatus.PASSED,
        "engine": case.engine,
        "seconds": round(case.seconds, 3),
        "reason": case.detail,
        "location": None if place is None else {"file": place.path, "line": place.line, "advice": case.advice},
        "trace": None if case.trace is None else case.trace.as_json(),
    }
