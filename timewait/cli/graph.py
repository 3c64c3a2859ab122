"""The former command ``graph``; ``diagram states`` has replaced it."""

from __future__ import annotations

import click

from timewait.cli.console import Screen
from timewait.cli.diagram import states_command
from timewait.cli.value_types import WordChoice


@click.command("graph")
@click.option("--stack", help="The stack whose endpoint is shown. [default: rfc9293-intended]")
@click.option("--format", "form", type=WordChoice(["text", "dot", "json"]), default="text", show_default=True)
@click.option("--whole", is_flag=True, help="Opening and closing, not the close alone.")
def graph_command(stack: str | None, form: str, whole: bool) -> int:
    """Print the transition graph of an endpoint; use 'timewait diagram states' instead."""
    chosen = ["--format", form, "--against", "none", *(["--stack", stack] if stack else []), *(["--whole"] if whole else [])]
    Screen().note(f"the next release drops this command: use 'timewait diagram states {' '.join(chosen)}'")
    states_command.main(chosen, prog_name="timewait diagram states", standalone_mode=False)
    return 0
