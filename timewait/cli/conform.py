"""The command ``conform``: compares a running stack with the specification, event by event."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from timewait.cli.console import Screen
from timewait.cli.files import ensure_writable, write_whole
from timewait.cli.value_types import FilePath, FiniteRange, WordChoice
from timewait.laboratory.conformance.campaign import ConformanceReport, DifferenceGroup, ExperimentLayer, run_campaign
from timewait.laboratory.conformance.departures import DEPARTURES
from timewait.laboratory.conformance.experiment import RunningStack
from timewait.laboratory.conformance.linux_stack import LinuxStack
from timewait.laboratory.conformance.lwip_stack import LwipStack
from timewait.laboratory.conformance.page import conformance_page
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.settings import Behaviour
from timewait.spec.stacks import load_stack

STACKS: dict[str, Callable[[], Any]] = {"linux": LinuxStack, "lwip": LwipStack}
"""The running stacks, by the names of their profiles."""


@click.command("conform")
@click.option("--on", "name", type=WordChoice([*STACKS]), required=True, help="The running stack: this kernel, or lwIP.")
@click.option(
    "--layer",
    "layers",
    type=WordChoice([layer.value for layer in ExperimentLayer]),
    multiple=True,
    help="A layer of experiments; may be repeated. [default: all]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random walks.")
@click.option(
    "--max-seconds",
    type=FiniteRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Bound on the time of the experiments, in seconds.",
)
@click.option("--out", type=FilePath(dir_okay=False), help="Write the report as JSON.")
@click.option("--html", type=FilePath(dir_okay=False), help="Write the report as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def conform_command(
    name: str, layers: tuple[str, ...], seed: int, max_seconds: float, out: Path | None, html: Path | None, as_json: bool
) -> int:
    """Compare a running stack with the specification under the profile of the stack.

    Exits with 10 when a difference is unexplained or shows that a setting of the profile is wrong, with 20 when a limit was
    reached, with 4 when this machine cannot run it.
    All traffic stays in network namespaces that vanish with the command.
    """
    for path in (out, html):
        if path is not None:
            ensure_writable(path)
    screen = Screen()
    chosen = [layer for layer in ExperimentLayer if not layers or layer.value in layers]
    stack: AbstractContextManager[RunningStack] = STACKS[name]()
    with stack as running:
        report = run_campaign(running, profile_behaviours(name), chosen, seed, max_seconds, _progress(screen))
    data = json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n"
    if out is not None:
        write_whole(out, data)
    if html is not None:
        write_whole(html, conformance_page(report))
    if as_json:
        screen.raw(data)
    else:
        _show(screen, report)
    return report.verdict.exit_code


def profile_behaviours(name: str) -> dict[bool, Behaviour]:
    """The settings of a profile for shutdown() (False) and for close() (True)."""
    profile = load_stack(name)
    return {abandons: behaviour_of(profile, Overrides.of(abandons=abandons)) for abandons in (False, True)}


def _progress(screen: Screen) -> Callable[[ExperimentLayer, int, int], None]:
    """Notes of progress, not too many of them."""

    def note(layer: ExperimentLayer, done: int, planned: int) -> None:
        if done == planned or screen.progress_is_due():
            screen.note(f"  {layer}: {done:,} of {planned:,} experiments")

    return note


def _show(screen: Screen, report: ConformanceReport) -> None:
    """The report as text."""
    screen.heading(f"{report.stack} {report.version} and the specification under the profile {report.stack}")
    screen.paragraphs([f"changed for the experiments: {', '.join(report.aids)}"], indent=2)
    rows = []
    for result in report.layers:
        explained, unexplained = (report.count(result.layer, explained) for explained in (True, False))
        counts = (len(result.compared), result.agreeing, explained, unexplained)
        rows.append((f"  {result.layer}", *(f"{count:,}" for count in counts), f"{result.seconds:.1f} s"))
    screen.table(("  layer", "experiments", "agree", "differ, explained", "differ, unexplained", "time"), rows)
    for group in report.groups:
        _show_group(screen, group, report)
    screen.line()
    if report.stopped:
        left = sum(result.planned - len(result.compared) for result in report.layers)
        screen.line(f"{left:,} experiments were left out: {report.stopped}")
    screen.line(f"verdict: {report.summary}")


def _show_group(screen: Screen, group: DifferenceGroup, report: ConformanceReport) -> None:
    """A group of differences, with the shortest experiment that shows it."""
    stack = report.stack
    screen.line()
    where = ", ".join(f"{count:,} in {layer}" for layer, count in group.counts.items())
    wrong = "PROFILE IS WRONG: " if report.shows_wrong_profile(group) else ""
    screen.heading(f"{wrong}{'UNEXPLAINED' if group.explanation is None else group.explanation}: {where}")
    if group.explanation is not None:
        for name in group.explanation.departures:
            entry = DEPARTURES[name]
            screen.paragraphs([f"{name}: {stack} {entry.meaning}; {entry.reason} ({entry.source})"], indent=2)
    screen.line(f"  shortest: {group.shortest.experiment}")
    screen.line(f"    specification: {group.shortest.predicted[-1]}")
    screen.line(f"    {stack}: {group.shortest.observed[-1]}")
