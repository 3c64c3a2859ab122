"""The command ``ways``: judges the ways around TIME-WAIT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.checker import itf
from timewait.checker.finding import Budget
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict, worst
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.session import watched
from timewait.cli.table import Cell, fits, records, table
from timewait.cli.value_types import DURATION, FilePath, FiniteRange, Parsed, WordChoice
from timewait.laboratory.listeners import restarts
from timewait.laboratory.replaying.replayer import replay_on_kernel
from timewait.narration.prose import counted
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration
from timewait.spec.middlebox import BOXES, Middlebox
from timewait.spec.plain_data import exact
from timewait.spec.stacks import DEFAULT_STACK, Stack, load_stack
from timewait.ways.boxed import RUNS, box_runs
from timewait.ways.description import HEADS, as_data, legend, markdown, question_in_words, refusal, row
from timewait.ways.judging import Judge, JudgedWay
from timewait.ways.way import PLAIN, WAYS, way_name

RTO = "4s"
_FILE = FilePath(dir_okay=False)
STATES, SECONDS = 1_000_000, 600.0
"""Bounds on one exploration: the states decide, and the time is long enough for a machine under load."""
WIDTH = 80

Confirmed = dict[tuple[str, str], str]


@click.command("ways")
@click.option("--stack", "name", help=f"The stack of both ends. [default: {DEFAULT_STACK}; linux with --on linux]")
@click.option("--msl", type=DURATION, default="30s", show_default=True, help="Maximum segment lifetime.")
@click.option("--time-wait", type=DURATION, help="TIME_WAIT without a way. [default: the stack's]")
@click.option("--rto", type=DURATION, default=RTO, show_default=True, help="Longest gap between transmissions.")
@click.option(
    "--way",
    metavar="NAME",
    type=Parsed("way", way_name),
    help=f"Show one way, its verdicts and each trace. One of {', '.join(way.name for way in WAYS)}, or its name in the table.",
)
@click.option("--on", type=WordChoice(["linux"]), help="Carry out each trace on this kernel, and measure restarts of a listener.")
@click.option("--box", type=WordChoice([*BOXES]), help="Show instead closes through a middlebox that forgets first, or last.")
@click.option("--run", "box_run", type=WordChoice(RUNS), help="With --box: one of its runs.")
@click.option("--trace", "trace_file", type=_FILE, help="With --box and --run: write the run as ITF JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table in Markdown.")
@click.option("--max-seconds", type=FiniteRange(min=0.1), default=SECONDS, show_default=True, help="Bound on one exploration.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ways_command(
    name: str | None,
    way: str | None,
    box: str | None,
    box_run: str | None,
    trace_file: Path | None,
    on: str | None,
    as_markdown: bool,
    as_json: bool,
    max_seconds: float,
    **durations: Any,
) -> int:
    """Judge the ways around TIME-WAIT: what each gains, and which properties of the close it keeps or breaks.

    Exits with 0 when every verdict is there, with 20 when one is not decided, with 40 when a check failed. With --way it exits
    as check does: with 10 when the way breaks a property.
    """
    if as_markdown and (way or as_json):
        raise click.UsageError("--markdown prints the whole table; give it without --way and --json")
    if box and (way or on or as_markdown):
        raise click.UsageError("--box shows a middlebox; give it without --way, --on and --markdown")
    if (box_run and not box) or (trace_file and not box_run):
        raise click.UsageError("--run needs --box, and --trace needs both")
    stack = load_stack(name or ("linux" if on else DEFAULT_STACK))
    configuration = close_of(stack, **durations)
    if box:
        runs = box_runs(BOXES[box], configuration)
        runs = {name: trace for name, trace in runs.items() if box_run in (None, name)}
        if trace_file:
            write_whole(trace_file, itf.as_itf_text(runs[str(box_run)]))
            Screen().line(f"wrote {trace_file}")
            return 0
        return _show_box(BOXES[box], runs, as_json)
    screen = Screen()
    budget = watched(Budget(STATES, max_seconds), screen)
    judge = Judge(configuration, budget.fresh)
    chosen = [entry for entry in WAYS if way in (None, entry.name) or entry is PLAIN]
    if not as_json:
        screen.note(
            f"judging {counted(len(chosen) - (way not in (None, PLAIN.name)), 'way')}; the answers follow when all are judged"
        )
    judged = list(_judged(judge, chosen, screen))
    if way and way != PLAIN.name:
        judged = judged[1:]
    confirmed = _confirmed(judged, budget, screen) if on else {}
    measured = [found.sentence for found in restarts()] if on and any(entry.way.measured for entry in judged) else []
    if as_json:
        rows = [as_data(entry, confirmed) for entry in judged]
        screen.as_json({"question": question_in_words(stack.title, configuration), "ways": rows, "measured": measured})
    elif as_markdown:
        screen.raw(markdown(judged, confirmed))
    elif way:
        _show_one(judged[0], confirmed, measured, screen)
    else:
        _show_all(stack, configuration, judged, confirmed, measured, screen)
    verdicts = [answer.verdict for entry in judged for answer in entry.answers.values()]
    if way:
        return worst(verdict for verdict in verdicts if verdict is not Verdict.VACUOUS).exit_code
    return _exit_code(verdicts)


def close_of(stack: Stack, msl: Fraction, time_wait: Fraction | None, rto: Fraction) -> Configuration:
    """The close of a stack without any way.

    Parameters
    ----------
    stack : Stack
        The stack of both ends.
    msl : Fraction
        Maximum segment lifetime, in seconds.
    time_wait : Fraction or None
        In seconds; None: that of the stack.
    rto : Fraction
        The longest gap between transmissions, in seconds.

    Raises
    ------
    MissingValue
        The stack does not say something that matters.
    """
    return assemble(stack, Overrides(msl=msl, time_wait=time_wait, rto=(rto,)))


def _judged(judge: Judge, chosen: list[Any], screen: Screen) -> Iterator[JudgedWay]:
    for way in chosen:
        screen.progress_note(way.title)
        yield judge.judge(way)


def _confirmed(judged: list[JudgedWay], budget: Budget, screen: Screen) -> Confirmed:
    """What the running kernel did with each trace, until an interrupt; a trace that several ways share is carried out once."""
    found: Confirmed = {}
    known: dict[int, str] = {}
    for entry in judged:
        for name, answer in entry.answers.items():
            if answer.trace is not None and not budget.interrupted():
                screen.progress_note(f"{entry.way.title}, {name}, on the kernel")
                key = id(answer.trace)
                known[key] = known.get(key) or _carried_out(answer.trace)
                found[entry.way.name, name] = known[key]
    return found


def _carried_out(trace: Trace) -> str:
    outcome = replay_on_kernel(trace)
    return f"{outcome.verdict}: {outcome.reason}" if outcome.reason else str(outcome.verdict)


def _show_box(box: Middlebox, runs: Mapping[str, Trace], as_json: bool) -> int:
    """Closes through a box that forgets the connection before the hosts, or after them."""
    screen = Screen()
    if as_json:
        known = {str(phase): exact(seconds) for phase, seconds in box.remembers.items()}
        head = {"box": box.title, "source": box.source, "remembers": known, "resets": sorted(box.resets)}
        screen.as_json(head | {"runs": {name: trace.as_json() for name, trace in runs.items()}})
        return 0
    screen.paragraphs([f"{box.title} ({box.source})"])
    for name, trace in runs.items():
        screen.line()
        screen.heading(name)
        screen.paragraphs([trace.statement])
        screen.trace(trace)
        screen.paragraphs(why for step in trace.steps for _, why in step.event.breaks)
    return 0


def _exit_code(verdicts: list[Verdict]) -> int:
    """Zero for a table that is complete; a way that breaks something is what the table is asked for."""
    for verdict in (Verdict.DISAGREEMENT, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict.exit_code
    return 0 if verdicts else Verdict.VACUOUS.exit_code


def _show_all(
    stack: Stack,
    configuration: Configuration,
    judged: list[JudgedWay],
    confirmed: Confirmed,
    measured: list[str],
    screen: Screen,
) -> None:
    screen.paragraphs([question_in_words(stack.title, configuration)])
    screen.line()
    rows = [[Cell(text) for text in row(entry, confirmed)] for entry in judged]
    width = min(screen.width or WIDTH, WIDTH)
    for line in table(HEADS, rows, width, gap=1) if fits(HEADS, rows, width) else records(HEADS, rows, width):
        screen.row(line)
    screen.line()
    for meaning in legend(judged, confirmed):
        screen.line(meaning)
    for entry in judged:
        if run := refusal(entry):
            screen.paragraphs([f"{entry.way.title} behind a NAT: {run[-1].sentence}; --way {entry.way.name} shows the run"])
    _show_kernel(confirmed, measured, screen)


def _show_kernel(confirmed: Confirmed, measured: list[str], screen: Screen) -> None:
    others = {(way, name): text for (way, name), text in confirmed.items() if text != "confirmed"}
    if confirmed:
        screen.line(f"{len(confirmed) - len(others)} of {len(confirmed)} traces confirmed by the running kernel")
    for (way, name), text in others.items():
        screen.line(f"{way}, {name}: {text}")
    for sentence in measured:
        screen.line(f"measured: {sentence}")


def _show_one(judged: JudgedWay, confirmed: Confirmed, measured: list[str], screen: Screen) -> None:
    gain = judged.gain
    screen.heading(judged.way.title)
    screen.paragraphs([judged.way.about])
    times = "as many" if gain.factor == 1 else f"{float(gain.factor):.3g} times as many"
    screen.line(f"{int(gain.rate):,} requests per second, {times} as without it")
    if judged.inherits:
        screen.line("It leaves the close as it is, so each verdict is that without it.")
    screen.line()
    for opening in refusal(judged):
        screen.line(f"behind a NAT: {opening.sentence}")
    if judged.way.measured and not measured:
        screen.line("bind() is no part of the model; --on linux measures which listener must set the option")
        screen.line()
    for answer in judged.answers.values():
        screen.answer(answer)
    _show_kernel(confirmed, measured, screen)
