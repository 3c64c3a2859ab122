"""What happens while something is decided, as lines of JSON: ``start``, ``progress``, ``verdict``, ``end``.

Each line is one object with the kind of the event under ``event`` and the seconds since the start under ``seconds``.
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
    """A command begins: what it was asked, and with what."""
    return line("start", 0.0, command=command, asked=asked, parameters=parameters)


def progress(seconds: float, told: Progress) -> str:
    """An exploration goes on."""
    return line(
        "progress",
        seconds,
        states=told.states,
        depth=told.depth,
        states_a_second=round(told.rate),
        megabytes=round(told.megabytes),
    )


def verdict(seconds: float, case: ReportedCase) -> str:
    """A question was decided."""
    return line(
        "verdict",
        seconds,
        asked=case.asked.name,
        label=case.label,
        verdict=str(case.verdict),
        expected=str(case.expected),
        standing=str(case.standing),
        engine=case.engine,
        took=round(case.seconds, 3),
        reason=case.detail,
        steps=None if case.trace is None else len(case.trace.steps),
    )


def end(seconds: float, told: str, exit_code: int) -> str:
    """A command ends: with a verdict, or because it was interrupted or went wrong."""
    return line("end", seconds, verdict=told, exit_code=exit_code)
