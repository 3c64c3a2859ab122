"""``timewait explain``: a trace or a packet capture, explained in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from timewait.captures.capture_file import BrokenCapture
from timewait.captures.choosing import GROUPS, ORDERS, chosen, groups, matching
from timewait.captures.closes import CapturedCloses, assumed_configuration, closes_in, read_closes
from timewait.captures.reading import MAX_FRAMES, SegmentReader, opened
from timewait.checker import itf
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli.capture_output import CaptureView, as_data, show, story_data
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.live_capture import LiveCapture
from timewait.cli.picture_formats import PictureOptions, deliver, of_svg, of_trace, output_options
from timewait.cli.value_types import DURATION, FilePath, WordChoice
from timewait.diagrams.chart import WHOLE
from timewait.diagrams.sequence import sequence
from timewait.narration.trace_file import trace_of_stream
from timewait.spec.configuration import Configuration
from timewait.spec.stacks import DEFAULT_STACK, load_stack, stack_names
from timewait.vocabulary.output_files import CannotWrite

STANDARDS = ("rfc9293", "rfc9293-intended")
"""Profiles of the standard, not of a stack."""


@dataclass(frozen=True)
class CaptureOptions:
    """The options of ``explain`` for captures.

    Attributes
    ----------
    connection : str or None
        The connection chosen.
    only : str or None
        The groups chosen.
    sort : str
        The order.
    stack : str or None
        The profile to assume.
    msl, time_wait : Fraction or None
        Durations in seconds.
    trace : Path or None
        A file for the trace.
    max_frames : int
        Frames read at most.
    follow : bool
        Whether to wait for more.
    picture : PictureOptions
        The picture of a close.
    """

    connection: str | None
    only: str | None
    sort: str
    stack: str | None
    msl: Fraction | None
    time_wait: Fraction | None
    trace: Path | None
    max_frames: int
    follow: bool
    picture: PictureOptions

    def given(self) -> list[str]:
        """The names of the options given that make no sense for a trace."""
        values: dict[str, object] = {
            "connection": self.connection,
            "only": self.only,
            "time-wait": self.time_wait,
            "trace": self.trace,
        }
        return [name for name, value in values.items() if value is not None] + (["follow"] if self.follow else [])


@click.command("explain")
@click.argument("file", type=FilePath(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--connection",
    metavar="WHICH",
    help="Captures: only this connection: its number, frame:N, or A:PORT-B:PORT (with #2 for the second on the same ports).",
)
@click.option("--only", metavar="GROUP,...", help=f"Captures: only these connections: {', '.join(GROUPS)}.")
@click.option("--sort", type=WordChoice([*ORDERS]), default="time", show_default=True, help="Captures: the order of connections.")
@click.option("--follow", is_flag=True, help="Captures: wait for more, and explain each close when it comes.")
@click.option("--stack", help="The profile to assume where stacks differ. [default: rfc9293-intended]")
@click.option("--msl", type=DURATION, help="Maximum segment lifetime. [default: the stack's, else 30s]")
@click.option("--time-wait", type=DURATION, help="Captures: compare this TIME_WAIT with the one needed.")
@click.option("--steps", is_flag=True, help="Also show the steps as a table.")
@click.option("--trace", type=FilePath(dir_okay=False), help="Captures: write the close as ITF JSON.")
@click.option(
    "--max-frames",
    type=click.IntRange(min=1),
    default=MAX_FRAMES,
    show_default=True,
    help="Captures: read at most this many frames.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@output_options(layout=False)
def explain_command(file: Path, steps: bool, as_json: bool, **values: Any) -> int:
    """Explain a trace (ITF JSON) or the connections in a packet capture (pcap, pcapng, also gzipped).

    FILE may be - for standard input: tcpdump -w - | timewait explain -
    """
    options = CaptureOptions(**values)
    if options.only is not None:
        groups(options.only)  # before the file is read
    if options.picture.asked and options.picture.out is None:
        raise click.UsageError("the picture goes into a file: give --out FILE, or use 'timewait diagram sequence' for a trace")
    try:
        with _opened(file) as stream:
            return _explain(stream, file, options, steps, as_json)
    except CannotWrite:
        raise
    except OSError as problem:
        raise BrokenCapture(f"{file}: {problem.strerror or problem}") from problem


def _opened(file: Path) -> BinaryIO:
    """A file, or standard input, without a buffer."""
    source: Path | int = sys.stdin.fileno() if str(file) == "-" else file
    return cast(BinaryIO, open(source, "rb", buffering=0, closefd=not isinstance(source, int)))


def _explain(stream: BinaryIO, file: Path, options: CaptureOptions, steps: bool, as_json: bool) -> int:
    screen = Screen()
    read, start = opened(stream)
    if itf.looks_like_json(start):
        for name in options.given():
            raise click.UsageError(f"--{name} is for packet captures, and {file} is a trace")
        trace = trace_of_stream(stream, str(file), start)
        if options.picture.asked:
            deliver(of_trace(trace, options.picture, options.picture.width(screen)), options.picture, screen)
        _explain_trace(trace, steps, as_json, screen)
        return 0
    configuration = assumed_configuration(load_stack(options.stack or DEFAULT_STACK), options.msl, options.time_wait)
    if options.follow:
        found = LiveCapture(screen, stream, str(file), configuration).run(start, options.max_frames)
    else:
        found = _read(file, read, start, configuration, options.max_frames)
    view = _view(file, found, options, steps)
    _write_trace(view, options)
    _write_picture(view, options, screen)
    if as_json:
        screen.as_json(as_data(view))
    else:
        show(screen, view)
    return 0 if any(found.traffic.connections[index].closes for index in view.indices) else Verdict.VACUOUS.exit_code


def _read(
    file: Path, read: Callable[[int], bytes | None], start: bytes, configuration: Configuration, max_frames: int
) -> CapturedCloses:
    """The connections of a file, which may be read again to put it in order, or of a pipe, which may not."""
    if file.is_file():
        return read_closes(file, configuration, max_frames=max_frames)
    reader = SegmentReader(read, str(file), start, max_frames=max_frames, steady=True)
    return closes_in(reader, configuration, file.name)


def _view(file: Path, found: CapturedCloses, options: CaptureOptions, steps: bool) -> CaptureView:
    """The connections that the options choose."""
    connections = found.connections
    indices = matching(connections, () if options.only is None else groups(options.only))
    if options.connection is not None:
        named = set(chosen(connections, options.connection))
        if not named:
            raise click.UsageError(f"no such connection in {file}; 'timewait explain {file}' lists them")
        indices = [index for index in indices if index in named]
    if options.sort == "time":  # without the facts, which take longer
        indices.sort(key=lambda index: found.traffic.connections[index].frames[0])
    else:
        indices.sort(key=lambda index: ORDERS[options.sort](connections[index]))
    narrowed = options.only is not None or options.connection is not None or options.sort != "time"
    stacks = [load_stack(name) for name in stack_names() if name not in STANDARDS]
    return CaptureView(str(file), found, indices, narrowed, options.time_wait, steps, stacks)


def _write_trace(view: CaptureView, options: CaptureOptions) -> None:
    """Write the only connection that closes among those chosen."""
    if options.trace is not None:
        close = view.found.close(_only_close(view, "--trace"))
        assert close is not None
        write_whole(options.trace, itf.as_itf_text(close.trace))


def _write_picture(view: CaptureView, options: CaptureOptions, screen: Screen) -> None:
    """Draw the only connection that closes among those chosen, with the times at its ends."""
    if options.picture.asked:
        trace = view.found.at_ends(_only_close(view, "--out"))
        form = replace(WHOLE, title=options.picture.title)
        deliver(of_svg(partial(sequence, trace, form), options.picture), options.picture, screen)


def _only_close(view: CaptureView, option: str) -> int:
    """The index of the only connection that closes among those chosen, which an option writes."""
    closing = [index for index in view.indices if view.found.traffic.connections[index].closes]
    if len(closing) != 1:
        example = f"; choose one with --connection {closing[0] + 1}" if closing else ""
        raise click.UsageError(f"{option} writes one connection, and {len(closing)} close in {view.file}{example}")
    return closing[0]


def _explain_trace(trace: Trace, steps: bool, as_json: bool, screen: Screen) -> None:
    if as_json:
        screen.as_json({"kind": "trace", **story_data(trace)})
        return
    screen.heading(f"{trace.shows}: {trace.statement}")
    if steps:
        screen.trace(trace)
        screen.line()
    screen.story(trace)
