"""The commands that show runs: the review page of a trace, and closes that go well."""

from __future__ import annotations

from pathlib import Path

import click

from timewait.checker import itf
from timewait.checker.finding import Move, Run
from timewait.checker.replay import carried_out
from timewait.checker.trace import Trace
from timewait.cli import console
from timewait.cli.files import write_whole
from timewait.diagrams.page import page
from timewait.narration.sentences import configuration_in_words
from timewait.spec.reference import initial_state
from timewait.spec.scenarios import SCENARIOS, Scenario

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("view")
@click.argument("file", metavar="TRACE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=FILE, help="Where to write the page. [default: beside the trace, as .html]")
def view_command(file: Path, out: Path | None) -> int:
    """Write the review page of a trace: one HTML file that needs no network."""
    target = beside(file) if out is None else out
    write_page(target, itf.read(file))
    console.Screen().line(f"wrote {target}")
    return 0


@click.command("run")
@click.option("--scenario", "name", type=click.Choice([*SCENARIOS]), help="Which close to carry out. [default: list them]")
@click.option("--html", type=FILE, help="Write its review page.")
@click.option("--trace", "trace_file", type=FILE, help="Write it as ITF JSON.")
def run_command(name: str | None, html: Path | None, trace_file: Path | None) -> int:
    """Carry out a close that goes well on the specification, and show it as violations are shown."""
    screen = console.Screen()
    if name is None:
        if html is not None or trace_file is not None:
            raise click.UsageError("which run? give --scenario")
        screen.table(("scenario", "what it shows"), [(one.name, one.statement) for one in SCENARIOS.values()])
        return 0
    trace = run(SCENARIOS[name])
    if html is not None:
        write_page(html, trace)
        screen.line(f"wrote {html}")
    if trace_file is not None:
        write_whole(trace_file, itf.as_itf_text(trace))
        screen.line(f"wrote {trace_file}")
    if html is None and trace_file is None:
        screen.line(f"{trace.shows}: {trace.statement}")
        screen.line(f"  {configuration_in_words(trace.about)}")
        screen.trace(trace)
    return 0


def run(scenario: Scenario) -> Trace:
    """The trace of a scenario, carried out on the specification."""
    moves = tuple(Move(planned.delay, planned.action) for planned in scenario.moves)
    return carried_out(initial_state(scenario.configuration), Run(moves), scenario.name, scenario.statement)


def write_page(target: Path, trace: Trace) -> None:
    """Write the review page of a trace.

    Raises
    ------
    click.UsageError
        It cannot be written there.
    """
    write_whole(target, page(trace))


def beside(file: Path) -> Path:
    """Where the page of a trace goes: beside it, under its name."""
    name = file.name.removesuffix(".json").removesuffix(".itf")
    return file.with_name(f"{name}.html")
