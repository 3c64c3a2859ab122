"""The commands; each reads its options, asks, prints, and returns its exit code.

Exit codes: 0 as expected, 1 internal error, 2 usage, 3 bad input file, 10 violated, 20 inconclusive,
30 vacuous, 40 engines disagree or a certificate is rejected.
"""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from checker import itf
from checker.certificate import BrokenCertificate
from checker.certificate import about as certificate_about
from checker.decide import Answer, Engine, decide
from checker.finding import Budget
from checker.itf import BrokenTrace
from checker.language import Property
from checker.threshold import Undecided, least_safe
from checker.ticks import unit_of
from checker.trace import Trace, number
from checker.verdict import Verdict, worst, worst_exit
from diagrams.capture.container import BrokenCapture
from diagrams.dot import as_dot
from diagrams.states import states
from diagrams.tables import as_json, as_text
from proofs.certified import certify_file
from proofs.claims import CLAIMS
from proofs.question import applicable, question
from proofs.suite import prove
from spec.assemble import assemble
from spec.behaviour import Behaviour
from spec.configuration import Configuration, ConfigurationError
from spec.duration import spoken
from spec.graph import close_part, transition_graph
from spec.host import HostUnreadable, read_host, read_settings
from spec.properties import PROPERTIES
from spec.stacks import KNOBS, BrokenStack, MissingValue, Stack, UnknownStack, load, names
from timewait import console, report
from timewait.converting import convert_command
from timewait.drawing import diagram
from timewait.explaining import explain_command
from timewait.exporting import export_command
from timewait.files import write_whole
from timewait.options import Duration, question_options, stack_of, wishes
from timewait.reporting import Reports, report_options, suite_of_answers, suite_of_outcome
from timewait.review import run_command, view_command, write_page

CLOSERS = click.Choice(["a", "both"])
USAGE, BAD_FILE = 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="timewait")
def cli() -> None:
    """Prove when TCP closes reliably in both directions; where it does not, show the packets."""


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
    chosen = [name.upper() for name in claims] or [name for name, claim in CLAIMS.items() if everything or not claim.slow]
    screen = console.Screen()
    outcomes = []
    reports.start("prove", chosen, {})
    for outcome in prove(chosen, jobs, out):
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
@click.option("--time-wait", type=Duration(), help="TIME_WAIT. [default: the stack's]")
@click.option("--closers", type=CLOSERS, default="both", show_default=True, help="Who may close first (scope close).")
@click.option("--host", is_flag=True, help="Use this machine's own settings as the stack.")
@click.option(
    "--engine", type=click.Choice([one.value for one in Engine]), default="auto", show_default=True, help="How to decide."
)
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the first violation as ITF JSON."
)
@click.option("--explain", is_flag=True, help="Say what each verdict means, and tell each run as a story.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the first violation as a review page.")
@report_options
def check_command(
    host: bool, engine: str, trace_file: Path | None, html: Path | None, explain: bool, reports: Reports, **given: Any
) -> int:
    """Decide properties of one configuration; exits 0, 10, 20, 30 or 40."""
    if host and given["stack"]:
        raise click.UsageError("--host and --stack exclude each other")
    if explain and given["as_json"]:
        raise click.UsageError("--explain is for people and --json for programs; give one of them")
    stack = read_host() if host else stack_of(given)
    configuration = _configuration(stack, given)
    return _check(stack, configuration, given, Engine(engine), Outputs(trace_file, html, reports, explain))


def _configuration(stack: Stack, given: dict[str, Any]) -> Configuration:
    both = given["closers"] == "both" and given["scope"] == "close"
    return assemble(stack, wishes(given, both, stack))


def _budget(given: dict[str, Any], screen: console.Screen) -> Budget:
    """The bounds of an exploration; the first interrupt ends it in order, the second at once."""
    stop = threading.Event()

    def on_interrupt(number: int, frame: object) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if given.get("engine") != "smt":
        signal.signal(signal.SIGINT, on_interrupt)
    return Budget(given["max_states"], given["max_seconds"], listener=screen.progress, interrupted=stop.is_set)


@dataclass(frozen=True)
class Outputs:
    """What a check gives beside its answer: the first violation as ITF JSON and as a page, reports, and prose."""

    trace: Path | None = None
    html: Path | None = None
    reports: Reports = field(default_factory=Reports)
    explain: bool = False


def _check(stack: Stack, configuration: Configuration, given: dict[str, Any], engine: Engine, outputs: Outputs) -> int:
    screen = console.Screen()
    asked = [PROPERTIES[name] for name in given["properties"]] or list(applicable(configuration))
    outputs.reports.start("check", [entry.name for entry in asked], report.parameters(configuration))
    budget = _budget(given, screen)
    answers = _decide(configuration, asked, engine, replace(budget, listener=outputs.reports.listening(budget.listener)))
    outputs.reports.decided(suite_of_answers("check", answers, report.parameters(configuration)))
    shown = next((answer.trace for answer in answers if answer.trace is not None), None)
    _write_shown(outputs, shown, screen)
    if given["as_json"]:
        screen.as_json(report.whole(answers, configuration))
    else:
        screen.line(f"{stack.title}: {_told(configuration)}")
        screen.line()
        for answer in answers:
            screen.answer(answer)
            if outputs.explain:
                screen.meaning(answer)
        screen.line(f"verdict: {str(worst(answer.verdict for answer in answers)).upper()}")
    verdict = worst(answer.verdict for answer in answers)
    outputs.reports.finish(f"timewait check, {stack.title}", _told(configuration), verdict, verdict.exit_code, screen)
    return verdict.exit_code


def _write_shown(outputs: Outputs, shown: Trace | None, screen: console.Screen) -> None:
    """Write the first violation where it was asked for."""
    if outputs.trace is not None and shown is not None:
        write_whole(outputs.trace, itf.written(shown))
    if outputs.html is not None and shown is not None:
        write_page(outputs.html, shown)
        screen.note(f"wrote {outputs.html}")
    elif outputs.html is not None:
        screen.note(f"nothing is violated: {outputs.html} is not written")


def _decide(configuration: Configuration, asked: list[Property], engine: Engine, budget: Budget) -> list[Answer]:
    """Decide; where either end may close first, A closing first is asked by itself too, and the worse answer counts.

    An end that may still close first holds a round of its own, so that fewer copies may be lost at will: to let both
    close first is no weaker a network.
    """
    alone = decide(question(replace(configuration, both_close=False)), asked, engine, budget)
    if not configuration.both_close:
        return alone
    left = [entry for entry, answer in zip(asked, alone, strict=True) if answer.verdict is not Verdict.VIOLATED]
    both = {answer.finding.name: answer for answer in decide(question(configuration), left, engine, budget)} if left else {}
    return [max(both.get(answer.finding.name, answer), answer, key=lambda one: one.verdict) for answer in alone]


def _any(budget: int | None) -> str:
    return "any" if budget is None else str(budget)


def _told(configuration: Configuration, show_wait: bool = True) -> str:
    """A configuration in a line."""
    waits = f"TIME_WAIT {spoken(configuration.time_wait)}, " if configuration.behaviour.time_wait else "no TIME_WAIT, "
    closers = "either end may close first" if configuration.both_close else "A closes first"
    return (
        f"MSL {spoken(configuration.msl)}, {waits if show_wait else ''}RTO up to {', '.join(map(spoken, configuration.rto))},"
        f" loss {_any(configuration.loss)}, duplication {_any(configuration.duplication)}, scope {configuration.scope},"
        f" {closers}, atomic reopen; ticks of {spoken(unit_of(configuration.parameters))} where ticks are counted"
    )


@cli.command("threshold")
@question_options
@click.option("--closers", type=CLOSERS, default="a", show_default=True, help="Who may close first (scope close).")
@click.option("--limit", type=Duration(), help="The longest TIME_WAIT to try. [default: 16 * (MSL + RTO)]")
@click.option(
    "--engine", type=click.Choice(["auto", "zones", "explicit"]), default="auto", show_default=True, help="How to decide."
)
def threshold_command(limit: Fraction | None, engine: str, **given: Any) -> int:
    """Find the least safe TIME_WAIT by asking an engine; exits 10 when none is safe."""
    screen = console.Screen()
    stack = stack_of(given)
    first = _configuration(stack, {**given, "time_wait": Fraction(0)})
    asked = [PROPERTIES[name] for name in given["properties"] or ("graceful", "isolation")]
    unit = unit_of({name: value for name, value in first.parameters.items() if name != "TIME_WAIT"})
    whole = engine == "explicit" or not question(first).system.dense

    def ask(value: Fraction) -> list[Any]:
        configuration = _configuration(stack, {**given, "time_wait": value})
        return decide(question(configuration), asked, Engine(engine), _budget(given, screen))

    most = 16 * (first.msl + max(first.rto)) if limit is None else limit
    try:
        found = least_safe(ask, unit, max(most // unit, 1) * unit, whole)
    except Undecided as undecided:
        if given["as_json"]:
            screen.as_json(report.whole(undecided.answers, first) | {"least_time_wait": None})
        else:
            screen.line(f"TIME_WAIT {spoken(undecided.value)}:")
            for answer in undecided.answers:
                screen.answer(answer)
        return worst(answer.verdict for answer in undecided.answers).exit_code
    answers = found.below if found.least is not None else found.above
    if given["as_json"]:
        data = report.whole(found.above, first) | {
            "least_time_wait": None if found.least is None else number(found.least),
            "below": [report.result(answer) for answer in found.below],
            "questions": found.questions,
        }
        screen.as_json(data)
    else:
        together = " and ".join(entry.name for entry in asked)
        screen.line(f"{stack.title}: {_told(first, show_wait=False)}")
        if found.least is None:
            screen.line(f"no TIME_WAIT up to {spoken(found.tried)} gives {together}; with that one:")
        else:
            screen.line(f"least TIME_WAIT for {together}: {spoken(found.least)}   ({found.questions} questions to the engine)")
            screen.line(f"with {spoken(found.short)}:" if found.below else "")
        for answer in answers:
            if answer.verdict is Verdict.VIOLATED:
                screen.answer(answer)
    return found.verdict.exit_code


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
            (one.name, one.title, *(_value(one, knob) for knob in ("time_wait", "restarts", "reset", "rto_max"))) for one in shown
        ]
        screen.table(("stack", "what", "TIME_WAIT", "restarted by", "RST in TIME_WAIT", "RTO at most"), rows)
    return 0


def _value(stack: Stack, knob: str) -> str:
    value = getattr(stack, knob)
    if knob == "time_wait" and not stack.has_time_wait:
        return "none"
    if value is None:
        return "not known"
    if isinstance(value, Fraction):
        return spoken(value)
    return ", ".join(sorted(value)) or "nothing" if isinstance(value, frozenset) else str(value)


def _stack_data(stack: Stack) -> dict[str, Any]:
    known = {knob: _value(stack, knob) for knob in KNOBS if knob in stack.sources}
    sources = {knob: {"where": source.where, "evidence": source.evidence} for knob, source in stack.sources.items()}
    return {"name": stack.name, "title": stack.title, "note": stack.note, "values": known, "sources": sources}


def _show_stack(screen: console.Screen, stack: Stack) -> None:
    screen.line(f"{stack.name}: {stack.title}")
    if stack.note:
        screen.line(" ".join(stack.note.split()))
    rows = []
    for knob in KNOBS:
        source = stack.sources.get(knob)
        where = f"{source.where} ({source.evidence})" if source else ""
        rows.append((knob, _value(stack, knob), where))
    screen.table(("knob", "value", "source"), rows)


@cli.command("host")
@question_options
@click.option("--time-wait", type=Duration(), help="TIME_WAIT. [default: the kernel's]")
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
    return _check(stack, _configuration(stack, given), given, Engine.AUTO, Outputs())


@cli.command("graph")
@click.option("--stack", help="The behaviour to draw. [default: rfc9293-intended]")
@click.option("--format", "form", type=click.Choice(["text", "dot", "json"]), default="text", show_default=True)
@click.option("--whole", is_flag=True, help="Opening too, not the close alone.")
def graph_command(stack: str | None, form: str, whole: bool) -> int:
    """Print the endpoint's transition graph, as derived from the specification."""
    profile = load(stack or "rfc9293-intended")
    behaviour = Behaviour(
        time_wait=profile.has_time_wait,
        answers=profile.require("answers"),
        restarts=profile.require("restarts"),
        reset=profile.require("reset"),
    )
    graph = transition_graph(behaviour)
    shown = graph if whole else close_part(graph)
    writers = {"text": as_text, "dot": lambda shown: as_dot(states(shown, profile.title)), "json": as_json}
    console.Screen().raw(writers[form](shown))
    return 0


@cli.command("certify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object.")
def certify_command(file: Path, as_json_: bool) -> int:
    """Check a certificate again, by Z3 and by cvc5; exits 40 when it is rejected."""
    screen = console.Screen()
    fault, about = certify_file(file), certificate_about(file)
    verdict = Verdict.DISAGREEMENT if fault else Verdict.PROVED
    if as_json_:
        screen.as_json({"verdict": str(verdict), "file": str(file), "reason": fault})
    else:
        screen.line(f"{file}: " + (f"REJECTED: {fault}" if fault else "accepted by Z3's plain queries and by cvc5"))
        screen.line(
            f"  {' and '.join(about['properties'])}, for all {', '.join(about['symbols'])} with {' and '.join(about['region'])}"
        )
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
