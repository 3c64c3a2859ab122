"""The command ``agree``: every engine is asked about one table of configurations, and the answers are put side by side."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from timewait.checker.verdict import Verdict, worst
from timewait.cli import console
from timewait.cli.files import ensure_writable, write_whole
from timewait.cli.session import header_in_words
from timewait.proofs.agreement import ConfigurationAgreement, PropertyAgreement, compare_all
from timewait.proofs.agreement_cases import CASES
from timewait.proofs.engine_answers import CHECKS, EngineName
from timewait.spec.plain_data import verdict_parameters


@click.command("agree")
@click.argument("cases", nargs=-1, metavar="[CASE ...]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write every answer there, as JSON.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Configurations compared side by side.")
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Bound on each question to each engine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def agree_command(cases: tuple[str, ...], out: Path | None, jobs: int, max_seconds: float, as_json: bool) -> int:
    """Ask every engine about one table of configurations; exits 40 when two of them differ.

    A CASE is a configuration of the table, or how the names of several begin; all when none is named.
    """
    chosen = _chosen(cases)
    if out is not None:
        ensure_writable(out)
    screen = console.Screen()
    started = time.monotonic()
    compared = []
    for one in compare_all(chosen, max_seconds, jobs):
        compared.append(one)
        if as_json:
            screen.note(f"{one.case}: {_word(one.agreement)} in {one.seconds:.1f} s")
        else:
            _show(screen, one)
    seconds = time.monotonic() - started
    data = _as_data(compared, seconds)
    if out is not None:
        write_whole(out, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        screen.as_json(data)
    else:
        _show_sum(screen, compared, seconds)
    return worst(one.agreement for one in compared).exit_code


def _chosen(cases: Sequence[str]) -> list[str]:
    """The configurations that are named, in the order of the table."""
    for name in cases:
        if not any(case.casefold().startswith(name.casefold()) for case in CASES):
            raise click.UsageError(f"no configuration of the table begins with {name!r}; there are: {'; '.join(CASES)}")
    return [case for case in CASES if not cases or any(case.casefold().startswith(name.casefold()) for name in cases)]


def _word(agreement: Verdict) -> str:
    """How an agreement is called: a proof of it is called that, nothing less is."""
    words = {Verdict.PROVED: "agreed", Verdict.VACUOUS: "no agreement", Verdict.INCONCLUSIVE: "undecided"}
    return words.get(agreement, str(agreement))


def _show(screen: console.Screen, one: ConfigurationAgreement) -> None:
    """A configuration: what each says about each property."""
    screen.heading(f"{one.case}   {_word(one.agreement)}   {one.seconds:.1f} s")
    screen.line(f"  {header_in_words(one.configuration)}")
    rows = []
    for row in one.rows:
        said = [voice.summary if voice.summary != "not asked" else "-" for voice in row.answers]
        rows.append((f"  {row.name}", *said, _word(row.agreement) if row.disagreements else row.summary))
    screen.table(("  property", *EngineName, "decided by"), rows)
    for row in one.rows:
        for fault in row.disagreements:
            screen.line(f"  {row.name}: DISAGREEMENT: {fault}")
    screen.line()


def _counted(rows: Sequence[PropertyAgreement]) -> dict[str, int]:
    """How many rows there are of each kind."""

    def kind(row: PropertyAgreement) -> str:
        if row.disagreements:
            return "disagree"
        if row.agreement is not Verdict.PROVED:
            return "decided by one alone, or vacuous" if row.decided else "decided by nobody"
        engines = sum(voice.engine not in CHECKS for voice in row.decided)
        return "agreed by two engines or more" if engines > 1 else "decided by one engine, what it gave checked"

    kinds = Counter(map(kind, rows))
    order = (
        "agreed by two engines or more",
        "decided by one engine, what it gave checked",
        "decided by one alone, or vacuous",
        "decided by nobody",
        "disagree",
    )
    return {name: kinds[name] for name in order}


def _show_sum(screen: console.Screen, compared: Sequence[ConfigurationAgreement], seconds: float) -> None:
    """What came out in all, and why some were not asked."""
    rows = [row for one in compared for row in one.rows]
    plural = "s" * (len(compared) != 1)
    screen.line(f"{len(compared)} configuration{plural}, {len(rows)} properties, {seconds:.0f} s")
    for kind, count in _counted(rows).items():
        screen.line(f"  {kind}: {count}")
    silent = Counter((voice.engine, voice.reason) for row in rows for voice in row.answers if voice.summary == "not asked")
    screen.line("(n): a run of n steps; none in n: no run of up to n steps; accepted: by Z3's plain queries and by cvc5")
    screen.line("not asked:")
    for (engine, reason), count in sorted(silent.items()):
        screen.line(f"  {engine}, {reason}: {count}")
    screen.line(f"verdict: {_word(worst(one.agreement for one in compared)).upper()}")


def _as_data(compared: Sequence[ConfigurationAgreement], seconds: float) -> dict[str, Any]:
    rows = [row for one in compared for row in one.rows]
    return {
        "verdict": str(worst(one.agreement for one in compared)),
        "seconds": round(seconds, 2),
        "counts": _counted(rows),
        "configurations": [
            {
                "case": one.case,
                "agreement": str(one.agreement),
                "seconds": round(one.seconds, 2),
                "parameters": verdict_parameters(one.configuration),
                "properties": [row.as_json() for row in one.rows],
            }
            for one in compared
        ],
    }
