"""The command ``agree``: compares the answers of all engines to one table of configurations."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from timewait.checker.verdict import Verdict, worst
from timewait.cli.console import Screen
from timewait.cli.files import ensure_writable, write_whole
from timewait.cli.session import ticks_in_words
from timewait.cli.value_types import FilePath, FiniteRange
from timewait.proofs.agreement import ConfigurationAgreement, PropertyAgreement, compare_all
from timewait.proofs.agreement_cases import CASES
from timewait.proofs.engine_answers import CHECKS, EngineName
from timewait.spec.description import configuration_in_words
from timewait.spec.plain_data import verdict_parameters
from timewait.vocabulary.suggestions import advice

AGREED, CHECKED, ALONE, UNDECIDED, DIFFER = KINDS = (
    "agreed by two engines or more",
    "decided by one engine, whose proof or run was checked",
    "decided by one alone, or vacuous",
    "undecided",
    "disagree",
)
"""How a property may be decided; these are keys of the JSON."""

NAMES = {Verdict.PROVED: "agreed", Verdict.VACUOUS: "no agreement", Verdict.INCONCLUSIVE: "undecided"}
"""The verdicts that the text names otherwise than `Verdict` does."""


@click.command("agree")
@click.argument("cases", nargs=-1, metavar="[CASE ...]")
@click.option("--out", type=FilePath(dir_okay=False), help="Write every answer as JSON.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Configurations compared side by side.")
@click.option(
    "--max-seconds",
    type=FiniteRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Bound on the time of each engine for each property, in seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def agree_command(cases: tuple[str, ...], out: Path | None, jobs: int, max_seconds: float, as_json: bool) -> int:
    """Compare the answers of all engines to one table of configurations; exits 40 when two of them differ.

    A CASE is the name of a configuration in the table, or the beginning of several names; by default all are compared.
    """
    chosen = _chosen(cases)
    if out is not None:
        ensure_writable(out)
    screen = Screen()
    started = time.monotonic()
    compared = []
    for result in compare_all(chosen, max_seconds, jobs):
        compared.append(result)
        if as_json:
            screen.note(f"{result.case}: {_name(result.agreement)} in {result.seconds:.1f} s")
        else:
            _show(screen, result)
    data = _as_json(compared, time.monotonic() - started)
    if out is not None:
        write_whole(out, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        screen.as_json(data)
    else:
        _show_summary(screen, compared, data)
    return worst(result.agreement for result in compared).exit_code


def _chosen(cases: Sequence[str]) -> list[str]:
    """The names of the chosen configurations, in the order of the table."""

    def begins(case: str, name: str) -> bool:
        return case.casefold().startswith(name.casefold())

    for name in cases:
        if not any(begins(case, name) for case in CASES):
            firsts = dict.fromkeys(case.partition(",")[0] for case in CASES)
            raise click.UsageError(f"no configuration of the table begins with {name!r}; {advice(name, firsts)}")
    return [case for case in CASES if not cases or any(begins(case, name) for name in cases)]


def _name(agreement: Verdict) -> str:
    return NAMES.get(agreement, str(agreement))


def _show(screen: Screen, result: ConfigurationAgreement) -> None:
    """A configuration: the answer of each engine for each property."""
    screen.heading(f"{result.case}   {_name(result.agreement)}   {result.seconds:.1f} s")
    screen.line(f"  {configuration_in_words(result.configuration)}{ticks_in_words(result.configuration)}")
    rows = []
    for row in result.rows:
        answers = ["-" if answer.summary == "not asked" else answer.summary for answer in row.answers]
        rows.append((f"  {row.name}", *answers, _name(row.agreement) if row.disagreements else row.summary))
    screen.table(("  property", *EngineName, "decided by"), rows)
    for row in result.rows:
        for disagreement in row.disagreements:
            screen.line(f"  {row.name}: DISAGREEMENT: {disagreement}")
    screen.line()


def _kind(row: PropertyAgreement) -> str:
    if row.disagreements:
        return DIFFER
    if row.agreement is not Verdict.PROVED:
        return ALONE if row.decided else UNDECIDED
    return AGREED if sum(answer.engine not in CHECKS for answer in row.decided) > 1 else CHECKED


def _show_summary(screen: Screen, compared: Sequence[ConfigurationAgreement], data: dict[str, Any]) -> None:
    """The counts of all configurations, and the reasons why engines were not asked."""
    rows = [row for result in compared for row in result.rows]
    plural = "s" * (len(compared) != 1)
    screen.line(f"{len(compared)} configuration{plural}, {len(rows)} properties, {data['seconds']:.0f} s")
    for kind, count in data["counts"].items():
        screen.line(f"  {kind}: {count}")
    screen.line("(n): a run of n steps; none in n: no run of up to n steps; accepted: by Z3's plain queries and by cvc5")
    screen.line("not asked:")
    unasked = Counter((answer.engine, answer.reason) for row in rows for answer in row.answers if answer.summary == "not asked")
    for (engine, reason), count in sorted(unasked.items()):
        screen.line(f"  {engine}, {reason}: {count}")
    screen.line(f"verdict: {_name(worst(result.agreement for result in compared)).upper()}")


def _as_json(compared: Sequence[ConfigurationAgreement], seconds: float) -> dict[str, Any]:
    counts = Counter(_kind(row) for result in compared for row in result.rows)
    return {
        "verdict": str(worst(result.agreement for result in compared)),
        "seconds": round(seconds, 2),
        "counts": {kind: counts[kind] for kind in KINDS},
        "configurations": [
            {
                "case": result.case,
                "agreement": str(result.agreement),
                "seconds": round(result.seconds, 2),
                "parameters": verdict_parameters(result.configuration),
                "properties": [row.as_json() for row in result.rows],
            }
            for result in compared
        ],
    }
