"""One exploration in ticks by one thread and by several, in turn: equal counts, and the ratio of the times.

On a machine that is busy with other work the time on the clock says little. So the processor time of the longest way through
the search is stated too: in each step that of the slower thread, and all that one thread does alone.

Cores share their way to memory, so that as many separate searches side by side take longer than one. The last line measures this:
how many times one search the machine then does in the same time, which no division of one search can exceed by much.

Exit codes: 0 the counts are equal, 1 otherwise.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

import click

from benchmarks.ticks import options
from timewait.checker.finding import Budget
from timewait.checker.partition import Advance, Parcel, StatePart
from timewait.checker.partitioned_ticks import explored
from timewait.proofs.question import question

LINE = "{:>8}{:>13}{:>14}{:>10}{:>12}{:>12}{:>8}{:>8}"
COLUMNS = ("workers", "states", "transitions", "clock s", "processor s", "longest s", "ratio", "load")


class Stopwatch:
    """The processor time of each step of each thread, in seconds."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self._advance = StatePart.advance

    def advance(self, part: StatePart, parcels: Sequence[Parcel]) -> Advance:
        """Advance a part, and note the time."""
        began = time.thread_time()
        done = self._advance(part, parcels)
        self.steps.append(time.thread_time() - began)
        return done

    def saved(self, workers: int) -> float:
        """The processor time that passes beside that of the slowest thread of each step."""
        steps = [self.steps[begin : begin + workers] for begin in range(0, len(self.steps), workers)]
        return sum(sum(step) - max(step) for step in steps)


def measured(rto: str, workers: int) -> tuple[int, int, float, float, float]:
    """States, transitions, seconds on the clock, of the processor, and along the longest way."""
    locations, watch = question(options(rto).configuration()).locations, Stopwatch()
    assert locations is not None, "the system is compiled"
    began, spent, advance = time.monotonic(), time.process_time(), StatePart.advance
    setattr(StatePart, "advance", lambda part, parcels: watch.advance(part, parcels))  # noqa: B010  # a method is replaced
    try:
        with explored(locations, Budget(states=1_000_000_000, seconds=3600.0, workers=workers)) as states:
            clock, processor = time.monotonic() - began, time.process_time() - spent
            return len(states), states.transitions, clock, processor, processor - watch.saved(workers)
    finally:
        setattr(StatePart, "advance", advance)  # noqa: B010  # as it was


def side_by_side(rto: str, processes: int) -> float:
    """The seconds on the clock of the slowest of some separate searches by one thread, which begin together."""
    context = multiprocessing.get_context("spawn")
    ready, clocks = context.Barrier(processes), context.SimpleQueue()
    running = [context.Process(target=_search, args=(rto, ready, clocks)) for _ in range(processes)]
    for process in running:
        process.start()
    slowest: float = max([clocks.get() for _ in running])
    for process in running:
        process.join()
    return slowest


def _search(rto: str, ready: Barrier, clocks: SimpleQueue[float]) -> None:
    """Search once when all processes are ready; the compiled functions are loaded before."""
    measured("30s", 1)
    ready.wait()
    clocks.put(measured(rto, 1)[2])


@click.command(help=__doc__)
@click.option("--rto", default="3s", show_default=True, help="RTO of the question of benchmarks.ticks: 5s, 3s or 2s.")
@click.option("--workers", type=click.IntRange(2), default=2, show_default=True, help="Threads.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="How often both are measured.")
def main(rto: str, workers: int, repeats: int) -> None:
    """Measure in turn, and compare."""
    measured("30s", workers)  # loads the compiled functions
    click.echo(LINE.format(*COLUMNS))
    counts = set()
    for _ in range(repeats):
        alone = 0.0
        for number in (1, workers):
            states, transitions, clock, processor, longest = measured(rto, number)
            alone = alone or longest
            counts.add((states, transitions))
            seconds = f"{clock:.2f}", f"{processor:.2f}", f"{longest:.2f}", f"{alone / longest:.2f}"
            click.echo(LINE.format(number, f"{states:,}", f"{transitions:,}", *seconds, f"{os.getloadavg()[0]:.1f}"))
    times = [(side_by_side(rto, 1), side_by_side(rto, workers)) for _ in range(repeats)]
    limits = ", ".join(f"{workers * alone / together:.2f}" for alone, together in times)
    click.echo(f"{workers} separate searches side by side do this many times the work of one alone: {limits}")
    sys.exit(len(counts) != 1)


if __name__ == "__main__":
    main()
