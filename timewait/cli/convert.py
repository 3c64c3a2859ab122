"""``timewait convert``: a trace in the formats of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from timewait import __version__
from timewait.checker import itf
from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.formats import mermaid, packetdrill, pcapng, sarif
from timewait.formats.case import case_of_trace

FORMATS: dict[str, Callable[[Trace, str], str | bytes]] = {
    "itf": lambda trace, _: itf.as_itf_text(trace),
    "json": lambda trace, _: json.dumps(trace.as_json(), indent=2, ensure_ascii=False) + "\n",
    "mermaid": lambda trace, _: mermaid.as_mermaid_text(trace),
    "pcapng": lambda trace, end: pcapng.as_pcapng(trace, end),
    "packetdrill": lambda trace, end: packetdrill.as_packetdrill(trace, end),
    "sarif": lambda trace, _: sarif.as_sarif([case_of_trace(trace)], __version__),
}
"""How each format is written of a trace, as one end has it."""

ONE_SIDED = {"pcapng": ("a", "b", "both"), "packetdrill": ("a", "b")}
"""The formats that show what one end sees or does, and the ends that may be asked for."""


def _show_schema(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        Screen().raw(itf.SCHEMA.read_text(encoding="utf-8"))
        context.exit()


@click.command("convert")
@click.argument("trace_file", metavar="TRACE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--to", "form", type=click.Choice([*FORMATS]), help="The format; must be given.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file. [default: standard output]")
@click.option(
    "--end",
    type=click.Choice(["a", "b", "both"]),
    help="Where packets are captured (pcapng), or which end is the stack under test (packetdrill). [default: a]",
)
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_show_schema, help="Print the JSON Schema of traces."
)
def convert_command(trace_file: Path, form: str | None, out: Path | None, end: str | None) -> int:
    """Write a trace (ITF JSON, as 'check --trace' writes it) in a format of other tools."""
    if form is None:
        raise click.UsageError(f"say which format: --to {', '.join(FORMATS)}")
    if end is not None and end not in ONE_SIDED.get(form, ()):
        known = " or ".join(f"--to {name} ({', '.join(ends)})" for name, ends in ONE_SIDED.items())
        raise click.UsageError(f"--end {end} does not go with --to {form}; it goes with {known}")
    trace = itf.read(trace_file)
    try:
        written = FORMATS[form](trace, end or "a")
    except BrokenTrace as problem:
        raise BrokenTrace(f"{trace_file}: {problem}") from problem
    screen = Screen()
    if out is not None:
        write_whole(out, written)
    elif isinstance(written, str):
        screen.raw(written)
    elif screen.for_people:
        raise click.UsageError(f"{form} is not text: give --out FILE, or pipe it into a program")
    else:
        screen.octets(written)
    return 0
