"""The command ``export``: a configuration for another model checker.

The formats are those of `timewait.checker.export.formats`. The first lines of each file state the configuration, the
properties, the meaning of the tool's answers and the command. Only ``always`` properties can be exported. `--closers a` is
the default, and a file holds one system: to repeat ``check --closers both``, export both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from timewait.checker.explicit import Explicit
from timewait.checker.export.formats import FORMATS, ExportFormat
from timewait.checker.export.plan import DurationTooLong, Labels, Plan, plan_of, plan_of_exploration
from timewait.checker.finding import Budget
from timewait.cli.console import Screen
from timewait.cli.files import write_all
from timewait.cli.options import question_options
from timewait.cli.value_types import FilePath, WordChoice
from timewait.options import Options
from timewait.proofs.question import question
from timewait.spec.composition import CompositionState, Phase
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.incarnation import INCARNATION_RULES
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.rules import RULES
from timewait.spec.segment import PacketInFlight
from timewait.spec.state import Block
from timewait.vocabulary.automaton import Location, Property

MANY_TICKS = 12
"""Ticks of one duration above which a tool that counts ticks has very many states."""


@click.command("export")
@question_options(closers="a", stacks="both")
@click.option("--to", "name", type=WordChoice([*FORMATS]), required=True, help="The format.")
@click.option("--out", type=FilePath(dir_okay=False), help="The file. [default: standard output]")
def export_command(options: Options, name: str, out: Path | None, as_json: bool) -> int:
    """Write a configuration for SPIN, TLC, TChecker, IMITATOR or a Horn solver; with --closers both SPIN needs minutes."""
    form = FORMATS[name]
    if out is None and form.companion is not None:
        raise click.UsageError(f"--to {name} writes two files; give --out NAME{form.suffix}")
    file = f"timewait{form.suffix}" if out is None else _checked(form, out.name)
    configuration = options.configuration()
    labels = labels_for(configuration, _asked(options), file, options.stack.title)
    plan = _plan(name, configuration, labels, options.budget())
    try:
        text = form.write(plan)
    except DurationTooLong as problem:
        raise click.UsageError(str(problem)) from problem
    if out is not None:
        companion = {} if form.companion is None else {out.with_suffix(form.companion.suffix): form.companion.write(plan)}
        write_all({out: text} | companion)
    screen = Screen()
    edges = sum(1 for _ in plan.edges)
    if as_json:
        size = {"locations": len(plan.locations), "steps": edges, "clocks": len(plan.clocks)}
        data = {"format": name, "properties": [*plan.properties]} | size
        screen.as_json(data | ({"text": text} if out is None else {"file": str(out)}))
    elif out is None:
        screen.raw(text)
    else:
        size_text = f"{len(plan.locations)} locations, {edges} edges, {len(plan.clocks)} clocks"
        screen.line(f"{out}: {size_text}; its first lines give the command")
    longest = max(plan.ticks.values())
    if form.ticks and longest > MANY_TICKS:
        screen.note(
            f"a duration is {longest:,} ticks of {format_duration(plan.unit)}: with a larger common unit there are fewer states"
        )
    return 0


def _checked(form: ExportFormat, name: str) -> str:
    """The name of a file, if the format allows it."""
    if form.module and not re.fullmatch(rf"[A-Za-z]\w*{re.escape(form.suffix)}", name, re.ASCII):
        raise click.UsageError(f"a module is in a file of its name, such as close{form.suffix}, not {name!r}")
    if not re.fullmatch(r"[\w.+-]+", name, re.ASCII):
        raise click.UsageError(f"give a file name of letters, digits and ._+-, not {name!r}: it will be part of a command")
    if form.companion is not None and Path(name).suffix == form.companion.suffix:
        raise click.UsageError(f"{name}: that is the name of the second file; give one that ends in {form.suffix}")
    return name


def _asked(options: Options) -> list[Property]:
    """The properties to export: those named, else all ``always`` properties that apply."""
    liveness = [name for name in options.properties if PROPERTIES[name].kind != "always"]
    if liveness:
        raise click.UsageError(f"{liveness[0]!r} is a liveness property; only properties of the kind 'always' can be exported")
    return [entry for entry in options.asked() if entry.kind == "always"]


def _plan(name: str, configuration: Configuration, labels: Labels, budget: Budget) -> Plan:
    """The plan of the quotient, or of an exploration where copies are counted."""
    asked = question(configuration)
    if asked.system.dense:
        return plan_of(asked.quotient, labels)
    if not FORMATS[name].explored:
        others = " or ".join(f"--to {other}" for other, form in FORMATS.items() if form.explored)
        raise click.UsageError(f"--to {name} needs unlimited duplication and any order; use {others}")
    exploration = Explicit(asked.compiled)
    exploration.explore(budget)
    if exploration.stopped:
        raise click.UsageError(f"its locations could not be counted: {exploration.stopped}; raise --max-states or --max-seconds")
    return plan_of_exploration(exploration, labels)


# --- labels ---------------------------------------------------------------------------------------------------------


def labels_for(configuration: Configuration, asked: Sequence[Property], name: str, title: str) -> Labels:
    """The labels of an export of a close of TCP.

    Parameters
    ----------
    configuration : Configuration
        The configuration that is exported.
    asked : sequence of Property
        The properties.
    name : str
        The name of the file.
    title : str
        The title of the stack.
    """
    sections = {rule: entry.section for rule, entry in RULES.items()}
    sections |= {rule: section for rule, (section, _) in INCARNATION_RULES.items()}
    return Labels(
        f"A close of TCP ({' '.join(title.split())})",
        tuple(_lines(configuration_as_data(configuration))),
        {entry.name: f"{entry.statement} ({entry.section})" for entry in asked},
        sections,
        label,
        describe,
        name,
    )


def _lines(data: dict[str, Any]) -> list[str]:
    """Plain data in lines, durations in seconds."""
    lines = []
    for name, value in data.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {line}" for line in _lines(value))]
        else:
            lines.append(f"{name}: {json.dumps(value)}")
    return lines


def label(location: Location) -> str:
    """A location of a composition in a few words: the states of both ends, or the phase after the first incarnation."""
    state = _composition_state(location)
    if state.phase is not Phase.FIRST:
        return state.phase
    return "_".join(block.state for block in state.ends)


def describe(location: Location) -> str:
    """A location of a composition in a line."""
    state = _composition_state(location)
    if state.phase is Phase.OVER:
        return "an old copy has reached the next incarnation"
    ends = [_end(end, block) for end, block in zip(ENDS, state.ends, strict=True)]
    parts = [", ".join(ends)] if state.phase is Phase.FIRST else ["the same addresses and ports are open again"]
    if state.network:
        parts.append(f"in flight, as long as they live: {', '.join(map(_copy, state.network))}")
    lost = [f"{count} for {end}" for end, count in zip(ENDS, state.lost, strict=True) if count]
    if lost:
        parts.append(f"lost in the loss window: {', '.join(lost)}")
    return "; ".join(parts)


def _end(end: str, block: Block) -> str:
    tries = f", retransmitted {block.tries} times" if block.tries else ""
    return f"{end} {block.state} (una {block.una}, nxt {block.nxt}, rcv {block.rcv}{tries})"


def _copy(copy: PacketInFlight) -> str:
    duty = ["must arrive"] if copy.must_be_delivered else []
    if copy.left is not None:
        duty.append(f"{copy.left + 1} times at most" if copy.left else "once at most")
    return f"{copy.sender} {copy.segment}" + (f" ({', '.join(duty)})" if duty else "")


def _composition_state(location: Location) -> CompositionState:
    assert isinstance(location, CompositionState)
    return location
