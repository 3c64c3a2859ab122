"""The command ``run``: carries out a scenario."""

from __future__ import annotations

from pathlib import Path

import click

from timewait.checker import itf
from timewait.checker.finding import Move, Run
from timewait.checker.replay import carried_out
from timewait.checker.trace import Trace
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.picture_formats import PictureOptions, deliver, of_trace, output_options
from timewait.cli.value_types import FilePath, WordChoice
from timewait.cli.view import write_page
from timewait.spec.description import data_in_words
from timewait.spec.reference import initial_state
from timewait.spec.scenarios import EVERY_SCENARIO, Scenario

_FILE = FilePath(dir_okay=False)


@click.command("run")
@click.option(
    "--scenario",
    "name",
    metavar="NAME",
    type=WordChoice([*EVERY_SCENARIO]),
    help="The scenario to carry out. [default: list them]",
)
@click.option("--html", type=_FILE, help="Write its review page.")
@click.option("--trace", "trace_file", type=_FILE, help="Write it as ITF JSON.")
@output_options(layout=False)
def run_command(name: str | None, html: Path | None, trace_file: Path | None, picture: PictureOptions) -> int:
    """Carry out a scenario on the specification, and show it as a violation is shown."""
    screen = Screen()
    if name is None:
        if html is not None or trace_file is not None or picture.asked:
            raise click.UsageError("--html, --trace, --out and --format need --scenario")
        screen.table(("scenario", "statement"), [(scenario.name, scenario.statement) for scenario in EVERY_SCENARIO.values()])
        return 0
    trace = carry_out(EVERY_SCENARIO[name])
    if html is not None:
        write_page(html, trace)
        screen.line(f"wrote {html}")
    if trace_file is not None:
        write_whole(trace_file, itf.as_itf_text(trace))
        screen.line(f"wrote {trace_file}")
    if picture.asked:
        deliver(of_trace(trace, picture, picture.width(screen)), picture, screen)
        if picture.out is not None:
            screen.line(f"wrote {picture.out}")
    if html is None and trace_file is None and not picture.asked:
        screen.line(f"{trace.shows}: {trace.statement}")
        screen.line(f"  {data_in_words(trace.about)}")
        screen.trace(trace)
    return 0


def carry_out(scenario: Scenario) -> Trace:
    """The trace of a scenario, carried out on the specification."""
    moves = tuple(Move(planned.delay, planned.action) for planned in scenario.moves)
    return carried_out(initial_state(scenario.configuration), Run(moves), scenario.name, scenario.statement)
