"""The commands; each reads its options, asks, prints, and returns its exit code.

Exit codes: 0 as expected, 1 internal error, 2 usage, 3 bad input file, 10 violated, 20 inconclusive,
30 vacuous, 40 engines disagree or a certificate is rejected.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.captures.container import BrokenCapture
from timewait.checker import itf
from timewait.checker.certificate import BrokenCertificate, joined
from timewait.checker.decide import Answer, Engine
from timewait.checker.finding import Budget
from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict, worst, worst_exit
from timewait.cli import console, json_output
from timewait.cli.agree import agree_command
from timewait.cli.convert import convert_command
from timewait.cli.diagram import INTENDED, diagram
from timewait.cli.explain import explain_command
from timewait.cli.export import export_command
from timewait.cli.figures import graph_of
from timewait.cli.files import write_whole
from timewait.cli.options import question_options, setting_option, stack_of
from timewait.cli.reports import Reports, report_options, suite_of_answers, suite_of_outcome
from timewait.cli.review import run_command, view_command, write_page
from timewait.cli.session import CLOSERS, bounds, configuration_from, configuration_in_words, decided
from timewait.cli.threshold import threshold_command
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.states import states
from timewait.diagrams.tables import as_json, as_text
from timewait.proofs.certify import CertifiedProof, certify_at_values, certify_liveness, check_file
from timewait.proofs.claims import CLAIMS
from timewait.proofs.question import applicable
from timewait.proofs.suite import prove
from timewait.spec.configuration import Configuration, ConfigurationError
from timewait.spec.host import HostUnreadable, read_host, read_settings
from timewait.spec.plain_data import verdict_parameters
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import PROFILE_KEYS
from timewait.spec.stacks import BrokenStack, MissingValue, Stack, UnknownStack, load, names

USAGE, BAD_FILE = 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="timewait")
def cli() -> None:
    """Prove when TCP closes reliably in both directions; where it does not, show the packets."""


cli.add_command(threshold_command)
cli.add_command(agree_command)
cli.add_command(view_command)
cli.add_command(run_command)
cli.add_command(convert_command)
cli.add_command(export_command)


@cli.command("prove")
@click.argument("claims", nargs=-1, metavar="[CLAIM ...]")
@click.option("--all", "everything", is_flag=True, help="Slow claims too.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write every certificate and trace there.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Claims decided side by side.")
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object.")
@report_options
def prove_command(
    claims: tuple[str, ...], everything: bool, out: Path | None, jobs: int, as_json_: bool, reports: Reports
) -> int:
    """Decide the claims and print a table; all quick ones when none is named."""
    unknown = [name for name in claims if name.upper() not in CLAIMS]
    if unknown:
        raise click.UsageError(f"there is no claim {unknown[0]!r}; there are {', '.join(CLAIMS)}")
    configuration_from = [name.upper() for name in claims] or [
        name for name, claim in CLAIMS.items() if everything or not claim.slow
    ]
    screen = console.Screen()
    outcomes = []
    reports.start("prove", configuration_from, {})
    for outcome in prove(configuration_from, jobs, out):
        outcomes.append(outcome)
        reports.decided(suite_of_outcome(outcome))
        if not as_json_:
            screen.note(f"{outcome.name}: {outcome.verdict} in {outcome.seconds:.1f} s")
    if as_json_:
        screen.as_json(
            {"verdict": str(worst(one.exit_verdict for one in outcomes)), "claims": [one.as_json() for one in outcomes]}
        )
    else:
        rows = [
            (
                one.name,
                one.statement,
                screen.verdict(one.verdict),
                one.expectation,
                one.engines,
                f"{one.seconds:.1f} s",
                one.evidence,
            )
            for one in outcomes
        ]
        screen.table(("claim", "statement", "verdict", "expected", "engine", "time", "certificate or trace"), rows)
        for one in outcomes:
            for surprise in one.surprises:
                screen.line(f"{one.name}: {surprise}")
    code = worst_exit(one.exit_verdict.exit_code for one in outcomes)
    reports.finish("timewait prove", "", worst(one.exit_verdict for one in outcomes), code, screen)
    return code


@cli.command("check")
@question_options
@setting_option("time_wait")
@click.option("--closers", type=CLOSERS, default="both", show_default=True, help="Who may close first (scope close).")
@click.option("--host", is_flag=True, help="Use this machine's own settings as the stack.")
@click.option(
    "--engine", type=click.Choice([one.value for one in Engine]), default="auto", show_default=True, help="How to decide."
)
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the first violation as ITF JSON."
)
@click.option("--explain", is_flag=True, help="Say what each verdict means, and tell each run as a story.")
@click.option(
    "--certificate", type=click.Path(path_type=Path, dir_okay=False), help="Write what proves the properties that are proved."
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the first violation as a review page.")
@report_options
def check_command(
    host: bool,
    engine: str,
    trace_file: Path | None,
    certificate: Path | None,
    html: Path | None,
    explain: bool,
    reports: Reports,
    **given: Any,
) -> int:
    """Decide properties of one configuration; exits 0, 10, 20, 30 or 40."""
    if host and given["stack"]:
        raise click.UsageError("--host and --stack exclude each other")
    if explain and given["as_json"]:
        raise click.UsageError("--explain is for people and --json for programs; give one of them")
    stack = read_host() if host else stack_of(given)
    configuration = configuration_from(stack, given)
    return _check(stack, configuration, given, Engine(engine), Outputs(trace_file, html, reports, explain, certificate))


@dataclass(frozen=True)
class Outputs:
    """What a check gives beside its answer: the first violation as ITF JSON and as a page, reports, prose, certificates."""

    trace: Path | None = None
    html: Path | None = None
    reports: Reports = field(default_factory=Reports)
    explain: bool = False
    certificate: Path | None = None


def _check(stack: Stack, configuration: Configuration, given: dict[str, Any], engine: Engine, outputs: Outputs) -> int:
    screen = console.Screen()
    asked = [PROPERTIES[name] for name in given["properties"]] or list(applicable(configuration))
    outputs.reports.start("check", [entry.name for entry in asked], verdict_parameters(configuration))
    budget = bounds(given, screen)
    answers = decided(configuration, asked, engine, replace(budget, listener=outputs.reports.listening(budget.listener)))
    outputs.reports.decided(suite_of_answers("check", answers, verdict_parameters(configuration)))
    shown = next((answer.trace for answer in answers if answer.trace is not None), None)
    _write_shown(outputs, shown, screen)
    if outputs.certificate is not None:
        answers = _certified(outputs.certificate, configuration, answers, budget, screen)
    if given["as_json"]:
        screen.as_json(json_output.whole(answers, configuration))
    else:
        screen.line(f"{stack.title}: {configuration_in_words(configuration)}")
        screen.line()
        for answer in answers:
            screen.answer(answer)
            if outputs.explain:
                screen.meaning(answer)
        screen.line(f"verdict: {str(worst(answer.verdict for answer in answers)).upper()}")
    verdict = worst(answer.verdict for answer in answers)
    outputs.reports.finish(
        f"timewait check, {stack.title}", configuration_in_words(configuration), verdict, verdict.exit_code, screen
    )
    return verdict.exit_code


def _certified(
    path: Path, configuration: Configuration, answers: list[Answer], budget: Budget, screen: console.Screen
) -> list[Answer]:
    """Write the certificates of what was proved; an answer whose certificate is rejected is a disagreement."""
    asked = dict.fromkeys([replace(configuration, both_close=False), configuration])
    proved = [answer.finding.name for answer in answers if answer.verdict is Verdict.PROVED]
    always = [name for name in proved if PROPERTIES[name].kind == "always"]
    made: dict[str, list[CertifiedProof]] = {}
    if always:
        made[", ".join(always)] = [certify_at_values(one, always, budget.fresh()) for one in asked]
    made |= {name: [certify_liveness(one, name, budget.fresh()) for one in asked] for name in proved if name not in always}
    faults = {what: one for what, several in made.items() for one in several if one.verdict is not Verdict.PROVED}
    for what, one in faults.items():
        screen.note(f"{what}: no certificate; {one.reason}")
    kept = [what for what in made if what not in faults]
    if kept:
        write_whole(path, joined([one.text for what in kept for one in made[what]]))
        screen.note(f"wrote {path}: {', '.join(kept)}, accepted by Z3 and by cvc5")
    else:
        screen.note(f"nothing to certify: {path} is not written")
    worse = {name: one for what, one in faults.items() for name in what.split(", ")}
    return [_but(answer, worse.get(answer.finding.name)) for answer in answers]


def _but(answer: Answer, fault: CertifiedProof | None) -> Answer:
    """An answer in the light of its certificate; a promise that the graph does not settle was proved in ticks, and stays so."""
    kept = fault is None or (fault.verdict is Verdict.INCONCLUSIVE and PROPERTIES[answer.finding.name].kind == "eventually")
    if fault is None or kept:
        return answer
    return replace(answer, finding=answer.finding.but(fault.verdict, f"no certificate: {fault.reason}"))


def _write_shown(outputs: Outputs, shown: Trace | None, screen: console.Screen) -> None:
    """Write the first violation where it was asked for."""
    if outputs.trace is not None and shown is not None:
        write_whole(outputs.trace, itf.as_itf_text(shown))
    if outputs.html is not None and shown is not None:
        write_page(outputs.html, shown)
        screen.note(f"wrote {outputs.html}")
    elif outputs.html is not None:
        screen.note(f"nothing is violated: {outputs.html} is not written")


@cli.command("stacks")
@click.argument("name", required=False)
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object.")
def stacks_command(name: str | None, as_json_: bool) -> int:
    """List the profiles, or show one with the source of every value."""
    screen = console.Screen()
    shown = [load(name)] if name else [load(one) for one in names()]
    if as_json_:
        screen.as_json({"stacks": [_stack_data(stack) for stack in shown]})
    elif name:
        _show_stack(screen, shown[0])
    else:
        rows = [
            (stack.name, stack.title, *map(stack.described, ("time_wait", "restarts", "reset", "rto_max"))) for stack in shown
        ]
        screen.table(("stack", "what", "TIME_WAIT", "restarted by", "RST in TIME_WAIT", "RTO at most"), rows)
    return 0


def _stack_data(stack: Stack) -> dict[str, Any]:
    known = {name: stack.described(name) for name in PROFILE_KEYS if name in stack.sources}
    sources = {name: {"where": source.where, "evidence": source.evidence} for name, source in stack.sources.items()}
    return {"name": stack.name, "title": stack.title, "note": stack.note, "values": known, "sources": sources}


def _show_stack(screen: console.Screen, stack: Stack) -> None:
    screen.line(f"{stack.name}: {stack.title}")
    if stack.note:
        screen.line(" ".join(stack.note.split()))
    rows = []
    for name in PROFILE_KEYS:
        source = stack.sources.get(name)
        where = f"{source.where} ({source.evidence})" if source else ""
        rows.append((name, stack.described(name), where))
    screen.table(("setting", "value", "source"), rows)


@cli.command("host")
@question_options
@setting_option("time_wait", "TIME_WAIT. [default: the kernel's]")
@click.option("--closers", type=CLOSERS, default="both", show_default=True, help="Who may close first (scope close).")
def host_command(**given: Any) -> int:
    """Read this machine's own settings, explain them, and check them (MSL 30s unless --msl says otherwise)."""
    if given["stack"]:
        raise click.UsageError("host reads this machine's own settings; --stack belongs to check")
    screen = console.Screen()
    stack = read_host()
    if not given["as_json"]:
        rows = [(setting.name, setting.value, setting.meaning) for setting in read_settings()]
        screen.table(("setting", "value", "what it means"), rows)
        screen.line()
    given["msl"] = given["msl"] or Fraction(30)
    return _check(stack, configuration_from(stack, given), given, Engine.AUTO, Outputs())


@cli.command("graph")
@click.option("--stack", help="The behaviour to draw. [default: rfc9293-intended]")
@click.option("--format", "form", type=click.Choice(["text", "dot", "json"]), default="text", show_default=True)
@click.option("--whole", is_flag=True, help="Opening too, not the close alone.")
def graph_command(stack: str | None, form: str, whole: bool) -> int:
    """Print the endpoint's transition graph, as derived from the specification."""
    name = stack or INTENDED
    shown = graph_of(name, whole)
    writers = {"text": as_text, "dot": lambda shown: as_dot(states(shown, load(name).title)), "json": as_json}
    console.Screen().raw(writers[form](shown))
    return 0


@cli.command("certify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object.")
def certify_command(file: Path, as_json_: bool) -> int:
    """Check a certificate again, by Z3 and by cvc5; exits 40 when it is rejected."""
    screen = console.Screen()
    checked = check_file(file)
    verdict = worst(Verdict.DISAGREEMENT if one.rejection else Verdict.PROVED for one in checked)
    if as_json_:
        parts = [{"proves": one.statement, "reason": one.rejection} for one in checked]
        screen.as_json({"verdict": str(verdict), "file": str(file), "certificates": parts})
    else:
        for one in checked:
            screen.line(
                f"{file}: " + (f"REJECTED: {one.rejection}" if one.rejection else "accepted by Z3's plain queries and by cvc5")
            )
            screen.line(f"  {one.statement}")
    return verdict.exit_code


cli.add_command(explain_command)
cli.add_command(diagram)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; every expected error is one line on standard error."""
    try:
        code = cli.main(arguments, prog_name="timewait", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as problem:
        console.Screen().note(problem.format_message())
        code = USAGE
    except (click.ClickException, MissingValue, ConfigurationError, UnknownStack) as problem:
        console.error(problem.format_message() if isinstance(problem, click.ClickException) else str(problem))
        code = USAGE
    except (BrokenStack, BrokenCertificate, BrokenTrace, BrokenCapture) as problem:
        console.error(str(problem))
        code = BAD_FILE
    except HostUnreadable as problem:
        console.error(str(problem))
        code = BAD_FILE
    except (click.Abort, KeyboardInterrupt):
        console.error("interrupted")
        code = Verdict.INCONCLUSIVE.exit_code
    sys.exit(code)
