"""The command ``diff``: compares two stacks, setting by setting and event by event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from timewait.cli.console import Screen
from timewait.cli.value_types import complete_stack
from timewait.narration.prose import listed
from timewait.spec.assemble import Overrides, assumed, behaviour_of
from timewait.spec.difference import GraphDifference, difference
from timewait.spec.graph import close_part, transition_graph
from timewait.spec.settings import PROFILE_KEYS
from timewait.spec.stacks import MissingValue, Stack, load_stack


@click.command("diff")
@click.argument("first", shell_complete=complete_stack)
@click.argument("second", shell_complete=complete_stack)
@click.option("--orphan", is_flag=True, help="The user who closes reads no more: FIN_WAIT_2 timeouts and late text matter.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def diff_command(first: str, second: str, orphan: bool, as_json: bool) -> int:
    """Compare two stacks: their settings, and what they do otherwise when they close a connection."""
    screen, stacks = Screen(), (load_stack(first), load_stack(second))
    rows = [(name, *values) for name in PROFILE_KEYS if len(set(values := tuple(stack.described(name) for stack in stacks))) > 1]
    found, unknown = _events(stacks, orphan)
    if as_json:
        screen.as_json(_as_json(stacks, rows, found, unknown))
        return 0
    names = [stack.name for stack in stacks]
    if rows:
        screen.table(("setting", *names), rows)
    else:
        screen.line(f"{names[0]} and {names[1]} have the same settings")
    screen.line()
    if found is None:
        screen.line(f"their events are not compared: {unknown}")
    else:
        same = f"{names[0]} and {names[1]} do the same on every event of a close"
        screen.paragraphs(found.words(*names) if found else [same], hanging=2)
        screen.paragraphs(_assumed(stacks, orphan))
    return 0


def _events(stacks: tuple[Stack, Stack], orphan: bool) -> tuple[GraphDifference | None, str]:
    """The differences event by event; None, and the reason, where a profile leaves out what decides them."""
    overrides = Overrides(behaviour={"abandons": orphan})
    try:
        first, second = (close_part(transition_graph(behaviour_of(stack, overrides))) for stack in stacks)
    except MissingValue as problem:
        return None, str(problem).partition(";")[0]
    return difference(first, second), ""


def _assumed(stacks: tuple[Stack, Stack], orphan: bool) -> Iterator[str]:
    """For each stack the settings that it leaves out, since the comparison of events needs a value."""
    for stack in dict.fromkeys(stacks):
        if entries := assumed(stack, Overrides(behaviour={"abandons": orphan})):
            names = listed([entry.name for entry in entries])
            yield f"Not known for {stack.name}, and compared as RFC 9293 has it: {names}."


def _as_json(
    stacks: tuple[Stack, Stack], rows: list[tuple[str, ...]], found: GraphDifference | None, unknown: str
) -> dict[str, Any]:
    names = [stack.name for stack in stacks]
    return {
        "stacks": names,
        "settings": {name: dict(zip(names, values, strict=True)) for name, *values in rows},
        "events": None if found is None else [*found.words(*names)],
        "reason": unknown,
    }
