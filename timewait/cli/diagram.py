"""The command ``timewait diagram``: one picture, or all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli.claim_runs import counterexample
from timewait.cli.console import Screen
from timewait.cli.errors import error
from timewait.cli.figures import DRAWN_AGAINST, difference_of, difference_picture, graph_of, run_picture, states_of
from timewait.cli.options import MSL, question_options
from timewait.cli.picture_folder import INDEX, changes, stale, update
from timewait.cli.picture_formats import PictureOptions, Writers, deliver, of_figure, of_trace, output_options
from timewait.cli.picture_set import draw_all, in_order
from timewait.cli.region import region_command
from timewait.cli.run import carry_out
from timewait.cli.session import note_assumptions
from timewait.cli.value_types import STATE, FilePath, WordChoice
from timewait.diagrams import figure_text
from timewait.diagrams.composition import TooManyToDraw, by_states, composition, reach, whole
from timewait.diagrams.states import one_state
from timewait.diagrams.states_ascii import as_ascii
from timewait.diagrams.tables import as_json, as_text
from timewait.narration.prose import counted
from timewait.narration.trace_file import read_trace
from timewait.options import Options
from timewait.spec.assemble import Overrides
from timewait.spec.configuration import Scope
from timewait.spec.properties import PROPERTIES
from timewait.spec.scenarios import EVERY_SCENARIO
from timewait.spec.stacks import load_stack
from timewait.spec.state import State, in_rfc_spelling

BAD_FILE = 3
INTENDED = "rfc9293-intended"
NONE = "none"

NAMED = 12
"""The most files that are named one by one when all pictures are drawn."""


@click.group("diagram", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Every picture of the documentation.")
@click.option("--out", type=FilePath(file_okay=False), help="With --all: the folder.")
@click.option("--committed", is_flag=True, help="With --all: only the pictures that the repository keeps, as SVG.")
@click.option("--check", is_flag=True, help="With --all: compare the pictures that the repository keeps; exit 3 on a difference.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Groups of pictures drawn in parallel.")
@click.pass_context
def diagram_command(context: click.Context, everything: bool, out: Path | None, committed: bool, check: bool, jobs: int) -> int:
    """Draw the specification: states, runs, safe and unsafe TIME_WAIT, reachable locations; or all pictures at once."""
    if context.invoked_subcommand is not None:
        if everything or out is not None or committed or check:
            raise click.UsageError("--all, --out, --committed and --check take no name; options of one picture follow its name")
        return 0
    if not everything:
        raise click.UsageError("name a picture (states, sequence, region or composition), or give --all --out FOLDER; see --help")
    if out is None:
        raise click.UsageError("--all needs --out FOLDER, for instance --out docs/diagrams")
    return _everything(out, committed or check, check, jobs)


def _everything(folder: Path, committed: bool, check: bool, jobs: int) -> int:
    screen = Screen()
    drawn, written = [], []
    for picture in draw_all(jobs, committed):
        drawn.append(picture)
        screen.progress_note(f"{len(drawn)}: {picture.title}")
        if not check:  # what is drawn is kept, however the command ends
            written += update(stale(picture.contents, folder), folder)
    found = changes(in_order(drawn), folder)
    for name in found.unknown:
        screen.note(f"{folder / name} is not a picture of the set; delete it if nothing uses it")
    if check:
        for name in found.stale:
            error(f"{folder / name} is out of date; run timewait diagram --all --committed --out {folder}")
        return BAD_FILE if found.stale else 0
    written += update(found.stale, folder)
    if len(written) <= NAMED:
        for name in written:
            screen.line(f"written: {folder / name}")
    if not written:
        screen.line("nothing has changed")
    else:
        screen.line(f"{counted(len(written), 'file')} written to {folder}; {INDEX} lists the pictures")
    return 0


@diagram_command.command("states", short_help="The states of an endpoint of a stack.")
@click.option("--stack", help=f"A profile by name or a .toml file. [default: {INTENDED}]")
@click.option(
    "--against", help=f"Highlight the differences from this profile, or {NONE}. [default: {DRAWN_AGAINST}, if --stack is given]"
)
@click.option("--whole", "opening", is_flag=True, help="Opening and closing, not the close alone.")
@click.option("--orphan", is_flag=True, help="The user who closes reads no more: FIN_WAIT_2 timeouts and late text matter.")
@click.option(
    "--state",
    metavar="STATE",
    type=STATE,
    help=f"One state alone, in full: {', '.join(map(in_rfc_spelling, State))}.",
)
@click.option("--trace", type=FilePath(exists=True, dir_okay=False), help="Highlight the steps of a trace (ITF JSON).")
@click.option("--claim", help="Highlight the steps of the counterexample of a claim, for instance C8.")
@output_options(layout=True)
def states_command(
    stack: str | None,
    against: str | None,
    opening: bool,
    orphan: bool,
    state: State | None,
    trace: Path | None,
    claim: str | None,
    picture: PictureOptions,
) -> int:
    """The states of an endpoint of a stack, with its differences from the standard, or with the part that a run uses."""
    _only({"--state": state, "--trace": trace, "--claim": claim})
    if (trace or claim) and (stack or against or orphan):
        raise click.UsageError("a run brings its own behaviour; leave out --stack, --against and --orphan")
    screen = Screen()
    width = picture.width(screen)
    if trace is not None or claim is not None:
        deliver(_run_writers(trace, claim, opening, picture, width), picture, screen)
        return 0
    name = stack or INTENDED
    other = against or (DRAWN_AGAINST if stack and state is None else NONE)
    for profile in {name, other} - {NONE}:
        note_assumptions(load_stack(profile), Overrides(behaviour={"abandons": orphan}))
    if state is not None:
        figure = one_state(graph_of(name, True, orphan), state, load_stack(name).title)
        writers: Writers = of_figure(figure, picture, width)
    elif other in (NONE, name):
        writers = _graph_writers(name, opening, orphan, picture, width)
    else:
        writers = _difference_writers(name, other, opening, orphan, picture, width)
    deliver(writers, picture, screen)
    return 0


def _only(options: Mapping[str, object]) -> str | None:
    """The one option of a set that is present; None if none is.

    Raises
    ------
    click.UsageError
        Several are present.
    """
    present = [name for name, value in options.items() if value is not None]
    if len(present) > 1:
        raise click.UsageError(f"{' and '.join(present)} exclude each other")
    return present[0] if present else None


def _run_writers(file: Path | None, claim: str | None, opening: bool, picture: PictureOptions, width: int | None) -> Writers:
    trace = _run(file, claim, None, None)
    title = str(file) if file is not None else str(claim).upper()
    graph, figure, use = run_picture(trace, opening, title)
    writers = {"text": lambda: as_text(graph, width, use), "ascii": lambda: as_ascii(figure)}
    return of_figure(figure, picture, width) | writers


def _graph_writers(name: str, opening: bool, orphan: bool, picture: PictureOptions, width: int | None) -> Writers:
    graph = graph_of(name, opening, orphan)
    figure = states_of(name, opening, orphan)
    writers = {"text": lambda: as_text(graph, width), "ascii": lambda: as_ascii(figure), "json": lambda: as_json(graph)}
    return of_figure(figure, picture, width) | writers


def _difference_writers(
    name: str, against: str, opening: bool, orphan: bool, picture: PictureOptions, width: int | None
) -> Writers:
    figure = difference_picture(name, against, opening, orphan)
    differences = difference_of(name, against, opening, orphan).words(load_stack(against).name, load_stack(name).name)
    listed = "\n".join([figure.title, "", *(differences or ("no differences",))]) + "\n"
    return of_figure(figure, picture, width) | {
        "text": lambda: figure_text.wrapped_lines(listed, width),
        "json": lambda: json.dumps({"stack": name, "against": against, "differences": differences}, indent=1) + "\n",
    }


@diagram_command.command("sequence", short_help="The sequence chart of a run.")
@click.option("--trace", type=FilePath(exists=True, dir_okay=False), help="A run (ITF JSON).")
@click.option("--claim", help="The counterexample of a claim, for instance C8.")
@click.option(
    "--property",
    "broken",
    metavar="NAME",
    type=WordChoice([*PROPERTIES]),
    help="With --claim: the property that it breaks.",
)
@click.option("--scenario", metavar="NAME", type=WordChoice([*EVERY_SCENARIO]), help=f"A close: {', '.join(EVERY_SCENARIO)}.")
@output_options(layout=False)
def sequence_command(
    trace: Path | None, claim: str | None, broken: str | None, scenario: str | None, picture: PictureOptions
) -> int:
    """The sequence chart of a run: each segment with its sender, its arrival or its loss."""
    if not _only({"--trace": trace, "--claim": claim, "--scenario": scenario}):
        raise click.UsageError("say which run: --trace, --claim or --scenario")
    if broken is not None and claim is None:
        raise click.UsageError("--property belongs to --claim")
    screen = Screen()
    shown = _run(trace, claim, broken, scenario)
    deliver(of_trace(shown, picture, picture.width(screen)), picture, screen)
    return 0


def _run(file: Path | None, claim: str | None, broken: str | None, scenario: str | None) -> Trace:
    if file is not None:
        return read_trace(file)
    return counterexample(claim, broken) if claim is not None else carry_out(EVERY_SCENARIO[str(scenario)])


# --- composition --------------------------------------------------------------------------------------------------


@diagram_command.command("composition", short_help="The reachable locations of a close.")
@question_options(closers="a", properties=False)
@click.option(
    "--detail",
    type=WordChoice(["auto", "locations", "states"]),
    default="auto",
    show_default=True,
    help="A box for each location, or for each pair of states; auto: by the number of locations.",
)
@output_options(layout=True)
def composition_command(options: Options, detail: str, picture: PictureOptions) -> int:
    """The reachable locations of two endpoints and a network, in dense time."""
    screen = Screen()
    configuration = options.with_msl(MSL).configuration()
    if configuration.duplication is not None or configuration.fifo:
        raise click.UsageError("only a network that duplicates and reorders at will has few enough locations to be drawn")
    try:
        reached = reach(configuration, options.budget())
    except TooManyToDraw as problem:
        error(str(problem))
        return Verdict.INCONCLUSIVE.exit_code
    part = "the whole close" if configuration.scope is Scope.CLOSE else "the last exchange"
    title = f"Reachable locations: {options.stack.title}, {part}"
    figure = {"auto": composition, "locations": whole, "states": by_states}[detail](reached, title)
    deliver(of_figure(figure, picture, picture.width(screen)), picture, screen)
    return 0


diagram_command.add_command(region_command)
