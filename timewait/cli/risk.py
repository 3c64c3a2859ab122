"""The command ``risk``: computes how probable a RST at the end of a close is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import click

from timewait.api import threshold
from timewait.cli.console import Screen
from timewait.cli.options import COUNT
from timewait.cli.picture_formats import PictureOptions, Writers, deliver, of_svg, output_options
from timewait.cli.value_types import DURATION, Parsed
from timewait.diagrams import risk_chart
from timewait.narration.prose import listed, short_duration
from timewait.options import schedule
from timewait.risk.chain import CloseResult
from timewait.risk.path import NetworkPath, OrderlyClose, delays_around
from timewait.risk.sampling import sampled
from timewait.risk.stray import Strays
from timewait.risk.table import Risk, least_without_risk, risks, time_waits_of_stacks
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.backoff import doubling, retransmissions
from timewait.spec.duration import format_duration
from timewait.spec.durations import STATE_LIMITS
from timewait.spec.incarnation import HARMS
from timewait.spec.stacks import Stack, load_stack
from timewait.spec.state import State
from timewait.vocabulary.untrusted import exact_number

STEPS = 24
"""Values of TIME_WAIT along the axis of the chart, beside those of the stacks."""

MOST_RETRIES = 20


def share(text: str) -> Fraction:
    """A probability: ``1%``, ``0.01`` or ``1/100``.

    Raises
    ------
    ValueError
        The text is not a number from 0 to 1.
    """
    value = None
    with suppress(ValueError):
        value = exact_number(text.removesuffix("%")) / (100 if text.endswith("%") else 1) if len(text) <= 20 else None
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"{text[:20]!r} is not a probability, such as 1% or 0.01")
    return value


SHARE = Parsed("share", share)


@click.command("risk")
@click.option("--loss-rate", type=SHARE, required=True, help="The share of packets that are lost, for instance 1%.")
@click.option("--rtt", type=DURATION, required=True, help="The round trip, for instance 50ms.")
@click.option(
    "--jitter", type=DURATION, default="0", help="A quarter of the packets are so much faster, a quarter slower. [default: 0]"
)
@click.option(
    "--time-wait", "time_waits", type=DURATION, multiple=True, help="TIME_WAIT; may be repeated. [default: that of each stack]"
)
@click.option(
    "--stack", default="linux", show_default=True, help="The stack of both ends: its retransmissions and its TIME-WAIT."
)
@click.option("--rto", type=Parsed("times", schedule), help="The gaps between transmissions. [default: doubling, by the stack]")
@click.option("--retries", type=click.IntRange(1, MOST_RETRIES), help="Retransmissions of a segment. [default: the stack's]")
@click.option("--loss", type=COUNT, default="any", show_default=True, help="Losses in a loss window at most, or any.")
@click.option("--duplicates", type=SHARE, help="The share of packets that leave a stray copy, for the harms of old duplicates.")
@click.option("--msl", type=DURATION, default="30s", show_default=True, help="The greatest age of a stray copy.")
@click.option(
    "--window",
    type=click.IntRange(1, 2**31 - 1),
    default=65_535,
    show_default=True,
    help="Receive window of the next connection.",
)
@click.option("--timestamps", is_flag=True, help="Both ends use timestamps, which identify old segments.")
@click.option("--rate-of-reuse", type=click.IntRange(min=1), help="Closes per day: also print how often that is.")
@click.option("--samples", type=click.IntRange(min=1), help="Also carry out so many closes at random, as a check.")
@output_options(layout=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def risk_command(
    loss_rate: Fraction, rtt: Fraction, jitter: Fraction, picture: PictureOptions, as_json: bool, **values: Any
) -> int:
    """Compute the probability that an orderly close ends in a RST, exactly, for several values of TIME_WAIT."""
    path = NetworkPath(loss_rate=loss_rate, delays=delays_around(rtt, jitter), budget=values["loss"])
    stack = load_stack(values["stack"])
    close = orderly_close(stack, path, rtt + 4 * jitter, values["rto"], values["retries"])
    strays = None
    if values["duplicates"] is not None:
        strays = Strays(rate=values["duplicates"], msl=values["msl"], window=values["window"], timestamps=values["timestamps"])
    screen = Screen()
    asked = values["time_waits"] or tuple(time_waits_of_stacks())
    if picture.asked:
        deliver(_writers(close, stack, picture), picture, screen)
        return 0
    table = list(risks(close, strays, asked))
    if as_json:
        screen.raw(json.dumps(_data(close, table, values["samples"]), indent=2))
    else:
        _show(close, table, values, None if values["retries"] else stack.retry_time, screen)
    return 0


def orderly_close(
    stack: Stack, path: NetworkPath, first: Fraction, gaps: tuple[Fraction, ...] | None = None, retries: int | None = None
) -> OrderlyClose:
    """The close of a stack on a network.

    Parameters
    ----------
    stack : Stack
        The stack of both ends.
    path : NetworkPath
        The network.
    first : Fraction
        The RTO that RFC 6298 computes for this network, in seconds, before it is rounded up to the stack's least.
    gaps : tuple of Fraction, optional
        The gaps between transmissions, in seconds; without them, doubling from the first RTO to the longest of the stack.
    retries : int, optional
        Retransmissions of a segment; without it, those of the stack: as many as the gaps allow where it states a time.

    Raises
    ------
    click.UsageError
        Neither the stack nor the caller says how often a segment is retransmitted.
    """
    if gaps is None:
        least = max(stack.require("rto_min"), first)
        gaps = doubling(least, max(stack.require("rto_max"), least))
    if retries is None:
        limit = stack.retry_time
        retries = stack.value("retries") if limit is None else retransmissions(gaps, limit)
    if retries is None:
        raise click.UsageError(f"profile {stack.name} does not say how often a segment is retransmitted; give --retries")
    gaps = gaps[: max(retries, 1)]
    longest = path.longest or Fraction(1)
    configuration = assemble(stack, Overrides.of(rto=gaps, retries=retries, time_wait=Fraction(1), msl=longest))
    behaviour = configuration.behaviour
    limits = {State[name.upper()]: getattr(configuration, name) for name in STATE_LIMITS if getattr(behaviour, name)}
    return OrderlyClose(time_wait=Fraction(0), gaps=gaps, behaviour=behaviour, path=path, limits=limits)


def _question(close: OrderlyClose) -> str:
    path = close.path
    shown = [format_duration(gap) for gap in close.gaps]
    gaps = listed(shown) if len(shown) <= 4 else f"{', '.join(shown[:3])}, ... {shown[-1]}"
    delays = [delay for delay, _ in path.delays]
    taken = short_duration(delays[0]) if len(delays) == 1 else f"{short_duration(min(delays))} to {short_duration(max(delays))}"
    budget = "" if path.budget is None else f", at most {path.budget} in a loss window"
    return (
        f"{float(100 * path.loss_rate):.3g}% of all packets are lost{budget}, each of the others takes {taken}; "
        f"{close.behaviour.retries} retransmissions at most, after {gaps}"
    )


def _show(
    close: OrderlyClose, table: Sequence[Risk], values: dict[str, Any], retry_time: Fraction | None, screen: Screen
) -> None:
    screen.paragraphs([_question(close)])
    screen.line(f"with a TIME_WAIT of {format_duration(least_without_risk(close))} or more no close ends in a RST")
    if retry_time is not None:
        over = f"its last FIN less than RTO + {format_duration(retry_time)} after its first"
        screen.paragraphs([f"the stack retransmits for a time, not a number of times: at any RTO it sends {over}"])
    screen.line()
    harms = [*HARMS] if values["duplicates"] is not None else []
    per_day = values["rate_of_reuse"]
    heads = ["TIME_WAIT", "ends in a RST", *(["that is"] if per_day else []), *harms, "stacks"]
    rows = []
    for risk in table:
        often = [_often(risk.reset * per_day)] if per_day else []
        accepted = [_chance(risk.accepted[harm]) for harm in harms]
        rows.append([format_duration(risk.time_wait), _chance(risk.reset), *often, *accepted, ", ".join(risk.stacks)])
    screen.table(heads, rows)
    if samples := values["samples"]:
        screen.line()
        for risk in table:
            found = sampled(replace(close, time_wait=risk.time_wait), samples)[CloseResult.RESET]
            within = "contains" if found.low <= risk.reset <= found.high else "does not contain"
            resets = f"{round(found.share * samples):,} of {samples:,} closes"
            screen.line(
                f"TIME_WAIT {format_duration(risk.time_wait)}: {resets} end in a RST; "
                f"the 99 % interval {found.low:.3g} to {found.high:.3g} {within} the exact probability"
            )


def _chance(value: Fraction) -> str:
    return f"{float(value):.2e}" if value else "0"


def _often(per_day: Fraction) -> str:
    """How often something happens, from the expected number per day."""
    if not per_day:
        return "never"
    if per_day >= 1:
        return f"{_grouped(per_day)} a day"
    days = 1 / per_day
    return f"once in {_grouped(days)} days" if days < 730 else f"once in {_grouped(days / 365)} years"


def _grouped(number: Fraction) -> str:
    """A number to three digits, without an exponent."""
    shown = float(f"{float(number):.3g}")
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if shown >= size:
            return f"{shown / size:,.3g} {name}" if shown < 1000 * size else f"{shown / size:,.0f} {name}"
    return f"{shown:,.0f}" if shown >= 100 else f"{shown:g}"


def _data(close: OrderlyClose, table: Sequence[Risk], samples: int | None) -> dict[str, Any]:
    """Everything as plain data; times in seconds, exact probabilities as text."""
    rows = []
    for risk in table:
        at = replace(close, time_wait=risk.time_wait)
        rows.append(
            {
                "time_wait": float(risk.time_wait),
                "stacks": list(risk.stacks),
                "results": {str(result): float(chance) for result, chance in risk.results.items()},
                "exact": {str(result): str(chance) for result, chance in risk.results.items()},
                "accepted": {harm: float(chance) for harm, chance in risk.accepted.items()},
                "sampled": {str(result): found._asdict() for result, found in sampled(at, samples).items()} if samples else None,
            }
        )
    return {"question": _question(close), "no_risk_from": float(least_without_risk(close)), "risks": rows}


def _writers(close: OrderlyClose, stack: Stack, picture: PictureOptions) -> Writers:
    curve = risk_curve(close, stack)
    curve = replace(curve, title=picture.title_or(curve.title))
    return of_svg(partial(risk_chart.as_svg, curve), picture) | {"text": lambda: "\n".join(curve.sentences()) + "\n"}


def risk_curve(close: OrderlyClose, stack: Stack) -> risk_chart.RiskCurve:
    """The content of the chart of a close, at every TIME_WAIT.

    Raises
    ------
    click.UsageError
        No close ends in a RST.
    """
    zero_from = least_without_risk(close)
    if not zero_from:
        raise click.UsageError("no close ends in a RST on this network, so there is nothing to draw")
    stacks = time_waits_of_stacks()
    first = min(close.gaps) / 4
    along = [first * (zero_from / first) ** Fraction(step, STEPS) for step in range(STEPS)]
    values = {Fraction(value).limit_denominator(1000) for value in along} | {value for value in stacks if value > first}
    table = [risk for risk in risks(close, None, values) if risk.reset]
    steps = tuple((float(risk.time_wait), float(risk.reset)) for risk in table)
    points = tuple((*step, ", ".join(risk.stacks)) for step, risk in zip(steps, table, strict=True) if risk.stacks)
    caption = (_question(close),)
    return risk_chart.RiskCurve(
        "The risk of a RST at the end of a close", caption, steps, float(zero_from), _proved(close, stack), points
    )


def _proved(close: OrderlyClose, stack: Stack) -> float | None:
    """The TIME_WAIT that is proved safe for any delays up to the longest one, in seconds; None without a bound on losses.

    It is that of ends that never give up: a close of the chain ends when an end gives up, so every RST that it counts belongs
    to such a run. With a limit no TIME_WAIT is safe, since a user may close after the other end has given up.
    """
    if close.path.budget is None:
        return None
    found = threshold(
        stack=stack,
        msl=close.path.longest,
        rto=close.gaps,
        loss=close.path.budget,
        exact_rto=True,
        properties=("graceful",),
    )
    return None if found.least is None else float(found.least)
