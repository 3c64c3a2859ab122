"""Reports of a command: SARIF, JUnit XML, GitHub's annotations and step summary, and events as lines of JSON.

A command with `report_options` gets a `Reports` and calls it at each stage. Events are written at once, the other files at
the end. An event is an object with its kind under ``event`` (``start``, ``progress``, ``verdict`` or ``end``) and the time
since the start under ``seconds``.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import click

from timewait import __version__
from timewait.checker.decide import Answer
from timewait.checker.finding import Listener, Progress
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.files import ensure_writable, write_whole
from timewait.cli.value_types import Command, FilePath
from timewait.formats import github, junit, sarif
from timewait.formats.case import ReportedCase, ReportedProperty, ReportedSuite, case_of_answer
from timewait.formats.source_locations import SourceLocation, source_path, users_location
from timewait.proofs import claims
from timewait.proofs.evidence import Evidence
from timewait.proofs.suite import ClaimResult

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable with the file to which GitHub wants a step summary appended."""

_FILE = FilePath(dir_okay=False)
_OPTIONS = (
    click.option("--sarif", type=_FILE, help="Write the answers as SARIF 2.1.0."),
    click.option("--junit", type=_FILE, help="Write the answers as JUnit XML."),
    click.option("--github", is_flag=True, help="Print GitHub annotations, and add to the step summary."),
    click.option("--events", type=_FILE, help="Write events as lines of JSON, each at once."),
)


@dataclass
class Reports:
    """The reports requested from a command; none by default.

    Attributes
    ----------
    sarif, junit, events : Path or None
        The files to write.
    github : bool
        Whether to print annotations and write a step summary.
    """

    sarif: Path | None = None
    junit: Path | None = None
    github: bool = False
    events: Path | None = None
    _suites: list[ReportedSuite] = field(default_factory=list)
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.monotonic)
    _stream: IO[str] | None = None

    def __enter__(self) -> Reports:
        """Check that every file can be written before the command starts to work.

        Raises
        ------
        click.UsageError
            A file cannot be written.
        """
        for path in filter(None, (self.sarif, self.junit)):
            ensure_writable(path)
        if self.events is not None:
            try:
                self._stream = self.events.open("w", encoding="utf-8")
            except OSError as problem:
                raise click.UsageError(f"cannot write {self.events}: {problem.strerror}") from problem
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trail: TracebackType | None) -> None:
        """Write the last event, also after an error or an interrupt."""
        if problem is not None:
            interrupted = isinstance(problem, (KeyboardInterrupt, click.Abort))
            code = Verdict.INCONCLUSIVE.exit_code if interrupted else getattr(problem, "exit_code", 1)
            with suppress(click.UsageError):  # the first problem is the one to report
                self._event("end", verdict="interrupted" if interrupted else f"error: {problem}", exit_code=code)
        if self._stream is not None:
            self._stream.close()

    def start(self, command: str, asked: Sequence[str], parameters: dict[str, Any]) -> None:
        """Report the start of a command: the properties or claims to decide, and its parameters."""
        self._event("start", command=command, asked=list(asked), parameters=parameters)

    def listening(self, also: Listener) -> Listener:
        """A listener that reports progress and forwards it to another one."""

        def listen(progress: Progress) -> None:
            self._event(
                "progress",
                states=progress.states,
                depth=progress.depth,
                states_a_second=round(progress.rate),
                megabytes=round(progress.megabytes),
            )
            also(progress)

        return listen

    def decided(self, suite: ReportedSuite) -> None:
        """Report decided cases."""
        self._suites.append(suite)
        for case in suite.cases:
            self._event(
                "verdict",
                asked=case.subject.name,
                label=case.label,
                verdict=str(case.verdict),
                expected=str(case.expected),
                standing=str(case.status),
                engine=case.engine,
                took=round(case.seconds, 3),
                reason=case.detail,
                steps=None if case.trace is None else len(case.trace.steps),
                **({} if case.location is None else {"file": case.location.path, "line": case.location.line}),
            )

    def finish(self, title: str, about: str, verdict: Verdict, exit_code: int, screen: Screen) -> None:
        """Write the files, the annotations and the step summary.

        Raises
        ------
        click.UsageError
            A file cannot be written.
        """
        cases = [case for suite in self._suites for case in suite.cases]
        if self.sarif is not None:
            write_whole(self.sarif, sarif.as_sarif(cases, __version__, exit_code))
        if self.junit is not None:
            write_whole(self.junit, junit.as_junit(self._suites, self._started))
        if self.github:
            for line in github.workflow_commands(cases):
                screen.raw(line)
            _append_summary(github.summary(title, about, str(verdict), cases), screen)
        self._event("end", verdict=str(verdict), exit_code=exit_code)

    def _event(self, kind: str, **facts: Any) -> None:
        if self._stream is not None:
            event = {"event": kind, "seconds": round(time.monotonic() - self._clock, 3), **facts}
            try:
                self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
                self._stream.flush()
            except OSError as problem:
                stream, self._stream = self._stream, None
                with suppress(OSError):  # it still holds the event
                    stream.close()
                raise click.UsageError(f"cannot write {self.events}: {problem.strerror}") from problem


def report_options(command: Command) -> Command:
    """Add the report options to a command, which gets a `Reports` as ``reports``.

    ``--github`` excludes ``--json``: GitHub reads annotations from standard output, where ``--json`` promises one object.
    """

    @functools.wraps(command)
    def with_reports(
        *arguments: Any, sarif: Path | None, junit: Path | None, github: bool, events: Path | None, **options: Any
    ) -> Any:
        if github and (options.get("as_json") or options.get("as_json_")):
            raise click.UsageError("--github and --json exclude each other: both write to standard output")
        with Reports(sarif, junit, github, events) as reports:
            return command(*arguments, reports=reports, **options)

    wrapped: Any = with_reports
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # a command with more options


def suite_of_answers(name: str, answers: Sequence[Answer], parameters: dict[str, Any]) -> ReportedSuite:
    """The answers of a check with its parameters."""
    properties = tuple((key, json.dumps(value)) for key, value in parameters.items())
    return ReportedSuite(name, properties, tuple(map(case_of_answer, answers)))


def suite_of_claim(result: ClaimResult) -> ReportedSuite:
    """A decided claim; without evidence it is vacuous."""
    claim = claims.CLAIMS[result.name]
    line = claim.gather.__code__.co_firstlineno
    location = SourceLocation(source_path(claim.gather.__module__), line)
    if claim.file is not None:
        location = users_location(claim.file, line)
    subject = ReportedProperty(claim.name, claim.statement, claim.section, location)
    cases = tuple(_case_of_evidence(subject, piece) for piece in result.pieces)
    if not cases:
        label = f"{claim.name}: evidence"
        cases = (ReportedCase(subject, label, Verdict.VACUOUS, claim.expected, "", 0.0, "there is none"),)
    return ReportedSuite(claim.name, (("statement", claim.statement), ("expected", str(claim.expected))), cases)


def _case_of_evidence(subject: ReportedProperty, piece: Evidence) -> ReportedCase:
    label = f"{subject.name}: {piece.label}"
    return ReportedCase(subject, label, piece.verdict, piece.expected, piece.engine, piece.seconds, piece.detail, piece.trace)


def _append_summary(text: str, screen: Screen) -> None:
    target = os.environ.get(SUMMARY)
    if not target:
        screen.note(f"{SUMMARY} is not set: no step summary was written")
        return
    try:
        with Path(target).open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
    except OSError as problem:
        raise click.UsageError(f"cannot write {target}: {problem.strerror}") from problem
