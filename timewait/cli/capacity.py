"""The command ``capacity``: computes how many connections the ports of a host allow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.capacity.description import as_data, facts, question_in_words
from timewait.capacity.load import NANOSECONDS, Load, constant, read_load
from timewait.capacity.ports import Closer, PortPool, Reuse, Service
from timewait.capacity.prediction import Prediction
from timewait.capacity.simulation import Timeline, simulate
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.picture_formats import PictureOptions, Writers, deliver, of_svg, output_options
from timewait.cli.value_types import DURATION, FilePath, Parsed, WordChoice
from timewait.diagrams import capacity_chart
from timewait.laboratory.port_check import check_ports
from timewait.machine.reading import read_this_host
from timewait.narration.prose import counted, short_duration

NARROW, MOST_NARROW = 100, 2000
"""Ports of a check on the kernel: by default, and at most."""

PERIODS = 3
"""How many times the simulated time covers the life of a port, where ``--duration`` is not given."""

_RATE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?:/(?P<unit>s|m|h))?")
_LENGTHS = {"s": 1, "m": 60, "h": 3600, None: 1}


def rate(text: str) -> Fraction:
    """Connections per second: ``1000/s``, ``60/m`` or ``1000``.

    Raises
    ------
    ValueError
        The text is not a rate.
    """
    found = _RATE.fullmatch(text)
    if not found or len(text) > 20:
        raise ValueError(f"{text[:20]!r} is not a rate, such as 1000/s or 60/m")
    value = Fraction(found["number"]) / _LENGTHS[found["unit"]]
    if not value:
        raise ValueError("a rate must be more than zero")
    return value


@click.command("capacity")
@click.option("--rate", "opened", type=Parsed("rate", rate), help="Connections that are opened, for instance 1000/s.")
@click.option("--load", type=FilePath(dir_okay=False), help="A CSV file instead: columns time and rate.")
@click.option("--service-time", type=DURATION, default="0", help="From opening to close. [default: 0]")
@click.option("--time-wait", type=DURATION, default="60s", show_default=True, help="TIME_WAIT of the end that closes first.")
@click.option(
    "--closer", type=WordChoice([*map(str, Closer)]), default="client", show_default=True, help="Which end closes first."
)
@click.option("--ports", type=click.IntRange(min=1), help="Ports that connect() may choose. [default: 28232, 32768 to 60999]")
@click.option("--addresses", type=click.IntRange(min=1), default=1, show_default=True, help="Local addresses.")
@click.option("--destinations", type=click.IntRange(min=1), default=1, show_default=True, help="Remote addresses and ports.")
@click.option(
    "--reuse", type=WordChoice([*map(str, Reuse)]), help="Reuse of ports in TIME_WAIT: tcp_tw_reuse 0, 2, 1. [default: off]"
)
@click.option("--reuse-delay", type=DURATION, help="Time in TIME_WAIT before reuse (tcp_tw_reuse_delay). [default: 1s]")
@click.option("--no-timestamps", is_flag=True, help="An end does not use timestamps, so ports are not reused.")
@click.option("--loopback", is_flag=True, help="The destination is a loopback address.")
@click.option(
    "--buckets", type=click.IntRange(min=0), help="Most connections in TIME_WAIT (tcp_max_tw_buckets). [default: no limit]"
)
@click.option("--host", is_flag=True, help="Take ports, reuse, timestamps and the limit from this machine.")
@click.option("--duration", type=DURATION, help="How long the load lasts. [default: 3 lives of a port]")
@click.option("--on", type=WordChoice(["linux"]), help="Check the prediction on this kernel, in a network namespace.")
@output_options(layout=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def capacity_command(
    opened: Fraction | None,
    load: Path | None,
    service_time: Fraction,
    time_wait: Fraction,
    closer: str,
    host: bool,
    on: str | None,
    duration: Fraction | None,
    picture: PictureOptions,
    as_json: bool,
    **settings: Any,
) -> int:
    """Compute the connections per second that the ports allow, when they run out, and what is refused."""
    pool = _pool(host, settings)
    if on:
        return _check(pool, settings["ports"], as_json)
    if (opened is None) == (load is None):
        raise click.UsageError("give either --rate, for instance --rate 1000/s, or --load FILE")
    service = Service(time_wait=time_wait, service_time=service_time, closer=Closer(closer))
    tail = duration or max(PERIODS * (service_time + pool.blocked(service)), Fraction(1))
    stretches = constant(opened, tail) if opened is not None else read_load(_path(load), tail)
    timeline = simulate(stretches, pool, service)
    prediction = Prediction(pool, service, opened or _average(stretches))
    screen = Screen()
    writers = _writers(prediction, timeline, picture)
    if as_json or picture.asked:
        deliver(writers, replace(picture, form="json") if as_json else picture, screen)
    else:
        _show(prediction, timeline, stretches if load else (), screen)
    return 0


def _check(pool: PortPool, stated: int | None, as_json: bool) -> int:
    """Compare the kernel with the prediction for each rule of reuse; a difference is a disagreement."""
    pool = replace(pool, ports=min(stated or NARROW, MOST_NARROW))
    screen = Screen()
    different = False
    rows = []
    for chosen, found in check_ports(pool):
        different |= bool(found.different)
        rows.append(found._asdict() | {"reuse": str(chosen.reuse), "ports": chosen.ports})
        if not as_json:
            agrees = f"differs at attempt {found.different[0]}" if found.different else "as predicted, connect by connect"
            screen.line(
                f"{counted(chosen.ports, 'port')}, reuse {chosen.reuse}: {found.attempts} attempts, {found.opened} opened, "
                f"{found.attempts - found.opened} EADDRNOTAVAIL; {agrees}"
                + (f" ({found.undecided} may go either way)" if found.undecided else "")
            )
    if as_json:
        screen.as_json({"on": "linux", "checks": rows})
    return Verdict.DISAGREEMENT.exit_code if different else 0


def _path(load: Path | None) -> Path:
    assert load is not None
    return load


def _average(load: Load) -> Fraction:
    """The average rate of a load, in connections per second."""
    return Fraction(sum(stretch.connections for stretch in load) * NANOSECONDS, load[-1].end - load[0].begin)


def _pool(host: bool, settings: Mapping[str, Any]) -> PortPool:
    """The ports: from the options, else from this machine where that is asked for, else the defaults of Linux."""
    shape = {name: settings[name] for name in ("addresses", "destinations", "loopback")}
    pool = read_this_host().pool(**shape) if host else PortPool(ports=28232, **shape)
    stated = {name: settings[name] for name in ("ports", "reuse_delay", "buckets") if settings[name] is not None}
    if settings["reuse"] is not None:
        stated["reuse"] = Reuse(settings["reuse"])
    if settings["no_timestamps"]:
        stated["timestamps"] = False
    return replace(pool, **stated)


def _show(prediction: Prediction, timeline: Timeline, load: Load, screen: Screen) -> None:
    screen.paragraphs([f"{'on average ' if load else ''}{question_in_words(prediction)}"])
    rows = list(facts(prediction))
    if load:
        first = timeline.first_refused
        when = "" if first is None else f", the first one {short_duration(first)} after the start"
        rows[:1] = [("the load", f"{timeline.opened:,} connections opened, {timeline.refused:,} refused{when}")]
    screen.table(("", ""), rows)
    if timeline.without_time_wait:
        screen.line(f"{timeline.without_time_wait:,} connections end without TIME_WAIT, which is unsafe")


def _writers(prediction: Prediction, timeline: Timeline, picture: PictureOptions) -> Writers:
    use = port_use(prediction, timeline)
    use = replace(use, title=picture.title_or(use.title))
    return of_svg(lambda: capacity_chart.as_svg(use), picture) | {
        "text": lambda: "\n".join(use.sentences()) + "\n",
        "json": lambda: json.dumps(as_data(prediction, timeline), indent=2) + "\n",
    }


def port_use(prediction: Prediction, timeline: Timeline) -> capacity_chart.PortUse:
    """The content of the chart of a simulated load."""
    points = tuple(
        (float(sample.time), sample.in_use, sample.waiting, sample.opened, sample.refused) for sample in timeline.samples
    )
    caption = (question_in_words(prediction),)
    return capacity_chart.PortUse("Ports and refused connections over time", caption, prediction.pool.size, points)
