"""``timewait convert``: a trace in the formats of other tools."""

from __future__ import annotations

from pathlib import Path

import click

from timewait.checker import itf
from timewait.checker.itf import BrokenTrace
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.value_types import FilePath, WordChoice
from timewait.formats.trace_formats import TRACE_FORMATS
from timewait.narration.trace_file import read_trace

ENDS = tuple(dict.fromkeys(end for form in TRACE_FORMATS.values() for end in form.ends))
WITH_ENDS = " or ".join(f"--to {name} ({', '.join(form.ends)})" for name, form in TRACE_FORMATS.items() if form.ends)
DESCRIPTIONS = "; ".join(f"{name} ({form.description}, {form.suffix})" for name, form in TRACE_FORMATS.items())


def _show_schema(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        Screen().raw(itf.SCHEMA.read_text(encoding="utf-8"))
        context.exit()


@click.command("convert")
@click.argument("trace_file", metavar="TRACE", type=FilePath(exists=True, dir_okay=False))
@click.option("--to", "name", type=WordChoice([*TRACE_FORMATS]), help=f"The format (required): {DESCRIPTIONS}.")
@click.option("--out", type=FilePath(dir_okay=False), help="The file. [default: standard output]")
@click.option("--end", type=WordChoice(ENDS), help=f"The capturing end, or the stack under test; for {WITH_ENDS}. [default: a]")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_show_schema, help="Print the JSON Schema of traces."
)
def convert_command(trace_file: Path, name: str | None, out: Path | None, end: str | None) -> int:
    """Write a trace (ITF JSON, as 'check --trace' writes it) in a format of other tools."""
    if name is None:
        raise click.UsageError(f"the format is missing: --to {', '.join(TRACE_FORMATS)}")
    form = TRACE_FORMATS[name]
    if end is not None and end not in form.ends:
        raise click.UsageError(f"--end {end} does not go with --to {name}; it goes with {WITH_ENDS}")
    trace = read_trace(trace_file)
    try:
        content = form.write(trace, end or "a")
    except BrokenTrace as problem:
        raise BrokenTrace(f"{trace_file}: {problem}") from problem
    screen = Screen()
    if out is not None:
        write_whole(out, content)
    elif isinstance(content, str):
        screen.raw(content)
    elif screen.for_people:
        raise click.UsageError(f"{name} is not text: give --out FILE, or pipe it into a program")
    else:
        screen.octets(content)
    return 0
