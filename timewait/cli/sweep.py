"""The command ``sweep``: decides every question of a grid, and writes a row for each."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait import __version__
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict, worst_exit
from timewait.cli.console import Screen
from timewait.cli.options import CLUSTER_OPTION, PROPERTY_OPTION
from timewait.cli.sweep_rows import row_file
from timewait.cli.value_types import FilePath, FiniteRange, Parsed, WordChoice
from timewait.narration.prose import counted
from timewait.options import SECONDS, STATES, count, octets
from timewait.proofs.memory import version_of_code
from timewait.spec.configuration import Scope
from timewait.spec.duration import SECONDS as UNITS
from timewait.spec.duration import format_duration, parse_duration
from timewait.spec.stacks import DEFAULT_STACK, load_stack, stack_names
from timewait.sweep import MOST_POINTS, Grid, GridRow, rows
from timewait.vocabulary.errors import RequestError
from timewait.vocabulary.input_files import SMALL, read_octets

DEFAULT_PROPERTIES = ("graceful", "isolation")

TIMES = {"msl": "MSL", "time_wait": "TIME_WAIT", "rto": "RTO"}
"""The columns that are times, and their names."""

MOST_VALUES = 10_000
"""Values of one option, at most."""

_RANGE = re.compile(r"(?P<low>[^./]+(?:\.[0-9][^./]*)?)\.\.(?P<high>[^/]+)(?:/(?P<step>.+))?")


_UNIT = re.compile("|".join(sorted(UNITS, key=len, reverse=True)))


def several(text: str, read: Callable[[str], Any], step: Callable[[str], Any]) -> list[Any]:
    """Values with commas between them, and ranges ``LOW..HIGH`` or ``LOW..HIGH/STEP``, each once.

    Parameters
    ----------
    text : str
        The values.
    read : callable
        Reads one value.
    step : callable
        The step of a range without one, from the text of its lower end.

    Raises
    ------
    ValueError
        A value makes no sense, a range is empty, or there are more than `MOST_VALUES`.
    """
    found: list[Any] = []
    for part in text.split(","):
        if (match := _RANGE.fullmatch(part)) is None:
            found.append(read(part))
            continue
        low, high = read(match["low"]), read(match["high"])
        by = read(match["step"]) if match["step"] else step(match["low"])
        if low is None or high is None or not by or high < low:
            raise ValueError(f"{part!r} is no range: it goes from a value up to a greater one, such as 1s..300s/10s")
        if (high - low) / by + len(found) > MOST_VALUES:
            raise ValueError(f"{part!r} has more than {MOST_VALUES:,} values; give a greater step, such as 1s..300s/10s")
        while low <= high:
            found.append(low)
            low += by
    return list(dict.fromkeys(found))


def durations(text: str) -> list[Fraction]:
    """Durations; a range goes on by one unit of its lower end."""
    return several(text, parse_duration, lambda low: UNITS[_UNIT.findall(low)[-1]] if _UNIT.search(low) else Fraction(1))


def losses(text: str) -> list[int | None]:
    """Numbers of losses, or ``any``."""
    return several(text, count, lambda _: 1)


def stacks(text: str) -> list[str]:
    """Names of profiles and files, or ``all``."""
    return list(stack_names()) if text == "all" else list(dict.fromkeys(text.split(",")))


@click.command("sweep")
@click.option("--out", type=FilePath(dir_okay=False), required=True, help="FILE.csv, .jsonl or .parquet.")
@click.option("--stack", type=Parsed("names", stacks), default=DEFAULT_STACK, show_default=True, help="Profiles, or all.")
@click.option("--msl", type=Parsed("times", durations), required=True, help="MSL: 10s,30s or 10s..60s/10s.")
@click.option("--time-wait", type=Parsed("times", durations), help="TIME_WAIT. [default: the stack's]")
@click.option("--rto", type=Parsed("times", durations), help="RTO. [default: the stack's schedule]")
@click.option("--loss", type=Parsed("counts", losses), default="1", show_default=True, help="Copies lost per loss window: 0..3.")
@PROPERTY_OPTION
@click.option("--closers", type=WordChoice(["a", "both"]), default="a", show_default=True, help="Who may close first.")
@click.option("--scope", type=WordChoice([*map(str, Scope)]), default="close", show_default=True, help="What is modelled.")
@click.option("--data", type=Parsed("a,b", octets), default="0,0", show_default=True, help="Octets that A and B may send.")
@click.option("--duplication", type=Parsed("count", count), default="any", show_default=True, help="How often copies come again.")
@click.option("--fifo", is_flag=True, help="Copies of one direction arrive in the order sent.")
@click.option("--engine", type=WordChoice([*map(str, Engine)]), default="auto", show_default=True, help="The engine.")
@click.option("--max-states", type=click.IntRange(min=1), default=STATES, show_default=True, help="Bound on states or zones.")
@click.option("--max-seconds", type=FiniteRange(min=0, min_open=True), default=SECONDS, show_default=True, help="Seconds.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Questions decided side by side.")
@CLUSTER_OPTION
def sweep_command(
    out: Path,
    stack: list[str],
    msl: list[Fraction],
    time_wait: list[Fraction] | None,
    rto: list[Fraction] | None,
    loss: list[int | None],
    properties: tuple[str, ...],
    jobs: int,
    cluster: str,
    **fixed: Any,
) -> int:
    """Decide every combination of the values, and write a row for each into a file; run again, it goes on from the rows there.

    Exits with 0 if every row is proved or violated, else with the code of the worst other verdict.
    """
    for name in stack:
        load_stack(name)
    axes: dict[str, list[Any]] = {"stack": stack, "msl": msl, "time_wait": time_wait or [None], "rto": rto or [None]}
    fixed["duplication"] = "any" if fixed["duplication"] is None else fixed["duplication"]
    axes["loss"] = ["any" if value is None else value for value in loss]
    grid = Grid(axes, fixed, tuple(dict.fromkeys(properties)) or DEFAULT_PROPERTIES, _version(stack))
    if len(grid) > MOST_POINTS:
        raise RequestError(f"{len(grid):,} questions are more than {MOST_POINTS:,}; give fewer values")
    return _decide(grid, out, jobs, cluster)


def _version(stacks: Sequence[str]) -> str:
    """The version, with a digest of the sources and of the profiles that are files: answers of others are not taken over."""
    digest = hashlib.sha256(version_of_code().encode())
    for name in stacks:
        if name not in stack_names():
            digest.update(read_octets(Path(name), SMALL))
    return f"{__version__}+{digest.hexdigest()[:12]}"


def _decide(grid: Grid, out: Path, jobs: int, cluster: str) -> int:
    screen, started = Screen(), time.monotonic()
    with row_file(out, grid.columns) as file:
        wanted = {grid.key_of(point) for point in grid.points()}
        done = {grid.key_of(row) for row in file.rows} & wanted
        screen.note(f"{counted(len(grid), 'question')}, {len(done):,} of them in {out} already; {jobs} at a time")
        number = len(done)
        for row in rows(grid, done, jobs, cluster):
            file.add(row)
            number += 1
            left = (time.monotonic() - started) / (number - len(done)) * (len(grid) - number)
            about = f"; about {format_duration(Fraction(max(round(left), 1)))} more" if number < len(grid) else ""
            screen.progress_note(f"{number:,} of {len(grid):,}: {_described(row)}{about}")
        file.finish()
        verdicts = Counter(row["verdict"] for row in file.rows if grid.key_of(row) in wanted)
    return _show(screen, out, verdicts)


def _described(row: GridRow) -> str:
    times = [f"{name} {format_duration(Fraction(row[key]))}" for key, name in TIMES.items() if row[key]]
    loss = f"loss {row['loss']}"
    return f"{', '.join((row['stack'], *times, loss))}: {row['verdict'].upper()}"


def _show(screen: Screen, out: Path, verdicts: Counter[str]) -> int:
    screen.line(f"{counted(sum(verdicts.values()), 'row')} in {out}")
    for verdict in Verdict:
        if verdicts[str(verdict)]:
            screen.line(f"  {verdict}: {verdicts[str(verdict)]:,}")
    undecided = [verdict for verdict in Verdict if verdicts[str(verdict)] and verdict not in (Verdict.PROVED, Verdict.VIOLATED)]
    return worst_exit([0, *(verdict.exit_code for verdict in undecided)])
