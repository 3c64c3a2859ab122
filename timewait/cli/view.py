"""The command ``view``: writes the review page of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from timewait import __version__
from timewait.checker.trace import Trace
from timewait.cli.command_line import current_words, in_words
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.value_types import FilePath
from timewait.diagrams import page as review
from timewait.narration.trace_file import read_trace


@click.command("view")
@click.argument("file", metavar="TRACE", type=FilePath(exists=True, dir_okay=False))
@click.option("--out", type=FilePath(dir_okay=False), help="The file. [default: the name of the trace, with .html]")
def view_command(file: Path, out: Path | None) -> int:
    """Write the review page of a trace: one HTML file that needs no network."""
    target = out or file.with_name(f"{file.name.removesuffix('.json').removesuffix('.itf')}.html")
    write_page(target, read_trace(file))
    Screen().line(f"wrote {target}")
    return 0


def write_page(
    target: Path,
    *runs: Trace,
    answer: review.AnswerInWords | None = None,
    kernels: Mapping[str, review.KernelInWords] | None = None,
) -> None:
    """Write the review page of an answer with its runs, or of one run, with what a running stack did in each, and the command.

    Raises
    ------
    click.UsageError
        The file cannot be written.
    """
    origin = review.Origin(in_words(current_words()), __version__)
    write_whole(target, review.page(*runs, answer=answer, kernels=kernels, origin=origin, others=True))
