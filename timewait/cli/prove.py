"""The command ``prove``: decides the claims of the project."""

from __future__ import annotations

import os
from pathlib import Path

import click

from timewait.api import prove
from timewait.checker.decide import engines_are_kept
from timewait.checker.verdict import Verdict, worst, worst_exit
from timewait.cli.console import STYLES, Screen
from timewait.cli.options import CLUSTER_OPTION
from timewait.cli.reports import Reports, report_options, suite_of_claim
from timewait.cli.table import Cell
from timewait.cli.value_types import FilePath
from timewait.narration.prose import counted
from timewait.proofs.claim_files import registered
from timewait.proofs.claims import CLAIMS
from timewait.proofs.suite import ClaimResult

COLUMNS = ("claim", "statement", "verdict", "expected", "engine", "time", "certificate or trace")

NARROW_COLUMNS = ("claim", "verdict", "time", "statement")
"""The columns where a line has no room for all."""

WIDE = 110
"""Characters in a line with room for all columns."""


@click.command("prove")
@click.argument("claims", nargs=-1, metavar="[CLAIM ...]")
@click.option("--all", "everything", is_flag=True, help="Slow claims too.")
@click.option("--out", type=FilePath(file_okay=False), help="A folder for every certificate and trace.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Claims decided side by side.")
@CLUSTER_OPTION
@click.option(
    "--cache",
    type=FilePath(file_okay=False),
    help="A folder for proofs, which the next run checks again instead of searching anew.  [default: that of the user]",
)
@click.option("--no-cache", is_flag=True, help="Search for every proof anew, and keep none.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@report_options
def prove_command(
    claims: tuple[str, ...],
    everything: bool,
    out: Path | None,
    jobs: int,
    cluster: str,
    cache: Path | None,
    no_cache: bool,
    as_json: bool,
    reports: Reports,
) -> int:
    """Decide the claims and print a table; a CLAIM is a name or a file such as my_claim.py; without, all but slow ones."""
    if no_cache and cache is not None:
        raise click.UsageError("--cache and --no-cache exclude each other")
    chosen = registered(claims) or tuple(name for name, claim in CLAIMS.items() if everything or not claim.slow)
    screen = Screen()
    results = []
    kept = None if no_cache else cache or (None if cluster else _users_cache())
    deciding = prove(*chosen, jobs=jobs, out=out, cache=kept, cluster=cluster)
    if not as_json:
        screen.note_compilation(kept=engines_are_kept())
        screen.note(
            f"deciding {counted(len(chosen), 'claim')}, {jobs} at a time; each is reported when it and those before it are done"
        )
    reports.start("prove", [*chosen], {})
    for result in deciding:
        results.append(result)
        reports.decided(suite_of_claim(result))
        if not as_json:
            screen.note(
                f"{len(results)} of {len(chosen)}: {result.name} {_outcome(result).text} in {result.seconds:.1f} s{_kept(result)}"
            )
    verdict = worst(result.exit_verdict for result in results)
    if as_json:
        screen.as_json({"verdict": str(verdict), "claims": [result.as_json() for result in results]})
    else:
        _show(screen, results)
    code = worst_exit(result.exit_verdict.exit_code for result in results)
    reports.finish("timewait prove", "", verdict, code, screen)
    return code


def _users_cache() -> Path | None:
    """The folder for proofs of this user (XDG Base Directory Specification); None where there is no home, or a relative one."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "timewait" / "proofs" if folder.is_absolute() else None


def _kept(result: ClaimResult) -> str:
    """How many results of a claim were kept by an earlier run."""
    return f", {counted(result.remembered, 'result')} of an earlier run checked again" if result.remembered else ""


def _show(screen: Screen, results: list[ClaimResult]) -> None:
    if screen.width is not None and screen.width < WIDE:
        narrow = [(result.name, _outcome(result), f"{result.seconds:.1f} s", result.statement) for result in results]
        screen.table(NARROW_COLUMNS, narrow)
    else:
        screen.table(COLUMNS, [_row(result) for result in results])
    for result in results:
        for unexpected in result.unexpected:
            screen.line(f"{result.name}: {unexpected}")
    screen.line(f"{sum(map(_as_expected, results))} of {len(results)} as expected")


def _row(result: ClaimResult) -> tuple[str | Cell, ...]:
    time = f"{result.seconds:.1f} s"
    return (result.name, result.statement, _outcome(result), result.expectation, result.engines, time, result.evidence)


def _as_expected(result: ClaimResult) -> bool:
    return result.exit_verdict is Verdict.PROVED


def _outcome(result: ClaimResult) -> Cell:
    """The verdict of a claim; an expected counterexample is called so, and looks like every other expected verdict."""
    expected = _as_expected(result)
    text = "counterexample" if expected and result.verdict is Verdict.VIOLATED else str(result.verdict).upper()
    return Cell(text if expected else f"{text}, not as expected", STYLES[Verdict.PROVED if expected else Verdict.VIOLATED])
