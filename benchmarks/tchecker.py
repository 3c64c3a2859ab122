"""The exploration in zones beside TChecker: stored zones and processor time, on the same automaton.

MSL and RTO are 30 s, TIME_WAIT is 60 s, one loss; the question is isolation. Each program runs in fresh processes, in turn.
TChecker's ``tck-reach`` searches for inclusion (``covreach``), and is left out where it is not installed. A zone is stored
until a later one of its location includes it; a node is a zone that was stored at some time. Besides the exported automaton the
over-approximation is explored, which ``timewait check`` asks first.

Exit codes: 0 no verdict differs from TChecker's, and no more zones are stored of the same automaton; 1 otherwise.
"""

from __future__ import annotations

import math
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click

from timewait.checker.finding import Budget
from timewait.checker.zones import Zones
from timewait.options import Closers, Options
from timewait.proofs.question import question

MODELS: dict[str, tuple[Closers, str]] = {
    "A first": ("a", "0,0"),
    "either first": ("both", "0,0"),
    "A first, an octet each way": ("a", "1,1"),
}
"""The options --closers and --data of each model."""

ISOLATION = "isolation"

REPEATS = 3
"""Explorations in a process, of which the fastest counts: the first one loads the compiled functions."""

LINE = "{:<28}{:>11}{:>8}{:>8}{:>11}{:>9}{:>9}{:>9}{:>10}{:>8}"
COLUMNS = ("model", "program", "stored", "nodes", "search s", "us/node", "clocks", "process", "verdict", "ratio")


class Measured(NamedTuple):
    """One exploration.

    Attributes
    ----------
    stored, nodes : int
        Zones stored at the end, and nodes.
    search, process : float
        Processor time of the search and of the whole process, in seconds. For TChecker both are that of the process, in which
        the file is read.
    clocks : float
        Clocks of a node on average.
    broken : bool
        Whether isolation is violated.
    """

    stored: int
    nodes: int
    search: float
    process: float
    clocks: float
    broken: bool


def explore(model: str, over_approximated: bool) -> Measured:
    """Explore in this process until isolation is violated or everything was visited."""
    closers, data = MODELS[model]
    chosen = Options.of(msl="30s", rto="30s", closers=closers, data=data).configuration()
    asked = question(chosen)
    automaton = asked.coarse if over_approximated else asked.quotient
    search = math.inf
    for _ in range(REPEATS):
        zones, began = Zones(automaton), time.process_time()
        zones.explore(Budget(), frozenset({ISOLATION}))
        search = min(search, time.process_time() - began)
    stored = sum(map(len, zones.cover().values()))
    clocks = sum(len(automaton.location(zones.node(node)[0]).clocks) for node in range(len(zones))) / len(zones)
    return Measured(stored, len(zones), search, time.process_time(), clocks, ISOLATION in zones.broken)


def in_fresh_process(model: str, over_approximated: bool) -> Measured:
    """Explore in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.tchecker", "--one", model, *(["--coarse"] if over_approximated else [])]
    stored, nodes, search, process, clocks, broken = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.split()
    return Measured(int(stored), int(nodes), float(search), float(process), float(clocks), broken == "True")


def by_tchecker(model: str, folder: Path) -> Measured:
    """Let TChecker explore the export."""
    file = folder / "close.tck"
    closers, data = MODELS[model]
    asked = ("--msl", "30s", "--rto", "30s", "--closers", closers, "--data", data, "--property", ISOLATION)
    command = [sys.executable, "-m", "timewait", "export", "--to", "tchecker", *asked, "--out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    search = ["tck-reach", "-a", "covreach", "-l", ISOLATION, str(file)]
    output = subprocess.run(search, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = dict(re.findall(r"^([A-Z_]+) (\S+)$", output, re.MULTILINE))
    return Measured(int(said["STORED_STATES"]), int(said["VISITED_STATES"]), seconds, seconds, 0, said["REACHABLE"] == "true")


def show(model: str, program: str, found: Measured, beside: Measured | None) -> None:
    """Print one exploration as a line."""
    each = f"{1e6 * found.search / found.nodes:.1f}"
    ratio = "-" if beside is None else f"{beside.search / found.search:.0f}"
    clocks = f"{found.clocks:.1f}" if found.clocks else "-"
    times = f"{found.search:.4f}", each, clocks, f"{found.process:.2f}", "violated" if found.broken else "proved"
    click.echo(LINE.format(model, program, found.stored, found.nodes, *times, ratio))


@click.command(help=__doc__)
@click.option("--rounds", default=1, show_default=True, help="Rounds, in each of which every program runs once.")
@click.option("--one", hidden=True, help="One model in this process, as numbers.")
@click.option("--coarse", is_flag=True, hidden=True, help="The over-approximation of it.")
def main(rounds: int, one: str | None, coarse: bool) -> None:
    """Measure each model, and compare."""
    if one is not None:
        click.echo(" ".join(map(str, explore(one, coarse))))
        return
    click.echo(LINE.format(*COLUMNS))
    good, found = True, shutil.which("tck-reach") is not None
    for model in (model for _ in range(rounds) for model in MODELS):
        theirs = None
        if found:
            with tempfile.TemporaryDirectory() as folder:
                theirs = by_tchecker(model, Path(folder))
            show(model, "tck-reach", theirs, None)
        ours, coarser = in_fresh_process(model, False), in_fresh_process(model, True)
        show("", "zones", ours, theirs)
        show("", "over-appr.", coarser, theirs)
        good &= theirs is None or (ours.stored <= theirs.stored and ours.broken == coarser.broken == theirs.broken)
    if not found:
        click.echo("tck-reach is not on the path")
    sys.exit(not good)


if __name__ == "__main__":
    main()
