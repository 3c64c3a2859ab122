"""The command ``timewait diagram region``: safe and unsafe TIME_WAIT."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Literal

import click

from timewait.api import SAFE
from timewait.checker.threshold import InconclusiveAnswer
from timewait.checker.verdict import worst
from timewait.cli.boundaries import UnacceptedProof, boundaries
from timewait.cli.console import Screen
from timewait.cli.errors import error
from timewait.cli.figures import LOSSES, bars_of, farthest, region_of
from timewait.cli.options import MSL, question_options
from timewait.cli.picture_formats import PictureOptions, Writers, deliver, of_svg, output_options
from timewait.cli.value_types import WordChoice
from timewait.diagrams import bars, region_chart, region_text
from timewait.diagrams.boundary import Boundary, BoundaryPiece
from timewait.diagrams.region import Against
from timewait.options import Options


@click.command("region", short_help="Safe and unsafe TIME_WAIT of stacks.")
@question_options(closers="a", time_wait="")
@click.option(
    "--against",
    type=WordChoice(["rto", "msl", "loss"]),
    default="rto",
    show_default=True,
    help="What the horizontal axis shows.",
)
@output_options(layout=False)
def region_command(options: Options, against: Against | Literal["loss"], as_json: bool, picture: PictureOptions) -> int:
    """Safe and unsafe TIME_WAIT against RTO, MSL or losses, with real stacks as points (MSL 30s unless --msl is given)."""
    if against == "rto" and options.overrides.rto:
        raise click.UsageError("the horizontal axis shows RTO; leave out --rto, or draw against msl or loss")
    screen = Screen()
    options = options.with_msl(MSL)
    options = options.override(time_wait=Fraction(0), rto=options.overrides.rto or (options.overrides.msl,))
    draw = _loss_writers if against == "loss" else partial(_region_writers, against=against)
    try:
        writers = draw(options, picture, screen)
    except InconclusiveAnswer as undecided:
        error(f"{undecided}: {'; '.join(answer.finding.reason for answer in undecided.answers if answer.finding.reason)}")
        return worst(answer.verdict for answer in undecided.answers).exit_code
    except UnacceptedProof as problem:
        error(str(problem))
        return problem.verdict.exit_code
    deliver(writers, replace(picture, form="json") if as_json else picture, screen)
    return 0


def _region_writers(options: Options, picture: PictureOptions, screen: Screen, against: Against) -> Writers:
    configuration = options.configuration()
    if len(configuration.rto) > 1:
        raise click.UsageError("an axis cannot show a back-off schedule; give one RTO")
    found = boundaries(configuration, options.properties or SAFE, farthest(configuration.msl), options.budget)
    title = picture.title_or(f"Safe and unsafe TIME_WAIT, against {against.upper()}")
    shown = region_of(configuration, title, found, against, options.stack.title)
    width = picture.width(screen)
    return of_svg(lambda: region_chart.as_svg(shown), picture) | {
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


def _loss_writers(options: Options, picture: PictureOptions, screen: Screen) -> Writers:
    title = picture.title_or("The least safe TIME_WAIT, against losses")
    shown = bars_of(options.configuration(), LOSSES, title, options.properties or SAFE, options.budget)
    width = picture.width(screen)
    least = [
        {"loss": loss, "property": name, "least": None if value is None else str(value)}
        for (loss, name), value in shown.least.items()
    ]
    return of_svg(lambda: bars.as_svg(shown), picture) | {
        "text": lambda: bars.as_text(shown, width),
        "json": lambda: json.dumps({"unit": "MSL", "least_time_wait": least}, indent=1) + "\n",
    }
