"""The command ``check``: decides properties of one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from timewait.api import check
from timewait.assumptions import SECONDS_FOR_ALL, SECONDS_FOR_EACH, Basis, basis_of, effects_in_words
from timewait.blame import blamed
from timewait.checker import itf
from timewait.checker.certificate import joined
from timewait.checker.decide import Answer, engines_are_kept
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.checker.worker_pool import is_cluster
from timewait.cli import json_output
from timewait.cli import replay as kernel_replay
from timewait.cli.blamed_line import with_blame
from timewait.cli.command_line import current_words
from timewait.cli.console import Screen
from timewait.cli.files import ensure_writable, write_whole
from timewait.cli.options import question_options
from timewait.cli.reports import Reports, report_options, suite_of_answers
from timewait.cli.review import answer_in_words
from timewait.cli.session import budget_of, header_in_words, verdict_in_words
from timewait.cli.value_types import FilePath, Parsed
from timewait.cli.view import write_page
from timewait.diagrams import page
from timewait.formats.case import ReportedCase, ReportedSuite
from timewait.laboratory import isolation
from timewait.laboratory.replaying import replayer
from timewait.options import Options
from timewait.proofs import certify
from timewait.results import CheckResult
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import verdict_parameters
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.errors import optional_package

_FILE = FilePath(dir_okay=False)
CONFIRM_OPTION = click.option("--confirm", is_flag=True, help="Confirm each proof in a second way, by another engine or a check.")


@dataclass(frozen=True)
class Outputs:
    """What a check writes beside the verdicts.

    Attributes
    ----------
    trace, html : Path or None
        Files for the first violation as ITF JSON, and for a review page of all answers.
    certificate : Path or None
        A file for certificates of the proved properties.
    explain : bool
        Whether each verdict and each run is explained in sentences.
    on : str
        The running stack that carries each counterexample out; empty for none.
    assumptions : bool
        Whether everything that the answer rests on is printed, with what engines say where it is otherwise.
    reports : Reports
        Reports for other tools.
    """

    trace: Path | None = None
    html: Path | None = None
    certificate: Path | None = None
    explain: bool = False
    on: str = ""
    assumptions: bool = False
    reports: Reports = field(default_factory=Reports)


KERNEL = "linux"
"""The running stack that ``--on`` may name, beside clusters."""


def kernel_or_cluster(text: str) -> str:
    """The running stack, or a Ray cluster."""
    if text != KERNEL and not is_cluster(text):
        raise ValueError(f"{text!r} is neither {KERNEL} nor a Ray cluster, ray or an address such as ray://head:10001")
    return text


@click.command("check")
@question_options(closers="both", engines=[*Engine], stacks="both", schedules=True)
@click.option("--trace", "trace_file", type=_FILE, help="Write the first violation as ITF JSON.")
@click.option("--explain", is_flag=True, help="Explain each verdict and each run in sentences.")
@CONFIRM_OPTION
@click.option("--assumptions", is_flag=True, help="Print what the answer rests on, and what changes where it is otherwise.")
@click.option("--certificate", type=_FILE, help="Write certificates of the proved properties.")
@click.option("--html", type=_FILE, help="Write a review page: every answer, and the run of each violation.")
@click.option(
    "--on",
    type=Parsed("where", kernel_or_cluster),
    help="linux: carry each counterexample out on this kernel, as replay does. ray or ray://HOST:PORT: explore on a Ray cluster.",
)
@report_options
def check_command(
    options: Options,
    trace_file: Path | None,
    certificate: Path | None,
    html: Path | None,
    explain: bool,
    assumptions: bool,
    on: str | None,
    as_json: bool,
    reports: Reports,
) -> int:
    """Decide properties of one configuration; exits 0, 10, 20, 30 or 40."""
    if explain and as_json:
        raise click.UsageError("--explain prints sentences and --json an object; give one of them")
    if on is not None and on != KERNEL:
        options, on = replace(options, cluster=on, workers=max(options.workers, 2)), None
    return run_check(options, as_json, Outputs(trace_file, html, certificate, explain, on or "", assumptions, reports))


def run_check(options: Options, as_json: bool, outputs: Outputs) -> int:
    """Decide, print the answers, write the files, and return the exit code."""
    for output in filter(None, (outputs.trace, outputs.html, outputs.certificate)):
        ensure_writable(output)  # before the search, whose answer would be lost
    if outputs.certificate is not None:
        optional_package("cvc5", "certificates")
    screen, reports = Screen(), outputs.reports
    configuration = (options.of_stack() or options).configuration()
    parameters = verdict_parameters(configuration)
    header = header_in_words(options, configuration)
    if not as_json:
        screen.line(header)
        screen.line()
    screen.note_compilation(kept=engines_are_kept())
    reports.start("check", [entry.name for entry in options.asked()], parameters)
    budget = budget_of(options, screen)
    result = check(options, budget=replace(budget, listener=reports.listening(budget.listener)))
    reports.decided(_located(suite_of_answers("check", result.answers, parameters), options, budget, reports))
    basis = _basis(options, result, outputs.assumptions, budget, screen)
    kernels = _on_kernel(outputs.on, result, screen) if outputs.on else {}
    _write_files(outputs, options, result, basis, kernels, screen)
    if outputs.certificate is not None:
        result = replace(result, answers=_certified(outputs.certificate, result, budget, screen))
    if as_json:
        found = {name: kernel.verdict for name, kernel in kernels.items()}
        screen.as_json(json_output.check_data(result, basis) | ({"kernel": found} if outputs.on else {}))
    else:
        _show(options, result, outputs.explain, screen)
        for name, kernel in kernels.items():
            screen.line(f"{name} on the kernel ({kernel.name}): {kernel.verdict}")
    if outputs.assumptions and not as_json:
        show_basis(basis, screen)
    title, verdict = f"timewait check, {options.stack.title}", result.verdict
    reports.finish(title, header, verdict, verdict.exit_code, screen)
    return verdict.exit_code


def _located(suite: ReportedSuite, options: Options, budget: Budget, reports: Reports) -> ReportedSuite:
    """The suite with its violations at the lines of the user's profile, where a report shows lines and there is a profile."""
    if not options.stack.file or not (reports.sarif or reports.github):
        return suite

    def located(case: ReportedCase) -> ReportedCase:
        if case.verdict is not Verdict.VIOLATED or budget.interrupted():
            return case

        def proved(changed: Options) -> bool:
            asked = replace(changed, properties=(case.subject.name,))
            return not budget.interrupted() and check(asked, budget=budget.fresh()).verdict is Verdict.PROVED

        ways = blamed(options, proved)
        return with_blame(case, options.stack, ways, str(Verdict.PROVED)) if ways else case

    return suite._replace(cases=tuple(map(located, suite.cases)))


def _basis(options: Options, result: CheckResult, asked: bool, budget: Budget, screen: Screen) -> Basis:
    """What the answer rests on; engines are asked about other values only where the user wants to know."""
    if not asked:
        return basis_of(options, result)
    screen.progress_note("what would change if the assumptions were otherwise")
    return basis_of(options, result, replace(budget, seconds=float(SECONDS_FOR_EACH)), float(SECONDS_FOR_ALL))


def show_basis(basis: Basis, screen: Screen) -> None:
    """Print what an answer rests on."""
    screen.line()
    screen.heading("This answer rests on")
    for entry in basis.assumptions:
        screen.paragraphs(
            [f"{entry.name}: {entry.value} ({', '.join(filter(None, (entry.option, entry.source)))})"], 2, hanging=2
        )
        screen.paragraphs(effects_in_words(entry), indent=6)
    if any(entry.otherwise or entry.not_asked for entry in basis.assumptions):
        time = f"Each other value was asked about for at most {SECONDS_FOR_EACH} s, all together for at most {SECONDS_FOR_ALL} s;"
        screen.paragraphs([f"{time} INCONCLUSIVE: no answer in that time."])
    screen.line()
    screen.heading("The model leaves out")
    for left_out in basis.abstractions:
        option = f"; put in by {left_out.option}" if left_out.option else ""
        screen.paragraphs([f"{left_out.left_out} ({left_out.source}{option})"], 2, hanging=2)
        screen.paragraphs([f"otherwise: {left_out.otherwise}"], indent=6)


def _show(options: Options, result: CheckResult, explain: bool, screen: Screen) -> None:
    for answer in result.answers:
        screen.answer(answer)
        if explain:
            screen.meaning(answer)
    screen.paragraphs([verdict_in_words(options, result)])


def _on_kernel(on: str, result: CheckResult, screen: Screen) -> dict[str, page.KernelInWords]:
    """What the kernel does when it carries each counterexample out, by property; where it cannot, one line says why."""
    found = {}
    for answer in result.answers:
        if answer.trace is None:
            continue
        screen.progress_note(f"the counterexample to {answer.name} on the kernel")
        try:
            found[answer.name] = kernel_replay.kernel_in_words(on, replayer.replay_on_kernel(answer.trace))
        except (isolation.LaboratoryUnavailable, isolation.LaboratoryTimeout) as problem:
            found[answer.name] = page.KernelInWords(on, f"not carried out: {problem}")
    return found


def _write_files(
    outputs: Outputs,
    options: Options,
    result: CheckResult,
    basis: Basis,
    kernels: Mapping[str, page.KernelInWords],
    screen: Screen,
) -> None:
    """Write the run of the first violation, and the review page of the answer, into the files that were asked for."""
    trace = result.trace
    if outputs.trace is not None and trace is not None:
        write_whole(outputs.trace, itf.as_itf_text(trace))
    if outputs.html is not None:
        runs = [answer.trace for answer in result.answers if answer.trace is not None]
        words = answer_in_words(options, result, basis, current_words(), outputs.assumptions)
        write_page(outputs.html, *runs, answer=words, kernels=kernels)
        screen.note(f"wrote {outputs.html}")


def _certified(path: Path, result: CheckResult, budget: Budget, screen: Screen) -> tuple[Answer, ...]:
    """Write certificates of the proved properties; an answer whose certificate is rejected becomes a disagreement."""
    proofs = _certificates(result, budget)
    failed = {names: proof for names, made in proofs.items() for proof in made if proof.verdict is not Verdict.PROVED}
    for names, proof in failed.items():
        screen.note(f"{', '.join(names)}: no certificate; {proof.reason}")
    accepted = [names for names in proofs if names not in failed]
    if accepted:
        write_whole(path, joined([proof.text for names in accepted for proof in proofs[names]]))
        screen.note(f"wrote {path}: {', '.join(name for names in accepted for name in names)}, accepted by Z3 and by cvc5")
    else:
        screen.note(f"nothing to certify: {path} is not written")
    by_name = {name: proof for names, proof in failed.items() for name in names}
    return tuple(_with_certificate(answer, by_name.get(answer.finding.name)) for answer in result.answers)


def _certificates(result: CheckResult, budget: Budget) -> dict[tuple[str, ...], list[certify.CertifiedProof]]:
    """Certificates by the properties that they prove: one for all ``always`` properties, one for each other property."""
    configurations: list[Configuration] = list(
        dict.fromkeys([replace(result.configuration, both_close=False), result.configuration])
    )
    proved = [answer.finding.name for answer in result.answers if answer.verdict is Verdict.PROVED]
    always = tuple(name for name in proved if PROPERTIES[name].kind == "always")
    proofs = {}
    if always and all(map(certify.certifiable, configurations)):
        proofs[always] = [certify.certify_at_values(each, always, budget.fresh()) for each in configurations]
    for name in proved:
        if name not in always:
            proofs[name,] = [certify.certify_liveness(each, name, budget.fresh()) for each in configurations]
    return proofs


def _with_certificate(answer: Answer, failed: certify.CertifiedProof | None) -> Answer:
    """An answer after its certificate failed; a liveness property that was proved in ticks needs no certificate."""
    liveness = PROPERTIES[answer.finding.name].kind == "eventually"
    if failed is None or (failed.verdict is Verdict.INCONCLUSIVE and liveness):
        return answer
    return replace(answer, finding=answer.finding.but(failed.verdict, f"no certificate: {failed.reason}"))
