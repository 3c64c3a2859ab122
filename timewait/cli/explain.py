"""``timewait explain``: a trace or a packet capture, explained in words."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes, socket_pair
from timewait.captures.observations import ObservedClose
from timewait.captures.reading import MAX_FRAMES, SegmentReader
from timewait.captures.report import deviations, headline, known, outcome, profiles, summary, time_wait
from timewait.checker import itf
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.options import DURATION
from timewait.narration.prose import counted, rounded
from timewait.narration.story import conclusion, story
from timewait.narration.trace_file import read_trace
from timewait.options import DEFAULT_STACK
from timewait.spec.stacks import Stack, load_stack, stack_names

MAX_PARAGRAPHS = 12
"""Connections up to which each gets a paragraph; more become a table."""

STANDARDS = ("rfc9293", "rfc9293-intended")
"""Profiles of the standard, not of a stack."""


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--connection", metavar="ADDRESS:PORT-ADDRESS:PORT", help="Captures: explain only this connection, in full.")
@click.option("--stack", help="The profile to assume where stacks differ. [default: rfc9293-intended]")
@click.option("--msl", type=DURATION, help="Maximum segment lifetime. [default: the stack's, else 30s]")
@click.option("--time-wait", type=DURATION, help="Captures: compare this TIME_WAIT with the one needed.")
@click.option("--steps", is_flag=True, help="Also show the steps as a table.")
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), help="Captures: write the close as ITF JSON."
)
@click.option(
    "--max-frames",
    type=click.IntRange(min=1),
    default=MAX_FRAMES,
    show_default=True,
    help="Captures: read at most this many frames.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain_command(
    file: Path,
    connection: str | None,
    stack: str | None,
    msl: Fraction | None,
    time_wait: Fraction | None,
    steps: bool,
    trace_file: Path | None,
    max_frames: int,
    as_json: bool,
) -> int:
    """Explain a trace (ITF JSON) or the closes in a packet capture (pcap, pcapng, also gzipped)."""
    screen = Screen()
    if itf.is_json(file):
        for name, value in (("connection", connection), ("time-wait", time_wait), ("trace", trace_file)):
            if value is not None:
                raise click.UsageError(f"--{name} is for packet captures, and {file} is a trace")
        _explain_trace(read_trace(file), steps, as_json, screen)
        return 0
    configuration = assumed_configuration(load_stack(stack or DEFAULT_STACK), msl, time_wait)
    found = read_closes(file, configuration, None if connection is None else socket_pair(connection), max_frames)
    if not found.traffic.connections:
        raise click.UsageError(f"no such connection in {file}; 'timewait explain {file}' lists those that close")
    if trace_file is not None:
        if len(found.closes) != 1:
            many = f"--trace writes one connection, and {len(found.closes)} close in {file}"
            raise click.UsageError(f"{many}; choose one with --connection {found.example}")
        write_whole(trace_file, itf.as_itf_text(found.closes[0].trace))
    stacks = [load_stack(name) for name in stack_names() if name not in STANDARDS]
    if found.reader.limit_hit:
        screen.note(f"stopped after {counted(max_frames, 'frame')}; --max-frames reads more")
    if as_json:
        screen.as_json({"kind": "capture", "connections": [_close_data(close, stacks, time_wait) for close in found.closes]})
    else:
        _print(screen, file, found, stacks, time_wait, steps)
    return 0 if found.closes else Verdict.VACUOUS.exit_code


def _explain_trace(trace: Trace, steps: bool, as_json: bool, screen: Screen) -> None:
    if as_json:
        screen.as_json({"kind": "trace", **_story_data(trace)})
        return
    screen.heading(f"{trace.shows}: {trace.statement}")
    if steps:
        screen.trace(trace)
        screen.line()
    screen.story(trace)


def _story_data(trace: Trace) -> dict[str, Any]:
    lines = [
        {
            "time": float(line.time),
            "steps": list(line.numbers),
            "text": line.text,
            "rule": line.why,
            "states": dict(line.meanings),
        }
        for line in story(trace)
    ]
    return {"story": lines, "moral": conclusion(trace), "trace": trace.as_json()}


def _close_data(observed: ObservedClose, stacks: list[Stack], asked: Fraction | None) -> dict[str, Any]:
    return {
        "A": str(observed.ends[0]),
        "B": str(observed.ends[1]),
        "outcome": outcome(observed),
        "summary": summary(observed),
        "known": known(observed),
        "time_wait": time_wait(observed, stacks, asked),
        "deviations": deviations(observed),
        "profiles": profiles(observed, stacks),
        **_story_data(observed.trace),
    }


def _print(screen: Screen, file: Path, found: CapturedCloses, stacks: list[Stack], asked: Fraction | None, steps: bool) -> None:
    traffic, observed = found.traffic, found.closes
    screen.line(
        f"{file}: {counted(found.reader.frames, 'frame')}, {counted(found.reader.segments, 'TCP segment')},"
        f" {counted(len(traffic.connections), 'connection')}, {len(observed) or 'none'} of them closing"
    )
    screen.paragraphs(_reading_notes(found.reader))
    if len(observed) > MAX_PARAGRAPHS:
        _print_table(screen, observed)
    else:
        for close in observed:
            _print_close(screen, close, stacks, asked)
    if len(observed) == 1:
        (only,) = observed
        _section(screen, "Step by step", [])
        screen.story(only.trace)
        if steps:
            screen.line()
            screen.trace(only.trace, lambda time: f"{float(time):.6f}")
        _section(screen, "Stack profiles that fit", profiles(only, stacks))
    elif observed:
        screen.line()
        screen.line(f"in full: timewait explain {file} --connection {observed[0].ends[0]}-{observed[0].ends[1]}")


def _reading_notes(reader: SegmentReader) -> list[str]:
    """What the capture holds beside the TCP segments that were read."""
    notes = []
    if reader.problem:
        notes.append(f"The file {reader.problem}. The frames before that place are explained.")
    if reader.left_out:
        kinds = ", ".join(f"{number:,} {reason}" for reason, number in reader.left_out.items())
        notes.append(f"{counted(reader.left_out.total(), 'frame')} left out, without a TCP segment that can be read: {kinds}.")
    return notes


def _print_close(screen: Screen, observed: ObservedClose, stacks: list[Stack], asked: Fraction | None) -> None:
    screen.line()
    screen.heading(headline(observed))
    screen.paragraphs([summary(observed)])
    _section(screen, "What the capture shows", known(observed))
    _section(screen, "TIME_WAIT needed", time_wait(observed, stacks, asked))
    _section(screen, "Deviations from RFC 9293", deviations(observed) or ["No deviation from RFC 9293."])


def _section(screen: Screen, title: str, lines: list[str]) -> None:
    screen.line()
    screen.heading(title)
    screen.paragraphs(lines, indent=2)


def _print_table(screen: Screen, observed: Sequence[ObservedClose]) -> None:
    rows = []
    for close in observed:
        lost = sum(copy.lost for step in close.trace.steps for copy in step.event.sent)
        needed = max((arrival.quiet for arrival in close.time_wait_arrivals), default=Fraction(0))
        rows.append(
            (
                str(close.ends[0]),
                str(close.ends[1]),
                outcome(close),
                str(lost),
                str(len(close.retransmissions)),
                rounded(needed) if needed else "none",
                str(len(deviations(close))),
            )
        )
    screen.line()
    screen.table(("A", "B", "outcome", "lost", "retransmitted", "TIME_WAIT needed", "deviations"), rows)
