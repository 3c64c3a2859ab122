"""The command ``certify``: checks certificates again."""

from __future__ import annotations

from pathlib import Path

import click

from timewait.api import certify
from timewait.checker.verdict import Verdict, worst
from timewait.cli.console import Screen


@click.command("certify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def certify_command(file: Path, as_json: bool) -> int:
    """Check a certificate again, by Z3 and by cvc5; exits 40 when it is rejected."""
    screen = Screen()
    checked = certify(file)
    verdict = worst(Verdict.DISAGREEMENT if part.rejection else Verdict.PROVED for part in checked)
    if as_json:
        parts = [{"proves": part.statement, "reason": part.rejection} for part in checked]
        screen.as_json({"verdict": str(verdict), "file": str(file), "certificates": parts})
        return verdict.exit_code
    for part in checked:
        screen.line(
            f"{file}: " + (f"REJECTED: {part.rejection}" if part.rejection else "accepted by Z3's plain queries and by cvc5")
        )
        screen.line(f"  {part.statement}")
    return verdict.exit_code
