"""The command ``replay``: carries a trace out on the kernel of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.files import ensure_writable, write_whole
from timewait.cli.value_types import FilePath, WordChoice
from timewait.cli.view import write_page
from timewait.diagrams.page import KernelInWords
from timewait.diagrams.page_data import KernelStep
from timewait.laboratory.replaying.outcome import ReplayOutcome, ReplayVerdict
from timewait.laboratory.replaying.replayer import replay_on_kernel
from timewait.narration.trace_file import read_trace, trace_of_stream

EXIT_CODES = {
    ReplayVerdict.CONFIRMED: 0,
    ReplayVerdict.REFUTED: Verdict.VIOLATED.exit_code,
    ReplayVerdict.OTHER_SETTINGS: Verdict.VIOLATED.exit_code,
    ReplayVerdict.NOT_REPLAYABLE: Verdict.INCONCLUSIVE.exit_code,
}
"""The exit code for each verdict."""


@click.command("replay")
@click.argument("file", metavar="TRACE", type=FilePath(dir_okay=False, allow_dash=True))
@click.option("--on", type=WordChoice(["linux"]), default="linux", show_default=True, help="The running stack.")
@click.option("--pcap", type=FilePath(dir_okay=False), help="Write what went over the wire, as pcapng.")
@click.option("--html", type=FilePath(dir_okay=False), help="Write the review page, with what the kernel did.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay_command(file: Path, on: str, pcap: Path | None, html: Path | None, as_json: bool) -> int:
    """Carry a trace (ITF JSON, or - for standard input) out on this kernel, with this process as the network.

    Exits with 0 when the kernel does what the trace says, with 10 when it does otherwise, with 20 when a step cannot be
    carried out, with 4 when this machine cannot run the laboratory.
    """
    for output in filter(None, (pcap, html)):
        ensure_writable(output)
    trace = trace_of_stream(sys.stdin.buffer, "standard input") if str(file) == "-" else read_trace(file)
    outcome = replay_on_kernel(trace)
    screen = Screen()
    if as_json:
        screen.as_json({"on": on, "shows": trace.shows} | outcome.as_json())
    else:
        _show(trace, outcome, screen)
    if pcap is not None:
        write_whole(pcap, outcome.capture)
        screen.note(f"wrote {pcap}")
    if html is not None:
        write_page(html, trace, kernels={trace.shows: kernel_in_words(on, outcome)})
        screen.note(f"wrote {html}")
    return EXIT_CODES[outcome.verdict]


def _show(trace: Trace, outcome: ReplayOutcome, screen: Screen) -> None:
    carried = {step.number: step for step in outcome.steps}
    rows = []
    for step in trace.steps:
        found = carried.get(step.number)
        kernel = ("", "", "") if found is None else (found.states[0], found.states[1], found.sent or "nothing")
        rows.append((str(step.number), f"{step.event.actor} {step.event.text}", *kernel))
    screen.table(("step", "the trace", "A", "B", "the kernels send"), rows)
    screen.line()
    for remark in _remarks(outcome):
        screen.line(remark)
    screen.line(verdict_line(outcome))


def _remarks(outcome: ReplayOutcome) -> list[str]:
    """What the users saw, what does not happen by default, and what reached nobody."""
    aside = f"{outcome.put_aside} retransmissions that the trace does not have reached nobody"
    return [*outcome.effects, *(f"not by default: {aid}" for aid in outcome.aids), *([aside] if outcome.put_aside else [])]


def verdict_line(outcome: ReplayOutcome) -> str:
    """The verdict, with its step and its reason."""
    at = "" if outcome.step is None else f" at step {outcome.step}"
    reason = f": {outcome.reason}" if outcome.reason else ""
    return f"{str(outcome.verdict).upper()}{at}{reason}"


def kernel_in_words(on: str, outcome: ReplayOutcome) -> KernelInWords:
    """The outcome in the words of a review page, which are those of the output in text."""
    steps = {step.number: KernelStep(step.states, step.sent) for step in outcome.steps}
    return KernelInWords(on, verdict_line(outcome), _remarks(outcome), steps)
