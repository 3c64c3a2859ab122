"""The command ``export``: a configuration written down for somebody else's checker.

=========  ==================  =======================================================================
``--to``   read by             how
=========  ==================  =======================================================================
promela    SPIN                in ticks; the same states as ``--engine explicit``, one for one
tla        TLC, Apalache       in ticks, likewise; NAME.tla with NAME.cfg beside it
tchecker   TChecker            in dense time
imitator   IMITATOR            in dense time, every duration a parameter; NAME.imi with NAME.imiprop
smt2       Z3, Horn solvers    in dense time, one predicate for each location
=========  ==================  =======================================================================

The first lines of each file state the configuration, what is asked, what the tool's answer means and how to ask it.
Only what must never happen can be asked (``always``); `--closers a` is the default, and a file holds one system: to
repeat what ``check --closers both`` does, export both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from timewait.checker.explicit import Explicit
from timewait.checker.export.imitator import as_imitator, as_imitator_property
from timewait.checker.export.plan import Labels, Plan, TooLong, explored, plan_of
from timewait.checker.export.promela import as_promela
from timewait.checker.export.smt2 import as_smt2
from timewait.checker.export.tchecker import as_tchecker
from timewait.checker.export.tla import as_tla, as_tla_configuration
from timewait.checker.finding import Budget
from timewait.checker.symbolic import Symbolic
from timewait.cli.console import Screen
from timewait.cli.files import write_all
from timewait.cli.options import question_options
from timewait.options import Options
from timewait.proofs.question import question
from timewait.spec.composition import CompositionState, Phase
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.endpoint import RULES
from timewait.spec.exchange import ENDS
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import INCARNATION_RULES
from timewait.spec.segment import PacketInFlight
from timewait.spec.state import Block
from timewait.vocabulary.automaton import Location, Property

ENDINGS = {"tchecker": ".tck", "promela": ".pml", "tla": ".tla", "imitator": ".imi", "smt2": ".smt2"}
"""The formats, each with the usual ending of its files."""

MANY_TICKS = 12
"""Ticks of one duration from which on a checker that counts them has a great many states."""

COMPANIONS = {"tla": ".cfg", "imitator": ".imiprop"}
"""The formats of two files, each with the ending of the second."""


class Export(NamedTuple):
    """What is written: the text, its companion if the format has one, and how large the system is."""

    text: str
    companion: str
    plan: Plan


@click.command("export")
@question_options(closers="a", stacks="both")
@click.option("--to", "form", type=click.Choice([*ENDINGS]), required=True, help="The format.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file. [default: standard output]")
def export_command(options: Options, form: str, out: Path | None, as_json: bool) -> int:
    """Write a configuration for SPIN, TLC, TChecker, IMITATOR or a Horn solver; with --closers both SPIN needs minutes."""
    if out is None and form in COMPANIONS:
        raise click.UsageError(f"--to {form} writes two files; give --out NAME{ENDINGS[form]}")
    name = f"timewait{ENDINGS[form]}" if out is None else _checked(form, out.name)
    configuration = options.configuration()
    export = _export(form, configuration, words_for(configuration, _asked(options), name, options.stack.title), options.budget())
    if out is not None:
        write_all({out: export.text} | ({out.with_suffix(COMPANIONS[form]): export.companion} if form in COMPANIONS else {}))
    screen = Screen()
    _report(screen, form, out, export, as_json=as_json)
    longest = max(export.plan.ticks.values())
    if form in ("promela", "tla") and longest > MANY_TICKS:
        screen.note(
            f"a duration is {longest:,} ticks of {format_duration(export.plan.unit)}:"
            f" with a larger common unit there are fewer states"
        )
    return 0


def _checked(form: str, name: str) -> str:
    """The name of a file, if it can stand in a comment and, for TLA+, be that of a module."""
    if form == "tla" and not re.fullmatch(r"[A-Za-z]\w*\.tla", name, re.ASCII):
        raise click.UsageError(f"a TLA+ module is in a file of its name, such as close.tla, not {name!r}")
    if not re.fullmatch(r"[\w.+-]+", name, re.ASCII):
        raise click.UsageError(f"give a file name of letters, digits and ._+-, not {name!r}: it will be part of a command")
    if Path(name).suffix == COMPANIONS.get(form):
        raise click.UsageError(f"{name}: that is the name of the second file; give one that ends in {ENDINGS[form]}")
    return name


def _asked(options: Options) -> list[Property]:
    """The properties to export: those named, else all ``always`` properties that apply."""
    liveness = [name for name in options.properties if PROPERTIES[name].kind != "always"]
    if liveness:
        raise click.UsageError(f"{liveness[0]!r} is a liveness property; only properties of the kind 'always' can be exported")
    return [entry for entry in options.asked() if entry.kind == "always"]


def _export(form: str, configuration: Configuration, words: Labels, budget: Budget) -> Export:
    asked = question(configuration)
    if not asked.system.dense:
        if form != "promela":
            raise click.UsageError(f"--to {form} needs unlimited duplication and any order; use --to promela")
        plan = _counted(Explicit(asked.compiled), words, budget)
    else:
        plan = plan_of(asked.quotient, words)
    try:
        match form:
            case "promela":
                return Export(as_promela(plan), "", plan)
            case "tla":
                return Export(as_tla(plan), as_tla_configuration(plan), plan)
            case "tchecker":
                return Export(as_tchecker(plan), "", plan)
            case "imitator":
                return Export(as_imitator(plan), as_imitator_property(plan), plan)
            case _:
                return Export(as_smt2(Symbolic(asked.quotient, frozenset(words.properties)), words), "", plan)
    except TooLong as problem:
        raise click.UsageError(str(problem)) from problem


def _counted(exploration: Explicit, words: Labels, budget: Budget) -> Plan:
    """The plan of a system whose locations must be counted one by one, in ticks."""
    exploration.explore(budget)
    if exploration.stopped:
        raise click.UsageError(f"its locations could not be counted: {exploration.stopped}; raise --max-states or --max-seconds")
    return explored(exploration, words)


def _report(screen: Screen, form: str, out: Path | None, export: Export, *, as_json: bool) -> None:
    places, clocks = len(export.plan.places), len(export.plan.clocks)
    steps = sum(1 for _ in export.plan.steps)
    if as_json:
        data = {"format": form, "properties": [*export.plan.asked], "locations": places, "steps": steps, "clocks": clocks}
        screen.as_json(data | ({"text": export.text} if out is None else {"file": str(out)}))
    elif out is None:
        screen.raw(export.text)
    else:
        screen.line(f"{out}: {places} locations, {steps} steps, {clocks} clocks; its first lines say how to ask")


# --- words ---------------------------------------------------------------------------------------------------------


def words_for(configuration: Configuration, asked: Sequence[Property], name: str, title: str) -> Labels:
    """What an exporter must be told about a close of TCP.

    Parameters
    ----------
    configuration : Configuration
        The configuration that is exported.
    asked : sequence of Property
        What is asked of it.
    name : str
        The name of the file.
    title : str
        Whose behaviour it is.
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
    """A location of a composition in a few words: the states of both ends, or what comes after."""
    situation = _situation(location)
    if situation.phase is not Phase.FIRST:
        return situation.phase
    return "_".join(block.state for block in situation.ends)


def describe(location: Location) -> str:
    """A location of a composition in a line."""
    situation = _situation(location)
    if situation.phase is Phase.OVER:
        return "an old copy has reached the next incarnation"
    ends = [_end(end, block) for end, block in zip(ENDS, situation.ends, strict=True)]
    parts = [", ".join(ends)] if situation.phase is Phase.FIRST else ["the same addresses and ports are open again"]
    if situation.network:
        parts.append(f"in flight, as long as they live: {', '.join(map(_copy, situation.network))}")
    lost = [f"{count} for {end}" for end, count in zip(ENDS, situation.lost, strict=True) if count]
    if lost:
        parts.append(f"lost in the round: {', '.join(lost)}")
    return "; ".join(parts)


def _end(end: str, block: Block) -> str:
    tries = f", sent again {block.tries} times" if block.tries else ""
    return f"{end} {block.state} (una {block.una}, nxt {block.nxt}, rcv {block.rcv}{tries})"


def _copy(copy: PacketInFlight) -> str:
    duty = ["must arrive"] if copy.must_be_delivered else []
    if copy.left is not None:
        duty.append(f"{copy.left + 1} times at most" if copy.left else "once at most")
    return f"{copy.sender} {copy.segment}" + (f" ({', '.join(duty)})" if duty else "")


def _situation(location: Location) -> CompositionState:
    assert isinstance(location, CompositionState)
    return location
