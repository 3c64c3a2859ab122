"""The command that looks for the least safe TIME_WAIT, as a number or as a formula."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.checker import itf
from timewait.checker.decide import Engine, decide
from timewait.checker.linear import as_text
from timewait.checker.ratios import RatioInterval
from timewait.checker.synthesis import InconclusiveSynthesis
from timewait.checker.threshold import InconclusiveAnswer, minimum_safe
from timewait.checker.time_unit import unit_of
from timewait.checker.trace import number
from timewait.checker.verdict import Verdict, worst
from timewait.cli import console, json_output
from timewait.cli.files import write_all
from timewait.cli.options import Duration, Ratios, question_options, stack_of
from timewait.cli.session import CLOSERS, bounds, configuration_from, configuration_in_words
from timewait.proofs.question import question
from timewait.proofs.thresholds import RANGE, ProvedThreshold, formula, formula_in_words, interval_in_words
from timewait.spec.duration import format_duration
from timewait.spec.properties import PROPERTIES
from timewait.spec.stacks import Stack


@click.command("threshold")
@question_options
@click.option("--closers", type=CLOSERS, default="a", show_default=True, help="Who may close first (scope close).")
@click.option("--limit", type=Duration(), help="The longest TIME_WAIT to try. [default: 16 * (MSL + RTO)]")
@click.option(
    "--engine", type=click.Choice(["auto", "zones", "explicit"]), default="auto", show_default=True, help="How to decide."
)
@click.option("--symbolic", is_flag=True, help="As a formula in MSL and RTO, each piece proved from both sides.")
@click.option("--ratios", type=Ratios(), help="With --symbolic: RTO / MSL from and to. [default: 1/4,2]")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="With --symbolic: write certificates and traces there."
)
def threshold_command(
    limit: Fraction | None,
    engine: str,
    symbolic: bool,
    ratios: tuple[Fraction, Fraction] | None,
    out: Path | None,
    **given: Any,
) -> int:
    """Find the least safe TIME_WAIT by asking an engine; exits 10 when none is safe."""
    if symbolic and (limit is not None or engine != "auto"):
        raise click.UsageError("--limit and --engine belong to a threshold as a number, not to --symbolic")
    if symbolic:
        return _symbolic(stack_of(given), given, ratios or RANGE, out)
    if ratios or out:
        raise click.UsageError("--ratios and --out belong to --symbolic")
    screen = console.Screen()
    stack = stack_of(given)
    first = configuration_from(stack, {**given, "time_wait": Fraction(0)})
    asked = [PROPERTIES[name] for name in given["properties"] or ("graceful", "isolation")]
    unit = unit_of({name: value for name, value in first.parameters.items() if name != "TIME_WAIT"})
    whole = engine == "explicit" or not question(first).system.dense

    def ask(value: Fraction) -> list[Any]:
        configuration = configuration_from(stack, {**given, "time_wait": value})
        return decide(question(configuration), asked, Engine(engine), bounds(given, screen))

    most = 16 * (first.msl + max(first.rto)) if limit is None else limit
    try:
        found = minimum_safe(ask, unit, max(most // unit, 1) * unit, whole)
    except InconclusiveAnswer as undecided:
        if given["as_json"]:
            screen.as_json(json_output.whole(undecided.answers, first) | {"least_time_wait": None})
        else:
            screen.line(f"TIME_WAIT {format_duration(undecided.value)}:")
            for answer in undecided.answers:
                screen.answer(answer)
        return worst(answer.verdict for answer in undecided.answers).exit_code
    answers = found.answers_below if found.minimum is not None else found.answers
    if given["as_json"]:
        data = json_output.whole(found.answers, first) | {
            "least_time_wait": None if found.minimum is None else number(found.minimum),
            "below": [json_output.result(answer) for answer in found.answers_below],
            "questions": found.queries,
        }
        screen.as_json(data)
    else:
        together = " and ".join(entry.name for entry in asked)
        screen.line(f"{stack.title}: {configuration_in_words(first, show_wait=False)}")
        if found.minimum is None:
            screen.line(f"no TIME_WAIT up to {format_duration(found.largest_tried)} gives {together}; with that one:")
        else:
            screen.line(
                f"least TIME_WAIT for {together}: {format_duration(found.minimum)}   ({found.queries} questions to the engine)"
            )
            screen.line(f"with {format_duration(found.value_below)}:" if found.answers_below else "")
        for answer in answers:
            if answer.verdict is Verdict.VIOLATED:
                screen.answer(answer)
    return found.verdict.exit_code


# --- as a formula ---------------------------------------------------------------------------------------------------


def _symbolic(stack: Stack, given: dict[str, Any], ratios: tuple[Fraction, Fraction], out: Path | None) -> int:
    """The formula; a second stands for MSL and for RTO where neither option nor stack states them."""
    screen = console.Screen()
    msl = stack.msl or Fraction(1) if given["msl"] is None else given["msl"]
    rto = (stack.rto_max or Fraction(1),) if given["rto"] is None else given["rto"]
    given = {**given, "msl": msl, "rto": rto, "time_wait": Fraction(0)}
    configuration = configuration_from(stack, given)
    asked = given["properties"] or ("graceful", "isolation")
    pieces: list[ProvedThreshold] = []
    try:
        for piece in formula(configuration, asked, ratios, bounds(given, screen)):
            pieces.append(piece)
            screen.note(f"{interval_in_words(piece.ratios)}: {_least(piece)}")
    except InconclusiveSynthesis as problem:
        screen.note(f"not settled: {problem}")
        verdict = worst([Verdict.INCONCLUSIVE, *(piece.verdict for piece in pieces)])
    except ValueError as problem:
        raise click.UsageError(str(problem)) from problem
    else:
        verdict = worst(piece.verdict for piece in pieces)
    written_to = _written(pieces, out) if out is not None else []
    if given["as_json"]:
        screen.as_json(_as_data(pieces, verdict, asked))
    else:
        screen.line(f"{stack.title}: {' and '.join(asked)}, {_told_symbolically(configuration, given)}")
        _show(screen, pieces)
        for path in written_to:
            screen.line(f"wrote {path}")
        screen.line(f"verdict: {str(verdict).upper()}")
    return verdict.exit_code


def _told_symbolically(configuration: Any, given: dict[str, Any]) -> str:
    gaps = "" if len(configuration.rto) == 1 else f", gaps in the proportion {':'.join(map(str, configuration.rto))}"
    loss = "any" if configuration.loss is None else configuration.loss
    closers = "either end may close first" if configuration.both_close else "A closes first"
    return f"loss {loss}, duplication any, scope {given['scope']}, {closers}{gaps}"


def _least(piece: ProvedThreshold) -> str:
    return "no TIME_WAIT is enough" if piece.minimum is None else f"TIME_WAIT >= {as_text(piece.minimum)}"


def _show(screen: console.Screen, pieces: list[ProvedThreshold]) -> None:
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
            screen.line(f"  from it on: {piece.proof.verdict}; {piece.proof.reason or f'{size}, accepted by Z3 and by cvc5'}")
        if piece.counterexample is not None:
            state = piece.counterexample.rejection or "legal and violating for all values, by Z3 and by cvc5; replay: confirmed"
            screen.line(f"  below it: {piece.counterexample.broken} is broken; {state}")
            screen.line(f"    {piece.counterexample.schedule}")
            if piece.counterexample.trace is not None:
                screen.trace(piece.counterexample.trace)


def _written(pieces: list[ProvedThreshold], out: Path) -> list[Path]:
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


def _as_data(pieces: list[ProvedThreshold], verdict: Verdict, asked: tuple[str, ...]) -> dict[str, Any]:
    return {
        "verdict": str(verdict),
        "property": list(asked),
        "engine": "zones, all values",
        "least_time_wait": formula_in_words(pieces) if pieces else None,
        "pieces": [
            {
                "rto": interval_in_words(piece.ratios),
                "least_time_wait": None if piece.minimum is None else as_text(piece.minimum),
                "verdict": str(piece.verdict),
                "region": [part.text for part in piece.region],
                "breaks": None if piece.counterexample is None else piece.counterexample.broken,
                "schedule": None if piece.counterexample is None else str(piece.counterexample.schedule),
                "trace": None
                if piece.counterexample is None or piece.counterexample.trace is None
                else piece.counterexample.trace.as_json(),
            }
            for piece in reversed(pieces)
        ],
    }
