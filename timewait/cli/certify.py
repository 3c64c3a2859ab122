"""The command ``certify``: checks certificates again, and says whether they prove what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click

from timewait.api import certify
from timewait.checker.verdict import Verdict, worst
from timewait.cli.console import Screen
from timewait.cli.options import question_options
from timewait.cli.value_types import FilePath, FiniteRange
from timewait.narration.prose import counted
from timewait.options import SECONDS, Options
from timewait.proofs.certificate_claims import CertifiedPart, certified_part, missing
from timewait.proofs.certificate_files import CheckedCertificate, ProvedStatement
from timewait.proofs.claims import CLAIMS
from timewait.vocabulary.suggestions import advice

MEGABYTES = 4_000


class Asked(NamedTuple):
    """What the certificates are asked to prove.

    Attributes
    ----------
    name : str
        Its name.
    statements : list of ProvedStatement
        The statements.
    part : CertifiedPart or None
        Of a claim, how much of its evidence carries a certificate; None for a question of ``check``.
    """

    name: str
    statements: list[ProvedStatement]
    part: CertifiedPart | None = None


class ClaimCheck(NamedTuple):
    """Certificates compared with what was asked.

    Attributes
    ----------
    verdict : Verdict
        Proved if every statement asked for is proved, and nothing else is needed for a claim.
    line : str
        The result in a line.
    """

    verdict: Verdict
    line: str


@click.command("certify", context_settings={"ignore_unknown_options": True})
@click.argument("file", type=FilePath(exists=True, dir_okay=False))
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF CHECK]...")
@click.option("--for", "claim", metavar="CLAIM", help="Say whether the file proves the certified part of this claim, such as C1.")
@click.option(
    "--max-seconds",
    type=FiniteRange(min=0, min_open=True),
    default=SECONDS,
    show_default=True,
    help="Bound on time, in seconds, for the whole file.",
)
@click.option(
    "--max-megabytes", type=click.IntRange(min=500), default=MEGABYTES, show_default=True, help="Bound on memory, in megabytes."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def certify_command(
    file: Path, options: tuple[str, ...], claim: str | None, max_seconds: float, max_megabytes: int, as_json: bool
) -> int:
    """Check a certificate again, by Z3 and by cvc5, and print what it proves.

    With --for, or with options of 'timewait check' (such as --property graceful --msl 30s), also say whether it proves
    the certified part of that claim, or what 'check' would decide with these options. Exits 0 where everything is proved,
    20 where a bound was reached, a part of the claim is missing or a part of it carries no certificate, 30 where a proof
    is vacuous, and 40 where the file is rejected or proves something else.
    """
    asked = _asked(claim, options)
    screen = Screen()
    checked = certify(file, max_seconds=max_seconds, max_megabytes=max_megabytes)
    compared = None if asked is None else compare(checked, asked)
    verdict = worst([*(part.verdict for part in checked), *([] if compared is None else [compared.verdict])])
    if as_json:
        parts = [
            {"proves": part.statement, "verdict": str(part.verdict), "reason": part.rejection, **part.proves.as_json()}
            for part in checked
        ]
        answer = None if asked is None or compared is None else {"for": asked.name, "answer": compared.line}
        screen.as_json({"verdict": str(verdict), "file": str(file), "certificates": parts, "asked": answer})
        return verdict.exit_code
    for part in checked:
        screen.line(f"{file}: {_result(part)}")
        screen.line(f"  {part.statement}")
        screen.paragraphs([part.proves.settings], indent=2)
    if compared is not None:
        screen.line(compared.line)
    return verdict.exit_code


def _result(part: CheckedCertificate) -> str:
    if part.verdict is Verdict.PROVED:
        return "accepted by Z3's plain queries and by cvc5; not vacuous, and time can pass"
    word = "REJECTED" if part.verdict is Verdict.DISAGREEMENT else str(part.verdict).upper()
    return f"{word}: {part.rejection}"


# --- what is asked --------------------------------------------------------------------------------------------------


@click.command("certify")
@question_options(closers="both", stacks="both")
def question_command(options: Options, as_json: bool) -> Options:
    """The question that options of ``check`` ask."""
    del as_json
    return options


def _asked(claim: str | None, options: Sequence[str]) -> Asked | None:
    if claim is not None and options:
        raise click.UsageError("--for and options of 'check' exclude each other")
    if claim is not None:
        return asked_by_claim(claim)
    return asked_by_options(options) if options else None


def asked_by_claim(name: str) -> Asked:
    """What a claim asks of its certificates."""
    if name not in CLAIMS:
        raise click.UsageError(f"there is no claim {name!r}; {advice(name, CLAIMS)}")
    part = certified_part(name)
    if not part.statements:
        raise click.UsageError(f"{name} rests on counterexamples, arithmetic or answers of engines; no certificate proves it")
    return Asked(name, part.statements, part)


def asked_by_options(options: Sequence[str]) -> Asked:
    """What the options of ``check`` ask."""
    with question_command.make_context("certify", list(options)) as context:
        question = question_command.invoke(context)
    whole = question.configuration()
    configurations = dict.fromkeys([replace(whole, both_close=False), whole])
    names = tuple(entry.name for entry in question.asked())
    statements = [ProvedStatement(configuration, (name,), None) for configuration in configurations for name in names]
    return Asked(f"check {' '.join(options)}", statements)


def compare(checked: Sequence[CheckedCertificate], asked: Asked) -> ClaimCheck:
    """Say whether accepted certificates prove what is asked."""
    accepted = [part.proves for part in checked if part.verdict is Verdict.PROVED]
    if not accepted:
        return ClaimCheck(Verdict.DISAGREEMENT, f"{asked.name}: NOT PROVED by this file: no certificate in it is accepted")
    reasons = [(wanted, missing(accepted, wanted)) for wanted in asked.statements]
    open_ones = [(wanted, reason) for wanted, reason in reasons if reason]
    if not open_ones and asked.part is not None and not asked.part.whole:
        return _certified_part(asked.name, asked.part)
    if not open_ones:
        return ClaimCheck(Verdict.PROVED, f"{asked.name}: PROVED by this file, {counted(len(reasons), 'statement')}")
    wanted, reason = open_ones[0]
    if len(open_ones) == len(reasons):
        return ClaimCheck(Verdict.DISAGREEMENT, f"{asked.name}: NOT PROVED by this file: {reason}")
    done = len(reasons) - len(open_ones)
    return ClaimCheck(
        Verdict.INCONCLUSIVE,
        f"{asked.name}: {done} of {counted(len(reasons), 'statement')} proved by this file; missing for instance {wanted}"
        f" ({wanted.settings.split(';')[0]})",
    )


def _certified_part(name: str, part: CertifiedPart) -> ClaimCheck:
    """The result where all certificates of a claim are accepted, and the rest of its evidence carries none."""
    carries = f"{part.certified} of {counted(part.pieces, 'piece')} of evidence {'carries' if part.certified == 1 else 'carry'}"
    return ClaimCheck(
        Verdict.INCONCLUSIVE,
        f"{name}: the certified part of {name} is accepted, {counted(len(part.statements), 'statement')}; {carries} a"
        f" certificate, and no file proves the rest: timewait prove {name}",
    )
