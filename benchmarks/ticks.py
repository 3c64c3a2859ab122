"""The exploration in ticks beside SPIN: larger and larger state spaces, equal counts, states a second.

A closes first, MSL is 30 s, and a shorter RTO gives more states. Each program runs in fresh processes, in turn; times are
processor time. SPIN searches depth first with the usual options for speed, and is left out where it is not installed.

Exit codes: 0 every count equals that of SPIN, 1 otherwise.
"""

from __future__ import annotations

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

from timewait.checker.explicit import packed
from timewait.checker.finding import Budget
from timewait.options import Options
from timewait.proofs.question import question

LADDER = ("30s", "10s", "6s", "5s", "3s", "2s")
"""RTO of each question: from a few thousand states to more than a hundred million."""

BUILD = ("gcc", "-O3", "-march=native", "-w", "-DSAFETY", "-DNOREDUCE", "-DNOBOUNDCHECK", "-DMEMLIM=8000", "-o", "pan", "pan.c")
"""The command that compiles SPIN's verifier."""

LINE = "{:<6}{:>13}{:>14}{:>10}{:>11}{:>10}{:>10}{:>8}{:>10}"
COLUMNS = ("RTO", "states", "transitions", "search s", "process s", "M st./s", "SPIN s", "ratio", "bytes/st.")


class Measured(NamedTuple):
    """One exploration.

    Attributes
    ----------
    states, transitions : int
        What was found.
    search, process : float
        Processor time of the search and of the whole process, in seconds.
    memory : float
        Bytes of memory for each state.
    """

    states: int
    transitions: int
    search: float
    process: float
    memory: float


def options(rto: str) -> Options:
    """The question of a step of the ladder."""
    return Options.of(msl="30s", rto=rto, closers="a", properties=["isolation"])


def explore(rto: str) -> Measured:
    """Explore in this process."""
    asked, began = question(options(rto).configuration()), time.process_time()
    explored = packed(asked, Budget(states=1_000_000_000, seconds=3600.0))
    assert explored is not None, "the system is compiled"
    assert not explored.stopped, explored.stopped
    search = time.process_time() - began
    return Measured(len(explored), explored.transitions, search, time.process_time(), explored.bytes / len(explored))


def in_fresh_process(rto: str) -> Measured:
    """Explore in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.ticks", "--one", rto]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Measured(int(printed[0]), int(printed[1]), *map(float, printed[2:]))


def by_spin(rto: str, folder: Path) -> Measured:
    """Let SPIN explore the export of the same question."""
    command = [sys.executable, "-m", "timewait", "export", "--to", "promela", "--msl", "30s", "--rto", rto, "--closers", "a"]
    model = subprocess.run([*command, "--property", "isolation"], check=True, capture_output=True, text=True).stdout
    (folder / "model.pml").write_text(model, encoding="utf-8")
    for step in (("spin", "-a", "model.pml"), BUILD):
        subprocess.run(step, cwd=folder, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    search = ("./pan", "-n", "-w24", "-m10000000", "-A", "-c0")
    output = subprocess.run(search, cwd=folder, check=True, capture_output=True, text=True).stdout
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    found = [re.search(pattern, output) for pattern in (r"(\d+) states, stored", r"(\d+) transitions")]
    states, transitions = (int(match[1]) if match else 0 for match in found)
    return Measured(states, transitions, seconds, seconds, 0.0)


@click.command(help=__doc__)
@click.option("--most", default=4, show_default=True, help="Steps of the ladder; all are six.")
@click.option("--one", hidden=True, help="One step in this process, as numbers.")
def main(most: int, one: str | None) -> None:
    """Measure each step of the ladder, and compare."""
    if one is not None:
        click.echo(" ".join(map(str, explore(one))))
        return
    click.echo(LINE.format(*COLUMNS))
    in_fresh_process(LADDER[0])  # compiles, so that the cache is warm
    equal = True
    for rto in LADDER[:most]:
        ours = in_fresh_process(rto)
        theirs = None
        if all(map(shutil.which, ("spin", "gcc"))):
            with tempfile.TemporaryDirectory() as folder:
                theirs = by_spin(rto, Path(folder))
            equal &= ours[:2] == theirs[:2]
        times = ("-", "-") if theirs is None else (f"{theirs.search:.2f}", f"{theirs.search / ours.search:.2f}")
        rate = f"{ours.states / ours.search / 1e6:.2f}"
        seconds = f"{ours.search:.2f}", f"{ours.process:.2f}"
        click.echo(LINE.format(rto, f"{ours.states:,}", f"{ours.transitions:,}", *seconds, rate, *times, f"{ours.memory:.0f}"))
    if not equal:
        click.echo("the counts differ from those of SPIN")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
