"""The progress of a command as lines of JSON: ``start``, ``progress``, ``verdict``, ``end``.

Each line is one object; ``event`` is the kind of event and ``seconds`` the time since the start.
"""

from __future__ import annotations

import json
from typing import Any

from timewait.checker.finding import Progress
from timewait.formats.case import ReportedCase


def line(kind: str, seconds: float, **facts: Any) -> str:
    """An event as a line."""
    return json.dumps({"event": kind, "seconds": round(seconds, 3), **facts}, ensure_ascii=False) + "\n"


def start(command: str, asked: list[str], parameters: dict[str, Any]) -> str:
    """The start of a command: the properties or claims to decide, and its parameters."""
    return line("start", 0.0, command=command, asked=asked, parameters=parameters)


def progress(seconds: float, reached: Progress) -> str:
    """The progress of an exploration."""
    return line(
        "progress",
        seconds,
        states=reached.states,
        depth=reached.depth,
        states_a_second=round(reached.rate),
        megabytes=round(reached.megabytes),
    )


def verdict(seconds: float, case: ReportedCase) -> str:
    """A decided case."""
    return line(
        "verdict",
        seconds,
        asked=case.subject.name,
        label=case.label,
        verdict=str(case.verdict),
        expected=str(case.expected),
        standing=str(case.status),
        engine=case.engine,
        took=round(case.seconds, 3),
        reason=case.detail,
        steps=None if case.trace is None else len(case.trace.steps),
    )


def end(seconds: float, verdict: str, exit_code: int) -> str:
    """The end of a command: its verdict, ``interrupted``, or an error message."""
    return line("end", seconds, verdict=verdict, exit_code=exit_code)
