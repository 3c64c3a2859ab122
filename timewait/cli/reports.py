"""Reports beside the answer: SARIF, JUnit XML, GitHub's annotations and step summary, and events as lines of JSON.

A command takes ``reports`` (see `report_options`) and tells it what happens; `Reports` passes it on to whatever was asked
for. Files are written when all is decided, but for events, of which each line is written at once.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

import click

from timewait import __version__
from timewait.checker.decide import Answer
from timewait.checker.finding import Listener, Progress
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.files import ensure_writable, write_whole
from timewait.formats import events, github, junit, sarif
from timewait.formats.case import ReportedCase, ReportedProperty, case_of_answer
from timewait.formats.junit import Suite
from timewait.formats.source_locations import SourceLocation, source_path
from timewait.proofs.claim import Evidence
from timewait.proofs.claims import CLAIMS
from timewait.proofs.suite import ClaimResult

Command = TypeVar("Command", bound=Callable[..., Any])

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable by which GitHub says where the summary of a step goes."""

_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option("--sarif", type=_FILE, help="Write the answers as SARIF 2.1.0."),
    click.option("--junit", type=_FILE, help="Write the answers as JUnit XML."),
    click.option("--github", is_flag=True, help="Print GitHub annotations, and add to the step summary."),
    click.option("--events", type=_FILE, help="Write what happens as lines of JSON, each at once."),
)


@dataclass
class Reports:
    """Whatever was asked for beside the answer; nothing by default.

    Attributes
    ----------
    sarif, junit, events : Path or None
        Where to write.
    github : bool
        Whether GitHub is told.
    """

    sarif: Path | None = None
    junit: Path | None = None
    github: bool = False
    events: Path | None = None
    _suites: list[Suite] = field(default_factory=list)
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.monotonic)
    _stream: IO[str] | None = None

    def __enter__(self) -> Reports:
        """Whatever can be written is looked at before the work begins.

        Raises
        ------
        click.UsageError
            Something cannot be written where it was asked for.
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
        """The events end, whatever happened."""
        if problem is not None:
            stopped = isinstance(problem, (KeyboardInterrupt, click.Abort))
            code = Verdict.INCONCLUSIVE.exit_code if stopped else getattr(problem, "exit_code", 1)
            self._tell(events.end(self._elapsed, "interrupted" if stopped else f"error: {problem}", code))
        if self._stream is not None:
            self._stream.close()

    def start(self, command: str, asked: Sequence[str], parameters: dict[str, Any]) -> None:
        """A command begins."""
        self._tell(events.start(command, list(asked), parameters))

    def listening(self, also: Listener) -> Listener:
        """A listener that writes progress down and passes it on to another one."""

        def listen(progress: Progress) -> None:
            self._tell(events.progress(self._elapsed, progress))
            also(progress)

        return listen

    def decided(self, suite: Suite) -> None:
        """Some questions were decided."""
        self._suites.append(suite)
        for case in suite.cases:
            self._tell(events.verdict(self._elapsed, case))

    def finish(self, title: str, about: str, verdict: Verdict, exit_code: int, screen: Screen) -> None:
        """All is decided: write the files, and tell GitHub.

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
            _summarise(github.summary(title, about, str(verdict), cases), screen)
        self._tell(events.end(self._elapsed, str(verdict), exit_code))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._clock

    def _tell(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(line)
            self._stream.flush()


def report_options(command: Command) -> Command:
    """Add the options that ask for reports; the command gets them as ``reports``.

    GitHub reads annotations from standard output, where ``--json`` promises one object and nothing else.
    """

    @functools.wraps(command)
    def packed(*arguments: Any, sarif: Path | None, junit: Path | None, github: bool, events: Path | None, **given: Any) -> Any:
        if github and (given.get("as_json") or given.get("as_json_")):
            raise click.UsageError("--github and --json exclude each other: both write to standard output")
        with Reports(sarif, junit, github, events) as reports:
            return command(*arguments, reports=reports, **given)

    wrapped: Any = packed
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # a command with more options


def suite_of_answers(name: str, answers: Sequence[Answer], about: dict[str, Any]) -> Suite:
    """The answers of a check; `about` says with what they were asked."""
    return Suite(name, tuple((key, json.dumps(value)) for key, value in about.items()), tuple(map(case_of_answer, answers)))


def suite_of_outcome(outcome: ClaimResult) -> Suite:
    """A decided claim; without any evidence it says nothing."""
    claim = CLAIMS[outcome.name]
    code = claim.gather.__code__
    place = SourceLocation(source_path(claim.gather.__module__), code.co_firstlineno)
    asked = ReportedProperty(claim.name, claim.statement, claim.section, place)
    cases = tuple(_case_of_evidence(asked, piece) for piece in outcome.pieces)
    nothing = ReportedCase(asked, f"{claim.name}: evidence", Verdict.VACUOUS, claim.expected, "", 0.0, "there is none")
    return Suite(claim.name, (("statement", claim.statement), ("expected", str(claim.expected))), cases or (nothing,))


def _case_of_evidence(asked: ReportedProperty, piece: Evidence) -> ReportedCase:
    label = f"{asked.name}: {piece.label}"
    return ReportedCase(asked, label, piece.verdict, piece.expected, piece.engine, piece.seconds, piece.detail, piece.trace)


def _summarise(text: str, screen: Screen) -> None:
    target = os.environ.get(SUMMARY)
    if not target:
        screen.note(f"{SUMMARY} is not set: no step summary was written")
        return
    try:
        with Path(target).open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
    except OSError as problem:
        raise click.UsageError(f"cannot write {target}: {problem.strerror}") from problem
