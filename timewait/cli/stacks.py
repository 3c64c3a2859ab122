"""The command ``stacks``: lists the profiles of stacks."""

from __future__ import annotations

from typing import Any

import click

from timewait.cli.console import Screen
from timewait.spec.settings import PROFILE_KEYS
from timewait.spec.stacks import Stack, load_stack, stack_names

COLUMNS = {"time_wait": "TIME_WAIT", "restarts": "restarted by", "reset": "RST in TIME_WAIT", "rto_max": "RTO at most"}
"""The settings in the list of stacks, with their headings."""


@click.command("stacks")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stacks_command(name: str | None, as_json: bool) -> int:
    """List the profiles of stacks, or show one with the source of every value."""
    screen = Screen()
    profiles = [load_stack(name)] if name else [load_stack(each) for each in stack_names()]
    if as_json:
        screen.as_json({"stacks": [_as_json(stack) for stack in profiles]})
    elif name:
        _show(screen, profiles[0])
    else:
        rows = [(stack.name, stack.title, *map(stack.described, COLUMNS)) for stack in profiles]
        screen.table(("stack", "title", *COLUMNS.values()), rows)
    return 0


def _as_json(stack: Stack) -> dict[str, Any]:
    values = {setting: stack.described(setting) for setting in PROFILE_KEYS if setting in stack.sources}
    sources = {setting: {"where": source.where, "evidence": source.evidence} for setting, source in stack.sources.items()}
    return {"name": stack.name, "title": stack.title, "note": stack.note, "values": values, "sources": sources}


def _show(screen: Screen, stack: Stack) -> None:
    screen.line(f"{stack.name}: {stack.title}")
    if stack.note:
        screen.line(" ".join(stack.note.split()))
    rows = []
    for setting in PROFILE_KEYS:
        source = stack.sources.get(setting)
        rows.append((setting, stack.described(setting), f"{source.where} ({source.evidence})" if source else ""))
    screen.table(("setting", "value", "source"), rows)
