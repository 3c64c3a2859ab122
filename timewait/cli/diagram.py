"""The command ``timewait diagram``: pictures one by one, and the committed set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.checker import itf
from timewait.checker.finding import Budget
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli.claim_runs import counterexample
from timewait.cli.committed_pictures import changes, update
from timewait.cli.console import Screen, error
from timewait.cli.figures import STANDARD, difference_of, difference_picture, graph_of, run_picture, states_of
from timewait.cli.options import question_options, setting_option, stack_of
from timewait.cli.picture_formats import Writers, deliver, of_figure, of_svg, output_options, width_of
from timewait.cli.picture_set import drawn
from timewait.cli.region import region_command
from timewait.cli.review import run
from timewait.cli.session import configuration_from, note_assumptions
from timewait.diagrams import figure_text, sequence_text
from timewait.diagrams.composition import TooManyToDraw, by_states, composition, reach, whole
from timewait.diagrams.figure_layout import Graphviz
from timewait.diagrams.sequence import sequence
from timewait.diagrams.states import one_state
from timewait.diagrams.tables import as_json, as_text
from timewait.formats import mermaid
from timewait.spec.assemble import Overrides
from timewait.spec.properties import PROPERTIES
from timewait.spec.scenarios import SCENARIOS
from timewait.spec.stacks import load
from timewait.spec.state import State

BAD_FILE = 3
INTENDED = "rfc9293-intended"
NONE = "none"


def layout_option(command: Any) -> Any:
    """Add the option that says who lays boxes and arrows out."""
    return click.option(
        "--graphviz",
        "whose",
        type=click.Choice([one.value for one in Graphviz]),
        default=Graphviz.BUNDLED.value,
        show_default=True,
        callback=lambda _, __, value: Graphviz(value),
        help="Who lays boxes and arrows out: the library that comes along, or this machine's dot.",
    )(command)


@click.group("diagram", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="The whole committed set of pictures.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="With --all: the folder, for instance docs/diagrams."
)
@click.option("--check", is_flag=True, help="With --all: write nothing; exit 3 if the folder is not up to date.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Groups of pictures drawn side by side.")
@click.pass_context
def diagram(context: click.Context, everything: bool, out: Path | None, check: bool, jobs: int) -> int:
    """Draw the specification: its states, the regions of TIME_WAIT, what can be reached; or all pictures at once."""
    if context.invoked_subcommand is not None:
        if everything or out is not None or check:
            raise click.UsageError("--all, --out and --check stand alone here; options of one picture follow its name")
        return 0
    if not everything:
        raise click.UsageError("say which picture (states, region or composition), or --all --out FOLDER; see --help")
    if out is None:
        raise click.UsageError("--all needs --out FOLDER, for instance --out docs/diagrams")
    return _everything(out, check, jobs)


def _everything(folder: Path, check: bool, jobs: int) -> int:
    screen = Screen()
    found = changes(list(drawn(jobs)), folder)
    for name in found.odd:
        screen.note(f"{folder / name} is no picture of the set; delete it if nobody needs it")
    if check:
        for name in found.stale:
            error(f"{folder / name} is not what the specification draws; run timewait diagram --all --out {folder}")
        return BAD_FILE if found.stale else 0
    update(found, folder)
    for name in found.stale:
        screen.line(f"written: {folder / name}")
    screen.line(f"{len(found.stale)} files written" if found.stale else "nothing has changed")
    return 0


@diagram.command("states")
@click.option("--stack", help=f"A profile by name or a .toml file. [default: {INTENDED}, by itself]")
@click.option(
    "--against", help=f"The profile from which differences stand out, or {NONE}. [default: {STANDARD}, if --stack is given]"
)
@click.option("--whole", "opening", is_flag=True, help="Opening too, not the close alone.")
@click.option("--orphan", is_flag=True, help="The user who closes reads no more: FIN_WAIT_2 timeouts and late text matter.")
@click.option("--state", type=click.Choice([one.value for one in State], case_sensitive=False), help="One state alone, in full.")
@click.option("--trace", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A run (ITF JSON) that stands out.")
@click.option("--claim", help="The counterexample of a claim, for instance C8, stands out.")
@layout_option
@output_options
def states_command(state: str | None, trace: Path | None, claim: str | None, **given: Any) -> int:
    """The states of an endpoint: of a stack, with what differs from the standard, or with what a run uses."""
    _only({"--state": state, "--trace": trace, "--claim": claim})
    if (trace or claim) and (given["stack"] or given["against"] or given["orphan"]):
        raise click.UsageError("a run brings its own behaviour; leave out --stack, --against and --orphan")
    screen = Screen()
    if trace is not None:
        writers = _run_writers(given, trace, None, screen)
    elif claim is not None:
        writers = _run_writers(given, None, claim, screen)
    else:
        writers = _state_writers(given, state, screen)
    deliver(writers, given["form"], given["out"], screen)
    return 0


def _only(options: Mapping[str, object]) -> str | None:
    """Which of some options is given; None where none is.

    Raises
    ------
    click.UsageError
        More than one is.
    """
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    return given[0] if given else None


def _run_writers(given: dict[str, Any], file: Path | None, claim: str | None, screen: Screen) -> Writers:
    trace = _run(file, claim, None, None)
    what = str(file) if file is not None else str(claim).upper()
    graph, figure, use = run_picture(trace, given["opening"], what)
    width = width_of(given, screen)
    return of_figure(figure, given["scale"], given["whose"], width) | {"text": lambda: as_text(graph, width, use)}


def _state_writers(given: dict[str, Any], state: str | None, screen: Screen) -> Writers:
    name, opening, orphan = given["stack"] or INTENDED, given["opening"], given["orphan"]
    against = given["against"] or (STANDARD if given["stack"] and state is None else NONE)
    for drawn_stack in {name, against} - {NONE}:
        note_assumptions(load(drawn_stack), Overrides(behaviour={"abandons": orphan}))
    width, looks = width_of(given, screen), (given["scale"], given["whose"])
    if state is not None:
        return of_figure(one_state(graph_of(name, True, orphan), State(state.upper())), *looks, width)
    if against in (NONE, name):
        graph = graph_of(name, opening, orphan)
        table = {"text": lambda: as_text(graph, width), "json": lambda: as_json(graph)}
        return of_figure(states_of(name, opening, orphan), *looks, width) | table
    figure = difference_picture(name, against, opening, orphan)
    unlike = difference_of(name, against, opening, orphan).words(load(against).name, load(name).name)
    listed = "\n".join([figure.title, "", *(unlike or ("nothing differs",))]) + "\n"
    return of_figure(figure, *looks, width) | {
        "text": lambda: figure_text.quotient(listed, width),
        "json": lambda: json.dumps({"stack": name, "against": against, "differences": unlike}, indent=1) + "\n",
    }


@diagram.command("sequence")
@click.option("--trace", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A run (ITF JSON).")
@click.option("--claim", help="The counterexample of a claim, for instance C8.")
@click.option("--property", "broken", type=click.Choice([*PROPERTIES]), help="With --claim: the property that it breaks.")
@click.option("--scenario", type=click.Choice([*SCENARIOS]), help="A close that goes well.")
@output_options
def sequence_command(trace: Path | None, claim: str | None, broken: str | None, scenario: str | None, **given: Any) -> int:
    """The sequence chart of a run: who sent what to whom, when it arrived, or that it was lost."""
    if not _only({"--trace": trace, "--claim": claim, "--scenario": scenario}):
        raise click.UsageError("say which run: --trace, --claim or --scenario")
    if broken is not None and claim is None:
        raise click.UsageError("--property belongs to --claim")
    screen = Screen()
    shown = _run(trace, claim, broken, scenario)
    width = width_of(given, screen)
    writers = of_svg(lambda: sequence(shown), given["scale"]) | {
        "mermaid": lambda: mermaid.as_mermaid_text(shown),
        "text": lambda: sequence_text.as_text(shown, width),
    }
    deliver(writers, given["form"], given["out"], screen)
    return 0


def _run(file: Path | None, claim: str | None, broken: str | None, scenario: str | None) -> Trace:
    if file is not None:
        return itf.read(file)
    return counterexample(claim, broken) if claim is not None else run(SCENARIOS[str(scenario)])


# --- composition --------------------------------------------------------------------------------------------------


@diagram.command("composition")
@question_options
@setting_option("time_wait")
@click.option("--closers", type=click.Choice(["a", "both"]), default="a", show_default=True, help="Who may close first.")
@click.option(
    "--detail",
    type=click.Choice(["auto", "locations", "states"]),
    default="auto",
    show_default=True,
    help="A box for each location, or for each pair of states; auto: by how many there are.",
)
@layout_option
@output_options
def composition_command(detail: str, **given: Any) -> int:
    """What can be reached of two endpoints and a network, in dense time."""
    if given["properties"]:
        raise click.UsageError("a composition is drawn whatever is asked of it; leave out --property")
    screen = Screen()
    given["msl"] = given["msl"] or Fraction(30)
    stack = stack_of(given)
    configuration = configuration_from(stack, given)
    if given["duplication"] is not None or given["fifo"]:
        raise click.UsageError("only a network that duplicates and reorders at will has few enough locations to be drawn")
    try:
        reached = reach(configuration, Budget(given["max_states"], given["max_seconds"]))
    except TooManyToDraw as problem:
        error(str(problem))
        return Verdict.INCONCLUSIVE.exit_code
    title = f"What can be reached: {stack.title}, {'the whole close' if given['scope'] == 'close' else 'the last exchange'}"
    figure = {"auto": composition, "locations": whole, "states": by_states}[detail](reached, title)
    writers = of_figure(figure, given["scale"], given["whose"], width_of(given, screen))
    deliver(writers, given["form"], given["out"], screen)
    return 0


diagram.add_command(region_command)
