"""The command ``host``: shows the settings of this machine."""

from __future__ import annotations

import click

from timewait.cli.check import Outputs, run_check
from timewait.cli.console import Screen
from timewait.cli.options import MSL, question_options
from timewait.options import Options
from timewait.spec.host import read_settings


@click.command("host")
@question_options(closers="both", time_wait="the kernel's", stacks="host")
def host_command(options: Options, as_json: bool) -> int:
    """Show the TCP settings of this machine, explain them, and check them (at MSL 30s unless --msl is given)."""
    screen = Screen()
    if not as_json:
        rows = [(setting.name, setting.value, setting.meaning) for setting in read_settings()]
        screen.table(("setting", "value", "meaning"), rows)
        screen.line()
    screen.note(
        "the next release of 'timewait host' shows the settings alone: to check them use 'timewait check --host --msl 30s'"
    )
    return run_check(options.with_msl(MSL), as_json, Outputs())
