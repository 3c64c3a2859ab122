"""The command ``threshold``: finds the least safe TIME_WAIT, as a number or as a formula."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.api import SAFE, threshold, threshold_formula
from timewait.checker import itf
from timewait.checker.linear import as_text
from timewait.checker.ratios import RatioInterval
from timewait.checker.threshold import InconclusiveAnswer
from timewait.checker.trace import number
from timewait.checker.verdict import Verdict, worst
from timewait.cli import json_output
from timewait.cli.console import Screen
from timewait.cli.files import write_all
from timewait.cli.options import question_options
from timewait.cli.session import budget_of, header_in_words
from timewait.cli.value_types import DURATION, FilePath, Parsed
from timewait.narration.prose import counted
from timewait.narration.schedules import schedule_in_words
from timewait.options import Options
from timewait.options import ratios as parse_ratios
from timewait.proofs.thresholds import RANGE, ProvedThreshold, formula_in_words, interval_in_words
from timewait.results import FormulaResult, ThresholdResult
from timewait.spec.assemble import stack_defaults
from timewait.spec.configuration import Configuration
from timewait.spec.description import configuration_in_words
from timewait.spec.duration import format_duration


@click.command("threshold")
@question_options(closers="a", time_wait="", engines=["auto", "zones", "explicit"])
@click.option("--limit", type=DURATION, help="The longest TIME_WAIT to try. [default: 16 * (MSL + RTO)]")
@click.option("--symbolic", is_flag=True, help="Find a formula in MSL and RTO, each piece proved from both sides.")
@click.option("--ratios", type=Parsed("low,high", parse_ratios), help="With --symbolic: the range of RTO / MSL. [default: 1/4,2]")
@click.option("--out", type=FilePath(file_okay=False), help="With --symbolic: a folder for certificates and traces.")
def threshold_command(
    options: Options,
    limit: Fraction | None,
    symbolic: bool,
    ratios: tuple[Fraction, Fraction] | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Find the least safe TIME_WAIT by asking an engine; exits 10 when none is safe."""
    if symbolic and (limit is not None or options.engine != "auto"):
        raise click.UsageError("--limit and --engine belong to a threshold as a number, not to --symbolic")
    if symbolic:
        return _find_formula(options, ratios or RANGE, out, as_json)
    if ratios or out:
        raise click.UsageError("--ratios and --out belong to --symbolic")
    screen = Screen()
    if not as_json:
        screen.line(header_in_words(options, options.override(time_wait=Fraction(0)).configuration(), time_wait=False))
    try:
        result = threshold(options, limit=limit, budget=budget_of(options, screen))
    except InconclusiveAnswer as undecided:
        return _show_undecided(undecided, options, as_json, screen)
    if as_json:
        screen.as_json(_number_as_json(result))
    else:
        _show_number(result, options.properties or SAFE, screen)
    return result.verdict.exit_code


def _show_undecided(undecided: InconclusiveAnswer, options: Options, as_json: bool, screen: Screen) -> int:
    if as_json:
        configuration = options.override(time_wait=Fraction(0)).configuration()
        screen.as_json(json_output.answers_data(undecided.answers, configuration) | {"least_time_wait": None})
    else:
        screen.line(f"TIME_WAIT {format_duration(undecided.value)}:")
        for answer in undecided.answers:
            screen.answer(answer)
    return worst(answer.verdict for answer in undecided.answers).exit_code


def _number_as_json(result: ThresholdResult) -> dict[str, Any]:
    return json_output.answers_data(result.found.answers, result.configuration) | {
        "least_time_wait": None if result.least is None else number(result.least),
        "below": [json_output.answer_data(answer) for answer in result.found.answers_below],
        "questions": result.found.queries,
    }


def _show_number(result: ThresholdResult, asked: Sequence[str], screen: Screen) -> None:
    found, properties = result.found, " and ".join(asked)
    if found.minimum is None:
        most = format_duration(found.largest_tried)
        screen.line(f"no TIME_WAIT up to {most} gives {properties}; with {most}:")
    else:
        least = format_duration(found.minimum)
        screen.line(f"least TIME_WAIT for {properties}: {least}   ({counted(found.queries, 'question')} to the engine)")
        screen.line(f"with {format_duration(found.value_below)}:" if found.answers_below else "")
    for answer in found.answers_below if found.minimum is not None else found.answers:
        if answer.verdict is Verdict.VIOLATED:
            screen.answer(answer)


# --- as a formula ---------------------------------------------------------------------------------------------------


def _find_formula(options: Options, ratios: tuple[Fraction, Fraction], out: Path | None, as_json: bool) -> int:
    screen = Screen()

    def note(piece: ProvedThreshold) -> None:
        screen.note(f"{interval_in_words(piece.ratios)}: {_least(piece)}")

    result = threshold_formula(options, ratios=ratios, budget=budget_of(options, screen), listener=note)
    if result.unsettled:
        screen.note(f"not settled: {result.unsettled}")
    written = _written(result.pieces, out) if out is not None else []
    properties = options.properties or SAFE
    if as_json:
        screen.as_json(_formula_as_json(result, properties))
        return result.verdict.exit_code
    screen.line(f"{options.stack.title}: {' and '.join(properties)}, {conditions(options, result.configuration)}")
    _show(screen, result.pieces)
    for path in written:
        screen.line(f"wrote {path}")
    screen.line(f"verdict: {str(result.verdict).upper()}")
    return result.verdict.exit_code


def conditions(options: Options, configuration: Configuration) -> str:
    """Everything but the durations, in a line; a back-off schedule and a FIN-WAIT-2 timeout by their proportions."""
    parts = [configuration_in_words(configuration, durations=False, defaults=stack_defaults(options.stack, options.overrides))]
    if len(configuration.rto) > 1:
        parts.append(f"gaps in the proportion {':'.join(map(str, configuration.rto))}")
    if configuration.rto_exact:
        parts.append("gaps of exactly RTO")
    if configuration.behaviour.fin_wait_2:
        parts.append(f"FIN_WAIT_2 = {as_text({'MSL': configuration.fin_wait_2 / configuration.msl})}")
    return ", ".join(parts)


def _least(piece: ProvedThreshold) -> str:
    return "no TIME_WAIT is enough" if piece.minimum is None else f"TIME_WAIT >= {as_text(piece.minimum)}"


def _show(screen: Screen, pieces: Sequence[ProvedThreshold]) -> None:
    if not pieces:
        return
    low, high = pieces[-1].ratios, pieces[0].ratios
    covered = RatioInterval(low.low, high.high, low.closed_low, high.closed_high)
    screen.line(f"  {formula_in_words(pieces)}   ({interval_in_words(covered)})")
    for piece in reversed(pieces):
        screen.line()
        screen.line(f"{interval_in_words(piece.ratios)}: {_least(piece)}")
        if piece.proof is not None:
            size = f"{piece.proof.cases} zones over {piece.proof.locations} locations"
            found = piece.proof.reason or f"{size}, accepted by Z3 and by cvc5"
            screen.line(f"  this value and every longer one: {piece.proof.verdict}; {found}")
        if piece.counterexample is not None:
            state = piece.counterexample.rejection or "legal and violating for all values, by Z3 and by cvc5; replay: confirmed"
            which = "every TIME_WAIT" if piece.minimum is None else "every shorter one"
            screen.line(f"  {which}: {piece.counterexample.violated} is violated; {state}")
            if piece.counterexample.schedule is not None:
                screen.line(f"    {schedule_in_words(piece.counterexample.schedule)}")
            if piece.counterexample.trace is not None:
                screen.trace(piece.counterexample.trace)


def _written(pieces: Sequence[ProvedThreshold], out: Path) -> list[Path]:
    """Write each piece's certificate and run."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise click.UsageError(f"cannot write {out}: {problem.strerror}") from problem
    contents: dict[Path, str | bytes] = {}
    for index, piece in enumerate(reversed(pieces), start=1):
        if piece.proof is not None:
            contents[out / f"piece-{index}.smt2"] = piece.proof.text
        if piece.counterexample is not None and piece.counterexample.trace is not None:
            contents[out / f"piece-{index}.itf.json"] = itf.as_itf_text(piece.counterexample.trace)
    write_all(contents)
    return list(contents)


def _formula_as_json(result: FormulaResult, properties: Sequence[str]) -> dict[str, Any]:
    return {
        "verdict": str(result.verdict),
        "property": list(properties),
        "engine": "zones, all values",
        "least_time_wait": formula_in_words(result.pieces) if result.pieces else None,
        "pieces": [
            {
                "rto": interval_in_words(piece.ratios),
                "least_time_wait": None if piece.minimum is None else as_text(piece.minimum),
                "verdict": str(piece.verdict),
                "region": [part.text for part in piece.region],
                "breaks": None if piece.counterexample is None else piece.counterexample.violated,
                "schedule": None if piece.counterexample is None else str(piece.counterexample.schedule),
                "trace": None
                if piece.counterexample is None or piece.counterexample.trace is None
                else piece.counterexample.trace.as_json(),
            }
            for piece in reversed(result.pieces)
        ],
    }
