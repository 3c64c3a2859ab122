"""The output of ``explain`` for captures: the summary, the connections as rows or in full, and everything as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from timewait.captures.choosing import GROUPS
from timewait.captures.closes import CapturedCloses
from timewait.captures.facts import ObservedClose
from timewait.captures.overview import (
    HEADS,
    Overview,
    counts,
    facts_as_data,
    line,
    overview,
    reading_notes,
    row,
)
from timewait.captures.report import deviations, headline, known, profiles, summary, time_wait
from timewait.checker.trace import Trace
from timewait.cli.console import Screen
from timewait.narration.prose import counted
from timewait.narration.story import conclusion, story
from timewait.spec.stacks import Stack

MAX_PARAGRAPHS = 12
"""Connections up to which each gets paragraphs; more become a table."""

SCREEN = 25
"""Connections up to which a table shows all of them."""

MAX_ROWS = 12
"""Rows shown of a table that is longer, where nobody asked for it."""

MAX_DETAILED = 200
"""Connections up to which plain data hold the story of each."""


@dataclass(frozen=True)
class CaptureView:
    """The part of a capture that is shown.

    Attributes
    ----------
    file : str
        The name of the file.
    found : CapturedCloses
        All connections.
    indices : sequence of int
        The connections chosen, in order.
    narrowed : bool
        Whether they were chosen by options.
    asked : Fraction or None
        A TIME_WAIT to compare with the one needed, in seconds.
    steps : bool
        Whether steps are shown as a table, too.
    stacks : list of Stack
        The profiles to compare with.
    """

    file: str
    found: CapturedCloses
    indices: Sequence[int]
    narrowed: bool
    asked: Fraction | None
    steps: bool
    stacks: list[Stack] = field(default_factory=list)


# --- plain data -------------------------------------------------------------------------------------------------------


def as_data(view: CaptureView) -> dict[str, Any]:
    """The connections chosen as plain data, and an account of the file."""
    reader, detailed = view.found.reader, len(view.indices) <= MAX_DETAILED
    return {
        "kind": "capture",
        "frames": reader.frames,
        "segments": reader.segments,
        "left_out": dict(reader.left_out),
        "ends_early": reader.problem or None,
        "limit_hit": reader.limit_hit,
        "frames_out_of_order": reader.backwards,
        "frames_with_stray_times": reader.stray,
        "groups": {name: number for number, name, _ in overview(view.found.connections).lines()},
        "detailed": detailed,
        "connections": [_connection_data(view, index, detailed) for index in view.indices],
    }


def _connection_data(view: CaptureView, index: int, detailed: bool) -> dict[str, Any]:
    data = facts_as_data(index, view.found.connections[index])
    close = view.found.close(index) if detailed else None
    if close is None:
        return data
    return {
        **data,
        "summary": summary(close),
        "known": known(close),
        "time_wait": time_wait(close, view.stacks, view.asked),
        "profiles": profiles(close, view.stacks),
        **story_data(close.trace),
    }


def story_data(trace: Trace) -> dict[str, Any]:
    """A trace and its story as plain data."""
    lines = [
        {
            "time": float(line.time),
            "steps": list(line.numbers),
            "frames": list(line.frames),
            "text": line.text,
            "rule": line.why,
            "states": dict(line.meanings),
        }
        for line in story(trace)
    ]
    return {"story": lines, "moral": conclusion(trace), "trace": trace.as_json()}


def _closing(closing: int, connections: int) -> str:
    """How many of some connections close."""
    if connections == 1:
        return "which closes" if closing else "which does not close"
    return f"{f'{closing:,}' if closing else 'none'} of them closing"


# --- for people -------------------------------------------------------------------------------------------------------


def show(screen: Screen, view: CaptureView) -> None:
    """Print the summary, and the connections chosen."""
    found = view.found
    closing = sum(connection.closes for connection in found.traffic.connections)
    screen.line(
        f"{view.file}: {counted(found.reader.frames, 'frame')}, {counted(found.reader.segments, 'TCP segment')},"
        f" {counted(len(found.connections), 'connection')}, {_closing(closing, len(found.connections))}"
    )
    screen.paragraphs(reading_notes(found.reader))
    numbers = overview(found.connections) if len(found.connections) > 1 else Overview()
    if len(found.connections) > 1:
        _show_summary(screen, numbers)
    if len(view.indices) > MAX_PARAGRAPHS:
        _show_table(screen, view, numbers.look)
        return
    if not view.indices:
        screen.line("no connection is of the kind asked for")
    only = sum(found.traffic.connections[index].closes for index in view.indices) == 1
    for index in view.indices:
        close = found.close(index)
        if close is None:
            _show_unclosed(screen, view, index)
        else:
            _show_close(screen, view, index, close)
            if only:
                _show_steps(screen, view, close)
    if not only and view.indices:
        screen.line()
        screen.line(f"one in full: timewait explain {view.file} --connection {view.indices[0] + 1}")


def _show_summary(screen: Screen, numbers: Overview) -> None:
    lines = list(numbers.lines())
    width = max(len(f"{number:,}") for number, _, _ in lines)
    longest = max(len(name) for _, name, _ in lines)
    screen.line()
    for number, name, meaning in lines:
        screen.line(f"  {f'{number:,}':>{width}}  {name:<{longest}}  {meaning}")
    screen.line(f"  in all: {numbers.totals_in_words()}")


def _show_table(screen: Screen, view: CaptureView, looked: Sequence[int]) -> None:
    """The rows that were asked for; of a whole capture those that need a look, as far as a screen holds them."""
    connections, indices = view.found.connections, list(view.indices)
    hidden = 0
    if not view.narrowed and len(indices) > SCREEN:
        indices, hidden = list(looked[:MAX_ROWS]), max(len(looked) - MAX_ROWS, 0)
    screen.line()
    if indices:
        screen.table(HEADS, [row(index, connections[index]) for index in indices])
    if hidden:
        screen.line(f"{hidden:,} more need a look: --only look shows all of them")
    if not view.narrowed:
        screen.line(f"--only {','.join(list(GROUPS)[:2])},... lists connections, --sort {'duration'} orders them")
    screen.line(f"one in full: timewait explain {view.file} --connection {(indices or view.indices)[0] + 1}")


def _show_unclosed(screen: Screen, view: CaptureView, index: int) -> None:
    facts = view.found.connections[index]
    screen.line()
    screen.heading(line(index, facts))
    screen.paragraphs([*counts(facts), *(unknown.text for unknown in facts.unknowns)], indent=2)


def _show_close(screen: Screen, view: CaptureView, index: int, close: ObservedClose) -> None:
    screen.line()
    number = f"#{index + 1} " if len(view.found.connections) > 1 else ""
    screen.heading(f"{number}{headline(close)}")
    screen.paragraphs([summary(close)])
    _section(screen, "Counts", counts(close.facts))
    _section(screen, "What the capture shows", known(close))
    _section(screen, "TIME_WAIT needed", time_wait(close, view.stacks, view.asked))
    _section(screen, "Deviations from RFC 9293", deviations(close) or ["No deviation from RFC 9293."])


def _show_steps(screen: Screen, view: CaptureView, close: ObservedClose) -> None:
    _section(screen, "Step by step", [])
    screen.story(close.trace)
    if view.steps:
        screen.line()
        screen.trace(close.trace, lambda time: f"{float(time):.6f}")
    _section(screen, "Stack profiles that fit", profiles(close, view.stacks))


def _section(screen: Screen, title: str, lines: list[str]) -> None:
    screen.line()
    screen.heading(title)
    screen.paragraphs(lines, indent=2)
