"""The command ``host``: explains the settings of a machine, and what it can do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.value_types import FilePath
from timewait.machine.advice import verdict_line
from timewait.machine.reading import HostReport, report
from timewait.machine.sockets import LiveSockets
from timewait.machine.sources import SettingsSource, settings_of_file, settings_of_stream
from timewait.spec.state import State

DESTINATIONS = 5
"""Destinations that are listed at most."""

SHOWN = (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT)
"""The states whose sockets are counted."""


@click.command("host")
@click.option(
    "--from",
    "origin",
    type=FilePath(allow_dash=True),
    help="Another machine: a copy of /proc/sys, the output of sysctl -a (Linux, FreeBSD, macOS), or - for standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def host_command(origin: Path | None, as_json: bool) -> int:
    """Show how many connections this machine can open, whether something needs doing, and what its settings mean.

    Exits with 0 when nothing needs doing, else with 10. 'timewait check --host --msl TIME' checks the settings as a
    stack; no kernel says how long a segment lives.
    """
    found = report(None if origin is None else _source(origin))
    screen = Screen()
    if as_json:
        screen.as_json(_as_data(found))
    else:
        _show(found, screen)
    return Verdict.VIOLATED.exit_code if found.advice else 0


def _source(origin: Path) -> SettingsSource:
    if str(origin) == "-":
        return settings_of_stream(sys.stdin.buffer, "standard input")
    return settings_of_file(origin)


def _show(found: HostReport, screen: Screen) -> None:
    screen.paragraphs([found.headline, verdict_line(list(found.advice))])
    for advice in found.advice:
        screen.line()
        screen.paragraphs([advice.finding])
        screen.line(f"  {advice.command}")
        screen.paragraphs([f"consequence: {advice.consequence}"], indent=2)
    if found.live is not None:
        screen.line()
        screen.table(("state", "sockets"), [(state, f"{found.live.states[state]:,}") for state in SHOWN])
        screen.line(f"orphans: {found.live.orphans:,}")
        for remote, count in found.live.waiting.most_common(DESTINATIONS):
            screen.line(f"TIME-WAIT with {remote}: {count:,}")
        for program, count in found.live.not_closed.most_common(DESTINATIONS):
            screen.line(f"CLOSE-WAIT of {program}: {count:,}")
    screen.line()
    screen.table(("setting", "value", "meaning"), [(entry.name, entry.value, entry.meaning) for entry in found.settings])


def _as_data(found: HostReport) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "headline": found.headline,
        "advice": [advice._asdict() for advice in found.advice],
        "settings": [entry._asdict() for entry in found.settings],
        "sockets": None if found.live is None else _sockets(found.live),
    }


def _sockets(live: LiveSockets) -> dict[str, Any]:
    return {
        "states": {str(state): live.states[state] for state in SHOWN},
        "orphans": live.orphans,
        "time_wait_by_destination": dict(live.waiting.most_common()),
        "ports_by_destination": dict(live.ports.most_common()),
        "close_wait_by_program": dict(live.not_closed.most_common()),
    }
