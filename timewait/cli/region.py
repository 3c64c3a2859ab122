"""The command ``timewait diagram region``: safe and unsafe TIME_WAIT."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any, Literal

import click

from timewait.checker.finding import Budget
from timewait.checker.threshold import InconclusiveAnswer
from timewait.checker.verdict import worst
from timewait.cli.boundaries import NotBelieved, boundaries
from timewait.cli.console import Screen, error
from timewait.cli.figures import LOSSES, bars_of, farthest, region_of
from timewait.cli.options import question_options, stack_of
from timewait.cli.picture_formats import Writers, deliver, of_svg, output_options, width_of
from timewait.cli.session import configuration_from
from timewait.diagrams import bars, region_picture, region_text
from timewait.diagrams.boundary import Boundary, BoundaryPiece
from timewait.diagrams.region import Against
from timewait.spec.configuration import Configuration


@click.command("region")
@question_options
@click.option("--closers", type=click.Choice(["a", "both"]), default="a", show_default=True, help="Who may close first.")
@click.option(
    "--against", type=click.Choice(["rto", "msl", "loss"]), default="rto", show_default=True, help="What lies along the axis."
)
@output_options
def region_command(against: Against | Literal["loss"], **given: Any) -> int:
    """Safe and unsafe TIME_WAIT against RTO, MSL or losses, with real stacks as points (MSL 30s unless --msl says otherwise)."""
    if against == "rto" and given["rto"]:
        raise click.UsageError("RTO lies along the axis; leave out --rto, or draw against msl or loss")
    screen = Screen()
    given["msl"] = given["msl"] or Fraction(30)
    asked = given["properties"] or ("graceful", "isolation")

    def budget() -> Budget:
        return Budget(given["max_states"], given["max_seconds"])

    try:
        if against == "loss":
            writers = _loss_writers(given, asked, budget, screen)
        else:
            writers = _region_writers(given, asked, budget, against, screen)
    except InconclusiveAnswer as undecided:
        error(f"{undecided}: {'; '.join(answer.finding.reason for answer in undecided.answers if answer.finding.reason)}")
        return worst(answer.verdict for answer in undecided.answers).exit_code
    except NotBelieved as problem:
        error(str(problem))
        return problem.verdict.exit_code
    deliver(writers, "json" if given["as_json"] else given["form"], given["out"], screen)
    return 0


def _configuration(given: dict[str, Any]) -> Configuration:
    every = {**given, "rto": given["rto"] or (given["msl"],), "time_wait": given.get("time_wait", Fraction(0))}
    return configuration_from(stack_of(given), every)


def _region_writers(given: dict[str, Any], asked: Any, budget: Any, against: Against, screen: Screen) -> Writers:
    configuration = _configuration(given)
    if len(configuration.rto) > 1:
        raise click.UsageError("a back-off schedule has no place along an axis; give one RTO")
    found = boundaries(configuration, asked, farthest(configuration.msl), budget)
    shown = region_of(configuration, f"Safe and unsafe TIME_WAIT, against {against.upper()}", found, against)
    width = width_of(given, screen)
    return of_svg(lambda: region_picture.as_svg(shown), given["scale"]) | {
        "text": lambda: region_text.as_text(shown, width),
        "json": lambda: json.dumps([_pieces(boundary) for boundary in found], indent=1) + "\n",
    }


def _pieces(boundary: Boundary) -> dict[str, Any]:
    return {"property": boundary.name, "needs": boundary.needs, "pieces": [_piece(piece) for piece in boundary.pieces]}


def _piece(piece: BoundaryPiece) -> dict[str, Any]:
    low, high = map(str, piece.ratios[:2])
    return {
        "low": low,
        "high": high,
        "closed": list(piece.ratios[2:]),
        "least": None if piece.least is None else {name: str(count) for name, count in piece.least.items() if count},
    }


def _loss_writers(given: dict[str, Any], asked: Any, budget: Any, screen: Screen) -> Writers:
    shown = bars_of(_configuration(given), LOSSES, "The least safe TIME_WAIT, against losses", asked, budget)
    width = width_of(given, screen)
    least = [
        {"loss": loss, "property": name, "least": None if value is None else str(value)}
        for (loss, name), value in shown.least.items()
    ]
    return of_svg(lambda: bars.as_svg(shown), given["scale"]) | {
        "text": lambda: bars.as_text(shown, width),
        "json": lambda: json.dumps({"unit": "MSL", "least_time_wait": least}, indent=1) + "\n",
    }
