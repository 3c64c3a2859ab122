"""Whether the time of ``timewait check --engine zones`` depends on the unit: an MSL of 120 s against one of 2 s.

The short question divides every duration by 60, exactly or with a TIME_WAIT in half seconds instead of milliseconds. In
dense time both questions have the same zones, and should take the same time. They are decided in turn in one process,
after one uncounted check, which compiles; the medians are compared.

Exit codes: 0 the numbers of zones are equal and the ratio of the times is within the bound, 1 otherwise.
"""

from __future__ import annotations

import statistics
import sys
import time
from fractions import Fraction
from typing import NamedTuple

import click

from timewait.api import check
from timewait.checker.decide import Answer
from timewait.checker.time_unit import unit_of
from timewait.checker.verdict import Verdict, worst
from timewait.cli import console
from timewait.options import Closers
from timewait.spec.duration import format_duration

LONG, SHORT = Fraction(120), Fraction(2)
"""MSL and RTO of the two questions, in seconds."""

TIME_WAITS = (
    (Fraction(240), Fraction(4)),
    (Fraction("239.999"), Fraction("239.999") / 60),
    (Fraction("239.999"), Fraction("3.5")),
)
"""TIME_WAIT of the two questions: the smallest safe value, a millisecond less, and a smaller one in coarser units."""

LINE = "{:<10}{:<12}{:>16}  {:<10}{:>7}{:>9}{:>9}{:>7}"
COLUMNS = ("TIME_WAIT", "and", "units", "verdict", "zones", "long s", "short s", "ratio")


class Asked(NamedTuple):
    """One check: its processor time in seconds, and for each property its name, verdict, engine and number of zones."""

    seconds: float
    found: tuple[tuple[str, Verdict, str, int], ...]

    @property
    def zones(self) -> int:
        """The number of zones."""
        return max(covered for _, _, engine, covered in self.found if engine.startswith("zones"))

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return worst(verdict for _, verdict, _, _ in self.found)


def ask(msl: Fraction, time_wait: Fraction, closers: Closers) -> Asked:
    """Check one configuration, replays included."""
    started = time.process_time()
    result = check(msl=msl, rto=msl, time_wait=time_wait, loss=1, closers=closers, engine="zones")
    return Asked(time.process_time() - started, tuple(map(_result, result.answers)))


def _result(answer: Answer) -> tuple[str, Verdict, str, int]:
    finding = answer.finding
    return finding.name, finding.verdict, finding.engine, finding.states


def compared(time_waits: tuple[Fraction, Fraction], closers: Closers, repetitions: int) -> tuple[Asked, Asked]:
    """The results of the long and of the short question, each with its median time.

    Raises
    ------
    click.ClickException
        The repetitions had different results.
    """
    questions = [(LONG, time_waits[0], closers), (SHORT, time_waits[1], closers)]
    ask(*questions[0])
    runs: list[list[Asked]] = [[], []]
    for number in range(repetitions):
        for which in (0, 1) if number % 2 else (1, 0):
            runs[which].append(ask(*questions[which]))
    return _median(runs[0]), _median(runs[1])


def _median(runs: list[Asked]) -> Asked:
    if len({run.found for run in runs}) > 1:
        raise click.ClickException("the same question had different answers")
    return Asked(statistics.median(run.seconds for run in runs), runs[0].found)


@click.command()
@click.option("--repetitions", type=click.IntRange(min=1), default=9, show_default=True, help="Checks of each question.")
@click.option("--closers", type=click.Choice(["a", "both"]), default="a", show_default=True, help="As for timewait check.")
@click.option("--bound", type=click.FloatRange(min=1), default=1.5, show_default=True, help="Largest ratio of the times.")
def main(repetitions: int, closers: Closers, bound: float) -> None:
    """Compare MSL 120s with MSL 2s in dense time."""
    screen = console.Screen()
    screen.line(
        f"MSL and RTO {format_duration(LONG)} and {format_duration(SHORT)}, loss 1, closers {closers}; seconds of processor time,"
    )
    screen.line(f"the medians of {repetitions} checks in turn; units: TIME_WAIT in its largest unit")
    screen.line(LINE.format(*COLUMNS))
    good = True
    for long_wait, short_wait in TIME_WAITS:
        long, short = compared((long_wait, short_wait), closers, repetitions)
        ratio = long.seconds / short.seconds
        good &= long.found == short.found and max(ratio, 1 / ratio) <= bound
        zones = f"{long.zones}" if long.zones == short.zones else f"{long.zones}/{short.zones}"
        counts = f"{long_wait / unit_of({'': LONG, ' ': long_wait})}, {short_wait / unit_of({'': SHORT, ' ': short_wait})}"
        times = (f"{long.seconds:.3f}", f"{short.seconds:.3f}", f"{ratio:.2f}")
        screen.line(
            LINE.format(format_duration(long_wait), format_duration(short_wait), counts, str(long.verdict), zones, *times)
        )
    screen.line(f"{'passed' if good else 'FAILED'}: the same verdicts and zones, times within a factor of {bound:g}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
