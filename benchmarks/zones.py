"""Growth of the zones over a ladder of closes, each explored completely, compared with TChecker where it is installed.

Every rung decides isolation in a larger system. Isolation holds, so that all reachable zones must be covered. As in
``timewait check``, the explored system is the over-approximation of the close. Each rung runs in a process of its own. A
rung that reaches a bound on time or memory is inconclusive, and reports the stage that it had reached. TChecker's
``tck-reach``, if it is on the path, checks the exported file under the same bounds. For Linux.

Exit codes: 0 no violation, 1 a violation, another verdict by TChecker, or a rung whose process failed.
"""

from __future__ import annotations

import math
import multiprocessing
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import click

from timewait.checker.decide import decide
from timewait.checker.export.plan import identifier, plan_of
from timewait.checker.export.tchecker import as_tchecker
from timewait.checker.finding import Budget
from timewait.checker.question import Engine, Question
from timewait.checker.verdict import Verdict
from timewait.cli import console
from timewait.cli.export import labels_for
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.properties import PROPERTIES

ASKED = PROPERTIES["isolation"]
TCHECKER = "tck-reach"
ABSENT = f"no {TCHECKER} on the path"

LINE = "{:<21}{:>10}{:>9}{:>10}{:>9}{:>9}{:>10}{:>10}  {:<13} {}"
COLUMNS = ("model", "locations", "zones", "zones/s", "KB/zone", "fold s", "explore s", "verdict s", "verdict", "TChecker")


class Rung(NamedTuple):
    """A configuration of the ladder: an MSL of 2 s, an RTO of 1 s, and a TIME_WAIT long enough for every loss budget here."""

    scope: Scope
    closers: str
    loss: int
    text: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        data = f" data {self.text[0]},{self.text[1]}" if any(self.text) else ""
        return f"{self.scope} {self.closers} k={self.loss}{data}"

    @property
    def configuration(self) -> Configuration:
        """The whole configuration."""
        both = self.closers == "both"
        durations = (Fraction(2), Fraction(8), (Fraction(1),))
        return Configuration(*durations, loss=self.loss, scope=self.scope, both_close=both, text=self.text)


LADDER = (
    *(Rung(Scope.CORE, "a", loss) for loss in range(4)),
    *(Rung(Scope.CLOSE, "a", loss) for loss in range(4)),
    *(Rung(Scope.CLOSE, "a", loss, text) for loss in (0, 1) for text in ((1, 0), (2, 0), (0, 1), (1, 1))),
    *(Rung(Scope.CLOSE, "both", loss) for loss in range(4)),
    *(Rung(Scope.CLOSE, "both", loss, text) for loss in (0, 1) for text in ((1, 0), (1, 1))),
)


class LadderBounds(NamedTuple):
    """The bounds of a rung: seconds of processor time, and megabytes of memory."""

    seconds: float
    megabytes: float


@dataclass
class Measured:
    """The measurements of a rung.

    Attributes
    ----------
    doing : str
        The current stage.
    locations, zones : int or None
        Their numbers.
    folding, exploring, whole : float or None
        Seconds of processor time: for the quotient, for the exploration, and from the question to the verdict.
    grown : float
        Megabytes by which the process grew during the exploration.
    verdict : Verdict
        The verdict.
    reason : str
        The reason of a verdict that is no proof.
    beside : str
        The answer of TChecker, or the reason why there is none.
    differs : bool
        Whether TChecker has another verdict.
    """

    doing: str = "folding"
    locations: int | None = None
    zones: int | None = None
    folding: float | None = None
    exploring: float | None = None
    whole: float | None = None
    grown: float = 0.0
    verdict: Verdict = Verdict.INCONCLUSIVE
    reason: str = ""
    beside: str = "-"
    differs: bool = False


# --- a rung, in a process of its own --------------------------------------------------------------------------------


class BoundReached(Exception):
    """A bound was reached; the message says which."""


@contextmanager
def bounded(bounds: LadderBounds) -> Iterator[None]:
    """Interrupt a block when a bound is reached; tested twice a second."""
    started = time.process_time()

    def look(number: int, frame: object) -> None:
        del number, frame
        if time.process_time() - started > bounds.seconds:
            raise BoundReached(f"{bounds.seconds:g} s reached")
        if resident() > bounds.megabytes:
            raise BoundReached(f"{bounds.megabytes:g} MB reached")

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def resident() -> float:
    """The resident memory of this process, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)


@dataclass
class Watch:
    """The interruption of an exploration, which also measures the growth of the process.

    Attributes
    ----------
    until : float
        The processor time of the process, in seconds, at which the exploration stops.
    before, most : float
        The memory at the start and the largest growth since, in megabytes.
    """

    until: float
    before: float = field(default_factory=resident)
    most: float = 0.0

    def __call__(self) -> bool:
        self.most = max(self.most, resident() - self.before)
        return time.process_time() > self.until


def climb(rung: Rung, bounds: LadderBounds, tchecker: str | None, pipe: Connection) -> None:
    """Measure a rung, and send the measurements after each stage."""
    decide(question(LADDER[0].configuration), [ASKED], Engine.ZONES, Budget())  # from here on everything is compiled
    asked, known = question(rung.configuration), Measured()
    measure(asked, bounds, known, pipe)
    if tchecker is None:
        known.beside = ABSENT
    elif known.locations is not None:
        known.doing = f"running {TCHECKER}"
        pipe.send(known)
        known.beside, broken = beside(asked, rung.configuration, bounds, tchecker)
        known.differs = broken is not None and broken is not (known.verdict is Verdict.VIOLATED)
    pipe.send(known)


def measure(asked: Question, bounds: LadderBounds, known: Measured, pipe: Connection) -> None:
    """Build the quotient, look for time-locks, and explore."""
    started = time.process_time()
    try:
        with bounded(bounds):
            locations = asked.coarse.explore()
            known.folding, known.doing = time.process_time() - started, "looking for time-locks"
            known.locations = len(locations)
            known.reason = "time can stop" if asked.may_time_lock else ""
    except BoundReached as reached:
        known.reason = f"{reached} while {known.doing}"
        return
    known.doing = "exploring"
    pipe.send(known)
    watch, ready = Watch(started + bounds.seconds), time.process_time()
    budget = Budget(seconds=math.inf, megabytes=bounds.megabytes, interrupted=watch)
    (answer,) = decide(asked, [ASKED], Engine.ZONES, budget)
    ended = time.process_time()
    known.exploring, known.whole, known.grown = ended - ready, ended - started, watch.most
    known.zones, known.verdict, known.reason = answer.finding.states, answer.verdict, answer.finding.reason
    if ended > watch.until and known.verdict is Verdict.INCONCLUSIVE:
        known.reason = f"{bounds.seconds:g} s reached while exploring"


def beside(asked: Question, configuration: Configuration, bounds: LadderBounds, tchecker: str) -> tuple[str, bool | None]:
    """The answer of TChecker, and whether it found a violation; None if it did not finish."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "close.tck"
        words = labels_for(configuration, [ASKED], file.name, "a benchmark")
        file.write_text(as_tchecker(plan_of(asked.coarse, words)), encoding="utf-8")
        command = [tchecker, "-a", "covreach", "-l", identifier(ASKED.name), str(file)]
        limited = partial(_limit, bounds)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limited)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode == -signal.SIGXCPU:
        return f"inconclusive: {bounds.seconds:g} s reached", None
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = dict(re.findall(r"^(REACHABLE|STORED_STATES) (\S+)$", done.stdout, re.MULTILINE))
    if done.returncode or said.get("REACHABLE") not in ("true", "false"):
        complaint = (done.stderr.strip().splitlines() or ["without a message"])[-1]
        return f"inconclusive: ended with {done.returncode}, {complaint}", None
    broken = said["REACHABLE"] == "true"
    return f"{seconds:.2f} s, {said.get('STORED_STATES', '?')} zones, {'violated' if broken else 'proved'}", broken


def _limit(bounds: LadderBounds) -> None:
    """Set the limits of a child process before it executes its program."""
    for kind, most in ((resource.RLIMIT_CPU, math.ceil(bounds.seconds)), (resource.RLIMIT_AS, int(bounds.megabytes * (1 << 20)))):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


# --- the ladder -----------------------------------------------------------------------------------------------------


def measured(rung: Rung, bounds: LadderBounds, tchecker: str | None) -> tuple[Measured, int]:
    """The last measurements of a rung, and the exit code of its process."""
    fresh = multiprocessing.get_context("spawn")
    here, there = fresh.Pipe(duplex=False)
    process = fresh.Process(target=climb, args=(rung, bounds, tchecker, there))
    process.start()
    there.close()
    known = Measured()
    try:
        while True:
            known = here.recv()
    except EOFError:
        process.join()
    finally:
        process.kill()
    code = process.exitcode or 0
    if code:
        known.verdict, known.reason = Verdict.INCONCLUSIVE, f"its process ended with {code} while {known.doing}"
    return known, code


def row(rung: Rung, known: Measured) -> str:
    """A rung as a line; growth of less than a megabyte is not divided among the zones."""
    zones, exploring = known.zones, known.exploring
    rate = f"{zones / exploring:,.0f}" if zones and exploring else "-"
    size = f"{known.grown * 1024 / zones:.1f}" if zones and known.grown >= 1 else "-"
    counts = ("-" if count is None else f"{count:,}" for count in (known.locations, zones))
    times = ("-" if seconds is None else f"{seconds:.2f}" for seconds in (known.folding, exploring, known.whole))
    shown = LINE.format(str(rung), *counts, rate, size, *times, str(known.verdict), known.beside)
    return f"{shown}\n  {known.verdict}: {known.reason}" if known.reason else shown


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Bound on its processor time.")
@click.option("--megabytes", type=click.FloatRange(min=300), default=4000.0, show_default=True, help="Bound on its memory.")
@click.option(
    "--rungs",
    type=click.IntRange(1, len(LADDER)),
    default=len(LADDER),
    show_default=True,
    help="Number of rungs, from the first.",
)
def main(seconds: float, megabytes: float, rungs: int) -> None:
    """Explore closes of increasing size in dense time."""
    screen = console.Screen()
    screen.line(f"MSL 2s, RTO 1s, TIME_WAIT 8s; {ASKED.name}; k: the loss budget; data: octets of A and of B")
    screen.line("seconds of processor time; fold: building the quotient; verdict: from question to verdict")
    screen.line(f"each rung up to {seconds:g} s and {megabytes:g} MB")
    screen.line(LINE.format(*COLUMNS))
    tchecker = shutil.which(TCHECKER)
    good = True
    for rung in LADDER[:rungs]:
        known, code = measured(rung, LadderBounds(seconds, megabytes), tchecker)
        good &= not code and not known.differs and known.verdict in (Verdict.PROVED, Verdict.INCONCLUSIVE)
        screen.line(row(rung, known))
    sys.exit(not good)


if __name__ == "__main__":
    main()
